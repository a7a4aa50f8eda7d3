//! Bucket.
//!
//! # Expected Flow
//! 1. What is stored is looked after.
//! 2. Credentials, certificates and proxy are read.
//! 3. The bucket is listed; the digest of all keys with their tags is the revision. When neither
//!    it nor the rules of what to ignore changed, that is all.
//! 4. The objects are downloaded, several at a time, and stored as the artifact.

mod access;
mod azure;
mod google;
mod identity;
mod name;

use gitops_api::{
    meta::{ConditionStatus, condition_type, reason},
    source::{Artifact as Recorded, Bucket},
};
use gitops_core::{ArtifactKey, Class, Classify, Failure, Stage};
use gitops_source::{Ambient, BucketIndex, BucketSource, Content, IgnoreRules, SourceError};
use kube::{Client, ResourceExt as _};

use self::access::Means;
use super::{
    common::{Start, Storage},
    identity::Identities,
};
use crate::runtime::{Attempt, Done, Notice, Reconcile, Turn};

/// The alias that `status.url` shows.
const ALIAS: &str = "latest.tar.gz";

/// Makes artifacts of buckets.
pub struct BucketReconciler {
    client: Client,
    storage: Storage,
    means: Means,
}

impl std::fmt::Debug for BucketReconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BucketReconciler").field("storage", &self.storage).finish_non_exhaustive()
    }
}

impl BucketReconciler {
    /// A reconciler that reads Secrets with a client; `ambient` is what the process was given by
    /// the cloud that it runs in.
    pub fn new(client: Client, storage: Storage, ambient: Ambient) -> Self {
        Self { client, storage, means: Means { ambient, ..Means::default() } }
    }

    /// Takes on these identities towards clouds.
    #[must_use]
    pub fn with_identities(mut self, identities: Identities) -> Self {
        self.means.identities = identities;
        self
    }

    /// Sends tokens of Azure over plain HTTP too, as its emulators need; Azure's own client, and so
    /// Flux, never does.
    #[must_use]
    pub fn with_emulators(mut self) -> Self {
        self.means.emulated = true;
        self
    }
}

impl Reconcile for BucketReconciler {
    type Kind = Bucket;

    async fn reconcile(&self, object: &Bucket, attempt: &mut Attempt<Bucket>) -> Turn {
        let key = key(object);
        let start = self.storage.begin(&key, attempt).await?;
        let store = access::store(&self.client, &self.means, object).await?;
        let spec = &object.spec;
        let source = BucketSource::new(store, &spec.bucket_name)
            .with_prefix(spec.prefix.as_deref().unwrap_or_default())
            .with_ignore(spec.ignore.clone())
            .with_timeout(spec.timeout.get());
        let scope = attempt.scope.clone();
        let index = source.index(&scope).await.map_err(failure)?;
        if let Some(current) = start.current_with(&index.revision()).cloned() {
            attempt.clear(condition_type::FETCH_FAILED);
            return Ok(self.up_to_date(object, attempt, &start, &index, current));
        }
        let (tree, index) = source.download(&index, &scope).await.map_err(failure)?;
        attempt.clear(condition_type::FETCH_FAILED);
        let revision = index.revision();
        if let Some(current) = start.current_with(&revision).cloned() {
            return Ok(self.up_to_date(object, attempt, &start, &index, current));
        }
        let message = format!("building artifact: new upstream revision '{revision}'");
        attempt.drifted(Stage::Fetch, message);
        let content = Content::tree(tree, IgnoreRules::default());
        let artifact = self.storage.put(&key, &revision, content, &scope).await?;
        self.storage.alias(&key, ALIAS, &artifact).await?;
        let recorded = self.storage.record(&artifact);
        attempt.status.artifact = Some(recorded.clone());
        attempt.status.observed_ignore.clone_from(&spec.ignore);
        Ok(self.stored(object, attempt, &start, &index, &recorded))
    }

    async fn finalize(&self, object: &Bucket, attempt: &mut Attempt<Bucket>) -> Turn {
        self.storage.clear(&key(object), attempt).await?;
        attempt.status.artifact = None;
        Ok(Done::default())
    }
}

impl BucketReconciler {
    fn up_to_date(
        &self,
        object: &Bucket,
        attempt: &mut Attempt<Bucket>,
        start: &Start,
        index: &BucketIndex,
        current: Recorded,
    ) -> Done {
        let message = format!("artifact up-to-date with remote revision: '{}'", current.revision);
        let mut done = self.stored(object, attempt, start, index, &current);
        done.events.insert(0, Notice::trace(reason::ARTIFACT_UP_TO_DATE, message));
        done
    }

    fn stored(
        &self,
        object: &Bucket,
        attempt: &mut Attempt<Bucket>,
        start: &Start,
        index: &BucketIndex,
        artifact: &Recorded,
    ) -> Done {
        let alias = format!("{}/{ALIAS}", key(object).directory());
        attempt.status.url = Some(self.storage.url(&alias));
        attempt.clear(condition_type::ARTIFACT_OUTDATED);
        attempt.observe(
            condition_type::ARTIFACT_IN_STORAGE,
            ConditionStatus::True,
            reason::SUCCEEDED,
            format!("stored artifact: revision '{}'", artifact.revision),
        );
        let (count, name) = (index.len(), &object.spec.bucket_name);
        let message = format!("stored artifact with {count} fetched files from '{name}' bucket");
        let events = start.stored(artifact, reason::NEW_ARTIFACT, message).into_iter().collect();
        Done { events, ..Done::default() }
    }
}

fn key(object: &Bucket) -> ArtifactKey {
    ArtifactKey::new("Bucket", &object.namespace().unwrap_or_default(), &object.name_any())
}

/// A failure of the bucket, with the reason that the wire has for it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct BucketFailure(SourceError);

impl Classify for BucketFailure {
    fn class(&self) -> Class {
        self.0.class()
    }

    fn reason(&self) -> Option<&'static str> {
        Some(reason::BUCKET_OPERATION_FAILED)
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        self.0.retry_after()
    }
}

fn failure(error: SourceError) -> Failure {
    Failure::new(Stage::Fetch, BucketFailure(error))
}
