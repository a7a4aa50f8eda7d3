//! What `sigs.k8s.io/yaml` made of 3522 texts: JSON, YAML again, or an error; what yaml.v3
//! prints, and how Helm splits the text.
//!
//! The data are the corpus `yaml/cases.jsonl` that stands beside the checkout. Cases that differ
//! and why are listed in `cases/KNOWN.md`; a listed case that starts to pass fails the test.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails and tells")]

use std::{collections::BTreeMap, path::PathBuf};

use gitops_core::{Limits, Tree, unpack};
use gitops_yaml::{Duplicates, Flavour, Node, ReadOptions};
use serde_json::Value;

const KNOWN: &str = include_str!("cases/KNOWN.md");

#[test]
fn texts_mean_what_go_yaml_says() {
    let Some(cases) = corpus() else { return };
    let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut mended = Vec::new();
    for case in &cases {
        let known = KNOWN.contains(&format!("`{}`", case.id));
        for (aspect, outcome) in case.judge() {
            match outcome {
                Ok(()) => *passed.entry(aspect).or_default() += 1,
                Err(_) if known => *passed.entry("known differences").or_default() += 1,
                Err(difference) => {
                    failed.push(format!("{} {aspect}: {:?}\n  {difference}", case.id, case.yaml));
                }
            }
        }
        if known && case.judge().iter().all(|(_, outcome)| outcome.is_ok()) {
            mended.push(case.id.clone());
        }
    }
    println!("{} cases, passed: {passed:?}, failed: {}", cases.len(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(mended.is_empty(), "listed in KNOWN.md, but passing: {mended:?}");
}

struct Case {
    id: String,
    yaml: String,
    json: Option<String>,
    error: Option<String>,
    strict_error: Option<String>,
    remarshal: Option<String>,
    pretty: Option<String>,
    split: Option<Vec<String>>,
}

impl Case {
    fn judge(&self) -> Vec<(&'static str, Result<(), String>)> {
        let mut outcomes = Vec::new();
        let lenient = self.read(Duplicates::Last).and_then(|node| node.to_json_v2());
        if let Some(error) = &self.error {
            outcomes.push(("error", refused(error, lenient.as_ref().map_err(ToString::to_string))));
        }
        if let Some(json) = &self.json {
            let wanted: Value = serde_json::from_str(json).unwrap();
            let got = lenient.as_ref().map_err(|error| format!("{error:#}"));
            outcomes.push(("json", got.and_then(|got| same(&floats(got), &floats(&wanted)))));
        }
        // Where yaml.v2 cannot read what it printed, the corpus notes that instead of a text.
        let printed = self.remarshal.as_ref().filter(|text| !text.starts_with("ERR"));
        if let (Some(text), Ok(json)) = (printed, &lenient) {
            let printed = gitops_yaml::to_yaml(&Node::from_json(floats(json)));
            let printed = printed.map_err(|error| error.to_string());
            outcomes.push(("print", printed.and_then(|printed| same(&printed, text))));
        }
        // yaml.v3's text is noted only where it differs.
        if let (Some(text), Ok(json)) = (self.pretty.as_ref().or(printed), &lenient) {
            let printed = gitops_yaml::to_yaml_pretty(&Node::from_json(floats(json)));
            let printed = printed.map_err(|error| error.to_string());
            outcomes.push(("pretty", printed.and_then(|printed| same(&printed, text))));
        }
        if let Some(documents) = &self.split {
            let got = gitops_yaml::split_documents(&self.yaml);
            outcomes.push(("split", same(&got, &documents.iter().map(String::as_str).collect())));
        }
        if let Some(error) = &self.strict_error {
            let strict = self.read(Duplicates::Refuse).map(|_| ()).map_err(|e| e.to_string());
            outcomes.push((
                "strict",
                match strict {
                    Ok(()) => Err(format!("accepted, wanted {error}")),
                    Err(got) => same(got.as_str(), error),
                },
            ));
        }
        outcomes
    }

    fn read(&self, duplicates: Duplicates) -> Result<Node, gitops_yaml::Error> {
        let options = ReadOptions { duplicates, ..ReadOptions::flavour(Flavour::V2) };
        options.read_first(self.yaml.as_bytes())
    }
}

fn refused(wanted: &str, got: Result<&Value, String>) -> Result<(), String> {
    let Err(got) = got else { return Err(format!("accepted, wanted {wanted}")) };
    same(got.as_str(), wanted)
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(got: &T, wanted: &T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("got {got:?}\n  not {wanted:?}")) }
}

/// Go reads JSON's numbers as floats.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(floats).collect(),
        Value::Object(object) => {
            Value::Object(object.iter().map(|(k, v)| (k.clone(), floats(v))).collect())
        }
        other => other.clone(),
    }
}

fn corpus() -> Option<Vec<Case>> {
    let shared = std::env::var_os("GITOPS_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let archive = shared.join("corpus/templates-and-yaml.tar.gz");
    let Ok(file) = std::fs::File::open(&archive) else {
        println!("SKIPPED: {} is not there", archive.display());
        return None;
    };
    let tree = unpack(file, &Limits::default()).unwrap();
    let lines = tree.read("yaml/cases.jsonl".as_ref()).unwrap();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let cases = std::str::from_utf8(&lines).unwrap().lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap();
        Case {
            id: text(&value, "id").unwrap(),
            yaml: text(&value, "yaml").unwrap(),
            json: text(&value, "json"),
            error: text(&value, "error"),
            strict_error: text(&value, "strict_error"),
            remarshal: text(&value, "remarshal"),
            pretty: text(&value, "pretty"),
            split: value.get("split").map(|split| serde_json::from_value(split.clone()).unwrap()),
        }
    });
    Some(cases.collect())
}
