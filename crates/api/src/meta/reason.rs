//! The reasons of conditions and events, as they are written.

// Of every kind.

/// The work is done.
pub const SUCCEEDED: &str = "Succeeded";
/// The work failed, for a reason that no other word describes.
pub const FAILED: &str = "Failed";
/// Work is under way.
pub const PROGRESSING: &str = "Progressing";
/// The last attempt failed and another will follow.
pub const PROGRESSING_WITH_RETRY: &str = "ProgressingWithRetry";
/// The object is suspended.
pub const SUSPENDED: &str = "Suspended";
/// An object that this one depends on is not ready.
pub const DEPENDENCY_NOT_READY: &str = "DependencyNotReady";
/// A path does not exist or leads out of its root.
pub const INVALID_PATH: &str = "InvalidPath";
/// A URL cannot be used.
pub const INVALID_URL: &str = "InvalidURL";
/// An unencrypted connection is asked for and not allowed.
pub const INSECURE_CONNECTIONS_DISALLOWED: &str = "InsecureConnectionsDisallowed";
/// A URL has a scheme that is not offered.
pub const UNSUPPORTED_CONNECTION_TYPE: &str = "UnsupportedConnectionType";
/// Objects that are no longer wanted could not be deleted.
pub const PRUNE_FAILED: &str = "PruneFailed";
/// The artifact of the source is missing or could not be downloaded.
pub const ARTIFACT_FAILED: &str = "ArtifactFailed";
/// The objects could not be built from the artifact.
pub const BUILD_FAILED: &str = "BuildFailed";
/// Applied objects did not become healthy in time.
pub const HEALTH_CHECK_FAILED: &str = "HealthCheckFailed";
/// The cluster is as the source wants it.
pub const RECONCILIATION_SUCCEEDED: &str = "ReconciliationSucceeded";
/// Objects could not be applied.
pub const RECONCILIATION_FAILED: &str = "ReconciliationFailed";
/// A CEL expression does not compile.
pub const INVALID_CEL_EXPRESSION: &str = "InvalidCELExpression";
/// A field needs a feature gate that is off.
pub const FEATURE_GATE_DISABLED: &str = "FeatureGateDisabled";
/// The health check was stopped because something newer arrived.
pub const HEALTH_CHECK_CANCELED: &str = "HealthCheckCanceled";
/// A reference to another namespace is not allowed.
pub const ACCESS_DENIED: &str = "AccessDenied";

// Of sources.

/// A new artifact was stored.
pub const NEW_ARTIFACT: &str = "NewArtifact";
/// The artifact is that of the newest revision.
pub const ARTIFACT_UP_TO_DATE: &str = "ArtifactUpToDate";
/// The origin has a newer revision than the artifact.
pub const NEW_REVISION: &str = "NewRevision";
/// There is a newer chart than the artifact.
pub const NEW_CHART: &str = "NewChart";
/// There is no artifact (yet).
pub const NO_ARTIFACT: &str = "NoArtifact";
/// An included artifact changed.
pub const INCLUDE_CHANGE: &str = "IncludeChange";
/// An object that is referred to does not exist.
pub const NOT_FOUND: &str = "NotFound";
/// The URL of the source cannot be parsed.
pub const URL_INVALID: &str = "URLInvalid";
/// Credentials are missing, unusable or refused.
pub const AUTHENTICATION_FAILED: &str = "AuthenticationFailed";
/// A signature could not be verified.
pub const VERIFICATION_ERROR: &str = "VerificationError";
/// A stored artifact does not have the recorded digest.
pub const ARTIFACT_VERIFICATION_FAILED: &str = "ArtifactVerificationFailed";
/// The mode asks for a tag's signature and the reference is no tag.
pub const INVALID_VERIFICATION_MODE: &str = "InvalidVerificationMode";
/// A Git object that should be signed is not.
pub const INVALID_GIT_OBJECT: &str = "InvalidGitObject";
/// The signature of a commit is not by a trusted key.
pub const INVALID_COMMIT_SIGNATURE: &str = "InvalidCommitSignature";
/// The signature of a tag is not by a trusted key.
pub const INVALID_TAG_SIGNATURE: &str = "InvalidTagSignature";
/// The provider and its Secret do not fit together.
pub const INVALID_PROVIDER_CONFIGURATION: &str = "InvalidProviderConfiguration";
/// The token service of a bucket is set up wrongly.
pub const INVALID_STS_CONFIGURATION: &str = "InvalidSTSConfiguration";
/// The repository could be read.
pub const GIT_OPERATION_SUCCEEDED: &str = "GitOperationSucceeded";
/// The repository could not be read.
pub const GIT_OPERATION_FAILED: &str = "GitOperationFailed";
/// The repository has no commits.
pub const EMPTY_GIT_REPOSITORY: &str = "EmptyGitRepository";
/// A path of an include leads out of the artifact.
pub const ILLEGAL_PATH: &str = "IllegalPath";
/// Files of an included artifact could not be copied.
pub const COPY_FAILURE: &str = "CopyFailure";
/// The bucket could not be read.
pub const BUCKET_OPERATION_FAILED: &str = "BucketOperationFailed";
/// The OCI artifact could not be pulled.
pub const OCI_ARTIFACT_PULL_FAILED: &str = "OCIArtifactPullFailed";
/// The wanted layer of the OCI artifact could not be used.
pub const OCI_ARTIFACT_LAYER_OPERATION_FAILED: &str = "OCIArtifactLayerOperationFailed";
/// The index of a chart repository could not be read.
pub const INDEXATION_FAILED: &str = "IndexationFailed";
/// No chart fits the reference.
pub const INVALID_CHART_REFERENCE: &str = "InvalidChartReference";
/// The chart could not be pulled.
pub const CHART_PULL_ERROR: &str = "ChartPullError";
/// The chart was pulled and stored as it is.
pub const CHART_PULL_SUCCEEDED: &str = "ChartPullSucceeded";
/// The chart could not be packaged.
pub const CHART_PACKAGE_ERROR: &str = "ChartPackageError";
/// The chart was packaged and stored.
pub const CHART_PACKAGE_SUCCEEDED: &str = "ChartPackageSucceeded";
/// The signature of a chart could not be verified.
pub const CHART_VERIFICATION_ERROR: &str = "ChartVerificationError";
/// The chart could not be changed.
pub const CHART_MUTATE_ERROR: &str = "ChartMutateError";
/// The metadata of the chart could not be changed.
pub const METADATA_PATCH_ERROR: &str = "MetadataPatchError";
/// The values files of the chart could not be merged.
pub const VALUES_FILES_ERROR: &str = "ValuesFilesError";
/// The dependencies of the chart could not be fetched.
pub const DEPENDENCY_BUILD_ERROR: &str = "DependencyBuildError";
/// The source of the chart has no artifact.
pub const NO_SOURCE_ARTIFACT: &str = "NoSourceArtifact";
/// The source of the chart cannot be used.
pub const SOURCE_UNAVAILABLE: &str = "SourceUnavailable";
/// The source of the chart has a kind that is not offered.
pub const UNSUPPORTED_SOURCE_KIND: &str = "UnsupportedSourceKind";

// Of the store.

/// A directory could not be made.
pub const DIRECTORY_CREATION_FAILED: &str = "DirectoryCreationFailed";
/// A file could not be looked at.
pub const STAT_OPERATION_FAILED: &str = "StatOperationFailed";
/// A file could not be read.
pub const READ_OPERATION_FAILED: &str = "ReadOperationFailed";
/// The lock of an artifact could not be taken.
pub const ACQUIRE_LOCK_FAILED: &str = "AcquireLockFailed";
/// The archive could not be written.
pub const ARCHIVE_OPERATION_FAILED: &str = "ArchiveOperationFailed";
/// A link could not be moved to a new artifact.
pub const SYMLINK_UPDATE_FAILED: &str = "SymlinkUpdateFailed";
/// The cache could not be read or written.
pub const CACHE_OPERATION_FAILED: &str = "CacheOperationFailed";
/// The object could not be patched.
pub const PATCH_OPERATION_FAILED: &str = "PatchOperationFailed";
/// Old artifacts were deleted.
pub const GARBAGE_COLLECTION_SUCCEEDED: &str = "GarbageCollectionSucceeded";
/// Old artifacts could not be deleted.
pub const GARBAGE_COLLECTION_FAILED: &str = "GarbageCollectionFailed";

// Of ArtifactGenerator.

/// A source has no artifact, or it could not be downloaded.
pub const SOURCE_FETCH_FAILED: &str = "SourceFetchFailed";
/// The spec contradicts itself.
pub const VALIDATION_FAILED: &str = "ValidationFailed";
/// An annotation disables the object.
pub const RECONCILIATION_DISABLED: &str = "ReconciliationDisabled";
