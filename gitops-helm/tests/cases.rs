//! Where this library and Helm once differed: charts, and what Helm v4.3.0 or v3.22.0 makes of them.
//!
//! `UPDATE_CASES=1` writes that into `tests/cases` where `cargo run -p xtask -- peers` built
//! `target/peers/helm-engine`. A head line is `compat 3`, `engine` or a flag of `helm template`; `VALUES`
//! is a values file.

#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::format_collect, reason = "tests")]

#[path = "differential/case.rs"]
#[expect(dead_code, reason = "shared with a test that makes its cases smaller")]
mod case;
#[path = "differential/peer.rs"]
mod peer;
#[path = "../../gitops-kustomize/tests/sections/mod.rs"]
mod sections;

use std::{
    fs,
    path::{Path, PathBuf},
};

use case::{Case, Outcome};
use peer::Peer;

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The case, and what shall come of it.
fn read(text: &str) -> (Case, Option<Outcome>) {
    let (head, sections) = sections::sections(text);
    let mut case = Case::default();
    for line in head.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("compat", compat) => case.helm3 = compat == "3",
            ("engine", _) => case.engine = true,
            ("--include-crds", _) => case.include_crds = true,
            ("--set", flag) => case.set[0].push(flag.to_owned()),
            _ => panic!("unknown line {line}"),
        }
    }
    let mut expected = None;
    for (name, content) in sections {
        match name.as_str() {
            "VALUES" => case.values = content,
            "output" => expected = Some(Ok(content)),
            "error" => expected = Some(Err(content.trim_end_matches('\n').to_owned())),
            _ => {
                // A file ends where the next section begins; `\c` at its end takes its last line break.
                let content = content.strip_suffix("\\c\n").map(str::to_owned).unwrap_or(content);
                case.files.insert(name, content);
            }
        }
    }
    (case, expected)
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Ok(text) => format!("-- output --\n{text}"),
        Err(error) => format!("-- error --\n{error}\n"),
    }
}

#[test]
fn all_cases_give_what_helm_gave() {
    let mut failed = String::new();
    for file in files() {
        let (case, expected) = read(&fs::read_to_string(&file).unwrap());
        let (ours, expected) = (case.ours(), expected.expect("a case says what comes of it"));
        if shown(&ours).trim_end() != shown(&expected).trim_end() {
            failed.push_str(&format!("==== {}\n{}", file.display(), shown(&ours)));
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

/// The expectations are Helm's own words.
#[test]
fn helm_says_so_itself() {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/helm-engine");
    if !peer.exists() {
        println!("skipped: no Helm to compare with; build it with `cargo run -p xtask -- peers`");
        return;
    }
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut peer = Peer::start(&peer);
    for file in files() {
        let text = fs::read_to_string(&file).unwrap();
        let (case, expected) = read(&text);
        let theirs = peer.render(&case).expect("Helm does not crash");
        if update {
            let end = ["-- output --\n", "-- error --\n"].iter().filter_map(|line| text.find(line));
            let input = &text[..end.min().unwrap_or(text.len())];
            fs::write(&file, format!("{input}{}", shown(&theirs))).unwrap();
        } else {
            let expected = expected.as_ref().map(shown).unwrap_or_default();
            assert_eq!(shown(&theirs).trim_end(), expected.trim_end(), "{}", file.display());
        }
    }
}
