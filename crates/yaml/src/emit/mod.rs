//! From values to text: YAML with go-yaml's bytes, and JSON with Go's.
//!
//! Any tree can be printed that implements [`Emit`]; nothing is copied into [`Node`]s
//! first.

mod block;
mod json;
mod key_order;
mod node;
mod order;
mod scalar;
mod styled;
mod through_json;
mod writer;

use std::borrow::Cow;

use crate::{
    error::Error,
    node::{Node, Place, ScalarStyle},
    resolve::Number,
};

pub use json::{to_json_pretty, to_json_text};
pub use node::AsV2;
use scalar::{Output, Style};
pub use styled::to_yaml_styled;
pub(crate) use writer::Profile;
use writer::Writer;

/// A value that can be printed: a cheap handle on a tree, such as [`&Node`](Node).
///
/// ```
/// use gitops_yaml::{Emit, Entries, Error, View, to_yaml};
///
/// #[derive(Clone, Copy)]
/// enum Value<'v> {
///     Flag(bool),
///     Fields(&'v [(&'v str, Value<'v>)]),
/// }
///
/// impl<'v> Emit<'v> for Value<'v> {
///     fn view(self) -> View<'v> {
///         match self {
///             Self::Flag(flag) => View::Bool(flag),
///             Self::Fields(fields) => View::Mapping(fields.len()),
///         }
///     }
///
///     fn entries(self, entries: &mut Entries<'v, Self>) -> Result<(), Error> {
///         if let Self::Fields(fields) = self {
///             fields.iter().for_each(|(key, value)| entries.push(*key, *value));
///         }
///         Ok(())
///     }
///
///     fn item(self, _: usize) -> Self {
///         unreachable!("there are no sequences")
///     }
/// }
///
/// let value = Value::Fields(&[("b", Value::Flag(true)), ("a", Value::Flag(false))]);
/// assert_eq!(to_yaml(value)?, "a: false\nb: true\n");
/// # Ok::<(), Error>(())
/// ```
pub trait Emit<'v>: Copy {
    /// What the value is.
    fn view(self) -> View<'v>;

    /// Hands over the entries of a mapping, in any order; the keys must differ.
    ///
    /// # Errors
    /// When a key has no form in JSON.
    fn entries(self, entries: &mut Entries<'v, Self>) -> Result<(), Error>;

    /// An element of a sequence, by its index; called with indices below the length only.
    #[must_use]
    fn item(self, index: usize) -> Self;

    /// Whether yaml.v3 keeps the order of the entries, as it does for structs.
    fn keeps_order(self) -> bool {
        false
    }

    /// Where the value was read, for errors.
    fn place(self) -> Place {
        Place::default()
    }
}

/// What a value is, as [`Emit::view`] tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum View<'v> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number. Whole floats print otherwise than integers in some profiles.
    Number(Number),
    /// An integer in decimal digits without a sign, a leading zero or anything else.
    Digits(&'v str),
    /// A string.
    Text(Cow<'v, str>),
    /// A sequence of so many elements.
    Sequence(usize),
    /// A mapping of so many entries.
    Mapping(usize),
}

/// Takes the entries of a mapping; see [`Emit::entries`].
#[derive(Debug)]
pub struct Entries<'v, V> {
    list: Vec<(Cow<'v, str>, V)>,
}

impl<'v, V> Entries<'v, V> {
    /// So many entries have the mappings that most objects have open at a time.
    const USUAL: usize = 32;

    /// No entries, for a walk of one's own over an [`Emit`].
    #[must_use]
    pub fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Takes one entry.
    pub fn push(&mut self, key: impl Into<Cow<'v, str>>, value: V) {
        if self.list.capacity() == 0 {
            self.list.reserve(Self::USUAL);
        }
        self.list.push((key.into(), value));
    }
}

impl<V> Default for Entries<'_, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'v, V> IntoIterator for Entries<'v, V> {
    type Item = (Cow<'v, str>, V);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// The text of a value as kustomize and `sigs.k8s.io/yaml` print it, which is also Helm's `toYaml`
/// but for the last line break.
///
/// Follows yaml.v2's `encode.go` for a value that went through JSON: keys in natural order, no
/// comments, anchors or styles, sequences at the indentation of their key.
///
/// # Errors
/// For values without a form in JSON: NaN, the infinities, control characters, and keys that are
/// no strings.
pub fn to_yaml<'v>(value: impl Emit<'v>) -> Result<String, Error> {
    // Most objects are that long; to grow there in steps takes a tenth of the time.
    let mut text = String::with_capacity(1024);
    write_yaml(&mut text, value)?;
    Ok(text)
}

/// Appends what [`to_yaml`] gives. The text must be empty or end with a line break.
///
/// # Errors
/// As [`to_yaml`]; what was appended so far stays.
pub fn write_yaml<'v>(text: &mut String, value: impl Emit<'v>) -> Result<(), Error> {
    Writer::new(text, Profile::Sigs).document(value)
}

/// Fails where [`to_yaml`] would, at a fraction of its time.
///
/// # Errors
/// As [`to_yaml`].
pub fn check_yaml(node: &Node) -> Result<(), Error> {
    if node::is_surely_printable(node) { Ok(()) } else { to_yaml(node).map(drop) }
}

/// The text of a value as yaml.v3's encoder prints it with an indentation of 2, which is also
/// Helm's `toYamlPretty` but for the last line break.
///
/// Differs from [`to_yaml`]: sequences are indented, long lines are not folded, floats print as
/// `1e+06`, old booleans are words of which `"yes"` still has quotes.
///
/// # Errors
/// For keys that are no scalars.
pub fn to_yaml_pretty<'v>(value: impl Emit<'v>) -> Result<String, Error> {
    let mut text = String::new();
    Writer::new(&mut text, Profile::V3).document(value)?;
    Ok(text)
}

/// A string on one line, in the style that comes nearest to the wanted one.
pub(crate) fn inline_scalar(text: &str, style: ScalarStyle) -> String {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted if !text.contains(scalar::is_break) => Style::SingleQuoted,
        _ => Style::DoubleQuoted,
    };
    let mut line = String::new();
    Output::new(&mut line, Profile::V3).scalar(text, style, None);
    line
}
