//! The built-in field specifications of kustomize v5.8, written down once per shape instead of once
//! per kind.

use std::sync::LazyLock;

use super::{FieldSpec, NameReferences, NameTable, Specs, TransformerConfig};
use crate::resource::Gvk;

/// Workloads with a pod template at `spec/template`.
const TEMPLATE: &str = "spec/template/";
const CRON_TEMPLATE: &str = "spec/jobTemplate/spec/template/";

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// Kinds with a pod specification, and the path to it, as name references know them.
const PODS: [(&str, &str, &str); 8] = [
    ("v1", "Pod", ""),
    ("", "PodTemplate", "template/"),
    ("", "Deployment", TEMPLATE),
    ("", "ReplicaSet", TEMPLATE),
    ("", "DaemonSet", TEMPLATE),
    ("", "StatefulSet", TEMPLATE),
    ("", "Job", TEMPLATE),
    ("", "CronJob", CRON_TEMPLATE),
];

/// The kinds whose pods name a service account, a claim or a priority class.
const SCHEDULED: [(&str, &str); 7] = [
    ("Pod", ""),
    ("StatefulSet", TEMPLATE),
    ("Deployment", TEMPLATE),
    ("ReplicationController", TEMPLATE),
    ("CronJob", CRON_TEMPLATE),
    ("Job", TEMPLATE),
    ("DaemonSet", TEMPLATE),
];

/// A table that is made, and put in order, when it is first looked at.
macro_rules! tables {
    ($($name:ident: $specs:expr,)*) => {
        $(static $name: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| sorted($specs));)*
    };
}

tables! {
    NAMES: vec![spec("", "", "", "metadata/name", false)],
    NAMESPACES: namespaces(),
    COMMON_LABELS: common_labels(),
    TEMPLATE_LABELS: metadata_fields("labels"),
    CLAIM_LABELS: vec![volume_claim_labels()],
    ANNOTATIONS: metadata_fields("annotations"),
    VARIABLES: var_references(),
    IMAGES: images(),
    REPLICAS: ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
        .map(|kind| spec("", "", kind, "spec/replicas", true))
        .into(),
}

pub(super) fn transformer_config() -> TransformerConfig {
    TransformerConfig {
        name_prefix: Specs::Builtin(&NAMES),
        name_suffix: Specs::Builtin(&NAMES),
        namespace: Specs::Builtin(&NAMESPACES),
        common_labels: Specs::Builtin(&COMMON_LABELS),
        labels: Specs::default(),
        template_labels: Specs::Builtin(&TEMPLATE_LABELS),
        volume_claim_template_labels: Specs::Builtin(&CLAIM_LABELS),
        common_annotations: Specs::Builtin(&ANNOTATIONS),
        name_reference: NameTable::Builtin,
        var_reference: Specs::Builtin(&VARIABLES),
        images: Specs::Builtin(&IMAGES),
        replicas: Specs::Builtin(&REPLICAS),
    }
}

fn sorted(mut specs: Vec<FieldSpec>) -> Vec<FieldSpec> {
    specs.sort_by_cached_key(|spec| spec.gvk.sort_key());
    specs
}

fn namespaces() -> Vec<FieldSpec> {
    vec![
        spec("", "", "Namespace", "metadata/name", true),
        spec("apiregistration.k8s.io", "", "APIService", "spec/service/namespace", true),
        spec(
            "apiextensions.k8s.io",
            "",
            "CustomResourceDefinition",
            "spec/conversion/webhook/clientConfig/service/namespace",
            false,
        ),
    ]
}

fn spec(group: &str, version: &str, kind: &str, path: &str, create: bool) -> FieldSpec {
    let gvk = Gvk { group: group.into(), version: version.into(), kind: kind.into() };
    FieldSpec::new(gvk, path, create)
}

/// `metadata/labels` or `metadata/annotations` of every object and of pod templates.
fn metadata_fields(field: &str) -> Vec<FieldSpec> {
    // The original asks for the group of a StatefulSet only where labels are concerned.
    let stateful_group = if field == "labels" { "apps" } else { "" };
    [
        ("", "", "", ""),
        ("", "v1", "ReplicationController", TEMPLATE),
        ("", "", "Deployment", TEMPLATE),
        ("", "", "ReplicaSet", TEMPLATE),
        ("", "", "DaemonSet", TEMPLATE),
        (stateful_group, "", "StatefulSet", TEMPLATE),
        ("batch", "", "Job", TEMPLATE),
        ("batch", "", "CronJob", "spec/jobTemplate/"),
        ("batch", "", "CronJob", CRON_TEMPLATE),
    ]
    .into_iter()
    .map(|(group, version, kind, at)| {
        spec(group, version, kind, &format!("{at}metadata/{field}"), true)
    })
    .collect()
}

fn volume_claim_labels() -> FieldSpec {
    spec("apps", "", "StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels", true)
}

fn common_labels() -> Vec<FieldSpec> {
    let mut specs = vec![
        spec("", "v1", "Service", "spec/selector", true),
        spec("", "v1", "ReplicationController", "spec/selector", true),
        spec("", "", "Deployment", "spec/selector/matchLabels", true),
        spec("", "", "ReplicaSet", "spec/selector/matchLabels", true),
        spec("", "", "DaemonSet", "spec/selector/matchLabels", true),
        spec("apps", "", "StatefulSet", "spec/selector/matchLabels", true),
        spec("batch", "", "Job", "spec/selector/matchLabels", false),
        spec("batch", "", "CronJob", "spec/jobTemplate/spec/selector/matchLabels", false),
        spec("policy", "", "PodDisruptionBudget", "spec/selector/matchLabels", false),
    ];
    for kind in ["Deployment", "StatefulSet"] {
        for affinity in ["podAffinity", "podAntiAffinity"] {
            for term in [
                "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm",
                "requiredDuringSchedulingIgnoredDuringExecution",
            ] {
                let path = format!(
                    "spec/template/spec/affinity/{affinity}/{term}/labelSelector/matchLabels"
                );
                specs.push(spec("apps", "", kind, &path, false));
            }
        }
        let path = "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels";
        specs.push(spec("apps", "", kind, path, false));
    }
    for path in ["spec/podSelector", "spec/ingress/from/podSelector", "spec/egress/to/podSelector"]
    {
        let path = format!("{path}/matchLabels");
        specs.push(spec("networking.k8s.io", "", "NetworkPolicy", &path, false));
    }
    specs.extend(metadata_fields("labels"));
    specs.push(volume_claim_labels());
    specs
}

fn images() -> Vec<FieldSpec> {
    let mut specs = Vec::new();
    for at in ["", TEMPLATE] {
        for field in ["containers[]/image", "initContainers[]/image", "volumes[]/image/reference"] {
            specs.push(spec("", "", "", &format!("{at}spec/{field}"), true));
        }
    }
    let cron = format!("{CRON_TEMPLATE}spec/volumes[]/image/reference");
    specs.push(spec("", "", "", &cron, true));
    specs
}

fn var_references() -> Vec<FieldSpec> {
    let mut specs = Vec::new();
    let workloads = ["DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"];
    let pods = [("CronJob", CRON_TEMPLATE), ("Pod", "")]
        .into_iter()
        .chain(workloads.map(|kind| (kind, TEMPLATE)));
    for (kind, at) in pods {
        for containers in ["containers", "initContainers"] {
            for field in ["args", "command", "env/value", "volumeMounts/mountPath"] {
                specs.push(spec("", "", kind, &format!("{at}spec/{containers}/{field}"), false));
            }
        }
        let volumes = match kind {
            // Quirk: the original's path for CronJob leaves out the pod's `spec`.
            "CronJob" => "spec/jobTemplate/spec/template/volumes/nfs/server".to_owned(),
            "StatefulSet" => "spec/volumeClaimTemplates/spec/nfs/server".to_owned(),
            _ => format!("{at}spec/volumes/nfs/server"),
        };
        specs.push(spec("", "", kind, &volumes, false));
    }
    for (kind, path) in [
        ("Deployment", "spec/template/metadata/annotations"),
        ("Ingress", "spec/rules/host"),
        ("Ingress", "spec/tls/hosts"),
        ("Ingress", "spec/tls/secretName"),
        ("Service", "spec/ports/port"),
        ("Service", "spec/ports/targetPort"),
        ("PersistentVolume", "spec/nfs/server"),
        ("", "metadata/labels"),
        ("", "metadata/annotations"),
    ] {
        specs.push(spec("", "", kind, path, false));
    }
    specs
}

/// The fields that hold the names of objects of a kind.
pub(super) struct Referred {
    pub(super) target: Kind,
    fields: &'static [Fields],
}

/// Group, version and kind, as far as they are told.
#[derive(Clone, Copy)]
pub(super) struct Kind(&'static str, &'static str, &'static str);

enum Fields {
    Of(&'static [(Kind, &'static str)]),
    /// A field of the pods that are scheduled.
    Scheduled(&'static str),
    /// Fields of all pods.
    Pods(&'static [&'static str]),
}

impl Kind {
    /// Whether an object of that kind is meant.
    pub(super) fn selects(self, gvk: &Gvk) -> bool {
        let Self(group, version, kind) = self;
        (group.is_empty() || gvk.group == group)
            && (version.is_empty() || gvk.version == version)
            && (kind.is_empty() || gvk.kind == kind)
    }

    pub(super) fn to_gvk(self) -> Gvk {
        let Self(group, version, kind) = self;
        Gvk { group: group.into(), version: version.into(), kind: kind.into() }
    }

    pub(super) fn spec(self, path: &str) -> FieldSpec {
        FieldSpec::new(self.to_gvk(), path, false)
    }
}

impl Referred {
    /// Calls `visit` with the kinds and the paths, which are made when they are asked for.
    pub(super) fn each(&self, mut visit: impl FnMut(Kind, &dyn Fn() -> String)) {
        for fields in self.fields {
            match fields {
                Fields::Of(fields) => {
                    for (kind, path) in *fields {
                        visit(*kind, &|| (*path).to_owned());
                    }
                }
                Fields::Scheduled(field) => {
                    for (kind, at) in SCHEDULED {
                        visit(Kind("", "", kind), &|| format!("{at}spec/{field}"));
                    }
                }
                Fields::Pods(fields) => {
                    for (version, kind, at) in PODS {
                        for field in *fields {
                            visit(Kind("", version, kind), &|| format!("{at}spec/{field}"));
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn name_references() -> Vec<NameReferences> {
    NAME_REFERENCES
        .iter()
        .map(|references| {
            let mut referrers = Vec::new();
            references.each(|kind, path| referrers.push(kind.spec(&path())));
            NameReferences { target: references.target.to_gvk(), referrers }
        })
        .collect()
}

const fn referred(target: Kind, fields: &'static [Fields]) -> Referred {
    Referred { target, fields }
}

const SCALED: &[Fields] =
    &[Fields::Of(&[(Kind("", "", "HorizontalPodAutoscaler"), "spec/scaleTargetRef/name")])];

const ROLE_BINDING: Kind = Kind(RBAC, "", "RoleBinding");
const CLUSTER_ROLE_BINDING: Kind = Kind(RBAC, "", "ClusterRoleBinding");
const INGRESS: Kind = Kind("", "", "Ingress");
const CLUSTER_ROLE: Kind = Kind("", "", "ClusterRole");
const STORAGE_CLASS: Kind = Kind("", "", "StorageClass");

/// In the order in which they are kept.
pub(super) static NAME_REFERENCES: [Referred; 16] = [
    referred(
        Kind("storage.k8s.io", "v1", "StorageClass"),
        &[Fields::Of(&[
            (Kind("", "", "PersistentVolume"), "spec/storageClassName"),
            (Kind("", "", "PersistentVolumeClaim"), "spec/storageClassName"),
            (Kind("", "", "StatefulSet"), "spec/volumeClaimTemplates/spec/storageClassName"),
        ])],
    ),
    referred(
        Kind("", "v1", "ServiceAccount"),
        &[
            Fields::Of(&[(ROLE_BINDING, "subjects"), (CLUSTER_ROLE_BINDING, "subjects")]),
            Fields::Scheduled("serviceAccountName"),
        ],
    ),
    referred(Kind(RBAC, "", "Role"), &[Fields::Of(&[(ROLE_BINDING, "roleRef/name")])]),
    referred(
        Kind(RBAC, "", "ClusterRole"),
        &[Fields::Of(&[(ROLE_BINDING, "roleRef/name"), (CLUSTER_ROLE_BINDING, "roleRef/name")])],
    ),
    referred(Kind("", "v1", "ConfigMap"), CONFIG_MAP_REFERRERS),
    referred(Kind("", "v1", "Secret"), SECRET_REFERRERS),
    referred(
        Kind("", "v1", "Service"),
        &[Fields::Of(&[
            (Kind("apps", "", "StatefulSet"), "spec/serviceName"),
            (INGRESS, "spec/rules/http/paths/backend/serviceName"),
            (INGRESS, "spec/backend/serviceName"),
            (INGRESS, "spec/rules/http/paths/backend/service/name"),
            (INGRESS, "spec/defaultBackend/service/name"),
            (Kind("apiregistration.k8s.io", "", "APIService"), "spec/service/name"),
            (
                Kind(ADMISSION, "", "ValidatingWebhookConfiguration"),
                "webhooks/clientConfig/service",
            ),
            (Kind(ADMISSION, "", "MutatingWebhookConfiguration"), "webhooks/clientConfig/service"),
        ])],
    ),
    referred(
        Kind("scheduling.k8s.io", "v1", "PriorityClass"),
        &[Fields::Scheduled("priorityClassName")],
    ),
    referred(
        Kind("", "v1", "PersistentVolume"),
        &[Fields::Of(&[
            (Kind("", "", "PersistentVolumeClaim"), "spec/volumeName"),
            (CLUSTER_ROLE, "rules/resourceNames"),
        ])],
    ),
    referred(
        Kind("", "v1", "PersistentVolumeClaim"),
        &[Fields::Scheduled("volumes/persistentVolumeClaim/claimName")],
    ),
    referred(Kind("", "", "Deployment"), SCALED),
    referred(Kind("", "", "StatefulSet"), SCALED),
    referred(
        Kind(ADMISSION, "", "ValidatingAdmissionPolicy"),
        &[Fields::Of(&[(
            Kind(ADMISSION, "", "ValidatingAdmissionPolicyBinding"),
            "spec/policyName",
        )])],
    ),
    // Quirk: the group of the original's entry holds the version too, so that nothing matches it.
    referred(
        Kind("networking.k8s.io/v1", "v1", "IngressClass"),
        &[Fields::Of(&[(INGRESS, "spec/ingressClassName")])],
    ),
    referred(Kind("", "", "ReplicaSet"), SCALED),
    referred(Kind("", "", "ReplicationController"), SCALED),
];

const CONFIG_MAP_REFERRERS: &[Fields] = &[
    Fields::Pods(&[
        "volumes/configMap/name",
        "volumes/projected/sources/configMap/name",
        "containers/env/valueFrom/configMapKeyRef/name",
        "containers/envFrom/configMapRef/name",
        "initContainers/env/valueFrom/configMapKeyRef/name",
        "initContainers/envFrom/configMapRef/name",
    ]),
    Fields::Of(&[
        (Kind("", "", "Node"), "spec/configSource/configMap"),
        (Kind("", "", "Role"), "rules/resourceNames"),
        (CLUSTER_ROLE, "rules/resourceNames"),
        (INGRESS, "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap"),
    ]),
];

const SECRET_REFERRERS: &[Fields] = &[
    Fields::Pods(&[
        "volumes/secret/secretName",
        "imagePullSecrets/name",
        "volumes/projected/sources/secret/name",
        "containers/env/valueFrom/secretKeyRef/name",
        "containers/envFrom/secretRef/name",
        "initContainers/env/valueFrom/secretKeyRef/name",
        "initContainers/envFrom/secretRef/name",
    ]),
    Fields::Of(&[
        (INGRESS, "spec/tls/secretName"),
        (INGRESS, "metadata/annotations/ingress.kubernetes.io\\/auth-secret"),
        (INGRESS, "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret"),
        (INGRESS, "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret"),
        (Kind("", "", "ServiceAccount"), "imagePullSecrets/name"),
        (STORAGE_CLASS, "parameters/secretName"),
        (STORAGE_CLASS, "parameters/adminSecretName"),
        (STORAGE_CLASS, "parameters/userSecretName"),
        (STORAGE_CLASS, "parameters/secretRef"),
        (Kind("", "", "Role"), "rules/resourceNames"),
        (CLUSTER_ROLE, "rules/resourceNames"),
        (Kind("", "", "PersistentVolume"), "spec/azureFile/secretName"),
        (
            Kind("serving.knative.dev", "v1", "Service"),
            "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
        ),
    ]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_the_size_of_the_originals() {
        let config = transformer_config();
        assert_eq!(config.common_labels.len(), 32);
        assert_eq!(config.common_annotations.len(), 9);
        let references = config.name_reference.all();
        assert!(references.is_sorted_by_key(|one| one.target.sort_key()));
        let of = |kind: &str| references.iter().find(|one| one.target.kind == kind).unwrap();
        assert_eq!(of("ConfigMap").referrers.len(), 8 * 6 + 4);
        assert_eq!(of("Secret").referrers.len(), 8 * 7 + 13);
    }

    #[test]
    fn fields_of_a_kind_are_those_of_the_whole_table() {
        let all = NameTable::Own(name_references());
        for (api_version, kind) in
            [("apps/v1", "Deployment"), ("v1", "Pod"), ("serving.knative.dev/v1", "Service")]
        {
            let gvk = Gvk::new(api_version, kind);
            let paths = |table: &NameTable| -> Vec<(String, Gvk)> {
                let of = table.of(&gvk).into_iter();
                of.map(|(spec, target)| (spec.path.to_string(), target)).collect()
            };
            assert_eq!(paths(&NameTable::Builtin), paths(&all));
            assert!(!paths(&all).is_empty());
        }
    }
}
