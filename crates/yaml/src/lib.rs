//! YAML as the Kubernetes tools read and write it: a node tree with positions, go-yaml's typing and
//! go-yaml's bytes.
//!
//! ```
//! let node = gitops_yaml::read("spec: {replicas: 010, paused: yes}")?;
//! assert_eq!(node.at(["spec", "replicas"]).and_then(|node| node.as_i64()), Some(8));
//! assert_eq!(gitops_yaml::to_yaml(&node)?, "spec:\n  paused: \"yes\"\n  replicas: 8\n");
//! # Ok::<(), gitops_yaml::Error>(())
//! ```
//!
//! * [`read`], [`read_all`] and [`ReadOptions`]: bytes to [`Node`]s, within limits.
//! * [`Node`], [`Mapping`], [`Scalar`]: the tree. Every node knows where it was read, and [`Spans`] its
//!   bytes.
//! * [`resolve`] and [`Flavour`]: what a plain scalar is, to yaml.v2 and to yaml.v3.
//! * [`to_yaml`]: the bytes that kustomize and `sigs.k8s.io/yaml` print; [`to_yaml_pretty`]: those of
//!   yaml.v3; [`to_yaml_styled`]: in the styles that were read; [`to_json_text`]: those of Go's JSON. [`Emit`]: any other tree in the same bytes.
//! * [`merge_strategic`], [`Schema`] and [`JsonPatch`]: patches as kustomize applies them;
//!   [`heed_schema_comments`]: merge keys that stand in comments.
//! * [`merge_json`], [`diff_json`] and [`three_way_patch`]: JSON merge patches.
//! * [`FieldPath`]: `spec.containers[name=app].image`; [`Edits`]: a scalar changed in a text of which
//!   nothing else changes.
//! * [`Node::from_json`] and [`Node::to_json`]: the crossing to `serde_json`.
//!
//! Invariant: no process state; the same bytes give the same nodes, and the same nodes the same
//! bytes.

mod bytes;
mod edit;
mod emit;
mod error;
mod json;
mod merge;
mod node;
mod path;
mod read;
mod resolve;
mod schema;
mod stream;

pub use edit::Edits;
pub use emit::{
    AsV2, Emit, Entries, View, check_yaml, to_json_pretty, to_json_text, to_yaml, to_yaml_pretty,
    to_yaml_styled, write_yaml,
};
pub use error::{Error, ErrorKind};
pub use json::{to_json, wanted_text};
pub use merge::{JsonPatch, diff_json, merge_json, merge_strategic, three_way_patch};
pub use node::{
    Content, Entry, IntoEntries, Mapping, Node, Place, Scalar, ScalarStyle, ScalarType, Sequence,
    Text,
};
pub use path::{FieldPath, PathStep};
pub use read::{Duplicates, ReadOptions, Spans, read, read_all, read_first};
pub use resolve::{Flavour, Number, resolve};
pub use schema::{Schema, heed_schema_comments};
pub use stream::split_documents;
