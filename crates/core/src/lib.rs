//! The words that every crate of the toolkit shares: what was fetched ([`Artifact`], [`Revision`],
//! [`Digest`]), what it is about ([`ObjectId`]), how files are seen ([`Tree`]), how a long call is
//! stopped and watched ([`Scope`], [`Progress`]), and how a failure is judged ([`Stage`], [`Class`],
//! [`Classify`]).
//!
//! ```
//! use gitops_core::{Digest, MemoryTree, Revision, Tree};
//!
//! let tree = MemoryTree::from_iter([("apps/kustomization.yaml", "resources: []\n")]);
//! assert_eq!(&tree.read("apps/kustomization.yaml".as_ref())?[..], b"resources: []\n");
//!
//! let revision: Revision = "main@sha1:8f5c0dcee7db53fd69db16ac54c3fea893204bd3".parse()?;
//! assert_eq!(revision.name(), Some("main"));
//! assert_eq!(Digest::sha256(b"").to_string().len(), "sha256:".len() + 64);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: knows nothing of Kubernetes clients, sockets or any async runtime; only
//! [`DiskTree`] touches the disk.

mod go_json;
mod go_url;
mod identity;
mod safe_url;
mod secret;
mod tree;
mod work;

pub use go_json::{go_json_refusal, go_json_value};
pub use go_url::{go_dial_refusal, go_escape_refusal, go_url, go_url_refusal};
pub use identity::{
    Algorithm, Artifact, ArtifactKey, Digest, DigestError, Hasher, ObjectId, ObjectIdError,
    Revision, RevisionError, Version, VersionRange, VersionRangeError,
};
pub use safe_url::{SafeUrl, masked_url};
pub use secret::Secret;
#[cfg(not(target_family = "wasm"))]
pub use tree::DiskTree;
pub use tree::archive::{ArchiveEntry, Limits, pack, unpack, unpack_unless};
pub use tree::{
    Entry, EntryKind, MemoryTree, Name, NameKind, OverlayTree, Tree, TreeError, TreeErrorKind,
    clean_path, confined_path,
};
pub use work::{
    Backoff, Cancelled, Class, Classify, Clock, EVENT_LIMIT, ErrorDocument, ErrorPlace,
    ErrorRemark, Failure, FixedClock, NoProgress, Progress, Scope, Stage, SystemClock, json_kind,
    one_line, quoted, truncate,
};
