//! Random Kubernetes objects, few names in many places, so that they refer to each other.

pub(crate) mod pods;
pub(crate) mod styles;
pub(crate) mod trees;

use crate::{
    objects::pods::{binding, ingress, other, pod_spec, role, service, template, workload},
    rng::Rng,
};

/// What a kustomization can refer to.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) text: String,
}

pub(crate) const NAMES: &[&str] = &["app", "web", "db", "app-config", "cache"];
pub(crate) const NAMESPACES: &[&str] = &["default", "one", "two"];
pub(crate) const IMAGES: &[&str] = &[
    "nginx",
    "nginx:1.25",
    "nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "ghcr.io/org/app:v1",
    "localhost:5000/app",
    "localhost:5000/app:v1@sha256:abc",
    "'busybox:'",
    "my-nginx:1",
    "$(IMAGE)",
];

/// Kinds, their API versions, and whether they live in a namespace.
const KINDS: &[(&str, &str, bool)] = &[
    ("v1", "ConfigMap", true),
    ("v1", "ConfigMap", true),
    ("v1", "Secret", true),
    ("v1", "Service", true),
    ("v1", "Service", true),
    ("apps/v1", "Deployment", true),
    ("apps/v1", "Deployment", true),
    ("apps/v1", "Deployment", true),
    ("apps/v1", "StatefulSet", true),
    ("apps/v1", "DaemonSet", true),
    ("apps/v1", "ReplicaSet", true),
    ("extensions/v1beta1", "Deployment", true),
    ("batch/v1", "Job", true),
    ("batch/v1", "CronJob", true),
    ("batch/v1beta1", "CronJob", true),
    ("v1", "Pod", true),
    ("v1", "ReplicationController", true),
    ("networking.k8s.io/v1", "Ingress", true),
    ("extensions/v1beta1", "Ingress", true),
    ("networking.k8s.io/v1", "NetworkPolicy", true),
    ("networking.k8s.io/v1", "IngressClass", false),
    ("autoscaling/v2", "HorizontalPodAutoscaler", true),
    ("autoscaling/v1", "HorizontalPodAutoscaler", true),
    ("policy/v1", "PodDisruptionBudget", true),
    ("policy/v1beta1", "PodDisruptionBudget", true),
    ("v1", "ServiceAccount", true),
    ("rbac.authorization.k8s.io/v1", "Role", true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", false),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", false),
    ("v1", "PersistentVolumeClaim", true),
    ("v1", "PersistentVolume", false),
    ("storage.k8s.io/v1", "StorageClass", false),
    ("v1", "Namespace", false),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", false),
    ("apiregistration.k8s.io/v1", "APIService", false),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", false),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", false),
    ("scheduling.k8s.io/v1", "PriorityClass", false),
    ("v1", "ResourceQuota", true),
    ("v1", "LimitRange", true),
    ("example.com/v1", "Widget", true),
    ("example.com/v1", "Widget", true),
    ("example.com/v1alpha1", "Gadget", true),
    ("cert-manager.io/v1", "Certificate", true),
    ("argoproj.io/v1alpha1", "Rollout", true),
    ("monitoring.coreos.com/v1", "ServiceMonitor", true),
];

/// One object, which may have the identity of another one.
pub(crate) fn object(r: &mut Rng) -> Object {
    let (api_version, kind, namespaced) = KINDS[r.below(KINDS.len())];
    let name = name(r);
    let namespace = (namespaced && r.chance(25)).then(|| r.pick(NAMESPACES).to_owned());
    let mut text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n");
    if let Some(namespace) = &namespace {
        text.push_str(&format!("  namespace: {namespace}\n"));
    }
    text.push_str(&r.maybe(40, |r| format!("  labels:{}", pairs(r, 4))));
    text.push_str(&r.maybe(25, |r| format!("  annotations:{}", annotations(r))));
    text.push_str(&r.maybe(5, |r| format!("  finalizers: [{}]\n", r.pick(&["a", "a, b"]))));
    text.push_str(&r.maybe(4, |r| {
        format!(
            "  ownerReferences:\n  - apiVersion: apps/v1\n    kind: {}\n    name: {}\n    uid: u1\n",
            r.pick(&["Deployment", "ConfigMap"]),
            r.pick(NAMES),
        )
    }));
    text.push_str(&body(r, api_version, kind));
    if r.chance(4) {
        text = format!("# a comment\n{text}# another one\n");
    }
    Object { api_version, kind, name, namespace, text }
}

fn name(r: &mut Rng) -> String {
    if r.chance(4) {
        return r
            .pick(&["\"app\"", "'web'", "y", "a.b", "x:y"])
            .trim_matches(['\'', '"'])
            .to_owned();
    }
    r.pick(NAMES).to_owned()
}

/// `labels:` or the like, in one of its spellings, with its line break.
fn pairs(r: &mut Rng, indent: usize) -> String {
    let space = " ".repeat(indent);
    match r.below(8) {
        0 => " {}\n".to_owned(),
        1 => format!(" {{app: {}}}\n", r.pick(NAMES)),
        2 => "\n".to_owned(),
        _ => {
            let mut text = format!("\n{space}app: {}\n", r.pick(NAMES));
            text.push_str(&r.maybe(50, |r| {
                format!("{space}tier: {}\n", r.pick(&["front", "back", "\"1\"", "'x'"]))
            }));
            text
        }
    }
}

fn annotations(r: &mut Rng) -> String {
    match r.below(10) {
        0 => " {}\n".to_owned(),
        1 => "\n".to_owned(),
        2 => format!(
            "\n    config.kubernetes.io/local-config: {}\n",
            r.pick(&["\"true\"", "\"false\"", "'yes'"])
        ),
        3 => "\n    internal.config.kubernetes.io/index: '1'\n    a: \"b\"\n".to_owned(),
        4 => "\n    kustomize.config.k8s.io/behavior: merge\n".to_owned(),
        _ => {
            let mut text = format!("\n    note: {}\n", scalar(r));
            text.push_str(&r.maybe(40, |r| format!("    other.io/x: {}\n", scalar(r))));
            text
        }
    }
}

/// A value in some spelling.
pub(crate) fn scalar(r: &mut Rng) -> String {
    r.pick(&[
        "plain", "two words", "\"1\"", "'1'", "1", "1.0", "1.50", "0x1F", "010", "1e3", "1_000", "true", "yes",
        "'yes'", "\"on\"", "~", "null", "\"\"", "''", "2020-01-01", "\"2020-01-01\"", ".5", "-1", "+1", "0o7",
        "\"a: b\"", "'# x'", "\"a\\tb\"", "'it''s'", "\"\\u263a\"", "caf\u{e9}", "\"=\"", "\"<<\"", "\"-\"", "\"- x\"",
        "\"!x\"", "\"@x\"", "\"%x\"", "'[a'", "'{a'", "\"a, b\"", "a,b", "\"trailing \"", "\" leading\"", "\"*\"",
        "$(VAR)", "\"$(VAR) and $(OTHER)\"", "\"$$(VAR)\"", "app", "\"app\"", "a/b/c", "a.b.c", "a:b",
        "a long text that goes on and on until it is quite a bit longer than the eighty columns that fit",
        "\"a long quoted text: it goes on and on until it is quite a bit longer than the eighty columns\"",
        "http://example.com:80/x?y=z#a", "12345678901234567890", "9007199254740993", "3.14159265358979", 
        "\"0b1\"", "0b1", "12:30", "\"12:30:45\"", "1:20", ".inf", "\".nan\"", "!!str 5", "\"y\"", "n",
    ])
    .to_owned()
}

/// A block of text under a key, with its line break; `indent` is that of the key.
fn block(r: &mut Rng, indent: usize) -> String {
    let space = " ".repeat(indent + 2);
    match r.below(7) {
        0 => format!(" |\n{space}a=1\n{space}b: 2\n"),
        1 => format!(" |-\n{space}one\n\n{space}  two\n{space}three\n"),
        2 => format!(" >\n{space}folded text\n{space}goes on\n\n{space}and ends\n"),
        3 => format!(" >-\n{space}first\n{space}  indented\n{space}last\n"),
        4 => format!(" |+\n{space}kept\n\n"),
        5 => format!(" |\n{space}key: [a, b]\n{space}nested:\n{space}  deep: \"quoted\"\n"),
        _ => format!(" {}\n", scalar(r)),
    }
}

fn body(r: &mut Rng, api_version: &str, kind: &str) -> String {
    match kind {
        "ConfigMap" => config_map(r),
        "Secret" => secret(r),
        "Service" => service(r),
        "Deployment"
        | "DaemonSet"
        | "ReplicaSet"
        | "StatefulSet"
        | "ReplicationController"
        | "Rollout" => workload(r, kind),
        "Job" => format!("spec:\n  template:\n{}", template(r, 4)),
        "CronJob" => format!(
            "spec:\n  schedule: \"* * * * *\"\n  jobTemplate:\n    spec:\n      template:\n{}",
            template(r, 8)
        ),
        "Pod" => format!("spec:\n{}", pod_spec(r, 2)),
        "Ingress" => ingress(r, api_version),
        "HorizontalPodAutoscaler" => format!(
            "spec:\n  minReplicas: 1\n  maxReplicas: {}\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: {}\n    name: {}\n",
            1 + r.below(9),
            r.pick(&["Deployment", "StatefulSet", "Rollout"]),
            r.pick(NAMES),
        ),
        "RoleBinding" | "ClusterRoleBinding" => binding(r),
        "Role" | "ClusterRole" => role(r, kind),
        _ => other(r, kind),
    }
}

fn config_map(r: &mut Rng) -> String {
    match r.below(8) {
        0 => return String::new(),
        1 => return "data: {}\n".to_owned(),
        2 => return "data:\n".to_owned(),
        3 => {
            return format!(
                "immutable: true\ndata: {{a: {}, \"b\": 'c'}}\n",
                r.pick(&["x", "\"1\"", "y"])
            );
        }
        _ => {}
    }
    let mut text = "data:\n".to_owned();
    for key in ["a", "b", "config.yaml", "x1", "x10", "x2", "HOST", "'1'"] {
        if r.chance(35) {
            text.push_str(&format!("  {key}:{}", block(r, 2)));
        }
    }
    text.push_str(&r.maybe(10, |_| "binaryData:\n  bin: AAEC\n".to_owned()));
    text.push_str(&r.maybe(15, |r| {
        format!(
            "  json: '{}'\n",
            r.pick(&["{\"a\": {\"b\": 1}}", "{\"list\": [{\"name\": \"x\", \"v\": 2}]}", "[1, 2]"])
        )
    }));
    if text == "data:\n" {
        "data: {k: v}\n".to_owned()
    } else if text.contains("binaryData") && text.contains("json:") {
        "data: {k: w}\n".to_owned()
    } else {
        text
    }
}

fn secret(r: &mut Rng) -> String {
    let mut text = r
        .maybe(60, |r| format!("type: {}\n", r.pick(&["Opaque", "kubernetes.io/tls", "'Opaque'"])));
    text.push_str(&r.maybe(50, |r| {
        format!("data:\n  user: {}\n  password: cGFzcw==\n", r.pick(&["YQ==", "\"YWRtaW4=\""]))
    }));
    text.push_str(&r.maybe(40, |r| format!("stringData:\n  token: {}\n", scalar(r))));
    text
}
