//! Go's `strconv.FormatFloat`.

use std::fmt::Write;

/// How a float is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `%e`
    Exponent,
    /// `%f`
    Fixed,
    /// `%g` and `%v`: with an exponent below 10^-4, and from 10^6 on or where the precision ends.
    General,
    /// `%x`
    Hexadecimal,
}

/// No float has more digits than these, behind its point or in all; Rust prints at most 65 535.
const DIGITS: usize = 1100;

/// The text of a float. Without a precision it has the fewest digits that tell it apart.
pub(crate) fn float(value: f64, style: Style, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match (style, precision) {
        (Style::Exponent, None) => exponent(&format!("{value:e}")),
        (Style::Exponent, Some(precision)) => {
            let kept = precision.min(DIGITS);
            let text = format!("{value:.kept$e}");
            let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
            let zeros = "0".repeat(precision - kept);
            exponent(&format!("{mantissa}{zeros}e{power}"))
        }
        (Style::Fixed, None) => format!("{value}"),
        (Style::Fixed, Some(precision)) => {
            let kept = precision.min(DIGITS);
            let mut text = format!("{value:.kept$}");
            text.extend(std::iter::repeat_n('0', precision - kept));
            text
        }
        (Style::General, None) => general(&format!("{value:e}"), None),
        (Style::General, Some(precision)) => {
            let digits = precision.clamp(1, DIGITS) - 1;
            general(&format!("{value:.digits$e}"), Some(precision.max(1)))
        }
        (Style::Hexadecimal, precision) => hexadecimal(value, precision),
    }
}

/// Rust writes `1.5e7`, Go `1.5e+07`.
fn exponent(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let power: i32 = power.parse().unwrap_or_default();
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", power.abs())
}

fn general(text: &str, precision: Option<usize>) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let power: i32 = power.parse().unwrap_or_default();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let mut digits: String = mantissa.chars().filter(|char| *char != '.').collect();
    let trimmed = digits.trim_end_matches('0').len().max(1);
    digits.truncate(trimmed);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let limit = match precision.map(|precision| i32::try_from(precision).unwrap_or(i32::MAX)) {
        Some(limit) if limit > count && count > power => count,
        Some(limit) => limit,
        None => 6,
    };
    if power < -4 || power >= limit {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return exponent(&format!("{sign}{first}{point}{rest}e{power}"));
    }
    let mut out = String::from(sign);
    if power < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', usize::try_from(-power - 1).unwrap_or_default()));
        out.push_str(&digits);
        return out;
    }
    let whole = usize::try_from(power).unwrap_or_default() + 1;
    if digits.len() <= whole {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', whole - digits.len()));
    } else {
        let _ = write!(out, "{}.{}", &digits[..whole], &digits[whole..]);
    }
    out
}

/// `0x1.8p+01`
fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    let bits = value.to_bits();
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let mut fraction = bits & ((1 << 52) - 1);
    let raw = i32::try_from((bits >> 52) & 0x7ff).unwrap_or_default();
    let mut power = raw - 1023;
    let mut lead = 1_u64;
    if value == 0.0 {
        (lead, power) = (0, 0);
    } else if raw == 0 {
        // Subnormal numbers are written as normal ones.
        let shift = fraction.leading_zeros() - 11;
        fraction = (fraction << shift) & ((1 << 52) - 1);
        power = -1022 - i32::try_from(shift).unwrap_or_default();
    }
    let mut digits = format!("{fraction:013x}");
    match precision {
        None => digits.truncate(digits.trim_end_matches('0').len()),
        Some(precision) if precision < 13 => {
            let drop = 4 * (13 - precision);
            let whole = (lead << 52) | fraction;
            let half = 1_u64 << (drop - 1);
            let rest = whole & ((1 << drop) - 1);
            let mut kept = whole >> drop;
            if rest > half || (rest == half && kept & 1 == 1) {
                kept += 1;
            }
            lead = kept >> (4 * precision);
            if lead > 1 {
                (lead, power) = (1, power + 1);
            }
            let mask = (1_u64 << (4 * precision)) - 1;
            digits = if precision == 0 {
                String::new()
            } else {
                format!("{:0precision$x}", kept & mask)
            };
        }
        Some(precision) => digits.extend(std::iter::repeat_n('0', precision - 13)),
    }
    let point = if digits.is_empty() { "" } else { "." };
    let power_sign = if power < 0 { '-' } else { '+' };
    format!("{sign}0x{lead}{point}{digits}p{power_sign}{:02}", power.abs())
}
