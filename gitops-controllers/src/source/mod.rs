//! Sources: what they fetch becomes artifacts in this controller's store.

mod bucket;
mod common;
mod credentials;
mod git;
mod helm;
mod identity;
mod include;
mod instead;
mod oci;
mod secret_data;

pub use bucket::BucketReconciler;
pub use common::Storage;
pub use git::GitRepositoryReconciler;
pub use helm::{ChartOptions, HelmChartReconciler, HelmRepositoryReconciler};
pub use identity::Identities;
pub use instead::SourceOverride;
pub use oci::OciRepositoryReconciler;
