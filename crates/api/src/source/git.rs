//! GitRepository: a Git repository as a source.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Artifact;
use crate::{
    meta::{Condition, Duration, LocalReference},
    schema::{self, is_false},
};

/// Which Git repository to fetch, at which reference, and how often.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "GitRepository",
    plural = "gitrepositories",
    doc = "A Git repository whose files become an artifact.",
    derive = "PartialEq",
    namespaced,
    status = "GitRepositoryStatus",
    shortname = "gitrepo",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-sources",
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".spec.url"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "message": "serviceAccountName can only be set when provider is 'azure' or 'aws'",
    "rule": "!has(self.serviceAccountName) || (has(self.provider) && (self.provider == 'azure' || self.provider == 'aws'))"
}]))]
pub struct GitRepositorySpec {
    /// Patterns of files to leave out, in the format of `.gitignore`. They replace the built-in
    /// list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// Artifacts of other repositories to copy into this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<GitRepositoryInclude>,
    /// How often to look for a new revision, for example `10m`. The actual time varies by a few
    /// per cent, so that not all sources are asked at once.
    #[schemars(schema_with = "schema::interval")]
    pub interval: Duration,
    /// Who issues the credentials. Without it, `generic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<GitProvider>,
    /// A Secret with the proxy to use: `address`, and optionally `username` and `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalReference>,
    /// Whether to fetch submodules too, at all depths, with the same credentials.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recurse_submodules: bool,
    /// What to fetch. Without it, the branch `master`.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<GitRepositoryReference>,
    /// A Secret with credentials: `username` and `password` or `bearerToken` for HTTPS, `identity`
    /// and `known_hosts` for SSH, `ca.crt`, `tls.crt` and `tls.key` for TLS, or those of a GitHub
    /// App.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// The ServiceAccount whose identity is exchanged for credentials; for the providers `azure`
    /// and `aws` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Directories to fetch. Without any, the whole repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sparse_checkout: Vec<String>,
    /// Whether to leave the source as it is. The artifact stays available.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// How long one Git operation may take.
    #[serde(default = "default_timeout")]
    #[schemars(schema_with = "schema::timeout")]
    pub timeout: Duration,
    /// The address of the repository: `http://`, `https://` or `ssh://`.
    #[schemars(regex(pattern = "^(http|https|ssh)://.*$"))]
    pub url: String,
    /// Which signatures must be good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<GitRepositoryVerification>,
}

/// The time-out of sources that do not say otherwise: 60 seconds.
pub(super) fn default_timeout() -> Duration {
    "60s".parse().expect("the text is a duration")
}

/// Another repository whose artifact becomes part of this one's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryInclude {
    /// The directory to copy. Without it, all of the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_path: Option<String>,
    /// The GitRepository, in the same namespace.
    pub repository: LocalReference,
    /// Where to copy it to. Without it, a directory named like the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_path: Option<String>,
}

/// What to fetch from a repository. Of several fields the first counts in this order: `commit`,
/// `name`, `tag`, `semver`, `branch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryReference {
    /// A branch; `master` if no field is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The hash of a commit. Together with `branch` it is looked for on that branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// A full reference name, for example `refs/pull/420/head`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A range of versions; the tag with the highest version in it is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// A tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Which signatures of a repository must be good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryVerification {
    /// What must be signed.
    #[serde(default)]
    pub mode: GitVerificationMode,
    /// A Secret with the keys that are trusted: `OpenPGP` keys in entries that end in `.asc`, SSH
    /// keys in entries that end in `.sshpub`.
    pub secret_ref: LocalReference,
}

/// What must be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GitVerificationMode {
    /// The commit; an older spelling of [`Head`](Self::Head).
    #[serde(rename = "head")]
    LegacyHead,
    /// The commit.
    #[default]
    #[serde(rename = "HEAD")]
    Head,
    /// The tag.
    Tag,
    /// The tag and the commit it points to.
    #[serde(rename = "TagAndHEAD")]
    TagAndHead,
}

/// Who issues the credentials for a Git repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GitProvider {
    /// Nobody in particular; credentials come from a Secret.
    #[default]
    Generic,
    /// AWS `CodeCommit`.
    Aws,
    /// Azure `DevOps`.
    Azure,
    /// A GitHub App.
    GitHub,
}

/// What is known about a Git repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryStatus {
    /// The artifact of the last revision that could be stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// The conditions of the object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The artifacts that were included, in the order of `spec.include`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included_artifacts: Vec<Artifact>,
    /// The last value of the annotation that asks for a reconciliation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The generation that was last brought to an end; -1 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The `spec.ignore` of the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_ignore: Option<String>,
    /// The `spec.include` of the artifact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed_include: Vec<GitRepositoryInclude>,
    /// The `spec.recurseSubmodules` of the artifact.
    #[serde(default, skip_serializing_if = "is_false")]
    pub observed_recurse_submodules: bool,
    /// The `spec.sparseCheckout` of the artifact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed_sparse_checkout: Vec<String>,
    /// The mode of the last verification that passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_verification_mode: Option<String>,
}
