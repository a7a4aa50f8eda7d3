//! Deep copies and deep equality.
//!
//! Follows mitchellh/copystructure and Go's `reflect.DeepEqual`.

use std::rc::Rc;

use crate::{
    CallError, Context,
    funcs::{coerce::NO_TYPE, encoding::DEEPEST, semver::SemVer},
    value::{Entries, List, Map, Value},
};

/// A value that shares no map with the given one.
pub(in crate::funcs) fn deep_copy(
    value: &Value,
    context: &mut Context<'_>,
) -> Result<Value, CallError> {
    if value.is_nil() {
        return Err(CallError::new(NO_TYPE));
    }
    copy(value, 0, context)
}

fn copy(value: &Value, depth: u32, context: &mut Context<'_>) -> Result<Value, CallError> {
    if depth > DEEPEST {
        return Err(CallError::new("deepCopy error: the value holds itself, or is too deep"));
    }
    context.spend(1, 0)?;
    Ok(match value {
        Value::List(list) if !list.is_nil() => {
            let items = list.items().iter().map(|item| copy(item, depth + 1, context));
            Value::List(List::new(list.kind(), items.collect::<Result<_, _>>()?))
        }
        Value::Map(map) => {
            let Some(entries) = map.borrow() else { return Ok(value.clone()) };
            let mut copies = Entries::with_capacity(entries.len());
            for (key, value) in entries.iter() {
                copies.insert(key.clone(), copy(value, depth + 1, context)?);
            }
            Value::Map(Map::of(map.kind(), copies))
        }
        Value::Object(object) => match object.as_any().downcast_ref::<SemVer>() {
            Some(version) => Value::object(version.copied()),
            None => value.clone(),
        },
        other => other.clone(),
    })
}

/// Whether two values have the same types and contents throughout. NaN is not equal to itself.
pub(in crate::funcs) fn deep_equal(a: &Value, b: &Value) -> bool {
    equal(a, b, 0)
}

#[expect(clippy::float_cmp, reason = "Go compares so")]
fn equal(a: &Value, b: &Value, depth: u32) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a_kind, a), Value::Int(b_kind, b)) => a_kind == b_kind && a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a), Value::Complex(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.kind() == b.kind()
                && a.is_nil() == b.is_nil()
                && a.len() == b.len()
                && a.items().iter().zip(b.items()).all(|(a, b)| equal(a, b, depth + 1))
        }
        (Value::Map(a), Value::Map(b)) => {
            // Values deeper than this hold themselves: Go compares no pair twice.
            if a.is_same(b) || depth > DEEPEST {
                return a.kind() == b.kind();
            }
            let (Some(left), Some(right)) = (a.borrow(), b.borrow()) else { return false };
            a.kind() == b.kind()
                && left.len() == right.len()
                && left.iter().all(|(key, value)| {
                    right.get(key).is_some_and(|other| equal(value, other, depth + 1))
                })
        }
        (Value::Object(a), Value::Object(b)) => {
            Rc::ptr_eq(a, b)
                || a.type_name() == b.type_name()
                    && equal(&a.serialized(), &b.serialized(), depth + 1)
        }
        _ => false,
    }
}
