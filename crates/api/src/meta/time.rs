//! Points in time, as status fields carry them.

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A point in time, in whole seconds of UTC: `2026-01-31T09:30:00Z` on the wire.
///
/// Fractions of a second are dropped when a value is made or read, so what is compared is what is
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(Timestamp);

impl Time {
    /// The point in time itself.
    pub fn get(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        // Seconds since the epoch, rounded down, are always in range again.
        let seconds = at.as_nanosecond().div_euclid(1_000_000_000);
        let second = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
        Self(second.unwrap_or(at))
    }
}

impl From<Time> for Timestamp {
    fn from(at: Time) -> Self {
        at.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Timestamp::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_on_the_wire() {
        let read: Time = serde_json::from_str("\"2026-01-31T09:30:00.987654Z\"").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"2026-01-31T09:30:00Z\"");
        let offset: Time = serde_json::from_str("\"2026-01-31T10:30:00+01:00\"").unwrap();
        assert_eq!(offset, read);
        let before_epoch = Time::from(Timestamp::new(-2, -500_000_000).unwrap());
        assert_eq!(before_epoch.to_string(), "1969-12-31T23:59:57Z");
        assert_eq!(Time::from(Timestamp::MIN).get().as_second(), Timestamp::MIN.as_second());
        assert!(serde_json::from_str::<Time>("\"yesterday\"").is_err());
    }
}
