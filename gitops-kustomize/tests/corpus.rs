//! Runs the corpora of `../shared/corpus/kustomize.tar.gz`, unpacked, against kustomize v5.8.2's own
//! output, and the cases of our own in `tests/cases`.
//!
//! The corpora are looked for in `$GITOPS_CORPUS/kustomize` and `<workspace>/target/corpus/kustomize`
//! (`../shared/corpus/check.py unpack` puts them there). Cases that differ and are accepted stand in
//! `tests/cases/KNOWN.md`; one that starts to pass fails the run.

#![allow(
    clippy::unwrap_used,
    clippy::from_iter_instead_of_collect,
    clippy::format_collect,
    clippy::default_trait_access,
    reason = "tests"
)]

mod sections;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use gitops_core::{DiskTree, MemoryTree, Scope, one_line};
use gitops_kustomize::{BuildOptions, LoadRestriction, Reorder, build};

use sections::sections;

struct Case {
    id: String,
    root: PathBuf,
    path: String,
    options: BuildOptions,
    expected: Option<PathBuf>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn corpus() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test asks where its data is")]
    let chosen = std::env::var("GITOPS_CORPUS").ok().map(PathBuf::from);
    [
        chosen,
        Some(workspace().join("target/corpus")),
        Some(workspace().join("../shared/corpus/unpacked")),
    ]
    .into_iter()
    .flatten()
    .map(|root| root.join("kustomize"))
    .find(|root| root.is_dir())
}

fn known() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/KNOWN.md");
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("- `")?.split_once('`'))
        .map(|(id, _)| id.to_owned())
        .collect()
}

fn read_json(file: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn directories(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn small_cases(root: &Path, set: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for directory in directories(&root.join(set)) {
        let case = read_json(&directory.join("case.json"));
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        for empty in case["empty_dirs"].as_array().into_iter().flatten() {
            fs::create_dir_all(directory.join("fs").join(text(empty))).unwrap();
        }
        let mut options = BuildOptions::default();
        if text(&case["options"]["load_restrictor"]) != "LoadRestrictionsRootOnly" {
            options.load_restriction = LoadRestriction::None;
        }
        options.enable_managed_by_label =
            case["options"]["add_managedby_label"].as_bool().unwrap_or_default();
        let sorted = options.clone();
        if text(&case["options"]["reorder"]) == "none" {
            options.reorder = Reorder::None;
        }
        let expected = |name: &str| Some(directory.join(name)).filter(|file| file.is_file());
        let make = |id: String, options: BuildOptions, expected: Option<PathBuf>| Case {
            id,
            root: directory.join("fs"),
            path: text(&case["build_path"]),
            options,
            expected,
        };
        cases.push(make(text(&case["name"]), options, expected("expected.yaml")));
        if let Some(file) = expected("expected_default_order.yaml") {
            cases.push(make(
                format!("{} (default order)", text(&case["name"])),
                sorted,
                Some(file),
            ));
        }
    }
    cases
}

fn real_cases(root: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for directory in directories(&root.join("real")) {
        for case in read_json(&directory.join("cases.json"))["cases"].as_array().unwrap() {
            cases.push(Case {
                id: format!("{}#{}", directory.file_name().unwrap().to_string_lossy(), case["n"]),
                root: directory.join("fs"),
                path: case["build_path"].as_str().unwrap().to_owned(),
                options: BuildOptions { load_restriction: LoadRestriction::None, ..options() },
                expected: case["expected"].as_str().map(|file| directory.join(file)),
            });
        }
    }
    cases
}

fn options() -> BuildOptions {
    BuildOptions::default()
}

/// What differs, if anything.
fn run(case: &Case) -> Option<String> {
    let tree = DiskTree::open(&case.root).unwrap();
    let built = build(&tree, case.path.as_ref(), &case.options, &Scope::background());
    match (built, &case.expected) {
        (Ok(rendered), Some(file)) => {
            let expected = fs::read_to_string(file).unwrap();
            let got = rendered.manifests.to_yaml();
            let line = got.lines().zip(expected.lines()).position(|(a, b)| a != b);
            (got != expected).then(|| format!("line {}", line.map_or(0, |line| line + 1)))
        }
        (Err(error), Some(_)) => Some(one_line(&error)),
        (Ok(_), None) => Some("should fail".to_owned()),
        (Err(_), None) => None,
    }
}

#[test]
fn corpora() {
    let Some(root) = corpus() else {
        println!("no corpus: unpack ../shared/corpus into target/corpus to run it");
        return;
    };
    let mut cases = small_cases(&root, "dev");
    cases.extend(small_cases(&root, "quirks"));
    cases.extend(real_cases(&root));
    let known = known();
    let mut wrong = Vec::new();
    for case in &cases {
        match (run(case), known.contains(&case.id)) {
            (Some(difference), false) => wrong.push(format!("{}: {difference}", case.id)),
            (None, true) => wrong.push(format!("{}: passes now; take it off KNOWN.md", case.id)),
            _ => {}
        }
    }
    println!("{} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Our own cases: files after `-- path --` lines; `-- expect --` or `-- error --` ends them.
#[test]
fn own_cases() {
    let mut count = 0;
    for file in directories(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")) {
        if file.extension().is_none_or(|extension| extension != "txtar") {
            continue;
        }
        count += 1;
        let text = fs::read_to_string(&file).unwrap();
        let (_, mut sections) = sections(&text);
        let (kind, expected) = sections.pop().unwrap();
        let path = text.lines().find_map(|line| line.strip_prefix("build: ")).unwrap_or("");
        let tree = MemoryTree::from_iter(sections);
        let built = build(&tree, path.as_ref(), &options(), &Scope::background());
        let got = match &built {
            Ok(rendered) => rendered.manifests.to_yaml(),
            Err(error) => format!("{error:#}\n"),
        };
        assert_eq!(
            if built.is_ok() { "expect" } else { "error" },
            kind,
            "{}: {got}",
            file.display()
        );
        assert_eq!(got, expected, "{}", file.display());
    }
    assert!(count > 0, "no cases");
}
