//! Random overlays, built by this library and by kustomize v5.8.2 itself: the bytes must be the same,
//! and where one fails the other must fail too.
//!
//! The original is looked for in `$GITOPS_PEERS` and in `<workspace>/target/peers`, where
//! `cargo run -p xtask -- peers` puts it. `$GITOPS_SEEDS` chooses the seeds: a number of them, or a range
//! as `100..200`, `$GITOPS_KIND` one of the kinds of cases. A case that differs is made as small as it gets
//! and printed.

#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::format_collect, reason = "tests")]

mod case;
mod cases;
mod fields;
mod objects;
mod rng;

use std::{
    fs,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use case::Case;
use gitops_core::{MemoryTree, Scope, one_line};
use gitops_kustomize::{BuildOptions, LoadRestriction, build};

/// So few by default that a test run hardly gets longer.
const SEEDS: u64 = 150;

#[expect(clippy::disallowed_methods, reason = "a test asks what it shall do")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn peer() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    [environment("GITOPS_PEERS").map(PathBuf::from), Some(workspace.join("target/peers"))]
        .into_iter()
        .flatten()
        .map(|directory| directory.join("kustomize"))
        .find(|file| file.is_file())
}

fn seeds() -> Range<u64> {
    let Some(chosen) = environment("GITOPS_SEEDS") else { return 0..SEEDS };
    match chosen.split_once("..") {
        Some((start, end)) => start.parse().unwrap()..end.parse().unwrap(),
        None => 0..chosen.parse().unwrap(),
    }
}

/// What a build gave: the output, or why there is none.
type Outcome = Result<String, String>;

fn ours(case: &Case) -> Outcome {
    let options = BuildOptions {
        load_restriction: if case.unrestricted {
            LoadRestriction::None
        } else {
            LoadRestriction::RootOnly
        },
        ..BuildOptions::default()
    };
    let tree = MemoryTree::from_iter(case.render());
    let built = catch_unwind(AssertUnwindSafe(|| {
        build(&tree, case.top.as_ref(), &options, &Scope::background())
    }));
    match built {
        Ok(Ok(rendered)) => Ok(rendered.manifests.to_yaml()),
        Ok(Err(error)) => Err(one_line(&error)),
        Err(_) => Ok("PANIC".to_owned()),
    }
}

fn theirs(case: &Case, peer: &Path) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in case.render() {
        let file = directory.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let mut command = Command::new(peer);
    command.arg("build").arg(directory.path().join(&case.top)).env("GOMAXPROCS", "1");
    if case.unrestricted {
        command.args(["--load-restrictor", "LoadRestrictionsNone"]);
    }
    let output = command.output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn agree(ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

/// Cases in which the original fails in its own code, and those that COMPATIBILITY.md tells of.
fn is_known(case: &Case, ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        (_, Err(text)) if text.contains("panic:") || text.contains("goroutine") => true,
        // The original cannot read what it printed itself; it shows the object that it came from.
        (Ok(_), Err(text))
            if text.contains("map[string]interface {}{") && text.contains("yaml: ") =>
        {
            true
        }
        // A count in quotes stays a number to the original, until it prints what replaced it.
        (Ok(_), Err(text)) if text.contains("cannot decode !!str") => case.holds("replicas:"),
        // A value of the wrong type that a later patch takes away, and text behind the end (`...`).
        (Err(text), Ok(_)) => {
            text.contains("cannot decode !!str") || text.contains("expected <document start>")
        }
        // The hash of a generated object that became one of another kind.
        // And a value that is copied into a field within itself.
        (Ok(_), Ok(_)) => {
            case.holds("allowKindChange") && case.holds("Generator:")
                || case.holds("fieldPath: spec\n") && case.holds("create: true")
                // A comment behind a text that keeps its breaks.
                || case.holds("# another one") && (case.holds("|+") || case.holds(">+"))
        }
        _ => false,
    }
}

fn shrink(case: Case, peer: &Path) -> Case {
    let kind = |case: &Case| {
        let (ours, theirs) = (ours(case), theirs(case, peer));
        let differs = !agree(&ours, &theirs) && !is_known(case, &ours, &theirs);
        differs.then_some((ours.is_ok(), theirs.is_ok()))
    };
    let wanted = kind(&case);
    let mut case = case;
    let mut tries = 0;
    'again: loop {
        for smaller in case.smaller() {
            tries += 1;
            if tries > 600 {
                return case;
            }
            if kind(&smaller) == wanted {
                case = smaller;
                continue 'again;
            }
        }
        return case;
    }
}

fn report(seed: u64, case: &Case, peer: &Path) -> String {
    let mut text = format!("==== seed {seed}, build: {}\n", case.top);
    for (path, content) in case.texts() {
        if !content.is_empty() {
            text.push_str(&format!("-- {path} --\n{content}"));
        }
    }
    for (who, outcome) in [("kustomize", theirs(case, peer)), ("gitops", ours(case))] {
        match outcome {
            Ok(output) => text.push_str(&format!("-- {who} --\n{output}")),
            Err(error) => text.push_str(&format!("-- {who} fails --\n{error}\n")),
        }
    }
    text
}

#[test]
fn random_overlays_build_as_with_the_original() {
    let Some(peer) = peer() else {
        println!(
            "skipped: no kustomize to compare with; build it with `cargo run -p xtask -- peers`"
        );
        return;
    };
    let seeds = seeds();
    let verbose = environment("GITOPS_VERBOSE").is_some();
    let kind: Option<u64> = environment("GITOPS_KIND").map(|kind| kind.parse().unwrap());
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Vec::new());
    let built = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || found.lock().unwrap().len() >= 12 {
                        break;
                    }
                    if kind.is_some_and(|kind| seed % cases::KINDS != kind) {
                        continue;
                    }
                    let case = cases::case(seed);
                    let (ours, theirs) = (ours(&case), theirs(&case, &peer));
                    built.fetch_add(u64::from(theirs.is_ok()), Ordering::Relaxed);
                    if let (Err(error), true) = (&theirs, verbose) {
                        println!("seed {seed}: {error}");
                        if seeds.end - seeds.start == 1 {
                            println!("{}", report(seed, &case, &peer));
                        }
                    }
                    if !agree(&ours, &theirs) && !is_known(&case, &ours, &theirs) {
                        let small = shrink(case, &peer);
                        let report = report(seed, &small, &peer);
                        println!("{report}");
                        found.lock().unwrap().push(report);
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    println!("{} overlays, {} of them valid", seeds.end - seeds.start, built.into_inner());
    assert!(found.is_empty(), "{} differ; they are printed above", found.len());
}
