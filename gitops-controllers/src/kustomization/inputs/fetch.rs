//! Artifacts from the server that their source names.

use std::sync::Arc;

use async_trait::async_trait;
use gitops_api::source::Artifact;
use gitops_core::{Class, Classify as _, Digest, Scope, Tree, one_line};
use gitops_source::ArtifactFetcher;

use crate::kustomization::seams::{Artifacts, FetchError};

/// Downloads artifacts over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher(ArtifactFetcher);

impl Fetcher {
    pub(crate) fn new(fetcher: ArtifactFetcher) -> Self {
        Self(fetcher)
    }
}

#[async_trait]
impl Artifacts for Fetcher {
    async fn fetch(&self, artifact: &Artifact, scope: &Scope) -> Result<Arc<dyn Tree>, FetchError> {
        let malformed = |text: String| FetchError::Other(Class::Invalid, text);
        let url = artifact
            .url
            .parse()
            .map_err(|_| malformed("the artifact's URL is malformed".into()))?;
        let digest: Digest = artifact
            .digest
            .parse()
            .map_err(|error: gitops_core::DigestError| malformed(error.to_string()))?;
        match self.0.fetch(&url, &digest, scope).await {
            Ok(tree) => Ok(tree),
            Err(gitops_source::FetchError::NotFound) => Err(FetchError::NotFound),
            Err(error) => Err(FetchError::Other(error.class(), one_line(&error))),
        }
    }
}
