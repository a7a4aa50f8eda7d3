//! What the reconciler needs from elsewhere: artifacts, builds, and somebody to tell.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use gitops_api::{
    kustomize::{Kustomization, KustomizationStatus},
    source::Artifact,
};
use gitops_core::{Scope, Tree};
use serde_json::Value;

/// Why there are no files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The server has no such file: the source is about to make a newer one.
    #[error("file not found")]
    NotFound,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Downloads artifacts and checks their digests.
#[async_trait]
pub(crate) trait Artifacts: Debug + Send + Sync {
    /// The files of an artifact.
    async fn fetch(&self, artifact: &Artifact, scope: &Scope) -> Result<Arc<dyn Tree>, FetchError>;
}

/// What a build gave.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// The digest of the built YAML, `sha256:<hex>`.
    pub(crate) digest: String,
    /// The objects, in the order of the build.
    pub(crate) objects: Vec<Value>,
}

/// Builds overlays.
pub(crate) trait Build: Debug + Send + Sync {
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
        tree: &dyn Tree,
        variables: Result<&BTreeMap<String, String>, &str>,
        scope: &Scope,
    ) -> Result<Built, String>;
}

/// Hears what happens during a turn.
#[async_trait]
pub(crate) trait Listener: Debug + Send + Sync {
    /// The step that begins: the message of the Reconciling condition.
    fn progress(&self, message: String);

    /// Something happened that people are told of. `reason` is that of the Ready condition then.
    fn event(&self, reason: &'static str, is_error: bool, message: String, revision: &Revisions);

    /// Writes the status as it is, now.
    async fn checkpoint(&self, status: &KustomizationStatus) -> Result<(), String>;
}

/// The revisions that an event names; empty for none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revisions {
    /// The revision of the artifact.
    pub(crate) revision: String,
    /// The revision that the artifact was made from.
    pub(crate) origin: Option<String>,
}
