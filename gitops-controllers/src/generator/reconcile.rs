//! One turn of an ArtifactGenerator.
//!
//! # Expected Flow
//! 1. The spec is checked, and the artifacts of all sources are looked up.
//! 2. When neither they nor the spec changed, and everything that was made is there and whole,
//!    that is all.
//! 3. All sources are downloaded, the artifacts are composed and stored, and an ExternalArtifact
//!    is applied for each.
//! 4. What is no longer wanted goes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gitops_api::{
    meta::{ConditionStatus, condition_type, reason},
    source::{
        Artifact as Recorded, ArtifactGenerator, ArtifactGeneratorStatus, CopyStrategy as Wanted,
        GeneratedArtifact, OutputArtifact,
    },
};
use gitops_core::{ArtifactKey, Class, Failure, MemoryTree, Revision, Stage};
use gitops_source::{
    ArtifactFetcher, ArtifactStoreExt as _, Content, CopyRule, CopyStrategy, Expansion,
    IgnoreRules, PathPattern, compose,
};
use kube::{Client, ResourceExt as _};

use super::{
    GENERATOR_LABEL,
    external::Externals,
    sources::{self, ORIGIN_REVISION, Observed, Sources},
    validate,
};
use crate::{
    runtime::{Attempt, Cache, Caches, Done, Fault, Notice, Queue, Reconcile, Turn, Waiting},
    source::Storage,
};

/// What the reconciler knows of the flags.
#[derive(Clone, Debug)]
pub struct GeneratorOptions {
    /// Whether sources of other namespaces are refused.
    pub no_cross_namespace_refs: bool,
    /// How long a turn may take.
    pub timeout: Duration,
    /// Whether sources are read from the API server in every turn, not from what a watch tells.
    pub direct_source_fetch: bool,
}

/// Makes ExternalArtifacts of the artifacts of other sources.
pub struct ArtifactGeneratorReconciler {
    storage: Storage,
    fetcher: ArtifactFetcher,
    sources: Sources,
    externals: Externals,
    options: GeneratorOptions,
}

impl std::fmt::Debug for ArtifactGeneratorReconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArtifactGeneratorReconciler")
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

/// An artifact to make.
struct Request {
    output: OutputArtifact,
    labels: BTreeMap<String, String>,
}

impl ArtifactGeneratorReconciler {
    /// A reconciler that reads sources from caches and writes with a client.
    pub fn new(
        client: Client,
        storage: Storage,
        fetcher: ArtifactFetcher,
        caches: &Caches,
        options: GeneratorOptions,
    ) -> Self {
        let direct = options.direct_source_fetch.then(|| client.clone());
        let sources = Sources::new(caches, direct);
        Self { storage, fetcher, sources, externals: Externals::new(client), options }
    }

    /// Queues generators when their sources change.
    pub(crate) fn follow(&self) -> impl FnOnce(&Arc<Cache>, &Arc<Queue>) + use<> {
        let sources = self.sources.clone();
        move |generators, queue| sources.follow(generators, queue)
    }

    /// Whether anything differs from what the last good turn left.
    async fn has_drifted(
        &self,
        object: &ArtifactGenerator,
        status: &ArtifactGeneratorStatus,
        digest: &str,
    ) -> bool {
        let ready = status.conditions.iter().find(|known| known.type_ == condition_type::READY);
        let is_good = ready.is_some_and(|ready| {
            ready.status == ConditionStatus::True
                && ready.observed_generation == object.metadata.generation
        });
        let fixed = validate::pattern(object).is_none();
        if !is_good
            || status.observed_sources_digest.as_deref() != Some(digest)
            || (fixed && status.inventory.len() != object.spec.artifacts.len())
        {
            return true;
        }
        for made in &status.inventory {
            let key = ArtifactKey::new("ExternalArtifact", &made.namespace, &made.name);
            let Ok(wanted) = made.digest.parse() else { return true };
            let artifact = gitops_core::Artifact {
                key: key.clone(),
                file: made.filename.clone(),
                revision: Revision::named("latest"),
                digest: wanted,
                size: 0,
                stored_at: jiff::Timestamp::UNIX_EPOCH,
            };
            match self.storage.store.verify(&artifact).await {
                Ok(true) => {}
                Ok(false) => return true,
                Err(error) => {
                    tracing::warn!("artifact integrity verification failed: {error}");
                    // A broken file must not be served while it is made anew.
                    if let Err(error) = self.storage.store.remove(&key, &made.filename).await {
                        tracing::warn!("corrupted artifact not removed: {error}");
                    }
                    return true;
                }
            }
        }
        self.objects_differ(object, status)
    }

    /// Whether the ExternalArtifacts of a generator are others than those that it made.
    fn objects_differ(&self, object: &ArtifactGenerator, status: &ArtifactGeneratorStatus) -> bool {
        let (namespace, uid) = (object.namespace(), object.uid());
        let all = self.sources.external().all();
        let own: Vec<_> = all
            .iter()
            .filter(|artifact| {
                let labels = artifact.metadata.labels.as_ref();
                artifact.metadata.namespace == namespace
                    && labels.and_then(|labels| labels.get(GENERATOR_LABEL)) == uid.as_ref()
            })
            .collect();
        own.len() != status.inventory.len()
            || own.iter().any(|artifact| {
                let digest = artifact.data["status"]["artifact"]["digest"].as_str();
                !status.inventory.iter().any(|made| {
                    artifact.metadata.name.as_deref() == Some(&made.name)
                        && digest == Some(&made.digest)
                })
            })
    }

    /// Makes one artifact and tells of it.
    async fn make(
        &self,
        object: &ArtifactGenerator,
        request: &Request,
        trees: &BTreeMap<String, Arc<MemoryTree>>,
        observed: &Observed,
        attempt: &mut Attempt<ArtifactGenerator>,
    ) -> Result<GeneratedArtifact, Failure> {
        let name = &request.output.name;
        let namespace = object.namespace().unwrap_or_default();
        let failed = |stage, word, what: &str, error: &(dyn std::error::Error + 'static)| {
            let message = format!("{name} {what} failed: {}", gitops_core::one_line(error));
            Failure::new(stage, Fault::new(Class::Transient, message).reason(word))
        };
        let scope = attempt.scope.clone();
        let work = {
            let (rules, trees) = (rules(&request.output), trees.clone());
            let (name, scope) = (name.clone(), scope.clone());
            move || compose(&rules, &trees, &name, &scope)
        };
        let composed = tokio::task::spawn_blocking(work).await;
        let composed = composed.map_err(|_| Failure::new(Stage::Build, gitops_core::Cancelled))?;
        let composed = composed
            .map_err(|error| failed(Stage::Build, reason::BUILD_FAILED, "build", &error))?;
        let key = ArtifactKey::new("ExternalArtifact", &namespace, name);
        // What is left out of every artifact that names nothing else.
        let none = MemoryTree::new();
        let rules = IgnoreRules::load(&none, None)
            .map_err(|error| failed(Stage::Build, reason::BUILD_FAILED, "build", &error))?;
        let content = Content::Tree {
            tree: Arc::new(composed.tree),
            rules,
            name: Some(format!("{}.tar.gz", composed.hash)),
        };
        let revision = Revision::named("latest");
        let stored = self.storage.store.put(&key, &revision, content, &scope).await;
        let stored =
            stored.map_err(|error| failed(Stage::Store, reason::BUILD_FAILED, "build", &error))?;
        let mut recorded = self.storage.record(&stored);
        recorded.revision = format!("latest@{}", recorded.digest);
        set_revisions(&mut recorded, &request.output, observed);
        let now = attempt.now();
        let applied = self.externals.apply(object, name, &request.labels, &recorded, now).await;
        applied.map_err(|error| {
            failed(Stage::Apply, reason::RECONCILIATION_FAILED, "reconcile", &error)
        })?;
        let made = GeneratedArtifact {
            digest: recorded.digest,
            filename: stored.file.clone(),
            name: name.clone(),
            namespace: namespace.clone(),
        };
        if !is_known(&attempt.status.inventory, &made) {
            let message = format!(
                "ExternalArtifact/{namespace}/{name} reconciled with revision {}",
                recorded.revision
            );
            attempt.tell(Notice::trace(condition_type::READY, message));
        }
        let now = attempt.now();
        if let Err(error) = self.storage.store.collect(&stored, self.storage.retention, now).await {
            tracing::warn!("garbage collection failed: {error}");
        }
        Ok(made)
    }

    /// Removes an artifact from the store and the cluster.
    async fn remove(&self, made: &GeneratedArtifact) -> Result<(), Failure> {
        let key = ArtifactKey::new("ExternalArtifact", &made.namespace, &made.name);
        let fail = |error: &(dyn std::error::Error + 'static)| {
            let message =
                format!("failed to delete {}: {}", key.directory(), gitops_core::one_line(error));
            Failure::new(Stage::Finalize, Fault::new(Class::Transient, message))
        };
        self.storage.store.remove_all(&key).await.map_err(|error| fail(&error))?;
        let deleted = self.externals.delete(&made.namespace, &made.name).await;
        deleted.map_err(|error| fail(&error))
    }
}

/// What is said of a new generator, and of one whose artifacts are being made.
const IN_PROGRESS: &str = "Reconciliation in progress";

impl Reconcile for ArtifactGeneratorReconciler {
    type Kind = ArtifactGenerator;

    async fn reconcile(
        &self,
        object: &ArtifactGenerator,
        attempt: &mut Attempt<ArtifactGenerator>,
    ) -> Turn {
        if attempt.is_first {
            attempt.progress(Stage::Resolve, IN_PROGRESS);
        }
        let timeout = self.options.timeout;
        match tokio::time::timeout(timeout, self.turn(object, attempt)).await {
            Ok(turn) => turn,
            Err(_) => {
                let fault = Fault::new(Class::Transient, "context deadline exceeded");
                Err(Failure::new(Stage::Build, fault).into())
            }
        }
    }

    async fn finalize(
        &self,
        _: &ArtifactGenerator,
        attempt: &mut Attempt<ArtifactGenerator>,
    ) -> Turn {
        for made in &attempt.status.inventory {
            self.remove(made).await?;
        }
        Ok(Done::default())
    }
}

impl ArtifactGeneratorReconciler {
    async fn turn(
        &self,
        object: &ArtifactGenerator,
        attempt: &mut Attempt<ArtifactGenerator>,
    ) -> Turn {
        let namespace = object.namespace().unwrap_or_default();
        validate::validate(object, &namespace, self.options.no_cross_namespace_refs)?;
        self.sources.synced().await;
        let missing = |attempt: &mut Attempt<ArtifactGenerator>, message: String| {
            attempt.tell(Notice::error(reason::SOURCE_FETCH_FAILED, &message));
            Waiting::new(reason::SOURCE_FETCH_FAILED, message)
        };
        let observed = match self.sources.observe(object, &namespace).await {
            Ok(observed) => observed,
            Err(why) => return Err(missing(attempt, format!("get sources failed: {why}")).into()),
        };
        let digest = sources::digest(&observed);
        let succeeded =
            |count: usize| format!("reconciliation succeeded, generated {count} artifact(s)");
        if !self.has_drifted(object, &attempt.status, &digest).await {
            let count = attempt.status.inventory.len();
            let message = format!("No drift detected, {count} artifact(s) up to date");
            return Ok(Done::new(succeeded(count))
                .with_event(Notice::trace(condition_type::READY, message)));
        }
        attempt.progress(Stage::Fetch, IN_PROGRESS);
        let scope = attempt.scope.clone();
        let trees = match sources::fetch(&self.fetcher, &observed, &scope).await {
            Ok(trees) => trees,
            Err(why) => {
                scope.check().map_err(|error| Failure::new(Stage::Fetch, error))?;
                return Err(missing(attempt, format!("fetch sources failed: {why}")).into());
            }
        };
        let requests = requests(object, &trees)?;
        let mut made = Vec::with_capacity(requests.len());
        for request in &requests {
            made.push(self.make(object, request, &trees, &observed, attempt).await?);
        }
        for orphan in &attempt.status.inventory {
            let wanted =
                made.iter().any(|own| own.name == orphan.name && own.namespace == orphan.namespace);
            if !wanted {
                self.remove(orphan).await?;
            }
        }
        let changed: Vec<String> = made
            .iter()
            .filter(|own| !is_known(&attempt.status.inventory, own))
            .map(|own| format!("{}/{} ({})", own.namespace, own.name, own.digest))
            .collect();
        let message = succeeded(made.len());
        attempt.status.inventory = made;
        attempt.status.observed_sources_digest = Some(digest);
        let mut done =
            Done::new(&message).with_event(Notice::trace(condition_type::READY, message.clone()));
        if !changed.is_empty() {
            let message = format!("external artifacts reconciled: {}", changed.join("\n"));
            done.events.push(Notice::info(condition_type::READY, message));
        }
        Ok(done)
    }
}

fn is_known(inventory: &[GeneratedArtifact], made: &GeneratedArtifact) -> bool {
    inventory.iter().any(|known| {
        known.name == made.name && known.namespace == made.namespace && known.digest == made.digest
    })
}

fn rules(output: &OutputArtifact) -> Vec<CopyRule> {
    let rule = |copy: &gitops_api::source::CopyOperation| CopyRule {
        from: copy.from.clone(),
        to: copy.to.clone(),
        exclude: copy.exclude.clone(),
        strategy: match copy.strategy.unwrap_or_default() {
            Wanted::Overwrite => CopyStrategy::Overwrite,
            Wanted::Merge => CopyStrategy::Merge,
            Wanted::Extract => CopyStrategy::Extract,
        },
    };
    output.copy.iter().map(rule).collect()
}

fn set_revisions(artifact: &mut Recorded, output: &OutputArtifact, observed: &Observed) {
    let source = |reference: &Option<String>| {
        let alias = reference.as_deref()?.trim_start_matches('@');
        observed.get(alias)
    };
    if let Some(source) = source(&output.revision) {
        artifact.revision.clone_from(&source.revision);
    }
    if let Some(source) = source(&output.origin_revision) {
        let origin = source.metadata.get(ORIGIN_REVISION).unwrap_or(&source.revision);
        artifact.metadata.insert(ORIGIN_REVISION.to_owned(), origin.clone());
    }
}

/// The artifacts to make: those of the spec, or one of each for every directory that fits.
fn requests(
    object: &ArtifactGenerator,
    trees: &BTreeMap<String, Arc<MemoryTree>>,
) -> Result<Vec<Request>, Failure> {
    let outputs = &object.spec.artifacts;
    let Some(text) = validate::pattern(object) else {
        let plain =
            |output: &OutputArtifact| Request { output: output.clone(), labels: BTreeMap::new() };
        return Ok(outputs.iter().map(plain).collect());
    };
    let invalid = |why: String| {
        let message = format!("failed to expand path pattern: {why}");
        let fault = Fault::new(Class::Invalid, message).reason(reason::BUILD_FAILED);
        Failure::new(Stage::Validate, fault)
    };
    let shown = gitops_core::quoted(text);
    let pattern = PathPattern::parse(text).map_err(|error| invalid(error.to_string()))?;
    let tree = trees.get(pattern.source()).ok_or_else(|| {
        let alias = pattern.source();
        invalid(format!("pathPattern {shown}: source alias {alias} not found in local sources"))
    })?;
    let expansions = pattern.expand(tree).map_err(|error| invalid(error.to_string()))?;
    let mut requests: Vec<Request> = Vec::new();
    let mut directories: BTreeMap<String, String> = BTreeMap::new();
    for expansion in &expansions {
        for output in outputs {
            let directory = &expansion.directory;
            let output = rendered(output, expansion).map_err(|why| {
                let name = &output.name;
                invalid(format!(
                    "pathPattern {shown}: failed to render artifact {name} for match \
                     {directory}: {why}"
                ))
            })?;
            let name = gitops_core::quoted(&output.name);
            if !validate::is_object_name(&output.name) {
                return Err(invalid(format!(
                    "pathPattern {shown}: rendered artifact name {name} is not a valid Kubernetes \
                     object name"
                )));
            }
            if let Some(other) = directories.insert(output.name.clone(), directory.clone()) {
                return Err(invalid(format!(
                    "pathPattern {shown}: directories {} and {} both resolve to artifact name \
                     {name}",
                    gitops_core::quoted(&other),
                    gitops_core::quoted(directory)
                )));
            }
            requests.push(Request { output, labels: expansion.labels.clone() });
        }
    }
    Ok(requests)
}

fn rendered(output: &OutputArtifact, expansion: &Expansion) -> Result<OutputArtifact, String> {
    let mut output = output.clone();
    output.name = expansion.render_name(&output.name)?;
    for copy in &mut output.copy {
        copy.from = expansion.render(&copy.from)?;
        copy.to = expansion.render(&copy.to)?;
    }
    Ok(output)
}
