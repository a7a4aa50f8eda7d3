//! Artifacts in container registries.
//!
//! Follows what Flux's source-controller makes of go-containerregistry, whose texts of errors it
//! shows; differs in that layers are bounded and checked against their digest as they arrive.

mod credentials;
mod registry;

use std::{collections::BTreeMap, io::Read as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use gitops_core::{Cancelled, Digest, Limits, MemoryTree, Revision, Scope, unpack};
use serde::Deserialize;

use crate::{Fetched, Resolved, Source, SourceError, Subject, Version, VersionRange};
use registry::{Registry, Repository};

pub use credentials::DockerConfig;

/// Which artifact of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OciReference {
    /// The one that a tag names.
    Tag(String),
    /// The highest tag in a range of versions.
    Semver {
        /// The range.
        range: String,
        /// A regular expression that a tag must match to be looked at.
        filter: Option<String>,
    },
    /// The one with a digest.
    Digest(String),
}

impl Default for OciReference {
    fn default() -> Self {
        Self::Tag("latest".into())
    }
}

/// An artifact in a registry, whose files stand in one of its layers as a `tar.gz`.
#[derive(Debug)]
pub struct OciSource {
    repository: Repository,
    reference: OciReference,
    media_type: Option<String>,
    credentials: DockerConfig,
    insecure: bool,
    timeout: Duration,
    limits: Limits,
}

impl OciSource {
    /// A repository `oci://<registry>/<repository>`; the timeout is 60 s.
    ///
    /// # Errors
    /// [`SourceError::Invalid`] when the URL is none, or holds a tag or digest.
    pub fn new(url: &str, reference: OciReference) -> Result<Self, SourceError> {
        Ok(Self {
            repository: Repository::parse(url)?,
            reference,
            media_type: None,
            credentials: DockerConfig::default(),
            insecure: false,
            timeout: Duration::from_mins(1),
            limits: Limits::default(),
        })
    }

    /// The first layer of this media type; else the first layer.
    #[must_use]
    pub fn with_media_type(mut self, media_type: Option<String>) -> Self {
        self.media_type = media_type.filter(|text| !text.is_empty());
        self
    }

    /// How to prove who asks.
    #[must_use]
    pub fn with_credentials(mut self, credentials: DockerConfig) -> Self {
        self.credentials = credentials;
        self
    }

    /// Whether plain HTTP will do.
    #[must_use]
    pub fn with_insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// How long `resolve` and `fetch` may each take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What was resolved, as people write it: `<registry>/<repository>:<tag>`, or with a digest.
    pub fn shown(&self, at: &Resolved) -> String {
        match at.revision.name() {
            Some(tag) => format!("{}:{tag}", self.repository),
            None => format!("{}@{}", self.repository, at.target),
        }
    }

    async fn bounded<T>(
        &self,
        scope: &Scope,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        match scope.run(tokio::time::timeout(self.timeout, work)).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(SourceError::network("context deadline exceeded")),
            Err(Cancelled) => Err(Cancelled.into()),
        }
    }

    async fn registry(&self) -> Result<Registry, SourceError> {
        Registry::open(&self.repository, &self.credentials, self.insecure).await
    }

    async fn look_up(&self) -> Result<Resolved, SourceError> {
        let digest = |error: SourceError| error.during("failed to determine artifact digest");
        let tag = match &self.reference {
            OciReference::Digest(text) => {
                let parsed: Digest = text.parse().map_err(|error: gitops_core::DigestError| {
                    digest(SourceError::Invalid(error.to_string().into()))
                })?;
                let revision = Revision::new(None, parsed.algorithm().name(), parsed.hex());
                return Ok(Resolved { revision, target: parsed.to_string() });
            }
            OciReference::Tag(tag) => tag.clone(),
            OciReference::Semver { range, filter } => {
                let doing =
                    format!("failed to determine the artifact tag for 'oci://{}'", self.repository);
                let chosen = self.highest(range, filter.as_deref()).await;
                chosen.map_err(|error| SourceError::Choice(Box::new(error.during(doing))))?
            }
        };
        let registry = self.registry().await.map_err(digest)?;
        let found = registry.digest(&tag).await.map_err(digest)?;
        let revision = Revision::new(Some(&tag), found.algorithm().name(), found.hex());
        Ok(Resolved { revision, target: found.to_string() })
    }

    async fn highest(&self, text: &str, filter: Option<&str>) -> Result<String, SourceError> {
        let range: VersionRange = text.parse().map_err(|error| {
            SourceError::Invalid(format!("semver '{text}' parse error: {error}").into())
        })?;
        let filter = filter.filter(|text| !text.is_empty()).map(regex::Regex::new).transpose();
        let filter = filter.map_err(|error| {
            SourceError::Invalid(format!("invalid regular expression: {error}").into())
        })?;
        let mut tags = self.registry().await?.tags().await?;
        if let Some(filter) = filter {
            tags.retain(|tag| filter.is_match(tag));
        }
        let versions = tags.iter().filter_map(|tag| Version::from_tag(tag));
        let highest = versions.filter(|version| range.contains(version)).max();
        highest.map(|version| version.original().to_owned()).ok_or_else(|| {
            SourceError::NotFound(format!("no match found for semver: {text}").into())
        })
    }

    async fn pull(&self, at: &Resolved) -> Result<(MemoryTree, Manifest), SourceError> {
        let doing = format!("failed to pull artifact from 'oci://{}'", self.repository);
        let pulling = |error: SourceError| error.during(doing.clone());
        let registry = self.registry().await.map_err(pulling)?;
        let mut raw = registry.manifest(&at.target).await.map_err(pulling)?;
        if let Some(platform) = Manifest::parse(&raw)?.for_platform() {
            raw = registry.manifest(&platform).await.map_err(pulling)?;
        }
        self.layer(&registry, &raw).await.map_err(|error| SourceError::Layer(Box::new(error)))
    }

    async fn layer(
        &self,
        registry: &Registry,
        manifest: &[u8],
    ) -> Result<(MemoryTree, Manifest), SourceError> {
        let manifest = Manifest::parse(manifest)?;
        let layer = match &self.media_type {
            _ if manifest.layers.is_empty() => {
                return Err(SourceError::content("no layers found in artifact"));
            }
            None => &manifest.layers[0],
            Some(wanted) => {
                let found = manifest.layers.iter().find(|layer| layer.media_type == *wanted);
                found.ok_or_else(|| {
                    let why =
                        format!("failed to find layer with media type '{wanted}' in artifact");
                    SourceError::NotFound(why.into())
                })?
            }
        };
        let digest: Digest = layer
            .digest
            .parse()
            .map_err(|error: gitops_core::DigestError| SourceError::content(error.to_string()))?;
        let file = registry
            .blob(&digest, self.limits.bytes)
            .await
            .map_err(|error| error.during("failed to extract the first layer from artifact"))?;
        let limits = self.limits;
        let unpacked = tokio::task::spawn_blocking(move || extract(file, &limits)).await;
        let tree = unpacked.map_err(|_| SourceError::Cancelled(Cancelled))?;
        let tree =
            tree.map_err(|error| error.during("failed to extract layer contents from artifact"))?;
        Ok((tree, manifest))
    }
}

fn extract(mut file: std::fs::File, limits: &Limits) -> Result<MemoryTree, SourceError> {
    use std::io::Seek as _;
    let disk = |source| SourceError::Disk { doing: "cannot read layer", source };
    let mut head = Vec::new();
    (&mut file).take(10).read_to_end(&mut head).map_err(disk)?;
    let why = match head.len() {
        0 => Some("EOF"),
        1..10 => Some("unexpected EOF"),
        _ if !head.starts_with(&[0x1f, 0x8b]) => Some("gzip: invalid header"),
        _ => None,
    };
    if let Some(why) = why {
        return Err(SourceError::content(format!("requires gzip-compressed body: {why}")));
    }
    file.rewind().map_err(disk)?;
    Ok(unpack(std::io::BufReader::new(file), limits)?)
}

#[async_trait]
impl Source for OciSource {
    async fn resolve(&self, scope: &Scope) -> Result<Resolved, SourceError> {
        self.bounded(scope, self.look_up()).await
    }

    async fn fetch(&self, at: &Resolved, scope: &Scope) -> Result<Fetched, SourceError> {
        let (tree, manifest) = self.bounded(scope, self.pull(at)).await?;
        Ok(Fetched {
            revision: at.revision.clone(),
            tree: Arc::new(tree),
            subject: Subject::Image {
                digest: at.target.clone(),
                annotations: manifest.annotations,
            },
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    /// Of an index.
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

impl Manifest {
    fn parse(raw: &[u8]) -> Result<Self, SourceError> {
        serde_json::from_slice(raw).map_err(|error| {
            SourceError::content(format!("failed to parse artifact manifest: {error}"))
        })
    }

    /// The manifest to take from an index: that of the platform which Flux takes.
    fn for_platform(&self) -> Option<String> {
        let fits = |entry: &&Descriptor| {
            let platform = entry.platform.as_ref();
            platform.is_none_or(|own| own.os == "linux" && own.architecture == "amd64")
        };
        self.manifests.iter().find(fits).map(|entry| entry.digest.clone())
    }
}
