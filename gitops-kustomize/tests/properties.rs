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
        data in prop::collection::btree_map("[a-z]{1,4}", "[ -&(-~]{0,12}", 0..4),
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
