//! The profiles of the kinds: Flux's rules for their conditions, as data.

use gitops_api::meta::{condition_type as condition, reason};
use gitops_core::{Class, Stage};

use crate::runtime::{FailureCondition, ObservesSuspended, Profile, Ready, Retry};

/// GitRepository.
pub const GIT_REPOSITORY: Profile = Profile {
    controller: "gitrepository",
    owned: &[
        condition::READY,
        condition::RECONCILING,
        condition::STALLED,
        condition::FETCH_FAILED,
        condition::INCLUDE_UNAVAILABLE,
        condition::ARTIFACT_OUTDATED,
        condition::ARTIFACT_IN_STORAGE,
        condition::SOURCE_VERIFIED,
        condition::STORAGE_OPERATION_FAILED,
    ],
    negative: &[
        condition::STORAGE_OPERATION_FAILED,
        condition::FETCH_FAILED,
        condition::INCLUDE_UNAVAILABLE,
        condition::ARTIFACT_OUTDATED,
    ],
    ready: Ready::Mirror(&[
        condition::STORAGE_OPERATION_FAILED,
        condition::FETCH_FAILED,
        condition::INCLUDE_UNAVAILABLE,
        condition::ARTIFACT_OUTDATED,
        condition::ARTIFACT_IN_STORAGE,
    ]),
    failure: source_failure,
    reason: source_reason,
    stalls: source_stalls,
    retry: Retry::Backoff,
    announces_generation: true,
    observes_suspended: ObservesSuspended::Condition,
    unobserved: &[],
    stall_prefix: "",
    always_unknown: false,
};

/// OCIRepository.
pub const OCI_REPOSITORY: Profile = Profile {
    controller: "ocirepository",
    reason: |stage, class| match stage {
        Stage::Fetch | Stage::Resolve => reason::OCI_ARTIFACT_PULL_FAILED,
        stage => source_reason(stage, class),
    },
    ..GIT_REPOSITORY
};

/// HelmRepository.
pub const HELM_REPOSITORY: Profile = Profile {
    controller: "helmrepository",
    reason: |stage, class| match stage {
        Stage::Fetch | Stage::Resolve => reason::FAILED,
        stage => source_reason(stage, class),
    },
    ..GIT_REPOSITORY
};

/// Bucket.
pub const BUCKET: Profile = Profile {
    controller: "bucket",
    reason: |stage, class| match stage {
        Stage::Fetch | Stage::Resolve => reason::BUCKET_OPERATION_FAILED,
        stage => source_reason(stage, class),
    },
    ..GIT_REPOSITORY
};

/// HelmChart.
pub const HELM_CHART: Profile = Profile {
    controller: "helmchart",
    owned: &[
        condition::READY,
        condition::RECONCILING,
        condition::STALLED,
        condition::BUILD_FAILED,
        condition::FETCH_FAILED,
        condition::ARTIFACT_OUTDATED,
        condition::ARTIFACT_IN_STORAGE,
        condition::SOURCE_VERIFIED,
        condition::STORAGE_OPERATION_FAILED,
    ],
    negative: &[
        condition::STORAGE_OPERATION_FAILED,
        condition::BUILD_FAILED,
        condition::FETCH_FAILED,
        condition::ARTIFACT_OUTDATED,
    ],
    ready: Ready::Mirror(&[
        condition::STORAGE_OPERATION_FAILED,
        condition::BUILD_FAILED,
        condition::FETCH_FAILED,
        condition::ARTIFACT_OUTDATED,
        condition::ARTIFACT_IN_STORAGE,
    ]),
    failure: |stage| match stage {
        Stage::Build => Some(FailureCondition { condition: condition::BUILD_FAILED, holds: true }),
        stage => source_failure(stage),
    },
    reason: |stage, class| match stage {
        Stage::Fetch | Stage::Resolve => reason::CHART_PULL_ERROR,
        Stage::Build => reason::CHART_PACKAGE_ERROR,
        Stage::Validate => reason::INVALID_CHART_REFERENCE,
        stage => source_reason(stage, class),
    },
    stalls: |stage, class, word| {
        // Only another spec, or another chart, can help with these.
        matches!(
            word,
            reason::INVALID_CHART_REFERENCE
                | reason::METADATA_PATCH_ERROR
                | reason::VALUES_FILES_ERROR
                | reason::UNSUPPORTED_SOURCE_KIND
        ) || source_stalls(stage, class, word)
    },
    ..GIT_REPOSITORY
};

/// ArtifactGenerator.
pub const ARTIFACT_GENERATOR: Profile = Profile {
    controller: "artifactgenerator",
    owned: &[condition::READY, condition::RECONCILING, condition::STALLED],
    negative: &[],
    ready: Ready::Outcome { success: reason::SUCCEEDED },
    failure: |_| None,
    reason: |stage, _| match stage {
        Stage::Validate => reason::VALIDATION_FAILED,
        Stage::Build | Stage::Store => reason::BUILD_FAILED,
        Stage::Fetch | Stage::Resolve => reason::SOURCE_FETCH_FAILED,
        _ => reason::RECONCILIATION_FAILED,
    },
    stalls: source_stalls,
    retry: Retry::Backoff,
    announces_generation: false,
    observes_suspended: ObservesSuspended::Nothing,
    unobserved: &[],
    ..KUSTOMIZATION
};

/// Kustomization.
pub const KUSTOMIZATION: Profile = Profile {
    controller: "kustomization",
    owned: &[condition::READY, condition::RECONCILING, condition::STALLED, condition::HEALTHY],
    negative: &[],
    ready: Ready::Outcome { success: reason::RECONCILIATION_SUCCEEDED },
    failure: |_| None,
    reason: kustomization_reason,
    stalls: kustomization_stalls,
    retry: Retry::Interval,
    announces_generation: false,
    observes_suspended: ObservesSuspended::Status,
    unobserved: &[reason::ACCESS_DENIED],
    stall_prefix: "",
    always_unknown: true,
};

fn source_failure(stage: Stage) -> Option<FailureCondition> {
    let (condition, holds) = match stage {
        Stage::Validate | Stage::Resolve | Stage::Fetch | Stage::Connect => {
            (condition::FETCH_FAILED, true)
        }
        Stage::Dependencies => (condition::INCLUDE_UNAVAILABLE, true),
        Stage::Verify => (condition::SOURCE_VERIFIED, false),
        Stage::Store => (condition::STORAGE_OPERATION_FAILED, true),
        _ => return None,
    };
    Some(FailureCondition { condition, holds })
}

fn source_reason(stage: Stage, _: Class) -> &'static str {
    match stage {
        Stage::Verify => reason::VERIFICATION_ERROR,
        Stage::Store => reason::ARCHIVE_OPERATION_FAILED,
        Stage::Dependencies => reason::NOT_FOUND,
        Stage::Validate => reason::URL_INVALID,
        _ => reason::GIT_OPERATION_FAILED,
    }
}

/// Most of Flux's fetch errors are retried although only a person can help (a branch that does
/// not exist may yet be pushed); what cannot work without a new spec stalls.
fn source_stalls(stage: Stage, class: Class, reason: &str) -> bool {
    reason == reason::INVALID_VERIFICATION_MODE
        || stage == Stage::Validate
            && matches!(class, Class::Invalid | Class::Denied | Class::Unsupported)
}

fn kustomization_reason(stage: Stage, class: Class) -> &'static str {
    match (stage, class) {
        (Stage::Validate, Class::Denied) => reason::ACCESS_DENIED,
        (Stage::Validate, Class::Unsupported) => reason::FEATURE_GATE_DISABLED,
        (Stage::Validate, _) => reason::INVALID_CEL_EXPRESSION,
        (Stage::Dependencies, _) => reason::DEPENDENCY_NOT_READY,
        (Stage::Resolve | Stage::Fetch, _) => reason::ARTIFACT_FAILED,
        (Stage::Build, _) => reason::BUILD_FAILED,
        (Stage::Prune, _) => reason::PRUNE_FAILED,
        (Stage::Health, _) => reason::HEALTH_CHECK_FAILED,
        _ => reason::RECONCILIATION_FAILED,
    }
}

fn kustomization_stalls(stage: Stage, class: Class, _: &str) -> bool {
    stage == Stage::Validate && matches!(class, Class::Invalid | Class::Denied | Class::Unsupported)
}
