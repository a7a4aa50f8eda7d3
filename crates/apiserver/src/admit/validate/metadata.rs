//! The rules of `metadata`, the same for every kind.

use serde_json::Value;

use super::{
    checks::{Checks, Read as _},
    names::{self, NameRule},
    place::Place,
};

const ANNOTATIONS_LIMIT: usize = 256 << 10;

/// Of a new object.
pub(super) fn create(checks: &mut Checks, object: &Value, namespaced: bool, name_rule: NameRule) {
    let place = Place::ROOT.field("metadata");
    let metadata = &object["metadata"];
    let prefix = metadata.text("generateName");
    if !prefix.is_empty() {
        checks.invalids(&place.field("generateName"), prefix, name_rule(prefix, true));
    }
    let name = metadata.text("name");
    if !name.is_empty() {
        checks.invalids(&place.field("name"), name, name_rule(name, false));
    } else if prefix.is_empty() {
        checks.required(&place.field("name"), "name or generateName is required");
    }
    common(checks, metadata, namespaced, &place);
    finalizers(checks, metadata, &place.field("finalizers"));
}

/// Of an object that replaces another.
pub(super) fn update(checks: &mut Checks, new: &Value, old: &Value, namespaced: bool) {
    let place = Place::ROOT.field("metadata");
    let (new, old) = (&new["metadata"], &old["metadata"]);
    if old.get_some("deletionTimestamp").is_some() {
        let former: Vec<&str> = old.texts("finalizers").collect();
        let mut added: Vec<&str> =
            new.texts("finalizers").filter(|name| !former.contains(name)).collect();
        if !added.is_empty() {
            added.sort_unstable();
            let list: Vec<String> = added.iter().map(|name| format!("{name:?}")).collect();
            checks.forbidden(
                &place.field("finalizers"),
                &format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    list.join(", ")
                ),
            );
        }
    }
    for name in ["name", "namespace", "uid"] {
        if new.text(name) != old.text(name) {
            checks.invalid(&place.field(name), new.text(name), "field is immutable");
        }
    }
    for name in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if new.get_some(name) != old.get_some(name) {
            let value = new.get(name).cloned().unwrap_or_default();
            checks.invalid(&place.field(name), value, "field is immutable");
        }
    }
    let _ = namespaced;
    labels(checks, new, &place.field("labels"));
    annotations(checks, new, &place.field("annotations"));
    owners(checks, new, &place.field("ownerReferences"));
}

/// Finalizers without a domain must be the server's own.
pub(super) fn standard_finalizers(checks: &mut Checks, object: &Value) {
    let place = Place::ROOT.field("metadata");
    let list = place.field("finalizers");
    for (index, name) in object["metadata"].texts("finalizers").enumerate() {
        if !name.contains('/') && !matches!(name, "kubernetes" | "orphan" | "foregroundDeletion") {
            let text = "name is neither a standard finalizer name nor is it fully qualified";
            checks.invalid(&list.index(index), name, text);
        }
    }
}

/// Of a template: the complaints leave out that it has metadata.
pub(super) fn template(checks: &mut Checks, metadata: &Value, place: &Place<'_>) {
    labels(checks, metadata, &place.field("labels"));
    annotations(checks, metadata, &place.field("annotations"));
}

fn common(checks: &mut Checks, metadata: &Value, namespaced: bool, place: &Place<'_>) {
    let namespace = metadata.text("namespace");
    if namespaced {
        if namespace.is_empty() {
            checks.required(&place.field("namespace"), "");
        } else {
            checks.invalids(&place.field("namespace"), namespace, names::label(namespace));
        }
    } else if !namespace.is_empty() {
        checks.forbidden(&place.field("namespace"), "not allowed on this type");
    }
    labels(checks, metadata, &place.field("labels"));
    annotations(checks, metadata, &place.field("annotations"));
    owners(checks, metadata, &place.field("ownerReferences"));
}

/// The labels in `object.labels`.
fn labels(checks: &mut Checks, object: &Value, place: &Place<'_>) {
    if let Some(labels) = object.get("labels") {
        label_map(checks, labels, place);
    }
}

pub(super) fn label_map(checks: &mut Checks, labels: &Value, place: &Place<'_>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        checks.invalids(place, key, names::qualified_name(key));
        let value = value.as_str().unwrap_or_default();
        checks.invalids(place, value, names::label_value(value));
    }
}

fn annotations(checks: &mut Checks, metadata: &Value, place: &Place<'_>) {
    let mut size = 0;
    for (key, value) in metadata.entries("annotations").into_iter().flatten() {
        checks.invalids(place, key, names::qualified_name(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        checks.push(crate::status::Cause::too_long(place.to_string(), ANNOTATIONS_LIMIT));
    }
}

fn owners(checks: &mut Checks, metadata: &Value, place: &Place<'_>) {
    let mut controller: Option<String> = None;
    for owner in metadata.list("ownerReferences") {
        let version = owner.text("apiVersion");
        if version.rsplit('/').next().unwrap_or_default().is_empty() {
            checks.invalid(&place.field("apiVersion"), version, "version must not be empty");
        }
        for name in ["kind", "name", "uid"] {
            if owner.text(name).is_empty() {
                checks.invalid(&place.field(name), "", "must not be empty");
            }
        }
        if version == "v1" && owner.text("kind") == "Event" {
            checks.invalid(
                place,
                owner.clone(),
                "/v1, Kind=Event is disallowed from being an owner",
            );
        }
        if owner.flag("controller") {
            let this = format!("{}/{}", owner.text("kind"), owner.text("name"));
            match &controller {
                None => controller = Some(this),
                Some(first) => checks.invalid(
                    place,
                    metadata["ownerReferences"].clone(),
                    &format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                    ),
                ),
            }
        }
    }
}

fn finalizers(checks: &mut Checks, metadata: &Value, place: &Place<'_>) {
    let (mut orphan, mut foreground) = (false, false);
    for name in metadata.texts("finalizers") {
        checks.invalids(place, name, names::qualified_name(name));
        orphan |= name == "orphan";
        foreground |= name == "foregroundDeletion";
    }
    if orphan && foreground {
        checks.invalid(
            place,
            metadata["finalizers"].clone(),
            "finalizer orphan and foregroundDeletion cannot be both set",
        );
    }
}

/// Of an object within an object.
pub(super) fn embedded(checks: &mut Checks, metadata: &Value, place: &Place<'_>) {
    let (name, prefix) = (metadata.text("name"), metadata.text("generateName"));
    if !prefix.is_empty() {
        let rule = names::name_is_path_segment;
        checks.invalids(&place.field("generateName"), prefix, rule(prefix, true));
    }
    if !name.is_empty() {
        checks.invalids(&place.field("name"), name, names::name_is_path_segment(name, false));
    }
    labels(checks, metadata, &place.field("labels"));
    annotations(checks, metadata, &place.field("annotations"));
    owners(checks, metadata, &place.field("ownerReferences"));
    finalizers(checks, metadata, &place.field("finalizers"));
}
