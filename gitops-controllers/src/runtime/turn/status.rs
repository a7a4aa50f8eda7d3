//! Writing: one status patch per turn, only of what changed, and only what is ours.

use gitops_api::meta::Condition;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Map, Value, json};

use crate::runtime::{Cache, Key};

/// How often a conflict is merged again before the turn fails.
const MERGES: usize = 5;

/// Writes objects of one kind.
pub(in crate::runtime) struct Writer<'a> {
    pub(in crate::runtime) client: &'a Client,
    pub(in crate::runtime) cache: &'a Cache,
    pub(in crate::runtime) manager: &'a str,
    pub(in crate::runtime) owned: &'a [&'a str],
}

impl Writer<'_> {
    fn api(&self, key: &Key) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &key.namespace, self.cache.resource())
    }

    /// Patches the status with `changes`, a merge patch. Where it holds conditions, they replace
    /// the ones that we own; the write is bound to the state that was read, and a conflict is
    /// merged with the conditions of others again.
    ///
    /// `None` means that the object is gone.
    pub(in crate::runtime) async fn status(
        &self,
        object: &DynamicObject,
        mut changes: Map<String, Value>,
    ) -> Result<Option<DynamicObject>, kube::Error> {
        let key = Key::of(object);
        let uid = object.metadata.uid.clone();
        let mut version = object.metadata.resource_version.clone();
        // Somebody else may have written meanwhile, the turn itself included: the watch knows.
        if let Some(known) = self.cache.get(&key).filter(|known| known.metadata.uid == uid) {
            version.clone_from(&known.metadata.resource_version);
            self.rebase(&mut changes, &known);
        }
        for _ in 0..MERGES {
            let mut metadata = json!({"uid": uid});
            if changes.contains_key("conditions") {
                metadata["resourceVersion"] = json!(version);
            }
            let patch = json!({
                "apiVersion": self.cache.resource().api_version,
                "kind": self.cache.resource().kind,
                "metadata": metadata,
                "status": changes,
            });
            let params =
                PatchParams { field_manager: Some(self.manager.to_owned()), ..Default::default() };
            let api = self.api(&key);
            match api.patch_status(&key.name, &params, &Patch::Merge(&patch)).await {
                Ok(written) => {
                    self.cache.observe(written.clone());
                    return Ok(Some(written));
                }
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    let Some(current) = api.get_opt(&key.name).await? else {
                        return Ok(None);
                    };
                    if current.metadata.uid != uid {
                        return Ok(None);
                    }
                    version.clone_from(&current.metadata.resource_version);
                    self.rebase(&mut changes, &current);
                }
                Err(error) => return Err(error),
            }
        }
        Err(kube::Error::Api(Box::new(conflict(&key))))
    }

    /// Ours from the changes, the others' from what stands now.
    fn rebase(&self, changes: &mut Map<String, Value>, current: &DynamicObject) {
        let Some(Value::Array(ours)) = changes.get("conditions") else {
            return;
        };
        let is_owned = |condition: &Value| {
            condition["type"].as_str().is_some_and(|known| self.owned.contains(&known))
        };
        let standing = current.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let merged: Vec<Value> = ours
            .iter()
            .filter(|condition| is_owned(condition))
            .cloned()
            .chain(standing.into_iter().filter(|condition| !is_owned(condition)))
            .collect();
        changes.insert("conditions".into(), Value::Array(merged));
    }

    /// Adds or removes a finalizer; `None` means that the object is gone.
    pub(in crate::runtime) async fn finalizer(
        &self,
        object: &DynamicObject,
        finalizer: &str,
        present: bool,
    ) -> Result<Option<DynamicObject>, kube::Error> {
        let key = Key::of(object);
        let api = self.api(&key);
        let mut current = object.clone();
        for _ in 0..MERGES {
            let mut finalizers = current.metadata.finalizers.clone().unwrap_or_default();
            if finalizers.iter().any(|known| known == finalizer) == present {
                return Ok(Some(current));
            }
            if present {
                finalizers.push(finalizer.to_owned());
            } else {
                finalizers.retain(|known| known != finalizer);
            }
            let patch = json!({"metadata": {
                "uid": current.metadata.uid,
                "resourceVersion": current.metadata.resource_version,
                "finalizers": finalizers,
            }});
            let params =
                PatchParams { field_manager: Some(self.manager.to_owned()), ..Default::default() };
            match api.patch(&key.name, &params, &Patch::Merge(&patch)).await {
                Ok(written) => {
                    if present {
                        self.cache.observe(written.clone());
                    }
                    return Ok(Some(written));
                }
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    let Some(newer) = api.get_opt(&key.name).await? else {
                        return Ok(None);
                    };
                    if newer.metadata.uid != object.metadata.uid {
                        return Ok(None);
                    }
                    current = newer;
                }
                Err(error) => return Err(error),
            }
        }
        Err(kube::Error::Api(Box::new(conflict(&key))))
    }
}

fn conflict(key: &Key) -> kube::core::Status {
    kube::core::Status::failure(
        &format!("the object {key} was changed by others all the time"),
        "Conflict",
    )
    .with_code(409)
}

/// The merge patch from one JSON object to another: only what differs, `null` for what went.
pub(in crate::runtime) fn merge_patch(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, value) in new {
        match (old.get(key), value) {
            (Some(known), value) if known == value => {}
            (Some(Value::Object(known)), Value::Object(value)) => {
                patch.insert(key.clone(), Value::Object(merge_patch(known, value)));
            }
            _ => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// The conditions of an object of which nothing else can be read.
pub(in crate::runtime) fn raw_conditions(object: &DynamicObject) -> Vec<Condition> {
    let conditions = object.data["status"]["conditions"].as_array();
    let conditions = conditions.into_iter().flatten();
    conditions.filter_map(|condition| serde_json::from_value(condition.clone()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_hold_only_the_difference() {
        let old = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1]});
        let new = json!({"a": 1, "b": {"c": 4}, "e": [1, 2], "f": "x"});
        let patch = merge_patch(old.as_object().unwrap(), new.as_object().unwrap());
        let expected = json!({"b": {"c": 4, "d": null}, "e": [1, 2], "f": "x"});
        assert_eq!(Value::Object(patch), expected);
    }
}
