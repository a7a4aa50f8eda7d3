//! What a Kustomization owned before a turn.

use gitops_api::{kustomize::Kustomization, meta::condition_type};
use gitops_apply::{ApiError, Applier, Inventory};

use super::{inputs::spec, pipeline::Pipeline, turn::inventory};
use crate::runtime::Attempt;

impl Pipeline {
    /// The stored inventory. The first turn of a Kustomization writes none ahead, because there is
    /// nothing yet that could be lost but what it makes itself: where such a turn never came to its
    /// end, what it made is looked for by its labels.
    ///
    /// # Errors
    /// When it cannot be looked for; nothing may be applied or deleted then.
    pub(crate) async fn owned_before(
        &self,
        object: &Kustomization,
        attempt: &Attempt<Kustomization>,
    ) -> Result<Inventory, ApiError> {
        let stored = inventory(&attempt.status);
        if attempt.is_first || object.spec.kube_config.is_some() || has_ended_a_turn(object) {
            return Ok(stored);
        }
        tracing::info!("looking for what an interrupted first turn made");
        let applier = Applier::new(self.cluster.clone());
        let owner = spec::owner(object);
        let found = applier.find_owned(&owner, &self.options.field_manager, &attempt.scope).await?;
        Ok(stored.union(found.objects().to_vec()))
    }
}

/// Whether some turn came to its end: each writes an inventory or says why there is none.
pub(super) fn has_ended_a_turn(object: &Kustomization) -> bool {
    let Some(status) = &object.status else { return false };
    status.inventory.is_some()
        || status.conditions.iter().any(|known| {
            known.type_ == condition_type::READY
                && known.status != gitops_api::meta::ConditionStatus::Unknown
        })
}
