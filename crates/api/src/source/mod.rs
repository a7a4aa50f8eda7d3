//! The sources: where artifacts come from.

mod artifact;
mod external;
mod git;

pub use artifact::Artifact;
pub use external::{ExternalArtifact, ExternalArtifactSpec, ExternalArtifactStatus};
pub use git::{
    GitProvider, GitRepository, GitRepositoryInclude, GitRepositoryReference, GitRepositorySpec,
    GitRepositoryStatus, GitRepositoryVerification, GitVerificationMode,
};
