//! Small repairs of objects, before they are sent and before they are compared.
//!
//! Follows fluxcd/pkg `ssa/normalize`. Flux decodes known kinds into Go types and back; of that,
//! what changes the result of an apply is done here: default protocols of ports, `stringData` of
//! Secrets, and no `status` or `creationTimestamp`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::metadata;

/// Prepares a desired object for its apply:
/// * ports of Services and of pods' containers get `protocol: TCP` where they have none, because
///   the protocol is part of a port's merge key;
/// * `stringData` of a Secret becomes `data`;
/// * `status` goes, except that of a `CustomResourceDefinition`, and so does `creationTimestamp`.
///
/// Roles and `ClusterRoles` are left as they are.
pub fn normalize(object: &mut Value) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let api_version = object["apiVersion"].as_str().unwrap_or_default().to_owned();
    if api_version == "rbac.authorization.k8s.io/v1" && matches!(&*kind, "Role" | "ClusterRole") {
        return;
    }
    match (api_version.as_str(), kind.as_str()) {
        ("v1", "Service") => {
            if let Some(ports) = object.pointer_mut("/spec/ports") {
                default_protocols(ports);
            }
        }
        ("v1", "Secret") => string_data_to_data(object),
        _ => {
            if let Some(path) = pod_spec_path(&api_version, &kind)
                && let Some(Value::Array(containers)) =
                    object.pointer_mut(&format!("{path}/containers"))
            {
                for container in containers {
                    if let Some(ports) = container.get_mut("ports") {
                        default_protocols(ports);
                    }
                }
            }
        }
    }
    let is_crd = kind == "CustomResourceDefinition" && api_version.starts_with("apiextensions");
    if let Value::Object(fields) = object {
        if !is_crd {
            fields.shift_remove("status");
        }
        if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
            metadata.shift_remove("creationTimestamp");
        }
    }
    if is_crd {
        drop_invalid_ca_bundle(object);
    }
}

fn pod_spec_path(api_version: &str, kind: &str) -> Option<&'static str> {
    Some(match (api_version, kind) {
        ("v1", "Pod") => "/spec",
        ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch/v1", "Job") => "/spec/template/spec",
        ("batch/v1", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    })
}

fn default_protocols(ports: &mut Value) {
    let Value::Array(ports) = ports else { return };
    for port in ports {
        if let Value::Object(port) = port
            && port
                .get("protocol")
                .is_none_or(|protocol| protocol.as_str().is_none_or(str::is_empty))
        {
            port.insert("protocol".into(), Value::from("TCP"));
        }
    }
}

fn string_data_to_data(secret: &mut Value) {
    let Value::Object(fields) = secret else {
        return;
    };
    // A value that is no string makes the API server refuse the object, with a better message.
    let Some(Value::Object(plain)) = fields.get("stringData") else {
        return;
    };
    if !plain.values().all(Value::is_string) {
        return;
    }
    let Some(Value::Object(plain)) = fields.shift_remove("stringData") else {
        return;
    };
    let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    if let Value::Object(data) = data {
        for (key, value) in plain {
            let text = value.as_str().unwrap_or_default();
            data.insert(key, Value::from(STANDARD.encode(text)));
        }
    }
}

/// A conversion webhook's CA bundle that is no PEM certificate would make the API server refuse
/// the whole definition; operators put it there later.
fn drop_invalid_ca_bundle(definition: &mut Value) {
    let Some(Value::Object(config)) =
        definition.pointer_mut("/spec/conversion/webhook/clientConfig")
    else {
        return;
    };
    let Some(bundle) = config.get("caBundle").and_then(Value::as_str) else {
        return;
    };
    let is_pem = STANDARD.decode(bundle).is_ok_and(|bytes| {
        bytes.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----")
    });
    if !is_pem {
        config.shift_remove("caBundle");
    }
}

/// Repairs what a dry run answers differently from what is stored: Kubernetes before 1.27 repeats
/// the first metric of a `HorizontalPodAutoscaler` and adds an empty one.
/// See <https://github.com/kubernetes/kubernetes/issues/118293>.
pub(crate) fn repair_answer(object: &mut Value) {
    if object["kind"] != "HorizontalPodAutoscaler" {
        return;
    }
    let Some(Value::Array(metrics)) = object.pointer_mut("/spec/metrics") else {
        return;
    };
    let mut kept: Vec<Value> = Vec::with_capacity(metrics.len());
    for metric in metrics.drain(..) {
        if metric["type"].as_str().is_some_and(|kind| !kind.is_empty()) && !kept.contains(&metric) {
            kept.push(metric);
        }
    }
    *metrics = kept;
}

/// Whether an object is a Secret.
pub(crate) fn is_secret(object: &Value) -> bool {
    object["kind"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("secret"))
        && object["apiVersion"] == "v1"
        && !metadata(object, "name").is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn desired_objects_are_repaired() {
        for (given, expected) in [
            (
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "creationTimestamp": null},
                    "spec": {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}, "status": {}}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
                    "spec": {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}}),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"}, "data": {"c": "ZA=="}}),
                json!({"apiVersion": "v1", "kind": "Secret", "data": {"c": "ZA==", "a": "Yg=="}}),
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec":
                    {"containers": [{"name": "a", "ports": [{"containerPort": 1}]}, {"name": "b"}]}}}}),
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec":
                    {"containers": [{"name": "a", "ports": [{"containerPort": 1, "protocol": "TCP"}]}, {"name": "b"}]}}}}),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}),
            ),
            (
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"type": "ExternalName"}}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"type": "ExternalName"}}),
            ),
        ] {
            let mut object = given;
            normalize(&mut object);
            assert_eq!(object, expected);
        }
    }

    #[test]
    fn an_invalid_ca_bundle_goes() {
        let bundle = |text: &str| {
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": text}}}}, "status": {}})
        };
        let mut object = bundle("Cg==");
        normalize(&mut object);
        assert_eq!(object["spec"]["conversion"]["webhook"]["clientConfig"], json!({}));
        assert!(object.get("status").is_some());
    }

    #[test]
    fn repeated_metrics_are_dropped() {
        let mut object = json!({"kind": "HorizontalPodAutoscaler", "spec": {"metrics":
            [{"type": "Resource"}, {"type": "Pods"}, {"type": "Resource"}, {"type": ""}]}});
        repair_answer(&mut object);
        assert_eq!(object["spec"]["metrics"], json!([{"type": "Resource"}, {"type": "Pods"}]));
    }
}
