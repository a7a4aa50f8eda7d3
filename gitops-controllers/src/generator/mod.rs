//! `ArtifactGenerator`: source-watcher.

mod external;
mod reconcile;
mod sources;
mod validate;

pub use reconcile::{ArtifactGeneratorReconciler, GeneratorOptions};

/// The finalizer of an `ArtifactGenerator`.
pub const FINALIZER: &str = "source.extensions.fluxcd.io/finalizer";
/// The label that tells whose `ExternalArtifact` it is.
const GENERATOR_LABEL: &str = "source.extensions.fluxcd.io/generator";
/// The annotation that switches a generator off.
const RECONCILE_ANNOTATION: &str = "source.extensions.fluxcd.io/reconcile";

/// Whether an annotation switches the generator off.
pub(crate) fn is_disabled(object: &gitops_api::source::ArtifactGenerator) -> bool {
    let annotations = object.metadata.annotations.as_ref();
    let value = annotations.and_then(|all| all.get(RECONCILE_ANNOTATION));
    value.is_some_and(|value| value.eq_ignore_ascii_case("disabled"))
}
