//! Absent fields that have a default.

mod builtin;
mod image;
mod table;

use serde_json::Value;

pub(crate) use self::builtin::default_builtin;
pub(super) use self::builtin::default_member;
use crate::schema::{Kind, NodeId, Schema};

const DEPTH_LIMIT: usize = 256;

/// Sets the defaults that the definition of a custom resource names, everywhere in a value.
pub(crate) fn default(schema: &Schema, node: NodeId, value: &mut Value) {
    structural(schema, node, value, 0);
}

fn structural(schema: &Schema, id: NodeId, value: &mut Value, depth: usize) {
    if depth > DEPTH_LIMIT {
        return;
    }
    let node = schema.node(id);
    match value {
        Value::Object(object) => {
            if let Kind::Struct { fields, .. } = &node.kind {
                for field in fields {
                    let Some(rules) = &schema.node(field.node).rules else { continue };
                    let Some(default) = &rules.default else { continue };
                    let absent = match object.get(&*field.name) {
                        None => true,
                        Some(value) => value.is_null() && !rules.nullable,
                    };
                    if absent {
                        object.insert(field.name.to_string(), default.clone());
                    }
                }
            }
            for (name, value) in object {
                if let Some(child) = node.member(name) {
                    fill_null(schema, child, value);
                    structural(schema, child, value, depth + 1);
                }
            }
        }
        Value::Array(list) => {
            if let Kind::List { items, .. } = &node.kind {
                for item in list {
                    fill_null(schema, *items, item);
                    structural(schema, *items, item, depth + 1);
                }
            }
        }
        _ => {}
    }
}

/// A null where the schema allows none becomes the default, if there is one.
fn fill_null(schema: &Schema, id: NodeId, value: &mut Value) {
    if value.is_null()
        && let Some(rules) = &schema.node(id).rules
        && !rules.nullable
        && let Some(default) = &rules.default
    {
        *value = default.clone();
    }
}
