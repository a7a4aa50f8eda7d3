//! The rest of a turn: from the artifact to healthy objects.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use gitops_api::{
    kustomize::{Kustomization, KustomizationStatus},
    meta::{self, ConditionStatus, annotation, condition_type::HEALTHY, reason},
};
use gitops_apply::{
    Action, Applier, ChangeSet, Cluster, HealthChecks, Inventory, Journal, WaitError, WaitOptions,
    jobs_with_ttl,
};
use gitops_core::{Class, Classify as _, ObjectId, Scope, Stage, Tree, one_line};
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    history::Applied,
    inputs::{
        connect, dependencies,
        source::{self, Resolved},
        spec, variables,
    },
    pipeline::{Pipeline, kustomization_id},
    problem::{Problem, Retry},
    seams::{Built, FetchError, Unbuilt},
};
use crate::runtime::{Attempt, Happening, Notice, Place, Stop};

/// One turn of one Kustomization.
pub(crate) struct Turn<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) object: &'a Kustomization,
    pub(crate) timeout: Duration,
}

impl Turn<'_> {
    pub(crate) async fn run(
        &self,
        resolved: &Resolved,
        checks: HealthChecks,
        attempt: &mut Attempt<Kustomization>,
    ) -> Result<(), Stop> {
        let revision = &resolved.artifact.revision;
        self.progress(attempt, Stage::Fetch, "Fetching manifests", revision);
        let tree = self.fetch(resolved, &attempt.scope).await?;
        self.find(&*tree)?;

        attempt.status.last_attempted_revision = Some(revision.clone());
        self.progress(attempt, Stage::Build, "Building manifests", revision);
        let Pipeline { cluster, options, .. } = self.pipeline;
        let applier = self.applier(connect::cluster(cluster, self.object, options).await?);
        let Built { digest, mut objects, places, warnings } =
            self.build(tree, &attempt.scope).await?;
        self.tell_of_build(&digest, places, warnings, attempt);
        let entry = Applied {
            digest,
            revision: revision.clone(),
            origin_revision: resolved.origin_revision.clone(),
            began_at: attempt.started,
        };

        self.progress(attempt, Stage::Apply, "Detecting drift", revision);
        spec::prepare(self.object, &mut objects);
        let mut wait = WaitOptions::new(self.timeout);
        wait.fail_fast = options.fail_fast;
        wait.jobs_with_ttl = jobs_with_ttl(&objects);
        wait.checks = checks;
        wait.owner = Some(spec::owner(self.object));
        wait.full_check = self.wants_full_check();
        let result = self.apply_and_prune(&applier, objects, attempt).await;
        let changes = noted(result, &entry, attempt)?;

        let result = self.check_health(&applier, &changes, revision, &wait, attempt).await;
        if let Some(by) = noted(result, &entry, attempt)? {
            return Err(Stop::Superseded { by });
        }
        attempt.status.last_applied_revision = Some(revision.clone());
        attempt.status.last_applied_origin_revision.clone_from(&resolved.origin_revision);
        let now = attempt.now();
        entry.note(&mut attempt.status.history, reason::RECONCILIATION_SUCCEEDED, now);
        Ok(())
    }

    async fn fetch(&self, resolved: &Resolved, scope: &Scope) -> Result<Arc<dyn Tree>, Problem> {
        let fetched = self.pipeline.artifacts.fetch(&resolved.artifact, scope).await;
        fetched.map_err(|error| match error {
            FetchError::NotFound => {
                let pause = meta::Duration::from(self.pipeline.options.dependency_interval);
                let message =
                    format!("Source is not ready, artifact not found, retrying in {pause}");
                Problem::no_artifact(message, Retry::Dependency)
            }
            FetchError::Other(class, message) => {
                Problem::text(Stage::Fetch, reason::ARTIFACT_FAILED, class, message)
            }
        })
    }

    fn find(&self, tree: &dyn Tree) -> Result<(), Problem> {
        let found = self.pipeline.build.find(self.object, tree);
        found.map_err(|message| {
            Problem::text(Stage::Fetch, reason::ARTIFACT_FAILED, Class::Invalid, message)
        })
    }

    fn applier(&self, cluster: Cluster) -> Applier {
        let is_own = self.object.spec.kube_config.is_none();
        let applier = Applier::new(cluster);
        if is_own { applier.with_record(self.pipeline.record.clone()) } else { applier }
    }

    async fn build(&self, tree: Arc<dyn Tree>, scope: &Scope) -> Result<Built, Problem> {
        let failed = |class, text| Problem::text(Stage::Build, reason::BUILD_FAILED, class, text);
        let variables = variables::load(&self.pipeline.cluster, self.object).await;
        let variables = variables.map_err(|error| (error.class(), one_line(&error)));
        let class = variables.as_ref().err().map_or(Class::Invalid, |(class, _)| *class);
        let build = Arc::clone(&self.pipeline.build);
        let options = Arc::clone(&self.pipeline.options);
        let (object, inner) = (self.object.clone(), scope.clone());
        let work = tokio::task::spawn_blocking(move || {
            let variables = variables.as_ref().map_err(|(_, message)| message.as_str());
            build.build(&object, &tree, variables, &options, &inner)
        });
        match work.await {
            Ok(_) if scope.is_cancelled() => Err(failed(Class::Cancelled, "cancelled".to_owned())),
            Ok(result) => result.map_err(|Unbuilt { message, page }| {
                self.pipeline.observer.happened(Happening::Unbuilt {
                    object: self.id(),
                    source: source::id(self.object),
                    page,
                });
                failed(class, message)
            }),
            Err(_) => {
                let message = "recovered from kustomize build panic: the build crashed".to_owned();
                Err(failed(Class::Internal, message))
            }
        }
    }

    /// Logs the warnings of a build that is not the one of the last turn.
    fn tell_of_build(
        &self,
        digest: &str,
        places: Vec<(ObjectId, Place)>,
        warnings: Vec<String>,
        attempt: &Attempt<Kustomization>,
    ) {
        if attempt.status.history.first().is_none_or(|last| last.digest != digest) {
            for warning in &warnings {
                tracing::warn!("{warning}");
            }
        }
        self.pipeline.observer.happened(Happening::Built {
            object: self.id(),
            source: source::id(self.object),
            places,
            warnings,
        });
    }

    fn id(&self) -> ObjectId {
        let key = (spec::namespace(self.object).to_owned(), spec::name(self.object).to_owned());
        kustomization_id(&key)
    }

    async fn apply_and_prune(
        &self,
        applier: &Applier,
        objects: Vec<Value>,
        attempt: &mut Attempt<Kustomization>,
    ) -> Result<ChangeSet, Problem> {
        let failed =
            |class, text| Problem::text(Stage::Apply, reason::RECONCILIATION_FAILED, class, text);
        if let Some(secret) = objects.iter().find(|object| variables::is_encrypted_secret(object)) {
            let id = gitops_apply::object_id(secret).unwrap_or_default();
            let message = format!(
                "{id} is SOPS encrypted, configuring decryption is required for this secret to be \
                 reconciled"
            );
            return Err(failed(Class::Invalid, message));
        }
        let mut options = spec::apply_options(self.object, &self.pipeline.options);
        options.full_check = self.wants_full_check();
        let old = self.pipeline.owned_before(self.object, attempt).await;
        let old = old.map_err(|error| failed(error.class(), error.to_string()))?;
        let writes = !attempt.is_first || self.object.spec.kube_config.is_some();
        let journal = StatusJournal {
            pipeline: self.pipeline,
            object: self.object,
            writes,
            stored: Mutex::new(old.clone()),
            written: Mutex::default(),
        };
        let known = attempt.status.inventory.take();
        if !writes {
            // What stays in the draft if the apply panics.
            let all = objects.iter().filter_map(|object| gitops_apply::object_id(object).ok());
            set_inventory(&mut attempt.status, &all.collect());
        }
        let result = applier.apply(objects, &options, &journal, &attempt.scope).await;
        attempt.status.inventory = known;
        if let Some(written) = journal.written.into_inner() {
            attempt.wrote(written);
        }
        let stored = journal.stored.into_inner();
        if !stored.is_empty() || attempt.status.inventory.is_some() {
            set_inventory(&mut attempt.status, &stored);
        }
        let changes = result.map_err(|failure| failed(failure.class(), failure.to_string()))?;
        let log = changes.change_log();
        if !log.is_empty() {
            attempt.tell(Notice::info(reason::PROGRESSING, log));
        }
        self.prune(applier, &old, &Inventory::of(&changes), attempt).await?;
        Ok(changes)
    }

    async fn prune(
        &self,
        applier: &Applier,
        old: &Inventory,
        new: &Inventory,
        attempt: &mut Attempt<Kustomization>,
    ) -> Result<(), Problem> {
        let stale = old.missing_in(new);
        if !self.object.spec.prune || stale.is_empty() {
            set_inventory(&mut attempt.status, new);
            return Ok(());
        }
        let failed = |class, text| Problem::text(Stage::Prune, reason::PRUNE_FAILED, class, text);
        let status = self.object.status.as_ref();
        let is_same_spec =
            status.and_then(|status| status.observed_generation) == self.object.metadata.generation;
        let limit = self.pipeline.options.hold_empty_prune_from;
        if new.is_empty() && is_same_spec && limit.is_some_and(|limit| stale.len() >= limit) {
            let message = format!(
                "the source has no objects any more: the deletion of all {} objects is held until \
                 the source has objects again or the spec changes",
                stale.len()
            );
            return Err(failed(Class::Invalid, message));
        }
        let owner = spec::owner(self.object);
        let deletion = applier.delete(&stale, &owner, &attempt.scope).await;
        let kept = new.union(deletion.survivors().cloned());
        set_inventory(&mut attempt.status, &kept);
        if let Some(error) = deletion.error {
            return Err(failed(error.class(), one_line(&error)));
        }
        attempt.tell(Notice::info(reason::PROGRESSING, deletion.changes.to_string()));
        Ok(())
    }

    /// Waits until what was applied is healthy. Gives whose change made the wait pointless.
    async fn check_health(
        &self,
        applier: &Applier,
        changes: &ChangeSet,
        revision: &str,
        wait: &WaitOptions,
        attempt: &mut Attempt<Kustomization>,
    ) -> Result<Option<ObjectId>, Problem> {
        let objects: Vec<ObjectId> = if self.object.spec.wait {
            let kept = changes.entries.iter().filter(|change| change.action != Action::Skipped);
            kept.map(|change| change.object.clone()).collect()
        } else {
            spec::checked_objects(self.object)
        };
        if objects.is_empty() {
            attempt.clear(HEALTHY);
            return Ok(None);
        }
        let (namespace, name) = (spec::namespace(self.object), spec::name(self.object));
        let is_own = |object: &ObjectId| {
            object.kind == "Kustomization" && object.name == name && object.namespace == namespace
        };
        let objects: Vec<ObjectId> = objects.into_iter().filter(|o| !is_own(o)).collect();
        let status = self.object.status.as_ref();
        let was_healthy = status
            .into_iter()
            .flat_map(|status| &status.conditions)
            .any(|known| known.type_ == HEALTHY && known.status == ConditionStatus::True);
        attempt.publish();
        let message = self.progress(attempt, Stage::Health, "Running health checks", revision);
        let began = tokio::time::Instant::now();
        let superseded = attempt.superseded();
        let waited = tokio::select! {
            waited = applier.wait(&objects, wait, &attempt.scope) => waited,
            by = superseded, if self.pipeline.options.cancel_health_checks => {
                attempt.observe(HEALTHY, ConditionStatus::Unknown, reason::PROGRESSING, message);
                return Ok(Some(by));
            }
        };
        let took = meta::Duration::from(began.elapsed());
        match waited {
            Ok(()) => {
                let message = format!("Health check passed in {took}");
                let is_new = status.and_then(|status| status.last_applied_revision.as_deref())
                    != Some(revision);
                if !was_healthy || (is_new && changes.changed().next().is_some()) {
                    attempt.tell(Notice::info(reason::PROGRESSING, message.clone()));
                }
                attempt.observe(HEALTHY, ConditionStatus::True, reason::SUCCEEDED, message);
                Ok(None)
            }
            Err(error) => {
                let failed = reason::HEALTH_CHECK_FAILED;
                if error != WaitError::Cancelled {
                    let text = error.to_string();
                    attempt.observe(HEALTHY, ConditionStatus::False, failed, text);
                }
                let message = format!("health check failed after {took}: {error}");
                Err(Problem::text(Stage::Health, failed, error.class(), message))
            }
        }
    }

    /// Whether every object is checked with the API server: somebody asked, the spec changed, or
    /// the last turn failed.
    fn wants_full_check(&self) -> bool {
        let annotations = self.object.metadata.annotations.as_ref();
        let requested = annotations.and_then(|all| all.get(annotation::RECONCILE_REQUESTED_AT));
        let status = self.object.status.as_ref();
        let handled = status.and_then(|status| status.last_handled_reconcile_at.as_ref());
        requested != handled || !dependencies::is_ready(self.object)
    }

    fn progress(
        &self,
        attempt: &Attempt<Kustomization>,
        stage: Stage,
        what: &str,
        revision: &str,
    ) -> String {
        let timeout = meta::Duration::from(self.timeout);
        let message = format!("{what} for revision {revision} with a timeout of {timeout}");
        attempt.progress(stage, message.clone());
        message
    }
}

/// Notes a failure in the history; a turn that was stopped from outside does not count.
fn noted<T>(
    result: Result<T, Problem>,
    applied: &Applied,
    attempt: &mut Attempt<Kustomization>,
) -> Result<T, Problem> {
    if let Err(problem) = &result
        && problem.class != Class::Cancelled
    {
        let now = attempt.now();
        applied.note(&mut attempt.status.history, problem.reason, now);
    }
    result
}

/// Writes what is about to be created into the stored inventory.
#[derive(Debug)]
struct StatusJournal<'a> {
    pipeline: &'a Pipeline,
    object: &'a Kustomization,
    /// Without, what is lost if the process ends is found by its labels: see
    /// [`Pipeline::owned_before`].
    writes: bool,
    /// The inventory as it is stored.
    stored: Mutex<Inventory>,
    /// The Kustomization after the latest write.
    written: Mutex<Option<DynamicObject>>,
}

#[async_trait]
impl Journal for StatusJournal<'_> {
    async fn about_to_apply(&self, objects: &[ObjectId]) -> Result<(), String> {
        let union = {
            let stored = self.stored.lock();
            let union = stored.union(objects.iter().cloned());
            if union.len() == stored.len() {
                return Ok(());
            }
            union
        };
        if !self.writes {
            *self.stored.lock() = union;
            return Ok(());
        }
        let key = (spec::namespace(self.object).to_owned(), spec::name(self.object).to_owned());
        let patch = json!({"status": {"inventory": wire(&union)}});
        let (id, manager) = (kustomization_id(&key), &self.pipeline.options.status_manager);
        let written = self.pipeline.cluster.patch_status(&id, &patch, manager).await;
        let written = written.map_err(|error| error.to_string())?;
        *self.written.lock() = serde_json::from_value(written).ok();
        *self.stored.lock() = union;
        Ok(())
    }
}

/// The inventory of a status. Entries that are no inventory ids own nothing.
pub(crate) fn inventory(status: &KustomizationStatus) -> Inventory {
    let entries = status.inventory.iter().flat_map(|inventory| &inventory.entries);
    let (inventory, malformed) =
        Inventory::parse(entries.map(|entry| (entry.id.as_str(), entry.version.as_str())));
    if !malformed.is_empty() {
        tracing::warn!(count = malformed.len(), "malformed inventory entries are not ours");
    }
    inventory
}

fn wire(inventory: &Inventory) -> meta::Inventory {
    let entries = inventory
        .entries()
        .map(|(id, version)| meta::InventoryEntry { id, version: version.to_owned() });
    meta::Inventory { entries: entries.collect() }
}

fn set_inventory(status: &mut KustomizationStatus, inventory: &Inventory) {
    status.inventory = Some(wire(inventory));
}
