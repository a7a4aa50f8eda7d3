//! Durations in Go's notation, as `spec.interval` and its like carry them.

use std::{borrow::Cow, fmt, str::FromStr, time};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de};

/// Longest text that is looked at; everything sensible is far shorter.
const TEXT_LIMIT: usize = 512;

/// How much of a rejected text an error repeats.
const SHOWN_LIMIT: usize = 64;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000 * MICROSECOND;
const SECOND: u64 = 1_000 * MILLISECOND;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A span of time of at most 2<sup>63</sup>-1 nanoseconds (about 292 years).
///
/// Reads what Go's `time.ParseDuration` reads, except negative values: a sequence of decimal
/// numbers, each with one of the units `ns`, `us`, `µs`, `ms`, `s`, `m` and `h`. The text is kept,
/// so that an object is written back as it was read (`60s` stays `60s`); [`Display`](fmt::Display)
/// prints like Go instead (`1m0s`), which is the form of messages and status fields. Two durations
/// are equal when they last equally long.
///
/// ```
/// use gitops_api::meta::Duration;
///
/// let interval: Duration = "1.5h".parse()?;
/// assert_eq!(interval.as_text(), "1.5h");
/// assert_eq!(interval.to_string(), "1h30m0s");
/// assert_eq!(interval.get().as_secs(), 5400);
/// # Ok::<(), gitops_api::meta::DurationError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Duration {
    text: Cow<'static, str>,
    nanoseconds: u64,
}

impl Duration {
    /// A duration of whole seconds.
    pub fn from_secs(seconds: u64) -> Self {
        time::Duration::from_secs(seconds).into()
    }

    /// How long it lasts.
    pub fn get(&self) -> time::Duration {
        time::Duration::from_nanos(self.nanoseconds)
    }

    /// The text as it was read, or Go's form if it was made from a number.
    pub fn as_text(&self) -> &str {
        &self.text
    }

    /// Whether it lasts no time at all.
    pub fn is_zero(&self) -> bool {
        self.nanoseconds == 0
    }
}

impl Default for Duration {
    fn default() -> Self {
        Self { text: Cow::Borrowed("0s"), nanoseconds: 0 }
    }
}

impl PartialEq for Duration {
    fn eq(&self, other: &Self) -> bool {
        self.nanoseconds == other.nanoseconds
    }
}

impl Eq for Duration {}

impl From<time::Duration> for Duration {
    /// Durations beyond the bound become the longest one.
    fn from(value: time::Duration) -> Self {
        let longest = i64::MAX.unsigned_abs();
        let nanoseconds = u64::try_from(value.as_nanos()).unwrap_or(longest).min(longest);
        Self { text: Cow::Owned(go_text(nanoseconds)), nanoseconds }
    }
}

impl From<Duration> for time::Duration {
    fn from(value: Duration) -> Self {
        value.get()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&go_text(self.nanoseconds))
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        Ok(Self { nanoseconds: parse(text)?, text: Cow::Owned(text.to_owned()) })
    }
}

impl Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A text that is no duration. The messages are those of Go, with long texts cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// No sequence of numbers and units, or more than the bound allows.
    #[error("time: invalid duration {text:?}")]
    Invalid {
        /// The text, cut.
        text: String,
    },
    /// A number without a unit.
    #[error("time: missing unit in duration {text:?}")]
    MissingUnit {
        /// The text, cut.
        text: String,
    },
    /// A unit that does not exist, such as `d`.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit, cut.
        unit: String,
        /// The text, cut.
        text: String,
    },
}

/// Nanoseconds of a text. Follows Go's `time.ParseDuration`; differs in that a negative value is
/// invalid and the length of the text is bounded.
fn parse(text: &str) -> Result<u64, DurationError> {
    let invalid = || DurationError::Invalid { text: cut(text) };
    if text.len() > TEXT_LIMIT {
        return Err(invalid());
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), split_digits);
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(DurationError::MissingUnit { text: cut(text) });
        }
        let scale = nanoseconds_of(unit)
            .ok_or_else(|| DurationError::UnknownUnit { unit: cut(unit), text: cut(text) })?;
        let whole =
            if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_| invalid())? };
        total = whole
            .checked_mul(scale)
            .and_then(|part| part.checked_add(fraction_of(fraction, scale)))
            .and_then(|part| part.checked_add(total))
            .filter(|total| i64::try_from(*total).is_ok())
            .ok_or_else(invalid)?;
        rest = after;
    }
    Ok(total)
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The nanoseconds of the digits behind the point; digits below a nanosecond are dropped.
fn fraction_of(digits: &str, scale: u64) -> u64 {
    // 18 digits of any unit fit; what follows them is less than a nanosecond even for hours.
    let digits = &digits[..digits.len().min(18)];
    let Ok(value) = digits.parse::<u128>() else {
        return 0;
    };
    let divisor = 10_u128.pow(u32::try_from(digits.len()).unwrap_or(0));
    u64::try_from(value * u128::from(scale) / divisor).unwrap_or(0)
}

fn nanoseconds_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The micro sign, and the Greek letter that some keyboards give instead.
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_LIMIT).collect()
}

/// Go's `Duration.String`: one small unit below a second, hours to seconds above.
fn go_text(nanoseconds: u64) -> String {
    match nanoseconds {
        0 => "0s".into(),
        1..MICROSECOND => format!("{nanoseconds}ns"),
        MICROSECOND..MILLISECOND => decimal(nanoseconds, MICROSECOND, "µs"),
        MILLISECOND..SECOND => decimal(nanoseconds, MILLISECOND, "ms"),
        SECOND..MINUTE => decimal(nanoseconds, SECOND, "s"),
        MINUTE..HOUR => {
            format!("{}m{}", nanoseconds / MINUTE, decimal(nanoseconds % MINUTE, SECOND, "s"))
        }
        _ => format!(
            "{}h{}m{}",
            nanoseconds / HOUR,
            nanoseconds % HOUR / MINUTE,
            decimal(nanoseconds % MINUTE, SECOND, "s")
        ),
    }
}

fn decimal(nanoseconds: u64, scale: u64, unit: &str) -> String {
    let (whole, fraction) = (nanoseconds / scale, nanoseconds % scale);
    if fraction == 0 {
        return format!("{whole}{unit}");
    }
    let width = scale.ilog10() as usize;
    let fraction = format!("{fraction:0width$}");
    format!("{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_like_go() {
        for (text, printed) in [
            ("0", "0s"),
            ("+5m", "5m0s"),
            ("10m", "10m0s"),
            ("1h30m", "1h30m0s"),
            ("1.5h", "1h30m0s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("90s", "1m30s"),
            ("1500ms", "1.5s"),
            ("750ms", "750ms"),
            ("1ns", "1ns"),
            ("1500ns", "1.5µs"),
            ("2us", "2µs"),
            ("2\u{b5}s", "2µs"),
            ("2\u{3bc}s", "2µs"),
            ("1h0.000000001s", "1h0m0.000000001s"),
            ("0.3333333333333333333h", "19m59.999999999s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
        ] {
            let duration: Duration = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(duration.to_string(), printed, "{text}");
            assert_eq!(duration.as_text(), text);
            assert_eq!(printed.parse::<Duration>().unwrap(), duration);
        }
    }

    #[test]
    fn hostile_texts_are_refused_with_bounded_messages() {
        let long = "9".repeat(TEXT_LIMIT) + "h";
        for (text, message) in [
            ("", "time: invalid duration \"\""),
            ("-1s", "time: invalid duration \"-1s\""),
            (".", "time: invalid duration \".\""),
            (".s", "time: invalid duration \".s\""),
            ("s", "time: invalid duration \"s\""),
            ("1h30", "time: missing unit in duration \"1h30\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("1e99s", "time: unknown unit \"e\" in duration \"1e99s\""),
            ("9999999h", "time: invalid duration \"9999999h\""),
            ("2562047h47m16.854775808s", "time: invalid duration \"2562047h47m16.854775808s\""),
            ("99999999999999999999ns", "time: invalid duration \"99999999999999999999ns\""),
            ("1 h", "time: unknown unit \" h\" in duration \"1 h\""),
            ("١s", "time: invalid duration \"١s\""),
        ] {
            assert_eq!(text.parse::<Duration>().unwrap_err().to_string(), message);
        }
        assert!(long.parse::<Duration>().unwrap_err().to_string().len() < 128);
    }

    #[test]
    fn json_keeps_the_text() {
        let duration: Duration = serde_json::from_str("\"60s\"").unwrap();
        assert_eq!(duration, Duration::from_secs(60));
        assert_eq!(serde_json::to_string(&duration).unwrap(), "\"60s\"");
        assert_eq!(serde_json::to_string(&Duration::from_secs(60)).unwrap(), "\"1m0s\"");
        assert!(serde_json::from_str::<Duration>("60").is_err());
        let longest = Duration::from(time::Duration::MAX);
        assert_eq!(longest.to_string(), "2562047h47m16.854775807s");
    }
}
