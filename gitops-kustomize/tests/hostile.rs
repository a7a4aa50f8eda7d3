//! Hostile input ends in an error, soon: numbers are those of the project's table of security cases.

#![allow(
    clippy::unwrap_used,
    clippy::from_iter_instead_of_collect,
    clippy::format_collect,
    clippy::default_trait_access,
    reason = "tests"
)]

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use gitops_core::{DiskTree, MemoryTree, Scope, one_line};
use gitops_kustomize::{
    BuildLimits, BuildOptions, Error, ErrorKind, LoadRestriction, Rendered, build,
};

fn tree(files: &[(&str, &str)]) -> MemoryTree {
    MemoryTree::from_iter(files.iter().map(|(path, text)| (*path, (*text).to_owned())))
}

fn unrestricted() -> BuildOptions {
    BuildOptions { load_restriction: LoadRestriction::None, ..options() }
}

fn options() -> BuildOptions {
    BuildOptions::default()
}

fn run(tree: &MemoryTree, path: &str) -> Result<Rendered, Error> {
    let begin = Instant::now();
    let result = build(tree, path.as_ref(), &unrestricted(), &Scope::background());
    // Generous for debug builds on busy machines; what is caught here would take minutes or forever.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    result
}

fn error(tree: &MemoryTree, path: &str) -> Error {
    run(tree, path).expect_err("must fail")
}

/// Rows 1 to 3: bombs in the kustomization file itself.
#[test]
fn documents_that_explode() {
    let mut bomb = String::from("x-a: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(bomb, "x-{level}: &a{level} [{aliases}]");
    }
    assert_eq!(error(&tree(&[("kustomization.yaml", &bomb)]), "").kind(), ErrorKind::Limit);
    let own = error(&tree(&[("kustomization.yaml", "resources: &a [*a]\n")]), "");
    assert!(one_line(&own).contains("value contains itself"), "{own}");
    for open in ["[", "{a: ", "- "] {
        let deep = format!("resources:\n  {}", open.repeat(50_000));
        error(&tree(&[("kustomization.yaml", &deep)]), "");
    }
    let deep = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {}",
        "[".repeat(50_000)
    );
    error(&tree(&[("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", &deep)]), "");
}

/// Rows 13 and 14: paths and links out of the tree.
#[test]
fn escapes() {
    for entry in ["../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "a/../../../x"] {
        let files = tree(&[("app/kustomization.yaml", &format!("resources: ['{entry}']\n"))]);
        let error = error(&files, "app");
        assert!(
            matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound),
            "{entry}: {error:?}"
        );
    }
    let files = tree(&[("app/kustomization.yaml", "resources: [../b.yaml]\n"), ("b.yaml", "a: b")]);
    let restricted = build(&files, "app".as_ref(), &options(), &Scope::background()).unwrap_err();
    assert!(
        one_line(&restricted).contains("security; file '/b.yaml' is not in or below '/app'"),
        "{restricted:?}"
    );

    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("token.yaml"), "secret").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(dir.path().join(file), text).unwrap();
    for (link, target) in [
        ("abs.yaml", outside.path().join("token.yaml")),
        ("up", "../..".into()),
        ("dir", outside.path().into()),
    ] {
        std::os::unix::fs::symlink(target, dir.path().join(link)).unwrap();
    }
    for entry in ["abs.yaml", "up/etc/passwd", "dir", "dir/token.yaml"] {
        write("kustomization.yaml", &format!("resources: [{entry}]\n"));
        let tree = DiskTree::open(dir.path()).unwrap();
        let error = build(&tree, "".as_ref(), &unrestricted(), &Scope::background()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{entry}: {error:?}");
        assert!(!format!("{error:#?}").contains("secret"));
    }
}

/// Row 16: circles, also by links and components.
#[test]
fn cycles() {
    for (files, path) in [
        (vec![("a/kustomization.yaml", "resources: [.]\n")], "a"),
        (
            vec![
                ("a/kustomization.yaml", "resources: [../b]\n"),
                ("b/kustomization.yaml", "resources: [../a]\n"),
            ],
            "a",
        ),
        (
            vec![
                ("a/kustomization.yaml", "components: [../c]\n"),
                (
                    "c/kustomization.yaml",
                    "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncomponents: [../c]\n",
                ),
            ],
            "a",
        ),
    ] {
        let begin = Instant::now();
        let error = error(&tree(&files), path);
        assert_eq!(error.kind(), ErrorKind::Cycle, "{error:?}");
        assert!(one_line(&error).contains("cycle detected: candidate root"), "{error:?}");
        assert!(begin.elapsed() < Duration::from_millis(500));
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("kustomization.yaml"), "resources: [loop]\n").unwrap();
    std::os::unix::fs::symlink(".", dir.path().join("loop")).unwrap();
    let tree = DiskTree::open(dir.path()).unwrap();
    let error = build(&tree, "".as_ref(), &unrestricted(), &Scope::background()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cycle, "{error:?}");
}

/// Row 17: each level names two directories of the next, which makes 2^30 ways down.
#[test]
fn diamonds() {
    let mut files = MemoryTree::new();
    for level in 0..30 {
        for side in ["l", "r"] {
            let next = level + 1;
            let text = format!("resources: [../l{next}, ../r{next}]\n");
            files.insert(format!("{side}{level}/kustomization.yaml"), text).unwrap();
        }
    }
    for side in ["l30", "r30"] {
        files.insert(format!("{side}/kustomization.yaml"), "namespace: x\n").unwrap();
    }
    assert_eq!(run(&files, "l0").unwrap().manifests.len(), 0);
    // With objects below, and a prefix that keeps them apart, the number of objects is bounded.
    for level in 0..30 {
        for side in ["l", "r"] {
            let next = level + 1;
            let text = format!("namePrefix: {side}-\nresources: [../l{next}, ../r{next}]\n");
            files.insert(format!("{side}{level}/kustomization.yaml"), text).unwrap();
        }
    }
    for side in ["l30", "r30"] {
        files
            .insert(
                format!("{side}/kustomization.yaml"),
                format!("resources: [a.yaml]\nnamePrefix: {side}-\n"),
            )
            .unwrap();
        files
            .insert(
                format!("{side}/a.yaml"),
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
            )
            .unwrap();
    }
    let limits = BuildLimits { resources: 2000, ..BuildLimits::default() };
    let options = BuildOptions { limits, ..unrestricted() };
    let error = build(&files, "l0".as_ref(), &options, &Scope::background()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
}

/// Row 20 and 22: nothing is fetched, and nothing is run.
#[test]
fn remotes_plugins_and_charts_are_refused() {
    for (text, message) in [
        (
            "resources: ['https://user:token@example.com/org/repo?ref=v1']",
            "remote 'example.com/org/repo' is not allowed in this build",
        ),
        (
            "resources: ['git@example.com:org/repo']",
            "remote 'example.com:org/repo' is not allowed in this build",
        ),
        (
            "components: ['github.com/org/repo']",
            "remote 'github.com/org/repo' is not allowed in this build",
        ),
        (
            "transformers:\n- |-\n  apiVersion: someteam.example.com/v1\n  kind: Sed\n  metadata: {name: x}",
            "unable to load external plugin 'Sed'",
        ),
        (
            "generators:\n- |-\n  apiVersion: v1\n  kind: Fn\n  metadata: {name: x, annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}}",
            "unable to load external plugin 'Fn'",
        ),
        ("helmCharts: [{name: x, repo: 'https://example.com'}]", "must specify --enable-helm"),
    ] {
        let error = error(&tree(&[("kustomization.yaml", text)]), "");
        let line = one_line(&error);
        assert!(line.contains(message), "{line}");
        assert!(!format!("{error:#?}").contains("token"), "{error:#?}");
    }
}

/// Rows 24 to 26: patterns and sizes.
#[test]
fn patterns_and_sizes() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n";
    let patch = |name: &str| {
        format!(
            "resources: [a.yaml]\npatches:\n- target: {{name: '{name}'}}\n  patch: '[{{\"op\": \"add\", \"path\": \"/data\", \"value\": {{}}}}]'\n"
        )
    };
    run(&tree(&[("kustomization.yaml", &patch("(a+)+$")), ("a.yaml", object)]), "").unwrap();
    let huge = patch(&"(a{1000}){1000}".repeat(20));
    error(&tree(&[("kustomization.yaml", &huge), ("a.yaml", object)]), "");
    let limits = BuildLimits { output: 1 << 20, ..BuildLimits::default() };
    let options = BuildOptions { limits, ..unrestricted() };
    let prefix = format!("resources: [a.yaml]\nnamePrefix: {}\n", "x".repeat(2 << 20));
    let files = tree(&[("kustomization.yaml", &prefix), ("a.yaml", object)]);
    assert_eq!(
        build(&files, "".as_ref(), &options, &Scope::background()).unwrap_err().kind(),
        ErrorKind::Limit
    );
}

/// Row 27: objects that are none, and lists of lists.
#[test]
fn odd_objects() {
    for object in [
        "a: b\n",
        "kind: ConfigMap\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: []\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: [a]\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: text\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {}}\n",
        "apiVersion: v1\nkind: {}\nmetadata: {name: a}\n",
        "[]\n[]\n",
        "- a\n- b\n",
        "text\n",
        "1: 2\n",
        "{[a]: b, kind: X, metadata: {name: a}}\n",
    ] {
        let files = tree(&[
            ("kustomization.yaml", "resources: [a.yaml]\nnamePrefix: x-\nnamespace: n\n"),
            ("a.yaml", object),
        ]);
        let error = error(&files, "");
        assert!(error.file().is_some(), "{object}: {error:?}");
    }
    // Fields of a wrong shape in the way of every transformer.
    let odd = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, labels: null, annotations: null}\nspec: {template: [1, {metadata: x}], selector: text, replicas: {}}\n";
    let all = "resources: [a.yaml]\nnamePrefix: x-\nnamespace: n\ncommonLabels: {a: b}\ncommonAnnotations: {a: b}\nimages: [{name: x, newTag: y}]\nreplicas: [{name: a, count: 2}]\n";
    error(&tree(&[("kustomization.yaml", all), ("a.yaml", odd)]), "");
    let mut lists = String::new();
    for _ in 0..900 {
        lists.push_str("{kind: List, items: [");
    }
    lists.push_str("{kind: A, metadata: {name: a}}");
    lists.push_str(&"]}".repeat(900));
    // Deeper than the reader allows, or read and flattened without recursion.
    let _ = run(&tree(&[("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", &lists)]), "");
    let deeper = lists.replace("{kind: List, items: [", &"{kind: List, items: [".repeat(12));
    error(&tree(&[("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", &deeper)]), "");
}

/// Row 28: builds with different schemas run side by side.
#[test]
fn schemas_do_not_leak() {
    let schema = r#"{"definitions": {"T": {"properties": {"list": {"type": "array", "x-kubernetes-patch-merge-key": "id", "x-kubernetes-patch-strategy": "merge"}},
        "x-kubernetes-group-version-kind": [{"group": "g", "version": "v1", "kind": "T"}]}}}"#;
    let object = "apiVersion: g/v1\nkind: T\nmetadata: {name: t}\nlist: [{id: a, v: 1}]\n";
    let patches = "resources: [t.yaml]\npatches:\n- patch: |\n    apiVersion: g/v1\n    kind: T\n    metadata: {name: t}\n    list: [{id: b}]\n";
    let with = tree(&[
        ("kustomization.yaml", &format!("openapi: {{path: schema.json}}\n{patches}")),
        ("t.yaml", object),
        ("schema.json", schema),
    ]);
    let without = tree(&[("kustomization.yaml", patches), ("t.yaml", object)]);
    let (with, without) = (Arc::new(with), Arc::new(without));
    std::thread::scope(|threads| {
        for (tree, items) in [(&with, 2), (&without, 1), (&with, 2), (&without, 1)] {
            threads.spawn(move || {
                for _ in 0..20 {
                    let json = run(tree, "").unwrap().manifests.to_json();
                    assert_eq!(json[0]["list"].as_array().map(Vec::len), Some(items));
                }
            });
        }
    });
}

#[test]
fn a_cancelled_build_stops() {
    let scope = Scope::background();
    scope.cancel();
    let files = tree(&[("kustomization.yaml", "namespace: x\n")]);
    let error = build(&files, "".as_ref(), &options(), &scope).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
