//! Fields that others may own: `spec.ignore` of a Kustomization.
//!
//! Follows fluxcd/pkg `ssa/jsondiff`: JSON pointers, and targets that select by regular
//! expressions, anchored at both ends, and by label selectors.

use kube::core::{Selector, SelectorExt as _};
use regex::Regex;
use serde_json::Value;

use crate::{ApplyError, object::metadata};

/// No rule needs more; bounds the work on hostile input.
const PATH_LIMIT: usize = 1000;
/// Bounds the memory of a compiled expression.
const REGEX_LIMIT: usize = 1 << 20;

/// Fields of some objects that are left to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRule {
    /// JSON pointers, e.g. `/spec/replicas`.
    pub paths: Vec<String>,
    /// Which objects; all if absent.
    pub target: Option<IgnoreTarget>,
}

/// Selects objects. Empty fields select all; the first five are regular expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreTarget {
    /// The API group.
    pub group: String,
    /// The API version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// A label selector over the labels.
    pub label_selector: String,
    /// A label selector over the annotations.
    pub annotation_selector: String,
}

/// Rules that were checked once and are matched often.
#[derive(Debug, Default)]
pub(crate) struct IgnoreRules(Vec<Compiled>);

#[derive(Debug)]
struct Compiled {
    paths: Vec<String>,
    /// Group, version, kind, name, namespace.
    fields: [Option<Regex>; 5],
    labels: Option<Selector>,
    annotations: Option<Selector>,
}

impl IgnoreRules {
    pub(crate) fn compile(rules: &[IgnoreRule]) -> Result<Self, ApplyError> {
        if rules.iter().map(|rule| rule.paths.len()).sum::<usize>() > PATH_LIMIT {
            return Err(ApplyError::IgnoreRule(format!("more than {PATH_LIMIT} paths")));
        }
        rules.iter().map(Compiled::new).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths that are ignored in an object.
    pub(crate) fn paths(&self, object: &Value) -> Vec<&str> {
        let rules = self.0.iter().filter(|rule| rule.matches(object));
        rules.flat_map(|rule| rule.paths.iter().map(String::as_str)).collect()
    }
}

impl Compiled {
    fn new(rule: &IgnoreRule) -> Result<Self, ApplyError> {
        let none = IgnoreTarget::default();
        let target = rule.target.as_ref().unwrap_or(&none);
        Ok(Self {
            // Quirk: Flux takes what is no JSON pointer, and it leads nowhere.
            paths: rule
                .paths
                .iter()
                .filter(|path| path.is_empty() || path.starts_with('/'))
                .cloned()
                .collect(),
            fields: [
                anchored("group", &target.group)?,
                anchored("version", &target.version)?,
                anchored("kind", &target.kind)?,
                anchored("name", &target.name)?,
                anchored("namespace", &target.namespace)?,
            ],
            labels: selector("label", &target.label_selector)?,
            annotations: selector("annotation", &target.annotation_selector)?,
        })
    }

    fn matches(&self, object: &Value) -> bool {
        let api_version = object["apiVersion"].as_str().unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = object["kind"].as_str().unwrap_or_default();
        let texts = [group, version, kind, metadata(object, "name"), metadata(object, "namespace")];
        let fields_match = self
            .fields
            .iter()
            .zip(texts)
            .all(|(regex, text)| regex.as_ref().is_none_or(|regex| regex.is_match(text)));
        fields_match
            && selects(self.labels.as_ref(), &object["metadata"]["labels"])
            && selects(self.annotations.as_ref(), &object["metadata"]["annotations"])
    }
}

fn anchored(what: &str, pattern: &str) -> Result<Option<Regex>, ApplyError> {
    if pattern.is_empty() {
        return Ok(None);
    }
    let anchored = regex::RegexBuilder::new(&format!("^(?:{pattern})$"));
    let mut builder = anchored;
    let regex = builder
        .size_limit(REGEX_LIMIT)
        .build()
        .map_err(|_| ApplyError::IgnoreRule(format!("invalid {what} regex: {pattern:?}")))?;
    Ok(Some(regex))
}

fn selector(what: &str, text: &str) -> Result<Option<Selector>, ApplyError> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = parse_selector(text)
        .ok_or_else(|| ApplyError::IgnoreRule(format!("invalid {what} selector: {text:?}")))?;
    Ok(Some(parsed))
}

/// Reads `a=b,c!=d,e in (f, g),h notin (i),j,!k`.
fn parse_selector(text: &str) -> Option<Selector> {
    use kube::core::Expression;

    let mut expressions = Vec::new();
    for term in split_terms(text) {
        let term = term.trim();
        let word = |word: &str| -> Option<String> {
            let word = word.trim();
            let ok = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            (word.chars().all(ok)).then(|| word.to_owned())
        };
        let key = |text: &str| word(text).filter(|key| !key.is_empty());
        let set = |text: &str| -> Option<std::collections::BTreeSet<String>> {
            let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
            inner.split(',').map(word).collect()
        };
        let expression = if let Some((name, values)) = term.split_once(" notin ") {
            Expression::NotIn(key(name)?, set(values)?)
        } else if let Some((name, values)) = term.split_once(" in ") {
            Expression::In(key(name)?, set(values)?)
        } else if let Some((name, value)) = term.split_once("!=") {
            Expression::NotEqual(key(name)?, word(value)?)
        } else if let Some((name, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            Expression::Equal(key(name)?, word(value)?)
        } else if let Some(name) = term.strip_prefix('!') {
            Expression::DoesNotExist(key(name)?)
        } else {
            Expression::Exists(key(term)?)
        };
        expressions.push(expression);
    }
    Some(expressions.into_iter().collect())
}

/// Splits at commas that stand outside of parentheses.
fn split_terms(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn selects(selector: Option<&Selector>, values: &Value) -> bool {
    let Some(selector) = selector else {
        return true;
    };
    let values = values.as_object().map(|values| {
        let texts = values
            .iter()
            .filter_map(|(key, value)| value.as_str().map(|value| (key.clone(), value.to_owned())));
        texts.collect()
    });
    selector.matches(&values.unwrap_or_default())
}

/// Removes what a JSON pointer points at; nothing happens if there is nothing.
pub(crate) fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.shift_remove(&unescape(last));
        }
        Some(Value::Array(items)) => {
            if let Ok(index) = last.parse::<usize>()
                && index < items.len()
            {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// Sets what a JSON pointer points at, where its parent exists.
pub(crate) fn replace(object: &mut Value, pointer: &str, value: Value) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.insert(unescape(last), value);
        }
        Some(Value::Array(items)) => {
            if let Some(item) = last.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                *item = value;
            }
        }
        _ => {}
    }
}

/// A segment of a JSON pointer as it stands in the object (RFC 6901).
pub(crate) fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn targets_select() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata":
            {"name": "web", "namespace": "a", "labels": {"tier": "front"}}});
        let target = |change: fn(&mut IgnoreTarget)| {
            let mut target = IgnoreTarget::default();
            change(&mut target);
            IgnoreRule { paths: vec!["/spec/replicas".into()], target: Some(target) }
        };
        for (rule, expected) in [
            (target(|_| ()), true),
            (target(|t| t.kind = "Deploy".into()), false),
            (target(|t| t.kind = "Deploy.*|Job".into()), true),
            (target(|t| t.group = "apps".into()), true),
            (target(|t| t.label_selector = "tier in (front, back),!x".into()), true),
            (target(|t| t.label_selector = "tier!=front".into()), false),
            (target(|t| t.annotation_selector = "a=b".into()), false),
        ] {
            let rules = IgnoreRules::compile(std::slice::from_ref(&rule)).unwrap();
            assert_eq!(!rules.paths(&object).is_empty(), expected, "{rule:?}");
        }
    }

    #[test]
    fn malformed_rules_are_refused() {
        for (kind, labels) in [("(", ""), ("", "a b c")] {
            let target = IgnoreTarget {
                kind: kind.into(),
                label_selector: labels.into(),
                ..IgnoreTarget::default()
            };
            let rule = IgnoreRule { paths: vec!["/a".into()], target: Some(target) };
            assert!(IgnoreRules::compile(&[rule]).is_err(), "{kind} {labels}");
        }
    }

    #[test]
    fn pointers_reach_what_they_name() {
        let mut object = json!({"a": {"b/c": 1, "d": [1, 2, 3]}});
        remove(&mut object, "/a/b~1c");
        remove(&mut object, "/a/d/1");
        remove(&mut object, "/x/y");
        replace(&mut object, "/a/d/0", json!(9));
        replace(&mut object, "/a/e", json!("new"));
        assert_eq!(object, json!({"a": {"d": [9, 3], "e": "new"}}));
    }
}
