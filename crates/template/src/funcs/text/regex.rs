//! Regular expressions.
//!
//! Follows sprig's `regex.go`. A pattern is compiled once in a run.

use std::{collections::HashMap, rc::Rc};

use crate::{
    Arguments, CallError, Context, Function,
    re2::{self, Regex},
    value::{List, ListKind, Text, Type, Value},
};

const TWO: &[Type] = &[Type::String, Type::String];
const THREE: &[Type] = &[Type::String, Type::String, Type::String];
const COUNTED: &[Type] = &[Type::String, Type::String, Type::INT];

pub(in crate::funcs) const REGEX: &[Function] = &[
    Function::new("regexMatch", TWO, is_match),
    Function::new("mustRegexMatch", TWO, must_match),
    Function::new("regexFind", TWO, |c, a| find(c, a, panicking)),
    Function::new("mustRegexFind", TWO, |c, a| find(c, a, returning)),
    Function::new("regexFindAll", COUNTED, |c, a| find_all(c, a, panicking)),
    Function::new("mustRegexFindAll", COUNTED, |c, a| find_all(c, a, returning)),
    Function::new("regexReplaceAll", THREE, |c, a| replace(c, a, panicking)),
    Function::new("mustRegexReplaceAll", THREE, |c, a| replace(c, a, returning)),
    Function::new("regexReplaceAllLiteral", THREE, |c, a| replace_literal(c, a, panicking)),
    Function::new("mustRegexReplaceAllLiteral", THREE, |c, a| replace_literal(c, a, returning)),
    Function::new("regexSplit", COUNTED, |c, a| split(c, a, panicking)),
    Function::new("mustRegexSplit", COUNTED, |c, a| split(c, a, returning)),
    Function::new("regexQuoteMeta", &[Type::String], quote_meta),
];

type Outcome = Result<Value, CallError>;
type Complaint = fn(&re2::Error, &str) -> CallError;

/// The patterns of a run that are compiled.
#[derive(Debug, Default)]
pub(crate) struct Patterns(HashMap<Text, Result<Rc<Regex>, re2::Error>>);

impl Patterns {
    /// More are not kept: a template that makes up patterns must not fill the memory.
    const MOST: usize = 40;

    fn get(&mut self, pattern: &str) -> Result<Rc<Regex>, re2::Error> {
        if let Some(known) = self.0.get(pattern) {
            return known.clone();
        }
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        let compiled = Regex::new(pattern).map(Rc::new);
        if compiled.as_ref().is_ok_and(|regex| regex.is_large()) {
            self.0.retain(|_, known| !known.as_ref().is_ok_and(|known| known.is_large()));
        }
        self.0.insert(pattern.into(), compiled.clone());
        compiled
    }
}

/// Go's `MustCompile` panics.
fn panicking(error: &re2::Error, pattern: &str) -> CallError {
    CallError::new(error.of_compile(pattern))
}

fn returning(error: &re2::Error, _: &str) -> CallError {
    CallError::new(error.to_string())
}

/// The pattern, which is always the first argument.
fn compiled(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    complain: Complaint,
) -> Result<Rc<Regex>, CallError> {
    let pattern = arguments.text(0);
    context.spend(1 + arguments.text(1).len() as u64 / 64, 0)?;
    if !context.patterns.0.contains_key(pattern) {
        // To compile a pattern takes as long as thousands of steps.
        context.spend(2000 + 100 * pattern.len() as u64, 0)?;
    }
    context.patterns.get(pattern).map_err(|error| complain(&error, pattern))
}

fn is_match(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let regex = match compiled(context, arguments, returning) {
        Err(error) if error.is_final() => return Err(error),
        regex => regex,
    };
    Ok(Value::Bool(regex.is_ok_and(|regex| regex.is_match(arguments.text(1)))))
}

fn must_match(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let regex = compiled(context, arguments, returning)?;
    Ok(Value::Bool(regex.is_match(arguments.text(1))))
}

fn find(context: &mut Context<'_>, arguments: Arguments<'_>, complain: Complaint) -> Outcome {
    let regex = compiled(context, arguments, complain)?;
    Ok(Value::from(regex.find(arguments.text(1)).unwrap_or_default()))
}

fn find_all(context: &mut Context<'_>, arguments: Arguments<'_>, complain: Complaint) -> Outcome {
    let regex = compiled(context, arguments, complain)?;
    let limit = usize::try_from(arguments.int(2)).unwrap_or(usize::MAX);
    let found: Vec<&str> = regex.find_iter(arguments.text(1)).take(limit).collect();
    Ok(strings(context, found)?.unwrap_or_else(|| Value::List(List::nil(ListKind::String))))
}

/// A `[]string`; nothing if there is none.
fn strings(context: &mut Context<'_>, texts: Vec<&str>) -> Result<Option<Value>, CallError> {
    context.spend(texts.len() as u64, 0)?;
    Ok((!texts.is_empty()).then(|| Value::List(List::strings(texts))))
}

fn replace(context: &mut Context<'_>, arguments: Arguments<'_>, complain: Complaint) -> Outcome {
    let regex = compiled(context, arguments, complain)?;
    let (text, replacement) = (arguments.text(1), arguments.text(2));
    let spend = |bytes| context.spend(1, bytes);
    Ok(match regex.try_replace_all(text, replacement, false, spend)? {
        Some(replaced) => Value::from(replaced),
        None => arguments.any(1).clone(),
    })
}

fn replace_literal(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    complain: Complaint,
) -> Outcome {
    let regex = compiled(context, arguments, complain)?;
    let (text, replacement) = (arguments.text(1), arguments.text(2));
    let spend = |bytes| context.spend(1, bytes);
    Ok(match regex.try_replace_all(text, replacement, true, spend)? {
        Some(replaced) => Value::from(replaced),
        None => arguments.any(1).clone(),
    })
}

fn split(context: &mut Context<'_>, arguments: Arguments<'_>, complain: Complaint) -> Outcome {
    let regex = compiled(context, arguments, complain)?;
    let limit = usize::try_from(arguments.int(2)).ok();
    if limit == Some(0) {
        return Ok(Value::List(List::nil(ListKind::String)));
    }
    let parts = regex.split(arguments.text(1), limit);
    Ok(strings(context, parts)?
        .unwrap_or_else(|| Value::List(List::new(ListKind::String, Vec::new()))))
}

fn quote_meta(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(re2::quote_meta(arguments.text(0))))
}
