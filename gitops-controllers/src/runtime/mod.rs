//! One turn of any kind: get → suspended? → finalizer → reconcile → [`settle`] → one status patch
//! → events → metrics → next turn.
//!
//! A reconciler implements [`Reconcile`] for a [`Kind`]. It works on an [`Attempt`], records
//! [`Fact`]s, and returns [`Done`] or a [`Stop`]; all that Flux shows of it (conditions, events,
//! retries) follows in [`settle`] from the kind's [`Profile`].

mod attempt;
mod kind;
mod outcome;
mod profile;
mod settle;

pub use attempt::Attempt;
pub use kind::{Kind, Reconcile, Status};
pub use outcome::{Again, Done, Fact, Fault, Notice, Severity, Stop, Turn, Waiting};
pub use profile::{FailureCondition, Profile, Ready, Retry};
pub use settle::{Before, Requeue, Settled, TurnResult, in_progress, settle, suspended};
