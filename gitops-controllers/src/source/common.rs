//! What all sources share: the store, and what becomes of the artifact that is there already.

use std::{collections::BTreeMap, sync::Arc};

use gitops_api::{
    meta::{ConditionStatus, condition_type, reason},
    source::{
        Artifact as Recorded, BucketStatus, GitRepositoryStatus, HelmChartStatus,
        HelmRepositoryStatus, OciRepositoryStatus,
    },
};
use gitops_core::{
    Artifact, ArtifactKey, Class, Digest, Failure, Revision, Scope, Stage, one_line,
};
use gitops_source::{
    ArtifactStore, ArtifactStoreExt as _, Content, IgnoreRules, Retention, StoreError, StoredFile,
};

use parking_lot::Mutex;

use crate::runtime::{Attempt, Fault, Kind, Notice, Status};

/// A status that tells of an artifact.
pub(super) trait Advertises: Status {
    /// `status.artifact`.
    fn artifact(&self) -> Option<&Recorded>;
    /// Sets `status.artifact`.
    fn advertise(&mut self, artifact: Option<Recorded>);
}

macro_rules! advertises {
    ($($status:ty $(: $url:ident)?),*) => {$(
        impl Advertises for $status {
            fn artifact(&self) -> Option<&Recorded> {
                self.artifact.as_ref()
            }
            fn advertise(&mut self, artifact: Option<Recorded>) {
                $(
                    // The alias leads nowhere without an artifact.
                    if artifact.is_none() {
                        self.$url = None;
                    }
                )?
                self.artifact = artifact;
            }
        }
    )*};
}

advertises!(
    GitRepositoryStatus,
    OciRepositoryStatus: url,
    BucketStatus: url,
    HelmRepositoryStatus: url,
    HelmChartStatus: url
);

/// What a turn starts from, as [`Storage::begin`] found it.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// What was advertised before the turn.
    pub(super) before: Option<Recorded>,
    /// The same if it is whole and in the store, at the address of now.
    pub(super) current: Option<Recorded>,
    /// Whether the turn before this one failed.
    pub(super) recovering: bool,
    /// Whether the status says that the artifact is in the store.
    pub(super) in_storage: bool,
}

impl Start {
    /// The current artifact, if it has a revision. Older releases wrote revisions in other forms.
    pub(super) fn current_with(&self, revision: &Revision) -> Option<&Recorded> {
        let same = |artifact: &&Recorded| {
            artifact.revision.parse::<Revision>().is_ok_and(|own| own == *revision)
        };
        self.current.as_ref().filter(same)
    }

    /// The event about an artifact that was stored: of a reason when it is a new one, of
    /// `Succeeded` when the turn before failed, else none.
    pub(super) fn stored(
        &self,
        artifact: &Recorded,
        reason: &str,
        message: impl Into<String>,
    ) -> Option<Notice> {
        let is_new = self.before.as_ref().is_none_or(|before| before.digest != artifact.digest);
        match (is_new, self.recovering) {
            (true, _) => Some(about(artifact, reason, message)),
            (false, true) => self.recovered(artifact, message),
            (false, false) => None,
        }
    }

    /// The event about an artifact that is the one of before, when the turn before failed.
    pub(super) fn recovered(
        &self,
        artifact: &Recorded,
        message: impl Into<String>,
    ) -> Option<Notice> {
        self.recovering.then(|| about(artifact, reason::SUCCEEDED, message))
    }
}

/// An event about an artifact.
pub(super) fn about(artifact: &Recorded, reason: &str, message: impl Into<String>) -> Notice {
    Notice::info(reason, message)
        .with("revision", &artifact.revision)
        .with("digest", &artifact.digest)
}

/// The store of a source-controller and how it is reached.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Where artifacts are kept.
    pub store: Arc<dyn ArtifactStore>,
    /// `--storage-adv-addr`: the address under which consumers reach the store, with or without a
    /// scheme.
    pub address: String,
    /// How long artifacts stay that are no longer advertised.
    pub retention: Retention,
    /// What was read and found whole since the start, by path: digest and fingerprint.
    whole: Arc<Mutex<BTreeMap<String, (Digest, String)>>>,
}

impl Storage {
    /// A store that is reached under an address.
    pub fn new(store: Arc<dyn ArtifactStore>, address: String, retention: Retention) -> Self {
        Self { store, address, retention, whole: Arc::default() }
    }

    /// Whether an artifact is there and whole. Where reading is dear, it is read once after the
    /// start, and again when it changed.
    async fn verify(&self, artifact: &Artifact) -> Result<bool, StoreError> {
        let fingerprint = match self.store.fingerprint(&artifact.key, &artifact.file).await {
            Ok(fingerprint) => fingerprint,
            Err(StoreError::NotFound) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(fingerprint) = fingerprint else { return self.store.verify(artifact).await };
        let known = (artifact.digest.clone(), fingerprint);
        let path = artifact.path();
        if self.whole.lock().get(&path) == Some(&known) {
            return Ok(true);
        }
        let whole = self.store.verify(artifact).await?;
        if whole {
            self.whole.lock().insert(path, known);
        }
        Ok(whole)
    }

    /// Lets the name that does not change lead to an artifact.
    pub(super) async fn alias(
        &self,
        key: &ArtifactKey,
        name: &str,
        artifact: &Artifact,
    ) -> Result<(), Failure> {
        self.store.alias(key, name, &artifact.file).await.map_err(|error| {
            let message = "failed to update status URL symlink";
            failed(Stage::Store, message, reason::SYMLINK_UPDATE_FAILED, error)
        })
    }

    /// The record of an artifact for an object's status.
    pub(crate) fn record(&self, artifact: &Artifact) -> Recorded {
        let path = artifact.path();
        Recorded {
            digest: artifact.digest.to_string(),
            last_update_time: artifact.stored_at.into(),
            metadata: BTreeMap::new(),
            url: self.url(&path),
            path,
            revision: artifact.revision.to_string(),
            size: i64::try_from(artifact.size).ok(),
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.address.contains("://") { "" } else { "http://" };
        format!("{scheme}{}/{path}", self.address.trim_end_matches('/'))
    }

    /// Begins a turn of any kind: looks after what is stored, and clears what the status says of
    /// it that is no longer so.
    pub(super) async fn begin<K: Kind>(
        &self,
        key: &ArtifactKey,
        attempt: &mut Attempt<K>,
    ) -> Result<Start, Failure>
    where
        K::Status: Advertises,
    {
        let holds = |condition: &str| {
            attempt
                .status
                .conditions()
                .iter()
                .any(|known| known.type_ == condition && known.status == ConditionStatus::True)
        };
        let failures = K::PROFILE.negative.iter();
        let mut failures =
            failures.filter(|condition| **condition != condition_type::ARTIFACT_OUTDATED);
        let recovering = failures.any(|condition| holds(condition));
        let in_storage = holds(condition_type::ARTIFACT_IN_STORAGE);
        attempt.clear(condition_type::STORAGE_OPERATION_FAILED);
        let before = attempt.status.artifact().cloned();
        let current = self.maintain(key, before.as_ref(), attempt).await?;
        attempt.status.advertise(current.clone());
        if current.is_none() {
            attempt.clear(condition_type::ARTIFACT_IN_STORAGE);
        }
        Ok(Start { before, current, recovering, in_storage })
    }

    /// Removes what need not be kept, and checks that the recorded artifact is there and whole.
    /// Returns it, or `None` when there is none (any more); then the attempt says so.
    async fn maintain<K: Kind>(
        &self,
        key: &ArtifactKey,
        recorded: Option<&Recorded>,
        attempt: &mut Attempt<K>,
    ) -> Result<Option<Recorded>, Failure> {
        let Some(recorded) = recorded else {
            attempt.drifted(Stage::Store, "building artifact");
            return Ok(None);
        };
        let whole = match parsed(key, recorded) {
            Some(artifact) => {
                self.collect(&artifact, attempt).await;
                self.check(&artifact, attempt).await?
            }
            // A record that names no file of ours is as good as none.
            None => false,
        };
        if !whole {
            attempt.drifted(Stage::Store, "building artifact: disappeared from storage");
            return Ok(None);
        }
        // The address may have changed since.
        Ok(Some(Recorded { url: self.url(&recorded.path), ..recorded.clone() }))
    }

    async fn collect<K: Kind>(&self, current: &Artifact, attempt: &mut Attempt<K>) {
        match self.store.collect(current, self.retention, attempt.now()).await {
            Ok(0) => {}
            Ok(count) => {
                let message = format!("garbage collected {count} artifacts");
                attempt.tell(Notice::trace(reason::GARBAGE_COLLECTION_SUCCEEDED, message));
            }
            // What stays too long does no harm; the next turn tries again.
            Err(error) => tracing::warn!("garbage collection failed: {}", one_line(&error)),
        }
    }

    async fn check<K: Kind>(
        &self,
        artifact: &Artifact,
        attempt: &mut Attempt<K>,
    ) -> Result<bool, Failure> {
        match self.verify(artifact).await {
            Ok(found) => Ok(found),
            Err(error @ StoreError::Digest { .. }) => {
                let message = format!("failed to verify integrity of artifact: {error}");
                attempt.tell(Notice::error(reason::ARTIFACT_VERIFICATION_FAILED, message));
                let removed = self.store.remove(&artifact.key, &artifact.file).await;
                removed.map_err(|error| {
                    let message = "failed to remove artifact after digest mismatch";
                    failed(Stage::Store, message, reason::FAILED, error)
                })?;
                Ok(false)
            }
            Err(error) => {
                let message = "failed to verify integrity of artifact";
                Err(failed(Stage::Store, message, reason::READ_OPERATION_FAILED, error))
            }
        }
    }

    /// Stores an artifact.
    pub(super) async fn put(
        &self,
        key: &ArtifactKey,
        revision: &Revision,
        content: Content,
        scope: &Scope,
    ) -> Result<Artifact, Failure> {
        self.store.put(key, revision, content, scope).await.map_err(|error| match error {
            StoreError::Cancelled(error) => Failure::new(Stage::Store, error),
            error => {
                let message = "unable to archive artifact to storage";
                failed(Stage::Store, message, reason::ARCHIVE_OPERATION_FAILED, error)
            }
        })
    }

    /// Removes all artifacts of an object that is going.
    pub(super) async fn clear<K: Kind>(
        &self,
        key: &ArtifactKey,
        attempt: &mut Attempt<K>,
    ) -> Result<(), Failure> {
        let directory = format!("{}/", key.directory());
        self.whole.lock().retain(|path, _| !path.starts_with(&directory));
        let removed = self.store.remove_all(key).await.map_err(|error| {
            let message = "garbage collection for deleted resource failed";
            failed(Stage::Finalize, message, reason::GARBAGE_COLLECTION_FAILED, error)
        })?;
        if removed {
            let message = "garbage collected artifacts for deleted resource";
            attempt.tell(Notice::trace(reason::GARBAGE_COLLECTION_SUCCEEDED, message));
        }
        Ok(())
    }

    /// The files of a key, for tests and tools.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn files(&self, key: &ArtifactKey) -> Result<Vec<StoredFile>, StoreError> {
        self.store.list(key).await
    }
}

/// A failure that is tried again, with a reason of its own.
pub(super) fn failed(
    stage: Stage,
    message: impl Into<String>,
    reason: &'static str,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Failure {
    let fault = Fault::new(Class::Transient, message).reason(reason).because(cause);
    Failure::new(stage, fault)
}

/// The artifact of a record, when it is one of this key.
pub(super) fn parsed(key: &ArtifactKey, recorded: &Recorded) -> Option<Artifact> {
    let file = recorded.path.strip_prefix(&key.directory())?.strip_prefix('/')?;
    Some(Artifact {
        key: key.clone(),
        file: file.to_owned(),
        revision: recorded.revision.parse().ok()?,
        digest: recorded.digest.parse().ok()?,
        size: recorded.size.and_then(|size| size.try_into().ok()).unwrap_or(0),
        stored_at: recorded.last_update_time.get(),
    })
}

/// The ignore rules of a tree; reading them may take a while.
pub(super) async fn blocking_rules(
    tree: Arc<dyn gitops_core::Tree>,
    ignore: Option<String>,
) -> Result<IgnoreRules, Failure> {
    let load = move || IgnoreRules::load(&*tree, ignore.as_deref());
    let loaded = tokio::task::spawn_blocking(load).await;
    let loaded = loaded.map_err(|_| Failure::new(Stage::Store, gitops_core::Cancelled))?;
    loaded.map_err(|error| {
        let message = "failed to load source ignore patterns from repository";
        failed(Stage::Store, message, "SourceIgnoreError", error)
    })
}
