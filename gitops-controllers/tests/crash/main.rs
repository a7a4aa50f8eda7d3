//! A controller that is killed in the middle of its work, at twenty points of each kind of work,
//! leaves nothing behind that the next one does not set right.
//!
//! The controllers are the real programs. Between them and the API server stands a proxy that counts
//! writes and kills with SIGKILL at a chosen one, either before the API server sees it or before the
//! controller hears of it; files of source-controller's storage are counted, too. They run in the
//! cluster that `KUBECONFIG` names if `GITOPS_CLUSTER` is `real`, and need git.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests say why they are skipped, and may fail where they stand"
)]

mod apply;
mod store;

use std::{
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use gitops_testenv::Moment;

/// Points of each kind of work.
const POINTS: u64 = 20;

/// Points at a time.
const TOGETHER: usize = 5;

/// How long work may take to reach a point; when it has not, the controller is killed anyway.
const REACH: Duration = Duration::from_secs(8);

/// How long the next controller may take to set everything right.
const CONVERGE: Duration = Duration::from_secs(30);

/// Where the controller dies.
#[derive(Clone, Copy, Debug)]
struct Point {
    write: u64,
    moment: Moment,
}

/// Spread evenly over so many writes, half of them before the write and half after it.
fn points(writes: u64) -> impl Iterator<Item = Point> {
    (0..POINTS).map(move |index| {
        let moment =
            if index % 2 == 0 { Moment::BeforeForwarding } else { Moment::BeforeAnswering };
        Point { write: 1 + (index / 2) * writes.saturating_sub(1) / (POINTS / 2 - 1), moment }
    })
}

/// An address on loopback for a server that must come back where it was: below the ports that the
/// system gives to others.
fn address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u32::from(u16::MAX) & std::process::id().wrapping_mul(64);
    loop {
        let number = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.0.0.1:{}", 10_000 + (first + number) % 9_000);
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
