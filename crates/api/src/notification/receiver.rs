//! Receiver: a webhook that starts reconciliations.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ReceiverResource;
use crate::{
    meta::{Condition, Duration, LocalReference},
    schema::{self, is_false},
};

/// Which requests to admit, and what to reconcile then.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "notification.toolkit.fluxcd.io",
    version = "v1",
    kind = "Receiver",
    plural = "receivers",
    doc = "A webhook whose requests start the reconciliation of some objects.",
    derive = "PartialEq",
    namespaced,
    status = "ReceiverStatus",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-notifications",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    { "message": "generic-oidc receivers must define at least one oidcProvider", "rule": "self.type != 'generic-oidc' || (has(self.oidcProviders) && size(self.oidcProviders) > 0)" },
    { "message": "oidcProviders can only be set when type is generic-oidc", "rule": "self.type == 'generic-oidc' || !has(self.oidcProviders) || size(self.oidcProviders) == 0" },
    { "message": "secretRef cannot be set when type is generic-oidc", "rule": "self.type != 'generic-oidc' || !has(self.secretRef)" },
    { "message": "secretRef is required when type is not generic-oidc", "rule": "self.type == 'generic-oidc' || has(self.secretRef)" }
]))]
pub struct ReceiverSpec {
    /// The kinds of event to act on, in the words of the sender, for example `push`. Without
    /// any, all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// How often to look at the Secret again.
    #[serde(default = "default_interval")]
    #[schemars(schema_with = "schema::interval")]
    pub interval: Duration,
    /// Who issues the tokens that are admitted; for `generic-oidc` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["issuerURL"]))]
    pub oidc_providers: Vec<OidcProvider>,
    /// A CEL expression that says whether an object is meant. It sees the object as `res` and
    /// the request as `req`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_filter: Option<String>,
    /// The objects to reconcile.
    pub resources: Vec<ReceiverResource>,
    /// A Secret with `token`: the shared secret, from which the path is made too. Not for
    /// `generic-oidc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// Whether to refuse all requests.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Who sends the requests, which decides how they are checked.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["generic", "generic-hmac", "generic-oidc", "github", "gitlab", "bitbucket", "harbor", "dockerhub", "quay", "gcr", "nexus", "acr", "cdevents"]))]
    pub type_: String,
}

fn default_interval() -> Duration {
    "10m".parse().expect("the text is a duration")
}

/// An issuer of identity tokens, and which of its tokens are admitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OidcProvider {
    /// The audience that a token must be for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The address of the issuer, where its keys are found.
    #[serde(rename = "issuerURL")]
    #[schemars(regex(pattern = "^https?://"))]
    pub issuer_url: String,
    /// What a token must satisfy, all of it.
    #[schemars(length(min = 1))]
    pub validations: Vec<OidcValidation>,
    /// Values for the expressions, computed in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<OidcVariable>,
}

/// One thing that a token must satisfy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OidcValidation {
    /// A CEL expression over `claims` and `vars` that must be true.
    pub expression: String,
    /// What to answer if it is not.
    pub message: String,
}

/// A value that later expressions can use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OidcVariable {
    /// A CEL expression over `claims` and the `vars` before it.
    pub expression: String,
    /// The name of the value, below `vars`.
    pub name: String,
}

/// What is known about a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverStatus {
    /// The conditions of the object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The last value of the annotation that asks for a reconciliation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The generation that was last brought to an end; -1 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The path to which requests are sent; it cannot be guessed without the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_path: Option<String>,
}
