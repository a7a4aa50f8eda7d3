//! Conversions between Go's types that the functions share: `cast.ToInt64` and relatives, sprig's
//! `strval`, and Go's numbers as text.
//!
//! Follows spf13/cast v1.7, `strconv` and `fmt`.

use std::borrow::Cow;

use super::dates::Named;
use crate::{
    CallError, format,
    value::{List, Text, Value, bytes},
};

/// Go's error for the use of nil where reflection needs a type.
pub(super) const NIL_POINTER: &str =
    "runtime error: invalid memory address or nil pointer dereference";

/// Go's error for nil where reflection asks a value for its type.
pub(super) const NO_TYPE: &str = "reflect: call of reflect.Value.Type on zero Value";

/// The text of a value as sprig's `strval` makes it: `%v`, but strings, bytes and what speaks for
/// itself as they are.
pub(super) fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Str(text) => Cow::Borrowed(text),
        Value::Bytes(bytes) => bytes::from_bytes(bytes),
        other => Cow::Owned(display(other)),
    }
}

/// The text of a value by Go's `%v`.
pub(super) fn verbatim(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Str(text) => Cow::Borrowed(text),
        other => Cow::Owned(display(other)),
    }
}

/// [`text_of`] as a [`Text`], which shares what is a string already.
pub(super) fn to_text(value: &Value) -> Text {
    match value {
        Value::Str(text) => text.clone(),
        other => text_of(other).into_owned().into(),
    }
}

/// A text without stand-ins for bytes that are no UTF-8: each is replaced.
pub(super) fn replaced(text: &str) -> Cow<'_, str> {
    match bytes::to_bytes(text) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(_) => {
            let replace = |c| bytes::escaped_byte(c).map_or(c, |_| char::REPLACEMENT_CHARACTER);
            Cow::Owned(text.chars().map(replace).collect())
        }
    }
}

/// A Go string of any bytes.
pub(super) fn string_of(bytes: &[u8]) -> Value {
    Value::from(&*bytes::from_bytes(bytes))
}

/// The elements of a slice for a function that takes any slice by reflection; `complaint` is what
/// it says of other kinds: `Cannot push on type`.
pub(super) fn elements(value: &Value, complaint: &str) -> Result<List, CallError> {
    match value {
        Value::List(list) => Ok(list.clone()),
        Value::Nil => Err(CallError::new(NIL_POINTER)),
        other => {
            other.as_list().ok_or_else(|| CallError::new(format!("{complaint} {}", other.kind())))
        }
    }
}

/// Go's `int64(float)` on amd64.
#[expect(clippy::cast_possible_truncation, reason = "out of range is handled before")]
pub(super) fn truncated(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) { value as i64 } else { i64::MIN }
}

/// `cast.ToInt64`, which is also `cast.ToInt`: what cannot be converted is 0.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(_, value) => *value,
        Value::Float(value) => truncated(*value),
        Value::Bool(value) => i64::from(*value),
        Value::Str(text) => parse_int(without_zero_decimal(text), 0).unwrap_or(0),
        Value::Object(object) => {
            object.as_any().downcast_ref::<Named>().map_or(0, |named| named.value)
        }
        _ => 0,
    }
}

/// `cast.ToFloat64`: what cannot be converted is 0.
#[expect(clippy::cast_precision_loss, reason = "rounding is the conversion")]
#[expect(clippy::cast_sign_loss, reason = "an unsigned integer is kept as its bits")]
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Int(kind, value) if kind.is_unsigned() => *value as u64 as f64,
        Value::Int(_, value) => *value as f64,
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Str(text) => parse_float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Cuts `.000` from the end of a number.
fn without_zero_decimal(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    match trimmed.strip_suffix('.') {
        Some(whole) if trimmed.len() < text.len() => whole,
        _ => text,
    }
}

/// Go's `strconv.ParseInt` with 64 bits; base 0 takes the base from the prefix and allows `_`
/// between digits.
pub(super) fn parse_int(text: &str, base: u32) -> Option<i64> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, radix) = if base == 0 { with_prefix(unsigned) } else { (unsigned, base) };
    let cleaned;
    let digits = if base == 0 && digits.contains('_') {
        if !underscores_fit(unsigned) {
            return None;
        }
        cleaned = digits.replace('_', "");
        cleaned.as_str()
    } else {
        digits
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

fn with_prefix(digits: &str) -> (&str, u32) {
    match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (&digits[2..], 16),
        [b'0', b'o' | b'O', _, ..] => (&digits[2..], 8),
        [b'0', b'b' | b'B', _, ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    }
}

/// Whether each `_` stands between digits, or after the prefix of the base.
fn underscores_fit(unsigned: &str) -> bool {
    let bytes = unsigned.as_bytes();
    let (mut rest, mut before, hex) = match bytes {
        [b'0', letter, rest @ ..] if b"xXoObB".contains(letter) => {
            (rest, b'0', letter.eq_ignore_ascii_case(&b'x'))
        }
        _ => (bytes, b'^', false),
    };
    while let [byte, after @ ..] = rest {
        rest = after;
        let class = match byte {
            b'0'..=b'9' => b'0',
            b'a'..=b'f' | b'A'..=b'F' if hex => b'0',
            b'_' if before != b'0' => return false,
            b'_' => b'_',
            _ if before == b'_' => return false,
            _ => b'!',
        };
        before = class;
    }
    before != b'_'
}

/// Go's `strconv.ParseFloat` with 64 bits; too large a number is an error.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
        return Some(sign * f64::INFINITY);
    }
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if unsigned.contains('_') && !underscores_fit(unsigned) {
        return None;
    }
    let cleaned = unsigned.replace('_', "");
    if cleaned.len() > 2 && cleaned.as_bytes()[..2].eq_ignore_ascii_case(b"0x") {
        return hex_float(&cleaned[2..]).map(|value| sign * value);
    }
    // Rust reads `inf` and `nan` as well, which have no digit.
    if !cleaned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    cleaned.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| sign * value)
}

/// `1.8p3` and its like; the exponent is not optional. Exact up to 64 bits of mantissa.
#[expect(clippy::cast_precision_loss, reason = "the mantissa is rounded to a float")]
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (mut bits, mut scale) = (0_u64, 0_i32);
    for (number, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        let after_point = number >= whole.len();
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
            scale -= if after_point { 4 } else { 0 };
        } else {
            bits |= u64::from(digit != 0);
            scale += if after_point { 0 } else { 4 };
        }
    }
    if exponent.starts_with('+') && exponent[1..].starts_with(['+', '-']) {
        return None;
    }
    let exponent = exponent.parse::<i32>().ok()?.checked_add(scale)?.clamp(-2200, 2200);
    let half = exponent / 2;
    let value = bits as f64 * 2_f64.powi(half) * 2_f64.powi(exponent - half);
    value.is_finite().then_some(value)
}

/// Whether sprig's `empty` holds: as `if` decides, but a struct is never empty.
pub(super) fn is_empty(value: &Value) -> bool {
    !value.is_true()
}

/// Go's `%v`.
pub(super) fn display(value: &Value) -> String {
    format::text(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_texts_are_gos() {
        for (text, value) in [
            ("42", Some(42)),
            ("-0x1F", Some(-31)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("08", None),
            ("0", Some(0)),
            ("1_000", Some(1000)),
            ("0x_1f", Some(31)),
            ("_1", None),
            ("1__0", None),
            ("", None),
            ("+-1", None),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
        ] {
            assert_eq!(parse_int(text, 0), value, "{text}");
        }
        assert_eq!(to_int(&Value::from("10.00")), 10);
        assert_eq!(to_int(&Value::from("10.")), 0);
        assert_eq!(to_int(&Value::from("100")), 100);
        assert_eq!(to_int(&Value::Float(f64::NAN)), i64::MIN);
    }

    #[test]
    fn floats_of_texts_are_gos() {
        for (text, value) in [
            ("1.5", Some(1.5)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e3", Some(1000.0)),
            ("0x1p-2", Some(0.25)),
            ("0x1.8p3", Some(12.0)),
            ("0x1", None),
            ("1_0.5", Some(10.5)),
            ("infinity", Some(f64::INFINITY)),
            ("-Inf", Some(f64::NEG_INFINITY)),
            ("+-1", None),
            ("1e400", None),
            ("e5", None),
            (" 1", None),
        ] {
            assert_eq!(parse_float(text), value, "{text}");
        }
        assert!(parse_float("NaN").is_some_and(f64::is_nan));
        assert!(parse_float("-nan").is_none());
    }
}
