//! Random templates and charts, rendered by this library and by Helm's own (v4.3.0 and v3.22.0): the
//! texts must be the same, and so must the errors.
//!
//! Helm is looked for in `$GITOPS_PEERS` and in `<workspace>/target/peers`, where
//! `cargo run -p xtask -- peers` puts `helm-engine`. `$GITOPS_SEEDS` chooses the seeds: a number of
//! them, or a range as `100..200`. A case that differs is made as small as it gets and printed.
//! `$GITOPS_SNIPPETS` names a file with templates of your own, each after a line `----`: they are
//! rendered with the chart and the values that the random ones have, by the rules of both Helms.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "tests"
)]

mod calls;
mod case;
mod charts;
mod peer;
#[expect(dead_code, reason = "shared with a test that needs all of it")]
#[path = "../../../gitops-kustomize/tests/differential/rng.rs"]
mod rng;
mod shapes;
mod templates;
mod words;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use case::{Case, Outcome};
use peer::Peer;

/// So few by default that a test run hardly gets longer.
const SEEDS: u64 = 300;

#[expect(clippy::disallowed_methods, reason = "a test asks what it shall do")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn peer() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    [environment("GITOPS_PEERS").map(PathBuf::from), Some(workspace.join("target/peers"))]
        .into_iter()
        .flatten()
        .map(|directory| directory.join("helm-engine"))
        .find(|file| file.is_file())
}

fn seeds() -> Range<u64> {
    let Some(chosen) = environment("GITOPS_SEEDS") else { return 0..SEEDS };
    match chosen.split_once("..") {
        Some((start, end)) => start.parse().unwrap()..end.parse().unwrap(),
        None => 0..chosen.parse().unwrap(),
    }
}

/// Texts that differ for reasons that COMPATIBILITY.md gives, or show what only Go has: addresses, also
/// as decimal numbers, and what lies behind them.
const UNLIKE: &[&str] =
    &["time.Location", "string=Capabilities)", "exceeded maximum template depth"];

/// Whether both say the same, or the original says what it would not say again.
fn agree(ours: &Outcome, theirs: Option<&Outcome>) -> bool {
    if ours.as_deref() == Ok("PANIC") {
        return false;
    }
    let Some(theirs) = theirs else { return true };
    let (Ok(text) | Err(text)) = theirs;
    // Go cuts a slice up to a capacity that depends on how it came to be.
    if matches!(ours, Err(error) if error.contains("slice index out of bounds")) {
        return true;
    }
    // Nothing outside of a schema is asked for.
    if matches!(ours, Err(error) if error.contains("references to other documents are refused")) {
        return true;
    }
    // What lies behind a pointer within another value.
    if text.contains("%!") && matches!(ours, Ok(ours) if ours.contains("&{")) {
        return true;
    }
    ours == theirs || has_address(text) || UNLIKE.iter().any(|part| text.contains(part))
}

/// Whether a text shows an address in memory.
fn has_address(text: &str) -> bool {
    text.match_indices("0x").any(|(at, _)| {
        let digits = text[at + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        (9..=12).contains(&digits)
    })
}

fn shrink(case: Case, peer: &mut Peer) -> Case {
    let mut kind = |case: &Case| {
        let theirs = peer.render(case);
        let ours = case.ours();
        let differs =
            !agree(&ours, theirs.as_ref()) && (0..16).all(|_| peer.render(case) == theirs);
        differs.then_some((ours.is_ok(), theirs.is_some_and(|theirs| theirs.is_ok())))
    };
    let wanted = kind(&case);
    let mut case = case;
    let mut tries = 0;
    'again: loop {
        for smaller in case.smaller() {
            tries += 1;
            if tries > 20_000 {
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

fn report(seed: u64, case: &Case, peer: &mut Peer) -> String {
    let mut text = format!("==== seed {seed}, {}", case.show());
    for (who, outcome) in [("helm", peer.render(case)), ("gitops", Some(case.ours()))] {
        match outcome {
            Some(Ok(output)) => text.push_str(&format!("-- {who} --\n{output}")),
            Some(Err(error)) => text.push_str(&format!("-- {who} fails --\n{error}\n")),
            None => text.push_str(&format!("-- {who} crashes --\n")),
        }
    }
    text
}

fn compare(what: &str, make: fn(u64) -> Case) {
    let Some(file) = peer() else {
        println!("skipped: no Helm to compare with; build it with `cargo run -p xtask -- peers`");
        return;
    };
    let seeds = seeds();
    let most = environment("GITOPS_MOST").map_or(12, |most| most.parse().unwrap());
    let verbose = environment("GITOPS_VERBOSE").is_some();
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Vec::new());
    let valid = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut peer = Peer::start(&file);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || found.lock().unwrap().len() >= most {
                        break;
                    }
                    let case = make(seed);
                    let theirs = peer.render(&case);
                    valid.fetch_add(u64::from(matches!(theirs, Some(Ok(_)))), Ordering::Relaxed);
                    if verbose && let Some(Err(error)) = &theirs {
                        println!("seed {seed}: {}", error.lines().next().unwrap_or_default());
                    }
                    let ours = case.ours();
                    // Helm walks Go maps: it may say something else the next time.
                    let again = |peer: &mut Peer| peer.render(&case) == theirs;
                    if !agree(&ours, theirs.as_ref()) && (0..16).all(|_| again(&mut peer)) {
                        let small = shrink(case, &mut peer);
                        let report = report(seed, &small, &mut peer);
                        found.lock().unwrap().push(report);
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    println!("{} {what}, {} of them valid", seeds.end - seeds.start, valid.into_inner());
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}

#[test]
fn random_calls_give_what_helm_gives() {
    compare("calls", templates::calls);
}

#[test]
fn snippets_give_what_helm_gives() {
    let (Some(file), Some(peer)) = (environment("GITOPS_SNIPPETS"), peer()) else {
        println!("skipped: no snippets, or no Helm");
        return;
    };
    let mut peer = Peer::start(&peer);
    let text = std::fs::read_to_string(file).unwrap();
    let (mut all, mut found) = (0, Vec::new());
    for snippet in text.split("----\n").filter(|snippet| !snippet.trim().is_empty()) {
        for helm3 in [false, true] {
            let case = templates::snippet(snippet, helm3);
            all += 1;
            let theirs = peer.render(&case);
            if theirs.as_ref() != Some(&case.ours()) {
                let text = report(0, &case, &mut peer);
                let told = text.find("-- templates/t.yaml").unwrap_or_default();
                found.push(format!("==== compat {}\n{}", 4 - u8::from(helm3), &text[told..]));
            }
        }
    }
    println!("{all} snippets");
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}

#[test]
fn random_templates_give_what_helm_gives() {
    compare("templates", templates::template);
}

#[test]
fn random_charts_give_what_helm_gives() {
    compare("charts", charts::release);
}

#[test]
fn sound_charts_with_odd_things_give_what_helm_gives() {
    compare("shapes", shapes::shaped);
}
