//! The moments that go-yaml recognises in a plain scalar.

use std::fmt::Write;

struct Timestamp {
    year: u32,
    month: u32,
    day: u32,
    clock: Option<Clock>,
}

struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
    /// Up to nine digits, without trailing zeros.
    fraction: String,
    /// Minutes east of UTC.
    offset: i32,
}

/// Whether the text is a date, or a date and a time.
pub(super) fn is_timestamp(text: &str) -> bool {
    // The cheap test first: nearly no scalar has this shape.
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[4] == b'-'
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && parse(text).is_some()
}

/// The moment in Go's RFC 3339 form with nanoseconds, as `encoding/json` prints a `time.Time`.
pub(crate) fn rfc3339(text: &str) -> Option<String> {
    let Timestamp { year, month, day, clock } = parse(text)?;
    let mut out = format!("{year:04}-{month:02}-{day:02}T");
    let Some(Clock { hour, minute, second, fraction, offset }) = clock else {
        out.push_str("00:00:00Z");
        return Some(out);
    };
    let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
    if !fraction.is_empty() {
        let _ = write!(out, ".{fraction}");
    }
    if offset == 0 {
        out.push('Z');
    } else {
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.unsigned_abs();
        let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    }
    Some(out)
}

/// Go's layouts `2006-1-2`, `2006-1-2 15:4:5.9` and `2006-1-2T15:4:5.9Z07:00` (also with `t`).
fn parse(text: &str) -> Option<Timestamp> {
    let mut cursor = Cursor(text);
    let year = cursor.digits(4, 4)?;
    cursor.expect('-')?;
    let month = cursor.digits(1, 2)?;
    cursor.expect('-')?;
    let day = cursor.digits(1, 2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let zoned = match cursor.next() {
        None => {
            return Some(Timestamp { year, month, day, clock: None });
        }
        Some('T' | 't') => true,
        Some(' ') => false,
        Some(_) => return None,
    };
    let hour = cursor.digits(1, 2)?;
    cursor.expect(':')?;
    let minute = cursor.digits(1, 2)?;
    cursor.expect(':')?;
    let second = cursor.digits(1, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = cursor.fraction();
    let offset = if zoned { cursor.zone()? } else { 0 };
    if !cursor.0.is_empty() {
        return None;
    }
    let clock = Clock { hour, minute, second, fraction, offset };
    Some(Timestamp { year, month, day, clock: Some(clock) })
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

struct Cursor<'t>(&'t str);

impl Cursor<'_> {
    fn next(&mut self) -> Option<char> {
        let first = self.0.chars().next()?;
        self.0 = &self.0[first.len_utf8()..];
        Some(first)
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.parse().ok()
    }

    fn fraction(&mut self) -> String {
        let Some(rest) = self.0.strip_prefix(['.', ',']) else {
            return String::new();
        };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return String::new();
        }
        self.0 = &rest[count..];
        rest[..count.min(9)].trim_end_matches('0').to_owned()
    }

    /// `Z`, or hours and minutes; Go lets hours go up to 24 and minutes up to 60.
    fn zone(&mut self) -> Option<i32> {
        let sign = match self.next()? {
            'Z' => return Some(0),
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let hours = self.digits(2, 2)?;
        self.expect(':')?;
        let minutes = self.digits(2, 2)?;
        if hours > 24 || minutes > 60 {
            return None;
        }
        i32::try_from(hours * 60 + minutes).ok().map(|offset| sign * offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_become_rfc_3339() {
        for (text, expected) in [
            ("2020-01-01", Some("2020-01-01T00:00:00Z")),
            ("2020-1-2", Some("2020-01-02T00:00:00Z")),
            ("2001-12-14t21:59:43.10-05:00", Some("2001-12-14T21:59:43.1-05:00")),
            ("2001-12-14 21:59:43.10", Some("2001-12-14T21:59:43.1Z")),
            ("2001-12-14 21:59:43.10 -5", None),
            ("2001-12-14T21:59:43Z", Some("2001-12-14T21:59:43Z")),
            ("2019-02-29", None),
            ("2020-02-29", Some("2020-02-29T00:00:00Z")),
            ("2020-01-01T10:00", None),
        ] {
            assert_eq!(rfc3339(text).as_deref(), expected, "{text}");
        }
    }
}
