//! Go's integers with names of their own: months and weekdays.

use std::any::Any;

use crate::{
    CallError, Context, Method, Object,
    value::{IntKind, Kind, Value},
};

/// A number that prints as a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(super) type_name: &'static str,
    pub(crate) value: i64,
    pub(super) text: &'static str,
}

impl Object for Named {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn kind(&self) -> Kind {
        Kind::Int(IntKind::Int)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn method(&self, name: &str) -> Option<Method> {
        (name == "String").then_some(Method { params: &[], variadic: false })
    }

    fn call(&self, _: &str, _: &[Value], _: &mut Context<'_>) -> Result<Value, CallError> {
        Ok(Value::from(self.text))
    }

    fn integer(&self) -> Option<(IntKind, i64)> {
        Some((IntKind::Int, self.value))
    }

    fn text(&self) -> Option<String> {
        Some(self.text.to_owned())
    }

    fn serialized(&self) -> Value {
        Value::int(self.value)
    }

    fn is_true(&self) -> bool {
        self.value != 0
    }
}
