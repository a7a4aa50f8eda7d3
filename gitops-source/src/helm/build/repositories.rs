//! Where charts can be had.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gitops_core::Scope;

use super::{ChartChoiceError, ChartVersion};
use crate::SourceError;

/// Where charts can be had by name.
#[async_trait]
pub trait ChartRepository: Send + Sync {
    /// The version of a chart that a range asks for.
    ///
    /// # Errors
    /// When there is none, or the repository cannot be read.
    async fn find(
        &self,
        chart: &str,
        range: &str,
        scope: &Scope,
    ) -> Result<ChartVersion, FindChartError>;

    /// Checks who signed a version.
    ///
    /// # Errors
    /// When nobody did whom the repository was told to trust.
    async fn verify(&self, version: &ChartVersion, scope: &Scope) -> Result<(), SourceError>;

    /// Downloads the package of a version.
    ///
    /// # Errors
    /// When it cannot be had.
    async fn download(&self, version: &ChartVersion, scope: &Scope) -> Result<Bytes, SourceError>;

    /// Downloads what says who signed that package: its `.prov` file.
    ///
    /// # Errors
    /// When it cannot be had.
    async fn provenance(&self, version: &ChartVersion, scope: &Scope)
    -> Result<Bytes, SourceError>;
}

/// Why a chart was not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindChartError {
    /// The repository has no such chart or version.
    #[error(transparent)]
    Choice(#[from] ChartChoiceError),
    /// The repository cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Gives the repository of a URL, for dependencies.
#[async_trait]
pub trait ChartRepositories: Send + Sync {
    /// The repository of a URL that was normalised.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn repository(&self, url: &str) -> Result<Arc<dyn ChartRepository>, super::Cause>;
}
