//! The objects of a run as they are in the cluster: what an edit changed, and how each one does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::Context as _;
use futures::{StreamExt as _, stream};
use gitops_apply::{Cluster, health, mask_secret};
use gitops_core::ObjectId;
use gitops_yaml::{Node, to_yaml};
use serde_json::Value;

use super::model::{Model, State};

/// Objects that are read at a time.
const TOGETHER: usize = 16;

/// Objects that are looked at again and again while somebody waits for them.
const AWAITED: usize = 100;

/// What the server keeps for itself; it would make noise in a diff.
const BOOKKEEPING: &[&str] =
    &["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"];

/// How an object changed.
#[derive(Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) id: ObjectId,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// The objects of all Kustomizations, as they were when they were last looked at.
#[derive(Debug)]
pub(super) struct Objects {
    cluster: Cluster,
    known: BTreeMap<ObjectId, Value>,
    /// The revision at which a Kustomization's objects were looked at.
    looked: BTreeMap<String, String>,
}

impl Objects {
    pub(super) fn new(client: kube::Client) -> Self {
        Self { cluster: Cluster::new(client), known: BTreeMap::new(), looked: BTreeMap::new() }
    }

    /// Looks at the objects of Kustomizations that became ready at a new revision, or lost some;
    /// how they differ from what was known. What is seen for the first time is no difference.
    pub(super) async fn look(&mut self, model: &Model) -> Vec<Difference> {
        let mut all: BTreeSet<&ObjectId> = BTreeSet::new();
        let mut due: BTreeSet<ObjectId> = BTreeSet::new();
        let is_first = self.looked.is_empty();
        for item in model.items.values().filter(|item| item.source.is_some()) {
            all.extend(item.objects.values());
            let is_new = self.looked.get(&item.id) != Some(&item.revision);
            if item.state == State::Ready && is_new {
                due.extend(item.objects.values().cloned());
                self.looked.insert(item.id.clone(), item.revision.clone());
            }
        }
        let gone: Vec<ObjectId> =
            self.known.keys().filter(|id| !all.contains(id)).cloned().collect();
        let read = stream::iter(due)
            .map(|id| {
                let cluster = self.cluster.clone();
                async move { (cluster.get(&id).await, id) }
            })
            .buffer_unordered(TOGETHER)
            .collect::<Vec<_>>()
            .await;
        let mut differences: Vec<Difference> = gone
            .into_iter()
            .map(|id| Difference { before: self.known.remove(&id), after: None, id })
            .collect();
        for (object, id) in read {
            let Ok(Some(object)) = object else { continue };
            let before = self.known.insert(id.clone(), object.clone());
            let (before, after) = (before.map(plain), plain(object));
            if before.as_ref() != Some(&after) && !(is_first && before.is_none()) {
                differences.push(Difference { id, before, after: Some(after) });
            }
        }
        differences.sort_by(|a, b| a.id.cmp(&b.id));
        differences
    }

    /// How each object does: its kstatus in a word, where it is not `Current`. Items have states of
    /// their own.
    pub(super) async fn health(&self, model: &Model) -> BTreeMap<String, String> {
        let objects = model.items.values().flat_map(|item| &item.objects);
        self.judge(objects.filter(|(id, _)| !model.items.contains_key(*id)).collect()).await
    }

    /// The same for those that somebody waits for at the moment, the first of many.
    pub(super) async fn health_of_awaited(&self, model: &Model) -> BTreeMap<String, String> {
        let awaited = model.items.values().filter(|item| item.state == State::Progressing);
        self.judge(awaited.flat_map(|item| &item.objects).take(AWAITED).collect()).await
    }

    async fn judge(&self, ids: BTreeMap<&String, &ObjectId>) -> BTreeMap<String, String> {
        let now = jiff::Timestamp::now();
        stream::iter(ids)
            .map(|(shown, id)| async move {
                let health = match self.cluster.get(id).await {
                    Ok(Some(object)) => health::assess(&object, now),
                    Ok(None) => return Some((shown.clone(), "NotFound".to_owned())),
                    Err(_) => return None,
                };
                let is_current = health.status == health::Status::Current;
                (!is_current)
                    .then(|| (shown.clone(), format!("{}: {}", health.status, health.message)))
            })
            .buffer_unordered(TOGETHER)
            .filter_map(futures::future::ready)
            .collect()
            .await
    }

    /// Writes each object to a file of its own; the values of Secrets are masked unless they are
    /// asked for.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub(super) async fn write(
        &self,
        model: &Model,
        directory: &Path,
        show_secrets: bool,
    ) -> anyhow::Result<usize> {
        let fail = || format!("cannot write to {}", directory.display());
        fs::create_dir_all(directory).with_context(fail)?;
        let ids: BTreeSet<&ObjectId> =
            model.items.values().flat_map(|item| item.objects.values()).collect();
        let mut written = 0;
        for id in ids {
            let Ok(Some(object)) = self.cluster.get(id).await else { continue };
            let mut object = plain(object);
            if !show_secrets {
                mask_secret(Some(&mut object), None);
            }
            let text = to_yaml(&Node::from_json(object))?;
            fs::write(directory.join(file_name(id)), text).with_context(fail)?;
            written += 1;
        }
        Ok(written)
    }
}

/// An object without what the server keeps for itself, and without its status.
fn plain(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
    }
    object
}

/// A name that is a file name on every system: no separators, no colons.
fn file_name(id: &ObjectId) -> String {
    let parts = [&id.group, &id.kind.to_lowercase(), &id.namespace, &id.name];
    let name: Vec<String> = parts
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.chars()
                .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '-' })
                .collect()
        })
        .collect();
    name.join("_") + ".yaml"
}

impl Difference {
    /// The change as a unified diff of the objects' YAML; the values of Secrets are masked.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (mut before, mut after) = (self.before.clone(), self.after.clone());
        mask_secret(before.as_mut(), after.as_mut());
        let text = |object: Option<Value>| {
            object.and_then(|object| to_yaml(&Node::from_json(object)).ok()).unwrap_or_default()
        };
        let (before, after) = (text(before), text(after));
        let diff = similar::TextDiff::from_lines(&before, &after);
        let unified = diff.unified_diff().context_radius(2).to_string();
        unified
            .lines()
            .filter(|line| !line.starts_with("\\ No newline"))
            .map(str::to_owned)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn diffs_show_what_changed_and_no_secrets() {
        let object = |value: &str, kind: &str| {
            plain(json!({
                "apiVersion": "v1", "kind": kind,
                "metadata": {"name": "a", "uid": "1", "resourceVersion": value},
                "data": {"key": value},
            }))
        };
        let difference = |kind: &str| Difference {
            id: ObjectId::new("v1", kind, "n", "a"),
            before: Some(object("b25l", kind)),
            after: Some(object("dHdv", kind)),
        };
        let lines = difference("ConfigMap").lines().join("\n");
        assert!(lines.contains("-  key: b25l\n+  key: dHdv"), "{lines}");
        assert!(!lines.contains("uid") && !lines.contains("resourceVersion"), "{lines}");
        let lines = difference("Secret").lines().join("\n");
        assert!(!lines.contains("b25l") && !lines.contains("dHdv"), "{lines}");
        assert!(lines.contains("-  key:") && lines.contains("+  key:"), "{lines}");
    }

    #[test]
    fn file_names_stay_in_their_directory() {
        let id = ObjectId::new("rbac.authorization.k8s.io/v1", "ClusterRole", "", "../../a:b");
        assert_eq!(file_name(&id), "rbac.authorization.k8s.io_clusterrole_..-..-a-b.yaml");
    }
}
