//! The sources: where artifacts come from.

mod artifact;
mod bucket;
mod external;
mod generator;
mod git;
mod helm_chart;
mod helm_repository;
mod oci;
mod verification;

pub use artifact::Artifact;
pub use bucket::{Bucket, BucketSpec, BucketStatus, BucketTokenService, TokenServiceProvider};
pub use external::{ExternalArtifact, ExternalArtifactSpec, ExternalArtifactStatus};
pub use generator::{
    ArtifactGenerator, ArtifactGeneratorSpec, ArtifactGeneratorStatus, CopyOperation, CopyStrategy,
    GeneratedArtifact, OutputArtifact, SourceReference,
};
pub use git::{
    GitProvider, GitRepository, GitRepositoryInclude, GitRepositoryReference, GitRepositorySpec,
    GitRepositoryStatus, GitRepositoryVerification, GitVerificationMode,
};
pub(crate) use helm_chart::any_version;
pub use helm_chart::{ChartSource, HelmChart, HelmChartSpec, HelmChartStatus, ReconcileStrategy};
pub use helm_repository::{
    HelmRepository, HelmRepositorySpec, HelmRepositoryStatus, HelmRepositoryType,
};
pub use oci::{
    OciLayerOperation, OciLayerSelector, OciRepository, OciRepositoryReference, OciRepositorySpec,
    OciRepositoryStatus,
};
pub use verification::{
    ChartVerification, CloudProvider, OidcIdentityMatch, SignatureProvider, SignatureVerification,
};
