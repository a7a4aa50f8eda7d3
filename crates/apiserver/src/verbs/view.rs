//! How an object is shown: in which version, and how much of it.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{object::Meta as _, registry::Resource, request::View, storage::Object};

/// The object as JSON. What is stored in the version asked for is written once for all readers.
pub(crate) fn bytes(resource: &Resource, view: View, object: &Object) -> Bytes {
    let same_version = object.value["apiVersion"] == *resource.api_version;
    match view {
        View::Whole if same_version => object.json(),
        View::Whole => write(&in_version(resource, &object.value)),
        View::PartialMetadata => write(&partial(&object.value)),
        View::Table => write(&table(resource, std::slice::from_ref(&&object.value), "")),
    }
}

/// The object as one of a list: the list says of which kind those of a built-in kind are.
pub(crate) fn item(resource: &Resource, view: View, object: &Object) -> Bytes {
    let is_custom = super::write::is_custom(resource);
    let Value::Object(fields) = &object.value else { return bytes(resource, view, object) };
    if view != View::Whole || is_custom {
        return bytes(resource, view, object);
    }
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    let rest = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"));
    // Writing plain JSON into memory cannot fail.
    let _ = serde::Serializer::collect_map(&mut serializer, rest);
    Bytes::from(text)
}

/// The object in the version of the resource: only the name of the version differs.
pub(crate) fn in_version(resource: &Resource, value: &Value) -> Value {
    let mut value = value.clone();
    value["apiVersion"] = resource.api_version.clone().into();
    value["kind"] = resource.kind.clone().into();
    value
}

pub(crate) fn partial(value: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": value.get("metadata"),
    })
}

/// The rows that `kubectl get` prints: name and age.
pub(crate) fn table(resource: &Resource, objects: &[&Value], revision: &str) -> Value {
    let column = |name: &str, kind: &str, format: &str, text: &str| json!({"name": name, "type": kind, "format": format, "description": text, "priority": 0});
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells = [object.name(), object.meta("creationTimestamp")];
            json!({"cells": cells, "object": partial(object)})
        })
        .collect();
    let mut metadata = json!({});
    if !revision.is_empty() {
        metadata["resourceVersion"] = revision.into();
    }
    let _ = resource;
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": [
            column("Name", "string", "name", "Name of the object"),
            column("Created At", "date", "", "When the object was created"),
        ],
        "rows": rows,
    })
}

fn write(value: &Value) -> Bytes {
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}
