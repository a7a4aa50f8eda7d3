//! Built-in types: one walk along the schema, with the defaults of each Go type.

use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use serde_json::{Map, Value, json};

use super::{
    DEPTH_LIMIT,
    image::is_latest,
    table::{self, Literal},
};
use crate::{
    registry::Resource,
    schema::{Field, Kind, Node, NodeId, Scalar, Schema},
};

type Object = Map<String, Value>;

/// Sets the defaults that the server gives to absent fields of a built-in kind.
///
/// The object has passed [`decode`](crate::admit::decode()), so empty values that Go does not tell
/// from absent ones are absent.
pub(crate) fn default_builtin(resource: &Resource, value: &mut Value) {
    walk(&resource.schema, resource.node, value, 0);
}

/// The same for one member of an object.
pub(in crate::admit) fn default_member(schema: &Schema, node: NodeId, value: &mut Value) {
    walk(schema, node, value, 0);
}

/// Parents first: what a parent puts in gets its own defaults.
fn walk(schema: &Schema, id: NodeId, value: &mut Value, depth: usize) {
    if depth > DEPTH_LIMIT {
        return;
    }
    let node = schema.node(id);
    match value {
        Value::Object(object) => {
            if let Kind::Struct { fields, .. } = &node.kind {
                special(node, object);
                for (name, literal) in table::of(&node.name) {
                    let Some(field) = node.field(name) else { continue };
                    if is_absent(object.get(*name), field) {
                        object.insert((*name).to_owned(), literal_value(*literal));
                    }
                }
                for field in fields {
                    if let Some(default) = &field.default
                        && is_absent(object.get(&*field.name), field)
                    {
                        let value = declared(&schema.node(field.node).kind, default);
                        object.insert(field.name.to_string(), value);
                    }
                }
            }
            for (name, value) in object {
                if let Some(child) = node.member(name) {
                    walk(schema, child, value, depth + 1);
                }
            }
        }
        Value::Array(list) => {
            if let Kind::List { items, .. } = &node.kind {
                for item in list {
                    walk(schema, *items, item, depth + 1);
                }
            }
        }
        _ => {}
    }
}

/// Absent, or what Go does not tell from absent.
fn is_absent(value: Option<&Value>, field: &Field) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty() && !field.pointer,
        Some(Value::Number(number)) => number.as_i64() == Some(0) && !field.pointer,
        Some(_) => false,
    }
}

fn literal_value(literal: Literal) -> Value {
    match literal {
        Literal::Text(text) => text.into(),
        Literal::Number(number) => number.into(),
        Literal::Flag(flag) => flag.into(),
        Literal::Object => json!({}),
    }
}

/// A default that the type's definition declares.
fn declared(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Scalar(Scalar::Int32 | Scalar::Int64) => text.parse::<i64>().unwrap_or(0).into(),
        Kind::Scalar(Scalar::Boolean) => (text == "true").into(),
        _ => text.into(),
    }
}

/// Defaults that depend on other fields.
fn special(node: &Node, object: &mut Object) {
    match &*node.name {
        "Container" | "EphemeralContainer" => container(object),
        "Volume" => volume(node, object),
        "ImageVolumeSource" => image_volume(object),
        "Pod" => pod(object),
        "PodSpec" => pod_spec(object),
        "Secret" => secret(object),
        "Service" => service(object),
        "Namespace" => namespace(object),
        "Deployment" => deployment(object),
        "DaemonSet" => daemon_set(object),
        "StatefulSet" => stateful_set(object),
        "ReplicationController" => replication_controller(object),
        "Job" => job(object),
        "NetworkPolicySpec" => network_policy(object),
        "Subject" if node.field("apiGroup").is_some() => subject(object),
        "ExactDeviceRequest" | "DeviceSubRequest" => {
            object.entry("allocationMode").or_insert_with(|| "ExactCount".into());
            if text(object, "allocationMode") == "ExactCount" {
                object.entry("count").or_insert_with(|| 1.into());
            }
        }
        "CSIDriverSpec" => {
            object.entry("volumeLifecycleModes").or_insert_with(|| json!(["Persistent"]));
        }
        // Of discovery.k8s.io, where the name is a pointer.
        "EndpointPort" if node.field("name").is_some_and(|field| field.pointer) => {
            object.entry("name").or_insert_with(|| "".into());
        }
        "HorizontalPodAutoscalerSpec" if node.package == "v2" => autoscaler(object),
        "HorizontalPodAutoscalerSpec" => {
            object.entry("targetCPUUtilizationPercentage").or_insert_with(|| 80.into());
        }
        "HorizontalPodAutoscalerBehavior" => scaling_behavior(object),
        "LimitRangeItem" => limit_range(object),
        "NodeStatus" => {
            if let (None, Some(capacity)) = (object.get("allocatable"), object.get("capacity")) {
                let capacity = capacity.clone();
                object.insert("allocatable".to_owned(), capacity);
            }
        }
        "CustomResourceDefinition" => definition(object),
        _ => {}
    }
}

fn container(object: &mut Object) {
    if !object.contains_key("imagePullPolicy") {
        let latest = is_latest(text(object, "image"));
        object.insert("imagePullPolicy".to_owned(), pull_policy(latest));
    }
}

fn image_volume(object: &mut Object) {
    if !object.contains_key("pullPolicy") {
        let latest = is_latest(text(object, "reference"));
        object.insert("pullPolicy".to_owned(), pull_policy(latest));
    }
}

fn pull_policy(latest: bool) -> Value {
    if latest { "Always" } else { "IfNotPresent" }.into()
}

/// A volume without a source is an empty directory.
fn volume(node: &Node, object: &mut Object) {
    let source =
        |name: &String| node.field(name).is_some_and(|field| field.within == "VolumeSource");
    if !object.keys().any(source) {
        object.insert("emptyDir".to_owned(), json!({}));
    }
}

fn pod(object: &mut Object) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in ["containers", "initContainers"] {
        for container in objects(spec, list) {
            if let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) {
                copy_absent(resources, "limits", "requests");
            }
            if host_network {
                for port in objects(container, "ports") {
                    if let Some(number) = port.get("containerPort").cloned() {
                        port.entry("hostPort").or_insert(number);
                    }
                }
            }
        }
    }
    spec.entry("enableServiceLinks").or_insert(Value::Bool(true));
}

/// The old and the new name of the service account say the same.
fn pod_spec(spec: &mut Object) {
    let (new, old) = (spec.get("serviceAccountName"), spec.get("serviceAccount"));
    if let Some(name) = new.or(old).cloned() {
        spec.insert("serviceAccountName".to_owned(), name.clone());
        spec.insert("serviceAccount".to_owned(), name);
    }
}

/// Texts become data.
fn secret(object: &mut Object) {
    let Some(Value::Object(texts)) = object.shift_remove("stringData") else { return };
    let data = object.entry("data").or_insert_with(|| json!({}));
    if let Value::Object(data) = data {
        for (key, text) in texts {
            let text = text.as_str().unwrap_or_default();
            data.insert(key, STANDARD.encode(text).into());
        }
    }
}

fn service(object: &mut Object) {
    let balanced = object.get("spec").is_some_and(|spec| spec["type"] == "LoadBalancer");
    if balanced && let Some(balancer) = child(object, &["status", "loadBalancer"]) {
        for ingress in objects(balancer, "ingress") {
            if !text(ingress, "ip").is_empty() {
                ingress.entry("ipMode").or_insert_with(|| "VIP".into());
            }
        }
    }
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    spec.entry("sessionAffinity").or_insert_with(|| "None".into());
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.shift_remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            let timeout = spec
                .get("sessionAffinityConfig")
                .and_then(|config| config.get("clientIP")?.get("timeoutSeconds"));
            if timeout.is_none() {
                let config = json!({"clientIP": {"timeoutSeconds": 10800}});
                spec.insert("sessionAffinityConfig".to_owned(), config);
            }
        }
        _ => {}
    }
    spec.entry("type").or_insert_with(|| "ClusterIP".into());
    for port in objects(spec, "ports") {
        let unset = match port.get("targetPort") {
            None => true,
            Some(target) => target == 0 || target == "",
        };
        if unset && let Some(number) = port.get("port").cloned() {
            port.insert("targetPort".to_owned(), number);
        }
    }
    let kind = text(spec, "type").to_owned();
    let reachable = matches!(&*kind, "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && spec.contains_key("externalIPs"));
    if reachable {
        spec.entry("externalTrafficPolicy").or_insert_with(|| "Cluster".into());
    }
    if matches!(&*kind, "NodePort" | "LoadBalancer" | "ClusterIP") {
        spec.entry("internalTrafficPolicy").or_insert_with(|| "Cluster".into());
    }
    if kind == "LoadBalancer" {
        spec.entry("allocateLoadBalancerNodePorts").or_insert(Value::Bool(true));
    }
}

fn namespace(object: &mut Object) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let name = text(metadata, "name").to_owned();
    if name.is_empty() {
        return;
    }
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    if let Value::Object(labels) = labels {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    }
}

fn deployment(object: &mut Object) {
    let Some(strategy) = child(object, &["spec", "strategy"]) else { return };
    strategy.entry("type").or_insert_with(|| "RollingUpdate".into());
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
        if let Value::Object(rolling) = rolling {
            rolling.entry("maxUnavailable").or_insert_with(|| "25%".into());
            rolling.entry("maxSurge").or_insert_with(|| "25%".into());
        }
    }
}

fn daemon_set(object: &mut Object) {
    let Some(strategy) = child(object, &["spec", "updateStrategy"]) else { return };
    strategy.entry("type").or_insert_with(|| "RollingUpdate".into());
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
        if let Value::Object(rolling) = rolling {
            rolling.entry("maxUnavailable").or_insert_with(|| 1.into());
            rolling.entry("maxSurge").or_insert_with(|| 0.into());
        }
    }
}

fn stateful_set(object: &mut Object) {
    if let Some(spec) = child(object, &["spec"]) {
        for claim in objects(spec, "volumeClaimTemplates") {
            claim.insert("kind".to_owned(), "PersistentVolumeClaim".into());
            claim.insert("apiVersion".to_owned(), "v1".into());
        }
    }
    let Some(strategy) = child(object, &["spec", "updateStrategy"]) else { return };
    if !strategy.contains_key("type") {
        strategy.insert("type".to_owned(), "RollingUpdate".into());
        strategy.entry("rollingUpdate").or_insert_with(|| json!({}));
    }
    if text(strategy, "type") == "RollingUpdate"
        && let Some(Value::Object(rolling)) = strategy.get_mut("rollingUpdate")
    {
        rolling.entry("partition").or_insert_with(|| 0.into());
    }
}

fn replication_controller(object: &mut Object) {
    let labels = object
        .get("spec")
        .and_then(|spec| spec.get("template")?.get("metadata")?.get("labels"))
        .cloned();
    let Some(labels) = labels else { return };
    if let Some(spec) = child(object, &["spec"]) {
        spec.entry("selector").or_insert_with(|| labels.clone());
    }
    if let Some(metadata) = child(object, &["metadata"]) {
        metadata.entry("labels").or_insert(labels);
    }
}

fn job(object: &mut Object) {
    // Only of jobs themselves: the template of a CronJob keeps its gaps.
    let Some(spec) = child(object, &["spec"]) else { return };
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".to_owned(), 1.into());
    }
    spec.entry("parallelism").or_insert_with(|| 1.into());
    let limit = if spec.contains_key("backoffLimitPerIndex") { i32::MAX } else { 6 };
    spec.entry("backoffLimit").or_insert_with(|| limit.into());
    spec.entry("completionMode").or_insert_with(|| "NonIndexed".into());
    spec.entry("suspend").or_insert(Value::Bool(false));
    let policy =
        if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    spec.entry("podReplacementPolicy").or_insert_with(|| policy.into());
    spec.entry("manualSelector").or_insert(Value::Bool(false));
}

fn network_policy(spec: &mut Object) {
    if !spec.contains_key("policyTypes") {
        let types = if spec.contains_key("egress") {
            json!(["Ingress", "Egress"])
        } else {
            json!(["Ingress"])
        };
        spec.insert("policyTypes".to_owned(), types);
    }
}

fn subject(object: &mut Object) {
    if matches!(text(object, "kind"), "User" | "Group") {
        object.entry("apiGroup").or_insert_with(|| "rbac.authorization.k8s.io".into());
    }
}

fn autoscaler(spec: &mut Object) {
    spec.entry("metrics").or_insert_with(|| {
        json!([{
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
        }])
    });
}

fn scaling_behavior(object: &mut Object) {
    let up = object.entry("scaleUp").or_insert_with(|| json!({}));
    if let Value::Object(up) = up {
        up.entry("stabilizationWindowSeconds").or_insert_with(|| 0.into());
        up.entry("policies").or_insert_with(|| {
            json!([
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15}
            ])
        });
    }
    let down = object.entry("scaleDown").or_insert_with(|| json!({}));
    if let Value::Object(down) = down {
        down.entry("policies")
            .or_insert_with(|| json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]));
    }
}

fn limit_range(item: &mut Object) {
    if text(item, "type") == "Container" {
        copy_absent(item, "max", "default");
        copy_absent(item, "default", "defaultRequest");
        copy_absent(item, "min", "defaultRequest");
    }
}

fn definition(object: &mut Object) {
    let Some(spec) = child(object, &["spec"]) else { return };
    spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    let stored = objects(spec, "versions")
        .find(|version| version.get("storage") == Some(&Value::Bool(true)))
        .map(|version| text(version, "name").to_owned());
    if let Some(names) = child(spec, &["names"]) {
        let kind = text(names, "kind").to_owned();
        if !kind.is_empty() {
            names.entry("singular").or_insert_with(|| kind.to_lowercase().into());
            names.entry("listKind").or_insert_with(|| format!("{kind}List").into());
        }
    }
    if let (Some(stored), Some(status)) = (stored, child(object, &["status"]))
        && status.get("storedVersions").and_then(Value::as_array).is_none_or(Vec::is_empty)
    {
        status.insert("storedVersions".to_owned(), json!([stored]));
    }
}

/// Entries of one map that another lacks.
fn copy_absent(object: &mut Object, from: &str, to: &str) {
    let Some(source) = object.get(from).and_then(Value::as_object).cloned() else { return };
    let target = object.entry(to).or_insert_with(|| json!({}));
    if let Value::Object(target) = target {
        for (name, amount) in source {
            target.entry(name).or_insert(amount);
        }
    }
}

fn text<'o>(object: &'o Object, name: &str) -> &'o str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn child<'o>(object: &'o mut Object, path: &[&str]) -> Option<&'o mut Object> {
    path.iter().try_fold(object, |object, name| object.get_mut(*name)?.as_object_mut())
}

fn objects<'o>(object: &'o mut Object, list: &str) -> impl Iterator<Item = &'o mut Object> {
    let list = object.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}
