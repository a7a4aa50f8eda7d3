//! Can it be retried, and who can mend it?

use std::{error::Error, fmt};

use crate::{Cancelled, Stage};

/// What kind of failure an error is. Decides, with the [`Stage`], whether an object stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// May succeed when tried again: network, conflict, overload.
    Transient,
    /// Something referred to is not there (yet).
    NotFound,
    /// Not allowed.
    Denied,
    /// The input is wrong; a person must change it.
    Invalid,
    /// The input asks for what is not offered.
    Unsupported,
    /// Stopped from outside.
    Cancelled,
    /// A fault of the program itself.
    Internal,
}

/// An error that can say what it is.
pub trait Classify: Error + Send + Sync + 'static {
    /// What kind of failure this is.
    fn class(&self) -> Class;

    /// The wire reason, where this error has one of its own that replaces the stage's.
    fn reason(&self) -> Option<&'static str> {
        None
    }

    /// How long a peer asked to be left alone: no sooner may it be tried again.
    fn retry_after(&self) -> Option<std::time::Duration> {
        None
    }

    /// What an event says, where that is more than what the condition says: Flux does so for some
    /// errors.
    fn notice(&self) -> Option<String> {
        None
    }
}

impl Classify for Cancelled {
    fn class(&self) -> Class {
        Class::Cancelled
    }
}

/// An error and the stage at which it happened.
pub struct Failure {
    /// Where it happened.
    pub stage: Stage,
    /// What happened.
    pub error: Box<dyn Classify>,
}

impl Failure {
    /// A failure of a stage.
    pub fn new(stage: Stage, error: impl Classify) -> Self {
        Self { stage, error: Box::new(error) }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("stage", &self.stage)
            .field("class", &self.error.class())
            .field("error", &crate::one_line(&*self.error))
            .finish()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::one_line(&*self.error))
    }
}
