//! The part of a cluster that no API server plays: workloads that become ready.
//!
//! Where no kubelet and no controller manager run, a Deployment stays as it was applied. The
//! simulator writes the statuses that these would write after a good rollout, so that whoever waits
//! for health goes on. It changes nothing but statuses, and reads each kind by one watch.

mod status;

use futures::{StreamExt as _, TryStreamExt as _};
use gitops_core::Scope;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};

/// Who the statuses are from.
const MANAGER: &str = "gitops-simulator";

/// Group, version, kind and plural of what becomes ready.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("apps", "v1", "DaemonSet", "daemonsets"),
    ("apps", "v1", "ReplicaSet", "replicasets"),
    ("batch", "v1", "Job", "jobs"),
    ("batch", "v1", "CronJob", "cronjobs"),
    ("", "v1", "Pod", "pods"),
    ("", "v1", "ReplicationController", "replicationcontrollers"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("", "v1", "PersistentVolume", "persistentvolumes"),
    ("", "v1", "Service", "services"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("apiregistration.k8s.io", "v1", "APIService", "apiservices"),
];

/// Lets workloads become ready until the scope ends.
pub(crate) async fn run(client: Client, scope: Scope) {
    let kinds = KINDS.iter().map(|(group, version, kind, plural)| {
        let kind = GroupVersionKind::gvk(group, version, kind);
        follow(client.clone(), ApiResource::from_gvk_with_plural(&kind, plural))
    });
    // Ends with the run.
    let _ = scope.run(futures::future::join_all(kinds)).await;
}

async fn follow(client: Client, resource: ApiResource) {
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let changes = watcher(all, watcher::Config::default()).default_backoff().applied_objects();
    changes
        .into_stream()
        .for_each(|change| async {
            // A watch that broke is begun anew.
            let Ok(object) = change else { return };
            let Some(patch) = patch(&resource.kind, &object) else { return };
            let namespace = object.namespace();
            let api: Api<DynamicObject> = match &namespace {
                Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
                None => Api::all_with(client.clone(), &resource),
            };
            let parameters =
                PatchParams { field_manager: Some(MANAGER.into()), ..Default::default() };
            // The object may be gone, and a newer state has a turn of its own.
            let _ = api.patch_status(&object.name_any(), &parameters, &Patch::Merge(&patch)).await;
        })
        .await;
}

/// The status that is missing; `None` when the object is as after a good rollout.
fn patch(kind: &str, object: &DynamicObject) -> Option<Value> {
    let object = serde_json::to_value(object).ok()?;
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    let wanted = status::after_rollout(kind, &object)?;
    let current = &object["status"];
    let is_there = |(name, value): (&String, &Value)| holds(current.get(name), value);
    let missing = !wanted.as_object()?.iter().all(is_there);
    missing.then(|| json!({"status": wanted}))
}

/// Whether a part of a status says what is wanted; times do not count.
fn holds(current: Option<&Value>, wanted: &Value) -> bool {
    let Some(current) = current else { return false };
    match (current, wanted) {
        (Value::Object(current), Value::Object(wanted)) => wanted
            .iter()
            .filter(|(name, _)| !name.ends_with("Time"))
            .all(|(name, value)| holds(current.get(name), value)),
        (Value::Array(current), Value::Array(wanted)) => {
            current.len() >= wanted.len()
                && wanted.iter().all(|value| current.iter().any(|one| holds(Some(one), value)))
        }
        _ => current == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_rollout_is_written_once() {
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "generation": 2}, "spec": {"replicas": 3},
        });
        let first = patch("Deployment", &object(deployment.clone())).unwrap();
        assert_eq!(first["status"]["readyReplicas"], 3);
        deployment["status"] = first["status"].clone();
        assert_eq!(patch("Deployment", &object(deployment.clone())), None);
        deployment["metadata"]["generation"] = 3.into();
        assert!(patch("Deployment", &object(deployment)).is_some(), "a new rollout");
    }

    #[test]
    fn what_is_being_deleted_is_left_alone() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        });
        assert_eq!(patch("Pod", &object(pod)), None);
    }
}
