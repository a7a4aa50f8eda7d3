//! One turn's draft: the status in the making, what was found, and how far it is.

use std::{collections::BTreeMap, sync::Arc};

use gitops_api::meta::ConditionStatus;
use gitops_core::{Clock, ObjectId, Scope, Stage};
use jiff::Timestamp;
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};

use crate::runtime::{Fact, Kind, Notice};

/// What a reconciler works with in one turn.
#[derive(Debug)]
pub struct Attempt<K: Kind> {
    /// Cancelled when the process stops or loses its lease.
    pub scope: Scope,
    /// The draft of the status. Conditions, `observedGeneration` and `lastHandledReconcileAt` are
    /// the runtime's; all else is the reconciler's. What differs from the object's status at the
    /// end is written, whatever the outcome.
    pub status: K::Status,
    /// When the turn began.
    pub started: Timestamp,
    /// No turn began with this object before, in no process: nothing was made for it.
    pub is_first: bool,
    clock: Arc<dyn Clock>,
    facts: Vec<Fact>,
    metadata: BTreeMap<String, String>,
    written: Option<DynamicObject>,
    progress: Arc<ProgressNote>,
    newer: watch::Receiver<Option<ObjectId>>,
}

impl<K: Kind> Attempt<K> {
    /// An attempt of its own, for tests of reconcilers.
    pub fn new(status: K::Status, scope: Scope, clock: Arc<dyn Clock>) -> Self {
        let (_, newer) = watch::channel(None);
        Self::with_parts(status, scope, clock, Arc::default(), newer)
    }

    pub(in crate::runtime) fn with_parts(
        status: K::Status,
        scope: Scope,
        clock: Arc<dyn Clock>,
        progress: Arc<ProgressNote>,
        newer: watch::Receiver<Option<ObjectId>>,
    ) -> Self {
        Self {
            scope,
            status,
            started: clock.now(),
            is_first: false,
            clock,
            facts: Vec::new(),
            metadata: BTreeMap::new(),
            written: None,
            progress,
            newer,
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long the turn has run.
    pub fn elapsed(&self) -> std::time::Duration {
        self.now().duration_since(self.started).try_into().unwrap_or_default()
    }

    /// Records what was found.
    pub fn record(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Records that one of the kind's conditions holds, does not hold, or is unknown.
    pub fn observe(
        &mut self,
        condition: &'static str,
        status: ConditionStatus,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        self.record(Fact::Holds { condition, status, reason, message: message.into() });
    }

    /// Records that a condition no longer says anything.
    pub fn clear(&mut self, condition: &'static str) {
        self.record(Fact::Gone(condition));
    }

    /// Tells something, whatever the outcome.
    pub fn tell(&mut self, event: Notice) {
        self.record(Fact::Happened(event));
    }

    /// Tells the failure that ends the turn in other words than its conditions have.
    pub fn tell_failure(&mut self, event: Notice) {
        self.record(Fact::Told(event));
    }

    /// A fact for every event of this turn, e.g. `revision`; the key without the group's prefix.
    pub fn describe(&mut self, key: &str, value: impl Into<String>) {
        self.metadata.insert(key.to_owned(), value.into());
    }

    /// The turn's step: becomes the message of `Reconciling` when the turn takes long or fails.
    pub fn progress(&self, stage: Stage, message: impl Into<String>) {
        self.progress.step(stage, message.into());
    }

    /// Makes the status so far visible beside the steps of a turn that takes long: what was applied
    /// is worth knowing while its health is waited for. Costs no request of its own.
    pub fn publish(&self) {
        if let Ok(Value::Object(status)) = serde_json::to_value(&self.status) {
            self.progress.publish(status);
        }
    }

    /// Like [`progress`](Self::progress), and `Ready` becomes unknown meanwhile because the world
    /// is known to differ from the last good state.
    pub fn drifted(&self, stage: Stage, message: impl Into<String>) {
        self.progress.drift(stage, message.into());
    }

    /// Completes when a change of something that this object depends on has queued its next turn;
    /// gives whose change it was. Use it beside a long wait and end with
    /// [`Stop::Superseded`](crate::runtime::Stop::Superseded).
    pub fn superseded(&self) -> impl Future<Output = ObjectId> + Send + 'static {
        let mut newer = self.newer.clone();
        async move {
            loop {
                let by = newer.borrow_and_update().clone();
                if let Some(by) = by {
                    return by;
                }
                if newer.changed().await.is_err() {
                    // Nobody can supersede this attempt any more.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// The object after the reconciler itself wrote to its status, so that the turn's own write
    /// builds on it.
    pub fn wrote(&mut self, object: DynamicObject) {
        self.written = Some(object);
    }

    pub(in crate::runtime) fn take_written(&mut self) -> Option<DynamicObject> {
        self.written.take()
    }

    /// What was recorded so far.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What [`describe`](Self::describe) collected.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }
}

/// The latest step of a turn, shared with whoever writes it to the status while the turn runs.
#[derive(Debug, Default)]
pub(in crate::runtime) struct ProgressNote {
    state: Mutex<ProgressState>,
    changed: Notify,
}

/// A step, whether drift was seen, and the status so far where it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::runtime) struct ProgressState {
    pub(in crate::runtime) stage: Option<Stage>,
    pub(in crate::runtime) message: Option<String>,
    pub(in crate::runtime) drifted: bool,
    pub(in crate::runtime) status: Option<Arc<Map<String, Value>>>,
}

impl ProgressNote {
    pub(in crate::runtime) fn step(&self, stage: Stage, message: String) {
        let mut state = self.state.lock();
        state.stage = Some(stage);
        state.message = Some(message);
        drop(state);
        self.changed.notify_one();
    }

    pub(in crate::runtime) fn drift(&self, stage: Stage, message: String) {
        self.state.lock().drifted = true;
        self.step(stage, message);
    }

    /// Is told with the next step.
    pub(in crate::runtime) fn publish(&self, status: Map<String, Value>) {
        self.state.lock().status = Some(Arc::new(status));
    }

    pub(in crate::runtime) fn get(&self) -> ProgressState {
        self.state.lock().clone()
    }

    pub(in crate::runtime) async fn changed(&self) {
        self.changed.notified().await;
    }
}
