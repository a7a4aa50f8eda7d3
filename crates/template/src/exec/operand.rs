//! A value with what Go knows of its static type.

use crate::{
    format,
    value::{Text, Type, Value},
};

/// A value as Go's executor holds it. What comes out of a `map[string]interface {}` is *boxed*: its
/// type is the empty interface, whatever it holds, and Go's errors name that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operand {
    pub(crate) value: Value,
    pub(crate) boxed: bool,
}

impl Operand {
    /// Go's zero `reflect.Value`: there is nothing, not even nil.
    pub(crate) const INVALID: Self = Self { value: Value::Nil, boxed: false };

    pub(crate) fn plain(value: Value) -> Self {
        Self { value, boxed: false }
    }

    pub(crate) fn boxed(value: Value) -> Self {
        Self { value, boxed: true }
    }

    /// An element of a collection whose elements have a type.
    pub(crate) fn element(value: Value, of: Type) -> Self {
        Self { value, boxed: of == Type::Any }
    }

    /// What a collection gives for what it has not: the zero value of its elements' type.
    pub(crate) fn zero(of: Type) -> Self {
        let value = match of {
            Type::Any => return Self::boxed(Value::Nil),
            Type::Bool => Value::Bool(false),
            Type::Int(kind) => Value::Int(kind, 0),
            Type::Float64 => Value::Float(0.0),
            Type::String => Value::Str(Text::default()),
            _ => of.nil(),
        };
        Self::plain(value)
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.boxed || !self.value.is_nil()
    }

    /// The value out of its box; a nil box becomes invalid.
    pub(crate) fn unboxed(self) -> Self {
        Self { value: self.value, boxed: false }
    }

    pub(crate) fn type_of(&self) -> Type {
        if self.boxed { Type::Any } else { self.value.type_of() }
    }

    /// The value in an error message.
    pub(crate) fn text(&self) -> String {
        if self.is_valid() {
            format::text(&self.value)
        } else {
            "<invalid reflect.Value>".to_owned()
        }
    }
}
