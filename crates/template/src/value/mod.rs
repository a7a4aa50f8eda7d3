//! Values as Go's templates see them: typed, with maps that are shared and can change.

pub mod bytes;
mod entries;
mod line;
mod list;
mod map;
pub(crate) mod named;
mod object;
mod record;
mod types;

pub use entries::Entries;
pub use list::{List, ListKind};
pub use map::{Map, MapKind};
pub use object::{Method, Object};
pub(crate) use record::flattened;
pub use record::{Field, Record};
pub use types::{IntKind, Kind, Type};

use std::rc::Rc;

pub use gitops_yaml::Text;

/// A value of a template. A clone is cheap, and a clone of a map is the same map: what a template
/// `set`s in one place is seen in every other, as in Go.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Go's `nil`, and a value that is missing.
    #[default]
    Nil,
    /// `bool`
    Bool(bool),
    /// Any of Go's integers; an unsigned one as its bits.
    Int(IntKind, i64),
    /// `float64`
    Float(f64),
    /// `complex128`: real and imaginary part.
    Complex(Box<(f64, f64)>),
    /// `string`. Bytes that are not UTF-8 stand in [`Value::Bytes`].
    Str(Text),
    /// `[]byte`
    Bytes(Rc<[u8]>),
    /// A slice.
    List(List),
    /// A map with keys that are strings.
    Map(Map),
    /// Anything with fields or methods.
    Object(Rc<dyn Object>),
}

impl Value {
    /// A Go `int`.
    pub const fn int(value: i64) -> Self {
        Self::Int(IntKind::Int, value)
    }

    /// A Go `int64`.
    pub const fn int64(value: i64) -> Self {
        Self::Int(IntKind::Int64, value)
    }

    /// A Go `string`.
    pub fn string(text: impl Into<Text>) -> Self {
        Self::Str(text.into())
    }

    /// An object of the host.
    pub fn object(object: impl Object) -> Self {
        Self::Object(Rc::new(object))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The map, also that of an object which is a map to Go.
    pub fn as_map(&self) -> Option<Map> {
        match self {
            Self::Map(map) => Some(map.clone()),
            Self::Object(object) => object.map(),
            _ => None,
        }
    }

    /// The list, also that of an object which is a slice to Go, and bytes as `[]uint8`.
    pub fn as_list(&self) -> Option<List> {
        match self {
            Self::List(list) => Some(list.clone()),
            Self::Bytes(bytes) => Some(List::new(
                ListKind::Uint8,
                bytes.iter().map(|byte| Self::Int(IntKind::Uint8, i64::from(*byte))).collect(),
            )),
            Self::Object(object) => object.list(),
            _ => None,
        }
    }

    /// Whether this is `nil`.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// What `if` decides by. Follows `template.IsTrue`: false, zero, nil and what is empty are
    /// false; a struct is always true.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(_, value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(value) => value.0 != 0.0 || value.1 != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.is_true(),
        }
    }

    /// The kind in the sense of Go's `reflect`.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(kind, _) => Kind::Int(*kind),
            Self::Float(_) => Kind::Float64,
            Self::Complex(_) => Kind::Complex128,
            Self::Str(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
        }
    }

    /// The type, with the name that Go prints for it; of `nil` the empty interface.
    pub fn type_of(&self) -> Type {
        match self {
            Self::Nil => Type::Any,
            Self::Bool(_) => Type::Bool,
            Self::Int(kind, _) => Type::Int(*kind),
            Self::Float(_) => Type::Float64,
            Self::Complex(_) => Type::Complex128,
            Self::Str(_) => Type::String,
            Self::Bytes(_) => Type::List(ListKind::Uint8),
            Self::List(list) => Type::List(list.kind()),
            Self::Map(map) => Type::Map(map.kind()),
            Self::Object(object) => Type::Named(object.type_name()),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Str(text)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}
