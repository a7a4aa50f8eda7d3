//! What the runtime asks of a kind, and who reconciles it.

use std::{fmt::Debug, future::Future, time::Duration};

use gitops_api::{
    kustomize::{Kustomization, KustomizationStatus},
    meta::{Condition, reason},
    source::{
        ArtifactGenerator, ArtifactGeneratorStatus, Bucket, BucketStatus, GitRepository,
        GitRepositoryStatus, HelmChart, HelmChartStatus, HelmRepository, HelmRepositoryStatus,
        HelmRepositoryType, OciRepository, OciRepositoryStatus,
    },
};
use kube::Resource;
use serde::{Serialize, de::DeserializeOwned};

use super::{Attempt, Notice, Profile, Turn};

/// A kind that turns are made of.
pub trait Kind:
    Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static
{
    /// The typed status: the draft of a turn.
    type Status: Status;

    /// How its turns are settled.
    const PROFILE: &'static Profile;

    /// Whether `spec.suspend` is set.
    fn suspended(&self) -> bool;

    /// Reason and message of the Ready condition of an object that is suspended from the beginning,
    /// where it gets one.
    fn born_suspended(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What is told of a suspended object each time that it is looked at.
    fn suspended_notice(&self) -> Option<Notice> {
        None
    }

    /// `spec.interval`.
    fn interval(&self) -> Duration;

    /// `spec.retryInterval`, where the kind has one.
    fn retry_interval(&self) -> Option<Duration> {
        None
    }

    /// Whether the object only holds what others read: it is never reconciled, and what earlier
    /// turns left of it goes.
    fn is_static(&self) -> bool {
        false
    }

    /// The status as it was read.
    fn status(&self) -> Option<&Self::Status>;
}

/// What every status has.
pub trait Status:
    Serialize + DeserializeOwned + Clone + Default + Debug + PartialEq + Send + Sync + 'static
{
    /// `status.conditions`.
    fn conditions(&self) -> &[Condition];
    /// Replaces `status.conditions`.
    fn set_conditions(&mut self, conditions: Vec<Condition>);
    /// `status.observedGeneration`.
    fn observed_generation(&self) -> Option<i64>;
    /// Sets `status.observedGeneration`.
    fn observe_generation(&mut self, generation: i64);
    /// `status.lastHandledReconcileAt`.
    fn last_handled(&self) -> Option<&str>;
    /// Sets `status.lastHandledReconcileAt`.
    fn handle_request(&mut self, request: &str);
}

/// Reconciles one kind. It never touches conditions, requeue times or failure events: it records
/// facts in the attempt and returns how the turn ended.
pub trait Reconcile: Send + Sync + 'static {
    /// The kind.
    type Kind: Kind;

    /// Makes the world as the object's spec asks. Dropping the future must be safe at any await.
    fn reconcile(
        &self,
        object: &Self::Kind,
        attempt: &mut Attempt<Self::Kind>,
    ) -> impl Future<Output = Turn> + Send;

    /// Cleans up after an object that is being deleted; suspended ones too. The finalizer goes
    /// when this returns `Ok`.
    fn finalize(
        &self,
        object: &Self::Kind,
        attempt: &mut Attempt<Self::Kind>,
    ) -> impl Future<Output = Turn> + Send;
}

macro_rules! status {
    ($type:ty) => {
        impl Status for $type {
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }
            fn set_conditions(&mut self, conditions: Vec<Condition>) {
                self.conditions = conditions;
            }
            fn observed_generation(&self) -> Option<i64> {
                self.observed_generation
            }
            fn observe_generation(&mut self, generation: i64) {
                self.observed_generation = Some(generation);
            }
            fn last_handled(&self) -> Option<&str> {
                self.last_handled_reconcile_at.as_deref()
            }
            fn handle_request(&mut self, request: &str) {
                self.last_handled_reconcile_at = Some(request.to_owned());
            }
        }
    };
}

status!(GitRepositoryStatus);
status!(KustomizationStatus);
status!(OciRepositoryStatus);
status!(HelmRepositoryStatus);
status!(HelmChartStatus);
status!(BucketStatus);

impl Kind for GitRepository {
    type Status = GitRepositoryStatus;
    const PROFILE: &'static Profile = &crate::profiles::GIT_REPOSITORY;

    fn suspended(&self) -> bool {
        self.spec.suspend
    }
    fn interval(&self) -> Duration {
        self.spec.interval.get()
    }
    fn status(&self) -> Option<&GitRepositoryStatus> {
        self.status.as_ref()
    }
}

impl Kind for OciRepository {
    type Status = OciRepositoryStatus;
    const PROFILE: &'static Profile = &crate::profiles::OCI_REPOSITORY;

    fn suspended(&self) -> bool {
        self.spec.suspend
    }
    fn interval(&self) -> Duration {
        self.spec.interval.get()
    }
    fn status(&self) -> Option<&OciRepositoryStatus> {
        self.status.as_ref()
    }
}

impl Kind for HelmRepository {
    type Status = HelmRepositoryStatus;
    const PROFILE: &'static Profile = &crate::profiles::HELM_REPOSITORY;

    fn suspended(&self) -> bool {
        self.spec.suspend
    }
    fn interval(&self) -> Duration {
        self.spec.interval.as_ref().map_or(Duration::from_mins(1), gitops_api::meta::Duration::get)
    }
    fn is_static(&self) -> bool {
        self.spec.type_ == Some(HelmRepositoryType::Oci)
    }
    fn status(&self) -> Option<&HelmRepositoryStatus> {
        self.status.as_ref()
    }
}

impl Kind for HelmChart {
    type Status = HelmChartStatus;
    const PROFILE: &'static Profile = &crate::profiles::HELM_CHART;

    fn suspended(&self) -> bool {
        self.spec.suspend
    }
    fn interval(&self) -> Duration {
        self.spec.interval.get()
    }
    fn status(&self) -> Option<&HelmChartStatus> {
        self.status.as_ref()
    }
}

impl Kind for Bucket {
    type Status = BucketStatus;
    const PROFILE: &'static Profile = &crate::profiles::BUCKET;

    fn suspended(&self) -> bool {
        self.spec.suspend
    }
    fn interval(&self) -> Duration {
        self.spec.interval.get()
    }
    fn status(&self) -> Option<&BucketStatus> {
        self.status.as_ref()
    }
}

impl Status for ArtifactGeneratorStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn set_conditions(&mut self, conditions: Vec<Condition>) {
        self.conditions = conditions;
    }
    fn observed_generation(&self) -> Option<i64> {
        None
    }
    /// The kind has no such field: its conditions tell.
    fn observe_generation(&mut self, _: i64) {}
    fn last_handled(&self) -> Option<&str> {
        self.last_handled_reconcile_at.as_deref()
    }
    fn handle_request(&mut self, request: &str) {
        self.last_handled_reconcile_at = Some(request.to_owned());
    }
}

impl Kind for ArtifactGenerator {
    type Status = ArtifactGeneratorStatus;
    const PROFILE: &'static Profile = &crate::profiles::ARTIFACT_GENERATOR;

    fn suspended(&self) -> bool {
        crate::generator::is_disabled(self)
    }
    fn born_suspended(&self) -> Option<(&'static str, &'static str)> {
        Some((reason::RECONCILIATION_DISABLED, "Initialized with reconciliation suspended"))
    }
    fn suspended_notice(&self) -> Option<Notice> {
        Some(Notice::trace(reason::RECONCILIATION_DISABLED, "Reconciliation is disabled"))
    }
    fn interval(&self) -> Duration {
        Duration::from_hours(1)
    }
    fn status(&self) -> Option<&ArtifactGeneratorStatus> {
        self.status.as_ref()
    }
}

impl Kind for Kustomization {
    type Status = KustomizationStatus;
    const PROFILE: &'static Profile = &crate::profiles::KUSTOMIZATION;

    fn suspended(&self) -> bool {
        self.spec.suspend
    }
    fn interval(&self) -> Duration {
        self.spec.interval.get()
    }
    fn retry_interval(&self) -> Option<Duration> {
        self.spec.retry_interval.as_ref().map(gitops_api::meta::Duration::get)
    }
    fn status(&self) -> Option<&KustomizationStatus> {
        self.status.as_ref()
    }
}
