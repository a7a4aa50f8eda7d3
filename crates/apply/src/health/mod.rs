//! When an object counts as ready.
//!
//! Follows kstatus as fluxcd/cli-utils has it, with Flux's rule for Jobs. The order of evaluation:
//! deletion, observed generation, the conditions `Reconciling` and `Stalled`, the rule of the kind,
//! the condition `Ready`; whatever has none of these is ready by existing.
//!
//! ```
//! use gitops_apply::health::{Status, assess};
//! use serde_json::json;
//!
//! let object = json!({
//!     "apiVersion": "example.com/v1", "kind": "Gizmo", "metadata": {"name": "g", "generation": 2},
//!     "status": {"observedGeneration": 1},
//! });
//! assert_eq!(assess(&object, jiff::Timestamp::now()).status, Status::InProgress);
//! ```

mod batch;
mod core_kinds;
mod crd;
mod workloads;

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

pub(crate) use core_kinds::is_unschedulable;

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Status {
    /// It is on its way.
    InProgress,
    /// It will not become ready by itself.
    Failed,
    /// It is ready.
    Current,
    /// It is being deleted.
    Terminating,
    /// It does not exist.
    NotFound,
    /// It could not be read or judged.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Current => "Current",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        })
    }
}

/// A judgement and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The judgement.
    pub status: Status,
    /// Why, for people.
    pub message: String,
}

impl Health {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn current(message: impl Into<String>) -> Self {
        Self::new(Status::Current, message)
    }

    pub(crate) fn in_progress(message: impl Into<String>) -> Self {
        Self::new(Status::InProgress, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Status::Failed, message)
    }
}

/// Judges an object as it was read at a time.
pub fn assess(object: &Value, now: Timestamp) -> Health {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Health::new(Status::Terminating, "Resource scheduled for deletion");
    }
    general(object).or_else(|| of_kind(object, now)).unwrap_or_else(|| by_ready(object))
}

/// What holds for every kind.
fn general(object: &Value) -> Option<Health> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let generation = object["metadata"]["generation"].as_i64();
    let observed = object["status"]["observedGeneration"].as_i64();
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        return Some(Health::in_progress(format!(
            "{kind} generation is {generation}, but latest observed generation is {observed}"
        )));
    }
    conditions(object).find_map(|condition| {
        let status = match (condition["type"].as_str()?, condition["status"].as_str()?) {
            ("Reconciling", "True") => Status::InProgress,
            ("Stalled", "True") => Status::Failed,
            _ => return None,
        };
        Some(Health::new(status, condition["message"].as_str().unwrap_or_default()))
    })
}

fn of_kind(object: &Value, now: Timestamp) -> Option<Health> {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    Some(match (group, object["kind"].as_str().unwrap_or_default()) {
        ("apps" | "extensions", "Deployment") => workloads::deployment(object),
        ("apps", "StatefulSet") => workloads::stateful_set(object),
        ("apps" | "extensions", "ReplicaSet") => workloads::replica_set(object),
        ("apps" | "extensions", "DaemonSet") => workloads::daemon_set(object),
        ("", "Pod") => core_kinds::pod(object, now),
        ("", "PersistentVolumeClaim") => core_kinds::claim(object),
        ("", "Service") => core_kinds::service(object),
        ("", "Secret" | "ConfigMap") | ("batch", "CronJob") | ("policy", "PodDisruptionBudget") => {
            Health::current("Resource is always ready")
        }
        ("batch", "Job") => batch::job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd::definition(object),
        _ => return None,
    })
}

fn by_ready(object: &Value) -> Health {
    match condition(object, "Ready") {
        Some(ready) if ready["status"] == "True" => Health::current("Resource is Ready"),
        Some(ready) if matches!(ready["status"].as_str(), Some("False" | "Unknown")) => {
            Health::in_progress(ready["message"].as_str().unwrap_or_default())
        }
        _ => Health::current("Resource is current"),
    }
}

pub(crate) fn conditions(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["conditions"].as_array().into_iter().flatten()
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    conditions(object).find(|condition| condition["type"] == kind)
}

fn condition_is(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == status)
}

fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(object: &Value) -> Status {
        assess(object, "2026-01-01T00:01:00Z".parse().unwrap()).status
    }

    #[test]
    fn any_kind() {
        use Status::{Current, Failed, InProgress, Terminating};
        let object = |metadata: Value, status: Value| json!({"apiVersion": "a.b/v1", "kind": "C", "metadata": metadata, "status": status});
        for (metadata, given, expected) in [
            (json!({}), json!({}), Current),
            (json!({"deletionTimestamp": "x"}), json!({}), Terminating),
            (json!({"generation": 2}), json!({"observedGeneration": 1}), InProgress),
            (json!({"generation": 2}), json!({"observedGeneration": "1"}), Current),
            (json!({}), json!({"conditions": [{"type": "Ready", "status": "False"}]}), InProgress),
            (
                json!({}),
                json!({"conditions": [{"type": "Ready", "status": "Unknown"}]}),
                InProgress,
            ),
            (json!({}), json!({"conditions": [{"type": "Ready", "status": "True"}]}), Current),
            (
                json!({}),
                json!({"conditions": [{"type": "Stalled", "status": "True"}, {"type": "Reconciling", "status": "True"}]}),
                Failed,
            ),
            (
                json!({}),
                json!({"conditions": [{"type": "Reconciling", "status": "True"}, {"type": "Stalled", "status": "True"}]}),
                InProgress,
            ),
        ] {
            assert_eq!(status(&object(metadata, given.clone())), expected, "{given}");
        }
    }

    #[test]
    fn objects_that_are_ready_by_existing() {
        for (api_version, kind) in
            [("v1", "ConfigMap"), ("v1", "Secret"), ("batch/v1", "CronJob"), ("v1", "Namespace")]
        {
            assert_eq!(status(&json!({"apiVersion": api_version, "kind": kind})), Status::Current);
        }
    }
}
