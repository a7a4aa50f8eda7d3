//! Turns on a cluster: the embedded API server, or with `GITOPS_CLUSTER=real` the one that
//! `KUBECONFIG` names.

mod killed;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gitops_api::{kustomize::Kustomization, source::Artifact};
use gitops_apply::{Applier, ApplyOptions, Cluster, NoJournal, Owner, Record, RecordOptions};
use gitops_core::{Digest, MemoryTree, ObjectId, Scope, SystemClock, Tree};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    Kustomizations, Options,
    pipeline::Pipeline,
    seams::{Artifacts, Build, Built, FetchError, Unbuilt},
    triggers::Known,
};
use crate::runtime::{Caches, Context, Controller, Events, Metrics, NoObserver, Timing};

/// Artifacts by revision.
#[derive(Debug, Default)]
struct Shelf(Mutex<BTreeMap<String, Arc<MemoryTree>>>);

#[async_trait]
impl Artifacts for Shelf {
    async fn fetch(&self, artifact: &Artifact, _: &Scope) -> Result<Arc<dyn Tree>, FetchError> {
        let found = self.0.lock().get(&artifact.revision).cloned();
        found.map(|tree| tree as Arc<dyn Tree>).ok_or(FetchError::NotFound)
    }
}

/// Every file at the root is an object; `broken` is refused.
#[derive(Debug)]
struct Plain;

impl Build for Plain {
    fn find(&self, _: &Kustomization, _: &dyn Tree) -> Result<(), String> {
        Ok(())
    }

    fn build(
        &self,
        _: &Kustomization,
        tree: &Arc<dyn Tree>,
        variables: Result<&BTreeMap<String, String>, &str>,
        _: &Options,
        _: &Scope,
    ) -> Result<Built, Unbuilt> {
        variables.map_err(str::to_owned)?;
        let mut objects = Vec::new();
        let mut text = String::new();
        for entry in tree.list("".as_ref()).map_err(|error| error.to_string())? {
            let bytes = tree.read(entry.name.as_ref()).map_err(|error| error.to_string())?;
            text.push_str(&String::from_utf8_lossy(&bytes));
            objects.push(serde_json::from_slice(&bytes).map_err(|_| "broken".to_owned())?);
        }
        let digest = Digest::sha256(text.as_bytes()).to_string();
        Ok(Built { digest, objects, ..Built::default() })
    }
}

struct World {
    cluster: Cluster,
    namespace: String,
    shelf: Arc<Shelf>,
    requests: Arc<AtomicUsize>,
    /// Whether requests that change something, beside statuses, hang for ever.
    is_frozen: Arc<AtomicBool>,
    scope: Scope,
}

impl Drop for World {
    fn drop(&mut self) {
        self.scope.cancel();
    }
}

impl World {
    async fn new(name: &str) -> Self {
        let client = gitops_testenv::Cluster::connect().await.unwrap().client();
        let unique = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() % 1_000_000_000;
        let world = Self {
            cluster: Cluster::new(client),
            namespace: format!("k-{name}-{unique}"),
            shelf: Arc::default(),
            requests: Arc::default(),
            is_frozen: Arc::default(),
            scope: Scope::background(),
        };
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}});
        world.apply(namespace).await;
        world.start().await;
        world
    }

    /// Starts a controller for this namespace.
    async fn start(&self) -> Scope {
        let scope = self.scope.child();
        let inner = self.cluster.client().clone();
        let (requests, frozen) = (Arc::clone(&self.requests), Arc::clone(&self.is_frozen));
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let query = request.uri().query().unwrap_or_default();
            let is_status = request.uri().path().ends_with("/status");
            if !query.contains("labelSelector=")
                && !query.contains("watch=true")
                && !query.contains("limit=")
            {
                requests.fetch_add(1, Ordering::SeqCst);
            }
            let hangs = frozen.load(Ordering::SeqCst)
                && request.method() == http::Method::PATCH
                && !is_status
                && !query.contains("dryRun")
                && query.contains("force=true");
            let inner = inner.clone();
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                inner.send(request).await
            }
        });
        let client = kube::Client::new(service, "default");
        let metrics = Arc::new(Metrics::new());
        let caches = Caches::new(client.clone(), Some(self.namespace.clone()), scope.clone());
        let context = Context {
            client: client.clone(),
            clock: Arc::new(SystemClock),
            events: Events::nowhere(Arc::clone(&metrics)),
            metrics,
            observer: Arc::new(NoObserver),
            caches: caches.clone(),
            timing: Timing { dependency: Duration::from_secs(1), ..Timing::default() },
            manager: "gotk-kustomize-controller",
            scope: scope.clone(),
        };
        let cluster = Cluster::new(client);
        let known = Known::new(caches);
        let options = Options { dependency_interval: Duration::from_secs(1), ..Options::default() };
        let record = Record::new(cluster.clone(), RecordOptions::default());
        let artifacts = Arc::clone(&self.shelf) as Arc<dyn Artifacts>;
        let reconciler = Kustomizations {
            pipeline: Pipeline {
                cluster,
                record,
                artifacts,
                build: Arc::new(Plain),
                known: known.clone(),
                options: Arc::new(options),
                observer: Arc::new(NoObserver),
            },
        };
        let controller = Controller::new(reconciler, context, None, 2);
        known.connect(controller.cache(), controller.queue());
        controller.cache().synced().await;
        tokio::spawn(controller.run());
        scope
    }

    async fn apply(&self, object: Value) {
        let options = ApplyOptions::new(Owner::kustomization("", "test"), "test");
        let applier = Applier::new(self.cluster.clone());
        applier.apply(vec![object], &options, &NoJournal, &Scope::background()).await.unwrap();
    }

    fn config_map(&self, name: &str, data: Value) -> (String, String) {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace}, "data": data});
        (format!("{name}.json"), object.to_string())
    }

    /// Makes a revision the artifact of the source.
    async fn push(&self, revision: &str, files: &[(String, String)]) {
        let tree: MemoryTree =
            files.iter().map(|(name, text)| (name.as_str(), text.as_bytes().to_vec())).collect();
        self.shelf.0.lock().insert(revision.to_owned(), Arc::new(tree));
        self.apply(json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "src", "namespace": self.namespace},
            "spec": {"interval": "1h", "url": "https://example.com/x.git"}}))
            .await;
        let id =
            ObjectId::new("source.toolkit.fluxcd.io/v1", "GitRepository", &self.namespace, "src");
        let status = json!({"status": {"artifact": {
            "revision": revision, "url": "http://example.com/a.tar.gz", "path": "a.tar.gz", "size": 1,
            "digest": Digest::sha256(revision.as_bytes()).to_string(), "lastUpdateTime": "2026-01-01T00:00:00Z"}}});
        self.cluster.patch_status(&id, &status, "test").await.unwrap();
    }

    async fn kustomization(&self, name: &str, spec: Value) {
        let mut all = json!({"interval": "1h", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "src"}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        self.apply(json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": all}))
            .await;
    }

    fn id(&self, name: &str) -> ObjectId {
        ObjectId::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization", &self.namespace, name)
    }

    async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.cluster.get(&ObjectId::new("v1", kind, &self.namespace, name)).await.unwrap()
    }

    async fn delete(&self, name: &str) {
        let path = format!("/api/v1/namespaces/{}/configmaps/{name}", self.namespace);
        let delete = http::Request::delete(path).body(Vec::new()).unwrap();
        self.cluster.client().request::<Value>(delete).await.unwrap();
    }

    /// Waits until the Ready condition of a Kustomization reads so, and gives its status.
    async fn wait(&self, name: &str, expected: &str) -> Value {
        let mut shown = String::new();
        for _ in 0..300 {
            if let Some(object) = self.cluster.get(&self.id(name)).await.unwrap() {
                shown = ready(&object["status"]);
                if shown.contains(expected) {
                    return object["status"].clone();
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{name} is {shown:?}, not {expected:?}");
    }
}

fn ready(status: &Value) -> String {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    ready.map_or_else(String::new, |ready| {
        let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", text("status"), text("reason"), text("message"))
    })
}

fn inventory(status: &Value) -> Vec<String> {
    let entries = status["inventory"]["entries"].as_array().cloned().unwrap_or_default();
    let names = entries.iter().filter_map(|entry| entry["id"].as_str());
    names.filter_map(|id| id.split('_').nth(1)).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life() {
    let world = World::new("life").await;
    world.kustomization("app", json!({})).await;
    world
        .wait(
            "app",
            "False ArtifactFailed: GitRepository.source.toolkit.fluxcd.io \"src\" not found",
        )
        .await;
    let files = [world.config_map("a", json!({"k": "1"})), world.config_map("b", json!({}))];
    world.push("main@sha1:aaaa", &files).await;
    world.kustomization("app", json!({"retryInterval": "2s"})).await;
    let status =
        world.wait("app", "True ReconciliationSucceeded: Applied revision: main@sha1:aaaa").await;
    assert_eq!(inventory(&status), ["a", "b"]);
    assert_eq!(status["lastAppliedRevision"], "main@sha1:aaaa");
    assert_eq!(status["history"][0]["totalReconciliations"], 1);
    assert_eq!(status["conditions"].as_array().unwrap().len(), 1, "{status}");
    let live = world.get("ConfigMap", "a").await.unwrap();
    assert_eq!(live["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"], "app");

    // A new revision: one goes, one comes, dependents need no request.
    world
        .push(
            "main@sha1:bbbb",
            &[world.config_map("b", json!({"x": "y"})), world.config_map("c", json!({}))],
        )
        .await;
    let status = world.wait("app", "main@sha1:bbbb").await;
    assert_eq!(inventory(&status), ["b", "c"]);
    assert!(world.get("ConfigMap", "a").await.is_none());

    // A revision that is refused: the inventory stays.
    world.push("main@sha1:cccc", &[world.config_map("b", json!({"x": 5}))]).await;
    let status = world.wait("app", "False ReconciliationFailed: ConfigMap").await;
    assert_eq!(inventory(&status), ["b", "c"]);
    assert_eq!(status["lastAttemptedRevision"], "main@sha1:cccc");
    assert_eq!(status["lastAppliedRevision"], "main@sha1:bbbb");
    let reconciling = status["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Reconciling")
        .unwrap();
    assert_eq!(reconciling["reason"], "ProgressingWithRetry");
    assert_eq!(
        reconciling["message"],
        "Detecting drift for revision main@sha1:cccc with a timeout of 59m30s"
    );

    // What it made goes with it.
    world.push("main@sha1:dddd", &[world.config_map("b", json!({}))]).await;
    world.wait("app", "main@sha1:dddd").await;
    let path = format!(
        "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations/app",
        world.namespace
    );
    let delete = http::Request::delete(path).body(Vec::new()).unwrap();
    world.cluster.client().request::<Value>(delete).await.unwrap();
    for _ in 0..200 {
        if world.cluster.get(&world.id("app")).await.unwrap().is_none() {
            assert!(world.get("ConfigMap", "b").await.is_none());
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the finalizer stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_first_turn_applied_is_told_while_its_health_is_waited_for() {
    let world = World::new("awaited").await;
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": world.namespace},
        "spec": {"selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]}}}});
    world.push("main@sha1:aaaa", &[("web.json".to_owned(), object.to_string())]).await;
    world.kustomization("app", json!({"wait": true, "timeout": "20s"})).await;
    let status = world.wait("app", "Unknown Progressing: Reconciliation in progress").await;
    assert_eq!(inventory(&status), ["web"], "{status}");
    assert_eq!(status["lastAttemptedRevision"], "main@sha1:aaaa");
    assert!(status.get("lastAppliedRevision").is_none(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_without_changes_costs_one_status_patch() {
    let world = World::new("cheap").await;
    let files: Vec<_> =
        (0..4).map(|n| world.config_map(&format!("c{n}"), json!({"n": "1"}))).collect();
    world.push("main@sha1:aaaa", &files).await;
    world.kustomization("app", json!({"interval": "1s", "wait": true})).await;
    world.wait("app", "True").await;
    let mut best = usize::MAX;
    for _ in 0..10 {
        let before = world.cluster.get(&world.id("app")).await.unwrap().unwrap();
        world.requests.store(0, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let made = world.requests.load(Ordering::SeqCst);
        let after = world.cluster.get(&world.id("app")).await.unwrap().unwrap();
        let total = |object: &Value| {
            object["status"]["history"][0]["totalReconciliations"].as_u64().unwrap()
        };
        let turns = usize::try_from(total(&after) - total(&before)).unwrap();
        if turns > 0 {
            best = best.min(made.div_ceil(turns));
        }
        if best == 1 {
            break;
        }
    }
    assert_eq!(best, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_turn_costs_two_requests_per_object_and_two_more() {
    let world = World::new("first").await;
    world.push("main@sha1:aaaa", &[world.config_map("warm", json!({}))]).await;
    world.kustomization("warm", json!({})).await;
    world.wait("warm", "True").await;
    // Let the watch of the source fill.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let files = [world.config_map("a", json!({})), world.config_map("b", json!({}))];
    world.push("main@sha1:bbbb", &files).await;
    world.wait("warm", "main@sha1:bbbb").await;
    world.delete("a").await;
    world.delete("b").await;
    world.requests.store(0, Ordering::SeqCst);
    world.kustomization("app", json!({})).await;
    world.wait("app", "True").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The finalizer, the status; dry run and apply of each.
    assert_eq!(world.requests.load(Ordering::SeqCst), 2 + 2 * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_source_is_held() {
    let world = World::new("hold").await;
    let files: Vec<_> = (0..10).map(|n| world.config_map(&format!("c{n}"), json!({}))).collect();
    world.push("main@sha1:aaaa", &files).await;
    world.kustomization("app", json!({})).await;
    world.wait("app", "True").await;
    world.push("main@sha1:bbbb", &[]).await;
    let status = world.wait("app", "False PruneFailed: the source has no objects any more").await;
    assert_eq!(inventory(&status).len(), 10);
    assert!(world.get("ConfigMap", "c9").await.is_some());
    // A changed spec says that it is meant.
    world.kustomization("app", json!({"timeout": "1m"})).await;
    let status = world.wait("app", "main@sha1:bbbb").await;
    assert!(inventory(&status).is_empty());
    assert!(world.get("ConfigMap", "c9").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_are_waited_for() {
    let world = World::new("deps").await;
    world.push("main@sha1:aaaa", &[world.config_map("a", json!({}))]).await;
    world.kustomization("app", json!({"dependsOn": [{"name": "dep"}]})).await;
    let ns = &world.namespace;
    world.wait("app", &format!("False DependencyNotReady: dependency '{ns}/dep' not found: kustomizations.kustomize.toolkit.fluxcd.io \"dep\" not found")).await;
    world.kustomization("dep", json!({})).await;
    world.wait("dep", "True").await;
    world.wait("app", "True").await;

    world.kustomization("x", json!({"dependsOn": [{"name": "y"}]})).await;
    world.kustomization("y", json!({"dependsOn": [{"name": "x"}]})).await;
    world.wait("x", &format!("dependency cycle: {ns}/x -> {ns}/y -> {ns}/x")).await;
    world
        .kustomization(
            "bad",
            json!({"dependsOn": [{"name": "dep", "readyExpr": "this is not cel"}]}),
        )
        .await;
    let status = world.wait("bad", "False InvalidCELExpression: Reconciliation failed terminally due to configuration error: terminal error: failed to evaluate dependency dep: failed to parse").await;
    assert_eq!(status["observedGeneration"], 1);
}
