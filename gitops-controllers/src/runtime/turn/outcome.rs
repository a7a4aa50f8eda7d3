//! How a turn ends, and what it found on the way.

use gitops_api::meta::ConditionStatus;
use gitops_core::{Class, Failure, ObjectId};

/// What a reconciler returns: what was done, or why it stopped. `?` works on
/// [`Stage::guard`](gitops_core::Stage::guard) because a [`Failure`] is a reason to stop.
pub type Turn = Result<Done, Stop>;

/// The object is as its spec asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The message of `Ready`, for profiles whose `Ready` does not mirror another condition.
    pub message: String,
    /// Events that tell of the success, in order. They are sent after the status is written.
    pub events: Vec<Notice>,
    /// Look again after this time in place of the object's interval.
    pub again: Option<std::time::Duration>,
}

impl Done {
    /// Success with the message of `Ready`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Adds an event.
    #[must_use]
    pub fn with_event(mut self, event: Notice) -> Self {
        self.events.push(event);
        self
    }
}

/// Why a turn did not end with [`Done`].
#[derive(Debug)]
pub enum Stop {
    /// Something that will come by itself is not there yet.
    Waiting(Waiting),
    /// A stage failed.
    Failed(Failure),
    /// A step failed of which the wire says nothing: neither a condition nor an event, as in Flux.
    /// Only the log tells.
    Untold(Failure),
    /// A newer input arrived while the turn waited; the next turn starts at once.
    Superseded {
        /// Whose change it was.
        by: ObjectId,
    },
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Waiting> for Stop {
    fn from(waiting: Waiting) -> Self {
        Self::Waiting(waiting)
    }
}

/// What a turn waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The reason of `Ready=False`, e.g. `DependencyNotReady`.
    pub reason: &'static str,
    /// The message of `Ready=False`.
    pub message: String,
    /// The condition, true while this waits, that `Ready` mirrors (e.g. `IncludeUnavailable`).
    pub condition: Option<&'static str>,
    /// An informational event, where this is worth one.
    pub event: Option<Notice>,
    /// When to look again.
    pub again: Again,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After `--requeue-dependency`.
    Dependency,
    /// After the object's `retryInterval`, or its interval.
    Retry,
    /// Only when something changes.
    Never,
}

impl Waiting {
    /// Waits for the dependency interval, without an event.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            condition: None,
            event: None,
            again: Again::Dependency,
        }
    }

    /// Tells with an informational event of the same reason.
    #[must_use]
    pub fn with_event(mut self, message: impl Into<String>) -> Self {
        self.event = Some(Notice::info(self.reason, message));
        self
    }

    /// Sets a condition while this waits.
    #[must_use]
    pub fn with_condition(mut self, condition: &'static str) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Looks again at another time.
    #[must_use]
    pub fn again(mut self, again: Again) -> Self {
        self.again = again;
        self
    }
}

/// What a turn found, in order. [`settle`](crate::runtime::settle) turns it into conditions and events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// A condition of the kind's own.
    Holds {
        /// Its type.
        condition: &'static str,
        /// Whether it holds.
        status: ConditionStatus,
        /// Its reason.
        reason: &'static str,
        /// Its message.
        message: String,
    },
    /// A condition no longer says anything and goes.
    Gone(&'static str),
    /// Something worth an event, whatever the outcome.
    Happened(Notice),
    /// How the failure that ends the turn is told, where its conditions say it in other words.
    Told(Notice),
}

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// A Normal Kubernetes Event that is not posted to the events address.
    Trace,
    /// A Normal Event.
    Info,
    /// A Warning Event.
    Error,
}

/// An event about the object of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How loud it is.
    pub severity: Severity,
    /// Why, as one word.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// Facts of this event alone, beside those of the turn; keys without the group's prefix.
    pub metadata: Vec<(String, String)>,
}

impl Notice {
    /// An informational event.
    pub fn info(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, reason, message)
    }

    /// An error.
    pub fn error(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, reason, message)
    }

    /// An event for the cluster only.
    pub fn trace(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Trace, reason, message)
    }

    fn new(severity: Severity, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity, reason: reason.into(), message: message.into(), metadata: Vec::new() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.metadata.push((key.to_owned(), value.into()));
        self
    }
}

/// An error made of a text whose reason and class are known where it happens. Use a typed error
/// where a library has one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    class: Class,
    reason: Option<&'static str>,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fault {
    /// A failure of a class.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, reason: None, message: message.into(), source: None }
    }

    /// Replaces the stage's reason.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }
}

impl gitops_core::Classify for Fault {
    fn class(&self) -> Class {
        self.class
    }

    fn reason(&self) -> Option<&'static str> {
        self.reason
    }
}
