//! Builds of directories without overlays: every manifest below the path.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use gitops_api::kustomize::Kustomization;
use gitops_core::{Digest, EntryKind, Scope, Tree};
use gitops_yaml::{read_all, to_json};
use serde_json::Value;

use crate::kustomization::{Build, Built};

/// Reads every `.yaml` and `.yml` file below the path.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainBuild;

impl Build for PlainBuild {
    fn find(&self, object: &Kustomization, tree: &dyn Tree) -> Result<(), String> {
        let path = path(object);
        match tree.stat(Path::new(&path)) {
            Ok(entry) if entry.kind == EntryKind::Directory => Ok(()),
            _ => Err(format!(
                "stat /tmp/kustomization/{path}: no such file or directory"
            )),
        }
    }

    fn build(
        &self,
        object: &Kustomization,
        tree: &Arc<dyn Tree>,
        _: Result<&BTreeMap<String, String>, &str>,
        scope: &Scope,
    ) -> Result<Built, String> {
        let mut objects = Vec::new();
        let mut text = Vec::new();
        let mut pending = vec![path(object)];
        while let Some(directory) = pending.pop() {
            scope.check().map_err(|error| error.to_string())?;
            let entries = tree
                .list(Path::new(&directory))
                .map_err(|error| error.to_string())?;
            for entry in entries {
                let name = format!("{directory}/{}", entry.name);
                let name = name.trim_start_matches('/').to_owned();
                if entry.kind == EntryKind::Directory {
                    pending.push(name);
                } else if (name.ends_with(".yaml") || name.ends_with(".yml"))
                    && !name.ends_with("kustomization.yaml")
                {
                    let bytes = tree
                        .read(Path::new(&name))
                        .map_err(|error| error.to_string())?;
                    text.extend_from_slice(&bytes);
                    for node in read_all(&bytes).map_err(|error| error.to_string())? {
                        let mut value: Value = to_json(&node).map_err(|error| error.to_string())?;
                        if let Some(namespace) = &object.spec.target_namespace {
                            value["metadata"]["namespace"] = namespace.clone().into();
                        }
                        objects.push(value);
                    }
                }
            }
        }
        Ok(Built {
            digest: Digest::sha256(&text).to_string(),
            objects,
        })
    }
}

fn path(object: &Kustomization) -> String {
    let path = object.spec.path.as_deref().unwrap_or_default();
    path.trim_start_matches("./").trim_matches('/').to_owned()
}
