//! Public repositories, reconciled as they are, and compared with what kustomize makes of them.
//!
//! `cargo run --release -p gitops-testenv --bin real-input -- --controllers target/release` runs the
//! two controllers against the cluster that `KUBECONFIG` names; `--run target/release/gitops` runs
//! `gitops run` against an API server in this process. The repositories are those of the corpus that
//! `corpus/check.py unpack` unpacks, by default at `target/corpus/kustomize`; `--corpus DIR` names
//! another place.
//!
//! Builds are chosen whose objects can stand side by side and which an API server accepts at all. When
//! all are ready, applying what kustomize gives once more must change nothing; then a commit changes
//! one build, takes an object from another and breaks a third, and nothing else may move.
#![expect(clippy::print_stdout, reason = "a program reports")]

mod corpus;
mod fleet;
mod reconcilers;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use gitops_testenv::{Access, Cluster, GitServer};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use corpus::{Corpus, text};
use fleet::{Fleet, NAMESPACE};
use reconcilers::{Reconcilers, Running};

const LIMIT: Duration = Duration::from_mins(2);

#[derive(Debug, Default)]
struct Options {
    corpus: PathBuf,
    controllers: Option<PathBuf>,
    run: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = options()?;
    let directory = tempfile::tempdir()?;
    let (cluster, reconcilers) = Reconcilers::prepare(&options, directory.path()).await?;
    let corpus = Corpus::read(&options.corpus.join("real"), &fleet::is_built_in)?;
    let git = GitServer::start(directory.path().join("git"), Access::Open).await?;
    let mut fleet = Fleet::make(corpus, &directory.path().join("git"))?;
    fleet.furnish(&cluster).await?;
    fleet.drop_what_is_refused(&cluster).await?;
    let builds = fleet.kustomizations().count();
    let objects: usize = fleet.kustomizations().map(|(_, build)| build.objects.len()).sum();
    println!(
        "{} repositories, {builds} Kustomizations, {objects} objects",
        fleet.repositories.len()
    );
    if fleet.repositories.len() < 10 || builds < 60 {
        bail!("at least 10 repositories and 60 Kustomizations are wanted");
    }
    fleet.commit_all()?;

    let began = Instant::now();
    let mut running = reconcilers.start(&fleet.sync(&git), &cluster, directory.path()).await?;
    wait(&cluster, &mut running, builds, |state| state.ready == "True").await?;
    let took = began.elapsed().as_secs_f64();
    println!("all ready after {took:.1} s{}", running.cost().await?);
    let different = fleet.compare(&cluster).await?;
    for line in &different {
        println!("DIFFERENT {line}");
    }
    if !different.is_empty() {
        bail!("{} objects are not what kustomize gives", different.len());
    }
    println!("all {objects} objects are what kustomize gives");

    let before = fleet.versions(&cluster).await?;
    let plan = fleet.change()?;
    println!("changed {}, removed from {}, broke {}", plan.changed, plan.removed, plan.broken);
    let began = Instant::now();
    request(&cluster, &fleet.repositories[plan.repository].name).await?;
    let revision = plan.commit.clone();
    wait(&cluster, &mut running, builds, |state| match &state.name {
        name if *name == plan.broken => state.ready == "False" && state.reason == "BuildFailed",
        _ if state.repository != plan.repository_name => state.ready == "True",
        _ => state.ready == "True" && state.revision.ends_with(&revision),
    })
    .await?;
    println!("settled after {:.1} s", began.elapsed().as_secs_f64());
    let after = fleet.versions(&cluster).await?;
    let problems = plan.judge(&before, &after);
    for line in &problems {
        println!("WRONG {line}");
    }
    if !problems.is_empty() {
        bail!("{} objects moved that should not, or did not that should", problems.len());
    }
    println!("exactly what was changed, removed and broken has moved{}", running.cost().await?);
    Ok(())
}

/// Where a Kustomization stands.
struct State {
    name: String,
    repository: String,
    ready: String,
    reason: String,
    message: String,
    revision: String,
}

/// Waits until all Kustomizations are as wanted.
async fn wait(
    cluster: &Cluster,
    running: &mut Running,
    count: usize,
    wanted: impl Fn(&State) -> bool,
) -> anyhow::Result<()> {
    let end = Instant::now() + LIMIT;
    let api = cluster.api("kustomize.toolkit.fluxcd.io/v1", "Kustomization", NAMESPACE).await?;
    loop {
        let found = api.list(&ListParams::default().labels("real-input=build")).await?;
        let states: Vec<State> = found.items.iter().map(state).collect();
        let open: Vec<&State> = states.iter().filter(|state| !wanted(state)).collect();
        if states.len() == count && open.is_empty() {
            return Ok(());
        }
        running.check()?;
        if Instant::now() > end {
            for state in &open {
                println!("{} {} {}: {}", state.name, state.ready, state.reason, state.message);
            }
            bail!("{} of {count} Kustomizations are not as wanted in time", open.len());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn state(object: &DynamicObject) -> State {
    let value = serde_json::to_value(object).unwrap_or_default();
    let conditions = value.pointer("/status/conditions").and_then(Value::as_array).cloned();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready")
        .unwrap_or_default();
    State {
        name: text(&value, "/metadata/name").to_owned(),
        repository: text(&value, "/spec/sourceRef/name").to_owned(),
        ready: text(&ready, "/status").to_owned(),
        reason: text(&ready, "/reason").to_owned(),
        message: text(&ready, "/message").to_owned(),
        revision: text(&value, "/status/lastAppliedRevision").to_owned(),
    }
}

/// Asks for a repository to be looked at now.
async fn request(cluster: &Cluster, repository: &str) -> anyhow::Result<()> {
    let api = cluster.api("source.toolkit.fluxcd.io/v1", "GitRepository", NAMESPACE).await?;
    let annotations = json!({"reconcile.fluxcd.io/requestedAt": "real-input"});
    let patch = json!({"metadata": {"annotations": annotations}});
    api.patch(repository, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options { corpus: "target/corpus/kustomize".into(), ..Options::default() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value"))?.into();
        match word.as_str() {
            "--corpus" => options.corpus = value,
            "--controllers" => options.controllers = Some(value),
            "--run" => options.run = Some(value),
            _ => bail!("unknown flag {word}: --corpus DIR, --controllers DIR or --run GITOPS"),
        }
    }
    if options.controllers.is_some() == options.run.is_some() {
        bail!("say either --controllers DIR or --run GITOPS");
    }
    Ok(options)
}
