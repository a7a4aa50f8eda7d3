//! What both controllers make of Git repositories and Kustomizations: the texts in `scenarios/`,
//! each in a namespace of its own.
//!
//! They run in the cluster that `KUBECONFIG` names if `GITOPS_CLUSTER` is `real`, and need git.
//! What a step does is told at [`gitops_testenv::check_scenario`]; `UPDATE_SCENARIOS=1` writes what
//! came of them into the texts.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests say why they are skipped, and may fail where they stand"
)]

use std::{path::Path, time::Duration};

use gitops_controllers::{
    embed::{self, EmbeddedOptions},
    wire,
};
use gitops_core::Scope;
use gitops_testenv::{Cluster, World, check_scenario, git_is_installed};

/// A test for each text, and a check that no text lacks one.
macro_rules! scenarios {
    ($($test:ident: $file:literal),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() -> anyhow::Result<()> {
                play($file).await
            }
        )+

        #[test]
        fn every_text_is_a_test() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
            let mut texts: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            texts.sort();
            let mut tests = vec![$(concat!($file, ".txt")),+];
            tests.sort_unstable();
            assert_eq!(texts, tests);
        }
    };
}

scenarios! {
    applies_and_prunes: "apply-and-prune",
    build_failures_are_mended_by_a_commit: "build-failure",
    deletion_takes_the_objects_along: "deletion",
    dependencies_come_first: "depends-on",
    drift_is_undone: "drift",
    fetch_failures_are_tried_again: "fetch-failure",
    health_is_waited_for: "health-timeout",
    orphans_stay: "orphan",
    refusals_are_told_in_flux_words: "build-refusals",
    remote_bases_are_fetched: "remote-base",
    rights_are_those_of_the_account: "impersonation",
    annotations_of_objects_are_heeded: "object-annotations",
    deletion_can_go_without_prune: "deletion-policy-delete",
    deletion_can_mirror_prune: "deletion-policy-mirror",
    deletion_can_wait: "deletion-policy-wait",
    expressions_judge_dependencies: "ready-expression",
    expressions_judge_health: "health-expressions",
    failures_are_tried_again: "retry-interval",
    fields_change_the_overlay: "overlay-fields",
    immutable_fields_need_force: "immutable-field",
    sources_are_waited_for: "source-missing",
    suspended_objects_rest: "suspend",
    variables_are_substituted: "substitute",
}

async fn play(name: &str) -> anyhow::Result<()> {
    let cluster = Cluster::connect().await?;
    if !git_is_installed() {
        eprintln!("skipped: git is not installed");
        return Ok(());
    }
    let mut world = World::new(&cluster, name).await?;
    let mut options = EmbeddedOptions::new(wire::overlay_build());
    options.namespace = Some(world.namespace().name().to_owned());
    options.events_address = Some(world.sink().url());
    // Flux's half minute would be most of the test.
    options.timing.dependency = Duration::from_secs(1);
    let scope = Scope::background();
    let controllers = tokio::spawn(embed::run(cluster.client(), options, scope.clone()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/scenarios/{name}.txt"));
    let played = check_scenario(&path, &mut world).await;
    scope.cancel();
    controllers.await??;
    played
}
