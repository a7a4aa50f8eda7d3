//! Runs the cases of a corpus file and tells which fail:
//! `cargo run --release -p gitops-testenv --bin corpus -- yaml FILE.jsonl`.
//!
//! Prints the failing ids, what was wrong with `-v`, and `N passed, N failed`.
#![expect(clippy::print_stdout, reason = "a command-line tool talks")]

mod gotemplate;
mod strvals;
mod yaml;

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::Value;

/// Judges one case: what differs, if anything does.
type Judge = fn(&Value) -> anyhow::Result<()>;

fn main() -> anyhow::Result<ExitCode> {
    let (flags, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let [corpus, file] = words.as_slice() else {
        bail!("usage: corpus [-v] gotemplate|strvals|yaml FILE.jsonl");
    };
    let judge: Judge = match corpus.as_str() {
        "gotemplate" => gotemplate::judge,
        "strvals" => strvals::judge,
        "yaml" => yaml::judge,
        other => bail!("there is no corpus {other:?}"),
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("read {file}"))?;
    let (mut passed, mut failed) = (0, 0);
    for (number, line) in text.lines().enumerate() {
        let case: Value =
            serde_json::from_str(line).with_context(|| format!("{file}:{}", number + 1))?;
        let id = case["id"].as_str().with_context(|| format!("{file}:{}: no id", number + 1))?;
        match judge(&case) {
            Ok(()) => passed += 1,
            Err(difference) => {
                failed += 1;
                println!("{id}");
                if flags.iter().any(|flag| flag == "-v") {
                    println!("    {difference:#}");
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Go reads the numbers of JSON as floats.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64()),
        Value::Array(items) => items.into_iter().map(as_floats).collect(),
        Value::Object(object) => {
            object.into_iter().map(|(key, value)| (key, as_floats(value))).collect()
        }
        other => other,
    }
}
