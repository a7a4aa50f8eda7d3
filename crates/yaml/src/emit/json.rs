//! JSON with the bytes of Go's `encoding/json`.

use std::fmt::Write as _;

use super::{Emit, Entries, View};
use crate::{error::Error, json::unsupported_float, node::Place, resolve::Number};

/// The JSON text of a value as Go's `json.Marshal` prints it: no white space, keys in the order of
/// their bytes, safe to stand in HTML.
///
/// ```
/// let node = gitops_yaml::read("{b: [1, 2.50, ~], a: <x>}")?;
/// assert_eq!(gitops_yaml::to_json_text(&node)?, r#"{"a":"\u003cx\u003e","b":[1,2.5,null]}"#);
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
///
/// # Errors
/// For NaN, the infinities and keys that are no strings.
pub fn to_json_text<'v>(value: impl Emit<'v>) -> Result<String, Error> {
    let mut text = String::new();
    write_value(&mut text, &mut Entries::new(), value, None)?;
    Ok(text)
}

/// As [`to_json_text`], over several lines with an indentation of 2, as Go's `json.MarshalIndent` prints
/// it.
///
/// ```
/// let node = gitops_yaml::read("{b: [1], a: {}}")?;
/// assert_eq!(gitops_yaml::to_json_pretty(&node)?, "{\n  \"a\": {},\n  \"b\": [\n    1\n  ]\n}");
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
///
/// # Errors
/// As [`to_json_text`].
pub fn to_json_pretty<'v>(value: impl Emit<'v>) -> Result<String, Error> {
    let mut text = String::new();
    write_value(&mut text, &mut Entries::new(), value, Some(0))?;
    Ok(text)
}

/// A new line at so many levels, where lines are wanted.
fn line(out: &mut String, level: Option<usize>) {
    if let Some(level) = level {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    }
}

fn write_value<'v, V: Emit<'v>>(
    out: &mut String,
    entries: &mut Entries<'v, V>,
    value: V,
    level: Option<usize>,
) -> Result<(), Error> {
    let inner = level.map(|level| level + 1);
    match value.view() {
        View::Null => out.push_str("null"),
        View::Bool(true) => out.push_str("true"),
        View::Bool(false) => out.push_str("false"),
        View::Digits(digits) => out.push_str(digits),
        View::Number(number) => write_number(out, number, value.place())?,
        View::Text(text) => write_text(out, &text),
        View::Sequence(length) => {
            out.push('[');
            for index in 0..length {
                if index > 0 {
                    out.push(',');
                }
                line(out, inner);
                write_value(out, entries, value.item(index), inner)?;
            }
            if length > 0 {
                line(out, level);
            }
            out.push(']');
        }
        View::Mapping(_) => {
            let from = entries.list.len();
            value.entries(entries)?;
            entries.list[from..].sort_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            let mut first = true;
            for at in from..entries.list.len() {
                let (key, value) = &mut entries.list[at];
                let (key, value) = (std::mem::take(key), *value);
                // Of keys that are equal in JSON only, the last one counts.
                if entries.list.get(at + 1).is_some_and(|(next, _)| *next == key) {
                    continue;
                }
                if !first {
                    out.push(',');
                }
                first = false;
                line(out, inner);
                write_text(out, &key);
                out.push_str(if inner.is_some() { ": " } else { ":" });
                write_value(out, entries, value, inner)?;
            }
            if !first {
                line(out, level);
            }
            out.push('}');
            entries.list.truncate(from);
        }
    }
    Ok(())
}

fn write_number(out: &mut String, number: Number, place: Place) -> Result<(), Error> {
    let _ = match number {
        Number::Int(value) => write!(out, "{value}"),
        Number::Uint(value) => write!(out, "{value}"),
        Number::Float(value) if !value.is_finite() => return Err(unsupported_float(place, value)),
        Number::Float(value) => {
            let size = value.abs();
            if size != 0.0 && !(1e-6..1e21).contains(&size) {
                let digits = format!("{value:e}");
                match digits.split_once('e') {
                    Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                        write!(out, "{mantissa}e+{exponent}")
                    }
                    _ => out.write_str(&digits),
                }
            } else {
                write!(out, "{value}")
            }
        }
    };
    Ok(())
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut clean = 0;
    for (at, c) in text.char_indices() {
        let escape = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '<' => "\\u003c",
            '>' => "\\u003e",
            '&' => "\\u0026",
            '\u{2028}' => "\\u2028",
            '\u{2029}' => "\\u2029",
            '\0'..='\u{1f}' => "",
            _ => continue,
        };
        out.push_str(&text[clean..at]);
        clean = at + c.len_utf8();
        if escape.is_empty() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[clean..]);
    out.push('"');
}
