//! One turn: from the source to healthy objects.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use gitops_api::{
    kustomize::{Kustomization, KustomizationStatus},
    meta::{self, annotation, reason},
};
use gitops_apply::{
    Action, Applier, ChangeSet, Cluster, HealthChecks, Inventory, Journal, Record, WaitError,
    WaitOptions, jobs_with_ttl,
};
use gitops_core::{Class, Classify as _, Clock, ObjectId, Scope, Stage, Tree, one_line};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{
    Options, connect,
    dependencies::{self, DependencyError},
    history::Applied,
    problem::{Problem, Retry, Tell},
    seams::{Artifacts, Build, Built, FetchError, Listener, Revisions},
    source::{self, Resolved},
    spec,
    variables::{self, VariablesError},
};

/// What turns work with.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) cluster: Cluster,
    /// Of the own cluster; objects in other clusters are always checked.
    pub(crate) record: Record,
    pub(crate) artifacts: Arc<dyn Artifacts>,
    pub(crate) build: Arc<dyn Build>,
    pub(crate) options: Arc<Options>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What becomes of the Healthy condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Healthy {
    /// It stays as it is.
    #[default]
    Kept,
    /// There is nothing to check.
    Removed,
    /// The checks passed.
    Passed(String),
    /// The checks failed.
    Failed(String),
}

/// What a turn brings about, beside its end.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The status to be written.
    pub(crate) status: KustomizationStatus,
    /// The Healthy condition.
    pub(crate) healthy: Healthy,
    /// The revisions of the turn.
    pub(crate) revisions: Revisions,
    /// Whether health checks began.
    pub(crate) checks_began: bool,
}

impl Draft {
    pub(crate) fn new(object: &Kustomization) -> Self {
        Self {
            status: object.status.clone().unwrap_or_default(),
            healthy: Healthy::default(),
            revisions: Revisions::default(),
            checks_began: false,
        }
    }
}

/// One turn of one Kustomization.
struct Turn<'a> {
    pipeline: &'a Pipeline,
    object: &'a Kustomization,
    listener: &'a dyn Listener,
    scope: &'a Scope,
    began_at: Timestamp,
    timeout: Duration,
}

impl Pipeline {
    /// Brings the cluster to what the Kustomization wants.
    ///
    /// # Errors
    /// A [`Problem`]; `draft` then holds what is to be written nevertheless.
    pub(crate) async fn reconcile(
        &self,
        object: &Kustomization,
        draft: &mut Draft,
        listener: &dyn Listener,
        scope: &Scope,
    ) -> Result<(), Problem> {
        let checks = spec::health_checks(object).map_err(|error| {
            let problem = Problem::invalid_expression(Stage::Validate, &error);
            Problem {
                has_revision: false,
                ..problem
            }
        })?;
        self.check_gates(object)?;
        let resolved = source::resolve(&self.cluster, object, &self.options).await?;
        draft.revisions = Revisions {
            revision: resolved.artifact.revision.clone(),
            origin: resolved.origin_revision.clone(),
        };
        self.check_dependencies(object, &resolved).await?;
        let turn = Turn {
            pipeline: self,
            object,
            listener,
            scope,
            began_at: self.clock.now(),
            timeout: spec::timeout(object),
        };
        turn.run(&resolved, checks, draft).await
    }

    fn check_gates(&self, object: &Kustomization) -> Result<(), Problem> {
        let names_account = object
            .spec
            .decryption
            .as_ref()
            .and_then(|decryption| decryption.service_account_name.as_deref())
            .is_some_and(|name| !name.is_empty());
        if !names_account || self.options.object_level_workload_identity {
            return Ok(());
        }
        let message = "to use spec.decryption.serviceAccountName for decryption authentication \
                       please enable the ObjectLevelWorkloadIdentity feature gate in the controller";
        let reason = reason::FEATURE_GATE_DISABLED;
        let problem = Problem::text(Stage::Validate, reason, Class::Unsupported, message.into());
        Err(Problem {
            retry: Retry::Never,
            has_revision: false,
            ..problem
        })
    }

    async fn check_dependencies(
        &self,
        object: &Kustomization,
        resolved: &Resolved,
    ) -> Result<(), Problem> {
        for reference in &object.spec.depends_on {
            let key = dependencies::key_of(reference, spec::namespace(object));
            let judged = self
                .check_dependency(object, reference, &key, resolved)
                .await;
            let error = match judged {
                Ok(()) => continue,
                Err(error) => error,
            };
            if matches!(error, DependencyError::Malformed { .. }) {
                return Err(Problem::invalid_expression(Stage::Dependencies, &error));
            }
            if matches!(error, DependencyError::Denied(_)) {
                return Err(Problem::denied(one_line(&error)));
            }
            let pause = meta::Duration::from(self.options.dependency_interval);
            let event = format!("Dependencies do not meet ready condition, retrying in {pause}");
            let reason = reason::DEPENDENCY_NOT_READY;
            return Err(Problem {
                event: Some(event),
                tell: Tell::Info,
                retry: Retry::Dependency,
                ..Problem::failed(Stage::Dependencies, reason, &error)
            });
        }
        Ok(())
    }

    async fn check_dependency(
        &self,
        object: &Kustomization,
        reference: &meta::Dependency,
        key: &dependencies::Key,
        resolved: &Resolved,
    ) -> Result<(), DependencyError> {
        let shown = format!("{}/{}", key.0, key.1);
        if self.options.no_cross_namespace_refs && key.0 != spec::namespace(object) {
            return Err(DependencyError::Denied(shown));
        }
        let found = self.cluster.get(&kustomization_id(key)).await;
        let missing = |error| DependencyError::NotFound(shown.clone(), error);
        let dependency = found.map_err(missing)?.ok_or_else(|| {
            let plural = "kustomizations.kustomize.toolkit.fluxcd.io";
            missing(gitops_apply::ApiError::not_found(plural, &key.1))
        })?;
        let is_additive = self.options.additive_cel_dependency_check;
        let revision = &resolved.artifact.revision;
        let judged =
            dependencies::check(object, reference, &dependency, revision, is_additive).await;
        if matches!(judged, Err(DependencyError::NotReady(_)))
            && let Some(path) = self.find_cycle(object, key, &dependency).await
        {
            return Err(DependencyError::Cycle(path));
        }
        judged
    }

    /// Looks whether a dependency that is not ready waits for us.
    async fn find_cycle(
        &self,
        object: &Kustomization,
        key: &dependencies::Key,
        dependency: &serde_json::Value,
    ) -> Option<String> {
        /// Every step costs a request.
        const STEP_LIMIT: usize = 20;

        let own = (
            spec::namespace(object).to_owned(),
            spec::name(object).to_owned(),
        );
        let edges = |value: &serde_json::Value, namespace: &str| -> Vec<dependencies::Key> {
            serde_json::from_value::<Kustomization>(value.clone())
                .map(|object| {
                    let references = object.spec.depends_on.iter();
                    references
                        .map(|r| dependencies::key_of(r, namespace))
                        .collect()
                })
                .unwrap_or_default()
        };
        let mut known = BTreeMap::from([
            (own.clone(), vec![key.clone()]),
            (key.clone(), edges(dependency, &key.0)),
        ]);
        for _ in 0..STEP_LIMIT {
            if let Some(path) =
                dependencies::cycle(&own, |key| known.get(key).cloned().unwrap_or_default())
            {
                return Some(path);
            }
            let next = known
                .values()
                .flatten()
                .find(|key| !known.contains_key(*key))
                .cloned()?;
            let found = self
                .cluster
                .get(&kustomization_id(&next))
                .await
                .ok()
                .flatten();
            let found = found
                .map(|value| edges(&value, &next.0))
                .unwrap_or_default();
            known.insert(next, found);
        }
        None
    }
}

fn kustomization_id(key: &dependencies::Key) -> ObjectId {
    let api_version = format!("{}/v1", annotation::KUSTOMIZE_GROUP);
    ObjectId::new(&api_version, "Kustomization", &key.0, &key.1)
}

impl Turn<'_> {
    async fn run(
        &self,
        resolved: &Resolved,
        checks: HealthChecks,
        draft: &mut Draft,
    ) -> Result<(), Problem> {
        let revision = &resolved.artifact.revision;
        self.progress("Fetching manifests", revision);
        let tree = self.fetch(resolved).await?;
        let found = self.pipeline.build.find(self.object, &*tree);
        found.map_err(|message| self.problem(Stage::Fetch, Class::Invalid, message))?;

        draft.status.last_attempted_revision = Some(revision.clone());
        self.progress("Building manifests", revision);
        let cluster = connect::cluster(&self.pipeline.cluster, self.object, &self.pipeline.options);
        let applier = self.applier(cluster.await?);
        let Built {
            digest,
            mut objects,
        } = self.build(tree).await?;
        let applied = Applied {
            digest,
            revision: revision.clone(),
            origin_revision: resolved.origin_revision.clone(),
            began_at: self.began_at,
        };

        self.progress("Detecting drift", revision);
        spec::prepare(self.object, &mut objects);
        let jobs = jobs_with_ttl(&objects);
        let result = self.apply_and_prune(&applier, objects, draft).await;
        let changes = self.noted(result, &applied, draft)?;

        let is_new = self.status().last_applied_revision.as_deref() != Some(revision);
        let mut wait = WaitOptions::new(self.timeout);
        wait.fail_fast = self.pipeline.options.fail_fast;
        wait.jobs_with_ttl = jobs;
        wait.checks = checks;
        wait.owner = Some(spec::owner(self.object));
        wait.full_check = self.wants_full_check();
        let result = self
            .check_health(&applier, &changes, is_new, wait, draft)
            .await;
        self.noted(result, &applied, draft)?;

        draft.status.last_applied_revision = Some(revision.clone());
        draft
            .status
            .last_applied_origin_revision
            .clone_from(&resolved.origin_revision);
        let now = self.pipeline.clock.now();
        applied.note(
            &mut draft.status.history,
            reason::RECONCILIATION_SUCCEEDED,
            now,
        );
        Ok(())
    }

    /// Notes a failure in the history; a turn that newer input ended does not count.
    fn noted<T>(
        &self,
        result: Result<T, Problem>,
        applied: &Applied,
        draft: &mut Draft,
    ) -> Result<T, Problem> {
        if let Err(problem) = &result
            && problem.class != Class::Cancelled
        {
            applied.note(
                &mut draft.status.history,
                problem.reason,
                self.pipeline.clock.now(),
            );
        }
        result
    }

    async fn fetch(&self, resolved: &Resolved) -> Result<Arc<dyn Tree>, Problem> {
        let fetched = self
            .pipeline
            .artifacts
            .fetch(&resolved.artifact, self.scope)
            .await;
        fetched.map_err(|error| match error {
            FetchError::NotFound => {
                let pause = meta::Duration::from(self.pipeline.options.dependency_interval);
                let message =
                    format!("Source is not ready, artifact not found, retrying in {pause}");
                let problem = Problem::no_artifact(message, Retry::Dependency);
                Problem {
                    stage: Stage::Fetch,
                    ..problem
                }
            }
            FetchError::Other(message) => self.problem(Stage::Fetch, Class::Transient, message),
        })
    }

    fn applier(&self, cluster: Cluster) -> Applier {
        let is_own = self.object.spec.kube_config.is_none();
        let applier = Applier::new(cluster);
        if is_own {
            applier.with_record(self.pipeline.record.clone())
        } else {
            applier
        }
    }

    async fn build(&self, tree: Arc<dyn Tree>) -> Result<Built, Problem> {
        let failed = |class, message| self.problem(Stage::Build, class, message);
        let variables = variables::load(&self.pipeline.cluster, self.object).await;
        let variables =
            variables.map_err(|error: VariablesError| (error.class(), one_line(&error)));
        let class = variables
            .as_ref()
            .err()
            .map_or(Class::Invalid, |(class, _)| *class);
        let build = Arc::clone(&self.pipeline.build);
        let (object, scope) = (self.object.clone(), self.scope.clone());
        let work = tokio::task::spawn_blocking(move || {
            let variables = variables.as_ref().map_err(|(_, message)| message.as_str());
            build.build(&object, &*tree, variables, &scope)
        });
        match work.await {
            Ok(built) => built.map_err(|message| failed(class, message)),
            Err(_) => {
                let message = "recovered from kustomize build panic: the build crashed".to_owned();
                Err(failed(Class::Internal, message))
            }
        }
    }

    async fn apply_and_prune(
        &self,
        applier: &Applier,
        objects: Vec<serde_json::Value>,
        draft: &mut Draft,
    ) -> Result<ChangeSet, Problem> {
        if let Some(secret) = objects
            .iter()
            .find(|object| variables::is_encrypted_secret(object))
        {
            let id = gitops_apply::object_id(secret).unwrap_or_default();
            let message = format!(
                "{id} is SOPS encrypted, configuring decryption is required for this secret to be \
                 reconciled"
            );
            return Err(self.problem(Stage::Apply, Class::Invalid, message));
        }
        let mut options = spec::apply_options(self.object, &self.pipeline.options);
        options.full_check = self.wants_full_check();
        let old = inventory(&draft.status);
        let journal = StatusJournal {
            listener: self.listener,
            state: Mutex::new((old.clone(), draft.status.clone())),
        };
        let applied = applier.apply(objects, &options, &journal, self.scope).await;
        let (journaled, _) = journal.state.into_inner();
        let changes = match applied {
            Ok(changes) => changes,
            Err(failure) => {
                set_inventory(&mut draft.status, &journaled);
                let reason = reason::RECONCILIATION_FAILED;
                return Err(Problem::failed(Stage::Apply, reason, &*failure));
            }
        };
        let log = changes.change_log();
        if !log.is_empty() {
            self.listener
                .event(reason::PROGRESSING, false, log, &draft.revisions);
        }
        let new = Inventory::of(&changes);
        let stale = old.missing_in(&new);
        set_inventory(&mut draft.status, &journaled);
        self.prune(applier, &stale, &new, draft).await?;
        Ok(changes)
    }

    async fn prune(
        &self,
        applier: &Applier,
        stale: &[ObjectId],
        new: &Inventory,
        draft: &mut Draft,
    ) -> Result<(), Problem> {
        if !self.object.spec.prune || stale.is_empty() {
            set_inventory(&mut draft.status, new);
            return Ok(());
        }
        let is_same_spec = self.status().observed_generation == self.object.metadata.generation;
        let limit = self.pipeline.options.hold_empty_prune_from;
        if new.is_empty() && is_same_spec && limit.is_some_and(|limit| stale.len() >= limit) {
            let message = format!(
                "the source has no objects any more: the deletion of all {} objects is held until \
                 the source has objects again or the spec changes",
                stale.len()
            );
            let reason = reason::PRUNE_FAILED;
            return Err(Problem::text(Stage::Prune, reason, Class::Invalid, message));
        }
        let owner = spec::owner(self.object);
        let deletion = applier.delete(stale, &owner, self.scope).await;
        let kept = new.union(deletion.survivors().cloned());
        set_inventory(&mut draft.status, &kept);
        if let Some(error) = deletion.error {
            return Err(Problem::failed(Stage::Prune, reason::PRUNE_FAILED, &error));
        }
        let log = deletion.changes.to_string();
        self.listener
            .event(reason::PROGRESSING, false, log, &draft.revisions);
        Ok(())
    }

    async fn check_health(
        &self,
        applier: &Applier,
        changes: &ChangeSet,
        is_new: bool,
        wait: WaitOptions,
        draft: &mut Draft,
    ) -> Result<(), Problem> {
        let objects: Vec<ObjectId> = if self.object.spec.wait {
            let applied = changes
                .entries
                .iter()
                .filter(|change| change.action != Action::Skipped);
            applied.map(|change| change.object.clone()).collect()
        } else {
            spec::checked_objects(self.object)
        };
        if objects.is_empty() {
            draft.healthy = Healthy::Removed;
            return Ok(());
        }
        let is_own = |object: &ObjectId| {
            object.kind == "Kustomization"
                && object.name == spec::name(self.object)
                && object.namespace == spec::namespace(self.object)
        };
        let objects: Vec<ObjectId> = objects.into_iter().filter(|o| !is_own(o)).collect();
        let was_healthy = self.status().conditions.iter().any(|condition| {
            condition.type_ == meta::condition_type::HEALTHY
                && condition.status == meta::ConditionStatus::True
        });
        self.progress("Running health checks", &draft.revisions.revision);
        draft.checks_began = true;
        let began = tokio::time::Instant::now();
        let waited = applier.wait(&objects, &wait, self.scope).await;
        let took = meta::Duration::from(began.elapsed());
        match waited {
            Ok(()) => {
                let message = format!("Health check passed in {took}");
                if !was_healthy || (is_new && changes.changed().next().is_some()) {
                    let reason = reason::PROGRESSING;
                    self.listener
                        .event(reason, false, message.clone(), &draft.revisions);
                }
                draft.healthy = Healthy::Passed(message);
                Ok(())
            }
            Err(WaitError::Cancelled) => Err(Problem::superseded(&source::id(self.object))),
            Err(error) => {
                draft.healthy = Healthy::Failed(error.to_string());
                let message = format!("health check failed after {took}: {error}");
                let reason = reason::HEALTH_CHECK_FAILED;
                Err(Problem::text(Stage::Health, reason, error.class(), message))
            }
        }
    }

    /// Whether every object is checked with the API server: somebody asked, the spec changed, or
    /// the last turn failed.
    fn wants_full_check(&self) -> bool {
        let requested = self
            .object
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(annotation::RECONCILE_REQUESTED_AT));
        requested != self.status().last_handled_reconcile_at.as_ref()
            || !dependencies::is_ready(self.object)
    }

    fn status(&self) -> &KustomizationStatus {
        static NONE: std::sync::OnceLock<KustomizationStatus> = std::sync::OnceLock::new();
        self.object
            .status
            .as_ref()
            .unwrap_or_else(|| NONE.get_or_init(Default::default))
    }

    fn progress(&self, what: &str, revision: &str) {
        let timeout = meta::Duration::from(self.timeout);
        let message = format!("{what} for revision {revision} with a timeout of {timeout}");
        self.listener.progress(message);
    }

    fn problem(&self, stage: Stage, class: Class, message: String) -> Problem {
        let reason = match stage {
            Stage::Fetch => reason::ARTIFACT_FAILED,
            Stage::Build => reason::BUILD_FAILED,
            _ => reason::RECONCILIATION_FAILED,
        };
        Problem::text(stage, reason, class, message)
    }
}

/// Writes what is about to be created into the stored inventory.
#[derive(Debug)]
struct StatusJournal<'a> {
    listener: &'a dyn Listener,
    /// The inventory as it is stored, and the status it is part of.
    state: Mutex<(Inventory, KustomizationStatus)>,
}

#[async_trait]
impl Journal for StatusJournal<'_> {
    async fn about_to_apply(&self, objects: &[ObjectId]) -> Result<(), String> {
        let (inventory, status) = {
            let (inventory, status) = &*self.state.lock();
            if objects.iter().all(|object| inventory.contains(object)) {
                return Ok(());
            }
            let union = inventory.union(objects.iter().cloned());
            let mut status = status.clone();
            set_inventory(&mut status, &union);
            (union, status)
        };
        self.listener.checkpoint(&status).await?;
        *self.state.lock() = (inventory, status);
        Ok(())
    }
}

/// The inventory of a status. Entries that are no inventory ids own nothing.
pub(crate) fn inventory(status: &KustomizationStatus) -> Inventory {
    let entries = status
        .inventory
        .iter()
        .flat_map(|inventory| &inventory.entries);
    let (inventory, malformed) =
        Inventory::parse(entries.map(|entry| (entry.id.as_str(), entry.version.as_str())));
    if !malformed.is_empty() {
        tracing::warn!(
            count = malformed.len(),
            "malformed inventory entries are not ours"
        );
    }
    inventory
}

fn set_inventory(status: &mut KustomizationStatus, inventory: &Inventory) {
    let entries = inventory
        .entries()
        .map(|(id, version)| meta::InventoryEntry {
            id,
            version: version.to_owned(),
        });
    status.inventory = Some(meta::Inventory {
        entries: entries.collect(),
    });
}
