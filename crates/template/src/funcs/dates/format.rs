//! A moment as a layout says.

use std::fmt::Write as _;

use super::{
    layout::{Chunk, MONTHS, OffsetForm, WEEKDAYS, step},
    time::Time,
};

pub(super) fn format(time: &Time, layout: &str) -> String {
    let (when, offset, zone) = time.civil();
    let mut out = String::with_capacity(layout.len() + 8);
    let mut rest = layout;
    loop {
        let step = step(rest);
        out.push_str(step.before);
        let Some((chunk, _)) = step.chunk else { return out };
        rest = step.rest;
        let month = usize::from(when.month().unsigned_abs()) - 1;
        let weekday = usize::from(when.weekday().to_sunday_zero_offset().unsigned_abs());
        let hour12 = match when.hour() % 12 {
            0 => 12,
            hour => hour,
        };
        // Writing to a string cannot fail.
        let _ = match chunk {
            Chunk::LongMonth => out.write_str(MONTHS[month]),
            Chunk::Month => out.write_str(&MONTHS[month][..3]),
            Chunk::NumMonth => write!(out, "{}", when.month()),
            Chunk::ZeroMonth => write!(out, "{:02}", when.month()),
            Chunk::LongWeekday => out.write_str(WEEKDAYS[weekday]),
            Chunk::Weekday => out.write_str(&WEEKDAYS[weekday][..3]),
            Chunk::Day => write!(out, "{}", when.day()),
            Chunk::UnderDay => write!(out, "{:2}", when.day()),
            Chunk::ZeroDay => write!(out, "{:02}", when.day()),
            Chunk::UnderYearDay => write!(out, "{:3}", when.day_of_year()),
            Chunk::ZeroYearDay => write!(out, "{:03}", when.day_of_year()),
            Chunk::Hour => write!(out, "{:02}", when.hour()),
            Chunk::Hour12 => write!(out, "{hour12}"),
            Chunk::ZeroHour12 => write!(out, "{hour12:02}"),
            Chunk::Minute => write!(out, "{}", when.minute()),
            Chunk::ZeroMinute => write!(out, "{:02}", when.minute()),
            Chunk::Second => write!(out, "{}", when.second()),
            Chunk::ZeroSecond => write!(out, "{:02}", when.second()),
            Chunk::LongYear if when.year() < 0 => write!(out, "-{:04}", -when.year()),
            Chunk::LongYear => write!(out, "{:04}", when.year()),
            Chunk::Year => write!(out, "{:02}", when.year().unsigned_abs() % 100),
            Chunk::UpperPm => out.write_str(if when.hour() < 12 { "AM" } else { "PM" }),
            Chunk::LowerPm => out.write_str(if when.hour() < 12 { "am" } else { "pm" }),
            Chunk::ZoneName => {
                if zone.is_empty() {
                    nameless(&mut out, offset);
                } else {
                    out.push_str(&zone);
                }
                Ok(())
            }
            Chunk::Offset(form) => {
                write_offset(&mut out, form, offset);
                Ok(())
            }
            Chunk::Fraction(digits) | Chunk::ShortFraction(digits) => {
                let nanoseconds = format!("{:09}", when.subsec_nanosecond());
                let mut shown = &nanoseconds[..digits.min(9)];
                if matches!(chunk, Chunk::ShortFraction(_)) {
                    shown = shown.trim_end_matches('0');
                    if shown.is_empty() {
                        continue;
                    }
                }
                let at = layout.len() - rest.len() - digits - 1;
                let comma = layout.as_bytes()[at] == b',';
                write!(out, "{}{shown}", if comma { ',' } else { '.' })
            }
        };
    }
}

fn sign(offset: i32) -> char {
    // Go looks at whole minutes.
    if offset / 60 < 0 { '-' } else { '+' }
}

fn write_offset(out: &mut String, form: OffsetForm, offset: i32) {
    if form.z && offset == 0 {
        out.push('Z');
        return;
    }
    let seconds = offset.unsigned_abs();
    let colon = if form.colons { ":" } else { "" };
    let _ = write!(out, "{}{:02}", sign(offset), seconds / 3600);
    if form.minutes {
        let _ = write!(out, "{colon}{:02}", seconds / 60 % 60);
    }
    if form.seconds {
        let _ = write!(out, "{colon}{:02}", seconds % 60);
    }
}

/// An offset in the place of a name: `-0700`.
fn nameless(out: &mut String, offset: i32) {
    let minutes = offset.unsigned_abs() / 60;
    let _ = write!(out, "{}{:02}{:02}", sign(offset), minutes / 60, minutes % 60);
}
