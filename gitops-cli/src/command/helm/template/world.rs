//! What templates see of the machine.

use std::net::ToSocketAddrs;

use gitops_template::Host;
use jiff::{Timestamp, tz::TimeZone};

/// The time, randomness and, if allowed, DNS; no cluster.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) dns: bool,
}

impl Host for World {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::system()
    }

    fn random(&self, buffer: &mut [u8]) {
        rand::fill(buffer);
    }

    fn address_of(&self, name: &str) -> String {
        if !self.dns {
            return String::new();
        }
        let found = (name, 0_u16).to_socket_addrs().ok().and_then(|mut found| found.next());
        found.map(|address| address.ip().to_string()).unwrap_or_default()
    }
}
