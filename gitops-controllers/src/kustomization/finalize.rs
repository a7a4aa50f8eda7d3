//! The end of a Kustomization: its objects go or stay, as the deletion policy says.

use gitops_api::{
    kustomize::{DeletionPolicy, Kustomization},
    meta::condition_type,
};
use gitops_apply::Applier;
use gitops_core::{Class, Classify as _, ObjectId, Stage, one_line};

use super::{
    inputs::{connect, spec},
    pipeline::Pipeline,
    problem::Problem,
};
use crate::runtime::{Attempt, Notice};

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
        attempt: &mut Attempt<Kustomization>,
    ) -> Result<(), Problem> {
        self.record.forget(&spec::owner(object));
        let key = (spec::namespace(object).to_owned(), spec::name(object).to_owned());
        self.known.forget(&key);
        let status = attempt.status.clone();
        if let Some(revision) = &status.last_applied_revision {
            attempt.describe("revision", revision);
        }
        if let Some(origin) = &status.last_applied_origin_revision {
            attempt.describe("originRevision", origin);
        }
        if !spec::deletes_objects(object) {
            return Ok(());
        }
        let owned = self.owned_before(object, attempt).await.map_err(|cause| {
            let reason = gitops_api::meta::reason::RECONCILIATION_FAILED;
            let problem = Problem::text(Stage::Finalize, reason, cause.class(), one_line(&cause));
            Problem { event: Some("pruning for deleted resource failed".into()), ..problem }
        })?;
        let objects = owned.objects().to_vec();
        if objects.is_empty() {
            return Ok(());
        }
        // Events carry the reason of the Ready condition as it stands.
        let ready = status.conditions.iter().find(|known| known.type_ == condition_type::READY);
        let reason = |otherwise: &str| match ready {
            Some(ready) => ready.reason.clone(),
            None => otherwise.to_owned(),
        };
        let error = |message: String| Notice::error(reason("error"), message);
        let cluster = if connect::can_impersonate(&self.cluster, object, &self.options).await {
            match connect::cluster(&self.cluster, object, &self.options).await {
                // The Secret with the kubeconfig is gone for good, too.
                Err(problem) if problem.class == Class::NotFound => None,
                connected => Some(connected?),
            }
        } else {
            None
        };
        let Some(cluster) = cluster else {
            // Nobody may delete the objects any more: waiting would keep the namespace for ever.
            let shown: Vec<String> = objects.iter().map(ObjectId::to_string).collect();
            attempt.tell(error(format!("unable to prune objects: \n{}", shown.join("\n"))));
            return Ok(());
        };
        let applier = Applier::new(cluster);
        let deletion = applier.delete(&objects, &spec::owner(object), &attempt.scope).await;
        if let Some(cause) = deletion.error {
            let reason = gitops_api::meta::reason::RECONCILIATION_FAILED;
            let problem = Problem::text(Stage::Finalize, reason, cause.class(), one_line(&cause));
            let event = Some("pruning for deleted resource failed".into());
            return Err(Problem { event, ..problem });
        }
        if deletion.changes.is_empty() {
            return Ok(());
        }
        attempt.tell(Notice::info(reason("info"), deletion.changes.to_string()));
        if object.spec.deletion_policy == Some(DeletionPolicy::WaitForTermination) {
            let timeout = spec::timeout(object);
            let waited =
                applier.wait_for_termination(&deletion.changes, timeout, &attempt.scope).await;
            if let Err(cause) = waited {
                tracing::warn!(%cause, "failed to wait for resources termination");
                attempt.tell(error("failed to wait for resources termination".to_owned()));
            }
        }
        Ok(())
    }
}
