//! Deletion of what is no longer wanted.
//!
//! Follows fluxcd/pkg `ssa/manager_delete.go`; differs in: the object is deleted only if it is
//! still the one that was checked (a precondition on its `uid`), and the namespace of the owner is
//! never deleted, because with it would go the owner and everything else in it.

use std::{fmt::Write as _, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream};
use gitops_core::{Class, Classify as _, ObjectId, Scope};
use tokio::time::Instant;

use crate::{
    Action, ApiError, Applier, ApplyError, ChangeSet, Owner, WaitError, compare, object::is_marked,
};

/// How many deletions run at once.
const CONCURRENCY: usize = 4;
/// How often it is looked whether a deleted object is gone.
const TERMINATION_INTERVAL: Duration = Duration::from_secs(2);

/// What a deletion did, and what went wrong with it.
#[derive(Debug)]
#[must_use]
pub struct Deletion {
    /// One entry per object, in the order of deletion. `Deleted` stands for objects that are gone
    /// or going, `Skipped` for those that are not ours or asked to stay, `Unknown` for failures.
    pub changes: ChangeSet,
    /// The failures, if any.
    pub error: Option<ApplyError>,
}

impl Deletion {
    /// The objects whose deletion the API server did not confirm; they are still ours.
    pub fn survivors(&self) -> impl Iterator<Item = &ObjectId> {
        let unknown = self.changes.entries.iter().filter(|change| change.action == Action::Unknown);
        unknown.map(|change| &change.object)
    }
}

impl Applier {
    /// Deletes objects in the reverse order of their apply, with background propagation. One that
    /// does not exist counts as deleted. Failures do not stop the rest.
    ///
    /// Only objects that carry the owner's labels are deleted, and of these not those marked with
    /// `prune: disabled`, `reconcile: disabled` or `ssa: Ignore`.
    pub async fn delete(&self, objects: &[ObjectId], owner: &Owner, scope: &Scope) -> Deletion {
        let mut ordered = objects.to_vec();
        ordered.sort_by(|a, b| compare(b, a));
        let mut changes = ChangeSet::default();
        let mut texts = String::new();
        let mut class = None;
        let deletions = ordered.into_iter().map(|object| {
            let deletion = async move {
                let result = if scope.is_cancelled() {
                    Err((ApiError::local("context canceled"), "delete"))
                } else {
                    self.delete_one(&object, owner).await
                };
                (object, result)
            };
            deletion.boxed()
        });
        let mut results = stream::iter(deletions.collect::<Vec<_>>()).buffered(CONCURRENCY);
        while let Some((object, result)) = results.next().await {
            match result {
                Ok(action) => changes.push(object, action),
                Err((error, step)) => {
                    write!(texts, "{object} {step} failed: {error};")
                        .expect("writing to a String cannot fail");
                    class.get_or_insert(error.class());
                    changes.push(object, Action::Unknown);
                }
            }
        }
        drop(results);
        let error = (!texts.is_empty())
            .then(|| ApplyError::Delete { texts, class: class.unwrap_or(Class::Transient) });
        Deletion { changes, error }
    }

    async fn delete_one(
        &self,
        object: &ObjectId,
        owner: &Owner,
    ) -> Result<Action, (ApiError, &'static str)> {
        let resource = match self.cluster.discovery().of_any_version(&self.cluster, object).await {
            Ok(resource) => resource,
            // With its kind, every object of the kind went.
            Err(error) if error.is_no_match() => {
                return Ok(Action::Deleted);
            }
            Err(error) => return Err((error, "query")),
        };
        let found = self.cluster.get_object(&resource, object).await;
        let Some(live) = found.map_err(|error| (error, "query"))? else {
            return Ok(Action::Deleted);
        };
        let is_kept = is_marked(&live, &owner.key("prune"), "disabled")
            || is_marked(&live, &owner.key("reconcile"), "disabled")
            || is_marked(&live, &owner.key("ssa"), "Ignore");
        let is_home =
            object.kind == "Namespace" && object.group.is_empty() && object.name == owner.namespace;
        if is_kept || is_home || !owner.owns(&live) {
            return Ok(Action::Skipped);
        }
        self.delete_object(&resource, object, &live).await.map_err(|error| (error, "delete"))?;
        if object.kind == "CustomResourceDefinition"
            && let Some(group) = live["spec"]["group"].as_str()
        {
            self.cluster.discovery().forget(group);
        }
        Ok(Action::Deleted)
    }

    /// Waits until the deleted objects of a change set are gone.
    ///
    /// # Errors
    /// [`WaitError::Termination`] for the first that is still there when the time is up.
    pub async fn wait_for_termination(
        &self,
        changes: &ChangeSet,
        timeout: Duration,
        scope: &Scope,
    ) -> Result<(), WaitError> {
        let deadline = Instant::now() + timeout;
        for change in changes.changed().filter(|change| change.action == Action::Deleted) {
            let mut pause = Duration::from_millis(100);
            loop {
                let gone = match self.cluster.get(&change.object).await {
                    Ok(found) => found.is_none(),
                    // The kind went with its definition.
                    Err(error) => error.is_no_match(),
                };
                if gone {
                    break;
                }
                if Instant::now() + pause > deadline {
                    return Err(WaitError::Termination(Box::new(change.object.clone())));
                }
                let slept = scope.run(tokio::time::sleep(pause)).await;
                slept.map_err(|_| WaitError::Cancelled)?;
                pause = (pause * 2).min(TERMINATION_INTERVAL);
            }
        }
        Ok(())
    }
}
