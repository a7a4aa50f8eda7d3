//! What a controller that is killed leaves behind.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_controller_leaves_no_orphans() {
    let world = World::new("kill").await;
    world.push("main@sha1:aaaa", &[world.config_map("old", json!({}))]).await;
    world.kustomization("app", json!({})).await;
    world.wait("app", "True").await;

    // The controller dies while it creates `new` and before it prunes `old`.
    world.scope.cancel();
    let world = copy(&world);
    world.is_frozen.store(true, Ordering::SeqCst);
    let dying = world.start().await;
    world.push("main@sha1:bbbb", &[world.config_map("new", json!({}))]).await;
    let mut stored = Vec::new();
    for _ in 0..200 {
        let object = world.cluster.get(&world.id("app")).await.unwrap().unwrap();
        stored = inventory(&object["status"]);
        if stored.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stored, ["old", "new"], "both are known before one exists and the other goes");
    dying.cancel();

    // Another revision wants neither; the next controller cleans up both.
    world.is_frozen.store(false, Ordering::SeqCst);
    let (_, orphan) = world.config_map("new", json!({}));
    let mut orphan: Value = serde_json::from_str(&orphan).unwrap();
    Owner::kustomization(&world.namespace, "app").mark(&mut orphan);
    world.apply(orphan).await;
    world.push("main@sha1:cccc", &[world.config_map("last", json!({}))]).await;
    world.start().await;
    let status = world.wait("app", "main@sha1:cccc").await;
    assert_eq!(inventory(&status), ["last"]);
    assert!(world.get("ConfigMap", "new").await.is_none());
    assert!(world.get("ConfigMap", "old").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_first_turn_made_is_found_by_its_labels() {
    let world = World::new("first-turn").await;
    world.scope.cancel();
    let world = copy(&world);
    // As a controller leaves it that dies in its first turn: a finalizer, an object, no status.
    world
        .apply(json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "app", "namespace": world.namespace, "finalizers": ["finalizers.fluxcd.io"]},
            "spec": {"interval": "1h", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "src"}}}))
        .await;
    let owner = Owner::kustomization(&world.namespace, "app");
    for (name, manager) in [("made", "kustomize-controller"), ("inherited", "another-controller")] {
        let object = world.config_map(name, json!({})).1;
        let mut object: Value = serde_json::from_str(&object).unwrap();
        owner.mark(&mut object);
        let options = ApplyOptions::new(owner.clone(), manager);
        let applier = Applier::new(world.cluster.clone());
        applier.apply(vec![object], &options, &NoJournal, &Scope::background()).await.unwrap();
    }
    world.push("main@sha1:bbbb", &[world.config_map("last", json!({}))]).await;
    world.start().await;
    assert_eq!(inventory(&world.wait("app", "True ReconciliationSucceeded").await), ["last"]);
    assert!(world.get("ConfigMap", "made").await.is_none());
    assert!(world.get("ConfigMap", "inherited").await.is_some(), "not made by us");
}

fn copy(world: &World) -> World {
    World {
        cluster: world.cluster.clone(),
        namespace: world.namespace.clone(),
        shelf: Arc::clone(&world.shelf),
        requests: Arc::clone(&world.requests),
        is_frozen: Arc::clone(&world.is_frozen),
        scope: Scope::background(),
    }
}
