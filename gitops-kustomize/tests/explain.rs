//! Where fields come from: the cases of `tests/explain`.
//!
//! A case is a text: what it shows, `build: DIRECTORY`, files after `-- path --` lines, and below
//! `-- explain --` questions, each with the answer below it. `UPDATE_EXPLAIN=1` writes the answers;
//! read the difference before you commit it.

#![allow(
    clippy::unwrap_used,
    clippy::from_iter_instead_of_collect,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod sections;

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildOptions, ErrorKind, LoadRestriction, Rendered, build};

use sections::sections;

fn built(files: &[(String, String)], path: &str, trace: bool) -> Rendered {
    let tree = MemoryTree::from_iter(files.iter().cloned());
    let options =
        BuildOptions { trace, load_restriction: LoadRestriction::None, ..BuildOptions::default() };
    build(&tree, path.as_ref(), &options, &Scope::background())
        .unwrap_or_else(|error| panic!("{error:#}"))
}

fn answer(rendered: &Rendered, question: &str) -> String {
    match rendered.manifests.explain(question) {
        Ok(explanation) => explanation.to_string(),
        Err(error) => format!("error: {error:#}"),
    }
}

#[test]
fn answers() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain");
    let update = std::env::var("UPDATE_EXPLAIN").is_ok();
    let (mut wrong, mut transformers) = (Vec::new(), BTreeSet::new());
    let names: BTreeSet<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in names {
        let text = fs::read_to_string(&file).unwrap();
        let (head, mut sections) = sections(&text);
        let (last, expected) = sections.pop().unwrap();
        assert_eq!(last, "explain", "{} ends with the questions", file.display());
        let path = head.lines().find_map(|line| line.strip_prefix("build: ")).unwrap_or("");
        let rendered = built(&sections, path, true);
        // A trace changes nothing.
        let plain = built(&sections, path, false);
        assert_eq!(rendered.manifests.to_yaml(), plain.manifests.to_yaml());
        let mut got = String::new();
        for question in expected.lines().filter_map(|line| line.strip_prefix("? ")) {
            writeln!(got, "? {question}\n{}\n", answer(&rendered, question)).unwrap();
        }
        for manifest in &rendered.manifests {
            let all = manifest.explain("").unwrap();
            transformers.extend(all.changes.into_iter().filter_map(|change| change.by));
        }
        if got != expected && update {
            let kept = text.strip_suffix(&expected).unwrap();
            fs::write(&file, format!("{kept}{got}")).unwrap();
        } else if got != expected {
            wrong.push(format!("{}\n{got}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Every transformer and generator has a case.
    for name in [
        "AnnotationsTransformer",
        "ConfigMapGenerator",
        "HashTransformer",
        "ImageTagTransformer",
        "LabelTransformer",
        "NameReferenceTransformer",
        "NamespaceTransformer",
        "PatchJson6902Transformer",
        "PatchStrategicMergeTransformer",
        "PatchTransformer",
        "PrefixTransformer",
        "ReplacementTransformer",
        "ReplicaCountTransformer",
        "SecretGenerator",
        "SuffixTransformer",
        "ValueAddTransformer",
        "vars",
        "output",
    ] {
        assert!(transformers.contains(name), "no case of {name} among {transformers:?}");
    }
}

#[test]
fn every_field_of_a_traced_build_has_an_origin() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain");
    for entry in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let (head, mut sections) = sections(&text);
        sections.pop();
        let path = head.lines().find_map(|line| line.strip_prefix("build: ")).unwrap_or("");
        for manifest in &built(&sections, path, true).manifests {
            for (field, value) in leaves(&manifest.to_json(), "") {
                let explanation = manifest.explain(&field).unwrap_or_else(|error| {
                    panic!("{} {field}: {error:#}", manifest.id());
                });
                let last = explanation.changes.last().unwrap_or_else(|| panic!("{field}"));
                let json = explanation.to_json();
                assert_eq!(json["value"], value, "{field}");
                if !value.is_object() && !value.is_array() {
                    assert_eq!(json["changes"].as_array().unwrap().last().unwrap()["value"], value);
                }
                let told = last.place.is_some() || last.configured.is_some() || last.by.is_some();
                assert!(told, "{} {field}: {last:?}", manifest.id());
            }
        }
    }
}

fn leaves(value: &serde_json::Value, path: &str) -> Vec<(String, serde_json::Value)> {
    use serde_json::Value;
    match value {
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .flat_map(|(key, value)| leaves(value, &format!("{path}[{key}]")))
            .collect(),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .enumerate()
            .flat_map(|(at, value)| leaves(value, &format!("{path}[{at}]")))
            .collect(),
        leaf => vec![(path.to_owned(), leaf.clone())],
    }
}

#[test]
fn a_build_that_is_not_traced_says_so() {
    let files = [
        ("kustomization.yaml".to_owned(), "resources: [a.yaml]\n".to_owned()),
        ("a.yaml".to_owned(), "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n".to_owned()),
    ];
    let error = built(&files, "", false).manifests.explain("Namespace/a.kind").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(built(&files, "", true).manifests.explain("Namespace/a.kind").is_ok());
}
