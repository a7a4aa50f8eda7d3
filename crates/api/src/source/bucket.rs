//! Bucket: an object store as a source.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Artifact, CloudProvider, git::default_timeout};
use crate::{
    meta::{Condition, Duration, LocalReference},
    schema::{self, is_false},
};

/// Which bucket to fetch, from where, and how often.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "Bucket",
    plural = "buckets",
    doc = "A bucket of an object store whose objects become an artifact.",
    derive = "PartialEq",
    namespaced,
    status = "BucketStatus",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-sources",
    printcolumn = r#"{"name":"Endpoint","type":"string","jsonPath":".spec.endpoint"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    { "message": "STS configuration is only supported for the 'aws' and 'generic' Bucket providers", "rule": "self.provider == 'aws' || self.provider == 'generic' || !has(self.sts)" },
    { "message": "'aws' is the only supported STS provider for the 'aws' Bucket provider", "rule": "self.provider != 'aws' || !has(self.sts) || self.sts.provider == 'aws'" },
    { "message": "'ldap' is the only supported STS provider for the 'generic' Bucket provider", "rule": "self.provider != 'generic' || !has(self.sts) || self.sts.provider == 'ldap'" },
    { "message": "spec.sts.secretRef is not required for the 'aws' STS provider", "rule": "!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.secretRef)" },
    { "message": "spec.sts.certSecretRef is not required for the 'aws' STS provider", "rule": "!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.certSecretRef)" },
    { "message": "ServiceAccountName is not supported for the 'generic' Bucket provider", "rule": "self.provider != 'generic' || !has(self.serviceAccountName)" },
    { "message": "cannot set both .spec.secretRef and .spec.serviceAccountName", "rule": "!has(self.secretRef) || !has(self.serviceAccountName)" }
]))]
pub struct BucketSpec {
    /// The name of the bucket.
    pub bucket_name: String,
    /// A Secret with `ca.crt` to check the store with, `tls.crt` and `tls.key` to be known to
    /// it, or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalReference>,
    /// The host, and optionally port, of the object store.
    pub endpoint: String,
    /// Patterns of objects to leave out, in the format of `.gitignore`. They replace the
    /// built-in list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// Whether to talk plain HTTP to the store.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// How often to look for changes, for example `10m`. The actual time varies by a few per
    /// cent, so that not all sources are asked at once.
    #[schemars(schema_with = "schema::interval")]
    pub interval: Duration,
    /// Only objects whose key starts with this are fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Whose object store it is; `generic` is anything that speaks S3.
    #[serde(default)]
    pub provider: CloudProvider,
    /// A Secret with the proxy to use: `address`, and optionally `username` and `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalReference>,
    /// The region of the bucket; S3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A Secret with credentials, for example `accesskey` and `secretkey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// The ServiceAccount whose identity is exchanged for credentials; not for `generic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// A service that issues temporary credentials; for `aws` and `generic` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sts: Option<BucketTokenService>,
    /// Whether to leave the source as it is. The artifact stays available.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// How long one request to the store may take.
    #[serde(default = "default_timeout")]
    #[schemars(schema_with = "schema::timeout")]
    pub timeout: Duration,
}

/// A service that issues temporary credentials for a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketTokenService {
    /// A Secret with `ca.crt`, or `tls.crt` and `tls.key`, for the connection; `ldap` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalReference>,
    /// The address of the service.
    #[schemars(regex(pattern = "^(http|https)://.*$"))]
    pub endpoint: String,
    /// How to ask it.
    pub provider: TokenServiceProvider,
    /// A Secret with `username` and `password`; `ldap` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// How to ask for temporary credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenServiceProvider {
    /// As AWS STS.
    Aws,
    /// With user name and password, as MinIO offers it for LDAP.
    Ldap,
}

/// What is known about a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketStatus {
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
    /// The address of the artifact; that of `artifact` is the one to rely on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
