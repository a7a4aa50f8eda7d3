//! How fast the server is: its start, creates, applies, and a change told to many watchers.
//!
//! ```sh
//! cargo bench -p gitops-apiserver
//! ```
#![expect(clippy::print_stdout, reason = "figures are for a reader")]

use std::time::{Duration, Instant};

use futures::{StreamExt as _, future::join_all};
use gitops_apiserver::Server;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};

/// How many clients work at once.
const CLIENTS: usize = 16;
/// How many objects each of them writes.
const OBJECTS: usize = 500;
/// How many watchers see each change.
const WATCHERS: usize = 200;
/// How many changes they see.
const CHANGES: usize = 100;

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut starts: Vec<Duration> = (0..21).map(|_| start()).collect();
    starts.sort();
    println!("start: {:?}", starts[starts.len() / 2]);

    let server = Server::new();
    let maps: Api<ConfigMap> = Api::default_namespaced(Client::new(server.service(), "default"));
    let begin = Instant::now();
    join_all((0..CLIENTS).map(|client| tokio::spawn(create(maps.clone(), client)))).await;
    rate("creates", CLIENTS * OBJECTS, begin);
    let begin = Instant::now();
    join_all((0..CLIENTS).map(|client| tokio::spawn(apply(maps.clone(), client)))).await;
    rate("applies", CLIENTS * OBJECTS, begin);
    fan_out(&maps).await;
}

fn start() -> Duration {
    let begin = Instant::now();
    let server = Server::new();
    let took = begin.elapsed();
    drop(server);
    took
}

fn rate(what: &str, count: usize, begin: Instant) {
    let count = u32::try_from(count).expect("a small number");
    println!("{what}: {:.0} a second", f64::from(count) / begin.elapsed().as_secs_f64());
}

fn map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "bench"}},
        "data": {"a": value, "b": "some more text", "c": "and more of it"},
    })
}

async fn create(maps: Api<ConfigMap>, client: usize) {
    for number in 0..OBJECTS {
        let object = map(&format!("map-{client}-{number}"), "created");
        let object = serde_json::from_value(object).expect("a map");
        maps.create(&PostParams::default(), &object).await.expect("created");
    }
}

async fn apply(maps: Api<ConfigMap>, client: usize) {
    let parameters = PatchParams::apply("bench").force();
    for number in 0..OBJECTS {
        let name = format!("map-{client}-{number}");
        let object = Patch::Apply(map(&name, "applied"));
        maps.patch(&name, &parameters, &object).await.expect("applied");
    }
}

async fn fan_out(maps: &Api<ConfigMap>) {
    let parameters = WatchParams::default().fields("metadata.name=seen");
    let seen = serde_json::from_value(map("seen", "0")).expect("a map");
    let seen = maps.create(&PostParams::default(), &seen).await.expect("created");
    let version = seen.metadata.resource_version.expect("a version");
    let begin = Instant::now();
    let watchers = join_all((0..WATCHERS).map(|_| {
        let (maps, parameters, version) = (maps.clone(), parameters.clone(), version.clone());
        tokio::spawn(async move {
            let changes = maps.watch(&parameters, &version).await.expect("a watch");
            let changes = changes
                .filter(|event| std::future::ready(matches!(event, Ok(WatchEvent::Modified(_)))));
            assert_eq!(changes.take(CHANGES).count().await, CHANGES);
        })
    }));
    let writer = async {
        for number in 1..=CHANGES {
            let patch = Patch::Merge(json!({"data": {"a": number.to_string()}}));
            maps.patch("seen", &PatchParams::default(), &patch).await.expect("patched");
        }
    };
    let (ended, ()) = futures::join!(watchers, writer);
    assert!(ended.iter().all(Result::is_ok));
    rate("events to 200 watchers", WATCHERS * CHANGES, begin);
}
