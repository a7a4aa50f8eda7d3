//! From a Kustomization's spec to plain options of the libraries.

use std::time::Duration;

use gitops_api::kustomize::{DeletionPolicy, Kustomization};
use gitops_apply::{
    ApplyOptions, HealthCheckExpression, HealthChecks, IgnoreRule, IgnoreTarget, Owner,
    set_metadata,
};
use gitops_core::ObjectId;
use serde_json::Value;

use crate::kustomization::{Options, owned::has_ended_a_turn};

/// No health check and no deletion is given less time, whatever the spec says.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The namespace; every Kustomization has one.
pub(crate) fn namespace(object: &Kustomization) -> &str {
    object.metadata.namespace.as_deref().unwrap_or_default()
}

/// The name.
pub(crate) fn name(object: &Kustomization) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}

/// How long health checks may take: the timeout, or the interval less 30 seconds; at least 30.
pub(crate) fn timeout(object: &Kustomization) -> Duration {
    let interval = object.spec.interval.get();
    let timeout = object.spec.timeout.as_ref().map(gitops_api::meta::Duration::get);
    timeout.unwrap_or(interval.saturating_sub(SHORTEST_TIMEOUT)).max(SHORTEST_TIMEOUT)
}

/// The owner that is written on applied objects.
pub(crate) fn owner(object: &Kustomization) -> Owner {
    Owner::kustomization(namespace(object), name(object))
}

/// The account to act as, if any.
pub(crate) fn service_account<'a>(
    object: &'a Kustomization,
    options: &'a Options,
) -> Option<&'a str> {
    let own = object.spec.service_account_name.as_deref().filter(|name| !name.is_empty());
    own.or(options.default_service_account.as_deref()).filter(|name| !name.is_empty())
}

/// Whether the deletion of the Kustomization deletes its objects.
pub(crate) fn deletes_objects(object: &Kustomization) -> bool {
    let has_objects = object
        .status
        .as_ref()
        .and_then(|status| status.inventory.as_ref())
        .is_some_and(|inventory| !inventory.entries.is_empty())
        || !has_ended_a_turn(object);
    !object.spec.suspend
        && has_objects
        && match object.spec.deletion_policy.unwrap_or_default() {
            DeletionPolicy::MirrorPrune => object.spec.prune,
            DeletionPolicy::Delete | DeletionPolicy::WaitForTermination => true,
            DeletionPolicy::Orphan => false,
        }
}

/// How to apply.
pub(crate) fn apply_options(object: &Kustomization, options: &Options) -> ApplyOptions {
    let mut apply = ApplyOptions::new(owner(object), options.field_manager.clone());
    apply.force = object.spec.force;
    apply.concurrency = options.concurrent_apply;
    apply.override_managers.clone_from(&options.override_managers);
    apply.custom_stage_kinds.clone_from(&options.custom_stage_kinds);
    apply.migrate_api_version = options.migrate_api_version;
    apply.ignore = object
        .spec
        .ignore
        .iter()
        .map(|rule| IgnoreRule {
            paths: rule.paths.clone(),
            target: rule.target.as_ref().map(|target| {
                let text = |field: &Option<String>| field.clone().unwrap_or_default();
                IgnoreTarget {
                    group: text(&target.group),
                    version: text(&target.version),
                    kind: text(&target.kind),
                    name: text(&target.name),
                    namespace: text(&target.namespace),
                    label_selector: text(&target.label_selector),
                    annotation_selector: text(&target.annotation_selector),
                }
            }),
        })
        .collect();
    apply
}

/// The health checks of the spec.
pub(crate) fn health_checks(
    object: &Kustomization,
) -> Result<HealthChecks, gitops_apply::CelError> {
    let checks: Vec<HealthCheckExpression> = object
        .spec
        .health_check_exprs
        .iter()
        .map(|check| HealthCheckExpression {
            api_version: check.api_version.clone(),
            kind: check.kind.clone().unwrap_or_default(),
            current: check.current.clone(),
            in_progress: check.in_progress.clone().unwrap_or_default(),
            failed: check.failed.clone().unwrap_or_default(),
        })
        .collect();
    HealthChecks::compile(&checks)
}

/// The objects that the spec names as health checks.
pub(crate) fn checked_objects(object: &Kustomization) -> Vec<ObjectId> {
    let references = object.spec.health_checks.iter();
    references
        .map(|reference| {
            let api_version = reference.api_version.as_deref().unwrap_or_default();
            let namespace = reference.namespace.as_deref().unwrap_or_default();
            ObjectId::new(api_version, &reference.kind, namespace, &reference.name)
        })
        .collect()
}

/// Puts the owner's labels and the common metadata on the built objects and repairs what the API
/// server would trip over. Values of the spec win over those of the objects.
pub(crate) fn prepare(object: &Kustomization, objects: &mut [Value]) {
    let owner = owner(object);
    for built in objects {
        owner.mark(built);
        gitops_apply::normalize(built);
        let Some(common) = &object.spec.common_metadata else {
            continue;
        };
        for (part, entries) in [("labels", &common.labels), ("annotations", &common.annotations)] {
            for (key, value) in entries {
                set_metadata(built, part, key, value);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "literals read better")]
mod tests {
    use serde_json::json;

    use super::*;

    fn kustomization(spec: Value) -> Kustomization {
        let mut all = json!({"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "s"}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(
            json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "a", "namespace": "n"}, "spec": all,
            "status": {"inventory": {"entries": [{"id": "n_c__ConfigMap", "v": "v1"}]}}}),
        )
        .unwrap()
    }

    #[test]
    fn timeouts_have_a_floor() {
        for (spec, seconds) in [
            (json!({"interval": "10m"}), 570),
            (json!({"interval": "40s"}), 30),
            (json!({"timeout": "8s"}), 30),
            (json!({"timeout": "2m"}), 120),
        ] {
            assert_eq!(timeout(&kustomization(spec)), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn deletion_policies() {
        for (spec, expected) in [
            (json!({}), true),
            (json!({"prune": false}), false),
            (json!({"prune": false, "deletionPolicy": "Delete"}), true),
            (json!({"prune": false, "deletionPolicy": "WaitForTermination"}), true),
            (json!({"deletionPolicy": "Orphan"}), false),
            (json!({"suspend": true}), false),
        ] {
            assert_eq!(deletes_objects(&kustomization(spec.clone())), expected, "{spec}");
        }
    }

    #[test]
    fn common_metadata_wins() {
        let object = kustomization(
            json!({"commonMetadata": {"labels": {"team": "b"}, "annotations": {"n": "1"}}}),
        );
        let mut objects = [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"team": "a"}}}),
        ];
        prepare(&object, &mut objects);
        assert_eq!(
            objects[0]["metadata"],
            json!({"name": "c", "labels": {"team": "b", "kustomize.toolkit.fluxcd.io/name": "a",
                "kustomize.toolkit.fluxcd.io/namespace": "n"}, "annotations": {"n": "1"}})
        );
    }
}
