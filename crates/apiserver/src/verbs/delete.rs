//! Objects that go, and what goes with them: namespaces, dependents.

use std::{collections::HashSet, sync::Arc};

use http::StatusCode;
use serde_json::{Value, json};

use super::{Call, list, write::holds_namespace};
use crate::{
    object::Meta as _,
    registry::{Resource, custom},
    server::State,
    service::Answer,
    status::{Cause, Refusal, Result},
    storage::{Key, Listing, Object},
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

pub(crate) fn delete(mut call: Call<'_>, body: &Value) -> Result<Answer> {
    if call.subresource.is_some() {
        return Err(Refusal::method_not_allowed());
    }
    read_options(&mut call, body)?;
    let preconditions = Preconditions::read(body);
    let key = call.key();
    loop {
        let live = call.resource.table.get(&key).ok_or_else(|| call.not_found(call.name))?;
        preconditions.check(&call, &live.value)?;
        match delete_one(&call, &key, &live) {
            Some(Deleted::Gone(object)) => return Ok(gone(&call, &object)),
            Some(Deleted::Waiting(object)) => return Ok(call.show(StatusCode::OK, &object)),
            // Another write was faster.
            None => {}
        }
    }
}

pub(crate) fn delete_collection(mut call: Call<'_>, body: &Value) -> Result<Answer> {
    read_options(&mut call, body)?;
    let found = list::find(&call)?;
    for object in &found.objects {
        let key = Key::new(object.value.namespace(), object.value.name());
        while let Some(live) = call.resource.table.get(&key) {
            if delete_one(&call, &key, &live).is_some() {
                break;
            }
        }
    }
    call.options.limit = 0;
    let revision = call.state.store.revision();
    let gone = Listing { objects: found.objects, revision, remaining: 0, last: None };
    Ok(list::show(&call, &gone))
}

/// The options of a deletion: those of the body, or of the query if there is no body.
fn read_options(call: &mut Call<'_>, body: &Value) -> Result<()> {
    if !body.is_null() {
        call.options.read_delete_body(body)?;
        call.options.check_dry_run("DeleteOptions")?;
    }
    match call.options.propagation_policy.as_deref() {
        None | Some("Foreground" | "Background" | "Orphan") => Ok(()),
        Some(other) => {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            let cause = Cause::unsupported("propagationPolicy", other, supported);
            Err(Refusal::invalid("meta.k8s.io", "DeleteOptions", "", &[cause]))
        }
    }
}

enum Deleted {
    Gone(Arc<Object>),
    /// Something holds it.
    Waiting(Arc<Object>),
}

/// `None` if another write was faster.
fn delete_one(call: &Call<'_>, key: &Key, live: &Arc<Object>) -> Option<Deleted> {
    let resource = call.resource;
    let mut finalizers: Vec<String> =
        live.value.finalizers().into_iter().map(str::to_owned).collect();
    if let Some(finalizer) = propagation(call)
        && !finalizers.iter().any(|known| known == finalizer)
    {
        finalizers.push(finalizer.to_owned());
    }
    if finalizers.is_empty() && !holds_namespace(resource, &live.value) {
        if call.options.dry_run {
            return Some(Deleted::Gone(Arc::clone(live)));
        }
        let object = resource.table.remove(key, live.revision).ok()?;
        removed(call.state, resource, &object);
        return Some(Deleted::Gone(object));
    }
    let known = live.value.finalizers().len() == finalizers.len();
    if live.value.is_deleting() && known {
        return Some(Deleted::Waiting(Arc::clone(live)));
    }
    let mut value = live.value.clone();
    if !value.is_deleting() {
        value.set_meta("deletionTimestamp", call.now.clone());
        value.set_meta("deletionGracePeriodSeconds", 0);
        if value.generation() > 0 {
            let next = value.generation() + 1;
            value.set_meta("generation", next);
        }
    }
    value.set_meta("finalizers", finalizers);
    if value.finalizers().is_empty() {
        value.remove_meta("finalizers");
    }
    if resource.is("", "namespaces") {
        value["status"]["phase"] = "Terminating".into();
    }
    if call.options.dry_run {
        return Some(Deleted::Waiting(Arc::new(Object::new(value, live.revision))));
    }
    let object = resource.table.put(key, Some(live.revision), value).ok()?;
    marked(call.state, resource, &object);
    let now = resource.table.get(key).unwrap_or(object);
    Some(Deleted::Waiting(now))
}

/// The finalizer of the way in which dependents are treated, where someone is there to remove it.
fn propagation(call: &Call<'_>) -> Option<&'static str> {
    match call.options.propagation_policy.as_deref() {
        Some("Foreground") => Some(FOREGROUND),
        Some("Orphan") => Some(ORPHAN),
        _ if call.options.orphan_dependents == Some(true) => Some(ORPHAN),
        _ => None,
    }
}

fn gone(call: &Call<'_>, object: &Object) -> Answer {
    let resource = call.resource;
    let mut details = json!({"name": object.value.name()});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    details["kind"] = json!(resource.plural);
    details["uid"] = object.value.uid().into();
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": details,
    });
    Answer::value(StatusCode::OK, &status)
}

/// What follows from an object that is gone.
pub(super) fn removed(state: &State, resource: &Resource, object: &Object) {
    custom::removed(state, resource, object);
    if !state.built_in_controllers {
        return;
    }
    state.garbage.abandon(object.value.uid(), object.value.namespace());
    // One at a time; what is abandoned meanwhile is found by whoever collects.
    while let Some(_collecting) = state.garbage.begin() {
        let Some((owner, namespace)) = state.garbage.next() else { break };
        if state.garbage.is_owner(&owner) {
            collect(state, &owner);
        }
        finish_namespace(state, &namespace);
    }
}

/// What follows from an object that waits for its finalizers.
fn marked(state: &State, resource: &Resource, object: &Object) {
    if !state.built_in_controllers {
        return;
    }
    if resource.is("", "namespaces") {
        empty_namespace(state, object.value.name());
    }
    let finalizers = object.value.finalizers();
    if finalizers.contains(&ORPHAN) {
        disown(state, object.value.uid());
        drop_finalizer(state, resource, object, ORPHAN);
    } else if finalizers.contains(&FOREGROUND) {
        collect(state, object.value.uid());
        drop_finalizer(state, resource, object, FOREGROUND);
    }
}

fn drop_finalizer(state: &State, resource: &Resource, object: &Object, finalizer: &str) {
    let key = Key::new(object.value.namespace(), object.value.name());
    while let Some(live) = resource.table.get(&key) {
        let mut value = live.value.clone();
        let rest: Vec<String> = value
            .finalizers()
            .into_iter()
            .filter(|name| *name != finalizer)
            .map(str::to_owned)
            .collect();
        if rest.is_empty() && !holds_namespace(resource, &value) {
            match resource.table.remove(&key, live.revision) {
                Ok(object) => return removed(state, resource, &object),
                Err(_) => continue,
            }
        }
        value.set_meta("finalizers", rest);
        if resource.table.put(&key, Some(live.revision), value).is_ok() {
            return;
        }
    }
}

/// Empties a namespace that is being deleted; it goes when nothing is left in it.
pub(super) fn empty_namespace(state: &State, name: &str) {
    let registry = state.registry();
    let mut left = false;
    for resource in registry.preferred().iter().filter(|resource| resource.namespaced) {
        let Ok(found) = resource.table.list(Some(name), None, None, 0, &|_| true) else { continue };
        for object in found.objects {
            let call = system_call(state, &registry, resource, name);
            let key = Key::new(name, object.value.name());
            while let Some(live) = resource.table.get(&key) {
                match delete_one(&call, &key, &live) {
                    Some(Deleted::Gone(_)) => break,
                    Some(Deleted::Waiting(_)) => {
                        left |= resource.table.get(&key).is_some();
                        break;
                    }
                    None => {}
                }
            }
        }
    }
    if !left {
        release_namespace(state, name);
    }
}

/// Removes an empty namespace.
fn release_namespace(state: &State, name: &str) {
    let registry = state.registry();
    let Some(resource) = registry.resource("", "v1", "namespaces") else { return };
    let key = Key::new("", name);
    while let Some(live) = resource.table.get(&key) {
        if !live.value.is_deleting() {
            return;
        }
        let mut value = live.value.clone();
        value["spec"]["finalizers"] = json!([]);
        let done = if value.finalizers().is_empty() {
            resource.table.remove(&key, live.revision).is_ok()
        } else {
            resource.table.put(&key, Some(live.revision), value).is_ok()
        };
        if done {
            return;
        }
    }
}

/// The namespace's own finalizers were changed by a client.
pub(super) fn after_finalize(state: &State, object: &Object) {
    let value = &object.value;
    let registry = state.registry();
    let Some(resource) = registry.resource("", "v1", "namespaces") else { return };
    if value.is_deleting() && value.finalizers().is_empty() && !holds_namespace(resource, value) {
        let key = Key::new("", value.name());
        let _ = resource.table.remove(&key, object.revision);
    }
}

/// Deletes what belonged to an owner that is gone and has no other owner; `removed` of each does the
/// same for what belonged to it.
fn collect(state: &State, owner: &str) {
    for_dependents(state, owner, &mut |state, resource, object| {
        let namespace = object.value.namespace().to_owned();
        let registry = state.registry();
        let call = system_call(state, &registry, resource, &namespace);
        let key = Key::new(&namespace, object.value.name());
        while let Some(live) = resource.table.get(&key) {
            let owners = live.value.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            let others: HashSet<&str> = owners
                .into_iter()
                .flatten()
                .filter_map(|reference| reference["uid"].as_str())
                .filter(|uid| *uid != owner)
                .collect();
            let done = if others.is_empty() {
                delete_one(&call, &key, &live).is_some()
            } else {
                without_owner(resource, &key, &live, owner)
            };
            if done {
                break;
            }
        }
    });
}

/// Removes a namespace that waited for its last object.
fn finish_namespace(state: &State, name: &str) {
    if name.is_empty() || !state.namespace(name).is_some_and(|namespace| namespace.is_deleting()) {
        return;
    }
    let registry = state.registry();
    let left = registry.preferred().iter().any(|resource| {
        let found = || resource.table.list(Some(name), None, None, 1, &|_| true);
        resource.namespaced
            && !resource.table.is_empty()
            && found().is_ok_and(|found| !found.objects.is_empty())
    });
    if !left {
        release_namespace(state, name);
    }
}

/// Takes an owner's name out of what belonged to it.
fn disown(state: &State, owner: &str) {
    for_dependents(state, owner, &mut |_, resource, object| {
        let key = Key::new(object.value.namespace(), object.value.name());
        while let Some(live) = resource.table.get(&key) {
            if without_owner(resource, &key, &live, owner) {
                break;
            }
        }
    });
}

fn without_owner(resource: &Resource, key: &Key, live: &Object, owner: &str) -> bool {
    let mut value = live.value.clone();
    let list = value.metadata_mut().get_mut("ownerReferences").and_then(Value::as_array_mut);
    let Some(list) = list else { return true };
    list.retain(|reference| reference["uid"] != owner);
    if list.is_empty() {
        value.remove_meta("ownerReferences");
    }
    resource.table.put(key, Some(live.revision), value).is_ok()
}

fn for_dependents(state: &State, owner: &str, each: &mut dyn FnMut(&State, &Resource, &Object)) {
    if owner.is_empty() {
        return;
    }
    let registry = state.registry();
    let belongs = |object: &Object| {
        let owners = object.value.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.is_some_and(|owners| owners.iter().any(|reference| reference["uid"] == owner))
    };
    for resource in registry.preferred() {
        if resource.table.is_empty() {
            continue;
        }
        let found = resource.table.list(None, None, None, 0, &belongs);
        for object in found.map(|found| found.objects).unwrap_or_default() {
            each(state, &resource, &object);
        }
    }
}

fn system_call<'a>(
    state: &'a State,
    registry: &'a crate::registry::Registry,
    resource: &'a Resource,
    namespace: &'a str,
) -> Call<'a> {
    Call {
        state,
        registry,
        resource,
        subresource: None,
        namespace,
        name: "",
        options: crate::request::Options::default(),
        manager: "kube-controller-manager".to_owned(),
        view: super::View::Whole,
        sent: None,
        now: state.now(),
    }
}

/// What must hold for a deletion to happen.
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl Preconditions {
    fn read(body: &Value) -> Self {
        let text = |field: &str| {
            body.pointer("/preconditions").and_then(|p| p.get(field)?.as_str()).map(str::to_owned)
        };
        Self { uid: text("uid"), resource_version: text("resourceVersion") }
    }

    fn check(&self, call: &Call<'_>, live: &Value) -> Result<()> {
        let compare = |what: &str, wanted: &Option<String>, found: &str, then: &str| match wanted {
            Some(wanted) if wanted != found => {
                let why = format!(
                    "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been {then}"
                );
                let resource = call.resource;
                Err(Refusal::conflict(&resource.group, &resource.kind, call.name, &why))
            }
            _ => Ok(()),
        };
        compare("UID", &self.uid, live.uid(), "deleted and then recreated")?;
        let version = live.meta("resourceVersion");
        compare("ResourceVersion", &self.resource_version, version, "modified")
    }
}
