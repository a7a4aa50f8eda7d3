//! What all controllers of a process share.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use gitops_core::{Backoff, Clock, Scope};
use kube::{Client, api::ApiResource};
use parking_lot::Mutex;

use super::{Cache, Events, Metrics, Observer};

/// What all controllers of a process share. Cloning is cheap.
#[derive(Clone)]
pub struct Context {
    /// The process' own client. Act as a tenant through impersonation, not with this one.
    pub client: Client,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Events,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// The caches of the process.
    pub caches: Caches,
    /// How turns are timed.
    pub timing: Timing,
    /// The field manager of finalizers and status.
    pub manager: &'static str,
    /// Ends everything.
    pub scope: Scope,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("manager", &self.manager).finish_non_exhaustive()
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.lock().values()).finish()
    }
}

/// How turns are timed: Flux's flags.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// `--requeue-dependency`.
    pub dependency: Duration,
    /// `--interval-jitter-percentage`.
    pub jitter_percent: u8,
    /// `--min-retry-delay` and `--max-retry-delay`.
    pub backoff: Backoff,
    /// How long a turn may run before its progress is written to the status.
    pub progress_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            dependency: Duration::from_secs(30),
            jitter_percent: 5,
            backoff: Backoff::FLUX,
            progress_after: Duration::from_millis(1500),
        }
    }
}

impl Timing {
    /// The interval with its jitter.
    pub fn jittered(&self, interval: Duration) -> Duration {
        Backoff::jitter(interval, self.jitter_percent, rand::random())
    }
}

/// API group, kind and label selector.
type CacheKey = (String, String, String);

/// The caches of a process, one per kind and label selector; all see one namespace or all.
#[derive(Clone)]
pub struct Caches {
    client: Client,
    namespace: Option<String>,
    scope: Scope,
    known: Arc<Mutex<HashMap<CacheKey, Arc<Cache>>>>,
}

impl Caches {
    /// No cache yet. `namespace` is the only one that is watched, where it is set.
    pub fn new(client: Client, namespace: Option<String>, scope: Scope) -> Self {
        Self { client, namespace, scope, known: Arc::default() }
    }

    /// The cache of a kind; the watch starts with the first call. `selector` restricts it by
    /// labels.
    pub fn watch(&self, resource: &ApiResource, selector: Option<&str>) -> Arc<Cache> {
        let selector = selector.unwrap_or_default().to_owned();
        let key = (resource.group.clone(), resource.kind.clone(), selector.clone());
        let mut known = self.known.lock();
        let cache = known.entry(key).or_insert_with(|| {
            let cache = Cache::new(resource.clone());
            let run = Arc::clone(&cache).run(
                self.client.clone(),
                self.namespace.clone(),
                Some(selector),
                self.scope.clone(),
            );
            tokio::spawn(run);
            cache
        });
        Arc::clone(cache)
    }

    /// Completes when all caches are filled.
    pub async fn synced(&self) {
        let known: Vec<_> = self.known.lock().values().cloned().collect();
        for cache in known {
            cache.synced().await;
        }
    }
}
