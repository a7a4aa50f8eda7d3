//! The scenario runner, in a real cluster without any controller.

use std::path::Path;

use gitops_testenv::{Cluster, World, check_scenario, git_is_installed};

#[tokio::test]
async fn steps_do_what_they_say() -> anyhow::Result<()> {
    let cluster = Cluster::connect().await?;
    if !git_is_installed() {
        eprintln!("skipped: git is not installed");
        return Ok(());
    }
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/without-controllers.txt");
    let mut world = World::new(&cluster, "scenario").await?;
    check_scenario(&path, &mut world).await?;
    let head = std::fs::read_to_string(world.git().root().join("app.git/HEAD"))?;
    assert_eq!(head.trim(), "ref: refs/heads/main");

    // The same file with another expectation must fail, and say where.
    let text = std::fs::read_to_string(&path)?.replace("request-1", "request-2");
    let changed = world.git().root().join("changed.txt");
    std::fs::write(&changed, text)?;
    let mut world = World::new(&cluster, "scenario").await?;
    let failed = check_scenario(&changed, &mut world).await.unwrap_err().to_string();
    assert!(failed.contains("-reconcile.fluxcd.io/requestedAt: request-2"), "{failed}");
    assert!(failed.contains("+reconcile.fluxcd.io/requestedAt: request-1"), "{failed}");
    Ok(())
}

#[tokio::test]
async fn vain_waits_and_unknown_steps_name_themselves() -> anyhow::Result<()> {
    let cluster = Cluster::connect().await?;
    let mut world = World::new(&cluster, "vain").await?;
    for (text, named) in [
        ("-- wait GitRepository/none ready 100ms --", "GitRepository/none is not there"),
        ("-- dance --", "no such step"),
        ("-- wait GitRepository/none soon --", "no such thing to wait for"),
        ("-- apply --\nkind: ConfigMap\n", "lacks apiVersion"),
    ] {
        let failed = world.play(&text.parse()?).await.unwrap_err();
        let failed = format!("{failed:#}");
        assert!(failed.contains(named) && failed.contains("step 1"), "{failed}");
    }
    Ok(())
}
