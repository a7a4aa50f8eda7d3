//! Signatures of OCI artifacts and charts, and who issues credentials.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::LocalReference;

/// Which signature of an OCI artifact must be good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["provider"]))]
pub struct SignatureVerification {
    /// Who must have signed, for signatures without a key; any of these is enough. Without any,
    /// everybody with a valid certificate is.
    #[serde(rename = "matchOIDCIdentity", default, skip_serializing_if = "Vec::is_empty")]
    pub match_oidc_identity: Vec<OidcIdentityMatch>,
    /// The tool that made the signature.
    #[serde(default)]
    pub provider: SignatureProvider,
    /// A Secret with the keys (entries `*.pub`) or certificates that are trusted. Without it,
    /// cosign signatures are checked against the transparency log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// A Secret with `trusted_root.json`: the roots of a Sigstore installation of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_root_secret_ref: Option<LocalReference>,
}

/// Which signature of a chart in an OCI registry must be good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["provider"]))]
pub struct ChartVerification {
    /// Who must have signed, for signatures without a key; any of these is enough. Without any,
    /// everybody with a valid certificate is.
    #[serde(rename = "matchOIDCIdentity", default, skip_serializing_if = "Vec::is_empty")]
    pub match_oidc_identity: Vec<OidcIdentityMatch>,
    /// The tool that made the signature.
    #[serde(default)]
    pub provider: SignatureProvider,
    /// A Secret with the keys (entries `*.pub`) or certificates that are trusted. Without it,
    /// cosign signatures are checked against the transparency log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// The tools whose signatures are understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignatureProvider {
    /// Cosign, of the Sigstore project.
    #[default]
    Cosign,
    /// Notation, of the Notary Project.
    Notation,
}

/// Who must have signed. Both are regular expressions, not anchored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OidcIdentityMatch {
    /// The issuer of the identity token.
    pub issuer: String,
    /// The identity, for example the address of a workflow.
    pub subject: String,
}

/// Who issues the credentials for a registry or a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CloudProvider {
    /// Nobody in particular; credentials come from a Secret.
    #[default]
    Generic,
    /// AWS.
    Aws,
    /// Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}
