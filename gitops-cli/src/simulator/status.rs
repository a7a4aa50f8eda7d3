//! Statuses as kubelets and controllers leave them behind when all went well.

use serde_json::{Value, json};

/// Addresses of the block that is kept for documentation.
const ADDRESS: &str = "192.0.2.1";

/// The status of an object after a good rollout; `None` for objects that have none to wait for.
///
/// Follows the built-in controllers of Kubernetes 1.36, as far as `kstatus` and `kubectl rollout
/// status` look.
pub(super) fn after_rollout(kind: &str, object: &Value) -> Option<Value> {
    let spec = &object["spec"];
    let generation = object.pointer("/metadata/generation").cloned().unwrap_or(json!(1));
    let replicas = spec["replicas"].as_i64().unwrap_or(1);
    Some(match kind {
        "Deployment" => json!({
            "observedGeneration": generation,
            "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
            "availableReplicas": replicas,
            "conditions": [
                condition(object, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                condition(object, "Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed."),
            ],
        }),
        "StatefulSet" => {
            let revision = format!("{}-{generation}", name(object));
            json!({
                "observedGeneration": generation,
                "replicas": replicas, "currentReplicas": replicas, "updatedReplicas": replicas,
                "readyReplicas": replicas, "availableReplicas": replicas,
                "currentRevision": revision, "updateRevision": revision, "collisionCount": 0,
            })
        }
        "DaemonSet" => json!({
            "observedGeneration": generation,
            "currentNumberScheduled": 1, "desiredNumberScheduled": 1, "numberAvailable": 1,
            "numberMisscheduled": 0, "numberReady": 1, "updatedNumberScheduled": 1,
        }),
        "ReplicaSet" | "ReplicationController" => json!({
            "observedGeneration": generation,
            "replicas": replicas, "fullyLabeledReplicas": replicas, "readyReplicas": replicas,
            "availableReplicas": replicas,
        }),
        "Job" if spec["suspend"] == true => json!({
            "conditions": [condition(object, "Suspended", "True", "JobSuspended", "Job suspended")],
        }),
        "Job" => {
            let completions =
                spec["completions"].as_i64().or(spec["parallelism"].as_i64()).unwrap_or(1);
            let message = "Reached expected number of succeeded pods";
            json!({
                "startTime": created(object), "completionTime": created(object),
                "succeeded": completions, "ready": 0, "terminating": 0,
                "uncountedTerminatedPods": {},
                "conditions": [
                    condition(object, "SuccessCriteriaMet", "True", "CompletionsReached", message),
                    condition(object, "Complete", "True", "CompletionsReached", message),
                ],
            })
        }
        "CronJob" => return None,
        "Pod" => pod(object),
        "PersistentVolumeClaim" => {
            let modes = &spec["accessModes"];
            let storage =
                spec.pointer("/resources/requests/storage").cloned().unwrap_or(json!("1Gi"));
            json!({"phase": "Bound", "accessModes": modes, "capacity": {"storage": storage}})
        }
        "PersistentVolume" => json!({"phase": "Available"}),
        "Service" if spec["type"] == "LoadBalancer" => {
            json!({"loadBalancer": {"ingress": [{"ip": ADDRESS, "ipMode": "VIP"}]}})
        }
        "Ingress" => json!({"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}),
        "HorizontalPodAutoscaler" => autoscaler(object),
        "PodDisruptionBudget" => json!({
            "observedGeneration": generation,
            "currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 1, "expectedPods": 1,
            "conditions": [condition(object, "DisruptionAllowed", "True", "SufficientPods", "")],
        }),
        "APIService" => json!({
            "conditions": [condition(object, "Available", "True", "Passed", "all checks passed")],
        }),
        _ => return None,
    })
}

fn autoscaler(object: &Value) -> Value {
    let least = object.pointer("/spec/minReplicas").and_then(Value::as_i64).unwrap_or(1);
    let (able, active, within) = (
        "recommended size matches current size",
        "the HPA was able to successfully calculate a replica count",
        "the desired count is within the acceptable range",
    );
    json!({
        "currentReplicas": least, "desiredReplicas": least,
        "conditions": [
            condition(object, "AbleToScale", "True", "ReadyForNewScale", able),
            condition(object, "ScalingActive", "True", "ValidMetricFound", active),
            condition(object, "ScalingLimited", "False", "DesiredWithinRange", within),
        ],
    })
}

/// A pod that runs; one that ends for good has ended.
fn pod(object: &Value) -> Value {
    let ends = object.pointer("/spec/restartPolicy") == Some(&json!("Never"));
    if ends {
        return json!({
            "phase": "Succeeded",
            "conditions": [
                condition(object, "Initialized", "True", "PodCompleted", ""),
                condition(object, "Ready", "False", "PodCompleted", ""),
                condition(object, "ContainersReady", "False", "PodCompleted", ""),
                condition(object, "PodScheduled", "True", "", ""),
            ],
        });
    }
    let containers = object.pointer("/spec/containers").and_then(Value::as_array);
    let statuses: Vec<Value> = containers
        .into_iter()
        .flatten()
        .map(|container| {
            json!({
                "name": container["name"], "image": container["image"], "imageID": "",
                "ready": true, "started": true, "restartCount": 0,
                "state": {"running": {"startedAt": created(object)}},
            })
        })
        .collect();
    let conditions: Vec<Value> = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .iter()
        .map(|kind| condition(object, kind, "True", "", ""))
        .collect();
    json!({
        "phase": "Running", "conditions": conditions, "containerStatuses": statuses,
        "podIP": ADDRESS, "hostIP": ADDRESS, "startTime": created(object),
    })
}

fn condition(object: &Value, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let mut condition = json!({
        "type": kind, "status": status, "lastTransitionTime": created(object),
    });
    if !reason.is_empty() {
        condition["reason"] = reason.into();
    }
    if !message.is_empty() {
        condition["message"] = message.into();
    }
    condition
}

/// All happened at once when the object came.
fn created(object: &Value) -> Value {
    object.pointer("/metadata/creationTimestamp").cloned().unwrap_or_default()
}

fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use gitops_apply::health::{self, Status};

    use super::*;

    fn status(kind: &str, api_version: &str, spec: Value) -> Health {
        let mut object = json!({
            "apiVersion": api_version, "kind": kind, "spec": spec,
            "metadata": {"name": "a", "generation": 4, "creationTimestamp": "2026-01-01T00:00:00Z"},
        });
        let before = health::assess(&object, jiff::Timestamp::UNIX_EPOCH).status;
        let after = after_rollout(kind, &object).unwrap_or_else(|| panic!("{kind} has a status"));
        object["status"] = after;
        let after = health::assess(&object, jiff::Timestamp::UNIX_EPOCH);
        Health { before, after: after.status, message: after.message }
    }

    struct Health {
        before: Status,
        after: Status,
        message: String,
    }

    #[test]
    fn every_kind_becomes_ready() {
        let template = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}});
        let workload = json!({"replicas": 3, "template": template});
        let claim = json!({"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "2Gi"}}});
        // Kind, version, spec, and whether anybody would wait for it without a status.
        let kinds = [
            ("Deployment", "apps/v1", workload.clone(), true),
            ("StatefulSet", "apps/v1", workload.clone(), true),
            ("DaemonSet", "apps/v1", json!({"template": template}), true),
            ("ReplicaSet", "apps/v1", workload.clone(), true),
            ("ReplicationController", "v1", workload, false),
            ("Job", "batch/v1", json!({"completions": 2, "template": template}), true),
            ("Pod", "v1", template["spec"].clone(), true),
            ("Pod", "v1", json!({"restartPolicy": "Never", "containers": []}), true),
            ("PersistentVolumeClaim", "v1", claim, true),
            ("PersistentVolume", "v1", json!({}), false),
            ("Service", "v1", json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}), false),
            ("Ingress", "networking.k8s.io/v1", json!({"rules": []}), false),
            ("HorizontalPodAutoscaler", "autoscaling/v2", json!({"minReplicas": 2}), false),
            ("PodDisruptionBudget", "policy/v1", json!({"minAvailable": 1}), false),
            ("APIService", "apiregistration.k8s.io/v1", json!({}), false),
        ];
        for (kind, version, spec, is_awaited) in kinds {
            let health = status(kind, version, spec);
            assert_eq!(health.after, Status::Current, "{kind}: {}", health.message);
            if is_awaited {
                assert_ne!(health.before, Status::Current, "{kind} was ready from the start");
            }
        }
    }

    #[test]
    fn replicas_are_those_that_were_asked_for() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"replicas": 0}});
        let status = after_rollout("Deployment", &object).unwrap();
        assert_eq!((&status["replicas"], &status["readyReplicas"]), (&json!(0), &json!(0)));
    }

    #[test]
    fn a_suspended_job_does_not_complete() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"suspend": true}});
        let status = after_rollout("Job", &object).unwrap();
        assert_eq!(status["conditions"][0]["type"], "Suspended");
        assert_eq!(status.get("completionTime"), None);
    }

    #[test]
    fn other_kinds_are_left_alone() {
        for kind in ["Certificate", "ConfigMap", "CronJob"] {
            assert_eq!(after_rollout(kind, &json!({"metadata": {"name": "a"}})), None, "{kind}");
        }
        let internal = json!({"metadata": {"name": "a"}, "spec": {"type": "ClusterIP"}});
        assert_eq!(after_rollout("Service", &internal), None);
    }
}
