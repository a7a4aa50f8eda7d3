//! Sources: what they fetch becomes artifacts in this controller's store.

mod bucket;
mod bucket_access;
mod bucket_identity;
mod chart_source;
mod common;
mod credentials;
mod git;
mod git_signature;
mod helm_chart;
mod helm_repository;
mod identity;
mod image_signature;
mod include;
mod instead;
mod oci;
mod registry_access;
mod secret_data;

pub use bucket::BucketReconciler;
pub use common::Storage;
pub use git::GitRepositoryReconciler;
pub use helm_chart::{ChartOptions, HelmChartReconciler};
pub use helm_repository::HelmRepositoryReconciler;
pub use identity::Identities;
pub use instead::SourceOverride;
pub use oci::OciRepositoryReconciler;
