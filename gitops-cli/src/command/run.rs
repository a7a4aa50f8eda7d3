//! `gitops run`

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::{
    args::Run,
    repository::{self, WorkingTree},
    session::{self, Console, Plan},
};

pub(crate) fn run(args: &Run) -> anyhow::Result<ExitCode> {
    // Only fails when it was done before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let tree = WorkingTree::open(&args.target)
        .with_context(|| format!("cannot serve '{}'", args.target.display()))?;
    let sync = repository::find(&*tree.current().1, args.path.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = kubeconfig(args).await?;
        let plan = Plan {
            server: config.cluster_url.to_string(),
            client: kube::Client::try_from(config)?,
            tree: Arc::new(tree),
            sync,
            install_crds: args.install_crds,
            force: args.force,
            once: args.once.then(|| Duration::from_secs(args.timeout)),
        };
        let report = session::run(plan, &Console::new(args.output.is_none())).await?;
        match args.output {
            Some(format) => session::print_report(&report, format)?,
            None => session::print_summary(&report)?,
        }
        let good = report.is_ready() || !args.once;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn kubeconfig(args: &Run) -> anyhow::Result<kube::Config> {
    let kubeconfig = match &args.kubeconfig {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    let kubeconfig = kubeconfig.context("cannot read the kubeconfig")?;
    let options = KubeConfigOptions { context: args.context.clone(), ..Default::default() };
    kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .context("cannot use the kubeconfig")
}
