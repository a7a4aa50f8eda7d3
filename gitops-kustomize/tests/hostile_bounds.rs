//! What hostile input may take at most, in a process of its own: time, and memory as the kernel counts
//! it. Numbers of rows are those of the project's table of security cases.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fmt::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use gitops_core::{Entry, MemoryTree, Scope, Tree, TreeError};
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

const CASES: &[Case] = &[
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
    struct Broken(Arc<MemoryTree>);
    impl Tree for Broken {
        fn read(&self, _: &Path) -> Result<bytes::Bytes, TreeError> {
            std::panic::resume_unwind(Box::new("injected"))
        }
        fn list(&self, path: &Path) -> Result<Vec<Entry>, TreeError> {
            self.0.list(path)
        }
        fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
            self.0.stat(path)
        }
    }
    let whole = Arc::new(tree(vec![
        ("kustomization.yaml", "resources: [a.yaml]\nnamePrefix: p-\n".into()),
        ("a.yaml", config_map("a")),
    ]));
    let outcomes: Vec<Result<String, &str>> = std::thread::scope(|threads| {
        let started: Vec<_> = (0..64)
            .map(|number| {
                let whole = Arc::clone(&whole);
                threads.spawn(move || {
                    let broken = Broken(Arc::clone(&whole));
                    let tree: &dyn Tree = if number % 8 == 0 { &broken } else { &*whole };
                    build(tree, "".as_ref(), &BuildOptions::default(), &Scope::background())
                        .unwrap()
                        .manifests
                        .to_yaml()
                })
            })
            .collect();
        let payload = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<&str>().unwrap();
        started.into_iter().map(|thread| thread.join().map_err(payload)).collect()
    });
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(text) => assert!(number % 8 != 0 && text.contains("name: p-a"), "{text}"),
            Err(panic) => assert!(number % 8 == 0 && *panic == "injected", "{panic}"),
        }
    }
}
