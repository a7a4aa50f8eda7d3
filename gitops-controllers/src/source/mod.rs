//! Sources: what they fetch becomes artifacts in this controller's store.

mod common;
mod credentials;
mod git;
mod git_signature;
mod include;
mod instead;
mod oci;

pub use common::Storage;
pub use git::GitRepositoryReconciler;
pub use instead::SourceOverride;
pub use oci::OciRepositoryReconciler;
