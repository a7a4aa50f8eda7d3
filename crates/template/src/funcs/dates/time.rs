//! Go's `time.Time` as a value of templates.

use std::any::Any;

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

use super::{
    duration::Duration,
    format::format,
    layout::{MONTHS, WEEKDAYS},
    named::Named,
};
use crate::{
    CallError, Context, Method, Object,
    value::{Kind, Type, Value},
};

/// Go's name of the type.
pub(crate) const TYPE: &str = "time.Time";

/// A moment in a zone.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    pub(super) at: Timestamp,
    pub(super) zone: Zone,
}

/// Where a clock hangs.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    Known(TimeZone),
    /// An offset in seconds that was read from a text, with its name or without one.
    Fixed {
        offset: i32,
        name: String,
    },
}

impl Zone {
    pub(super) fn utc() -> Self {
        Self::Known(TimeZone::UTC)
    }

    /// Seconds east of UTC, and the name that is used at that moment.
    pub(super) fn at(&self, at: Timestamp) -> (i32, String) {
        match self {
            Self::Known(zone) => {
                let info = zone.to_offset_info(at);
                (info.offset().seconds(), info.abbreviation().to_owned())
            }
            Self::Fixed { offset, name } => (*offset, name.clone()),
        }
    }
}

impl Zone {
    fn saves_daylight(&self, at: Timestamp) -> bool {
        matches!(self, Self::Known(zone) if zone.to_offset_info(at).dst().is_dst())
    }
}

impl Time {
    pub(super) fn new(at: Timestamp, zone: Zone) -> Self {
        Self { at, zone }
    }

    /// Reads a text by a layout; the error is Go's.
    pub(crate) fn read(layout: &str, text: &str, local: &TimeZone) -> Result<Self, String> {
        super::parse::parse(layout, text, local)
    }

    /// The same moment under another name for UTC.
    pub(crate) fn in_fixed_zone(self, name: &str) -> Self {
        Self { zone: Zone::Fixed { offset: 0, name: name.to_owned() }, ..self }
    }

    /// Go's zero time: the first day of the year 1.
    pub(super) fn zero() -> Self {
        let first = civil::date(1, 1, 1).at(0, 0, 0, 0);
        let at = TimeZone::UTC.to_timestamp(first).unwrap_or(Timestamp::MIN);
        Self::new(at, Zone::utc())
    }

    /// The nearest moment to so many seconds after 1970 that a date can be told of.
    pub(super) fn of_unix(seconds: i64, zone: Zone) -> Self {
        let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Self::new(Timestamp::from_second(seconds).unwrap_or(nearest), zone)
    }

    /// What the clock and the calendar show, the offset and the name of the zone.
    pub(super) fn civil(&self) -> (civil::DateTime, i32, String) {
        let (offset, name) = self.zone.at(self.at);
        let shifted = jiff::tz::Offset::from_seconds(offset).unwrap_or(jiff::tz::Offset::UTC);
        (shifted.to_datetime(self.at), offset, name)
    }

    /// The moment that a date and a clock mean in a zone.
    pub(super) fn of_civil(when: civil::DateTime, zone: Zone) -> Option<Self> {
        let at = match &zone {
            Zone::Known(known) => known.to_timestamp(when).ok()?,
            Zone::Fixed { offset, .. } => {
                let utc = TimeZone::UTC.to_timestamp(when).ok()?;
                utc.checked_sub(SignedDuration::from_secs(i64::from(*offset))).ok()?
            }
        };
        Some(Self::new(at, zone))
    }

    pub(super) fn add(&self, nanoseconds: i64) -> Self {
        let nearest = if nanoseconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let at = self.at.checked_add(SignedDuration::from_nanos(nanoseconds)).unwrap_or(nearest);
        Self::new(at, self.zone.clone())
    }

    /// Nanoseconds since another moment, at most as many as fit a duration.
    pub(super) fn since(&self, other: Timestamp) -> i64 {
        let nanoseconds = self.at.as_nanosecond() - other.as_nanosecond();
        let nearest = if nanoseconds < 0 { i64::MIN } else { i64::MAX };
        i64::try_from(nanoseconds).unwrap_or(nearest)
    }

    fn is_zero(&self) -> bool {
        self.at == Self::zero().at
    }

    /// `AddDate`: months and days beyond their end run over into the next.
    fn add_date(&self, years: i64, months: i64, days: i64) -> Option<Self> {
        let (when, ..) = self.civil();
        let month = i64::from(when.month()) - 1 + months;
        let year = i64::from(when.year()) + years + month.div_euclid(12);
        let month = i8::try_from(month.rem_euclid(12) + 1).ok()?;
        let first = civil::Date::new(i16::try_from(year).ok()?, month, 1).ok()?;
        let days = i64::from(when.day()) - 1 + days;
        let date = first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
        Self::of_civil(date.to_datetime(when.time()), self.zone.clone())
    }
}

const NOTHING: Method = Method { params: &[], variadic: false };
const OTHER: Method = Method { params: &[Type::Named(TYPE)], variadic: false };
const DURATION: Method = Method { params: &[Type::Named(super::duration::TYPE)], variadic: false };

impl Object for Time {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn method(&self, name: &str) -> Option<Method> {
        Some(match name {
            "Year" | "Month" | "Day" | "Weekday" | "YearDay" | "Hour" | "Minute" | "Second"
            | "Nanosecond" | "Unix" | "UnixMilli" | "UnixMicro" | "UnixNano" | "UTC" | "Local"
            | "IsZero" | "IsDST" | "String" | "MarshalText" | "MarshalJSON" => NOTHING,
            "Date" | "Clock" | "ISOWeek" | "Zone" | "ZoneBounds" => NOTHING,
            "After" | "Before" | "Equal" | "Compare" | "Sub" => OTHER,
            "Add" | "Round" | "Truncate" => DURATION,
            "Format" => Method { params: &[Type::String], variadic: false },
            "AddDate" => Method { params: &[Type::INT, Type::INT, Type::INT], variadic: false },
            _ => return None,
        })
    }

    fn call(
        &self,
        name: &str,
        arguments: &[Value],
        context: &mut Context<'_>,
    ) -> Result<Value, CallError> {
        let (when, ..) = self.civil();
        let int = |value: i64| Ok(Value::int(value));
        match (name, arguments) {
            ("Year", _) => int(when.year().into()),
            ("Month", _) => Ok(Value::object(month(when.month()))),
            ("Day", _) => int(when.day().into()),
            ("Weekday", _) => Ok(Value::object(weekday(when))),
            ("YearDay", _) => int(when.day_of_year().into()),
            ("Hour", _) => int(when.hour().into()),
            ("Minute", _) => int(when.minute().into()),
            ("Second", _) => int(when.second().into()),
            ("Nanosecond", _) => int(when.subsec_nanosecond().into()),
            ("Unix", _) => Ok(Value::int64(seconds(self.at))),
            ("UnixMilli", _) => Ok(Value::int64(self.at.as_millisecond())),
            ("UnixMicro", _) => Ok(Value::int64(self.at.as_microsecond())),
            ("UnixNano", _) => Ok(Value::int64(low_bits(self.at.as_nanosecond()))),
            ("UTC", _) => Ok(Value::object(Self::new(self.at, Zone::utc()))),
            ("Local", _) => {
                let local = Zone::Known(context.host().time_zone());
                Ok(Value::object(Self::new(self.at, local)))
            }
            ("IsDST", _) => Ok(Value::Bool(self.zone.saves_daylight(self.at))),
            ("IsZero", _) => Ok(Value::Bool(self.is_zero())),
            ("MarshalText", _) => {
                Ok(Value::Bytes(self.serialized().as_str().unwrap_or_default().as_bytes().into()))
            }
            ("MarshalJSON", _) => {
                let text = format!("\"{}\"", self.serialized().as_str().unwrap_or_default());
                Ok(Value::Bytes(text.as_bytes().into()))
            }
            ("Date" | "Clock", _) => Err(CallError::refused(format!(
                "function {name} has 3 return values; should be 1 or 2"
            ))),
            ("ISOWeek" | "Zone" | "ZoneBounds", _) => {
                let second = if name == "ZoneBounds" { TYPE } else { "int" };
                Err(CallError::refused(format!(
                    "invalid function signature for {name}: second return value should be error; \
                     is {second}"
                )))
            }
            ("Format", [Value::Str(layout)]) => {
                context.spend(1, layout.len() as u64 * 4)?;
                Ok(Value::from(format(self, layout)))
            }
            ("AddDate", [Value::Int(_, years), Value::Int(_, months), Value::Int(_, days)]) => {
                let moved = self.add_date(*years, *months, *days);
                moved.map(Value::object).ok_or_else(|| CallError::new("date out of range"))
            }
            (_, [Value::Object(other)]) => self.with(name, other.as_any()),
            _ => Ok(Value::from(self.to_string())),
        }
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn serialized(&self) -> Value {
        Value::from(format(self, "2006-01-02T15:04:05.999999999Z07:00"))
    }
}

impl Time {
    /// The methods that take another moment, or a duration.
    fn with(&self, name: &str, other: &dyn Any) -> Result<Value, CallError> {
        if let Some(other) = other.downcast_ref::<Self>() {
            return Ok(match name {
                "After" => Value::Bool(self.at > other.at),
                "Before" => Value::Bool(self.at < other.at),
                "Equal" => Value::Bool(self.at == other.at),
                "Compare" => Value::int(self.at.cmp(&other.at) as i64),
                _ => Value::object(Duration(self.since(other.at))),
            });
        }
        let Some(Duration(by)) = other.downcast_ref::<Duration>() else {
            return Err(CallError::new(format!("there is no such argument of {name}")));
        };
        // Go counts from its zero time.
        let rest = |by: i64| {
            let since = self.at.as_nanosecond() - Self::zero().at.as_nanosecond();
            low_bits(since.rem_euclid(by.into()))
        };
        Ok(Value::object(match name {
            "Add" => self.add(*by),
            _ if *by <= 0 => self.clone(),
            "Truncate" => self.add(-rest(*by)),
            _ if rest(*by) < by - rest(*by) => self.add(-rest(*by)),
            _ => self.add(by - rest(*by)),
        }))
    }
}

/// The low 64 bits, as Go's overflow leaves them.
#[expect(clippy::cast_possible_truncation, reason = "it is what is asked for")]
fn low_bits(value: i128) -> i64 {
    value as i64
}

/// Whole seconds, rounded down.
pub(super) fn seconds(at: Timestamp) -> i64 {
    low_bits(at.as_nanosecond().div_euclid(1_000_000_000))
}

fn month(number: i8) -> Named {
    let number = i64::from(number);
    let text = usize::try_from(number - 1).ok().and_then(|at| MONTHS.get(at));
    Named { type_name: "time.Month", value: number, text: text.copied().unwrap_or_default() }
}

fn weekday(when: civil::DateTime) -> Named {
    let number = when.weekday().to_sunday_zero_offset();
    let text = usize::try_from(number).ok().and_then(|at| WEEKDAYS.get(at));
    Named {
        type_name: "time.Weekday",
        value: number.into(),
        text: text.copied().unwrap_or_default(),
    }
}

/// As Go prints it; the reading of a monotonic clock is left out.
impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format(self, "2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}
