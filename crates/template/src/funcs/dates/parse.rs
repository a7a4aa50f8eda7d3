//! A moment out of a text, as a layout says.
//!
//! Follows `time.ParseInLocation`, with its errors.

use std::fmt::Write as _;

use jiff::{civil, tz::TimeZone};

use super::{
    layout::{Chunk, MONTHS, OffsetForm, WEEKDAYS, step},
    time::{Time, Zone},
};

/// Go's quoting in errors of time: bytes beyond ASCII are escaped one by one.
pub(super) fn quote(text: &str) -> String {
    let mut out = "\"".to_owned();
    for byte in crate::bytes::to_bytes(text).iter() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=0x7f => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push('"');
    out
}

/// Why a part does not fit.
enum Misfit {
    /// It is not what the layout says.
    Text,
    /// It is a number that no clock shows.
    Range(&'static str),
}

type Part<T> = Result<T, Misfit>;

/// What a text said so far.
#[derive(Default)]
struct Seen {
    year: i32,
    month: Option<i32>,
    day: Option<i32>,
    year_day: Option<i32>,
    hour: i32,
    minute: i32,
    second: i32,
    nanosecond: i32,
    pm: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    zone: String,
}

/// Reads a text in a zone, which counts where the text names none.
pub(super) fn parse(layout: &str, value: &str, local: &TimeZone) -> Result<Time, String> {
    let mut seen = Seen::default();
    let (mut rest, mut left) = (layout, value);
    let misfit = |element: &str, at: &str| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(value),
            quote(layout),
            quote(at),
            quote(element)
        )
    };
    let wrong = |what: String| format!("parsing time {}: {what}", quote(value));
    loop {
        let step = step(rest);
        left = skip(left, step.before).map_err(|at| misfit(step.before, at))?;
        let Some((chunk, text)) = step.chunk else {
            if left.is_empty() {
                break;
            }
            return Err(wrong(format!("extra text: {}", quote(left))));
        };
        rest = step.rest;
        let hold = left;
        match seen.take(chunk, &mut left, rest) {
            Ok(()) => {}
            Err(Misfit::Text) => return Err(misfit(text, hold)),
            Err(Misfit::Range(what)) => return Err(wrong(format!("{what} out of range"))),
        }
    }
    seen.moment(local).map_err(|what| wrong(what.to_owned()))
}

/// Skips the text of a layout; spaces match any number of spaces.
fn skip<'v>(mut value: &'v str, prefix: &str) -> Result<&'v str, &'v str> {
    let mut prefix = prefix;
    while let Some(c) = prefix.chars().next() {
        if c == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return Err(value);
            }
            prefix = prefix.trim_start_matches(' ');
            value = value.trim_start_matches(' ');
            continue;
        }
        value = value.strip_prefix(c).ok_or(value)?;
        prefix = &prefix[c.len_utf8()..];
    }
    Ok(value)
}

/// A number of one or two digits, or of exactly two.
fn number(value: &mut &str, fixed: bool) -> Part<i32> {
    let digits = value.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if digits == 0 || fixed && digits == 1 {
        return Err(Misfit::Text);
    }
    digits_of(value, digits)
}

/// Takes so many digits.
fn digits_of(value: &mut &str, count: usize) -> Part<i32> {
    let digits = value.get(..count).ok_or(Misfit::Text)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Misfit::Text);
    }
    *value = &value[count..];
    digits.parse().map_err(|_| Misfit::Text)
}

fn in_range(value: i32, below: i32, what: &'static str) -> Part<i32> {
    if (0..below).contains(&value) { Ok(value) } else { Err(Misfit::Range(what)) }
}

/// The name at the front of the text, whatever its case.
fn name(value: &mut &str, names: &[&str], length: Option<usize>) -> Part<i32> {
    for (number, name) in names.iter().enumerate() {
        let name = length.map_or(*name, |length| &name[..length]);
        let front = value.get(..name.len());
        if front.is_some_and(|front| front.eq_ignore_ascii_case(name)) {
            *value = &value[name.len()..];
            return i32::try_from(number).map_err(|_| Misfit::Text);
        }
    }
    Err(Misfit::Text)
}

/// A separator and so many digits.
fn fraction(value: &mut &str, digits: usize) -> Part<i32> {
    let text = value.get(..=digits).ok_or(Misfit::Text)?;
    if !text.starts_with(['.', ',']) {
        return Err(Misfit::Text);
    }
    let text = &text[1..];
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Misfit::Text);
    }
    *value = &value[digits + 1..];
    let nine = &text[..text.len().min(9)];
    let nanoseconds: i32 = nine.parse().map_err(|_| Misfit::Text)?;
    let missing = u32::try_from(9 - nine.len()).unwrap_or(0);
    Ok(nanoseconds * 10_i32.pow(missing))
}

/// How many digits follow a separator.
fn fraction_length(value: &str) -> usize {
    let digits = value.strip_prefix(['.', ',']).unwrap_or("");
    digits.bytes().take_while(u8::is_ascii_digit).count()
}

impl Seen {
    fn take(&mut self, chunk: Chunk, value: &mut &str, rest: &str) -> Part<()> {
        match chunk {
            Chunk::Year => {
                let year = digits_of(value, 2)?;
                self.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Chunk::LongYear => self.year = digits_of(value, 4)?,
            Chunk::Month => self.month = Some(name(value, &MONTHS, Some(3))? + 1),
            Chunk::LongMonth => self.month = Some(name(value, &MONTHS, None)? + 1),
            Chunk::NumMonth | Chunk::ZeroMonth => {
                let month = number(value, chunk == Chunk::ZeroMonth)?;
                in_range(month - 1, 12, "month")?;
                self.month = Some(month);
            }
            Chunk::Weekday => drop(name(value, &WEEKDAYS, Some(3))?),
            Chunk::LongWeekday => drop(name(value, &WEEKDAYS, None)?),
            Chunk::Day | Chunk::UnderDay | Chunk::ZeroDay => {
                if chunk == Chunk::UnderDay {
                    *value = value.strip_prefix(' ').unwrap_or(value);
                }
                self.day = Some(number(value, chunk == Chunk::ZeroDay)?);
            }
            Chunk::UnderYearDay | Chunk::ZeroYearDay => {
                for _ in 0..2 {
                    if chunk == Chunk::UnderYearDay {
                        *value = value.strip_prefix(' ').unwrap_or(value);
                    }
                }
                let digits = value.bytes().take(3).take_while(u8::is_ascii_digit).count();
                if digits == 0 || chunk == Chunk::ZeroYearDay && digits < 3 {
                    return Err(Misfit::Text);
                }
                self.year_day = Some(digits_of(value, digits)?);
            }
            Chunk::Hour => self.hour = in_range(number(value, false)?, 24, "hour")?,
            Chunk::Hour12 | Chunk::ZeroHour12 => {
                let fixed = chunk == Chunk::ZeroHour12;
                self.hour = in_range(number(value, fixed)?, 13, "hour")?;
            }
            Chunk::Minute | Chunk::ZeroMinute => {
                let fixed = chunk == Chunk::ZeroMinute;
                self.minute = in_range(number(value, fixed)?, 60, "minute")?;
            }
            Chunk::Second | Chunk::ZeroSecond => {
                let fixed = chunk == Chunk::ZeroSecond;
                self.second = in_range(number(value, fixed)?, 60, "second")?;
                self.extra_fraction(value, rest)?;
            }
            Chunk::UpperPm => self.pm = Some(pm(value, ["AM", "PM"])?),
            Chunk::LowerPm => self.pm = Some(pm(value, ["am", "pm"])?),
            Chunk::Offset(form) => self.take_offset(form, value)?,
            Chunk::ZoneName => self.take_zone(value)?,
            Chunk::Fraction(digits) => self.nanosecond = fraction(value, digits)?,
            Chunk::ShortFraction(_) => {
                let digits = fraction_length(value);
                if digits > 0 {
                    self.nanosecond = fraction(value, digits)?;
                }
            }
        }
        Ok(())
    }

    /// A fraction may follow the seconds where the layout has none.
    fn extra_fraction(&mut self, value: &mut &str, rest: &str) -> Part<()> {
        let digits = fraction_length(value);
        let next = step(rest).chunk.map(|(chunk, _)| chunk);
        if digits == 0 || matches!(next, Some(Chunk::Fraction(_) | Chunk::ShortFraction(_))) {
            return Ok(());
        }
        self.nanosecond = fraction(value, digits)?;
        Ok(())
    }

    fn take_offset(&mut self, form: OffsetForm, value: &mut &str) -> Part<()> {
        // `Z070000` and `Z07:00:00` take no `Z` in Go.
        if form.z && !form.seconds && value.starts_with('Z') {
            *value = &value[1..];
            self.utc = true;
            return Ok(());
        }
        let east = match value.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(Misfit::Text),
        };
        let mut after = &value[1..];
        let mut two = |colon: bool| {
            if colon {
                after = after.strip_prefix(':').ok_or(Misfit::Text)?;
            }
            digits_of(&mut after, 2)
        };
        let hours = two(false)?;
        let minutes = if form.minutes { two(form.colons)? } else { 0 };
        let seconds = if form.seconds { two(form.colons)? } else { 0 };
        *value = after;
        in_range(hours, 25, "time zone offset hour")?;
        in_range(minutes, 61, "time zone offset minute")?;
        in_range(seconds, 61, "time zone offset second")?;
        self.offset = Some(east * ((hours * 60 + minutes) * 60 + seconds));
        Ok(())
    }

    fn take_zone(&mut self, value: &mut &str) -> Part<()> {
        if let Some(after) = value.strip_prefix("UTC") {
            *value = after;
            self.utc = true;
            return Ok(());
        }
        let length = zone_length(value).ok_or(Misfit::Text)?;
        value[..length].clone_into(&mut self.zone);
        *value = &value[length..];
        Ok(())
    }

    fn moment(mut self, local: &TimeZone) -> Result<Time, &'static str> {
        match self.pm {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        let year = i16::try_from(self.year).map_err(|_| "day out of range")?;
        if let Some(day_of_year) = self.year_day {
            self.place_day(year, day_of_year)?;
        }
        let small = |number: i32| i8::try_from(number).map_err(|_| "day out of range");
        let (month, day) = (small(self.month.unwrap_or(1))?, small(self.day.unwrap_or(1))?);
        let date = civil::Date::new(year, month, day).map_err(|_| "day out of range")?;
        let clock = civil::Time::new(
            small(self.hour)?,
            small(self.minute)?,
            small(self.second)?,
            self.nanosecond,
        );
        let when = date.to_datetime(clock.map_err(|_| "hour out of range")?);
        let of = |zone| Time::of_civil(when, zone).ok_or("day out of range");
        if self.utc {
            return of(Zone::utc());
        }
        if let Some(offset) = self.offset {
            let fixed = of(Zone::Fixed { offset, name: self.zone.clone() })?;
            let (known, name) = Zone::Known(local.clone()).at(fixed.at);
            if known == offset && (self.zone.is_empty() || self.zone == name) {
                return Ok(Time::new(fixed.at, Zone::Known(local.clone())));
            }
            return Ok(fixed);
        }
        if self.zone.is_empty() {
            return of(Zone::Known(local.clone()));
        }
        let here = of(Zone::Known(local.clone()))?;
        if here.zone.at(here.at).1 == self.zone {
            return Ok(here);
        }
        // The offset of the name is unknown, but for `GMT+3`.
        let hours = self.zone.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok());
        let zone = Zone::Fixed { offset: hours.unwrap_or(0) * 3600, name: self.zone };
        Ok(Time::new(of(Zone::utc())?.at, zone))
    }

    fn place_day(&mut self, year: i16, day_of_year: i32) -> Result<(), &'static str> {
        const OUT: &str = "day-of-year out of range";
        let first = civil::Date::new(year, 1, 1).map_err(|_| OUT)?;
        if day_of_year < 1 || day_of_year > i32::from(first.days_in_year()) {
            return Err(OUT);
        }
        let days = jiff::Span::new().try_days(i64::from(day_of_year) - 1).map_err(|_| OUT)?;
        let date = first.checked_add(days).map_err(|_| OUT)?;
        let (month, day) = (i32::from(date.month()), i32::from(date.day()));
        if self.month.is_some_and(|seen| seen != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|seen| seen != day) {
            return Err("day-of-year does not match day");
        }
        (self.month, self.day) = (Some(month), Some(day));
        Ok(())
    }
}

fn pm(value: &mut &str, words: [&str; 2]) -> Part<bool> {
    for (number, word) in words.into_iter().enumerate() {
        if let Some(after) = value.strip_prefix(word) {
            *value = after;
            return Ok(number == 1);
        }
    }
    Err(Misfit::Text)
}

/// The length of the abbreviation of a zone at the front: three or four capitals with `T` at the
/// end, five with `ST`, or a sign and hours.
fn zone_length(value: &str) -> Option<usize> {
    if value.len() < 3 {
        return None;
    }
    if value.starts_with("ChST") || value.starts_with("MeST") {
        return Some(4);
    }
    let signed = |text: &str| {
        let hours = text.strip_prefix(['+', '-'])?;
        let digits = hours.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = hours[..digits].parse().ok()?;
        (number < 24).then_some(digits + 1)
    };
    if let Some(after) = value.strip_prefix("GMT") {
        return Some(3 + signed(after).unwrap_or(0));
    }
    if value.starts_with(['+', '-']) {
        return signed(value);
    }
    let capitals = value.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    let bytes = value.as_bytes();
    match capitals {
        5 if bytes[4] == b'T' => Some(5),
        4 if bytes[3] == b'T' || value.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}
