//! The columns of a definition.
//!
//! Follows apiextensions' `registry/customresource/tableconvertor`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Path, age, definition};

/// A column of `additionalPrinterColumns`, or one that every kind has.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: String,
    kind: String,
    format: String,
    description: String,
    priority: i64,
    /// Absent where it cannot be read; then all cells are empty.
    path: Option<Path>,
}

/// The columns of one version of a definition.
pub(crate) fn columns(version: &Value) -> Vec<Column> {
    let column = |name: &str, kind: &str, format: &str, path: &str, description: &str| Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: format.to_owned(),
        description: description.to_owned(),
        priority: 0,
        path: Path::parse(path),
    };
    let mut columns =
        vec![column("Name", "string", "name", ".metadata.name", "Name of the object")];
    let declared = version["additionalPrinterColumns"].as_array().map(Vec::as_slice);
    for declared in declared.unwrap_or_default() {
        let text = |name: &str| declared[name].as_str().unwrap_or_default();
        let path = text("jsonPath");
        let description = match text("description") {
            "" => format!("Custom resource definition column (in JSONPath format): {path}"),
            description => description.to_owned(),
        };
        let column = column(text("name"), text("type"), text("format"), path, &description);
        columns.push(Column { priority: declared["priority"].as_i64().unwrap_or(0), ..column });
    }
    if declared.is_none_or(<[Value]>::is_empty) {
        let created = "When the object was created";
        columns.push(column("Age", "date", "", ".metadata.creationTimestamp", created));
    }
    columns
}

impl Column {
    pub(super) fn definition(&self) -> Value {
        definition(&self.name, &self.kind, &self.format, self.priority, &self.description)
    }

    pub(super) fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let Some(value) = self.path.as_ref().and_then(|path| path.first(object)) else {
            return Value::Null;
        };
        match (self.kind.as_str(), value) {
            ("string", value) => printed(value).into(),
            ("integer", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => integer.into(),
                #[expect(clippy::cast_possible_truncation, reason = "as the original does")]
                (None, Some(float)) => (float as i64).into(),
                (None, None) => Value::Null,
            },
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
            ("date", Value::String(_)) => age::of(value, now).into(),
            _ => Value::Null,
        }
    }
}

/// A value as `JSONPath` prints it: texts plain, structures as JSON whose keys are sorted.
fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => sorted(other).to_string(),
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<&String, Value> =
                fields.iter().map(|(name, value)| (name, sorted(value))).collect();
            json!(fields)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
