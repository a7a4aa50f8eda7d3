//! Values of the host, with fields and methods.

use std::{any::Any, fmt};

use super::{Field, IntKind, Kind, List, Map, Text, Type, Value};
use crate::{CallError, Context};

/// A method, and what it takes.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// The types of its parameters; of a variadic one the last is that of each further argument.
    pub params: &'static [Type],
    /// Whether the last parameter takes any number of arguments.
    pub variadic: bool,
}

/// A value that a template sees with fields and methods: a struct, a pointer to one, or a named
/// slice or map. It cannot be changed by a template.
pub trait Object: fmt::Debug + 'static {
    /// Go's name of the type, as `printf "%T"` prints it.
    fn type_name(&self) -> &'static str;

    /// What it is to Go's `reflect`.
    fn kind(&self) -> Kind;

    /// For downcasts.
    fn as_any(&self) -> &dyn Any;

    /// The field of a struct.
    fn field(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }

    /// The method of that name, if there is one.
    fn method(&self, name: &str) -> Option<Method> {
        let _ = name;
        None
    }

    /// Calls a method with arguments that fit it.
    ///
    /// # Errors
    /// What the method fails with.
    fn call(
        &self,
        name: &str,
        arguments: &[Value],
        context: &mut Context<'_>,
    ) -> Result<Value, CallError> {
        let _ = (arguments, context);
        Err(CallError::new(format!("there is no method {name}")))
    }

    /// The elements, if it is a slice.
    fn list(&self) -> Option<List> {
        None
    }

    /// The entries, if it is a map.
    fn map(&self) -> Option<Map> {
        None
    }

    /// The number, if its type is that of an integer with another name.
    fn integer(&self) -> Option<(IntKind, i64)> {
        None
    }

    /// What it says of itself, if it is a `fmt.Stringer` or an `error`; else its parts are printed.
    fn text(&self) -> Option<String> {
        None
    }

    /// What an action prints for it; Go finds methods of the address there that `print` does not.
    fn printed(&self) -> Option<String> {
        self.text()
    }

    /// The fields of a struct in Go's order, for printing and for JSON, which keeps that order.
    fn fields(&self) -> Vec<Field> {
        Vec::new()
    }

    /// What is written for it as YAML, which sorts the keys; a map for a struct.
    fn serialized(&self) -> Value {
        if let Some(list) = self.list() {
            return Value::List(list);
        }
        if let Some(map) = self.map() {
            return Value::Map(map);
        }
        let fields = super::record::flattened(self.fields());
        let written = fields.into_iter().filter(|field| !field.omit_empty || field.value.is_true());
        Value::Map(written.map(|field| (Text::from(field.key), field.value)).collect())
    }

    /// Whether it is true to `if`.
    fn is_true(&self) -> bool {
        match (self.kind(), self.list(), self.map()) {
            (Kind::Slice, Some(list), _) => !list.is_empty(),
            (Kind::Map, _, Some(map)) => !map.is_empty(),
            _ => true,
        }
    }
}
