//! Go's types, as far as templates meet them.

use std::fmt;

use super::{ListKind, MapKind, Value};

/// Go's integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Go's")]
pub enum IntKind {
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
}

impl IntKind {
    /// Go's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
        }
    }

    /// Whether it has no sign.
    pub fn is_unsigned(self) -> bool {
        matches!(self, Self::Uint | Self::Uint8 | Self::Uint16 | Self::Uint32 | Self::Uint64)
    }
}

/// Go's `reflect.Kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Go's")]
pub enum Kind {
    Invalid,
    Bool,
    Int(IntKind),
    Float64,
    Complex128,
    String,
    Slice,
    Map,
    Struct,
    Pointer,
    Func,
}

impl Kind {
    /// Go's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int(kind) => kind.name(),
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Pointer => "ptr",
            Self::Func => "func",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A type of Go: of a value, or of a function's parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// `interface {}`, which takes everything.
    Any,
    /// `reflect.Value`, which takes everything and keeps a missing value apart from `nil`.
    Reflect,
    /// `bool`
    Bool,
    /// An integer.
    Int(IntKind),
    /// `float64`
    Float64,
    /// `complex128`
    Complex128,
    /// `string`
    String,
    /// A slice.
    List(ListKind),
    /// A map.
    Map(MapKind),
    /// The type of an [`Object`](super::Object), by Go's name for it.
    Named(&'static str),
}

impl Type {
    /// `int`
    pub const INT: Self = Self::Int(IntKind::Int);
    /// `int64`
    pub const INT64: Self = Self::Int(IntKind::Int64);
    /// `map[string]interface {}`
    pub const MAP: Self = Self::Map(MapKind::Any);
    /// `[]interface {}`
    pub const LIST: Self = Self::List(ListKind::Any);
    /// `[]string`
    pub const STRINGS: Self = Self::List(ListKind::String);

    /// Whether Go lets `nil` stand for a value of the type.
    pub fn can_be_nil(self) -> bool {
        match self {
            Self::Any | Self::Reflect | Self::List(_) | Self::Map(_) => true,
            Self::Named(name) => name.starts_with('*'),
            _ => false,
        }
    }

    /// Whether a value of type `from` may be passed where this type is asked for.
    pub fn accepts(self, from: Self) -> bool {
        match (self, from) {
            (Self::Any | Self::Reflect, _) => true,
            // A named map and the map that it is made of.
            (Self::Map(MapKind::Any), Self::Map(named))
            | (Self::Map(named), Self::Map(MapKind::Any))
                if named.is_named() =>
            {
                true
            }
            _ => self == from,
        }
    }

    /// The nil value of the type.
    pub fn nil(self) -> Value {
        match self {
            Self::List(kind) => Value::List(super::List::nil(kind)),
            Self::Map(kind) => Value::Map(super::Map::nil(kind)),
            _ => Value::Nil,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Type {
    /// Go's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Bool => "bool",
            Self::Int(kind) => kind.name(),
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::List(kind) => kind.name(),
            Self::Map(kind) => kind.name(),
            Self::Named(name) => name,
        }
    }
}
