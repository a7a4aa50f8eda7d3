//! RFC 3339 times, as the API reads and writes them.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::DateTime};

const SECONDS: &str = "2006-01-02T15:04:05Z07:00";
const MICROSECONDS: &str = "2006-01-02T15:04:05.000000Z07:00";

/// The canonical form: UTC, whole seconds (or six digits of them with `micro`).
///
/// # Errors
/// The words of Go's `time.Parse`.
pub(super) fn canonical(text: &str, micro: bool) -> Result<String, String> {
    let time = parse(text, micro)?;
    let civil: DateTime = jiff::tz::Offset::UTC.to_datetime(time);
    let mut out = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    );
    if micro {
        let _ = write!(out, ".{:06}", civil.subsec_nanosecond() / 1000);
    }
    out.push('Z');
    Ok(out)
}

/// Reads the text field by field, because errors name the field at which reading stopped.
fn parse(text: &str, micro: bool) -> Result<Timestamp, String> {
    let layout = if micro { MICROSECONDS } else { SECONDS };
    let stop = |rest: &str, element: &str| {
        format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}")
    };
    let range = |what: &str| format!("parsing time {text:?}: {what} out of range");
    let mut rest = text;
    let number = |rest: &mut &str, digits: usize, element: &str| -> Result<i64, String> {
        let head = rest.get(..digits).filter(|head| head.bytes().all(|b| b.is_ascii_digit()));
        let Some(head) = head else { return Err(stop(rest, element)) };
        *rest = &rest[digits..];
        Ok(head.parse().unwrap_or(0))
    };
    let literal = |rest: &mut &str, sign: &str| -> Result<(), String> {
        *rest = rest.strip_prefix(sign).ok_or_else(|| stop(rest, sign))?;
        Ok(())
    };
    let year = number(&mut rest, 4, "2006")?;
    literal(&mut rest, "-")?;
    let month = number(&mut rest, 2, "01")?;
    if !(1..=12).contains(&month) {
        return Err(range("month"));
    }
    literal(&mut rest, "-")?;
    let day = number(&mut rest, 2, "02")?;
    literal(&mut rest, "T")?;
    let hour = number(&mut rest, 2, "15")?;
    if hour > 23 {
        return Err(range("hour"));
    }
    literal(&mut rest, ":")?;
    let minute = number(&mut rest, 2, "04")?;
    if minute > 59 {
        return Err(range("minute"));
    }
    literal(&mut rest, ":")?;
    let second = number(&mut rest, 2, "05")?;
    if second > 59 {
        return Err(range("second"));
    }
    let mut nanos = 0_i64;
    if let Some(after) = rest.strip_prefix('.') {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        if end == 0 || (micro && end != 6) {
            return Err(stop(rest, if micro { ".000000" } else { "Z07:00" }));
        }
        let digits: String = after[..end].chars().chain("000000000".chars()).take(9).collect();
        nanos = digits.parse().unwrap_or(0);
        rest = &after[end..];
    } else if micro {
        return Err(stop(rest, ".000000"));
    }
    let offset = if let Some(after) = rest.strip_prefix('Z') {
        rest = after;
        0
    } else {
        let zone = rest;
        let sign = match rest.chars().next() {
            Some('+') => 1,
            Some('-') => -1,
            _ => return Err(stop(zone, "Z07:00")),
        };
        rest = &rest[1..];
        let hours = number(&mut rest, 2, "Z07:00").map_err(|_| stop(zone, "Z07:00"))?;
        literal(&mut rest, ":").map_err(|_| stop(zone, "Z07:00"))?;
        let minutes = number(&mut rest, 2, "Z07:00").map_err(|_| stop(zone, "Z07:00"))?;
        if hours > 24 || minutes > 60 {
            return Err(range("time zone offset"));
        }
        sign * (hours * 3600 + minutes * 60)
    };
    if !rest.is_empty() {
        return Err(format!("parsing time {text:?}: extra text: {rest:?}"));
    }
    let small = |number: i64| i8::try_from(number).unwrap_or(0);
    let year = i16::try_from(year).unwrap_or(0);
    let date = jiff::civil::Date::new(year, small(month), small(day)).map_err(|_| range("day"))?;
    let time =
        date.at(small(hour), small(minute), small(second), i32::try_from(nanos).unwrap_or(0));
    let stamp = jiff::tz::Offset::UTC.to_timestamp(time).map_err(|_| range("year"))?;
    stamp.checked_sub(jiff::SignedDuration::from_secs(offset)).map_err(|_| range("year"))
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn times_are_canonical_or_refused_in_gos_words() {
        assert_eq!(canonical("2020-01-02T03:04:05+02:00", false).unwrap(), "2020-01-02T01:04:05Z");
        assert_eq!(
            canonical("2020-01-02T03:04:05.123456Z", true).unwrap(),
            "2020-01-02T03:04:05.123456Z"
        );
        let refused = |text: &str| canonical(text, false).unwrap_err();
        let layout = "2006-01-02T15:04:05Z07:00";
        assert_eq!(
            refused("abc"),
            format!("parsing time \"abc\" as {layout:?}: cannot parse \"abc\" as \"2006\"")
        );
        assert_eq!(
            refused("2020-13-01T00:00:00Z"),
            "parsing time \"2020-13-01T00:00:00Z\": month out of range"
        );
        assert_eq!(
            refused("2020-01-01T00:00:00Zfoo"),
            "parsing time \"2020-01-01T00:00:00Zfoo\": extra text: \"foo\""
        );
    }
}
