//! From an object that a client sent to one that is stored: what create, update and patch share.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::Call;
use crate::{
    admit,
    apply::{self, Endpoint, Target},
    object::Meta as _,
    registry::{Resource, custom},
    service::Answer,
    status::{Refusal, Result},
    storage::{Key, Object},
};

/// How often a write that lost a race against another is tried again.
const TRIES: usize = 16;

/// Who gets the fields of a write.
pub(super) enum Ownership {
    /// Whatever changed is the writer's.
    Changed,
    /// Server-side apply has decided already.
    Applied,
}

/// What became of an object.
pub(super) enum Written {
    Created(Arc<Object>),
    Updated(Arc<Object>),
    /// Its last finalizer is gone, and so is it.
    Removed(Arc<Object>),
}

impl Written {
    pub(super) fn answer(&self, call: &Call<'_>, warnings: Vec<String>) -> Answer {
        let (code, object) = match self {
            Self::Created(object) => (StatusCode::CREATED, object),
            Self::Updated(object) | Self::Removed(object) => (StatusCode::OK, object),
        };
        let mut answer = call.show(code, object);
        answer.warnings = warnings;
        answer
    }
}

/// What was decoded of a request's object, and what the client is told about it.
pub(super) struct Decoded {
    pub(super) value: Value,
    pub(super) warnings: Vec<String>,
}

/// Checks that an object is of the kind that the path names, and makes it what the types can hold.
pub(super) fn decode(call: &Call<'_>, value: Value) -> Result<Decoded> {
    let resource = call.resource;
    admit::check_identity(call.registry, resource, &value)?;
    let (mut value, warnings) =
        admit::decode(resource, call.node(), value, call.sent, call.options.field_validation)?;
    name_kind(resource, &mut value);
    Ok(Decoded { value, warnings })
}

pub(super) fn name_kind(resource: &Resource, value: &mut Value) {
    if value["apiVersion"] != *resource.api_version || value["kind"] != *resource.kind {
        value["apiVersion"] = resource.api_version.clone().into();
        value["kind"] = resource.kind.clone().into();
    }
}

pub(super) fn is_custom(resource: &Resource) -> bool {
    resource.schema.node(resource.node).rules.is_some()
}

pub(super) fn set_defaults(resource: &Resource, value: &mut Value) {
    if is_custom(resource) {
        admit::default(&resource.schema, resource.node, value);
    } else {
        admit::default_builtin(resource, value);
    }
}

pub(super) fn target(resource: &Resource) -> Target<'_> {
    Target { schema: &resource.schema, node: resource.node, api_version: &resource.api_version }
}

pub(super) fn endpoint<'a>(call: &'a Call<'_>) -> Endpoint<'a> {
    Endpoint { subresource: call.subresource_name(), keeps_status: !call.resource.has_status() }
}

/// Stores a new object that has been decoded and defaulted.
pub(super) fn store_new(call: &Call<'_>, mut new: Value, ownership: &Ownership) -> Result<Written> {
    let resource = call.resource;
    place(call, &mut new)?;
    identify(call, &mut new)?;
    if matches!(ownership, Ownership::Changed) {
        apply::update(&target(resource), None, &mut new, &call.manager, endpoint(call), &call.now);
    }
    admit::prepare(resource, &mut new, None, "");
    if counts_generations(resource) {
        new.set_meta("generation", 1);
    }
    admit::validate(resource, &new, None, "")?;
    let key = Key::new(new.namespace(), new.name());
    let taken = || Refusal::already_exists(&resource.group, &resource.plural, &key.name);
    if resource.table.get(&key).is_some() {
        return Err(taken());
    }
    if call.options.dry_run {
        return Ok(Written::Created(Arc::new(Object::new(new, 0))));
    }
    custom::check(call.state, resource, &new)?;
    let object = resource.table.put(&key, None, new).map_err(|_| taken())?;
    call.state.garbage.note(&object.value);
    custom::changed(call.state, resource, &object);
    Ok(Written::Created(object))
}

/// The namespace of a new object: that of the path, which must exist.
fn place(call: &Call<'_>, new: &mut Value) -> Result<()> {
    let resource = call.resource;
    if !resource.namespaced {
        new.remove_meta("namespace");
        return Ok(());
    }
    match new.namespace() {
        "" => new.set_meta("namespace", call.namespace),
        namespace if namespace == call.namespace => {}
        _ => {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    let Some(namespace) = call.state.namespace(call.namespace) else {
        return Err(Refusal::not_found("", "namespaces", call.namespace));
    };
    if namespace.is_deleting() {
        let name = call.namespace;
        let why = format!(
            "unable to create new content in namespace {name} because it is being terminated"
        );
        let mut refusal = Refusal::forbidden(&resource.group, &resource.plural, new.name(), &why);
        if let Some(details) = &mut refusal.details {
            details["causes"] = serde_json::json!([{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {name} is being terminated"),
                "field": "metadata.namespace",
            }]);
        }
        return Err(refusal);
    }
    Ok(())
}

/// Name, UID and time of a new object.
fn identify(call: &Call<'_>, new: &mut Value) -> Result<()> {
    if !new.meta("resourceVersion").is_empty() {
        return Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "",
            "resourceVersion should not be set on objects to be created",
        ));
    }
    if new.name().is_empty() && !new.meta("generateName").is_empty() {
        let mut name = new.meta("generateName").to_owned();
        // Names of 63 bytes must still hold the suffix.
        while name.len() > 58 {
            name.pop();
        }
        new.set_meta("name", name + &call.state.generated_suffix());
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        new.remove_meta(field);
    }
    new.set_meta("uid", uuid::Uuid::new_v4().to_string());
    new.set_meta("creationTimestamp", call.now.clone());
    Ok(())
}

/// Replaces an object by what `change` makes of it, again if another write came between and the
/// client did not insist on a resource version.
pub(super) fn replace(
    call: &Call<'_>,
    change: &mut dyn FnMut(&Object) -> Result<(Value, Ownership)>,
) -> Result<Written> {
    let key = call.key();
    for _ in 0..TRIES {
        let live = call.resource.table.get(&key).ok_or_else(|| call.not_found(call.name))?;
        let (new, ownership) = change(&live)?;
        let version = new.meta("resourceVersion").to_owned();
        if !version.is_empty() && version != live.value.meta("resourceVersion") {
            return Err(call.stale(call.name));
        }
        if let Some(written) = store(call, &key, &live, new, &ownership)? {
            return Ok(written);
        }
        // A client that named a version does not want to replace another one; the next round
        // compares it.
    }
    Err(call.stale(call.name))
}

/// `None` if another write was faster.
fn store(
    call: &Call<'_>,
    key: &Key,
    live: &Arc<Object>,
    mut new: Value,
    ownership: &Ownership,
) -> Result<Option<Written>> {
    let resource = call.resource;
    let sub = call.subresource_name();
    keep_identity(call, &mut new, &live.value)?;
    let live_value = in_this_version(resource, &live.value);
    if matches!(ownership, Ownership::Changed) {
        let (target, endpoint) = (target(resource), endpoint(call));
        apply::update(&target, Some(&live_value), &mut new, &call.manager, endpoint, &call.now);
    }
    admit::prepare(resource, &mut new, Some(&live_value), sub);
    let mut generation = live_value.generation();
    if sub != "status"
        && counts_generations(resource)
        && is_new_generation(resource, &live_value, &new)
    {
        generation += 1;
    }
    if generation > 0 {
        new.set_meta("generation", generation);
    }
    admit::validate(resource, &new, Some(&live_value), sub)?;
    check_deleting(call, &live_value, &new)?;
    let gone = new.is_deleting() && new.finalizers().is_empty() && !holds_namespace(resource, &new);
    if call.options.dry_run {
        let version = live.value.meta("resourceVersion").to_owned();
        new.set_meta("resourceVersion", version);
        return Ok(Some(Written::Updated(Arc::new(Object::new(new, 0)))));
    }
    if gone {
        let Ok(object) = resource.table.remove(key, live.revision) else { return Ok(None) };
        super::delete::removed(call.state, resource, &object);
        // The writer sees what it wrote, which was never stored.
        new.set_meta("resourceVersion", live.value.meta("resourceVersion"));
        return Ok(Some(Written::Removed(Arc::new(Object::new(new, live.revision)))));
    }
    if is_same(&live_value, &new) && live.value["apiVersion"] == new["apiVersion"] {
        return Ok(Some(Written::Updated(Arc::clone(live))));
    }
    custom::check(call.state, resource, &new)?;
    let Ok(object) = resource.table.put(key, Some(live.revision), new) else { return Ok(None) };
    call.state.garbage.note(&object.value);
    custom::changed(call.state, resource, &object);
    if sub == "finalize" {
        super::delete::after_finalize(call.state, &object);
    }
    Ok(Some(Written::Updated(object)))
}

/// A stored object as this version of the resource shows it.
pub(super) fn in_this_version(resource: &Resource, value: &Value) -> Value {
    let mut value = value.clone();
    name_kind(resource, &mut value);
    value
}

/// What no update changes.
fn keep_identity(call: &Call<'_>, new: &mut Value, live: &Value) -> Result<()> {
    if new.name().is_empty() {
        new.set_meta("name", call.name);
    }
    if new.name() != call.name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            new.name(),
            call.name
        )));
    }
    if call.resource.namespaced {
        match new.namespace() {
            "" => new.set_meta("namespace", call.namespace),
            namespace if namespace == call.namespace => {}
            _ => {
                return Err(Refusal::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
        }
    }
    let uid = new.uid();
    if !uid.is_empty() && uid != live.uid() {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            live.uid()
        );
        return Err(Refusal::conflict(
            &call.resource.group,
            &call.resource.plural,
            call.name,
            &why,
        ));
    }
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generateName",
    ] {
        match live.metadata().and_then(|metadata| metadata.get(field)) {
            Some(value) => new.set_meta(field, value.clone()),
            None => {
                new.remove_meta(field);
            }
        }
    }
    Ok(())
}

/// An object that is being deleted gets no new finalizers.
fn check_deleting(call: &Call<'_>, live: &Value, new: &Value) -> Result<()> {
    if !live.is_deleting() {
        return Ok(());
    }
    let before = live.finalizers();
    let added: Vec<&str> =
        new.finalizers().into_iter().filter(|name| !before.contains(name)).collect();
    if added.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = added.iter().map(|name| format!("{name:?}")).collect();
    let cause = crate::status::Cause::forbidden(
        "metadata.finalizers",
        format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            list.join(", ")
        ),
    );
    let resource = call.resource;
    Err(Refusal::invalid(&resource.group, &resource.kind, call.name, &[cause]))
}

/// Whether a namespace still has the finalizer of its content.
pub(super) fn holds_namespace(resource: &Resource, object: &Value) -> bool {
    resource.is("", "namespaces")
        && object
            .pointer("/spec/finalizers")
            .and_then(Value::as_array)
            .is_some_and(|l| !l.is_empty())
}

/// Whether the server counts the changes of what is wished for.
fn counts_generations(resource: &Resource) -> bool {
    if is_custom(resource) {
        return true;
    }
    match &*resource.group {
        "apps" => resource.plural != "controllerrevisions",
        "" => matches!(&*resource.plural, "pods" | "replicationcontrollers"),
        "batch"
        | "policy"
        | "networking.k8s.io"
        | "flowcontrol.apiserver.k8s.io"
        | "admissionregistration.k8s.io"
        | "apiextensions.k8s.io"
        | "discovery.k8s.io"
        | "scheduling.k8s.io" => true,
        "storage.k8s.io" => resource.plural == "csidrivers",
        _ => false,
    }
}

/// Whether anything but metadata and status differs. Deployments count annotations as well.
fn is_new_generation(resource: &Resource, live: &Value, new: &Value) -> bool {
    let (Some(live_fields), Some(new_fields)) = (live.as_object(), new.as_object()) else {
        return false;
    };
    let has_status = resource.has_status();
    let is_counted = |name: &str| {
        !matches!(name, "metadata" | "apiVersion" | "kind") && (name != "status" || !has_status)
    };
    if resource.is("apps", "deployments") {
        let annotations = |object: &Value| object.pointer("/metadata/annotations").cloned();
        let empty = |annotations: &Option<Value>| {
            annotations.as_ref().and_then(Value::as_object).is_none_or(serde_json::Map::is_empty)
        };
        let (before, after) = (annotations(live), annotations(new));
        if before != after && !(empty(&before) && empty(&after)) {
            return true;
        }
    }
    live_fields.iter().any(|(name, value)| is_counted(name) && new_fields.get(name) != Some(value))
        || new_fields.keys().any(|name| is_counted(name) && !live_fields.contains_key(name))
}

/// Whether storing the new state would change nothing but times of managed fields.
fn is_same(live: &Value, new: &Value) -> bool {
    let (Some(live), Some(new)) = (live.as_object(), new.as_object()) else { return false };
    live.len() == new.len()
        && live.iter().all(|(name, value)| {
            if name == "metadata" {
                same_metadata(value, new.get(name))
            } else {
                new.get(name) == Some(value)
            }
        })
}

fn same_metadata(live: &Value, new: Option<&Value>) -> bool {
    let (Some(live), Some(new)) = (live.as_object(), new.and_then(Value::as_object)) else {
        return false;
    };
    let is_compared = |name: &&String| *name != "resourceVersion";
    live.keys().filter(is_compared).count() == new.keys().filter(is_compared).count()
        && live.iter().filter(|(name, _)| is_compared(name)).all(|(name, value)| {
            let other = new.get(name);
            other == Some(value)
                || (name == "managedFields" && other.is_some_and(|other| same_owners(value, other)))
        })
}

fn same_owners(live: &Value, new: &Value) -> bool {
    let (Some(live), Some(new)) = (live.as_array(), new.as_array()) else { return false };
    let fields = ["manager", "operation", "apiVersion", "subresource", "fieldsV1"];
    live.len() == new.len()
        && live
            .iter()
            .zip(new)
            .all(|(a, b)| fields.iter().all(|field| a.get(field) == b.get(field)))
}
