//! How an artifact becomes objects: a kustomization is made up where there is none, the spec's
//! fields go into it, kustomize builds it, and variables are substituted.
//!
//! Follows fluxcd/pkg `kustomize`; differs in: nothing is written; the generated file is laid over
//! the artifact in memory, and any number of builds run at once.

mod generate;
mod mount;
mod substitute;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use gitops_api::{
    kustomize::{Kustomization, SubstituteStrategy},
    meta::annotation,
};
use gitops_core::{Digest, EntryKind, MemoryTree, OverlayTree, Scope, Tree, TreeError, clean_path};
use gitops_kustomize::{BuildOptions, LoadRestriction, Manifest, build};
use gitops_yaml::Node;

use crate::kustomization::{Build, Built, Options};
use mount::{Mounted, ROOT};

/// Builds with kustomize.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kustomize;

impl Build for Kustomize {
    fn find(&self, object: &Kustomization, tree: &dyn Tree) -> Result<(), String> {
        let path = directory(object)?;
        match tree.stat(Path::new(&path)) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!(
                "kustomization path not found: stat {}: {}",
                shown(&path),
                error.kind
            )),
        }
    }

    fn build(
        &self,
        object: &Kustomization,
        tree: &Arc<dyn Tree>,
        variables: Result<&BTreeMap<String, String>, &str>,
        options: &Options,
        scope: &Scope,
    ) -> Result<Built, String> {
        let path = directory(object)?;
        let (name, text) = generate::kustomization(object, &**tree, &path)?;
        let file = if path.is_empty() {
            name
        } else {
            format!("{path}/{name}")
        };
        let over: MemoryTree = [(file.as_str(), text)].into_iter().collect();
        let tree = Mounted::new(Arc::new(OverlayTree::new(Arc::clone(tree), over)));

        let mut limits = BuildOptions::default();
        limits.load_restriction = LoadRestriction::None;
        limits.reorder = gitops_kustomize::Reorder::None;
        let at = format!("{ROOT}/{path}");
        let rendered = build(&tree, Path::new(&at), &limits, scope)
            .map_err(|error| format!("kustomize build failed: {error}"))?;

        let mut text = String::new();
        let mut objects = Vec::with_capacity(rendered.manifests.len());
        for manifest in &rendered.manifests {
            check_identity(manifest)?;
            let node = substituted(object, manifest, variables, options.strict_substitution)?;
            if !text.is_empty() {
                text.push_str("---\n");
            }
            match node {
                Some(node) => {
                    let printed = gitops_yaml::to_yaml(&node)
                        .map_err(|error| format!("kustomize build failed: {error}"))?;
                    text.push_str(&printed);
                    objects.push(
                        node.to_json()
                            .map_err(|error| format!("kustomize build failed: {error}"))?,
                    );
                }
                None => {
                    text.push_str(manifest.as_yaml());
                    objects.push(manifest.to_json());
                }
            }
        }
        let digest = Digest::sha256(text.as_bytes()).to_string();
        Ok(Built {
            digest,
            objects: objects.into_iter().flat_map(expand).collect(),
        })
    }
}

/// The object with its variables replaced; nothing where none are.
fn substituted(
    object: &Kustomization,
    manifest: &Manifest,
    variables: Result<&BTreeMap<String, String>, &str>,
    is_strict: bool,
) -> Result<Option<Node>, String> {
    let Some(post_build) = &object.spec.post_build else {
        return Ok(None);
    };
    let is_disabled = ["labels", "annotations"].into_iter().any(|part| {
        let mark = manifest
            .node()
            .at(["metadata", part, annotation::KUSTOMIZE_SUBSTITUTE]);
        mark.and_then(Node::text)
            .is_some_and(|value| value == annotation::DISABLED)
    });
    if is_disabled {
        return Ok(None);
    }
    let failed = |what: &str| {
        format!(
            "post build failed for '{}/{}': {what}",
            kind_of(manifest),
            manifest.id().name
        )
    };
    let variables = variables.map_err(failed)?;
    let always = post_build.substitute_strategy == Some(SubstituteStrategy::Always);
    if variables.is_empty() && !always {
        return Ok(None);
    }
    let text = substitute::substitute(manifest.as_yaml(), variables, is_strict)
        .map_err(|error| failed(&format!("envsubst error: {error}")))?;
    let options = gitops_yaml::ReadOptions {
        flavour: gitops_yaml::Flavour::V2,
        ..Default::default()
    };
    let node = options.read_all(text.as_bytes()).and_then(|mut nodes| {
        let first = if nodes.is_empty() {
            None
        } else {
            Some(nodes.swap_remove(0))
        };
        // JSON is what both yaml.v2 and the API server agree on.
        first
            .map(|node| node.to_json_v2().map(Node::from))
            .transpose()
    });
    node.map_err(|error| failed(&format!("envsubst error: YAMLToJSON: {error}")))
}

/// The directory of a Kustomization, relative to the artifact's root; never outside of it.
fn directory(object: &Kustomization) -> Result<String, String> {
    let path = object.spec.path.as_deref().unwrap_or_default();
    // Like securejoin: `..` stops at the root.
    let mut clean = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    let joined = clean.join("/");
    clean_path(Path::new(&joined)).map_err(|error: TreeError| error.to_string())?;
    Ok(joined)
}

fn shown(path: &str) -> String {
    if path.is_empty() {
        format!("/{ROOT}")
    } else {
        format!("/{ROOT}/{path}")
    }
}

fn check_identity(manifest: &Manifest) -> Result<(), String> {
    let id = manifest.id();
    if id.name.is_empty() || id.kind.is_empty() || id.version.is_empty() {
        let text = gitops_core::truncate(manifest.as_yaml(), 1000);
        return Err(format!(
            "failed to decode Kubernetes apiVersion, kind and name from: {text}"
        ));
    }
    Ok(())
}

/// Kustomize's way to write a kind: `Deployment.v1.apps`, `ConfigMap.v1.[noGrp]`.
fn kind_of(manifest: &Manifest) -> String {
    let id = manifest.id();
    let group = if id.group.is_empty() {
        "[noGrp]"
    } else {
        &id.group
    };
    format!("{}.{}.{group}", id.kind, id.version)
}

/// The objects of a `List`, or the object itself.
fn expand(object: serde_json::Value) -> Vec<serde_json::Value> {
    let is_list = object["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    match object.get("items") {
        Some(serde_json::Value::Array(items)) if is_list => items.clone(),
        _ => vec![object],
    }
}

fn is_file(tree: &dyn Tree, path: &str) -> bool {
    tree.stat(Path::new(path))
        .is_ok_and(|entry| entry.kind != EntryKind::Directory)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn kustomization(spec: Value) -> Kustomization {
        let mut all = json!({"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "s"}});
        all.as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        serde_json::from_value(
            json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "a", "namespace": "n"}, "spec": all}),
        )
        .unwrap()
    }

    fn built(spec: Value, files: &[(&str, &str)]) -> Result<Vec<Value>, String> {
        let tree: MemoryTree = files
            .iter()
            .map(|(name, text)| (*name, text.as_bytes().to_vec()))
            .collect();
        let object = kustomization(spec);
        let variables = object
            .spec
            .post_build
            .clone()
            .unwrap_or_default()
            .substitute;
        let tree: Arc<dyn Tree> = Arc::new(tree);
        let build = Kustomize;
        build.find(&object, &*tree)?;
        build
            .build(
                &object,
                &tree,
                Ok(&variables),
                &Options::default(),
                &Scope::background(),
            )
            .map(|built| built.objects)
    }

    const CM: &str =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: \"${v:=x}\"}\n";

    #[test]
    fn a_directory_without_kustomization_is_built() {
        let objects = built(
            json!({"path": "./app", "targetNamespace": "t", "namePrefix": "p-"}),
            &[
                ("app/sub/cm.yaml", CM),
                ("app/readme.md", "x"),
                ("other.yaml", "nonsense: ["),
            ],
        )
        .unwrap();
        assert_eq!(objects.len(), 1);
        assert_eq!(
            objects[0]["metadata"],
            json!({"name": "p-a", "namespace": "t"})
        );
    }

    #[test]
    fn an_empty_directory_has_no_objects() {
        assert_eq!(
            built(json!({"path": "app"}), &[("app/readme.md", "x")]).unwrap(),
            Vec::<Value>::new()
        );
    }

    #[test]
    fn a_missing_directory_is_told() {
        let error = built(json!({"path": "./no"}), &[("a.yaml", CM)]).unwrap_err();
        assert!(
            error.starts_with("kustomization path not found: stat /tmp/"),
            "{error}"
        );
        assert!(error.ends_with("/no: no such file or directory"), "{error}");
        let outside = built(json!({"path": "../../etc"}), &[("a.yaml", CM)]).unwrap_err();
        assert!(
            outside.ends_with("/etc: no such file or directory"),
            "{outside}"
        );
    }

    #[test]
    fn variables_are_substituted() {
        let objects = built(
            json!({"postBuild": {"substitute": {"v": "z"}}}),
            &[("a.yaml", CM)],
        )
        .unwrap();
        assert_eq!(objects[0]["data"]["k"], "z");
        let none = built(json!({"postBuild": {}}), &[("a.yaml", CM)]).unwrap();
        assert_eq!(none[0]["data"]["k"], "${v:=x}");
        let always = json!({"postBuild": {"substituteStrategy": "Always"}});
        assert_eq!(
            built(always, &[("a.yaml", CM)]).unwrap()[0]["data"]["k"],
            "x"
        );
        let error = built(
            json!({"postBuild": {"substitute": {"bad-name": "y"}}}),
            &[("a.yaml", CM)],
        );
        assert_eq!(
            error.unwrap_err(),
            "post build failed for 'ConfigMap.v1.[noGrp]/a': envsubst error: 'bad-name' var name is \
             invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
        );
    }

    #[test]
    fn the_spec_goes_into_an_existing_kustomization() {
        let objects = built(
            json!({"images": [{"name": "nginx", "newTag": "2"}], "components": ["../extra", "../none"],
                "ignoreMissingComponents": true,
                "patches": [{"patch": "- {op: add, path: /metadata/labels, value: {x: yy}}", "target": {"kind": "Pod"}}]}),
            &[],
        );
        assert!(objects.is_ok_and(|objects| objects.is_empty()));
        let files = [
            (
                "app/kustomization.yaml",
                "resources: [pod.yaml]\nimages: [{name: nginx, newName: nn, digest: d}]\n",
            ),
            (
                "app/pod.yaml",
                "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: nginx:1}]}\n",
            ),
            (
                "extra/kustomization.yaml",
                "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -s\n",
            ),
        ];
        let objects = built(
            json!({"path": "app", "images": [{"name": "nginx", "newTag": "2"}], "components": ["../extra", "../none"],
                "ignoreMissingComponents": true,
                "patches": [{"patch": "- {op: add, path: /metadata/labels, value: {x: yy}}", "target": {"kind": "Pod"}}]}),
            &files,
        )
        .unwrap();
        assert_eq!(
            objects[0]["metadata"],
            json!({"name": "p-s", "labels": {"x": "yy"}})
        );
        assert_eq!(objects[0]["spec"]["containers"][0]["image"], "nn:2");
        let error = built(
            json!({"path": "app", "components": ["https://x/y"]}),
            &files,
        )
        .unwrap_err();
        assert_eq!(
            error,
            "component path 'https://x/y' must be local and relative"
        );
    }
}
