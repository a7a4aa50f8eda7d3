//! JSON patch (RFC 6902).
//!
//! Follows evanphx/json-patch v4 as kustomize uses it: negative indices count from the end, the
//! index `-` (and `-1` when adding) appends, and values pass through a float of 64 bits.

use crate::{
    error::{Error, ErrorKind},
    node::{Content, Node, Place},
    resolve::Number,
};

/// No patch may make a document grow by more nodes with `copy`.
const MOST_COPIED: usize = 1_000_000;

/// A decoded list of operations.
#[derive(Clone, Debug)]
pub struct JsonPatch {
    operations: Vec<Operation>,
}

#[derive(Clone, Debug)]
struct Operation {
    action: Action,
    path: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Action {
    Add(Node),
    Replace(Node),
    Test(Node),
    Remove,
    Move { from: String },
    Copy { from: String },
}

impl JsonPatch {
    /// Reads a list of `{op, path, value | from}`.
    ///
    /// # Errors
    /// When the node is no such list; the error names the line.
    pub fn from_node(node: &Node) -> Result<Self, Error> {
        let items = node.as_sequence().ok_or_else(|| {
            malformed(node, "cannot unmarshal object into Go value of type jsonpatch.Patch")
        })?;
        let operations = items.iter().map(operation).collect::<Result<_, _>>()?;
        Ok(Self { operations })
    }

    /// Whether there are no operations.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Applies the operations in order. When one fails, `document` is as it was.
    ///
    /// # Errors
    /// In evanphx's words, for the first operation that does not apply, with its place in the patch
    /// and a hint at what the document has there.
    pub fn apply(&self, document: &mut Node) -> Result<(), Error> {
        self.apply_watched(document, &mut |_, _| {})
    }

    /// As [`Self::apply`]; `watch` sees the document after each operation, with the operation's place
    /// in the patch.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_watched(
        &self,
        document: &mut Node,
        watch: &mut dyn FnMut(&Node, Place),
    ) -> Result<(), Error> {
        let mut work = document.clone();
        let mut copied = 0;
        for (index, operation) in self.operations.iter().enumerate() {
            operation.apply(&mut work, &mut copied).map_err(|error| {
                let error = error.at(operation.place.line, operation.place.column);
                error.with_hint(operation.explain(&work, index + 1, self.operations.len()))
            })?;
            watch(&work, operation.place);
        }
        *document = work;
        Ok(())
    }
}

fn operation(node: &Node) -> Result<Operation, Error> {
    let text = |key: &str| node.get(key).and_then(Node::text);
    let path = text("path").ok_or_else(|| malformed(node, "missing path"))?.to_owned();
    let value = || {
        let value = node.get("value").cloned().ok_or_else(|| malformed(node, "missing value"))?;
        Ok::<_, Error>(through_float(value))
    };
    let from =
        || Ok::<_, Error>(text("from").ok_or_else(|| malformed(node, "missing from"))?.to_owned());
    let action = match text("op").unwrap_or("unknown") {
        "add" => Action::Add(value().unwrap_or_default()),
        "replace" => Action::Replace(value().unwrap_or_default()),
        "test" => Action::Test(node.get("value").cloned().unwrap_or_default()),
        "remove" => Action::Remove,
        "move" => Action::Move { from: from()? },
        "copy" => Action::Copy { from: from()? },
        other => return Err(malformed(node, &format!("Unexpected kind: {other}"))),
    };
    Ok(Operation { action, path, place: node.place() })
}

impl Operation {
    fn apply(&self, document: &mut Node, copied: &mut usize) -> Result<(), Error> {
        let path = &self.path;
        match &self.action {
            Action::Add(value) => add(document, path, value.clone(), "add"),
            Action::Replace(value) => {
                let (parent, key) = target(document, path, "replace")?;
                // Quirk: a key that a mapping lacks is no error.
                if let Content::Mapping(mapping) = parent.content_mut() {
                    mapping.insert(key, value.clone());
                    return Ok(());
                }
                let slot = child_mut(parent, &key).ok_or_else(|| {
                    missing(format!("replace operation does not apply: doc is missing key: {path}"))
                })?;
                *slot = value.clone();
                Ok(())
            }
            Action::Test(value) => test(document, path, value),
            Action::Remove => remove(document, path, "remove").map(drop),
            Action::Move { from } => {
                let value = remove(document, from, "move")?;
                add(document, path, value, "move")
            }
            Action::Copy { from } => {
                let (parent, key) = target(document, from, "copy")?;
                let value = child_mut(parent, &key)
                    .map(|value| value.clone())
                    .ok_or_else(|| missing(format!("error in copy for from: '{from}'")))?;
                *copied = copied.saturating_add(value.count());
                if *copied > MOST_COPIED {
                    let message = format!("copy at '{path}' makes the document too large");
                    return Err(Error::new(ErrorKind::Limit, message));
                }
                add(document, path, value, "copy")
            }
        }
    }
}

impl Operation {
    /// Which operation it is, and how far its path leads into the document.
    fn explain(&self, document: &Node, number: usize, count: usize) -> String {
        let (name, path) = match &self.action {
            Action::Add(_) => ("add", &self.path),
            Action::Replace(_) => ("replace", &self.path),
            Action::Test(_) => ("test", &self.path),
            Action::Remove => ("remove", &self.path),
            Action::Move { from } => ("move", from),
            Action::Copy { from } => ("copy", from),
        };
        let mut text = format!("operation {number} of {count}, {name} {path}: ");
        let mut node = document;
        let mut reached = String::new();
        for part in path.split('/').skip(1) {
            let next = match node.content() {
                Content::Mapping(mapping) => mapping.get(&unescape(part)),
                Content::Sequence(list) => {
                    index(part, list.items.len()).and_then(|at| list.items.get(at))
                }
                Content::Scalar(_) => None,
            };
            let Some(next) = next else {
                text.push_str(&missing_part(node, part, &reached));
                return text;
            };
            node = next;
            reached = format!("{reached}/{part}");
        }
        text.push_str(match self.action {
            Action::Test(_) => "the value there is another one",
            _ if path.starts_with('/') => "the target of the operation is not there",
            _ => "a path begins with '/'",
        });
        text
    }
}

/// What stands where the next part of a path was looked for.
fn missing_part(node: &Node, part: &str, reached: &str) -> String {
    let place = if reached.is_empty() { "the object" } else { reached };
    match node.content() {
        Content::Mapping(mapping) => {
            let keys: Vec<&str> = mapping.keys().take(12).collect();
            let more = if mapping.len() > keys.len() { ", …" } else { "" };
            let part = unescape(part);
            format!("{place} has no {part:?}; it has {}{more}", keys.join(", "))
        }
        Content::Sequence(list) => {
            format!("{place} is a list of {}; it has no element {part:?}", list.items.len())
        }
        Content::Scalar(_) => format!("{place} is a single value"),
    }
}

fn add(document: &mut Node, path: &str, value: Node, name: &str) -> Result<(), Error> {
    if path.is_empty() {
        *document = value;
        return Ok(());
    }
    let (parent, key) = target(document, path, name)?;
    match parent.content_mut() {
        Content::Mapping(mapping) => {
            mapping.insert(key, value);
            Ok(())
        }
        Content::Sequence(sequence) => {
            let length = sequence.items.len();
            let at = if key == "-" { Some(length) } else { index(&key, length + 1) };
            let at = at.filter(|at| *at <= length).ok_or_else(|| {
                patch_error(format!(
                    "error in {name} for path: '{path}': Unable to access invalid index: {key}: invalid index referenced"
                ))
            })?;
            sequence.items.insert(at, value);
            Ok(())
        }
        Content::Scalar(_) => Err(no_path(path, name)),
    }
}

fn remove(document: &mut Node, path: &str, name: &str) -> Result<Node, Error> {
    let (parent, key) = target(document, path, name)?;
    let removed = match parent.content_mut() {
        Content::Mapping(mapping) => mapping.remove(&key),
        Content::Sequence(sequence) => {
            let at = index(&key, sequence.items.len()).filter(|at| *at < sequence.items.len());
            at.map(|at| sequence.items.remove(at))
        }
        Content::Scalar(_) => None,
    };
    removed.ok_or_else(|| {
        missing(format!(
            "error in {name} for path: '{path}': Unable to remove nonexistent key: {key}"
        ))
    })
}

fn test(document: &mut Node, path: &str, wanted: &Node) -> Result<(), Error> {
    let failed = || patch_error(format!("testing value {path} failed: test failed"));
    if path.is_empty() {
        return if document == wanted { Ok(()) } else { Err(failed()) };
    }
    let (parent, key) = target(document, path, "test")?;
    match child_mut(parent, &key) {
        Some(found) if found == wanted => Ok(()),
        None if wanted.is_null() => Ok(()),
        _ => Err(failed()),
    }
}

/// The node that holds what a pointer names, and the pointer's last part.
fn target<'n>(
    document: &'n mut Node,
    path: &str,
    name: &str,
) -> Result<(&'n mut Node, String), Error> {
    let (parents, last) = path.rsplit_once('/').ok_or_else(|| no_path(path, name))?;
    let mut node = document;
    for part in parents.split('/').skip(1) {
        node = child_mut(node, &unescape(part)).ok_or_else(|| no_path(path, name))?;
    }
    if node.as_scalar().is_some() {
        return Err(no_path(path, name));
    }
    Ok((node, unescape(last)))
}

fn child_mut<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match node.content_mut() {
        Content::Mapping(mapping) => mapping.get_mut(key),
        Content::Sequence(sequence) => {
            let at = index(key, sequence.items.len())?;
            sequence.items.get_mut(at)
        }
        Content::Scalar(_) => None,
    }
}

/// An index; a negative one counts from `length`.
fn index(key: &str, length: usize) -> Option<usize> {
    let number: i64 = key.parse().ok()?;
    if number < 0 {
        length.checked_sub(usize::try_from(number.unsigned_abs()).ok()?)
    } else {
        usize::try_from(number).ok()
    }
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Integers that a float of 64 bits cannot hold lose their last digits, as in the original.
#[expect(clippy::cast_precision_loss, reason = "that is the point")]
fn through_float(mut node: Node) -> Node {
    const EXACT: u64 = 1 << 53;
    match node.content_mut() {
        Content::Scalar(scalar) => {
            let float = match scalar.as_number() {
                Some(Number::Int(value)) if value.unsigned_abs() > EXACT => Some(value as f64),
                Some(Number::Uint(value)) if value > EXACT => Some(value as f64),
                _ => None,
            };
            if let Some(float) = float {
                return Node::number(float);
            }
        }
        Content::Mapping(mapping) => {
            for value in mapping.values_mut() {
                *value = through_float(std::mem::take(value));
            }
        }
        Content::Sequence(sequence) => {
            for item in &mut sequence.items {
                *item = through_float(std::mem::take(item));
            }
        }
    }
    node
}

fn malformed(node: &Node, message: &str) -> Error {
    let place = node.place();
    Error::new(ErrorKind::Patch, message).at(place.line(), place.column())
}

fn patch_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Patch, message)
}

fn missing(message: impl std::fmt::Display) -> Error {
    patch_error(format!("{message}: missing value"))
}

fn no_path(path: &str, name: &str) -> Error {
    let message = match name {
        "replace" => format!("replace operation does not apply: doc is missing path: {path}"),
        "move" | "copy" => {
            format!("{name} operation does not apply: doc is missing from path: {path}")
        }
        _ => format!("{name} operation does not apply: doc is missing path: \"{path}\""),
    };
    missing(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(document: &str, patch: &str) -> Result<String, String> {
        let mut node = crate::read(document).unwrap();
        let patch = JsonPatch::from_node(&crate::read(patch).unwrap())
            .map_err(|error| error.to_string())?;
        patch.apply(&mut node).map_err(|error| error.to_string())?;
        Ok(crate::to_yaml(&node).unwrap())
    }

    #[test]
    fn operations() {
        let document = "{a: {b/c: 1}, l: [1, 2]}";
        for (patch, expected) in [
            ("[{op: add, path: /a/x, value: n}]", "a:\n  b/c: 1\n  x: \"n\"\nl:\n- 1\n- 2\n"),
            ("[{op: replace, path: /a/b~1c, value: 2}]", "a:\n  b/c: 2\nl:\n- 1\n- 2\n"),
            ("[{op: remove, path: /a}, {op: add, path: /l/-, value: 3}]", "l:\n- 1\n- 2\n- 3\n"),
            ("[{op: remove, path: /a}, {op: add, path: /l/-1, value: 3}]", "l:\n- 1\n- 2\n- 3\n"),
            ("[{op: remove, path: /a}, {op: remove, path: /l/-1}]", "l:\n- 1\n"),
            (
                "[{op: move, from: /l, path: /a/l}, {op: test, path: /a/l/0, value: 1}]",
                "a:\n  b/c: 1\n  l:\n  - 1\n  - 2\n",
            ),
            (
                "[{op: remove, path: /a}, {op: replace, path: /l, value: 12345678901234567890}]",
                "l: 12345678901234567000\n",
            ),
        ] {
            assert_eq!(patched(document, patch).unwrap(), expected, "{patch}");
        }
    }

    #[test]
    fn what_does_not_apply() {
        for (patch, message) in [
            (
                "[{op: replace, path: /l/0, value: 1}]",
                "replace operation does not apply: doc is missing key: /l/0: missing value",
            ),
            (
                "[{op: add, path: /x/y, value: 1}]",
                "add operation does not apply: doc is missing path: \"/x/y\": missing value",
            ),
            (
                "[{op: remove, path: /x}]",
                "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
            ),
            ("[{op: test, path: /a, value: 2}]", "testing value /a failed: test failed"),
            ("[{op: add, path: /l/2147483648, value: 1}]", "invalid index referenced"),
            ("[{op: add, path: /l/-9, value: 1}]", "invalid index referenced"),
            ("[{op: grow, path: /a}]", "Unexpected kind: grow"),
        ] {
            let error = patched("{a: 1, l: []}", patch).unwrap_err();
            assert!(error.contains(message), "{patch}: {error}");
        }
    }

    #[test]
    fn doubling_is_bounded() {
        let patch: Vec<String> =
            (0..40).map(|n| format!("{{op: copy, from: '', path: /x{n}}}")).collect();
        let doubling =
            patched("{a: [1]}", &format!("[{}]", patch.join(", ")).replace("from: ''", "from: /a"));
        assert!(doubling.is_ok(), "copies of a small value are fine");
        let patch: Vec<String> =
            (0..40).map(|n| format!("{{op: copy, from: /a, path: /a/x{n}}}")).collect();
        let error = patched("{a: {b: 1}}", &format!("[{}]", patch.join(", "))).unwrap_err();
        assert!(error.contains("too large"), "{error}");
    }
}
