//! Strategic merge patches: JSON merge patches that know which lists merge, and by which key.

use serde_json::{Map, Value};

use super::{Target, shape::Type};
use crate::{
    schema::{Kind, Patch},
    status::{Refusal, Result},
};

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_PREFIX: &str = "$deleteFromPrimitiveList/";
const ORDER_PREFIX: &str = "$setElementOrder/";
const DEPTH_LIMIT: usize = 512;

/// The live object with a patch laid over it.
///
/// # Errors
/// `BadRequest` when a directive is malformed or an item of a list lacks the key that tells it apart.
pub(crate) fn strategic_merge(target: &Target<'_>, live: &Value, patch: &Value) -> Result<Value> {
    let of = Type { schema: target.schema, node: Some(target.node) };
    let mut value = live.clone();
    match patch {
        Value::Object(patch) => merge_fields(of, &mut value, patch, false, 0)?,
        _ => return Err(Refusal::bad_request("a strategic merge patch is an object")),
    }
    Ok(value)
}

fn merge_fields(
    of: Type<'_>,
    value: &mut Value,
    patch: &Map<String, Value>,
    retain_allowed: bool,
    depth: usize,
) -> Result<()> {
    if depth > DEPTH_LIMIT {
        return Err(Refusal::bad_request("the patch is nested too deeply"));
    }
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => {
            let fields = patch.iter().filter(|(name, _)| *name != DIRECTIVE);
            *value =
                Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect());
            return Ok(());
        }
        Some("delete") => {
            *value = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => {
            return Err(Refusal::bad_request(format!("unknown patch type: {other} in map")));
        }
    }
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(fields) = value else { return Ok(()) };
    if let Some(Value::Array(retained)) = patch.get(RETAIN) {
        let _ = retain_allowed;
        fields.retain(|name, _| retained.iter().any(|kept| kept == name));
    }
    for (name, patch) in patch {
        if name == DIRECTIVE || name == RETAIN || name.starts_with(ORDER_PREFIX) {
            continue;
        }
        if let Some(list) = name.strip_prefix(DELETE_PREFIX) {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (fields.get_mut(list), patch) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        let field = of.field(name);
        match patch {
            Value::Null => {
                fields.shift_remove(name);
            }
            Value::Object(patch) => {
                let is_deletion = patch.get(DIRECTIVE).is_some_and(|value| value == "delete");
                if is_deletion && patch.len() == 1 {
                    fields.shift_remove(name);
                } else {
                    let value = fields.entry(name.clone()).or_insert(Value::Null);
                    merge_fields(field, value, patch, true, depth + 1)?;
                }
            }
            Value::Array(items) => {
                let value = fields.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                merge_list(field, value, items, depth + 1)?;
            }
            other => {
                fields.insert(name.clone(), other.clone());
            }
        }
    }
    reorder(of, fields, patch);
    Ok(())
}

/// How a list of a type is patched, and the type of its items.
fn list_patch(of: Type<'_>) -> Option<(&Patch, Type<'_>)> {
    let node = of.schema.node(of.node?);
    match &node.kind {
        Kind::List { items, .. } if node.patch.merge => {
            Some((&node.patch, Type { schema: of.schema, node: Some(*items) }))
        }
        _ => None,
    }
}

fn merge_list(of: Type<'_>, value: &mut Value, patch: &[Value], depth: usize) -> Result<()> {
    let is_replaced = patch.iter().any(|item| item.get(DIRECTIVE).is_some_and(|d| d == "replace"));
    let plain = || patch.iter().filter(|item| item.get(DIRECTIVE).is_none()).cloned().collect();
    let Some((strategy, item_type)) = list_patch(of) else {
        *value = Value::Array(plain());
        return Ok(());
    };
    let Value::Array(items) = value else {
        *value = Value::Array(plain());
        return Ok(());
    };
    if is_replaced {
        *items = plain();
        return Ok(());
    }
    let key = &*strategy.key;
    if key.is_empty() || !patch.iter().any(Value::is_object) {
        for item in patch {
            if !items.contains(item) {
                items.push(item.clone());
            }
        }
        return Ok(());
    }
    for item in patch {
        let Value::Object(fields) = item else { continue };
        let Some(wanted) = fields.get(key) else {
            let why = format!(
                "map: {} does not contain declared merge key: {key}",
                serde_json::to_string(item).unwrap_or_default()
            );
            return Err(Refusal::bad_request(why));
        };
        match fields.get(DIRECTIVE).and_then(Value::as_str) {
            Some("delete") => items.retain(|item| item.get(key) != Some(wanted)),
            Some("merge") | None => {
                match items.iter_mut().find(|item| item.get(key) == Some(wanted)) {
                    Some(item) => merge_fields(item_type, item, fields, false, depth + 1)?,
                    None => {
                        let mut item = Value::Null;
                        merge_fields(item_type, &mut item, fields, false, depth + 1)?;
                        items.push(item);
                    }
                }
            }
            Some(other) => {
                return Err(Refusal::bad_request(format!("unknown patch type: {other} in list")));
            }
        }
    }
    Ok(())
}

/// Puts the items that `$setElementOrder` names into its order; others stay where they stood
/// relative to them.
fn reorder(of: Type<'_>, fields: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, order) in patch {
        let (Some(name), Value::Array(order)) = (name.strip_prefix(ORDER_PREFIX), order) else {
            continue;
        };
        let key = list_patch(of.field(name)).map_or("", |(strategy, _)| &*strategy.key);
        let Some(Value::Array(items)) = fields.get_mut(name) else { continue };
        let place = |item: &Value| {
            order.iter().position(|wanted| {
                if key.is_empty() { wanted == item } else { wanted.get(key) == item.get(key) }
            })
        };
        let mut named: Vec<(usize, Value)> =
            items.iter().filter_map(|item| Some((place(item)?, item.clone()))).collect();
        named.sort_by_key(|(place, _)| *place);
        let mut named = named.into_iter().map(|(_, item)| item);
        for item in items.iter_mut() {
            if place(item).is_some()
                && let Some(next) = named.next()
            {
                *item = next;
            }
        }
    }
}
