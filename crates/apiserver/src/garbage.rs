//! Which owners are gone, and who once owned something.

use std::collections::{HashSet, VecDeque};

use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;

/// What a deletion leaves to be collected. Collecting works through a queue, so that a long chain of
/// owners costs no stack.
#[derive(Debug, Default)]
pub(crate) struct Garbage {
    /// UIDs that an owner reference ever named: most objects own nothing, and cost nothing.
    owners: Mutex<HashSet<Box<str>>>,
    abandoned: Mutex<VecDeque<(Box<str>, Box<str>)>>,
    collecting: Mutex<()>,
}

impl Garbage {
    /// Takes note of the owners that an object names.
    pub(crate) fn note(&self, object: &Value) {
        let Some(Value::Array(list)) = object.pointer("/metadata/ownerReferences") else { return };
        let mut owners = self.owners.lock();
        for uid in list.iter().filter_map(|reference| reference["uid"].as_str()) {
            if !owners.contains(uid) {
                owners.insert(uid.into());
            }
        }
    }

    pub(crate) fn is_owner(&self, uid: &str) -> bool {
        self.owners.lock().contains(uid)
    }

    /// An object is gone.
    pub(crate) fn abandon(&self, uid: &str, namespace: &str) {
        self.abandoned.lock().push_back((uid.into(), namespace.into()));
    }

    /// The right to collect; `None` while another has it, or when there is nothing to collect.
    pub(crate) fn begin(&self) -> Option<MutexGuard<'_, ()>> {
        if self.abandoned.lock().is_empty() {
            return None;
        }
        self.collecting.try_lock()
    }

    /// The UID and the namespace of an object that is gone.
    pub(crate) fn next(&self) -> Option<(Box<str>, Box<str>)> {
        self.abandoned.lock().pop_front()
    }
}
