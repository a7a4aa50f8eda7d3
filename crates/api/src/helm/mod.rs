//! HelmRelease: a chart that is released to a cluster.

mod action;
mod chart;
mod release;
mod status;

pub use action::{
    ActionStrategyName, ChartNameChangeStrategy, CrdPolicy, DeletionPropagation, Install,
    InstallRemediation, InstallStrategy, RemediationStrategy, Rollback, ServerSideApplyMode, Test,
    TestFilter, Uninstall, Upgrade, UpgradeRemediation, UpgradeStrategy,
};
pub use chart::{
    ChartTemplate, ChartTemplateMetadata, ChartTemplateSource, ChartTemplateSpec,
    ChartTemplateVerification,
};
pub use release::{
    ChartReference, DriftDetection, DriftDetectionMode, HelmRelease, HelmReleaseSpec,
    KustomizePostRenderer, PostRenderStrategy, PostRenderer, ValuesKind, ValuesReference,
    WaitStrategy, WaitStrategyName,
};
pub use status::{HelmReleaseStatus, ReleaseAction, ReleaseSnapshot, TestHookStatus};
