//! Scalars: a text, what go-yaml takes it for, and how it was written.

use crate::{
    node::Text,
    resolve::{self, Number},
};

/// What a scalar is, after go-yaml's rules were applied to its text, tag and style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScalarType {
    /// A string.
    Str,
    /// `null`, `~` or nothing.
    Null,
    /// A boolean; which words are booleans depends on the flavour that read them.
    Bool,
    /// An integer within `i64` or `u64`.
    Int,
    /// A floating point number, also an integer beyond 64 bits.
    Float,
    /// A date or a moment. Only yaml.v3 has them; to yaml.v2 they are strings.
    Timestamp,
    /// `<<` as a key of a mapping.
    Merge,
}

impl ScalarType {
    /// The tag without its `!!`.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Timestamp => "timestamp",
            Self::Merge => "merge",
        }
    }
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ScalarStyle {
    /// Without quotes.
    #[default]
    Plain,
    /// `'text'`
    SingleQuoted,
    /// `"text"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A leaf of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    pub(crate) text: Text,
    pub(crate) kind: ScalarType,
    pub(crate) style: ScalarStyle,
}

impl Scalar {
    /// A scalar of a known type. The text of a number, boolean or timestamp must be one that
    /// go-yaml reads as such; it is kept as it is.
    #[inline]
    pub fn new(text: impl Into<Text>, kind: ScalarType, style: ScalarStyle) -> Self {
        Self { text: text.into(), kind, style }
    }

    /// A string.
    pub fn string(text: impl Into<Text>) -> Self {
        Self::new(text, ScalarType::Str, ScalarStyle::Plain)
    }

    /// The text, without quotes and with escapes and folds resolved.
    #[inline]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, to share it.
    pub fn to_text(&self) -> Text {
        self.text.clone()
    }

    /// What the scalar is.
    #[inline]
    pub fn kind(&self) -> ScalarType {
        self.kind
    }

    /// How it was written.
    #[inline]
    pub fn style(&self) -> ScalarStyle {
        self.style
    }

    /// The truth value, for a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        (self.kind == ScalarType::Bool).then(|| resolve::truth(&self.text))
    }

    /// The value of a number. Integers beyond 64 bits are floats, as in Go.
    pub fn as_number(&self) -> Option<Number> {
        match self.kind {
            ScalarType::Int => resolve::number(&self.text),
            // The text may be that of an integer, also of the one that has no sign: `-0`.
            ScalarType::Float => match resolve::number(&self.text)? {
                Number::Int(0) if self.text.starts_with('-') => Some(Number::Float(-0.0)),
                number => Some(Number::Float(number.as_f64())),
            },
            _ => None,
        }
    }
}
