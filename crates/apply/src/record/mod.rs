//! What was applied, so that a turn in which nothing changed costs no request.
//!
//! # Why this is safe
//! A server-side apply is a function of the payload and the live object. If neither changed since
//! the last time that we asked the API server, its answer would be the same: no drift. So per owner
//! the record keeps, of each object, a digest of the payload and the `uid` and `resourceVersion`
//! that the object had after our last apply or dry run. The present `resourceVersion` is known from
//! one metadata-only watch per kind, restricted to objects that carry an owner's label, and shared
//! by all owners.
//!
//! The record answers "unchanged" only if all of this holds; in any other case the API server is
//! asked:
//! * the same identity applied the same payload for the same owner, and its last full check was
//!   less than [`RecordOptions::full_check_every`] ago (so defaults, webhooks, schemas and rights
//!   that changed are noticed, too);
//! * the watch of the kind is synchronised: its list was read, no error occurred since, and it
//!   heard from the API server within [`RecordOptions::trust_watch_for`];
//! * the watch knows the object with exactly the recorded `uid` and `resourceVersion`.
//!
//! The watch may lag by the time that an event takes to arrive. A change that it misses for that
//! reason is found in the next turn: the record is level-triggered. Callers that want to be sure,
//! because somebody asked for a reconcile, set [`full_check`](crate::ApplyOptions::full_check).

mod live;

use std::{sync::Arc, time::Duration};

use gitops_core::ObjectId;
use indexmap::IndexMap;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use self::live::Live;
pub(crate) use self::live::{METADATA_LIST, api_error, request};
use crate::{Cluster, Owner, Resource, object::metadata};

/// How far the record is trusted.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions {
    /// Every object is checked with the API server at least this often.
    pub full_check_every: Duration,
    /// A watch that heard nothing for this long is not believed. The API server sends bookmarks
    /// about once a minute.
    pub trust_watch_for: Duration,
}

impl Default for RecordOptions {
    /// A full check every 30 minutes; a watch is trusted for three.
    fn default() -> Self {
        Self { full_check_every: Duration::from_mins(30), trust_watch_for: Duration::from_mins(3) }
    }
}

/// What was applied to one cluster. Clones share it; when the last one goes, its watches end.
#[derive(Clone, Debug)]
pub struct Record(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: RecordOptions,
    live: Live,
    /// By owner, so that owners do not wait for each other.
    owners: RwLock<IndexMap<Owner, Arc<Mutex<Objects>>>>,
}

type Objects = IndexMap<ObjectId, Known>;

/// The state of an object after our last apply or dry run.
#[derive(Clone, Debug)]
struct Known {
    identity: Arc<str>,
    payload: [u8; 32],
    uid: String,
    resource_version: String,
    checked_at: Instant,
    /// Whether it was ready in this state. Readiness depends on the object alone.
    is_ready: bool,
}

impl Record {
    /// An empty record. Watches run as the identity of the cluster's client, on the runtime that
    /// is current when the first object is recorded.
    pub fn new(cluster: Cluster, options: RecordOptions) -> Self {
        let live = Live::new(cluster, options.trust_watch_for);
        Self(Arc::new(Shared { options, live, owners: RwLock::default() }))
    }

    /// Forgets an owner that went.
    pub fn forget(&self, owner: &Owner) {
        self.0.owners.write().swap_remove(owner);
    }

    /// Forgets everything that is not in a list of an owner's objects.
    pub(crate) fn retain(&self, owner: &Owner, objects: &[ObjectId]) {
        let Some(known) = self.objects(owner) else { return };
        let mut known = known.lock();
        if known.len() > objects.len() {
            let kept: std::collections::BTreeSet<&ObjectId> = objects.iter().collect();
            known.retain(|object, _| kept.contains(object));
        }
    }

    /// Whether an apply of the payload would change nothing, as far as is known for sure.
    pub(crate) fn is_unchanged(
        &self,
        identity: &str,
        owner: &Owner,
        object: &ObjectId,
        resource: &Resource,
        payload: &[u8; 32],
    ) -> bool {
        self.is_known(owner, object, |known| {
            known.payload == *payload && self.is_current(known, identity, object, resource)
        })
    }

    /// Remembers the state of an object that is as its payload wants it.
    pub(crate) fn remember(
        &self,
        identity: &str,
        owner: &Owner,
        object: &ObjectId,
        resource: &Resource,
        payload: [u8; 32],
        live: &Value,
    ) {
        let known = Known {
            identity: Arc::from(identity),
            payload,
            uid: metadata(live, "uid").to_owned(),
            resource_version: metadata(live, "resourceVersion").to_owned(),
            checked_at: Instant::now(),
            is_ready: false,
        };
        if known.uid.is_empty() || known.resource_version.is_empty() {
            return self.drop_object(owner, object);
        }
        self.0.live.watch(resource, &owner.key("name"));
        let objects = self
            .objects(owner)
            .unwrap_or_else(|| Arc::clone(self.0.owners.write().entry(owner.clone()).or_default()));
        objects.lock().insert(object.clone(), known);
    }

    /// Notes that an object is ready in the state in which it was read.
    pub(crate) fn note_ready(&self, owner: &Owner, object: &ObjectId, live: &Value) {
        let Some(objects) = self.objects(owner) else { return };
        if let Some(known) = objects.lock().get_mut(object)
            && known.uid == metadata(live, "uid")
            && known.resource_version == metadata(live, "resourceVersion")
        {
            known.is_ready = true;
        }
    }

    /// Whether an object was ready in the state in which it is now, as far as is known for sure.
    pub(crate) fn is_ready(
        &self,
        identity: &str,
        owner: &Owner,
        object: &ObjectId,
        resource: &Resource,
    ) -> bool {
        self.is_known(owner, object, |known| {
            known.is_ready && self.is_current(known, identity, object, resource)
        })
    }

    /// Forgets an object whose state is not known any more.
    pub(crate) fn drop_object(&self, owner: &Owner, object: &ObjectId) {
        if let Some(objects) = self.objects(owner) {
            objects.lock().swap_remove(object);
        }
    }

    /// Whether what was recorded still holds: for the identity, by time, and by the watch.
    fn is_current(
        &self,
        known: &Known,
        identity: &str,
        object: &ObjectId,
        resource: &Resource,
    ) -> bool {
        *known.identity == *identity
            && known.checked_at.elapsed() < self.0.options.full_check_every
            && self.0.live.is_at(resource, object, &known.uid, &known.resource_version)
    }

    fn is_known(
        &self,
        owner: &Owner,
        object: &ObjectId,
        condition: impl FnOnce(&Known) -> bool,
    ) -> bool {
        self.objects(owner).is_some_and(|objects| objects.lock().get(object).is_some_and(condition))
    }

    fn objects(&self, owner: &Owner) -> Option<Arc<Mutex<Objects>>> {
        self.0.owners.read().get(owner).map(Arc::clone)
    }
}

/// A digest of a payload and of what else decides whether it would change something.
pub(crate) fn payload_digest(payload: &[u8], options: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update((options.len() as u64).to_le_bytes());
    hasher.update(options.as_bytes());
    hasher.update(payload);
    hasher.finalize().into()
}
