//! What there is, as text.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::Value;

use crate::{Recorded, Scrubber};

/// A value as YAML; a text as it is.
pub(super) fn yaml(value: &Value, scrubber: &Scrubber) -> anyhow::Result<String> {
    let stable = scrubber.object(value);
    Ok(match stable.as_str() {
        Some(text) => format!("{text}\n"),
        None => gitops_yaml::to_yaml(&stable.into())?,
    })
}

/// Events, each once, in order: a line `Type Kind/name Reason: message`, further lines of the
/// message and the annotations indented.
pub(super) fn events(events: &[Value], object: Option<&str>, scrubber: &Scrubber) -> String {
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for event in events {
        let field = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("");
        let about = format!("{}/{}", field("/involvedObject/kind"), field("/involvedObject/name"));
        if object.is_some_and(|object| object != about) {
            continue;
        }
        let message = field("/message").trim_end().replace('\n', "\n  ");
        let mut entry = format!("{} {about} {}: {message}\n", field("/type"), field("/reason"));
        let annotations = event.pointer("/metadata/annotations").and_then(Value::as_object);
        for (key, value) in annotations.into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            // Writing to a string does not fail.
            let _ = writeln!(entry, "  {key}: {value}");
        }
        let entry = scrubber.text(&entry);
        if seen.insert(entry.clone()) {
            text.push_str(&entry);
        }
    }
    text
}

/// Requests: method and path, and below it the body, JSON as YAML.
pub(super) fn requests(requests: &[Recorded], scrubber: &Scrubber) -> anyhow::Result<String> {
    let mut text = String::new();
    for request in requests {
        text.push_str(&scrubber.text(&format!("{} {}\n", request.method, request.path)));
        let body = match serde_json::from_slice::<Value>(&request.body) {
            Ok(json) => yaml(&json, scrubber)?,
            Err(_) => scrubber.text(&String::from_utf8_lossy(&request.body)),
        };
        for line in body.lines() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {line}");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_lines() {
        let event = json!({
            "type": "Normal", "reason": "Progressing",
            "message": "ConfigMap/t-1/a created\nConfigMap/t-1/b created",
            "involvedObject": { "kind": "Kustomization", "name": "app" },
            "metadata": { "annotations": { "example.com/revision": "main@sha1:1" } },
        });
        let other = json!({
            "type": "Warning", "reason": "Failed", "message": "no",
            "involvedObject": { "kind": "GitRepository", "name": "src" },
        });
        let all = [event.clone(), other, event];
        let scrubber = Scrubber::new().hide("t-1", "<ns>");
        assert_eq!(
            events(&all, None, &scrubber),
            "Normal Kustomization/app Progressing: ConfigMap/<ns>/a created\n  ConfigMap/<ns>/b created\n  \
             example.com/revision: main@sha1:1\nWarning GitRepository/src Failed: no\n",
        );
        assert_eq!(
            events(&all, Some("GitRepository/src"), &scrubber),
            "Warning GitRepository/src Failed: no\n",
        );
    }
}
