//! The order of kinds.
//!
//! Follows helm `pkg/release/v1/util/kind_sorter.go`. Kinds that are in no list come last, by name.

use std::cmp::Ordering;

use crate::Compat;

/// What the order is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KindOrder {
    /// What others need comes first.
    #[default]
    Install,
    /// What needs others goes first.
    Uninstall,
}

/// The last two are known since Helm 4.
const INSTALL: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// The first two are known since Helm 4.
const UNINSTALL: &[&str] = &[
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

impl KindOrder {
    /// Which of two kinds comes first.
    pub fn compare(self, a: &str, b: &str, compat: Compat) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let (first, second) = (self.rank(a, compat), self.rank(b, compat));
        first.cmp(&second).then_with(|| a.cmp(b))
    }

    fn rank(self, kind: &str, compat: Compat) -> usize {
        let list = match (self, compat) {
            (Self::Install, Compat::Helm4) => INSTALL,
            (Self::Install, Compat::Helm3) => &INSTALL[..INSTALL.len() - 2],
            (Self::Uninstall, Compat::Helm4) => UNINSTALL,
            (Self::Uninstall, Compat::Helm3) => &UNINSTALL[2..],
        };
        list.iter().position(|known| *known == kind).unwrap_or(usize::MAX)
    }
}
