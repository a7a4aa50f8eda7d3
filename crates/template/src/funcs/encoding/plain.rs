//! A copy of a value for the printers of YAML, made in one walk that counts what it costs.
//!
//! Maps of templates are shared and can change, so nothing in them can be lent to a printer.

use std::borrow::Cow;

use gitops_yaml::{Emit, Entries, Error, Number, View};

use crate::{
    CallError, Context,
    funcs::{coerce::replaced, dates::Time},
    value::{IntKind, Text, Value},
};

use super::base64;

/// Deeper values are taken for such that hold themselves; Go looks from there on as well.
pub(in crate::funcs) const DEEPEST: u32 = 1000;

/// What of a value YAML and JSON can show.
#[derive(Debug)]
pub(in crate::funcs) enum Plain {
    Null,
    Bool(bool),
    Number(Number),
    /// Text that is written without quotes whatever it is: a moment.
    Raw(Text),
    Text(Text),
    List(Vec<Self>),
    Map(Vec<(Text, Self)>),
    /// Entries that yaml.v3 keeps in their order.
    Struct(Vec<(Text, Self)>),
}

/// Whose eyes look at structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::funcs) enum Shape {
    /// Go's JSON: names from tags.
    Json,
    /// yaml.v3: names in lower case.
    V3,
}

/// Why there is no copy.
pub(in crate::funcs) enum Refusal {
    /// The value has no form; Go's words.
    Unsupported(String),
    /// The run is over.
    Stop(CallError),
}

impl Plain {
    pub(in crate::funcs) fn of(
        value: &Value,
        shape: Shape,
        context: Option<&mut Context<'_>>,
    ) -> Result<Self, Refusal> {
        Walk { shape, context }.value(value, 0)
    }
}

struct Walk<'c, 'r> {
    shape: Shape,
    context: Option<&'c mut Context<'r>>,
}

impl Walk<'_, '_> {
    fn value(&mut self, value: &Value, depth: u32) -> Result<Plain, Refusal> {
        if depth > DEEPEST {
            return Err(Refusal::Unsupported(format!(
                "json: unsupported value: encountered a cycle via {}",
                value.type_of()
            )));
        }
        let bytes = value.as_str().map_or(1, str::len);
        if let Some(context) = &mut self.context {
            context.spend(1, bytes as u64).map_err(Refusal::Stop)?;
        }
        Ok(match value {
            Value::Nil => Plain::Null,
            Value::Bool(value) => Plain::Bool(*value),
            Value::Int(kind, value) => Plain::Number(integer(*kind, *value)),
            Value::Float(value) => Plain::Number(Number::Float(*value)),
            Value::Complex(_) if self.shape == Shape::V3 => {
                let message = "cannot marshal type: complex128";
                return Err(Refusal::Stop(CallError::new(message)));
            }
            Value::Complex(_) => {
                return Err(Refusal::Unsupported("json: unsupported type: complex128".to_owned()));
            }
            Value::Str(text) => match replaced(text) {
                Cow::Borrowed(_) => Plain::Text(text.clone()),
                Cow::Owned(text) => Plain::Text(text.into()),
            },
            Value::Bytes(bytes) if self.shape == Shape::Json => {
                Plain::Text(base64::encode(bytes).into())
            }
            Value::Bytes(bytes) => Plain::List(
                bytes.iter().map(|byte| Plain::Number(Number::Int((*byte).into()))).collect(),
            ),
            Value::List(list) if list.is_nil() && self.shape == Shape::Json => Plain::Null,
            Value::List(list) => self.list(list.items(), depth)?,
            Value::Map(map) => match map.borrow() {
                Some(entries) => {
                    let mut copy = Vec::with_capacity(entries.len());
                    for (key, value) in entries.iter() {
                        copy.push((key.clone(), self.value(value, depth + 1)?));
                    }
                    Plain::Map(copy)
                }
                None if self.shape == Shape::V3 => Plain::Map(Vec::new()),
                None => Plain::Null,
            },
            Value::Object(object) => {
                if self.shape == Shape::V3 {
                    return self.object_as_v3(&**object, depth);
                }
                let written = object.serialized();
                self.value(&written, depth + 1)?
            }
        })
    }

    fn list(&mut self, items: &[Value], depth: u32) -> Result<Plain, Refusal> {
        let copies = items.iter().map(|item| self.value(item, depth + 1));
        copies.collect::<Result<_, _>>().map(Plain::List)
    }

    fn object_as_v3(&mut self, object: &dyn crate::Object, depth: u32) -> Result<Plain, Refusal> {
        if object.as_any().is::<Time>() {
            return Ok(match object.serialized() {
                Value::Str(text) => Plain::Raw(text),
                _ => Plain::Null,
            });
        }
        if let Some(map) = object.map() {
            return self.value(&Value::Map(map), depth + 1);
        }
        if let Some(list) = object.list() {
            return self.list(list.items(), depth);
        }
        let mut fields = object.fields();
        fields.retain(|field| field.key != "-");
        if fields.is_empty() {
            return Ok(match object.text() {
                Some(text) => Plain::Text(text.into()),
                None => Plain::Map(Vec::new()),
            });
        }
        let mut copy = Vec::with_capacity(fields.len());
        for field in fields {
            copy.push((field.name.to_lowercase().into(), self.value(&field.value, depth + 1)?));
        }
        Ok(Plain::Struct(copy))
    }
}

/// An integer whose kind says whether the bits have a sign.
#[expect(clippy::cast_sign_loss, reason = "an unsigned integer is kept as its bits")]
pub(in crate::funcs) fn integer(kind: IntKind, value: i64) -> Number {
    if kind.is_unsigned() { Number::from(value as u64) } else { Number::Int(value) }
}

impl<'v> Emit<'v> for &'v Plain {
    fn view(self) -> View<'v> {
        match self {
            Plain::Null => View::Null,
            Plain::Bool(value) => View::Bool(*value),
            Plain::Number(number) => View::Number(*number),
            Plain::Raw(text) => View::Digits(text),
            Plain::Text(text) => View::Text(Cow::Borrowed(text)),
            Plain::List(items) => View::Sequence(items.len()),
            Plain::Map(entries) | Plain::Struct(entries) => View::Mapping(entries.len()),
        }
    }

    fn entries(self, entries: &mut Entries<'v, Self>) -> Result<(), Error> {
        if let Plain::Map(map) | Plain::Struct(map) = self {
            for (key, value) in map {
                entries.push(key.as_str(), value);
            }
        }
        Ok(())
    }

    fn keeps_order(self) -> bool {
        matches!(self, Plain::Struct(_))
    }

    fn item(self, index: usize) -> Self {
        match self {
            Plain::List(items) => &items[index],
            _ => &Plain::Null,
        }
    }
}
