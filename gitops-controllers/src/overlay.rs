//! Builds overlays: the kustomization of an artifact with the fields of the spec.
//!
//! Follows fluxcd/pkg `kustomize` (generator): the spec's fields are put into the kustomization
//! file, which is made where there is none. Nothing is written: the changed file lies over the
//! artifact's tree in memory.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use gitops_api::kustomize::Kustomization;
use gitops_core::{Digest, EntryKind, MemoryTree, OverlayTree, Scope, Tree};
use gitops_kustomize::{BuildOptions, LoadRestriction, build};
use gitops_yaml::{Flavour, read_all, read_first, to_json};
use serde_json::{Map, Value, json};

use crate::kustomization::{Build, Built};

/// The names of a kustomization file, in the order in which they are looked for.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Where Flux unpacks artifacts: the start of the paths in its messages.
const ROOT: &str = "/tmp/kustomization";

/// Builds with kustomize.
#[derive(Clone, Copy, Debug, Default)]
pub struct OverlayBuild;

impl Build for OverlayBuild {
    fn find(&self, object: &Kustomization, tree: &dyn Tree) -> Result<(), String> {
        let path = path(object);
        match tree.stat(Path::new(&path)) {
            Ok(entry) if entry.kind == EntryKind::Directory => Ok(()),
            _ => Err(format!("stat {ROOT}/{path}: no such file or directory")),
        }
    }

    fn build(
        &self,
        object: &Kustomization,
        tree: &Arc<dyn Tree>,
        _: Result<&BTreeMap<String, String>, &str>,
        scope: &Scope,
    ) -> Result<Built, String> {
        let path = path(object);
        let (name, mut file) = kustomization(&**tree, &path, scope)?;
        inject(&mut file, object, &**tree, &path)?;
        let over = MemoryTree::from_iter([(join(&path, name), file.to_string())]);
        let tree = OverlayTree::new(Arc::clone(tree), over);
        let mut options = BuildOptions::default();
        options.load_restriction = LoadRestriction::None;
        let rendered = build(&tree, Path::new(&path), &options, scope)
            .map_err(|error| format!("kustomize build failed: {error}"))?;
        let digest = Digest::sha256(rendered.manifests.to_yaml().as_bytes()).to_string();
        Ok(Built { digest, objects: rendered.manifests.to_json() })
    }
}

/// The kustomization file of a directory, or one that lists its manifests.
fn kustomization(
    tree: &dyn Tree,
    path: &str,
    scope: &Scope,
) -> Result<(&'static str, Value), String> {
    for name in NAMES {
        let Ok(bytes) = tree.read(Path::new(&join(path, name))) else { continue };
        let node = read_first(&bytes, Flavour::default()).map_err(|error| error.to_string())?;
        let file = to_json(&node).map_err(|error| error.to_string())?;
        let file = if file.is_null() { json!({}) } else { file };
        return Ok((name, file));
    }
    let mut resources = Vec::new();
    list(tree, path, "", &mut resources, scope)?;
    let file = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    Ok((NAMES[0], file))
}

fn list(
    tree: &dyn Tree,
    root: &str,
    below: &str,
    resources: &mut Vec<String>,
    scope: &Scope,
) -> Result<(), String> {
    scope.check().map_err(|error| error.to_string())?;
    let directory = join(root, below);
    let mut entries = tree.list(Path::new(&directory)).map_err(|error| error.to_string())?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        let name = join(below, &entry.name);
        let full = join(root, &name);
        if entry.kind == EntryKind::Directory {
            if NAMES.iter().any(|file| tree.stat(Path::new(&join(&full, file))).is_ok()) {
                resources.push(format!("./{name}"));
            } else {
                list(tree, root, &name, resources, scope)?;
            }
        } else if name.ends_with(".yaml") || name.ends_with(".yml") {
            let bytes = tree.read(Path::new(&full)).map_err(|error| error.to_string())?;
            read_all(&bytes).map_err(|error| {
                format!("failed to decode Kubernetes YAML from {ROOT}/{full}: {error}")
            })?;
            resources.push(format!("./{name}"));
        }
    }
    Ok(())
}

/// Puts the spec's fields into a kustomization file.
fn inject(
    file: &mut Value,
    object: &Kustomization,
    tree: &dyn Tree,
    path: &str,
) -> Result<(), String> {
    let Value::Object(file) = file else {
        return Err("kustomize build failed: the kustomization file is no mapping".into());
    };
    let spec = &object.spec;
    let fields = [
        ("namespace", &spec.target_namespace),
        ("namePrefix", &spec.name_prefix),
        ("nameSuffix", &spec.name_suffix),
    ];
    for (field, value) in fields {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            file.insert(field.into(), value.into());
        }
    }
    let value = |part: &dyn erased::Json| part.json();
    extend(file, "patches", spec.patches.iter().map(|patch| value(patch)));
    let mut components = Vec::new();
    for component in &spec.components {
        if component.starts_with('/') || component.contains("://") {
            return Err(format!("component path '{component}' must be local and relative"));
        }
        let there = tree.stat(Path::new(&join(path, component))).is_ok();
        if there || !spec.ignore_missing_components {
            components.push(component.clone().into());
        }
    }
    extend(file, "components", components.into_iter());
    extend(file, "buildMetadata", spec.build_metadata.iter().map(|entry| value(entry)));
    for image in &spec.images {
        let new = value(image);
        let images = file.entry("images").or_insert_with(|| json!([]));
        let Some(images) = images.as_array_mut() else { continue };
        match images.iter_mut().find(|known| known["name"] == new["name"]) {
            Some(known) => merge_image(known, &new),
            None => images.push(new),
        }
    }
    Ok(())
}

/// A tag and a digest are one thing: setting one clears the other.
fn merge_image(known: &mut Value, new: &Value) {
    let (Some(known), Some(new)) = (known.as_object_mut(), new.as_object()) else { return };
    if new.contains_key("newTag") || new.contains_key("digest") {
        known.remove("newTag");
        known.remove("digest");
    }
    known.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
}

fn extend(file: &mut Map<String, Value>, field: &str, new: impl Iterator<Item = Value>) {
    let mut new = new.peekable();
    if new.peek().is_none() {
        return;
    }
    if let Some(known) = file.entry(field).or_insert_with(|| json!([])).as_array_mut() {
        known.extend(new);
    }
}

mod erased {
    /// Any part of a spec as JSON.
    pub(super) trait Json {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap_or_default()
        }
    }
}

fn join(directory: &str, name: &str) -> String {
    match (directory, name) {
        ("", name) => name.to_owned(),
        (directory, "") => directory.to_owned(),
        (directory, name) => format!("{directory}/{name}"),
    }
}

fn path(object: &Kustomization) -> String {
    let path = object.spec.path.as_deref().unwrap_or_default();
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}
