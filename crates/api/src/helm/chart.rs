//! The chart of a HelmRelease, as the HelmChart that is made for it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    meta::{Duration, LocalReference},
    schema::{self, is_false},
    source::{ReconcileStrategy, SignatureProvider, any_version},
};

/// The HelmChart to make for a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplate {
    /// Its labels and annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ChartTemplateMetadata>,
    /// Its spec.
    pub spec: ChartTemplateSpec,
}

/// Labels and annotations of a HelmChart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplateMetadata {
    /// The annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Which chart to fetch, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplateSpec {
    /// The name of the chart, or its directory in the artifact of the source.
    #[schemars(length(min = 1, max = 2048))]
    pub chart: String,
    /// Whether `valuesFiles` that do not exist are left out instead of failing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_missing_values_files: bool,
    /// How often to look for a new version. Without it, the interval of the HelmRelease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub interval: Option<Duration>,
    /// What makes a new artifact.
    #[serde(default)]
    pub reconcile_strategy: ReconcileStrategy,
    /// Where the chart comes from.
    pub source_ref: ChartTemplateSource,
    /// Files of the chart that replace its `values.yaml`, merged in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values_files: Vec<String>,
    /// Which signature must be good; for charts in OCI registries only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<ChartTemplateVerification>,
    /// The version or range of versions; not used with Git repositories and buckets.
    #[serde(default = "any_version")]
    pub version: String,
}

/// Where a chart comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplateSource {
    /// `group/version` of the source; without it, the version that is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The kind of the source.
    #[schemars(extend("enum" = ["HelmRepository", "GitRepository", "Bucket"]))]
    pub kind: String,
    /// The name of the source.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The namespace of the source, in which the HelmChart is made; without it, that of the
    /// HelmRelease.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Which signature of a chart must be good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["provider"]))]
pub struct ChartTemplateVerification {
    /// The tool that made the signature.
    #[serde(default)]
    pub provider: SignatureProvider,
    /// A Secret with the keys or certificates that are trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}
