//! Who manages which fields: taking over what kubectl and other tools left.
//!
//! Follows fluxcd/pkg `ssa/patch.go`. Objects that kubectl once applied carry its entries in
//! `metadata.managedFields`; as long as they do, a field that goes from the desired object stays in
//! the live one. So entries of such managers are united with ours before an apply.

use serde_json::{Map, Value, json};

use crate::object::is_marked;

/// Annotations that former tools left and nobody needs.
const OBSOLETE_ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];
/// Likewise labels.
const OBSOLETE_LABELS: [&str; 1] = ["fluxcd.io/sync-gc-mark"];
/// Deeper entries than the API server writes are not walked.
const DEPTH_LIMIT: usize = 200;

/// The JSON patch that takes over the fields of kubectl, of ourselves before server-side apply and
/// of the managers named (by prefix), and removes obsolete marks; empty if there is nothing to do
/// or if one of the objects asks for `ssa: Merge`.
pub(crate) fn takeover(
    desired: &Value,
    live: &Value,
    group: &str,
    field_manager: &str,
    overridden: &[String],
) -> Vec<Value> {
    let merge = format!("{group}/ssa");
    if is_marked(desired, &merge, "Merge") || is_marked(live, &merge, "Merge") {
        return Vec::new();
    }
    let mut patch = Vec::new();
    for (part, keys) in
        [("annotations", &OBSOLETE_ANNOTATIONS[..]), ("labels", &OBSOLETE_LABELS[..])]
    {
        for key in keys {
            if live["metadata"][part].get(key).is_some() {
                let key = key.replace('~', "~0").replace('/', "~1");
                patch.push(json!({"op": "remove", "path": format!("/metadata/{part}/{key}")}));
            }
        }
    }
    if let Some(entries) = united_entries(live, field_manager, overridden) {
        patch.push(json!({"op": "replace", "path": "/metadata/managedFields", "value": entries}));
    }
    patch
}

/// The entries that a patch of [`takeover`] leaves.
pub(crate) fn entries_of(patch: &[Value]) -> Option<&Value> {
    patch
        .iter()
        .find(|operation| operation["path"] == "/metadata/managedFields")
        .map(|operation| &operation["value"])
}

/// The JSON patch that moves every entry to an API version; empty if all are there.
pub(crate) fn migration(live: &Value, api_version: &str) -> Vec<Value> {
    let Some(entries) = live["metadata"]["managedFields"].as_array() else {
        return Vec::new();
    };
    if entries.iter().all(|entry| entry["apiVersion"] == api_version) {
        return Vec::new();
    }
    let moved: Vec<Value> = entries
        .iter()
        .cloned()
        .map(|mut entry| {
            entry["apiVersion"] = Value::from(api_version);
            entry
        })
        .collect();
    vec![json!({"op": "replace", "path": "/metadata/managedFields", "value": moved})]
}

fn united_entries(live: &Value, field_manager: &str, overridden: &[String]) -> Option<Vec<Value>> {
    let entries = live["metadata"]["managedFields"].as_array()?;
    let is_ours = |entry: &Value| {
        entry["manager"] == field_manager
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().is_none_or(str::is_empty)
    };
    let mut ours = entries.iter().find(|entry| is_ours(entry)).cloned();
    let mut kept = Vec::with_capacity(entries.len());
    let mut changed = false;
    for entry in entries {
        if is_ours(entry) {
            continue;
        }
        if !is_taken_over(entry, field_manager, overridden) {
            kept.push(entry.clone());
            continue;
        }
        changed = true;
        if let Some(ours) = &mut ours {
            let fields = entry["fieldsV1"].clone();
            unite(&mut ours["fieldsV1"], fields, 0);
        } else {
            let mut renamed = entry.clone();
            renamed["manager"] = Value::from(field_manager);
            renamed["operation"] = Value::from("Apply");
            ours = Some(renamed);
        }
    }
    changed.then(|| {
        kept.extend(ours);
        kept
    })
}

fn is_taken_over(entry: &Value, field_manager: &str, overridden: &[String]) -> bool {
    let manager = entry["manager"].as_str().unwrap_or_default();
    if entry["subresource"].as_str().is_some_and(|part| !part.is_empty())
        || manager == "flux-client-side-apply"
    {
        return false;
    }
    let matches = |prefix: &str| manager.starts_with(prefix);
    match entry["operation"].as_str() {
        Some("Apply") => matches("kubectl") || overridden.iter().any(|prefix| matches(prefix)),
        Some("Update") => {
            ["kubectl", "before-first-apply", field_manager].into_iter().any(matches)
                || overridden.iter().any(|prefix| matches(prefix))
        }
        _ => false,
    }
}

/// The union of two field sets in their wire form: nested mappings, whose empty ones are leaves.
fn unite(into: &mut Value, from: Value, depth: usize) {
    let Value::Object(from) = from else { return };
    if depth > DEPTH_LIMIT {
        return;
    }
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Value::Object(into) = into else { return };
    for (key, value) in from {
        match into.get_mut(&key) {
            Some(known) => unite(known, value, depth + 1),
            None => {
                into.insert(key, value);
            }
        }
    }
}

/// Whether a manager other than `field_manager` applied the field that a JSON pointer names.
pub(crate) fn is_applied_by_other(live: &Value, pointer: &str, field_manager: &str) -> bool {
    let Some(entries) = live["metadata"]["managedFields"].as_array() else {
        return false;
    };
    let applied = entries.iter().filter(|entry| {
        entry["operation"] == "Apply" && entry["subresource"].as_str().is_none_or(str::is_empty)
    });
    applied
        .filter(|entry| entry["manager"] != field_manager)
        .any(|entry| covers(&entry["fieldsV1"], live, pointer))
}

/// Whether a field set contains what a JSON pointer names in an object. Elements of a list are
/// named by their keys (`k:{"name":"x"}`), which are looked up in the object.
fn covers(fields: &Value, object: &Value, pointer: &str) -> bool {
    let (mut fields, mut object) = (fields, object);
    let Some(path) = pointer.strip_prefix('/') else {
        return false;
    };
    for segment in path.split('/') {
        let segment = super::ignore::unescape(segment);
        let found = if let Value::Array(items) = object {
            let item = segment.parse::<usize>().ok().and_then(|index| items.get(index));
            let Some(item) = item else { return false };
            object = item;
            keyed(fields, item)
        } else {
            object = &object[segment.as_str()];
            fields.get(format!("f:{segment}"))
        };
        match found {
            Some(deeper) => fields = deeper,
            None => return false,
        }
    }
    true
}

fn keyed<'f>(fields: &'f Value, item: &Value) -> Option<&'f Value> {
    fields.as_object()?.iter().find_map(|(name, deeper)| {
        let keys: Map<String, Value> = serde_json::from_str(name.strip_prefix("k:")?).ok()?;
        keys.iter().all(|(key, value)| item.get(key) == Some(value)).then_some(deeper)
    })
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "literals read better")]
mod tests {
    use super::*;

    fn live(entries: Value) -> Value {
        json!({"metadata": {"managedFields": entries}})
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    }

    #[test]
    fn fields_of_kubectl_become_ours() {
        let object = live(json!([
            entry("kubectl", "Apply", json!({"f:data": {"f:a": {}}})),
            entry("us", "Apply", json!({"f:data": {"f:b": {}}})),
            entry("kubectl-edit", "Update", json!({"f:data": {"f:c": {}}})),
            entry("other", "Update", json!({"f:data": {"f:d": {}}})),
        ]));
        let patch = takeover(&json!({}), &object, "g", "us", &[]);
        assert_eq!(
            patch,
            [json!({"op": "replace", "path": "/metadata/managedFields", "value": [
                entry("other", "Update", json!({"f:data": {"f:d": {}}})),
                entry("us", "Apply", json!({"f:data": {"f:b": {}, "f:a": {}, "f:c": {}}})),
            ]})]
        );
    }

    #[test]
    fn the_first_match_is_renamed_where_we_have_no_entry() {
        let object = live(json!([entry("kubectl", "Update", json!({"f:x": {}}))]));
        let patch = takeover(&json!({}), &object, "g", "us", &[]);
        assert_eq!(patch[0]["value"], json!([entry("us", "Apply", json!({"f:x": {}}))]));
    }

    #[test]
    fn some_entries_are_left_alone() {
        let scaled = json!({"manager": "kubectl", "operation": "Update", "subresource": "scale"});
        for entries in [
            json!([scaled]),
            json!([entry("flux-client-side-apply", "Update", json!({}))]),
            json!([entry("us", "Apply", json!({}))]),
            json!([entry("helm", "Update", json!({}))]),
        ] {
            assert!(
                takeover(&json!({}), &live(entries.clone()), "g", "us", &[]).is_empty(),
                "{entries}"
            );
        }
        let helm = live(json!([entry("helm-x", "Update", json!({}))]));
        assert!(!takeover(&json!({}), &helm, "g", "us", &["helm".into()]).is_empty());
        let mut merge = live(json!([entry("kubectl", "Apply", json!({}))]));
        merge["metadata"]["annotations"] = json!({"g/ssa": "merge"});
        assert!(takeover(&json!({}), &merge, "g", "us", &[]).is_empty());
    }

    #[test]
    fn obsolete_marks_go() {
        let object = json!({"metadata": {"annotations": {"fluxcd.io/sync-checksum": "x"}, "labels": {"fluxcd.io/sync-gc-mark": "x"}}});
        let patch = takeover(&json!({}), &object, "g", "us", &[]);
        let paths: Vec<&str> = patch.iter().filter_map(|op| op["path"].as_str()).collect();
        assert_eq!(
            paths,
            [
                "/metadata/annotations/fluxcd.io~1sync-checksum",
                "/metadata/labels/fluxcd.io~1sync-gc-mark"
            ]
        );
    }

    #[test]
    fn list_elements_are_found_by_their_keys() {
        let mut object = live(json!([entry(
            "vpa",
            "Apply",
            json!({"f:spec": {"f:containers": {
            "k:{\"name\":\"b\"}": {"f:image": {}}}}})
        )]));
        object["spec"] = json!({"containers": [{"name": "a"}, {"name": "b", "image": "x"}]});
        for (pointer, expected) in [
            ("/spec/containers/1/image", true),
            ("/spec/containers/0/image", false),
            ("/spec/containers/7/image", false),
            ("/spec/replicas", false),
        ] {
            assert_eq!(is_applied_by_other(&object, pointer, "us"), expected, "{pointer}");
        }
    }
}
