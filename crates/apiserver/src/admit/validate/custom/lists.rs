//! Lists whose items must differ.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::{checks::Checks, place::Place};
use crate::schema::{Kind, ListKind, NodeId, Schema};

/// Complains about items that occur twice in a set, or have the keys of another in a map.
pub(super) fn check(
    checks: &mut Checks,
    schema: &Schema,
    id: NodeId,
    value: &Value,
    place: &Place<'_>,
) {
    let node = schema.node(id);
    match (value, &node.kind) {
        (Value::Object(object), _) => {
            for (name, value) in object {
                let Some(child) = node.member(name) else { continue };
                if node.field(name).is_some() {
                    check(checks, schema, child, value, &place.field(name));
                } else {
                    check(checks, schema, child, value, &place.key(name));
                }
            }
        }
        (Value::Array(list), Kind::List { items, list: kind }) => {
            let mut seen = HashSet::new();
            for (index, item) in list.iter().enumerate() {
                let place = place.index(index);
                let identity = match kind {
                    ListKind::Atomic => None,
                    ListKind::Set => Some(item.clone()),
                    ListKind::Map(keys) => item.as_object().map(|object| {
                        let keys = keys
                            .iter()
                            .filter_map(|key| Some((key.to_string(), object.get(&**key)?.clone())));
                        Value::Object(keys.collect::<Map<_, _>>())
                    }),
                };
                if let Some(identity) = identity
                    && !seen.insert(identity.to_string())
                {
                    checks.duplicate(&place, identity);
                }
                check(checks, schema, *items, item, &place);
            }
        }
        _ => {}
    }
}

/// Whether no item occurs twice.
pub(super) fn are_sound(schema: &Schema, id: NodeId, value: &Value) -> bool {
    let mut checks = Checks::default();
    check(&mut checks, schema, id, value, &Place::ROOT);
    checks.causes.is_empty()
}
