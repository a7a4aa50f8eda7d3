//! The hash that names of generated objects end with.
//!
//! Follows kustomize's `api/hasher`. The name itself is not part of what is hashed: the original
//! looks it up under a key that no object has.

use std::borrow::Cow;

use gitops_core::Digest;
use gitops_yaml::{Content, Flavour, Node, Number, Scalar, ScalarStyle, resolve, to_json_text};

use crate::error::Result;

/// Ten letters and digits that change with the content of a ConfigMap or Secret.
pub(crate) fn name_hash(object: &Node) -> Result<String> {
    let kind = object.get("kind").and_then(Node::text).unwrap_or_default();
    let content = match kind {
        "ConfigMap" => content_of(object, kind, "binaryData", "")?,
        "Secret" => content_of(object, kind, "stringData", "type")?,
        _ => to_json_text(object)?,
    };
    let digest = Digest::sha256(content.as_bytes());
    Ok(digest.hex().chars().take(10).map(encode).collect())
}

/// What is hashed, with the keys in the order of their bytes; `last` is one more field, if it has a name.
fn content_of(object: &Node, kind: &str, optional: &str, last: &str) -> Result<String> {
    let field = |name: &str| -> Result<String> {
        match object.get(name) {
            None => Ok("\"\"".to_owned()),
            Some(node) => match node.text() {
                Some(text) => Ok(to_json_text(&Node::string(text))?),
                None => Ok(to_json_text(&*in_floats(node))?),
            },
        }
    };
    let mut fields = vec![
        ("data", field("data")?),
        ("kind", format!("\"{kind}\"")),
        ("name", "\"\"".to_owned()),
    ];
    if object.get(optional).is_some_and(Node::is_mapping) {
        fields.push((optional, field(optional)?));
    }
    if !last.is_empty() {
        fields.push((last, field(last)?));
    }
    fields.sort_unstable();
    let fields: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    Ok(format!("{{{}}}", fields.join(",")))
}

/// Quirk: the original reads the content back without a type, so that large integers lose digits.
fn in_floats(node: &Node) -> Cow<'_, Node> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_large = |node: &Node| match node.as_number() {
        Some(number @ (Number::Int(_) | Number::Uint(_))) => number.as_f64().abs() > EXACT,
        _ => false,
    };
    fn any(node: &Node, is: &dyn Fn(&Node) -> bool) -> bool {
        match node.content() {
            Content::Mapping(mapping) => mapping.values().any(|value| any(value, is)),
            Content::Sequence(_) => {
                node.as_sequence().unwrap_or_default().iter().any(|value| any(value, is))
            }
            Content::Scalar(_) => is(node),
        }
    }
    fn round(node: &mut Node, is: &dyn Fn(&Node) -> bool) {
        if is(node)
            && let Some(number) = node.as_number()
        {
            let text = number.as_f64().to_string();
            let kind = resolve(&text, Flavour::V3);
            *node = Node::from(Scalar::new(text, kind, ScalarStyle::Plain));
            return;
        }
        match node.content_mut() {
            Content::Mapping(mapping) => {
                mapping.values_mut().for_each(|value| round(value, is));
            }
            Content::Sequence(_) => {
                node.as_sequence_mut().into_iter().flatten().for_each(|value| round(value, is));
            }
            Content::Scalar(_) => {}
        }
    }
    if !any(node, &is_large) {
        return Cow::Borrowed(node);
    }
    let mut rounded = node.clone();
    round(&mut rounded, &is_large);
    Cow::Owned(rounded)
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
