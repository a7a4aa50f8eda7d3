//! Schemas of single fields, which stand in comments.
//!
//! Follows kyaml's `fieldmeta` and where `yaml/walk` looks for it: at a field's value and key.

use std::collections::HashMap;

use super::{OwnField, openapi::merge_keys};
use crate::{
    bytes,
    node::{Content, Node},
};

/// Gives the fields of some documents the schemas that comments in their text have for them, so that
/// lists merge by them:
///
/// ```
/// use gitops_yaml::{Schema, heed_schema_comments, merge_strategic, read, read_all};
///
/// let text = "parts: # {\"x-kubernetes-patch-strategy\": \"merge\", \"x-kubernetes-patch-merge-key\": \"id\"}\n- id: a\n";
/// let mut documents = read_all(text)?;
/// heed_schema_comments(text.as_bytes(), &mut documents);
/// merge_strategic(&mut documents[0], &read("parts: [{id: b}]")?, &Schema::builtin())?;
/// assert_eq!(gitops_yaml::to_yaml(&documents[0])?, "parts:\n- id: b\n- id: a\n");
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
///
/// A comment stands behind a key or in the line above it, and is an object in JSON. One without a merge
/// strategy says that the list is replaced.
pub fn heed_schema_comments(text: &[u8], documents: &mut [Node]) {
    let fields = comments(text);
    if !fields.is_empty() {
        for document in documents {
            give(document, &fields);
        }
    }
}

/// The schemas, by the lines of the keys for which they stand.
fn comments(text: &[u8]) -> HashMap<u32, OwnField> {
    let mut fields = HashMap::new();
    if !bytes::find_all(b'#', text).any(|at| behind_marks(&text[at..]).starts_with(b"{")) {
        return fields;
    }
    let mut above = None;
    let mut follows_comment = false;
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
        let comment =
            bytes::find_all(b'#', line).find(|at| *at == 0 || matches!(line[at - 1], b' ' | b'\t'));
        let field = comment.and_then(|at| field(behind_marks(&line[at..])));
        let alone = comment.is_some_and(|at| line[..at].trim_ascii().is_empty());
        if alone {
            above = field.filter(|_| !follows_comment);
        } else if let Some(field) = field.or(above.take()) {
            fields.insert(number, field);
        }
        follows_comment = alone;
    }
    fields
}

fn behind_marks(comment: &[u8]) -> &[u8] {
    let marks = comment.iter().take_while(|byte| **byte == b'#').count();
    comment[marks..].trim_ascii()
}

fn field(json: &[u8]) -> Option<OwnField> {
    let json: serde_json::Value =
        json.starts_with(b"{").then(|| serde_json::from_slice(json).ok())??;
    let empty = json.as_object().is_none_or(serde_json::Map::is_empty);
    (!empty).then(|| OwnField { of: None, merge: merge_keys(&Node::from_json(json)) })
}

/// Works with a list of its own, for documents that nest deeply.
fn give(document: &mut Node, fields: &HashMap<u32, OwnField>) {
    let mut open = vec![document];
    while let Some(node) = open.pop() {
        let in_flow = node.is_flow();
        match node.content_mut() {
            Content::Mapping(mapping) => {
                for (line, value) in mapping.lines_mut() {
                    if !in_flow
                        && value.as_scalar().is_none()
                        && let Some(field) = fields.get(&line)
                    {
                        *value = std::mem::take(value).with_schema(Some(field.clone()));
                    }
                    open.push(value);
                }
            }
            Content::Sequence(items) => open.extend(items.iter_mut()),
            Content::Scalar(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stand_behind_keys_and_above_them() {
        let text = b"a: # {\"x-kubernetes-patch-strategy\": \"merge\"}\n- x\n# {\"type\": \"array\"}\nb: [y]\n# note\n# {\"type\": \"array\"}\nc: []\nd: [] # {}\ne: '# {'\n";
        let found = comments(text);
        let mut lines: Vec<_> = found.keys().copied().collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 4]);
        assert!(found[&1].merge.is_some() && found[&4].merge.is_none());
    }
}
