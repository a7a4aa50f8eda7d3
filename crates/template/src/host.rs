//! What templates may ask the world for.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

use crate::Value;

/// The world outside of a template. [`Sealed`] has none; a host allows what it wants.
pub trait Host: fmt::Debug {
    /// The time, for `now` and what depends on it.
    fn now(&self) -> Timestamp;

    /// The zone in which dates are written where a template names none.
    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// Fills the buffer with random bytes that nobody can guess, for keys and passwords.
    fn random(&self, buffer: &mut [u8]);

    /// Helm's `lookup`: an object, or with an empty name a list; an empty map if there is none.
    ///
    /// # Errors
    /// What the cluster answered.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        let _ = (api_version, kind, namespace, name);
        Ok(Value::Map(crate::Map::new()))
    }

    /// The address of a host name; nothing, unless the host allows DNS.
    fn address_of(&self, name: &str) -> String {
        let _ = name;
        String::new()
    }
}

/// No time (the Unix epoch) and no chance: the same template gives the same text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sealed;

impl Host for Sealed {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}
