//! Objects within objects: `x-kubernetes-embedded-resource`.

use serde_json::Value;

use super::super::{
    checks::{Checks, Read as _},
    metadata, names,
    place::Place,
};
use crate::schema::{Kind, NodeId, Schema};

/// Complains about embedded objects that lack an identity or have a wrong one.
pub(super) fn check(
    checks: &mut Checks,
    schema: &Schema,
    id: NodeId,
    value: &Value,
    place: &Place<'_>,
    root: bool,
) {
    let node = schema.node(id);
    if !root && value.is_object() && node.rules.as_ref().is_some_and(|rules| rules.embedded) {
        identity(checks, value, place);
    }
    match (value, &node.kind) {
        (Value::Object(object), _) => {
            for (name, value) in object {
                let Some(child) = node.member(name) else { continue };
                let place =
                    if node.field(name).is_some() { place.field(name) } else { place.key(name) };
                check(checks, schema, child, value, &place, false);
            }
        }
        (Value::Array(list), Kind::List { items, .. }) => {
            for (index, item) in list.iter().enumerate() {
                check(checks, schema, *items, item, &place.index(index), false);
            }
        }
        _ => {}
    }
}

fn identity(checks: &mut Checks, object: &Value, place: &Place<'_>) {
    let version = object.text("apiVersion");
    let at = place.field("apiVersion");
    match version.split('/').count() {
        _ if object.get("apiVersion").is_none() => checks.required(&at, ""),
        _ if version.is_empty() => checks.invalid(&at, "", "must not be empty"),
        1 | 2 => {}
        _ => {
            let text = format!("unexpected GroupVersion string: {version}");
            checks.invalid(&at, version, &text);
        }
    }
    let kind = object.text("kind");
    let at = place.field("kind");
    if object.get("kind").is_none() {
        checks.required(&at, "");
    } else if kind.is_empty() {
        checks.invalid(&at, "", "must not be empty");
    } else {
        let complaints = names::old_label(&kind.to_lowercase());
        if !complaints.is_empty() {
            let text = format!(
                "may have mixed case, but should otherwise match: {}",
                complaints.join(",")
            );
            checks.invalid(&at, kind, &text);
        }
    }
    if object.get_some("metadata").is_some() {
        let at = place.field("metadata");
        metadata::embedded(checks, &object["metadata"], &at);
    }
}
