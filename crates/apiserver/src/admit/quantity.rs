//! Kubernetes quantities: `100m`, `1.5Gi`, `2e3`.
//!
//! Follows apimachinery's `resource.Quantity`: a value is kept in units of 10⁻⁹ and rounded up to
//! them; values beyond 2⁹⁰ or so are capped, which no machine has.

use std::fmt;

const NANO: i128 = 1_000_000_000;
const MILLI_IN_NANO: i128 = 1_000_000;
/// More digits than this are no quantity of anything.
const LENGTH_LIMIT: usize = 64;

/// A parsed quantity; its `Display` is the form that the API stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    nanos: i128,
    format: Format,
    /// The text it was read from, where the API keeps that.
    kept: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Exponent,
    Binary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuantityError {
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    pub(crate) fn parse(text: &str) -> Result<Self, QuantityError> {
        let digits_end = |from: usize| {
            text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| from + n)
        };
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let start = usize::from(text.starts_with(['+', '-']));
        let negative = text.starts_with('-');
        let whole_end = digits_end(start);
        let whole = text[start..whole_end].trim_start_matches('0');
        let (fraction, value_end) = if text[whole_end..].starts_with('.') {
            let end = digits_end(whole_end + 1);
            (&text[whole_end + 1..end], end)
        } else {
            ("", whole_end)
        };
        let suffix = &text[value_end..];
        check_suffix(suffix)?;
        if whole_end == start && fraction.is_empty() && start < text.len() {
            // Nothing numeric; a lone sign or an empty number counts as zero.
            if !suffix.is_empty() || text[whole_end..].starts_with('.') {
                return Err(QuantityError::Numeric);
            }
        }
        let (base, exponent, format) = interpret(suffix).ok_or(QuantityError::Suffix)?;
        let digits = format!("{whole}{fraction}");
        if digits.len() > LENGTH_LIMIT {
            return Err(QuantityError::Numeric);
        }
        let places = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
        let mut nanos = scaled(&digits, base, exponent, places);
        let mut format = format;
        if format == Format::Binary && nanos < NANO && nanos > 0 {
            format = Format::Decimal;
        }
        if negative {
            nanos = -nanos;
        }
        let kept = keeps_text(whole, fraction, exponent, format).then(|| text.to_owned());
        Ok(Self { nanos, format, kept })
    }

    /// Rounded up to thousandths, as the API does with the amounts of resource lists.
    pub(crate) fn in_millis(mut self) -> Self {
        self.kept = None;
        let rest = self.nanos % MILLI_IN_NANO;
        if rest != 0 {
            let up = MILLI_IN_NANO * rest.signum();
            self.nanos = self.nanos - rest + up;
        }
        self
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.nanos % NANO == 0
    }

    /// Billionths, to compare quantities.
    pub(crate) fn nanos(&self) -> i128 {
        self.nanos
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.kept {
            return f.write_str(text);
        }
        if self.nanos == 0 {
            return f.write_str("0");
        }
        if self.format == Format::Binary && self.nanos.abs() >= 1024 * NANO {
            let mut value = self.nanos / NANO;
            if self.nanos % NANO != 0 {
                value += self.nanos.signum();
            }
            let mut power = 0;
            while value % 1024 == 0 && power < BINARY.len() {
                value /= 1024;
                power += 1;
            }
            let suffix = power.checked_sub(1).map_or("", |power| BINARY[power]);
            return write!(f, "{value}{suffix}");
        }
        let (mut value, mut exponent) = (self.nanos, -9);
        while value % 1000 == 0 && exponent < 18 {
            value /= 1000;
            exponent += 3;
        }
        match self.format {
            Format::Exponent if exponent == 0 => write!(f, "{value}"),
            Format::Exponent => write!(f, "{value}e{exponent}"),
            _ => {
                let suffix = DECIMAL.iter().find(|(_, e)| *e == exponent).map_or("", |(s, _)| s);
                write!(f, "{value}{suffix}")
            }
        }
    }
}

const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

/// Letters, a sign, digits: the shape of any suffix, known or not.
fn check_suffix(suffix: &str) -> Result<(), QuantityError> {
    let rest = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    if rest.bytes().all(|byte| byte.is_ascii_digit()) { Ok(()) } else { Err(QuantityError::Format) }
}

/// Base, exponent and format of a suffix.
fn interpret(suffix: &str) -> Option<(u32, i32, Format)> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((10, *exponent, Format::Decimal));
    }
    if let Some(power) = BINARY.iter().position(|name| *name == suffix) {
        return Some((2, i32::try_from(power + 1).ok()? * 10, Format::Binary));
    }
    let digits = suffix.strip_prefix(['e', 'E'])?;
    Some((10, digits.parse().ok()?, Format::Exponent))
}

/// The number in billionths, rounded up, capped at what can be held.
fn scaled(digits: &str, base: u32, exponent: i32, places: i32) -> i128 {
    const CAP: i128 = i128::MAX / 4;
    let Ok(mantissa) = (if digits.is_empty() { Ok(0) } else { digits.parse::<i128>() }) else {
        return CAP;
    };
    if mantissa == 0 {
        return 0;
    }
    let (factor, shift) = match base {
        2 => (1_i128.checked_shl(exponent.unsigned_abs()).unwrap_or(CAP), 9 - places),
        _ => (1, exponent.saturating_sub(places).saturating_add(9)),
    };
    let Some(mut value) = mantissa.checked_mul(factor) else { return CAP };
    if shift >= 0 {
        for _ in 0..shift.min(60) {
            match value.checked_mul(10) {
                Some(next) => value = next,
                None => return CAP,
            }
        }
        return value;
    }
    let mut inexact = false;
    for _ in 0..(-shift).min(60) {
        inexact |= value % 10 != 0;
        value /= 10;
    }
    value + i128::from(inexact)
}

/// The API keeps texts that look canonical to a quick check, even if they are not quite.
fn keeps_text(whole: &str, fraction: &str, exponent: i32, format: Format) -> bool {
    let digits = format!("{}{fraction}", if whole.is_empty() { "0" } else { whole });
    if digits.len() > 18 {
        return false;
    }
    match format {
        Format::Binary => {
            let value: i64 = digits.parse().unwrap_or(0);
            fraction.is_empty()
                && exponent % 10 == 0
                && value & 7 != 0
                && i32::try_from(digits.len()).unwrap_or(i32::MAX / 2) + exponent * 3 / 10 < 15
        }
        _ => {
            let scale = exponent - i32::try_from(fraction.len()).unwrap_or(0);
            scale >= -9 && scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_as_the_api_writes_them() {
        let cases = [
            ("0", "0"),
            ("1", "1"),
            ("1000", "1k"),
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("100Mi", "100Mi"),
            ("1e3", "1e3"),
            ("1k", "1k"),
            ("0.1m", "100u"),
            ("512", "512"),
            ("1024", "1024"),
            ("2048Ki", "2Mi"),
            ("0.5Mi", "512Ki"),
            ("128974848", "128974848"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("-1", "-1"),
            ("5000000", "5M"),
            ("0Gi", "0"),
            ("00100m", "00100m"),
            ("12e6", "12e6"),
            ("1E", "1E"),
        ];
        for (text, canonical) in cases {
            assert_eq!(Quantity::parse(text).unwrap().to_string(), canonical, "{text}");
        }
        assert_eq!(Quantity::parse("0.1m").unwrap().in_millis().to_string(), "1m");
        assert_eq!(Quantity::parse("1.500").unwrap().in_millis().to_string(), "1500m");
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "abc", "1 Gi", "1Gib", "0x10", "1..5", "\u{0661}", "1e1e1", "--1"] {
            assert!(Quantity::parse(text).is_err(), "{text}");
        }
        assert_eq!(Quantity::parse("1mi"), Err(QuantityError::Suffix));
        for text in [
            "9".repeat(60),
            "1e9999999999".to_owned(),
            "9e999999".to_owned(),
            "1e-999999".to_owned(),
        ] {
            let _ = Quantity::parse(&text).map(|q| q.to_string());
        }
    }
}
