//! `OCIRepository`.
//!
//! # Expected Flow
//! As for Git repositories: the tag is resolved to a digest each time, and only a new digest, or
//! another choice of layer or files, is pulled.
//!
//! # Caveats
//! Signatures, client certificates, proxies, cloud credentials and layers that are copied as they
//! are, are refused.

use gitops_api::{
    meta::{ConditionStatus, condition_type, reason},
    source::{
        Artifact as Recorded, CloudProvider, OciLayerOperation, OciRepository,
        OciRepositoryReference, OciRepositoryStatus,
    },
};
use gitops_core::{ArtifactKey, Class, Classify, Failure, Stage};
use gitops_source::{
    Content, DockerConfig, OciReference, OciSource, Source as _, SourceError, Subject,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client, ResourceExt as _};

use super::{
    common::{Storage, blocking_rules, failed},
    credentials,
};
use crate::runtime::{Attempt, Done, Fault, Notice, Reconcile, Turn};

/// The alias that `status.url` shows.
const LATEST: &str = "latest.tar.gz";

/// Makes artifacts of artifacts in registries.
pub struct OciRepositoryReconciler {
    client: Client,
    storage: Storage,
}

impl std::fmt::Debug for OciRepositoryReconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OciRepositoryReconciler")
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl OciRepositoryReconciler {
    /// A reconciler that reads Secrets with a client.
    pub fn new(client: Client, storage: Storage) -> Self {
        Self { client, storage }
    }

    async fn docker_config(
        &self,
        object: &OciRepository,
        attempt: &mut Attempt<OciRepository>,
    ) -> Result<DockerConfig, Failure> {
        let namespace = object.namespace().unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        if let Some(reference) = &object.spec.secret_ref {
            names.push(reference.name.clone());
        }
        if let Some(account) = &object.spec.service_account_name {
            let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &namespace);
            let account = accounts.get(account).await.map_err(|error| {
                let message = "failed to get credential";
                let why = credentials::api_text(error);
                failed(Stage::Fetch, message, reason::AUTHENTICATION_FAILED, why)
            })?;
            let pull = account.image_pull_secrets.unwrap_or_default();
            names.extend(pull.into_iter().map(|secret| secret.name));
        }
        let mut all = DockerConfig::default();
        for name in names {
            let fail = |why: String| {
                let message = "failed to get credential";
                failed(Stage::Fetch, message, reason::AUTHENTICATION_FAILED, why)
            };
            let data = match credentials::secret(&self.client, &namespace, &name).await {
                Ok(data) => data,
                Err(why) => {
                    let message = format!("auth secret '{name}' not found");
                    attempt.tell(Notice::trace(reason::AUTHENTICATION_FAILED, message));
                    return Err(fail(format!("failed to get secret '{namespace}/{name}': {why}")));
                }
            };
            let file = data.get(".dockerconfigjson").map(Vec::as_slice).unwrap_or_default();
            all.merge(DockerConfig::parse(file).map_err(|error| fail(error.to_string()))?);
        }
        Ok(all)
    }
}

impl Reconcile for OciRepositoryReconciler {
    type Kind = OciRepository;

    async fn reconcile(
        &self,
        object: &OciRepository,
        attempt: &mut Attempt<OciRepository>,
    ) -> Turn {
        let key = key(object);
        let start = self.storage.begin(&key, attempt).await?;
        let credentials = self.docker_config(object, attempt).await?;
        refuse_unsupported(object)?;
        let source = source(object)?.with_credentials(credentials);
        let scope = attempt.scope.clone();
        let resolved = source.resolve(&scope).await.map_err(failure)?;
        if let Some(current) = start.current_with(&resolved.revision)
            && !content_changed(object, &attempt.status)
        {
            attempt.clear(condition_type::FETCH_FAILED);
            stored(attempt, current);
            let message =
                format!("artifact up-to-date with remote revision: '{}'", current.revision);
            let mut done =
                Done::default().with_event(Notice::trace(reason::ARTIFACT_UP_TO_DATE, message));
            done.events.extend(start.recovered(current, told(object, current)));
            return Ok(done);
        }
        if start.current_with(&resolved.revision).is_none() {
            let message = format!(
                "building artifact: new revision '{}' for '{}'",
                resolved.revision,
                source.shown(&resolved)
            );
            attempt.drifted(Stage::Fetch, message);
        }
        let fetched = source.fetch(&resolved, &scope).await.map_err(failure)?;
        attempt.clear(condition_type::FETCH_FAILED);
        let rules =
            blocking_rules(std::sync::Arc::clone(&fetched.tree), object.spec.ignore.clone())
                .await?;
        let Subject::Image { digest, annotations } = fetched.subject else {
            let fault = Fault::new(Class::Internal, "a registry gave no image");
            return Err(Failure::new(Stage::Fetch, fault).into());
        };
        let name = Some(format!("{digest}.tar.gz"));
        let content = Content::Tree { tree: fetched.tree, rules, name };
        let artifact = self.storage.put(&key, &fetched.revision, content, &scope).await?;
        self.storage.store.alias(&key, LATEST, &artifact.file).await.map_err(|error| {
            let message = "failed to update status URL symlink";
            failed(Stage::Store, message, reason::SYMLINK_UPDATE_FAILED, error)
        })?;
        let recorded = Recorded { metadata: annotations, ..self.storage.record(&artifact) };
        attempt.status.artifact = Some(recorded.clone());
        attempt.status.url = Some(self.storage.url(&format!("{}/{LATEST}", key.directory())));
        attempt.status.observed_ignore.clone_from(&object.spec.ignore);
        attempt.status.observed_layer_selector.clone_from(&object.spec.layer_selector);
        stored(attempt, &recorded);
        let message = told(object, &recorded);
        let events = start.stored(&recorded, reason::NEW_ARTIFACT, message).into_iter().collect();
        Ok(Done { events, ..Done::default() })
    }

    async fn finalize(&self, object: &OciRepository, attempt: &mut Attempt<OciRepository>) -> Turn {
        self.storage.clear(&key(object), attempt).await?;
        attempt.status.artifact = None;
        Ok(Done::default())
    }
}

fn key(object: &OciRepository) -> ArtifactKey {
    ArtifactKey::new("OCIRepository", &object.namespace().unwrap_or_default(), &object.name_any())
}

fn source(object: &OciRepository) -> Result<OciSource, Failure> {
    let spec = &object.spec;
    let source =
        OciSource::new(&spec.url, reference(spec.reference.as_ref())).map_err(|error| {
            let fault = Fault::new(Class::Invalid, error.to_string()).reason(reason::URL_INVALID);
            Failure::new(Stage::Validate, fault)
        })?;
    let selector = spec.layer_selector.as_ref();
    Ok(source
        .with_media_type(selector.and_then(|selector| selector.media_type.clone()))
        .with_insecure(spec.insecure)
        .with_timeout(spec.timeout.get()))
}

/// The most specific one that is set: digest, semver, tag.
fn reference(reference: Option<&OciRepositoryReference>) -> OciReference {
    let set = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let Some(reference) = reference else { return OciReference::default() };
    let filter = set(&reference.semver_filter);
    set(&reference.digest)
        .map(OciReference::Digest)
        .or_else(|| set(&reference.semver).map(|range| OciReference::Semver { range, filter }))
        .or_else(|| set(&reference.tag).map(OciReference::Tag))
        .unwrap_or_default()
}

fn refuse_unsupported(object: &OciRepository) -> Result<(), Failure> {
    let spec = &object.spec;
    let unsupported =
        |stage, message: &str| Err(Failure::new(stage, Fault::new(Class::Unsupported, message)));
    if spec.verify.is_some() {
        return unsupported(Stage::Verify, "signature verification is not supported");
    }
    if spec.provider != CloudProvider::Generic {
        return unsupported(
            Stage::Fetch,
            "registry credentials of cloud providers are not supported",
        );
    }
    if spec.cert_secret_ref.is_some() || spec.proxy_secret_ref.is_some() {
        return unsupported(Stage::Fetch, "certSecretRef and proxySecretRef are not supported");
    }
    let operation = spec.layer_selector.as_ref().and_then(|selector| selector.operation);
    if operation == Some(OciLayerOperation::Copy) {
        let fault = Fault::new(Class::Unsupported, "unsupported layer operation: copy")
            .reason(reason::OCI_ARTIFACT_LAYER_OPERATION_FAILED);
        return Err(Failure::new(Stage::Fetch, fault));
    }
    Ok(())
}

fn content_changed(object: &OciRepository, status: &OciRepositoryStatus) -> bool {
    object.spec.ignore != status.observed_ignore
        || object.spec.layer_selector != status.observed_layer_selector
}

fn stored(attempt: &mut Attempt<OciRepository>, artifact: &Recorded) {
    attempt.clear(condition_type::ARTIFACT_OUTDATED);
    attempt.clear(condition_type::SOURCE_VERIFIED);
    attempt.observe(
        condition_type::ARTIFACT_IN_STORAGE,
        ConditionStatus::True,
        reason::SUCCEEDED,
        format!("stored artifact for digest '{}'", artifact.revision),
    );
}

fn told(object: &OciRepository, artifact: &Recorded) -> String {
    let mut message =
        format!("stored artifact with revision '{}' from '{}'", artifact.revision, object.spec.url);
    let about = |key: &str| artifact.metadata.get(&format!("org.opencontainers.image.{key}"));
    for (key, what) in [("source", "origin source"), ("revision", "origin revision")] {
        if let Some(value) = about(key) {
            message.extend([", ", what, " '", value.as_str(), "'"]);
        }
    }
    message
}

/// A failure of the source, with the reason that the wire has for it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct OciFailure(SourceError);

impl Classify for OciFailure {
    fn class(&self) -> Class {
        self.0.class()
    }

    fn reason(&self) -> Option<&'static str> {
        Some(match &self.0 {
            SourceError::Choice(_) => reason::READ_OPERATION_FAILED,
            SourceError::Layer(_) => reason::OCI_ARTIFACT_LAYER_OPERATION_FAILED,
            _ => reason::OCI_ARTIFACT_PULL_FAILED,
        })
    }
}

fn failure(error: SourceError) -> Failure {
    Failure::new(Stage::Fetch, OciFailure(error))
}
