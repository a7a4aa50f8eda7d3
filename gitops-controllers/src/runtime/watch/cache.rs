//! What the cluster holds of one kind, kept up to date by a watch.
//!
//! Objects are kept untyped, so that one that cannot be decoded harms nobody else, and as text: a
//! tree of small values takes ten times as much memory, and most objects are looked at once in an
//! interval. The answers to our own writes are put in at once: a turn never sees less than what the
//! turn before it wrote.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use gitops_core::{ObjectId, Scope};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    runtime::watcher,
};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

/// The longest pause before a watch is tried again: after an outage of the API server, changes are
/// seen within this time and a round trip.
const RECONNECT_LIMIT: Duration = Duration::from_secs(4);

/// Namespace and name. `Display` gives `namespace/name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// A key.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    pub fn of(object: &DynamicObject) -> Self {
        Self::new(
            object.metadata.namespace.clone().unwrap_or_default(),
            object.metadata.name.clone().unwrap_or_default(),
        )
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A change of one object as the watch saw it: appeared (no `old`), changed, or gone (no `new`).
#[derive(Clone, Debug)]
pub struct Change {
    /// Which object.
    pub key: Key,
    /// What was known.
    pub old: Option<Arc<DynamicObject>>,
    /// What is.
    pub new: Option<Arc<DynamicObject>>,
}

/// An object as text.
#[derive(Clone)]
struct Stored {
    uid: Option<Box<str>>,
    /// As a number, which Kubernetes guarantees for its own API.
    version: Option<u128>,
    text: Arc<[u8]>,
}

impl Stored {
    fn new(object: &DynamicObject) -> Self {
        let text = serde_json::to_vec(object).unwrap_or_default();
        Self {
            uid: object.metadata.uid.as_deref().map(Box::from),
            version: version(object),
            text: text.into(),
        }
    }

    fn get(&self) -> Option<Arc<DynamicObject>> {
        serde_json::from_slice(&self.text).ok().map(Arc::new)
    }

    /// Whether `new` is a later state. Versions that are no numbers count as newer.
    fn is_older_than(&self, new: &DynamicObject) -> bool {
        if new.metadata.uid.as_deref() != self.uid.as_deref() {
            return true;
        }
        match (version(new), self.version) {
            (Some(new), Some(known)) => new > known,
            _ => true,
        }
    }
}

fn version(object: &DynamicObject) -> Option<u128> {
    object.metadata.resource_version.as_deref()?.parse().ok()
}

type Listener = Arc<dyn Fn(&Change) + Send + Sync>;

/// The objects of one kind. Shared by everybody who asks for the kind.
pub struct Cache {
    resource: ApiResource,
    objects: RwLock<HashMap<Key, Stored>>,
    listeners: RwLock<Vec<Listener>>,
    synced: watch::Sender<bool>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("kind", &self.resource.kind)
            .field("objects", &self.objects.read().len())
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// An empty cache of a kind; [`run`](Self::run) fills it.
    pub fn new(resource: ApiResource) -> Arc<Self> {
        Arc::new(Self {
            resource,
            objects: RwLock::default(),
            listeners: RwLock::default(),
            synced: watch::Sender::new(false),
        })
    }

    /// The kind.
    pub fn resource(&self) -> &ApiResource {
        &self.resource
    }

    /// The id of one of its objects.
    pub fn id(&self, key: &Key) -> ObjectId {
        ObjectId::new(&self.resource.api_version, &self.resource.kind, &key.namespace, &key.name)
    }

    /// An object as it was last seen.
    pub fn get(&self, key: &Key) -> Option<Arc<DynamicObject>> {
        let stored = self.objects.read().get(key).cloned();
        stored?.get()
    }

    /// An object with its type.
    ///
    /// # Errors
    /// When the object does not fit the type.
    pub fn get_as<K: DeserializeOwned>(&self, key: &Key) -> Option<Result<K, serde_json::Error>> {
        self.get(key).map(|object| decode(&object))
    }

    /// All objects, in no order.
    pub fn all(&self) -> Vec<Arc<DynamicObject>> {
        let stored: Vec<Stored> = self.objects.read().values().cloned().collect();
        stored.iter().filter_map(Stored::get).collect()
    }

    /// Calls `listener` on every change, on the task of the watch: it must be quick. Objects that
    /// are already known appear once, and none that comes meanwhile is missed.
    pub fn listen(&self, listener: impl Fn(&Change) + Send + Sync + 'static) {
        let listener: Listener = Arc::new(listener);
        let known: Vec<_> = {
            // Nothing comes in between being told of what is known and being told of what comes.
            let objects = self.objects.read();
            self.listeners.write().push(Arc::clone(&listener));
            objects.iter().map(|(key, object)| (key.clone(), object.clone())).collect()
        };
        for (key, object) in known {
            listener(&Change { key, old: None, new: object.get() });
        }
    }

    /// Completes when the first list is in.
    pub async fn synced(&self) {
        let mut synced = self.synced.subscribe();
        // The sender lives as long as the cache.
        let _ = synced.wait_for(|synced| *synced).await;
    }

    /// Puts in the answer to our own write, unless something newer is known already. Listeners
    /// are called as for the watch, which will not tell of this version again: other kinds depend
    /// on what we write, and an answer may bring somebody else's change along with ours.
    pub fn observe(&self, mut object: DynamicObject) -> Arc<DynamicObject> {
        trim(&mut object);
        let key = Key::of(&object);
        let new = Arc::new(object);
        let (old, listeners) = {
            let mut objects = self.objects.write();
            let old = match objects.get(&key) {
                // Deleted meanwhile: the watch knows better than the answer.
                None => return new,
                Some(known) if !known.is_older_than(&new) => {
                    return known.get().unwrap_or(new);
                }
                Some(_) => objects.insert(key.clone(), Stored::new(&new)),
            };
            (old, self.listeners.read().clone())
        };
        let old = old.and_then(|old| old.get());
        tell(&listeners, &Change { key, old, new: Some(Arc::clone(&new)) });
        new
    }

    /// Forgets an object that the API server says is gone.
    pub fn forget(&self, key: &Key, uid: Option<&str>) {
        let mut objects = self.objects.write();
        if objects.get(key).is_some_and(|known| known.uid.as_deref() == uid) {
            objects.remove(key);
        }
    }

    /// Lists and watches until the scope ends, over every outage.
    pub async fn run(
        self: Arc<Self>,
        client: Client,
        namespace: Option<String>,
        selector: Option<String>,
        scope: Scope,
    ) {
        let api: Api<DynamicObject> = match namespace.as_deref() {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.resource),
            None => Api::all_with(client, &self.resource),
        };
        let mut config = watcher::Config::default();
        if let Some(selector) = selector.as_deref().filter(|selector| !selector.is_empty()) {
            config = config.labels(selector);
        }
        let work = async {
            let mut events = pin!(watcher(api, config));
            let mut pause = Duration::ZERO;
            let mut listed = HashSet::new();
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => {
                        pause = Duration::ZERO;
                        self.take(event, &mut listed);
                    }
                    Err(error) => {
                        tracing::warn!(
                            kind = %self.resource.kind,
                            error = %gitops_core::one_line(&error),
                            "watch failed and is tried again"
                        );
                        pause = (pause * 2).clamp(Duration::from_millis(200), RECONNECT_LIMIT);
                        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                    }
                }
            }
        };
        // The watch never ends by itself.
        let _ = scope.run(work).await;
    }

    fn take(&self, event: watcher::Event<DynamicObject>, listed: &mut HashSet<Key>) {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(object) => {
                listed.insert(Key::of(&object));
                self.put(object);
            }
            watcher::Event::InitDone => {
                let gone: Vec<Key> = self
                    .objects
                    .read()
                    .keys()
                    .filter(|key| !listed.contains(*key))
                    .cloned()
                    .collect();
                for key in gone {
                    self.drop_object(key, None);
                }
                listed.clear();
                self.synced.send_replace(true);
            }
            watcher::Event::Apply(object) => self.put(object),
            watcher::Event::Delete(object) => {
                let uid = object.metadata.uid.clone();
                self.drop_object(Key::of(&object), uid.as_deref());
            }
        }
    }

    fn put(&self, mut object: DynamicObject) {
        trim(&mut object);
        let key = Key::of(&object);
        let new = Arc::new(object);
        let (old, listeners) = {
            let mut objects = self.objects.write();
            if let Some(known) = objects.get(&key)
                && !known.is_older_than(&new)
            {
                return;
            }
            (objects.insert(key.clone(), Stored::new(&new)), self.listeners.read().clone())
        };
        let old = old.and_then(|old| old.get());
        tell(&listeners, &Change { key, old, new: Some(new) });
    }

    fn drop_object(&self, key: Key, uid: Option<&str>) {
        let (old, listeners) = {
            let mut objects = self.objects.write();
            let old = match objects.get(&key) {
                // A new object of the same name is already there.
                Some(known) if uid.is_some() && known.uid.as_deref() != uid => return,
                _ => objects.remove(&key),
            };
            (old, self.listeners.read().clone())
        };
        let old = old.and_then(|old| old.get());
        tell(&listeners, &Change { key, old, new: None });
    }
}

/// Tells those who listened when the change was made: who came later knows of it already.
fn tell(listeners: &[Listener], change: &Change) {
    for listener in listeners {
        listener(change);
    }
}

/// An untyped object with its type.
///
/// # Errors
/// When the object does not fit the type.
pub fn decode<K: DeserializeOwned>(object: &DynamicObject) -> Result<K, serde_json::Error> {
    serde_json::from_value(serde_json::to_value(object)?)
}

/// Drops what nobody here reads and what can be most of an object.
fn trim(object: &mut DynamicObject) {
    object.metadata.managed_fields = None;
}

#[cfg(test)]
mod tests {
    use kube::api::GroupVersionKind;
    use parking_lot::Mutex;
    use serde_json::json;

    use super::*;

    fn object(version: &str, generation: i64) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "a", "namespace": "n", "uid": "u", "generation": generation,
                "resourceVersion": version },
        }))
        .unwrap()
    }

    /// The answer to a status patch may be newer than the watch: it brings a change of the spec
    /// that somebody else made meanwhile, and the watch's own news of it is old by then.
    #[test]
    fn each_version_is_told_once_whoever_brings_it() {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
        let cache = Cache::new(resource);
        let told = Arc::<Mutex<Vec<(Option<i64>, Option<i64>)>>>::default();
        let log = Arc::clone(&told);
        cache.listen(move |change| {
            let generation = |object: &Option<Arc<DynamicObject>>| {
                object.as_ref().and_then(|object| object.metadata.generation)
            };
            log.lock().push((generation(&change.old), generation(&change.new)));
        });
        cache.take(watcher::Event::Apply(object("1", 1)), &mut HashSet::new());
        cache.observe(object("3", 2));
        cache.take(watcher::Event::Apply(object("2", 2)), &mut HashSet::new());
        cache.take(watcher::Event::Apply(object("3", 2)), &mut HashSet::new());
        cache.observe(object("3", 2));
        assert_eq!(*told.lock(), [(None, Some(1)), (Some(1), Some(2))]);
    }

    /// Controllers begin to listen while the first list comes in.
    #[test]
    fn nothing_that_comes_while_one_begins_to_listen_is_missed() {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
        for _ in 0..40 {
            let cache = Cache::new(resource.clone());
            let appeared = Arc::<Mutex<Vec<String>>>::default();
            std::thread::scope(|scope| {
                let source = Arc::clone(&cache);
                scope.spawn(move || {
                    for number in 0..200 {
                        let mut object = object("1", 1);
                        object.metadata.name = Some(format!("{number:03}"));
                        source.take(watcher::Event::Apply(object), &mut HashSet::new());
                    }
                });
                let log = Arc::clone(&appeared);
                while cache.all().len() < 20 {}
                cache.listen(move |change| {
                    if change.old.is_none() {
                        log.lock().push(change.key.name.clone());
                    }
                });
            });
            let mut appeared = appeared.lock().clone();
            appeared.sort();
            let all: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
            assert_eq!(appeared, all);
        }
    }
}
