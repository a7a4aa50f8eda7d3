//! ImageRepository: the tags of a container image.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    meta::{AccessFrom, Condition, Duration, LocalReference, Time},
    schema::{self, is_false},
    source::CloudProvider,
};

/// Which image's tags to list, and how often.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "image.toolkit.fluxcd.io",
    version = "v1",
    kind = "ImageRepository",
    plural = "imagerepositories",
    doc = "The tags of a container image, listed again and again.",
    derive = "PartialEq",
    namespaced,
    status = "ImageRepositoryStatus",
    shortname = "imgrepo",
    shortname = "imagerepo",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-images",
    printcolumn = r#"{"name":"Image","type":"string","jsonPath":".spec.image"}"#,
    printcolumn = r#"{"name":"Tags","type":"string","jsonPath":".status.lastScanResult.tagCount"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name":"Last scan","type":"string","jsonPath":".status.lastScanResult.scanTime","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ImageRepositorySpec {
    /// Which other namespaces may have policies for this image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_from: Option<AccessFrom>,
    /// A Secret with `ca.crt` to check the registry with, `tls.crt` and `tls.key` to be known
    /// to it, or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalReference>,
    /// Regular expressions; tags that match any of them do not count. An empty list excludes
    /// nothing.
    #[serde(default = "default_exclusions")]
    #[schemars(length(max = 25))]
    pub exclusion_list: Vec<String>,
    /// The image without a tag, for example `ghcr.io/stefanprodan/podinfo`.
    pub image: String,
    /// Whether to talk plain HTTP to the registry.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// How often to list the tags, for example `5m`.
    #[schemars(schema_with = "schema::interval")]
    pub interval: Duration,
    /// Who issues the credentials.
    #[serde(default)]
    pub provider: CloudProvider,
    /// A Secret with the proxy to use: `address`, and optionally `username` and `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalReference>,
    /// A Secret of the type `kubernetes.io/dockerconfigjson` with credentials for the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// The ServiceAccount whose pull secrets are used, or whose identity is exchanged for
    /// credentials of the `provider`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_account_name: Option<String>,
    /// Whether to leave the tags as they are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// How long listing may take. Without it, `interval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::timeout")]
    pub timeout: Option<Duration>,
}

/// Signatures of images, which Cosign stores as tags.
fn default_exclusions() -> Vec<String> {
    vec![r"^.*\.sig$".into()]
}

/// What is known about an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageRepositoryStatus {
    /// The image with its registry spelled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_image_name: Option<String>,
    /// The conditions of the object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The last value of the annotation that asks for a reconciliation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// What the last listing found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_scan_result: Option<ScanResult>,
    /// The `spec.exclusionList` of the last listing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed_exclusion_list: Vec<String>,
    /// The generation that was last brought to an end; -1 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What a listing of tags found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScanResult {
    /// Some of the tags, for people; at most ten, in descending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latest_tags: Vec<String>,
    /// A digest over all tags, to see whether any changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// When the tags were listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan_time: Option<Time>,
    /// How many tags there are, without the excluded ones.
    #[schemars(schema_with = "schema::integer")]
    pub tag_count: i64,
}
