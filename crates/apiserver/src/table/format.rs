//! Parts of cells: selectors, lists of names, counts.

use jiff::Timestamp;
use serde_json::Value;

use super::age;
use crate::object::Meta as _;

const NONE: &str = "<none>";

pub(super) fn name(object: &Value) -> Value {
    object.name().into()
}

pub(super) fn created(object: &Value, now: Timestamp) -> Value {
    age::of(&object["metadata"]["creationTimestamp"], now).into()
}

/// A text, or `<none>`.
pub(super) fn or_none(value: &Value) -> Value {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(NONE).into()
}

pub(super) fn text(value: &Value) -> Value {
    value.as_str().unwrap_or_default().into()
}

pub(super) fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

pub(super) fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    }
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A field of each item, separated by commas.
pub(super) fn joined(items: &Value, field: &str) -> String {
    let texts: Vec<&str> = list(items).iter().filter_map(|item| item[field].as_str()).collect();
    texts.join(",")
}

/// `a=b,c=d`, or `<none>`.
pub(super) fn labels(value: &Value) -> String {
    let mut terms: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    terms.sort();
    if terms.is_empty() { NONE.to_owned() } else { terms.join(",") }
}

/// A label selector in the form in which requests have it, or `<none>`.
pub(super) fn selector(value: &Value) -> String {
    let mut terms: Vec<(&str, String)> = Vec::new();
    for (key, label) in value["matchLabels"].as_object().into_iter().flatten() {
        terms.push((key, format!("{key}={}", label.as_str().unwrap_or_default())));
    }
    for expression in list(&value["matchExpressions"]) {
        let key = expression["key"].as_str().unwrap_or_default();
        let mut values: Vec<&str> =
            list(&expression["values"]).iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        terms.push((
            key,
            match expression["operator"].as_str() {
                Some("In") => format!("{key} in ({values})"),
                Some("NotIn") => format!("{key} notin ({values})"),
                Some("DoesNotExist") => format!("!{key}"),
                _ => key.to_owned(),
            },
        ));
    }
    terms.sort_by_key(|(key, _)| *key);
    let terms: Vec<String> = terms.into_iter().map(|(_, term)| term).collect();
    if terms.is_empty() { NONE.to_owned() } else { terms.join(",") }
}
