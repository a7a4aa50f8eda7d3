//! values.schema.json: what values may be.
//!
//! A validator of its own, since three things matter here that validators in general do not give:
//! the errors in the words and in the order of `santhosh-tekuri/jsonschema`, which Helm prints, a
//! bound on the work, and no way out of the document: references to other documents are refused.
//! Knows the drafts 4, 6, 7, 2019-09 and 2020-12.

mod compile;
mod error;
mod format;
mod meta;
mod number;
mod validate;

use serde_json::Value;

use crate::{chart::Chart, values::Values, warning::go_type_name};

use compile::Schema;

/// Values that their schema does not allow, of a chart and of all below it. The text is Helm's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(String);

/// Checks the coalesced values of a chart against its schema, then those of its dependencies
/// against theirs.
///
/// ```
/// use gitops_helm::{Chart, File, LoadOptions, validate_schema};
///
/// let chart = Chart::from_files(
///     vec![
///         File::new("Chart.yaml", &b"name: web\nversion: 1.0.0\n"[..]),
///         File::new("values.schema.json", &br#"{"properties": {"port": {"maximum": 65535}}}"#[..]),
///     ],
///     &LoadOptions::default(),
/// )?;
/// let values = serde_json::json!({"port": 99999});
/// let error = validate_schema(&chart, values.as_object().unwrap()).unwrap_err();
/// assert_eq!(error.to_string(), "web:\n- at '/port': maximum: got 99,999, want 65,535\n");
/// # Ok::<(), gitops_helm::ChartError>(())
/// ```
///
/// # Errors
/// [`SchemaError`] with every mistake in every chart.
pub fn validate_schema(chart: &Chart, values: &Values) -> Result<(), SchemaError> {
    let mut text = String::new();
    // One budget for all: a chart may have many charts below it.
    let mut steps = MAX_STEPS;
    check_chart(chart, values, &mut text, &mut steps);
    if text.is_empty() { Ok(()) } else { Err(SchemaError(text)) }
}

/// How many times a schema meets a value, in all charts together.
const MAX_STEPS: u64 = 1_000_000;

fn check_chart(chart: &Chart, values: &Values, text: &mut String, steps: &mut u64) {
    if let Some(schema) = &chart.schema
        && let Err(message) = check(schema, values, steps)
    {
        text.push_str(chart.name());
        text.push_str(":\n");
        text.push_str(&message);
    }
    for dependency in &chart.dependencies {
        match values.get(dependency.name()) {
            None | Some(Value::Null) => {}
            Some(Value::Object(values)) => check_chart(dependency, values, text, steps),
            Some(other) => {
                text.push_str(dependency.name());
                text.push_str(":\ninvalid type for values: expected object (map), got ");
                text.push_str(go_type_name(other));
                text.push('\n');
            }
        }
    }
}

/// Checks values against one schema alone.
pub(crate) fn validate_single_schema(schema: &[u8], values: &Values) -> Result<(), String> {
    check(schema, values, &mut MAX_STEPS.clone())
}

fn check(schema: &[u8], values: &Values, steps: &mut u64) -> Result<(), String> {
    let document: Value =
        serde_json::from_slice(schema.trim_ascii()).map_err(|error| json_error(schema, &error))?;
    // What is wrong with a schema ends without a line break, what is wrong with values does not.
    let schema = Schema::compile(&document).map_err(|told| told.trim_end().to_owned())?;
    // The validator looks at values by reference; the root alone needs a value of its own.
    schema.validate(&Value::Object(values.clone()), steps)
}

/// What Go says of such a text.
fn json_error(schema: &[u8], error: &serde_json::Error) -> String {
    let told = super::go_json::read(&String::from_utf8_lossy(schema.trim_ascii())).err();
    match told {
        Some(told) if told.ends_with(" after top-level value") => {
            "invalid character after top-level value".to_owned()
        }
        Some(told) => told,
        None => format!("invalid JSON: {error}"),
    }
}

#[cfg(test)]
mod tests;
