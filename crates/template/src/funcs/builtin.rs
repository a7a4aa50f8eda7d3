//! Go's own functions. Follows `text/template/funcs.go`.

use std::{borrow::Cow, cmp::Ordering};

use crate::{
    CallError, Context, Function,
    exec::Operand,
    format::{self, TooLarge},
    function::{Action, Arguments},
    quote::is_printable,
    value::{
        IntKind, Type, Value,
        bytes::{byte_len, from_bytes, to_bytes},
    },
};

const ONE: &[Type] = &[Type::Reflect];
const TWO: &[Type] = &[Type::Reflect, Type::Reflect];
const ANY: &[Type] = &[Type::Any];

/// All of them.
pub(crate) const BUILTIN: &[Function] = &[
    Function::reflect("and", true, TWO, Action::And),
    Function::reflect("or", true, TWO, Action::Or),
    Function::reflect("not", false, ONE, Action::Reflect(not)),
    Function::reflect("call", true, TWO, Action::Callee),
    Function::reflect("len", false, ONE, Action::Reflect(len)),
    Function::reflect("index", true, TWO, Action::Reflect(index)),
    Function::reflect("slice", true, TWO, Action::Reflect(slice)),
    Function::reflect("eq", true, TWO, Action::Reflect(eq)),
    Function::reflect("ne", false, TWO, Action::Reflect(ne)),
    Function::reflect("lt", false, TWO, Action::Reflect(lt)),
    Function::reflect("le", false, TWO, Action::Reflect(le)),
    Function::reflect("gt", false, TWO, Action::Reflect(gt)),
    Function::reflect("ge", false, TWO, Action::Reflect(ge)),
    Function::variadic_writing("print", ANY, |context, arguments, out| {
        spending(context, out, |out| format::sprint(out, arguments.all()))
    }),
    Function::variadic_writing("println", ANY, |context, arguments, out| {
        spending(context, out, |out| format::sprintln(out, arguments.all()))
    }),
    Function::variadic_writing("printf", &[Type::String, Type::Any], |context, arguments, out| {
        let (format, arguments) = (arguments.text(0), arguments.rest(1));
        spending(context, out, |out| format::sprintf(out, format, arguments))
    }),
    Function::variadic("html", ANY, |_, arguments| Ok(html(&joined(arguments)?).into())),
    Function::variadic("js", ANY, |_, arguments| Ok(js(&joined(arguments)?).into())),
    Function::variadic("urlquery", ANY, |_, arguments| Ok(query(&joined(arguments)?).into())),
];

type Result = std::result::Result<Operand, CallError>;

/// What is printed counts as made.
fn spending(
    context: &mut Context<'_>,
    out: &mut String,
    print: impl FnOnce(&mut String) -> std::result::Result<(), TooLarge>,
) -> std::result::Result<(), CallError> {
    let before = out.len();
    print(out)?;
    context.spend(0, (out.len() - before) as u64)
}

fn bool(value: bool) -> Operand {
    Operand::plain(Value::Bool(value))
}

fn not(arguments: &[Operand]) -> Result {
    Ok(bool(!arguments[0].value.is_true()))
}

/// Go looks behind a pointer before it looks for elements.
fn type_behind_pointer(value: &Value) -> String {
    let name = value.type_of().to_string();
    match value {
        Value::Object(_) => name.trim_start_matches('*').to_owned(),
        _ => name,
    }
}

fn len(arguments: &[Operand]) -> Result {
    let item = &arguments[0];
    let length = match &item.value {
        Value::Nil if item.boxed => return Err("len of nil pointer".into()),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::Str(text) => byte_len(text),
        value => match (value.as_list(), value.as_map()) {
            (Some(list), _) => list.len(),
            (_, Some(map)) => map.len(),
            _ => return Err(format!("len of type {}", type_behind_pointer(value)).into()),
        },
    };
    Ok(Operand::plain(Value::int(i64::try_from(length).unwrap_or(i64::MAX))))
}

fn index(arguments: &[Operand]) -> Result {
    let mut item = arguments[0].clone();
    if item.value.is_nil() {
        return Err("index of untyped nil".into());
    }
    for by in &arguments[1..] {
        item = match &item.value {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::Str(text) => {
                let bytes = to_bytes(text);
                let at = position(by, bytes.len())?;
                let byte = bytes.get(at).ok_or_else(|| out_of_range("string", at, bytes.len()))?;
                Operand::plain(Value::Int(IntKind::Uint8, i64::from(*byte)))
            }
            value => match (value.as_list(), value.as_map()) {
                (Some(list), _) => {
                    let at = position(by, list.len())?;
                    let found = list.items().get(at).cloned();
                    let found = found.ok_or_else(|| out_of_range("slice", at, list.len()))?;
                    Operand::element(found, list.kind().element())
                }
                (_, Some(map)) => {
                    let key = key(by)?;
                    let of = map.kind().element();
                    map.get(key)
                        .map_or_else(|| Operand::zero(of), |found| Operand::element(found, of))
                }
                _ => {
                    return Err(
                        format!("can't index item of type {}", type_behind_pointer(value)).into()
                    );
                }
            },
        };
    }
    Ok(item)
}

/// `reflect` panics where `text/template` lets an index pass that is the length itself.
fn out_of_range(what: &str, _at: usize, _length: usize) -> CallError {
    format!("reflect: {what} index out of range").into()
}

fn key(by: &Operand) -> std::result::Result<&str, CallError> {
    match &by.value {
        Value::Str(key) => Ok(key),
        Value::Nil => Err("value is nil; should be of type string".into()),
        value => Err(format!("value has type {}; should be string", value.type_of()).into()),
    }
}

fn position(by: &Operand, capacity: usize) -> std::result::Result<usize, CallError> {
    match &by.value {
        Value::Int(_, at) => usize::try_from(*at)
            .ok()
            .filter(|at| *at <= capacity)
            .ok_or_else(|| format!("index out of range: {at}").into()),
        Value::Nil => Err("cannot index slice/array with nil".into()),
        value => Err(format!("cannot index slice/array with type {}", value.type_of()).into()),
    }
}

fn slice(arguments: &[Operand]) -> Result {
    let item = &arguments[0];
    if item.value.is_nil() {
        return Err("slice of untyped nil".into());
    }
    let by = &arguments[1..];
    if by.len() > 3 {
        return Err(format!("too many slice indexes: {}", by.len()).into());
    }
    let (bytes, list) = match &item.value {
        Value::Str(_) if by.len() == 3 => return Err("cannot 3-index slice a string".into()),
        Value::Str(text) => (Some(to_bytes(text)), None),
        value => match value.as_list() {
            Some(list) => (None, Some(list)),
            None => return Err(format!("can't slice item of type {}", value.type_of()).into()),
        },
    };
    let length = bytes
        .as_ref()
        .map_or_else(|| list.as_ref().map_or(0, crate::List::len), |bytes| bytes.len());
    let mut bounds = [0, length, length];
    for (bound, by) in bounds.iter_mut().zip(by) {
        *bound = position(by, length)?;
    }
    let [from, to, capacity] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}").into());
    }
    if by.len() == 3 && to > capacity {
        return Err(format!("invalid slice index: {to} > {capacity}").into());
    }
    Ok(Operand::plain(match (bytes, list) {
        (Some(bytes), _) => Value::string(&*from_bytes(&bytes[from..to])),
        (_, Some(list)) => {
            Value::List(crate::List::new(list.kind(), list.items()[from..to].to_vec()))
        }
        _ => Value::Nil,
    }))
}

/// The kinds that can be ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Basic {
    Bool,
    Complex,
    Int,
    Float,
    String,
    Uint,
}

/// A number whose type has another name, as a number.
fn bare(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Object(object) => match object.integer() {
            Some((kind, bits)) => Cow::Owned(Value::Int(kind, bits)),
            None => Cow::Borrowed(value),
        },
        _ => Cow::Borrowed(value),
    }
}

fn basic(value: &Value) -> Option<Basic> {
    match value {
        Value::Bool(_) => Some(Basic::Bool),
        Value::Int(kind, _) if kind.is_unsigned() => Some(Basic::Uint),
        Value::Int(..) => Some(Basic::Int),
        Value::Float(_) => Some(Basic::Float),
        Value::Complex(_) => Some(Basic::Complex),
        Value::Str(_) => Some(Basic::String),
        _ => None,
    }
}

fn incompatible(a: &Value, b: &Value) -> CallError {
    format!("incompatible types for comparison: {} and {}", a.type_of(), b.type_of()).into()
}

/// Whether the first equals any of the others.
fn eq(arguments: &[Operand]) -> Result {
    let (first, others) = arguments.split_first().expect("there is a first argument");
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal(&first.value, &other.value)? {
            return Ok(bool(true));
        }
    }
    Ok(bool(false))
}

fn equal(a: &Value, b: &Value) -> std::result::Result<bool, CallError> {
    Ok(match (&*bare(a), &*bare(b)) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        #[expect(clippy::float_cmp, reason = "so does Go")]
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a), Value::Complex(b)) => a == b,
        (Value::Int(kind, a), Value::Int(other, b)) => {
            a == b && (kind.is_unsigned() == other.is_unsigned() || *a >= 0)
        }
        _ => {
            let (one, other) = (basic(&bare(a)), basic(&bare(b)));
            if one != other {
                if a.is_nil() || b.is_nil() {
                    return Ok(false);
                }
                return Err(incompatible(a, b));
            }
            return equal_others(a, b);
        }
    })
}

/// Lists, maps, structs and nil.
fn equal_others(a: &Value, b: &Value) -> std::result::Result<bool, CallError> {
    let (one, other) = (a.kind(), b.kind());
    if one != other && !a.is_nil() && !b.is_nil() {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            format::verb(a, 's'),
            a.type_of(),
            b.type_of(),
            format::text(b)
        )
        .into());
    }
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) == is_nil(b));
    }
    match (a, b) {
        (Value::Object(a), Value::Object(b))
            if !matches!(other, crate::Kind::Map | crate::Kind::Slice) =>
        {
            Ok(std::rc::Rc::ptr_eq(a, b))
        }
        _ => Err(format!("non-comparable type {}: {}", format::verb(b, 's'), b.type_of()).into()),
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

fn ne(arguments: &[Operand]) -> Result {
    Ok(bool(!equal(&arguments[0].value, &arguments[1].value)?))
}

fn lt(arguments: &[Operand]) -> Result {
    less(arguments).map(bool)
}

fn le(arguments: &[Operand]) -> Result {
    less_or_equal(arguments).map(bool)
}

fn gt(arguments: &[Operand]) -> Result {
    less_or_equal(arguments).map(|less| bool(!less))
}

fn ge(arguments: &[Operand]) -> Result {
    less(arguments).map(|less| bool(!less))
}

fn less_or_equal(arguments: &[Operand]) -> std::result::Result<bool, CallError> {
    Ok(less(arguments)? || equal(&arguments[0].value, &arguments[1].value)?)
}

fn less(arguments: &[Operand]) -> std::result::Result<bool, CallError> {
    const INVALID: &str = "invalid type for comparison";
    let (a, b) = (&arguments[0].value, &arguments[1].value);
    let (first, second) = (bare(a), bare(b));
    let (Some(_), Some(_)) = (basic(&first), basic(&second)) else { return Err(INVALID.into()) };
    Ok(match (&*first, &*second) {
        (Value::Str(a), Value::Str(b)) => a.as_str() < b.as_str(),
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::Int(kind, a), Value::Int(other, b)) => {
            let order = match (kind.is_unsigned(), other.is_unsigned()) {
                (false, false) => a.cmp(b),
                (true, true) => a.cast_unsigned().cmp(&b.cast_unsigned()),
                (false, true) if *a < 0 => Ordering::Less,
                (true, false) if *b < 0 => Ordering::Greater,
                _ => a.cast_unsigned().cmp(&b.cast_unsigned()),
            };
            order == Ordering::Less
        }
        (Value::Bool(_), Value::Bool(_)) | (Value::Complex(_), Value::Complex(_)) => {
            return Err(INVALID.into());
        }
        _ => return Err(incompatible(a, b)),
    })
}

/// The arguments as one text: Go's `evalArgs`.
fn joined(arguments: Arguments<'_>) -> std::result::Result<String, CallError> {
    // Nil prints as a missing value does in an action.
    let printable: Vec<Value> = arguments
        .all()
        .iter()
        .map(|value| if value.is_nil() { Value::from("<no value>") } else { value.clone() })
        .collect();
    let mut out = String::new();
    format::sprint(&mut out, &printable)?;
    Ok(out)
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ => out.push(char),
        }
    }
    out
}

fn js(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' | '\0'..'\x20' => {
                let _ = write!(out, "\\u{:04X}", u32::from(char));
            }
            ' '..='\x7f' => out.push(char),
            _ if is_printable(char) => out.push(char),
            // Bytes that are no text are printable replacement characters to Go, and stay.
            _ if crate::value::bytes::escaped_byte(char).is_some() => out.push(char),
            _ => {
                let _ = write!(out, "\\u{:04X}", u32::from(char));
            }
        }
    }
    out
}

fn query(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in &*to_bytes(text) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(*byte));
            }
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
