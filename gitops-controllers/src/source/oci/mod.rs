//! `OCIRepository`.
//!
//! # Expected Flow
//! As for Git repositories: the tag is resolved to a digest each time, and only a new digest, or
//! another choice of layer or files, is pulled.
//!
//! # Guarantees
//! What is to be verified is verified by its digest before any of it is pulled, and again whenever
//! the digest or the spec changes.

pub(super) mod access;
pub(super) mod signature;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gitops_api::{
    meta::{Condition, ConditionStatus, condition_type, reason},
    source::{
        Artifact as Recorded, CloudProvider, OciLayerOperation, OciRepository,
        OciRepositoryReference, OciRepositoryStatus,
    },
};
use gitops_auth::RegistryCloud;
use gitops_core::{
    ArtifactKey, Class, Classify, Failure, Scope, Stage, SystemClock, masked_url, one_line,
};
use gitops_source::{
    Content, DockerConfig, OciReference, OciRepositoryName, OciSource, Registries,
    RegistryCredential, Resolved, Source as _, SourceError, Subject, Tls, TrustedRootRepository,
    VerifyError,
};
use kube::{Client, ResourceExt as _};

use self::signature::Wanted;
use super::{
    common::{Storage, blocking_rules, failed},
    identity::Identities,
};
use crate::runtime::{Attempt, Done, Fault, Key, Notice, Reconcile, Turn};

/// The alias that `status.url` shows.
const LATEST: &str = "latest.tar.gz";

/// Makes artifacts of artifacts in registries.
pub struct OciRepositoryReconciler {
    client: Client,
    storage: Storage,
    registries: Registries,
    identities: Identities,
    public_good: TrustedRootRepository,
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
        let identities = Identities::default();
        let public_good = TrustedRootRepository::public_good(Arc::new(SystemClock));
        Self { client, storage, registries: Registries::new(), identities, public_good }
    }

    /// Takes on these identities towards clouds.
    #[must_use]
    pub fn with_identities(mut self, identities: Identities) -> Self {
        self.identities = identities;
        self
    }

    /// The source of an object, with what its Secrets hold.
    async fn source(
        &self,
        object: &OciRepository,
        attempt: &mut Attempt<OciRepository>,
    ) -> Result<OciSource, Failure> {
        let namespace = object.namespace().unwrap_or_default();
        let spec = &object.spec;
        let fail = |message: &str, why: String| {
            failed(Stage::Fetch, message, reason::AUTHENTICATION_FAILED, why)
        };
        let secret = spec.secret_ref.as_ref().map(|reference| reference.name.as_str());
        let account = spec.service_account_name.as_deref();
        let found = access::docker_config(&self.client, &namespace, secret, account).await;
        let mut credentials = found.map_err(|error| {
            if let Some(name) = error.missing {
                let message = format!("auth secret '{name}' not found");
                attempt.tell(Notice::trace(reason::AUTHENTICATION_FAILED, message));
            }
            fail("failed to get credential", error.why)
        })?;
        let proxy = match &spec.proxy_secret_ref {
            Some(reference) => {
                let proxy = access::proxy(&self.client, &namespace, &reference.name).await;
                Some(proxy.map_err(|why| fail("failed to get proxy address", why))?)
            }
            None => None,
        };
        if let Some(cloud) = cloud(spec.provider).filter(|_| credentials == DockerConfig::default())
            && let Ok(name) = OciRepositoryName::parse_like_docker(&spec.url)
        {
            let place = (cloud, name.registry());
            let (client, proxy) = (&self.client, proxy.clone());
            let about = ("OCIRepository", &Key::new(namespace.as_str(), object.name_any()));
            let login = self.identities.registry_login(client, about, account, place, proxy);
            // Flux asks for it when the registry has answered, so a failure is told there.
            let credential = match login.await? {
                Ok(login) => RegistryCredential::Basic {
                    username: login.username.unwrap_or_default(),
                    password: login.secret,
                },
                Err(error) => RegistryCredential::Refused(one_line(&error).into()),
            };
            credentials = DockerConfig::single(name.registry(), credential);
        }
        let tls = match &spec.cert_secret_ref {
            Some(reference) if !reference.name.is_empty() => {
                let name = &reference.name;
                let tls = access::certificates(&self.client, &namespace, name).await;
                tls.map_err(|why| {
                    fail(
                        &format!("failed to generate transport for '{}'", masked_url(&spec.url)),
                        why,
                    )
                })?
            }
            _ => Tls::default(),
        };
        let source = OciSource::new(&spec.url, reference(spec.reference.as_ref()));
        let source = source.map_err(|error| {
            let fault = Fault::new(Class::Invalid, error.to_string()).reason(reason::URL_INVALID);
            Failure::new(Stage::Validate, fault)
        })?;
        let selector = spec.layer_selector.as_ref();
        Ok(source
            .with_registries(self.registries.clone())
            .with_credentials(credentials)
            .with_proxy(proxy)
            .with_tls(tls)
            .with_media_type(selector.and_then(|selector| selector.media_type.clone()))
            .with_insecure(spec.insecure)
            .with_timeout(spec.timeout.get()))
    }

    /// Verifies what was resolved, unless that was done before, and says so in the status.
    async fn verify(
        &self,
        object: &OciRepository,
        source: &OciSource,
        resolved: &Resolved,
        is_new: bool,
        attempt: &mut Attempt<OciRepository>,
    ) -> Result<(), Failure> {
        let Some(verify) = &object.spec.verify else {
            attempt.clear(condition_type::SOURCE_VERIFIED);
            return Ok(());
        };
        let verified = condition(&attempt.status, condition_type::SOURCE_VERIFIED);
        let known = verified.is_some_and(|verified| {
            verified.status == ConditionStatus::True
                && verified.observed_generation == object.metadata.generation
        });
        if known && !is_new {
            return Ok(());
        }
        let wanted = Wanted {
            provider: verify.provider,
            secret: verify.secret_ref.as_ref().map(|reference| reference.name.as_str()),
            trusted_root: verify.trusted_root_secret_ref.as_ref().map(|own| own.name.as_str()),
            identities: &verify.match_oidc_identity,
            subject: match resolved.image() {
                Subject::Image { digest, .. } => format!("{}@{digest}", source.repository()),
                _ => source.repository().to_string(),
            },
            needs_keys: false,
        };
        let shown = wanted.shown();
        let fail = |why: Box<dyn std::error::Error + Send + Sync>| {
            let message = format!("failed to verify the signature using provider '{shown}'");
            failed(Stage::Verify, message, reason::VERIFICATION_ERROR, why)
        };
        let namespace = object.namespace().unwrap_or_default();
        let (client, registries, roots) = (&self.client, &self.registries, &self.public_good);
        let verifier = signature::verifier(client, &namespace, wanted, registries, roots, source);
        let verifier = verifier.await.map_err(|why| fail(why.into()))?;
        let subject = resolved.image();
        let found = verifier.verify(&subject, &attempt.scope).await;
        let found = found.map_err(|error| match error {
            VerifyError::Cancelled(error) => Failure::new(Stage::Verify, error),
            error => fail(error.into()),
        })?;
        if !found.skipped {
            attempt.observe(
                condition_type::SOURCE_VERIFIED,
                ConditionStatus::True,
                reason::SUCCEEDED,
                format!("verified signature of revision {}", resolved.revision),
            );
        }
        Ok(())
    }

    /// What becomes the artifact: the files of a layer, or the layer as it is.
    async fn content(
        &self,
        object: &OciRepository,
        source: &OciSource,
        resolved: &Resolved,
        scope: &Scope,
    ) -> Result<(Content, BTreeMap<String, String>), Failure> {
        let selector = object.spec.layer_selector.as_ref();
        let copied = selector.and_then(|selector| selector.operation);
        let (content, subject) = if copied == Some(OciLayerOperation::Copy) {
            let layer = source.fetch_layer(resolved, scope).await.map_err(failure)?;
            let name = format!("{}.tar.gz", resolved.target());
            (Content::File { name, file: Arc::new(layer.file) }, layer.subject)
        } else {
            let fetched = source.fetch(resolved, scope).await.map_err(failure)?;
            let ignore = object.spec.ignore.clone();
            let rules = blocking_rules(Arc::clone(&fetched.tree), ignore).await?;
            let name = Some(format!("{}.tar.gz", resolved.target()));
            (Content::Tree { tree: fetched.tree, rules, name }, fetched.subject)
        };
        match subject {
            Subject::Image { annotations, .. } => Ok((content, annotations)),
            _ => {
                let fault = Fault::new(Class::Internal, "a registry gave no image");
                Err(Failure::new(Stage::Fetch, fault))
            }
        }
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
        if condition(&attempt.status, condition_type::SOURCE_VERIFIED)
            .is_some_and(|known| known.status == ConditionStatus::False)
        {
            attempt.clear(condition_type::SOURCE_VERIFIED);
        }
        let source = self.source(object, attempt).await?;
        let scope = attempt.scope.clone();
        let resolved = source.resolve(&scope).await.map_err(failure)?;
        let current = start.current_with(&resolved.revision);
        if current.is_none() {
            let what =
                format!("new revision '{}' for '{}'", resolved.revision, source.shown(&resolved));
            if start.current.is_some() {
                let (condition, status) =
                    (condition_type::ARTIFACT_OUTDATED, ConditionStatus::True);
                attempt.observe(condition, status, reason::NEW_REVISION, what.clone());
            }
            attempt.drifted(Stage::Fetch, format!("building artifact: {what}"));
        }
        self.verify(object, &source, &resolved, current.is_none(), attempt).await?;
        if let Some(current) = current.filter(|_| !content_changed(object, &attempt.status)) {
            attempt.clear(condition_type::FETCH_FAILED);
            stored(attempt, current);
            let message =
                format!("artifact up-to-date with remote revision: '{}'", current.revision);
            let mut done =
                Done::default().with_event(Notice::trace(reason::ARTIFACT_UP_TO_DATE, message));
            done.events.extend(start.recovered(current, told(object, current)));
            return Ok(done);
        }
        let (content, annotations) = self.content(object, &source, &resolved, &scope).await?;
        attempt.clear(condition_type::FETCH_FAILED);
        let artifact = self.storage.put(&key, &resolved.revision, content, &scope).await?;
        self.storage.alias(&key, LATEST, &artifact).await?;
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

/// The cloud whose registry a provider names.
pub(super) fn cloud(provider: CloudProvider) -> Option<RegistryCloud> {
    match provider {
        CloudProvider::Generic => None,
        CloudProvider::Aws => Some(RegistryCloud::Aws),
        CloudProvider::Azure => Some(RegistryCloud::Azure),
        CloudProvider::Gcp => Some(RegistryCloud::Gcp),
    }
}

fn condition<'s>(status: &'s OciRepositoryStatus, name: &str) -> Option<&'s Condition> {
    status.conditions.iter().find(|known| known.type_ == name)
}

fn content_changed(object: &OciRepository, status: &OciRepositoryStatus) -> bool {
    object.spec.ignore != status.observed_ignore
        || object.spec.layer_selector != status.observed_layer_selector
}

fn stored(attempt: &mut Attempt<OciRepository>, artifact: &Recorded) {
    attempt.clear(condition_type::ARTIFACT_OUTDATED);
    attempt.observe(
        condition_type::ARTIFACT_IN_STORAGE,
        ConditionStatus::True,
        reason::SUCCEEDED,
        format!("stored artifact for digest '{}'", artifact.revision),
    );
}

fn told(object: &OciRepository, artifact: &Recorded) -> String {
    let mut message = format!(
        "stored artifact with revision '{}' from '{}'",
        artifact.revision,
        masked_url(&object.spec.url)
    );
    let about = |key: &str| artifact.metadata.get(&format!("org.opencontainers.image.{key}"));
    // One without the other says little.
    if let (Some(source), Some(revision)) = (about("source"), about("revision")) {
        message.extend([", origin source '", source, "', origin revision '", revision, "'"]);
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

    fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after()
    }
}

fn failure(error: SourceError) -> Failure {
    Failure::new(Stage::Fetch, OciFailure(error))
}
