//! A kustomization file never breaks a build, and builds the same twice.
#![no_main]

use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildOptions, build};
use libfuzzer_sys::fuzz_target;

const OBJECTS: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers: [{name: a, image: 'nginx:1'}]\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n";

fuzz_target!(|text: &str| {
    let tree = MemoryTree::from_iter([
        ("kustomization.yaml", text.to_owned()),
        ("r.yaml", OBJECTS.to_owned()),
    ]);
    let run = || {
        build(&tree, "".as_ref(), &BuildOptions::default(), &Scope::background())
            .map(|rendered| rendered.manifests.to_yaml())
            .map_err(|error| format!("{error:#}"))
    };
    assert_eq!(run(), run());
});
