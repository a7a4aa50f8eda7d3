//! HelmRepository: where charts are offered.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Artifact, CloudProvider};
use crate::{
    meta::{AccessFrom, Condition, Duration, LocalReference},
    schema::{self, is_false},
};

/// Which chart repository to use, and how often to read its index.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "HelmRepository",
    plural = "helmrepositories",
    doc = "A chart repository: an HTTP server with an index, or a container registry.",
    derive = "PartialEq",
    namespaced,
    status = "HelmRepositoryStatus",
    shortname = "helmrepo",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-sources",
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".spec.url"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct HelmRepositorySpec {
    /// Kept for compatibility; nothing reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_from: Option<AccessFrom>,
    /// A Secret with `ca.crt` to check the server with, `tls.crt` and `tls.key` to be known to
    /// it, or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalReference>,
    /// Whether to talk plain HTTP to the registry; `oci` only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// How often to read the index, for example `1h`. Not used with `oci`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub interval: Option<Duration>,
    /// Whether credentials also go to other hosts that the index names for charts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pass_credentials: bool,
    /// Who issues the credentials; `oci` only.
    #[serde(default)]
    pub provider: CloudProvider,
    /// A Secret with `username` and `password`, or of the type `kubernetes.io/dockerconfigjson`
    /// with `oci`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// Whether to leave the source as it is. The index stays available.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// How long reading the index may take; 60 seconds if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::timeout")]
    pub timeout: Option<Duration>,
    /// What kind of server it is. Without it, `default`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<HelmRepositoryType>,
    /// The address: `http://` or `https://` of the directory with `index.yaml`, or `oci://`.
    #[schemars(regex(pattern = "^(http|https|oci)://.*$"))]
    pub url: String,
}

/// What kind of server offers the charts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HelmRepositoryType {
    /// An HTTP server with an index.
    #[default]
    Default,
    /// A container registry.
    Oci,
}

/// What is known about a chart repository. Empty with `oci`, which needs no reconciliation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmRepositoryStatus {
    /// The index that was last stored.
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
    /// The address of the artifact; that of `artifact` is the one to rely on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
