//! The loop around a reconciler: from a change in the cluster to a written status.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use gitops_api::meta::annotation;
use gitops_core::{Class, Failure, ObjectId, Stage};
use kube::api::{ApiResource, DynamicObject};
use serde_json::{Map, json};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
};
use tracing::Instrument;

use super::{
    Attempt, Before, Cache, Context, Fault, Happening, Job, Key, Kind, Next, Queue, Reconcile,
    Requeue, Status as _, Stop, Turn, TurnResult, born_suspended, decode, in_progress, settle,
    suspended,
    turn::{Base, ProgressNote, ProgressState, Report, Writer, catch, raw_conditions},
    watch::asks_for_turn,
};

/// Runs the turns of one kind.
///
/// # Expected flow
/// 1. A change of the object (new, another generation, another `requestedAt`, deletion), of
///    something that it depends on ([`Controller::queue`]), or time queues it.
/// 2. A worker takes it from the cache; no request is made for reading it.
/// 3. Deleted: [`Reconcile::finalize`], then the finalizer goes. New: the finalizer comes first
///    and the turn goes on at once. Suspended: nothing.
/// 4. [`Reconcile::reconcile`]; a panic becomes a failure of this object alone.
/// 5. [`settle`] decides; one status patch writes what changed; events follow.
///
/// # Guarantees
/// An object is in one turn at a time. A turn sees at least what the turn before it wrote. No more
/// than `workers` turns reconcile at a time; the finalizer before and the status after are written
/// while others do.
pub struct Controller<R: Reconcile> {
    reconciler: R,
    pub(super) context: Context,
    pub(super) cache: Arc<Cache>,
    queue: Arc<Queue>,
    workers: usize,
    /// One for each turn that may reconcile at a time.
    slots: Semaphore,
    finalizer: &'static str,
}

/// How many turns for each slot: one that reconciles, and one whose finalizer or status is written
/// meanwhile.
const TURNS_PER_SLOT: usize = 2;

impl<R: Reconcile> std::fmt::Debug for Controller<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl<R: Reconcile> Controller<R> {
    /// A controller of the kind, whose watch starts now; `selector` is `--watch-label-selector`.
    pub fn new(reconciler: R, context: Context, selector: Option<&str>, workers: usize) -> Self {
        let cache = context.caches.watch(&ApiResource::erase::<R::Kind>(&()), selector);
        let queue = Arc::new(Queue::new(context.timing.backoff));
        let workers = workers.max(1);
        context.metrics.watch_queue(R::Kind::PROFILE.controller, workers, Arc::clone(&queue));
        let slots = Semaphore::new(workers);
        let finalizer = annotation::FINALIZER;
        Self { reconciler, context, cache, queue, workers, slots, finalizer }
    }

    /// Uses a finalizer other than Flux's common one.
    #[must_use]
    pub fn with_finalizer(mut self, finalizer: &'static str) -> Self {
        self.finalizer = finalizer;
        self
    }

    /// The queue, for whoever watches what objects depend on.
    pub fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    /// The objects.
    pub fn cache(&self) -> Arc<Cache> {
        Arc::clone(&self.cache)
    }

    /// Works until the scope ends; then the turns in hand are dropped at their next await.
    pub async fn run(self) {
        let controller = Arc::new(self);
        let queue = Arc::clone(&controller.queue);
        let context = controller.context.clone();
        let cache = Arc::clone(&controller.cache);
        let kind = cache.resource().kind.clone();
        let of = Arc::downgrade(&cache);
        cache.listen(move |change| {
            if !asks_for_turn(change) {
                return;
            }
            if change.new.is_none() {
                context.metrics.forget(&kind, &change.key);
                if let Some(cache) = of.upgrade() {
                    context.observer.happened(Happening::Gone { object: cache.id(&change.key) });
                }
                queue.forget(&change.key);
                return;
            }
            queue.add(&change.key, None);
        });
        let mut workers = JoinSet::new();
        for _ in 0..controller.workers * TURNS_PER_SLOT {
            let controller = Arc::clone(&controller);
            workers.spawn(async move {
                let scope = controller.context.scope.clone();
                // Dropping a turn is safe at any await; what it wrote stands.
                let _ = scope.run(controller.work()).await;
            });
        }
        while workers.join_next().await.is_some() {}
    }

    async fn work(&self) {
        loop {
            // Turns that never wait must not keep others from running, nor the process from ending.
            tokio::task::yield_now().await;
            let job = self.queue.next().await;
            let key = job.key.clone();
            let profile = R::Kind::PROFILE;
            self.context.metrics.waited(profile.controller, job.waited);
            let started = tokio::time::Instant::now();
            let resource = self.cache.resource();
            let span = tracing::info_span!(
                "turn",
                controller = profile.controller,
                controllerGroup = %resource.group,
                controllerKind = %resource.kind,
                name = %key.name,
                namespace = %key.namespace,
                reconcileID = %uuid::Uuid::new_v4(),
            );
            // Workers that wait hold no room for a turn, which takes up to 60 KiB.
            let (next, result) = Box::pin(self.turn(job)).instrument(span).await;
            self.queue.done(&key, next);
            let took = started.elapsed();
            self.context.metrics.turn(profile.controller, &resource.kind, &key, result, took);
            if self.cache.get(&key).is_none() {
                self.queue.forget(&key);
                self.context.metrics.forget(&resource.kind, &key);
            }
        }
    }

    async fn turn(&self, job: Job) -> (Next, TurnResult) {
        match self.try_job(&job).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(error = %gitops_core::one_line(&error), "Reconciler error");
                (Next::BACKOFF, TurnResult::Error)
            }
        }
    }

    /// Prepares an object, waits for a slot, and makes the turn with the object as it is then.
    async fn try_job(&self, job: &Job) -> Result<(Next, TurnResult), kube::Error> {
        let gone = (Next::Rest, TurnResult::Success);
        let Some(object) = self.cache.get(&job.key) else { return Ok(gone) };
        let is_new = self.lacks_finalizer(&object)
            && object.metadata.deletion_timestamp.is_none()
            && decode::<R::Kind>(&object).is_ok_and(|typed| !typed.is_static());
        if is_new && self.writer().finalizer(&object, self.finalizer, true).await?.is_none() {
            return Ok(gone);
        }
        let prepared = is_new.then(|| object.metadata.uid.clone());
        let slot = self.slots.acquire().await.expect("the slots are never closed");
        self.queue.begin(&job.key);
        let Some(object) = self.cache.get(&job.key) else { return Ok(gone) };
        let is_first = prepared.is_some_and(|uid| uid == object.metadata.uid);
        self.try_turn(job, object, is_first, slot).await
    }

    fn lacks_finalizer(&self, object: &DynamicObject) -> bool {
        let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
        !finalizers.iter().any(|known| known == self.finalizer)
    }

    /// A turn; an error is one of talking to the API server about the object itself.
    async fn try_turn(
        &self,
        job: &Job,
        object: Arc<DynamicObject>,
        mut is_first: bool,
        slot: SemaphorePermit<'_>,
    ) -> Result<(Next, TurnResult), kube::Error> {
        let typed: R::Kind = match decode(&object) {
            Ok(typed) => typed,
            Err(error) => return self.undecodable(&object, &error).await,
        };
        if object.metadata.deletion_timestamp.is_some() {
            return self.finalize(job, &object, &typed).await;
        }
        if typed.is_static() {
            return self.leave(job, &object, &typed).await;
        }
        let mut object = object;
        // Another one of the same name may stand there since it was prepared.
        if self.lacks_finalizer(&object) {
            match self.writer().finalizer(&object, self.finalizer, true).await? {
                Some(written) => {
                    object = Arc::new(written);
                    is_first = true;
                }
                None => return Ok((Next::Rest, TurnResult::Success)),
            }
        }
        if typed.suspended() {
            tracing::debug!("reconciliation is suspended for this object");
            return self.suspended(&object, &typed, is_first).await;
        }
        let started = tokio::time::Instant::now();
        let base = Base::new(&object, &typed, &self.context);
        let progress = Arc::new(ProgressNote::default());
        if let Some(message) = base.announcement::<R::Kind>() {
            progress.step(Stage::Resolve, message);
        }
        let mut attempt = self.attempt(&base.status, &progress, job);
        attempt.is_first = is_first;
        let report = Report::default();
        let turn = {
            let work = catch(self.reconciler.reconcile(&typed, &mut attempt));
            tokio::select! {
                biased;
                turn = work => turn,
                never = self.report(&base, &object, &progress, &report) => match never {},
            }
        };
        drop(slot);
        let turn = turn.unwrap_or_else(|panic| {
            self.context.metrics.panicked(R::Kind::PROFILE.controller);
            Err(panic.into())
        });
        let reported = report.tried.load(Ordering::Relaxed);
        let object = report.latest.into_inner().map_or(object, Arc::new);
        let object = match attempt.take_written() {
            Some(written) => {
                self.cache.observe(written.clone());
                Arc::new(written)
            }
            None => object,
        };
        let progress = progress.get();
        let before = base.before(progress.message.as_deref(), self.context.clock.now());
        log_untold(&turn);
        let settled = settle(R::Kind::PROFILE, before, attempt.facts(), &turn);
        let published = report.published.into_inner();
        let changes =
            base.changes(attempt.status.clone(), &settled, reported, published.as_deref());
        let mut written = Arc::clone(&object);
        if !changes.is_empty() {
            match self.writer().status(&object, changes).await? {
                Some(answer) => written = Arc::new(answer),
                None => return Ok((Next::Rest, TurnResult::Success)),
            }
        }
        self.tell(&written, &settled, attempt.metadata(), started.elapsed());
        Ok((self.next(settled.requeue), settled.result))
    }

    fn attempt(
        &self,
        status: &<R::Kind as Kind>::Status,
        progress: &Arc<ProgressNote>,
        job: &Job,
    ) -> Attempt<R::Kind> {
        Attempt::with_parts(
            status.clone(),
            self.context.scope.child(),
            Arc::clone(&self.context.clock),
            Arc::clone(progress),
            job.newer.clone(),
        )
    }

    /// Writes the step of a turn to the status once the turn takes long, and each later step then.
    async fn report(
        &self,
        base: &Base<<R::Kind as Kind>::Status>,
        object: &Arc<DynamicObject>,
        progress: &ProgressNote,
        report: &Report,
    ) -> std::convert::Infallible {
        let id = self.cache.id(&Key::of(object));
        let patient = tokio::time::Instant::now() + self.context.timing.progress_after;
        let mut shown = None;
        loop {
            progress.changed().await;
            let mut state = progress.get();
            self.happened_step(&id, &state);
            // Further steps within the patience cost nothing.
            while tokio::time::timeout_at(patient, progress.changed()).await.is_ok() {
                state = progress.get();
                self.happened_step(&id, &state);
            }
            if shown.as_ref() == Some(&state) {
                continue;
            }
            let before = base.before(state.message.as_deref(), self.context.clock.now());
            if let Some(conditions) = in_progress(R::Kind::PROFILE, before, state.drifted) {
                let so_far = state.status.as_deref().map(|status| base.changes_so_far(status));
                let mut changes = so_far.unwrap_or_default();
                changes.insert("conditions".into(), json!(conditions));
                report.tried.store(true, Ordering::Relaxed);
                let current = report.latest.lock().clone();
                let current = current.unwrap_or_else(|| (**object).clone());
                match self.writer().status(&current, changes).await {
                    Ok(Some(written)) => {
                        *report.latest.lock() = Some(written);
                        report.published.lock().clone_from(&state.status);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::debug!(error = %gitops_core::one_line(&error), "progress not written");
                    }
                }
            }
            shown = Some(state);
        }
    }

    fn happened_step(&self, object: &ObjectId, state: &ProgressState) {
        if let (Some(stage), Some(message)) = (state.stage, &state.message) {
            tracing::debug!(stage = stage.name(), "{message}");
            self.context.observer.happened(Happening::Step {
                object: object.clone(),
                stage,
                message: message.clone(),
            });
        }
    }

    async fn suspended(
        &self,
        object: &DynamicObject,
        typed: &R::Kind,
        is_first: bool,
    ) -> Result<(Next, TurnResult), kube::Error> {
        let base = Base::new(object, typed, &self.context);
        let before = base.before(None, self.context.clock.now());
        let observed = base.status.observed_generation();
        let mut changes = Map::new();
        if let Some(told) = typed.born_suspended().filter(|_| is_first) {
            let conditions = born_suspended(R::Kind::PROFILE, before, told);
            changes.insert("conditions".into(), json!(conditions));
        } else if let Some(conditions) = suspended(R::Kind::PROFILE, before)
            && observed != Some(base.generation)
        {
            changes.insert("conditions".into(), json!(conditions));
            changes.insert("observedGeneration".into(), json!(base.generation));
        }
        changes.extend(base.request_of_suspended::<R::Kind>());
        if !changes.is_empty() {
            self.writer().status(object, changes).await?;
        }
        if let Some(notice) = typed.suspended_notice() {
            self.send_events(object, &[notice], &std::collections::BTreeMap::new());
        }
        Ok((Next::Rest, TurnResult::Success))
    }

    /// Removes what earlier turns left of an object that is not reconciled any more.
    async fn leave(
        &self,
        job: &Job,
        object: &DynamicObject,
        typed: &R::Kind,
    ) -> Result<(Next, TurnResult), kube::Error> {
        if typed.suspended() {
            return Ok((Next::Rest, TurnResult::Success));
        }
        let status = object.data.get("status").and_then(serde_json::Value::as_object);
        let changes: Map<_, _> =
            status.into_iter().flatten().map(|(key, _)| (key.clone(), json!(null))).collect();
        if !changes.is_empty() && self.writer().status(object, changes).await?.is_none() {
            return Ok((Next::Rest, TurnResult::Success));
        }
        self.finalize(job, object, typed).await
    }

    async fn finalize(
        &self,
        job: &Job,
        object: &DynamicObject,
        typed: &R::Kind,
    ) -> Result<(Next, TurnResult), kube::Error> {
        if self.lacks_finalizer(object) {
            return Ok((Next::Rest, TurnResult::Success));
        }
        let started = tokio::time::Instant::now();
        let base = Base::new(object, typed, &self.context);
        let progress = Arc::new(ProgressNote::default());
        let mut attempt = self.attempt(&base.status, &progress, job);
        let turn = catch(self.reconciler.finalize(typed, &mut attempt)).await;
        let turn = turn.unwrap_or_else(|panic| Err(panic.into()));
        let before = base.before(None, self.context.clock.now());
        log_untold(&turn);
        let settled = settle(R::Kind::PROFILE, before, attempt.facts(), &turn);
        if turn.is_ok() {
            self.send_events(object, &settled.events, attempt.metadata());
            self.writer().finalizer(object, self.finalizer, false).await?;
            return Ok((Next::Rest, TurnResult::Success));
        }
        let changes = base.changes(attempt.status.clone(), &settled, false, None);
        if !changes.is_empty() {
            self.writer().status(object, changes).await?;
        }
        self.tell(object, &settled, attempt.metadata(), started.elapsed());
        // What must be cleaned up is tried again whatever the profile says.
        Ok((Next::BACKOFF, TurnResult::Error))
    }

    /// Tells about an object that does not fit its type, and leaves it until it changes.
    async fn undecodable(
        &self,
        object: &DynamicObject,
        error: &serde_json::Error,
    ) -> Result<(Next, TurnResult), kube::Error> {
        let message = format!("the object does not fit its type: {error}");
        tracing::error!(error = %message, "Reconciler error");
        let fault = Fault::new(Class::Invalid, message).reason("InvalidObject");
        let profile = super::Profile { stalls: |_, _, _| true, ..*R::Kind::PROFILE };
        let conditions = raw_conditions(object);
        let before = Before {
            generation: object.metadata.generation.unwrap_or_default(),
            conditions: &conditions,
            progress: None,
            interval: Duration::ZERO,
            retry_interval: Duration::ZERO,
            dependency_interval: Duration::ZERO,
            now: self.context.clock.now(),
        };
        let turn = Err(Failure::new(Stage::Validate, fault).into());
        let settled = settle(&profile, before, &[], &turn);
        let mut changes = Map::new();
        changes.insert("conditions".into(), json!(settled.conditions));
        changes.insert("observedGeneration".into(), json!(before.generation));
        // The API server refuses any write where its schema refuses the object.
        if let Err(error) = self.writer().status(object, changes).await {
            tracing::debug!(error = %gitops_core::one_line(&error), "status not written");
        }
        self.tell(object, &settled, &std::collections::BTreeMap::new(), Duration::ZERO);
        Ok((Next::Rest, TurnResult::Success))
    }

    fn writer(&self) -> Writer<'_> {
        Writer {
            client: &self.context.client,
            cache: &self.cache,
            manager: self.context.manager,
            owned: R::Kind::PROFILE.owned,
        }
    }

    fn next(&self, requeue: Requeue) -> Next {
        match requeue {
            Requeue::Never => Next::Rest,
            Requeue::Now => Next::Now,
            // A retry at once, for ever, would keep a worker from everybody else; no interval means,
            // as in Flux, no turn before something changes.
            Requeue::After(Duration::ZERO) => Next::BACKOFF,
            Requeue::Jittered(Duration::ZERO) => Next::Rest,
            Requeue::After(delay) => Next::After(delay),
            Requeue::Jittered(interval) => Next::After(self.context.timing.jittered(interval)),
            // A server that is overloaded asks all of its clients, who shall not come at once.
            Requeue::Backoff { at_least } => {
                Next::Backoff { at_least: at_least.mul_f64(1.0 + 0.1 * rand::random::<f64>()) }
            }
        }
    }
}

/// What no condition and no event says.
fn log_untold(turn: &Turn) {
    if let Err(Stop::Untold(failure)) = turn {
        tracing::error!("Reconciler error: {}", gitops_core::one_line(&*failure.error));
    }
}
