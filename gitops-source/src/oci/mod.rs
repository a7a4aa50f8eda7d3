//! Artifacts in container registries.
//!
//! [`Registry`] is a client for the distribution API of its own right: it reads, lists and writes.
//! [`OciSource`] is the source that it makes.

mod answer;
mod artifact;
mod auth;
mod blobs;
mod credentials;
mod manifest;
mod reference;
mod referrers;
mod registry;
mod source;

pub use artifact::{CONFIG_MEDIA_TYPE, CONTENT_MEDIA_TYPE, OciArtifact, STATIC_MEDIA_TYPE};
pub use credentials::{DockerConfig, RegistryCredential};
pub use manifest::{OciDescriptor, OciManifest};
pub use reference::{OciName, OciRepositoryName};
pub use registry::{RawManifest, Registries, Registry, RegistryOptions};
pub use source::{FetchedLayer, OciReference, OciSource};
