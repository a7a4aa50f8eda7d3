//! Defaults that do not depend on other fields, by the name of the Go type.
//!
//! Follows the `SetDefaults_*` functions of Kubernetes 1.36.

/// A default value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Literal {
    Text(&'static str),
    Number(i64),
    Flag(bool),
    /// An empty object.
    Object,
}

use Literal::{Flag, Number, Object, Text};

type Defaults = &'static [(&'static str, Literal)];

const WEBHOOK: Defaults = &[
    ("failurePolicy", Text("Fail")),
    ("matchPolicy", Text("Equivalent")),
    ("namespaceSelector", Object),
    ("objectSelector", Object),
    ("timeoutSeconds", Number(10)),
];

/// The defaults of a type's fields.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn of(name: &str) -> Defaults {
    match name {
        "Container" | "EphemeralContainer" => &[
            ("terminationMessagePath", Text("/dev/termination-log")),
            ("terminationMessagePolicy", Text("File")),
        ],
        "PodSpec" => &[
            ("dnsPolicy", Text("ClusterFirst")),
            ("restartPolicy", Text("Always")),
            ("securityContext", Object),
            ("terminationGracePeriodSeconds", Number(30)),
            ("schedulerName", Text("default-scheduler")),
        ],
        "Probe" => &[
            ("timeoutSeconds", Number(1)),
            ("periodSeconds", Number(10)),
            ("successThreshold", Number(1)),
            ("failureThreshold", Number(3)),
        ],
        "HTTPGetAction" => &[("path", Text("/")), ("scheme", Text("HTTP"))],
        "GRPCAction" => &[("service", Text(""))],
        "SecretVolumeSource"
        | "ConfigMapVolumeSource"
        | "DownwardAPIVolumeSource"
        | "ProjectedVolumeSource" => &[("defaultMode", Number(0o644))],
        "ServiceAccountTokenProjection" => &[("expirationSeconds", Number(3600))],
        "HostPathVolumeSource" => &[("type", Text(""))],
        "ObjectFieldSelector" => &[("apiVersion", Text("v1"))],
        "Secret" => &[("type", Text("Opaque"))],
        "PersistentVolumeSpec" => {
            &[("persistentVolumeReclaimPolicy", Text("Retain")), ("volumeMode", Text("Filesystem"))]
        }
        "PersistentVolumeClaimSpec" => &[("volumeMode", Text("Filesystem"))],
        "PersistentVolumeStatus" | "PersistentVolumeClaimStatus" => &[("phase", Text("Pending"))],
        "NamespaceStatus" => &[("phase", Text("Active"))],
        "DeploymentSpec" => &[
            ("replicas", Number(1)),
            ("revisionHistoryLimit", Number(10)),
            ("progressDeadlineSeconds", Number(600)),
        ],
        "DaemonSetSpec" => &[("revisionHistoryLimit", Number(10))],
        "StatefulSetSpec" => &[
            ("podManagementPolicy", Text("OrderedReady")),
            ("replicas", Number(1)),
            ("revisionHistoryLimit", Number(10)),
            ("persistentVolumeClaimRetentionPolicy", Object),
        ],
        "StatefulSetPersistentVolumeClaimRetentionPolicy" => {
            &[("whenDeleted", Text("Retain")), ("whenScaled", Text("Retain"))]
        }
        "ReplicaSetSpec" | "ReplicationControllerSpec" => &[("replicas", Number(1))],
        "CronJobSpec" => &[
            ("concurrencyPolicy", Text("Allow")),
            ("suspend", Flag(false)),
            ("successfulJobsHistoryLimit", Number(3)),
            ("failedJobsHistoryLimit", Number(1)),
        ],
        "PodFailurePolicyOnPodConditionsPattern" => &[("status", Text("True"))],
        "NetworkPolicyPort" => &[("protocol", Text("TCP"))],
        "IngressClassParametersReference" => &[("scope", Text("Cluster"))],
        "RoleRef" => &[("apiGroup", Text("rbac.authorization.k8s.io"))],
        "StorageClass" => {
            &[("reclaimPolicy", Text("Delete")), ("volumeBindingMode", Text("Immediate"))]
        }
        "CSIDriverSpec" => &[
            ("attachRequired", Flag(true)),
            ("podInfoOnMount", Flag(false)),
            ("storageCapacity", Flag(false)),
            ("fsGroupPolicy", Text("ReadWriteOnceWithFSType")),
            ("requiresRepublish", Flag(false)),
            ("seLinuxMount", Flag(false)),
        ],
        "PriorityClass" => &[("preemptionPolicy", Text("PreemptLowerPriority"))],
        "EndpointPort" => &[("protocol", Text("TCP"))],
        "HorizontalPodAutoscalerSpec" => &[("minReplicas", Number(1))],
        "HorizontalPodAutoscalerBehavior" => &[("scaleUp", Object), ("scaleDown", Object)],
        "HPAScalingRules" => &[("selectPolicy", Text("Max"))],
        "ValidatingWebhook" => WEBHOOK,
        "MutatingWebhook" => &[
            ("failurePolicy", Text("Fail")),
            ("matchPolicy", Text("Equivalent")),
            ("namespaceSelector", Object),
            ("objectSelector", Object),
            ("timeoutSeconds", Number(10)),
            ("reinvocationPolicy", Text("Never")),
        ],
        "MatchResources" => &[
            ("matchPolicy", Text("Equivalent")),
            ("namespaceSelector", Object),
            ("objectSelector", Object),
        ],
        "RuleWithOperations" | "NamedRuleWithOperations" => &[("scope", Text("*"))],
        "ValidatingAdmissionPolicySpec" | "MutatingAdmissionPolicySpec" => {
            &[("failurePolicy", Text("Fail"))]
        }
        "ServiceReference" => &[("port", Number(443))],
        "FlowSchemaSpec" => &[("matchingPrecedence", Number(1000))],
        "ExemptPriorityLevelConfiguration" => {
            &[("nominalConcurrencyShares", Number(0)), ("lendablePercent", Number(0))]
        }
        "LimitedPriorityLevelConfiguration" => {
            &[("nominalConcurrencyShares", Number(30)), ("lendablePercent", Number(0))]
        }
        "QueuingConfiguration" => {
            &[("handSize", Number(8)), ("queues", Number(64)), ("queueLengthLimit", Number(50))]
        }
        _ => &[],
    }
}
