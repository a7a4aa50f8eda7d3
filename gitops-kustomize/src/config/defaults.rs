//! The built-in field specifications of kustomize v5.8, written down once per shape instead of once
//! per kind.

use super::{FieldSpec, NameReferences, TransformerConfig};
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

pub(super) fn transformer_config() -> TransformerConfig {
    let mut config = TransformerConfig {
        name_prefix: vec![spec("", "", "", "metadata/name", false)],
        name_suffix: vec![spec("", "", "", "metadata/name", false)],
        namespace: vec![
            spec("", "", "Namespace", "metadata/name", true),
            spec("apiregistration.k8s.io", "", "APIService", "spec/service/namespace", true),
            spec(
                "apiextensions.k8s.io",
                "",
                "CustomResourceDefinition",
                "spec/conversion/webhook/clientConfig/service/namespace",
                false,
            ),
        ],
        common_labels: common_labels(),
        labels: Vec::new(),
        template_labels: metadata_fields("labels"),
        volume_claim_template_labels: vec![volume_claim_labels()],
        common_annotations: metadata_fields("annotations"),
        name_reference: name_references(),
        var_reference: var_references(),
        images: images(),
        replicas: ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
            .map(|kind| spec("", "", kind, "spec/replicas", true))
            .into(),
    };
    config.sort();
    config
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

#[expect(clippy::too_many_lines, reason = "a table")]
fn name_references() -> Vec<NameReferences> {
    let references =
        |group: &str, version: &str, kind: &str, referrers: Vec<FieldSpec>| NameReferences {
            target: Gvk { group: group.into(), version: version.into(), kind: kind.into() },
            referrers,
        };
    let of = |fields: &[(&str, &str, &str)]| -> Vec<FieldSpec> {
        fields.iter().map(|(group, kind, path)| spec(group, "", kind, path, false)).collect()
    };
    let scheduled = |field: &str| -> Vec<FieldSpec> {
        SCHEDULED
            .iter()
            .map(|(kind, at)| spec("", "", kind, &format!("{at}spec/{field}"), false))
            .collect()
    };
    let mut all: Vec<NameReferences> =
        ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
            .into_iter()
            .map(|kind| {
                references(
                    "",
                    "",
                    kind,
                    of(&[("", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name")]),
                )
            })
            .collect();
    all.push(references("", "v1", "ConfigMap", config_map_referrers()));
    all.push(references("", "v1", "Secret", secret_referrers()));
    all.push(references(
        "",
        "v1",
        "Service",
        of(&[
            ("apps", "StatefulSet", "spec/serviceName"),
            ("", "Ingress", "spec/rules/http/paths/backend/serviceName"),
            ("", "Ingress", "spec/backend/serviceName"),
            ("", "Ingress", "spec/rules/http/paths/backend/service/name"),
            ("", "Ingress", "spec/defaultBackend/service/name"),
            ("apiregistration.k8s.io", "APIService", "spec/service/name"),
            (ADMISSION, "ValidatingWebhookConfiguration", "webhooks/clientConfig/service"),
            (ADMISSION, "MutatingWebhookConfiguration", "webhooks/clientConfig/service"),
        ]),
    ));
    all.push(references(RBAC, "", "Role", of(&[(RBAC, "RoleBinding", "roleRef/name")])));
    all.push(references(
        RBAC,
        "",
        "ClusterRole",
        of(&[(RBAC, "RoleBinding", "roleRef/name"), (RBAC, "ClusterRoleBinding", "roleRef/name")]),
    ));
    let mut accounts =
        of(&[(RBAC, "RoleBinding", "subjects"), (RBAC, "ClusterRoleBinding", "subjects")]);
    accounts.extend(scheduled("serviceAccountName"));
    all.push(references("", "v1", "ServiceAccount", accounts));
    all.push(references(
        "",
        "v1",
        "PersistentVolumeClaim",
        scheduled("volumes/persistentVolumeClaim/claimName"),
    ));
    all.push(references(
        "",
        "v1",
        "PersistentVolume",
        of(&[
            ("", "PersistentVolumeClaim", "spec/volumeName"),
            ("", "ClusterRole", "rules/resourceNames"),
        ]),
    ));
    all.push(references(
        "storage.k8s.io",
        "v1",
        "StorageClass",
        of(&[
            ("", "PersistentVolume", "spec/storageClassName"),
            ("", "PersistentVolumeClaim", "spec/storageClassName"),
            ("", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
        ]),
    ));
    all.push(references(
        "scheduling.k8s.io",
        "v1",
        "PriorityClass",
        scheduled("priorityClassName"),
    ));
    // Quirk: the group of the original's entry holds the version too, so that nothing matches it.
    all.push(references(
        "networking.k8s.io/v1",
        "v1",
        "IngressClass",
        of(&[("", "Ingress", "spec/ingressClassName")]),
    ));
    all.push(references(
        ADMISSION,
        "",
        "ValidatingAdmissionPolicy",
        of(&[(ADMISSION, "ValidatingAdmissionPolicyBinding", "spec/policyName")]),
    ));
    all
}

fn config_map_referrers() -> Vec<FieldSpec> {
    let mut specs = pod_referrers(
        &["volumes/configMap/name", "volumes/projected/sources/configMap/name"],
        "configMap",
    );
    for (kind, path) in [
        ("Node", "spec/configSource/configMap"),
        ("Role", "rules/resourceNames"),
        ("ClusterRole", "rules/resourceNames"),
        ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap"),
    ] {
        specs.push(spec("", "", kind, path, false));
    }
    specs
}

fn secret_referrers() -> Vec<FieldSpec> {
    let volumes = [
        "volumes/secret/secretName",
        "imagePullSecrets/name",
        "volumes/projected/sources/secret/name",
    ];
    let mut specs = pod_referrers(&volumes, "secret");
    for (kind, path) in [
        ("Ingress", "spec/tls/secretName"),
        ("Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret"),
        ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret"),
        ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret"),
        ("ServiceAccount", "imagePullSecrets/name"),
        ("StorageClass", "parameters/secretName"),
        ("StorageClass", "parameters/adminSecretName"),
        ("StorageClass", "parameters/userSecretName"),
        ("StorageClass", "parameters/secretRef"),
        ("Role", "rules/resourceNames"),
        ("ClusterRole", "rules/resourceNames"),
        ("PersistentVolume", "spec/azureFile/secretName"),
    ] {
        specs.push(spec("", "", kind, path, false));
    }
    let knative = "spec/template/spec/containers/env/valueFrom/secretKeyRef/name";
    specs.push(spec("serving.knative.dev", "v1", "Service", knative, false));
    specs
}

/// The fields of pods that name a ConfigMap or Secret.
fn pod_referrers(volumes: &[&str], what: &str) -> Vec<FieldSpec> {
    let mut fields: Vec<String> = volumes.iter().map(|&path| path.to_owned()).collect();
    for containers in ["containers", "initContainers"] {
        fields.push(format!("{containers}/env/valueFrom/{what}KeyRef/name"));
        fields.push(format!("{containers}/envFrom/{what}Ref/name"));
    }
    PODS.iter()
        .flat_map(|(version, kind, at)| {
            fields
                .iter()
                .map(move |field| spec("", version, kind, &format!("{at}spec/{field}"), false))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_the_size_of_the_originals() {
        let config = transformer_config();
        assert_eq!(config.common_labels.len(), 32);
        assert_eq!(config.common_annotations.len(), 9);
        assert_eq!(config.name_reference.len(), 16);
        let config_maps =
            config.name_reference.iter().find(|r| r.target.kind == "ConfigMap").unwrap();
        assert_eq!(config_maps.referrers.len(), 8 * 6 + 4);
    }
}
