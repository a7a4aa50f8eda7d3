//! Application default credentials of those whom Google knows through somebody else: workload identity
//! federation.
//!
//! Follows Google's `external_account` files (AIP-4117) whose proof is in a file or at a URL; what
//! runs programs or signs for AWS is refused.

use std::collections::BTreeMap;

use gitops_core::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, CLOUD, Impersonated, METADATA_TIMEOUT, SCOPES};
use crate::{AuthError, CloudContext, Token};

#[derive(Deserialize)]
struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    service_account_impersonation_url: Option<String>,
    credential_source: Source,
}

/// Where the proof is.
#[derive(Deserialize)]
struct Source {
    file: Option<String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    #[serde(rename = "type", default)]
    kind: String,
    subject_token_field_name: Option<String>,
}

fn malformed() -> AuthError {
    AuthError::invalid("malformed external account in GOOGLE_APPLICATION_CREDENTIALS")
}

/// A token for an external account, acting as another where the file says so.
pub(super) async fn token(context: &CloudContext, file: &Value) -> Result<Token, AuthError> {
    let own = ExternalAccount::deserialize(file).map_err(|_| malformed())?;
    let proof = own.credential_source.read(context).await?;
    let acts = own.service_account_impersonation_url;
    let scope = if acts.is_some() { CLOUD.to_owned() } else { SCOPES.join(" ") };
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", own.audience.as_str()),
        ("scope", scope.as_str()),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token_type", own.subject_token_type.as_str()),
        ("subject_token", proof.expose_str().unwrap_or_default()),
    ];
    let request = context.http.requests().post(&own.token_url).form(&form);
    let what = "failed to exchange the external account's token with Google";
    let answer: Answer = context.http.json(what, request).await?;
    let token = answer.into_token(context.clock.now());
    let Some(url) = acts else { return Ok(token) };
    let request = context.http.requests().post(url).json(&json!({"scope": SCOPES}));
    let request = request.bearer_auth(token.secret.expose_str().unwrap_or_default());
    let what = "failed to act as the Google service account of the external account";
    let acting: Impersonated = context.http.json(what, request).await?;
    Ok(Token::new(Secret::from(acting.access_token), acting.expire_time))
}

impl Source {
    async fn read(&self, context: &CloudContext) -> Result<Secret, AuthError> {
        let bytes = match (&self.file, &self.url) {
            (Some(path), None) => tokio::fs::read(path).await.map_err(|error| {
                AuthError::invalid(format!("cannot read the external account's token: {error}"))
            })?,
            (None, Some(url)) => {
                let request = context.http.requests().get(url).timeout(METADATA_TIMEOUT);
                let request = self
                    .headers
                    .iter()
                    .fold(request, |request, (name, value)| request.header(name, value));
                let what = "failed to get the external account's token";
                context.http.bytes(what, request).await?
            }
            _ => {
                return Err(AuthError::invalid(
                    "external accounts are supported with a token in a file or at a URL",
                ));
            }
        };
        let text = match self.format.kind.as_str() {
            "" | "text" => String::from_utf8(bytes).map_err(|_| malformed())?,
            "json" => {
                let field = self.format.subject_token_field_name.as_deref();
                let field = field.ok_or_else(malformed)?;
                let value: Value = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
                value[field].as_str().ok_or_else(malformed)?.to_owned()
            }
            _ => return Err(malformed()),
        };
        Ok(Secret::from(text.trim().to_owned()))
    }
}
