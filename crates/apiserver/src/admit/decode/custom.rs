//! Custom resources: what a structural schema does not specify is pruned, metadata is read as the
//! server's own type.

use serde_json::{Map, Number, Value};

use super::{DEPTH_LIMIT, Unknown, builtin, mismatch::Mismatch};
use crate::{
    registry::object_meta,
    schema::{Kind, Node, NodeId, Schema},
};

const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Prunes an object in place.
pub(super) fn decode(
    schema: &Schema,
    node: NodeId,
    value: &mut Value,
    unknown: &mut Unknown,
) -> Result<(), Mismatch> {
    let Value::Object(object) = value else { return Ok(()) };
    let (types, id) = object_meta();
    match object.get_mut("metadata") {
        Some(Value::Null) | None => {
            object.insert("metadata".to_owned(), Value::Object(Map::new()));
        }
        Some(metadata) => builtin::decode_below(types, id, metadata, unknown, "metadata")?,
    }
    let start = unknown.paths.len();
    let mut pruner = Pruner { schema, unknown, path: Vec::new(), failed: None };
    pruner.prune(node, value, true);
    match pruner.failed {
        None => {}
        Some(error) => return Err(error),
    }
    unknown.paths[start..].sort();
    drop_nulls(schema, node, value, 0);
    Ok(())
}

struct Pruner<'p> {
    schema: &'p Schema,
    unknown: &'p mut Unknown,
    path: Vec<String>,
    failed: Option<Mismatch>,
}

impl Pruner<'_> {
    fn prune(&mut self, id: NodeId, value: &mut Value, root: bool) {
        if self.path.len() > DEPTH_LIMIT {
            self.failed.get_or_insert_with(|| Mismatch("exceeded max depth".to_owned()));
            return;
        }
        let node = self.schema.node(id);
        let (preserve, embedded) = match &node.rules {
            Some(rules) => (rules.preserve_unknown, rules.embedded || root),
            None => (matches!(node.kind, Kind::Any), false),
        };
        match value {
            Value::Object(object) => {
                if embedded && !root {
                    self.identity(object);
                }
                object.retain(|name, value| {
                    if embedded && META_FIELDS.contains(&name.as_str()) {
                        return true;
                    }
                    match node.member(name) {
                        Some(child) => {
                            self.path.push(format!(".{name}"));
                            self.prune(child, value, false);
                            self.path.pop();
                            true
                        }
                        None if preserve => true,
                        None => {
                            self.dropped(name);
                            false
                        }
                    }
                });
            }
            Value::Array(list) => {
                for (index, item) in list.iter_mut().enumerate() {
                    self.path.push(format!("[{index}]"));
                    match &node.kind {
                        Kind::List { items, .. } => self.prune(*items, item, false),
                        _ if preserve => {}
                        // No schema for items: every field of them is unknown.
                        _ => self.strip(item),
                    }
                    self.path.pop();
                }
            }
            Value::Number(number) => {
                if let Some(whole) = whole(number) {
                    *value = whole.into();
                }
            }
            _ => {}
        }
    }

    /// Removes every field of objects for which nothing is specified.
    fn strip(&mut self, value: &mut Value) {
        match value {
            Value::Object(object) => {
                for name in object.keys() {
                    self.dropped(name);
                }
                object.clear();
            }
            Value::Array(list) if self.path.len() <= DEPTH_LIMIT => {
                for (index, item) in list.iter_mut().enumerate() {
                    self.path.push(format!("[{index}]"));
                    self.strip(item);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    /// Reads the metadata of an embedded object.
    fn identity(&mut self, object: &mut Map<String, Value>) {
        let (types, id) = object_meta();
        if let Some(metadata @ Value::Object(_)) = object.get_mut("metadata") {
            let parent = format!("{}.metadata", self.path.concat().trim_start_matches('.'));
            let read = builtin::decode_below(types, id, metadata, self.unknown, &parent);
            if let Err(error) = read {
                self.failed.get_or_insert(error);
            }
        }
    }

    fn dropped(&mut self, name: &str) {
        let path = &self.path;
        self.unknown.push(|| {
            let parent = path.concat();
            match parent.trim_start_matches('.') {
                "" => name.to_owned(),
                parent => format!("{parent}.{name}"),
            }
        });
    }
}

/// A fraction without one: Go writes it as a whole number.
fn whole(number: &Number) -> Option<i64> {
    let value = number.as_f64().filter(|value| number.is_f64() && value.fract() == 0.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    (value.abs() < 9e15).then_some(value as i64)
}

/// Removes nulls that the schema does not allow, where no default takes their place.
fn drop_nulls(schema: &Schema, id: NodeId, value: &mut Value, depth: usize) {
    if depth > DEPTH_LIMIT {
        return;
    }
    match value {
        Value::Object(object) => {
            let node = schema.node(id);
            object.retain(|name, value| {
                let Some(child) = node.member(name) else { return true };
                if value.is_null() {
                    return !refuses_null(schema.node(child));
                }
                drop_nulls(schema, child, value, depth + 1);
                true
            });
        }
        Value::Array(list) => {
            if let Kind::List { items, .. } = &schema.node(id).kind {
                for item in list {
                    drop_nulls(schema, *items, item, depth + 1);
                }
            }
        }
        _ => {}
    }
}

fn refuses_null(node: &Node) -> bool {
    node.rules.as_ref().is_some_and(|rules| !rules.nullable && rules.default.is_none())
}
