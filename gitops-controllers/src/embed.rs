//! Both controllers inside another process: the reconcilers of `gitops run`.

use std::{net::SocketAddr, sync::Arc};

use gitops_core::{Clock, Scope, SystemClock};
use gitops_source::artifact_router;
use kube::Client;
use tokio::net::TcpListener;

use crate::{
    kustomization::Build,
    runtime::{Caches, Context, EventTargets, Events, Metrics, NoObserver, Observer, Timing},
    wire::{
        KustomizeSettings, SourceSettings, StartError, kustomize_controllers, source_controllers,
    },
};

/// What runs inside the process and how.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// The source-controller.
    pub source: SourceSettings,
    /// The kustomize-controller.
    pub kustomize: KustomizeSettings,
    /// How overlays are built.
    pub build: Arc<dyn Build>,
    /// Where artifacts are served: consumers fetch them over HTTP as in a cluster. Port 0 is any
    /// free one.
    pub artifacts: SocketAddr,
    /// The only namespace that is watched; absent: all.
    pub namespace: Option<String>,
    /// How turns are timed.
    pub timing: Timing,
    /// Whether core/v1 Events are written to the cluster.
    pub cluster_events: bool,
    /// Where events are posted.
    pub events_address: Option<String>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

impl EmbeddedOptions {
    /// Flux's defaults: everything in memory, artifacts on a free loopback port, all namespaces,
    /// Events written to the cluster.
    pub fn new(build: Arc<dyn Build>) -> Self {
        Self {
            source: SourceSettings::default(),
            kustomize: KustomizeSettings::default(),
            build,
            artifacts: SocketAddr::from(([127, 0, 0, 1], 0)),
            namespace: None,
            timing: Timing::default(),
            cluster_events: true,
            events_address: None,
            observer: Arc::new(NoObserver),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Runs both controllers until the scope is cancelled. Their kinds must be served by then or be
/// served later: a watch of a kind that is missing is tried again.
///
/// # Errors
/// When a directory or socket cannot be used; nothing runs then.
pub async fn run(client: Client, options: EmbeddedOptions, scope: Scope) -> Result<(), StartError> {
    let metrics = Arc::new(Metrics::new());
    let listener = TcpListener::bind(options.artifacts)
        .await
        .map_err(|error| StartError::io("listen on", options.artifacts, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| StartError::io("listen on", options.artifacts, error))?;
    let source = &options.source;
    let clock = Arc::clone(&options.clock);
    let store = source.store.open(source.algorithm, &source.ambient, clock)?;
    store.clean().await.map_err(|error| StartError::io("clean", "storage", error))?;
    let context = |controller: &'static str, manager: &'static str| {
        let targets = EventTargets {
            controller: controller.to_owned(),
            instance: controller.to_owned(),
            address: options.events_address.clone(),
            in_cluster: options.cluster_events,
        };
        let clock = Arc::clone(&options.clock);
        Context {
            client: client.clone(),
            clock: Arc::clone(&clock),
            events: Events::start(client.clone(), targets, clock, Arc::clone(&metrics), &scope),
            metrics: Arc::clone(&metrics),
            observer: Arc::clone(&options.observer),
            caches: Caches::new(client.clone(), options.namespace.clone(), scope.clone()),
            timing: options.timing,
            manager,
            scope: scope.clone(),
        }
    };
    let mut source_context = context("source-controller", "source-controller");
    let kustomize_context = context("kustomize-controller", "gotk-kustomize-controller");
    // One watch per kind for both.
    source_context.caches = kustomize_context.caches.clone();
    let kustomize = kustomize_controllers(
        &kustomize_context,
        &options.kustomize,
        Arc::clone(&options.build),
        None,
    )?;
    let source = source_controllers(
        &source_context,
        &options.source,
        Arc::clone(&store),
        address.to_string(),
    );
    let server = crate::http::serve(listener, artifact_router(store), scope.clone());
    tokio::join!(source.run(), kustomize.run(), server);
    Ok(())
}
