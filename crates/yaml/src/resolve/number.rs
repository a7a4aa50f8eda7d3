//! Numbers as Go's `strconv` reads and prints them.

use std::fmt::{self, Write};

use crate::node::ScalarType;

/// The value of a number.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// Fits into 64 bits with a sign.
    Int(i64),
    /// Beyond `i64`, within `u64`.
    Uint(u64),
    /// Everything else.
    Float(f64),
}

impl Number {
    /// The value as a float, rounded if need be.
    #[expect(clippy::cast_precision_loss, reason = "rounding is what the caller asks for")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Uint(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            _ => false,
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Uint(value), Self::Int)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// As go-yaml prints it: `1e+20`, `.inf`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Uint(value) => write!(f, "{value}"),
            Self::Float(value) => {
                let mut text = String::new();
                write_float(&mut text, *value);
                f.write_str(&text)
            }
        }
    }
}

/// The type of a text that starts with a digit or a sign, if it is a number.
pub(super) fn kind(text: &str) -> Option<ScalarType> {
    Some(match number(text)? {
        Number::Int(_) | Number::Uint(_) => ScalarType::Int,
        Number::Float(_) => ScalarType::Float,
    })
}

/// The value of a text that go-yaml takes for a number.
pub(crate) fn number(text: &str) -> Option<Number> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Some(Number::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Some(Number::Float(f64::INFINITY));
        }
        "-.inf" | "-.Inf" | "-.INF" => return Some(Number::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    if text.starts_with('.') {
        return parse_float(text).map(Number::Float);
    }
    let stripped;
    let plain = if text.contains('_') {
        stripped = text.replace('_', "");
        stripped.as_str()
    } else {
        text
    };
    if let Some(number) = parse_integer(plain) {
        return Some(number);
    }
    if looks_like_float(plain) {
        return parse_float(plain).map(Number::Float);
    }
    None
}

/// An integer in any base that Go's `ParseInt(text, 0, 64)` or `ParseUint` knows.
fn parse_integer(text: &str) -> Option<Number> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let signed = unsigned.len() != text.len();
    let bytes = unsigned.as_bytes();
    let (digits, radix) = match bytes {
        [b'0', b'x' | b'X', ..] => (&unsigned[2..], 16),
        [b'0', b'o' | b'O', ..] => (&unsigned[2..], 8),
        [b'0', b'b' | b'B', ..] => (&unsigned[2..], 2),
        [b'0', _, ..] => (&unsigned[1..], 8),
        _ => (unsigned, 10),
    };
    // Rust would accept a second sign here.
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(magnitude).map(Number::Int);
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Number::Int(value)),
        // ParseUint takes no sign.
        Err(_) if !signed => Some(Number::Uint(magnitude)),
        Err(_) => None,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn looks_like_float(text: &str) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    let whole = digits(rest);
    rest = &rest[whole..];
    if let [b'.', after @ ..] = rest {
        let fraction = digits(after);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = &after[fraction..];
    } else if whole == 0 {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'-' | b'+', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        _ => false,
    }
}

/// A decimal float; `None` beyond the range of `f64`, which Go calls an error.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    if !looks_like_float(text) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// The shortest text that gives the same float, in the form of Go's `'g'` with the shortest
/// precision, and YAML's words for what is no number.
pub(crate) fn write_float(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str(".nan");
        return;
    }
    if value.is_infinite() {
        out.push_str(if value > 0.0 { ".inf" } else { "-.inf" });
        return;
    }
    write_shortest(out, &format!("{value:e}"));
}

/// As [`write_float`], for a float of 32 bits.
pub(crate) fn write_float32(out: &mut String, value: f32) {
    if value.is_finite() {
        write_shortest(out, &format!("{value:e}"));
    } else {
        write_float(out, value.into());
    }
}

/// Go's `%g` from Rust's `{:e}`.
fn write_shortest(out: &mut String, scientific: &str) {
    let magnitude = scientific.trim_start_matches('-');
    if magnitude.len() < scientific.len() {
        out.push('-');
    }
    let (mantissa, exponent) = magnitude.split_once('e').expect("LowerExp prints an exponent");
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().expect("LowerExp prints a number");
    // Go's %g decides as if the precision were 6 when it prints the shortest form.
    if (-4..6).contains(&exponent) {
        write_plain(out, &digits, exponent);
    } else {
        write_exponent(out, &digits, exponent);
    }
}

fn write_exponent(out: &mut String, digits: &str, exponent: i32) {
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "e{sign}{:02}", exponent.abs());
}

fn write_plain(out: &mut String, digits: &str, exponent: i32) {
    if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize - 1));
        out.push_str(digits);
        return;
    }
    let whole = exponent.unsigned_abs() as usize + 1;
    if digits.len() <= whole {
        out.push_str(digits);
        out.extend(std::iter::repeat_n('0', whole - digits.len()));
    } else {
        out.push_str(&digits[..whole]);
        out.push('.');
        out.push_str(&digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (1.5, "1.5"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (123_456_789.0, "1.23456789e+08"),
            (1e-7, "1e-07"),
        ] {
            let mut out = String::new();
            write_float(&mut out, value);
            assert_eq!(out, text);
        }
    }
}
