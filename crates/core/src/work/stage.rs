//! The stages of a turn, in their order.

use std::fmt;

use crate::{Classify, Failure};

/// Where in a turn something happened. The order of the variants is the order of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// The spec itself: references, expressions, permissions.
    Validate,
    /// What would be fetched?
    Resolve,
    /// Other objects that must be ready first.
    Dependencies,
    /// Download of a source or an artifact.
    Fetch,
    /// Signatures.
    Verify,
    /// Packaging and storing.
    Store,
    /// Decryption, rendering, substitution.
    Build,
    /// A client for the target cluster.
    Connect,
    /// Dry runs, drift detection and apply.
    Apply,
    /// Deletion of what is no longer wanted.
    Prune,
    /// Waiting until what was applied is ready.
    Health,
    /// Telling others.
    Notify,
    /// Clean-up before an object goes.
    Finalize,
}

impl Stage {
    /// Attaches this stage to an error.
    ///
    /// # Errors
    /// The error of `result` as a [`Failure`] of this stage.
    pub fn guard<T, E: Classify>(self, result: Result<T, E>) -> Result<T, Failure> {
        result.map_err(|error| Failure::new(self, error))
    }

    /// The stage as a lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Resolve => "resolve",
            Self::Dependencies => "dependencies",
            Self::Fetch => "fetch",
            Self::Verify => "verify",
            Self::Store => "store",
            Self::Build => "build",
            Self::Connect => "connect",
            Self::Apply => "apply",
            Self::Prune => "prune",
            Self::Health => "health",
            Self::Notify => "notify",
            Self::Finalize => "finalize",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
