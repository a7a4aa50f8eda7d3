//! Deployments and their like.

use serde_json::Value;

use super::{Health, condition, condition_is, integer};

/// What Kubernetes takes for "no deadline".
const NO_DEADLINE: i64 = i32::MAX as i64;

pub(super) fn deployment(object: &Value) -> Health {
    let progressing = condition(object, "Progressing");
    if progressing.is_some_and(|c| c["reason"] == "ProgressDeadlineExceeded") {
        return Health::failed("Progress deadline exceeded");
    }
    let (wanted, status) = (replicas(object), &object["status"]);
    let count = |field: &str| integer(&status[field]);
    let (all, updated, available, ready) = (
        count("replicas"),
        count("updatedReplicas"),
        count("availableReplicas"),
        count("readyReplicas"),
    );
    let deadline = object["spec"]["progressDeadlineSeconds"].as_i64();
    let is_tracked = deadline.is_some_and(|seconds| seconds != NO_DEADLINE);
    let has_progressed = progressing
        .is_some_and(|c| c["status"] == "True" && c["reason"] == "NewReplicaSetAvailable");
    if all < wanted {
        Health::in_progress(format!("replicas: {all}/{wanted}"))
    } else if updated < wanted {
        Health::in_progress(format!("Updated: {updated}/{wanted}"))
    } else if all > wanted {
        Health::in_progress(format!("Pending termination: {}", all - wanted))
    } else if available < updated {
        Health::in_progress(format!("Available: {available}/{updated}"))
    } else if ready < wanted {
        Health::in_progress(format!("Ready: {ready}/{wanted}"))
    } else if is_tracked && !has_progressed {
        Health::in_progress("ReplicaSet not Available")
    } else if !condition_is(object, "Available", "True") {
        Health::in_progress("Deployment not Available")
    } else {
        Health::current(format!("Deployment is available. Replicas: {all}"))
    }
}

pub(super) fn stateful_set(object: &Value) -> Health {
    let strategy = &object["spec"]["updateStrategy"];
    if strategy["type"] == "OnDelete" {
        return Health::current("StatefulSet is using the ondelete update strategy");
    }
    let (wanted, status) = (replicas(object), &object["status"]);
    let count = |field: &str| integer(&status[field]);
    let (all, ready) = (count("replicas"), count("readyReplicas"));
    if all < wanted {
        return Health::in_progress(format!("Replicas: {all}/{wanted}"));
    }
    if ready < wanted {
        return Health::in_progress(format!("Ready: {ready}/{wanted}"));
    }
    if all > wanted {
        return Health::in_progress(format!("Pending termination: {}", all - wanted));
    }
    if let Some(partition) = strategy["rollingUpdate"]["partition"].as_i64() {
        let (updated, due) = (count("updatedReplicas"), wanted - partition);
        if updated < due {
            return Health::in_progress(format!("updated: {updated}/{due}"));
        }
        return Health::current(format!("Partition rollout complete. updated: {updated}"));
    }
    if count("currentReplicas") < wanted {
        return Health::in_progress(format!("current: {}/{wanted}", count("currentReplicas")));
    }
    if status["currentRevision"] != status["updateRevision"] {
        return Health::in_progress("Waiting for updated revision to match current");
    }
    Health::current(format!("All replicas scheduled as expected. Replicas: {all}"))
}

pub(super) fn replica_set(object: &Value) -> Health {
    if condition_is(object, "ReplicaFailure", "True") {
        return Health::in_progress("Replica Failure condition. Check Pods");
    }
    let (wanted, status) = (replicas(object), &object["status"]);
    for (field, name) in [
        ("fullyLabeledReplicas", "Labelled"),
        ("availableReplicas", "Available"),
        ("readyReplicas", "Ready"),
    ] {
        let count = integer(&status[field]);
        if count < wanted {
            return Health::in_progress(format!("{name}: {count}/{wanted}"));
        }
    }
    let all = integer(&status["replicas"]);
    if all > wanted {
        return Health::in_progress(format!("Pending termination: {}", all - wanted));
    }
    Health::current(format!("ReplicaSet is available. Replicas: {all}"))
}

pub(super) fn daemon_set(object: &Value) -> Health {
    let status = &object["status"];
    if object["metadata"]["generation"].as_i64().is_none() {
        return Health::in_progress("Generation not known");
    }
    if status["observedGeneration"].as_i64().is_none() {
        return Health::in_progress("Observed generation not known");
    }
    let Some(wanted) = status["desiredNumberScheduled"].as_i64() else {
        return Health::in_progress("Missing .status.desiredNumberScheduled");
    };
    for (field, name) in [
        ("currentNumberScheduled", "Current"),
        ("updatedNumberScheduled", "Updated"),
        ("numberAvailable", "Available"),
        ("numberReady", "Ready"),
    ] {
        let count = integer(&status[field]);
        if count < wanted {
            return Health::in_progress(format!("{name}: {count}/{wanted}"));
        }
    }
    Health::current(format!("All replicas scheduled as expected. Replicas: {wanted}"))
}

fn replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::Status::{Current, Failed, InProgress};

    #[test]
    fn deployments() {
        let available = json!({"type": "Available", "status": "True"});
        let progressed =
            json!({"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"});
        let ready = json!({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1,
            "conditions": [available, progressed]});
        let change = |field: &str, value: Value| {
            let mut status = ready.clone();
            status[field] = value;
            status
        };
        for (spec, status, expected) in [
            (json!({"progressDeadlineSeconds": 600}), ready.clone(), Current),
            (
                json!({"progressDeadlineSeconds": 600}),
                change("conditions", json!([available])),
                InProgress,
            ),
            (json!({}), change("conditions", json!([available])), Current),
            (
                json!({"progressDeadlineSeconds": i32::MAX}),
                change("conditions", json!([available])),
                Current,
            ),
            (json!({}), change("conditions", json!([])), InProgress),
            (json!({"replicas": 2}), ready.clone(), InProgress),
            (json!({"replicas": 0}), ready.clone(), InProgress),
            (json!({}), change("availableReplicas", json!(0)), InProgress),
            (json!({}), json!({}), InProgress),
            (
                json!({}),
                change(
                    "conditions",
                    json!([{"type": "Progressing", "status": "False",
                "reason": "ProgressDeadlineExceeded"}]),
                ),
                Failed,
            ),
        ] {
            let object = json!({"spec": spec, "status": status});
            assert_eq!(deployment(&object).status, expected, "{object}");
        }
    }

    #[test]
    fn stateful_sets() {
        let ready = json!({"replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "updatedReplicas": 1,
            "currentRevision": "a", "updateRevision": "a"});
        for (spec, status, expected) in [
            (json!({"replicas": 2}), ready.clone(), Current),
            (json!({"replicas": 3}), ready.clone(), InProgress),
            (json!({"replicas": 2, "updateStrategy": {"type": "OnDelete"}}), json!({}), Current),
            (
                json!({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}}),
                ready.clone(),
                Current,
            ),
            (
                json!({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 0}}}),
                ready.clone(),
                InProgress,
            ),
            (
                json!({"replicas": 2}),
                json!({"replicas": 2, "readyReplicas": 2, "currentReplicas": 2,
                "currentRevision": "a", "updateRevision": "b"}),
                InProgress,
            ),
        ] {
            let object = json!({"spec": spec, "status": status});
            assert_eq!(stateful_set(&object).status, expected, "{object}");
        }
    }

    #[test]
    fn daemon_and_replica_sets() {
        let full = json!({"observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1,
            "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1});
        for (metadata, status, expected) in [
            (json!({"generation": 1}), full.clone(), Current),
            (json!({}), full.clone(), InProgress),
            (json!({"generation": 1}), json!({"observedGeneration": 1}), InProgress),
            (
                json!({"generation": 1}),
                json!({"observedGeneration": 1, "desiredNumberScheduled": 0}),
                Current,
            ),
        ] {
            let object = json!({"metadata": metadata, "status": status});
            assert_eq!(daemon_set(&object).status, expected, "{object}");
        }
        let ready = json!({"replicas": 1, "fullyLabeledReplicas": 1, "availableReplicas": 1, "readyReplicas": 1});
        assert_eq!(replica_set(&json!({"status": ready})).status, Current);
        assert_eq!(replica_set(&json!({"status": {}})).status, InProgress);
    }
}
