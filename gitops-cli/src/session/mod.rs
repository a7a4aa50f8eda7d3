//! One run: reconcilers in this process, a working tree as their source, and what comes of it.

mod cluster;
mod console;
mod edits;
mod model;
mod objects;
mod origins;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use gitops_controllers::{
    embed::{self, EmbeddedOptions},
    runtime::Observer,
    source::SourceOverride,
    wire,
};
use gitops_core::Scope;
use gitops_source::Source;
use kube::{
    Client,
    core::DynamicObject,
    runtime::{
        WatchStreamExt as _, reflector,
        reflector::{Store, store::Writer},
        watcher,
    },
};
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    repository::{Places, RemoteUrl, Sync, WorkingTree},
    simulator,
};

pub(crate) use cluster::Install;
pub(crate) use console::{Console, print_report, print_summary};
use model::{Item, Model, State, Wanted};
use objects::Objects;
use origins::Origins;

/// How often the state is looked at even if nothing seems to happen.
const GLANCE: Duration = Duration::from_millis(500);
/// How often the objects are looked at that somebody waits for.
const LOOK: Duration = Duration::from_secs(1);
/// How long a settled state must stay as it is.
const QUIET: Duration = Duration::from_millis(300);
/// How soon a Kustomization looks again at what it depends on.
const DEPENDENCY: Duration = Duration::from_secs(1);

/// What to run.
pub(crate) struct Plan {
    /// The API server's address, for people.
    pub(crate) server: String,
    pub(crate) client: Client,
    pub(crate) tree: Arc<WorkingTree>,
    pub(crate) sync: Sync,
    pub(crate) install: Install,
    /// Also where Flux runs.
    pub(crate) force: bool,
    /// Let workloads become ready, as if a kubelet ran.
    pub(crate) simulate: bool,
    /// Where the objects are written when the run ends.
    pub(crate) write: Option<PathBuf>,
    /// With the values of Secrets.
    pub(crate) show_secrets: bool,
    /// End when all has settled, at the latest after this long; absent: at Ctrl-C.
    pub(crate) once: Option<Duration>,
}

/// What has become of everything.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) model: Model,
    /// Objects that are not as they should be, and why.
    pub(crate) unhealthy: BTreeMap<String, String>,
    /// Where objects are written.
    pub(crate) places: Places,
    /// Why builds failed, by Kustomization: pages of several lines.
    pub(crate) failures: BTreeMap<String, String>,
}

/// Which repositories the working tree stands for.
#[derive(Debug)]
struct Own {
    urls: Vec<String>,
    tree: Arc<WorkingTree>,
}

impl Own {
    fn is_own(&self, url: &str) -> bool {
        self.urls.iter().any(|own| RemoteUrl::same(own, url))
    }
}

impl SourceOverride for Own {
    fn source(&self, url: &str) -> Option<Arc<dyn Source>> {
        self.is_own(url).then(|| Arc::clone(&self.tree) as Arc<dyn Source>)
    }
}

/// Runs a plan to its end.
pub(crate) async fn run(plan: Plan, console: &Console) -> anyhow::Result<End> {
    let client = &plan.client;
    let (directory, root) = (plan.sync.directory.display(), plan.tree.name());
    console.say(&format!("{directory} of {root} into {}", plan.server));
    if !plan.force {
        cluster::refuse_taken(client).await?;
    }
    let installed = cluster::ensure_kinds(client, plan.install).await?;
    if plan.install == Install::Needed {
        for name in installed {
            console.say(&format!("+ CustomResourceDefinition/{name}"));
        }
    }

    let urls = plan.sync.own_urls(plan.tree.remotes(), &*plan.tree.current().1);
    let own = Arc::new(Own { urls, tree: Arc::clone(&plan.tree) });
    let scope = Scope::background();
    let mut options = EmbeddedOptions::new(wire::overlay_build());
    let origins = Arc::new(Origins::default());
    options.observer = Arc::clone(&origins) as Arc<dyn Observer>;
    options.source.overrides = Some(Arc::clone(&own) as Arc<dyn SourceOverride>);
    options.kustomize.options.dependency_interval = DEPENDENCY;
    options.timing.dependency = DEPENDENCY;

    // Asked for before anything runs: sync objects of an earlier run hold an earlier revision.
    cluster::apply_sync(client, &plan.sync.objects).await?;
    let changed = Arc::new(Notify::new());
    let sources = watch(client, "GitRepository", &changed, &scope)?;
    let kustomizations = watch(client, "Kustomization", &changed, &scope)?;
    let view = View { own, origins, sources, kustomizations };
    let _ = tokio::join!(view.sources.wait_until_ready(), view.kustomizations.wait_until_ready());
    for id in view.own_sources() {
        cluster::ask(client, &id, &token(0)).await?;
    }
    if plan.simulate {
        tokio::spawn(simulator::run(client.clone(), scope.clone()));
    }
    let reconcilers = tokio::spawn(embed::run(client.clone(), options, scope.clone()));

    let mut objects = Objects::new(client.clone());
    let result = tokio::select! {
        result = follow(&plan, &view, &changed, console, &mut objects) => result,
        result = tokio::signal::ctrl_c() => result.map(|()| view.model()).map_err(Into::into),
    };
    console.clear();
    let ending = async {
        let end = conclude(&plan, &view, result, &objects).await;
        scope.cancel();
        // The reconcilers end their writes. A failed start is the reason of everything else.
        match tokio::time::timeout(Duration::from_secs(5), reconcilers).await {
            Ok(Ok(Err(error))) => Err(error.into()),
            _ => end,
        }
    };
    tokio::select! {
        end = ending => end,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted before the run had ended"),
    }
}

async fn conclude(
    plan: &Plan,
    view: &View,
    model: anyhow::Result<Model>,
    objects: &Objects,
) -> anyhow::Result<End> {
    let model = model?;
    if let Some(directory) = &plan.write {
        objects.write(&model, directory, plan.show_secrets).await?;
    }
    let unhealthy = objects.health(&model).await;
    let mut places = Places::default();
    if !model.is_ready() {
        places = Places::of(plan.tree.current().1);
        places.built = view.origins.places(&view.own_sources());
    }
    let failures = view.origins.failures();
    Ok(End { model, unhealthy, places, failures })
}

/// What the watches know.
struct View {
    own: Arc<Own>,
    origins: Arc<Origins>,
    sources: Store<DynamicObject>,
    kustomizations: Store<DynamicObject>,
}

impl View {
    fn model(&self) -> Model {
        let values = |store: &Store<DynamicObject>| -> Vec<Value> {
            store.state().iter().filter_map(|object| serde_json::to_value(&**object).ok()).collect()
        };
        let revision = self.own.tree.current().0.to_string();
        let is_own = |url: &str| self.own.is_own(url);
        let wanted = Wanted { is_own: &is_own, revision: &revision };
        Model::new(&values(&self.sources), &values(&self.kustomizations), &wanted)
    }

    fn own_sources(&self) -> Vec<String> {
        let sources = self.sources.state();
        let own = sources.iter().filter(|source| {
            let url = source.data.pointer("/spec/url").and_then(Value::as_str);
            url.is_some_and(|url| self.own.is_own(url))
        });
        own.map(|source| {
            let metadata = &source.metadata;
            let namespace = metadata.namespace.as_deref().unwrap_or_default();
            format!("GitRepository/{namespace}/{}", metadata.name.as_deref().unwrap_or_default())
        })
        .collect()
    }
}

fn watch(
    client: &Client,
    kind: &str,
    changed: &Arc<Notify>,
    scope: &Scope,
) -> anyhow::Result<Store<DynamicObject>> {
    let api = cluster::resources(client, kind, None)?;
    let writer = Writer::new(cluster::resource(kind).expect("resources() knows the kind"));
    let store = writer.as_reader();
    let (changed, scope) = (Arc::clone(changed), scope.clone());
    let events = reflector(writer, watcher(api, watcher::Config::default())).default_backoff();
    tokio::spawn(async move {
        let drain = futures::StreamExt::for_each(events, |_| {
            changed.notify_one();
            futures::future::ready(())
        });
        // Ends with the run.
        let _ = scope.run(drain).await;
    });
    Ok(store)
}

async fn follow(
    plan: &Plan,
    view: &View,
    changed: &Notify,
    console: &Console,
    objects: &mut Objects,
) -> anyhow::Result<Model> {
    let watched = plan.tree.root().filter(|_| plan.once.is_none());
    let edits = watched.map(edits::watch).transpose()?;
    let end = plan.once.map(|timeout| Instant::now() + timeout);
    let mut told = Model::default();
    let mut retried = BTreeMap::new();
    let mut released = BTreeMap::new();
    let (mut awaited, mut looked) = (BTreeMap::new(), Instant::now());
    let mut quiet_since = Instant::now();
    let mut requests = 0_u32;
    loop {
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(if told.is_settled() { QUIET } else { GLANCE }) => {}
            () = edits::next(edits.as_ref()) => {
                if plan.tree.refresh()? {
                    requests += 1;
                    console.say("edited");
                    quiet_since = Instant::now();
                    for id in view.own_sources() {
                        cluster::ask(&plan.client, &id, &token(requests)).await?;
                    }
                }
            }
        }
        for warning in view.origins.take_warnings() {
            console.say(&format!("! {warning}"));
        }
        let model = view.model();
        if model != told {
            console.tell(&told, &model);
            quiet_since = Instant::now();
            told = model;
            for id in may_go_on(&told, &mut released) {
                requests += 1;
                cluster::ask(&plan.client, &id, &token(requests)).await?;
            }
            if plan.once.is_none() {
                for difference in objects.look(&told).await {
                    console.difference(&difference);
                }
            }
        }
        if looked.elapsed() >= LOOK && told.items.values().any(Item::awaits_objects) {
            let new = objects.health_of_awaited(&told).await;
            console.tell_awaited(&awaited, &new);
            (awaited, looked) = (new, Instant::now());
        }
        console.draw(&told, &awaited);
        let Some(end) = end else { continue };
        if Instant::now() >= end {
            console.say("time is up");
            return Ok(told);
        }
        if !told.is_settled() || quiet_since.elapsed() < QUIET {
            continue;
        }
        let again = worth_another_try(&told, &mut retried);
        if again.is_empty() {
            return Ok(told);
        }
        requests += 1;
        for id in again {
            cluster::ask(&plan.client, &id, &token(requests)).await?;
        }
        quiet_since = Instant::now() + QUIET;
    }
}

/// Tells requests apart; the process id keeps those of an earlier run from being taken for ours.
fn token(request: u32) -> String {
    format!("run-{}-{request}", std::process::id())
}

/// What waits although all that it depends on is ready by now, once for each state of that: it need
/// not wait until it looks again.
fn may_go_on(model: &Model, released: &mut BTreeMap<String, Vec<String>>) -> Vec<String> {
    let ready = |id: &String| {
        let dependency = model.items.get(id)?;
        (dependency.state == State::Ready).then(|| dependency.revision.clone())
    };
    let waiting = model
        .items
        .values()
        .filter(|item| item.state == State::Waiting && !item.depends_on.is_empty());
    waiting
        .filter_map(|item| {
            let revisions: Vec<String> =
                item.depends_on.iter().map(ready).collect::<Option<_>>()?;
            let is_new = released.insert(item.id.clone(), revisions.clone()) != Some(revisions);
            is_new.then(|| item.id.clone())
        })
        .collect()
}

/// What failed to apply before something else became ready may succeed now: a kind or a namespace
/// may have come with it. Waiting for its own retry could take minutes.
fn worth_another_try(model: &Model, retried: &mut BTreeMap<String, usize>) -> Vec<String> {
    let ready = model.items.values().filter(|item| item.state == State::Ready).count();
    let failed = model
        .items
        .values()
        .filter(|item| item.state == State::Failed && item.reason == "ReconciliationFailed");
    failed
        .filter(|item| retried.insert(item.id.clone(), ready) != Some(ready))
        .map(|item| item.id.clone())
        .collect()
}
