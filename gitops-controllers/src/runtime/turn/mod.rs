//! One turn: what it starts from, what it finds, what is decided from that, and what is written.

mod attempt;
mod base;
mod guard;
mod outcome;
mod profile;
mod settle;
mod status;

pub use attempt::Attempt;
pub(super) use attempt::{ProgressNote, ProgressState};
pub(super) use base::{Base, Report};
pub(super) use guard::catch;
pub use outcome::{Again, Done, Fact, Fault, Notice, Severity, Stop, Turn, Waiting};
pub use profile::{FailureCondition, ObservesSuspended, Profile, Ready, Retry};
pub use settle::{
    Before, Requeue, Settled, TurnResult, born_suspended, in_progress, settle, suspended,
};
pub(super) use status::{Writer, raw_conditions};
