//! Watching the controllers from inside the process.

use std::fmt::Debug;

use gitops_core::{ObjectId, Stage};

use super::Notice;

/// What happens, as it happens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Happening {
    /// A turn reached a step.
    Step {
        /// Whose turn.
        object: ObjectId,
        /// The stage.
        stage: Stage,
        /// The step, for people.
        message: String,
    },
    /// An event was sent.
    Event {
        /// About what.
        object: ObjectId,
        /// The event.
        event: Notice,
    },
    /// A turn ended, and its status is written.
    Settled {
        /// Whose turn.
        object: ObjectId,
        /// `Ready`'s status: `True`, `False` or `Unknown`.
        ready: &'static str,
        /// `Ready`'s reason.
        reason: String,
        /// `Ready`'s message.
        message: String,
        /// Whether only a person can help.
        stalled: bool,
        /// How long the turn took.
        took: std::time::Duration,
        /// When the next one is, where one is planned.
        next: Option<std::time::Duration>,
    },
    /// An object is gone.
    Gone {
        /// Which.
        object: ObjectId,
    },
}

/// Sees what happens. Called on the controllers' tasks: return quickly.
pub trait Observer: Debug + Send + Sync {
    /// Something happened.
    fn happened(&self, what: Happening);
}

/// Sees nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn happened(&self, _: Happening) {}
}
