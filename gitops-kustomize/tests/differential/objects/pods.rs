//! Workloads, and what stands around them.

use crate::{
    objects::{IMAGES, NAMES, NAMESPACES, scalar},
    rng::Rng,
};

/// Puts lines below others.
pub(crate) fn indented(text: &str, indent: usize) -> String {
    let space = " ".repeat(indent);
    text.split_inclusive('\n')
        .map(|line| if line.trim().is_empty() { line.to_owned() } else { format!("{space}{line}") })
        .collect()
}

pub(crate) fn workload(r: &mut Rng, kind: &str) -> String {
    let mut text = "spec:\n".to_owned();
    text.push_str(
        &r.maybe(50, |r| format!("  replicas: {}\n", r.pick(&["1", "3", "\"2\"", "0", "null"]))),
    );
    text.push_str(&r.maybe(70, |r| {
        if kind == "ReplicationController" {
            return format!("  selector: {{app: {}}}\n", r.pick(NAMES));
        }
        format!("  selector:\n    matchLabels:\n      app: {}\n", r.pick(NAMES))
    }));
    if kind == "StatefulSet" {
        text.push_str(&format!("  serviceName: {}\n", r.pick(NAMES)));
        text.push_str(&r.maybe(50, |r| {
            let labels = r.maybe(50, |r| format!("      labels: {{app: {}}}\n", r.pick(NAMES)));
            format!(
                "  volumeClaimTemplates:\n  - metadata:\n      name: data\n{labels}    spec:\n      storageClassName: {}\n      accessModes: [ReadWriteOnce]\n",
                r.pick(NAMES)
            )
        }));
    }
    text.push_str("  template:\n");
    text.push_str(&template(r, 4));
    text
}

pub(crate) fn template(r: &mut Rng, indent: usize) -> String {
    let mut text = String::new();
    text.push_str(&r.maybe(60, |r| {
        let annotations = r.maybe(30, |r| format!("  annotations:\n    note: {}\n", scalar(r)));
        format!("metadata:\n  labels:\n    app: {}\n{annotations}", r.pick(NAMES))
    }));
    text.push_str("spec:\n");
    let text = indented(&text, indent);
    format!("{text}{}", pod_spec(r, indent + 2))
}

pub(crate) fn pod_spec(r: &mut Rng, indent: usize) -> String {
    let mut text = String::new();
    text.push_str(&r.maybe(40, |r| format!("serviceAccountName: {}\n", r.pick(NAMES))));
    text.push_str(&r.maybe(10, |r| format!("serviceAccount: {}\n", r.pick(NAMES))));
    text.push_str(&r.maybe(10, |r| format!("priorityClassName: {}\n", r.pick(NAMES))));
    text.push_str(&r.maybe(15, |r| format!("imagePullSecrets:\n- name: {}\n", r.pick(NAMES))));
    text.push_str(
        &r.maybe(20, |r| format!("nodeSelector:\n  disk: {}\n", r.pick(&["ssd", "\"1\""]))),
    );
    text.push_str(&r.maybe(10, |_| {
        "tolerations:\n- key: a\n  operator: Exists\n- key: b\n  effect: NoSchedule\n".to_owned()
    }));
    text.push_str(&r.maybe(10, |r| {
        format!(
            "topologySpreadConstraints:\n- maxSkew: 1\n  topologyKey: zone\n  labelSelector:\n    matchLabels:\n      app: {}\n",
            r.pick(NAMES)
        )
    }));
    text.push_str(&r.maybe(10, |r| {
        format!(
            "affinity:\n  podAntiAffinity:\n    preferredDuringSchedulingIgnoredDuringExecution:\n    - weight: 1\n      podAffinityTerm:\n        topologyKey: host\n        labelSelector:\n          matchLabels:\n            app: {}\n",
            r.pick(NAMES)
        )
    }));
    if r.chance(25) {
        text.push_str("initContainers:\n");
        text.push_str(&container(r, "init"));
    }
    text.push_str("containers:\n");
    text.push_str(&container(r, "main"));
    if r.chance(40) {
        text.push_str(&container(r, "side"));
    }
    text.push_str(&volumes(r));
    indented(&text, indent)
}

fn container(r: &mut Rng, name: &str) -> String {
    let mut text = format!("- name: {name}\n");
    text.push_str(&r.maybe(90, |r| format!("  image: {}\n", r.pick(IMAGES))));
    text.push_str(&r.maybe(30, |r| {
        r.pick(&[
            "  args: [a, --b=c]\n",
            "  args:\n  - --config=$(VAR)\n  - x\n",
            "  command: [\"sh\", '-c', $(VAR)]\n",
        ])
        .to_owned()
    }));
    text.push_str(&r.maybe(50, |r| format!("  ports:\n{}", ports(r))));
    text.push_str(&r.maybe(60, |r| format!("  env:\n{}", env(r))));
    text.push_str(&r.maybe(25, |r| {
        let name = r.pick(NAMES);
        format!("  envFrom:\n  - {}:\n      name: {name}\n", r.pick(&["configMapRef", "secretRef"]))
    }));
    text.push_str(&r.maybe(30, |_| "  volumeMounts:\n  - name: conf\n    mountPath: /etc/conf\n  - name: data\n    mountPath: /data\n".to_owned()));
    text.push_str(&r.maybe(25, |r| {
        format!(
            "  resources:\n    limits: {{cpu: {}, memory: 1Gi}}\n",
            r.pick(&["1", "500m", "\"1\"", "0.5"])
        )
    }));
    text
}

fn ports(r: &mut Rng) -> String {
    let mut text = String::new();
    for (port, name) in [("80", "http"), ("443", "https"), ("53", "dns")] {
        if r.chance(50) {
            text.push_str(&format!("  - containerPort: {port}\n"));
            text.push_str(&r.maybe(50, |_| format!("    name: {name}\n")));
            text.push_str(&r.maybe(40, |r| format!("    protocol: {}\n", r.pick(&["TCP", "UDP"]))));
        }
    }
    if text.is_empty() { "  - containerPort: 8080\n".to_owned() } else { text }
}

fn env(r: &mut Rng) -> String {
    let mut text = String::new();
    for name in ["A", "B", "HOST", "C"] {
        match r.below(6) {
            0 => text.push_str(&format!("  - name: {name}\n    value: {}\n", scalar(r))),
            1 => text.push_str(&format!(
                "  - name: {name}\n    valueFrom:\n      {}:\n        name: {}\n        key: a\n",
                r.pick(&["configMapKeyRef", "secretKeyRef"]),
                r.pick(NAMES),
            )),
            2 => text.push_str(&format!("  - {{name: {name}, value: \"$(VAR)-x\"}}\n")),
            3 if name == "C" => text.push_str("  - name: A\n    value: again\n"),
            _ => {}
        }
    }
    if text.is_empty() { "  - name: Z\n    value: z\n".to_owned() } else { text }
}

fn volumes(r: &mut Rng) -> String {
    let mut text = String::new();
    text.push_str(
        &r.maybe(35, |r| format!("- name: conf\n  configMap:\n    name: {}\n", r.pick(NAMES))),
    );
    text.push_str(&r.maybe(25, |r| {
        format!(
            "- name: data\n  {}\n",
            match r.below(4) {
                0 => format!("secret:\n    secretName: {}", r.pick(NAMES)),
                1 => format!("persistentVolumeClaim:\n    claimName: {}", r.pick(NAMES)),
                2 => "emptyDir: {}".to_owned(),
                _ => format!("hostPath: {{path: {}}}", r.pick(&["/a", "/b"])),
            }
        )
    }));
    text.push_str(&r.maybe(15, |r| {
        format!(
            "- name: all\n  projected:\n    sources:\n    - configMap:\n        name: {}\n    - secret:\n        name: {}\n",
            r.pick(NAMES),
            r.pick(NAMES)
        )
    }));
    if text.is_empty() { text } else { format!("volumes:\n{text}") }
}

pub(crate) fn service(r: &mut Rng) -> String {
    let mut text = "spec:\n".to_owned();
    text.push_str(&r.maybe(70, |r| format!("  selector:\n    app: {}\n", r.pick(NAMES))));
    text.push_str(
        &r.maybe(15, |r| format!("  type: {}\n", r.pick(&["ClusterIP", "LoadBalancer"]))),
    );
    text.push_str("  ports:\n");
    for (port, name) in [("80", "http"), ("53", "dns"), ("53", "dns-tcp")] {
        if r.chance(60) {
            text.push_str(&format!("  - port: {port}\n"));
            text.push_str(&r.maybe(60, |_| format!("    name: {name}\n")));
            text.push_str(&r.maybe(40, |r| format!("    protocol: {}\n", r.pick(&["TCP", "UDP"]))));
            text.push_str(&r.maybe(30, |r| {
                format!("    targetPort: {}\n", r.pick(&["http", "8080", "\"8080\""]))
            }));
        }
    }
    text
}

pub(crate) fn ingress(r: &mut Rng, api_version: &str) -> String {
    let mut text = "spec:\n".to_owned();
    text.push_str(&r.maybe(30, |r| format!("  ingressClassName: {}\n", r.pick(NAMES))));
    text.push_str(&r.maybe(40, |r| {
        format!("  tls:\n  - hosts: [a.example.com]\n    secretName: {}\n", r.pick(NAMES))
    }));
    let service = r.pick(NAMES);
    let backend = if api_version == "networking.k8s.io/v1" {
        format!(
            "          service:\n            name: {service}\n            port:\n              number: 80\n"
        )
    } else {
        format!("          serviceName: {service}\n          servicePort: 80\n")
    };
    text.push_str(&format!(
        "  rules:\n  - host: {}\n    http:\n      paths:\n      - path: /\n        backend:\n{backend}",
        r.pick(&["a.example.com", "\"*.example.com\"", "$(HOST)"])
    ));
    text
}

pub(crate) fn binding(r: &mut Rng) -> String {
    let mut text = format!(
        "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {}\n  name: {}\nsubjects:\n",
        r.pick(&["Role", "ClusterRole"]),
        r.pick(NAMES)
    );
    for _ in 0..=r.below(2) {
        text.push_str(&format!(
            "- kind: {}\n  name: {}\n",
            r.pick(&["ServiceAccount", "ServiceAccount", "User"]),
            r.pick(&["default", "app", "web"])
        ));
        text.push_str(&r.maybe(60, |r| format!("  namespace: {}\n", r.pick(NAMESPACES))));
    }
    text
}

pub(crate) fn role(r: &mut Rng, kind: &str) -> String {
    let mut text = "rules:\n- apiGroups: [\"\"]\n  resources: [\"configmaps\", secrets]\n  verbs: ['get', \"*\"]\n".to_owned();
    text.push_str(
        &r.maybe(40, |r| format!("  resourceNames: [{}, {}]\n", r.pick(NAMES), r.pick(NAMES))),
    );
    if kind == "ClusterRole" && r.chance(20) {
        "aggregationRule:\n  clusterRoleSelectors:\n  - matchLabels:\n      app: x\nrules: []\n"
            .clone_into(&mut text);
    }
    text
}

/// Kinds with little to say.
pub(crate) fn other(r: &mut Rng, kind: &str) -> String {
    let name = r.pick(NAMES);
    match kind {
        "NetworkPolicy" => format!(
            "spec:\n  podSelector:\n    matchLabels:\n      app: {name}\n  ingress:\n  - from:\n    - podSelector:\n        matchLabels: {{app: web}}\n    - namespaceSelector: {{}}\n  egress:\n  - to:\n    - podSelector:\n        matchLabels:\n          app: db\n"
        ),
        "IngressClass" => "spec:\n  controller: example.com/x\n".to_owned(),
        "PodDisruptionBudget" => format!("spec:\n  minAvailable: {}\n  selector:\n    matchLabels:\n      app: {name}\n", r.pick(&["1", "50%"])),
        "ServiceAccount" => r.maybe(40, |r| {
            format!("imagePullSecrets:\n- name: {name}\nsecrets:\n- name: {}\n", r.pick(NAMES))
        }),
        "PersistentVolumeClaim" => format!("spec:\n  storageClassName: {name}\n  volumeName: {}\n", r.pick(NAMES)),
        "PersistentVolume" => format!(
            "spec:\n  storageClassName: {name}\n  claimRef:\n    name: {}\n    namespace: {}\n",
            r.pick(NAMES),
            r.pick(NAMESPACES)
        ),
        "StorageClass" => "provisioner: example.com/disk\n".to_owned(),
        "CustomResourceDefinition" => "spec:\n  group: example.com\n  names: {kind: Widget, plural: widgets}\n  scope: Namespaced\n".to_owned(),
        "APIService" => format!("spec:\n  group: example.com\n  version: v1\n  service:\n    name: {name}\n    namespace: {}\n", r.pick(NAMESPACES)),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => format!(
            "webhooks:\n- name: a.example.com\n  clientConfig:\n    service:\n      name: {name}\n      namespace: {}\n      path: /x\n",
            r.pick(NAMESPACES)
        ),
        "PriorityClass" => "value: 1000\n".to_owned(),
        "Certificate" => format!("spec:\n  secretName: {name}\n  dnsNames: [a, b]\n"),
        "ServiceMonitor" => format!("spec:\n  selector:\n    matchLabels:\n      app: {name}\n  endpoints:\n  - port: http\n"),
        "Widget" => format!(
            "spec:\n  count: {}\n  ref:\n    name: {name}\n  list:\n  - name: a\n    value: {}\n  - name: b\n    value: {}\n  matrix: [[1, 2], [3]]\n  containers:\n  - name: x\n    image: {}\n",
            r.below(5),
            scalar(r),
            scalar(r),
            r.pick(IMAGES)
        ),
        "Gadget" => format!("spec:\n  widget: {name}\n  text: {}\n  flags: [a, b, c]\n", scalar(r)),
        _ => "spec: {}\n".to_owned(),
    }
}
