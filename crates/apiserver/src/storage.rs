//! A revisioned map and a bounded log of its changes, one table per resource.
//!
//! Objects are immutable and shared. A table's lock is held only while one entry is exchanged;
//! revisions are unique and rising over all tables, as they are in etcd.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::watch;

use crate::object::Meta as _;

/// How many changes a table remembers for watchers that lag behind.
const LOG_LIMIT: usize = 8192;

/// Which table.
type GroupAndPlural = (Box<str>, Box<str>);

/// All tables.
#[derive(Debug)]
pub(crate) struct Store {
    revision: Arc<AtomicU64>,
    tables: RwLock<HashMap<GroupAndPlural, Arc<Table>>>,
}

/// The objects of one resource, whatever the version in which they are served.
#[derive(Debug)]
pub(crate) struct Table {
    revision: Arc<AtomicU64>,
    inner: Mutex<Inner>,
    latest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<Key, Arc<Object>>,
    log: VecDeque<Change>,
    /// Changes up to this revision are forgotten.
    forgotten: u64,
}

/// Namespace (empty for cluster-scoped objects) and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

/// A stored state of an object.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) value: Value,
    pub(crate) revision: u64,
    json: OnceLock<Bytes>,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    /// The state after the change; of a deletion, the last state with the deletion's revision.
    pub(crate) object: Arc<Object>,
    pub(crate) previous: Option<Arc<Object>>,
    pub(crate) deleted: bool,
}

/// The entry was not what the writer expected.
#[derive(Debug)]
pub(crate) struct Raced;

/// A consistent view of a table.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) objects: Vec<Arc<Object>>,
    pub(crate) revision: u64,
    /// Objects that the limit left out.
    pub(crate) remaining: usize,
    pub(crate) last: Option<Key>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { revision: Arc::new(AtomicU64::new(1)), tables: RwLock::default() }
    }

    /// The latest revision of all.
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::SeqCst)
    }

    /// The table of a resource; made when first asked for.
    pub(crate) fn table(&self, group: &str, plural: &str) -> Arc<Table> {
        let key = (group.into(), plural.into());
        if let Some(table) = self.tables.read().get(&key) {
            return Arc::clone(table);
        }
        let revision = Arc::clone(&self.revision);
        let table =
            || Arc::new(Table { revision, inner: Mutex::default(), latest: watch::Sender::new(0) });
        Arc::clone(self.tables.write().entry(key).or_insert_with(table))
    }
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl Object {
    pub(crate) fn new(value: Value, revision: u64) -> Self {
        Self { value, revision, json: OnceLock::new() }
    }

    /// The object as JSON, written once for all readers.
    pub(crate) fn json(&self) -> Bytes {
        let write = || Bytes::from(serde_json::to_vec(&self.value).unwrap_or_default());
        self.json.get_or_init(write).clone()
    }
}

impl Table {
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.inner.lock().objects.get(key).cloned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inner.lock().objects.is_empty()
    }

    /// Puts an object in the place of `expected` (the revision, `None` for a new object) and
    /// sets its resource version.
    pub(crate) fn put(
        &self,
        key: &Key,
        expected: Option<u64>,
        mut value: Value,
    ) -> Result<Arc<Object>, Raced> {
        let mut inner = self.inner.lock();
        if inner.objects.get(key).map(|object| object.revision) != expected {
            return Err(Raced);
        }
        let revision = self.revision.fetch_add(1, Ordering::SeqCst) + 1;
        value.set_meta("resourceVersion", revision.to_string());
        let object = Arc::new(Object::new(value, revision));
        let previous = inner.objects.insert(key.clone(), Arc::clone(&object));
        inner.remember(Change { revision, object: Arc::clone(&object), previous, deleted: false });
        drop(inner);
        self.latest.send_replace(revision);
        Ok(object)
    }

    /// Removes the object that has the expected revision; gives its last state.
    pub(crate) fn remove(&self, key: &Key, expected: u64) -> Result<Arc<Object>, Raced> {
        let mut inner = self.inner.lock();
        match inner.objects.get(key) {
            Some(object) if object.revision == expected => {}
            _ => return Err(Raced),
        }
        let previous = inner.objects.remove(key).ok_or(Raced)?;
        let revision = self.revision.fetch_add(1, Ordering::SeqCst) + 1;
        let mut value = previous.value.clone();
        value.set_meta("resourceVersion", revision.to_string());
        let object = Arc::new(Object::new(value, revision));
        let change = Change {
            revision,
            object: Arc::clone(&object),
            previous: Some(previous),
            deleted: true,
        };
        inner.remember(change);
        drop(inner);
        self.latest.send_replace(revision);
        Ok(object)
    }

    /// Objects of a namespace (all if `None`) in the order of their keys, after `after`, as they
    /// were at revision `at` (now, if `None`).
    ///
    /// # Errors
    /// When the log does not reach back to `at`; the error holds the oldest revision that it does.
    pub(crate) fn list(
        &self,
        namespace: Option<&str>,
        after: Option<&Key>,
        at: Option<u64>,
        limit: usize,
        matches: &dyn Fn(&Object) -> bool,
    ) -> Result<Listing, u64> {
        let inner = self.inner.lock();
        let revision = at.unwrap_or_else(|| self.revision.load(Ordering::SeqCst));
        let past;
        let objects = match at {
            Some(at) if inner.log.back().is_some_and(|change| change.revision > at) => {
                past = inner.at(at)?;
                &past
            }
            _ => &inner.objects,
        };
        let start = match (after, namespace) {
            (Some(key), _) => Bound::Excluded(key.clone()),
            (None, Some(namespace)) => Bound::Included(Key::new(namespace, "")),
            (None, None) => Bound::Unbounded,
        };
        let mut candidates = objects
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| namespace.is_none_or(|namespace| &*key.namespace == namespace));
        let mut found = Vec::new();
        let mut last = None;
        for (key, object) in candidates.by_ref() {
            if matches(object) {
                found.push(Arc::clone(object));
                if found.len() == limit {
                    last = Some(key.clone());
                    break;
                }
            }
        }
        let remaining = if last.is_some() { candidates.count() } else { 0 };
        Ok(Listing { objects: found, revision, remaining, last })
    }

    /// Changes after a revision.
    ///
    /// # Errors
    /// When the log does not reach back that far; the error holds the oldest revision that it does.
    pub(crate) fn changes(&self, after: u64) -> Result<Vec<Change>, u64> {
        let inner = self.inner.lock();
        if after < inner.forgotten {
            return Err(inner.forgotten);
        }
        let start = inner.log.partition_point(|change| change.revision <= after);
        Ok(inner.log.range(start..).cloned().collect())
    }

    /// Wakes when the table changes; the value is its latest revision.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}

impl Inner {
    fn remember(&mut self, change: Change) {
        if self.log.len() == LOG_LIMIT
            && let Some(oldest) = self.log.pop_front()
        {
            self.forgotten = oldest.revision;
        }
        self.log.push_back(change);
    }

    /// The objects as they were at a revision, by undoing what came later.
    fn at(&self, revision: u64) -> Result<BTreeMap<Key, Arc<Object>>, u64> {
        if revision < self.forgotten {
            return Err(self.forgotten);
        }
        let mut objects = self.objects.clone();
        for change in self.log.iter().rev().take_while(|change| change.revision > revision) {
            let key = Key::new(change.object.value.namespace(), change.object.value.name());
            match &change.previous {
                Some(previous) => objects.insert(key, Arc::clone(previous)),
                None => objects.remove(&key),
            };
        }
        Ok(objects)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "ns"}})
    }

    #[test]
    fn writers_must_know_what_they_replace() {
        let table = Store::new().table("", "configmaps");
        let key = Key::new("ns", "a");
        let first = table.put(&key, None, object("a")).unwrap();
        assert!(table.put(&key, None, object("a")).is_err(), "it exists");
        let second = table.put(&key, Some(first.revision), object("a")).unwrap();
        assert!(second.revision > first.revision);
        assert_eq!(second.value["metadata"]["resourceVersion"], second.revision.to_string());
        assert!(table.remove(&key, first.revision).is_err(), "it changed");
        assert!(table.remove(&key, second.revision).is_ok());
        assert!(table.is_empty());
    }

    #[test]
    fn the_past_can_be_listed_and_followed() {
        let table = Store::new().table("", "configmaps");
        let a = table.put(&Key::new("ns", "a"), None, object("a")).unwrap();
        let b = table.put(&Key::new("ns", "b"), None, object("b")).unwrap();
        table.remove(&Key::new("ns", "a"), a.revision).unwrap();
        let names = |at| -> Vec<String> {
            let listing = table.list(Some("ns"), None, at, 0, &|_| true).unwrap();
            listing.objects.iter().map(|object| object.value.name().to_owned()).collect()
        };
        assert_eq!(names(None), ["b"]);
        assert_eq!(names(Some(b.revision)), ["a", "b"]);
        let changes = table.changes(a.revision).unwrap();
        let seen: Vec<(&str, bool)> =
            changes.iter().map(|change| (change.object.value.name(), change.deleted)).collect();
        assert_eq!(seen, [("b", false), ("a", true)]);
    }
}
