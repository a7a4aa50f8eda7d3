//! The tree that everything works on.

mod mapping;
mod notes;
mod scalar;
mod sequence;
mod text;

pub use mapping::{Entry, IntoEntries, Mapping};
pub use scalar::{Scalar, ScalarStyle, ScalarType};
pub use sequence::Sequence;
pub use text::Text;

use crate::resolve::Number;
use notes::Notes;

/// A value of a document, with the place where it was read.
///
/// Equality compares values and ignores places, styles and the order of mapping keys; `1` equals
/// `0x1`, but neither `"1"` nor `1.0`.
#[derive(Clone, Debug)]
pub struct Node {
    inner: Inner,
    /// 0 for what was made by the program.
    line: u32,
    /// The column, and in the lowest bit whether it is a flow collection; the bond of what was made by
    /// the program.
    column: u32,
}

/// There are as many nodes as words in a document, so each is small.
#[derive(Clone, Debug)]
enum Inner {
    Plain(Content),
    Tagged(Box<Tagged>),
}

/// A value of which more is known, which is rare.
#[derive(Clone, Debug)]
struct Tagged {
    content: Content,
    notes: Notes,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// A leaf.
    Scalar(Scalar),
    /// `key: value` pairs.
    Mapping(Mapping),
    /// `- element` lines.
    Sequence(Sequence),
}

/// Where a node stands in its source; [`Spans`](crate::Spans) knows its bytes. All zero for nodes that
/// were made by the program. What stands under an alias has the place of its anchor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Place {
    /// The line, counted from 1; 0 if the node was not read.
    pub fn line(self) -> u32 {
        self.line
    }

    /// The column in characters, counted from 1; 0 if the node was not read.
    pub fn column(self) -> u32 {
        self.column
    }
}

/// The bond of values whose type is only their text's.
const UNTYPED: u32 = u32::MAX;

impl Node {
    #[inline]
    fn new(content: Content) -> Self {
        Self { inner: Inner::Plain(content), line: 0, column: 0 }
    }

    /// `null`
    pub fn null() -> Self {
        Self::from(Scalar::new(Text::from("null"), ScalarType::Null, ScalarStyle::Plain))
    }

    /// A string.
    pub fn string(text: impl Into<Text>) -> Self {
        Self::from(Scalar::string(text))
    }

    /// A number; NaN and the infinities become `.nan`, `.inf` and `-.inf`.
    pub fn number(number: impl Into<Number>) -> Self {
        let number = number.into();
        let kind = match number {
            Number::Int(_) | Number::Uint(_) => ScalarType::Int,
            Number::Float(_) => ScalarType::Float,
        };
        Self::from(Scalar::new(number.to_string(), kind, ScalarStyle::Plain))
    }

    /// A sequence.
    pub fn sequence(items: impl IntoIterator<Item = impl Into<Self>>) -> Self {
        Self::from(items.into_iter().map(Into::into).collect::<Vec<Self>>())
    }

    /// What the node holds.
    #[inline]
    pub fn content(&self) -> &Content {
        match &self.inner {
            Inner::Plain(content) => content,
            Inner::Tagged(tagged) => &tagged.content,
        }
    }

    /// What the node holds, to change it.
    #[inline]
    pub fn content_mut(&mut self) -> &mut Content {
        match &mut self.inner {
            Inner::Plain(content) => content,
            Inner::Tagged(tagged) => &mut tagged.content,
        }
    }

    /// What the node holds, without its place.
    #[inline]
    pub fn into_content(self) -> Content {
        match self.inner {
            Inner::Plain(content) => content,
            Inner::Tagged(tagged) => tagged.content,
        }
    }

    /// Where it was read.
    #[inline]
    pub fn place(&self) -> Place {
        match self.line {
            0 => Place::default(),
            line => Place { line, column: self.column >> 1 },
        }
    }

    /// The bond that ties this value to others of its object, if there is one; see [`Self::bind`].
    #[inline]
    pub fn bond(&self) -> Option<u32> {
        (self.line == 0 && self.column > 0).then_some(self.column)
    }

    /// Ties a value that was made by the program to others that have the same number. What that means
    /// is its maker's affair; a value that was read cannot be bound.
    pub fn bind(&mut self, bond: u32) {
        if self.line == 0 {
            self.column = bond;
        }
    }

    /// Marks a value that was made by the program as one whose type is only its text's: what merges
    /// with it takes it for a string.
    pub fn mark_untyped(&mut self) {
        self.bind(UNTYPED);
    }

    /// Whether it is marked by [`Self::mark_untyped`].
    pub fn is_untyped(&self) -> bool {
        self.bond() == Some(UNTYPED)
    }

    /// Takes the bond off.
    pub fn unbind(&mut self) {
        if self.bond().is_some() {
            self.column = 0;
        }
    }

    #[inline]
    pub(crate) fn at_place(mut self, place: Place) -> Self {
        let flow = u32::from(self.line > 0) & self.column & 1;
        (self.line, self.column) = (place.line, (place.column << 1) | flow);
        self
    }

    /// Notes that it was written as `{…}` or `[…]`, of a node that has its place.
    pub(crate) fn in_flow(mut self, flow: bool) -> Self {
        self.column = (self.column & !1) | u32::from(flow);
        self
    }

    /// An empty node of the same shape, at the same place.
    pub(crate) fn clone_empty(&self) -> Self {
        let content = match self.content() {
            Content::Scalar(_) => return Self::null().at_place(self.place()),
            Content::Mapping(_) => Content::Mapping(Mapping::new()),
            Content::Sequence(_) => Content::Sequence(Sequence::default()),
        };
        Self { line: self.line, column: self.column, ..Self::new(content) }.with(self.notes())
    }

    pub(crate) fn with_items(mut self, items: Vec<Self>) -> Self {
        *self.content_mut() = Content::Sequence(Sequence::from_items(items.into_iter()));
        self
    }

    /// The scalar, if it is one.
    #[inline]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self.content() {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar of any type: `"5"` for both `5` and `"5"`.
    #[inline]
    pub fn text(&self) -> Option<&str> {
        self.as_scalar().map(Scalar::text)
    }

    /// The text of a string.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        self.as_scalar().filter(|scalar| scalar.kind == ScalarType::Str).map(Scalar::text)
    }

    /// The truth value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        self.as_scalar().and_then(Scalar::as_bool)
    }

    /// The value of a number.
    pub fn as_number(&self) -> Option<Number> {
        self.as_scalar().and_then(Scalar::as_number)
    }

    /// The value of an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.as_number()? {
            Number::Int(value) => Some(value),
            Number::Uint(_) | Number::Float(_) => None,
        }
    }

    /// Whether it is `null`.
    #[inline]
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|scalar| scalar.kind == ScalarType::Null)
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        self.as_str().is_some()
    }

    /// Whether it is a mapping.
    #[inline]
    pub fn is_mapping(&self) -> bool {
        matches!(self.content(), Content::Mapping(_))
    }

    /// Whether it is a sequence.
    #[inline]
    pub fn is_sequence(&self) -> bool {
        matches!(self.content(), Content::Sequence(_))
    }

    /// Whether it is `null`, `{}` or `[]`.
    pub fn is_empty(&self) -> bool {
        match self.content() {
            Content::Scalar(scalar) => scalar.kind == ScalarType::Null,
            Content::Mapping(mapping) => mapping.is_empty(),
            Content::Sequence(sequence) => sequence.is_empty(),
        }
    }

    /// The mapping, if it is one.
    #[inline]
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match self.content() {
            Content::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The mapping to change, if it is one.
    #[inline]
    pub fn as_mapping_mut(&mut self) -> Option<&mut Mapping> {
        match self.content_mut() {
            Content::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The mapping; whatever else was there is replaced by an empty one.
    pub fn make_mapping(&mut self) -> &mut Mapping {
        if !self.is_mapping() {
            *self.content_mut() = Content::Mapping(Mapping::new());
        }
        match self.content_mut() {
            Content::Mapping(mapping) => mapping,
            _ => unreachable!("made a mapping above"),
        }
    }

    /// The elements, if it is a sequence.
    #[inline]
    pub fn as_sequence(&self) -> Option<&[Self]> {
        match self.content() {
            Content::Sequence(sequence) => Some(sequence),
            _ => None,
        }
    }

    /// The elements to change, if it is a sequence.
    #[inline]
    pub fn as_sequence_mut(&mut self) -> Option<&mut Sequence> {
        match self.content_mut() {
            Content::Sequence(sequence) => Some(sequence),
            _ => None,
        }
    }

    /// Whether it was written as `{…}` or `[…]`.
    pub fn is_flow(&self) -> bool {
        self.line > 0 && self.column & 1 == 1 && !matches!(self.content(), Content::Scalar(_))
    }

    /// The value under a key, if this is a mapping that has it.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_mapping()?.get(key)
    }

    /// The value under a key, to change it.
    #[inline]
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_mapping_mut()?.get_mut(key)
    }

    /// The value under a chain of keys.
    ///
    /// ```
    /// let node = gitops_yaml::read("metadata: {name: web}")?;
    /// assert_eq!(node.at(["metadata", "name"]).and_then(|name| name.as_str()), Some("web"));
    /// # Ok::<(), gitops_yaml::Error>(())
    /// ```
    pub fn at<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Option<&Self> {
        keys.into_iter().try_fold(self, |node, key| node.get(key))
    }

    /// The value under a chain of keys, to change it.
    pub fn at_mut<'k>(&mut self, keys: impl IntoIterator<Item = &'k str>) -> Option<&mut Self> {
        keys.into_iter().try_fold(self, |node, key| node.get_mut(key))
    }

    /// The number of nodes in this tree, keys included.
    pub fn count(&self) -> usize {
        1 + match self.content() {
            Content::Scalar(_) => 0,
            Content::Mapping(mapping) => {
                mapping.entries().iter().map(|e| e.key.count() + e.value.count()).sum()
            }
            Content::Sequence(sequence) => sequence.iter().map(Self::count).sum(),
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::null()
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (self.content(), other.content()) {
            (Content::Scalar(a), Content::Scalar(b)) => {
                a.kind == b.kind
                    && match a.kind {
                        ScalarType::Null => true,
                        ScalarType::Bool => a.as_bool() == b.as_bool(),
                        ScalarType::Int | ScalarType::Float => {
                            a.text == b.text || a.as_number() == b.as_number()
                        }
                        _ => a.text == b.text,
                    }
            }
            (Content::Mapping(a), Content::Mapping(b)) => a == b,
            (Content::Sequence(a), Content::Sequence(b)) => **a == **b,
            _ => false,
        }
    }
}

impl From<Content> for Node {
    fn from(content: Content) -> Self {
        Self::new(content)
    }
}

impl From<Scalar> for Node {
    fn from(scalar: Scalar) -> Self {
        Self::new(Content::Scalar(scalar))
    }
}

impl From<Mapping> for Node {
    fn from(mapping: Mapping) -> Self {
        Self::new(Content::Mapping(mapping))
    }
}

impl From<Vec<Self>> for Node {
    fn from(items: Vec<Self>) -> Self {
        Self::new(Content::Sequence(Sequence::from_items(items.into_iter())))
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

impl From<Text> for Node {
    fn from(text: Text) -> Self {
        Self::string(text)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        let text = Text::from(if value { "true" } else { "false" });
        Self::from(Scalar::new(text, ScalarType::Bool, ScalarStyle::Plain))
    }
}

impl From<i64> for Node {
    fn from(value: i64) -> Self {
        Self::number(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_small() {
        assert!(size_of::<Content>() <= 24, "{}", size_of::<Content>());
        assert!(size_of::<Node>() <= 32, "{}", size_of::<Node>());
    }
}
