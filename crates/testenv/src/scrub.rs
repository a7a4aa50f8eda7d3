//! Stable snapshots: what differs from run to run is replaced by a name.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

/// Replaces what differs from run to run: times, uids, resource versions, measured durations, free
/// ports, and what [`Scrubber::hide`] names.
///
/// Durations are replaced where they are measured, in messages and in `last…Duration`; those of a
/// spec stay.
///
/// ```
/// use gitops_testenv::Scrubber;
///
/// let scrubber = Scrubber::new().hide("t-prune-4711", "<namespace>");
/// assert_eq!(
///     scrubber.text("t-prune-4711: done in 1.25s, next run in 10m0s"),
///     "<namespace>: done in <duration>, next run in 10m0s",
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scrubber {
    hidden: Vec<(String, String)>,
}

impl Scrubber {
    /// One that knows the general rules only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also replaces a text, such as the namespace of the test. What is hidden first is replaced
    /// first.
    #[must_use]
    pub fn hide(mut self, text: impl Into<String>, name: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.hidden.push((text, name.into()));
        }
        self
    }

    /// The text without what differs from run to run.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (hidden, name) in &self.hidden {
            text = text.replace(hidden, name);
        }
        for (pattern, name) in RULES.iter() {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        text
    }

    /// The object without what differs from run to run. `managedFields` and `selfLink` go.
    pub fn object(&self, object: &Value) -> Value {
        self.value("", object)
    }

    fn value(&self, key: &str, value: &Value) -> Value {
        match value {
            Value::String(_) if key == "uid" => "<uid>".into(),
            Value::String(_) if key == "resourceVersion" => "<version>".into(),
            Value::String(text) if key.ends_with("Duration") && is_duration(text) => {
                "<duration>".into()
            }
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value(key, item)).collect(),
            Value::Object(object) => object
                .iter()
                // The digest of what was built is that of a text with the namespace in it.
                .map(|(key, value)| match key.as_str() {
                    "digest" if object.contains_key("lastReconciled") => (key, &*BUILT),
                    _ => (key, value),
                })
                .filter(|(key, _)| !matches!(key.as_str(), "managedFields" | "selfLink"))
                .map(|(key, value)| (self.text(key), self.value(key, value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
}

static BUILT: LazyLock<Value> = LazyLock::new(|| "<digest>".into());

fn is_duration(text: &str) -> bool {
    text.parse::<gitops_api::meta::Duration>().is_ok()
}

static RULES: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
    [
        (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})", "<time>"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
        // A free port is above 1023; a port that a test chose itself is hidden by name first.
        (r"\b127\.0\.0\.1:[1-9]\d{3,4}\b", "127.0.0.1:<port>"),
        // Measured times have a fraction or are below a second; what a spec says has neither.
        (r"\b(?:\d+h)?(?:\d+m)?\d+\.\d+(?:s|ms|µs)|\b\d+(?:ms|µs|ns)\b", "<duration>"),
    ]
    .map(|(pattern, name)| (Regex::new(pattern).expect("the patterns are valid"), name))
});

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_keep_what_is_stable() {
        let scrubbed = Scrubber::new().hide("t-one-99", "<namespace>").object(&json!({
            "metadata": {
                "name": "app", "namespace": "t-one-99", "generation": 2, "resourceVersion": "1234",
                "uid": "0b2a9a36-6b0c-4a0e-9d5f-5f1f3a8a1d11", "managedFields": [{}],
                "creationTimestamp": "2026-01-31T09:30:00Z",
            },
            "spec": { "interval": "10m", "timeout": "1m30s", "url": "http://127.0.0.1:34567/app.git" },
            "status": {
                "history": [{ "digest": "sha256:1", "lastReconciled": "2026-01-31T09:30:00Z", "lastReconciledDuration": "1m0s" }],
                "conditions": [{ "message": "Reconciliation finished in 53ms, next run in 10m0s" }],
                "inventory": { "entries": [{ "id": "t-one-99_a__ConfigMap", "v": "v1" }] },
            },
        }));
        assert_eq!(
            scrubbed,
            json!({
                "metadata": {
                    "name": "app", "namespace": "<namespace>", "generation": 2,
                    "resourceVersion": "<version>", "uid": "<uid>", "creationTimestamp": "<time>",
                },
                "spec": { "interval": "10m", "timeout": "1m30s", "url": "http://127.0.0.1:<port>/app.git" },
                "status": {
                    "history": [{ "digest": "<digest>", "lastReconciled": "<time>", "lastReconciledDuration": "<duration>" }],
                    "conditions": [{ "message": "Reconciliation finished in <duration>, next run in 10m0s" }],
                    "inventory": { "entries": [{ "id": "<namespace>_a__ConfigMap", "v": "v1" }] },
                },
            })
        );
    }

    #[test]
    fn texts() {
        let scrubber = Scrubber::new();
        for (text, scrubbed) in [
            ("in 1m2.5s", "in <duration>"),
            ("in 250.5µs and 3ns", "in <duration> and <duration>"),
            ("v1.2.3 of main@sha1:0b2a9a36", "v1.2.3 of main@sha1:0b2a9a36"),
            ("next run in 1m0s", "next run in 1m0s"),
            ("at 2026-01-31T09:30:00.123456+01:00!", "at <time>!"),
            ("127.0.0.1:80", "127.0.0.1:80"),
        ] {
            assert_eq!(scrubber.text(text), scrubbed);
        }
    }
}
