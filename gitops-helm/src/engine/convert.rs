//! Values as templates see them.

use gitops_template::{List, Map, MapKind, Text, Value};
use serde_json::Value as Json;

/// A number of YAML is a `float64`, one of `--set` an `int64`.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Value::int64(int),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::string(text),
        Json::Array(items) => Value::List(items.iter().map(value).collect::<List>()),
        Json::Object(object) => Value::Map(map(object, MapKind::Any)),
    }
}

pub(super) fn map(object: &serde_json::Map<String, Json>, kind: MapKind) -> Map {
    let entries = object.iter().map(|(key, json)| (Text::from(key), value(json)));
    Map::of(kind, entries.collect())
}
