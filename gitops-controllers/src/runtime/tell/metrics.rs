//! What is counted, under the names that Flux's dashboards know.
//!
//! Labels are bounded by what exists: series of an object go when the object goes.

use std::{fmt::Write, sync::Arc, time::Duration};

use gitops_auth::{Lookup, TokenCache};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use tokio::time::Instant;

use crate::runtime::{Key, Queue, TurnResult};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// The metrics of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    turns: Counters,
    errors: Counters,
    panics: Counters,
    turn_seconds: Histograms,
    object_seconds: Histograms,
    queue_wait: Histograms,
    queue_work: Histograms,
    requests: Counters,
    events: Counters,
    token_events: Counters,
    queues: Mutex<Vec<(&'static str, usize, Arc<Queue>)>>,
    tokens: Mutex<Option<Arc<TokenCache>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// No series yet.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            turns: Family::default(),
            errors: Family::default(),
            panics: Family::default(),
            turn_seconds: Family::new_with_constructor(turn_buckets),
            object_seconds: Family::new_with_constructor(object_buckets),
            queue_wait: Family::new_with_constructor(queue_buckets),
            queue_work: Family::new_with_constructor(queue_buckets),
            requests: Family::default(),
            events: Family::default(),
            token_events: Family::default(),
            queues: Mutex::default(),
            tokens: Mutex::default(),
        };
        let counters = [
            (
                "controller_runtime_reconcile",
                "Total number of reconciliations per controller",
                &metrics.turns,
            ),
            (
                "controller_runtime_reconcile_errors",
                "Total number of reconciliation errors per controller",
                &metrics.errors,
            ),
            (
                "controller_runtime_reconcile_panics",
                "Total number of reconciliation panics per controller",
                &metrics.panics,
            ),
            (
                "rest_client_requests",
                "Number of HTTP requests, partitioned by status code, method, and host.",
                &metrics.requests,
            ),
            (
                "gotk_token_cache_events",
                "Total number of cache retrieval events for a Gitops Toolkit resource reconciliation.",
                &metrics.token_events,
            ),
            ("gotk_events", "Events by where they went and how that ended.", &metrics.events),
        ];
        for (name, help, family) in counters {
            metrics.registry.register(name, help, family.clone());
        }
        let histograms = [
            (
                "controller_runtime_reconcile_time_seconds",
                "Length of time per reconciliation per controller",
                &metrics.turn_seconds,
            ),
            (
                "gotk_reconcile_duration_seconds",
                "The duration in seconds of a GitOps Toolkit resource reconciliation.",
                &metrics.object_seconds,
            ),
            (
                "workqueue_queue_duration_seconds",
                "How long in seconds an item stays in workqueue before being requested",
                &metrics.queue_wait,
            ),
            (
                "workqueue_work_duration_seconds",
                "How long in seconds processing an item from workqueue takes.",
                &metrics.queue_work,
            ),
        ];
        for (name, help, family) in histograms {
            metrics.registry.register(name, help, family.clone());
        }
        metrics
    }

    /// Tells the state of a queue from now on.
    pub fn watch_queue(&self, controller: &'static str, workers: usize, queue: Arc<Queue>) {
        self.queues.lock().push((controller, workers, queue));
    }

    /// How many turns wait for a worker.
    pub(in crate::runtime) fn waiting_turns(&self) -> usize {
        self.queues.lock().iter().map(|(_, _, queue)| queue.depth()).sum()
    }

    /// Tells of a cache of tokens from now on.
    pub fn watch_tokens(&self, tokens: Arc<TokenCache>) {
        *self.tokens.lock() = Some(tokens);
    }

    /// Counts that an object needed a token.
    pub fn token(&self, kind: &str, key: &Key, lookup: Lookup) {
        self.token_events.get_or_create(&token_labels(kind, key, lookup)).inc();
    }

    /// Counts a turn.
    pub fn turn(
        &self,
        controller: &'static str,
        kind: &str,
        key: &Key,
        result: TurnResult,
        took: Duration,
    ) {
        let labels = controller_labels(controller);
        let seconds = took.as_secs_f64();
        let mut counted = labels.clone();
        counted.push(("result", result.as_str().to_owned()));
        self.turns.get_or_create(&counted).inc();
        if result == TurnResult::Error {
            self.errors.get_or_create(&labels).inc();
        }
        self.turn_seconds.get_or_create(&labels).observe(seconds);
        self.queue_work.get_or_create(&queue_labels(controller)).observe(seconds);
        self.object_seconds.get_or_create(&object_labels(kind, key)).observe(seconds);
    }

    /// Counts how long an object waited for a worker.
    pub fn waited(&self, controller: &'static str, waited: Duration) {
        self.queue_wait.get_or_create(&queue_labels(controller)).observe(waited.as_secs_f64());
    }

    /// Counts a panic.
    pub fn panicked(&self, controller: &'static str) {
        self.panics.get_or_create(&controller_labels(controller)).inc();
    }

    /// Counts a request to the API server.
    pub fn request(&self, host: &str, method: &str, code: &str) {
        let labels = vec![
            ("code", code.to_owned()),
            ("host", host.to_owned()),
            ("method", method.to_owned()),
        ];
        self.requests.get_or_create(&labels).inc();
    }

    /// Counts an event; `target` is `cluster` or `http`.
    pub fn event(&self, target: &'static str, result: &'static str) {
        let labels = vec![("target", target.to_owned()), ("result", result.to_owned())];
        self.events.get_or_create(&labels).inc();
    }

    /// Drops the series of an object that is gone.
    pub fn forget(&self, kind: &str, key: &Key) {
        self.object_seconds.remove(&object_labels(kind, key));
        for lookup in [Lookup::Hit, Lookup::Miss] {
            self.token_events.remove(&token_labels(kind, key, lookup));
        }
    }

    /// All series in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        let mut open = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut open, &self.registry);
        let mut text = prometheus_text(&open);
        self.render_queues(&mut text);
        self.render_tokens(&mut text);
        render_process(&mut text);
        text
    }

    fn render_tokens(&self, text: &mut String) {
        let Some(tokens) = self.tokens.lock().clone() else { return };
        let counters = tokens.counters();
        let requests = "gotk_token_cache_requests_total";
        let evictions = "gotk_token_cache_evictions_total";
        let items = "gotk_token_cached_items";
        let _ = write!(
            text,
            "# HELP {requests} Total number of cache requests partioned by success or failure.\n\
             # TYPE {requests} counter\n\
             {requests}{{status=\"success\"}} {}\n{requests}{{status=\"failure\"}} {}\n\
             # HELP {evictions} Total number of cache evictions.\n\
             # TYPE {evictions} counter\n{evictions} {}\n\
             # HELP {items} Total number of items in the cache.\n\
             # TYPE {items} gauge\n{items} {}\n",
            counters.succeeded,
            counters.failed,
            counters.evicted,
            tokens.len(),
        );
    }

    fn render_queues(&self, text: &mut String) {
        let now = Instant::now();
        let queues = self.queues.lock();
        let queues: Vec<_> = queues
            .iter()
            .map(|(name, workers, queue)| (*name, *workers, queue.counters()))
            .collect();
        let mut series = |name: &str,
                          kind: &str,
                          value: &dyn Fn(usize) -> f64,
                          labels: &dyn Fn(&str) -> String| {
            let _ = writeln!(text, "# TYPE {name} {kind}");
            for (index, (controller, _, _)) in queues.iter().enumerate() {
                let _ = writeln!(text, "{name}{{{}}} {}", labels(controller), value(index));
            }
        };
        let queue = |c: &str| format!("controller=\"{c}\",name=\"{c}\"");
        let plain = |c: &str| format!("controller=\"{c}\"");
        let oldest = |index: usize| {
            let running = &queues[index].2.running;
            running.iter().map(|since| (now - *since).as_secs_f64()).fold(0.0, f64::max)
        };
        let total = |index: usize| {
            let running = &queues[index].2.running;
            running.iter().map(|since| (now - *since).as_secs_f64()).sum::<f64>()
        };
        #[allow(clippy::cast_precision_loss, reason = "counters far below 2^52")]
        {
            series("workqueue_depth", "gauge", &|i| queues[i].2.depth as f64, &queue);
            series("workqueue_adds_total", "counter", &|i| queues[i].2.adds as f64, &queue);
            series("workqueue_retries_total", "counter", &|i| queues[i].2.retries as f64, &queue);
            series(
                "controller_runtime_active_workers",
                "gauge",
                &|i| queues[i].2.running.len().min(queues[i].1) as f64,
                &plain,
            );
            series(
                "controller_runtime_max_concurrent_reconciles",
                "gauge",
                &|i| queues[i].1 as f64,
                &plain,
            );
        }
        series("workqueue_longest_running_processor_seconds", "gauge", &oldest, &queue);
        series("workqueue_unfinished_work_seconds", "gauge", &total, &queue);
    }
}

fn controller_labels(controller: &'static str) -> Labels {
    vec![("controller", controller.to_owned())]
}

fn queue_labels(controller: &'static str) -> Labels {
    vec![("controller", controller.to_owned()), ("name", controller.to_owned())]
}

fn object_labels(kind: &str, key: &Key) -> Labels {
    vec![
        ("kind", kind.to_owned()),
        ("name", key.name.clone()),
        ("namespace", key.namespace.clone()),
    ]
}

fn token_labels(kind: &str, key: &Key, lookup: Lookup) -> Labels {
    let event = match lookup {
        Lookup::Hit => "cache_hit",
        Lookup::Miss => "cache_miss",
    };
    let mut labels = object_labels(kind, key);
    labels.extend([
        ("event_type", event.to_owned()),
        // Tokens are asked for in turns only.
        ("operation", "reconcile".to_owned()),
    ]);
    labels
}

fn turn_buckets() -> Histogram {
    Histogram::new([
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0,
    ])
}

/// Ten buckets from 10 ms to half an hour, each the same factor wider.
fn object_buckets() -> Histogram {
    let factor = (1800.0_f64 / 0.01).powf(1.0 / 9.0);
    Histogram::new((0..10).map(|n| 0.01 * factor.powi(n)))
}

fn queue_buckets() -> Histogram {
    Histogram::new((0..10).map(|n| 1e-8 * 10_f64.powi(n)))
}

/// `OpenMetrics` to the older text format: counters carry `_total` in their family's name, and there
/// is no end mark.
fn prometheus_text(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let lines: Vec<&str> = open.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if *line == "# EOF" || line.starts_with("# UNIT") {
            continue;
        }
        let mut words = line.splitn(4, ' ');
        let header = (words.next(), words.next(), words.next(), words.next());
        if let (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), Some(rest)) = header {
            let counter = |line: &&str| *line == format!("# TYPE {name} counter");
            let is_counter = counter(line) || lines.get(index + 1).is_some_and(counter);
            let suffix = if is_counter { "_total" } else { "" };
            let _ = writeln!(text, "# {what} {name}{suffix} {rest}");
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The process' own figures, from `/proc`; nothing where there is none.
fn render_process(text: &mut String) {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
    let Some(stat) = read("stat") else { return };
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return;
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|f| f.parse::<f64>().ok());
    // Linux reports times in ticks of 10 ms and memory in pages, on all that we run on.
    let (tick, page) = (100.0, 4096.0);
    let boot = std::fs::read_to_string("/proc/stat").ok().and_then(|all| {
        all.lines().find_map(|line| line.strip_prefix("btime ")?.parse::<f64>().ok())
    });
    let limit = read("limits").and_then(|all| {
        let line = all.lines().find(|line| line.starts_with("Max open files"))?;
        line.split_whitespace().nth(3)?.parse::<f64>().ok()
    });
    #[allow(clippy::cast_precision_loss, reason = "a process has few files")]
    let open = std::fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count() as f64);
    let figures = [
        (
            "process_cpu_seconds_total",
            "counter",
            field(11).zip(field(12)).map(|(u, s)| (u + s) / tick),
        ),
        ("process_virtual_memory_bytes", "gauge", field(20)),
        ("process_resident_memory_bytes", "gauge", field(21).map(|pages| pages * page)),
        (
            "process_start_time_seconds",
            "gauge",
            field(19).zip(boot).map(|(t, boot)| boot + t / tick),
        ),
        ("process_open_fds", "gauge", open),
        ("process_max_fds", "gauge", limit),
    ];
    for (name, kind, value) in figures {
        if let Some(value) = value {
            let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_prometheus_reads() {
        let metrics = Metrics::new();
        let key = Key::new("apps", "web");
        let took = Duration::from_millis(20);
        metrics.turn("kustomization", "Kustomization", &key, TurnResult::RequeueAfter, took);
        let text = metrics.render();
        for line in [
            "# TYPE controller_runtime_reconcile_total counter",
            r#"controller_runtime_reconcile_total{controller="kustomization",result="requeue_after"} 1"#,
            r#"gotk_reconcile_duration_seconds_count{kind="Kustomization",name="web",namespace="apps"} 1"#,
        ] {
            assert!(text.lines().any(|known| known == line), "no {line} in\n{text}");
        }
        assert!(!text.contains("EOF") && !text.contains("gotk_token_cached_items"));
        let clock = Arc::new(gitops_core::SystemClock);
        metrics.watch_tokens(Arc::new(TokenCache::new(1, took, clock)));
        metrics.token("Kustomization", &key, Lookup::Miss);
        let text = metrics.render();
        for line in [
            "gotk_token_cached_items 0",
            r#"gotk_token_cache_requests_total{status="failure"} 0"#,
            "gotk_token_cache_evictions_total 0",
            r#"gotk_token_cache_events_total{kind="Kustomization",name="web",namespace="apps",event_type="cache_miss",operation="reconcile"} 1"#,
        ] {
            assert!(text.lines().any(|known| known == line), "no {line} in\n{text}");
        }
        metrics.forget("Kustomization", &key);
        assert!(!metrics.render().contains("name=\"web\""));
    }
}
