//! The types of conditions.

/// Whether the object is as it should be; a summary of everything else.
pub const READY: &str = "Ready";
/// Present and true while work is under way or will be tried again.
pub const RECONCILING: &str = "Reconciling";
/// Present and true when only a change by a person can help.
pub const STALLED: &str = "Stalled";

/// Whether the applied objects were healthy when last looked at (Kustomization).
pub const HEALTHY: &str = "Healthy";

/// Whether the artifact of a source is in the store.
pub const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";
/// Present and true when the artifact of a source is older than its origin.
pub const ARTIFACT_OUTDATED: &str = "ArtifactOutdated";
/// Whether the signature of what was fetched is good.
pub const SOURCE_VERIFIED: &str = "SourceVerified";
/// Present and true when the origin could not be read.
pub const FETCH_FAILED: &str = "FetchFailed";
/// Present and true when the store could not be read or written.
pub const STORAGE_OPERATION_FAILED: &str = "StorageOperationFailed";
/// Present and true when an included repository has no usable artifact (GitRepository).
pub const INCLUDE_UNAVAILABLE: &str = "IncludeUnavailable";
/// Present and true when a chart could not be packaged (HelmChart).
pub const BUILD_FAILED: &str = "BuildFailed";

/// Whether the last install, upgrade, rollback or uninstall worked (HelmRelease).
pub const RELEASED: &str = "Released";
/// Whether the tests of the release passed (HelmRelease).
pub const TEST_SUCCESS: &str = "TestSuccess";
/// Whether a failed release was rolled back or uninstalled (HelmRelease).
pub const REMEDIATED: &str = "Remediated";
/// Whether the cluster differs from the release (HelmRelease).
pub const DRIFTED: &str = "Drifted";
