//! Methods of Helm's values, which are a map with a name.

use super::{Map, MapKind, Method, Type, Value};
use crate::CallError;

/// The method of a named map.
pub(crate) fn method(map: &Map, name: &str) -> Option<Method> {
    if !map.kind().is_named() {
        return None;
    }
    match name {
        "AsMap" | "YAML" => Some(Method { params: &[], variadic: false }),
        "Table" | "PathValue" => Some(Method { params: &[Type::String], variadic: false }),
        // It writes to a stream, and no value of a template is one.
        "Encode" => Some(Method { params: &[Type::Named("io.Writer")], variadic: false }),
        _ => None,
    }
}

/// Calls it.
pub(crate) fn call(map: &Map, name: &str, arguments: &[Value]) -> Result<Value, CallError> {
    match name {
        "AsMap" => Ok(Value::Map(map.with_kind(MapKind::Any))),
        "YAML" => Ok(crate::funcs::encoding::yaml_text(&Value::Map(map.clone()))?.into()),
        _ => {
            let path = arguments.first().and_then(Value::as_str).unwrap_or_default();
            if name == "Table" { table(map, path).map(Value::Map) } else { path_value(map, path) }
        }
    }
}

fn table(map: &Map, path: &str) -> Result<Map, CallError> {
    let mut table = map.clone();
    for name in path.split('.') {
        table = match table.get(name) {
            Some(Value::Map(inner)) => inner.with_kind(map.kind()),
            _ => return Err(no_table(name)),
        };
    }
    Ok(table)
}

fn no_table(name: &str) -> CallError {
    format!("{} is not a table", crate::quote::quoted(name)).into()
}

fn path_value(map: &Map, path: &str) -> Result<Value, CallError> {
    if path.is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    let no_value = |key| CallError::from(format!("{} is not a value", crate::quote::quoted(key)));
    let (parent, key) = match path.rsplit_once('.') {
        Some((parent, key)) => (table(map, parent).map_err(|_| no_value(key))?, key),
        None => (map.clone(), path),
    };
    match parent.get(key) {
        Some(Value::Map(_)) | None => Err(no_value(key)),
        Some(value) => Ok(value),
    }
}
