//! Go's `time.Duration`: texts, and Helm 4's functions.

use std::{any::Any, fmt, fmt::Write as _};

use super::parse::quote;
use crate::{
    Arguments, CallError, Context, Function, Method, Object,
    funcs::coerce::{parse_float, truncated},
    quote::quoted,
    value::{IntKind, Kind, Type, Value},
};

/// Go's name of the type.
pub(crate) const TYPE: &str = "time.Duration";

const SECOND: i64 = 1_000_000_000;

/// Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duration(pub(super) i64);

/// As Go prints it: `1h30m0s`, `1.5s`, `250ms`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_char('-')?;
        }
        let with_fraction = |f: &mut fmt::Formatter<'_>, whole: u64, unit: u64, name: &str| {
            let digits = unit.ilog10() as usize;
            let fraction = format!("{:0digits$}", whole % unit);
            let fraction = fraction.trim_end_matches('0');
            write!(f, "{}", whole / unit)?;
            if !fraction.is_empty() && unit > 1 {
                write!(f, ".{fraction}")?;
            }
            f.write_str(name)
        };
        match size {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{size}ns"),
            1_000..1_000_000 => with_fraction(f, size, 1_000, "µs"),
            1_000_000..1_000_000_000 => with_fraction(f, size, 1_000_000, "ms"),
            _ => {
                let minutes = size / (60 * SECOND.unsigned_abs());
                let seconds = size % (60 * SECOND.unsigned_abs());
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                with_fraction(f, seconds, 1_000_000_000, "s")
            }
        }
    }
}

/// Go's `time.ParseDuration`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration(0));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let scale = unit_of(unit).ok_or_else(|| {
            format!("time: unknown unit {} in duration {}", quote(unit), quote(text))
        })?;
        rest = after;
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let part =
            whole.checked_mul(scale).and_then(|part| part.checked_add(share(fraction, scale)));
        let sum = part.and_then(|part| total.checked_add(part));
        total = sum.filter(|sum| *sum <= 1 << 63).ok_or_else(invalid)?;
    }
    match (negative, i64::try_from(total)) {
        (true, _) => Ok(Duration(0_i64.wrapping_sub_unsigned(total))),
        (false, Ok(total)) => Ok(Duration(total)),
        (false, Err(_)) => Err(invalid()),
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// A fraction of a unit, rounded down as Go's floats do it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go calculates it so"
)]
fn share(fraction: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes() {
        let next = value.checked_mul(10).and_then(|value| value.checked_add((digit - b'0').into()));
        let Some(next) = next.filter(|next| i64::try_from(*next).is_ok()) else { break };
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn unit_of(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A constant where a duration is asked for.
pub(crate) fn nanoseconds(count: i64) -> Value {
    Value::object(Duration(count))
}

impl Duration {
    #[expect(clippy::cast_precision_loss, reason = "Go adds the whole and the rest as floats")]
    fn in_units(self, unit: i64) -> f64 {
        (self.0 / unit) as f64 + (self.0 % unit) as f64 / unit as f64
    }

    /// To the nearest multiple, halves away from zero.
    pub(super) fn round(self, multiple: Self) -> Self {
        if multiple.0 <= 0 {
            return self;
        }
        let rest = self.0 % multiple.0;
        let down = self.0 - rest;
        let away = rest.unsigned_abs() >= multiple.0.unsigned_abs() - rest.unsigned_abs();
        let step = if self.0 < 0 { -multiple.0 } else { multiple.0 };
        if away { Self(down.saturating_add(step)) } else { Self(down) }
    }

    fn truncate(self, multiple: Self) -> Self {
        if multiple.0 <= 0 { self } else { Self(self.0 - self.0 % multiple.0) }
    }
}

const NOTHING: Method = Method { params: &[], variadic: false };

impl Object for Duration {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn kind(&self) -> Kind {
        Kind::Int(IntKind::Int64)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn method(&self, name: &str) -> Option<Method> {
        Some(match name {
            "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Microseconds" | "Nanoseconds"
            | "Abs" | "String" => NOTHING,
            "Round" | "Truncate" => Method { params: &[Type::Named(TYPE)], variadic: false },
            _ => return None,
        })
    }

    fn call(
        &self,
        name: &str,
        arguments: &[Value],
        _: &mut Context<'_>,
    ) -> Result<Value, CallError> {
        let multiple = match arguments.first() {
            Some(Value::Object(other)) => other.as_any().downcast_ref::<Self>().copied(),
            _ => None,
        };
        let multiple = multiple.unwrap_or(Self(0));
        Ok(match name {
            "Hours" => Value::Float(self.in_units(3600 * SECOND)),
            "Minutes" => Value::Float(self.in_units(60 * SECOND)),
            "Seconds" => Value::Float(self.in_units(SECOND)),
            "Milliseconds" => Value::int64(self.0 / 1_000_000),
            "Microseconds" => Value::int64(self.0 / 1_000),
            "Nanoseconds" => Value::int64(self.0),
            "Abs" => Value::object(Self(self.0.saturating_abs())),
            "Round" => Value::object(self.round(multiple)),
            "Truncate" => Value::object(self.truncate(multiple)),
            _ => Value::from(self.to_string()),
        })
    }

    fn integer(&self) -> Option<(IntKind, i64)> {
        Some((IntKind::Int64, self.0))
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn serialized(&self) -> Value {
        Value::int64(self.0)
    }

    fn is_true(&self) -> bool {
        self.0 != 0
    }
}

const ONE: &[Type] = &[Type::Any];
const TWO: &[Type] = &[Type::Any, Type::Any];

/// What Helm 4.3 adds.
pub(in crate::funcs) const DURATIONS: &[Function] = &[
    Function::new("mustToDuration", ONE, |_, arguments| {
        of(arguments.any(0)).map(Value::object).map_err(CallError::new)
    }),
    Function::new("durationSeconds", ONE, |_, arguments| units(arguments, SECOND, 1.0)),
    Function::new("durationMinutes", ONE, |_, arguments| units(arguments, 60 * SECOND, 1.0)),
    Function::new("durationHours", ONE, |_, arguments| units(arguments, 3600 * SECOND, 1.0)),
    Function::new("durationDays", ONE, |_, arguments| units(arguments, 3600 * SECOND, 24.0)),
    Function::new("durationWeeks", ONE, weeks),
    Function::new("durationMilliseconds", ONE, |_, arguments| whole(arguments, 1_000_000)),
    Function::new("durationMicroseconds", ONE, |_, arguments| whole(arguments, 1_000)),
    Function::new("durationNanoseconds", ONE, |_, arguments| whole(arguments, 1)),
    Function::new("durationRoundTo", TWO, |_, arguments| to(arguments, Duration::round)),
    Function::new("durationTruncateTo", TWO, |_, arguments| to(arguments, Duration::truncate)),
];

type Outcome = Result<Value, CallError>;

fn units(arguments: Arguments<'_>, unit: i64, by: f64) -> Outcome {
    Ok(Value::Float(of(arguments.any(0)).map_or(0.0, |duration| duration.in_units(unit) / by)))
}

fn weeks(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let hours = of(arguments.any(0)).map_or(0.0, |duration| duration.in_units(3600 * SECOND));
    Ok(Value::Float(hours / 24.0 / 7.0))
}

fn whole(arguments: Arguments<'_>, unit: i64) -> Outcome {
    Ok(Value::int64(of(arguments.any(0)).map_or(0, |duration| duration.0 / unit)))
}

fn to(arguments: Arguments<'_>, fit: fn(Duration, Duration) -> Duration) -> Outcome {
    let Ok(duration) = of(arguments.any(0)) else { return Ok(Value::object(Duration(0))) };
    let fitted = of(arguments.any(1)).map_or(duration, |multiple| fit(duration, multiple));
    Ok(Value::object(fitted))
}

/// A duration of anything that can mean one: a text with units, or a number of seconds.
fn of(value: &Value) -> Result<Duration, String> {
    match value {
        Value::Nil => Err("invalid duration".to_owned()),
        Value::Str(text) => {
            let trimmed = text.trim();
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            parse(trimmed).or_else(|_| match parse_float(trimmed) {
                Some(seconds) => of_float(seconds),
                None => Err(format!("could not parse duration {}", quoted(text))),
            })
        }
        Value::Int(kind, seconds) => {
            let overflow = || {
                let shown = Value::Int(*kind, *seconds);
                format!("duration seconds overflow: {}", crate::format::text(&shown))
            };
            if kind.is_unsigned() && *seconds < 0 {
                return Err(overflow());
            }
            seconds.checked_mul(SECOND).map(Duration).ok_or_else(overflow)
        }
        Value::Float(seconds) => of_float(*seconds),
        Value::Object(object) => object
            .as_any()
            .downcast_ref::<Duration>()
            .copied()
            .ok_or_else(|| format!("unsupported duration type {}", object.type_name())),
        other => Err(format!("unsupported duration type {}", other.type_of())),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the limits are rounded as in Go")]
fn of_float(seconds: f64) -> Result<Duration, String> {
    let shown = || crate::format::text(&Value::Float(seconds));
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", shown()));
    }
    let limit = i64::MAX as f64 / SECOND as f64;
    if seconds.abs() > limit {
        return Err(format!("duration seconds overflow: {}", shown()));
    }
    Ok(Duration(truncated(seconds * SECOND as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_durations_are_gos() {
        for (text, printed) in [
            ("1h30m", "1h30m0s"),
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            ("250ms", "250ms"),
            ("1500us", "1.5ms"),
            ("7ns", "7ns"),
            ("0", "0s"),
            ("-1.5h", "-1h30m0s"),
            ("+.5m", "30s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), printed, "{text}");
        }
        for (text, error) in [
            ("bad", "time: invalid duration \"bad\""),
            ("", "time: invalid duration \"\""),
            ("1", "time: missing unit in duration \"1\""),
            ("1x", "time: unknown unit \"x\" in duration \"1x\""),
            ("1é", "time: unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\""),
            ("9999999h", "time: invalid duration \"9999999h\""),
        ] {
            assert_eq!(parse(text).unwrap_err(), error);
        }
    }
}
