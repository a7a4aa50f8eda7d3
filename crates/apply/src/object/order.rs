//! In which order objects are applied, and in which stages.
//!
//! Follows fluxcd/pkg `ssa/sort.go` and `ApplyAllStaged`.

use std::{cmp::Ordering, collections::BTreeSet};

use gitops_core::ObjectId;

/// Kinds that come before all others, in this order.
const FIRST: [&str; 23] = [
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
/// Kinds that come after all others: they could refuse what comes with them.
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The order of an apply: by kind, then group, then namespace and name. Deletions go in reverse.
pub fn compare(a: &ObjectId, b: &ObjectId) -> Ordering {
    rank(&a.kind)
        .cmp(&rank(&b.kind))
        .then_with(|| a.group.cmp(&b.group))
        .then_with(|| a.kind.cmp(&b.kind))
        .then_with(|| a.namespace.cmp(&b.namespace))
        .then_with(|| a.name.cmp(&b.name))
}

fn rank(kind: &str) -> usize {
    let first = FIRST.iter().position(|known| *known == kind);
    let last = || LAST.iter().position(|known| *known == kind).map(|at| FIRST.len() + 1 + at);
    first.or_else(last).unwrap_or(FIRST.len())
}

/// Objects of one wave do not rely on each other and are sent at the same time: first what
/// workloads refer to, then workloads and all kinds that are not known, last the webhooks.
pub(crate) fn wave(object: &ObjectId) -> usize {
    let workloads = FIRST.iter().position(|known| *known == "Deployment").unwrap_or(FIRST.len());
    match rank(&object.kind) {
        rank if rank < workloads => 0,
        rank if rank <= FIRST.len() => 1,
        _ => 2,
    }
}

/// A step of an apply. All dry runs of a stage must pass before anything of it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ApplyStage {
    /// `CustomResourceDefinitions`, Namespaces, `ClusterRoles`; waited for.
    Definitions,
    /// Kinds whose name ends with `Class`; waited for.
    Classes,
    /// Kinds that the caller names.
    Custom,
    /// Everything else.
    Rest,
}

impl ApplyStage {
    /// All stages, in order.
    pub const ALL: [Self; 4] = [Self::Definitions, Self::Classes, Self::Custom, Self::Rest];

    /// The stage of an object.
    pub fn of(object: &ObjectId, custom: &BTreeSet<(String, String)>) -> Self {
        let is = |kind: &str, group: &str| {
            object.kind.eq_ignore_ascii_case(kind) && object.group == group
        };
        if is("CustomResourceDefinition", "apiextensions.k8s.io")
            || (is("Namespace", "") && object.version == "v1")
            || is("ClusterRole", "rbac.authorization.k8s.io")
        {
            Self::Definitions
        } else if object.kind.ends_with("Class") {
            Self::Classes
        } else if custom.contains(&(object.group.clone(), object.kind.clone())) {
            Self::Custom
        } else {
            Self::Rest
        }
    }

    /// Whether the stage's objects must be ready before the next stage begins.
    pub fn is_waited_for(self) -> bool {
        matches!(self, Self::Definitions | Self::Classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_order() {
        let id = |api: &str, kind: &str, name: &str| ObjectId::new(api, kind, "n", name);
        let mut objects = [
            id("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "w"),
            id("example.com/v1", "Gizmo", "g"),
            id("apps/v1", "Deployment", "d"),
            id("v1", "ConfigMap", "b"),
            id("v1", "ConfigMap", "a"),
            id("v1", "ServiceAccount", "s"),
            id("apiextensions.k8s.io/v1", "CustomResourceDefinition", "c"),
            id("acme.com/v1", "Widget", "w"),
        ];
        objects.sort_by(compare);
        let names: Vec<&str> = objects.iter().map(|object| object.kind.as_str()).collect();
        assert_eq!(
            names,
            [
                "CustomResourceDefinition",
                "ServiceAccount",
                "ConfigMap",
                "ConfigMap",
                "Deployment",
                "Widget",
                "Gizmo",
                "ValidatingWebhookConfiguration"
            ]
        );
        assert_eq!(objects[2].name, "a");
    }

    #[test]
    fn what_is_referred_to_goes_before_workloads_and_webhooks_go_last() {
        let waves: Vec<usize> =
            ["Secret", "ServiceAccount", "Deployment", "Gizmo", "ValidatingWebhookConfiguration"]
                .map(|kind| wave(&ObjectId::new("v1", kind, "n", "x")))
                .to_vec();
        assert_eq!(waves, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn stages() {
        let custom = BTreeSet::from([("acme.com".to_owned(), "Widget".to_owned())]);
        for (api, kind, stage) in [
            ("v1", "Namespace", ApplyStage::Definitions),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", ApplyStage::Definitions),
            ("acme.com/v1", "Namespace", ApplyStage::Rest),
            ("storage.k8s.io/v1", "StorageClass", ApplyStage::Classes),
            ("acme.com/v1", "Widget", ApplyStage::Custom),
            ("v1", "ConfigMap", ApplyStage::Rest),
        ] {
            assert_eq!(
                ApplyStage::of(&ObjectId::new(api, kind, "", "x"), &custom),
                stage,
                "{kind}"
            );
        }
    }
}
