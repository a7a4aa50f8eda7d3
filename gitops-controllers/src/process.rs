//! A controller as a process of its own: log, client, endpoints, election, signals.

use std::{sync::Arc, time::Duration};

use gitops_core::{Backoff, Clock, Scope, SystemClock};
use gitops_source::{Ambient, ArtifactStore, artifact_router};
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    args::{
        CommonArgs, FeatureGates, KustomizeArgs, LogEncoding, LogLevel, SOURCE_GATES, SourceArgs,
        WatcherArgs,
    },
    cluster_config,
    http::{health_router, listen, metrics_router, serve},
    kustomization::Build,
    runtime::{
        Caches, Context, Election, EventTargets, Events, Fence, LeaseOptions, Metrics, NoObserver,
        RateLimit, Timing, ZapLayer, connect, lease_name,
    },
    wire::{
        KustomizeSettings, SourceSettings, StartError, Store, WatcherSettings,
        kustomize_controllers, source_controllers, watcher_controllers,
    },
};

/// How long turns in hand may take to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Runs source-controller until it is told to stop. `ambient` is what the process was given by the
/// cloud that it runs in.
///
/// # Errors
/// When it cannot start, or loses its lease.
pub async fn source(args: SourceArgs, ambient: Ambient, scope: Scope) -> Result<(), StartError> {
    FeatureGates::parse(SOURCE_GATES, &args.common.feature_gates)
        .map_err(|error| StartError::Flag(error.to_string()))?;
    let settings = SourceSettings { ambient, ..SourceSettings::from_args(&args)? };
    let process =
        Process::start("source-controller", "source-controller", &args.common, scope).await?;
    let address = advertised(
        "source-controller",
        &args.storage_adv_addr,
        &args.common.runtime_namespace,
        &args.storage_addr,
    );
    let store = settings.store.open(
        settings.algorithm,
        &settings.ambient,
        Arc::clone(&process.context.clock),
    )?;
    let server = artifact_router(Arc::clone(&store));
    // What is shared, every replica can serve; else only the leader has it, and readiness of this
    // address is what moves traffic.
    let shared = matches!(settings.store, Store::Shared(_));
    if shared && let Some(listener) = listen("storage-addr", &args.storage_addr).await? {
        tokio::spawn(serve(listener, server.clone(), process.context.scope.clone()));
    }
    let held = process.lead().await;
    let run = async {
        if !shared && let Some(listener) = listen("storage-addr", &args.storage_addr).await? {
            let scope = process.context.scope.clone();
            tokio::spawn(serve(listener, server, scope));
        }
        // Only now nobody else writes there.
        clean(&*store).await?;
        source_controllers(&process.context, &settings, store, address).run().await;
        Ok(())
    };
    process.finish(held, run).await
}

/// Runs source-watcher until it is told to stop.
///
/// # Errors
/// When it cannot start, or loses its lease.
pub async fn watcher(
    args: WatcherArgs,
    artifact_host: Option<String>,
    ambient: Ambient,
    scope: Scope,
) -> Result<(), StartError> {
    let settings = WatcherSettings::from_args(&args)?;
    let process = Process::start("source-watcher", "source-watcher", &args.common, scope).await?;
    let address = advertised(
        "source-watcher",
        &args.storage_adv_addr,
        &args.common.runtime_namespace,
        &args.storage_addr,
    );
    let clock = Arc::clone(&process.context.clock);
    let store = settings.store.open(settings.algorithm, &ambient, clock)?;
    let server = artifact_router(Arc::clone(&store));
    let shared = matches!(settings.store, Store::Shared(_));
    if shared && let Some(listener) = listen("storage-addr", &args.storage_addr).await? {
        tokio::spawn(serve(listener, server.clone(), process.context.scope.clone()));
    }
    let held = process.lead().await;
    let run = async {
        if !shared && let Some(listener) = listen("storage-addr", &args.storage_addr).await? {
            let scope = process.context.scope.clone();
            tokio::spawn(serve(listener, server, scope));
        }
        clean(&*store).await?;
        let host = artifact_host;
        watcher_controllers(&process.context, &settings, store, address, host)?.run().await;
        Ok(())
    };
    process.finish(held, run).await
}

/// Runs kustomize-controller until it is told to stop.
///
/// # Errors
/// When it cannot start, or loses its lease.
pub async fn kustomize(
    args: KustomizeArgs,
    build: Arc<dyn Build>,
    artifact_host: Option<String>,
    scope: Scope,
) -> Result<(), StartError> {
    let settings = KustomizeSettings::from_args(&args)?;
    let manager = "gotk-kustomize-controller";
    let process = Process::start("kustomize-controller", manager, &args.common, scope).await?;
    let held = process.lead().await;
    let run = async {
        kustomize_controllers(&process.context, &settings, build, artifact_host)?.run().await;
        Ok(())
    };
    process.finish(held, run).await
}

/// Starts the log: everything that libraries and controllers tell goes to standard error.
pub fn start_log(args: &CommonArgs) {
    let level = match args.log_level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let json = args.log_encoding == LogEncoding::Json;
    let layer = ZapLayer::new(std::io::stderr(), Arc::new(SystemClock), json);
    let targets = tracing_subscriber::filter::Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_targets(
            [
                "gitops_controllers",
                "gitops_apply",
                "gitops_source",
                "gitops_kustomize",
                "gitops_core",
            ]
            .map(|target| (target, level)),
        );
    // A second call, in tests, keeps the first log.
    let _ = tracing_subscriber::registry().with(targets).with(layer).try_init();
}

/// Cancels the scope on SIGTERM and SIGINT.
///
/// # Errors
/// When signals cannot be received.
pub fn stop_on_signals(scope: &Scope) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let scope = scope.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        scope.cancel();
    });
    Ok(())
}

struct Process {
    context: Context,
    fence: Fence,
    lease: Option<LeaseOptions>,
}

impl Process {
    async fn start(
        controller: &'static str,
        manager: &'static str,
        args: &CommonArgs,
        scope: Scope,
    ) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::new());
        let config = cluster_config::infer().await.map_err(StartError::Cluster)?;
        let namespace = match args.runtime_namespace.as_str() {
            "" => config.default_namespace.clone(),
            namespace => namespace.to_owned(),
        };
        let watched = (!args.watch_all_namespaces).then(|| namespace.clone());
        let fence = Fence::default();
        let limit = RateLimit { per_second: args.kube_api_qps, burst: args.kube_api_burst };
        let client: Client = connect(config, limit, fence.clone(), Arc::clone(&metrics))
            .await
            .map_err(|error| StartError::Cluster(error.into()))?;
        if let Some(listener) = listen("metrics-addr", &args.metrics_addr).await? {
            tokio::spawn(serve(listener, metrics_router(Arc::clone(&metrics)), scope.clone()));
        }
        if let Some(listener) = listen("health-addr", &args.health_addr).await? {
            tokio::spawn(serve(listener, health_router(), scope.clone()));
        }
        let host = host_name();
        let lease = args.enable_leader_election.then(|| LeaseOptions {
            namespace: namespace.clone(),
            name: lease_name(controller, &args.watch_label_selector),
            identity: format!("{host}_{}", uuid::Uuid::new_v4()),
            duration: args.leader_election_lease_duration,
            renew_deadline: args.leader_election_renew_deadline,
            retry_period: args.leader_election_retry_period,
            release: args.leader_election_release_on_cancel,
        });
        let targets = EventTargets {
            controller: controller.to_owned(),
            instance: host,
            address: (!args.events_addr.is_empty()).then(|| args.events_addr.clone()),
            in_cluster: true,
        };
        let events = Events::start(
            client.clone(),
            targets,
            Arc::clone(&clock),
            Arc::clone(&metrics),
            &scope,
        );
        let timing = Timing {
            dependency: args.requeue_dependency,
            jitter_percent: args.interval_jitter_percentage,
            backoff: Backoff { first: args.min_retry_delay, limit: args.max_retry_delay },
            ..Timing::default()
        };
        let context = Context {
            caches: Caches::new(client.clone(), watched, scope.clone()),
            client,
            clock,
            events,
            metrics,
            observer: Arc::new(NoObserver),
            timing,
            manager,
            scope,
        };
        tracing::info!(controller, version = env!("CARGO_PKG_VERSION"), "starting");
        Ok(Self { context, fence, lease })
    }

    /// Waits for the lease, where there is one to be had.
    async fn lead(&self) -> Option<Election> {
        let options = self.lease.clone()?;
        let mut election = Election::new(
            self.context.client.clone(),
            options,
            Arc::clone(&self.context.clock),
            self.fence.clone(),
        );
        self.context.scope.run(election.acquire()).await.ok()?;
        Some(election)
    }

    /// Works until the scope ends or the lease is lost; then everything stops, and the lease is
    /// given back.
    async fn finish(
        &self,
        election: Option<Election>,
        run: impl Future<Output = Result<(), StartError>>,
    ) -> Result<(), StartError> {
        let scope = &self.context.scope;
        if self.lease.is_some() && election.is_none() {
            // Stopped before we led.
            return Ok(());
        }
        let mut run = std::pin::pin!(run);
        let Some(mut election) = election else {
            let stopped = async {
                scope.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            return tokio::select! {
                ended = &mut run => ended,
                () = stopped => Ok(()),
            };
        };
        let outcome = tokio::select! {
            ended = &mut run => ended,
            held = election.hold(scope) => {
                scope.cancel();
                // Only when nothing writes any more may another one begin.
                let _ = tokio::time::timeout(GRACE, run).await;
                held.map_err(StartError::from)
            }
        };
        election.release().await;
        outcome
    }
}

async fn clean(store: &dyn ArtifactStore) -> Result<(), StartError> {
    store.clean().await.map_err(|error| StartError::io("clean", "storage", error))
}

/// The address under which consumers reach the artifacts.
fn advertised(service: &str, given: &str, namespace: &str, listened: &str) -> String {
    match (given, namespace) {
        ("", "") => listened.to_owned(),
        // The dot at the end spares the search through the domains of the pod.
        ("", namespace) => format!("{service}.{namespace}.svc.cluster.local."),
        (given, _) => given.to_owned(),
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
