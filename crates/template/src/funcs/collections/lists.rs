//! Lists.
//!
//! Follows sprig's `list.go`. Each function takes any slice, and has a `must` twin with the same
//! errors: what the other panics with, Go's templates report as an error too.

use super::copy::deep_equal;
use crate::{
    Arguments, CallError, Context, Function,
    funcs::coerce::{elements, is_empty, text_of, to_int, to_text},
    value::{List, ListKind, Type, Value},
};

const ONE: &[Type] = &[Type::Any];
const TWO: &[Type] = &[Type::Any, Type::Any];

pub(in crate::funcs) const LISTS: &[Function] = &[
    Function::variadic("list", ONE, list),
    Function::variadic("tuple", ONE, list),
    Function::new("append", TWO, append),
    Function::new("push", TWO, append),
    Function::new("mustAppend", TWO, append),
    Function::new("mustPush", TWO, append),
    Function::new("prepend", TWO, prepend),
    Function::new("mustPrepend", TWO, prepend),
    Function::new("first", ONE, first),
    Function::new("mustFirst", ONE, first),
    Function::new("last", ONE, last),
    Function::new("mustLast", ONE, last),
    Function::new("rest", ONE, rest),
    Function::new("mustRest", ONE, rest),
    Function::new("initial", ONE, initial),
    Function::new("mustInitial", ONE, initial),
    Function::new("reverse", ONE, reverse),
    Function::new("mustReverse", ONE, reverse),
    Function::new("compact", ONE, compact),
    Function::new("mustCompact", ONE, compact),
    Function::new("uniq", ONE, uniq),
    Function::new("mustUniq", ONE, uniq),
    Function::variadic("without", TWO, without),
    Function::variadic("mustWithout", TWO, without),
    Function::new("has", TWO, has),
    Function::new("mustHas", TWO, has),
    Function::variadic("slice", TWO, slice),
    Function::variadic("mustSlice", TWO, slice),
    Function::variadic("concat", ONE, concat),
    Function::new("chunk", &[Type::INT, Type::Any], chunk),
    Function::new("mustChunk", &[Type::INT, Type::Any], chunk),
    Function::new("join", &[Type::String, Type::Any], join),
    Function::new("sortAlpha", ONE, sort_alpha),
    Function::new("toStrings", ONE, to_strings),
];

type Outcome = Result<Value, CallError>;

fn any_list(items: Vec<Value>) -> Value {
    Value::List(List::new(ListKind::Any, items))
}

fn nil_list() -> Value {
    Value::List(List::nil(ListKind::Any))
}

fn list(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(any_list(arguments.all().to_vec()))
}

fn append(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot push on type")?;
    context.spend(list.len() as u64 / 16, 0)?;
    let mut items = Vec::with_capacity(list.len() + 1);
    items.extend_from_slice(list.items());
    items.push(arguments.any(1).clone());
    Ok(any_list(items))
}

fn prepend(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot prepend on type")?;
    context.spend(list.len() as u64 / 16, 0)?;
    let mut items = Vec::with_capacity(list.len() + 1);
    items.push(arguments.any(1).clone());
    items.extend_from_slice(list.items());
    Ok(any_list(items))
}

fn first(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot find first on type")?;
    Ok(list.items().first().cloned().unwrap_or_default())
}

fn last(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot find last on type")?;
    Ok(list.items().last().cloned().unwrap_or_default())
}

fn rest(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot find rest on type")?;
    Ok(list.items().get(1..).map_or_else(nil_list, |items| any_list(items.to_vec())))
}

fn initial(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot find initial on type")?;
    Ok(match list.items() {
        [] => nil_list(),
        [items @ .., _] => any_list(items.to_vec()),
    })
}

fn reverse(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot find reverse on type")?;
    Ok(any_list(list.items().iter().rev().cloned().collect()))
}

fn compact(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot compact on type")?;
    Ok(any_list(list.items().iter().filter(|item| !is_empty(item)).cloned().collect()))
}

fn uniq(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot find uniq on type")?;
    let mut items: Vec<Value> = Vec::new();
    for item in list.items() {
        context.spend(items.len() as u64 / 2, 0)?;
        if !items.iter().any(|known| deep_equal(item, known)) {
            items.push(item.clone());
        }
    }
    Ok(any_list(items))
}

fn without(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "Cannot find without on type")?;
    let omitted = arguments.rest(1);
    context.spend((list.len() * omitted.len()) as u64 / 16, 0)?;
    let kept = |item: &&Value| !omitted.iter().any(|omitted| deep_equal(item, omitted));
    Ok(any_list(list.items().iter().filter(kept).cloned().collect()))
}

fn has(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    if arguments.any(1).is_nil() {
        return Ok(Value::Bool(false));
    }
    let list = elements(arguments.any(1), "Cannot find has on type")?;
    context.spend(list.len() as u64 / 16, 0)?;
    let needle = arguments.any(0);
    Ok(Value::Bool(list.items().iter().any(|item| deep_equal(needle, item))))
}

fn slice(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let list = elements(arguments.any(0), "list should be type of slice or array but")?;
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let index = |at: usize| arguments.rest(1).get(at).map(to_int);
    let start = usize::try_from(index(0).unwrap_or(0));
    let end = index(1).map_or(Ok(list.len()), usize::try_from);
    // Go may also cut beyond the length, up to a capacity that we do not have.
    match (start, end) {
        (Ok(start), Ok(end)) if start <= end && end <= list.len() => {
            Ok(Value::List(List::new(list.kind(), list.items()[start..end].to_vec())))
        }
        _ => Err(CallError::new("reflect.Value.Slice: slice index out of bounds")),
    }
}

fn concat(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut items = Vec::new();
    for list in arguments.all() {
        if list.as_list().is_none() && !list.is_nil() {
            return Err(CallError::new(format!("Cannot concat type {} as list", list.kind())));
        }
        let list = elements(list, "")?;
        context.spend(list.len() as u64 / 16, 0)?;
        items.extend_from_slice(list.items());
    }
    Ok(if items.is_empty() { nil_list() } else { any_list(items) })
}

fn chunk(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    const KIND: ListKind = ListKind::Lists;
    let list = elements(arguments.any(1), "Cannot chunk type")?;
    let size = arguments.int(0);
    let Ok(size @ 1..) = usize::try_from(size) else {
        // Go counts the chunks as floats and cuts what comes out of it.
        return match (list.len(), size) {
            (2.., ..0) if list.len() as u64 - 1 <= size.unsigned_abs() => {
                Ok(Value::List(List::new(KIND, Vec::new())))
            }
            (1, ..-1) => Ok(Value::List(List::new(KIND, vec![any_list(list.into_items())]))),
            _ => Err(CallError::new("runtime error: makeslice: len out of range")),
        };
    };
    let chunks = list.items().chunks(size).map(|chunk| any_list(chunk.to_vec()));
    Ok(Value::List(List::new(KIND, chunks.collect())))
}

/// sprig's `strslice`: a list without its nils, or a single value.
fn strings(value: &Value) -> List {
    match value {
        Value::Nil => List::new(ListKind::String, Vec::new()),
        Value::List(list) if list.kind() == ListKind::String => list.clone(),
        other => match other.as_list() {
            Some(list) => List::new(
                ListKind::String,
                list.items()
                    .iter()
                    .filter(|item| !item.is_nil())
                    .map(|item| Value::Str(to_text(item)))
                    .collect(),
            ),
            None => List::new(ListKind::String, vec![Value::Str(to_text(other))]),
        },
    }
}

fn join(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let (separator, value) = (arguments.text(0), arguments.any(1));
    let Some(list) = value.as_list() else {
        return Ok(if value.is_nil() { Value::from("") } else { Value::Str(to_text(value)) });
    };
    context.spend(list.len() as u64, (separator.len() * list.len()) as u64)?;
    let mut joined = String::new();
    let shown = list.items().iter().filter(|item| !item.is_nil());
    for (number, item) in shown.enumerate() {
        if number > 0 {
            joined.push_str(separator);
        }
        let text = text_of(item);
        context.spend(0, text.len() as u64)?;
        joined.push_str(&text);
    }
    Ok(Value::from(joined))
}

fn sort_alpha(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut items = strings(arguments.any(0)).into_items();
    if arguments.any(0).is_nil() {
        items.push(Value::from("<nil>"));
    }
    items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    Ok(Value::List(List::new(ListKind::String, items)))
}

fn to_strings(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::List(strings(arguments.any(0))))
}
