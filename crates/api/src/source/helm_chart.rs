//! HelmChart: one chart, packaged.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Artifact, ChartVerification};
use crate::{
    meta::{Condition, Duration},
    schema::{self, is_false},
};

/// Which chart to fetch, from which source, and how often.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "HelmChart",
    plural = "helmcharts",
    doc = "A chart of a chart repository, a Git repository or a bucket, packaged as an artifact.",
    derive = "PartialEq",
    namespaced,
    status = "HelmChartStatus",
    shortname = "hc",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-sources",
    printcolumn = r#"{"name":"Chart","type":"string","jsonPath":".spec.chart"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"Source Kind","type":"string","jsonPath":".spec.sourceRef.kind"}"#,
    printcolumn = r#"{"name":"Source Name","type":"string","jsonPath":".spec.sourceRef.name"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "message": "spec.verify is only supported when spec.sourceRef.kind is 'HelmRepository'",
    "rule": "!has(self.verify) || self.sourceRef.kind == 'HelmRepository'"
}]))]
pub struct HelmChartSpec {
    /// The name of the chart, or its directory in the artifact of the source.
    pub chart: String,
    /// Whether `valuesFiles` that do not exist are left out instead of failing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_missing_values_files: bool,
    /// How often to look for a new version, for example `10m`. The actual time varies by a few
    /// per cent, so that not all sources are asked at once.
    #[schemars(schema_with = "schema::interval")]
    pub interval: Duration,
    /// What makes a new artifact.
    #[serde(default)]
    pub reconcile_strategy: ReconcileStrategy,
    /// Where the chart comes from.
    pub source_ref: ChartSource,
    /// Whether to leave the source as it is. The artifact stays available.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Files of the chart that replace its `values.yaml`, merged in this order. `values.yaml`
    /// itself counts only if it is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values_files: Vec<String>,
    /// Which signature must be good; for charts in OCI registries only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<ChartVerification>,
    /// The version or range of versions; not used with Git repositories and buckets.
    #[serde(default = "any_version")]
    pub version: String,
}

/// Any version will do: the highest release is taken.
pub(crate) fn any_version() -> String {
    "*".into()
}

/// What makes a new artifact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReconcileStrategy {
    /// A new version of the chart.
    #[default]
    ChartVersion,
    /// A new revision of the source, for charts from Git repositories and buckets.
    Revision,
}

/// Where a chart comes from, in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartSource {
    /// `group/version` of the source; without it, the version that is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The kind of the source.
    #[schemars(extend("enum" = ["HelmRepository", "GitRepository", "Bucket"]))]
    pub kind: String,
    /// The name of the source.
    pub name: String,
}

/// What is known about a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmChartStatus {
    /// The chart that was last stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// The conditions of the object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The last value of the annotation that asks for a reconciliation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The generation that was last brought to an end; -1 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The name that the chart gives itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_chart_name: Option<String>,
    /// The revision of the source's artifact from which the chart was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_source_artifact_revision: Option<String>,
    /// The `spec.valuesFiles` of the artifact that existed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed_values_files: Vec<String>,
    /// The address of the artifact; that of `artifact` is the one to rely on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
