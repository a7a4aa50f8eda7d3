//! Nodes as values that can be printed.

use std::borrow::Cow;

use super::{Emit, Entries, View};
use crate::{
    error::Error,
    json::{json_key, timestamp_text},
    node::{Content, Node, Place, Scalar, ScalarType},
    resolve::Flavour,
};

/// As kustomize takes them: moments become RFC 3339, keys must be strings.
impl<'v> Emit<'v> for &'v Node {
    fn view(self) -> View<'v> {
        view(self, Flavour::V3)
    }

    fn entries(self, entries: &mut Entries<'v, Self>) -> Result<(), Error> {
        each_entry(self, Flavour::V3, |key, value| entries.push(key, value))
    }

    fn item(self, index: usize) -> Self {
        &items(self)[index]
    }

    fn place(self) -> Place {
        Node::place(self)
    }
}

/// A node as `sigs.k8s.io/yaml` takes it, which reads with yaml.v2: dates stay as they are, numbers
/// and booleans as keys become strings.
#[derive(Clone, Copy, Debug)]
pub struct AsV2<'v>(pub &'v Node);

impl<'v> AsV2<'v> {
    /// The entries of a mapping one by one, with their keys as JSON has them; none of anything else.
    pub fn pairs(self) -> impl Iterator<Item = Result<(Cow<'v, str>, Self), Error>> {
        self.0
            .as_mapping()
            .into_iter()
            .flatten()
            .map(|entry| Ok((json_key(&entry.key, &entry.value, Flavour::V2)?, Self(&entry.value))))
    }
}

impl<'v> Emit<'v> for AsV2<'v> {
    fn view(self) -> View<'v> {
        view(self.0, Flavour::V2)
    }

    fn entries(self, entries: &mut Entries<'v, Self>) -> Result<(), Error> {
        each_entry(self.0, Flavour::V2, |key, value| entries.push(key, Self(value)))
    }

    fn item(self, index: usize) -> Self {
        Self(&items(self.0)[index])
    }

    fn place(self) -> Place {
        self.0.place()
    }
}

fn view(node: &Node, flavour: Flavour) -> View<'_> {
    match node.content() {
        Content::Scalar(scalar) => view_scalar(scalar, flavour),
        Content::Mapping(mapping) => View::Mapping(mapping.len()),
        Content::Sequence(sequence) => View::Sequence(sequence.len()),
    }
}

fn view_scalar(scalar: &Scalar, flavour: Flavour) -> View<'_> {
    match scalar.kind() {
        ScalarType::Null => View::Null,
        ScalarType::Bool => View::Bool(scalar.as_bool() == Some(true)),
        ScalarType::Int if is_canonical(scalar.text()) => View::Digits(scalar.text()),
        ScalarType::Int | ScalarType::Float => match scalar.as_number() {
            Some(number) => View::Number(number),
            None => View::Text(scalar.text().into()),
        },
        ScalarType::Timestamp => View::Text(timestamp_text(scalar, flavour)),
        ScalarType::Str | ScalarType::Merge => View::Text(scalar.text().into()),
    }
}

/// Whether an integer is printed as it was written: no sign, no base, no leading zero.
fn is_canonical(text: &str) -> bool {
    text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()))
}

fn each_entry<'v>(
    node: &'v Node,
    flavour: Flavour,
    mut take: impl FnMut(Cow<'v, str>, &'v Node),
) -> Result<(), Error> {
    for entry in node.as_mapping().into_iter().flatten() {
        take(json_key(&entry.key, &entry.value, flavour)?, &entry.value);
    }
    Ok(())
}

/// Whether the node surely has a form in JSON; nearly all have.
pub(super) fn is_surely_printable(node: &Node) -> bool {
    let is_ascii = |text: &str| text.bytes().all(|byte| byte < 0x7f);
    match node.content() {
        Content::Scalar(scalar) => match scalar.kind() {
            ScalarType::Null | ScalarType::Bool | ScalarType::Int => true,
            ScalarType::Str => is_ascii(scalar.text()),
            ScalarType::Float | ScalarType::Timestamp | ScalarType::Merge => false,
        },
        Content::Mapping(mapping) => mapping.entries().iter().all(|entry| {
            entry.key.as_str().is_some_and(is_ascii) && is_surely_printable(&entry.value)
        }),
        Content::Sequence(items) => items.iter().all(is_surely_printable),
    }
}

fn items(node: &Node) -> &[Node] {
    node.as_sequence().unwrap_or_default()
}
