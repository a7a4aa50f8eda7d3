//! What refers to an artifact: signatures, bundles, attestations.

use gitops_core::Digest;
use reqwest::{Method, StatusCode, header::ACCEPT};

use super::{
    answer::{accepted, limited, next_page},
    manifest::{OciDescriptor, OciManifest},
    registry::Registry,
};
use crate::SourceError;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MAX_INDEX: u64 = 4 << 20;
const MAX_PAGES: usize = 32;
const MAX_REFERRERS: usize = 1024;

impl Registry {
    /// The manifests whose subject is an artifact, of one kind if one is named. Registries without
    /// the API for it keep them in an index with a tag made of the digest.
    ///
    /// # Errors
    /// When the registry cannot be asked. That nothing refers to the artifact is no error.
    pub async fn referrers(
        &self,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<OciDescriptor>, SourceError> {
        let all = match self.listed(digest, artifact_type).await? {
            Some(all) => all,
            None => self.tagged(digest).await?,
        };
        // A registry need not filter.
        let wanted = |one: &OciDescriptor| {
            artifact_type.is_none() || one.artifact_type.as_deref() == artifact_type
        };
        Ok(all.into_iter().filter(wanted).take(MAX_REFERRERS).collect())
    }

    async fn listed(
        &self,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<OciDescriptor>>, SourceError> {
        let mut url = self.url(&format!("referrers/{digest}"));
        if let Some(kind) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", kind);
        }
        let mut all = Vec::new();
        let mut next = Some(url);
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            let request = self.request(Method::GET, &url).header(ACCEPT, INDEX);
            let (response, _) = self.send(request).await?;
            // A registry that does not know the API may take the path for something else.
            if matches!(
                response.status(),
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST
            ) {
                return Ok(None);
            }
            let response = accepted(response, "GET", &url).await?;
            next = next_page(response.headers(), &url);
            let body = limited(response, MAX_INDEX).await?;
            let Ok(index) = OciManifest::parse(&body) else { return Ok(None) };
            all.extend(index.manifests);
            if all.len() > MAX_REFERRERS {
                break;
            }
        }
        Ok(Some(all))
    }

    async fn tagged(&self, digest: &Digest) -> Result<Vec<OciDescriptor>, SourceError> {
        let tag = format!("{}-{}", digest.algorithm().name(), digest.hex());
        match self.manifest(&tag).await {
            Ok(raw) => Ok(OciManifest::parse(&raw.bytes)?.manifests),
            Err(SourceError::NotFound(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
