//! What the sync objects of a cluster come to: their states, when they have settled, and who waits
//! for whom. Pure: objects in, judgement out.

use std::collections::{BTreeMap, BTreeSet};

use gitops_core::ObjectId;
use serde_json::{Value, json};

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// As wanted, at the source's revision.
    Ready,
    /// Nobody reconciles it.
    Suspended,
    /// Under way.
    Progressing,
    /// Held back by what it depends on.
    Waiting,
    /// Tried and failed.
    Failed,
}

impl State {
    /// As reports name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Suspended => "suspended",
            Self::Progressing => "progressing",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }
}

/// A source or a Kustomization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// `Kind/namespace/name`.
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// What a source holds; what a Kustomization applied last.
    pub(crate) revision: String,
    /// A Kustomization's source.
    pub(crate) source: Option<String>,
    pub(crate) depends_on: Vec<String>,
    /// What a Kustomization applied, by `Kind/namespace/name`.
    pub(crate) objects: BTreeMap<String, ObjectId>,
}

impl Item {
    /// Whether it applied objects, and goes on until they are ready.
    pub(crate) fn awaits_objects(&self) -> bool {
        self.state == State::Progressing && !self.objects.is_empty()
    }
}

/// All items, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) items: BTreeMap<String, Item>,
}

impl Model {
    /// Reads the objects of a cluster.
    pub(crate) fn new(sources: &[Value], kustomizations: &[Value], wanted: &Wanted<'_>) -> Self {
        let mut items = BTreeMap::new();
        for source in sources {
            let item = source_item(source, wanted);
            items.insert(item.id.clone(), item);
        }
        for kustomization in kustomizations {
            let item = kustomization_item(kustomization, &items);
            items.insert(item.id.clone(), item);
        }
        Self { items }
    }

    /// Whether nothing more will happen by itself: all is ready, suspended, failed, or waits for
    /// something that is.
    pub(crate) fn is_settled(&self) -> bool {
        !self.items.is_empty() && self.items.values().all(|item| self.rests(item, 0))
    }

    /// Whether all is ready, or meant not to be.
    pub(crate) fn is_ready(&self) -> bool {
        let good = |item: &Item| matches!(item.state, State::Ready | State::Suspended);
        !self.items.is_empty() && self.items.values().all(good)
    }

    fn rests(&self, item: &Item, depth: usize) -> bool {
        match item.state {
            State::Ready | State::Suspended | State::Failed => true,
            State::Progressing => false,
            // A cycle never resolves, so it rests.
            State::Waiting if depth > self.items.len() => true,
            State::Waiting => item.depends_on.iter().chain(&item.source).any(|id| {
                self.items.get(id).is_none_or(|dependency| {
                    dependency.state != State::Ready && self.rests(dependency, depth + 1)
                })
            }),
        }
    }

    /// What cannot go on before `id` is ready, directly and through others.
    pub(crate) fn held_back_by(&self, id: &str) -> BTreeSet<&str> {
        let mut held = BTreeSet::new();
        let mut todo = vec![id];
        while let Some(next) = todo.pop() {
            for item in self.items.values() {
                let waits = item.state == State::Waiting
                    && (item.source.as_deref() == Some(next)
                        || item.depends_on.iter().any(|id| id == next));
                if waits && item.id != id && held.insert(item.id.as_str()) {
                    todo.push(&item.id);
                }
            }
        }
        held
    }

    /// The root causes: what failed or did not end, and what waits for nothing that is listed here.
    pub(crate) fn causes(&self) -> Vec<&Item> {
        let is_cause = |item: &Item| match item.state {
            State::Ready | State::Suspended => false,
            State::Failed | State::Progressing => true,
            State::Waiting => {
                let held = self.held_back_by(&item.id);
                !item.depends_on.iter().chain(&item.source).any(|id| {
                    let waits_for = self.items.get(id).map(|dependency| dependency.state);
                    let goes_on = matches!(
                        waits_for,
                        Some(State::Failed | State::Progressing | State::Waiting)
                    );
                    // In a cycle everybody holds back everybody: all of them are the cause.
                    goes_on && !held.contains(id.as_str())
                })
            }
        };
        self.items.values().filter(|item| is_cause(item)).collect()
    }

    /// The report for machines.
    pub(crate) fn to_json(&self) -> Value {
        let item = |item: &Item| {
            json!({
                "object": item.id,
                "state": item.state.name(),
                "reason": item.reason,
                "message": item.message,
                "revision": item.revision,
                "source": item.source,
                "dependsOn": item.depends_on,
                "objects": item.objects.keys().collect::<Vec<_>>(),
                "holdsBack": self.held_back_by(&item.id),
            })
        };
        let items: Vec<Value> = self.items.values().map(item).collect();
        json!({ "ready": self.is_ready(), "settled": self.is_settled(), "items": items })
    }
}

/// What the repository's own sources should hold.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Whether the working tree stands for a URL.
    pub(crate) is_own: &'a dyn Fn(&str) -> bool,
    /// The working tree's revision.
    pub(crate) revision: &'a str,
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn id(kind: &str, namespace: &str, name: &str) -> String {
    format!("{kind}/{namespace}/{name}")
}

fn own_id(kind: &str, object: &Value) -> String {
    id(kind, text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}

fn ready(object: &Value) -> (&str, &str, &str) {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
    ready.map_or(("", "", ""), |ready| {
        (text(ready, "/status"), text(ready, "/reason"), text(ready, "/message"))
    })
}

/// Whether a request to reconcile was made that is not handled yet.
fn is_asked(object: &Value) -> bool {
    let asked = text(object, "/metadata/annotations/reconcile.fluxcd.io~1requestedAt");
    !asked.is_empty() && asked != text(object, "/status/lastHandledReconcileAt")
}

fn is_suspended(object: &Value) -> bool {
    object.pointer("/spec/suspend") == Some(&Value::Bool(true))
}

fn is_observed(object: &Value) -> bool {
    object.pointer("/metadata/generation") == object.pointer("/status/observedGeneration")
}

fn source_item(object: &Value, wanted: &Wanted<'_>) -> Item {
    let (status, reason, message) = ready(object);
    let revision = text(object, "/status/artifact/revision");
    let is_current = !(wanted.is_own)(text(object, "/spec/url")) || revision == wanted.revision;
    let state = match status {
        _ if is_suspended(object) => State::Suspended,
        _ if is_asked(object) => State::Progressing,
        "True" if is_observed(object) && is_current => State::Ready,
        "False" => State::Failed,
        _ => State::Progressing,
    };
    Item {
        id: own_id("GitRepository", object),
        state,
        reason: reason.to_owned(),
        message: message.to_owned(),
        revision: revision.to_owned(),
        source: None,
        depends_on: Vec::new(),
        objects: BTreeMap::new(),
    }
}

fn kustomization_item(object: &Value, sources: &BTreeMap<String, Item>) -> Item {
    let (status, reason, message) = ready(object);
    let namespace = text(object, "/metadata/namespace");
    let within = |reference: &Value, kind: &str| {
        let other = text(reference, "/namespace");
        let namespace = if other.is_empty() { namespace } else { other };
        id(kind, namespace, text(reference, "/name"))
    };
    let reference = &object["spec"]["sourceRef"];
    let source = within(reference, text(reference, "/kind"));
    let depends_on = object.pointer("/spec/dependsOn").and_then(Value::as_array);
    let depends_on: Vec<String> =
        depends_on.into_iter().flatten().map(|one| within(one, "Kustomization")).collect();
    let wanted = sources.get(&source).map(|source| source.revision.as_str());
    let applied = text(object, "/status/lastAppliedRevision");
    let attempted = text(object, "/status/lastAttemptedRevision");
    let is_at = |revision: &str| wanted.is_none_or(|wanted| wanted == revision);
    let source_failed = sources.get(&source).is_some_and(|source| source.state == State::Failed);
    let state = match (status, reason) {
        _ if is_suspended(object) => State::Suspended,
        _ if is_asked(object) => State::Progressing,
        ("True", _) if is_observed(object) && is_at(applied) => State::Ready,
        ("False", "DependencyNotReady") => State::Waiting,
        ("False", "ArtifactFailed") if source_failed || wanted.is_none() => State::Waiting,
        // The source is ready: what was looked at was not yet.
        ("False", "ArtifactFailed") if attempted.is_empty() => State::Progressing,
        ("False", _) if attempted.is_empty() || is_at(attempted) => State::Failed,
        _ if source_failed => State::Waiting,
        _ => State::Progressing,
    };
    Item {
        id: own_id("Kustomization", object),
        state,
        reason: reason.to_owned(),
        message: message.to_owned(),
        revision: applied.to_owned(),
        source: Some(source),
        depends_on,
        objects: objects(object),
    }
}

fn objects(object: &Value) -> BTreeMap<String, ObjectId> {
    let entries = object.pointer("/status/inventory/entries").and_then(Value::as_array);
    let ids = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| ObjectId::from_inventory(text(entry, "/id"), text(entry, "/v")).ok());
    ids.map(|id| (id.to_string(), id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(revision: &str, ready: &str) -> Value {
        json!({
            "metadata": {"namespace": "n", "name": "repo", "generation": 1},
            "spec": {"url": "own"},
            "status": {"observedGeneration": 1, "artifact": {"revision": revision},
                "conditions": [{"type": "Ready", "status": ready, "reason": "R", "message": "m"}]},
        })
    }

    fn kustomization(name: &str, after: &[&str], status: &str, reason: &str, at: &str) -> Value {
        let after: Vec<Value> = after.iter().map(|name| json!({"name": name})).collect();
        json!({
            "metadata": {"namespace": "n", "name": name, "generation": 1},
            "spec": {"sourceRef": {"kind": "GitRepository", "name": "repo"}, "dependsOn": after},
            "status": {"observedGeneration": 1, "lastAppliedRevision": at,
                "lastAttemptedRevision": at,
                "inventory": {"entries": [{"id": "n_c__ConfigMap", "v": "v1"}]},
                "conditions": [{"type": "Ready", "status": status, "reason": reason,
                    "message": "m"}]},
        })
    }

    fn model(source: Value, kustomizations: &[Value]) -> Model {
        let wanted = Wanted { is_own: &|url| url == "own", revision: "r2" };
        Model::new(&[source], kustomizations, &wanted)
    }

    #[test]
    fn a_new_revision_unsettles_what_was_ready() {
        let apps = [kustomization("a", &[], "True", "Ok", "r1")];
        assert!(!model(source("r1", "True"), &apps).is_settled());
        assert!(!model(source("r2", "True"), &apps).is_settled());
        let apps = [kustomization("a", &[], "True", "Ok", "r2")];
        let settled = model(source("r2", "True"), &apps);
        assert!(settled.is_settled() && settled.is_ready());
        assert!(settled.items["Kustomization/n/a"].objects.contains_key("ConfigMap/n/c"));
    }

    #[test]
    fn a_failure_holds_back_what_depends_on_it() {
        let model = model(
            source("r2", "True"),
            &[
                kustomization("a", &[], "False", "BuildFailed", "r2"),
                kustomization("b", &["a"], "False", "DependencyNotReady", "r1"),
                kustomization("c", &["b"], "False", "DependencyNotReady", "r1"),
                kustomization("d", &[], "True", "Ok", "r2"),
            ],
        );
        assert!(model.is_settled() && !model.is_ready());
        let causes: Vec<&str> = model.causes().iter().map(|item| item.id.as_str()).collect();
        assert_eq!(causes, ["Kustomization/n/a"]);
        let held: Vec<&str> = model.held_back_by("Kustomization/n/a").into_iter().collect();
        assert_eq!(held, ["Kustomization/n/b", "Kustomization/n/c"]);
    }

    #[test]
    fn waiting_for_what_goes_on_is_not_settled() {
        let going = [
            kustomization("a", &[], "Unknown", "Progressing", "r1"),
            kustomization("b", &["a"], "False", "DependencyNotReady", "r1"),
        ];
        assert!(!model(source("r2", "True"), &going).is_settled());
    }

    #[test]
    fn cycles_and_missing_dependencies_settle_and_are_causes() {
        let cycle = [
            kustomization("a", &["b"], "False", "DependencyNotReady", ""),
            kustomization("b", &["a"], "False", "DependencyNotReady", ""),
        ];
        let cycle = model(source("r2", "True"), &cycle);
        assert!(cycle.is_settled());
        assert_eq!(cycle.causes().len(), 2);
        let missing = [kustomization("a", &["gone"], "False", "DependencyNotReady", "")];
        let missing = model(source("r2", "True"), &missing);
        assert!(missing.is_settled());
        assert_eq!(missing.causes().len(), 1);
    }

    #[test]
    fn a_failed_source_is_the_only_cause() {
        let apps = [kustomization("a", &[], "False", "ArtifactFailed", "")];
        let model = model(source("", "False"), &apps);
        assert!(model.is_settled());
        let causes: Vec<&str> = model.causes().iter().map(|item| item.id.as_str()).collect();
        assert_eq!(causes, ["GitRepository/n/repo"]);
    }
}
