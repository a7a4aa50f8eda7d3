//! An artifact of a registry as a source.
//!
//! Follows what Flux's source-controller makes of go-containerregistry, whose texts of errors it
//! shows; differs in that layers are bounded and checked against their digest as they arrive.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read as _, Seek as _},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use gitops_core::{
    ArchiveEntry, Cancelled, Digest, Limits, MemoryTree, Revision, SafeUrl, Scope, TreeErrorKind,
    unpack_unless,
};

use super::{
    credentials::DockerConfig,
    manifest::{OciDescriptor, OciManifest},
    reference::OciRepositoryName,
    registry::{Registries, Registry, RegistryOptions},
};
use crate::{Fetched, Resolved, Source, SourceError, Subject, Tls, Version, VersionRange, go};

/// The media type of a Helm chart; tags of charts write the `+` of a version as `_`.
const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

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
    repository: OciRepositoryName,
    reference: OciReference,
    media_type: Option<String>,
    registries: Registries,
    options: RegistryOptions,
    timeout: Duration,
    limits: Limits,
}

/// A layer as it is in the registry.
#[derive(Debug)]
#[non_exhaustive]
pub struct FetchedLayer {
    /// What it is called.
    pub revision: Revision,
    /// Its bytes; a file without a name, at its beginning.
    pub file: File,
    /// What it is.
    pub media_type: String,
    /// The artifact that it belongs to.
    pub subject: Subject,
}

impl OciSource {
    /// A repository `oci://<registry>/<repository>`; the timeout is 60 s.
    ///
    /// # Errors
    /// [`SourceError::Invalid`] when the URL is none, or holds a tag or digest.
    pub fn new(url: &str, reference: OciReference) -> Result<Self, SourceError> {
        Ok(Self {
            repository: OciRepositoryName::parse_like_docker(url)?,
            reference,
            media_type: None,
            registries: Registries::new(),
            options: RegistryOptions::default(),
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
        self.options.credentials = credentials;
        self
    }

    /// Whether plain HTTP will do, and any certificate.
    #[must_use]
    pub fn with_insecure(mut self, insecure: bool) -> Self {
        self.options.insecure = insecure;
        self
    }

    /// Certificates beyond the system's.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.options.tls = tls;
        self
    }

    /// A proxy: an `http`, `https` or `socks5` URL.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Option<SafeUrl>) -> Self {
        self.options.proxy = proxy;
        self
    }

    /// Registries that were spoken to already, with their connections and tokens.
    #[must_use]
    pub fn with_registries(mut self, registries: Registries) -> Self {
        self.registries = registries;
        self
    }

    /// How long `resolve` and `fetch` may each take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How large a layer may be, packed and unpacked.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The repository.
    pub fn repository(&self) -> &OciRepositoryName {
        &self.repository
    }

    /// How its registry is reached.
    pub fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// What was resolved, as people write it: `<registry>/<repository>:<tag>`, or with a digest.
    pub fn shown(&self, at: &Resolved) -> String {
        match at.revision.name() {
            Some(tag) => format!("{}:{tag}", self.repository),
            None => format!("{}@{}", self.repository, at.target),
        }
    }

    /// Greets the repository's registry.
    ///
    /// # Errors
    /// As [`Registries::open`].
    pub async fn registry(&self) -> Result<Registry, SourceError> {
        self.registries.open(&self.repository, &self.options).await
    }

    /// Fetches the layer of what was resolved as it is, without unpacking it.
    ///
    /// # Errors
    /// As [`Source::fetch`].
    pub async fn fetch_layer(
        &self,
        at: &Resolved,
        scope: &Scope,
    ) -> Result<FetchedLayer, SourceError> {
        let (file, layer, annotations) = self.bounded(scope, self.pull(at, scope)).await?;
        Ok(FetchedLayer {
            revision: at.revision.clone(),
            file,
            media_type: layer.media_type,
            subject: Subject::Image { digest: at.target.clone(), annotations },
        })
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

    async fn look_up(&self) -> Result<Resolved, SourceError> {
        let digest = |error: SourceError| error.during("failed to determine artifact digest");
        let tag = match &self.reference {
            OciReference::Digest(text) => {
                let parsed: Digest = text.parse().map_err(|error: gitops_core::DigestError| {
                    digest(SourceError::Invalid(
                        super::reference::hash_problem(text, &error).into(),
                    ))
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
        let tags = self.registry().await?.tags().await?;
        let filter = filter
            .filter(|text| !text.is_empty())
            .map(gitops_template::re2::Regex::new)
            .transpose();
        let filter = filter.map_err(|error| SourceError::Invalid(error.to_string().into()))?;
        let range: VersionRange = text.parse().map_err(|error| {
            SourceError::Invalid(format!("semver '{text}' parse error: {error}").into())
        })?;
        let wanted = tags.iter().filter(|tag| filter.as_ref().is_none_or(|own| own.is_match(tag)));
        let chart = self.media_type.as_deref() == Some(CHART);
        let versions = wanted.filter_map(|tag| {
            let version = if chart {
                Version::from_tag(&tag.replace('_', "+"))
            } else {
                Version::from_tag(tag)
            };
            version.filter(|version| range.contains(version)).map(|version| (version, tag))
        });
        let highest = versions.max_by(|(one, _), (other, _)| one.cmp(other));
        highest.map(|(_, tag)| tag.clone()).ok_or_else(|| {
            SourceError::NotFound(format!("no match found for semver: {text}").into())
        })
    }

    /// The chosen layer, what it is, and the annotations of the manifest.
    async fn pull(
        &self,
        at: &Resolved,
        scope: &Scope,
    ) -> Result<(File, OciDescriptor, BTreeMap<String, String>), SourceError> {
        let doing = format!("failed to pull artifact from 'oci://{}'", self.repository);
        let pulling = |error: SourceError| error.during(doing.clone());
        let registry = self.registry().await.map_err(pulling)?;
        let raw = registry.manifest(&at.target).await.map_err(pulling)?;
        let mut manifest = OciManifest::parse(&raw.bytes).map_err(layer_failure)?;
        if let Some(platform) = manifest.for_platform() {
            let raw = registry.manifest(&platform.digest).await.map_err(pulling)?;
            manifest = OciManifest::parse(&raw.bytes).map_err(layer_failure)?;
            if !manifest.manifests.is_empty() && manifest.layers.is_empty() {
                let why = "an index that leads to another index is not supported";
                return Err(pulling(SourceError::content(why)));
            }
        }
        let layer = self.choose(&manifest).map_err(layer_failure)?.clone();
        let file = async { registry.blob(&layer.parsed_digest()?, self.limits.bytes, scope).await };
        let file = file.await.map_err(|error| {
            layer_failure(error.during("failed to extract the first layer from artifact"))
        })?;
        Ok((file, layer, manifest.annotations))
    }

    fn choose<'m>(&self, manifest: &'m OciManifest) -> Result<&'m OciDescriptor, SourceError> {
        match &self.media_type {
            _ if manifest.layers.is_empty() => {
                Err(SourceError::content("no layers found in artifact"))
            }
            None => Ok(&manifest.layers[0]),
            Some(wanted) => {
                let found = manifest.layers.iter().find(|layer| layer.media_type == *wanted);
                found.ok_or_else(|| {
                    let why =
                        format!("failed to find layer with media type '{wanted}' in artifact");
                    SourceError::NotFound(why.into())
                })
            }
        }
    }
}

fn layer_failure(error: SourceError) -> SourceError {
    match error {
        SourceError::Cancelled(_) => error,
        error => SourceError::Layer(Box::new(error)),
    }
}

fn extract(mut file: File, limits: &Limits) -> Result<MemoryTree, SourceError> {
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
    unpack_unless(std::io::BufReader::new(file), limits, refused).map_err(|error| {
        match (&error.kind, error.kind.to_string()) {
            (TreeErrorKind::Unreadable(why), _) => SourceError::content(why.as_str()),
            (TreeErrorKind::Io(io), _) if io.kind() == ErrorKind::UnexpectedEof => {
                SourceError::content("tar error: unexpected EOF")
            }
            (TreeErrorKind::Io(_), why)
                if why.contains("deflate") || why.contains("entire block") =>
            {
                SourceError::content("tar error: unexpected EOF")
            }
            (TreeErrorKind::Io(_), why)
                if why.contains("numeric field") || why.contains("cksum") =>
            {
                SourceError::content("tar error: archive/tar: invalid tar header")
            }
            _ => error.into(),
        }
    })
}

/// What Flux does not take of a layer: it asks before a path is made a clean one.
fn refused(entry: ArchiveEntry<'_>) -> Option<String> {
    let ArchiveEntry { path, kind, permissions, .. } = entry;
    if path.is_empty() || path.contains('\\') || path.starts_with('/') || path.contains("../") {
        return Some(format!("tar contained invalid name error {}", go::quoted(path)));
    }
    let letters = match kind {
        'p' => "p",
        'c' => "Dc",
        'b' => "D",
        _ => return None,
    };
    let permissions: String = "rwxrwxrwx"
        .chars()
        .enumerate()
        .map(|(at, letter)| if permissions & (0o400 >> at) == 0 { '-' } else { letter })
        .collect();
    Some(format!("tar file entry {path} contained unsupported file type {letters}{permissions}"))
}

#[async_trait]
impl Source for OciSource {
    async fn resolve(&self, scope: &Scope) -> Result<Resolved, SourceError> {
        self.bounded(scope, self.look_up()).await
    }

    async fn fetch(&self, at: &Resolved, scope: &Scope) -> Result<Fetched, SourceError> {
        let layer = self.fetch_layer(at, scope).await?;
        let limits = self.limits;
        let unpacked = tokio::task::spawn_blocking(move || extract(layer.file, &limits)).await;
        let tree = unpacked.map_err(|_| SourceError::Cancelled(Cancelled))?;
        let tree = tree.map_err(|error| {
            layer_failure(error.during("failed to extract layer contents from artifact"))
        })?;
        Ok(Fetched { revision: layer.revision, tree: Arc::new(tree), subject: layer.subject })
    }
}
