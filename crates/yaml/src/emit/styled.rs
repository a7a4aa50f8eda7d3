//! Nodes as they were written: the order of keys, quotes, and `{…}` stay.

use super::{
    Profile,
    scalar::{Output, Style, is_break},
};
use crate::node::{Content, Mapping, Node, Scalar, ScalarStyle, ScalarType};
use crate::resolve::{Flavour, resolve};

const INDENT: usize = 2;

/// A longer key is written behind a `?`.
const LONGEST_KEY: usize = 128;

/// The text of a node as kyaml prints its trees: in the order and the styles in which it was read,
/// with an indentation of 2, sequences at the indentation of their key, and no folds but in folded
/// scalars.
///
/// Follows yaml.v3's `encode.go` for nodes. Differs in what [`Node`]s do not know: comments, anchors
/// (what an alias repeats is printed again) and YAML's own tags.
///
/// ```
/// let node = gitops_yaml::read("b: 'x'\na:\n    - {c: \"1\"}\n")?;
/// assert_eq!(gitops_yaml::to_yaml_styled(&node), "b: 'x'\na:\n- {c: \"1\"}\n");
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
#[must_use]
pub fn to_yaml_styled(node: &Node) -> String {
    let mut text = String::new();
    let mut printer = Printer { out: Output::new(&mut text, Profile::V3) };
    match node.content() {
        Content::Mapping(mapping) if !is_flow(node) => {
            printer.tag(node);
            printer.mapping(mapping, 0);
        }
        Content::Sequence(items) if !is_flow(node) => {
            printer.tag(node);
            printer.sequence(items, 0);
        }
        _ => {
            printer.leaf(node, INDENT, false);
        }
    }
    printer.out.end_line();
    text
}

/// An empty collection has no other form.
fn is_flow(node: &Node) -> bool {
    match node.content() {
        Content::Mapping(mapping) => node.is_flow() || mapping.is_empty(),
        Content::Sequence(items) => node.is_flow() || items.is_empty(),
        Content::Scalar(_) => false,
    }
}

struct Printer<'o> {
    out: Output<'o>,
}

impl Printer<'_> {
    fn mapping(&mut self, mapping: &Mapping, indent: usize) {
        for (index, entry) in mapping.entries().iter().enumerate() {
            self.start(indent, index == 0);
            if !is_simple_key(&entry.key) {
                self.out.push_ascii("? ");
                self.element(&entry.key, indent);
                self.out.line(indent);
                self.out.push_ascii(if is_nothing(&entry.value) { ":" } else { ": " });
                self.element(&entry.value, indent);
                continue;
            }
            self.leaf_key(&entry.key, false);
            self.out.push_ascii(":");
            self.value(&entry.value, indent);
        }
    }

    /// What follows `key:`.
    fn value(&mut self, value: &Node, indent: usize) {
        match value.content() {
            Content::Mapping(mapping) if !is_flow(value) => {
                self.spaced_tag(value);
                self.out.line(indent + INDENT);
                self.mapping(mapping, indent + INDENT);
            }
            Content::Sequence(items) if !is_flow(value) => {
                self.spaced_tag(value);
                self.out.line(indent);
                self.sequence(items, indent);
            }
            _ => {
                if !is_nothing(value) {
                    self.out.push_ascii(" ");
                }
                self.leaf(value, indent + INDENT, false);
            }
        }
    }

    fn sequence(&mut self, items: &[Node], indent: usize) {
        for (index, item) in items.iter().enumerate() {
            self.start(indent, index == 0);
            self.out.push_ascii("-");
            if !is_nothing(item) {
                self.out.push_ascii(" ");
            }
            self.element(item, indent);
        }
    }

    /// What follows `- `: a collection goes on in the same line.
    fn element(&mut self, item: &Node, indent: usize) {
        match item.content() {
            Content::Mapping(mapping) if !is_flow(item) => {
                self.tag(item);
                self.mapping(mapping, indent + INDENT);
            }
            Content::Sequence(items) if !is_flow(item) => {
                self.tag(item);
                self.sequence(items, indent + INDENT);
            }
            _ => self.leaf(item, indent + INDENT, false),
        }
    }

    /// The first line of a collection was started by what holds it.
    fn start(&mut self, indent: usize, first: bool) {
        if first {
            self.out.pad(indent);
        } else {
            self.out.line(indent);
        }
    }

    fn tag(&mut self, node: &Node) {
        if let Some(tag) = node.tag() {
            self.out.push(tag);
            self.out.push_ascii(" ");
        }
    }

    fn spaced_tag(&mut self, node: &Node) {
        if let Some(tag) = node.tag() {
            self.out.push_ascii(" ");
            self.out.push(tag);
        }
    }

    /// A scalar or a collection in flow style.
    fn leaf(&mut self, node: &Node, indent: usize, in_flow: bool) {
        match node.content() {
            Content::Scalar(scalar) => {
                self.tag(node);
                self.scalar(node, scalar, Some(indent), in_flow);
            }
            Content::Sequence(items) => {
                self.tag(node);
                self.out.push_ascii("[");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push_ascii(", ");
                    }
                    self.leaf(item, indent, true);
                }
                self.out.push_ascii("]");
            }
            Content::Mapping(mapping) => {
                self.tag(node);
                self.out.push_ascii("{");
                for (index, entry) in mapping.entries().iter().enumerate() {
                    if index > 0 {
                        self.out.push_ascii(", ");
                    }
                    if is_simple_key(&entry.key) {
                        self.leaf_key(&entry.key, true);
                        self.out.push_ascii(": ");
                    } else {
                        self.out.push_ascii("? ");
                        self.leaf(&entry.key, indent, true);
                        self.out.push_ascii(" : ");
                    }
                    self.leaf(&entry.value, indent, true);
                }
                self.out.push_ascii("}");
            }
        }
    }

    fn leaf_key(&mut self, key: &Node, in_flow: bool) {
        match key.content() {
            Content::Scalar(scalar) => self.scalar(key, scalar, None, in_flow),
            _ => self.leaf(key, INDENT, true),
        }
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar, indent: Option<usize>, in_flow: bool) {
        let text = scalar.text();
        let mut style = match scalar.style() {
            ScalarStyle::Plain if crate::bytes::find(b'\n', text.as_bytes()).is_some() => {
                Style::Literal
            }
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        if !node.is_untyped() && node.tag().is_none() && scalar.style() == ScalarStyle::Plain {
            let (read, kind) = (resolve(text, Flavour::V3), scalar.kind());
            if kind == ScalarType::Str && read != kind && style == Style::Plain {
                style = Style::DoubleQuoted;
            } else if kind != ScalarType::Str && read != kind {
                // The type that the field had stays with it.
                self.out.push_ascii("!!");
                self.out.push_ascii(kind.tag());
                self.out.push_ascii(" ");
            }
        }
        self.out.scalar_within(text, style, indent, in_flow);
    }
}

/// Whether nothing is written for it, not even quotes.
fn is_nothing(node: &Node) -> bool {
    let empty = |scalar: &&Scalar| {
        scalar.text().is_empty()
            && scalar.style() == ScalarStyle::Plain
            && (scalar.kind() == ScalarType::Null || node.is_untyped())
    };
    node.tag().is_none() && node.as_scalar().as_ref().is_some_and(empty)
}

fn is_simple_key(key: &Node) -> bool {
    match key.content() {
        Content::Scalar(scalar) => {
            scalar.text().len() <= LONGEST_KEY && !scalar.text().contains(is_break)
        }
        Content::Mapping(mapping) => mapping.is_empty(),
        Content::Sequence(items) => items.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_stay() {
        for (text, expected) in [
            ("b: 1\na: \"x\"\nc: 'y'\n", "b: 1\na: \"x\"\nc: 'y'\n"),
            ("a:\n    - 1\n    -   - 2\n        - 3\n", "a:\n- 1\n- - 2\n  - 3\n"),
            ("{a: [1,  \"b\"], c: {}}", "{a: [1, \"b\"], c: {}}\n"),
            ("a: [x:y, \"\", ~, ]", "a: ['x:y', \"\", ~]\n"),
            ("a: \nb: ~\nc: {d: , e: null}\n", "a:\nb: ~\nc: {d: '', e: null}\n"),
            ("a: |\n    x\n     y\n", "a: |\n  x\n   y\n"),
            ("a: >-\n    x\n    y\n\n    z\n", "a: >-\n  x y\n\n  z\n"),
            ("? a\n: b\n", "a: b\n"),
            ("- a: 1\n  b:\n  - c\n-\n- d\n", "- a: 1\n  b:\n  - c\n-\n- d\n"),
            ("text", "text\n"),
            ("a: 'b\n\n\n  c'\n", "a: 'b\n\n\n  c'\n"),
            ("a: !x 5\n", "a: !x 5\n"),
        ] {
            let node = crate::read(text).unwrap();
            assert_eq!(to_yaml_styled(&node), expected, "{text:?}");
        }
    }
}
