//! What hostile input may take at most, in a process of its own: time, and memory as the kernel counts
//! it. Numbers of rows are those of the project's table of security cases.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildLimits, BuildOptions, ErrorKind, build};

/// The standing rule's bound for one input that is small.
const MEMORY: usize = 64 << 20;

/// Generous for a debug build on a busy machine; what is caught here would take minutes or forever.
const TIME: Duration = Duration::from_secs(60);

/// The most memory that this process had so far, in bytes; 0 where the system does not tell.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn tree(files: Vec<(&str, String)>) -> MemoryTree {
    MemoryTree::from_iter(files)
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

fn bomb() -> String {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{aliases}]");
    }
    bomb
}

/// One input: how it is made, what must come of it, and what it may take besides its own size.
type Case = (&'static str, fn() -> MemoryTree, Option<ErrorKind>, usize);

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

fn huge_prefix() -> MemoryTree {
    let many: String = (0..10_000).map(|n| config_map(&format!("m{n}")) + "---\n").collect();
    let text = format!("resources: [a.yaml]\nnamePrefix: {}\n", "p".repeat(1 << 20));
    tree(vec![("kustomization.yaml", text), ("a.yaml", many)])
}

fn huge_selector() -> MemoryTree {
    let name = "a|".repeat(1 << 19);
    over(&format!("patches: [{{target: {{name: '({name})'}}, patch: '[]'}}]\n"))
}

const CASES: &[Case] = &[
    ("row 1: aliases", || resource(bomb()), Some(ErrorKind::Limit), MEMORY),
    ("row 2: an anchor in itself", || resource("a: &a [*a]\n"), Some(ErrorKind::Syntax), MEMORY),
    ("row 3: nesting", || resource("[".repeat(100_000)), Some(ErrorKind::Limit), MEMORY),
    ("row 3: mappings", || resource("{a: ".repeat(100_000)), Some(ErrorKind::Limit), MEMORY),
    ("row 4: cut off", || resource("a: 'b\n  c: [d, \"e\n"), Some(ErrorKind::Syntax), MEMORY),
    ("row 4: a crash of yaml.v3", || resource("0: [:!00 ê"), Some(ErrorKind::Syntax), MEMORY),
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

fn deployment() -> String {
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n".to_owned()
}

/// The process has nothing but this test in it, so that what it takes is the cases' own.
#[test]
fn time_and_memory_stay_within_bounds() {
    let limits = BuildLimits { output: 128 << 20, ..BuildLimits::default() };
    let options = BuildOptions { limits, ..BuildOptions::default() };
    for &(name, tree, wanted, memory) in CASES {
        let tree = tree();
        let before = peak();
        let begin = Instant::now();
        let result = build(&tree, "".as_ref(), &options, &Scope::background());
        let (time, grown) = (begin.elapsed(), peak() - before);
        println!("{name}: {time:?}, {} KiB", grown / 1024);
        let kind = result.as_ref().err().map(gitops_kustomize::Error::kind);
        assert_eq!(kind, wanted, "{name}: {:?}", result.err());
        assert!(time < TIME, "{name} took {time:?}");
        assert!(grown < memory, "{name} took {} MiB", grown >> 20);
    }
    all_input_is_capped();
    a_panic_stays_where_it_is();
}

/// Many files that are small each.
fn all_input_is_capped() {
    let text = config_map("x") + "data: {x: " + &"y".repeat(1 << 16) + "}\n";
    let mut files = MemoryTree::new();
    let mut list = String::from("resources:\n");
    for index in 0..100 {
        let _ = writeln!(list, "- f{index}.yaml");
        let text = text.replace("name: x", &format!("name: x{index}"));
        files.insert(format!("f{index}.yaml"), text).unwrap();
    }
    files.insert("kustomization.yaml", list).unwrap();
    let limits = |input| BuildOptions {
        limits: BuildLimits { input, ..BuildLimits::default() },
        ..BuildOptions::default()
    };
    let run = |input| build(&files, "".as_ref(), &limits(input), &Scope::background());
    assert_eq!(run(8 << 20).unwrap().manifests.len(), 100);
    let error = run(1 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
    assert!(gitops_core::one_line(&error).contains("larger than 1048576 bytes"), "{error}");
}

/// Row 111: 64 threads build, and what one caller's tree does harms none of the others.
fn a_panic_stays_where_it_is() {
    #[derive(Debug)]
    struct Broken;
    impl gitops_core::Tree for Broken {
        fn read(&self, _: &std::path::Path) -> Result<bytes::Bytes, gitops_core::TreeError> {
            std::panic::resume_unwind(Box::new("injected"))
        }
        fn list(
            &self,
            _: &std::path::Path,
        ) -> Result<Vec<gitops_core::Entry>, gitops_core::TreeError> {
            Ok(Vec::new())
        }
        fn stat(
            &self,
            path: &std::path::Path,
        ) -> Result<gitops_core::Entry, gitops_core::TreeError> {
            MemoryTree::new().stat(path)
        }
    }
    let whole = Arc::new(tree(vec![
        ("kustomization.yaml", "resources: [a.yaml]\nnamePrefix: p-\n".into()),
        ("a.yaml", config_map("a")),
    ]));
    let outcomes: Vec<bool> = std::thread::scope(|threads| {
        let started: Vec<_> = (0..64)
            .map(|number| {
                let whole = Arc::clone(&whole);
                threads.spawn(move || {
                    let tree: &dyn gitops_core::Tree =
                        if number % 8 == 0 { &Broken } else { &*whole };
                    build(tree, "".as_ref(), &BuildOptions::default(), &Scope::background())
                        .unwrap()
                        .manifests
                        .to_yaml()
                        .contains("name: p-a")
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap_or(false)).collect()
    });
    assert_eq!(outcomes.iter().filter(|built| **built).count(), 56);
}
