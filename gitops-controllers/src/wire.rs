//! Which kinds run, and with what: from options to running controllers.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use gitops_apply::{KubeconfigOptions, RecordOptions};
use gitops_auth::TokenCache;
use gitops_core::{Algorithm, Clock, SystemClock};
use gitops_source::{
    Ambient, ArtifactFetcher, ArtifactStore, DiskStore, FetchOptions, HelmRepositories,
    MemoryStore, Registries, Retention, SharedStore, SharedStorePlace, SshAlgorithms,
};

use crate::{
    args::{
        FeatureGates, KUSTOMIZE_GATES, KustomizeArgs, SOURCE_GATES, SourceArgs, WATCHER_GATES,
        WatcherArgs, environment,
    },
    generator::{self, ArtifactGeneratorReconciler, GeneratorOptions},
    kustomization::{self, Build, Parts},
    runtime::{Context, Controller},
    source::{
        BucketReconciler, ChartOptions, GitRepositoryReconciler, HelmChartReconciler,
        HelmRepositoryReconciler, Identities, OciRepositoryReconciler, SourceOverride, Storage,
    },
};

/// How many bytes of unpacked artifacts a kustomize-controller keeps.
const FETCH_CACHE: u64 = 16 << 20;

/// Why controllers could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A flag's value is wrong.
    #[error("{0}")]
    Flag(String),
    /// A directory, file or socket cannot be used.
    #[error("cannot {action} {what}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        what: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No client for the cluster.
    #[error("cannot connect to the cluster")]
    Cluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The leader lease was lost.
    #[error(transparent)]
    Lost(#[from] crate::runtime::Lost),
}

impl StartError {
    pub(crate) fn io(
        action: &'static str,
        what: impl ToString,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Io { action, what: what.to_string(), source: source.into() }
    }
}

/// Where artifacts are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In a directory, which is made.
    Disk(PathBuf),
    /// In a bucket, which other replicas share.
    Shared(SharedStorePlace),
    /// In memory.
    Memory,
}

impl Store {
    pub(crate) fn open(
        &self,
        algorithm: Algorithm,
        ambient: &Ambient,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<dyn ArtifactStore>, StartError> {
        Ok(match self {
            Self::Shared(place) => {
                let place = place.clone().with_ambient(ambient);
                let store = SharedStore::new(&place, algorithm, clock);
                Arc::new(store.map_err(|error| StartError::io("open storage", place, error))?)
            }
            Self::Disk(path) => {
                Arc::new(DiskStore::open(path, algorithm, clock).map_err(|error| {
                    StartError::io("open storage directory", path.display(), error)
                })?)
            }
            Self::Memory => Arc::new(MemoryStore::new(clock)),
        })
    }
}

/// The settings of a source-controller.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Objects of a kind at a time.
    pub workers: usize,
    /// Where artifacts are kept.
    pub store: Store,
    /// The digest of artifacts.
    pub algorithm: Algorithm,
    /// How long artifacts that were replaced stay.
    pub retention: Retention,
    /// Only objects with these labels.
    pub selector: Option<String>,
    /// The largest index of a chart repository, in bytes.
    pub helm_index_max: u64,
    /// The largest package of a chart, in bytes.
    pub helm_chart_max: u64,
    /// The largest file of a chart, in bytes.
    pub helm_chart_file_max: u64,
    /// The identities that sources may take on.
    pub identities: Identities,
    /// The algorithms that SSH hosts are offered.
    pub ssh_algorithms: SshAlgorithms,
    /// What the process was given by the cloud that it runs in.
    pub ambient: Ambient,
    /// Which repositories are served from elsewhere.
    pub overrides: Option<Arc<dyn SourceOverride>>,
}

impl Default for SourceSettings {
    /// Flux's defaults, in memory.
    fn default() -> Self {
        Self {
            workers: 2,
            store: Store::Memory,
            algorithm: Algorithm::default(),
            retention: Retention::default(),
            selector: None,
            helm_index_max: 50 << 20,
            helm_chart_max: 10 << 20,
            helm_chart_file_max: 5 << 20,
            identities: Identities::default(),
            ssh_algorithms: SshAlgorithms::default(),
            ambient: Ambient::default(),
            overrides: None,
        }
    }
}

impl SourceSettings {
    /// From flags.
    ///
    /// # Errors
    /// On values that are wrong.
    pub fn from_args(args: &SourceArgs) -> Result<Self, StartError> {
        let algorithm = args
            .artifact_digest_algo
            .parse()
            .map_err(|error| StartError::Flag(format!("artifact-digest-algo: {error}")))?;
        let ssh_algorithms = SshAlgorithms::parse(&args.ssh_kex_algos, &args.ssh_hostkey_algos)
            .map_err(|error| StartError::Flag(error.to_string()))?;
        Ok(Self {
            workers: args.concurrent,
            store: store(&args.storage_path)?,
            algorithm,
            retention: Retention {
                ttl: args.artifact_retention_ttl,
                records: args.artifact_retention_records,
            },
            selector: some(&args.common.watch_label_selector),
            helm_index_max: args.helm_index_max_size,
            helm_chart_max: args.helm_chart_max_size,
            helm_chart_file_max: args.helm_chart_file_max_size,
            identities: identities(args)?,
            ssh_algorithms,
            ambient: Ambient::default(),
            overrides: None,
        })
    }
}

/// `--storage-path`
fn store(path: &std::path::Path) -> Result<Store, StartError> {
    match path.to_str().filter(|path| path.starts_with("s3://")) {
        Some(place) => {
            let place = place.parse();
            let place = place.map_err(|error| StartError::Flag(format!("storage-path: {error}")));
            Ok(Store::Shared(place?))
        }
        None => Ok(Store::Disk(path.to_owned())),
    }
}

fn identities(args: &SourceArgs) -> Result<Identities, StartError> {
    let gates = FeatureGates::parse(SOURCE_GATES, &args.common.feature_gates)
        .map_err(|error| StartError::Flag(error.to_string()))?;
    let object_level = gates.is_open("ObjectLevelWorkloadIdentity");
    let default_account = some(&args.default_service_account);
    if default_account.is_some() && !object_level {
        return Err(StartError::Flag(
            "default-service-account needs --feature-gates=ObjectLevelWorkloadIdentity=true".into(),
        ));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let most = usize::try_from(args.common.token_cache_max_size).unwrap_or(usize::MAX);
    let longest = args.common.token_cache_max_duration.min(Duration::from_secs(3600));
    Ok(Identities {
        tokens: Arc::new(TokenCache::new(most, longest, Arc::clone(&clock))),
        clock,
        environment: environment(),
        object_level,
        metrics: None,
        default_account,
    })
}

/// The controllers of a source-controller.
#[derive(Debug)]
pub struct SourceControllers {
    git: Controller<GitRepositoryReconciler>,
    oci: Controller<OciRepositoryReconciler>,
    helm_repositories: Controller<HelmRepositoryReconciler>,
    helm_charts: Controller<HelmChartReconciler>,
    buckets: Controller<BucketReconciler>,
}

impl SourceControllers {
    /// Works until the scope ends.
    pub async fn run(self) {
        tokio::join!(
            self.git.run(),
            self.oci.run(),
            self.helm_repositories.run(),
            self.helm_charts.run(),
            self.buckets.run()
        );
    }
}

/// The controllers of a source-controller.
pub fn source_controllers(
    context: &Context,
    settings: &SourceSettings,
    store: Arc<dyn ArtifactStore>,
    address: String,
) -> SourceControllers {
    let storage = Storage::new(store, address, settings.retention);
    let (client, workers) = (&context.client, settings.workers);
    let selector = settings.selector.as_deref();
    context.metrics.watch_tokens(Arc::clone(&settings.identities.tokens));
    let metrics = Some(Arc::clone(&context.metrics));
    let identities = Identities { metrics, ..settings.identities.clone() };
    let git = GitRepositoryReconciler::new(client.clone(), storage.clone())
        .with_identities(identities.clone(), settings.ssh_algorithms.clone())
        .with_overrides(settings.overrides.clone());
    let oci = OciRepositoryReconciler::new(client.clone(), storage.clone())
        .with_identities(identities.clone());
    let repositories =
        Arc::new(HelmRepositories::new(settings.helm_index_max, settings.helm_chart_max));
    let helm_repositories =
        HelmRepositoryReconciler::new(client.clone(), storage.clone(), Arc::clone(&repositories));
    let buckets = BucketReconciler::new(client.clone(), storage.clone(), settings.ambient.clone())
        .with_identities(settings.identities.clone());
    let helm_charts = HelmChartReconciler::new(
        client.clone(),
        storage,
        repositories,
        Registries::new(),
        &context.caches,
        selector,
        ChartOptions {
            max_bytes: settings.helm_chart_max,
            max_file_bytes: settings.helm_chart_file_max,
        },
    )
    .with_identities(identities);
    let sources = helm_charts.sources().clone();
    let helm_charts = Controller::new(helm_charts, context.clone(), selector, settings.workers);
    sources.follow(&helm_charts.cache(), &helm_charts.queue());
    SourceControllers {
        git: Controller::new(git, context.clone(), selector, settings.workers),
        oci: Controller::new(oci, context.clone(), selector, settings.workers),
        helm_repositories: Controller::new(helm_repositories, context.clone(), selector, workers),
        helm_charts,
        buckets: Controller::new(buckets, context.clone(), selector, settings.workers),
    }
}

/// The settings of a source-watcher.
#[derive(Clone, Debug)]
pub struct WatcherSettings {
    /// Objects at a time.
    pub workers: usize,
    /// Where artifacts are kept.
    pub store: Store,
    /// The digest of artifacts.
    pub algorithm: Algorithm,
    /// How long artifacts that were replaced stay.
    pub retention: Retention,
    /// Only objects with these labels.
    pub selector: Option<String>,
    /// How often the download of an artifact is tried again.
    pub http_retry: u32,
    /// What the reconciler knows of the flags.
    pub options: GeneratorOptions,
}

impl WatcherSettings {
    /// From flags.
    ///
    /// # Errors
    /// On values that are wrong.
    pub fn from_args(args: &WatcherArgs) -> Result<Self, StartError> {
        let gates = FeatureGates::parse(WATCHER_GATES, &args.common.feature_gates)
            .map_err(|error| StartError::Flag(error.to_string()))?;
        let algorithm = args
            .artifact_digest_algo
            .parse()
            .map_err(|error| StartError::Flag(format!("artifact-digest-algo: {error}")))?;
        Ok(Self {
            workers: args.concurrent,
            store: store(&args.storage_path)?,
            algorithm,
            retention: Retention {
                ttl: args.artifact_retention_ttl,
                records: args.artifact_retention_records,
            },
            selector: some(&args.common.watch_label_selector),
            http_retry: args.http_retry,
            options: GeneratorOptions {
                no_cross_namespace_refs: args.no_cross_namespace_refs,
                timeout: args.reconciliation_timeout,
                direct_source_fetch: gates.is_open("DirectSourceFetch"),
            },
        })
    }
}

/// The controllers of a source-watcher. `host` replaces the host of artifact URLs.
///
/// # Errors
/// When the download client cannot be set up.
pub fn watcher_controllers(
    context: &Context,
    settings: &WatcherSettings,
    store: Arc<dyn ArtifactStore>,
    address: String,
    host: Option<String>,
) -> Result<Controller<ArtifactGeneratorReconciler>, StartError> {
    let mut fetch = FetchOptions::default();
    fetch.retries = settings.http_retry;
    fetch.host = host;
    fetch.cache_bytes = FETCH_CACHE;
    let fetcher = ArtifactFetcher::new(fetch)
        .map_err(|error| StartError::io("set up", "the artifact client", error))?;
    let storage = Storage::new(store, address, settings.retention);
    let reconciler = ArtifactGeneratorReconciler::new(
        context.client.clone(),
        storage,
        fetcher,
        &context.caches,
        settings.options.clone(),
    );
    let follow = reconciler.follow();
    let selector = settings.selector.as_deref();
    let controller = Controller::new(reconciler, context.clone(), selector, settings.workers)
        .with_finalizer(generator::FINALIZER);
    follow(&controller.cache(), &controller.queue());
    Ok(controller)
}

/// The settings of a kustomize-controller.
#[derive(Clone, Debug)]
pub struct KustomizeSettings {
    /// Objects at a time.
    pub workers: usize,
    /// Only objects with these labels.
    pub selector: Option<String>,
    /// Which `ConfigMaps` and Secrets are watched; absent: none.
    pub config_selector: Option<String>,
    /// How often the download of an artifact is tried again.
    pub http_retry: u32,
    /// What the reconciler knows of the flags.
    pub options: kustomization::Options,
}

impl Default for KustomizeSettings {
    /// Flux's defaults.
    fn default() -> Self {
        Self {
            workers: 4,
            selector: None,
            config_selector: Some("reconcile.fluxcd.io/watch=Enabled".into()),
            http_retry: 9,
            options: kustomization::Options::default(),
        }
    }
}

impl KustomizeSettings {
    /// From flags.
    ///
    /// # Errors
    /// On values that are wrong.
    pub fn from_args(args: &KustomizeArgs) -> Result<Self, StartError> {
        let gates = FeatureGates::parse(KUSTOMIZE_GATES, &args.common.feature_gates)
            .map_err(|error| StartError::Flag(error.to_string()))?;
        let needs_identity = !args.default_decryption_service_account.is_empty()
            || !args.default_kubeconfig_service_account.is_empty();
        if needs_identity && !gates.is_open("ObjectLevelWorkloadIdentity") {
            return Err(StartError::Flag(
                "default-decryption-service-account and default-kubeconfig-service-account need \
                 --feature-gates=ObjectLevelWorkloadIdentity=true"
                    .into(),
            ));
        }
        let options = kustomization::Options {
            default_service_account: some(&args.default_service_account),
            no_cross_namespace_refs: args.no_cross_namespace_refs,
            concurrent_apply: args.concurrent_ssa.max(1),
            override_managers: args.override_manager.clone(),
            custom_stage_kinds: stage_kinds(&args.custom_apply_stage_kinds)?,
            migrate_api_version: gates.is_open("MigrateAPIVersion"),
            dependency_interval: args.common.requeue_dependency,
            additive_cel_dependency_check: gates.is_open("AdditiveCELDependencyCheck"),
            external_artifacts: gates.is_open("ExternalArtifact"),
            direct_source_fetch: gates.is_open("DirectSourceFetch"),
            object_level_workload_identity: gates.is_open("ObjectLevelWorkloadIdentity"),
            cancel_health_checks: gates.is_open("CancelHealthCheckOnNewRevision"),
            fail_fast: !gates.is_open("DisableFailFastBehavior"),
            no_remote_bases: args.no_remote_bases,
            strict_substitution: gates.is_open("StrictPostBuildSubstitutions"),
            kubeconfig: KubeconfigOptions {
                allow_exec: args.insecure_kubeconfig_exec,
                allow_insecure_tls: args.insecure_kubeconfig_tls,
            },
            ..kustomization::Options::default()
        };
        let config_selector = (!gates.is_open("DisableConfigWatchers"))
            .then(|| some(&args.common.watch_configs_label_selector))
            .flatten();
        Ok(Self {
            workers: args.concurrent,
            selector: some(&args.common.watch_label_selector),
            config_selector,
            http_retry: args.http_retry,
            options,
        })
    }
}

/// The controllers of a kustomize-controller. `host` replaces the host of artifact URLs.
///
/// # Errors
/// When the download client cannot be set up.
pub fn kustomize_controllers(
    context: &Context,
    settings: &KustomizeSettings,
    build: Arc<dyn Build>,
    host: Option<String>,
) -> Result<Controller<kustomization::Kustomizations>, StartError> {
    let mut fetch = FetchOptions::default();
    fetch.retries = settings.http_retry;
    fetch.host = host;
    fetch.cache_bytes = FETCH_CACHE;
    let fetcher = ArtifactFetcher::new(fetch)
        .map_err(|error| StartError::io("set up", "the artifact client", error))?;
    let parts = Parts {
        fetcher,
        build,
        options: settings.options.clone(),
        record: RecordOptions::default(),
        selector: settings.selector.clone(),
        config_selector: settings.config_selector.clone(),
        workers: settings.workers,
    };
    Ok(kustomization::controller(context.clone(), parts))
}

/// How overlays are built.
pub fn overlay_build() -> Arc<dyn Build> {
    Arc::new(crate::overlay::Kustomize)
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// `group/Kind` entries; a kind alone is one of the core group.
fn stage_kinds(entries: &[String]) -> Result<BTreeSet<(String, String)>, StartError> {
    let mut kinds = BTreeSet::new();
    for entry in entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()) {
        let (group, kind) = entry.split_once('/').unwrap_or(("", entry));
        if kind.is_empty() || kind.contains('/') {
            return Err(StartError::Flag(format!(
                "custom-apply-stage-kinds: {entry:?} is not of the form group/Kind"
            )));
        }
        kinds.insert((group.to_owned(), kind.to_owned()));
    }
    Ok(kinds)
}
