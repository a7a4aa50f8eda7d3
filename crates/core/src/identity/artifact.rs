//! The record of a stored artifact: the hand-off between a source and its consumers.

use jiff::Timestamp;

use crate::{Digest, Revision};

/// Whose artifact it is: the directory `<kind>/<namespace>/<name>` of a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtifactKey {
    /// The kind in lower case, e.g. `gitrepository`.
    pub kind: String,
    /// The namespace of the object.
    pub namespace: String,
    /// The name of the object.
    pub name: String,
}

impl ArtifactKey {
    /// A key; the kind is lower-cased.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_lowercase(), namespace: namespace.into(), name: name.into() }
    }

    /// The directory of this key, relative to the store's root.
    pub fn directory(&self) -> String {
        format!("{}/{}/{}", self.kind, self.namespace, self.name)
    }
}

/// A stored file that consumers can download and check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Whose artifact it is.
    pub key: ArtifactKey,
    /// The file name below the key's directory, e.g. `<commit>.tar.gz`.
    pub file: String,
    /// What was fetched.
    pub revision: Revision,
    /// The digest of the file's bytes.
    pub digest: Digest,
    /// The size of the file in bytes.
    pub size: u64,
    /// When the file was stored.
    pub stored_at: Timestamp,
}

impl Artifact {
    /// The path below the store's root: `<kind>/<namespace>/<name>/<file>`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.key.directory(), self.file)
    }
}
