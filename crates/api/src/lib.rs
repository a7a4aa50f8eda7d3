//! The custom resources of the toolkit as Rust types, and their CRDs.
//!
//! ```
//! use gitops_api::source::GitRepository;
//!
//! let repository: GitRepository = serde_json::from_value(serde_json::json!({
//!     "apiVersion": "source.toolkit.fluxcd.io/v1",
//!     "kind": "GitRepository",
//!     "metadata": { "name": "podinfo", "namespace": "apps" },
//!     "spec": { "interval": "10m", "url": "https://example.com/podinfo.git" },
//! }))?;
//! assert_eq!(repository.spec.interval.to_string(), "10m0s");
//! assert_eq!(repository.spec.timeout.to_string(), "1m0s");
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! * [`source`]: where artifacts come from.
//! * [`kustomize`]: an artifact that is built and applied.
//! * [`helm`]: a chart that is released.
//! * [`notification`]: what is told to whom, and who may ask for a reconciliation.
//! * [`image`]: which image tags there are, and how new ones get into Git.
//! * [`meta`]: what the kinds share, and the names that are fixed by the API.
//! * [`crds`] and [`crd_yaml`]: the definitions, for a cluster to learn the kinds from.
//!
//! Reading is lenient: unknown fields are skipped, absent ones have their defaults. A field of a
//! wrong type is an error of that object; read lists as untyped objects and convert one by one, so
//! that one bad object does not hide the others. Absent fields are not written.
//!
//! Invariant: no logic. The types say what may be written; the controllers say what it does.

#![allow(clippy::struct_excessive_bools, reason = "the flags are those of the API")]

pub mod helm;
pub mod image;
pub mod kustomize;
pub mod meta;
pub mod notification;
pub mod source;

mod crds;
mod schema;

pub use crds::{crd_yaml, crds};
