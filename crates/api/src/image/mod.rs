//! Images: which tags there are, which one is wanted, and how it gets into Git.

mod automation;
mod policy;
mod repository;

pub use automation::{
    AutomationSource, CommitUser, GitCheckout, GitCommit, GitPush, GitSpec, ImageUpdateAutomation,
    ImageUpdateAutomationSpec, ImageUpdateAutomationStatus, LabelRequirement, PolicySelector,
    SigningKey, SigningKeyType, UpdateKind, UpdateStrategy,
};
pub use policy::{
    AlphabeticalPolicy, DigestReflectionPolicy, ImagePolicy, ImagePolicyChoice, ImagePolicySpec,
    ImagePolicyStatus, ImageReference, NumericalPolicy, SemverPolicy, SortOrder, TagFilter,
};
pub use repository::{ImageRepository, ImageRepositorySpec, ImageRepositoryStatus, ScanResult};
