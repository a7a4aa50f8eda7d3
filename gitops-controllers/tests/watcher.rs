//! A source-watcher on the API in memory: what is told of generators that are switched off, and
//! where their sources are read.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{sync::Arc, time::Duration};

use clap::Parser as _;
use gitops_apiserver::Server;
use gitops_controllers::{
    args::WatcherArgs,
    runtime::{Caches, Context, EventTargets, Events, Metrics, NoObserver, Timing},
    wire::{WatcherSettings, watcher_controllers},
};
use gitops_core::{Clock, Scope, SystemClock};
use gitops_source::MemoryStore;
use gitops_testenv::Sink;
use http::Request;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::Service as _;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

struct World {
    client: Client,
    sink: Sink,
    /// The paths of single objects that were read.
    read: Arc<Mutex<Vec<String>>>,
    scope: Scope,
}

impl World {
    /// With a source-watcher that has these flags.
    async fn new(flags: &[&str]) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let server = Server::new();
        let read = Arc::<Mutex<Vec<String>>>::default();
        let (service, log) = (server.service(), Arc::clone(&read));
        let watched = tower::service_fn(move |request: Request<kube::client::Body>| {
            if request.method() == http::Method::GET {
                log.lock().push(request.uri().path().to_owned());
            }
            let mut service = service.clone();
            async move { service.call(request).await }
        });
        let client = Client::new(server.service(), "default");
        let world =
            Self { client, sink: Sink::start().await.unwrap(), read, scope: Scope::background() };
        for definition in gitops_api::crds() {
            world.apply("apiextensions.k8s.io/v1", &definition).await;
        }
        world.start(Client::new(watched, "default"), flags);
        world
    }

    fn start(&self, client: Client, flags: &[&str]) {
        let flags = ["source-watcher"].iter().chain(flags);
        let settings = WatcherSettings::from_args(&WatcherArgs::parse_from(flags)).unwrap();
        let metrics = Arc::new(Metrics::new());
        let targets = EventTargets {
            controller: "source-watcher".into(),
            instance: "here".into(),
            address: Some(self.sink.url()),
            in_cluster: false,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let scope = self.scope.clone();
        let counted = Arc::clone(&metrics);
        let events = Events::start(client.clone(), targets, Arc::clone(&clock), counted, &scope);
        let context = Context {
            client: client.clone(),
            clock: Arc::clone(&clock),
            events,
            metrics,
            observer: Arc::new(NoObserver),
            caches: Caches::new(client, None, scope.clone()),
            timing: Timing::default(),
            manager: "source-watcher",
            scope,
        };
        let store = Arc::new(MemoryStore::new(clock));
        let controller =
            watcher_controllers(&context, &settings, store, "watcher.example".into(), None);
        tokio::spawn(controller.unwrap().run());
    }

    async fn apply(&self, version: &str, object: &Value) {
        let kind = object["kind"].as_str().unwrap();
        let (group, short) = version.split_once('/').unwrap();
        let plural = match kind {
            "GitRepository" => "gitrepositories".to_owned(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let gvk = GroupVersionKind::gvk(group, short, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, &plural);
        let api: Api<DynamicObject> = match group {
            "apiextensions.k8s.io" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), "default", &resource),
        };
        let mut object = object.clone();
        object["apiVersion"] = version.into();
        let name = object["metadata"]["name"].as_str().unwrap();
        api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
    }

    /// A generator of a Git repository that has no artifact yet.
    async fn generator(&self, annotations: &Value) {
        let repository = json!({"kind": "GitRepository", "metadata": {"name": "src"},
            "spec": {"interval": "1h", "url": "https://git.example/r"}});
        self.apply("source.toolkit.fluxcd.io/v1", &repository).await;
        let generator = json!({
            "kind": "ArtifactGenerator",
            "metadata": {"name": "gen", "annotations": annotations},
            "spec": {
                "sources": [{"alias": "a", "kind": "GitRepository", "name": "src"}],
                "artifacts": [{"name": "out", "copy": [{"from": "@a/**", "to": "@artifact/"}]}],
            },
        });
        self.apply("source.extensions.fluxcd.io/v1beta1", &generator).await;
    }

    /// The first event about the generator.
    async fn event(&self) -> Value {
        let posted = self.sink.wait_for(1, PATIENCE).await;
        serde_json::from_slice(&posted.first().expect("an event").body).unwrap()
    }

    /// The only condition of the generator, as soon as it has one.
    async fn ready(&self) -> Value {
        let gvk =
            GroupVersionKind::gvk("source.extensions.fluxcd.io", "v1beta1", "ArtifactGenerator");
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            "default",
            &ApiResource::from_gvk_with_plural(&gvk, "artifactgenerators"),
        );
        let told = async {
            loop {
                let object = api.get("gen").await.unwrap();
                if let Some(conditions) = object.data["status"]["conditions"].as_array() {
                    return conditions.clone();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let conditions = tokio::time::timeout(PATIENCE, told).await.expect("conditions");
        assert_eq!(conditions.len(), 1, "{conditions:?}");
        conditions[0].clone()
    }

    fn reads_of_the_source(&self) -> usize {
        let read = self.read.lock();
        read.iter().filter(|path| path.ends_with("/namespaces/default/gitrepositories/src")).count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.scope.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_that_is_switched_off_says_so() {
    let world = World::new(&[]).await;
    world.generator(&json!({"source.extensions.fluxcd.io/reconcile": "disabled"})).await;
    let ready = world.ready().await;
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&"True".into(), &"ReconciliationDisabled".into())
    );
    assert_eq!(ready["message"], "Initialized with reconciliation suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_read_where_the_gate_says() {
    for (flags, direct) in
        [(&[][..], false), (&["--feature-gates=DirectSourceFetch=true"][..], true)]
    {
        let world = World::new(flags).await;
        world.generator(&json!({})).await;
        let event = world.event().await;
        assert_eq!(event["reason"], "SourceFetchFailed", "{event}");
        let message = event["message"].as_str().unwrap();
        assert!(message.ends_with("source 'GitRepository/default/src' is not ready"), "{message}");
        assert_eq!(world.reads_of_the_source() > 0, direct, "{flags:?}");
    }
}
