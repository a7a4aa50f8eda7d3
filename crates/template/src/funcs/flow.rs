//! Defaults and decisions: `default`, `coalesce`, `ternary`, `required`, `fail`, and what runs other
//! templates: `include`, `tpl`.
//!
//! Follows sprig's `defaults.go`, and Helm's `pkg/engine/engine.go`.

use super::coerce::is_empty;
use crate::{Arguments, CallError, Context, Function, Type, Value, exec};

pub(super) const FLOW: &[Function] = &[
    Function::variadic("default", &[Type::Any, Type::Any], default),
    Function::new("empty", &[Type::Any], empty),
    Function::variadic("coalesce", &[Type::Any], coalesce),
    Function::variadic("all", &[Type::Any], all),
    Function::variadic("any", &[Type::Any], any),
    Function::new("ternary", &[Type::Any, Type::Any, Type::Bool], ternary),
    Function::new("fail", &[Type::String], fail),
    Function::new("hello", &[], hello),
];

pub(super) const HELM_FLOW: &[Function] = &[
    Function::writing("include", &[Type::String, Type::Any], include),
    Function::writing("tpl", &[Type::String, Type::Any], tpl),
    Function::new("required", &[Type::String, Type::Any], required),
    Function::new("fail", &[Type::String], fail),
    Function::new("lookup", &[Type::String, Type::String, Type::String, Type::String], lookup),
];

type Outcome = Result<Value, CallError>;

fn default(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(match arguments.rest(1).first() {
        Some(given) if !is_empty(given) => given.clone(),
        _ => arguments.any(0).clone(),
    })
}

fn empty(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(is_empty(arguments.any(0))))
}

fn coalesce(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(arguments.all().iter().find(|value| !is_empty(value)).cloned().unwrap_or_default())
}

fn all(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.all().iter().all(|value| !is_empty(value))))
}

fn any(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.all().iter().any(|value| !is_empty(value))))
}

fn ternary(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(arguments.any(usize::from(!arguments.bool(2))).clone())
}

fn hello(_: &mut Context<'_>, _: Arguments<'_>) -> Outcome {
    Ok(Value::from("Hello!"))
}

/// A template that only looks goes on.
fn fail(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    if context.lints() {
        return Ok(Value::from(""));
    }
    Err(CallError::failed(arguments.text(0)))
}

fn required(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let value = arguments.any(1);
    if !value.is_nil() && value.as_str() != Some("") {
        return Ok(value.clone());
    }
    if context.lints() {
        return Ok(Value::from(""));
    }
    Err(CallError::failed(arguments.text(0)))
}

fn include(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    out: &mut String,
) -> Result<(), CallError> {
    exec::include(context, arguments.text(0), arguments.any(1).clone(), out)
}

fn tpl(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    out: &mut String,
) -> Result<(), CallError> {
    exec::expand(context, arguments.text(0), arguments.any(1).clone(), out)
}

fn lookup(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let text = |index| arguments.text(index);
    if context.lints() {
        return Ok(Value::Map(crate::Map::new()));
    }
    context.host().lookup(text(0), text(1), text(2), text(3)).map_err(CallError::new)
}
