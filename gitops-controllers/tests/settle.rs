//! The judge: what every outcome makes of conditions, events and the next turn.

#![expect(clippy::unwrap_used, reason = "a failure is the test's")]

use std::time::Duration;

use gitops_api::meta::{Condition, ConditionStatus, condition_type as condition, reason};
use gitops_controllers::{
    profiles::{ARTIFACT_GENERATOR, GIT_REPOSITORY, HELM_CHART, KUSTOMIZATION},
    runtime::{
        Again, Before, Done, Fact, Fault, Notice, Profile, Requeue, Settled, Severity, Stop, Turn,
        Waiting, in_progress, settle, suspended,
    },
};
use gitops_core::{Class, Failure, ObjectId, Stage};
use proptest::prelude::*;

const INTERVAL: Duration = Duration::from_secs(600);
const RETRY: Duration = Duration::from_secs(120);
const DEPENDENCY: Duration = Duration::from_secs(30);

fn before<'a>(conditions: &'a [Condition], progress: Option<&'a str>) -> Before<'a> {
    Before {
        generation: 3,
        conditions,
        progress,
        interval: INTERVAL,
        retry_interval: RETRY,
        dependency_interval: DEPENDENCY,
        now: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

fn standing(type_: &str, status: ConditionStatus, reason: &str, message: &str) -> Condition {
    let at: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Condition {
        last_transition_time: at.into(),
        message: message.into(),
        observed_generation: Some(3),
        reason: reason.into(),
        status,
        type_: type_.into(),
    }
}

fn failed(stage: Stage, class: Class) -> Turn {
    Err(Failure::new(stage, Fault::new(class, "boom")).into())
}

/// `Type=Status/Reason: message` of each condition, in the order of their types.
fn shown(settled: &Settled) -> Vec<String> {
    let mut shown: Vec<String> = settled
        .conditions
        .iter()
        .map(|c| format!("{}={}/{}: {}", c.type_, c.status, c.reason, c.message))
        .collect();
    shown.sort();
    shown
}

#[test]
fn done() {
    let stalled = [
        standing(condition::STALLED, ConditionStatus::True, "X", "x"),
        standing(condition::RECONCILING, ConditionStatus::True, "X", "x"),
    ];
    let turn = Ok(Done::new("Applied revision: r").with_event(Notice::info("E", "e")));
    let settled = settle(&KUSTOMIZATION, before(&stalled, Some("Building")), &[], &turn);
    assert_eq!(shown(&settled), ["Ready=True/ReconciliationSucceeded: Applied revision: r"]);
    assert!(settled.observe_generation);
    assert_eq!(settled.requeue, Requeue::Jittered(INTERVAL));
    assert_eq!(settled.events, [Notice::info("E", "e")]);
}

#[test]
fn ready_mirrors_the_artifact_and_failures_go() {
    let stood = [standing(condition::FETCH_FAILED, ConditionStatus::True, "G", "g")];
    let facts = [Fact::Holds {
        condition: condition::ARTIFACT_IN_STORAGE,
        status: ConditionStatus::True,
        reason: reason::SUCCEEDED,
        message: "stored artifact for revision 'r'".into(),
    }];
    let settled = settle(&GIT_REPOSITORY, before(&stood, None), &facts, &Ok(Done::default()));
    assert_eq!(
        shown(&settled),
        [
            "ArtifactInStorage=True/Succeeded: stored artifact for revision 'r'",
            "Ready=True/Succeeded: stored artifact for revision 'r'",
        ]
    );
}

#[test]
fn failures_are_tried_again_as_the_profile_says() {
    let turn = failed(Stage::Fetch, Class::Transient);
    let settled = settle(&GIT_REPOSITORY, before(&[], Some("building artifact")), &[], &turn);
    assert_eq!(
        shown(&settled),
        [
            "FetchFailed=True/GitOperationFailed: boom",
            "Ready=False/GitOperationFailed: boom",
            "Reconciling=True/ProgressingWithRetry: building artifact",
        ]
    );
    assert_eq!(settled.requeue, Requeue::Backoff { at_least: Duration::ZERO });
    assert!(!settled.observe_generation);
    assert_eq!(settled.events, [Notice::error("GitOperationFailed", "boom")]);

    let settled =
        settle(&KUSTOMIZATION, before(&[], None), &[], &failed(Stage::Build, Class::Invalid));
    assert_eq!(shown(&settled), ["Ready=False/BuildFailed: boom"]);
    assert_eq!(settled.requeue, Requeue::After(RETRY));
}

/// Row 72 of the list of attacks: who is asked to come later comes later.
#[test]
fn an_overloaded_peer_is_left_alone_for_as_long_as_it_asks() {
    #[derive(Debug, thiserror::Error)]
    #[error("too many requests")]
    struct Overloaded(u64);
    impl gitops_core::Classify for Overloaded {
        fn class(&self) -> Class {
            Class::Transient
        }
        fn retry_after(&self) -> Option<Duration> {
            Some(Duration::from_secs(self.0))
        }
    }
    let turn = |seconds| Err(Failure::new(Stage::Fetch, Overloaded(seconds)).into());
    let settled = settle(&GIT_REPOSITORY, before(&[], None), &[], &turn(90));
    assert_eq!(settled.requeue, Requeue::Backoff { at_least: Duration::from_secs(90) });
    // Where an interval says when to try again, the longer of the two holds.
    for (asked, expected) in [(RETRY.as_secs() + 30, RETRY + Duration::from_secs(30)), (5, RETRY)] {
        let settled = settle(&KUSTOMIZATION, before(&[], None), &[], &turn(asked));
        assert_eq!(settled.requeue, Requeue::After(expected));
    }
}

#[test]
fn a_failed_verification_is_false() {
    let settled =
        settle(&GIT_REPOSITORY, before(&[], None), &[], &failed(Stage::Verify, Class::Denied));
    assert_eq!(
        shown(&settled),
        [
            "Ready=False/VerificationError: boom",
            "Reconciling=True/ProgressingWithRetry: reconciliation in progress",
            "SourceVerified=False/VerificationError: boom"
        ]
    );
}

#[test]
fn what_no_condition_tells_leaves_the_first_failure_standing() {
    let untold = || Err(Stop::Untold(Failure::new(Stage::Fetch, Fault::new(Class::Invalid, "x"))));
    let settled = settle(&GIT_REPOSITORY, before(&[], Some("building artifact")), &[], &untold());
    assert_eq!(
        shown(&settled),
        [
            "Ready=False/ProgressingWithRetry: building artifact",
            "Reconciling=True/ProgressingWithRetry: building artifact"
        ]
    );
    assert!(settled.events.is_empty() && !settled.observe_generation);
    assert!(matches!(settled.requeue, Requeue::Backoff { .. }));
    // An older failure is what is known to be wrong.
    let failed =
        settle(&GIT_REPOSITORY, before(&[], None), &[], &failed(Stage::Fetch, Class::Denied));
    let settled = settle(&GIT_REPOSITORY, before(&failed.conditions, None), &[], &untold());
    assert_eq!(
        shown(&settled),
        [
            "FetchFailed=True/GitOperationFailed: boom",
            "Ready=False/GitOperationFailed: boom",
            "Reconciling=True/ProgressingWithRetry: reconciliation in progress"
        ]
    );
}

#[test]
fn a_failed_verification_is_what_ready_tells() {
    let facts = [
        Fact::Holds {
            condition: condition::SOURCE_VERIFIED,
            status: ConditionStatus::False,
            reason: "VerificationError",
            message: "unsigned".into(),
        },
        Fact::Told(Notice::error("Other", "in other words")),
    ];
    let settled =
        settle(&HELM_CHART, before(&[], None), &facts, &failed(Stage::Fetch, Class::Denied));
    let shown = shown(&settled);
    assert!(shown.contains(&"Ready=False/VerificationError: unsigned".to_owned()), "{shown:?}");
    assert!(shown.iter().any(|own| own.starts_with("FetchFailed=True/")), "{shown:?}");
    assert_eq!(settled.events, [Notice::error("Other", "in other words")]);
}

#[test]
fn what_only_a_person_can_mend_stalls() {
    let turn = failed(Stage::Validate, Class::Denied);
    let settled = settle(&KUSTOMIZATION, before(&[], Some("x")), &[], &turn);
    assert_eq!(
        shown(&settled),
        ["Ready=False/AccessDenied: boom", "Stalled=True/AccessDenied: boom"]
    );
    // Flux leaves the generation of what it may not read unobserved.
    assert!(!settled.observe_generation);
    assert_eq!(settled.requeue, Requeue::Never);
    assert_eq!(settled.events.len(), 1);
}

#[test]
fn waiting_is_no_failure() {
    let waiting = Waiting::new(reason::DEPENDENCY_NOT_READY, "dependency 'a/b' is not ready")
        .with_event("retrying in 30s");
    let settled = settle(&KUSTOMIZATION, before(&[], None), &[], &Err(waiting.into()));
    assert_eq!(shown(&settled), ["Ready=False/DependencyNotReady: dependency 'a/b' is not ready"]);
    assert_eq!(settled.events, [Notice::info("DependencyNotReady", "retrying in 30s")]);
    assert_eq!(settled.requeue, Requeue::After(DEPENDENCY));
    let waiting = Waiting::new("R", "m").again(Again::Never);
    let settled = settle(&KUSTOMIZATION, before(&[], None), &[], &Err(waiting.into()));
    assert_eq!(settled.requeue, Requeue::Never);
}

#[test]
fn newer_input_comes_at_once() {
    let by = ObjectId::new("source.toolkit.fluxcd.io/v1", "GitRepository", "a", "b");
    let settled =
        settle(&KUSTOMIZATION, before(&[], Some("x")), &[], &Err(Stop::Superseded { by }));
    assert_eq!(settled.requeue, Requeue::Now);
    assert!(shown(&settled)[0].starts_with(
        "Ready=False/HealthCheckCanceled: New reconciliation triggered by GitRepository/a/b"
    ));
}

#[test]
fn a_stop_of_the_process_changes_nothing() {
    let stood = [standing(condition::READY, ConditionStatus::True, "S", "s")];
    let turn = failed(Stage::Apply, Class::Cancelled);
    let settled = settle(&KUSTOMIZATION, before(&stood, Some("x")), &[], &turn);
    assert_eq!(settled.conditions, stood);
    assert!(settled.events.is_empty());
}

#[test]
fn equal_conditions_keep_their_time() {
    let stood = [standing(
        condition::READY,
        ConditionStatus::True,
        reason::RECONCILIATION_SUCCEEDED,
        "Applied revision: r",
    )];
    let turn = Ok(Done::new("Applied revision: r"));
    let settled = settle(&KUSTOMIZATION, before(&stood, None), &[], &turn);
    assert_eq!(settled.conditions, stood);
    let turn = Ok(Done::new("Applied revision: s"));
    let settled = settle(&KUSTOMIZATION, before(&stood, None), &[], &turn);
    assert_ne!(settled.conditions[0].last_transition_time, stood[0].last_transition_time);
}

#[test]
fn progress_and_suspension() {
    let good = [standing(condition::READY, ConditionStatus::True, "S", "s")];
    let ready = |conditions: Option<Vec<Condition>>| {
        let conditions = conditions.unwrap();
        conditions.iter().find(|c| c.type_ == condition::READY).map(|c| c.status)
    };
    // Sources keep a good Ready unless the world is known to differ.
    let step = before(&good, Some("step"));
    assert_eq!(ready(in_progress(&GIT_REPOSITORY, step, false)), Some(ConditionStatus::True));
    assert_eq!(ready(in_progress(&GIT_REPOSITORY, step, true)), Some(ConditionStatus::Unknown));
    assert_eq!(ready(in_progress(&KUSTOMIZATION, step, false)), Some(ConditionStatus::Unknown));
    assert!(in_progress(&KUSTOMIZATION, before(&good, None), true).is_none());

    let mut old = good.clone();
    old[0].observed_generation = Some(2);
    let observed = suspended(&GIT_REPOSITORY, before(&old, None)).unwrap();
    assert_eq!(observed[0].observed_generation, Some(3));
    assert!(suspended(&GIT_REPOSITORY, before(&good, None)).is_none());
    // What failed before goes on being told, of the new generation too.
    old[0].status = ConditionStatus::False;
    let observed = suspended(&GIT_REPOSITORY, before(&old, None)).unwrap();
    assert_eq!(observed[0].status, ConditionStatus::False);
    assert_eq!(observed[0].observed_generation, Some(3));
    old[0].status = ConditionStatus::True;
    // A Kustomization's generation is observed, that of its condition is not.
    assert_eq!(suspended(&KUSTOMIZATION, before(&old, None)).unwrap(), old);
    assert!(suspended(&ARTIFACT_GENERATOR, before(&old, None)).is_none());
}

fn any_stage() -> impl Strategy<Value = Stage> {
    prop::sample::select(vec![
        Stage::Validate,
        Stage::Resolve,
        Stage::Dependencies,
        Stage::Fetch,
        Stage::Verify,
        Stage::Store,
        Stage::Build,
        Stage::Connect,
        Stage::Apply,
        Stage::Prune,
        Stage::Health,
        Stage::Finalize,
    ])
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let class = prop::sample::select(vec![
        Class::Transient,
        Class::NotFound,
        Class::Denied,
        Class::Invalid,
        Class::Unsupported,
        Class::Internal,
    ]);
    prop_oneof![
        any::<String>().prop_map(|message| Ok(Done::new(message))),
        (any_stage(), class).prop_map(|(stage, class)| failed(stage, class)),
        any::<String>().prop_map(|message| Err(Waiting::new("Waits", message).into())),
        Just(()).prop_map(|()| Err(Stop::Superseded { by: ObjectId::default() })),
    ]
}

fn any_conditions() -> impl Strategy<Value = Vec<Condition>> {
    let types = vec![
        condition::READY,
        condition::RECONCILING,
        condition::STALLED,
        condition::FETCH_FAILED,
        condition::ARTIFACT_IN_STORAGE,
        "example.com/Foreign",
    ];
    let status = prop::sample::select(vec![
        ConditionStatus::True,
        ConditionStatus::False,
        ConditionStatus::Unknown,
    ]);
    prop::sample::subsequence(types, 0..=6).prop_flat_map(move |types| {
        let status = status.clone();
        prop::collection::vec(status, types.len()).prop_map(move |statuses| {
            types.iter().zip(statuses).map(|(t, s)| standing(t, s, "R", "m")).collect()
        })
    })
}

proptest! {
    #[test]
    fn laws(
        turn in any_turn(),
        stood in any_conditions(),
        progress in proptest::option::of("[a-z]{1,8}"),
        git in any::<bool>(),
    ) {
        let profile: &Profile = if git { &GIT_REPOSITORY } else { &KUSTOMIZATION };
        let settled = settle(profile, before(&stood, progress.as_deref()), &[], &turn);
        let status = |kind: &str| {
            settled.conditions.iter().find(|c| c.type_ == kind).map(|c| c.status)
        };
        let is_true = |kind| status(kind) == Some(ConditionStatus::True);

        prop_assert!(!(is_true(condition::READY) && is_true(condition::STALLED)));
        prop_assert!(!(is_true(condition::READY) && is_true(condition::RECONCILING)));
        prop_assert!(!(is_true(condition::STALLED) && is_true(condition::RECONCILING)));
        prop_assert!(status(condition::READY).is_some());
        if turn.is_err() {
            prop_assert_eq!(status(condition::READY), Some(ConditionStatus::False));
        }
        // A stall is final, and nothing else is.
        prop_assert_eq!(is_true(condition::STALLED), settled.requeue == Requeue::Never);
        let reason = settled.conditions.iter().find(|c| c.type_ == condition::READY);
        let behind = reason.is_some_and(|ready| profile.unobserved.contains(&ready.reason.as_str()));
        if (is_true(condition::STALLED) && !behind) || turn.is_ok() {
            prop_assert!(settled.observe_generation);
        } else {
            prop_assert!(!settled.observe_generation);
        }
        // What belongs to others is untouched.
        let foreign = |conditions: &[Condition]| {
            conditions.iter().find(|c| c.type_ == "example.com/Foreign").cloned()
        };
        prop_assert_eq!(foreign(&settled.conditions), foreign(&stood));
        // One condition of a type.
        let mut types: Vec<_> = settled.conditions.iter().map(|c| &c.type_).collect();
        types.sort();
        types.dedup();
        prop_assert_eq!(types.len(), settled.conditions.len());
        // A failure is told once, as an error.
        let errors = settled.events.iter().filter(|e| e.severity == Severity::Error).count();
        prop_assert_eq!(errors, usize::from(matches!(turn, Err(Stop::Failed(_)))));
        // Settling the same again moves no time.
        let again = settle(profile, before(&settled.conditions, progress.as_deref()), &[], &turn);
        prop_assert_eq!(again.conditions, settled.conditions);
    }
}
