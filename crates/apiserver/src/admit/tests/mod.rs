//! Compares admission with what a real kube-apiserver answered.
//!
//! `tests/cases/admission/*.yaml` hold what is sent, `*.json` beside them what kube-apiserver 1.36
//! answered to each case, with `dryRun=All`. To record the answers anew:
//!
//! ```sh
//! GITOPS_CLUSTER=real KUBECONFIG=... cargo test -p gitops-apiserver admission_answers
//! ```
//!
//! `GITOPS_OBJECTS=DIR` as well sends every object of every YAML file below a directory to both and
//! prints what differs.

mod broad;
mod fuzz;
mod real;
mod rules;
mod world;

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};

use self::world::World;

/// One case: what is sent, maybe over an existing object.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) given: Option<Value>,
    pub(super) send: Value,
    /// Names the kind whose path it is sent to, if it is not its own.
    pub(super) to: Option<Value>,
    pub(super) strict: bool,
    pub(super) subresource: String,
}

impl Case {
    /// What names the kind of the path.
    fn target(&self) -> &Value {
        self.to.as_ref().unwrap_or(&self.send)
    }
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/admission")
}

/// The cases of a file; documents that are custom resource definitions and have no `send` are
/// installed first.
fn read(path: &std::path::Path) -> (Vec<Value>, Vec<Case>) {
    let text = fs::read(path).unwrap();
    let (mut definitions, mut cases) = (Vec::new(), Vec::new());
    for node in gitops_yaml::read_all(&text).unwrap() {
        let document = node.to_json().unwrap();
        if document["kind"] == "CustomResourceDefinition" {
            definitions.push(document);
            continue;
        }
        let field = |name: &str| document.get(name).filter(|value| !value.is_null()).cloned();
        cases.push(Case {
            name: document["name"].as_str().expect("a case has a name").to_owned(),
            given: field("given"),
            to: field("to"),
            send: field("send").expect("a case sends an object"),
            strict: document["strict"] == true,
            subresource: document["subresource"].as_str().unwrap_or_default().to_owned(),
        });
    }
    (definitions, cases)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a test is steered by its environment")]
async fn admission_answers_as_the_real_server_does() {
    let real = match std::env::var("GITOPS_CLUSTER").as_deref() {
        Ok("real") => Some(real::Server::connect().await),
        _ => None,
    };
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut differences = Vec::new();
    let mut count = 0;
    for path in files {
        let (definitions, cases) = read(&path);
        let record = path.with_extension("json");
        if let Some(real) = &real {
            let answers = real.answers(&definitions, &cases).await;
            fs::write(&record, format!("{:#}\n", Value::Object(answers))).unwrap();
        }
        let recorded: Map<String, Value> =
            serde_json::from_slice(&fs::read(&record).expect("recorded answers")).unwrap();
        let world = World::new(&definitions);
        for case in &cases {
            count += 1;
            let ours = world.answer(case);
            let theirs = &recorded[&case.name];
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            compare(&format!("{file}: {}", case.name), theirs, &ours, &mut differences);
        }
    }
    assert!(count > 0, "there are cases");
    assert!(
        differences.is_empty(),
        "{} of {count} cases differ\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// Adds what differs between the real answer and ours.
fn compare(title: &str, theirs: &Value, ours: &Value, differences: &mut Vec<String>) {
    if theirs == ours {
        return;
    }
    let mut lines = Vec::new();
    world::difference("", theirs, ours, &mut lines);
    differences.push(format!("--- {title}\n{}", lines.join("\n")));
}

/// What both servers choose freely.
pub(super) fn scrub(object: &mut Value) {
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        for name in ["uid", "creationTimestamp", "resourceVersion", "generation", "managedFields"] {
            metadata.shift_remove(name);
        }
        if metadata.contains_key("generateName") {
            metadata.shift_remove("name");
        }
    }
    if object["kind"] == "Service" {
        for name in ["clusterIP", "clusterIPs"] {
            if let Some(value) = object["spec"].get_mut(name)
                && *value != "None"
                && *value != json!(["None"])
            {
                *value = "allocated".into();
            }
        }
        for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
            if port.get("nodePort").is_some_and(|port| port.as_i64() >= Some(30000)) {
                port["nodePort"] = "allocated".into();
            }
        }
        if object["spec"].get("healthCheckNodePort").is_some() {
            object["spec"]["healthCheckNodePort"] = "allocated".into();
        }
    }
    if let Some(Value::Object(status)) = object.get_mut("status") {
        status.shift_remove("lastPhaseTransitionTime");
    }
    if object["kind"] == "CustomResourceDefinition" {
        object["status"] = json!({"storedVersions": object["status"]["storedVersions"]});
    }
    if object["kind"] == "Job" {
        scrub_job(object);
    }
}

/// The labels of a job's pods carry its UID.
fn scrub_job(object: &mut Value) {
    for pointer in
        ["/metadata/labels", "/spec/selector/matchLabels", "/spec/template/metadata/labels"]
    {
        for name in ["batch.kubernetes.io/controller-uid", "controller-uid"] {
            if let Some(Value::Object(labels)) = object.pointer_mut(pointer)
                && labels.contains_key(name)
            {
                labels.insert(name.to_owned(), "uid".into());
            }
        }
    }
}
