//! `gitops run`

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use gitops_apiserver::Server;
use gitops_core::Scope;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::{
    args::Run,
    repository::{self, Remote, SshPlaces, WorkingTree},
    session::{self, Console, Install, Plan},
};

pub(crate) fn run(args: &Run) -> anyhow::Result<ExitCode> {
    // Only fails when it was done before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let remote = Remote::parse(&args.target)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let console = Console::new(args.output.is_none());
        let tree = open(args, remote, &console).await?;
        let sync = repository::find(&*tree.current().1, args.path.as_deref())?;
        let cluster = cluster(args).await?;
        let is_embedded = cluster.is_embedded;
        let plan = Plan {
            server: cluster.name,
            client: cluster.client,
            tree: Arc::new(tree),
            sync,
            install: match (is_embedded, args.install_crds) {
                (true, _) => Install::All,
                (false, true) => Install::Needed,
                (false, false) => Install::Nothing,
            },
            force: args.force || is_embedded,
            simulate: args.simulate || (is_embedded && !args.no_simulate),
            write: args.write.clone(),
            show_secrets: args.show_secrets,
            once: args.once.then(|| Duration::from_secs(args.timeout)),
        };
        let end = session::run(plan, &console).await?;
        match args.output {
            Some(format) => session::print_report(&end, format)?,
            None => session::print_summary(&end)?,
        }
        let good = end.model.is_ready() || !args.once;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// The repository's files, from disk or from its server.
async fn open(
    args: &Run,
    remote: Option<Remote>,
    console: &Console,
) -> anyhow::Result<WorkingTree> {
    let Some(remote) = remote else {
        return WorkingTree::open(Path::new(&args.target))
            .with_context(|| format!("cannot serve '{}'", args.target));
    };
    console.say(&format!("fetching {}", remote.url()));
    let scope = Scope::background();
    let ssh = SshPlaces {
        identity: args.identity.clone(),
        known_hosts: args.known_hosts.clone(),
        agent: args.agent.clone(),
        home: args.home.clone(),
    };
    let fetched = tokio::select! {
        fetched = remote.fetch(&ssh, &scope) => fetched?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted while fetching {}", remote.url()),
    };
    Ok(WorkingTree::fetched(remote.url(), fetched))
}

/// Where the objects go.
struct Cluster {
    /// For people.
    name: String,
    client: kube::Client,
    is_embedded: bool,
}

async fn cluster(args: &Run) -> anyhow::Result<Cluster> {
    if args.kubeconfig.is_none() && args.context.is_none() {
        let client = kube::Client::new(Server::new().service(), "default");
        let name = "a cluster inside this process".to_owned();
        return Ok(Cluster { name, client, is_embedded: true });
    }
    let config = kubeconfig(args).await?;
    Ok(Cluster {
        name: config.cluster_url.to_string(),
        client: kube::Client::try_from(config)?,
        is_embedded: false,
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
