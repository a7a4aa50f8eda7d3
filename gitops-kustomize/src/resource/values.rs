//! Values as the original makes and sets them.

use gitops_yaml::{
    Content, Flavour, Mapping, Node, Scalar, ScalarStyle, ScalarType, Text, resolve,
};

use crate::error::{Error, ErrorKind};

/// A string as the original makes one: in quotes where a plain one would be something else to older
/// readers. What is written over it later keeps the quotes.
pub(crate) fn made_string(text: &str) -> Node {
    let special = resolve(text, Flavour::V2) != ScalarType::Str
        || text.contains(": ")
        || text.starts_with(['#', '{', '[', '-', '?', '!', '&', '*', '>', '|', '"', '\'']);
    let quoted = special && !text.is_empty() && !text.contains('\n');
    let style = if quoted { ScalarStyle::DoubleQuoted } else { ScalarStyle::Plain };
    Node::from(Scalar::new(text, ScalarType::Str, style))
}

/// A key as the original makes one: a number or truth value where its text is one, which is an error
/// when the object is printed.
pub(crate) fn made_key(text: &str) -> Node {
    Node::from(Scalar::new(text, resolve(text, Flavour::V3), ScalarStyle::Plain))
}

/// Writes the labels or annotations of an object anew, all as strings; an empty mapping of them goes,
/// and so does what is no mapping.
pub(crate) fn rewrite_pairs(node: &mut Node, field: &str) {
    let Some(metadata) = node.get_mut("metadata").and_then(Node::as_mapping_mut) else { return };
    let Some(old) = metadata.get(field) else { return };
    let mut pairs = Mapping::new();
    for (key, value) in old.as_mapping().into_iter().flat_map(Mapping::iter) {
        pairs.push(made_key(key), made_string(value.text().unwrap_or_default()));
    }
    if pairs.is_empty() {
        metadata.remove(field);
    } else {
        metadata.insert(field, pairs);
    }
}

/// Sets a key to a text as kustomize's field setter does: the style of a former value stays, and
/// with it the type, so that a plain `1` put in place of a plain `a` is a number.
pub(crate) fn set_field(mapping: &mut Mapping, key: &str, text: &str) {
    match mapping.get_mut(key) {
        Some(node) => set_untagged(node, text),
        None => {
            mapping.insert(key, made_string(text));
        }
    }
}

/// Writes a text over a scalar, keeping its style. The type is what go-yaml would read back, now and
/// when the text changes again.
pub(crate) fn set_untagged(node: &mut Node, text: impl Into<Text>) {
    let text = text.into();
    let style = node.as_scalar().map_or(ScalarStyle::Plain, Scalar::style);
    let bound = node.bond().is_some();
    let kind = match style {
        ScalarStyle::Plain => resolve(&text, Flavour::V3),
        _ => ScalarType::Str,
    };
    if style == ScalarStyle::Plain && !bound {
        *node = Node::from(Scalar::new(text, kind, style));
        node.mark_untyped();
        return;
    }
    replace_scalar(node, Scalar::new(text, kind, style));
}

/// Writes an integer over a scalar. In quotes it is a string.
pub(crate) fn set_integer(node: &mut Node, value: i64) {
    let style = node.as_scalar().map_or(ScalarStyle::Plain, Scalar::style);
    let kind = if style == ScalarStyle::Plain { ScalarType::Int } else { ScalarType::Str };
    replace_scalar(node, Scalar::new(value.to_string(), kind, style));
}

/// Fails, in the words of the original, unless the node is a scalar.
pub(crate) fn expect_scalar(node: &Node) -> Result<(), Error> {
    if node.as_scalar().is_some() { Ok(()) } else { Err(wrong_kind(node, "ScalarNode")) }
}

/// The failure of a node that is of another kind than `wanted`, in the words of the original.
pub(crate) fn wrong_kind(node: &Node, wanted: &str) -> Error {
    let kind = match node.content() {
        Content::Scalar(_) => "ScalarNode",
        Content::Mapping(_) => "MappingNode",
        Content::Sequence(_) => "SequenceNode",
    };
    let shown = gitops_yaml::to_yaml_styled(node);
    let shown = gitops_core::truncate(&shown, 400);
    let message =
        format!("wrong node kind: expected {wanted} but got {kind}: node contents:\n{shown}");
    Error::new(ErrorKind::Field, message)
}

/// Writes a string over a scalar.
pub(crate) fn set_string(node: &mut Node, text: impl Into<Text>) {
    let style = node.as_scalar().map_or(ScalarStyle::Plain, Scalar::style);
    replace_scalar(node, Scalar::new(text, ScalarType::Str, style));
}

fn replace_scalar(node: &mut Node, scalar: Scalar) {
    *node.content_mut() = Content::Scalar(scalar);
}
