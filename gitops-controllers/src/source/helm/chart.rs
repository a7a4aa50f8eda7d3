//! HelmChart.
//!
//! # Expected Flow
//! 1. What is stored is looked after.
//! 2. The source is read from the cache: a chart repository, or the artifact of a Git repository
//!    or bucket.
//! 3. The version is chosen. One that is stored already costs nothing more.
//! 4. The chart is downloaded as it is, or loaded, given its values and dependencies, and packaged.
//!
//! # Guarantees
//! The chart of the last good turn stays advertised and served while later turns fail.

use std::{sync::Arc, time::Duration};

use gitops_api::{
    meta::{ConditionStatus, condition_type, reason},
    source::{Artifact as Recorded, HelmChart, ReconcileStrategy},
};
use gitops_core::{ArtifactKey, Class, Classify, Failure, Revision, Stage};
use gitops_source::{
    BuiltChart, ChartBuildError, ChartBuildOptions, Content, HelmRepositories, LocalChart,
    Registries, StoredChart, build_local, build_remote,
};
use kube::{Client, ResourceExt as _};

use super::{
    super::{
        common::{Start, Storage, about, failed, parsed},
        identity::Identities,
        include,
    },
    source::{ChartSources, Found},
};
use crate::runtime::{Attempt, Caches, Done, Fault, Notice, Reconcile, Stop, Turn, Waiting};

/// The alias that `status.url` shows.
const ALIAS: &str = "latest.tar.gz";
/// How much of a revision a version shows.
const SHORT: usize = 12;

/// How charts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartOptions {
    /// The largest package, in bytes.
    pub max_bytes: u64,
    /// The largest file, in bytes.
    pub max_file_bytes: u64,
}

/// Makes artifacts of charts.
pub struct HelmChartReconciler {
    storage: Storage,
    sources: ChartSources,
    options: ChartOptions,
}

impl std::fmt::Debug for HelmChartReconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HelmChartReconciler")
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl HelmChartReconciler {
    /// A reconciler that reads Secrets with a client and sources from caches with this selector.
    pub fn new(
        client: Client,
        storage: Storage,
        repositories: Arc<HelmRepositories>,
        registries: Registries,
        caches: &Caches,
        selector: Option<&str>,
        options: ChartOptions,
    ) -> Self {
        let sources = ChartSources::new(
            client,
            storage.clone(),
            repositories,
            registries,
            caches,
            selector,
            options.max_bytes,
        );
        Self { storage, sources, options }
    }

    /// Takes on these identities towards clouds.
    #[must_use]
    pub fn with_identities(mut self, identities: Identities) -> Self {
        self.sources.take_on(identities);
        self
    }

    /// Where the sources of charts are known.
    pub(crate) fn sources(&self) -> &ChartSources {
        &self.sources
    }

    async fn build(
        &self,
        object: &HelmChart,
        start: &Start,
        found: Found,
        attempt: &mut Attempt<HelmChart>,
    ) -> Result<BuiltChart, Stop> {
        let mut options = self.build_options(object, start, attempt);
        let scope = attempt.scope.clone();
        let known = start.current.as_ref().map(|artifact| artifact.revision.clone());
        let charts = match &found {
            Found::Repository(repository) => {
                let charts = self.sources.charts(repository, Some(object)).await;
                Some(charts.map_err(|failure| unknown(failure, attempt))?)
            }
            Found::Files { .. } => None,
        };
        let mut told = |built: &BuiltChart| {
            let same = known.as_deref() == Some(&built.version)
                && attempt.status.observed_chart_name.as_deref() == Some(&built.name);
            if same {
                return;
            }
            let summary = built.summary(false);
            if known.is_some() {
                let outdated = condition_type::ARTIFACT_OUTDATED;
                attempt.observe(outdated, ConditionStatus::True, reason::NEW_CHART, &summary);
            }
            attempt.drifted(Stage::Build, format!("building artifact: {summary}"));
        };
        match (charts, found) {
            (Some(charts), _) => {
                if values_files(object).is_some() {
                    options.version_metadata = Some(generation(object).to_string());
                }
                let (chart, range) = (&object.spec.chart, &object.spec.version);
                let built = build_remote(&*charts, chart, range, &options, &scope, &mut told).await;
                built.map_err(|error| unauthorized(error, attempt))
            }
            (None, Found::Repository(_)) => unreachable!("every repository has charts"),
            (None, Found::Files { kind, artifact }) => {
                options.version_metadata = local_metadata(object, &artifact);
                let namespace = object.namespace().unwrap_or_default();
                let key = ArtifactKey::new(kind, &namespace, &object.spec.source_ref.name);
                let tree = include::open(&self.storage, &key, &artifact).await.map_err(|why| {
                    let message = "failed to open source artifact";
                    failed(Stage::Fetch, message, reason::READ_OPERATION_FAILED, why)
                })?;
                let local = LocalChart {
                    tree: Arc::new(tree),
                    path: object.spec.chart.clone(),
                    // Nothing stands there: it is what Flux's messages say.
                    root: format!("/tmp/helmchart-{namespace}-{}/source", object.name_any()),
                };
                let repositories = self.sources.of_namespace(&namespace);
                let built = build_local(&local, &repositories, &options, &scope, &mut told).await;
                built.map_err(|error| failure(error, attempt).into())
            }
        }
    }

    fn build_options(
        &self,
        object: &HelmChart,
        start: &Start,
        attempt: &Attempt<HelmChart>,
    ) -> ChartBuildOptions {
        let observed = attempt.status.observed_generation == Some(generation(object));
        let stored = start.current.as_ref().filter(|_| observed).map(|artifact| StoredChart {
            name: attempt.status.observed_chart_name.clone().unwrap_or_default(),
            version: artifact.revision.clone(),
            values_files: attempt.status.observed_values_files.clone(),
        });
        let mut options = ChartBuildOptions {
            values_files: object.spec.values_files.clone(),
            ignore_missing: object.spec.ignore_missing_values_files,
            stored,
            verify: object.spec.verify.is_some(),
            ..ChartBuildOptions::default()
        };
        options.load.limits.file_bytes = self.options.max_file_bytes;
        options
    }

    async fn store(
        &self,
        key: &ArtifactKey,
        built: &BuiltChart,
        package: bytes::Bytes,
        attempt: &mut Attempt<HelmChart>,
    ) -> Result<Recorded, Failure> {
        // The name of a chart in a registry may be a path.
        let name = built.name.rsplit('/').next().unwrap_or(&built.name);
        let name = format!("{name}-{}.tgz", built.version);
        let content = Content::Bytes { name, bytes: package };
        let revision = Revision::named(&built.version);
        let scope = attempt.scope.clone();
        let stored = self.storage.store.put(key, &revision, content, &scope).await;
        let artifact = stored.map_err(|error| {
            let message = "unable to copy Helm chart to storage";
            failed(Stage::Store, message, reason::ARCHIVE_OPERATION_FAILED, error)
        })?;
        self.storage.alias(key, ALIAS, &artifact).await?;
        Ok(self.storage.record(&artifact))
    }
}

impl Reconcile for HelmChartReconciler {
    type Kind = HelmChart;

    async fn reconcile(&self, object: &HelmChart, attempt: &mut Attempt<HelmChart>) -> Turn {
        let key = key(object);
        let start = self.storage.begin(&key, attempt).await?;
        let failed_verification = attempt.status.conditions.iter().any(|condition| {
            condition.type_ == condition_type::SOURCE_VERIFIED
                && condition.status == ConditionStatus::False
        });
        if failed_verification || object.spec.verify.is_none() {
            attempt.clear(condition_type::SOURCE_VERIFIED);
        }
        self.sources.synced().await;
        let found = self.source(object, attempt).await?;
        if let Some(artifact) = found.artifact() {
            attempt.status.observed_source_artifact_revision = Some(artifact.revision.clone());
        }
        let mut built = self.build(object, &start, found, attempt).await?;
        attempt.clear(condition_type::FETCH_FAILED);
        attempt.clear(condition_type::BUILD_FAILED);
        if built.dependencies > 0 {
            let message = format!("resolved {} chart dependencies", built.dependencies);
            attempt.tell(Notice::trace("ResolvedDependencies", message));
        }
        if built.verified {
            attempt.observe(
                condition_type::SOURCE_VERIFIED,
                ConditionStatus::True,
                reason::SUCCEEDED,
                format!("verified signature of version {}", built.version),
            );
        }
        let mut done = Done::default();
        let artifact = match (built.package.take(), &start.current) {
            (None, Some(current)) => {
                let message =
                    format!("artifact up-to-date with remote revision: '{}'", built.version);
                done.events.push(Notice::trace(reason::ARTIFACT_UP_TO_DATE, message));
                current.clone()
            }
            (None, None) => {
                let fault = Fault::new(Class::Internal, "a stored chart that is not there");
                return Err(Failure::new(Stage::Store, fault).into());
            }
            (Some(package), _) => {
                let recorded = self.store(&key, &built, package, attempt).await?;
                attempt.status.artifact = Some(recorded.clone());
                attempt.status.observed_chart_name = Some(built.name.clone());
                attempt.status.observed_values_files = if object.spec.ignore_missing_values_files {
                    built.values_files.clone()
                } else {
                    Vec::new()
                };
                recorded
            }
        };
        attempt.status.url = Some(self.storage.url(&format!("{}/{ALIAS}", key.directory())));
        attempt.clear(condition_type::ARTIFACT_OUTDATED);
        let (word, summary) = (success(&built), built.summary(true));
        let in_storage = condition_type::ARTIFACT_IN_STORAGE;
        attempt.observe(in_storage, ConditionStatus::True, word, &summary);
        let is_new = start.before.as_ref().is_none_or(|before| before.digest != artifact.digest);
        if is_new || start.recovering {
            done.events.push(about(&artifact, word, summary));
        }
        Ok(done)
    }

    async fn finalize(&self, object: &HelmChart, attempt: &mut Attempt<HelmChart>) -> Turn {
        self.storage.clear(&key(object), attempt).await?;
        attempt.status.artifact = None;
        Ok(Done::default())
    }
}

impl HelmChartReconciler {
    /// The source of a chart, with an artifact that is there.
    async fn source(
        &self,
        object: &HelmChart,
        attempt: &mut Attempt<HelmChart>,
    ) -> Result<Found, Stop> {
        let reference = &object.spec.source_ref;
        let namespace = object.namespace().unwrap_or_default();
        let found = self.sources.find(&reference.kind, &namespace, &reference.name)?;
        let key = ArtifactKey::new(&reference.kind, &namespace, &reference.name);
        let stored = match found.as_ref().and_then(Found::artifact) {
            Some(artifact) => match parsed(&key, artifact) {
                Some(artifact) => self.storage.store.open(&key, &artifact.file).await.is_ok(),
                None => false,
            },
            None => false,
        };
        match found {
            Some(found) if stored || found.needs_no_artifact() => Ok(found),
            _ => {
                let message = format!(
                    "no artifact available for {} source '{}'",
                    reference.kind, reference.name
                );
                attempt.tell(Notice::trace(reason::NO_SOURCE_ARTIFACT, &message));
                let waiting = Waiting::new(reason::NO_SOURCE_ARTIFACT, message)
                    .with_condition(condition_type::FETCH_FAILED);
                Err(waiting.into())
            }
        }
    }
}

fn key(object: &HelmChart) -> ArtifactKey {
    ArtifactKey::new("HelmChart", &object.namespace().unwrap_or_default(), &object.name_any())
}

fn generation(object: &HelmChart) -> i64 {
    object.metadata.generation.unwrap_or_default()
}

/// The values files, unless they are what the chart has anyway.
fn values_files(object: &HelmChart) -> Option<&[String]> {
    let files = &object.spec.values_files;
    let only = files.len() == 1 && files[0].trim_start_matches("./") == "values.yaml";
    (!files.is_empty() && !only).then_some(files)
}

/// What the version of a chart from files says of where it comes from.
fn local_metadata(object: &HelmChart, artifact: &Recorded) -> Option<String> {
    let mut parts = Vec::new();
    if object.spec.reconcile_strategy == ReconcileStrategy::Revision {
        let revision: Option<Revision> = artifact.revision.parse().ok();
        let hash = revision.as_ref().and_then(Revision::hash).unwrap_or(&artifact.revision);
        parts.push(hash.get(..SHORT).unwrap_or(hash).to_owned());
    }
    if values_files(object).is_some() {
        parts.push(generation(object).to_string());
    }
    (!parts.is_empty()).then(|| parts.join("."))
}

fn success(built: &BuiltChart) -> &'static str {
    if built.packaged { reason::CHART_PACKAGE_SUCCEEDED } else { reason::CHART_PULL_SUCCEEDED }
}

/// A failure of a build, with the reason that the wire has for it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct BuildFailure(ChartBuildError);

impl Classify for BuildFailure {
    fn class(&self) -> Class {
        self.0.class()
    }

    fn reason(&self) -> Option<&'static str> {
        Some(self.0.reason())
    }

    fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after()
    }
}

fn failure(error: ChartBuildError, attempt: &mut Attempt<HelmChart>) -> Failure {
    let stage = match &error {
        ChartBuildError::Metadata(_)
        | ChartBuildError::Values(_)
        | ChartBuildError::Dependencies(_)
        | ChartBuildError::Package(_) => Stage::Build,
        ChartBuildError::Verification(_) => {
            attempt.observe(
                condition_type::SOURCE_VERIFIED,
                ConditionStatus::False,
                reason::VERIFICATION_ERROR,
                gitops_core::one_line(&error),
            );
            Stage::Build
        }
        _ => Stage::Fetch,
    };
    attempt.clear(match stage {
        Stage::Build => condition_type::FETCH_FAILED,
        _ => condition_type::BUILD_FAILED,
    });
    Failure::new(stage, BuildFailure(error))
}

/// A failure with a repository; one that looks like a refusal is told as that, as Flux does.
fn unauthorized(error: ChartBuildError, attempt: &mut Attempt<HelmChart>) -> Stop {
    const SIGNS: [&str; 5] =
        ["401", "unauthorized", "authentication required", "tls", "unknown certificate authority"];
    let text = gitops_core::one_line(&error);
    if !matches!(error, ChartBuildError::Cancelled(_))
        && SIGNS.iter().any(|sign| text.contains(sign))
    {
        attempt.clear(condition_type::BUILD_FAILED);
        let message = format!("failed to authenticate with the Helm repository: {text}");
        let fault = Fault::new(Class::Denied, message).reason(reason::AUTHENTICATION_FAILED);
        return unknown(Failure::new(Stage::Fetch, fault), attempt).into();
    }
    failure(error, attempt).into()
}

/// A failure that no build had: its conditions tell it as one of an unknown kind, as in Flux, and
/// its event tells it as it is.
fn unknown(failure: Failure, attempt: &mut Attempt<HelmChart>) -> Failure {
    if failure.stage == Stage::Validate || failure.error.class() == Class::Cancelled {
        return failure;
    }
    let message = gitops_core::one_line(&*failure.error);
    if failure.stage == Stage::Verify {
        let verified = condition_type::SOURCE_VERIFIED;
        let word = reason::VERIFICATION_ERROR;
        attempt.observe(verified, ConditionStatus::False, word, message.as_str());
    }
    attempt.clear(condition_type::BUILD_FAILED);
    let word = failure.error.reason().unwrap_or(reason::FAILED);
    attempt.tell_failure(Notice::error(word, message));
    Failure::new(Stage::Fetch, UnknownFailure(failure))
}

/// What [`unknown`] makes of a failure.
#[derive(Debug, thiserror::Error)]
#[error("unknown build error: {}", gitops_core::one_line(&*.0.error))]
struct UnknownFailure(Failure);

impl Classify for UnknownFailure {
    fn class(&self) -> Class {
        self.0.error.class()
    }

    fn reason(&self) -> Option<&'static str> {
        Some("Unknown")
    }

    fn retry_after(&self) -> Option<Duration> {
        self.0.error.retry_after()
    }
}
