//! The first JSON value of a text, failures told in the words of Go's `encoding/json`.

use gitops_core::{go_json_refusal, go_json_value};
use serde_json::Value;

use crate::decode::floats;

/// Reads one value from the beginning of a text and says how long it is. Numbers are floats.
///
/// A failure comes with the number of bytes that were looked at.
pub(crate) fn read_prefix(text: &str) -> Result<(Value, usize), (String, usize)> {
    let end = go_json_value(text)?;
    let mut value: Value =
        serde_json::from_str(&text[..end]).map_err(|error| (format!("json: {error}"), end))?;
    floats(&mut value);
    Ok((value, end))
}

/// Reads a text that is one value.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let (value, end) = read_prefix(text).map_err(|(message, _)| message)?;
    match go_json_refusal(text) {
        Some(why) if !text[end..].trim_start().is_empty() => Err(why),
        _ => Ok(value),
    }
}
