//! Waiting until objects are ready.
//!
//! Objects are read once, and again at every [`interval`](WaitOptions::interval); in between, a
//! watch on each of the first few that are not ready makes a change known at once. Where watching
//! is not allowed, reading goes on alone.
//!
//! Follows fluxcd/pkg `ssa/manager_wait.go` and the poller of fluxcd/cli-utils.

use std::{collections::BTreeSet, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream, stream::SelectAll};
use gitops_core::{ObjectId, Scope, Stage};
use jiff::Timestamp;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Applier, HealthChecks, Owner, WaitError,
    health::{self, Health, Status},
    record::request,
};

/// How many objects are read at once.
const CONCURRENCY: usize = 8;
/// How many objects are watched at most; the others are read at intervals.
const WATCH_LIMIT: usize = 32;
/// The pods of a workload that are looked at for a failure.
const POD_LIMIT: usize = 500;

/// How to wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitOptions {
    /// When to give up.
    pub timeout: Duration,
    /// How often objects are read that no watch tells of.
    pub interval: Duration,
    /// End at the first failed object.
    pub fail_fast: bool,
    /// Jobs that delete themselves when done: if they are gone, they are done.
    pub jobs_with_ttl: BTreeSet<ObjectId>,
    /// Health checks of the caller.
    pub checks: HealthChecks,
    /// Whose objects these are: what the applier's record knows to be unchanged since it was ready
    /// is not read.
    pub owner: Option<Owner>,
    /// Read every object, whatever the record knows.
    pub full_check: bool,
}

impl WaitOptions {
    /// Flux's health checks: every five seconds, failing fast.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            interval: Duration::from_secs(5),
            fail_fast: true,
            jobs_with_ttl: BTreeSet::new(),
            checks: HealthChecks::default(),
            owner: None,
            full_check: false,
        }
    }

    /// Between the stages of an apply.
    pub(crate) fn stage(timeout: Duration) -> Self {
        Self { interval: Duration::from_secs(2), fail_fast: false, ..Self::new(timeout) }
    }
}

/// The Jobs among some objects that delete themselves when done.
pub fn jobs_with_ttl<'a>(objects: impl IntoIterator<Item = &'a Value>) -> BTreeSet<ObjectId> {
    objects
        .into_iter()
        .filter(|object| {
            object["kind"] == "Job"
                && object["apiVersion"].as_str().is_some_and(|api| api.starts_with("batch/"))
                && object["spec"]["ttlSecondsAfterFinished"].is_i64()
        })
        .filter_map(|object| crate::object_id(object).ok())
        .collect()
}

#[derive(Debug)]
struct Watched {
    object: ObjectId,
    health: Option<Health>,
}

type Changes = SelectAll<stream::BoxStream<'static, (usize, Option<Value>)>>;

impl Applier {
    /// Waits until all objects are ready.
    ///
    /// # Errors
    /// [`WaitError::Timeout`], [`WaitError::Stalled`] when waiting on is of no use, and
    /// [`WaitError::Cancelled`].
    pub async fn wait(
        &self,
        objects: &[ObjectId],
        options: &WaitOptions,
        scope: &Scope,
    ) -> Result<(), WaitError> {
        let mut unseen = Vec::with_capacity(objects.len());
        for object in objects {
            if !self.is_known_ready(object, options).await {
                unseen.push((object.clone(), None));
            }
        }
        self.wait_from(unseen, options, scope).await
    }

    /// Whether an object is unchanged since it was last seen ready.
    async fn is_known_ready(&self, object: &ObjectId, options: &WaitOptions) -> bool {
        let (Some(record), Some(owner)) = (&self.record, &options.owner) else {
            return false;
        };
        if options.full_check {
            return false;
        }
        let Ok(resource) = self.cluster.resource_of(object).await else {
            return false;
        };
        record.is_ready(self.cluster.identity(), owner, object, &resource)
    }

    /// Waits, beginning with objects as they were just read.
    pub(crate) async fn wait_from(
        &self,
        objects: Vec<(ObjectId, Option<Value>)>,
        options: &WaitOptions,
        scope: &Scope,
    ) -> Result<(), WaitError> {
        let mut watched = Vec::with_capacity(objects.len());
        for (object, seen) in objects {
            let health = match seen {
                Some(seen) => Some(self.judge(&object, Some(&seen), options).await),
                None => None,
            };
            watched.push(Watched { object, health });
        }
        let deadline = Instant::now() + options.timeout;
        let work = self.wait_until(&mut watched, options, deadline, scope);
        let timed = scope.run(tokio::time::timeout_at(deadline, work).boxed()).await;
        match timed {
            Err(_) => Err(WaitError::Cancelled),
            Ok(Err(_)) => Err(WaitError::Timeout(report(&watched, options, |status| {
                status != Status::Current
            }))),
            Ok(Ok(())) => {
                let failed = report(&watched, options, |status| status == Status::Failed);
                if failed.is_empty() { Ok(()) } else { Err(WaitError::Stalled(failed)) }
            }
        }
    }

    /// Returns when there is nothing more to wait for.
    async fn wait_until(
        &self,
        watched: &mut [Watched],
        options: &WaitOptions,
        deadline: Instant,
        scope: &Scope,
    ) {
        let mut changes = Changes::new();
        let mut is_first = true;
        loop {
            let unready: Vec<usize> = (0..watched.len())
                .filter(|index| !(is_first && watched[*index].is_current(options)))
                .filter(|index| !watched[*index].is_current(options))
                .collect();
            let due = if is_first {
                unready.into_iter().filter(|index| watched[*index].health.is_none()).collect()
            } else {
                unready
            };
            self.read_all(watched, due, options).await;
            if is_done(watched, options) {
                return;
            }
            if is_first {
                changes = self.watch_unready(watched, options, deadline).await;
                is_first = false;
            }
            let ready = watched.iter().filter(|one| one.is_current(options)).count() as u64;
            scope.advance(Stage::Health, ready, Some(watched.len() as u64));
            let tick = tokio::time::sleep(options.interval);
            let mut tick = std::pin::pin!(tick);
            loop {
                tokio::select! {
                    () = &mut tick => break,
                    Some((index, object)) = changes.next(), if !changes.is_empty() => {
                        let id = watched[index].object.clone();
                        let health = self.judge(&id, object.as_ref(), options).await;
                        watched[index].health = Some(health);
                        if is_done(watched, options) {
                            return;
                        }
                    }
                }
            }
        }
    }

    async fn read_all(&self, watched: &mut [Watched], due: Vec<usize>, options: &WaitOptions) {
        let reads = due.into_iter().map(|index| {
            let object = watched[index].object.clone();
            async move { (index, self.read(&object, options).await) }
        });
        let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(CONCURRENCY);
        let mut found = Vec::new();
        while let Some(read) = reads.next().await {
            found.push(read);
        }
        drop(reads);
        for (index, health) in found {
            watched[index].health = Some(health);
        }
    }

    async fn read(&self, object: &ObjectId, options: &WaitOptions) -> Health {
        match self.cluster.get(object).await {
            Ok(found) => self.judge(object, found.as_ref(), options).await,
            Err(error) => Health::new(Status::Unknown, error.to_string()),
        }
    }

    async fn judge(&self, id: &ObjectId, object: Option<&Value>, options: &WaitOptions) -> Health {
        let Some(object) = object else {
            return Health::new(Status::NotFound, "Resource not found");
        };
        let health = self.assess(id, object, options).await;
        if health.status == Status::Current
            && let (Some(record), Some(owner)) = (&self.record, &options.owner)
        {
            record.note_ready(owner, id, object);
        }
        health
    }

    async fn assess(&self, id: &ObjectId, object: &Value, options: &WaitOptions) -> Health {
        if let Some(health) = options.checks.assess(object, id).await {
            return health;
        }
        let health = health::assess(object, now());
        if health.status == Status::InProgress
            && matches!(id.kind.as_str(), "Deployment" | "ReplicaSet" | "StatefulSet")
            && matches!(id.group.as_str(), "apps" | "extensions")
        {
            let failed = self.failed_pods(id, object).await;
            if failed > 0 {
                return Health::new(Status::Failed, format!("{failed} pods have failed"));
            }
        }
        health
    }

    /// How many pods of a workload failed. Pods that are going or have no place do not count.
    async fn failed_pods(&self, id: &ObjectId, object: &Value) -> usize {
        let Some(labels) = object["spec"]["selector"]["matchLabels"].as_object() else {
            return 0;
        };
        let terms: Vec<String> = labels
            .iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
            .collect();
        if terms.is_empty() {
            return 0;
        }
        let selector = crate::cluster::escape(&terms.join(","));
        let namespace = crate::cluster::escape(&id.namespace);
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods?labelSelector={selector}&limit={POD_LIMIT}"
        );
        let list: Value = self.cluster.get_json(&path).await.unwrap_or_default();
        let pods = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let has_failed = |pod: &&Value| {
            let mut pod = (*pod).clone();
            pod["apiVersion"] = Value::from("v1");
            pod["kind"] = Value::from("Pod");
            pod["metadata"]["deletionTimestamp"].is_null()
                && !health::is_unschedulable(&pod)
                && health::assess(&pod, now()).status == Status::Failed
        };
        pods.iter().filter(has_failed).count()
    }

    /// Watches the first objects that are not ready. A watch that ends or is refused is not begun
    /// again: the objects are read at intervals anyway.
    async fn watch_unready(
        &self,
        watched: &[Watched],
        options: &WaitOptions,
        deadline: Instant,
    ) -> Changes {
        let mut changes = Changes::new();
        let seconds = deadline.saturating_duration_since(Instant::now()).as_secs() + 1;
        let unready = watched.iter().enumerate().filter(|(_, one)| !one.is_current(options));
        for (index, one) in unready.take(WATCH_LIMIT) {
            let Ok(resource) = self.cluster.resource_of(&one.object).await else {
                continue;
            };
            let path = resource.collection_path(&one.object.namespace);
            let name = crate::cluster::escape(&one.object.name);
            let path = format!(
                "{path}?watch=true&fieldSelector=metadata.name%3D{name}&timeoutSeconds={seconds}"
            );
            let Ok(request) = request(&path, "application/json") else {
                continue;
            };
            let client = self.cluster.client().clone();
            let events = async move {
                let events = client.request_events::<Value>(request).await.ok();
                stream::iter(events).map(futures::StreamExt::boxed).flatten()
            };
            let events = events.flatten_stream().filter_map(move |event| async move {
                match event.ok()? {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        Some((index, Some(object)))
                    }
                    WatchEvent::Deleted(_) => Some((index, None)),
                    _ => None,
                }
            });
            changes.push(events.boxed());
        }
        changes
    }
}

impl Watched {
    fn is_current(&self, options: &WaitOptions) -> bool {
        self.effective(options) == Some(Status::Current)
    }

    fn effective(&self, options: &WaitOptions) -> Option<Status> {
        let status = self.health.as_ref()?.status;
        let is_done_job = status == Status::NotFound
            && options.jobs_with_ttl.iter().any(|job| job.same_object(&self.object));
        Some(if is_done_job { Status::Current } else { status })
    }
}

/// Whether all are ready, or one failed and that is enough, or no other will change.
fn is_done(watched: &[Watched], options: &WaitOptions) -> bool {
    let mut all_final = true;
    let mut any_failed = false;
    for one in watched {
        match one.effective(options) {
            Some(Status::Current) => {}
            Some(Status::Failed) => any_failed = true,
            _ => all_final = false,
        }
    }
    all_final || (any_failed && options.fail_fast)
}

fn report(
    watched: &[Watched],
    options: &WaitOptions,
    is_listed: impl Fn(Status) -> bool,
) -> Vec<String> {
    watched
        .iter()
        .filter_map(|one| match (&one.health, one.effective(options)) {
            (Some(health), Some(status)) if is_listed(status) => Some(match status {
                Status::Unknown => format!("{} status: '{status}': {}", one.object, health.message),
                _ => format!("{} status: '{status}'", one.object),
            }),
            (None, _) if is_listed(Status::Unknown) => {
                Some(format!("can't determine status for {}", one.object))
            }
            _ => None,
        })
        .collect()
}

/// The age of a pod decides whether it counts as unschedulable; only here is the wall clock read.
fn now() -> Timestamp {
    Timestamp::now()
}
