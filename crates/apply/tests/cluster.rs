//! What the crate does to a cluster: the embedded API server, or with `GITOPS_CLUSTER=real` the one
//! that `KUBECONFIG` names.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gitops_apply::{
    Action, Applier, ApplyOptions, Cluster, IgnoreRule, Inventory, Journal, NoJournal, Owner,
    Record, RecordOptions, WaitOptions,
};
use gitops_core::{ObjectId, Scope};
use serde_json::{Value, json};

/// A namespace of its own in a cluster whose requests are counted.
struct World {
    cluster: Cluster,
    namespace: String,
    requests: Arc<AtomicUsize>,
}

impl World {
    async fn new(name: &str) -> Self {
        let inner = gitops_testenv::Cluster::connect().await.unwrap().client();
        let requests = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&requests);
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            // Watches, and the lists that they begin with, are shared and not part of a turn.
            let query = request.uri().query().unwrap_or_default();
            if !query.contains("labelSelector=") && !query.contains("watch=true") {
                counter.fetch_add(1, Ordering::SeqCst);
            }
            let inner = inner.clone();
            async move { inner.send(request).await }
        });
        let cluster = Cluster::new(kube::Client::new(service, "default"));
        let unique = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() % 1_000_000_000;
        let world = Self { cluster, namespace: format!("t-{name}-{unique}"), requests };
        world
            .apply(vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}})])
            .await;
        world
    }

    fn options(&self) -> ApplyOptions {
        let owner = Owner::kustomization(&self.namespace, "app");
        ApplyOptions::new(owner, "kustomize-controller")
    }

    fn applier(&self) -> Applier {
        Applier::new(self.cluster.clone())
    }

    async fn apply(&self, objects: Vec<Value>) -> String {
        apply(&self.applier(), objects, &self.options()).await
    }

    fn config_map(&self, name: &str, data: Value) -> Value {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace}, "data": data});
        self.options().owner.mark(&mut object);
        object
    }

    /// Changes the data of a ConfigMap as somebody else.
    async fn edit(&self, name: &str, manager: &str, data: Value) {
        let mut options = self.options();
        options.field_manager = manager.into();
        let mut object = self.config_map(name, data);
        object["metadata"].as_object_mut().unwrap().remove("labels");
        options.owner.name = "nobody".into();
        apply(&self.applier(), vec![object], &options).await;
    }

    fn id(&self, name: &str) -> ObjectId {
        ObjectId::new("v1", "ConfigMap", &self.namespace, name)
    }

    fn count(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

/// The text that Flux would show: the change log or the error.
async fn apply(applier: &Applier, objects: Vec<Value>, options: &ApplyOptions) -> String {
    match applier.apply(objects, options, &NoJournal, &Scope::background()).await {
        Ok(changes) => changes.to_string(),
        Err(failure) => failure.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_created_left_alone_corrected_and_deleted() {
    let world = World::new("life").await;
    let ns = &world.namespace;
    let objects =
        || vec![world.config_map("b", json!({"k": "1"})), world.config_map("a", json!({}))];
    assert_eq!(
        world.apply(objects()).await,
        format!("ConfigMap/{ns}/a created\nConfigMap/{ns}/b created")
    );
    assert_eq!(
        world.apply(objects()).await,
        format!("ConfigMap/{ns}/a unchanged\nConfigMap/{ns}/b unchanged")
    );
    world.edit("b", "kubectl-edit", json!({"k": "2", "x": "y"})).await;
    let log = world.apply(objects()).await;
    assert_eq!(log, format!("ConfigMap/{ns}/a unchanged\nConfigMap/{ns}/b configured"));
    let live = world.cluster.get(&world.id("b")).await.unwrap().unwrap();
    assert_eq!(live["data"], json!({"k": "1"}));

    let applier = world.applier();
    let owner = world.options().owner;
    let stranger = Owner { name: "other".into(), ..owner.clone() };
    let ids = [
        world.id("a"),
        world.id("b"),
        world.id("absent"),
        ObjectId::new("no.such/v1", "Kind", ns, "x"),
    ];
    let kept = applier.delete(&ids, &stranger, &Scope::background()).await;
    let actions: Vec<Action> = kept.changes.entries.iter().map(|change| change.action).collect();
    assert_eq!(actions, [Action::Deleted, Action::Skipped, Action::Deleted, Action::Skipped]);
    let gone = applier.delete(&ids, &owner, &Scope::background()).await;
    assert!(gone.error.is_none() && gone.survivors().next().is_none());
    applier
        .wait_for_termination(&gone.changes, Duration::from_secs(5), &Scope::background())
        .await
        .unwrap();
    assert!(world.cluster.get(&world.id("a")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_namespace_is_never_deleted() {
    let world = World::new("home").await;
    let owner = world.options().owner;
    let mut home =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}});
    owner.mark(&mut home);
    world.apply(vec![home]).await;
    let id = ObjectId::new("v1", "Namespace", "", &world.namespace);
    let deletion = world.applier().delete(&[id], &owner, &Scope::background()).await;
    assert_eq!(deletion.changes.entries[0].action, Action::Skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_without_changes_costs_nothing() {
    let world = World::new("cheap").await;
    let record = Record::new(world.cluster.clone(), RecordOptions::default());
    let applier = world.applier().with_record(record);
    let objects = || -> Vec<Value> {
        (0..5).map(|n| world.config_map(&format!("c{n}"), json!({"n": "1"}))).collect()
    };
    apply(&applier, objects(), &world.options()).await;
    // The kinds, then two requests per object.
    world.count();
    let mut cost = usize::MAX;
    for _ in 0..50 {
        apply(&applier, objects(), &world.options()).await;
        cost = world.count();
        if cost == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(cost, 0);

    let mut full = world.options();
    full.full_check = true;
    apply(&applier, objects(), &full).await;
    assert_eq!(world.count(), 10, "a full check asks twice per object");

    world.edit("c3", "someone", json!({"n": "2"})).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.count();
    let log = apply(&applier, objects(), &world.options()).await;
    assert!(log.contains("c3 configured"), "{log}");
    assert_eq!(world.count(), 3, "dry run, read and apply of the one that changed");

    let mut changed = objects();
    changed[1]["data"]["n"] = json!("9");
    let log = apply(&applier, changed, &world.options()).await;
    assert!(log.contains("c1 configured"), "{log}");

    let tenant = world.cluster.impersonate(&world.namespace, "tenant").unwrap();
    let record = Record::new(world.cluster.clone(), RecordOptions::default());
    let denied =
        apply(&Applier::new(tenant).with_record(record), objects(), &world.options()).await;
    assert!(denied.contains("dry-run failed (Forbidden)"), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_read_like_flux() {
    let world = World::new("errors").await;
    let ns = &world.namespace;
    let mut nowhere = world.config_map("a", json!({}));
    nowhere["metadata"]["namespace"] = json!("no-such-ns");
    let mut homeless = world.config_map("a", json!({}));
    homeless["metadata"].as_object_mut().unwrap().remove("namespace");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": ns}, "data": {"pin": 4711}});
    for (object, text) in [
        (world.config_map("a", json!({"n": 5})), format!("ConfigMap/{ns}/a dry-run failed: failed to create typed patch object ({ns}/a; /v1, Kind=ConfigMap): .data.n: expected string, got &value.valueUnstructured{{Value:5}}\n")),
        (nowhere, "ConfigMap/no-such-ns/a not found: namespaces \"no-such-ns\" not found\n".into()),
        (homeless, "ConfigMap/a namespace not specified: the server could not find the requested resource\n".into()),
        (json!({"apiVersion": "nope.example.com/v1", "kind": "Nope", "metadata": {"name": "x", "namespace": ns}}), format!("Nope/{ns}/x dry-run failed: no matches for kind \"Nope\" in version \"nope.example.com/v1\"\n")),
        (secret, format!("Secret/{ns}/s dry-run failed: failed to create typed patch object ({ns}/s; /v1, Kind=Secret): .data.pin: expected string, got &value.valueUnstructured{{Value:*****}}\n")),
    ] {
        assert_eq!(world.apply(vec![world.config_map("never", json!({})), object]).await, text);
    }
    assert!(world.cluster.get(&world.id("never")).await.unwrap().is_none(), "dry runs come first");
    for name in ["../x", "x:y", "system:masters", "", "A"] {
        assert!(world.cluster.impersonate(ns, name).is_err(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn annotations_decide() {
    let world = World::new("marks").await;
    let ns = &world.namespace;
    for name in ["merge", "ifnot", "ign", "plain"] {
        world.edit(name, "kubectl", json!({"user": "kubectl", "managed": "user"})).await;
    }
    let marked = |name: &str, key: &str, value: &str| {
        let mut object = world.config_map(name, json!({"managed": "flux"}));
        if !key.is_empty() {
            let key = format!("kustomize.toolkit.fluxcd.io/{key}");
            object["metadata"]["annotations"] = json!({key: value});
        }
        object
    };
    let log = world
        .apply(vec![
            marked("merge", "ssa", "Merge"),
            marked("ifnot", "ssa", "ifnotpresent"),
            marked("ign", "ssa", "Ignore"),
            marked("plain", "", ""),
            marked("off", "reconcile", "disabled"),
            marked("once", "ssa", "IfNotPresent"),
        ])
        .await;
    assert_eq!(
        log,
        format!(
            "ConfigMap/{ns}/ifnot skipped\nConfigMap/{ns}/ign skipped\nConfigMap/{ns}/merge configured\n\
             ConfigMap/{ns}/off skipped\nConfigMap/{ns}/once created\nConfigMap/{ns}/plain configured"
        )
    );
    for (name, data) in [
        ("merge", json!({"user": "kubectl", "managed": "flux"})),
        ("ifnot", json!({"user": "kubectl", "managed": "user"})),
        ("ign", json!({"user": "kubectl", "managed": "user"})),
        ("plain", json!({"managed": "flux"})),
    ] {
        let live = world.cluster.get(&world.id(name)).await.unwrap().unwrap();
        assert_eq!(live["data"], data, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ignored_fields_keep_the_value_of_others() {
    let world = World::new("ignore").await;
    let mut options = world.options();
    options.ignore = vec![IgnoreRule { paths: vec!["/data/a".into()], target: None }];
    let objects = || vec![world.config_map("c", json!({"a": "b", "k": "1"}))];
    apply(&world.applier(), objects(), &options).await;
    world.edit("c", "kubectl-x", json!({"a": "edited"})).await;
    let log = apply(&world.applier(), objects(), &options).await;
    assert!(log.ends_with("configured"), "kubectl's entry is taken over: {log}");
    let live = world.cluster.get(&world.id("c")).await.unwrap().unwrap();
    assert_eq!(live["data"], json!({"a": "edited", "k": "1"}));
    let log = apply(&world.applier(), objects(), &options).await;
    assert!(log.ends_with("unchanged"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_come_first_and_immutable_objects_are_recreated() {
    let world = World::new("stages").await;
    let ns = &world.namespace;
    let group = format!("{}.example.com", ns.replace('-', "x"));
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gizmos.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": "Gizmo", "plural": "gizmos", "singular": "gizmo", "listKind": "GizmoList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
    });
    let gizmo = json!({"apiVersion": format!("{group}/v1"), "kind": "Gizmo", "metadata": {"name": "g", "namespace": ns}});
    let plan = world
        .applier()
        .plan(vec![gizmo.clone(), definition.clone()], &world.options(), &Scope::background())
        .await
        .unwrap();
    assert!(plan.entries.iter().all(|planned| planned.change.action == Action::Created));
    let log = world.apply(vec![gizmo, definition]).await;
    assert_eq!(
        log,
        format!("CustomResourceDefinition/gizmos.{group} created\nGizmo/{ns}/g created")
    );

    let sealed = |value: &str| {
        let mut object = world.config_map("sealed", json!({"a": value}));
        object["immutable"] = json!(true);
        object
    };
    world.apply(vec![sealed("1")]).await;
    let refused = world.apply(vec![sealed("2")]).await;
    assert!(refused.contains("dry-run failed (Invalid)"), "{refused}");
    let mut force = world.options();
    force.force = true;
    let log = apply(&world.applier(), vec![sealed("2")], &force).await;
    assert_eq!(log, format!("ConfigMap/{ns}/sealed created"));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_all_is_ready_or_hopeless() {
    let world = World::new("wait").await;
    let ns = world.namespace.clone();
    let applier = world.applier();
    let options = WaitOptions::new(Duration::from_secs(20));
    let later = {
        let (applier, object, options) =
            (world.applier(), world.config_map("late", json!({})), world.options());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(400)).await;
            apply(&applier, vec![object], &options).await
        })
    };
    let began = std::time::Instant::now();
    applier.wait(&[world.id("late")], &options, &Scope::background()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "a watch tells before the next poll");
    later.await.unwrap();

    let short = WaitOptions::new(Duration::from_millis(300));
    let error =
        applier.wait(&[world.id("absent")], &short, &Scope::background()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("timeout waiting for: [ConfigMap/{ns}/absent status: 'NotFound']")
    );

    let scope = Scope::background();
    scope.cancel();
    let error = applier.wait(&[world.id("absent")], &options, &scope).await.unwrap_err();
    assert_eq!(error, gitops_apply::WaitError::Cancelled);
}

#[derive(Debug, Default)]
struct Notes(parking_lot::Mutex<Vec<ObjectId>>);

#[async_trait::async_trait]
impl Journal for Notes {
    async fn about_to_apply(&self, objects: &[ObjectId]) -> Result<(), String> {
        self.0.lock().extend_from_slice(objects);
        if objects.iter().any(|object| object.name == "refuse") { Err("no".into()) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_hears_before_anything_changes() {
    let world = World::new("journal").await;
    let notes = Notes::default();
    let objects = vec![world.config_map("a", json!({})), world.config_map("refuse", json!({}))];
    let failure = world
        .applier()
        .apply(objects, &world.options(), &notes, &Scope::background())
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("failed to record"), "{failure}");
    assert_eq!(Inventory::from_iter(notes.0.lock().clone()).len(), 2);
    assert!(world.cluster.get(&world.id("a")).await.unwrap().is_none());
}
