//! Compares whole conversations with what a real kube-apiserver answered.
//!
//! `tests/cases/verbs/*.yaml` are lists of requests, sent one after the other; `*.json` beside them
//! is what kube-apiserver 1.36 answered, without times, UIDs and versions: the n-th one seen is
//! written as `uid-n` or `version-n`, so that a version that moves, or does not, shows. To record the
//! answers anew:
//!
//! ```sh
//! GITOPS_CLUSTER=real KUBECONFIG=... cargo test -p gitops-apiserver --test verbs
//! ```

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
    time::Duration,
};

use gitops_apiserver::Server;
use http::{Method, Request};
use kube::{Client, client::Body};
use serde_json::{Map, Value, json};

/// What stands for the namespace of a conversation.
const NAMESPACE: &str = "@NS@";

/// How long a step that waits for an answer is asked again.
const PATIENCE: Duration = Duration::from_secs(20);

struct Conversation {
    client: Client,
    namespace: String,
    /// Texts that later requests may use, such as `$a.uid` after a step with `save: a`.
    saved: HashMap<String, String>,
    seen: Seen,
}

/// UIDs and versions in the order in which they came.
#[derive(Default)]
struct Seen {
    uids: Vec<String>,
    versions: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a test is steered by its environment")]
async fn conversations_go_as_with_the_real_server() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/verbs");
    let real = std::env::var("GITOPS_CLUSTER").is_ok_and(|cluster| cluster == "real");
    let known = fs::read_to_string(directory.join("KNOWN.md")).unwrap();
    let known: HashSet<String> =
        known.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect();
    let mut differences = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let script = read(&path);
        let record = path.with_extension("json");
        if real {
            let namespace = format!("verbs-{stem}-{}", std::process::id());
            let client = Client::try_default().await.expect("a kubeconfig");
            let answers = Conversation::new(client, namespace).hold(&script).await;
            fs::write(&record, format!("{:#}\n", Value::Object(answers))).unwrap();
        }
        let recorded: Map<String, Value> =
            serde_json::from_slice(&fs::read(&record).expect("recorded answers")).unwrap();
        let server = Server::builder().built_in_controllers(false).build();
        let client = Client::new(server.service(), "default");
        let answers = Conversation::new(client, format!("verbs-{stem}")).hold(&script).await;
        assert_eq!(answers.len(), recorded.len(), "{stem}: record the answers anew");
        for (step, answer) in &answers {
            count += 1;
            let mut expected = recorded.get(step).cloned().unwrap_or_default();
            let mut answer = answer.clone();
            forget_owned_structs(&mut expected);
            forget_owned_structs(&mut answer);
            let is_same = expected == answer;
            let title = format!("{stem}: {step}");
            if known.contains(&title) {
                if is_same {
                    differences.push(format!("{title}\n  is the same by now: strike it out"));
                }
            } else if !is_same {
                differences.push(format!("{title}\n  real {expected}\n  here {answer}"));
            }
        }
    }
    assert!(count > 0);
    let number = differences.len();
    assert!(number == 0, "{number} of {count} answers differ:\n{}", differences.join("\n"));
}

/// Whether a manager owns a struct itself, besides its fields, follows from the real server's own
/// types: one that is always written out counts as there before. It decides nothing.
fn forget_owned_structs(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(forget_owned_structs),
        Value::Object(fields) => {
            fields.remove(".");
            // Their order follows from seconds.
            if let Some(Value::Array(owners)) = fields.get_mut("managedFields") {
                owners.sort_by_key(|owner| {
                    ["manager", "operation", "subresource"].map(|name| owner[name].to_string())
                });
            }
            fields.values_mut().for_each(forget_owned_structs);
        }
        _ => {}
    }
}

/// Descriptions are not printed, and those of built-in columns not kept; young ages move.
fn forget_of_table(table: &mut Value) {
    if table["kind"] != "Table" {
        return;
    }
    let columns = table["columnDefinitions"].as_array_mut().into_iter().flatten();
    for column in columns {
        let is_own = column["description"].as_str().is_some_and(|text| text.contains("JSONPath"));
        if !is_own && column["name"] != "Size" {
            column["description"] = "".into();
        }
    }
    let rows = table["rows"].as_array_mut().into_iter().flatten();
    for cell in rows.filter_map(|row| row["cells"].as_array_mut()).flatten() {
        let text = cell.as_str().unwrap_or_default();
        let digits = text.trim_end_matches('s');
        if digits.len() < text.len() && digits.parse::<u8>().is_ok() {
            *cell = "young".into();
        } else if text.len() == 20 && text.ends_with('Z') {
            *cell = "T".into();
        } else if text.contains("controller-uid=") {
            *cell = "uid".into();
        }
    }
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read(path).unwrap();
    let mut documents = gitops_yaml::read_all(&text).unwrap().into_iter();
    match documents.next().expect("a script").to_json().unwrap() {
        Value::Array(steps) => steps,
        other => panic!("a script is a list of requests, not {other}"),
    }
}

impl Conversation {
    fn new(client: Client, namespace: String) -> Self {
        Self { client, namespace, saved: HashMap::new(), seen: Seen::default() }
    }

    /// The answers to all requests by their number and text.
    async fn hold(mut self, script: &[Value]) -> Map<String, Value> {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace},
        });
        let step = json!({"do": "POST /api/v1/namespaces", "body": namespace});
        assert_eq!(self.send(&step).await["code"], 201);
        let mut answers = Map::new();
        for (number, step) in script.iter().enumerate() {
            let mut answer = self.send(step).await;
            if let Some(wanted) = step.get("until") {
                let deadline = tokio::time::Instant::now() + PATIENCE;
                while answer["code"] != *wanted {
                    assert!(tokio::time::Instant::now() < deadline, "{step}: {answer}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    answer = self.send(step).await;
                }
                // What it was asked for stands in the script.
                continue;
            }
            if let Some(name) = step["save"].as_str() {
                let metadata = &answer["body"]["metadata"];
                for (short, field) in
                    [("uid", "uid"), ("version", "resourceVersion"), ("continue", "continue")]
                {
                    if let Some(text) = metadata[field].as_str() {
                        self.saved.insert(format!("${name}.{short}"), text.to_owned());
                    }
                }
            }
            self.seen.scrub(&mut answer["body"]);
            forget_of_table(&mut answer["body"]);
            let text = answer.to_string().replace(&self.namespace, NAMESPACE);
            let text = self.without_saved(text);
            let title = format!("{number} {}", step["do"].as_str().unwrap());
            answers.insert(title, serde_json::from_str(&text).unwrap());
        }
        answers
    }

    /// Messages quote UIDs.
    fn without_saved(&self, mut text: String) -> String {
        for (name, value) in &self.saved {
            if name.ends_with(".uid") {
                text = text.replace(value, name);
            }
        }
        text
    }

    async fn send(&self, step: &Value) -> Value {
        let mut line = step["do"].as_str().expect("what to do").to_owned();
        let mut body = match &step["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        for text in [&mut line, &mut body] {
            *text = text.replace(NAMESPACE, &self.namespace);
            for (name, value) in &self.saved {
                *text = text.replace(name, value);
            }
        }
        let (method, path) = line.split_once(' ').unwrap();
        let media = match step["as"].as_str().unwrap_or("application/json") {
            "apply" => "application/apply-patch+yaml",
            "merge" => "application/merge-patch+json",
            "json" => "application/json-patch+json",
            "strategic" => "application/strategic-merge-patch+json",
            other => other,
        };
        let mut request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(path)
            .header("content-type", media)
            .header("user-agent", "verbs/1");
        for (field, header) in [("accept", "accept"), ("user", "impersonate-user")] {
            if let Some(value) = step[field].as_str() {
                let value = value.replace(NAMESPACE, &self.namespace);
                request = request.header(header, value);
            }
        }
        let request = request.body(Body::from(body.into_bytes())).unwrap();
        let response = self.client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let warnings: Vec<String> = response
            .headers()
            .get_all("warning")
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        let bytes = response.into_body().collect_bytes().await.unwrap();
        let mut values: Vec<Value> = serde_json::Deserializer::from_slice(&bytes)
            .into_iter()
            .map(|value| {
                value.unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into())
            })
            .collect();
        let body = match values.len() {
            1 if !path.contains("watch=") => values.remove(0),
            _ => values.into(),
        };
        let mut answer = json!({"code": code, "body": body});
        if !warnings.is_empty() {
            answer["warnings"] = warnings.into();
        }
        answer
    }
}

impl Seen {
    /// Takes out what differs between any two conversations.
    fn scrub(&mut self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|value| self.scrub(value)),
            Value::Object(fields) => {
                let of_list = fields.contains_key("items") || is_of_stream(fields);
                if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
                    self.scrub_metadata(metadata, of_list);
                }
                for (name, value) in fields.iter_mut() {
                    match (name.as_str(), &*value) {
                        ("time" | "lastTransitionTime", Value::String(_)) => *value = "T".into(),
                        ("uid", Value::String(uid)) => {
                            *value = ordinal(&mut self.uids, uid, "uid");
                        }
                        _ => self.scrub(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn scrub_metadata(&mut self, metadata: &mut Map<String, Value>, of_list: bool) {
        for (field, value) in &mut *metadata {
            let Value::String(text) = &*value else { continue };
            *value = match field.as_str() {
                "resourceVersion" if of_list => "version".into(),
                "resourceVersion" => ordinal(&mut self.versions, text, "version"),
                "creationTimestamp" | "deletionTimestamp" => "T".into(),
                "continue" => "C".into(),
                _ => continue,
            };
        }
        let generated = metadata.get("generateName").and_then(Value::as_str).map(str::to_owned);
        if let (Some(start), Some(Value::String(name))) = (generated, metadata.get_mut("name"))
            && name.starts_with(&start)
        {
            name.replace_range(start.len().., &"?".repeat(name.len() - start.len()));
        }
    }
}

/// A bookmark has a version of the server.
fn is_of_stream(fields: &Map<String, Value>) -> bool {
    let metadata = fields.get("metadata").and_then(Value::as_object);
    metadata.is_some_and(|metadata| !metadata.contains_key("uid"))
}

fn ordinal(seen: &mut Vec<String>, text: &str, name: &str) -> Value {
    if text.is_empty() || text.starts_with(name) {
        return text.into();
    }
    let place = seen.iter().position(|known| known == text).unwrap_or_else(|| {
        seen.push(text.to_owned());
        seen.len() - 1
    });
    format!("{name}-{place}").into()
}
