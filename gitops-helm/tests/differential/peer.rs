//! Helm's own libraries, in a process that renders a chart per line.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::case::{Case, KUBE_VERSION, Outcome, joined, readable};

#[derive(Debug)]
pub(crate) struct Peer {
    file: PathBuf,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn start(file: &Path) -> Self {
        let mut child = Command::new(file)
            .arg("render")
            .env("TZ", "UTC")
            .env("GOMAXPROCS", "1")
            .env("GOMEMLIMIT", "1GiB")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { file: file.to_owned(), child, input, output: BufReader::new(output) }
    }

    /// What Helm makes of it; nothing if it crashes.
    pub(crate) fn render(&mut self, case: &Case) -> Option<Outcome> {
        let [set, set_string, set_json, set_literal] = &case.set;
        let request = json!({
            "compat": if case.helm3 { 3 } else { 4 },
            "files": case.files,
            "values": case.values,
            "set": set, "set_string": set_string, "set_json": set_json, "set_literal": set_literal,
            "kube_version": KUBE_VERSION,
            "api_versions": case.api_versions,
            "include_crds": case.include_crds,
            "sub_notes": case.sub_notes,
            "is_upgrade": case.is_upgrade,
            "engine": case.engine,
        });
        let mut line = String::new();
        let sent = writeln!(self.input, "{request}").and_then(|()| self.input.flush());
        let read = sent.and_then(|()| self.output.read_line(&mut line));
        let Ok(answer) = serde_json::from_str::<Value>(&line) else {
            drop(read);
            self.stop();
            *self = Self::start(&self.file.clone());
            return None;
        };
        if answer["panic"].is_string() {
            return None;
        }
        if let Some(error) = text(&answer["error"]) {
            return Some(Err(stable(&error)));
        }
        if case.engine {
            let texts = answer["texts"].as_object();
            let texts = texts.into_iter().flatten();
            return Some(Ok(joined(
                texts.map(|(path, value)| (path, text(value).unwrap_or_default())),
            )));
        }
        let part = |name: &str| text(&answer[name]).unwrap_or_default();
        Some(Ok(format!("{}NOTES:\n{}", part("output"), part("notes"))))
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn text(value: &Value) -> Option<String> {
    let bytes = STANDARD.decode(value.as_str()?).unwrap();
    Some(readable(&bytes))
}

/// The message without the name of the values file.
fn stable(error: &str) -> String {
    match error.strip_prefix("failed to parse ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => format!("failed to parse VALUES: {rest}"),
        None => error.to_owned(),
    }
}
