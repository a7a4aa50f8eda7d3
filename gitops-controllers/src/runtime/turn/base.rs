//! What a turn starts from, and what it changes in the status.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use gitops_api::meta::annotation;
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::status::merge_patch;
use crate::runtime::{Before, Context, Kind, ObservesSuspended, Settled, Status};

/// What was written while a turn ran.
#[derive(Default)]
pub(in crate::runtime) struct Report {
    /// A write was begun; whether it arrived is not known when the turn ends meanwhile.
    pub(in crate::runtime) tried: AtomicBool,
    /// The status that was written beside a step.
    pub(in crate::runtime) published: Mutex<Option<Arc<Map<String, Value>>>>,
    pub(in crate::runtime) latest: Mutex<Option<DynamicObject>>,
}

/// What stood when the turn began.
pub(in crate::runtime) struct Base<S> {
    pub(in crate::runtime) status: S,
    pub(in crate::runtime) conditions: Vec<gitops_api::meta::Condition>,
    pub(in crate::runtime) generation: i64,
    pub(in crate::runtime) request: Option<String>,
    pub(in crate::runtime) interval: Duration,
    pub(in crate::runtime) retry_interval: Duration,
    pub(in crate::runtime) dependency_interval: Duration,
}

impl<S: Status> Base<S> {
    pub(in crate::runtime) fn new<K: Kind<Status = S>>(
        object: &DynamicObject,
        typed: &K,
        context: &Context,
    ) -> Self {
        let status = typed.status().cloned().unwrap_or_default();
        let interval = typed.interval();
        let annotations = object.metadata.annotations.as_ref();
        Self {
            conditions: status.conditions().to_vec(),
            status,
            generation: object.metadata.generation.unwrap_or_default(),
            request: annotations
                .and_then(|all| all.get(annotation::RECONCILE_REQUESTED_AT))
                .cloned(),
            interval,
            retry_interval: typed.retry_interval().unwrap_or(interval),
            dependency_interval: context.timing.dependency,
        }
    }

    pub(in crate::runtime) fn before<'a>(
        &'a self,
        progress: Option<&'a str>,
        now: jiff::Timestamp,
    ) -> Before<'a> {
        Before {
            generation: self.generation,
            conditions: &self.conditions,
            progress,
            interval: self.interval,
            retry_interval: self.retry_interval,
            dependency_interval: self.dependency_interval,
            now,
        }
    }

    /// The first step of a turn of a new generation.
    pub(in crate::runtime) fn announcement<K: Kind>(&self) -> Option<String> {
        let observed = self.status.observed_generation().unwrap_or(-1);
        (K::PROFILE.announces_generation && observed != self.generation)
            .then(|| format!("processing object: new generation {observed} -> {}", self.generation))
    }

    /// What of a status in the making is not yet written. Its conditions are told by steps.
    pub(in crate::runtime) fn changes_so_far(
        &self,
        draft: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut changes = merge_patch(&fields(&self.status), draft);
        changes.remove("conditions");
        changes
    }

    /// The status field of a request to reconcile that a suspended object has not answered yet: it
    /// is handled by doing nothing.
    pub(in crate::runtime) fn request_of_suspended<K: Kind>(&self) -> Option<(String, Value)> {
        let request = self.request.as_deref()?;
        let answers = K::PROFILE.observes_suspended != ObservesSuspended::Nothing;
        (answers && self.status.last_handled() != Some(request))
            .then(|| ("lastHandledReconcileAt".to_owned(), json!(request)))
    }

    /// What the turn changes in the status. `reported` says that conditions were written while
    /// it ran, so that they must be written again whatever they are; `published` is the status that
    /// was written with them.
    pub(in crate::runtime) fn changes(
        &self,
        mut draft: S,
        settled: &Settled,
        reported: bool,
        published: Option<&Map<String, Value>>,
    ) -> Map<String, Value> {
        draft.set_conditions(settled.conditions.clone());
        if settled.observe_generation {
            draft.observe_generation(self.generation);
        } else if let Some(observed) = self.status.observed_generation() {
            draft.observe_generation(observed);
        }
        if let Some(request) = &self.request {
            draft.handle_request(request);
        }
        let draft = fields(&draft);
        let mut changes = match published {
            Some(published) => merge_patch(published, &draft),
            None => merge_patch(&fields(&self.status), &draft),
        };
        if reported {
            changes.insert("conditions".into(), json!(settled.conditions));
        }
        changes
    }
}

fn fields<S: Status>(status: &S) -> Map<String, Value> {
    match serde_json::to_value(status) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}
