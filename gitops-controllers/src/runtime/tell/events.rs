//! Telling: core/v1 Events in the cluster, and posts to the events address.
//!
//! Both go through bounded queues of their own tasks: a slow or absent receiver never delays a
//! turn. Equal events are counted up in one Event, as client-go's recorder does.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use gitops_core::{Clock, Scope};
use http::StatusCode;
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::runtime::{Metrics, Notice, RateLimit, Severity, client::Bucket};

/// Events that wait per target; when there are more, the newest are dropped and counted.
const WAITING: usize = 4096;
/// Distinct events that are remembered for counting.
const REMEMBERED: usize = 4096;
/// How often one object may tell something new at once, and after how long it may tell more:
/// client-go's spam filter.
const BURST: f64 = 25.0;
const REFILL: Duration = Duration::from_secs(300);
/// How fast Events are written to the cluster: what Flux's client is limited to. A crowd of turns
/// does not share the API server with what it tells; a queue that fills up is not held back.
const PACE: RateLimit = RateLimit { per_second: 50.0, burst: 300 };
/// While turns wait for a worker, an event waits this long: it tells what was done, and must not keep
/// a crowd of turns from doing it.
const TRICKLE: Duration = Duration::from_millis(200);
/// How often it is looked whether they still do.
const LOOK: Duration = Duration::from_millis(20);
/// Posts in flight at a time.
const POSTS: usize = 8;
const POST_TIMEOUT: Duration = Duration::from_secs(5);
const POST_TRIES: u32 = 5;

/// Which object an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Involved {
    /// `group/version`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The state that the event speaks of.
    pub resource_version: String,
}

/// One event, complete.
#[derive(Clone, Debug)]
pub struct Told {
    /// About what.
    pub involved: Involved,
    /// What.
    pub notice: Notice,
    /// All metadata, with prefixes.
    pub metadata: BTreeMap<String, String>,
    /// When.
    pub at: jiff::Timestamp,
}

/// Takes events and sends them beside the work.
#[derive(Clone, Debug)]
pub struct Events {
    cluster: Option<mpsc::Sender<Told>>,
    http: Option<mpsc::Sender<Told>>,
    metrics: Arc<Metrics>,
}

/// Where events go and in whose name.
#[derive(Clone, Debug)]
pub struct EventTargets {
    /// The reporting controller, e.g. `source-controller`.
    pub controller: String,
    /// The reporting instance: the host name.
    pub instance: String,
    /// `--events-addr`; none where it is empty.
    pub address: Option<String>,
    /// Whether core/v1 Events are written.
    pub in_cluster: bool,
}

impl Events {
    /// Drops everything.
    pub fn nowhere(metrics: Arc<Metrics>) -> Self {
        Self { cluster: None, http: None, metrics }
    }

    /// Starts the tasks that send. They end with the scope, after what waits was tried once.
    pub fn start(
        client: Client,
        targets: EventTargets,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        scope: &Scope,
    ) -> Self {
        let cluster = targets.in_cluster.then(|| {
            let (sender, receiver) = mpsc::channel(WAITING);
            let recorder = Recorder::new(client, targets.clone(), clock, Arc::clone(&metrics));
            tokio::spawn(recorder.run(receiver, scope.clone()));
            sender
        });
        let http = targets.address.clone().map(|address| {
            let (sender, receiver) = mpsc::channel(WAITING);
            tokio::spawn(post_all(address, targets, receiver, Arc::clone(&metrics), scope.clone()));
            sender
        });
        Self { cluster, http, metrics }
    }

    /// Hands an event over; never waits.
    pub fn send(&self, told: Told) {
        if let Some(http) = &self.http
            && told.notice.severity != Severity::Trace
            && http.try_send(told.clone()).is_err()
        {
            self.metrics.event("http", "dropped");
        }
        if let Some(cluster) = &self.cluster
            && cluster.try_send(told).is_err()
        {
            self.metrics.event("cluster", "dropped");
        }
    }
}

/// Writes core/v1 Events.
struct Recorder {
    client: Client,
    targets: EventTargets,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    known: HashMap<Fingerprint, Known>,
    order: VecDeque<Fingerprint>,
    budgets: HashMap<String, (f64, jiff::Timestamp)>,
}

/// A digest of what makes two events equal.
type Fingerprint = [u8; 16];

struct Known {
    name: String,
    count: i32,
}

impl Recorder {
    fn new(
        client: Client,
        targets: EventTargets,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            client,
            targets,
            clock,
            metrics,
            known: HashMap::new(),
            order: VecDeque::new(),
            budgets: HashMap::new(),
        }
    }

    async fn run(mut self, mut waiting: mpsc::Receiver<Told>, scope: Scope) {
        let mut pace = Bucket::new(PACE);
        loop {
            let told = tokio::select! {
                biased;
                told = waiting.recv() => told,
                () = scope.cancelled() => None,
            };
            let Some(told) = told else { return };
            // When the process ends, what waits goes at once.
            let _ = scope.run(self.let_turns_pass(&waiting)).await;
            if waiting.len() < WAITING / 2 {
                let _ = scope.run(tokio::time::sleep(pace.take())).await;
            }
            let result = match self.write(&told).await {
                Ok(true) => "sent",
                Ok(false) => "filtered",
                Err(error) => {
                    tracing::debug!(error = %gitops_core::one_line(&error), "event not written");
                    "failed"
                }
            };
            self.metrics.event("cluster", result);
        }
    }

    /// Waits while turns do, but not for long, and not where some events would be dropped soon.
    async fn let_turns_pass(&self, waiting: &mpsc::Receiver<Told>) {
        let deadline = tokio::time::Instant::now() + TRICKLE;
        while waiting.len() < WAITING / 2
            && self.metrics.waiting_turns() > 0
            && tokio::time::Instant::now() < deadline
        {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn write(&mut self, told: &Told) -> Result<bool, kube::Error> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &told.involved.namespace);
        let warning = told.notice.severity == Severity::Error;
        let fingerprint = fingerprint(told, warning);
        if !self.within_budget(&told.involved.uid) {
            return Ok(false);
        }
        let now = told.at.to_string();
        if let Some(known) = self.known.get_mut(&fingerprint) {
            let patch = json!({"count": known.count + 1, "lastTimestamp": now});
            match api.patch(&known.name, &PatchParams::default(), &Patch::Strategic(patch)).await {
                Ok(_) => {
                    known.count += 1;
                    return Ok(true);
                }
                // Events expire; tell it anew.
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    self.known.remove(&fingerprint);
                }
                Err(error) => return Err(error),
            }
        }
        let name = event_name(&told.involved.name, told.at);
        let event = self.event(told, &name, warning, &now);
        let event: Event = serde_json::from_value(event).map_err(kube::Error::SerdeError)?;
        api.create(&PostParams::default(), &event).await?;
        if self.known.insert(fingerprint, Known { name, count: 1 }).is_none() {
            self.order.push_back(fingerprint);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        Ok(true)
    }

    fn event(&self, told: &Told, name: &str, warning: bool, now: &str) -> Value {
        let involved = &told.involved;
        let mut metadata = json!({"name": name, "namespace": involved.namespace});
        if !told.metadata.is_empty() {
            metadata["annotations"] = json!(told.metadata);
        }
        json!({
            "metadata": metadata,
            "involvedObject": {
                "apiVersion": involved.api_version,
                "kind": involved.kind,
                "namespace": involved.namespace,
                "name": involved.name,
                "uid": involved.uid,
                "resourceVersion": involved.resource_version,
            },
            "type": if warning { "Warning" } else { "Normal" },
            "reason": told.notice.reason,
            // The API server takes no more than this.
            "message": gitops_core::truncate(&told.notice.message, 1024 * 64),
            "source": {"component": self.targets.controller},
            "reportingComponent": self.targets.controller,
            "reportingInstance": "",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        })
    }

    fn within_budget(&mut self, uid: &str) -> bool {
        let now = self.clock.now();
        if self.budgets.len() > REMEMBERED {
            self.budgets.clear();
        }
        let (budget, since) = self.budgets.entry(uid.to_owned()).or_insert((BURST, now));
        let passed = now.duration_since(*since).as_secs_f64().max(0.0);
        *budget = (*budget + passed / REFILL.as_secs_f64()).min(BURST);
        *since = now;
        if *budget < 1.0 {
            return false;
        }
        *budget -= 1.0;
        true
    }
}

fn fingerprint(told: &Told, warning: bool) -> Fingerprint {
    let mut hasher = Sha256::new();
    for text in [&told.involved.uid, &told.notice.reason, &told.notice.message] {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.update([u8::from(warning)]);
    let digest: [u8; 32] = hasher.finalize().into();
    let mut short = Fingerprint::default();
    short.copy_from_slice(&digest[..16]);
    short
}

/// After the moment it was told and not when it is written: names sort as things happened, as
/// client-go's do.
fn event_name(object: &str, told: jiff::Timestamp) -> String {
    let mut object = object.to_owned();
    object.truncate(200);
    format!("{object}.{:x}", told.as_nanosecond())
}

/// Posts events until the scope ends.
async fn post_all(
    address: String,
    targets: EventTargets,
    mut waiting: mpsc::Receiver<Told>,
    metrics: Arc<Metrics>,
    scope: Scope,
) {
    let client = match reqwest::Client::builder().timeout(POST_TIMEOUT).build() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(error = %gitops_core::one_line(&error), "no client for events");
            return;
        }
    };
    let slots = Arc::new(tokio::sync::Semaphore::new(POSTS));
    loop {
        let told = tokio::select! {
            biased;
            told = waiting.recv() => told,
            () = scope.cancelled() => None,
        };
        let Some(told) = told else { return };
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let (client, address, metrics) = (client.clone(), address.clone(), Arc::clone(&metrics));
        let (body, scope) = (body(&told, &targets), scope.clone());
        tokio::spawn(async move {
            let result = scope.run(post(&client, &address, &body)).await.unwrap_or("cancelled");
            metrics.event("http", result);
            drop(slot);
        });
    }
}

async fn post(client: &reqwest::Client, address: &str, body: &Value) -> &'static str {
    let mut pause = Duration::from_millis(500);
    for attempt in 1..=POST_TRIES {
        match client.post(address).json(body).send().await {
            Ok(answer) if answer.status().is_success() => return "sent",
            // The receiver has seen this event lately.
            Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => return "duplicate",
            Ok(answer) if answer.status().is_client_error() => return "refused",
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = %gitops_core::one_line(&error), "event not posted");
            }
        }
        if attempt < POST_TRIES {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
    "failed"
}

fn body(told: &Told, targets: &EventTargets) -> Value {
    let involved = &told.involved;
    let mut body = json!({
        "involvedObject": {
            "kind": involved.kind,
            "namespace": involved.namespace,
            "name": involved.name,
            "uid": involved.uid,
            "apiVersion": involved.api_version,
            "resourceVersion": involved.resource_version,
        },
        "severity": if told.notice.severity == Severity::Error { "error" } else { "info" },
        "timestamp": told.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "message": told.notice.message,
        "reason": told.notice.reason,
        "reportingController": targets.controller,
        "reportingInstance": targets.instance,
    });
    if !told.metadata.is_empty() {
        body["metadata"] = json!(told.metadata);
    }
    body
}

#[cfg(test)]
mod tests {
    use gitops_core::{Backoff, SystemClock};
    use tokio::time::Instant;

    use super::*;
    use crate::runtime::{Key, Queue};

    #[tokio::test(start_paused = true)]
    async fn events_let_turns_pass_that_wait_for_a_worker() {
        let metrics = Arc::new(Metrics::new());
        let queue = Arc::new(Queue::new(Backoff::FLUX));
        metrics.watch_queue("kustomization", 1, Arc::clone(&queue));
        let targets = EventTargets {
            controller: String::new(),
            instance: String::new(),
            address: None,
            in_cluster: true,
        };
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::empty()))
        });
        let client = Client::new(service, "default");
        let recorder = Recorder::new(client, targets, Arc::new(SystemClock), metrics);
        let (_sender, waiting) = mpsc::channel(WAITING);
        let wait = async || {
            let start = Instant::now();
            recorder.let_turns_pass(&waiting).await;
            start.elapsed()
        };

        assert_eq!(wait().await, Duration::ZERO, "nobody waits");
        queue.add(&Key::new("ns", "a"), None);
        assert_eq!(wait().await, TRICKLE, "a turn waits for ever");
        queue.next().await;
        assert_eq!(wait().await, Duration::ZERO, "it has begun");

        queue.add(&Key::new("ns", "b"), None);
        let begin = async {
            tokio::time::sleep(LOOK * 3).await;
            queue.next().await
        };
        let (took, _) = tokio::join!(wait(), begin);
        assert!((LOOK * 3..=LOOK * 4).contains(&took), "until it begins: {took:?}");
    }
}
