//! Fields that a built-in kind does not have.
//!
//! Flux decodes objects of built-in kinds into Go types before it sends them, and so loses unknown
//! fields without a word. Here the API server says which fields it does not know, in its refusal of
//! a dry run, and they are left out.

use serde_json::{Map, Value};

/// What the API server says behind the path of a field.
const SAYS: &str = ": field not declared in schema";

/// Whether the Go client knows the kinds of a group.
pub(crate) fn is_builtin(group: &str) -> bool {
    matches!(
        group,
        "" | "apps"
            | "batch"
            | "autoscaling"
            | "policy"
            | "extensions"
            | "admissionregistration.k8s.io"
            | "authentication.k8s.io"
            | "authorization.k8s.io"
            | "certificates.k8s.io"
            | "coordination.k8s.io"
            | "discovery.k8s.io"
            | "events.k8s.io"
            | "flowcontrol.apiserver.k8s.io"
            | "networking.k8s.io"
            | "node.k8s.io"
            | "rbac.authorization.k8s.io"
            | "resource.k8s.io"
            | "scheduling.k8s.io"
            | "storage.k8s.io"
    )
}

/// Removes the fields that a message names from an object. Tells whether there were any, and
/// nothing else was wrong.
pub(crate) fn remove(object: &mut Value, message: &str) -> bool {
    let paths: Vec<Vec<Step>> = message
        .lines()
        .filter_map(|line| line.trim_end().strip_suffix(SAYS))
        .filter_map(|line| parse(line.rsplit(' ').next().unwrap_or_default()))
        .collect();
    // A value of a wrong type keeps Flux from decoding the object at all.
    let only_these = message.matches(SAYS).count() == paths.len() && !message.contains("expected");
    let mut removed = false;
    for path in paths.iter().filter(|_| only_these) {
        removed |= remove_at(object, path);
    }
    removed
}

/// A step of a path such as `.spec.containers[name="web"].ports[0]`.
#[derive(Debug, PartialEq)]
enum Step {
    Field(String),
    Index(usize),
    Keys(Map<String, Value>),
}

fn parse(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            steps.push(Step::Field(after[..end].to_owned()));
            rest = &after[end..];
            continue;
        }
        let after = rest.strip_prefix('[')?;
        let (inner, after) = after.split_once(']')?;
        steps.push(match inner.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Keys(keys(inner)?),
        });
        rest = after;
    }
    matches!(steps.last(), Some(Step::Field(_))).then_some(steps)
}

fn keys(text: &str) -> Option<Map<String, Value>> {
    let pairs = text.split(',').map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key.to_owned(), serde_json::from_str(value).ok()?))
    });
    pairs.collect()
}

fn remove_at(object: &mut Value, path: &[Step]) -> bool {
    let Some((step, rest)) = path.split_first() else { return false };
    match (step, object) {
        (Step::Field(name), Value::Object(fields)) if rest.is_empty() => {
            fields.shift_remove(name).is_some()
        }
        (Step::Field(name), Value::Object(fields)) => {
            fields.get_mut(name).is_some_and(|next| remove_at(next, rest))
        }
        (Step::Index(index), Value::Array(items)) => {
            items.get_mut(*index).is_some_and(|next| remove_at(next, rest))
        }
        (Step::Keys(keys), Value::Array(items)) => {
            let has_keys = |item: &&mut Value| keys.iter().all(|(key, value)| &item[key] == value);
            items.iter_mut().find(has_keys).is_some_and(|next| remove_at(next, rest))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FAILED: &str = "failed to create typed patch object (n/bad; apps/v1, Kind=Deployment)";

    #[test]
    fn named_fields_go() {
        let object = json!({"spec": {"replicaz": 1, "containers": [{"name": "a"}, {"name": "b", "imagez": "x", "ports": [{"containerPort": 80, "protocol": "TCP", "x": 1}]}]}});
        for (message, pointer) in [
            (format!("{FAILED}: .spec.replicaz{SAYS}"), "/spec/replicaz"),
            (
                format!("{FAILED}: .spec.containers[name=\"b\"].imagez{SAYS}"),
                "/spec/containers/1/imagez",
            ),
            (format!("{FAILED}: .spec.containers[1].imagez{SAYS}"), "/spec/containers/1/imagez"),
            (
                format!(
                    "{FAILED}: errors:\n  .spec.containers[name=\"b\"].ports[containerPort=80,protocol=\"TCP\"].x{SAYS}\n  .spec.replicaz{SAYS}"
                ),
                "/spec/containers/1/ports/0/x",
            ),
        ] {
            let mut object = object.clone();
            assert!(object.pointer(pointer).is_some());
            assert!(remove(&mut object, &message), "{message}");
            assert!(object.pointer(pointer).is_none(), "{message}");
        }
    }

    #[test]
    fn other_problems_stay() {
        let object = json!({"spec": {"replicaz": 1, "paused": "x"}});
        for message in [
            format!(
                "{FAILED}: errors:\n  .spec.replicaz{SAYS}\n  .spec.paused: expected bool, got x"
            ),
            format!("{FAILED}: .spec.paused: expected bool"),
            format!("{FAILED}: .spec.none{SAYS}"),
        ] {
            let mut changed = object.clone();
            assert!(!remove(&mut changed, &message), "{message}");
            assert_eq!(changed, object);
        }
    }
}
