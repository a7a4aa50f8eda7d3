//! A replacement, whatever its paths and options say.
#![no_main]

use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildOptions, build};
use libfuzzer_sys::fuzz_target;

const OBJECTS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: y}}\ndata:\n  text: one-two\n  json: '{\"k\": [1, {\"n\": \"v\"}]}'\n  yaml: |\n    k: [1, 2]\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers: [{name: a, image: 'nginx:1'}, {name: b, image: 'x:2'}]\n";

fuzz_target!(|text: &str| {
    let tree = MemoryTree::from_iter([
        (
            "kustomization.yaml",
            "resources: [r.yaml]\nreplacements: [{path: replacement.yaml}]\n".to_owned(),
        ),
        ("replacement.yaml", text.to_owned()),
        ("r.yaml", OBJECTS.to_owned()),
    ]);
    drop(build(&tree, "".as_ref(), &BuildOptions::default(), &Scope::background()));
});
