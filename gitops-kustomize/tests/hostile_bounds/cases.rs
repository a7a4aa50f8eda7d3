//! One build for each input.

use std::fmt::Write as _;

use gitops_core::MemoryTree;
use gitops_kustomize::ErrorKind;

use crate::{MEMORY, config_map, tree};

fn bomb() -> String {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{aliases}]");
    }
    bomb
}

/// One input: how it is made, what must come of it, and what it may take besides its own size.
pub(crate) type Case = (&'static str, fn() -> MemoryTree, Option<ErrorKind>, usize);

fn resource(text: impl Into<String>) -> MemoryTree {
    tree(vec![("kustomization.yaml", "resources: [a.yaml]\n".into()), ("a.yaml", text.into())])
}

/// Two objects under a kustomization with these lines.
fn over(text: &str) -> MemoryTree {
    tree(vec![
        ("kustomization.yaml", format!("resources: [a.yaml]\n{text}")),
        ("a.yaml", config_map("a") + "---\n" + &deployment()),
    ])
}

fn deployment() -> String {
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n".to_owned()
}

fn huge_prefix() -> MemoryTree {
    let many: String = (0..10_000).map(|n| config_map(&format!("m{n}")) + "---\n").collect();
    let text = format!("resources: [a.yaml]\nnamePrefix: {}\n", "p".repeat(1 << 20));
    tree(vec![("kustomization.yaml", text), ("a.yaml", many)])
}

fn huge_selector() -> MemoryTree {
    let name = "a|".repeat(1 << 19);
    over(&format!("patches: [{{target: {{name: '({name})'}}, patch: '[]'}}]\n"))
}

fn many_anchors() -> MemoryTree {
    let mut lines = String::new();
    for n in 0..50_000 {
        let _ = writeln!(lines, "  k{n}: &a{n} x # {n}\n  # {n}");
    }
    resource(config_map("a") + "data:\n" + &lines)
}

fn operations(op: &str, path: &str) -> String {
    format!(
        "patches:\n- target: {{kind: Deployment}}\n  patch: |-\n    - {{op: {op}, path: {path}, value: x}}\n"
    )
}

/// Thirty copies of a value into itself.
fn doubling() -> String {
    let mut text = operations("add", "/spec/x");
    text = text.replace("value: x", "value: {a: 0123456789}");
    for number in 0..30 {
        let _ = writeln!(text, "    - {{op: copy, from: /spec/x, path: /spec/x/c{number}}}");
    }
    text
}

/// Each level names two directories of the next one.
fn diamond() -> MemoryTree {
    let mut files = MemoryTree::new();
    for level in 0..30 {
        for side in ["a", "b"] {
            let next = format!("resources: [../a{}, ../b{}]\n", level + 1, level + 1);
            files.insert(format!("{side}{level}/kustomization.yaml"), next).unwrap();
        }
    }
    for side in ["a30", "b30"] {
        let text = format!("configMapGenerator: [{{name: {side}}}]\n");
        files.insert(format!("{side}/kustomization.yaml"), text).unwrap();
    }
    files.insert("kustomization.yaml", "resources: [a0, b0]\n").unwrap();
    files
}

fn replacement(paths: &str, name: &str) -> String {
    format!(
        "replacements:\n- sourceValue: x\n  targets:\n  - select: {{name: '{name}'}}\n    fieldPaths: {paths}\n"
    )
}

fn lists() -> MemoryTree {
    let depth = 10_000;
    resource("{apiVersion: v1, kind: List, items: [".repeat(depth) + &"]}".repeat(depth))
}

pub(crate) const CASES: &[Case] = &[
    ("row 1: aliases", || resource(bomb()), Some(ErrorKind::Limit), MEMORY),
    ("row 2: an anchor in itself", || resource("a: &a [*a]\n"), Some(ErrorKind::Syntax), MEMORY),
    ("row 3: nesting", || resource("[".repeat(100_000)), Some(ErrorKind::Limit), MEMORY),
    ("row 3: mappings", || resource("{a: ".repeat(100_000)), Some(ErrorKind::Limit), MEMORY),
    ("row 4: cut off", || resource("a: 'b\n  c: [d, \"e\n"), Some(ErrorKind::Syntax), MEMORY),
    ("row 4: a crash of yaml.v3", || resource("0: [:!00 ê"), Some(ErrorKind::Syntax), MEMORY),
    (
        "row 5: a key twice",
        || resource(config_map("a") + "data: {a: b, a: c}\n"),
        Some(ErrorKind::Syntax),
        MEMORY,
    ),
    ("row 7: a large number", || resource(config_map("a") + "x: 1e400\n"), None, MEMORY),
    (
        "row 7: no number",
        || resource(config_map("a") + "x: .nan\n"),
        Some(ErrorKind::Syntax),
        MEMORY,
    ),
    ("row 8: a zero byte", || resource("a: \0\n"), Some(ErrorKind::Syntax), MEMORY),
    (
        "row 9: a tag of code",
        || resource(config_map("a") + "x: !!python/object/apply:os.system [ls]\n"),
        None,
        MEMORY,
    ),
    (
        "row 113: no text",
        || MemoryTree::from_iter([("kustomization.yaml", b"resources: [\xff\xfe\x80]\n".to_vec())]),
        Some(ErrorKind::Syntax),
        MEMORY,
    ),
    (
        "row 5: a key twice by a merge",
        || resource(config_map("a") + "x: &x {a: b}\ndata: {a: c, <<: *x, <<: *x}\n"),
        Some(ErrorKind::Syntax),
        MEMORY,
    ),
    (
        "row 10: a mapping as key",
        || resource(config_map("a") + "x: {{a: b}: c}\n"),
        Some(ErrorKind::Syntax),
        MEMORY,
    ),
    ("row 11: anchors and comments", many_anchors, None, 2 * MEMORY),
    ("row 12: copies of copies", || over(&doubling()), Some(ErrorKind::Limit), MEMORY),
    (
        "row 12: an index far out",
        || over(&operations("add", "/spec/x/2147483648")),
        Some(ErrorKind::Patch),
        MEMORY,
    ),
    (
        "row 13: a path out of the tree",
        || tree(vec![("kustomization.yaml", "resources: [../../../../etc/passwd]\n".into())]),
        Some(ErrorKind::Denied),
        MEMORY,
    ),
    ("row 17: 2^30 ways", diamond, Some(ErrorKind::Conflict), MEMORY),
    (
        "row 18: out of a repository",
        || over("components: ['https://h/org/repo//../../../..']\n"),
        Some(ErrorKind::NotFound),
        MEMORY,
    ),
    (
        "row 19: an option as reference",
        || over("components: ['https://h/org/repo?ref=--output=x']\n"),
        Some(ErrorKind::Denied),
        MEMORY,
    ),
    (
        "row 20: a remote base",
        || over("components: ['https://h/o/r']\n"),
        Some(ErrorKind::Denied),
        MEMORY,
    ),
    (
        "row 22: a plugin",
        || over("transformers: ['{apiVersion: x/v1, kind: Sed, metadata: {name: x}}']\n"),
        Some(ErrorKind::Unsupported),
        MEMORY,
    ),
    (
        "row 23: charts elsewhere",
        || over("helmGlobals: {chartHome: ../../}\nhelmCharts: [{name: x}]\n"),
        Some(ErrorKind::Unsupported),
        MEMORY,
    ),
    (
        "row 25: an index out of range",
        || over(&replacement("[spec.template.spec.containers.99999999999.image]", "d")),
        Some(ErrorKind::Reference),
        MEMORY,
    ),
    ("row 25: a slow pattern", || over(&replacement("[metadata.name]", "(a+)+$")), None, MEMORY),
    ("row 27: lists of lists", lists, Some(ErrorKind::Limit), MEMORY),
    ("row 6: empty documents", || resource("---\n".repeat(1_000_000)), None, MEMORY),
    (
        "row 16: a circle",
        || tree(vec![("kustomization.yaml", "resources: [.]\n".into())]),
        Some(ErrorKind::Cycle),
        MEMORY,
    ),
    (
        "row 21: a file above",
        || over("configMapGenerator: [{name: x, files: [../../etc/passwd]}]\n"),
        Some(ErrorKind::Denied),
        MEMORY,
    ),
    (
        "row 21: a file elsewhere",
        || over("openapi: {path: /etc/passwd}\n"),
        Some(ErrorKind::NotFound),
        MEMORY,
    ),
    ("row 24: many replicas", || over("replicas: [{name: d, count: 1000000000}]\n"), None, MEMORY),
    ("row 26: a selector of 1 MB", huge_selector, Some(ErrorKind::Field), MEMORY),
    (
        "row 29: an object twice",
        || resource(config_map("a") + "---\n" + &config_map("a")),
        Some(ErrorKind::NotFound),
        MEMORY,
    ),
    ("row 24: a prefix of 1 MB × 10 000", huge_prefix, Some(ErrorKind::Limit), 4 * MEMORY),
    (
        "row 6: a scalar of 100 MB",
        || resource(config_map("big") + "data: {x: " + &"y".repeat(100 << 20) + "}\n"),
        None,
        6 * (100 << 20),
    ),
];
