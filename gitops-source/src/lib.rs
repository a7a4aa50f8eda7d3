//! Sources become artifacts: resolve, fetch, package, store and serve.
//!
//! A [`Source`] says what there is to get and gets it; [`GitSource`] is the one for Git. What it
//! fetched is a [`gitops_core::Tree`], from which an [`ArtifactStore`] makes an artifact: a
//! reproducible archive under a name that says whose it is. [`artifact_router`] serves a store to
//! consumers, and [`ArtifactFetcher`] is their side of it.
//!
//! Texts of errors follow Flux's, because people and alerts match on them.
//!
//! Invariant: knows nothing of Kubernetes; all configuration comes in as plain values.

mod error;
mod git;
mod go;
mod ignore;
mod source;
mod version;

pub use error::SourceError;
pub use git::{GitCredentials, GitLimits, GitReference, GitSource, GitTransport, Tls};
pub use ignore::IgnoreRules;
pub use source::{Fetched, Resolved, Source, Subject, TagObject};
pub use version::{Version, VersionRange, VersionRangeError};
