//! Artifacts as Flux's command line makes them.

use std::collections::BTreeMap;

use bytes::Bytes;
use gitops_core::{Digest, Scope};

use super::{
    manifest::{OciDescriptor, OciManifest},
    registry::Registry,
};
use crate::SourceError;

/// The media type of an OCI manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of the configuration of an artifact.
pub const CONFIG_MEDIA_TYPE: &str = "application/vnd.cncf.flux.config.v1+json";
/// The media type of the layer of an artifact, a `tar.gz`.
pub const CONTENT_MEDIA_TYPE: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
/// The media type of a layer that is anything else.
pub const STATIC_MEDIA_TYPE: &str = "application/vnd.cncf.flux.content.v1";

/// Of an artifact without layers that a container could run; byte for byte Flux's.
const CONFIG: &[u8] = br#"{"architecture":"","created":"0001-01-01T00:00:00Z","os":"","rootfs":{"type":"layers","diff_ids":null},"config":{}}"#;

/// An artifact of one layer, ready to be pushed.
#[derive(Clone, Debug)]
pub struct OciArtifact {
    /// The layer.
    pub layer: Bytes,
    /// What the layer is, e.g. [`CONTENT_MEDIA_TYPE`].
    pub media_type: String,
    /// Notes on the manifest.
    pub annotations: BTreeMap<String, String>,
}

impl OciArtifact {
    /// Sends the artifact and names it by a tag, unless that is so already. Returns its digest.
    ///
    /// # Errors
    /// When the registry refuses a part of it; then the tag is as it was.
    pub async fn push(
        self,
        registry: &Registry,
        tag: &str,
        scope: &Scope,
    ) -> Result<Digest, SourceError> {
        let layer = OciDescriptor::of(&self.media_type, &self.layer);
        let config = OciDescriptor::of(CONFIG_MEDIA_TYPE, CONFIG);
        let manifest = Self::manifest(config, layer, self.annotations)?;
        let digest = Digest::sha256(&manifest);
        if registry.names(tag).await? == Some(digest.clone()) {
            return Ok(digest);
        }
        registry.push_blob(self.layer, &self.media_type, scope).await?;
        registry.push_blob(Bytes::from_static(CONFIG), CONFIG_MEDIA_TYPE, scope).await?;
        registry.push_manifest(Some(tag), manifest, MANIFEST).await
    }

    fn manifest(
        config: OciDescriptor,
        layer: OciDescriptor,
        annotations: BTreeMap<String, String>,
    ) -> Result<Bytes, SourceError> {
        let manifest = OciManifest {
            schema_version: 2,
            media_type: MANIFEST.into(),
            config: Some(config),
            layers: vec![layer],
            annotations,
            ..OciManifest::default()
        };
        let bytes = serde_json::to_vec(&manifest)
            .map_err(|error| SourceError::content(format!("cannot write manifest: {error}")))?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_those_of_flux() {
        let config = OciDescriptor::of(CONFIG_MEDIA_TYPE, CONFIG);
        let layer = OciDescriptor::of(CONTENT_MEDIA_TYPE, b"x");
        let annotations = [("a".to_owned(), "b".to_owned())].into();
        let manifest = OciArtifact::manifest(config, layer.clone(), annotations).unwrap();
        let expected = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{{\"mediaType\":\
             \"{CONFIG_MEDIA_TYPE}\",\"size\":115,\"digest\":\"sha256:\
             5b943e2b943f6c81dbbd4e2eca5121f4fcc39139e3d1219d6d89bd925b77d9fe\"}},\"layers\":\
             [{{\"mediaType\":\"{CONTENT_MEDIA_TYPE}\",\"size\":1,\"digest\":\"{}\"}}],\
             \"annotations\":{{\"a\":\"b\"}}}}",
            layer.digest
        );
        assert_eq!(String::from_utf8(manifest.to_vec()).unwrap(), expected);
    }
}
