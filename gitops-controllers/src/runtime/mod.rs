//! One turn of any kind: get → suspended? → finalizer → reconcile → [`settle`] → one status patch
//! → events → metrics → next turn.
//!
//! A reconciler implements [`Reconcile`] for a [`Kind`]. It works on an [`Attempt`], records
//! [`Fact`]s, and returns [`Done`] or a [`Stop`]; all that Flux shows of it (conditions, events,
//! retries) follows in [`settle`] from the kind's [`Profile`]. A [`Controller`] runs it on the
//! objects of a [`Cache`], as its [`Queue`] says.

mod asks;
mod attempt;
mod base;
mod cache;
mod client;
mod context;
mod controller;
mod events;
mod guard;
mod kind;
mod leader;
mod log;
mod metrics;
mod observer;
mod outcome;
mod profile;
mod queue;
mod settle;
mod status;
mod telling;

pub use attempt::Attempt;
pub use cache::{Cache, Change, Key, decode};
pub use client::{Fence, Fenced, RateLimit, connect};
pub use context::{Caches, Context, Timing};
pub use controller::Controller;
pub use events::{EventTargets, Events, Involved, Told};
pub use kind::{Kind, Reconcile, Status};
pub use leader::{Election, LeaseOptions, Lost, lease_name};
pub use log::ZapLayer;
pub use metrics::Metrics;
pub use observer::{Happening, NoObserver, Observer, Place};
pub use outcome::{Again, Done, Fact, Fault, Notice, Severity, Stop, Turn, Waiting};
pub use profile::{FailureCondition, Profile, Ready, Retry};
pub use queue::{Job, Next, Queue, QueueCounters};
pub use settle::{Before, Requeue, Settled, TurnResult, in_progress, settle, suspended};
