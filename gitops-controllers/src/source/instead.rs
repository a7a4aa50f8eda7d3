//! Repositories that are served from elsewhere than their URL.

use std::{fmt::Debug, sync::Arc};

use gitops_source::Source;

/// Serves repositories from elsewhere than their URL, as `gitops run` does with a working tree.
pub trait SourceOverride: Debug + Send + Sync {
    /// What stands for the repository of a URL; none: the repository itself. Where there is one,
    /// neither credentials nor the network are used.
    fn source(&self, url: &str) -> Option<Arc<dyn Source>>;
}
