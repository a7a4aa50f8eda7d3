//! The kustomization that is built: the artifact's own, or one that lists all manifests below the
//! path; with the fields of the spec in it.

use std::path::Path;

use gitops_api::{
    kustomize::{BuildMetadata, Kustomization},
    meta::{Image, Selector},
};
use gitops_core::{Tree, TreeError};
use gitops_yaml::{Node, ReadOptions};
use serde_json::{Map, Value, json};

use super::{is_file, shown};

/// The names of kustomization files, in kustomize's order.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// How many directories below the path are walked.
const DIRECTORY_LIMIT: usize = 50_000;

/// The name and the text of the kustomization file to build.
pub(super) fn kustomization(
    object: &Kustomization,
    tree: &dyn Tree,
    path: &str,
) -> Result<(String, Vec<u8>), String> {
    let own = NAMES
        .into_iter()
        .find(|name| is_file(tree, &join(path, name)));
    let (name, mut file) = match own {
        Some(name) => (name, read(tree, &join(path, name))?),
        None => (NAMES[0], made_up(tree, path)?),
    };
    // Quirk: Flux marks where objects come from if a kustomization names no resources.
    if own.is_some() && file.get("resources").is_none_or(is_empty) {
        file.insert("buildMetadata".into(), json!(["originAnnotations"]));
    }
    inject(object, tree, path, &mut file)?;
    Ok((
        name.to_owned(),
        Value::Object(file).to_string().into_bytes(),
    ))
}

fn read(tree: &dyn Tree, file: &str) -> Result<Map<String, Value>, String> {
    let text = tree
        .read(Path::new(file))
        .map_err(|error| error.to_string())?;
    let options = ReadOptions {
        flavour: gitops_yaml::Flavour::V2,
        ..ReadOptions::default()
    };
    let nodes = options.read_all(&text).map_err(|error| error.to_string())?;
    let first = nodes.first().map(Node::to_json_v2).transpose();
    match first.map_err(|error| error.to_string())? {
        Some(Value::Object(fields)) => Ok(fields),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err(format!("{} is no kustomization", shown(file))),
    }
}

/// A kustomization of all manifests; one that builds to nothing where there are none.
fn made_up(tree: &dyn Tree, path: &str) -> Result<Map<String, Value>, String> {
    let mut found = Vec::new();
    let mut walked = 0;
    walk(tree, path, ".", &mut found, &mut walked)?;
    let mut file = Map::new();
    file.insert(
        "apiVersion".into(),
        json!("kustomize.config.k8s.io/v1beta1"),
    );
    file.insert("kind".into(), json!("Kustomization"));
    if found.is_empty() {
        file.insert("namespace".into(), json!("_placeholder"));
    } else {
        file.insert("resources".into(), json!(found));
    }
    Ok(file)
}

/// Walks a directory in the order of names. One with a kustomization of its own is a resource.
fn walk(
    tree: &dyn Tree,
    directory: &str,
    relative: &str,
    found: &mut Vec<String>,
    walked: &mut usize,
) -> Result<(), String> {
    *walked += 1;
    if *walked > DIRECTORY_LIMIT {
        return Err(format!(
            "more than {DIRECTORY_LIMIT} directories below the path"
        ));
    }
    let list = |error: TreeError| error.to_string();
    for entry in tree.list(Path::new(directory)).map_err(list)? {
        let (path, name) = (
            join(directory, &entry.name),
            format!("{relative}/{}", entry.name),
        );
        if entry.is_dir() {
            if NAMES
                .into_iter()
                .any(|name| is_file(tree, &join(&path, name)))
            {
                found.push(name);
            } else {
                walk(tree, &path, &name, found, walked)?;
            }
        } else if Path::new(&entry.name)
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            check_manifest(tree, &path)?;
            found.push(name);
        }
    }
    Ok(())
}

/// Files that are no Kubernetes YAML fail before the build.
fn check_manifest(tree: &dyn Tree, path: &str) -> Result<(), String> {
    let failed = |problem: String| {
        format!(
            "failed to decode Kubernetes YAML from {}: {problem}",
            shown(path)
        )
    };
    let text = tree
        .read(Path::new(path))
        .map_err(|error| failed(error.to_string()))?;
    let nodes = ReadOptions::default()
        .read_all(&text)
        .map_err(|error| failed(format!("MalformedYAMLError: {error}")))?;
    for node in nodes {
        let text_at = |keys: &[&str]| {
            node.at(keys.iter().copied())
                .and_then(Node::text)
                .unwrap_or_default()
                .to_owned()
        };
        let object = node.to_json().unwrap_or_default();
        if object.is_null() || is_empty(&object) {
            continue;
        }
        let kind = text_at(&["kind"]);
        if kind.is_empty() {
            return Err(failed(format!(
                "missing Resource metadata: {}",
                gitops_core::truncate(&object.to_string(), 500)
            )));
        }
        if text_at(&["metadata", "name"]).is_empty() && !kind.ends_with("List") {
            return Err(failed(format!(
                "missing metadata.name in object {{{{{} {kind}}} {{{{ }} map[] map[]}}}}",
                text_at(&["apiVersion"])
            )));
        }
    }
    Ok(())
}

fn inject(
    object: &Kustomization,
    tree: &dyn Tree,
    path: &str,
    file: &mut Map<String, Value>,
) -> Result<(), String> {
    let spec = &object.spec;
    for (field, value) in [
        ("namespace", &spec.target_namespace),
        ("namePrefix", &spec.name_prefix),
        ("nameSuffix", &spec.name_suffix),
    ] {
        if let Some(value) = value {
            file.insert(field.into(), json!(value));
        }
    }
    for patch in &spec.patches {
        let mut entry = json!({"patch": patch.patch});
        if let Some(target) = &patch.target {
            entry["target"] = selector(target);
        }
        push(file, "patches", entry);
    }
    for component in &spec.components {
        if !is_local(component) {
            return Err(format!(
                "component path '{component}' must be local and relative"
            ));
        }
        let exists = tree.stat(Path::new(&join(path, component))).is_ok();
        if exists || !spec.ignore_missing_components {
            push(file, "components", json!(component));
        }
    }
    for image in &spec.images {
        merge_image(file, image);
    }
    if !spec.build_metadata.is_empty() {
        let names = spec.build_metadata.iter().map(|kind| match kind {
            BuildMetadata::OriginAnnotations => "originAnnotations",
            BuildMetadata::TransformerAnnotations => "transformerAnnotations",
        });
        file.insert("buildMetadata".into(), names.collect::<Vec<_>>().into());
    }
    Ok(())
}

/// An image of the spec wins over one of the file with the same name; a tag and a digest are one
/// unit.
fn merge_image(file: &mut Map<String, Value>, image: &Image) {
    let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let (name, tag, digest) = (
        text(&image.new_name),
        text(&image.new_tag),
        text(&image.digest),
    );
    let known = file.get_mut("images").and_then(Value::as_array_mut);
    let known = known.and_then(|known| known.iter_mut().find(|known| known["name"] == *image.name));
    let mut fresh = json!({"name": image.name});
    let (entry, is_known) = match known {
        Some(entry) => (entry, true),
        None => (&mut fresh, false),
    };
    let Value::Object(fields) = entry else { return };
    if let Some(name) = name {
        fields.insert("newName".into(), json!(name));
    }
    if tag.is_some() || digest.is_some() {
        for (field, value) in [("newTag", tag), ("digest", digest)] {
            match value {
                Some(value) => fields.insert(field.into(), json!(value)),
                None => fields.shift_remove(field),
            };
        }
    }
    if !is_known {
        push(file, "images", fresh);
    }
}

fn selector(target: &Selector) -> Value {
    let mut selector = Map::new();
    for (field, value) in [
        ("group", &target.group),
        ("version", &target.version),
        ("kind", &target.kind),
        ("name", &target.name),
        ("namespace", &target.namespace),
        ("labelSelector", &target.label_selector),
        ("annotationSelector", &target.annotation_selector),
    ] {
        if let Some(value) = value {
            selector.insert(field.into(), json!(value));
        }
    }
    Value::Object(selector)
}

fn push(file: &mut Map<String, Value>, field: &str, value: Value) {
    match file.entry(field).or_insert_with(|| json!([])) {
        Value::Array(items) => items.push(value),
        other => *other = json!([value]),
    }
}

fn is_local(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains("://")
        && !path.contains('?')
        && !path.contains('@')
        && !path.starts_with("github.com")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}
