//! Hostile and unlucky clusters: objects that no schema let through, an API server that fails, and
//! revisions that come faster than they can be judged. The numbers are rows of the project's table of
//! security cases.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use gitops_apiserver::{Body, Server, ServerService};
use gitops_controllers::{
    embed::{self, EmbeddedOptions},
    wire,
};
use gitops_core::Scope;
use gitops_testenv::{Access, GitRepo, GitServer};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use tower::Service as _;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

const NAMESPACE: &str = "default";

/// What the API server does to the controllers' requests.
#[derive(Debug, Default)]
struct Weather {
    /// Every request is refused: too many.
    refuses: AtomicBool,
    /// Every watch is told that its revision is too old.
    expires: AtomicBool,
    refused: AtomicUsize,
}

/// A cluster, and controllers that see it through the weather.
struct World {
    server: Server,
    client: Client,
    weather: Arc<Weather>,
    repo: GitRepo,
    git: GitServer,
    scope: Scope,
    _directory: tempfile::TempDir,
}

impl World {
    /// `permissive` definitions let anything in, as those of an earlier release may have.
    async fn new(permissive: bool) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let server = Server::new();
        let client = Client::new(server.service(), NAMESPACE);
        let definitions = resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let definitions: Api<DynamicObject> = Api::all_with(client.clone(), &definitions);
        for mut definition in gitops_api::crds() {
            if permissive {
                for version in definition["spec"]["versions"].as_array_mut().unwrap() {
                    version["schema"]["openAPIV3Schema"] =
                        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
                }
            }
            let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
            let parameters = PatchParams::apply("test").force();
            definitions.patch(&name, &parameters, &Patch::Apply(&definition)).await.unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        let mut repo = GitRepo::init(directory.path().join("app.git")).unwrap();
        repo.commit("main", &[("app/a.yaml", Some(&config_map("0")))], "first").unwrap();
        let git = GitServer::start(directory.path(), Access::Open).await.unwrap();
        let world = Self {
            server,
            client,
            weather: Arc::default(),
            repo,
            git,
            scope: Scope::background(),
            _directory: directory,
        };
        let spec = json!({
            "interval": "1h", "url": world.git.url("app.git"), "ref": {"branch": "main"},
        });
        world.apply("GitRepository", "src", &spec).await;
        world
    }

    fn start(&self, change: impl FnOnce(&mut EmbeddedOptions)) {
        let mut options = EmbeddedOptions::new(wire::overlay_build());
        options.timing.dependency = Duration::from_millis(200);
        options.cluster_events = false;
        change(&mut options);
        let client = through(self.server.service(), Arc::clone(&self.weather));
        tokio::spawn(embed::run(client, options, self.scope.clone()));
    }

    async fn apply(&self, kind: &str, name: &str, spec: &Value) {
        let (group, version) = match kind {
            "GitRepository" => ("source.toolkit.fluxcd.io", "v1"),
            _ => ("kustomize.toolkit.fluxcd.io", "v1"),
        };
        let object = json!({
            "apiVersion": format!("{group}/{version}"), "kind": kind,
            "metadata": {"name": name}, "spec": spec,
        });
        let parameters = PatchParams::apply("test").force();
        self.api(kind).patch(name, &parameters, &Patch::Apply(&object)).await.unwrap();
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = match kind {
            "GitRepository" => resource("source.toolkit.fluxcd.io", "v1", kind),
            "Kustomization" => resource("kustomize.toolkit.fluxcd.io", "v1", kind),
            "Deployment" => resource("apps", "v1", kind),
            _ => resource("", "v1", kind),
        };
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }

    /// Waits until an object is as wanted, and gives it back.
    async fn wait(&self, kind: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let api = self.api(kind);
        let looked = tokio::time::timeout(PATIENCE, async {
            loop {
                let found = api.get_opt(name).await.unwrap();
                let value = serde_json::to_value(found).unwrap();
                if wanted(&value) {
                    return value;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        match looked.await {
            Ok(value) => value,
            Err(_) => {
                let found = serde_json::to_value(api.get_opt(name).await.unwrap()).unwrap();
                panic!("{kind}/{name} in vain: {}", found["status"]);
            }
        }
    }

    /// Commits a value, and asks for the source to be looked at.
    async fn commit(&mut self, value: &str) -> String {
        let files = [("app/a.yaml", Some(config_map(value)))];
        let files: Vec<(&str, Option<&str>)> =
            files.iter().map(|(path, text)| (*path, text.as_deref())).collect();
        let commit = self.repo.commit("main", &files, value).unwrap();
        let annotations = json!({"reconcile.fluxcd.io/requestedAt": value});
        let patch = json!({"metadata": {"annotations": annotations}});
        let api = self.api("GitRepository");
        api.patch("src", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        commit
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.scope.cancel();
    }
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    let plural = match kind {
        "GitRepository" => "gitrepositories".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural)
}

fn config_map(value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{key: '{value}'}}\n")
}

fn kustomization() -> Value {
    json!({
        "interval": "1h", "retryInterval": "1s", "path": "./app", "prune": true,
        "targetNamespace": NAMESPACE, "sourceRef": {"kind": "GitRepository", "name": "src"},
    })
}

fn ready(object: &Value) -> (&str, &str) {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
    let text = |field: &str| ready.and_then(|ready| ready[field].as_str()).unwrap_or_default();
    (text("status"), text("reason"))
}

fn is_ready(object: &Value) -> bool {
    ready(object).0 == "True"
}

/// A client whose requests go through the weather.
fn through(service: ServerService, weather: Arc<Weather>) -> Client {
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let (mut service, weather) = (service.clone(), Arc::clone(&weather));
        async move {
            let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
            if weather.refuses.load(Ordering::SeqCst) {
                weather.refused.fetch_add(1, Ordering::SeqCst);
                return Ok::<_, Infallible>(refusal(
                    StatusCode::TOO_MANY_REQUESTS,
                    "TooManyRequests",
                ));
            }
            if is_watch && weather.expires.load(Ordering::SeqCst) {
                weather.refused.fetch_add(1, Ordering::SeqCst);
                return Ok(refusal(StatusCode::GONE, "Expired"));
            }
            service.call(request).await
        }
    });
    Client::new(service, NAMESPACE)
}

fn refusal(code: StatusCode, reason: &str) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code.as_u16(),
    });
    let body = http_body_util::Full::from(status.to_string());
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = code;
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn row_79_a_bad_duration_fails_its_object_alone() {
    let world = World::new(true).await;
    let bad = ["1h30", "-1s", "9999999h", "0s", "1e99s", "", "٣s", "1h1h1h1h1h1h1h1h1h1h1h1h"];
    for (at, duration) in bad.iter().enumerate() {
        for field in ["interval", "timeout", "retryInterval"] {
            let mut spec = kustomization();
            spec[field] = (*duration).into();
            world
                .apply("Kustomization", &format!("bad-{at}-{}", field.to_lowercase()), &spec)
                .await;
        }
        let spec = json!({"interval": duration, "url": world.git.url("app.git")});
        world.apply("GitRepository", &format!("bad-{at}"), &spec).await;
    }
    world.start(|_| {});
    world.apply("Kustomization", "good", &kustomization()).await;
    world.wait("Kustomization", "good", is_ready).await;
    // Lists and watches go on.
    world.apply("Kustomization", "later", &kustomization()).await;
    world.wait("Kustomization", "later", is_ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_80_one_object_that_cannot_be_read_leaves_the_other_999_alone() {
    let world = World::new(true).await;
    let bad = [
        json!({"interval": {"a": 1}, "sourceRef": []}),
        json!({"interval": null, "path": 5, "sourceRef": null}),
        json!({"interval": "1h", "prune": "maybe", "sourceRef": {"kind": "Teapot", "name": 1}}),
        json!("a string"),
        json!({"interval": "1h", "sourceRef": {"kind": "GitRepository", "name": "x".repeat(900_000)}}),
    ];
    for (at, spec) in bad.iter().enumerate() {
        world.apply("Kustomization", &format!("a-bad-{at}"), spec).await;
    }
    let count = 1000 - bad.len();
    for at in 0..count {
        world.apply("Kustomization", &format!("good-{at:03}"), &kustomization()).await;
    }
    world.start(|options| options.kustomize.workers = 16);
    for at in 0..count {
        world.wait("Kustomization", &format!("good-{at:03}"), is_ready).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_81_references_into_other_namespaces_can_be_forbidden() {
    let world = World::new(false).await;
    world.start(|options| options.kustomize.options.no_cross_namespace_refs = true);
    let mut own = kustomization();
    own["sourceRef"]["namespace"] = NAMESPACE.into();
    world.apply("Kustomization", "own", &own).await;
    world.wait("Kustomization", "own", is_ready).await;
    let mut source = kustomization();
    source["sourceRef"]["namespace"] = "kube-system".into();
    world.apply("Kustomization", "source", &source).await;
    let denied = world.wait("Kustomization", "source", |object| ready(object).0 == "False").await;
    assert_eq!(ready(&denied).1, "AccessDenied");
    let mut dependency = kustomization();
    dependency["dependsOn"] = json!([{"name": "own", "namespace": "kube-system"}]);
    world.apply("Kustomization", "dependency", &dependency).await;
    let denied =
        world.wait("Kustomization", "dependency", |object| ready(object).0 == "False").await;
    assert!(denied.pointer("/status/inventory").is_none(), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_96_work_goes_on_after_the_api_server_was_away() {
    let mut world = World::new(false).await;
    world.start(|_| {});
    world.apply("Kustomization", "app", &kustomization()).await;
    world.wait("Kustomization", "app", is_ready).await;

    world.weather.refuses.store(true, Ordering::SeqCst);
    let commit = world.commit("while-refused").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.weather.refuses.store(false, Ordering::SeqCst);
    world.wait("Kustomization", "app", |object| applied(object).ends_with(&commit)).await;

    // Watches that are told that they are too old read everything anew.
    world.weather.expires.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.weather.expires.store(false, Ordering::SeqCst);
    let commit = world.commit("after-expiry").await;
    world.wait("Kustomization", "app", |object| applied(object).ends_with(&commit)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_98_and_99_the_latest_of_many_revisions_is_applied() {
    let mut world = World::new(false).await;
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n\
        \x20 selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n\
        \x20   spec: {containers: [{name: web, image: web}]}\n";
    world.repo.commit("main", &[("app/web.yaml", Some(deployment))], "web").unwrap();
    let mut spec = kustomization();
    spec["wait"] = true.into();
    world.apply("Kustomization", "app", &spec).await;
    world.start(|options| options.kustomize.options.cancel_health_checks = true);
    world.wait("Deployment", "web", |object| !object.is_null()).await;
    // The rollout never ends, and a new revision comes every 100 ms.
    let mut last = String::new();
    for revision in 1..=20 {
        last = world.commit(&revision.to_string()).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.wait("ConfigMap", "a", |object| object["data"]["key"] == "20").await;
    let rollout = json!({"status": {
        "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
        "availableReplicas": 1,
        "conditions": [
            {"type": "Available", "status": "True"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ],
    }});
    let api = world.api("Deployment");
    api.patch_status("web", &PatchParams::default(), &Patch::Merge(&rollout)).await.unwrap();
    let is_done = |object: &Value| is_ready(object) && applied(object).ends_with(&last);
    world.wait("Kustomization", "app", is_done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_100_only_what_is_owned_is_pruned() {
    let mut world = World::new(false).await;
    let home = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n";
    let kept: String = ["keep", "taken"]
        .map(|name| config_map("1").replace("name: a", &format!("name: {name}")))
        .join("---\n");
    world
        .repo
        .commit("main", &[("app/ns.yaml", Some(home)), ("app/b.yaml", Some(&kept))], "more")
        .unwrap();
    world.apply("Kustomization", "app", &kustomization()).await;
    world.start(|_| {});
    world.wait("Kustomization", "app", is_ready).await;
    // Another owner takes one over; an object of the same name was never ours.
    let labels = json!({"kustomize.toolkit.fluxcd.io/name": "other"});
    let patch = json!({"metadata": {"labels": labels}});
    let maps = world.api("ConfigMap");
    maps.patch("taken", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    let removed = [("app/ns.yaml", None), ("app/b.yaml", None)];
    world.repo.commit("main", &removed, "fewer").unwrap();
    let commit = world.commit("fewer").await;
    world.wait("Kustomization", "app", |object| applied(object).ends_with(&commit)).await;
    world.wait("ConfigMap", "keep", Value::is_null).await;
    assert!(maps.get_opt("taken").await.unwrap().is_some(), "it has another owner");
    let namespaces = resource("", "v1", "Namespace");
    let namespaces: Api<DynamicObject> = Api::all_with(world.client.clone(), &namespaces);
    let home = namespaces.get("default").await.unwrap();
    assert!(home.metadata.deletion_timestamp.is_none(), "the owner lives there");
    // Another target namespace: what was in the first goes, and only that.
    let mut spec = kustomization();
    spec["targetNamespace"] = "kube-public".into();
    world.apply("Kustomization", "app", &spec).await;
    world.wait("ConfigMap", "a", Value::is_null).await;
    assert!(maps.get_opt("taken").await.unwrap().is_some(), "it has another owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_101_a_source_that_became_empty_deletes_nothing() {
    let mut world = World::new(false).await;
    let names: Vec<String> = (0..12).map(|number| format!("many-{number}")).collect();
    let many: Vec<String> = names
        .iter()
        .map(|name| config_map("1").replace("name: a", &format!("name: {name}")))
        .collect();
    world.repo.commit("main", &[("app/many.yaml", Some(&many.join("---\n")))], "many").unwrap();
    world.apply("Kustomization", "app", &kustomization()).await;
    world.start(|_| {});
    world.wait("Kustomization", "app", is_ready).await;
    let empty =
        [("app/many.yaml", None), ("app/a.yaml", None), ("app/readme.txt", Some("nothing"))];
    world.repo.commit("main", &empty, "empty").unwrap();
    let annotations = json!({"reconcile.fluxcd.io/requestedAt": "empty"});
    let patch = json!({"metadata": {"annotations": annotations}});
    let sources = world.api("GitRepository");
    sources.patch("src", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    let held = world.wait("Kustomization", "app", |object| ready(object).0 == "False").await;
    let conditions = held["status"]["conditions"].to_string();
    assert!(conditions.contains("held"), "{conditions}");
    for name in &names {
        assert!(world.api("ConfigMap").get_opt(name).await.unwrap().is_some(), "{name} is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_102_cycles_are_told_and_long_chains_end() {
    let world = World::new(false).await;
    let depends = |name: &str| {
        let mut spec = kustomization();
        spec["dependsOn"] = json!([{"name": name}]);
        spec
    };
    world.apply("Kustomization", "cycle-a", &depends("cycle-b")).await;
    world.apply("Kustomization", "cycle-b", &depends("cycle-a")).await;
    world.apply("Kustomization", "self", &depends("self")).await;
    world.apply("Kustomization", "lonely", &depends("missing")).await;
    let length = 30;
    for at in 0..length {
        let spec = if at == 0 { kustomization() } else { depends(&format!("chain-{}", at - 1)) };
        world.apply("Kustomization", &format!("chain-{at}"), &spec).await;
    }
    world.start(|options| {
        options.kustomize.workers = 16;
        // Whoever waits is woken by what it waits for, and looks by itself only now and then.
        options.timing.dependency = Duration::from_secs(10);
        options.kustomize.options.dependency_interval = Duration::from_secs(10);
    });
    let told = |text: &'static str| {
        move |object: &Value| object["status"]["conditions"].to_string().contains(text)
    };
    world.wait("Kustomization", "cycle-a", told("cycle")).await;
    world.wait("Kustomization", "self", |object| ready(object).0 == "False").await;
    world.wait("Kustomization", "lonely", told("not found")).await;
    world.wait("Kustomization", &format!("chain-{}", length - 1), is_ready).await;
}

fn applied(object: &Value) -> &str {
    object.pointer("/status/lastAppliedRevision").and_then(Value::as_str).unwrap_or_default()
}
