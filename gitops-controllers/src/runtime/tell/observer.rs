//! Watching the controllers from inside the process.

use std::{fmt::Debug, sync::Arc};

use gitops_core::{ObjectId, Stage};

use crate::runtime::Notice;

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
    /// Objects were built, and are about to be applied.
    Built {
        /// By whom.
        object: ObjectId,
        /// From what.
        source: ObjectId,
        /// Where they are written, as far as they are not generated.
        places: Vec<(ObjectId, Place)>,
        /// What a person should know of the build.
        warnings: Vec<String>,
    },
    /// A build failed.
    Unbuilt {
        /// Whose.
        object: ObjectId,
        /// From what.
        source: ObjectId,
        /// Why, on several lines: with the place in the source, where it is known.
        page: String,
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

/// Where an object is written in its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the root of the artifact; behind an address and a `#` where it is in
    /// another repository.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: u32,
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
