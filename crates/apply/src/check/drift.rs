//! Does what is stored differ from what the API server would make of it?
//!
//! Follows fluxcd/pkg `ssa/manager_diff.go`: labels, annotations and every top-level part but
//! `metadata` and `status` count; `ownerReferences`, finalizers and managed fields do not.

use serde_json::{Map, Value};

use super::{
    ignore::{self, IgnoreRules},
    managers,
};
use crate::object::repair_answer;

/// Whether the result of a dry run differs from the live object, leaving ignored fields out.
pub(crate) fn has_drifted(live: &Value, dry_run: &Value, rules: &IgnoreRules) -> bool {
    let paths = if rules.is_empty() { Vec::new() } else { rules.paths(dry_run) };
    if paths.is_empty() && dry_run["kind"] != "HorizontalPodAutoscaler" {
        return differ(live, dry_run);
    }
    let prepare = |object: &Value| {
        let mut object = object.clone();
        for path in &paths {
            ignore::remove(&mut object, path);
        }
        repair_answer(&mut object);
        object
    };
    differ(&prepare(live), &prepare(dry_run))
}

fn differ(a: &Value, b: &Value) -> bool {
    for part in ["labels", "annotations"] {
        if !equal(&a["metadata"][part], &b["metadata"][part]) {
            return true;
        }
    }
    let nothing = Map::new();
    let (a, b) = (a.as_object().unwrap_or(&nothing), b.as_object().unwrap_or(&nothing));
    let counts = |key: &str| !matches!(key, "metadata" | "status");
    let differs = |(key, value): (&String, &Value), other: &Map<String, Value>| {
        counts(key) && !equal(value, other.get(key).unwrap_or(&Value::Null))
    };
    a.iter().any(|field| differs(field, b)) || b.iter().any(|field| differs(field, a))
}

/// Equality as Go's `Semantic.DeepEqual` sees it: an absent collection equals an empty one.
fn equal(a: &Value, b: &Value) -> bool {
    a == b || (is_empty(a) && is_empty(b))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Changes the payload of an apply that happens although some of its fields are ignored: a field
/// that another manager applied is left out, so that it stays theirs; of any other the live value
/// is adopted, so that the apply does not undo it.
pub(crate) fn spare_ignored(
    payload: &mut Value,
    live: &Value,
    dry_run: &Value,
    rules: &IgnoreRules,
    field_manager: &str,
) {
    let mut stripped = Vec::new();
    let mut adopted = Vec::new();
    for path in rules.paths(dry_run) {
        let (current, wanted) = (live.pointer(path), dry_run.pointer(path));
        if current == wanted {
            continue;
        }
        if managers::is_applied_by_other(live, path, field_manager) {
            stripped.push(path);
        } else {
            adopted.push((path, current));
        }
    }
    for path in stripped {
        ignore::remove(payload, path);
    }
    for (path, value) in adopted {
        match value {
            Some(value) => ignore::replace(payload, path, value.clone()),
            None => ignore::remove(payload, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::IgnoreRule;

    fn rules(paths: &[&str]) -> IgnoreRules {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        IgnoreRules::compile(&[IgnoreRule { paths, target: None }]).unwrap()
    }

    #[test]
    fn only_some_parts_count() {
        let live = json!({"kind": "ConfigMap", "metadata": {"labels": {"a": "b"}, "resourceVersion": "1",
            "finalizers": ["x"]}, "data": {"a": "1"}, "status": {"x": 1}});
        for (pointer, value, expected) in [
            ("/metadata/labels/a", json!("c"), true),
            ("/metadata/annotations", json!({"n": "1"}), true),
            ("/metadata/annotations", json!({}), false),
            ("/metadata/resourceVersion", json!("2"), false),
            ("/metadata/finalizers", json!([]), false),
            ("/status", json!({"x": 2}), false),
            ("/data/a", json!("2"), true),
            ("/immutable", json!(true), true),
        ] {
            let mut dry_run = live.clone();
            ignore::replace(&mut dry_run, pointer, value);
            assert_eq!(has_drifted(&live, &dry_run, &rules(&[])), expected, "{pointer}");
            assert_eq!(has_drifted(&dry_run, &live, &rules(&[])), expected, "{pointer} reversed");
        }
    }

    #[test]
    fn ignored_fields_do_not_count() {
        let live = json!({"kind": "ConfigMap", "data": {"a": "1", "b": "2"}});
        let dry_run = json!({"kind": "ConfigMap", "data": {"a": "9", "b": "2"}});
        assert!(has_drifted(&live, &dry_run, &rules(&["/data/b"])));
        assert!(!has_drifted(&live, &dry_run, &rules(&["/data/a"])));
    }

    #[test]
    fn ignored_fields_are_left_or_adopted() {
        let live = json!({"metadata": {"managedFields": [
            {"manager": "hpa", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
            "spec": {"replicas": 5, "paused": true}});
        let dry_run = json!({"spec": {"replicas": 1, "paused": false, "x": 1}});
        let mut payload = dry_run.clone();
        let rules = rules(&["/spec/replicas", "/spec/paused", "/spec/x"]);
        spare_ignored(&mut payload, &live, &dry_run, &rules, "us");
        assert_eq!(payload, json!({"spec": {"paused": true}}));
    }
}
