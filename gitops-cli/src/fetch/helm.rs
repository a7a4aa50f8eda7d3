//! `gitops fetch helm`

use std::{fs, io::Write as _};

use anyhow::{Context as _, bail};
use gitops_core::{Digest, Limits, Scope, Stage, unpack};
use gitops_source::{ChartRepository, OciRepositoryName};

use super::{args::Helm, output};
use crate::{
    artifact::{say, write},
    charts::{self, Access},
};

pub(super) async fn run(args: Helm, scope: &Scope) -> anyhow::Result<()> {
    output::check(&args.common)?;
    if !args.common.verify_key.is_empty() {
        bail!("--verify-key is of no use here; fetch a signed chart with `gitops fetch oci`");
    }
    say('►', &format!("fetching chart {}", args.chart));
    scope.enter(Stage::Fetch, format_args!("{}", args.chart));
    let repository = repository(&args).await?;
    let work = async {
        let range = charts::range(args.version.as_deref().unwrap_or_default(), false);
        let version = repository.find(&args.chart, range, scope).await?;
        let package = repository.download(&version, scope).await?;
        anyhow::Ok((version, package))
    };
    let (version, package) = tokio::time::timeout(args.access.timeout, work)
        .await
        .context("context deadline exceeded")??;
    if let Some(output) = &args.common.output {
        if output::is_archive(output) {
            fs::write(output, &package)
                .with_context(|| format!("cannot write '{}'", output.display()))?;
        } else {
            fs::create_dir_all(output)?;
            write(&unpack(&package[..], &Limits::default())?, output, &|_| None)?;
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "revision: {}", version.version)?;
    writeln!(out, "digest: {}", Digest::sha256(&package))?;
    Ok(())
}

async fn repository(args: &Helm) -> anyhow::Result<Box<dyn ChartRepository>> {
    let mut access = Access { timeout: Some(args.access.timeout), ..Access::default() };
    if args.url.starts_with("oci://") {
        let name = format!("{}/{}", args.url.trim_end_matches('/'), args.chart);
        let name = OciRepositoryName::parse(&name)?;
        access.registry = args.access.options(&name, args.insecure_registry).await?;
    }
    access.open(&args.url, &args.chart)
}
