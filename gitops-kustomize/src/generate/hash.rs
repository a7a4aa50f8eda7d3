//! The hash that names of generated objects end with.
//!
//! Follows kustomize's `api/hasher`. The name itself is not part of what is hashed: the original
//! looks it up under a key that no object has.

use std::collections::BTreeMap;

use gitops_core::Digest;
use gitops_yaml::Node;
use serde_json::Value;

use crate::error::Result;

/// Ten letters and digits that change with the content of a ConfigMap or Secret.
pub(crate) fn name_hash(object: &Node) -> Result<String> {
    let kind = object.get("kind").and_then(Node::text).unwrap_or_default();
    let content = match kind {
        "ConfigMap" => content_of(object, "ConfigMap", &["data"], "binaryData")?,
        "Secret" => content_of(object, "Secret", &["type", "data"], "stringData")?,
        _ => sorted(gitops_yaml::to_json(object)?).to_string(),
    };
    let digest = Digest::sha256(go_escaped(&content).as_bytes());
    Ok(digest.hex().chars().take(10).map(encode).collect())
}

fn content_of(object: &Node, kind: &str, fields: &[&str], optional: &str) -> Result<String> {
    let mut content: BTreeMap<&str, Value> = BTreeMap::new();
    content.insert("kind", kind.into());
    content.insert("name", "".into());
    for &field in fields {
        let value = match object.get(field) {
            None => Value::from(""),
            Some(node) => match node.text() {
                Some(text) => Value::from(text),
                None => sorted(gitops_yaml::to_json(node)?),
            },
        };
        content.insert(field, value);
    }
    if let Some(node) = object.get(optional).filter(|node| node.is_mapping()) {
        content.insert(optional, sorted(gitops_yaml::to_json(node)?));
    }
    Ok(Value::Object(content.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        .to_string())
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        leaf => leaf,
    }
}

/// JSON as Go's encoder writes it: safe to stand in HTML.
fn go_escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Digits and vowels are replaced so that no word is spelled.
fn encode(digit: char) -> char {
    match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        digit => digit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_the_original() {
        // kustomize v5.8.2, api/hasher/hasher_test.go
        for (text, hash) in [
            ("{apiVersion: v1, kind: ConfigMap}", "6ct58987ht"),
            ("{apiVersion: v1, kind: ConfigMap, data: {one: ''}}", "9g67k2htb6"),
            ("{apiVersion: v1, kind: ConfigMap, data: {two: 2, one: '', three: 3}}", "7757f9kkct"),
        ] {
            let node = gitops_yaml::read(text).unwrap();
            assert_eq!(name_hash(&node).unwrap(), hash, "{text}");
        }
    }
}
