//! Annotations, labels, finalizers and other names on the wire.

/// Asks for a reconciliation now; any new value counts.
pub const RECONCILE_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// Asks a HelmRelease for one forced install or upgrade; counts only when equal to
/// [`RECONCILE_REQUESTED_AT`].
pub const RECONCILE_FORCE_AT: &str = "reconcile.fluxcd.io/forceAt";
/// Asks a HelmRelease to forget its failures; counts only when equal to
/// [`RECONCILE_REQUESTED_AT`].
pub const RECONCILE_RESET_AT: &str = "reconcile.fluxcd.io/resetAt";
/// Label of ConfigMaps and Secrets whose changes start a reconciliation.
pub const WATCH: &str = "reconcile.fluxcd.io/watch";
/// Value of [`WATCH`] that enables it.
pub const WATCH_ENABLED: &str = "Enabled";
/// Label that says which shard of the controllers handles an object.
pub const SHARDING_KEY: &str = "sharding.fluxcd.io/key";

/// Finalizer of every kind that has one, but [`GENERATOR_FINALIZER`].
pub const FINALIZER: &str = "finalizers.fluxcd.io";
/// Finalizer of ArtifactGenerator.
pub const GENERATOR_FINALIZER: &str = "source.extensions.fluxcd.io/finalizer";
/// Label of an ExternalArtifact: the uid of the ArtifactGenerator that made it.
pub const GENERATOR: &str = "source.extensions.fluxcd.io/generator";
/// Annotation that disables an ArtifactGenerator with the value [`DISABLED`].
pub const GENERATOR_RECONCILE: &str = "source.extensions.fluxcd.io/reconcile";

/// Label of applied objects: the name of their Kustomization.
pub const KUSTOMIZE_NAME: &str = "kustomize.toolkit.fluxcd.io/name";
/// Label of applied objects: the namespace of their Kustomization.
pub const KUSTOMIZE_NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";
/// Annotation or label of a built object: how it is applied.
pub const KUSTOMIZE_RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
/// Annotation or label of a built object: whether it may be deleted.
pub const KUSTOMIZE_PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// Annotation or label of a built object: how conflicting field managers are treated.
pub const KUSTOMIZE_SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
/// Annotation or label of a built object: whether it may be deleted and made anew.
pub const KUSTOMIZE_FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
/// Annotation or label of a built object: whether variables in it are substituted.
pub const KUSTOMIZE_SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
/// Annotation of a built object: whether it is decrypted.
pub const KUSTOMIZE_DECRYPT: &str = "kustomize.toolkit.fluxcd.io/decrypt";
/// Prefix of the labels that older releases set and that are removed: the checksum.
pub const KUSTOMIZE_CHECKSUM: &str = "kustomize.toolkit.fluxcd.io/checksum";

/// Label of applied objects: the name of their HelmRelease.
pub const HELM_NAME: &str = "helm.toolkit.fluxcd.io/name";
/// Label of applied objects: the namespace of their HelmRelease.
pub const HELM_NAMESPACE: &str = "helm.toolkit.fluxcd.io/namespace";
/// Annotation or label of an applied object: whether drift of it counts.
pub const HELM_DRIFT_DETECTION: &str = "helm.toolkit.fluxcd.io/driftDetection";

/// The value that switches something on.
pub const ENABLED: &str = "enabled";
/// The value that switches something off.
pub const DISABLED: &str = "disabled";

/// Prefix of the annotations that are copied into every event about an object.
pub const EVENT_PREFIX: &str = "event.toolkit.fluxcd.io/";
/// Key of an artifact's metadata: the revision from which an OCI artifact was made.
pub const ORIGIN_REVISION: &str = "org.opencontainers.image.revision";

/// API group of the sources.
pub const SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";
/// API group of ArtifactGenerator.
pub const SOURCE_EXTENSIONS_GROUP: &str = "source.extensions.fluxcd.io";
/// API group of Kustomization.
pub const KUSTOMIZE_GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// API group of HelmRelease.
pub const HELM_GROUP: &str = "helm.toolkit.fluxcd.io";
/// API group of Alert, Provider and Receiver.
pub const NOTIFICATION_GROUP: &str = "notification.toolkit.fluxcd.io";
/// API group of the image kinds.
pub const IMAGE_GROUP: &str = "image.toolkit.fluxcd.io";
