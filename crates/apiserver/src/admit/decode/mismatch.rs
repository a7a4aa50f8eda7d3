//! What Go's decoder says when a value does not fit its type.

use serde_json::Value;

use super::trail::Trail;
use crate::schema::{Kind, NodeId, Scalar, Schema};

/// The decoder's complaint, in its words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Mismatch(pub(super) String);

impl Mismatch {
    /// `owner` is the struct that has the field to which the trail leads.
    pub(super) fn new(value: &Value, expected: &str, owner: &str, trail: &Trail<'_>) -> Self {
        let found = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) if matches!(expected, "int32" | "int64") => {
                format!("number {number}")
            }
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        let path = trail.go_path();
        Self(if path.is_empty() {
            format!("json: cannot unmarshal {found} into Go value of type {expected}")
        } else {
            format!(
                "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {expected}"
            )
        })
    }
}

/// The name of the Go type of a node.
pub(super) fn go_type(schema: &Schema, id: NodeId) -> String {
    let node = schema.node(id);
    match &node.kind {
        Kind::Any => match &*node.name {
            "" => "runtime.RawExtension".to_owned(),
            name => format!("{}.{name}", node.package),
        },
        Kind::Struct { .. } => format!("{}.{}", node.package, node.name),
        Kind::List { items, .. } => format!("[]{}", go_type(schema, *items)),
        Kind::Map { values } => format!("map[string]{}", go_type(schema, *values)),
        Kind::Scalar(scalar) => match scalar {
            Scalar::String(_) => "string",
            Scalar::Boolean => "bool",
            Scalar::Int32 => "int32",
            Scalar::Int64 => "int64",
            Scalar::Double => "float64",
            Scalar::Bytes => "[]uint8",
            Scalar::Time => "v1.Time",
            Scalar::MicroTime => "v1.MicroTime",
            Scalar::Quantity => "resource.Quantity",
            Scalar::IntOrString => "intstr.IntOrString",
        }
        .to_owned(),
    }
}

/// The type of a list's items, given the name of the list's type if it has one of its own.
pub(super) fn item_type(list_type: &str) -> &str {
    list_type.strip_prefix("[]").unwrap_or("")
}

/// The same for a map's values.
pub(super) fn value_type(map_type: &str) -> &str {
    if !map_type.starts_with("map[") {
        return "";
    }
    map_type.split_once(']').map_or("", |(_, values)| values)
}
