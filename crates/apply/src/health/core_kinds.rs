//! Pods, claims and Services.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Health, condition, condition_is};

/// How long a pod may look unschedulable before that counts as a failure: the scheduler and
/// the autoscaler may need a moment.
const SCHEDULE_WINDOW: SignedDuration = SignedDuration::from_secs(15);

pub(super) fn pod(object: &Value, now: Timestamp) -> Health {
    match object["status"]["phase"].as_str().unwrap_or_default() {
        "Succeeded" => Health::current("Pod has completed successfully"),
        "Failed" => Health::current("Pod has completed, but not successfully"),
        "Running" if condition_is(object, "Ready", "True") => Health::current("Pod is Ready"),
        "Running" => match crash_looping(object) {
            names if names.is_empty() => Health::in_progress("Pod is running but is not Ready"),
            names => Health::failed(format!("Containers in CrashLoop state: {}", names.join(","))),
        },
        "Pending" if is_unschedulable(object) => {
            let created = object["metadata"]["creationTimestamp"].as_str();
            let created = created.and_then(|text| text.parse::<Timestamp>().ok());
            if created.is_some_and(|created| now.duration_since(created) < SCHEDULE_WINDOW) {
                Health::in_progress("Pod has not been scheduled")
            } else {
                Health::failed("Pod could not be scheduled")
            }
        }
        "Pending" => Health::in_progress("Pod is in the Pending phase"),
        "" => Health::in_progress("Pod phase not available"),
        other => Health::new(super::Status::Unknown, format!("unknown phase {other}")),
    }
}

/// Whether the scheduler found no place for a pod.
pub(crate) fn is_unschedulable(pod: &Value) -> bool {
    condition(pod, "PodScheduled")
        .is_some_and(|c| c["status"] == "False" && c["reason"] == "Unschedulable")
}

fn crash_looping(pod: &Value) -> Vec<&str> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|field| pod["status"][field].as_array().into_iter().flatten())
        .filter(|container| container["state"]["waiting"]["reason"] == "CrashLoopBackOff")
        .filter_map(|container| container["name"].as_str())
        .collect()
}

pub(super) fn claim(object: &Value) -> Health {
    match object["status"]["phase"].as_str().unwrap_or("unknown") {
        "Bound" => Health::current("PVC is Bound"),
        other => Health::in_progress(format!("PVC is not Bound. phase: {other}")),
    }
}

pub(super) fn service(object: &Value) -> Health {
    let spec = &object["spec"];
    let has_address = spec["clusterIP"].as_str().is_some_and(|address| !address.is_empty());
    if spec["type"] == "LoadBalancer" && !has_address {
        return Health::in_progress("ClusterIP not set. Service type: LoadBalancer");
    }
    Health::current("Service is ready")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::Status::{Current, Failed, InProgress, Unknown};

    #[test]
    fn pods() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let unschedulable = json!({"phase": "Pending", "conditions":
            [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
        let looping = json!({"phase": "Running", "containerStatuses":
            [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
        for (created, status, expected) in [
            ("", json!({"phase": "Succeeded"}), Current),
            ("", json!({"phase": "Failed"}), Current),
            ("", json!({"phase": "Running"}), InProgress),
            (
                "",
                json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
                Current,
            ),
            ("", looping, Failed),
            ("2026-01-01T00:00:50Z", unschedulable.clone(), InProgress),
            ("2026-01-01T00:00:40Z", unschedulable, Failed),
            ("", json!({"phase": "Pending"}), InProgress),
            ("", json!({}), InProgress),
            ("", json!({"phase": "Odd"}), Unknown),
        ] {
            let object = json!({"metadata": {"creationTimestamp": created}, "status": status});
            assert_eq!(pod(&object, now).status, expected, "{object}");
        }
    }

    #[test]
    fn services_and_claims() {
        for (spec, expected) in [
            (json!({"type": "LoadBalancer"}), InProgress),
            (json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}), Current),
            (json!({"type": "ClusterIP"}), Current),
        ] {
            assert_eq!(service(&json!({"spec": spec})).status, expected);
        }
        assert_eq!(claim(&json!({"status": {"phase": "Bound"}})).status, Current);
        assert_eq!(claim(&json!({})).status, InProgress);
    }
}
