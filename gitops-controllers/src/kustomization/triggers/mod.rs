//! Whose turn comes when something that Kustomizations depend on changes.
//!
//! All functions take the Kustomizations as the controller knows them and give the keys to queue,
//! dependencies before their dependents.

mod known;

use gitops_api::{
    kustomize::{Kustomization, SubstituteKind},
    meta::{ConditionStatus, condition_type},
};
use gitops_core::ObjectId;

pub(super) use known::Known;

/// Namespace and name.
pub use super::inputs::dependencies::Key;
use super::inputs::{
    dependencies::{key_of, sorted},
    source, spec, variables,
};

/// Those that build the artifact of a source and have not begun with its revision yet.
pub fn for_revision<'a>(
    known: impl IntoIterator<Item = &'a Kustomization>,
    source_id: &ObjectId,
    revision: &str,
) -> Vec<Key> {
    queue(
        known.into_iter().filter(|object| {
            source::id(object).same_object(source_id) && !has_begun(object, revision)
        }),
    )
}

/// Those that read a ConfigMap or Secret.
pub fn for_config<'a>(
    known: impl IntoIterator<Item = &'a Kustomization>,
    kind: SubstituteKind,
    namespace: &str,
    name: &str,
) -> Vec<Key> {
    queue(known.into_iter().filter(|object| {
        spec::namespace(object) == namespace && variables::refers_to(object, kind, name)
    }))
}

/// Those that wait for a Kustomization.
pub fn waiting_for<'a>(
    known: impl IntoIterator<Item = &'a Kustomization>,
    dependency: &Kustomization,
) -> Vec<Key> {
    let key = own_key(dependency);
    queue(known.into_iter().filter(|object| {
        ready_reason(object) == Some(gitops_api::meta::reason::DEPENDENCY_NOT_READY)
            && depends_on(object).contains(&key)
    }))
}

/// Follows kustomize-controller `kustomization_indexers.go`: one that is ready, or still at it,
/// with the revision need not begin again.
fn has_begun(object: &Kustomization, revision: &str) -> bool {
    let Some(status) = &object.status else {
        return false;
    };
    let is_at_it = status.conditions.iter().any(|known| {
        known.status == ConditionStatus::True
            && matches!(known.type_.as_str(), condition_type::READY | condition_type::RECONCILING)
    });
    is_at_it && status.last_attempted_revision.as_deref() == Some(revision)
}

fn ready_reason(object: &Kustomization) -> Option<&str> {
    let conditions = &object.status.as_ref()?.conditions;
    let ready = conditions.iter().find(|known| known.type_ == condition_type::READY)?;
    Some(ready.reason.as_str())
}

fn own_key(object: &Kustomization) -> Key {
    (spec::namespace(object).to_owned(), spec::name(object).to_owned())
}

fn depends_on(object: &Kustomization) -> Vec<Key> {
    let references = object.spec.depends_on.iter();
    references.map(|reference| key_of(reference, spec::namespace(object))).collect()
}

fn queue<'a>(objects: impl Iterator<Item = &'a Kustomization>) -> Vec<Key> {
    sorted(&objects.map(|object| (own_key(object), depends_on(object))).collect())
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "literals read better")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, spec: Value, status: Value) -> Kustomization {
        let mut all = json!({"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "s"}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "n", "generation": 1}, "spec": all, "status": status}))
        .unwrap()
    }

    fn ready(status: &str, reason: &str) -> Value {
        json!([{"type": "Ready", "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}])
    }

    fn names(keys: &[Key]) -> Vec<&str> {
        keys.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn a_revision_queues_those_that_lack_it() {
        let done = json!({"conditions": ready("True", "R"), "lastAttemptedRevision": "r2"});
        let failed = json!({"conditions": ready("False", "R"), "lastAttemptedRevision": "r2"});
        let known = [
            object("b", json!({"dependsOn": [{"name": "z"}]}), json!({})),
            object("z", json!({}), json!({})),
            object("done", json!({}), done),
            object("failed", json!({}), failed),
            object(
                "other",
                json!({"sourceRef": {"kind": "GitRepository", "name": "t"}}),
                json!({}),
            ),
            object(
                "far",
                json!({"sourceRef": {"kind": "GitRepository", "name": "s", "namespace": "m"}}),
                json!({}),
            ),
        ];
        let source = ObjectId::new("source.toolkit.fluxcd.io/v1", "GitRepository", "n", "s");
        assert_eq!(names(&for_revision(&known, &source, "r2")), ["failed", "z", "b"]);
    }

    #[test]
    fn configuration_queues_those_that_read_it() {
        let from =
            |kind: &str| json!({"postBuild": {"substituteFrom": [{"kind": kind, "name": "vars"}]}});
        let known = [
            object("a", from("ConfigMap"), json!({})),
            object("b", from("Secret"), json!({})),
            object("c", json!({"kubeConfig": {"secretRef": {"name": "vars"}}}), json!({})),
            object(
                "d",
                json!({"decryption": {"provider": "sops", "secretRef": {"name": "vars"}}}),
                json!({}),
            ),
            object("e", json!({}), json!({})),
        ];
        assert_eq!(names(&for_config(&known, SubstituteKind::ConfigMap, "n", "vars")), ["a"]);
        assert_eq!(
            names(&for_config(&known, SubstituteKind::Secret, "n", "vars")),
            ["b", "c", "d"]
        );
        assert!(for_config(&known, SubstituteKind::Secret, "m", "vars").is_empty());
    }

    #[test]
    fn readiness_queues_those_that_wait() {
        let waiting = json!({"conditions": ready("False", "DependencyNotReady")});
        let known = [
            object("a", json!({"dependsOn": [{"name": "dep"}]}), waiting.clone()),
            object("b", json!({"dependsOn": [{"name": "dep"}]}), json!({})),
            object("c", json!({"dependsOn": [{"name": "dep", "namespace": "m"}]}), waiting),
        ];
        let dep = object("dep", json!({}), json!({}));
        assert_eq!(names(&waiting_for(&known, &dep)), ["a"]);
    }
}
