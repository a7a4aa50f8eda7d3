//! The end of a Kustomization: its objects go or stay, as the deletion policy says.

use gitops_api::{
    kustomize::{DeletionPolicy, Kustomization},
    meta::{ConditionStatus, condition_type},
};
use gitops_apply::Applier;
use gitops_core::{Classify as _, ObjectId, Scope, Stage};

use super::{
    connect,
    pipeline::{Pipeline, inventory},
    problem::{Problem, Retry, Tell},
    seams::{Listener, Revisions},
    spec,
};

impl Pipeline {
    /// Deletes what the Kustomization owns, if its policy says so. The finalizer may go when this
    /// succeeds.
    ///
    /// # Errors
    /// An object could not be deleted, or there is no client; the finalizer stays and the deletion
    /// is tried again.
    pub(crate) async fn finalize(
        &self,
        object: &Kustomization,
        listener: &dyn Listener,
        scope: &Scope,
    ) -> Result<(), Problem> {
        self.record.forget(&spec::owner(object));
        if !spec::deletes_objects(object) {
            return Ok(());
        }
        let status = object.status.clone().unwrap_or_default();
        let objects = inventory(&status).objects().to_vec();
        let revisions = Revisions {
            revision: status.last_applied_revision.clone().unwrap_or_default(),
            origin: status.last_applied_origin_revision.clone(),
        };
        let tell = |is_error, message| {
            listener.event(
                ready_reason(object, is_error),
                is_error,
                message,
                &revisions,
            );
        };
        if !connect::can_impersonate(&self.cluster, object, &self.options).await {
            let shown: Vec<String> = objects.iter().map(ObjectId::to_string).collect();
            tell(
                true,
                format!("unable to prune objects: \n{}", shown.join("\n")),
            );
            return Ok(());
        }
        let silent = |problem: Problem| Problem {
            tell: Tell::Nothing,
            retry: Retry::Backoff,
            stage: Stage::Finalize,
            ..problem
        };
        let cluster = connect::cluster(&self.cluster, object, &self.options).await;
        let applier = Applier::new(cluster.map_err(silent)?);
        let deletion = applier.delete(&objects, &spec::owner(object), scope).await;
        if let Some(error) = deletion.error {
            tell(true, "pruning for deleted resource failed".to_owned());
            let reason = ready_reason(object, true);
            let text = gitops_core::one_line(&error);
            return Err(silent(Problem::text(
                Stage::Finalize,
                reason,
                error.class(),
                text,
            )));
        }
        if deletion.changes.is_empty() {
            return Ok(());
        }
        tell(false, deletion.changes.to_string());
        if object.spec.deletion_policy == Some(DeletionPolicy::WaitForTermination) {
            let timeout = spec::timeout(object);
            let waited = applier
                .wait_for_termination(&deletion.changes, timeout, scope)
                .await;
            if let Err(error) = waited {
                tracing::warn!(%error, "failed to wait for resources termination");
                tell(true, "failed to wait for resources termination".to_owned());
            }
        }
        Ok(())
    }
}

/// Events carry the reason of the Ready condition.
fn ready_reason(object: &Kustomization, is_error: bool) -> &'static str {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions
        .into_iter()
        .find(|condition| condition.type_ == condition_type::READY);
    let Some(ready) = ready else {
        return if is_error { "error" } else { "info" };
    };
    match ready.status {
        ConditionStatus::True => gitops_api::meta::reason::RECONCILIATION_SUCCEEDED,
        _ => known_reason(&ready.reason),
    }
}

/// The reasons that a Kustomization's Ready condition has.
fn known_reason(reason: &str) -> &'static str {
    use gitops_api::meta::reason as r;

    [
        r::RECONCILIATION_FAILED,
        r::ARTIFACT_FAILED,
        r::BUILD_FAILED,
        r::HEALTH_CHECK_FAILED,
        r::PRUNE_FAILED,
        r::DEPENDENCY_NOT_READY,
        r::ACCESS_DENIED,
        r::INVALID_CEL_EXPRESSION,
        r::FEATURE_GATE_DISABLED,
        r::HEALTH_CHECK_CANCELED,
    ]
    .into_iter()
    .find(|known| *known == reason)
    .unwrap_or(r::PROGRESSING)
}
