//! Documents into typed records, as `sigs.k8s.io/yaml` and `encoding/json` do it: YAML becomes
//! JSON first, numbers and booleans become text where text is wanted, names of fields match in any
//! case, and failures are told in Go's words.

use std::borrow::Cow;

use gitops_core::json_kind;
use gitops_yaml::{Flavour, Node};
use serde_json::{Map, Value};

use crate::Compat;

/// Why a document is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// No YAML, or nothing that JSON can hold.
    #[error("error converting YAML to JSON")]
    Yaml(#[from] gitops_yaml::Error),
    /// YAML of another shape.
    #[error("error unmarshaling JSON: while decoding JSON: {0}")]
    Shape(String),
}

impl DocumentError {
    /// Helm 3 has the types of charts in another package.
    pub(crate) fn of(self, compat: Compat) -> Self {
        match self {
            Self::Shape(text) if compat == Compat::Helm3 => {
                Self::Shape(text.replace("v2.", "chart."))
            }
            other => other,
        }
    }
}

/// The first document of a text as JSON; integers and floats are kept apart.
pub(crate) fn read_value(text: &[u8]) -> Result<Value, DocumentError> {
    let node: Node = gitops_yaml::read_first(text, Flavour::V2)?;
    Ok(node.to_json_v2()?)
}

/// The first document of a text as an object; `null` and nothing are an empty one. Every number
/// is a float, as Go's decoder makes them where no type is named.
pub(crate) fn read_object(text: &[u8]) -> Result<Map<String, Value>, DocumentError> {
    read_object_as(text, "map[string]interface {}")
}

/// The same for an object that Go calls by this name.
pub(crate) fn read_object_as(
    text: &[u8],
    go_type: &str,
) -> Result<Map<String, Value>, DocumentError> {
    match read_value(text)? {
        Value::Null => Ok(Map::new()),
        Value::Object(mut object) => {
            object.values_mut().for_each(floats);
            Ok(object)
        }
        other => Err(DocumentError::Shape(format!(
            "json: cannot unmarshal {} into Go value of type {go_type}",
            json_kind(&other)
        ))),
    }
}

/// Turns every integer below a value into a float.
pub(crate) fn floats(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_f64() => {
            if let Some(float) = number.as_f64().and_then(serde_json::Number::from_f64) {
                *number = float;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(floats),
        Value::Object(object) => object.values_mut().for_each(floats),
        _ => {}
    }
}

/// Where a decoder stands: the record's Go name, and the names of the fields on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position<'p> {
    record: &'static str,
    field: &'static str,
    outer: Option<&'p Self>,
}

impl<'p> Position<'p> {
    /// In a field of a record, which stands in another field.
    fn field(record: &'static str, field: &'static str, outer: Option<&'p Self>) -> Self {
        Self { record, field, outer }
    }

    fn path(&self) -> String {
        match self.outer {
            Some(outer) => format!("{}.{}", outer.path(), self.field),
            None => self.field.to_owned(),
        }
    }
}

/// Calls `take` with each field of an object that `fields` names, sorted by name as
/// `sigs.k8s.io/yaml` hands them on. `null` is an empty object.
pub(crate) fn decode_record<'v>(
    value: &'v Value,
    record: &'static str,
    go_type: &str,
    fields: &[&'static str],
    outer: Option<&Position<'_>>,
    mut take: impl FnMut(&'static str, &'v Value, &Position<'_>) -> Result<(), DocumentError>,
) -> Result<(), DocumentError> {
    let object = match value {
        Value::Null => return Ok(()),
        Value::Object(object) => object,
        other => return Err(mismatch(other, go_type, outer)),
    };
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
    for (key, value) in entries {
        let field = fields
            .iter()
            .find(|field| *field == key)
            .or_else(|| fields.iter().find(|field| field.eq_ignore_ascii_case(key)));
        if let Some(field) = field {
            take(field, value, &Position::field(record, field, outer))?;
        }
    }
    Ok(())
}

/// Text, also of a number or a boolean. `null` leaves what is there.
pub(crate) fn text(
    value: &Value,
    at: &Position<'_>,
    target: &mut String,
) -> Result<(), DocumentError> {
    match value {
        Value::Null => Ok(()),
        value => {
            *target =
                scalar_text(value).ok_or_else(|| mismatch(value, "string", Some(at)))?.into_owned();
            Ok(())
        }
    }
}

/// A boolean. `null` leaves what is there.
pub(crate) fn boolean(
    value: &Value,
    at: &Position<'_>,
    target: &mut bool,
) -> Result<(), DocumentError> {
    match value {
        Value::Null => Ok(()),
        Value::Bool(value) => {
            *target = *value;
            Ok(())
        }
        other => Err(mismatch(other, "bool", Some(at))),
    }
}

/// The items of a list of this Go type; `null` is none.
pub(crate) fn items<'v>(
    value: &'v Value,
    at: &Position<'_>,
    go_type: &str,
) -> Result<&'v [Value], DocumentError> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        other => Err(mismatch(other, go_type, Some(at))),
    }
}

/// A list of text.
pub(crate) fn texts(
    value: &Value,
    at: &Position<'_>,
    target: &mut Vec<String>,
) -> Result<(), DocumentError> {
    let items = items(value, at, "[]string")?;
    target.clear();
    for item in items {
        let mut item_text = String::new();
        text(item, at, &mut item_text)?;
        target.push(item_text);
    }
    Ok(())
}

/// The error for a value of the wrong kind.
pub(crate) fn mismatch(value: &Value, go_type: &str, at: Option<&Position<'_>>) -> DocumentError {
    let kind = json_kind(value);
    DocumentError::Shape(match at {
        Some(at) => format!(
            "json: cannot unmarshal {kind} into Go struct field {}.{} of type {go_type}",
            at.record,
            at.path()
        ),
        None => format!("json: cannot unmarshal {kind} into Go value of type {go_type}"),
    })
}

/// Text of a scalar, as `sigs.k8s.io/yaml` writes it where text is wanted.
pub(crate) fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => Cow::Owned(go_float(float)),
            _ => Cow::Owned(number.to_string()),
        },
        _ => return None,
    })
}

/// `strconv.FormatFloat(value, 'g', -1, 64)`.
pub(crate) fn go_float(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{value}")
}
