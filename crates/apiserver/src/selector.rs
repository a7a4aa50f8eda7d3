//! Label and field selectors.

use serde_json::Value;

use crate::{
    object::Meta as _,
    registry::Resource,
    status::{Refusal, Result, go_quote},
};

/// What a list or a watch is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    /// Also without the label.
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    ///
    /// # Errors
    /// `BadRequest` when one of them is malformed or names a field that cannot be selected by.
    pub(crate) fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self> {
        let labels = requirements(labels)
            .map_err(|why| Refusal::bad_request(format!("unable to parse requirement: {why}")))?;
        let mut parsed = Vec::new();
        for term in fields.split(',').map(str::trim).filter(|term| !term.is_empty()) {
            let (field, equal, value) = if let Some((field, value)) = term.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = term.split_once("==").or(term.split_once('=')) {
                (field, true, value)
            } else {
                let why = format!("invalid selector: '{fields}'; can't understand '{term}'");
                return Err(Refusal::bad_request(why));
            };
            check_field(resource, field)?;
            parsed.push((field.to_owned(), equal, value.to_owned()));
        }
        Ok(Self { labels, fields: parsed })
    }

    /// Whether it selects everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.fields.iter().all(|(field, equal, value)| (text_of(object, field) == *value) == *equal)
            && self.labels.iter().all(|requirement| requirement.matches(object))
    }
}

impl Requirement {
    fn matches(&self, object: &Value) -> bool {
        let labels = object.metadata().and_then(|meta| meta.get("labels"));
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        let number = |key: &str| label(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(key, values) => {
                label(key).is_some_and(|label| values.iter().any(|value| value == label))
            }
            Self::NotIn(key, values) => {
                label(key).is_none_or(|label| values.iter().all(|value| value != label))
            }
            Self::Exists(key) => label(key).is_some(),
            Self::Absent(key) => label(key).is_none(),
            Self::Greater(key, bound) => number(key).is_some_and(|number| number > *bound),
            Self::Less(key, bound) => number(key).is_some_and(|number| number < *bound),
        }
    }
}

const EVENT: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];
const POD: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];

/// The fields beside name and namespace that a built-in kind can be selected by; absent of a kind that
/// says nothing of its own.
fn selectable(resource: &Resource) -> Option<&'static [&'static str]> {
    Some(match (&*resource.group, &*resource.plural) {
        ("" | "events.k8s.io", "events") => EVENT,
        ("", "pods") => POD,
        ("", "namespaces") => &["status.phase"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") => &["status.replicas"],
        ("apps", "statefulsets") | ("batch", "jobs") => &["status.successful"],
        ("certificates.k8s.io", "certificatesigningrequests") => &["spec.signerName"],
        _ => return None,
    })
}

/// Refuses a field that a kind cannot be selected by, in the words that its API group has for it.
fn check_field(resource: &Resource, field: &str) -> Result<()> {
    if field == "metadata.name" || (field == "metadata.namespace" && resource.namespaced) {
        return Ok(());
    }
    match (&resource.selectable, selectable(resource)) {
        (Some(own), _) if own.iter().any(|known| known == field) => Ok(()),
        (None, Some(known)) if known.contains(&field) => Ok(()),
        (None, None) if field == "metadata.namespace" => Ok(()),
        (None, None) => Err(Refusal::bad_request(format!(
            "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            go_quote(field)
        ))),
        _ => Err(Refusal::bad_request(format!("field label not supported: {field}"))),
    }
}

/// The text that a field is compared by; what is absent counts as its type's zero.
fn text_of(object: &Value, field: &str) -> String {
    let text = match field {
        "source" => match text_at(object, "source.component") {
            component if component.is_empty() => text_at(object, "reportingComponent"),
            component => component,
        },
        "status.successful" => text_at(object, "status.succeeded"),
        field => text_at(object, field),
    };
    match field {
        "spec.hostNetwork" | "spec.unschedulable" if text.is_empty() => "false".to_owned(),
        "status.replicas" | "status.successful" if text.is_empty() => "0".to_owned(),
        _ => text,
    }
}

fn text_at(object: &Value, path: &str) -> String {
    let mut value = object;
    for part in path.split('.') {
        match value.get(part) {
            Some(next) => value = next,
            None => return String::new(),
        }
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn requirements(text: &str) -> std::result::Result<Vec<Requirement>, String> {
    terms(text).into_iter().map(requirement).collect()
}

/// Splits at commas outside of brackets.
fn terms(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut terms) = (0_usize, 0, Vec::new());
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                terms.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms.into_iter().map(str::trim).filter(|term| !term.is_empty()).collect()
}

fn requirement(term: &str) -> std::result::Result<Requirement, String> {
    let key = |text: &str| -> std::result::Result<String, String> {
        let text = text.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        if text.is_empty() || !text.chars().all(fine) {
            return Err(format!("found '{text}', expected: identifier"));
        }
        Ok(text.to_owned())
    };
    let set = |text: &str| -> Option<Vec<String>> {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
    };
    let number = |text: &str| {
        text.trim().parse().map_err(|_| format!("'{}' is not an integer", text.trim()))
    };
    if let Some(rest) = term.strip_prefix('!') {
        return Ok(Requirement::Absent(key(rest)?));
    }
    if let Some((left, right)) = term.split_once("!=") {
        return Ok(Requirement::NotIn(key(left)?, vec![right.trim().to_owned()]));
    }
    if let Some((left, right)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok(Requirement::In(key(left)?, vec![right.trim().to_owned()]));
    }
    if let Some((left, right)) = term.split_once('>') {
        return Ok(Requirement::Greater(key(left)?, number(right)?));
    }
    if let Some((left, right)) = term.split_once('<') {
        return Ok(Requirement::Less(key(left)?, number(right)?));
    }
    if let Some((left, rest)) = term.split_once(char::is_whitespace) {
        let rest = rest.trim();
        if let Some(values) = rest.strip_prefix("notin").and_then(set) {
            return Ok(Requirement::NotIn(key(left)?, values));
        }
        if let Some(values) = rest.strip_prefix("in").and_then(set) {
            return Ok(Requirement::In(key(left)?, values));
        }
        if let Some((_, values)) = rest.split_once(char::is_whitespace)
            && (rest.starts_with("in ") || rest.starts_with("notin "))
        {
            return Err(format!("found '{}' expected: '('", values.trim()));
        }
        return Err(format!("found '{rest}', expected: in, notin, =, ==, !=, gt, lt"));
    }
    Ok(Requirement::Exists(key(term)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{registry::Registry, storage::Store};

    #[test]
    fn labels_are_selected_as_kubectl_users_write_them() {
        let registry = Registry::builtin(&Store::new());
        let pods = registry.resource("", "v1", "pods").unwrap();
        let object = json!({"metadata": {"name": "a", "labels": {"app": "web", "tier": "3"}}});
        for (labels, fields, expected) in [
            ("app=web", "", true),
            ("app==web,tier", "", true),
            ("app!=web", "", false),
            ("missing!=x", "", true),
            ("app in (db, web)", "", true),
            ("app notin (db,web)", "", false),
            ("!missing", "", true),
            ("tier>2", "", true),
            ("tier<3", "", false),
            ("", "metadata.name=a", true),
            ("", "metadata.name!=a", false),
        ] {
            let selector = Selector::parse(pods, labels, fields).unwrap();
            assert_eq!(selector.matches(&object), expected, "{labels:?} {fields:?}");
        }
        assert!(Selector::parse(pods, "a b c", "").is_err());
        assert!(Selector::parse(pods, "", "spec.anything=1").is_err());
    }
}
