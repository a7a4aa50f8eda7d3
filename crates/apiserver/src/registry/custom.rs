//! Kinds that come and go with their definitions.

use std::{cmp::Ordering, sync::Arc};

use serde_json::{Value, json};

use super::{Registry, Resource, ScalePaths, Subresource, Version, object_meta};
use crate::{
    object::Meta as _,
    schema::{Schema, Text, structural},
    server::State,
    status::{Cause, Refusal, Result},
    storage::{Key, Object},
};

const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";

/// Most definitions of a server; each costs memory for its schema.
const DEFINITIONS_LIMIT: usize = 5000;

/// Whether a definition that is about to be stored can be served. Anything else is always fine.
///
/// # Errors
/// `Invalid` when its schema cannot be read, and when there are too many definitions.
pub(crate) fn check(state: &State, resource: &Resource, object: &Value) -> Result<()> {
    if !resource.is(GROUP, PLURAL) {
        return Ok(());
    }
    let refuse = |field: String, why: String| {
        let cause = Cause::invalid(field, "", why);
        Refusal::invalid(GROUP, &resource.kind, object.name(), &[cause])
    };
    for (place, version) in versions(object).iter().enumerate() {
        let mut schema = Schema::default();
        let metadata = schema.add(crate::schema::Node::new(crate::schema::Kind::Any));
        structural(&mut schema, &version["schema"]["openAPIV3Schema"], metadata).map_err(
            |error| {
                let field = format!("spec.versions[{place}].schema.openAPIV3Schema");
                refuse(field, error.to_string())
            },
        )?;
    }
    let group = text(&object["spec"]["group"]);
    if group.is_empty() || is_built_in(state, group, &object["spec"]["names"]["plural"]) {
        let why = "it is served by the API server itself".to_owned();
        return Err(refuse("spec.group".to_owned(), why));
    }
    if state.registry().groups.len() > DEFINITIONS_LIMIT {
        return Err(Refusal::internal("too many custom resource definitions"));
    }
    Ok(())
}

/// What follows from a stored object: a definition is served, and says so in its status.
pub(crate) fn changed(state: &State, resource: &Resource, object: &Object) {
    if !resource.is(GROUP, PLURAL) || object.value.is_deleting() {
        return;
    }
    {
        let _only = state.redefining.lock();
        let mut registry = Registry::clone(&state.registry());
        registry.forget(&object.value);
        registry.define(state, &object.value);
        state.set_registry(registry);
    }
    establish(state, resource, object.value.name());
}

/// The definition is gone: its objects go with it.
pub(crate) fn removed(state: &State, resource: &Resource, object: &Object) {
    if !resource.is(GROUP, PLURAL) {
        return;
    }
    {
        let _only = state.redefining.lock();
        let mut registry = Registry::clone(&state.registry());
        registry.forget(&object.value);
        state.set_registry(registry);
    }
    let spec = &object.value["spec"];
    let table = state.store.table(text(&spec["group"]), text(&spec["names"]["plural"]));
    let found = table.list(None, None, None, 0, &|_| true);
    for instance in found.map(|found| found.objects).unwrap_or_default() {
        let key = Key::new(instance.value.namespace(), instance.value.name());
        while let Some(live) = table.get(&key) {
            if table.remove(&key, live.revision).is_ok() {
                break;
            }
        }
    }
}

impl Registry {
    fn define(&mut self, state: &State, definition: &Value) {
        for version in versions(definition) {
            if version["served"] == true
                && let Some(resource) = resource(state, definition, version)
            {
                self.add(Arc::new(resource));
            }
        }
        if let Some(group) = self.groups.get_mut(text(&definition["spec"]["group"])) {
            group.versions.sort_by(|a, b| by_priority(&a.name, &b.name));
        }
    }

    fn forget(&mut self, definition: &Value) {
        let (group, plural) =
            (text(&definition["spec"]["group"]), text(&definition["spec"]["names"]["plural"]));
        let Some(found) = self.groups.get_mut(group) else { return };
        for version in &mut found.versions {
            version.resources.shift_remove(plural);
        }
        found.versions.retain(|version: &Version| !version.resources.is_empty());
        if found.versions.is_empty() {
            self.groups.shift_remove(group);
        }
    }
}

fn is_built_in(state: &State, group: &str, plural: &Value) -> bool {
    let registry = state.registry();
    let versions = registry.groups.get(group).map(|group| &group.versions);
    versions.into_iter().flatten().any(|version| {
        let found = version.resources.get(text(plural));
        found.is_some_and(|resource| resource.schema.node(resource.node).rules.is_none())
    })
}

fn versions(definition: &Value) -> &[Value] {
    definition["spec"]["versions"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// One version of a definition; `None` if its schema cannot be read, which is checked before.
fn resource(state: &State, definition: &Value, version: &Value) -> Option<Resource> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let (group, name) = (text(&spec["group"]), text(&version["name"]));
    let owned = |value: &Value| Text::Owned(text(value).to_owned());
    let owned_list = |value: &Value| value.as_array().into_iter().flatten().map(owned).collect();
    let mut schema = Schema::default();
    let (builtin, metadata) = object_meta();
    let metadata = schema.import(builtin, metadata);
    let node = structural(&mut schema, &version["schema"]["openAPIV3Schema"], metadata).ok()?;
    let kind = owned(&names["kind"]);
    let mut subresources = Vec::new();
    for (subresource, speaks) in [
        ("status", (owned(&spec["group"]), owned(&version["name"]), kind.clone())),
        ("scale", ("autoscaling".into(), "v1".into(), "Scale".into())),
    ] {
        if version["subresources"].get(subresource).is_some() {
            let verbs = ["get", "patch", "update"].map(Text::Borrowed).to_vec();
            subresources.push(Subresource { name: subresource.into(), speaks, verbs, node: None });
        }
    }
    let verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
    Some(Resource {
        api_version: format!("{group}/{name}"),
        group: owned(&spec["group"]),
        version: owned(&version["name"]),
        list_kind: match text(&names["listKind"]) {
            "" => format!("{kind}List").into(),
            list => list.to_owned().into(),
        },
        plural: owned(&names["plural"]),
        singular: match text(&names["singular"]) {
            "" => kind.to_lowercase().into(),
            singular => singular.to_owned().into(),
        },
        kind,
        namespaced: spec["scope"] == "Namespaced",
        verbs: verbs.map(Text::Borrowed).to_vec(),
        short_names: owned_list(&names["shortNames"]),
        categories: owned_list(&names["categories"]),
        subresources,
        schema: Arc::new(schema),
        node,
        table: state.store.table(group, text(&names["plural"])),
        columns: Some(crate::table::columns(version)),
        selectable: Some(selectable(version)),
        scale: scale_paths(version),
    })
}

/// The paths of `selectableFields` in the form in which selectors name them.
fn selectable(version: &Value) -> Vec<String> {
    let declared = version["selectableFields"].as_array().into_iter().flatten();
    let paths = declared.filter_map(|field| field["jsonPath"].as_str());
    paths.map(|path| path.trim_start_matches('.').to_owned()).collect()
}

fn scale_paths(version: &Value) -> Option<ScalePaths> {
    let scale = version["subresources"].get("scale")?;
    let path = |name: &str| text(&scale[name]).to_owned();
    let (spec, status) = (path("specReplicasPath"), path("statusReplicasPath"));
    Some(ScalePaths { spec, status, selector: path("labelSelectorPath") })
}

/// Writes into the definition's status that it is served.
fn establish(state: &State, resource: &Resource, name: &str) {
    let key = Key::new("", name);
    while let Some(live) = resource.table.get(&key) {
        let mut value = live.value.clone();
        let mut names = value["spec"]["names"].clone();
        let kind = text(&names["kind"]).to_owned();
        if text(&names["singular"]).is_empty() {
            names["singular"] = kind.to_lowercase().into();
        }
        if text(&names["listKind"]).is_empty() {
            names["listKind"] = format!("{kind}List").into();
        }
        let status = &mut value["status"];
        if !status.is_object() {
            *status = json!({});
        }
        status["acceptedNames"] = names;
        set_condition(status, "NamesAccepted", "NoConflicts", "no conflicts found", &state.now());
        let accepted = "the initial names have been accepted";
        set_condition(status, "Established", "InitialNamesAccepted", accepted, &state.now());
        if value == live.value || resource.table.put(&key, Some(live.revision), value).is_ok() {
            return;
        }
    }
}

fn set_condition(status: &mut Value, kind: &str, reason: &str, message: &str, now: &str) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else { return };
    if list.iter().any(|condition| condition["type"] == kind && condition["status"] == "True") {
        return;
    }
    list.retain(|condition| condition["type"] != kind);
    list.push(json!({
        "lastTransitionTime": now, "message": message, "reason": reason, "status": "True",
        "type": kind,
    }));
}

/// Stable versions first, then beta, then alpha, newer ones first; other names last.
fn by_priority(a: &str, b: &str) -> Ordering {
    match (rank(a), rank(b)) {
        (Some(a), Some(b)) => b.cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Maturity, then number, of a name such as `v1beta2`.
fn rank(name: &str) -> Option<(u8, u64, u64)> {
    let rest = name.strip_prefix('v')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, tail) = rest.split_at(end);
    let major = major.parse().ok()?;
    if tail.is_empty() {
        return Some((3, major, 0));
    }
    let (maturity, minor) = match tail.strip_prefix("beta") {
        Some(minor) => (2, minor),
        None => (1, tail.strip_prefix("alpha")?),
    };
    Some((maturity, major, minor.parse().ok()?))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_in_the_order_of_preference() {
        let mut names =
            vec!["foo", "v1alpha1", "v2", "v1beta2", "v1", "v10beta3", "v1beta10", "bar"];
        names.sort_by(|a, b| by_priority(a, b));
        assert_eq!(
            names,
            ["v2", "v1", "v10beta3", "v1beta10", "v1beta2", "v1alpha1", "bar", "foo"]
        );
    }
}
