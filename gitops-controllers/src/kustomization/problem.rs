//! How a turn ends that does not end well: the words for the condition, those for the event, and
//! when to come back.

use std::fmt;

use gitops_api::meta::reason;
use gitops_core::{Class, Classify, Failure, Stage, one_line};

use crate::runtime::{Again, Stop, Waiting};

/// Flux's prefix for errors that only a change of the spec can mend.
const TERMINAL: &str = "Reconciliation failed terminally due to configuration error";

/// When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// After `spec.retryInterval`.
    Interval,
    /// After the interval for dependencies.
    Dependency,
    /// Not before the spec changes.
    Never,
}

/// Whether people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// A warning.
    Error,
    /// For information.
    Info,
    /// Not at all.
    Nothing,
}

/// Why a turn did not succeed.
#[derive(Debug)]
pub(crate) struct Problem {
    /// Where.
    pub(crate) stage: Stage,
    /// The reason of the Ready condition.
    pub(crate) reason: &'static str,
    /// The message of the Ready condition.
    pub(crate) message: Box<str>,
    /// The message of the event, where it differs.
    pub(crate) event: Option<Box<str>>,
    /// Whether there is an event.
    pub(crate) tell: Tell,
    /// When to come back.
    pub(crate) retry: Retry,
    /// What kind of failure it is.
    pub(crate) class: Class,
}

impl Problem {
    /// A failure that is tried again after the retry interval.
    pub(crate) fn failed(stage: Stage, reason: &'static str, error: &impl Classify) -> Self {
        Self::text(stage, reason, error.class(), one_line(error))
    }

    /// The same with a text of its own.
    pub(crate) fn text(stage: Stage, reason: &'static str, class: Class, message: String) -> Self {
        Self {
            stage,
            reason,
            message: message.into(),
            event: None,
            tell: Tell::Error,
            retry: Retry::Interval,
            class,
        }
    }

    /// A mistake in an expression of the spec.
    pub(crate) fn invalid_expression(
        stage: Stage,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        let message = format!("{TERMINAL}: {}", one_line(error));
        let problem = Self::text(stage, reason::INVALID_CEL_EXPRESSION, Class::Invalid, message);
        Self { retry: Retry::Never, ..problem }
    }

    /// Access that is not allowed.
    pub(crate) fn denied(message: String) -> Self {
        let problem = Self::text(Stage::Resolve, reason::ACCESS_DENIED, Class::Denied, message);
        Self { retry: Retry::Never, ..problem }
    }

    /// The source or its artifact is not there yet.
    pub(crate) fn no_artifact(message: String, retry: Retry) -> Self {
        let problem = Self::text(Stage::Resolve, reason::ARTIFACT_FAILED, Class::NotFound, message);
        Self { tell: Tell::Nothing, retry, ..problem }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Classify for Problem {
    fn class(&self) -> Class {
        self.class
    }

    fn reason(&self) -> Option<&'static str> {
        Some(self.reason)
    }

    fn notice(&self) -> Option<String> {
        self.event.as_deref().map(str::to_owned)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        let again = match problem.retry {
            // The runtime's profile stalls at what fails in the validation of a spec.
            Retry::Never => return Self::Failed(Failure::new(Stage::Validate, problem)),
            Retry::Interval if problem.tell == Tell::Error => {
                return Self::Failed(Failure::new(problem.stage, problem));
            }
            Retry::Interval => Again::Retry,
            Retry::Dependency => Again::Dependency,
        };
        let waiting = Waiting::new(problem.reason, String::from(problem.message)).again(again);
        Self::Waiting(match (problem.tell, problem.event) {
            (Tell::Info, Some(event)) => waiting.with_event(String::from(event)),
            _ => waiting,
        })
    }
}
