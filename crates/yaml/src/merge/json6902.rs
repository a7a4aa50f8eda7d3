//! JSON patch (RFC 6902).
//!
//! Follows evanphx/json-patch v4 as kustomize uses it: negative indices count from the end, the
//! index `-` (and `-1` when adding) appends, a field that is `null` is one that is not there, and the
//! whole document passes through JSON, numbers as floats of 64 bits.

use crate::{
    error::{Error, ErrorKind},
    json::{timestamp_text, unsupported_float},
    node::{Content, Node, Place, Scalar, ScalarStyle, ScalarType},
    resolve::{Flavour, Number, is_base60, is_old_bool, resolve},
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
    Move {
        from: String,
    },
    Copy {
        from: String,
    },
    /// Fails when it is applied, as in the original.
    Broken(String, Place),
}

impl JsonPatch {
    /// Reads a list of `{op, path, value | from}`.
    ///
    /// # Errors
    /// When the node is no such list; the error names the line.
    pub fn from_node(node: &Node) -> Result<Self, Error> {
        let items = node.as_sequence().ok_or_else(|| {
            let kind = match (node.content(), node.as_number(), node.as_bool()) {
                (Content::Mapping(_), ..) => "object",
                (_, Some(_), _) => "number",
                (_, _, Some(_)) => "bool",
                _ => "string",
            };
            let text =
                format!("json: cannot unmarshal {kind} into Go value of type jsonpatch.Patch");
            malformed(node, &text)
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
        to_json_values(&mut work, Flavour::V3)?;
        let mut copied = 0;
        for (index, operation) in self.operations.iter().enumerate() {
            operation.apply(&mut work, &mut copied).map_err(|error| {
                let error = error.at(operation.place.line, operation.place.column);
                error.with_hint(operation.explain(&work, index + 1, self.operations.len()))
            })?;
            watch(&work, operation.place);
        }
        from_json_values(&mut work);
        *document = work;
        Ok(())
    }
}

fn operation(node: &Node) -> Result<Operation, Error> {
    if !node.is_mapping() {
        let message = "json: cannot unmarshal into Go value of type jsonpatch.Operation";
        return Err(malformed(node, message));
    }
    let text = |key: &str| node.get(key).and_then(Node::text);
    let mut value = node.get("value").cloned().unwrap_or_default();
    to_json_values(&mut value, Flavour::V2)?;
    let (Some(path), Some(name)) = (text("path"), text("op")) else {
        let message = match text("op") {
            None => "Unexpected kind: unknown".to_owned(),
            Some(name) => format!("{name} operation failed to decode path: missing value"),
        };
        let action = Action::Broken(message, node.place());
        return Ok(Operation { action, path: String::new(), place: node.place() });
    };
    let action = match (name, text("from").map(str::to_owned)) {
        ("add", _) => Action::Add(value),
        ("replace", _) => Action::Replace(value),
        ("test", _) => Action::Test(value),
        ("remove", _) => Action::Remove,
        ("move", Some(from)) => Action::Move { from },
        ("copy", Some(from)) => Action::Copy { from },
        ("move" | "copy", None) => {
            Action::Broken(format!("{name} operation failed to decode from"), node.place())
        }
        (other, _) => Action::Broken(format!("Unexpected kind: {other}"), node.place()),
    };
    Ok(Operation { action, path: path.to_owned(), place: node.place() })
}

impl Operation {
    fn apply(&self, document: &mut Node, copied: &mut usize) -> Result<(), Error> {
        let path = &self.path;
        match &self.action {
            Action::Add(value) => add(document, path, value.clone(), "add"),
            Action::Broken(message, place) => {
                Err(patch_error(message.as_str()).at(place.line(), place.column()))
            }
            Action::Replace(value) if path.is_empty() => {
                if value.as_scalar().is_some() {
                    return Err(patch_error("replace operation value must be object or array"));
                }
                *document = value.clone();
                Ok(())
            }
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
                let in_mapping = parent.is_mapping();
                let value = match child_mut(parent, &key) {
                    Some(value) => value.clone(),
                    None if in_mapping => Node::null(),
                    None => return Err(missing(format!("error in copy for from: '{from}'"))),
                };
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
            Action::Broken(..) => {
                return format!(
                    "operation {number} of {count}: an operation has `op` (add, remove, replace, move, copy or test), `path`, and `value` or `from`"
                );
            }
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
                Content::Sequence(list) => index(part, list.len()).and_then(|at| list.get(at)),
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
            format!("{place} is a list of {}; it has no element {part:?}", list.len())
        }
        Content::Scalar(_) => format!("{place} is a single value"),
    }
}

fn add(document: &mut Node, path: &str, value: Node, name: &str) -> Result<(), Error> {
    let (parent, key) = target(document, path, name)?;
    match parent.content_mut() {
        Content::Mapping(mapping) => {
            mapping.insert(key, value);
            Ok(())
        }
        Content::Sequence(sequence) => {
            let length = sequence.len();
            let at = if key == "-" { Some(length) } else { index(&key, length + 1) };
            let at = at.filter(|at| *at <= length).ok_or_else(|| {
                patch_error(format!(
                    "error in {name} for path: '{path}': Unable to access invalid index: {key}: invalid index referenced"
                ))
            })?;
            sequence.insert(at, value);
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
            let at = index(&key, sequence.len()).filter(|at| *at < sequence.len());
            at.map(|at| sequence.remove(at))
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
    let is_list = parent.is_sequence();
    match child_mut(parent, &key) {
        Some(found) if found == wanted => Ok(()),
        None if is_list => Err(failed()),
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
        node = child_mut(node, &unescape(part))
            .filter(|node| !node.is_null())
            .ok_or_else(|| no_path(path, name))?;
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
            let at = index(key, sequence.len())?;
            sequence.get_mut(at)
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

/// Makes the scalars of a tree those that its JSON has: whole floats are integers, moments are texts.
fn to_json_values(node: &mut Node, flavour: Flavour) -> Result<(), Error> {
    let place = node.place();
    match node.content_mut() {
        Content::Mapping(mapping) => {
            mapping.values_mut().try_for_each(|value| to_json_values(value, flavour))
        }
        Content::Sequence(sequence) => {
            sequence.iter_mut().try_for_each(|item| to_json_values(item, flavour))
        }
        Content::Scalar(scalar) => {
            match scalar.kind() {
                ScalarType::Float => match scalar.as_number() {
                    Some(Number::Float(value)) if !value.is_finite() => {
                        return Err(unsupported_float(place, value));
                    }
                    Some(Number::Float(value)) => *scalar = number_of(value),
                    _ => {}
                },
                ScalarType::Timestamp => {
                    let text = timestamp_text(scalar, flavour).into_owned();
                    *scalar = Scalar::string(text);
                }
                ScalarType::Bool => {
                    let text = if scalar.as_bool() == Some(true) { "true" } else { "false" };
                    *scalar = Scalar::new(text, ScalarType::Bool, ScalarStyle::Plain);
                }
                ScalarType::Null => {
                    *scalar = Scalar::new("null", ScalarType::Null, ScalarStyle::Plain);
                }
                _ => {}
            }
            Ok(())
        }
    }
}

/// A float in the form in which it is compared: an integer where it is whole and fits.
fn number_of(value: f64) -> Scalar {
    let text = format!("{value}");
    match text.parse::<i64>() {
        Ok(whole) => Scalar::new(whole.to_string(), ScalarType::Int, ScalarStyle::Plain),
        Err(_) => {
            Scalar::new(Number::Float(value).to_string(), ScalarType::Float, ScalarStyle::Plain)
        }
    }
}

/// Gives the scalars of a tree the form in which yaml.v3 prints what it gets from JSON: integers pass
/// through floats, which those of seven digits show, and strings are quoted only where they must be.
#[expect(clippy::cast_precision_loss, reason = "that is the point")]
fn from_json_values(node: &mut Node) {
    const SHOWN_WHOLE: u64 = 1_000_000;
    node.unbind();
    match node.content_mut() {
        Content::Mapping(mapping) => {
            mapping.values_mut().for_each(from_json_values);
        }
        Content::Sequence(sequence) => {
            sequence.iter_mut().for_each(from_json_values);
        }
        Content::Scalar(scalar) => {
            let float = match scalar.as_number().filter(|_| scalar.kind() == ScalarType::Int) {
                Some(Number::Int(value)) if value.unsigned_abs() >= SHOWN_WHOLE => {
                    Some(value as f64)
                }
                Some(Number::Uint(value)) => Some(value as f64),
                Some(number) => {
                    *scalar = Scalar::new(number.to_string(), ScalarType::Int, ScalarStyle::Plain);
                    None
                }
                None => None,
            };
            if let Some(float) = float {
                let text = Number::Float(float).to_string();
                *scalar = Scalar::new(text, ScalarType::Float, ScalarStyle::Plain);
            } else if scalar.kind() == ScalarType::Str {
                let style = style_of(scalar.text());
                if scalar.style() != style {
                    *scalar = Scalar::new(scalar.text(), ScalarType::Str, style);
                }
            }
        }
    }
}

fn style_of(text: &str) -> ScalarStyle {
    if text.contains('\n') {
        ScalarStyle::Literal
    } else if resolve(text, Flavour::V3) != ScalarType::Str || is_old_bool(text) || is_base60(text)
    {
        ScalarStyle::DoubleQuoted
    } else if text.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@` \t".contains(c))
        || text.ends_with([' ', '\t', ':'])
        || text.contains(": ")
        || text.contains(" #")
    {
        ScalarStyle::SingleQuoted
    } else {
        ScalarStyle::Plain
    }
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
