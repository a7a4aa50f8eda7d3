//! Where charts come from: sources as the caches of the process know them, and the repositories
//! behind them.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use gitops_api::{
    meta::reason,
    source::{
        Artifact as Recorded, Bucket, CloudProvider, GitRepository, HelmChart, HelmRepository,
        HelmRepositorySpec, HelmRepositoryType,
    },
};
use gitops_auth::AuthError;
use gitops_core::{ArtifactKey, Class, Digest, Failure, Scope, Stage, SystemClock, go_url};
use gitops_source::{
    ChartRepositories, ChartRepository, DockerConfig, HelmRepositories, IndexedCharts, OciCharts,
    OciReference, OciRepositoryName, OciSource, Registries, RegistryCredential, RegistryOptions,
    SourceError, Subject, TrustedRootRepository, Verifier, VerifyError, VerifyImage, normalize_url,
};
use kube::{Client, ResourceExt as _, api::ApiResource};
use serde_json::Value;

use super::{
    super::{
        common::{Storage, parsed},
        credentials,
        identity::Identities,
        oci::{
            cloud,
            signature::{self, Wanted},
        },
        secret_data,
    },
    repository,
};
use crate::runtime::{Cache, Caches, Change, Fault, Key, Queue};

/// The kinds that charts may come from.
const KINDS: [&str; 3] = ["HelmRepository", "GitRepository", "Bucket"];

/// The sources of charts.
#[derive(Clone)]
pub(crate) struct ChartSources {
    client: Client,
    storage: Storage,
    repositories: Arc<HelmRepositories>,
    registries: Registries,
    /// In the order of [`KINDS`].
    caches: [Arc<Cache>; 3],
    max_bytes: u64,
    identities: Identities,
    public_good: TrustedRootRepository,
}

/// A source that was found.
pub(super) enum Found {
    Repository(Box<HelmRepository>),
    Files { kind: &'static str, artifact: Recorded },
}

impl Found {
    pub(super) fn artifact(&self) -> Option<&Recorded> {
        match self {
            Self::Repository(repository) => repository.status.as_ref()?.artifact.as_ref(),
            Self::Files { artifact, .. } => Some(artifact),
        }
    }

    /// A registry has no index that could be stored.
    pub(super) fn needs_no_artifact(&self) -> bool {
        matches!(self, Self::Repository(repository)
            if repository.spec.type_ == Some(HelmRepositoryType::Oci))
    }
}

impl ChartSources {
    pub(super) fn new(
        client: Client,
        storage: Storage,
        repositories: Arc<HelmRepositories>,
        registries: Registries,
        caches: &Caches,
        selector: Option<&str>,
        max_bytes: u64,
    ) -> Self {
        let caches = [
            caches.watch(&ApiResource::erase::<HelmRepository>(&()), selector),
            caches.watch(&ApiResource::erase::<GitRepository>(&()), selector),
            caches.watch(&ApiResource::erase::<Bucket>(&()), selector),
        ];
        let identities = Identities::default();
        let public_good = TrustedRootRepository::public_good(Arc::new(SystemClock));
        Self {
            client,
            storage,
            repositories,
            registries,
            caches,
            max_bytes,
            identities,
            public_good,
        }
    }

    /// Takes on these identities towards clouds.
    pub(super) fn take_on(&mut self, identities: Identities) {
        self.identities = identities;
    }

    /// Queues charts whose source has another artifact than they were made from.
    pub(crate) fn follow(&self, charts: &Arc<Cache>, queue: &Arc<Queue>) {
        for (kind, cache) in KINDS.into_iter().zip(&self.caches) {
            let (charts, queue) = (Arc::downgrade(charts), Arc::clone(queue));
            cache.listen(move |change| {
                let Some(charts) = charts.upgrade() else { return };
                let Some(revision) = new_revision(change) else { return };
                for chart in charts.all() {
                    let reference = &chart.data["spec"]["sourceRef"];
                    let from_it = reference["kind"] == kind
                        && reference["name"] == change.key.name.as_str()
                        && chart.metadata.namespace.as_deref() == Some(&change.key.namespace);
                    let seen = &chart.data["status"]["observedSourceArtifactRevision"];
                    if from_it && *seen != revision {
                        queue.add(&Key::of(&chart), None);
                    }
                }
            });
        }
    }

    /// Completes when all sources are known.
    pub(super) async fn synced(&self) {
        for cache in &self.caches {
            cache.synced().await;
        }
    }

    /// A source by its kind and name; `None` for one that has no artifact.
    pub(super) fn find(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Found>, Failure> {
        let fail = |class, word: &'static str, why: String| {
            let message = format!("failed to get source: {why}");
            Failure::new(Stage::Fetch, Fault::new(class, message).reason(word))
        };
        let at = KINDS.iter().position(|known| *known == kind).ok_or_else(|| {
            let why =
                format!("unsupported source kind '{kind}', must be one of: [{}]", KINDS.join(" "));
            fail(Class::Invalid, reason::UNSUPPORTED_SOURCE_KIND, why)
        })?;
        let key = Key::new(namespace, name);
        let missing = || {
            let why = format!("{kind}.source.toolkit.fluxcd.io \"{name}\" not found");
            fail(Class::NotFound, reason::SOURCE_UNAVAILABLE, why)
        };
        let malformed = |error: serde_json::Error| {
            fail(Class::Invalid, reason::SOURCE_UNAVAILABLE, error.to_string())
        };
        if kind == "HelmRepository" {
            let found = self.caches[at].get_as(&key).ok_or_else(missing)?;
            return Ok(Some(Found::Repository(Box::new(found.map_err(malformed)?))));
        }
        let found = self.caches[at].get(&key).ok_or_else(missing)?;
        let artifact = match &found.data["status"]["artifact"] {
            Value::Null => return Ok(None),
            artifact => serde_json::from_value(artifact.clone()).map_err(malformed)?,
        };
        Ok(Some(Found::Files { kind: KINDS[at], artifact }))
    }

    /// The charts of a repository, for one chart or for the dependencies of others.
    pub(super) async fn charts(
        &self,
        object: &HelmRepository,
        chart: Option<&HelmChart>,
    ) -> Result<Arc<dyn ChartRepository>, Failure> {
        let invalid = |what: &str, why: String, word: &'static str| {
            let fault = Fault::new(Class::Invalid, format!("{what}: {why}")).reason(word);
            Failure::new(Stage::Validate, fault)
        };
        let url = normalize_url(&object.spec.url);
        if object.spec.type_ == Some(HelmRepositoryType::Oci) || url.starts_with("oci://") {
            if !url.starts_with("oci://") {
                let why = format!("invalid OCI registry URL: {url}");
                return Err(invalid("failed to construct Helm client", why, reason::FAILED));
            }
            return Ok(Arc::new(self.registry(object, &url, chart).await?));
        }
        let refused =
            |why: String| invalid("invalid Helm repository URL", why, reason::URL_INVALID);
        let parsed_url = go_url(&url).map_err(refused)?;
        let repository = repository::repository(&self.client, object, parsed_url).await?;
        let mut charts = IndexedCharts::new(Arc::clone(&self.repositories), repository);
        if let Some(artifact) = object.status.as_ref().and_then(|status| status.artifact.as_ref()) {
            let namespace = object.namespace().unwrap_or_default();
            let key = ArtifactKey::new("HelmRepository", &namespace, &object.name_any());
            if let Some(artifact) = parsed(&key, artifact) {
                let store = Arc::clone(&self.storage.store);
                charts = charts.with_stored_index(store, key, artifact.file);
            }
        }
        Ok(Arc::new(charts))
    }

    async fn registry(
        &self,
        object: &HelmRepository,
        url: &str,
        chart: Option<&HelmChart>,
    ) -> Result<OciCharts, Failure> {
        let denied = |message: String| {
            let fault = Fault::new(Class::Denied, message).reason(reason::AUTHENTICATION_FAILED);
            Failure::new(Stage::Fetch, fault)
        };
        let spec = &object.spec;
        let namespace = object.namespace().unwrap_or_default();
        let options = registry_options(&self.client, &namespace, spec, url).await;
        let mut options = options.map_err(denied)?;
        if spec.secret_ref.is_none()
            && let Some(cloud) = cloud(spec.provider)
        {
            let host = host(url);
            let about = ("HelmRepository", &Key::new(namespace.as_str(), object.name_any()));
            let login =
                self.identities.registry_login(&self.client, about, None, (cloud, host), None);
            let login = login.await?.map_err(|error| without_login(&error))?;
            let credential = RegistryCredential::Basic {
                username: login.username.unwrap_or_default(),
                password: login.secret,
            };
            options.credentials = DockerConfig::single(host, credential);
        }
        let mut charts = OciCharts::new(url, self.registries.clone(), options.clone())
            .with_limit(self.max_bytes);
        if let Some(chart) = chart
            && let Some(verifier) = self.verifier(chart, url, &options).await?
        {
            charts = charts.with_verifier(verifier);
        }
        if let Some(timeout) = &spec.timeout {
            charts = charts.with_timeout(timeout.get());
        }
        Ok(charts)
    }

    /// Who judges the signatures of a chart, where its spec wants them.
    async fn verifier(
        &self,
        chart: &HelmChart,
        url: &str,
        options: &RegistryOptions,
    ) -> Result<Option<Arc<dyn VerifyImage>>, Failure> {
        let Some(wanted) = &chart.spec.verify else { return Ok(None) };
        let wanted = Wanted {
            provider: wanted.provider,
            secret: wanted.secret_ref.as_ref().map(|reference| reference.name.as_str()),
            trusted_root: None,
            identities: &wanted.match_oidc_identity,
            subject: chart.name_any(),
            needs_keys: true,
        };
        let provider = wanted.shown();
        let fail = |why: String| {
            let message =
                format!("failed to verify the signature using provider '{provider}': {why}");
            let fault = Fault::new(Class::Denied, message).reason(reason::VERIFICATION_ERROR);
            Failure::new(Stage::Verify, fault)
        };
        let url = format!("{url}/{}", chart.spec.chart);
        let source = OciSource::new(&url, OciReference::default())
            .map_err(|error| fail(error.to_string()))?
            .with_credentials(options.credentials.clone())
            .with_tls(options.tls.clone())
            .with_insecure(options.insecure);
        let namespace = chart.namespace().unwrap_or_default();
        let (client, registries, roots) = (&self.client, &self.registries, &self.public_good);
        let verifier = signature::verifier(client, &namespace, wanted, registries, roots, &source);
        Ok(Some(Arc::new(Signatures(verifier.await.map_err(fail)?))))
    }

    /// The repositories that charts of a namespace may depend on.
    pub(super) fn of_namespace(&self, namespace: &str) -> NamespaceRepositories {
        NamespaceRepositories { sources: self.clone(), namespace: namespace.to_owned() }
    }
}

/// The signatures of charts in registries.
#[derive(Debug)]
struct Signatures(Box<dyn Verifier>);

#[async_trait]
impl VerifyImage for Signatures {
    async fn verify(
        &self,
        _: &OciRepositoryName,
        digest: &Digest,
        scope: &Scope,
    ) -> Result<(), SourceError> {
        let subject =
            Subject::Image { digest: digest.to_string(), annotations: BTreeMap::default() };
        let verified = self.0.verify(&subject, scope).await;
        verified.map(|_| ()).map_err(|error| {
            SourceError::Denied(match error {
                // Of charts Flux says it in other words than of images.
                VerifyError::Unsigned(_) => "no signatures found".into(),
                VerifyError::Unverified(why) if why.starts_with("no matching signatures were") => {
                    let why = "invalid signature when validating ASN.1 encoded signature";
                    format!("no matching signatures: {why}").into()
                }
                error => gitops_core::one_line(&error).into(),
            })
        })
    }
}

/// Where the change of a source leads: the revision of a new artifact.
fn new_revision(change: &Change) -> Option<Value> {
    let revision =
        |object: &kube::api::DynamicObject| object.data["status"]["artifact"]["revision"].clone();
    let new = change.new.as_deref().map(revision).filter(|revision| !revision.is_null())?;
    let old = change.old.as_deref().map(revision);
    (old.as_ref() != Some(&new)).then_some(new)
}

/// A failure to log in at a cloud's registry, as Flux tells it of charts.
fn without_login(error: &AuthError) -> Failure {
    let why = gitops_core::one_line(error);
    let message = format!("unable to get authentication data from OIDC: {why}");
    let fault = Fault::new(Class::Denied, message).reason(reason::AUTHENTICATION_FAILED);
    Failure::new(Stage::Fetch, fault)
}

/// The host, with its port, of the URL of a registry.
fn host(url: &str) -> &str {
    url.trim_start_matches("oci://").split('/').next().unwrap_or_default()
}

/// How a registry is reached; an error is the message.
async fn registry_options(
    client: &Client,
    namespace: &str,
    spec: &HelmRepositorySpec,
    url: &str,
) -> Result<RegistryOptions, String> {
    let mut options =
        RegistryOptions { insecure: spec.insecure, strict: true, ..RegistryOptions::default() };
    if let Some(reference) = &spec.cert_secret_ref {
        let place = format!("'{namespace}/{}'", reference.name);
        let data = credentials::secret(client, namespace, &reference.name).await;
        let data =
            data.map_err(|why| format!("failed to get TLS authentication secret {place}: {why}"))?;
        options.tls = secret_data::required_tls(&data, &place)
            .map_err(|why| format!("failed to construct Helm client's TLS config: {why}"))?;
    }
    if let Some(reference) = &spec.secret_ref {
        let place = format!("'{namespace}/{}'", reference.name);
        let data = credentials::secret(client, namespace, &reference.name).await;
        let data =
            data.map_err(|why| format!("failed to get authentication secret {place}: {why}"))?;
        let configure =
            |why: String| format!("failed to configure OCI registry authentication: {why}");
        let detect = |why| format!("failed to detect authentication methods: {why}");
        let basic = secret_data::basic(&data, &place).map_err(detect)?;
        let own = secret_data::tls(&data).map_err(detect)?;
        if let (None, Some(own)) = (&spec.cert_secret_ref, own) {
            options.tls = own;
        }
        if let Some(file) = data.get(".dockerconfigjson") {
            let parsed = DockerConfig::parse(file).map_err(|error| configure(error.to_string()))?;
            let known = OciRepositoryName::parse(url).is_ok_and(|own| parsed.of(&own).is_some());
            if !known {
                let (host, name) = (host(url), &reference.name);
                let place = format!("the docker-registry Secret '{name}'");
                return Err(configure(format!("no auth config for '{host}' in {place}")));
            }
            options.credentials = parsed;
        } else if let Some(basic) = basic {
            let credential =
                RegistryCredential::Basic { username: basic.username, password: basic.password };
            options.credentials = DockerConfig::single(host(url), credential);
        }
    }
    Ok(options)
}

/// The repositories that charts of a namespace may depend on: objects there with the same URL, and
/// anything else without credentials.
pub(super) struct NamespaceRepositories {
    sources: ChartSources,
    namespace: String,
}

#[async_trait]
impl ChartRepositories for NamespaceRepositories {
    async fn repository(
        &self,
        url: &str,
    ) -> Result<Arc<dyn ChartRepository>, Box<dyn std::error::Error + Send + Sync>> {
        let known = self.sources.caches[0].all();
        let mut known: Vec<_> = known
            .iter()
            .filter(|object| object.metadata.namespace.as_deref() == Some(&self.namespace))
            .filter(|object| {
                object.data["spec"]["url"].as_str().is_some_and(|own| normalize_url(own) == url)
            })
            .collect();
        known.sort_by_key(|object| object.metadata.name.clone());
        let object = match known.first() {
            Some(object) => crate::runtime::decode(object)?,
            None => {
                let spec = HelmRepositorySpec {
                    access_from: None,
                    cert_secret_ref: None,
                    insecure: false,
                    interval: None,
                    pass_credentials: false,
                    provider: CloudProvider::Generic,
                    secret_ref: None,
                    suspend: false,
                    timeout: None,
                    type_: None,
                    url: url.to_owned(),
                };
                HelmRepository::new("", spec)
            }
        };
        let charts = self.sources.charts(&object, None).await;
        charts.map_err(|failure| gitops_core::one_line(&*failure.error).into())
    }
}
