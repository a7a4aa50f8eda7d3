//! OCIRepository: an artifact in a container registry as a source.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Artifact, CloudProvider, SignatureVerification, git::default_timeout};
use crate::{
    meta::{Condition, Duration, LocalReference},
    schema::{self, is_false},
};

/// Which OCI artifact to pull, from where, and how often.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "OCIRepository",
    root = "OciRepository",
    plural = "ocirepositories",
    doc = "An OCI artifact in a container registry whose files become an artifact.",
    derive = "PartialEq",
    namespaced,
    status = "OciRepositoryStatus",
    shortname = "ocirepo",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-sources",
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".spec.url"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct OciRepositorySpec {
    /// A Secret with `ca.crt` to check the registry with, `tls.crt` and `tls.key` to be known
    /// to it, or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalReference>,
    /// Patterns of files to leave out, in the format of `.gitignore`. They replace the built-in
    /// list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// Whether to talk plain HTTP to the registry.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// How often to look for a new revision, for example `10m`. The actual time varies by a few
    /// per cent, so that not all sources are asked at once.
    #[schemars(schema_with = "schema::interval")]
    pub interval: Duration,
    /// Which layer to take, and how. Without it, the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_selector: Option<OciLayerSelector>,
    /// Who issues the credentials.
    #[serde(default)]
    pub provider: CloudProvider,
    /// A Secret with the proxy to use: `address`, and optionally `username` and `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalReference>,
    /// What to pull. Without it, the tag `latest`.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<OciRepositoryReference>,
    /// A Secret of the type `kubernetes.io/dockerconfigjson` with credentials for the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// The ServiceAccount whose pull secrets are used, or whose identity is exchanged for
    /// credentials of the `provider`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Whether to leave the source as it is. The artifact stays available.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// How long one request to the registry may take.
    #[serde(default = "default_timeout")]
    #[schemars(schema_with = "schema::timeout")]
    pub timeout: Duration,
    /// The address of the artifact without tag or digest, `oci://<registry>/<repository>`.
    #[schemars(regex(pattern = "^oci://.*$"))]
    pub url: String,
    /// Which signature must be good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<SignatureVerification>,
}

/// A layer of an OCI artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciLayerSelector {
    /// The media type; the first layer that has it is taken. Without it, the first layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What is done with the layer. Without it, `extract`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OciLayerOperation>,
}

/// What is done with a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OciLayerOperation {
    /// It is unpacked as a compressed tar archive, and its files become the artifact.
    #[default]
    Extract,
    /// It is stored as it is.
    Copy,
}

/// What to pull. Of several fields the first counts in this order: `digest`, `semver`, `tag`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciRepositoryReference {
    /// A digest, `sha256:<hex>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// A range of versions; the tag with the highest version in it is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// A regular expression; only tags that match are considered for `semver`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semver_filter: Option<String>,
    /// A tag; `latest` if no field is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// What is known about an OCI repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciRepositoryStatus {
    /// The artifact of the last revision that could be stored.
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
    /// The `spec.ignore` of the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_ignore: Option<String>,
    /// The `spec.layerSelector` of the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_layer_selector: Option<OciLayerSelector>,
    /// The address of the artifact; that of `artifact` is the one to rely on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
