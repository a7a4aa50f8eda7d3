//! Many Kustomizations from one source on a real API server: how long until all are ready, and what
//! it costs, beside a bare client that sends the same dry runs and applies.
//!
//! `cargo run --release -p gitops-testenv --bin scale -- --controllers target/release --count 1000`
//! with `KUBECONFIG` naming a cluster that has the CRDs and runs no such controllers.
#![expect(clippy::print_stdout, reason = "a measuring program reports")]

mod bare;
mod requests;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt};
use gitops_testenv::{Access, Controller, GitRepo, GitServer};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
    runtime::watcher::{self, Event, watcher},
};
use serde_json::{Value, json};

const NAMESPACE: &str = "scale";
const LIMIT: Duration = Duration::from_mins(10);

#[derive(Debug)]
struct Options {
    controllers: PathBuf,
    count: usize,
    flags: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = options()?;
    let client = Client::try_default().await.context("KUBECONFIG")?;
    namespace(&client).await?;

    let before = requests::work(&client).await?.cpu_seconds;
    let bare = bare::run(&client, options.count).await?;
    let used = requests::work(&client).await?.cpu_seconds - before;
    println!("bare client    {bare}, API server {used:.1} CPU s");

    let directory = tempfile::tempdir()?;
    let mut repo = GitRepo::init(directory.path().join("fleet.git"))?;
    write_repo(&mut repo, "one")?;
    let server = GitServer::start(directory.path(), Access::Open).await?;
    let storage = directory.path().join("storage");
    std::fs::create_dir(&storage)?;
    let storage_path = format!("--storage-path={}", storage.display());
    let source = Controller::start(
        &options.controllers,
        "source-controller",
        0,
        &[&storage_path, "--storage-addr=127.0.0.1:29303", "--storage-adv-addr=127.0.0.1:29303"],
        &[],
    )?;
    let kustomize =
        Controller::start(&options.controllers, "kustomize-controller", 10, &[], &options.flags)?;
    create_source(&client, &server.url("fleet.git")).await?;

    let first = turn(&client, &options, &[&source, &kustomize], "first apply", async {
        create_kustomizations(&client, options.count).await
    })
    .await?;
    println!("  {:.2}x the time of the bare client", first.as_secs_f64() / bare.wall.as_secs_f64());
    turn(&client, &options, &[&source, &kustomize], "no-op", async {
        request_all(&client, "noop").await
    })
    .await?;
    write_repo(&mut repo, "two")?;
    turn(&client, &options, &[&source, &kustomize], "new commit", async {
        request_source(&client, "commit").await
    })
    .await?;
    let before = Instant::now();
    api(&client, "Kustomization")
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await?;
    wait(&client, "gone", <[DynamicObject]>::is_empty).await?;
    println!("delete, prune  {:.1} s", before.elapsed().as_secs_f64());
    Ok(())
}

/// Runs `start`, waits until every Kustomization has handled it, and reports time and cost.
async fn turn(
    client: &Client,
    options: &Options,
    controllers: &[&Controller],
    name: &str,
    start: impl Future<Output = anyhow::Result<Goal>>,
) -> anyhow::Result<Duration> {
    let before = requests::work(client).await?;
    let cpu: Vec<f64> = controllers.iter().map(|one| one.cpu_seconds()).collect();
    let began = Instant::now();
    let goal = start.await?;
    let own = wait(client, name, |items| {
        items.len() == options.count && items.iter().all(|item| goal.met(item))
    })
    .await?;
    let wall = began.elapsed();
    let after = requests::work(client).await?;
    let sent = after.requests.saturating_sub(before.requests + own + goal.requests());
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let each = sent as f64 / options.count as f64;
    let used: f64 =
        controllers.iter().zip(cpu).map(|(one, before)| one.cpu_seconds() - before).sum();
    let peak: u64 = controllers.iter().map(|one| one.peak_mib()).sum();
    println!(
        "{name:<14} {:.1} s, controllers {used:.1} CPU s, peak {peak} MiB, {each:.1} requests each, \
         API server {:.1} CPU s",
        wall.as_secs_f64(),
        after.cpu_seconds - before.cpu_seconds
    );
    Ok(wall)
}

/// What a Kustomization must show.
enum Goal {
    Ready { requests: u64 },
    Handled { token: &'static str, requests: u64 },
    Revision { not: String, requests: u64 },
}

impl Goal {
    fn met(&self, object: &DynamicObject) -> bool {
        let status = &object.data["status"];
        let ready = status["conditions"].as_array().is_some_and(|conditions| {
            conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
        });
        ready
            && match self {
                Self::Ready { .. } => true,
                Self::Handled { token, .. } => status["lastHandledReconcileAt"] == *token,
                Self::Revision { not, .. } => status["lastAppliedRevision"] != not.as_str(),
            }
    }

    /// The requests that starting it took, which are not the controllers'.
    fn requests(&self) -> u64 {
        match self {
            Self::Ready { requests }
            | Self::Handled { requests, .. }
            | Self::Revision { requests, .. } => *requests,
        }
    }
}

fn options() -> anyhow::Result<Options> {
    let mut options =
        Options { controllers: "target/release".into(), count: 1000, flags: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--controllers" => options.controllers = value()?.into(),
            "--count" => options.count = value()?.parse()?,
            "--flag" => options.flags.push(value()?),
            _ => bail!(
                "usage: scale [--controllers DIR] [--count N] [--flag KUSTOMIZE_CONTROLLER_FLAG]…"
            ),
        }
    }
    Ok(options)
}

fn write_repo(repo: &mut GitRepo, value: &str) -> anyhow::Result<()> {
    let content = objects(value);
    repo.commit("main", &[("app/app.yaml", Some(&content))], value)?;
    Ok(())
}

/// Four objects whose names the Kustomizations prefix.
fn objects(value: &str) -> String {
    let of = |kind: &str, rest: &str| {
        format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: app\n{rest}---\n")
    };
    of("ConfigMap", &format!("data:\n  value: {value}\n"))
        + &of("ServiceAccount", "")
        + &of(
            "Service",
            "spec:\n  selector: {app: app}\n  ports: [{port: 80}]\n  clusterIP: None\n",
        )
        + &of("Secret", "stringData:\n  value: hidden\n")
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let group = match kind {
        "GitRepository" => "source.toolkit.fluxcd.io",
        _ => "kustomize.toolkit.fluxcd.io",
    };
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    if kind == "GitRepository" {
        resource.plural = "gitrepositories".into();
    }
    Api::namespaced_with(client.clone(), NAMESPACE, &resource)
}

async fn namespace(client: &Client) -> anyhow::Result<()> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"));
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    api.patch(
        NAMESPACE,
        &PatchParams::apply("scale"),
        &Patch::Apply(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}
        })),
    )
    .await?;
    Ok(())
}

async fn create_source(client: &Client, url: &str) -> anyhow::Result<()> {
    let source: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": NAMESPACE},
        "spec": {"interval": "1h", "url": url, "ref": {"branch": "main"}}
    }))?;
    let api = api(client, "GitRepository");
    api.create(&PostParams::default(), &source).await?;
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        if api.get("fleet").await?.data["status"]["artifact"].is_object() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the source has no artifact after {LIMIT:?}")
}

async fn create_kustomizations(client: &Client, count: usize) -> anyhow::Result<Goal> {
    let api = api(client, "Kustomization");
    let create = |number: usize| {
        let api = api.clone();
        async move {
            let object: DynamicObject = serde_json::from_value(json!({
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
                "metadata": {"name": format!("k{number}"), "namespace": NAMESPACE},
                "spec": {
                    "interval": "1h", "path": "./app", "prune": true, "targetNamespace": NAMESPACE,
                    "namePrefix": format!("k{number}-"),
                    "sourceRef": {"kind": "GitRepository", "name": "fleet"}
                }
            }))?;
            api.create(&PostParams::default(), &object).await?;
            anyhow::Ok(())
        }
    };
    // As many at a time as the bare client sends.
    futures::stream::iter((0..count).map(create))
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(Goal::Ready { requests: count as u64 })
}

async fn request_all(client: &Client, token: &'static str) -> anyhow::Result<Goal> {
    let api = api(client, "Kustomization");
    let names: Vec<String> =
        list(&api).await?.into_iter().filter_map(|one| one.metadata.name).collect();
    for name in &names {
        request(&api, name, token).await?;
    }
    Ok(Goal::Handled { token, requests: names.len() as u64 + 1 })
}

async fn request_source(client: &Client, token: &str) -> anyhow::Result<Goal> {
    let items = list(&api(client, "Kustomization")).await?;
    let first = items.first().context("no Kustomization")?;
    let not = first.data["status"]["lastAppliedRevision"].as_str().unwrap_or_default().to_owned();
    request(&api(client, "GitRepository"), "fleet", token).await?;
    Ok(Goal::Revision { not, requests: 2 })
}

async fn request(api: &Api<DynamicObject>, name: &str, token: &str) -> anyhow::Result<()> {
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch as Value)).await?;
    Ok(())
}

async fn list(api: &Api<DynamicObject>) -> anyhow::Result<Vec<DynamicObject>> {
    Ok(api.list(&ListParams::default()).await?.items)
}

/// Lists until the items are as wanted; returns how many requests that took.
async fn wait(
    client: &Client,
    what: &str,
    done: impl Fn(&[DynamicObject]) -> bool,
) -> anyhow::Result<u64> {
    // A watch, because listing a thousand objects again and again is a load of its own.
    let events = watcher(api(client, "Kustomization"), watcher::Config::default());
    let mut events = std::pin::pin!(events);
    let mut known = BTreeMap::new();
    let mut complete = false;
    let mut looked = Instant::now();
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let event = tokio::time::timeout(Duration::from_millis(50), events.next()).await;
        match event {
            Ok(Some(Ok(Event::Apply(item) | Event::InitApply(item)))) => {
                known.insert(item.metadata.name.clone(), item);
            }
            Ok(Some(Ok(Event::Delete(item)))) => {
                known.remove(&item.metadata.name);
            }
            Ok(Some(Ok(Event::Init))) => known.clear(),
            Ok(Some(Ok(Event::InitDone))) => complete = true,
            Ok(Some(Err(error))) => return Err(error.into()),
            Ok(None) => bail!("{what}: the watch ended"),
            Err(_) => {}
        }
        if complete && (event_is_late(looked) || known.is_empty()) {
            looked = Instant::now();
            let items: Vec<DynamicObject> = known.values().cloned().collect();
            if done(&items) {
                return Ok(2);
            }
        }
    }
    bail!("{what}: not done after {LIMIT:?}")
}

/// Whether it is time for another look at all objects.
fn event_is_late(looked: Instant) -> bool {
    looked.elapsed() >= Duration::from_millis(100)
}
