//! What holds for every build: the same files give the same bytes, in whatever order they were found
//! and however many builds run.

#![allow(
    clippy::unwrap_used,
    clippy::from_iter_instead_of_collect,
    clippy::format_collect,
    clippy::default_trait_access,
    reason = "tests"
)]

use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildOptions, build};
use proptest::prelude::*;

/// The files of an overlay with a base of some objects.
fn files(names: &[String], prefix: &str, data: &[(String, String)]) -> Vec<(String, String)> {
    let mut files = vec![(
        "overlay/kustomization.yaml".to_owned(),
        format!(
            "resources: [../base]\nnamePrefix: {prefix}-\nnamespace: ns\ncommonLabels: {{team: a}}\n"
        ),
    )];
    let resources: String = names.iter().map(|name| format!("- {name}.yaml\n")).collect();
    let literals: String =
        data.iter().map(|(key, value)| format!("  - '{key}={value}'\n")).collect();
    let generator = if literals.is_empty() {
        String::new()
    } else {
        format!("configMapGenerator:\n- name: generated\n  literals:\n{literals}")
    };
    files.push((
        "base/kustomization.yaml".to_owned(),
        format!("resources:\n{resources}{generator}"),
    ));
    for name in names {
        files.push((
            format!("base/{name}.yaml"),
            format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: c\n        envFrom: [{{configMapRef: {{name: generated}}}}]\n"),
        ));
    }
    files
}

fn built(files: &[(String, String)]) -> String {
    let tree = MemoryTree::from_iter(files.iter().cloned());
    let rendered =
        build(&tree, "overlay".as_ref(), &BuildOptions::default(), &Scope::background()).unwrap();
    rendered.manifests.to_yaml()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn builds_are_deterministic(
        names in prop::collection::btree_set("[a-z]{1,8}", 1..6),
        prefix in "[a-z]{1,4}",
        // A key that reads as a truth value or null is none, as in the original.
        data in prop::collection::btree_map("[a-s]{1,4}", "[ -&(-~]{0,12}", 0..4),
    ) {
        let names: Vec<String> = names.into_iter().collect();
        let data: Vec<(String, String)> = data.into_iter().collect();
        let files = files(&names, &prefix, &data);
        let mut reversed = files.clone();
        reversed.reverse();
        let once = built(&files);
        prop_assert_eq!(&once, &built(&reversed));
        let twice = std::thread::scope(|threads| {
            let other = threads.spawn(|| built(&files));
            (built(&files), other.join().unwrap())
        });
        prop_assert_eq!(&once, &twice.0);
        prop_assert_eq!(&once, &twice.1);
        // Generated objects are found under their new names.
        if !data.is_empty() {
            let name = once.lines().find_map(|line| line.strip_prefix("  name: ").filter(|name| name.contains("generated"))).unwrap();
            prop_assert_eq!(once.matches(name).count(), names.len() + 1);
        }
    }
}

const OBJECTS: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {a: b}}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - {name: a, image: 'nginx:1', ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]}\n      - {name: b, image: 'x:2', env: [{name: E, value: v}, {value: w}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {text: one-two, json: '{\"k\": [1]}'}\n";

/// YAML in braces, of the words that patches are made of.
fn flow_yaml() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "name",
        "$patch",
        "delete",
        "replace",
        "merge",
        "spec",
        "template",
        "containers",
        "env",
        "ports",
        "image",
        "containerPort",
        "80",
        "null",
        "a",
        "b",
        "value",
        "op",
        "add",
        "path",
        "/spec/replicas",
        "/metadata/annotations/x",
        "from",
        "metadata",
        "labels",
        "annotations",
        "~",
        "1e3",
        "''",
        "protocol",
        "UDP",
    ]);
    let leaf = words.clone().prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let pairs = prop::collection::vec((words.clone(), inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            pairs.prop_map(|pairs| {
                let mut seen = std::collections::BTreeSet::new();
                let pairs: Vec<String> = pairs
                    .into_iter()
                    .filter(|(key, _)| seen.insert(*key))
                    .map(|(key, value)| format!("{key}: {value}"))
                    .collect();
                format!("{{{}}}", pairs.join(", "))
            }),
        ]
    })
}

fn outcome(kustomization: &str, file: &str) -> Result<String, String> {
    let tree = MemoryTree::from_iter([
        ("kustomization.yaml".to_owned(), kustomization.to_owned()),
        ("r.yaml".to_owned(), OBJECTS.to_owned()),
        ("f.yaml".to_owned(), file.to_owned()),
    ]);
    build(&tree, "".as_ref(), &BuildOptions::default(), &Scope::background())
        .map(|rendered| rendered.manifests.to_yaml())
        .map_err(|error| format!("{error:#}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn patches_of_any_shape_apply_or_fail_alike(spec in flow_yaml(), operations in flow_yaml()) {
        let top = "resources: [r.yaml]\npatches: [{path: f.yaml, target: {kind: Deployment}}]\n";
        let patch = format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {spec}\n");
        for patch in [patch, operations] {
            let once = outcome(top, &patch);
            prop_assert_eq!(&once, &outcome(top, &patch));
            if let Ok(built) = once {
                prop_assert!(gitops_yaml::read_all(&built).is_ok(), "{}", built);
            }
        }
    }

    #[test]
    fn replacements_of_any_shape_apply_or_fail_alike(
        source in "(data|metadata|spec)(\\.(text|json|name|labels|replicas|[0-2]|k))?",
        target in "(data|metadata|spec|\\*)(\\.(text|json|k|labels|template|spec|containers|[0-3]|\\*|\\[name=a\\]|\\[=x\\])){0,5}",
        delimiter in "[-:/]?",
        index in -2..5_i32,
        create: bool,
    ) {
        let top = "resources: [r.yaml]\nreplacements: [{path: f.yaml}]\n";
        let options = format!("{{delimiter: '{delimiter}', index: {index}, create: {create}}}");
        let file = format!(
            "source: {{kind: ConfigMap, fieldPath: '{source}', options: {{delimiter: '{delimiter}', index: {index}}}}}\ntargets:\n- {{select: {{kind: .*}}, fieldPaths: ['{target}'], options: {options}}}\n"
        );
        prop_assert_eq!(outcome(top, &file), outcome(top, &file));
    }
}
