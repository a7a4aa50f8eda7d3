//! Where charts are found by name: in an index, and in a registry.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use gitops_core::{ArtifactKey, Cancelled, Digest, Scope, Version, VersionRange};

use super::{
    build::{ChartRepository, FindChartError},
    entry::{ChartChoiceError, ChartVersion, choose_version},
    find::{ReadAt, find_chart},
    repository::{FoundIndex, HelmRepositories, HelmRepository},
};
use crate::{
    ArtifactStore, OciManifest, OciRepositoryName, Registries, RegistryOptions, SourceError,
    StoreError,
};

/// The media types of a layer that is the package of a chart.
const CHART_LAYERS: [&str; 2] =
    ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// The media type of a configuration: what the chart says of itself.
const CONFIGURATION: &str = "application/vnd.cncf.helm.config.v1+json";
/// The media type of a layer that says who signed it.
const PROVENANCE_LAYER: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";

/// The charts of a repository with an index.
#[derive(Clone)]
pub struct IndexedCharts {
    repositories: Arc<HelmRepositories>,
    repository: HelmRepository,
    stored: Option<(Arc<dyn ArtifactStore>, ArtifactKey, String)>,
}

impl fmt::Debug for IndexedCharts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexedCharts")
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

impl IndexedCharts {
    /// The charts of a repository, whose index is fetched when it is needed.
    pub fn new(repositories: Arc<HelmRepositories>, repository: HelmRepository) -> Self {
        Self { repositories, repository, stored: None }
    }

    /// Takes the index from a file of a store.
    #[must_use]
    pub fn with_stored_index(
        mut self,
        store: Arc<dyn ArtifactStore>,
        key: ArtifactKey,
        file: String,
    ) -> Self {
        self.stored = Some((store, key, file));
        self
    }

    async fn versions(
        &self,
        chart: &str,
        scope: &Scope,
    ) -> Result<Option<Vec<ChartVersion>>, SourceError> {
        let chart = chart.to_owned();
        let looked_up = if let Some((store, key, file)) = &self.stored {
            let open = store.open(key, file).await.map_err(|error| match error {
                StoreError::Cancelled(error) => SourceError::Cancelled(error),
                error => SourceError::content(format!("failed to load index: {error}")),
            })?;
            tokio::task::spawn_blocking(move || {
                find_chart(tokio_util::io::SyncIoBridge::new(open.body), &chart)
            })
            .await
        } else {
            let index = self.repositories.index(&self.repository, None, scope).await?;
            let FoundIndex::New(index) = index else {
                return Err(SourceError::content("the index is not there"));
            };
            tokio::task::spawn_blocking(move || {
                find_chart(ReadAt::new(Arc::clone(&index.file)), &chart)
            })
            .await
        };
        let found = looked_up.map_err(|_| SourceError::Cancelled(Cancelled))?;
        found.map_err(|source| SourceError::Disk { doing: "failed to load index", source })
    }
}

/// Follows Helm, which counts what it knows of a manifest: itself, the configuration, and layers.
fn check_descriptors(manifest: &OciManifest) -> Result<(), SourceError> {
    let has_configuration =
        manifest.config.as_ref().is_some_and(|config| config.media_type == CONFIGURATION);
    let known = |kind: &str| CHART_LAYERS.contains(&kind) || kind == PROVENANCE_LAYER;
    let layers = manifest.layers.iter().filter(|layer| known(&layer.media_type)).count();
    let found = 1 + usize::from(has_configuration) + layers;
    if found < 2 {
        return Err(SourceError::content(format!(
            "manifest does not contain minimum number of descriptors (2), descriptors found: {found}"
        )));
    }
    if !has_configuration {
        let why = format!("could not load config with mediatype {CONFIGURATION}");
        return Err(SourceError::content(why));
    }
    Ok(())
}

#[async_trait]
impl ChartRepository for IndexedCharts {
    async fn find(
        &self,
        chart: &str,
        range: &str,
        scope: &Scope,
    ) -> Result<ChartVersion, FindChartError> {
        let versions = self.versions(chart, scope).await?.ok_or(ChartChoiceError::Name)?;
        Ok(choose_version(versions, chart, range)?)
    }

    async fn verify(&self, _: &ChartVersion, _: &Scope) -> Result<(), SourceError> {
        Err(SourceError::Denied("not implemented".into()))
    }

    async fn download(&self, version: &ChartVersion, scope: &Scope) -> Result<Bytes, SourceError> {
        self.repositories.download(&self.repository, version, scope).await
    }

    async fn provenance(
        &self,
        version: &ChartVersion,
        scope: &Scope,
    ) -> Result<Bytes, SourceError> {
        let beside = version.urls.iter().take(1).map(|url| format!("{url}.prov")).collect();
        // The digest is that of the package.
        let version = ChartVersion { urls: beside, digest: String::new(), ..version.clone() };
        self.repositories.download(&self.repository, &version, scope).await
    }
}

/// Says whether what a tag of a registry names is signed as it should be.
#[async_trait]
pub trait VerifyImage: fmt::Debug + Send + Sync {
    /// Checks the signatures of a manifest.
    ///
    /// # Errors
    /// When none of them is good.
    async fn verify(
        &self,
        repository: &OciRepositoryName,
        digest: &Digest,
        scope: &Scope,
    ) -> Result<(), SourceError>;
}

/// The charts below a path of a registry.
#[derive(Clone, Debug)]
pub struct OciCharts {
    registries: Registries,
    options: RegistryOptions,
    url: String,
    timeout: Duration,
    limit: u64,
    verifier: Option<Arc<dyn VerifyImage>>,
    /// What was verified: nothing else is downloaded, whatever the tag names by then.
    verified: Arc<parking_lot::Mutex<Option<Digest>>>,
}

impl OciCharts {
    /// The charts below `oci://<registry>/<path>`; packages of up to 10 MiB, a minute for a step.
    pub fn new(url: &str, registries: Registries, options: RegistryOptions) -> Self {
        Self {
            registries,
            options,
            url: url.trim_end_matches('/').to_owned(),
            timeout: Duration::from_mins(1),
            limit: 10 << 20,
            verifier: None,
            verified: Arc::default(),
        }
    }

    /// How long each step may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The largest package, in bytes.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// Who judges signatures.
    #[must_use]
    pub fn with_verifier(mut self, verifier: Arc<dyn VerifyImage>) -> Self {
        self.verifier = Some(verifier);
        self
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

    async fn choose(&self, chart: &str, range: &str) -> Result<String, SourceError> {
        let reference = format!("{}/{chart}", self.url);
        let tags = async {
            let name = OciRepositoryName::parse(&reference)?;
            let registry = self.registries.open(&name, &self.options).await?;
            registry.tags().await
        };
        let tags = tags.await.map_err(|error| {
            let why = self.distribution_words(&error, &reference, "tags/list");
            let quoted = (crate::go::quoted(chart), crate::go::quoted(&reference));
            SourceError::Network(
                format!(
                    "could not get tags for {}: could not fetch tags for {}: {why}",
                    quoted.0, quoted.1
                )
                .into(),
            )
        })?;
        // `+` cannot stand in a tag, and what is no version is no chart.
        let tags = tags.into_iter().map(|tag| tag.replace('_', "+"));
        let tags: Vec<String> = tags.filter(|tag| Version::from_tag(tag).is_some()).collect();
        if tags.is_empty() {
            let quoted = crate::go::quoted(chart);
            let why = format!("unable to locate any tags in provided repository: {reference}");
            let text = format!("could not get tags for {quoted}: {why}");
            return Err(SourceError::Network(text.into()));
        }
        if let Some(exact) = tags.iter().find(|tag| !range.is_empty() && *tag == range) {
            return Ok(exact.clone());
        }
        let parsed: VersionRange = if range.is_empty() { "*" } else { range }.parse().map_err(
            |error: gitops_core::VersionRangeError| SourceError::Invalid(error.to_string().into()),
        )?;
        let fitting = tags.iter().filter_map(|tag| Version::from_tag(tag));
        let highest = fitting.filter(|version| parsed.contains(version)).max();
        highest.map(|version| version.original().to_owned()).ok_or_else(|| {
            let why =
                format!("could not locate a version matching provided version string {range}");
            SourceError::NotFound(why.into())
        })
    }

    /// The words in which Helm's registry library tells of a failure, made of ours. It asks for
    /// what it wants at once, without a greeting.
    fn distribution_words(&self, error: &SourceError, reference: &str, wanted: &str) -> String {
        let text = gitops_core::one_line(error);
        let anonymous = OciRepositoryName::parse(reference)
            .is_ok_and(|name| self.options.credentials.of(&name).is_none());
        let path = reference.trim_start_matches("oci://").split_once('/').map_or("", |own| own.1);
        // Of two attempts it made the last one only.
        let last = text.rsplit_once("; ").map_or(text.as_str(), |(_, last)| last);
        if last.starts_with("Get \"") && last.contains("/v2/\": ") {
            return last.replacen("/v2/\": ", &format!("/v2/{path}/{wanted}\": "), 1);
        }
        refusal_words(&text, anonymous).unwrap_or(text)
    }

    fn place(&self, version: &ChartVersion) -> Result<(OciRepositoryName, String), SourceError> {
        let name = OciRepositoryName::parse(&format!("{}/{}", self.url, version.name))?;
        Ok((name, version.version.replace('+', "_")))
    }

    async fn pull(&self, version: &ChartVersion, kinds: &[&str]) -> Result<Bytes, SourceError> {
        let (name, tag) = self.place(version)?;
        let verified = self.verified.lock().clone();
        let reference = verified.map_or(tag, |digest| digest.to_string());
        let manifest = async {
            let registry = self.registries.open(&name, &self.options).await?;
            let manifest = registry.manifest(&reference).await?;
            Ok((registry, manifest))
        };
        let (registry, manifest) = manifest.await.map_err(|error: SourceError| {
            let doing = "failed to perform \"FetchReference\" on source";
            if matches!(error, SourceError::NotFound(_)) {
                let why = format!("{doing}: {name}:{reference}: not found");
                return SourceError::NotFound(why.into());
            }
            let place = format!("oci://{name}");
            let why = self.distribution_words(&error, &place, &format!("manifests/{reference}"));
            error.retold(format!("{doing}: {why}"))
        })?;
        let manifest = OciManifest::parse(&manifest.bytes)?;
        check_descriptors(&manifest)?;
        let layer = manifest
            .layers
            .iter()
            .find(|layer| kinds.contains(&layer.media_type.as_str()))
            .ok_or_else(|| {
                let wanted = kinds[0];
                SourceError::content(format!(
                    "manifest does not contain a layer with mediatype {wanted}"
                ))
            })?;
        let digest = layer.parsed_digest()?;
        registry.small_blob(&digest, self.limit).await.map(Bytes::from)
    }
}

/// What a registry refused, in the words of Helm's registry library.
fn refusal_words(text: &str, anonymous: bool) -> Option<String> {
    let (method, rest) = text.split_once(' ')?;
    let (url, why) = rest.split_once(": ")?;
    let url = crate::go::quoted(url.split_once('?').map_or(url, |(url, _)| url));
    if let Some(rest) = why.strip_prefix("unexpected status code ") {
        let status = rest.split_once(": ").map_or(rest, |(status, _)| status);
        let (code, name) = status.split_once(' ').unwrap_or((status, ""));
        if code == "401" && anonymous {
            // Asked for a name and a password, it has none to give.
            return Some(format!("{method} {url}: basic credential not found"));
        }
        return Some(format!("{method} {url}: response status code {code}: {name}"));
    }
    let (code, message) = why.split_once(": ").unwrap_or((why, ""));
    let plain = !code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let status = match code {
        "UNAUTHORIZED" => 401,
        "DENIED" => 403,
        _ => 404,
    };
    plain.then(|| {
        let code = code.to_lowercase().replace('_', " ");
        let colon = if message.is_empty() { "" } else { ": " };
        format!("{method} {url}: response status code {status}: {code}{colon}{message}")
    })
}

#[async_trait]
impl ChartRepository for OciCharts {
    async fn find(
        &self,
        chart: &str,
        range: &str,
        scope: &Scope,
    ) -> Result<ChartVersion, FindChartError> {
        // A whole version needs no list of tags.
        let version = match Version::from_tag(range) {
            Some(_) => range.to_owned(),
            None => self.bounded(scope, self.choose(chart, range)).await?,
        };
        let url = format!("{}/{chart}:{version}", self.url);
        let name = chart.to_owned();
        Ok(ChartVersion { name, version, urls: vec![url], ..ChartVersion::default() })
    }

    async fn verify(&self, version: &ChartVersion, scope: &Scope) -> Result<(), SourceError> {
        let work = async {
            let Some(verifier) = &self.verifier else {
                return Err(SourceError::Denied("no verifiers available".into()));
            };
            let (name, tag) = self.place(version)?;
            let registry = self.registries.open(&name, &self.options).await?;
            let digest = registry.digest(&tag).await?;
            let verified = verifier.verify(&name, &digest, scope).await;
            let shown = version.urls.first().map_or(version.name.as_str(), String::as_str);
            verified.map_err(|error| error.during(format!("failed to verify {shown}")))?;
            *self.verified.lock() = Some(digest);
            Ok(())
        };
        self.bounded(scope, work).await
    }

    async fn download(&self, version: &ChartVersion, scope: &Scope) -> Result<Bytes, SourceError> {
        let doing = format!("failed to get '{}/{}:{}'", self.url, version.name, version.version);
        let pulled = self.bounded(scope, self.pull(version, &CHART_LAYERS)).await;
        pulled.map_err(|error| error.during(doing))
    }

    async fn provenance(
        &self,
        version: &ChartVersion,
        scope: &Scope,
    ) -> Result<Bytes, SourceError> {
        self.bounded(scope, self.pull(version, &[PROVENANCE_LAYER])).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_need_a_configuration_and_more() {
        let checked = |configuration: &str, layers: &[&str]| {
            let layers: Vec<_> = layers
                .iter()
                .map(|kind| serde_json::json!({"mediaType": kind, "digest": "sha256:0", "size": 1}))
                .collect();
            let manifest = serde_json::json!({
                "schemaVersion": 2,
                "config": {"mediaType": configuration, "digest": "sha256:0", "size": 1},
                "layers": layers,
            });
            let manifest: OciManifest = serde_json::from_value(manifest).unwrap();
            check_descriptors(&manifest).map_err(|error| error.to_string())
        };
        assert_eq!(checked(CONFIGURATION, &CHART_LAYERS[..1]), Ok(()));
        let error = checked("application/json", &["text/plain"]).unwrap_err();
        assert!(
            error.contains("minimum number of descriptors (2), descriptors found: 1"),
            "{error}"
        );
        let error = checked("application/json", &[PROVENANCE_LAYER]).unwrap_err();
        assert!(error.contains("could not load config with mediatype"), "{error}");
    }
}
