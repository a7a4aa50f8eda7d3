//! HelmRepository.
//!
//! # Expected Flow
//! 1. What is stored is looked after; a missing or changed index is fetched anew.
//! 2. Credentials and certificates are read, and the repository is asked for its index. One that
//!    did not change costs a request without a body, and no write.
//! 3. The index is checked and stored in one form.
//!
//! Objects of type `oci` only tell where a registry is: they are never reconciled.

use std::{sync::Arc, time::Duration};

use gitops_api::{
    meta::{ConditionStatus, condition_type, reason},
    source::{Artifact as Recorded, HelmRepository, HelmRepositorySpec},
};
use gitops_core::{
    ArtifactKey, Class, Classify, Digest, Failure, Revision, Stage, go_dial_refusal,
    go_url_refusal, masked_url,
};
use gitops_source::{Content, FoundIndex, HelmRepositories, SourceError, StoredIndex};
use kube::{Client, ResourceExt as _};
use url::Url;

use super::super::{
    common::{Start, Storage, failed},
    credentials, secret_data,
};
use crate::runtime::{Attempt, Done, Fault, Notice, Reconcile, Turn};

/// The alias that `status.url` shows.
const ALIAS: &str = "index.yaml";

/// Stores the indexes of chart repositories.
pub struct HelmRepositoryReconciler {
    client: Client,
    storage: Storage,
    repositories: Arc<HelmRepositories>,
}

impl std::fmt::Debug for HelmRepositoryReconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HelmRepositoryReconciler")
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl HelmRepositoryReconciler {
    /// A reconciler that reads Secrets with a client and shares what repositories answer.
    pub fn new(client: Client, storage: Storage, repositories: Arc<HelmRepositories>) -> Self {
        Self { client, storage, repositories }
    }

    async fn store(
        &self,
        key: &ArtifactKey,
        index: &StoredIndex,
        attempt: &mut Attempt<HelmRepository>,
    ) -> Result<Recorded, Failure> {
        let revision: Revision = revision(&index.revision);
        let message = format!("building artifact: new index revision '{revision}'");
        attempt.drifted(Stage::Fetch, message);
        let name = format!("index-{}.yaml", index.revision.hex());
        let content = Content::File { name, file: Arc::clone(&index.file) };
        let scope = attempt.scope.clone();
        let stored = self.storage.store.put(key, &revision, content, &scope).await;
        let artifact = stored.map_err(|error| {
            let message = "unable to save artifact to storage";
            failed(Stage::Store, message, reason::ARCHIVE_OPERATION_FAILED, error)
        })?;
        self.storage.alias(key, ALIAS, &artifact).await?;
        Ok(self.storage.record(&artifact))
    }
}

impl Reconcile for HelmRepositoryReconciler {
    type Kind = HelmRepository;

    async fn reconcile(
        &self,
        object: &HelmRepository,
        attempt: &mut Attempt<HelmRepository>,
    ) -> Turn {
        let key = key(object);
        let start = self.storage.begin(&key, attempt).await?;
        let url = repository_url(&object.spec)?;
        let repository = repository(&self.client, object, url).await?;
        let have = start.current.as_ref().and_then(digest_of);
        let scope = attempt.scope.clone();
        let found = self.repositories.index(&repository, have.as_ref(), &scope).await;
        let found = found.map_err(failure)?;
        attempt.clear(condition_type::FETCH_FAILED);
        attempt.status.url = Some(self.storage.url(&format!("{}/{ALIAS}", key.directory())));
        match found {
            FoundIndex::New(index) => {
                let recorded = self.store(&key, &index, attempt).await?;
                attempt.status.artifact = Some(recorded.clone());
                Ok(stored(object, attempt, &start, &recorded))
            }
            FoundIndex::Same => {
                // The digest that was passed is that of the current artifact.
                let current = start.current.clone().ok_or_else(|| {
                    let fault = Fault::new(Class::Internal, "an index that nobody has");
                    Failure::new(Stage::Fetch, fault)
                })?;
                let message =
                    format!("artifact up-to-date with remote revision: '{}'", current.revision);
                let mut done = stored(object, attempt, &start, &current);
                done.events.insert(0, Notice::trace(reason::ARTIFACT_UP_TO_DATE, message));
                Ok(done)
            }
            _ => {
                let fault = Fault::new(Class::Internal, "an answer of an unknown kind");
                Err(Failure::new(Stage::Fetch, fault).into())
            }
        }
    }

    async fn finalize(
        &self,
        object: &HelmRepository,
        attempt: &mut Attempt<HelmRepository>,
    ) -> Turn {
        self.storage.clear(&key(object), attempt).await?;
        attempt.status.artifact = None;
        Ok(Done::default())
    }
}

fn key(object: &HelmRepository) -> ArtifactKey {
    ArtifactKey::new("HelmRepository", &object.namespace().unwrap_or_default(), &object.name_any())
}

fn revision(digest: &Digest) -> Revision {
    Revision::new(None, digest.algorithm().name(), digest.hex())
}

fn digest_of(artifact: &Recorded) -> Option<Digest> {
    artifact.revision.parse().ok()
}

fn stored(
    object: &HelmRepository,
    attempt: &mut Attempt<HelmRepository>,
    start: &Start,
    artifact: &Recorded,
) -> Done {
    attempt.clear(condition_type::ARTIFACT_OUTDATED);
    attempt.observe(
        condition_type::ARTIFACT_IN_STORAGE,
        ConditionStatus::True,
        reason::SUCCEEDED,
        format!("stored artifact: revision '{}'", artifact.revision),
    );
    let size = human_size(artifact.size.and_then(|size| size.try_into().ok()).unwrap_or(0));
    let message =
        format!("stored fetched index of size {size} from '{}'", masked_url(&object.spec.url));
    let events = start.stored(artifact, reason::NEW_ARTIFACT, message).into_iter().collect();
    Done { events, ..Done::default() }
}

/// A size as Docker's units show it, e.g. `2.006kB`.
fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    #[allow(clippy::cast_precision_loss, reason = "four digits are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let decimals = match size {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{size:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", UNITS[unit])
}

/// The URL of a repository with an index.
fn repository_url(spec: &HelmRepositorySpec) -> Result<Url, Failure> {
    let invalid = |why: String| {
        let message = format!("invalid Helm repository URL: {why}");
        let fault = Fault::new(Class::Invalid, message).reason(reason::URL_INVALID);
        Failure::new(Stage::Validate, fault)
    };
    if spec.url.starts_with("oci://") {
        let why = "'oci' URL scheme cannot be used with 'default' HelmRepository type";
        return Err(invalid(why.to_owned()));
    }
    if let Some(why) = go_url_refusal(&masked_url(&spec.url)) {
        return Err(invalid(why));
    }
    if let Some(why) = go_dial_refusal(&spec.url) {
        let trimmed = masked_url(spec.url.trim_end_matches('/'));
        let (index, why) = match trimmed.as_str() {
            // The name of the file becomes that of a host.
            "http:" | "https:" => {
                let host = "index.yaml";
                (format!("{trimmed}//{host}"), format!("dial tcp: lookup {host}: no such host"))
            }
            _ => (format!("{trimmed}/index.yaml"), why),
        };
        let message = format!(
            "failed to fetch Helm repository index: failed to cache index to temporary file: Get \
             \"{index}\": {why}"
        );
        let fault = Fault::new(Class::Transient, message).reason(reason::FAILED);
        return Err(Failure::new(Stage::Fetch, fault));
    }
    spec.url.parse().map_err(|error: url::ParseError| invalid(error.to_string()))
}

/// The way to the repository of an object, with what its Secrets hold.
pub(super) async fn repository(
    client: &Client,
    object: &HelmRepository,
    url: Url,
) -> Result<gitops_source::HelmRepository, Failure> {
    let namespace = object.namespace().unwrap_or_default();
    let (credentials, tls) = access(client, &namespace, &object.spec).await.map_err(|why| {
        let fault = Fault::new(Class::Denied, why).reason(reason::AUTHENTICATION_FAILED);
        Failure::new(Stage::Fetch, fault)
    })?;
    let mut repository = gitops_source::HelmRepository::new(url, tls)
        .with_credentials(credentials)
        .with_pass_credentials(object.spec.pass_credentials);
    if let Some(timeout) = &object.spec.timeout {
        repository = repository.with_timeout(timeout.get());
    }
    Ok(repository)
}

/// What the Secrets of a repository hold for HTTP; an error is the message.
async fn access(
    client: &Client,
    namespace: &str,
    spec: &HelmRepositorySpec,
) -> Result<(Option<gitops_source::BasicCredentials>, gitops_source::Tls), String> {
    let mut tls = None;
    if let Some(reference) = &spec.cert_secret_ref {
        let place = format!("'{namespace}/{}'", reference.name);
        let data = credentials::secret(client, namespace, &reference.name).await;
        let data =
            data.map_err(|why| format!("failed to get TLS authentication secret {place}: {why}"))?;
        tls = Some(
            secret_data::required_tls(&data, &place)
                .map_err(|why| format!("failed to construct Helm client's TLS config: {why}"))?,
        );
    }
    let mut basic = None;
    if let Some(reference) = &spec.secret_ref {
        let place = format!("'{namespace}/{}'", reference.name);
        let data = credentials::secret(client, namespace, &reference.name).await;
        let data =
            data.map_err(|why| format!("failed to get authentication secret {place}: {why}"))?;
        let detect = |why| format!("failed to detect authentication methods: {why}");
        basic = secret_data::basic(&data, &place).map_err(detect)?;
        let own = secret_data::tls(&data).map_err(detect)?;
        if tls.is_none() && own.is_some() {
            tracing::warn!(
                "TLS authentication data in `.spec.secretRef` is deprecated: use \
                 `.spec.certSecretRef` instead"
            );
            tls = own;
        }
    }
    Ok((basic, tls.unwrap_or_default()))
}

/// A failure of the repository, with the reason and the words that the wire has for it.
#[derive(Debug, thiserror::Error)]
enum IndexFailure {
    #[error("failed to load Helm repository from index YAML: failed to load index")]
    Content(#[source] gitops_source::IndexError),
    #[error(transparent)]
    Other(SourceError),
}

impl Classify for IndexFailure {
    fn class(&self) -> Class {
        match self {
            Self::Content(_) => Class::Invalid,
            Self::Other(error) => error.class(),
        }
    }

    fn reason(&self) -> Option<&'static str> {
        Some(match self {
            Self::Content(_) => reason::INDEXATION_FAILED,
            Self::Other(_) => reason::FAILED,
        })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Content(_) => None,
            Self::Other(error) => error.retry_after(),
        }
    }
}

fn failure(error: SourceError) -> Failure {
    let error = match error {
        SourceError::Index(error) => IndexFailure::Content(*error),
        error => IndexFailure::Other(error),
    };
    Failure::new(Stage::Fetch, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_docker_shows_them() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (2006, "2.006kB"),
            (100_000, "100kB"),
            (12_345_678, "12.35MB"),
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
