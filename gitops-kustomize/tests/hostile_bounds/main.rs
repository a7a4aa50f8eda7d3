//! What hostile input may take at most, in a process of its own: time, and memory as the kernel counts
//! it. Numbers of rows are those of the project's table of security cases; for each of its rows on YAML,
//! overlays and embedding, the tests:
//!
//! 1: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 1: gitops-kustomize/tests/hostile.rs documents_that_explode
//! 1: crates/yaml/tests/hostile.rs aliases_cannot_multiply
//! 2: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 2: crates/yaml/tests/hostile.rs anchors_must_be_there_and_not_within_themselves
//! 3: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 3: crates/yaml/tests/hostile.rs nesting_has_an_end
//! 4: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 4: crates/yaml/tests/hostile.rs broken_texts_give_a_place
//! 5: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 5: crates/yaml/tests/hostile.rs keys_that_stand_twice_name_both_lines
//! 6: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 6: crates/yaml/tests/hostile.rs size_and_number_of_documents_are_limited
//! 7: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 7: crates/yaml/tests/hostile.rs numbers_keep_their_value_or_stay_text
//! 8: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 8: crates/yaml/tests/hostile.rs bytes_that_are_no_text_are_refused
//! 9: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 9: crates/yaml/tests/hostile.rs types_follow_the_flavour_and_unknown_tags_do_nothing
//! 10: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 10: crates/yaml/tests/hostile.rs keys_must_be_strings
//! 11: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 11: crates/yaml/tests/hostile.rs many_anchors_comments_and_keys_take_linear_time
//! 12: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 12: crates/yaml/tests/hostile.rs patches_stay_within_bounds
//! 13: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 13: gitops-kustomize/tests/hostile.rs escapes
//! 14: gitops-kustomize/tests/hostile_bounds/parts.rs links_lead_nowhere
//! 14: gitops-kustomize/tests/hostile.rs escapes
//! 15: gitops-kustomize/tests/hostile_bounds/parts.rs links_lead_nowhere
//! 15: crates/core/src/tree/disk.rs swapped_links_never_escape
//! 16: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 16: gitops-kustomize/tests/hostile.rs cycles
//! 17: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 17: gitops-kustomize/tests/hostile.rs diamonds
//! 18: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 19: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 20: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 20: gitops-kustomize/tests/hostile.rs remotes_plugins_and_charts_are_refused
//! 21: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 22: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 22: gitops-kustomize/tests/hostile.rs remotes_plugins_and_charts_are_refused
//! 23: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 23: gitops-kustomize/tests/hooks.rs charts_that_cannot_be_meant
//! 24: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 24: gitops-kustomize/tests/hostile.rs patterns_and_sizes
//! 25: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 26: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 27: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 27: gitops-kustomize/tests/hostile.rs odd_objects
//! 28: gitops-kustomize/tests/hostile_bounds/parts.rs schemas_stay_apart
//! 28: gitops-kustomize/tests/hostile.rs schemas_do_not_leak
//! 29: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 111: gitops-kustomize/tests/hostile_bounds/parts.rs a_panic_stays_where_it_is
//! 112: gitops-kustomize/tests/hostile_bounds/parts.rs a_build_that_is_cancelled_ends
//! 112: gitops-kustomize/tests/api.rs a_running_build_can_be_stopped
//! 113: gitops-kustomize/tests/hostile_bounds/main.rs time_and_memory_stay_within_bounds
//! 114: gitops-kustomize/tests/api.rs a_thousand_runs_give_the_same_bytes
//! 114: gitops-kustomize/tests/hostile_bounds/parts.rs schemas_stay_apart
//! 115: gitops-kustomize/tests/isolation.rs builds_use_no_network_and_start_no_program
//!
//! There is no interface for C (row 113): the API is safe Rust, and other languages hand over bytes, of
//! which any may come. The library builds for wasm32 in the gate.

#![allow(clippy::unwrap_used, clippy::doc_markdown, reason = "tests")]

mod cases;
mod parts;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use cases::CASES;
use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildLimits, BuildOptions, build};
use parts::{
    a_build_that_is_cancelled_ends, a_panic_stays_where_it_is, all_input_is_capped,
    links_lead_nowhere, schemas_stay_apart,
};

/// The standing rule's bound for one input that is small.
const MEMORY: usize = 64 << 20;

/// Generous for a debug build on a busy machine; what is caught here would take minutes or forever.
const TIME: Duration = Duration::from_secs(120);

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

/// The process has nothing but this test in it, so that what it takes is the cases' own.
#[test]
fn time_and_memory_stay_within_bounds() {
    every_row_has_a_test();
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
    let parts: [(&str, fn()); 5] = [
        ("all input", all_input_is_capped),
        ("row 14 and 15: links", links_lead_nowhere),
        ("row 28 and 114: schemas", schemas_stay_apart),
        ("row 111: a panic", a_panic_stays_where_it_is),
        ("row 112: cancelled", a_build_that_is_cancelled_ends),
    ];
    for (name, part) in parts {
        let (before, begin) = (peak(), Instant::now());
        part();
        let (time, grown) = (begin.elapsed(), peak() - before);
        println!("{name}: {time:?}, {} KiB", grown / 1024);
        assert!(time < TIME, "{name} took {time:?}");
        assert!(grown < MEMORY, "{name} took {} MiB", grown >> 20);
    }
}

/// The list above names tests that are there, and leaves no row out.
fn every_row_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut rows = std::collections::BTreeSet::new();
    for line in include_str!("main.rs").lines() {
        let Some((row, test)) = line.strip_prefix("//! ").and_then(|line| line.split_once(": "))
        else {
            continue;
        };
        let (Ok(row), Some((file, name))) = (row.parse::<u32>(), test.split_once(' ')) else {
            continue;
        };
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(text.contains(&format!("fn {name}(")), "row {row}: no test {name} in {file}");
        rows.insert(row);
    }
    assert!(rows.into_iter().eq((1..=29).chain(111..=115)));
}
