//! The definitions of the kinds (`CustomResourceDefinition`), made from the types.
//!
//! What the derived schema lacks or has in excess is set right in one pass, the same for every
//! kind; see [`definition`]. Nothing here is about one kind alone: that stands at its type, in
//! attributes.

use kube::{CustomResourceExt, Resource};
use serde_json::{Map, Value, json};

use crate::{helm, image, kustomize, meta::annotation, notification, source};

/// The definitions of all kinds, sorted by name, as JSON objects that a cluster accepts.
///
/// ```
/// let crds = gitops_api::crds();
/// assert!(crds.iter().any(|crd| crd["metadata"]["name"] == "kustomizations.kustomize.toolkit.fluxcd.io"));
/// ```
pub fn crds() -> Vec<Value> {
    let mut all = vec![
        definition::<helm::HelmRelease>(),
        definition::<image::ImagePolicy>(),
        definition::<image::ImageRepository>(),
        definition::<image::ImageUpdateAutomation>(),
        definition::<kustomize::Kustomization>(),
        definition::<notification::Alert>(),
        definition::<notification::Provider>(),
        definition::<notification::Receiver>(),
        definition::<source::ArtifactGenerator>(),
        definition::<source::Bucket>(),
        definition::<source::ExternalArtifact>(),
        definition::<source::GitRepository>(),
        definition::<source::HelmChart>(),
        definition::<source::HelmRepository>(),
        definition::<source::OciRepository>(),
    ];
    all.sort_by(|a, b| a["metadata"]["name"].as_str().cmp(&b["metadata"]["name"].as_str()));
    all
}

/// The definition of one kind as YAML, or nothing if there is no such kind.
///
/// ```
/// let text = gitops_api::crd_yaml("GitRepository").expect("GitRepository is one of the kinds");
/// assert!(text.starts_with("apiVersion: apiextensions.k8s.io/v1\n"));
/// ```
#[expect(clippy::missing_panics_doc, reason = "every JSON object can be written as YAML")]
pub fn crd_yaml(kind: &str) -> Option<String> {
    let crd = crds().into_iter().find(|crd| crd["spec"]["names"]["kind"] == kind)?;
    Some(gitops_yaml::to_yaml(&crd.into()).expect("JSON objects can be written as YAML"))
}

/// The definition of one kind: the derived one, with these corrections.
///
/// * `nullable`, which stands for Rust's `Option`, goes: an absent field is absent, never null.
/// * The root names `apiVersion`, `kind` and `metadata`, and requires nothing: a missing `spec`
///   is for the controllers to complain about.
/// * A status with `observedGeneration` starts with -1, which tells "never looked at" from
///   "looked at before there was a generation".
/// * The list kind is spelled out, and `subresources` is there even where it is empty.
/// * The annotations are those that existing installations carry, so that comparing with one
///   shows no difference.
fn definition<K: CustomResourceExt + Resource<DynamicType = ()>>() -> Value {
    let mut crd =
        serde_json::to_value(K::crd()).expect("a definition is made of maps with text keys");
    crd["metadata"]["annotations"] = annotations(&K::kind(&()));
    crd["spec"]["names"]["listKind"] = format!("{}List", K::kind(&())).into();
    for name in ["categories", "shortNames"] {
        drop_empty(&mut crd["spec"]["names"], name);
    }
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        let root = &mut version["schema"]["openAPIV3Schema"];
        tidy(root);
        complete_root(root);
        if let Some(version) = version.as_object_mut() {
            version.entry("subresources").or_insert_with(|| json!({}));
        }
    }
    crd
}

fn complete_root(root: &mut Value) {
    if let Some(root) = root.as_object_mut() {
        root.remove("required");
    }
    let Some(properties) = root["properties"].as_object_mut() else {
        return;
    };
    if let Some(status) = properties.get_mut("status")
        && status["properties"].get("observedGeneration").is_some()
    {
        status["default"] = json!({ "observedGeneration": -1 });
    }
    let mut complete = Map::new();
    complete.insert(
        "apiVersion".into(),
        json!({ "type": "string", "description": "The group and version of the API, `group/version`." }),
    );
    complete.insert(
        "kind".into(),
        json!({ "type": "string", "description": "The kind of the object, in CamelCase." }),
    );
    complete.insert("metadata".into(), json!({ "type": "object" }));
    complete.append(properties);
    *properties = complete;
}

/// Drops what stands for Rust's types only, at all depths.
fn tidy(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    schema.remove("nullable");
    schema.remove("title");
    // The typed definition holds bounds as floating point numbers, whatever they bound.
    if let Some(minimum) = schema.get_mut("minimum")
        && minimum.as_f64() == Some(0.0)
    {
        *minimum = 0.into();
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(tidy);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(inner) {
            tidy(inner);
        }
    }
}

fn drop_empty(parent: &mut Value, name: &str) {
    if let Some(parent) = parent.as_object_mut()
        && parent.get(name).is_some_and(|list| list.as_array().is_some_and(Vec::is_empty))
    {
        parent.remove(name);
    }
}

/// The annotations of a definition. Variables in a CRD are never meant for substitution.
fn annotations(kind: &str) -> Value {
    let mut annotations = Map::new();
    annotations.insert("controller-gen.kubebuilder.io/version".into(), "v0.21.0".into());
    if !matches!(kind, "ImagePolicy" | "ImageRepository") {
        annotations.insert(annotation::KUSTOMIZE_SUBSTITUTE.into(), annotation::DISABLED.into());
    }
    Value::Object(annotations)
}
