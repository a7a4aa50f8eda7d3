//! Dates and durations.
//!
//! Follows sprig's `date.go`. The clock and the local zone are the host's; other zones are those of
//! the time zone database that is built in.

mod duration;
mod format;
mod layout;
mod named;
mod parse;
mod time;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::{
    Arguments, CallError, Context, Function,
    value::{IntKind, Type, Value},
};

pub(super) use duration::DURATIONS;
use duration::Duration;
pub(crate) use duration::{TYPE as DURATION, nanoseconds};
pub(super) use named::Named;
pub(super) use time::Time;
use time::{TYPE, Zone, seconds};

const DATED: &[Type] = &[Type::String, Type::Any];
const ZONED: &[Type] = &[Type::String, Type::Any, Type::String];
const MOVED: &[Type] = &[Type::String, Type::Named(TYPE)];
const READ: &[Type] = &[Type::String, Type::String];

pub(super) const DATES: &[Function] = &[
    Function::new("now", &[], now),
    Function::new("ago", &[Type::Any], ago),
    Function::new("date", DATED, date),
    Function::new("dateInZone", ZONED, date_in_zone),
    Function::new("date_in_zone", ZONED, date_in_zone),
    Function::new("dateModify", MOVED, date_modify),
    Function::new("date_modify", MOVED, date_modify),
    Function::new("mustDateModify", MOVED, must_date_modify),
    Function::new("must_date_modify", MOVED, must_date_modify),
    Function::new("htmlDate", &[Type::Any], html_date),
    Function::new("htmlDateInZone", &[Type::Any, Type::String], html_date_in_zone),
    Function::new("toDate", READ, to_date),
    Function::new("mustToDate", READ, must_to_date),
    Function::new("unixEpoch", &[Type::Named(TYPE)], unix_epoch),
    Function::new("duration", &[Type::Any], duration),
    Function::new("durationRound", &[Type::Any], duration_round),
];

type Outcome = Result<Value, CallError>;

fn local(context: &Context<'_>) -> Zone {
    Zone::Known(context.host().time_zone())
}

/// Go's `time.LoadLocation`; a zone that is unknown is UTC.
fn zone(context: &Context<'_>, name: &str) -> Zone {
    if name == "Local" {
        return local(context);
    }
    let known = TimeZoneDatabase::bundled().get(name);
    // Names of files are not the same in other letters.
    let known = known.ok().filter(|zone| zone.iana_name() == Some(name));
    Zone::Known(known.unwrap_or(TimeZone::UTC))
}

fn time_of(value: &Value) -> Option<&Time> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref(),
        _ => None,
    }
}

/// The moment of a date argument: a time, or seconds since 1970; the present for all else.
fn moment(context: &Context<'_>, value: &Value, kinds: &[IntKind]) -> Time {
    match value {
        Value::Int(kind, seconds) if kinds.contains(kind) => {
            Time::of_unix(*seconds, local(context))
        }
        value => match time_of(value) {
            Some(time) => time.clone(),
            None => Time::new(context.host().now(), local(context)),
        },
    }
}

fn now(context: &mut Context<'_>, _: Arguments<'_>) -> Outcome {
    Ok(Value::object(Time::new(context.host().now(), local(context))))
}

fn ago(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let time = moment(context, arguments.any(0), &[IntKind::Int, IntKind::Int64]);
    let present = Time::new(context.host().now(), Zone::utc());
    let passed = Duration(present.since(time.at)).round(Duration(1_000_000_000));
    Ok(Value::from(passed.to_string()))
}

fn written(context: &mut Context<'_>, layout: &str, date: &Value, name: &str) -> Outcome {
    context.spend(1, layout.len() as u64 * 4)?;
    let time = moment(context, date, &[IntKind::Int, IntKind::Int32, IntKind::Int64]);
    let shown = Time::new(time.at, zone(context, name));
    Ok(Value::from(format::format(&shown, layout)))
}

fn date(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    written(context, arguments.text(0), arguments.any(1), "Local")
}

fn date_in_zone(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    written(context, arguments.text(0), arguments.any(1), arguments.text(2))
}

fn html_date(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    written(context, "2006-01-02", arguments.any(0), "Local")
}

fn html_date_in_zone(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    written(context, "2006-01-02", arguments.any(0), arguments.text(1))
}

/// The argument of a `time.Time` parameter.
fn given(arguments: Arguments<'_>, index: usize) -> Time {
    time_of(arguments.any(index)).cloned().unwrap_or_else(Time::zero)
}

fn date_modify(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let time = given(arguments, 1);
    let moved = duration::parse(arguments.text(0)).map(|Duration(by)| time.add(by));
    Ok(Value::object(moved.unwrap_or(time)))
}

fn must_date_modify(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let Duration(by) = duration::parse(arguments.text(0)).map_err(CallError::new)?;
    Ok(Value::object(given(arguments, 1).add(by)))
}

fn read(context: &Context<'_>, arguments: Arguments<'_>) -> Result<Time, String> {
    parse::parse(arguments.text(0), arguments.text(1), &context.host().time_zone())
}

fn to_date(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::object(read(context, arguments).unwrap_or_else(|_| Time::zero())))
}

fn must_to_date(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    read(context, arguments).map(Value::object).map_err(CallError::new)
}

fn unix_epoch(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(seconds(given(arguments, 0).at).to_string()))
}

/// Seconds, as text or as `int64`, in Go's form; 0 for all else.
fn duration(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let seconds = match arguments.any(0) {
        Value::Str(text) => super::numbers::atoi(text),
        Value::Int(IntKind::Int64, seconds) => *seconds,
        _ => 0,
    };
    Ok(Value::from(Duration(seconds.wrapping_mul(1_000_000_000)).to_string()))
}

/// The largest unit that is in a duration, and how often.
fn duration_round(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    const HOUR: u64 = 3_600_000_000_000;
    const UNITS: [(u64, &str); 6] = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ];
    let nanoseconds = match arguments.any(0) {
        Value::Str(text) => duration::parse(text).map_or(0, |Duration(by)| by),
        Value::Int(IntKind::Int64, nanoseconds) => *nanoseconds,
        value => time_of(value)
            .map_or(0, |time| Time::new(context.host().now(), Zone::utc()).since(time.at)),
    };
    let size = nanoseconds.unsigned_abs();
    let unit = UNITS.iter().find(|(unit, _)| size > *unit);
    Ok(Value::from(match unit {
        Some((unit, name)) => format!("{}{name}", size / unit),
        None => "0s".to_owned(),
    }))
}
