//! What differs between kinds, as data.

use gitops_core::{Class, Stage};

/// How the turns of a kind are settled.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The kind's controller name in logs and metrics, e.g. `gitrepository`.
    pub controller: &'static str,
    /// The condition types that this controller owns; all others are left as they are.
    pub owned: &'static [&'static str],
    /// Conditions that are present only while they are true; a success removes them.
    pub negative: &'static [&'static str],
    /// Where `Ready` comes from.
    pub ready: Ready,
    /// The condition that a failure of a stage sets, where it sets one.
    pub failure: fn(Stage) -> Option<FailureCondition>,
    /// The reason of a failure whose error has none of its own.
    pub reason: fn(Stage, Class) -> &'static str,
    /// Whether only a person can help: no retry, `Stalled=True`. The reason is the settled one.
    pub stalls: fn(Stage, Class, &str) -> bool,
    /// When a failure is tried again.
    pub retry: Retry,
    /// Whether a turn of a new generation begins with the message
    /// `processing object: new generation {old} -> {new}`.
    pub announces_generation: bool,
    /// What a suspended object whose `Ready` is true takes over of a new generation.
    pub observes_suspended: ObservesSuspended,
    /// Reasons of stalls with which `observedGeneration` stays behind, as Flux leaves it.
    pub unobserved: &'static [&'static str],
    /// What stands before the message of a stall.
    pub stall_prefix: &'static str,
    /// Whether every turn says `Ready=Unknown` while it runs, or only one that has no good
    /// `Ready` yet.
    pub always_unknown: bool,
}

/// What a suspended object whose `Ready` is true takes over of a new generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservesSuspended {
    /// Nothing.
    Nothing,
    /// `status.observedGeneration`.
    Status,
    /// The same, and the generation of `Ready`.
    Condition,
}

/// Where `Ready` comes from.
#[derive(Clone, Copy, Debug)]
pub enum Ready {
    /// The outcome itself, with this reason of success.
    Outcome {
        /// The reason of `Ready=True`.
        success: &'static str,
    },
    /// The first of these conditions that is present: a negative one that is true, or any other.
    Mirror(&'static [&'static str]),
}

/// The condition that a failure sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureCondition {
    /// Its type.
    pub condition: &'static str,
    /// Whether it becomes true (`FetchFailed`) or false (`SourceVerified`).
    pub holds: bool,
}

/// When a failure is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// With the object's exponential back-off.
    Backoff,
    /// After the object's `retryInterval`, or its interval.
    Interval,
}
