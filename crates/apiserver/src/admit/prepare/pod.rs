//! What a new pod gets from the server.

use serde_json::{Map, Value, json};

use crate::admit::quantity::Quantity;

pub(super) fn create(pod: &mut Value) {
    let class = quality(&pod["spec"]);
    pod["status"] = json!({"phase": "Pending", "qosClass": class});
    let Some(Value::Object(spec)) = pod.get_mut("spec") else { return };
    let priority = match spec.get("priorityClassName").and_then(Value::as_str) {
        Some("system-node-critical") => Some(2_000_001_000),
        Some("system-cluster-critical") => Some(2_000_000_000),
        Some(_) => None,
        None => Some(0),
    };
    if let Some(priority) = priority {
        spec.entry("priority").or_insert_with(|| priority.into());
    }
    spec.entry("preemptionPolicy").or_insert_with(|| "PreemptLowerPriority".into());
    tolerate(spec);
}

/// An update keeps what the pod got from the server.
pub(super) fn update(pod: &mut Value, old: &Value) {
    let Some(Value::Object(spec)) = pod.get_mut("spec") else { return };
    for name in ["priority", "preemptionPolicy"] {
        if let Some(value) = old["spec"].get(name) {
            spec.entry(name).or_insert_with(|| value.clone());
        }
    }
    tolerate(spec);
}

/// The class of service does not change, and the first of the addresses stands alone as well.
pub(super) fn update_status(pod: &mut Value, old: &Value) {
    let class = old["status"].get("qosClass").cloned();
    let Some(Value::Object(status)) = pod.get_mut("status") else { return };
    if let Some(class) = class {
        status.entry("qosClass").or_insert(class);
    }
    for (one, many) in [("podIP", "podIPs"), ("hostIP", "hostIPs")] {
        let first = status.get(many).and_then(|list| list.get(0)?.get("ip")).cloned();
        match (status.get(one).cloned(), first) {
            (None, Some(first)) => {
                status.insert(one.to_owned(), first);
            }
            (Some(address), None) => {
                status.insert(many.to_owned(), json!([{"ip": address}]));
            }
            _ => {}
        }
    }
}

fn tolerate(spec: &mut Map<String, Value>) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    if let Value::Array(list) = tolerations {
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            if !list.iter().any(|toleration| tolerates(toleration, key)) {
                list.push(json!({
                    "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300
                }));
            }
        }
    }
}

fn tolerates(toleration: &Value, key: &str) -> bool {
    let text = |name: &str| toleration.get(name).and_then(Value::as_str).unwrap_or_default();
    matches!(text("key"), own if own == key || own.is_empty())
        && matches!(text("effect"), "NoExecute" | "")
}

/// The class of service: guaranteed if every container's limits are its requests, best effort if
/// nobody asks for anything.
fn quality(spec: &Value) -> &'static str {
    let lists = ["containers", "initContainers"];
    let containers = lists
        .iter()
        .filter_map(|list| spec.get(*list).and_then(Value::as_array))
        .flatten()
        .collect::<Vec<_>>();
    let amount = |container: &Value, kind: &str, resource: &str| {
        let value = container.get("resources")?.get(kind)?.get(resource)?.as_str()?;
        Quantity::parse(value).ok().filter(|quantity| !quantity.is_zero())
    };
    let (mut guaranteed, mut any) = (true, false);
    for container in containers {
        for resource in ["cpu", "memory"] {
            let limit = amount(container, "limits", resource);
            let request = amount(container, "requests", resource);
            any |= limit.is_some() || request.is_some();
            guaranteed &= match (limit, request) {
                (Some(limit), Some(request)) => limit.nanos() == request.nanos(),
                _ => false,
            };
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
