//! Damaged input: the cases of `tests/cases`, `tests/errors` and `tests/explain` with random changes.
//! Whatever comes of it, a failure has a place that exists, and what is put out can be explained to the
//! last field. `$GITOPS_MUTATIONS` asks for more than the few of a usual run.

#![allow(clippy::unwrap_used, clippy::from_iter_instead_of_collect, reason = "tests")]

mod sections;

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildOptions, Error, ErrorKind, Manifests, build};
use proptest::{prelude::*, sample::Index};

use sections::sections;

/// The files of a case and the directory that is built.
struct Case {
    files: Vec<(String, String)>,
    path: String,
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files: BTreeSet<_> = ["cases", "errors", "explain"]
        .iter()
        .flat_map(|name| fs::read_dir(tests.join(name)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "txtar"))
        .collect();
    files.iter().map(|file| case(&fs::read_to_string(file).unwrap())).collect()
});

fn case(text: &str) -> Case {
    let path = text.lines().find_map(|line| line.strip_prefix("build: ")).unwrap_or("");
    let (_, sections) = sections(text);
    let files = sections.into_iter();
    let files = files
        .take_while(|(name, _)| !["error", "expect", "explain"].contains(&name.as_str()))
        .collect();
    Case { files, path: path.to_owned() }
}

/// One change of one file.
#[derive(Clone, Debug)]
enum Change {
    DropLine(Index),
    RepeatLine(Index),
    SwapLines(Index, Index),
    Indent(Index),
    Insert(Index, &'static str),
    Cut(Index),
    /// A line of another case.
    Borrow(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let texts = [
        "[",
        "]",
        "{",
        "}",
        ":",
        " ",
        "\t",
        "\n",
        "'",
        "\"",
        "|",
        ">",
        "&a ",
        "*a",
        "-",
        "- ",
        "#",
        "---\n",
        "..",
        "/",
        "(",
        "null",
        "1",
        "é",
        "\u{0}",
        "$(A)",
        "!!",
        "null\n",
        "- op: test\n",
        "~1",
    ];
    let any = any::<Index>;
    prop_oneof![
        any().prop_map(Change::DropLine),
        any().prop_map(Change::RepeatLine),
        (any(), any()).prop_map(|(a, b)| Change::SwapLines(a, b)),
        any().prop_map(Change::Indent),
        (any(), prop::sample::select(texts.to_vec()))
            .prop_map(|(at, text)| Change::Insert(at, text)),
        any().prop_map(Change::Cut),
        (any(), any(), any()).prop_map(|(a, b, c)| Change::Borrow(a, b, c)),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.is_empty() {
        return text.to_owned();
    }
    let boundary = |index: &Index| {
        let at = index.index(text.len() + 1);
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let indented;
    match change {
        Change::DropLine(index) => drop(lines.remove(index.index(lines.len()))),
        Change::RepeatLine(index) => {
            let at = index.index(lines.len());
            let line = lines[at];
            lines.insert(at, line);
        }
        Change::SwapLines(a, b) => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
        }
        Change::Indent(index) => {
            let at = index.index(lines.len());
            indented = format!(" {}", lines[at]);
            lines[at] = &indented;
        }
        Change::Insert(index, insert) => {
            let at = boundary(index);
            return format!("{}{insert}{}", &text[..at], &text[at..]);
        }
        Change::Cut(index) => return text[..boundary(index)].to_owned(),
        Change::Borrow(at, from, line) => {
            let other = &CASES[from.index(CASES.len())];
            let file = &other.files[line.index(other.files.len())].1;
            let all: Vec<&str> = file.split_inclusive('\n').collect();
            if !all.is_empty() {
                let at = at.index(lines.len());
                lines.insert(at, all[line.index(all.len())]);
            }
        }
    }
    lines.concat()
}

fn check_failure(error: &Error, files: &[(String, String)]) -> Result<(), TestCaseError> {
    let page = format!("{error:#}");
    prop_assert!(page.len() < 200_000, "a page of {} bytes", page.len());
    prop_assert!(error.kind() != ErrorKind::Cancelled);
    let Some(file) = error.file() else {
        return Err(TestCaseError::fail(format!("no file: {page}")));
    };
    let content = files.iter().find(|(name, _)| name == file).map(|(_, content)| content);
    if let (Some(content), Some(line)) = (content, error.line()) {
        // A reader may end lines elsewhere, too; places are then those of the reader.
        let breaks = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];
        let lines: Vec<&str> = content.split('\n').collect();
        prop_assert!(
            line as usize <= lines.len() || content.contains(breaks),
            "{file} has no line {line}: {page}"
        );
        if let (Some(column), Some(text)) = (error.column(), lines.get(line as usize - 1)) {
            prop_assert!(
                column as usize <= text.chars().count() + 1 || content.contains(breaks),
                "{file}:{line} has no column {column}: {page}"
            );
        }
    }
    let chain: Vec<&str> = error.chain().map(|place| &*place.file).collect();
    let different: BTreeSet<&str> = chain.iter().copied().collect();
    prop_assert_eq!(different.len(), chain.len(), "{}", page);
    prop_assert!(error.to_json().is_object());
    Ok(())
}

fn check_outcome(manifests: &Manifests) -> Result<(), TestCaseError> {
    for manifest in manifests {
        let all =
            manifest.explain("").map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
        prop_assert!(!all.changes.is_empty());
        prop_assert_eq!(all.to_json()["value"].clone(), manifest.to_json());
        for change in &all.changes {
            let known =
                change.place.is_some() || change.configured.is_some() || change.by.is_some();
            prop_assert!(known, "{}: {:?}", manifest.id(), change);
        }
    }
    Ok(())
}

/// How many cases are damaged; `$GITOPS_MUTATIONS` asks for more.
#[expect(clippy::disallowed_methods, reason = "a test asks what it shall do")]
fn runs() -> u32 {
    std::env::var("GITOPS_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(600)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: runs(),
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn failures_have_places_and_fields_have_origins(
        case in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), change()), 1..4),
    ) {
        let case = &CASES[case.index(CASES.len())];
        let mut files = case.files.clone();
        for (file, change) in &changes {
            let at = file.index(files.len());
            files[at].1 = apply(&files[at].1, change);
        }
        let tree = MemoryTree::from_iter(files.iter().cloned());
        let traced = BuildOptions { trace: true, ..BuildOptions::default() };
        let path: &Path = case.path.as_ref();
        let outcome = build(&tree, path, &traced, &Scope::background());
        let plain = build(&tree, path, &BuildOptions::default(), &Scope::background());
        match (&outcome, &plain) {
            (Ok(traced), Ok(plain)) => {
                prop_assert_eq!(traced.manifests.to_yaml(), plain.manifests.to_yaml());
                check_outcome(&traced.manifests)?;
            }
            (Err(traced), Err(plain)) => {
                prop_assert_eq!(format!("{traced:#}"), format!("{plain:#}"));
                check_failure(plain, &files)?;
            }
            _ => return Err(TestCaseError::fail("a trace decides whether the build fails")),
        }
    }
}
