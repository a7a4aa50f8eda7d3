//! Which changes ask for a turn.

use gitops_api::meta::annotation;
use kube::api::DynamicObject;

use crate::runtime::Change;

/// Whether a change of an object asks for a turn: our own status writes must not.
pub(in crate::runtime) fn asks_for_turn(change: &Change) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else {
        return true;
    };
    let request = |object: &DynamicObject| {
        let annotations = object.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(annotation::RECONCILE_REQUESTED_AT)).cloned()
    };
    old.metadata.uid != new.metadata.uid
        || old.metadata.generation != new.metadata.generation
        || old.metadata.deletion_timestamp.is_some() != new.metadata.deletion_timestamp.is_some()
        || request(old) != request(new)
}
