//! How the actions on a release are done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    meta::Duration,
    schema::{self, is_false},
};

/// How to install.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Install {
    /// What becomes of the CRDs of the chart. Without it, `Create`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crds: Option<CrdPolicy>,
    /// Whether the target namespace is made if it does not exist. Uninstalling leaves it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_namespace: bool,
    /// Whether hooks are left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether rendered objects are applied without a check against the schema of the cluster.
    #[serde(rename = "disableOpenAPIValidation", default, skip_serializing_if = "is_false")]
    pub disable_open_api_validation: bool,
    /// Whether values are used without a check against the schema of the chart.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_schema_validation: bool,
    /// Whether objects that exist and belong to nobody make the action fail instead of becoming
    /// part of the release.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_take_ownership: bool,
    /// Whether to go on without waiting for objects to be ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether to go on without waiting for Jobs to complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// What to do after a failure. Without it, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<InstallRemediation>,
    /// Whether the name of a release that was deleted but kept in the history is used again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replace: bool,
    /// Whether objects are applied on the server. On if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<bool>,
    /// Whether the CRDs of the chart are left out. `crds` is to be preferred.
    #[serde(rename = "skipCRDs", default, skip_serializing_if = "is_false")]
    pub skip_crds: bool,
    /// What follows a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<InstallStrategy>,
    /// How long one operation on the cluster may take. Without it, the time-out of the
    /// HelmRelease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub timeout: Option<Duration>,
}

/// What to do after a failed install: uninstall, and try again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstallRemediation {
    /// Whether failed tests count as success. Without it, as `test.ignoreFailures` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Whether the last failure is uninstalled too. Off if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
    /// How often to try again; 0 if absent, without end if negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::integer")]
    pub retries: Option<i64>,
}

/// What follows a failed install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "message": ".retryInterval cannot be set when .name is 'RemediateOnFailure'",
    "rule": "!has(self.retryInterval) || self.name != 'RemediateOnFailure'"
}]))]
pub struct InstallStrategy {
    /// The name of the strategy.
    pub name: ActionStrategyName,
    /// How long to wait before the next try; five minutes if absent. For `RetryOnFailure` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub retry_interval: Option<Duration>,
}

/// What follows a failed install or upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ActionStrategyName {
    /// The remediation, then another try.
    #[default]
    RemediateOnFailure,
    /// Another try after a while, without remediation.
    RetryOnFailure,
}

/// What becomes of the CRDs of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CrdPolicy {
    /// They are left out.
    Skip,
    /// Those that do not exist are made.
    Create,
    /// Those that do not exist are made, the others replaced.
    CreateReplace,
}

/// How to upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upgrade {
    /// What to do if the chart has another name than before. Without it, `Reinstall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart_name_change_strategy: Option<ChartNameChangeStrategy>,
    /// Whether objects that a failed upgrade made are deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_fail: bool,
    /// What becomes of the CRDs of the chart. Without it, `Skip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crds: Option<CrdPolicy>,
    /// Whether hooks are left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether rendered objects are applied without a check against the schema of the cluster.
    #[serde(rename = "disableOpenAPIValidation", default, skip_serializing_if = "is_false")]
    pub disable_open_api_validation: bool,
    /// Whether values are used without a check against the schema of the chart.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_schema_validation: bool,
    /// Whether objects that exist and belong to nobody make the action fail instead of becoming
    /// part of the release.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_take_ownership: bool,
    /// Whether to go on without waiting for objects to be ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether to go on without waiting for Jobs to complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Whether objects that cannot be changed are replaced.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Whether the values of the last release stay where no new ones are given.
    #[serde(default, skip_serializing_if = "is_false")]
    pub preserve_values: bool,
    /// What to do after a failure. Without it, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<UpgradeRemediation>,
    /// Whether objects are applied on the server. Without it, `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<ServerSideApplyMode>,
    /// What follows a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<UpgradeStrategy>,
    /// How long one operation on the cluster may take. Without it, the time-out of the
    /// HelmRelease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub timeout: Option<Duration>,
}

/// What to do if the chart of a release has another name than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChartNameChangeStrategy {
    /// The release is upgraded to the new chart.
    InPlaceUpdate,
    /// The release is uninstalled and installed anew.
    #[default]
    Reinstall,
}

/// Whether objects are applied on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServerSideApplyMode {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
    /// As it was done in the revision before.
    #[default]
    Auto,
}

/// What to do after a failed upgrade: roll back or uninstall, and try again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeRemediation {
    /// Whether failed tests count as success. Without it, as `test.ignoreFailures` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Whether the last failure is remediated too. Without it, if there are retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
    /// How often to try again; 0 if absent, without end if negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::integer")]
    pub retries: Option<i64>,
    /// How to remediate. Without it, `rollback`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RemediationStrategy>,
}

/// How a failed upgrade is remediated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemediationStrategy {
    /// The last revision that worked is restored.
    #[default]
    Rollback,
    /// The release is uninstalled.
    Uninstall,
}

/// What follows a failed upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "message": ".retryInterval can only be set when .name is 'RetryOnFailure'",
    "rule": "!has(self.retryInterval) || self.name == 'RetryOnFailure'"
}]))]
pub struct UpgradeStrategy {
    /// The name of the strategy.
    pub name: ActionStrategyName,
    /// How long to wait before the next try; five minutes if absent. For `RetryOnFailure` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub retry_interval: Option<Duration>,
}

/// How to roll back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Whether objects that a failed rollback made are deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_fail: bool,
    /// Whether hooks are left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether to go on without waiting for objects to be ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether to go on without waiting for Jobs to complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Whether objects that cannot be changed are replaced.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Kept for compatibility; nothing reads it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recreate: bool,
    /// Whether objects are applied on the server. Without it, `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<ServerSideApplyMode>,
    /// How long one operation on the cluster may take. Without it, the time-out of the
    /// HelmRelease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub timeout: Option<Duration>,
}

/// How to uninstall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Uninstall {
    /// What becomes of the objects that belong to a deleted one.
    #[serde(default)]
    pub deletion_propagation: DeletionPropagation,
    /// Whether hooks are left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether to go on without waiting for objects to be gone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether the revisions stay stored, marked as deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep_history: bool,
    /// How long one operation on the cluster may take. Without it, the time-out of the
    /// HelmRelease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub timeout: Option<Duration>,
}

/// What becomes of the objects that belong to a deleted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeletionPropagation {
    /// They are deleted later.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to test a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// Whether tests run after each install and upgrade.
    #[serde(default, skip_serializing_if = "is_false")]
    pub enable: bool,
    /// Which tests run; without any, all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<TestFilter>,
    /// Whether failed tests count as success.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_failures: bool,
    /// How long one operation on the cluster may take. Without it, the time-out of the
    /// HelmRelease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub timeout: Option<Duration>,
}

/// A test to run, or not to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestFilter {
    /// Whether the test is left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exclude: bool,
    /// The name of the test.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
