//! How an artifact becomes objects: from a Kustomization's spec to plain options of
//! [`gitops_kustomize::flux`], and back to JSON.

mod remotes;

pub use remotes::remote_file;

use std::{collections::BTreeMap, sync::Arc};

use gitops_api::{
    kustomize::{BuildMetadata, Kustomization, SubstituteStrategy},
    meta::{Selector, annotation},
};
use gitops_core::{Digest, Scope, Tree, one_line};
use gitops_kustomize::{
    BuildOptions, Manifest, Rendered, Warning,
    flux::{self, FluxImage, FluxOptions, FluxPatch, PatchTarget, Strategy, Substitution},
};
use gitops_yaml::Node;

use crate::{
    kustomization::{Build, Built, Options, Unbuilt},
    runtime::Place,
};

/// Where artifacts seem to be unpacked, in messages: as if by Flux.
const SHOWN_ROOT: &str = "/tmp/kustomization-0";

/// Builds with kustomize.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kustomize;

impl Build for Kustomize {
    fn find(&self, object: &Kustomization, tree: &dyn Tree) -> Result<(), String> {
        let found = flux::find_directory(tree, path(object), &build_options());
        found.map(drop).map_err(|error| one_line(&error))
    }

    fn build(
        &self,
        object: &Kustomization,
        tree: &Arc<dyn Tree>,
        variables: Result<&BTreeMap<String, String>, &str>,
        options: &Options,
        scope: &Scope,
    ) -> Result<Built, Unbuilt> {
        let tree = Arc::clone(tree);
        let mut build = build_options();
        build.remotes = remotes::remotes(options.no_remote_bases, SHOWN_ROOT, scope);
        let rendered = flux::render(tree, path(object), &flux_options(object), &build, scope);
        let Rendered { mut manifests, mut warnings } = rendered.map_err(|error| unbuilt(&error))?;
        if let Some(post_build) = &object.spec.post_build {
            let vars = match variables {
                Ok(variables) => variables.clone(),
                // Quirk: Flux reads the variables anew for every object, so the first one fails.
                Err(error) => match manifests.iter().find(|manifest| is_substituted(manifest)) {
                    Some(first) => return Err(post_build_failed(first, error).into()),
                    None => BTreeMap::new(),
                },
            };
            let strategy = match post_build.substitute_strategy.unwrap_or_default() {
                SubstituteStrategy::WithVariables => Strategy::WithVariables,
                SubstituteStrategy::Always => Strategy::Always,
            };
            let strict = options.strict_substitution;
            let substitution = Substitution { vars, strict, strategy, ..Default::default() };
            let more = flux::substitute(&mut manifests, &substitution);
            warnings.extend(more.map_err(|error| unbuilt(&error))?);
        }
        let digest = Digest::sha256(manifests.to_yaml().as_bytes()).to_string();
        let objects = manifests.to_json().into_iter().flat_map(expand).collect();
        let places = manifests.iter().filter_map(|manifest| {
            let source = manifest.source()?;
            let place = Place { file: Arc::clone(&source.file), line: source.line };
            Some((manifest.id().clone(), place))
        });
        let places = places.collect();
        let warnings = warnings.iter().map(warning_text).collect();
        Ok(Built { digest, objects, places, warnings })
    }
}

fn unbuilt(error: &gitops_kustomize::Error) -> Unbuilt {
    Unbuilt { message: one_line(error), page: format!("{error:#}") }
}

fn warning_text(warning: &Warning) -> String {
    match &warning.place {
        Some(place) => format!("{place}: {warning}"),
        None => warning.to_string(),
    }
}

fn build_options() -> BuildOptions {
    let mut options = BuildOptions::default();
    SHOWN_ROOT.clone_into(&mut options.shown_root);
    options
}

fn path(object: &Kustomization) -> &str {
    object.spec.path.as_deref().unwrap_or_default()
}

fn flux_options(object: &Kustomization) -> FluxOptions {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let target = |target: &Selector| PatchTarget {
        group: text(&target.group),
        version: text(&target.version),
        kind: text(&target.kind),
        name: text(&target.name),
        namespace: text(&target.namespace),
        label_selector: text(&target.label_selector),
        annotation_selector: text(&target.annotation_selector),
    };
    let spec = &object.spec;
    let patches = spec.patches.iter().map(|patch| FluxPatch {
        patch: patch.patch.clone(),
        target: patch.target.as_ref().map(target),
    });
    let images = spec.images.iter().map(|image| FluxImage {
        name: image.name.clone(),
        new_name: text(&image.new_name),
        new_tag: text(&image.new_tag),
        digest: text(&image.digest),
    });
    let build_metadata = spec.build_metadata.iter().map(|kind| match kind {
        BuildMetadata::OriginAnnotations => "originAnnotations".to_owned(),
        BuildMetadata::TransformerAnnotations => "transformerAnnotations".to_owned(),
    });
    FluxOptions {
        target_namespace: text(&spec.target_namespace),
        name_prefix: text(&spec.name_prefix),
        name_suffix: text(&spec.name_suffix),
        patches: patches.collect(),
        images: images.collect(),
        components: spec.components.clone(),
        ignore_missing_components: spec.ignore_missing_components,
        build_metadata: build_metadata.collect(),
    }
}

/// Whether variables are looked for in an object.
fn is_substituted(manifest: &Manifest) -> bool {
    !["labels", "annotations"].into_iter().any(|part| {
        let mark = manifest.node().at(["metadata", part, annotation::KUSTOMIZE_SUBSTITUTE]);
        mark.and_then(Node::text).is_some_and(|value| value == annotation::DISABLED)
    })
}

fn post_build_failed(manifest: &Manifest, error: &str) -> String {
    let id = manifest.id();
    let group = if id.group.is_empty() { "[noGrp]" } else { &id.group };
    format!("post build failed for '{}.{}.{group}/{}': {error}", id.kind, id.version, id.name)
}

/// The objects of a `List`, or the object itself.
fn expand(object: serde_json::Value) -> Vec<serde_json::Value> {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match object.get("items") {
        Some(serde_json::Value::Array(items)) if is_list => items.clone(),
        _ => vec![object],
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "literals read better")]
mod tests {
    use serde_json::{Value, json};

    use gitops_core::MemoryTree;

    use super::*;

    fn kustomization(spec: Value) -> Kustomization {
        let mut all = json!({"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "s"}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(
            json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "a", "namespace": "n"}, "spec": all}),
        )
        .unwrap()
    }

    fn built(spec: Value, files: &[(&str, &str)]) -> Result<Vec<Value>, String> {
        let tree: MemoryTree =
            files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
        let object = kustomization(spec);
        let variables = object.spec.post_build.clone().unwrap_or_default().substitute;
        let tree: Arc<dyn Tree> = Arc::new(tree);
        let build = Kustomize;
        build.find(&object, &*tree)?;
        build
            .build(&object, &tree, Ok(&variables), &Options::default(), &Scope::background())
            .map(|built| built.objects)
            .map_err(|failure| failure.message)
    }

    const CM: &str =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: \"${v:=x}\"}\n";

    #[test]
    fn a_directory_without_kustomization_is_built() {
        let objects = built(
            json!({"path": "./app", "targetNamespace": "t", "namePrefix": "p-"}),
            &[("app/sub/cm.yaml", CM), ("app/readme.md", "x"), ("other.yaml", "nonsense: [")],
        )
        .unwrap();
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0]["metadata"], json!({"name": "p-a", "namespace": "t"}));
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
        assert!(error.starts_with("kustomization path not found: stat /tmp/"), "{error}");
        assert!(error.ends_with("/no: no such file or directory"), "{error}");
        let outside = built(json!({"path": "../../etc"}), &[("a.yaml", CM)]).unwrap_err();
        assert!(outside.ends_with("/etc: no such file or directory"), "{outside}");
    }

    #[test]
    fn variables_are_substituted() {
        let objects =
            built(json!({"postBuild": {"substitute": {"v": "z"}}}), &[("a.yaml", CM)]).unwrap();
        assert_eq!(objects[0]["data"]["k"], "z");
        let none = built(json!({"postBuild": {}}), &[("a.yaml", CM)]).unwrap();
        assert_eq!(none[0]["data"]["k"], "${v:=x}");
        let always = json!({"postBuild": {"substituteStrategy": "Always"}});
        assert_eq!(built(always, &[("a.yaml", CM)]).unwrap()[0]["data"]["k"], "x");
        let error =
            built(json!({"postBuild": {"substitute": {"bad-name": "y"}}}), &[("a.yaml", CM)]);
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
        assert_eq!(objects[0]["metadata"], json!({"name": "p-s", "labels": {"x": "yy"}}));
        assert_eq!(objects[0]["spec"]["containers"][0]["image"], "nn:2");
        let error =
            built(json!({"path": "app", "components": ["https://x/y"]}), &files).unwrap_err();
        assert_eq!(error, "component path 'https://x/y' must be local and relative");
    }
}
