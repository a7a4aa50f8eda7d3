//! Who is next: one entry per object, never in two hands at once.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    time::Duration,
};

use gitops_core::{Backoff, ObjectId};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::runtime::Key;

/// A queue of objects with delays and per-object back-off, on the tokio clock.
///
/// An object that is added while it waits is not added twice; one that is added while it is worked
/// on comes back once when it is done. A finished turn's delay replaces earlier ones.
#[derive(Debug)]
pub struct Queue {
    backoff: Backoff,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<(Key, Instant)>,
    entries: HashMap<Key, Entry>,
    due: BinaryHeap<Reverse<(Instant, Key)>>,
    counters: QueueCounters,
}

/// What metrics tell of a queue.
#[derive(Clone, Debug, Default)]
pub struct QueueCounters {
    /// Objects that wait for a worker.
    pub depth: usize,
    /// Additions so far.
    pub adds: u64,
    /// Back-offs so far.
    pub retries: u64,
    /// Since when the objects in hand are worked on.
    pub running: Vec<Instant>,
}

#[derive(Debug, Default)]
struct Entry {
    /// In `ready`, or to be put there when the running turn ends.
    queued: bool,
    /// A change asked for the next turn: the running one's requeue time does not matter.
    running: Option<(watch::Sender<Option<ObjectId>>, Instant)>,
    due: Option<Instant>,
    failures: u32,
}

/// An object to work on.
#[derive(Debug)]
pub struct Job {
    /// Which.
    pub key: Key,
    /// How long it was ready.
    pub waited: Duration,
    /// Set when a change queues the next turn meanwhile.
    pub newer: watch::Receiver<Option<ObjectId>>,
}

/// What follows a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing; failures are forgotten.
    Rest,
    /// The next turn at once.
    Now,
    /// The next turn after a time; failures are forgotten.
    After(Duration),
    /// The next turn after a back-off that grows.
    Backoff {
        /// It is no shorter than this.
        at_least: Duration,
    },
}

impl Next {
    /// The next turn after a back-off that grows.
    pub const BACKOFF: Self = Self::Backoff { at_least: Duration::ZERO };
}

impl Queue {
    /// An empty queue.
    pub fn new(backoff: Backoff) -> Self {
        Self { backoff, state: Mutex::default(), wake: Notify::new() }
    }

    /// Queues an object now. `cause` is the object whose change did it, where that is another one.
    pub fn add(&self, key: &Key, cause: Option<&ObjectId>) {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.counters.adds += 1;
        let entry = state.entries.entry(key.clone()).or_default();
        entry.due = None;
        if let (Some((newer, _)), Some(cause)) = (&entry.running, cause) {
            newer.send_replace(Some(cause.clone()));
        }
        if !std::mem::replace(&mut entry.queued, true) && entry.running.is_none() {
            state.ready.push_back((key.clone(), Instant::now()));
            self.wake.notify_one();
        }
    }

    /// Queues an object after a time, unless it is due earlier.
    pub fn add_after(&self, key: &Key, delay: Duration) {
        let mut state = self.state.lock();
        let due = Instant::now() + delay;
        let entry = state.entries.entry(key.clone()).or_default();
        if entry.queued || entry.due.is_some_and(|known| known <= due) {
            return;
        }
        entry.due = Some(due);
        state.due.push(Reverse((due, key.clone())));
        drop(state);
        self.wake.notify_one();
    }

    /// The next object; waits for one. Safe to drop.
    pub async fn next(&self) -> Job {
        loop {
            let woken = self.wake.notified();
            let due = {
                let mut state = self.state.lock();
                let now = Instant::now();
                state.promote(now);
                if let Some(job) = state.take(now) {
                    if !state.ready.is_empty() {
                        self.wake.notify_one();
                    }
                    return job;
                }
                state.due.peek().map(|Reverse((due, _))| *due)
            };
            match due {
                Some(due) => tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep_until(due) => {}
                },
                None => woken.await,
            }
        }
    }

    /// Begins with an object that was taken before: what queued it since is seen by this turn.
    pub fn begin(&self, key: &Key) {
        let mut state = self.state.lock();
        if let Some(entry) = state.entries.get_mut(key)
            && let Some((newer, _)) = &entry.running
        {
            newer.send_replace(None);
            entry.queued = false;
        }
    }

    /// Ends the turn of an object.
    pub fn done(&self, key: &Key, next: Next) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let now = Instant::now();
        let Some(entry) = state.entries.get_mut(key) else {
            return;
        };
        entry.running = None;
        let delay = match next {
            Next::Backoff { at_least } => {
                entry.failures = entry.failures.saturating_add(1);
                state.counters.retries += 1;
                Some(self.backoff.delay(entry.failures).max(at_least))
            }
            Next::Rest => {
                entry.failures = 0;
                None
            }
            Next::After(delay) => {
                entry.failures = 0;
                Some(delay)
            }
            Next::Now => Some(Duration::ZERO),
        };
        let at_once = delay == Some(Duration::ZERO);
        if entry.queued || at_once {
            entry.queued = true;
            entry.due = None;
            state.ready.push_back((key.clone(), now));
        } else if let Some(delay) = delay {
            let due = now + delay;
            entry.due = Some(due);
            state.due.push(Reverse((due, key.clone())));
        } else if entry.failures == 0 {
            state.entries.remove(key);
        }
        self.wake.notify_one();
    }

    /// Forgets the failures and the due time of an object that is gone.
    pub fn forget(&self, key: &Key) {
        let mut state = self.state.lock();
        if let Some(entry) = state.entries.get_mut(key) {
            entry.failures = 0;
            entry.due = None;
            if entry.running.is_none() && !entry.queued {
                state.entries.remove(key);
            }
        }
    }

    /// The failures in a row of an object.
    pub fn failures(&self, key: &Key) -> u32 {
        self.state.lock().entries.get(key).map_or(0, |entry| entry.failures)
    }

    /// How many objects wait for a worker.
    pub fn depth(&self) -> usize {
        self.state.lock().ready.len()
    }

    /// What metrics tell.
    pub fn counters(&self) -> QueueCounters {
        let state = self.state.lock();
        QueueCounters {
            depth: state.ready.len(),
            running: state
                .entries
                .values()
                .filter_map(|entry| entry.running.as_ref().map(|(_, since)| *since))
                .collect(),
            ..state.counters.clone()
        }
    }
}

impl State {
    /// Moves what is due to the ready objects. Entries of the heap that were replaced are dropped.
    fn promote(&mut self, now: Instant) {
        while let Some(Reverse((due, _))) = self.due.peek() {
            if *due > now {
                break;
            }
            let Some(Reverse((due, key))) = self.due.pop() else {
                break;
            };
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            if entry.due != Some(due) {
                continue;
            }
            entry.due = None;
            if !std::mem::replace(&mut entry.queued, true) && entry.running.is_none() {
                self.counters.adds += 1;
                self.ready.push_back((key, due));
            }
        }
    }

    fn take(&mut self, now: Instant) -> Option<Job> {
        let (key, since) = self.ready.pop_front()?;
        let entry = self.entries.entry(key.clone()).or_default();
        entry.queued = false;
        let (sender, newer) = watch::channel(None);
        entry.running = Some((sender, now));
        Some(Job { key, waited: now.saturating_duration_since(since), newer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_never_in_two_hands() {
        let queue = Queue::new(Backoff::FLUX);
        queue.add(&key("a"), None);
        queue.add(&key("a"), None);
        let job = queue.next().await;
        let cause = ObjectId::new("v1", "ConfigMap", "ns", "c");
        queue.add(&key("a"), Some(&cause));
        assert_eq!(job.newer.borrow().as_ref(), Some(&cause));
        let other = tokio::time::timeout(Duration::from_secs(3600), queue.next()).await;
        assert!(other.is_err(), "handed out twice");
        queue.done(&job.key, Next::After(Duration::from_secs(600)));
        // The change counts, not the interval.
        let start = Instant::now();
        queue.next().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_before_a_turn_begins_asks_for_no_other() {
        let queue = Queue::new(Backoff::FLUX);
        let cause = ObjectId::new("v1", "ConfigMap", "ns", "c");
        queue.add(&key("a"), None);
        let job = queue.next().await;
        queue.add(&key("a"), Some(&cause));
        queue.begin(&job.key);
        assert!(job.newer.borrow().is_none(), "superseded by what it sees");
        queue.done(&job.key, Next::Rest);
        let other = tokio::time::timeout(Duration::from_secs(3600), queue.next()).await;
        assert!(other.is_err(), "handed out again");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_and_success_forgets_them() {
        let queue = Queue::new(Backoff::FLUX);
        queue.add(&key("a"), None);
        for expected in [750, 1500, 3000] {
            let job = queue.next().await;
            let start = Instant::now();
            queue.done(&job.key, Next::BACKOFF);
            let job = queue.next().await;
            assert_eq!(start.elapsed().as_millis(), expected);
            queue.add(&job.key, None);
            queue.done(&job.key, Next::Now);
        }
        let job = queue.next().await;
        queue.done(&job.key, Next::Rest);
        assert_eq!(queue.failures(&key("a")), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_overloaded_lengthens_the_back_off() {
        let queue = Queue::new(Backoff::FLUX);
        queue.add(&key("a"), None);
        for (asked, expected) in [(7000, 7000), (0, 1500), (2000, 3000), (60_000, 60_000)] {
            let job = queue.next().await;
            let start = Instant::now();
            queue.done(&job.key, Next::Backoff { at_least: Duration::from_millis(asked) });
            let job = queue.next().await;
            assert_eq!(start.elapsed().as_millis(), expected);
            queue.add(&job.key, None);
            queue.done(&job.key, Next::Now);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turns_delay_replaces_earlier_ones() {
        let queue = Queue::new(Backoff::FLUX);
        queue.add(&key("a"), None);
        let job = queue.next().await;
        queue.done(&job.key, Next::After(Duration::from_secs(10)));
        queue.add(&key("a"), None);
        let job = queue.next().await;
        let start = Instant::now();
        queue.done(&job.key, Next::After(Duration::from_secs(60)));
        queue.next().await;
        assert_eq!(start.elapsed(), Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn the_nearest_is_first_and_all_workers_are_fed() {
        let queue = std::sync::Arc::new(Queue::new(Backoff::FLUX));
        for (name, delay) in [("late", 30), ("soon", 10), ("mid", 20)] {
            queue.add_after(&key(name), Duration::from_secs(delay));
        }
        let mut names = Vec::new();
        for _ in 0..3 {
            names.push(queue.next().await.key.name);
        }
        assert_eq!(names, ["soon", "mid", "late"]);

        let workers: Vec<_> = (0..8)
            .map(|_| {
                let queue = std::sync::Arc::clone(&queue);
                tokio::spawn(async move { queue.next().await.key.name })
            })
            .collect();
        tokio::task::yield_now().await;
        for n in 0..8 {
            queue.add(&key(&format!("n{n}")), None);
        }
        let mut got = Vec::new();
        for worker in workers {
            got.push(worker.await.unwrap());
        }
        got.sort();
        assert_eq!(got, (0..8).map(|n| format!("n{n}")).collect::<Vec<_>>());
    }
}
