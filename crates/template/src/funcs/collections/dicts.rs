//! Maps: making, reading, changing and merging them.
//!
//! Follows sprig's `dict.go`. Keys come in the order of their bytes where Go's order is random.

use super::{copy::deep_copy, merge};
use crate::{
    Arguments, CallError, Context, Function,
    funcs::coerce::to_text,
    value::{Entries, List, ListKind, Map, MapKind, Text, Type, Value},
};

pub(in crate::funcs) const DICTS: &[Function] = &[
    Function::variadic("dict", &[Type::Any], dict),
    Function::new("get", &[Type::MAP, Type::String], get),
    Function::new("set", &[Type::MAP, Type::String, Type::Any], set),
    Function::new("unset", &[Type::MAP, Type::String], unset),
    Function::new("hasKey", &[Type::MAP, Type::String], has_key),
    Function::variadic("pluck", &[Type::String, Type::MAP], pluck),
    Function::variadic("keys", &[Type::MAP], keys),
    Function::new("values", &[Type::MAP], values),
    Function::variadic("pick", &[Type::MAP, Type::String], pick),
    Function::variadic("omit", &[Type::MAP, Type::String], omit),
    Function::variadic("merge", &[Type::MAP, Type::MAP], merge_missing),
    Function::variadic("mustMerge", &[Type::MAP, Type::MAP], must_merge_missing),
    Function::variadic("mergeOverwrite", &[Type::MAP, Type::MAP], merge_over),
    Function::variadic("mustMergeOverwrite", &[Type::MAP, Type::MAP], must_merge_over),
    Function::new("deepCopy", &[Type::Any], copy),
    Function::new("mustDeepCopy", &[Type::Any], must_copy),
    Function::variadic("dig", &[Type::Any], dig),
];

type Outcome = Result<Value, CallError>;

fn dict(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut entries = Entries::with_capacity(arguments.all().len().div_ceil(2));
    for pair in arguments.all().chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::from(""));
        entries.insert(to_text(&pair[0]), value);
    }
    Ok(Value::Map(Map::of(MapKind::Any, entries)))
}

fn get(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(arguments.map(0).get(arguments.text(1)).unwrap_or_else(|| Value::from("")))
}

fn set(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let map = arguments.map(0);
    if map.is_nil() {
        return Err(CallError::new("assignment to entry in nil map"));
    }
    context.spend(1, 0)?;
    map.insert(to_text(arguments.any(1)), arguments.any(2).clone());
    Ok(plain_map(map))
}

fn unset(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    arguments.map(0).remove(arguments.text(1));
    Ok(plain_map(arguments.map(0)))
}

/// A named map that was passed as `map[string]interface {}` is one from then on.
fn plain_map(map: &Map) -> Value {
    Value::Map(map.with_kind(MapKind::Any))
}

fn has_key(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.map(0).contains(arguments.text(1))))
}

fn map_of(value: &Value) -> &Map {
    match value {
        Value::Map(map) => map,
        _ => unreachable!("the parameter is a map"),
    }
}

fn pluck(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let key = arguments.text(0);
    Ok(Value::List(arguments.rest(1).iter().filter_map(|map| map_of(map).get(key)).collect()))
}

fn keys(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut keys = Vec::new();
    for map in arguments.all() {
        if let Some(entries) = map_of(map).borrow() {
            keys.extend(entries.keys().cloned().map(Value::Str));
        }
    }
    Ok(Value::List(List::new(ListKind::String, keys)))
}

fn values(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let values = arguments.map(0).borrow().map(|entries| entries.values().cloned().collect());
    Ok(Value::List(values.unwrap_or_else(|| List::new(ListKind::Any, Vec::new()))))
}

fn pick(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let map = arguments.map(0);
    let names = arguments.rest(1).iter().filter_map(Value::as_str);
    let picked = names.filter_map(|key| map.get(key).map(|value| (Text::from(key), value)));
    Ok(Value::Map(picked.collect()))
}

fn omit(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut entries = arguments.map(0).borrow().map(|map| map.clone()).unwrap_or_default();
    for key in arguments.rest(1).iter().filter_map(Value::as_str) {
        entries.remove(key);
    }
    Ok(Value::Map(Map::of(MapKind::Any, entries)))
}

fn merged(context: &mut Context<'_>, arguments: Arguments<'_>, overwrite: bool) -> Outcome {
    let mut target = arguments.map(0).clone();
    for source in arguments.rest(1) {
        let source = map_of(source);
        if target.is_nil() && !source.is_nil() {
            target = Map::new();
        }
        merge::merge(&target, source, overwrite, context)?;
    }
    Ok(plain_map(&target))
}

fn merge_missing(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    merged(context, arguments, false)
}

fn must_merge_missing(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    merged(context, arguments, false)
}

fn merge_over(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    merged(context, arguments, true)
}

fn must_merge_over(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    merged(context, arguments, true)
}

fn copy(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    deep_copy(arguments.any(0), context)
}

fn must_copy(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    deep_copy(arguments.any(0), context)
}

fn dig(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let [keys @ .., default, dict] = arguments.all() else {
        return Err(CallError::new("dig needs at least three arguments"));
    };
    if keys.is_empty() {
        return Err(CallError::new("dig needs at least three arguments"));
    }
    let mut map = exact_map(dict)?;
    if let Some(key) = keys.iter().find(|key| key.as_str().is_none()) {
        return Err(not(key, "string"));
    }
    let mut path = keys.iter().filter_map(Value::as_str).peekable();
    while let Some(key) = path.next() {
        let Some(step) = map.get(key) else { return Ok(default.clone()) };
        if path.peek().is_none() {
            return Ok(step);
        }
        map = exact_map(&step)?;
    }
    Ok(default.clone())
}

/// Go's type assertion: no named map will do.
fn exact_map(value: &Value) -> Result<Map, CallError> {
    match value {
        Value::Map(map) if map.kind() == MapKind::Any => Ok(map.clone()),
        other => Err(not(other, MapKind::Any.name())),
    }
}

fn not(value: &Value, wanted: &str) -> CallError {
    let found = match value {
        Value::Nil => "nil".to_owned(),
        other => other.type_of().to_string(),
    };
    CallError::new(format!("interface conversion: interface {{}} is {found}, not {wanted}"))
}
