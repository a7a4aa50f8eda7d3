//! `spec.dependsOn`: who must be ready first, in which order dependents are queued, and whether
//! they wait for each other for ever.

use std::collections::{BTreeMap, BTreeSet};

use gitops_api::{
    kustomize::Kustomization,
    meta::{ConditionStatus, Dependency, condition_type},
};
use gitops_apply::{ApiError, CelError, Expression};
use gitops_core::{Class, Classify};
use serde_json::Value;

/// Namespace and name.
pub type Key = (String, String);

/// How many steps a search for a cycle takes; longer chains are not looked at to their end.
const SEARCH_LIMIT: usize = 10_000;

/// Why a dependency holds a Kustomization up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DependencyError {
    /// It is not there, or cannot be read.
    #[error("dependency '{0}' not found: {1}")]
    NotFound(String, Box<ApiError>),
    /// It is not ready.
    #[error("dependency '{0}' is not ready")]
    NotReady(String),
    /// Its expression says that it is not ready.
    #[error("dependency '{0}' is not ready according to readyExpr eval")]
    Expression(String),
    /// It has not applied the revision yet that is to be applied now.
    #[error("dependency '{0}' revision is not up to date")]
    Outdated(String),
    /// Its expression is no CEL; only a person can mend that.
    #[error("terminal error: failed to evaluate dependency {name}: {error}")]
    Malformed {
        /// The name of the dependency.
        name: String,
        /// What is wrong.
        error: CelError,
    },
    /// Its expression has no value.
    #[error("{0}")]
    Unevaluated(CelError),
    /// It depends on us: neither will ever be ready.
    #[error("dependency cycle: {0}")]
    Cycle(String),
    /// It is in another namespace, and that is not allowed.
    #[error("can't access 'Kustomization/{0}', cross-namespace references have been blocked")]
    Denied(String),
}

impl Classify for DependencyError {
    fn class(&self) -> Class {
        match self {
            Self::NotFound(..) => Class::NotFound,
            Self::Malformed { .. } => Class::Invalid,
            Self::Denied(_) => Class::Denied,
            _ => Class::Transient,
        }
    }
}

/// Where a dependency is.
pub(crate) fn key_of(dependency: &Dependency, namespace: &str) -> Key {
    let own = || namespace.to_owned();
    let namespace = dependency.namespace.clone().filter(|other| !other.is_empty());
    (namespace.unwrap_or_else(own), dependency.name.clone())
}

/// Judges a dependency that was read.
///
/// # Errors
/// Why it holds `object` up. [`DependencyError::Malformed`] is for ever, the others may pass.
pub(crate) async fn check(
    object: &Kustomization,
    reference: &Dependency,
    dependency: &Value,
    revision: &str,
    is_additive: bool,
) -> Result<(), DependencyError> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let (dependency_namespace, name) = key_of(reference, namespace);
    let shown = format!("{dependency_namespace}/{name}");
    if let Some(text) = reference.ready_expr.as_deref().filter(|text| !text.is_empty()) {
        let malformed = |error| DependencyError::Malformed { name: name.clone(), error };
        let expression = Expression::compile(text, &["self", "dep"]).map_err(malformed)?;
        let this = serde_json::to_value(object).unwrap_or_default();
        let variables = [("self".to_owned(), this), ("dep".to_owned(), dependency.clone())];
        let is_ready =
            expression.evaluate(variables).await.map_err(DependencyError::Unevaluated)?;
        if !is_ready {
            return Err(DependencyError::Expression(shown));
        }
        if !is_additive {
            return Ok(());
        }
    }
    let Ok(dependency) = serde_json::from_value::<Kustomization>(dependency.clone()) else {
        return Err(DependencyError::NotReady(shown));
    };
    if !is_ready(&dependency) {
        return Err(DependencyError::NotReady(shown));
    }
    let source = |of: &Kustomization| {
        let reference = &of.spec.source_ref;
        let own = of.metadata.namespace.clone().unwrap_or_default();
        let namespace = reference.namespace.clone().filter(|other| !other.is_empty());
        (reference.kind.clone(), namespace.unwrap_or(own), reference.name.clone())
    };
    let applied =
        dependency.status.as_ref().and_then(|status| status.last_applied_revision.as_deref());
    if source(&dependency) == source(object) && applied != Some(revision) {
        return Err(DependencyError::Outdated(shown));
    }
    Ok(())
}

/// Whether a Kustomization is ready in its present generation.
pub(crate) fn is_ready(object: &Kustomization) -> bool {
    let Some(status) = &object.status else {
        return false;
    };
    status.observed_generation == object.metadata.generation
        && status.conditions.iter().any(|condition| {
            condition.type_ == condition_type::READY && condition.status == ConditionStatus::True
        })
}

/// The cycle that leads from `start` back to it, as `a/b -> a/c -> a/b`; nothing where there is
/// none. `depends_on` gives the dependencies of a Kustomization as far as they are known.
pub(crate) fn cycle(start: &Key, depends_on: impl Fn(&Key) -> Vec<Key>) -> Option<String> {
    let mut came_from: BTreeMap<Key, Key> = BTreeMap::new();
    let mut open = vec![start.clone()];
    while let Some(at) = open.pop() {
        for next in depends_on(&at) {
            if next == *start {
                let mut path = vec![start.clone(), at.clone()];
                let mut back = at;
                while let Some(previous) = came_from.get(&back) {
                    path.push(previous.clone());
                    back = previous.clone();
                }
                if path.last() != Some(start) {
                    path.push(start.clone());
                }
                path.reverse();
                path.dedup();
                let shown: Vec<String> =
                    path.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
                let text = shown.join(" -> ");
                return Some(if shown.len() == 1 { format!("{text} -> {text}") } else { text });
            }
            if came_from.len() < SEARCH_LIMIT && next != at && !came_from.contains_key(&next) {
                came_from.insert(next.clone(), at.clone());
                open.push(next);
            }
        }
    }
    None
}

/// Sorts Kustomizations so that each comes after those it depends on. Those that are part of a
/// cycle come last, in order of their names: they wait in vain, but must not hold the others up.
pub(crate) fn sorted(dependents: &BTreeMap<Key, Vec<Key>>) -> Vec<Key> {
    let mut order = Vec::with_capacity(dependents.len());
    let mut waiting_for: BTreeMap<&Key, usize> = BTreeMap::new();
    let mut awaited_by: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
    for (key, dependencies) in dependents {
        let known: BTreeSet<&Key> =
            dependencies.iter().filter(|key| dependents.contains_key(*key)).collect();
        waiting_for.insert(key, known.len());
        for dependency in known {
            awaited_by.entry(dependency).or_default().push(key);
        }
    }
    let mut free: BTreeSet<&Key> =
        waiting_for.iter().filter(|(_, count)| **count == 0).map(|(key, _)| *key).collect();
    while let Some(key) = free.pop_first() {
        order.push(key.clone());
        waiting_for.remove(key);
        for dependent in awaited_by.get(key).into_iter().flatten() {
            if let Some(count) = waiting_for.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    free.insert(dependent);
                }
            }
        }
    }
    order.extend(waiting_for.into_keys().cloned());
    order
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "literals read better")]
mod tests {
    use gitops_core::one_line;
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> Key {
        ("n".into(), name.into())
    }

    fn kustomization(name: &str, status: Value) -> Value {
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "n", "generation": 2},
            "spec": {"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "src"}},
            "status": status})
    }

    #[tokio::test]
    async fn dependencies_are_judged() {
        let time = "2026-01-01T00:00:00Z";
        let ready = json!({"observedGeneration": 2, "lastAppliedRevision": "r2", "conditions":
            [{"type": "Ready", "status": "True", "reason": "R", "message": "", "lastTransitionTime": time}]});
        let object: Kustomization =
            serde_json::from_value(kustomization("app", json!({}))).unwrap();
        let change = |field: &str, value: Value| {
            let mut status = ready.clone();
            status[field] = value;
            status
        };
        let not_ready = "dependency 'n/dep' is not ready";
        for (status, expression, expected) in [
            (ready.clone(), "", None),
            (json!({}), "", Some(not_ready)),
            (change("observedGeneration", json!(1)), "", Some(not_ready)),
            (change("conditions", json!([])), "", Some(not_ready)),
            (
                change("lastAppliedRevision", json!("r1")),
                "",
                Some("dependency 'n/dep' revision is not up to date"),
            ),
            (json!({}), "dep.metadata.generation == 2 && self.metadata.name == 'app'", None),
            (json!({}), "dep.metadata.?labels['a'].orValue('none') == 'none'", None),
            (
                ready.clone(),
                "dep.metadata.generation == 3",
                Some("dependency 'n/dep' is not ready according to readyExpr eval"),
            ),
            (
                ready.clone(),
                "dep.metadata.labels['a'] == 'b'",
                Some(
                    "failed to evaluate the CEL expression 'dep.metadata.labels['a'] == 'b'': no such key: labels",
                ),
            ),
        ] {
            let reference = Dependency {
                name: "dep".into(),
                namespace: None,
                ready_expr: Some(expression.to_owned()),
            };
            let judged =
                check(&object, &reference, &kustomization("dep", status.clone()), "r2", false)
                    .await;
            assert_eq!(
                judged.err().map(|error| one_line(&error)).as_deref(),
                expected,
                "{status} {expression}"
            );
        }
    }

    #[test]
    fn cycles_are_shown_with_their_path() {
        let graph = |edges: &'static [(&str, &str)]| {
            move |from: &Key| {
                edges.iter().filter(|(a, _)| *a == from.1).map(|(_, b)| key(b)).collect()
            }
        };
        for (edges, expected) in [
            (&[("a", "b"), ("b", "c")][..], None),
            (&[("a", "a")], Some("n/a -> n/a")),
            (&[("a", "b"), ("b", "a")], Some("n/a -> n/b -> n/a")),
            (&[("a", "b"), ("b", "c"), ("c", "a"), ("b", "d")], Some("n/a -> n/b -> n/c -> n/a")),
            (&[("a", "b"), ("b", "c"), ("c", "b")], None),
        ] {
            assert_eq!(cycle(&key("a"), graph(edges)).as_deref(), expected, "{edges:?}");
        }
    }

    #[test]
    fn dependencies_are_queued_first() {
        let graph = |edges: &[(&str, &[&str])]| {
            edges.iter().map(|(a, b)| (key(a), b.iter().map(|b| key(b)).collect())).collect()
        };
        let names = |keys: Vec<Key>| keys.into_iter().map(|(_, name)| name).collect::<String>();
        assert_eq!(names(sorted(&graph(&[("a", &["c"]), ("b", &[]), ("c", &["b", "x"])]))), "bca");
        assert_eq!(names(sorted(&graph(&[("a", &["b"]), ("b", &["a"]), ("c", &[])]))), "cab");
    }
}
