//! `gitops helm`, as somebody types it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const FILES: &[(&str, &str)] = &[
    ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: v1\n"),
    ("web/values.yaml", "replicas: 2\nimage: {tag: v1}\nlist:\n- name: a\n- name: b\n"),
    (
        "web/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  tag: {{ .Values.image.tag \
         }}\n",
    ),
    ("prod.yaml", "image:\n  tag: v2\n"),
    ("broken/Chart.yaml", "apiVersion: v2\nname: broken\nversion: 0.1.0\n"),
    ("broken/templates/a.yaml", "a: 1\nb: {{ .Values.db.host }}\n"),
];

/// A directory with charts.
fn charts() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    directory
}

fn helm(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitops"));
    command.arg("helm").args(words).current_dir(directory);
    command.env("HOME", directory).env_remove("HELM_PLUGINS");
    command.output().unwrap()
}

#[track_caller]
fn stdout(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn explanations_name_templates_values_and_who_set_them() {
    let directory = charts();
    let explain = |more: &[&str]| {
        let words = ["template", "web", "-f", "prod.yaml", "--explain", "ConfigMap/web.data.tag"];
        stdout(&helm(directory.path(), &[&words, more].concat()))
    };
    assert_eq!(
        explain(&[]),
        "ConfigMap/web data.tag = \"v2\"\n  web/templates/a.yaml:6:11  {{.Values.image.tag}}\n    \
         .Values.image.tag = \"v2\"  prod.yaml:2:8, over web/values.yaml:2:14\n"
    );
    let json = explain(&["--set", "image.tag=v3", "--explain-format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let value = &json["lines"][0]["origins"][0]["values"][0];
    assert_eq!(value["value"], "v3");
    assert_eq!(value["settings"][0]["by"], "--set image.tag=v3");
    assert_eq!(value["settings"][1]["line"], 2);
    let line = stdout(&helm(directory.path(), &["template", "web", "--explain", "8"]));
    assert!(line.starts_with("  tag: v1\n  web/templates/a.yaml:6:11  {{.Values"), "{line}");
    let error = stderr(&helm(directory.path(), &["template", "web", "--explain", "Pod/x"]));
    assert_eq!(error, "Error: no object of the release is \"Pod/x\"; there are ConfigMap/web\n");
}

#[test]
fn failures_are_told_in_three_forms() {
    let directory = charts();
    let failure = |format: &str| {
        stderr(&helm(directory.path(), &["template", "broken", "--error-format", format]))
    };
    let line = failure("line");
    assert!(line.starts_with("Error: broken/templates/a.yaml:2:13\n"), "{line}");
    assert!(line.ends_with("\n\nUse --debug flag to render out invalid YAML\n"), "{line}");
    assert_eq!(failure("auto"), line, "no terminal");
    let full = failure("full");
    assert!(full.contains("\n  --> broken/templates/a.yaml:2:14\n"), "{full}");
    assert!(full.contains("\n  hint: "), "{full}");
    let json: serde_json::Value = serde_json::from_str(&failure("json")).unwrap();
    assert_eq!(json["code"], "template");
    assert_eq!((&json["line"], &json["column"]), (&2.into(), &14.into()));
    assert_eq!(json["snippet"], "b: {{ .Values.db.host }}");
    let none = stderr(&helm(directory.path(), &["template", "./no", "--error-format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&none).unwrap();
    assert_eq!(json["code"], "io");
    assert_eq!(json["message"], "path \"./no\" not found");
}
