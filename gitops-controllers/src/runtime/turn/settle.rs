//! From how a turn ended to what is written: the only place where conditions, events and the next
//! turn are decided.
//!
//! Follows fluxcd/pkg `runtime/conditions` (what a condition remembers), source-controller
//! `internal/reconcile` (which outcomes retry, wait or stall) and kustomize-controller's
//! `finalizeStatus`.

use std::time::Duration;

use gitops_api::meta::{
    Condition,
    ConditionStatus::{self, False, True, Unknown},
    condition_type::{READY, RECONCILING, SOURCE_VERIFIED, STALLED},
    reason,
};
use gitops_core::{Class, EVENT_LIMIT, Failure, one_line, truncate};
use jiff::Timestamp;

use crate::runtime::{
    Again, Fact, Notice, ObservesSuspended, Profile, Ready, Retry, Stop, Turn, Waiting,
};

/// The longest message of a condition: what the CRDs allow.
const MESSAGE_LIMIT: usize = 32_768;

/// What a turn started from.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// `metadata.generation`.
    pub generation: i64,
    /// The object's conditions, those of others included.
    pub conditions: &'a [Condition],
    /// The last step of the turn, where it took one.
    pub progress: Option<&'a str>,
    /// `spec.interval`.
    pub interval: Duration,
    /// `spec.retryInterval`, or the interval.
    pub retry_interval: Duration,
    /// `--requeue-dependency`.
    pub dependency_interval: Duration,
    /// The time now.
    pub now: Timestamp,
}

/// What follows from a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// All conditions of the object, those of others included and unchanged.
    pub conditions: Vec<Condition>,
    /// Whether `status.observedGeneration` advances.
    pub observe_generation: bool,
    /// Events in their order; messages are within the limit.
    pub events: Vec<Notice>,
    /// The next turn.
    pub requeue: Requeue,
    /// How metrics and logs count the turn.
    pub result: TurnResult,
}

/// When the next turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// When something changes.
    Never,
    /// At once.
    Now,
    /// After a time.
    After(Duration),
    /// After a time, moved by the interval jitter.
    Jittered(Duration),
    /// After the object's back-off, which grows, and no sooner than the peer asked for.
    Backoff {
        /// What the peer asked for.
        at_least: Duration,
    },
}

/// The `result` label of `controller_runtime_reconcile_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnResult {
    /// Done or stalled: nothing more to do by itself.
    Success,
    /// Looks again later.
    RequeueAfter,
    /// At once.
    Requeue,
    /// Failed.
    Error,
}

impl TurnResult {
    /// controller-runtime's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Requeue => "requeue",
            Self::Error => "error",
        }
    }
}

/// Decides what follows from a turn. Pure.
///
/// | outcome | Ready | Reconciling | Stalled | generation observed | event | next turn |
/// |---|---|---|---|---|---|---|
/// | done | true | removed | removed | yes | as told | interval, jittered |
/// | waiting | false | kept, `ProgressingWithRetry` | removed | no | info, or none | as told |
/// | failed | false | kept, `ProgressingWithRetry` | removed | no | error | back-off or retry interval |
/// | failed for good | false | removed | true | yes | error | none |
/// | failed untold | false, as its first failure or `Reconciling` says | kept, `ProgressingWithRetry` | removed | no | none | back-off |
/// | superseded | false | kept, `ProgressingWithRetry` | removed | no | info | at once |
///
/// Never gives `Ready=True` together with `Stalled=True` or `Reconciling=True`.
pub fn settle(profile: &Profile, before: Before<'_>, facts: &[Fact], turn: &Turn) -> Settled {
    let mut draft = Draft::new(profile, before);
    let mut events = Vec::new();
    let mut told = None;
    for fact in facts {
        match fact {
            Fact::Holds { condition, status, reason, message } => {
                draft.set(condition, *status, reason, message);
            }
            Fact::Gone(condition) => draft.remove(condition),
            Fact::Happened(event) => events.push(event.clone()),
            Fact::Told(event) => told = Some(event.clone()),
        }
    }
    if let Some(message) = before.progress {
        draft.set(RECONCILING, True, reason::PROGRESSING, message);
    }
    let (observe_generation, requeue, result) = match turn {
        Ok(done) => {
            draft.succeed(&done.message);
            events.extend(done.events.iter().cloned());
            let requeue = done.again.map_or(Requeue::Jittered(before.interval), Requeue::After);
            (true, requeue, TurnResult::RequeueAfter)
        }
        Err(Stop::Waiting(waiting)) => {
            draft.wait(waiting);
            events.extend(waiting.event.clone());
            let (requeue, result) = match waiting.again {
                Again::Dependency => {
                    (Requeue::After(before.dependency_interval), TurnResult::RequeueAfter)
                }
                Again::Retry => (Requeue::After(before.retry_interval), TurnResult::RequeueAfter),
                Again::Never => (Requeue::Never, TurnResult::Success),
            };
            (false, requeue, result)
        }
        Err(Stop::Failed(failure)) => draft.fail(failure, told, &mut events),
        Err(Stop::Untold(_)) => {
            draft.untold();
            (false, Requeue::Backoff { at_least: Duration::ZERO }, TurnResult::Error)
        }
        Err(Stop::Superseded { by }) => {
            let message = format!("New reconciliation triggered by {by}");
            draft.set(READY, False, reason::HEALTH_CHECK_CANCELED, &message);
            draft.retry();
            events.push(Notice::info(
                reason::HEALTH_CHECK_CANCELED,
                format!("Health checks canceled due to new reconciliation triggered by {by}"),
            ));
            (false, Requeue::Now, TurnResult::Requeue)
        }
    };
    for event in &mut events {
        event.message = truncate(&event.message, EVENT_LIMIT);
    }
    Settled { conditions: draft.conditions, observe_generation, events, requeue, result }
}

/// The conditions while a turn runs, where they differ from what stands; `None` where nothing
/// needs to be said.
pub fn in_progress(profile: &Profile, before: Before<'_>, drifted: bool) -> Option<Vec<Condition>> {
    let message = before.progress?;
    let mut draft = Draft::new(profile, before);
    draft.set(RECONCILING, True, reason::PROGRESSING, message);
    draft.remove(STALLED);
    let ready = draft.status(READY);
    if profile.always_unknown {
        draft.set(READY, Unknown, reason::PROGRESSING, "Reconciliation in progress");
    } else if drifted || ready.is_none_or(|status| status == Unknown) {
        draft.set(READY, Unknown, reason::PROGRESSING, message);
    }
    (draft.conditions != before.conditions).then_some(draft.conditions)
}

/// The conditions of a suspended object: what is known of it covers a new generation; `None`
/// where nothing needs to be said.
pub fn suspended(profile: &Profile, before: Before<'_>) -> Option<Vec<Condition>> {
    let ready = before.conditions.iter().find(|condition| condition.type_ == READY)?;
    if ready.status == Unknown || ready.observed_generation == Some(before.generation) {
        return None;
    }
    let mut draft = Draft::new(profile, before);
    match profile.observes_suspended {
        ObservesSuspended::Nothing => return None,
        ObservesSuspended::Status if ready.status != True => return None,
        ObservesSuspended::Status => {}
        ObservesSuspended::Condition => {
            draft.set(READY, ready.status, &ready.reason, &ready.message);
            if let Some(own) = draft.get(RECONCILING).cloned() {
                draft.set(RECONCILING, own.status, &own.reason, &own.message);
            }
            draft.remove(STALLED);
        }
    }
    Some(draft.conditions)
}

/// The conditions of an object that is suspended from the beginning.
pub fn born_suspended(
    profile: &Profile,
    before: Before<'_>,
    (reason, message): (&str, &str),
) -> Vec<Condition> {
    let mut draft = Draft::new(profile, before);
    draft.set(READY, True, reason, message);
    draft.conditions
}

struct Draft<'a> {
    profile: &'a Profile,
    before: Before<'a>,
    conditions: Vec<Condition>,
}

impl<'a> Draft<'a> {
    fn new(profile: &'a Profile, before: Before<'a>) -> Self {
        Self { profile, before, conditions: before.conditions.to_vec() }
    }

    fn get(&self, condition: &str) -> Option<&Condition> {
        self.conditions.iter().find(|known| known.type_ == condition)
    }

    fn status(&self, condition: &str) -> Option<ConditionStatus> {
        self.get(condition).map(|known| known.status)
    }

    /// Sets a condition. Its time moves when anything of it changes, against what stood before
    /// the turn: a condition that leaves and comes back within a turn did not change.
    fn set(&mut self, condition: &str, status: ConditionStatus, reason: &str, message: &str) {
        let mut new = Condition {
            last_transition_time: self.before.now.into(),
            message: truncate(message, MESSAGE_LIMIT),
            observed_generation: Some(self.before.generation),
            reason: reason.to_owned(),
            status,
            type_: condition.to_owned(),
        };
        let stood = self.before.conditions.iter().find(|known| known.type_ == condition);
        if let Some(stood) = stood
            && stood.status == new.status
            && stood.reason == new.reason
            && stood.message == new.message
            && stood.observed_generation == new.observed_generation
        {
            new.last_transition_time = stood.last_transition_time;
        }
        match self.conditions.iter_mut().find(|known| known.type_ == condition) {
            Some(known) => *known = new,
            None => self.conditions.push(new),
        }
    }

    fn remove(&mut self, condition: &str) {
        self.conditions.retain(|known| known.type_ != condition);
    }

    fn succeed(&mut self, message: &str) {
        for condition in self.profile.negative {
            self.remove(condition);
        }
        self.remove(RECONCILING);
        self.remove(STALLED);
        match self.profile.ready {
            Ready::Outcome { success } => self.set(READY, True, success, message),
            Ready::Mirror(_) => {
                if !self.mirror() {
                    self.set(READY, True, reason::SUCCEEDED, message);
                }
            }
        }
    }

    fn wait(&mut self, waiting: &Waiting) {
        if let Some(condition) = waiting.condition {
            self.set(condition, True, waiting.reason, &waiting.message);
        }
        self.set(READY, False, waiting.reason, &waiting.message);
        self.retry();
    }

    fn fail(
        &mut self,
        failure: &Failure,
        told: Option<Notice>,
        events: &mut Vec<Notice>,
    ) -> (bool, Requeue, TurnResult) {
        let class = failure.error.class();
        let reason =
            failure.error.reason().unwrap_or_else(|| (self.profile.reason)(failure.stage, class));
        let mut message = one_line(&*failure.error);
        if class == Class::Cancelled {
            // The process stops: what stands is still true, and the next one goes on.
            self.conditions = self.before.conditions.to_vec();
            return (false, Requeue::Now, TurnResult::Requeue);
        }
        let stalls = (self.profile.stalls)(failure.stage, class, reason);
        if stalls {
            message.insert_str(0, self.profile.stall_prefix);
        }
        if let Some(rule) = (self.profile.failure)(failure.stage) {
            let status = if rule.holds { True } else { False };
            self.set(rule.condition, status, reason, &message);
        }
        match self.get(SOURCE_VERIFIED).filter(|verified| verified.status == False).cloned() {
            // It says best what is wrong.
            Some(verified) => self.set(READY, False, &verified.reason, &verified.message),
            None => self.set(READY, False, reason, &message),
        }
        events.push(told.unwrap_or_else(|| {
            Notice::error(reason, failure.error.notice().unwrap_or_else(|| message.clone()))
        }));
        if stalls {
            self.remove(RECONCILING);
            self.set(STALLED, True, reason, &message);
            let observed = !self.profile.unobserved.contains(&reason);
            return (observed, Requeue::Never, TurnResult::Success);
        }
        self.retry();
        let at_least = failure.error.retry_after().unwrap_or_default();
        let requeue = match self.profile.retry {
            Retry::Backoff => Requeue::Backoff { at_least },
            Retry::Interval => Requeue::After(self.before.retry_interval.max(at_least)),
        };
        (false, requeue, TurnResult::Error)
    }

    /// A failure that no condition tells of: what stands of earlier ones still says best what is
    /// wrong.
    fn untold(&mut self) {
        self.retry();
        let standing = self.profile.negative.iter().chain(&[RECONCILING]);
        let mut standing = standing.filter_map(|condition| self.get(condition));
        if let Some(known) = standing.find(|known| known.status == True).cloned() {
            self.set(READY, False, &known.reason, &known.message);
        }
    }

    /// Whoever is still reconciling will try again.
    fn retry(&mut self) {
        self.remove(STALLED);
        let begun = self.profile.announces_generation && self.before.progress.is_none();
        let message = match self.get(RECONCILING) {
            // Such a kind begins each turn with these words.
            _ if begun => "reconciliation in progress".to_owned(),
            Some(known) => known.message.clone(),
            None => return,
        };
        self.set(RECONCILING, True, reason::PROGRESSING_WITH_RETRY, &message);
    }

    /// Takes `Ready` over from the first condition that says something.
    fn mirror(&mut self) -> bool {
        let Ready::Mirror(order) = self.profile.ready else {
            return false;
        };
        let found = order.iter().find_map(|condition| {
            let known = self.get(condition)?;
            let negative = self.profile.negative.contains(condition);
            match (negative, known.status) {
                (true, True) => Some((False, known.reason.clone(), known.message.clone())),
                (true, _) => None,
                (false, status) => Some((status, known.reason.clone(), known.message.clone())),
            }
        });
        let Some((status, reason, message)) = found else {
            return false;
        };
        self.set(READY, status, &reason, &message);
        true
    }
}
