//! Go's layouts: a date written as the reference date would be.
//!
//! Follows Go's `time/format.go`.

/// A part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset(OffsetForm),
    /// A fraction of so many digits.
    Fraction(usize),
    /// A fraction without zeros at its end.
    ShortFraction(usize),
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of the layout")]
pub(super) struct OffsetForm {
    /// UTC is `Z`.
    pub(super) z: bool,
    pub(super) colons: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// The text before the next part of a layout, the part with its own text, and the rest.
pub(super) struct Step<'l> {
    pub(super) before: &'l str,
    pub(super) chunk: Option<(Chunk, &'l str)>,
    pub(super) rest: &'l str,
}

pub(super) fn step(layout: &str) -> Step<'_> {
    for (at, _) in layout.char_indices() {
        let tail = &layout[at..];
        if let Some((chunk, skipped, length)) = chunk_at(tail) {
            return Step {
                before: &layout[..at + skipped],
                chunk: Some((chunk, &tail[skipped..length])),
                rest: &tail[length..],
            };
        }
    }
    Step { before: layout, chunk: None, rest: "" }
}

/// The part at the front: what it is, how much of it is literal text, and where it ends.
fn chunk_at(tail: &str) -> Option<(Chunk, usize, usize)> {
    const FIXED: &[(&str, Chunk)] = &[
        ("January", Chunk::LongMonth),
        ("Monday", Chunk::LongWeekday),
        ("MST", Chunk::ZoneName),
        ("002", Chunk::ZeroYearDay),
        ("01", Chunk::ZeroMonth),
        ("02", Chunk::ZeroDay),
        ("03", Chunk::ZeroHour12),
        ("04", Chunk::ZeroMinute),
        ("05", Chunk::ZeroSecond),
        ("06", Chunk::Year),
        ("15", Chunk::Hour),
        ("1", Chunk::NumMonth),
        ("2006", Chunk::LongYear),
        ("2", Chunk::Day),
        ("__2", Chunk::UnderYearDay),
        ("3", Chunk::Hour12),
        ("4", Chunk::Minute),
        ("5", Chunk::Second),
        ("PM", Chunk::UpperPm),
        ("pm", Chunk::LowerPm),
    ];
    // The year in `_2006` is no day with a space before it.
    if tail.starts_with("_2006") {
        return Some((Chunk::LongYear, 1, 5));
    }
    if tail.starts_with("_2") {
        return Some((Chunk::UnderDay, 0, 2));
    }
    if let Some((text, chunk)) = FIXED.iter().find(|(text, _)| tail.starts_with(text)) {
        return Some((*chunk, 0, text.len()));
    }
    for (text, chunk) in [("Jan", Chunk::Month), ("Mon", Chunk::Weekday)] {
        let rest = tail.strip_prefix(text);
        if rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase())) {
            return Some((chunk, 0, 3));
        }
    }
    offset_at(tail).or_else(|| fraction_at(tail))
}

fn offset_at(tail: &str) -> Option<(Chunk, usize, usize)> {
    let z = tail.starts_with('Z');
    if !z && !tail.starts_with('-') {
        return None;
    }
    [
        ("070000", false, true, true),
        ("07:00:00", true, true, true),
        ("0700", false, true, false),
        ("07:00", true, true, false),
        ("07", false, false, false),
    ]
    .into_iter()
    .find(|(text, ..)| tail[1..].starts_with(text))
    .map(|(text, colons, minutes, seconds)| {
        let form = OffsetForm { z, colons, minutes, seconds };
        (Chunk::Offset(form), 0, text.len() + 1)
    })
}

fn fraction_at(tail: &str) -> Option<(Chunk, usize, usize)> {
    let digits = tail.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let rest = digits.trim_start_matches(digit);
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let count = digits.len() - rest.len();
    let chunk = if digit == '0' { Chunk::Fraction(count) } else { Chunk::ShortFraction(count) };
    Some((chunk, 0, count + 1))
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
