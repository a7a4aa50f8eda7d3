//! What can go wrong, in the words of Flux.

use std::fmt;

use gitops_core::{Class, Classify, ObjectId, one_line};

use crate::{ApiError, ChangeSet};

/// A failure of a plan, an apply, a deletion or a wait.
///
/// `Display` says what was done to which object; the API server's answer is the
/// [`source`](std::error::Error::source). Together, as [`one_line`] prints them, they are Flux's
/// texts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The server-side dry run was refused.
    #[error("{}", dry_run_text(object, source))]
    DryRun {
        /// The object as it was sent.
        object: Box<ObjectId>,
        /// What the API server answered.
        #[source]
        source: Box<ApiError>,
    },
    /// The apply itself was refused, after its dry run had passed.
    #[error("{object} apply failed")]
    Apply {
        /// The object.
        object: Box<ObjectId>,
        /// What the API server answered.
        #[source]
        source: Box<ApiError>,
    },
    /// Entries of other field managers could not be taken over.
    #[error("{object} metadata.managedFields cleanup failed")]
    Cleanup {
        /// The object.
        object: Box<ObjectId>,
        /// What the API server answered.
        #[source]
        source: Box<ApiError>,
    },
    /// The managed fields could not be moved to the API version of the desired object.
    #[error("{object} failed to migrate API version")]
    Migrate {
        /// The object.
        object: Box<ObjectId>,
        /// What the API server answered.
        #[source]
        source: Box<ApiError>,
    },
    /// An object with a changed immutable field was to be recreated.
    #[error("{object} immutable field detected, failed to {step}")]
    Recreate {
        /// The object.
        object: Box<ObjectId>,
        /// `delete object` or `wait for object to be deleted`.
        step: &'static str,
        /// What the API server answered.
        #[source]
        source: Box<ApiError>,
    },
    /// Some objects could not be deleted; the others were.
    #[error("delete failed, errors: {texts}")]
    Delete {
        /// One text per object, each followed by `;`.
        texts: String,
        /// The class of the first of them.
        class: Class,
    },
    /// Objects did not become ready, or did not go, in time.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// An ignore rule is malformed.
    #[error("invalid ignore rule: {0}")]
    IgnoreRule(String),
    /// A desired object lacks `apiVersion`, `kind` or `metadata.name`.
    #[error("object without apiVersion, kind or name: {0}")]
    NotAnObject(String),
    /// What was about to be created could not be recorded; nothing of the stage was applied.
    #[error("failed to record the objects to be applied: {0}")]
    Journal(String),
    /// The call was stopped from outside.
    #[error("cancelled")]
    Cancelled,
}

impl From<gitops_core::Cancelled> for ApplyError {
    fn from(_: gitops_core::Cancelled) -> Self {
        Self::Cancelled
    }
}

impl Classify for ApplyError {
    fn class(&self) -> Class {
        match self {
            Self::DryRun { source, .. }
            | Self::Apply { source, .. }
            | Self::Cleanup { source, .. }
            | Self::Migrate { source, .. }
            | Self::Recreate { source, .. } => source.class(),
            Self::Delete { class, .. } => *class,
            Self::Wait(_) | Self::Journal(_) => Class::Transient,
            Self::IgnoreRule(_) | Self::NotAnObject(_) => Class::Invalid,
            Self::Cancelled => Class::Cancelled,
        }
    }
}

/// Follows fluxcd/pkg `ssa/errors`: a missing namespace or kind of path reads differently from a
/// refused object.
fn dry_run_text(object: &ObjectId, source: &ApiError) -> String {
    if source.is_not_found() {
        let what =
            if object.namespace.is_empty() { "namespace not specified" } else { "not found" };
        return format!("{object} {what}");
    }
    match source.display_reason() {
        "" => format!("{object} dry-run failed"),
        reason => format!("{object} dry-run failed ({reason})"),
    }
}

/// Some objects are not ready, or still there, although the time is up or all hope is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time is up.
    #[error("timeout waiting for: [{}]", .0.join(", "))]
    Timeout(Vec<String>),
    /// Nothing that is not ready yet can become so.
    #[error("failed early due to stalled resources: [{}]", .0.join(", "))]
    Stalled(Vec<String>),
    /// An object that was to be deleted is still there.
    #[error("{0} termination timeout: context deadline exceeded")]
    Termination(Box<ObjectId>),
    /// The wait was stopped from outside.
    #[error("context canceled")]
    Cancelled,
}

impl Classify for WaitError {
    fn class(&self) -> Class {
        match self {
            Self::Cancelled => Class::Cancelled,
            _ => Class::Transient,
        }
    }
}

/// An apply that stopped part of the way.
///
/// `Display` is Flux's text: the error, a line break, and a line per object that a finished stage
/// changed before.
#[derive(Debug)]
pub struct ApplyFailure {
    /// Why it stopped.
    pub error: ApplyError,
    /// What the finished stages did; their objects exist.
    pub done: ChangeSet,
    /// Objects of the stage that failed which were applied before the failure.
    pub partial: ChangeSet,
}

impl fmt::Display for ApplyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", one_line(&self.error))?;
        for change in self.done.changed() {
            writeln!(f, "{change}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApplyFailure {}

impl Classify for ApplyFailure {
    fn class(&self) -> Class {
        self.error.class()
    }
}
