//! `gitops fetch helm`

use std::{fs, io::Write as _, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use gitops_core::{Digest, Limits, Scope, Stage, unpack};
use gitops_source::{
    BasicCredentials, ChartRepository, GitCredentials, HelmRepositories, HelmRepository,
    IndexedCharts, OciCharts, OciRepositoryName, Registries, Tls,
};
use url::Url;

use super::{args::Helm, output};
use crate::{
    artifact::{say, write},
    repository::take_credentials,
};

/// As large as source-controller allows.
const INDEX_MAX: u64 = 50 << 20;
const CHART_MAX: u64 = 10 << 20;

pub(super) async fn run(args: Helm, scope: &Scope) -> anyhow::Result<()> {
    output::check(&args.common)?;
    if !args.common.verify_key.is_empty() {
        bail!("--verify-key is of no use here; fetch a signed chart with `gitops fetch oci`");
    }
    say('►', &format!("fetching chart {}", args.chart));
    scope.enter(Stage::Fetch, format_args!("{}", args.chart));
    let repository = repository(&args).await?;
    let work = async {
        let range = args.version.as_deref().unwrap_or("*");
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
            write(&unpack(&package[..], &Limits::default())?, output)?;
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "revision: {}", version.version)?;
    writeln!(out, "digest: {}", Digest::sha256(&package))?;
    Ok(())
}

async fn repository(args: &Helm) -> anyhow::Result<Box<dyn ChartRepository>> {
    // The text may hold a password, so it is not repeated.
    let mut url = Url::parse(&args.url).context("the URL is malformed")?;
    if url.scheme() == "oci" {
        let name = format!("{}/{}", args.url.trim_end_matches('/'), args.chart);
        let name = OciRepositoryName::parse(&name)?;
        let options = args.access.options(&name, args.insecure_registry).await?;
        let charts = OciCharts::new(&args.url, Registries::new(), options);
        return Ok(Box::new(charts.with_timeout(args.access.timeout).with_limit(CHART_MAX)));
    }
    let credentials = match take_credentials(&mut url)? {
        GitCredentials::Basic { username, password } => {
            Some(BasicCredentials { username, password })
        }
        _ => None,
    };
    let repository = HelmRepository::new(url, Tls::default())
        .with_credentials(credentials)
        .with_timeout(args.access.timeout.min(Duration::from_mins(10)));
    let repositories = Arc::new(HelmRepositories::new(INDEX_MAX, CHART_MAX));
    Ok(Box::new(IndexedCharts::new(repositories, repository)))
}
