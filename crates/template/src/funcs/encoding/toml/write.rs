//! Values to TOML: keys in the order of their bytes, tables after plain values, two spaces for each
//! level.
//!
//! Follows BurntSushi/toml's `encode.go`.

use std::fmt::Write as _;

use super::{
    super::plain::{DEEPEST, Refusal, integer},
    key_part, key_text,
};
use crate::{
    Context,
    funcs::dates::Time,
    value::{List, Text, Value, flattened},
};

/// The TOML of a value. As in Go, what is no table is written as a bare value.
pub(in crate::funcs) fn write(value: &Value, context: &mut Context<'_>) -> Result<String, Refusal> {
    let mut writer = Writer { out: String::new(), path: Vec::new(), context };
    if value.is_nil() {
        return Ok(String::new());
    }
    writer.entry(value)?;
    Ok(writer.out)
}

/// Appends a text with the escapes of a basic string.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..' ' | '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Entries of a map or struct.
type Entries = Vec<(Text, Value)>;

struct Writer<'c, 'r> {
    out: String,
    path: Vec<Text>,
    context: &'c mut Context<'r>,
}

/// What a value is to TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    Table,
    Tables,
    Other,
}

fn refused(message: impl Into<String>) -> Refusal {
    Refusal::Unsupported(message.into())
}

/// The entries of a map or struct, in order.
fn entries(value: &Value) -> Option<Entries> {
    match value {
        Value::Map(map) => Some(map.snapshot()),
        Value::Object(object) => {
            if let Some(map) = object.map() {
                return Some(map.snapshot());
            }
            // Go has no tags for TOML at its structs: the names are those of the fields.
            let fields = flattened(object.fields());
            let named = |field: crate::Field| (Text::from(field.name), field.value);
            (!fields.is_empty()).then(|| fields.into_iter().map(named).collect())
        }
        _ => None,
    }
}

impl Writer<'_, '_> {
    fn entry(&mut self, value: &Value) -> Result<(), Refusal> {
        self.spend(self.path.len())?;
        match self.kind(value, 0)? {
            Kind::Nothing => Ok(()),
            Kind::Table => self.table(value),
            Kind::Tables => self.tables(value),
            Kind::Other => {
                if let Some(key) = self.path.last() {
                    let key = key_part(key);
                    self.indent();
                    self.out.extend([&key, " = "]);
                    self.element(value, 0)?;
                    self.out.push('\n');
                    return Ok(());
                }
                self.element(value, 0)
            }
        }
    }

    fn spend(&mut self, depth: usize) -> Result<(), Refusal> {
        if depth > DEEPEST as usize {
            return Err(refused("toml: the value holds itself, or is too deep"));
        }
        self.context.spend(1, 1 + 2 * depth as u64).map_err(Refusal::Stop)
    }

    fn indent(&mut self) {
        let levels = self.path.len().saturating_sub(1);
        self.out.extend(std::iter::repeat_n("  ", levels));
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn header(&mut self, open: &str, close: &str) {
        let key = key_text(self.path.iter().map(Text::as_str));
        self.indent();
        self.out.extend([open, &key, close, "\n"]);
    }

    fn table(&mut self, value: &Value) -> Result<(), Refusal> {
        if self.path.len() == 1 {
            self.newline();
        }
        if !self.path.is_empty() {
            self.header("[", "]");
        }
        self.entries(value)
    }

    fn tables(&mut self, value: &Value) -> Result<(), Refusal> {
        if self.path.is_empty() {
            return Err(refused("toml: top-level values must be Go maps or structs"));
        }
        for item in value.as_list().iter().flat_map(List::items) {
            self.newline();
            self.header("[[", "]]");
            self.entries(item)?;
        }
        Ok(())
    }

    /// Plain values first: what follows a table's header belongs to that table.
    fn entries(&mut self, value: &Value) -> Result<(), Refusal> {
        let (tables, plain) = self.parted(value)?;
        for (key, value) in plain.into_iter().chain(tables) {
            self.path.push(key);
            self.entry(&value)?;
            self.path.pop();
        }
        Ok(())
    }

    /// A value within a list or after a key.
    fn element(&mut self, value: &Value, depth: usize) -> Result<(), Refusal> {
        self.spend(depth)?;
        match value {
            Value::Str(text) => self.quoted(text)?,
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(kind, value) => {
                let _ = match integer(*kind, *value) {
                    gitops_yaml::Number::Uint(value) => write!(self.out, "{value}"),
                    _ => write!(self.out, "{value}"),
                };
            }
            Value::Float(value) => self.float(*value),
            Value::Object(object) if object.as_any().is::<Time>() => {
                let text = object.serialized();
                self.out.push_str(text.as_str().unwrap_or_default());
            }
            Value::Object(object) if object.list().is_none() && object.text().is_some() => {
                self.quoted(&object.text().unwrap_or_default())?;
            }
            value => match value.as_list() {
                Some(list) => {
                    self.out.push('[');
                    for (number, item) in list.items().iter().enumerate() {
                        self.out.push_str(if number > 0 { ", " } else { "" });
                        self.element(item, depth + 1)?;
                    }
                    self.out.push(']');
                }
                None => self.inline(value, depth)?,
            },
        }
        Ok(())
    }

    /// Quirk: entries that are nil leave their commas.
    fn inline(&mut self, value: &Value, depth: usize) -> Result<(), Refusal> {
        let (tables, plain) = self.parted(value)?;
        self.out.push('{');
        let (last_plain, last_table) = (plain.len(), tables.len());
        let plain = plain
            .into_iter()
            .enumerate()
            .map(|(number, entry)| (entry, last_table > 0 || number + 1 < last_plain));
        let tables =
            tables.into_iter().enumerate().map(|(number, entry)| (entry, number + 1 < last_table));
        for ((key, value), comma) in plain.chain(tables) {
            if self.kind(&value, 0)? == Kind::Nothing {
                continue;
            }
            self.out.extend([&key_part(&key), " = "]);
            self.element(&value, depth + 1)?;
            self.out.push_str(if comma { ", " } else { "" });
        }
        self.out.push('}');
        Ok(())
    }

    fn quoted(&mut self, text: &str) -> Result<(), Refusal> {
        self.context.spend(0, text.len() as u64).map_err(Refusal::Stop)?;
        self.out.push('"');
        escape(&mut self.out, text);
        self.out.push('"');
        Ok(())
    }

    fn float(&mut self, value: f64) {
        let text = if value.is_nan() {
            if value.is_sign_negative() { "-nan".to_owned() } else { "nan".to_owned() }
        } else if value.is_infinite() {
            if value < 0.0 { "-inf".to_owned() } else { "inf".to_owned() }
        } else {
            gitops_yaml::Number::Float(value).to_string()
        };
        self.out.push_str(&text);
        if value.is_finite() && !text.contains(['.', 'e']) {
            self.out.push_str(".0");
        }
    }

    /// Tables, and all else.
    fn parted(&mut self, value: &Value) -> Result<(Entries, Entries), Refusal> {
        let (mut tables, mut plain) = (Vec::new(), Vec::new());
        for (key, value) in entries(value).unwrap_or_default() {
            match self.kind(&value, 0)? {
                Kind::Table | Kind::Tables => tables.push((key, value)),
                _ => plain.push((key, value)),
            }
        }
        Ok((tables, plain))
    }

    fn kind(&mut self, value: &Value, depth: u32) -> Result<Kind, Refusal> {
        self.spend(0)?;
        Ok(match value {
            Value::Nil => Kind::Nothing,
            Value::Map(map) if map.is_nil() => Kind::Nothing,
            Value::List(list) if list.is_nil() => Kind::Nothing,
            Value::Complex(_) => return Err(refused("unsupported type: complex128")),
            Value::Object(object) if object.list().is_none() && object.text().is_some() => {
                Kind::Other
            }
            value => match value.as_list() {
                Some(list) => self.kind_of_list(&list, depth)?,
                None if entries(value).is_some() => Kind::Table,
                None => Kind::Other,
            },
        })
    }

    fn kind_of_list(&mut self, list: &List, depth: u32) -> Result<Kind, Refusal> {
        if depth > DEEPEST {
            return Err(refused("toml: the value holds itself, or is too deep"));
        }
        let mut tables = !list.is_empty();
        for item in list.items() {
            match self.kind(item, depth + 1)? {
                Kind::Nothing => {
                    return Err(refused("toml: cannot encode array with nil element"));
                }
                Kind::Table => {}
                _ => tables = false,
            }
        }
        Ok(if tables { Kind::Tables } else { Kind::Other })
    }
}
