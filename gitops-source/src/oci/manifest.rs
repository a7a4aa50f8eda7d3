//! What registries say of artifacts.

use std::collections::BTreeMap;

use gitops_core::Digest;
use serde::{Deserialize, Serialize};

use crate::SourceError;

/// The most layers, or entries of an index, that are looked at.
const MAX_DESCRIPTORS: usize = 4096;

/// An image manifest or an image index; which of the two, its fields tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciManifest {
    /// Always 2.
    #[serde(default)]
    pub schema_version: u32,
    /// What this is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// What kind of artifact; without it, the media type of the configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration; an index has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<OciDescriptor>,
    /// The layers, or of an index none.
    #[serde(default, deserialize_with = "nullable")]
    pub layers: Vec<OciDescriptor>,
    /// Of an index, what it leads to.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<OciDescriptor>,
    /// What this refers to, such as the artifact that a signature is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<OciDescriptor>,
    /// What people and tools noted.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Where something is, and what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciDescriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Size in bytes, as it was noted.
    #[serde(default)]
    pub size: u64,
    /// The digest, as it was written.
    pub digest: String,
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What people and tools noted.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) os: String,
}

/// Go writes an empty list or map as `null`.
fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl OciManifest {
    /// Reads a manifest or an index.
    ///
    /// # Errors
    /// When it is malformed or lists too much.
    pub fn parse(raw: &[u8]) -> Result<Self, SourceError> {
        let manifest: Self = serde_json::from_slice(raw).map_err(|error| {
            SourceError::content(format!("failed to parse artifact manifest: {error}"))
        })?;
        if manifest.layers.len().max(manifest.manifests.len()) > MAX_DESCRIPTORS {
            return Err(SourceError::content(format!(
                "failed to parse artifact manifest: more than {MAX_DESCRIPTORS} entries"
            )));
        }
        Ok(manifest)
    }

    /// The manifest to take from an index: that of the platform which Flux takes.
    pub(crate) fn for_platform(&self) -> Option<&OciDescriptor> {
        self.manifests.iter().find(|entry| {
            let platform = entry.platform.as_ref();
            platform.is_none_or(|own| own.os == "linux" && own.architecture == "amd64")
        })
    }
}

impl OciDescriptor {
    /// What some bytes are.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            size: bytes.len() as u64,
            digest: Digest::sha256(bytes).to_string(),
            ..Self::default()
        }
    }

    /// The digest.
    ///
    /// # Errors
    /// When it is malformed, or of an algorithm that is not known.
    pub fn parsed_digest(&self) -> Result<Digest, SourceError> {
        self.digest
            .parse()
            .map_err(|error: gitops_core::DigestError| SourceError::content(error.to_string()))
    }
}
