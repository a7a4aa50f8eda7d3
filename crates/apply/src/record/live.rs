//! The present `resourceVersion` of every object that carries an owner's label: one metadata-only
//! list and watch per kind.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use gitops_core::ObjectId;
use http::{HeaderValue, Request, header};
use indexmap::IndexMap;
use kube::core::WatchEvent;
use parking_lot::{Mutex, RwLock};
use serde::Deserialize;
use tokio::{task::AbortHandle, time::Instant};

use crate::{ApiError, Cluster, Resource, cluster::transport_text};

/// Kinds beyond this many are not watched, so their objects are always checked.
const WATCH_LIMIT: usize = 400;
/// How long the API server keeps a watch open.
const WATCH_SECONDS: u32 = 290;
/// The pause after a failure; doubled up to the limit.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LIMIT: Duration = Duration::from_mins(1);
const PAGE: usize = 1000;
pub(crate) const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// All watches.
#[derive(Debug)]
pub(crate) struct Live {
    cluster: Cluster,
    trust_for: Duration,
    kinds: RwLock<IndexMap<String, Watched>>,
}

#[derive(Debug)]
struct Watched {
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    /// When the API server was heard last; absent while the objects are not known.
    heard_at: Option<Instant>,
    /// By namespace and name.
    objects: IndexMap<(String, String), Version>,
}

#[derive(Debug)]
struct Version {
    uid: String,
    resource_version: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    namespace: String,
    name: String,
    uid: String,
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
}

impl Live {
    pub(crate) fn new(cluster: Cluster, trust_for: Duration) -> Self {
        Self { cluster, trust_for, kinds: RwLock::default() }
    }

    /// Whether an object is known to be at a version now.
    pub(crate) fn is_at(
        &self,
        resource: &Resource,
        object: &ObjectId,
        uid: &str,
        resource_version: &str,
    ) -> bool {
        let Some(state) = self.kinds.read().get(&key(resource)).map(|w| Arc::clone(&w.state))
        else {
            return false;
        };
        let state = state.lock();
        let is_trusted = state.heard_at.is_some_and(|heard| heard.elapsed() < self.trust_for);
        let name = (object.namespace.clone(), object.name.clone());
        is_trusted
            && state.objects.get(&name).is_some_and(|version| {
                version.uid == uid && version.resource_version == resource_version
            })
    }

    /// Watches a kind from now on.
    pub(crate) fn watch(&self, resource: &Resource, label: &str) {
        let key = key(resource);
        let is_watchable = resource.has_verb("list") && resource.has_verb("watch");
        if !is_watchable || self.kinds.read().contains_key(&key) {
            return;
        }
        let mut kinds = self.kinds.write();
        if kinds.len() >= WATCH_LIMIT || kinds.contains_key(&key) {
            return;
        }
        let state = Arc::<Mutex<State>>::default();
        let path = resource.collection_path("");
        let selector = crate::cluster::escape(label);
        let task = run(self.cluster.clone(), path, selector, Arc::clone(&state));
        let task = tokio::spawn(task).abort_handle();
        kinds.insert(key, Watched { state, task });
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for watched in self.kinds.get_mut().values() {
            watched.task.abort();
        }
    }
}

fn key(resource: &Resource) -> String {
    format!("{}/{}", resource.api_version, resource.plural)
}

async fn run(cluster: Cluster, path: String, selector: String, state: Arc<Mutex<State>>) {
    let mut pause = FIRST_PAUSE;
    let mut resume_at: Option<String> = None;
    loop {
        let ended = match &resume_at {
            Some(version) => follow(&cluster, &path, &selector, version.clone(), &state).await,
            None => list(&cluster, &path, &selector, &state).await,
        };
        match ended {
            Ok(version) => {
                resume_at = Some(version);
                pause = FIRST_PAUSE;
            }
            Err(error) => {
                // Whatever went wrong, the objects are not known until a list succeeds again.
                *state.lock() = State::default();
                resume_at = None;
                if !error.is_gone() {
                    tracing::debug!(%path, %error, "watch of applied objects interrupted");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_LIMIT);
                }
            }
        }
    }
}

/// Reads all objects and says from which version to watch.
async fn list(
    cluster: &Cluster,
    path: &str,
    selector: &str,
    state: &Mutex<State>,
) -> Result<String, ApiError> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        metadata: Metadata,
        /// The API server writes `null` for none.
        items: Option<Vec<Object>>,
    }

    let mut objects = IndexMap::new();
    let mut next = String::new();
    loop {
        let from = crate::cluster::escape(&next);
        let query = format!("{path}?labelSelector={selector}&limit={PAGE}&continue={from}");
        let request = request(&query, METADATA_LIST)?;
        let list: List = cluster.client().request(request).await.map_err(|e| api_error(&e))?;
        let items = list.items.unwrap_or_default();
        objects.extend(items.into_iter().map(|object| entry(object.metadata)));
        if list.metadata.next.is_empty() {
            *state.lock() = State { heard_at: Some(Instant::now()), objects };
            return Ok(list.metadata.resource_version);
        }
        next = list.metadata.next;
    }
}

/// Follows the changes until the API server ends the watch, and says where to go on.
async fn follow(
    cluster: &Cluster,
    path: &str,
    selector: &str,
    mut version: String,
    state: &Mutex<State>,
) -> Result<String, ApiError> {
    let query = format!(
        "{path}?watch=true&labelSelector={selector}&resourceVersion={version}\
         &allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}"
    );
    let events = cluster.client().request_events::<Object>(request(&query, METADATA)?).await;
    let mut events = events.map_err(|error| api_error(&error))?.boxed();
    while let Some(event) = events.next().await {
        let mut state = state.lock();
        match event.map_err(|error| api_error(&error))? {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                version.clone_from(&object.metadata.resource_version);
                let (name, seen) = entry(object.metadata);
                state.objects.insert(name, seen);
            }
            WatchEvent::Deleted(object) => {
                version.clone_from(&object.metadata.resource_version);
                state.objects.swap_remove(&(object.metadata.namespace, object.metadata.name));
            }
            WatchEvent::Bookmark(bookmark) => version = bookmark.metadata.resource_version,
            WatchEvent::Error(status) => {
                let error = ApiError::from_status(&status);
                return Err(error);
            }
        }
        state.heard_at = Some(Instant::now());
    }
    Ok(version)
}

fn entry(metadata: Metadata) -> ((String, String), Version) {
    let version = Version { uid: metadata.uid, resource_version: metadata.resource_version };
    ((metadata.namespace, metadata.name), version)
}

pub(crate) fn request(path: &str, accept: &'static str) -> Result<Request<Vec<u8>>, ApiError> {
    Request::get(path)
        .header(header::ACCEPT, HeaderValue::from_static(accept))
        .body(Vec::new())
        .map_err(|error| ApiError::local(error.to_string()))
}

pub(crate) fn api_error(error: &kube::Error) -> ApiError {
    match error {
        kube::Error::Api(status) => ApiError::from_status(status),
        other => ApiError::local(transport_text(other)),
    }
}
