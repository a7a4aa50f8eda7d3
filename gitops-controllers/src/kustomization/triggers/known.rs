//! What is known without asking: sources and other Kustomizations, from the caches of the process;
//! and who is queued when one of them changes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gitops_api::{
    kustomize::{Kustomization, SubstituteKind},
    meta::annotation,
};
use gitops_apply::{ApiError, Cluster};
use gitops_core::ObjectId;
use kube::api::{ApiResource, DynamicObject};
use parking_lot::Mutex;
use serde_json::Value;

use super::{Key as Pair, for_config, for_revision, waiting_for};
use crate::kustomization::inputs::source::{self, plural};
use crate::runtime::{Cache, Caches, Change, Key, Queue};

/// After this time the status of a turn is written, and those that waited for it can go on.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// The caches, the queue, and how a change of the ones leads to the other. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Known(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    caches: Caches,
    /// Caches of kinds of sources that some Kustomization refers to.
    sources: Mutex<BTreeMap<String, Arc<Cache>>>,
    own: OnceLock<(Arc<Cache>, Arc<Queue>)>,
    /// The revision with which the latest turn of a Kustomization began. Statuses tell the same,
    /// but later.
    begun: Mutex<BTreeMap<Pair, String>>,
    /// What decides whom a change concerns, so that only those are read.
    concerns: Mutex<BTreeMap<Pair, Concern>>,
}

/// What a Kustomization refers to.
#[derive(Debug)]
struct Concern {
    /// Two tasks may tell of changes at the same time; the later state counts.
    version: u128,
    source: String,
    depends_on: Vec<String>,
}

impl Concern {
    fn of(object: &DynamicObject) -> Self {
        let spec = &object.data["spec"];
        let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
        let depends_on = spec["dependsOn"].as_array().into_iter().flatten().map(name).collect();
        let version = object.metadata.resource_version.as_deref();
        let version = version.and_then(|version| version.parse().ok()).unwrap_or(u128::MAX);
        Self { version, source: name(&spec["sourceRef"]), depends_on }
    }
}

impl Known {
    pub(crate) fn new(caches: Caches) -> Self {
        Self(Arc::new(Shared {
            caches,
            sources: Mutex::default(),
            own: OnceLock::new(),
            begun: Mutex::default(),
            concerns: Mutex::default(),
        }))
    }

    /// Tells where the Kustomizations are and how they are queued. Once.
    pub(crate) fn connect(&self, cache: Arc<Cache>, queue: Arc<Queue>) {
        let shared = Arc::downgrade(&self.0);
        cache.listen(move |change| {
            let Some(shared) = shared.upgrade() else { return };
            let pair = (change.key.namespace.clone(), change.key.name.clone());
            let mut concerns = shared.concerns.lock();
            let Some(new) = change.new.as_deref().map(Concern::of) else {
                concerns.remove(&pair);
                return;
            };
            if concerns.get(&pair).is_none_or(|known| known.version <= new.version) {
                concerns.insert(pair, new);
            }
        });
        // A second call would be a mistake of the wiring and changes nothing.
        let _ = self.0.own.set((cache, queue));
    }

    /// A source: from the cache, or from the API server where the cache does not know it (yet), or
    /// where `direct` wants it so.
    pub(crate) async fn source(
        &self,
        cluster: &Cluster,
        id: &ObjectId,
        direct: bool,
    ) -> Result<Option<Value>, ApiError> {
        let cache = self.0.sources.lock().get(&id.kind).cloned().filter(|_| !direct);
        let known = cache.and_then(|cache| cache.get(&Key::new(&id.namespace, &id.name)));
        if let Some(known) = known {
            return Ok(serde_json::to_value(&*known).ok());
        }
        let found = cluster.get(id).await?;
        if found.is_some() {
            self.watch_source(id);
        }
        Ok(found)
    }

    /// A turn begins with a revision.
    pub(crate) fn begin(&self, key: Pair, revision: &str) {
        self.0.begun.lock().insert(key, revision.to_owned());
    }

    /// A Kustomization is gone.
    pub(crate) fn forget(&self, key: &Pair) {
        self.0.begun.lock().remove(key);
    }

    /// A Kustomization, as the cache knows it.
    pub(crate) fn kustomization(&self, key: &Pair) -> Option<Value> {
        let (cache, _) = self.0.own.get()?;
        let known = cache.get(&Key::new(&key.0, &key.1))?;
        serde_json::to_value(&*known).ok()
    }

    /// A Kustomization is about to be written as ready: those that wait for it go on soon.
    pub(crate) fn became_ready(&self, object: &Kustomization) {
        let Some((_, queue)) = self.0.own.get() else {
            return;
        };
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let waiting = self.those(|_, other| other.depends_on.iter().any(|known| known == name));
        for key in waiting_for(&waiting, object) {
            queue.add_after(&Key::new(key.0, key.1), SETTLE_TIME);
        }
    }

    /// Queues those that read a labelled ConfigMap or Secret when it changes.
    pub(crate) fn watch_config(&self, kind: SubstituteKind, selector: &str) {
        let resource = resource(
            "",
            kind.as_str(),
            if kind == SubstituteKind::Secret { "secrets" } else { "configmaps" },
        );
        let cache = self.0.caches.watch(&resource, Some(selector));
        let is_filled = Arc::new(AtomicBool::new(false));
        let (this, filled) = (self.clone(), Arc::clone(&is_filled));
        cache.listen(move |change| {
            // What was there from the beginning is no change.
            if filled.load(Ordering::Acquire) {
                let Key { namespace, name } = &change.key;
                let id = ObjectId::new("v1", kind.as_str(), namespace, name);
                let readers = this.those(|key, _| key.0 == *namespace);
                this.queue(for_config(&readers, kind, namespace, name), &id);
            }
        });
        tokio::spawn(async move {
            cache.synced().await;
            is_filled.store(true, Ordering::Release);
        });
    }

    fn watch_source(&self, id: &ObjectId) {
        let mut sources = self.0.sources.lock();
        if sources.contains_key(&id.kind) {
            return;
        }
        let resource = resource(annotation::SOURCE_GROUP, &id.kind, plural(&id.kind));
        let cache = self.0.caches.watch(&resource, None);
        sources.insert(id.kind.clone(), Arc::clone(&cache));
        drop(sources);
        let this = self.clone();
        let of = id.clone();
        cache.listen(move |change| this.source_changed(&of, change));
    }

    fn source_changed(&self, of: &ObjectId, change: &Change) {
        let revision = |object: &Option<Arc<DynamicObject>>| {
            let object = serde_json::to_value(object.as_deref()?).ok()?;
            source::artifact_of(&object).map(|resolved| resolved.artifact.revision)
        };
        let Some(new) = revision(&change.new) else {
            return;
        };
        if revision(&change.old).as_ref() == Some(&new) && !became_ready(change) {
            return;
        }
        let Key { namespace, name } = &change.key;
        let id = ObjectId { namespace: namespace.clone(), name: name.clone(), ..of.clone() };
        let dependents = self.those(|_, object| object.source == *name);
        let keys = for_revision(&dependents, &id, &new);
        if change.old.is_some() {
            return self.queue_unbegun(keys, &id, &new);
        }
        // A source that is seen for the first time may be the one that turns in hand just read
        // themselves: they have begun by then.
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(SETTLE_TIME).await;
            this.queue_unbegun(keys, &id, &new);
        });
    }

    /// Queues those whose latest turn did not begin with the revision.
    fn queue_unbegun(&self, mut keys: Vec<Pair>, source: &ObjectId, revision: &str) {
        {
            let begun = self.0.begun.lock();
            keys.retain(|key| begun.get(key).is_none_or(|begun| begun != revision));
        }
        self.queue(keys, source);
    }

    fn queue(&self, keys: Vec<Pair>, cause: &ObjectId) {
        let Some((_, queue)) = self.0.own.get() else {
            return;
        };
        for (namespace, name) in keys {
            queue.add(&Key::new(namespace, name), Some(cause));
        }
    }

    /// The Kustomizations that can be read and that `concern` picks. It is asked without reading
    /// them: a thousand at every turn of one would be most of the work.
    fn those(&self, concern: impl Fn(&Pair, &Concern) -> bool) -> Vec<Kustomization> {
        let Some((cache, _)) = self.0.own.get() else {
            return Vec::new();
        };
        let concerned: Vec<Key> = {
            let concerns = self.0.concerns.lock();
            let concerned = concerns.iter().filter(|(key, object)| concern(key, object));
            concerned.map(|((namespace, name), _)| Key::new(namespace, name)).collect()
        };
        concerned.iter().filter_map(|key| cache.get_as(key)?.ok()).collect()
    }
}

fn became_ready(change: &Change) -> bool {
    let is_ready = |object: &Option<Arc<DynamicObject>>| {
        let conditions = object.as_deref().map(|object| &object.data["status"]["conditions"]);
        let conditions = conditions.and_then(Value::as_array).into_iter().flatten();
        conditions.into_iter().any(|known| known["type"] == "Ready" && known["status"] == "True")
    };
    is_ready(&change.new) && !is_ready(&change.old)
}

fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    ApiResource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
