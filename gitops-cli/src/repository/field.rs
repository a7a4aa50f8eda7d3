//! The field that an API server's message is about, found in the file that wrote the object.
//!
//! Messages name fields in three forms: `spec.replicas: Invalid value: …` (validation),
//! `spec.template.spec.containers[0].image: Required value`, and `.spec.containers[name="web"].image:
//! expected …` (server-side apply, which names list items by their keys).

use std::iter;

use gitops_yaml::Node;

/// Line of the field that a message names below `object`, as far as the file has it; nothing where
/// the message names none.
pub(super) fn line(message: &str, object: &Node) -> Option<u32> {
    paths(message).find_map(|path| {
        let mut node = object;
        let mut line = None;
        for part in parts(path) {
            let Some((next, at)) = step(node, part) else { break };
            (node, line) = (next, Some(at));
        }
        line
    })
}

/// What stands before a colon and reads as a path.
fn paths(message: &str) -> impl Iterator<Item = &str> {
    let mut rest = message;
    iter::from_fn(move || {
        let colon = rest.find(": ")?;
        let before = &rest[..colon];
        rest = &rest[colon + 2..];
        // Keys of list items may be quoted, with spaces in the quotes.
        let mut is_quoted = false;
        let start = before.rfind(|c: char| {
            is_quoted ^= c == '"';
            c.is_whitespace() && !is_quoted
        });
        Some(before[start.map_or(0, |at| at + 1)..].trim_start_matches('.'))
    })
    .filter(|path| path.contains(['.', '[']))
}

/// `a.b[c].d` as `a`, `b`, `[c`, `d`.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    iter::from_fn(move || {
        rest = rest.trim_start_matches(['.', ']']);
        let is_item = rest.starts_with('[');
        let end = if is_item { rest.find(']') } else { rest.find(['.', '[']) };
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// The node below `node` that a part names, and the line where it begins: that of its key.
fn step<'n>(node: &'n Node, part: &str) -> Option<(&'n Node, u32)> {
    let Some(item) = part.strip_prefix('[') else {
        let entry = node.as_mapping()?.entry(part)?;
        return Some((&entry.value, entry.key.place().line()));
    };
    let items = node.as_sequence()?;
    let found = match item.parse::<usize>() {
        Ok(index) => items.get(index)?,
        Err(_) => items.iter().find(|node| has_keys(node, item))?,
    };
    Some((found, found.place().line()))
}

/// Whether a list item has all `key=value` of `containerPort=80,protocol="TCP"`. A key that the
/// file leaves to its default fits any value.
fn has_keys(item: &Node, keys: &str) -> bool {
    keys.split(',').all(|pair| {
        let Some((key, value)) = pair.split_once('=') else { return false };
        item.get(key).is_none_or(|own| own.text() == Some(value.trim_matches('"')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "kind: Pod\nmetadata:\n  name: a\nspec:\n  replicas: x\n  containers:\n  \
                       - name: web\n    image: a\n  - name: side\n    ports:\n    - containerPort: 80\n      hostPort: y\n";

    #[track_caller]
    fn check(message: &str, expected: Option<u32>) {
        let object = gitops_yaml::read_all(POD).unwrap().remove(0);
        assert_eq!(line(message, &object), expected, "{message}");
    }

    #[test]
    fn fields_are_found_in_all_forms_of_messages() {
        check(
            "Pod/a dry-run failed: failed to create typed patch object (a/a; v1, Kind=Pod): .spec.replicas: expected numeric",
            Some(5),
        );
        check(
            "Pod/a dry-run failed (Invalid): Pod \"a\" is invalid: spec.containers[0].image: Required value",
            Some(8),
        );
        check(
            ".spec.containers[name=\"side\"].ports[containerPort=80,protocol=\"TCP\"].hostPort: expected numeric",
            Some(12),
        );
    }

    #[test]
    fn the_nearest_field_that_is_written_is_taken() {
        check("spec.containers[1].image: Required value", Some(9));
        check("spec.containers[7].image: Required value", Some(6));
        check("status.phase: Forbidden", None);
        check("no matches for kind \"Pd\" in version \"v1\"", None);
    }
}
