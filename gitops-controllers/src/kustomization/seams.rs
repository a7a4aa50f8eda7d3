//! What the reconciler needs from elsewhere: artifacts and builds.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use gitops_api::{kustomize::Kustomization, source::Artifact};
use gitops_core::{Class, ObjectId, Scope, Tree};
use serde_json::Value;

use super::Options;
use crate::runtime::Place;

/// Why there are no files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The server has no such file: the source is about to make a newer one.
    #[error("file not found")]
    NotFound,
    /// Anything else.
    #[error("{1}")]
    Other(Class, String),
}

/// Downloads artifacts and checks their digests.
#[async_trait]
pub(crate) trait Artifacts: Debug + Send + Sync {
    /// The files of an artifact.
    async fn fetch(&self, artifact: &Artifact, scope: &Scope) -> Result<Arc<dyn Tree>, FetchError>;
}

/// What a build gave.
#[derive(Debug, Default)]
pub struct Built {
    /// The digest of the built YAML, `sha256:<hex>`.
    pub digest: String,
    /// The objects, in the order of the build.
    pub objects: Vec<Value>,
    /// Where objects are written, as far as they are not generated.
    pub places: Vec<(ObjectId, Place)>,
    /// What a person should know, with its place where it has one.
    pub warnings: Vec<String>,
}

/// Why a build failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Unbuilt {
    /// Flux's words, for the status.
    pub message: String,
    /// The same for a person who can see the files: with the place, the line and the chain of
    /// kustomizations, where these are known.
    pub page: String,
}

impl From<String> for Unbuilt {
    /// A failure of which no more is known than its message.
    fn from(message: String) -> Self {
        Self { page: message.clone(), message }
    }
}

/// Builds overlays.
pub trait Build: Debug + Send + Sync {
    /// Whether the directory of a Kustomization exists.
    ///
    /// # Errors
    /// Flux's words for a missing path.
    fn find(&self, object: &Kustomization, tree: &dyn Tree) -> Result<(), String>;

    /// Builds and substitutes. Blocks; call it where that is allowed.
    ///
    /// # Errors
    /// Flux's words for the failure.
    fn build(
        &self,
        object: &Kustomization,
        tree: &Arc<dyn Tree>,
        variables: Result<&BTreeMap<String, String>, &str>,
        options: &Options,
        scope: &Scope,
    ) -> Result<Built, Unbuilt>;
}
