//! Types and kinds.
//!
//! Follows sprig's `reflect.go`.

use super::collections;
use crate::{Arguments, CallError, Context, Function, Type, Value};

const NAMED: &[Type] = &[Type::String, Type::Any];

pub(super) const REFLECTION: &[Function] = &[
    Function::new("typeOf", &[Type::Any], type_of),
    Function::new("typeIs", NAMED, type_is),
    Function::new("typeIsLike", NAMED, type_is_like),
    Function::new("kindOf", &[Type::Any], kind_of),
    Function::new("kindIs", NAMED, kind_is),
    Function::new("deepEqual", &[Type::Any, Type::Any], deep_equal),
];

type Outcome = Result<Value, CallError>;

/// Go's `%T`.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        value => value.type_of().name(),
    }
}

fn type_of(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(type_name(arguments.any(0))))
}

fn type_is(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(type_name(arguments.any(1)) == arguments.text(0)))
}

fn type_is_like(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let (name, wanted) = (type_name(arguments.any(1)), arguments.text(0));
    Ok(Value::Bool(name == wanted || name.strip_prefix('*') == Some(wanted)))
}

fn kind_of(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(arguments.any(0).kind().name()))
}

fn kind_is(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.any(1).kind().name() == arguments.text(0)))
}

fn deep_equal(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(collections::deep_equal(arguments.any(0), arguments.any(1))))
}
