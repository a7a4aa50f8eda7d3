//! Kustomizations on the runtime.

use std::sync::Arc;

use gitops_api::{
    kustomize::Kustomization,
    meta::{self, ConditionStatus, condition_type, reason},
};
use gitops_apply::{Cluster, Record};
use gitops_source::ArtifactFetcher;

use super::{Options, inputs::fetch::Fetcher, pipeline::Pipeline, seams::Build, triggers::Known};
use crate::runtime::{Attempt, Done, Notice, Observer, Reconcile, Stop, Turn};

/// The reconciler of Kustomizations.
#[derive(Clone, Debug)]
pub struct Kustomizations {
    pub(super) pipeline: Pipeline,
}

impl Kustomizations {
    /// A reconciler for the cluster that it runs in.
    pub(crate) fn new(
        cluster: Cluster,
        record: Record,
        fetcher: ArtifactFetcher,
        build: Arc<dyn Build>,
        known: Known,
        options: Arc<Options>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let artifacts = Arc::new(Fetcher::new(fetcher));
        let pipeline = Pipeline { cluster, record, artifacts, build, known, options, observer };
        Self { pipeline }
    }
}

impl Reconcile for Kustomizations {
    type Kind = Kustomization;

    async fn reconcile(
        &self,
        object: &Kustomization,
        attempt: &mut Attempt<Kustomization>,
    ) -> Turn {
        self.pipeline.reconcile(object, attempt).await?;
        let revision = attempt.status.last_applied_revision.clone().unwrap_or_default();
        self.pipeline.known.became_ready(object);
        let done = Done::new(format!("Applied revision: {revision}"));
        Ok(done.with_event(finished(object, attempt)))
    }

    async fn finalize(&self, object: &Kustomization, attempt: &mut Attempt<Kustomization>) -> Turn {
        self.pipeline.finalize(object, attempt).await.map_err(Stop::from)?;
        let is_ready = attempt.status.conditions.iter().any(|known| {
            known.type_ == condition_type::READY && known.status == ConditionStatus::True
        });
        let done = Done::default();
        // Quirk: Flux tells so at the end of every turn whose object is ready, the last included.
        if is_ready && !object.spec.suspend {
            return Ok(done.with_event(finished(object, attempt)));
        }
        Ok(done)
    }
}

fn finished(object: &Kustomization, attempt: &Attempt<Kustomization>) -> Notice {
    let took = meta::Duration::from(attempt.elapsed());
    let message =
        format!("Reconciliation finished in {took}, next run in {}", object.spec.interval);
    Notice::info(reason::RECONCILIATION_SUCCEEDED, message).with("commit_status", "update")
}
