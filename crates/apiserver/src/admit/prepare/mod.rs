//! What the server decides itself, whatever the client sends.

mod pod;
mod service;

use serde_json::{Map, Value, json};

use super::{
    decode::zero,
    default::{default, default_member},
};
use crate::{
    object::Meta as _,
    registry::Resource,
    schema::{Kind, NodeId},
};

/// Gives an object that has been decoded and defaulted what is not the client's to decide.
///
/// `old` is the stored state of an update; `subresource` is empty for the object itself, and
/// otherwise names what is written (`status`, `finalize`). The object has its name, its namespace
/// and its UID. Resource version, generation and the other bookkeeping of metadata are not touched.
///
/// * A status is written only through `status`, and nothing else is written through it.
/// * New objects get what the server fills in: addresses and node ports of services, selector and
///   labels of jobs, quality of service and tolerations of pods, finalizers of namespaces, volumes
///   and claims. A service that is updated keeps its addresses.
///
/// Follows the strategies of Kubernetes 1.36 and the admission plugins that it enables by default,
/// as far as they need no other objects.
pub(crate) fn prepare(
    resource: &Resource,
    new: &mut Value,
    old: Option<&Value>,
    subresource: &str,
) {
    if !resource.namespaced {
        new.remove_meta("namespace");
    }
    if resource.schema.node(resource.node).rules.is_some() {
        return custom(resource, new, old, subresource);
    }
    match (old, subresource) {
        (None, _) => {
            reset_status(resource, new);
            create(resource, new);
        }
        (Some(old), "") => {
            keep(resource, new, old, "status");
            update(resource, new, old);
        }
        (Some(old), "status") => {
            keep_all_but(new, old, &["status", "metadata"]);
            update_status(resource, new, old);
        }
        (Some(old), "finalize") => keep(resource, new, old, "status"),
        _ => {}
    }
}

fn custom(resource: &Resource, new: &mut Value, old: Option<&Value>, subresource: &str) {
    if !resource.has_status() {
        return;
    }
    let Value::Object(object) = new else { return };
    match (old, subresource) {
        (None, _) => {
            object.shift_remove("status");
            // Defaults of the status come back when the object is read.
            default(&resource.schema, resource.node, new);
        }
        (Some(old), "") => {
            object.shift_remove("status");
            if let Some(status) = old.get("status") {
                object.insert("status".to_owned(), status.clone());
            }
        }
        (Some(old), "status") => {
            keep_all_but(new, old, &["status", "metadata"]);
            let managed = new.get("metadata").and_then(|meta| meta.get("managedFields")).cloned();
            let version = new.meta("resourceVersion").to_owned();
            if let Some(metadata) = old.get("metadata") {
                new["metadata"] = metadata.clone();
            }
            if let Some(managed) = managed {
                new.set_meta("managedFields", managed);
            }
            if !version.is_empty() {
                new.set_meta("resourceVersion", version);
            }
        }
        _ => {}
    }
}

/// The type of a member of a built-in kind that has it.
fn member(resource: &Resource, name: &str) -> Option<NodeId> {
    match &resource.schema.node(resource.node).kind {
        Kind::Struct { .. } => resource.schema.node(resource.node).member(name),
        _ => None,
    }
}

/// A new object has an empty status; nodes bring theirs.
fn reset_status(resource: &Resource, new: &mut Value) {
    let Some(node) = member(resource, "status") else { return };
    if resource.is("", "nodes") {
        return;
    }
    let mut status = zero(&resource.schema, node);
    default_member(&resource.schema, node, &mut status);
    new["status"] = status;
}

fn keep(resource: &Resource, new: &mut Value, old: &Value, name: &str) {
    if member(resource, name).is_none() {
        return;
    }
    let Value::Object(object) = new else { return };
    match old.get(name) {
        Some(value) => {
            object.insert(name.to_owned(), value.clone());
        }
        None => {
            object.shift_remove(name);
        }
    }
}

fn keep_all_but(new: &mut Value, old: &Value, taken: &[&str]) {
    let (Value::Object(object), Value::Object(old)) = (&mut *new, old) else { return };
    object.retain(|name, _| taken.contains(&name.as_str()));
    for (name, value) in old {
        if !taken.contains(&name.as_str()) {
            object.insert(name.clone(), value.clone());
        }
    }
}

fn create(resource: &Resource, new: &mut Value) {
    match (&*resource.group, &*resource.plural) {
        ("", "pods") => pod::create(new),
        ("", "services") => service::create(resource, new),
        ("", "namespaces") => {
            let finalizers = &mut new["spec"]["finalizers"];
            match finalizers.as_array_mut() {
                Some(list) if list.iter().any(|name| name == "kubernetes") => {}
                Some(list) => list.push("kubernetes".into()),
                None => *finalizers = json!(["kubernetes"]),
            }
        }
        ("", "persistentvolumes") => {
            add_finalizer(new, "kubernetes.io/pv-protection");
            let created = new.meta("creationTimestamp").to_owned();
            if !created.is_empty() {
                new["status"]["lastPhaseTransitionTime"] = created.into();
            }
        }
        ("", "persistentvolumeclaims") => {
            add_finalizer(new, "kubernetes.io/pvc-protection");
            claim_source(new);
        }
        ("apps", "daemonsets") => set_template_generation(new, 1),
        ("batch", "jobs") => job(new),
        ("apiextensions.k8s.io", "customresourcedefinitions") => note_stored_version(new),
        _ => {}
    }
}

/// The version in which objects are stored from now on joins those in which some may be stored.
fn note_stored_version(definition: &mut Value) {
    let versions = definition["spec"]["versions"].as_array();
    let stored = versions.into_iter().flatten().find(|version| version["storage"] == true);
    let Some(name) = stored.and_then(|version| version.get("name")).cloned() else { return };
    let known = &mut definition["status"]["storedVersions"];
    match known.as_array_mut() {
        Some(list) if list.contains(&name) => {}
        Some(list) => list.push(name),
        None => *known = json!([name]),
    }
}

/// What of the rest a new status may not change, or changes.
fn update_status(resource: &Resource, new: &mut Value, old: &Value) {
    match (&*resource.group, &*resource.plural) {
        ("", "pods") => pod::update_status(new, old),
        ("apps", "deployments") => {
            let labels = old.metadata().and_then(|metadata| metadata.get("labels")).cloned();
            match labels {
                Some(labels) => new.set_meta("labels", labels),
                None => {
                    new.remove_meta("labels");
                }
            }
        }
        ("apps", "daemonsets") => set_template_generation(new, template_generation(old)),
        ("batch", "jobs") => label_as_pods(new),
        _ => {}
    }
}

/// A job without labels has those of its pods.
fn label_as_pods(job: &mut Value) {
    if let Some(labels) = job.pointer("/spec/template/metadata/labels").cloned() {
        job.metadata_mut().entry("labels").or_insert(labels);
    }
}

fn update(resource: &Resource, new: &mut Value, old: &Value) {
    match (&*resource.group, &*resource.plural) {
        ("", "services") => service::update(resource, new, old),
        ("", "namespaces") => {
            if let Some(finalizers) = old["spec"].get("finalizers") {
                new["spec"]["finalizers"] = finalizers.clone();
            }
        }
        ("", "pods") => pod::update(new, old),
        ("", "persistentvolumeclaims") => claim_source(new),
        ("apiextensions.k8s.io", "customresourcedefinitions") => note_stored_version(new),
        ("apps", "daemonsets") => {
            let number = template_generation(old);
            let changed = new["spec"]["template"] != old["spec"]["template"];
            set_template_generation(new, if changed { number + 1 } else { number });
        }
        ("batch", "jobs") => label_as_pods(new),
        _ => {}
    }
}

/// Daemon sets count the changes of their template in an annotation.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn template_generation(object: &Value) -> i64 {
    let annotations = object.metadata().and_then(|metadata| metadata.get("annotations"));
    let text = annotations.and_then(|annotations| annotations.get(TEMPLATE_GENERATION)?.as_str());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn set_template_generation(object: &mut Value, least: i64) {
    let number = template_generation(object).max(least);
    let annotations = object.metadata_mut().entry("annotations").or_insert_with(|| json!({}));
    if let Value::Object(annotations) = annotations {
        annotations.insert(TEMPLATE_GENERATION.to_owned(), number.to_string().into());
    }
}

/// The old and the new field for what a claim is filled from say the same; what the old one cannot
/// name is dropped from it.
fn claim_source(claim: &mut Value) {
    let Some(Value::Object(spec)) = claim.get_mut("spec") else { return };
    let known = |source: &Value| {
        let text = |name: &str| source.get(name).and_then(Value::as_str).unwrap_or_default();
        matches!(
            (text("apiGroup"), text("kind")),
            ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
        )
    };
    let named = spec.get("dataSourceRef").is_some_and(Value::is_object);
    if !named && spec.get("dataSource").is_some_and(|source| !known(source)) {
        spec.shift_remove("dataSource");
    }
    match (spec.get("dataSource").cloned(), spec.get("dataSourceRef").cloned()) {
        (Some(source), None) => {
            spec.insert("dataSourceRef".to_owned(), source);
        }
        (None, Some(source)) if source.get("namespace").is_none() => {
            spec.insert("dataSource".to_owned(), source);
        }
        _ => {}
    }
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    if object.finalizers().contains(&finalizer) {
        return;
    }
    let finalizers = object.metadata_mut().entry("finalizers").or_insert_with(|| json!([]));
    if let Value::Array(list) = finalizers {
        list.push(finalizer.into());
    }
}

/// A job finds its pods by labels with its UID, unless it says how it finds them.
fn job(job: &mut Value) {
    let (name, uid) = (job.name().to_owned(), job.uid().to_owned());
    let Some(Value::Object(spec)) = job.get_mut("spec") else { return };
    let manual = spec.get("manualSelector") == Some(&Value::Bool(true));
    let Some(Value::Object(template)) = spec.get_mut("template") else { return };
    if manual {
        return label_as_pods(job);
    }
    let metadata = template.entry("metadata").or_insert_with(|| json!({}));
    let labels = metadata
        .as_object_mut()
        .map(|metadata| metadata.entry("labels").or_insert_with(|| json!({})));
    if let Some(Value::Object(labels)) = labels {
        let mut set = |key: &str, value: &str| {
            labels.entry(key).or_insert_with(|| value.into());
        };
        set("controller-uid", &uid);
        set("batch.kubernetes.io/controller-uid", &uid);
        set("job-name", &name);
        set("batch.kubernetes.io/job-name", &name);
    }
    let selector = spec.entry("selector").or_insert(Value::Null);
    if !selector.is_object() {
        *selector = Value::Object(Map::new());
    }
    if let Some(selector) = selector.as_object_mut() {
        let labels = selector.entry("matchLabels").or_insert_with(|| json!({}));
        if let Value::Object(labels) = labels {
            labels.entry("batch.kubernetes.io/controller-uid").or_insert_with(|| uid.into());
        }
    }
    label_as_pods(job);
}
