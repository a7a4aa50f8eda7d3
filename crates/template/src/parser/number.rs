//! Number literals.

use std::borrow::Cow;

use crate::{
    Text,
    ast::{Id, Number},
    quote::{Unit, quoted, unquote_char},
    token::TokenKind,
};

/// All that a literal can be. The error is Go's text.
pub(super) fn parse(kind: TokenKind, literal: &str, text: Id<Text>) -> Result<Number, String> {
    let mut number = Number { literal: text, int: None, uint: None, float: None, complex: None };
    match kind {
        TokenKind::CharConstant => {
            let code = character(literal)?;
            number.int = Some(code);
            number.uint = Some(code.unsigned_abs());
            #[expect(clippy::cast_precision_loss, reason = "a character's number is small")]
            let float = code as f64;
            number.float = Some(float);
            return Ok(number);
        }
        TokenKind::Complex => {
            let middle = literal[1..].rfind(['+', '-']).map_or(literal.len(), |at| at + 1);
            // The sign of an exponent is not where the parts meet.
            let middle = match literal.as_bytes()[middle - 1] {
                b'e' | b'E' => literal[1..middle - 1].rfind(['+', '-']).map_or(middle, |at| at + 1),
                _ => middle,
            };
            let (real, imaginary) = literal.split_at(middle);
            let imaginary = imaginary.strip_suffix('i').unwrap_or(imaginary);
            let parts = parse_float(real).zip(parse_float(imaginary));
            number.complex(parts.ok_or("syntax error scanning complex number")?);
            return Ok(number);
        }
        _ => {}
    }
    if let Some(imaginary) = literal.strip_suffix('i').and_then(parse_float) {
        number.complex((0.0, imaginary));
        return Ok(number);
    }
    number.real(literal)?;
    Ok(number)
}

fn character(literal: &str) -> Result<i64, String> {
    let inner = literal.strip_prefix('\'').unwrap_or(literal);
    let (unit, tail) = unquote_char(inner, '\'').ok_or("invalid syntax")?;
    if tail != "'" {
        return Err(format!("malformed character constant: {literal}"));
    }
    Ok(match unit {
        Unit::Byte(byte) => i64::from(byte),
        Unit::Char(char) => i64::from(u32::from(char)),
    })
}

impl Number {
    fn complex(&mut self, parts: (f64, f64)) {
        self.complex = Some(parts);
        if parts.1 == 0.0 {
            self.float = Some(parts.0);
            self.whole(parts.0);
        }
    }

    /// A float that is whole is an integer as well.
    fn whole(&mut self, float: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::float_cmp,
            reason = "compared"
        )]
        if float as i64 as f64 == float && float < 9.3e18 {
            self.int = Some(float as i64);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            clippy::float_cmp,
            reason = "compared"
        )]
        if float as u64 as f64 == float && float < 1.9e19 {
            self.uint = Some(float as u64);
        }
    }

    fn real(&mut self, literal: &str) -> Result<(), String> {
        let (negative, unsigned) = match literal.as_bytes().first() {
            Some(b'-') => (true, &literal[1..]),
            Some(b'+') => (false, &literal[1..]),
            _ => (false, literal),
        };
        let signed = unsigned.len() != literal.len();
        if let Some(magnitude) = parse_uint(unsigned) {
            self.uint = (!signed).then_some(magnitude);
            self.int = if negative {
                0_i64.checked_sub_unsigned(magnitude)
            } else {
                i64::try_from(magnitude).ok()
            };
            if self.int == Some(0) {
                self.uint = Some(0);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "so does Go")]
        if let Some(int) = self.int {
            self.float = Some(int as f64);
        } else if let Some(uint) = self.uint {
            self.float = Some(uint as f64);
        } else if let Some(float) = parse_float(literal) {
            if !literal.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quoted(literal)));
            }
            self.float = Some(float);
            self.whole(float);
        }
        if self.float.is_none() {
            return Err(format!("illegal number syntax: {}", quoted(literal)));
        }
        Ok(())
    }
}

/// Go's `ParseUint(text, 0, 64)`: a base by prefix, underscores where Go lets them stand.
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let (digits, radix) = match bytes {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // An underscore stands between digits, or between a base's prefix and them.
    let prefixed = digits.len() != text.len();
    if digits.ends_with('_') || digits.contains("__") || (!prefixed && digits.starts_with('_')) {
        return None;
    }
    let digits = without_underscores(digits);
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(&digits, radix).ok()
}

/// Go's `ParseFloat(text, 64)`, without the names of infinities and NaN. A value out of range is an
/// error to Go, and so to us.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1 {
        return None;
    }
    if let Some(hexadecimal) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let value = hexadecimal_float(&hexadecimal.replace('_', ""))?;
        return Some(if text.starts_with('-') { -value } else { value });
    }
    if !unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-_".contains(&byte)) {
        return None;
    }
    // An underscore stands between digits.
    let bytes = unsigned.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between = |(at, _)| digit(usize::checked_sub(at, 1)) && digit(Some(at + 1));
    if !unsigned.match_indices('_').all(between) {
        return None;
    }
    without_underscores(text).parse().ok().filter(|value: &f64| value.is_finite())
}

fn without_underscores(digits: &str) -> Cow<'_, str> {
    if digits.contains('_') { digits.replace('_', "").into() } else { digits.into() }
}

fn hexadecimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value.mul_add(16.0, f64::from(digit.to_digit(16)?));
    }
    let shift = exponent.saturating_sub(i32::try_from(fraction.len()).ok()?.saturating_mul(4));
    Some(value * 2.0_f64.powi(shift)).filter(|value| value.is_finite())
}
