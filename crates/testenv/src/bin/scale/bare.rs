//! The yardstick: a client that does nothing but send the dry runs and applies, on 16 connections.

use std::{
    fmt,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::NAMESPACE;

const CONNECTIONS: usize = 16;

/// How long it took, for how many requests.
pub(crate) struct Bare {
    pub(crate) wall: Duration,
    requests: usize,
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.wall.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.requests as f64 / seconds;
        write!(f, "{seconds:.1} s, {} requests, {rate:.0} a second", self.requests)
    }
}

/// Sends a dry run and an apply of four objects for each of `count` owners.
pub(crate) async fn run(client: &Client, count: usize) -> anyhow::Result<Bare> {
    let began = Instant::now();
    let objects = (0..count).flat_map(|number| objects(&format!("bare{number}-app")));
    let sent: Vec<usize> = stream::iter(objects)
        .map(|object| async move {
            let kind = object["kind"].as_str().unwrap_or_default();
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
            let api: Api<DynamicObject> =
                Api::namespaced_with(client.clone(), NAMESPACE, &resource);
            let apply = PatchParams::apply("bare").force();
            let dry_run = PatchParams { dry_run: true, ..apply.clone() };
            api.patch(name, &dry_run, &Patch::Apply(&object)).await?;
            api.patch(name, &apply, &Patch::Apply(&object)).await?;
            anyhow::Ok(2)
        })
        .buffer_unordered(CONNECTIONS)
        .try_collect()
        .await?;
    Ok(Bare { wall: began.elapsed(), requests: sent.iter().sum() })
}

fn objects(name: &str) -> [Value; 4] {
    let labels = json!({"kustomize.toolkit.fluxcd.io/name": "bare"});
    let of = |kind: &str| {
        json!({"apiVersion": "v1", "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}})
    };
    let mut config_map = of("ConfigMap");
    config_map["data"] = json!({"value": "one"});
    let mut service = of("Service");
    service["spec"] = json!({
        "selector": {"app": "app"}, "ports": [{"port": 80, "protocol": "TCP"}], "clusterIP": "None"
    });
    let mut secret = of("Secret");
    secret["data"] = json!({"value": "aGlkZGVu"});
    [config_map, of("ServiceAccount"), service, secret]
}
