//! Paths of values with dots.

use serde_json::Value;

use crate::values::Values;

/// The table at a path, or the part of the path that is none.
pub(super) fn table<'v, 'p>(values: &'v Values, path: &'p str) -> Result<&'v Values, &'p str> {
    path.split('.').try_fold(values, |table, part| match table.get(part) {
        Some(Value::Object(table)) => Ok(table),
        _ => Err(part),
    })
}

/// The value at a path, unless it is a table.
pub(super) fn scalar<'v>(values: &'v Values, path: &str) -> Option<&'v Value> {
    let (table, key) = match path.rsplit_once('.') {
        Some((path, key)) => (self::table(values, path).ok()?, key),
        None => (values, path),
    };
    table.get(key).filter(|value| !value.is_object())
}
