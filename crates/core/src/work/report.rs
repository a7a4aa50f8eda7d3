//! From an error chain to the text of a condition or an event.

use std::{error::Error, fmt::Write as _};

/// The longest message of an event, in bytes (Flux's limit).
pub const EVENT_LIMIT: usize = 39_000;

/// The chain of an error as `a: b: c`. A cause whose text already ends its parent's is not
/// repeated.
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !next.is_empty() && !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// The text cut to at most `limit` bytes, at a character boundary, with `…` where it was cut.
pub fn truncate(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub('…'.len_utf8());
    let mut cut = text[..text.floor_char_boundary(room)].to_owned();
    cut.push('…');
    cut
}

/// What Go's `encoding/json` calls the kind of a value.
pub fn json_kind(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A text as Go's `%q` shows it.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("unable to clone")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("connection refused")]
    struct Inner;

    #[test]
    fn chains_are_joined() {
        assert_eq!(one_line(&Outer(Inner)), "unable to clone: connection refused");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(truncate("short", 10), "short");
        let cut = truncate(&"ä".repeat(100), 50);
        assert!(cut.len() <= 50 && cut.ends_with('…'));
    }
}
