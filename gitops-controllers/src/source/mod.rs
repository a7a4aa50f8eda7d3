//! Sources: what they fetch becomes artifacts in this controller's store.

mod common;
mod credentials;
mod git;
mod include;

pub use common::Storage;
pub use git::GitRepositoryReconciler;
