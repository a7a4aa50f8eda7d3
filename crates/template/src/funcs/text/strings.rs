//! Strings: cutting, trimming, searching, quoting, indenting.
//!
//! Follows sprig's `strings.go` and Masterminds/goutils. Widths and offsets count bytes, as in Go.

use std::borrow::Cow;

use memchr::memchr_iter;

use super::{case, unicode::quote as quote_into, wrap};
use crate::{
    Arguments, CallError, Context, Function,
    funcs::coerce::{self, text_of, verbatim},
    value::{
        List, ListKind, Map, MapKind, Text, Type, Value,
        bytes::{byte_len, from_bytes, to_bytes},
    },
};

const ONE: &[Type] = &[Type::String];
const TWO: &[Type] = &[Type::String, Type::String];
const CUT: &[Type] = &[Type::INT, Type::String];

pub(in crate::funcs) const STRINGS: &[Function] = &[
    Function::new("abbrev", CUT, abbrev),
    Function::new("abbrevboth", &[Type::INT, Type::INT, Type::String], abbrevboth),
    Function::new("trunc", CUT, trunc),
    Function::new("substr", &[Type::INT, Type::INT, Type::String], substr),
    Function::new("trim", ONE, trim),
    Function::new("trimAll", TWO, trim_all),
    Function::new("trimall", TWO, trim_all),
    Function::new("trimSuffix", TWO, trim_suffix),
    Function::new("trimPrefix", TWO, trim_prefix),
    Function::new("nospace", ONE, nospace),
    Function::new("initials", ONE, initials),
    Function::new("upper", ONE, case::upper),
    Function::new("lower", ONE, case::lower),
    Function::new("title", ONE, case::title),
    Function::new("untitle", ONE, case::untitle),
    Function::new("swapcase", ONE, case::swapcase),
    Function::new("snakecase", ONE, case::snakecase),
    Function::new("camelcase", ONE, case::camelcase),
    Function::new("kebabcase", ONE, case::kebabcase),
    Function::new("repeat", CUT, repeat),
    Function::new("wrap", CUT, wrap::wrap),
    Function::new("wrapWith", &[Type::INT, Type::String, Type::String], wrap::wrap_with),
    Function::new("contains", TWO, contains),
    Function::new("hasPrefix", TWO, has_prefix),
    Function::new("hasSuffix", TWO, has_suffix),
    Function::variadic_writing("quote", &[Type::Any], quote),
    Function::variadic_writing("squote", &[Type::Any], squote),
    Function::variadic_writing("cat", &[Type::Any], cat),
    Function::writing("indent", CUT, indent),
    Function::writing("nindent", CUT, nindent),
    Function::new("replace", &[Type::String, Type::String, Type::String], replace),
    Function::new("plural", &[Type::String, Type::String, Type::INT], plural),
    Function::new("toString", &[Type::Any], to_string),
    Function::new("split", TWO, split),
    Function::new("splitList", TWO, split_list),
    Function::new("splitn", &[Type::String, Type::INT, Type::String], splitn),
];

type Outcome = Result<Value, CallError>;
type Written = Result<(), CallError>;

/// The text of an argument, shared with it.
fn same(arguments: Arguments<'_>, index: usize) -> Outcome {
    Ok(arguments.any(index).clone())
}

/// The part of a string between two offsets that Go would take.
fn part(bytes: &[u8], start: usize, end: usize) -> Value {
    Value::from(&*from_bytes(&bytes[start..end]))
}

fn abbrev(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let width = arguments.int(0);
    if width < 4 {
        return same(arguments, 1);
    }
    Ok(abbreviated(&to_bytes(arguments.text(1)), 0, width))
}

fn abbrevboth(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let (left, right) = (arguments.int(0), arguments.int(1));
    if right < 4 || left > 0 && right < 7 {
        return same(arguments, 2);
    }
    Ok(abbreviated(&to_bytes(arguments.text(2)), left, right))
}

/// Follows goutils' `AbbreviateFull`; the width is at least 4.
fn abbreviated(bytes: &[u8], offset: i64, width: i64) -> Value {
    const DOTS: &[u8] = b"...";
    let Ok(width) = usize::try_from(width) else { return Value::from("") };
    if bytes.len() <= width {
        return Value::from(&*from_bytes(bytes));
    }
    // Quirk: Go's numbers wrap, so that the least one of all is far to the right.
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let last = bytes.len() - (width - 3);
    let offset = match length.checked_sub(offset.min(length)) {
        None => last,
        Some(_) => usize::try_from(offset).unwrap_or(0).min(last),
    };
    if offset <= 4 {
        return Value::from(&*from_bytes(&[&bytes[..width - 3], DOTS].concat()));
    }
    if width < 7 {
        return Value::from("");
    }
    if offset + width - 3 < bytes.len() {
        // The rest is longer than what is left of the width, so it ends with dots as well.
        let kept = &bytes[offset..offset + width - 6];
        return Value::from(&*from_bytes(&[DOTS, kept, DOTS].concat()));
    }
    Value::from(&*from_bytes(&[DOTS, &bytes[bytes.len() - (width - 3)..]].concat()))
}

fn trunc(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let (count, text) = (arguments.int(0), arguments.text(1));
    let length = byte_len(text);
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if wanted >= length {
        return same(arguments, 1);
    }
    let bytes = to_bytes(text);
    if count < 0 {
        return Ok(part(&bytes, length - wanted, length));
    }
    Ok(part(&bytes, 0, wanted))
}

fn substr(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let (start, end) = (arguments.int(0), arguments.int(1));
    let bytes = to_bytes(arguments.text(2));
    let length = bytes.len();
    let end_in = usize::try_from(end).ok().filter(|end| *end <= length);
    match usize::try_from(start) {
        Err(_) => match end_in {
            Some(end) => Ok(part(&bytes, 0, end)),
            None if end < 0 => {
                Err(format!("runtime error: slice bounds out of range [:{end}]").into())
            }
            None => Err(format!(
                "runtime error: slice bounds out of range [:{end}] with length {length}"
            )
            .into()),
        },
        Ok(start) => match end_in {
            None if start <= length => Ok(part(&bytes, start, length)),
            None => {
                Err(format!("runtime error: slice bounds out of range [{start}:{length}]").into())
            }
            Some(end) if start <= end => Ok(part(&bytes, start, end)),
            Some(end) => {
                Err(format!("runtime error: slice bounds out of range [{start}:{end}]").into())
            }
        },
    }
}

/// A part of the argument; the argument itself if nothing was cut.
fn cut(arguments: Arguments<'_>, index: usize, part: &str) -> Outcome {
    if part.len() == arguments.text(index).len() {
        return same(arguments, index);
    }
    Ok(Value::from(part))
}

fn trim(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    cut(arguments, 0, arguments.text(0).trim())
}

fn trim_all(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let set = arguments.text(0);
    cut(arguments, 1, arguments.text(1).trim_matches(|c| set.contains(c)))
}

fn trim_suffix(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(1);
    cut(arguments, 1, text.strip_suffix(arguments.text(0)).unwrap_or(text))
}

fn trim_prefix(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(1);
    cut(arguments, 1, text.strip_prefix(arguments.text(0)).unwrap_or(text))
}

/// Quirk: goutils takes each byte for a character, so text beyond ASCII falls apart, unless nothing
/// is taken out.
fn nospace(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let bytes = to_bytes(arguments.text(0));
    let chars = bytes.iter().map(|byte| char::from(*byte));
    let kept: Vec<char> = chars.filter(|c| !c.is_whitespace()).collect();
    if kept.len() == bytes.len() {
        return same(arguments, 0);
    }
    Ok(Value::from(kept.into_iter().collect::<String>()))
}

/// Quirk: as [`nospace`].
fn initials(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut out = String::new();
    let mut gap = true;
    for c in to_bytes(arguments.text(0)).iter().map(|byte| char::from(*byte)) {
        if c.is_whitespace() {
            gap = true;
        } else if gap {
            out.push(c);
            gap = false;
        }
    }
    Ok(Value::from(out))
}

fn repeat(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(1);
    let Ok(count) = usize::try_from(arguments.int(0)) else {
        return Err(CallError::new("strings: negative Repeat count"));
    };
    let Some(length) = text.len().checked_mul(count).filter(|n| i64::try_from(*n).is_ok()) else {
        return Err(CallError::new("strings: Repeat output length overflow"));
    };
    context.spend(1, length as u64)?;
    Ok(Value::from(text.repeat(count)))
}

fn contains(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.text(1).contains(arguments.text(0))))
}

fn has_prefix(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.text(1).starts_with(arguments.text(0))))
}

fn has_suffix(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.text(1).ends_with(arguments.text(0))))
}

/// The values that are not nil, separated by spaces.
fn each(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    out: &mut String,
    text_of: fn(&Value) -> Cow<'_, str>,
    write: impl Fn(&mut String, &str),
) -> Written {
    let shown = arguments.all().iter().filter(|value| !value.is_nil());
    for (number, value) in shown.enumerate() {
        if number > 0 {
            out.push(' ');
        }
        let text = text_of(value);
        context.spend(0, text.len() as u64)?;
        write(out, &text);
    }
    Ok(())
}

fn quote(context: &mut Context<'_>, arguments: Arguments<'_>, out: &mut String) -> Written {
    each(context, arguments, out, text_of, quote_into)
}

fn squote(context: &mut Context<'_>, arguments: Arguments<'_>, out: &mut String) -> Written {
    each(context, arguments, out, verbatim, |out, text| {
        out.push('\'');
        out.push_str(text);
        out.push('\'');
    })
}

fn cat(context: &mut Context<'_>, arguments: Arguments<'_>, out: &mut String) -> Written {
    each(context, arguments, out, verbatim, String::push_str)
}

/// Writes spaces to the front of each line, also of empty ones.
fn indent(context: &mut Context<'_>, arguments: Arguments<'_>, out: &mut String) -> Written {
    let text = arguments.text(1);
    let Ok(spaces) = usize::try_from(arguments.int(0)) else {
        return Err(CallError::new("strings: negative Repeat count"));
    };
    let breaks = memchr_iter(b'\n', text.as_bytes());
    let lines = breaks.clone().count() + 1;
    let length = lines.saturating_mul(spaces).saturating_add(text.len());
    context.spend(1, length as u64)?;
    out.reserve(length);
    let mut start = 0;
    for end in breaks {
        pad(out, spaces);
        out.push_str(&text[start..=end]);
        start = end + 1;
    }
    pad(out, spaces);
    out.push_str(&text[start..]);
    Ok(())
}

fn pad(out: &mut String, mut spaces: usize) {
    const SPACES: &str = "                                ";
    while spaces > 0 {
        let step = spaces.min(SPACES.len());
        out.push_str(&SPACES[..step]);
        spaces -= step;
    }
}

fn nindent(context: &mut Context<'_>, arguments: Arguments<'_>, out: &mut String) -> Written {
    out.push('\n');
    indent(context, arguments, out)
}

fn replace(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let (old, new, text) = (arguments.text(0), arguments.text(1), arguments.text(2));
    if old == new || !text.contains(old) {
        return same(arguments, 2);
    }
    let count = text.matches(old).count();
    let longer = new.len().saturating_sub(old.len()).saturating_mul(count);
    context.spend(1, text.len().saturating_add(longer) as u64)?;
    Ok(Value::from(text.replace(old, new)))
}

fn plural(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    same(arguments, usize::from(arguments.int(2) != 1))
}

fn to_string(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Str(coerce::to_text(arguments.any(0))))
}

/// Go's `strings.Split`: with an empty separator one piece for each character.
fn pieces<'t>(separator: &str, text: &'t str, limit: usize) -> Vec<&'t str> {
    if !separator.is_empty() {
        return text.splitn(limit, separator).collect();
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if pieces.len() + 1 == limit {
            pieces.push(rest);
            break;
        }
        let (piece, after) = rest.split_at(c.len_utf8());
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn numbered<'t>(pieces: impl IntoIterator<Item = &'t str>) -> Value {
    let entries = pieces.into_iter().enumerate();
    let entries = entries.map(|(number, piece)| (format!("_{number}"), Value::from(piece)));
    let entries = entries.map(|(key, value)| (Text::from(key), value)).collect();
    Value::Map(Map::of(MapKind::String, entries))
}

fn split(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let pieces = pieces(arguments.text(0), arguments.text(1), usize::MAX);
    context.spend(pieces.len() as u64 / 8, 0)?;
    Ok(numbered(pieces))
}

fn split_list(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let pieces = pieces(arguments.text(0), arguments.text(1), usize::MAX);
    context.spend(pieces.len() as u64 / 8, 0)?;
    let items = pieces.into_iter().map(Value::from).collect();
    Ok(Value::List(List::new(ListKind::String, items)))
}

fn splitn(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let limit = match arguments.int(1) {
        0 => return Ok(numbered([])),
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    Ok(numbered(pieces(arguments.text(0), arguments.text(2), limit)))
}
