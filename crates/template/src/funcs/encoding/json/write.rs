//! Values to JSON.

use std::fmt::Write as _;

use gitops_yaml::Number;

use super::super::{
    base64,
    plain::{DEEPEST, Refusal, integer},
};
use crate::{
    CallError, Context, Field,
    value::{List, Map, Value, bytes::escaped_byte, flattened},
};

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::funcs) enum Layout {
    /// No white space, safe in HTML: `json.Marshal`.
    Compact,
    /// Indented by two spaces, safe in HTML: `json.MarshalIndent`.
    Pretty,
    /// No white space, nothing escaped for HTML.
    Raw,
}

/// Writes the JSON text of a value.
pub(in crate::funcs) fn write(
    value: &Value,
    layout: Layout,
    context: &mut Context<'_>,
    out: &mut String,
) -> Result<(), Refusal> {
    Writer { out, layout, context }.value(value, 0)
}

struct Writer<'w, 'r> {
    out: &'w mut String,
    layout: Layout,
    context: &'w mut Context<'r>,
}

impl Writer<'_, '_> {
    fn value(&mut self, value: &Value, depth: u32) -> Result<(), Refusal> {
        if depth > DEEPEST {
            return Err(unsupported(format!("value: encountered a cycle via {}", value.type_of())));
        }
        let bytes = value.as_str().map_or(1, str::len) as u64;
        self.spend(bytes)?;
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Int(kind, value) => {
                let _ = match integer(*kind, *value) {
                    Number::Uint(value) => write!(self.out, "{value}"),
                    _ => write!(self.out, "{value}"),
                };
            }
            Value::Float(value) => self.float(*value)?,
            Value::Complex(_) => return Err(unsupported("type: complex128".to_owned())),
            Value::Str(text) => self.text(text),
            Value::Bytes(bytes) => self.text(&base64::encode(bytes)),
            Value::List(list) => self.list(list, depth)?,
            Value::Map(map) => self.map(map, depth)?,
            Value::Object(object) => {
                let fields = flattened(object.fields());
                if fields.is_empty() {
                    return self.value(&object.serialized(), depth);
                }
                self.fields(fields, depth)?;
            }
        }
        Ok(())
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.context.spend(1, bytes).map_err(|error: CallError| Refusal::Stop(error))
    }

    fn list(&mut self, list: &List, depth: u32) -> Result<(), Refusal> {
        if list.is_nil() {
            self.out.push_str("null");
            return Ok(());
        }
        self.out.push('[');
        for (number, item) in list.items().iter().enumerate() {
            self.separate(number, depth + 1);
            self.value(item, depth + 1)?;
        }
        self.close(']', list.is_empty(), depth);
        Ok(())
    }

    fn map(&mut self, map: &Map, depth: u32) -> Result<(), Refusal> {
        let Some(entries) = map.borrow() else {
            self.out.push_str("null");
            return Ok(());
        };
        self.out.push('{');
        for (number, (key, value)) in entries.iter().enumerate() {
            self.separate(number, depth + 1);
            self.key(key);
            self.value(value, depth + 1)?;
        }
        self.close('}', entries.is_empty(), depth);
        Ok(())
    }

    /// A struct keeps the order of its fields.
    fn fields(&mut self, fields: Vec<Field>, depth: u32) -> Result<(), Refusal> {
        let written = fields.into_iter().filter(|field| !field.omit_empty || field.value.is_true());
        self.out.push('{');
        let mut number = 0;
        for field in written {
            self.separate(number, depth + 1);
            self.key(field.key);
            self.value(&field.value, depth + 1)?;
            number += 1;
        }
        self.close('}', number == 0, depth);
        Ok(())
    }

    fn key(&mut self, key: &str) {
        self.text(key);
        self.out.push_str(if self.layout == Layout::Pretty { ": " } else { ":" });
    }

    fn separate(&mut self, number: usize, depth: u32) {
        if number > 0 {
            self.out.push(',');
        }
        if self.layout == Layout::Pretty {
            self.line(depth);
        }
    }

    fn close(&mut self, bracket: char, empty: bool, depth: u32) {
        if self.layout == Layout::Pretty && !empty {
            self.line(depth);
        }
        self.out.push(bracket);
    }

    fn line(&mut self, depth: u32) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", depth as usize));
    }

    /// The form of numbers in ECMAScript: an exponent below 1e-6 and from 1e21 on.
    fn float(&mut self, value: f64) -> Result<(), Refusal> {
        if !value.is_finite() {
            let name = match value {
                value if value.is_nan() => "NaN",
                value if value > 0.0 => "+Inf",
                _ => "-Inf",
            };
            return Err(unsupported(format!("value: {name}")));
        }
        let size = value.abs();
        let _ = if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let digits = format!("{value:e}");
            match digits.split_once('e') {
                Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                    write!(self.out, "{mantissa}e+{exponent}")
                }
                _ => self.out.write_str(&digits),
            }
        } else {
            write!(self.out, "{value}")
        };
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let html = self.layout != Layout::Raw;
        let out = &mut *self.out;
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
                '<' if html => "\\u003c",
                '>' if html => "\\u003e",
                '&' if html => "\\u0026",
                '\u{2028}' => "\\u2028",
                '\u{2029}' => "\\u2029",
                '\0'..='\u{1f}' => "",
                c if escaped_byte(c).is_some() => "\\ufffd",
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
}

fn unsupported(what: String) -> Refusal {
    Refusal::Unsupported(format!("json: unsupported {what}"))
}
