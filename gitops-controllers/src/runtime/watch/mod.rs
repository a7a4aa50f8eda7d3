//! What the cluster holds, which of its changes matter, and whose turn is next.

mod asks;
mod cache;
mod queue;

pub(super) use asks::asks_for_turn;
pub use cache::{Cache, Change, Key, decode};
pub use queue::{Job, Next, Queue, QueueCounters};
