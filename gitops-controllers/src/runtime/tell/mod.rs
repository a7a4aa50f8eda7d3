//! What the world hears of turns: events, logs, metrics, and whoever looks on.

mod events;
mod log;
mod metrics;
mod observer;
mod telling;

pub use events::{EventTargets, Events, Involved, Told};
pub use log::ZapLayer;
pub use metrics::Metrics;
pub use observer::{Happening, NoObserver, Observer, Place};
