//! Numbers and dates of TOML.

use jiff::tz::TimeZone;

use crate::{
    funcs::{
        coerce::{parse_float, parse_int},
        dates::Time,
    },
    quote::quoted,
    value::Value,
};

/// Whether digits are followed by what stands in dates.
pub(super) fn is_date(text: &str) -> bool {
    text.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['-', ':'])
}

/// Whether each `_` stands between digits.
fn underscores_fit(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    !text.starts_with('_') && !text.ends_with('_') && !text.contains("__")
}

fn leading_zero(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']).as_bytes();
    digits.len() > 1 && digits[0] == b'0' && !matches!(digits[1], b'b' | b'o' | b'x')
}

pub(super) fn integer(text: &str) -> Result<Value, String> {
    if !underscores_fit(text) {
        return Err(format!(
            "Invalid integer {}: underscores must be surrounded by digits",
            quoted(text)
        ));
    }
    if leading_zero(text) {
        return Err(format!("Invalid integer {}: cannot have leading zeroes", quoted(text)));
    }
    match parse_int(text, 0) {
        Some(value) => Ok(Value::int64(value)),
        None => Err(format!("{text} is out of range for int64")),
    }
}

pub(super) fn float_of(text: &str) -> Result<Value, String> {
    let invalid = |why: &str| Err(format!("Invalid float {}: {why}", quoted(text)));
    let mut parts = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty());
    if !parts.clone().all(underscores_fit) {
        return invalid("underscores must be surrounded by digits");
    }
    if parts.next().is_some_and(leading_zero) {
        return invalid("cannot have leading zeroes");
    }
    let digit_after = |at: usize| text[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    if !text.match_indices('.').all(|(at, _)| digit_after(at)) {
        return invalid("'.' must be followed by one or more digits");
    }
    let plain = text.replace('_', "");
    match (parse_float(&plain), plain.parse::<f64>()) {
        (Some(value), _) => Ok(Value::Float(value)),
        (None, Ok(_)) => Err(format!("{text} is out of range for float64")),
        (None, Err(_)) => Err(format!("Invalid float value: {}", quoted(text))),
    }
}

pub(super) fn date(text: &str) -> Result<Value, String> {
    const FORMS: [(&str, &str); 7] = [
        ("2006-01-02T15:04:05.999999999Z07:00", ""),
        ("2006-01-02T15:04:05.999999999", "datetime-local"),
        ("2006-01-02", "date-local"),
        ("15:04:05.999999999", "time-local"),
        ("2006-01-02T15:04Z07:00", ""),
        ("2006-01-02T15:04", "datetime-local"),
        ("15:04", "time-local"),
    ];
    let text = text.replace('z', "Z").replace(['t', ' '], "T");
    let invalid = || format!("invalid datetime: {}", quoted(&text));
    for (layout, zone) in FORMS {
        let Ok(time) = Time::read(layout, &text, &TimeZone::UTC) else { continue };
        // Each field has all of its digits.
        let fits = layout.bytes().zip(text.bytes()).take_while(|(form, _)| !b".Z".contains(form));
        for (form, byte) in fits {
            if !form.is_ascii_digit() && form != byte {
                return Err(invalid());
            }
        }
        return Ok(Value::object(if zone.is_empty() { time } else { time.in_fixed_zone(zone) }));
    }
    Err(invalid())
}
