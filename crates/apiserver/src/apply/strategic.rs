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
        Value::Object(patch) => merge_fields(of, &mut value, patch, 0)?,
        _ => return Err(Refusal::bad_request("a strategic merge patch is an object")),
    }
    Ok(value)
}

fn merge_fields(
    of: Type<'_>,
    value: &mut Value,
    patch: &Map<String, Value>,
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
            let shown = shown(&Value::Object(patch.clone()));
            return Err(broken(format!("unknown patch type: {other} in map: {shown}")));
        }
    }
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(fields) = value else { return Ok(()) };
    if let Some(Value::Array(retained)) = patch.get(RETAIN) {
        let is_wanted = |name: &str| {
            name.starts_with(DELETE_PREFIX)
                || name.starts_with(ORDER_PREFIX)
                || matches!(name, DIRECTIVE | RETAIN)
                || retained.iter().any(|kept| kept == name)
        };
        if patch.iter().any(|(name, value)| !value.is_null() && !is_wanted(name)) {
            return Err(Refusal::bad_request("invalid patch format of retainKeys"));
        }
        fields.retain(|name, _| retained.iter().any(|kept| kept == name));
    }
    let patch_of_order = patch;
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
                    merge_fields(field, value, patch, depth + 1)?;
                }
            }
            Value::Array(items) => {
                let value = fields.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                let live = merge_list(field, value, items, depth + 1)?;
                if live > 0 {
                    let order = patch_of_order.get(&*format!("{ORDER_PREFIX}{name}"));
                    let order = order.and_then(Value::as_array).unwrap_or(items);
                    weave(field, value, live, order);
                }
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

/// Merges a list; gives the number of its first items that were live before.
fn merge_list(of: Type<'_>, value: &mut Value, patch: &[Value], depth: usize) -> Result<usize> {
    let is_replaced = patch.iter().any(|item| item.get(DIRECTIVE).is_some_and(|d| d == "replace"));
    let plain = || patch.iter().filter(|item| item.get(DIRECTIVE).is_none()).cloned().collect();
    let Some((strategy, item_type)) = list_patch(of) else {
        *value = Value::Array(plain());
        return Ok(0);
    };
    let Value::Array(items) = value else {
        *value = Value::Array(plain());
        return Ok(0);
    };
    if is_replaced {
        *items = plain();
        return Ok(0);
    }
    let key = &*strategy.key;
    let mut live = items.len();
    if key.is_empty() || !patch.iter().any(Value::is_object) {
        for item in patch {
            if !items.contains(item) {
                items.push(item.clone());
            }
        }
        return Ok(live);
    }
    for item in patch {
        let Value::Object(fields) = item else { continue };
        let Some(wanted) = fields.get(key) else {
            let why = format!("map: {} does not contain declared merge key: {key}", shown(item));
            return Err(broken(why));
        };
        match fields.get(DIRECTIVE).and_then(Value::as_str) {
            Some("delete") => {
                let (before, mut place) = (live, 0);
                items.retain(|item| {
                    let goes = item.get(key) == Some(wanted);
                    live -= usize::from(goes && place < before);
                    place += 1;
                    !goes
                });
            }
            Some("merge") | None => {
                match items.iter_mut().find(|item| item.get(key) == Some(wanted)) {
                    Some(item) => merge_fields(item_type, item, fields, depth + 1)?,
                    None => {
                        let mut item = Value::Null;
                        merge_fields(item_type, &mut item, fields, depth + 1)?;
                        items.push(item);
                    }
                }
            }
            Some(other) => {
                let shown = shown(item);
                return Err(broken(format!("unknown patch type: {other} in map: {shown}")));
            }
        }
    }
    Ok(live)
}

/// Orders the lists that `$setElementOrder` names and that the patch does not change otherwise.
fn reorder(of: Type<'_>, fields: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, order) in patch {
        let (Some(name), Value::Array(order)) = (name.strip_prefix(ORDER_PREFIX), order) else {
            continue;
        };
        if !patch.contains_key(name)
            && let Some(list) = fields.get_mut(name)
        {
            let live = list.as_array().map_or(0, Vec::len);
            weave(of.field(name), list, live, order);
        }
    }
}

/// Puts the items that `order` names into its order. The others keep theirs, and stand between them
/// by their former places; what was not there before comes as early as it can.
fn weave(of: Type<'_>, list: &mut Value, live: usize, order: &[Value]) {
    let (Some((strategy, _)), Value::Array(items)) = (list_patch(of), list) else { return };
    let key = &*strategy.key;
    let is_same = |a: &Value, b: &Value| {
        if key.is_empty() { a == b } else { a.get(key).is_some() && a.get(key) == b.get(key) }
    };
    let mut named = Vec::new();
    let mut others = Vec::new();
    for (place, item) in std::mem::take(items).into_iter().enumerate() {
        match order.iter().position(|wanted| is_same(wanted, &item)) {
            Some(wanted) => named.push((wanted, place, item)),
            None => others.push((place, item)),
        }
    }
    named.sort_by_key(|(wanted, ..)| *wanted);
    let mut others = others.into_iter().peekable();
    for (_, place, item) in named {
        while let Some((_, other)) = others.next_if(|(other, _)| place < live && *other < place) {
            items.push(other);
        }
        items.push(item);
    }
    items.extend(others.map(|(_, item)| item));
}

/// What Go reports for a patch that it cannot read: an error without a reason.
fn broken(message: String) -> Refusal {
    Refusal::new(http::StatusCode::INTERNAL_SERVER_ERROR, "", message)
}

/// A value as Go prints it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let mut texts: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}:{}", shown(value))).collect();
            texts.sort_unstable();
            format!("map[{}]", texts.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{registry::Registry, storage::Store};

    fn patched(patch: &Value) -> Result<Value> {
        let registry = Registry::builtin(&Store::new());
        let pods = registry.resource("", "v1", "pods").unwrap();
        let target = Target { schema: &pods.schema, node: pods.node, api_version: "v1" };
        let live = json!({
            "metadata": {"finalizers": ["x", "y"]},
            "spec": {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]}
        });
        strategic_merge(&target, &live, patch)
    }

    fn containers(spec: Value) -> String {
        let value = patched(&json!({"spec": spec})).unwrap();
        let items = value["spec"]["containers"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap()).collect()
    }

    // The orders and texts of these tests are those of kube-apiserver 1.36.
    #[test]
    fn items_come_in_the_order_of_the_api() {
        let order = json!([{"name": "c"}, {"name": "e"}, {"name": "a"}]);
        let spec = json!({"containers": [{"name": "e"}], "$setElementOrder/containers": order});
        assert_eq!(containers(spec), "bcead");
        let order = json!([{"name": "c"}, {"name": "a"}]);
        let spec = json!({"containers": [{"name": "c"}], "$setElementOrder/containers": order});
        assert_eq!(containers(spec), "bcad");
        let order = json!([{"name": "d"}, {"name": "c"}, {"name": "b"}, {"name": "a"}]);
        assert_eq!(containers(json!({"$setElementOrder/containers": order})), "dcba");
        assert_eq!(containers(json!({"containers": [{"name": "z"}]})), "zabcd");
        let gone = json!({"containers": [{"name": "b", "$patch": "delete"}]});
        assert_eq!(containers(gone), "acd");
        let replaced = json!({"containers": [{"$patch": "replace"}, {"name": "q"}]});
        assert_eq!(containers(replaced), "q");
    }

    #[test]
    fn values_come_in_the_order_of_the_api() {
        let patch = json!({"metadata": {
            "finalizers": ["n"], "$setElementOrder/finalizers": ["n", "y"]
        }});
        let value = patched(&patch).unwrap();
        assert_eq!(value["metadata"]["finalizers"], json!(["n", "x", "y"]));
    }

    #[test]
    fn broken_patches_are_refused_in_the_words_of_the_api() {
        let refused = |patch: Value| {
            let refusal = patched(&patch).unwrap_err();
            (refusal.code.as_u16(), refusal.message)
        };
        assert_eq!(
            refused(json!({"spec": {"containers": [{"image": "x"}]}})),
            (500, "map: map[image:x] does not contain declared merge key: name".to_owned())
        );
        assert_eq!(
            refused(json!({"spec": {"containers": [{"name": "a", "$patch": "foo"}]}})),
            (500, "unknown patch type: foo in map: map[$patch:foo name:a]".to_owned())
        );
        assert_eq!(
            refused(json!({"spec": {"$patch": "foo"}})),
            (500, "unknown patch type: foo in map: map[$patch:foo]".to_owned())
        );
    }

    #[test]
    fn only_retained_fields_may_be_set() {
        let spec = json!({"$retainKeys": ["containers"], "hostname": "h"});
        let refusal = patched(&json!({"spec": spec})).unwrap_err();
        assert_eq!(refusal.code.as_u16(), 400);
        assert_eq!(refusal.message, "invalid patch format of retainKeys");
        let spec = json!({"$retainKeys": ["hostname"], "hostname": "h", "containers": null});
        let value = patched(&json!({"spec": spec})).unwrap();
        assert_eq!(value["spec"], json!({"hostname": "h"}));
    }
}
