//! How an object is shown: in which version, and how much of it.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    object::Meta as _,
    registry::Resource,
    request::View,
    storage::Object,
    table::{partial, table},
};

/// The object as JSON. What is stored in the version asked for is written once for all readers.
/// `now` is what ages in tables are counted from.
pub(crate) fn bytes(resource: &Resource, view: View, object: &Object, now: Timestamp) -> Bytes {
    let same_version = object.value["apiVersion"] == *resource.api_version;
    match view {
        View::Whole if same_version => object.json(),
        View::Whole => write(&in_version(resource, &object.value)),
        View::PartialMetadata => write(&partial(&object.value)),
        View::Table(included) => {
            let value = match included {
                crate::request::Included::Object => in_version(resource, &object.value),
                _ => object.value.clone(),
            };
            let mut table = table(resource, &[&value], included, now);
            table["metadata"]["resourceVersion"] = value.meta("resourceVersion").into();
            write(&table)
        }
    }
}

/// The object as one of a list: the list says of which kind those of a built-in kind are.
pub(crate) fn item(resource: &Resource, view: View, object: &Object, now: Timestamp) -> Bytes {
    let is_custom = super::write::is_custom(resource);
    let Value::Object(fields) = &object.value else { return bytes(resource, view, object, now) };
    if view != View::Whole || is_custom {
        return bytes(resource, view, object, now);
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

fn write(value: &Value) -> Bytes {
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}
