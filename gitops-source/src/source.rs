//! What every kind of source can do.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use gitops_core::{Revision, Scope, Tree};

use crate::SourceError;

/// Somewhere that files come from: a Git repository, a registry, a bucket.
///
/// The two steps are apart so that the cheap one can be repeated often: `resolve` asks what there
/// is to get, and only when that is new does `fetch` get it. Both are safe to drop.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// What would be fetched now. Costs a request or two, whatever the size of the source.
    ///
    /// # Errors
    /// When the source cannot be reached, refuses, or does not have what is asked for.
    async fn resolve(&self, scope: &Scope) -> Result<Resolved, SourceError>;

    /// Fetches exactly what was resolved.
    ///
    /// # Errors
    /// As `resolve`, and when what arrives is malformed or exceeds a limit.
    async fn fetch(&self, at: &Resolved, scope: &Scope) -> Result<Fetched, SourceError>;
}

/// What a source has to offer at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved {
    /// What it is called.
    pub revision: Revision,
    /// What `fetch` asks the source for, in the source's own terms, e.g. the id of a tag object.
    pub(crate) target: String,
}

impl Resolved {
    /// For sources of your own: what `fetch` will be asked for.
    pub fn new(revision: Revision) -> Self {
        Self { target: revision.to_string(), revision }
    }

    /// What `fetch` asks the source for: an artifact's digest, a commit's id.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What was resolved as an artifact of a registry, before any of it is fetched.
    pub fn image(&self) -> Subject {
        Subject::Image { digest: self.target.clone(), annotations: BTreeMap::default() }
    }
}

/// What was fetched.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// What it is called.
    pub revision: Revision,
    /// The files.
    pub tree: Arc<dyn Tree>,
    /// What a signature would be about, with what to tell people of it.
    pub subject: Subject,
}

impl Fetched {
    /// For sources of your own: files that nobody signed.
    pub fn unsigned(revision: Revision, tree: Arc<dyn Tree>) -> Self {
        Self { revision, tree, subject: Subject::Unsigned }
    }
}

/// The signed thing behind fetched files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A Git commit, and the annotated tag through which it was found.
    Commit {
        /// The id in hexadecimal.
        id: String,
        /// The commit object as it is stored.
        raw: bytes::Bytes,
        /// The first line of the message, cut to 50 characters as Flux shows it.
        summary: String,
        /// The annotated tag.
        tag: Option<TagObject>,
    },
    /// An artifact of a registry.
    Image {
        /// The digest of its manifest.
        digest: String,
        /// The annotations of its manifest.
        annotations: BTreeMap<String, String>,
    },
    /// Nothing that could be signed.
    Unsigned,
}

/// An annotated Git tag.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagObject {
    /// The id in hexadecimal.
    pub id: String,
    /// The tag's name.
    pub name: String,
    /// The tag object as it is stored.
    pub raw: bytes::Bytes,
}

impl TagObject {
    /// For sources of your own: a tag as it is stored.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        raw: impl Into<bytes::Bytes>,
    ) -> Self {
        Self { id: id.into(), name: name.into(), raw: raw.into() }
    }
}
