//! Reading and writing the few fields of an object that this crate cares about.

mod mask;
mod normalize;
mod order;

use gitops_core::ObjectId;
use serde_json::{Map, Value};

pub(crate) use mask::mask_message;
pub use mask::mask_secret;
pub use normalize::normalize;
pub(crate) use normalize::repair_answer;
pub(crate) use order::wave;
pub use order::{ApplyStage, compare};

use crate::ApplyError;

/// The identity of an object.
///
/// # Errors
/// [`ApplyError::NotAnObject`] when `apiVersion`, `kind` or `metadata.name` is missing or empty.
pub fn object_id(object: &Value) -> Result<ObjectId, ApplyError> {
    let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (field(&object["apiVersion"]), field(&object["kind"]));
    let (namespace, name) =
        (field(&object["metadata"]["namespace"]), field(&object["metadata"]["name"]));
    if api_version.is_empty() || kind.is_empty() || name.is_empty() {
        let what = format!("apiVersion '{api_version}', kind '{kind}', name '{name}'");
        return Err(ApplyError::NotAnObject(what));
    }
    Ok(ObjectId::new(&api_version, &kind, &namespace, &name))
}

/// A string of `metadata`; empty if absent.
pub(crate) fn metadata<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// A label or an annotation that an object has; empty if neither.
pub(crate) fn marks<'a>(object: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    let metadata = &object["metadata"];
    [&metadata["labels"][key], &metadata["annotations"][key]]
        .into_iter()
        .filter_map(Value::as_str)
        .filter(|value| !value.is_empty())
}

/// Whether a label or annotation has a value, whatever its case.
pub(crate) fn is_marked(object: &Value, key: &str, value: &str) -> bool {
    marks(object, key).any(|found| found.eq_ignore_ascii_case(value))
}

/// Sets a label or annotation (`part` is `labels` or `annotations`), replacing a value that is
/// there, and mending a part that is no mapping.
pub fn set_metadata(object: &mut Value, part: &str, key: &str, value: &str) {
    let Value::Object(fields) = object else {
        return;
    };
    let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    let part = &mut metadata[part];
    if !part.is_object() {
        *part = Value::Object(Map::new());
    }
    part[key] = Value::String(value.to_owned());
}
