//! Kustomizations: an artifact is built and applied, what went is pruned, and what was applied is
//! waited for.
//!
//! # Expected flow
//! 1. The spec's expressions are parsed, the source and its artifact are read, dependencies are
//!    judged.
//! 2. The artifact is downloaded, checked and unpacked; a client is made; the overlay is built and
//!    variables are substituted.
//! 3. The objects get the owner's labels and the common metadata and are applied in stages.
//! 4. What is in the old inventory and not in the new one is deleted, if `spec.prune` is set.
//! 5. Health checks; then the revision counts as applied.
//!
//! # Guarantees
//! *No orphans.* What is created is in the inventory before it exists: when a stage is about to
//! change an object that the stored inventory lacks, the union of the old inventory and those
//! objects is written first. Only a Kustomization's first turn leaves that out: should it not come to
//! its end, the next one finds by their labels what it made. What is pruned leaves the inventory only with the status that is
//! written after its deletion was confirmed. So at any moment the stored inventory holds
//! everything that carries our labels, and a process that is killed anywhere finds all of it in the
//! next turn. After a failed apply the union stays: Flux keeps the old inventory then, and forgets
//! what the finished stages created.
//!
//! *Nothing that is not ours is deleted*: see [`gitops_apply::Applier::delete`]. A build without a
//! single object that would delete [`Options::hold_empty_prune_from`] objects or more, although the
//! spec did not change, is held: it is more often a broken source than a wish.
//!
//! *Cheap.* A turn in which nothing changed costs one status patch and one event, see
//! [`gitops_apply::Record`]; turns that somebody asked for, that follow a change of the spec or a
//! failure, check every object.
//!
//! # Assumptions
//! One controller is in charge of a Kustomization at a time.
//!
//! # Caveats
//! Dependencies that wait for each other never become ready; the cycle is shown in the message.
//!
//! # Errors
//! Every failure is a `Problem`: reason and words of Flux, and when to come
//! back. Only mistakes in expressions, forbidden references and disabled features stall.

mod finalize;
mod history;
mod inputs;
mod owned;
mod pipeline;
mod problem;
mod reconcile;
mod seams;
#[cfg(test)]
#[allow(
    clippy::needless_pass_by_value,
    clippy::disallowed_methods,
    reason = "literals read better; the environment chooses the cluster"
)]
mod tests;
pub mod triggers;
mod turn;
mod wire;

use std::{collections::BTreeSet, time::Duration};

use gitops_apply::KubeconfigOptions;

pub use reconcile::Kustomizations;
pub use seams::{Build, Built, Unbuilt};
pub use wire::{Parts, controller};

/// The controller's flags, as far as Kustomizations are concerned.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag or a gate of Flux")]
#[derive(Clone, Debug)]
pub struct Options {
    /// The field manager of applied objects.
    pub field_manager: String,
    /// The field manager of statuses.
    pub status_manager: String,
    /// The account to act as where the spec names none.
    pub default_service_account: Option<String>,
    /// Forbid references into other namespaces.
    pub no_cross_namespace_refs: bool,
    /// How many objects are checked at once.
    pub concurrent_apply: usize,
    /// Field managers that are overridden.
    pub override_managers: Vec<String>,
    /// Kinds that are applied in a stage of their own.
    pub custom_stage_kinds: BTreeSet<(String, String)>,
    /// Move managed fields to the API version of the desired object.
    pub migrate_api_version: bool,
    /// When to come back if a dependency or an artifact is not there yet.
    pub dependency_interval: Duration,
    /// Check the built-in rule although there is a `readyExpr`.
    pub additive_cel_dependency_check: bool,
    /// Allow ExternalArtifact as a source.
    pub external_artifacts: bool,
    /// Read sources from the API server in every turn, not from what a watch tells.
    pub direct_source_fetch: bool,
    /// Allow `decryption.serviceAccountName`.
    pub object_level_workload_identity: bool,
    /// End health checks when a newer input arrives.
    pub cancel_health_checks: bool,
    /// End health checks at the first failed object.
    pub fail_fast: bool,
    /// Forbid bases that are not part of the artifact.
    pub no_remote_bases: bool,
    /// Fail on variables without a value.
    pub strict_substitution: bool,
    /// What kubeconfigs may do.
    pub kubeconfig: KubeconfigOptions,
    /// How many objects a build without objects may not delete; absent: any number.
    pub hold_empty_prune_from: Option<usize>,
}

impl Default for Options {
    /// Flux's defaults.
    fn default() -> Self {
        Self {
            field_manager: "kustomize-controller".into(),
            status_manager: "gotk-kustomize-controller".into(),
            default_service_account: None,
            no_cross_namespace_refs: false,
            concurrent_apply: 4,
            override_managers: Vec::new(),
            custom_stage_kinds: BTreeSet::new(),
            migrate_api_version: false,
            dependency_interval: Duration::from_secs(30),
            additive_cel_dependency_check: false,
            external_artifacts: false,
            direct_source_fetch: false,
            object_level_workload_identity: false,
            cancel_health_checks: false,
            fail_fast: true,
            no_remote_bases: false,
            strict_substitution: true,
            kubeconfig: KubeconfigOptions::default(),
            hold_empty_prune_from: Some(10),
        }
    }
}
