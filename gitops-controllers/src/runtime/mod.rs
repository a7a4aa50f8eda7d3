//! One turn of any kind: get → suspended? → finalizer → reconcile → [`settle`] → one status patch
//! → events → metrics → next turn.
//!
//! A reconciler implements [`Reconcile`] for a [`Kind`]. It works on an [`Attempt`], records
//! [`Fact`]s, and returns [`Done`] or a [`Stop`]; all that Flux shows of it (conditions, events,
//! retries) follows in [`settle`] from the kind's [`Profile`]. A [`Controller`] runs it on the
//! objects of a [`Cache`], as its [`Queue`] says.

mod client;
mod context;
mod controller;
mod kind;
mod leader;
mod tell;
mod turn;
mod watch;

pub use client::{Fence, Fenced, RateLimit, connect};
pub use context::{Caches, Context, Timing};
pub use controller::Controller;
pub use kind::{Kind, Reconcile, Status};
pub use leader::{Election, LeaseOptions, Lost, lease_name};
pub use tell::{
    EventTargets, Events, Happening, Involved, Metrics, NoObserver, Observer, Place, Told, ZapLayer,
};
pub use turn::{
    Again, Attempt, Before, Done, Fact, FailureCondition, Fault, Notice, ObservesSuspended,
    Profile, Ready, Requeue, Retry, Settled, Severity, Stop, Turn, TurnResult, Waiting,
    born_suspended, in_progress, settle, suspended,
};
pub use watch::{Cache, Change, Job, Key, Next, Queue, QueueCounters, decode};
