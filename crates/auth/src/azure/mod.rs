//! Microsoft Entra: tokens of a service account's identity, or of the machine.
//!
//! Follows azidentity's default chain without its shell commands: environment, workload identity,
//! managed identity.

mod certificate;

use std::time::Duration;

use gitops_core::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use crate::{Account, AuthError, CacheKey, CloudContext, Token};

pub use certificate::{AzureCertificate, azure_certificate_token};

const AUDIENCE: &str = "api://AzureADTokenExchange";
const AUTHORITY: &str = "https://login.microsoftonline.com/";
const TENANT: &str = "azure.workload.identity/tenant-id";
const CLIENT: &str = "azure.workload.identity/client-id";
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// What a token for Azure Repos is asked for.
pub const AZURE_DEVOPS_SCOPE: &str = "499b84ac-1321-427f-aa17-267ca6975798/.default";

/// What a token for Blob Storage is asked for.
pub const AZURE_STORAGE_SCOPE: &str = "https://storage.azure.com/.default";

/// A token for a scope, e.g. [`AZURE_DEVOPS_SCOPE`].
///
/// # Errors
/// When there is no identity, or Entra refuses.
pub async fn azure_token(context: &CloudContext, scope: &str) -> Result<Token, AuthError> {
    match &context.account {
        Some(account) => {
            let (tenant, client) = identity(account).map_err(|error| account.no_identity(error))?;
            let proof = account.prove(AUDIENCE).await?;
            let token = assert(context, tenant, client, &proof, scope).await;
            token.map_err(|error| account.no_token(error))
        }
        None => ambient(context, scope).await.map_err(CloudContext::no_token),
    }
}

impl CloudContext {
    /// What makes a token of Azure another: account, identity and scope.
    pub fn azure_cache_key(&self, scope: &str) -> CacheKey {
        let mut key = CacheKey::new("azure").with("scope", scope);
        if let Some(account) = &self.account {
            key = key
                .with("namespace", &account.namespace)
                .with("name", &account.name)
                .with("tenant", account.annotation(TENANT))
                .with("client", account.annotation(CLIENT));
        }
        key
    }
}

fn identity(account: &Account) -> Result<(&str, &str), AuthError> {
    let of = |what: &str, key: &str| {
        account.annotations.get(key).map(String::as_str).ok_or_else(|| {
            AuthError::invalid(format!(
                "azure {what} ID is not set in the service account annotation {key}"
            ))
        })
    };
    Ok((of("tenant", TENANT)?, of("client", CLIENT)?))
}

async fn ambient(context: &CloudContext, scope: &str) -> Result<Token, AuthError> {
    let get = |name: &str| context.environment.get(name);
    if let (Some(tenant), Some(client)) = (get("AZURE_TENANT_ID"), get("AZURE_CLIENT_ID")) {
        if let Some(secret) = get("AZURE_CLIENT_SECRET") {
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", client.as_str()),
                ("client_secret", secret.as_str()),
                ("scope", scope),
            ];
            return ask(context, own_url(context, &tenant)?, &form).await;
        }
        if let Some(proof) = context.read_file("AZURE_FEDERATED_TOKEN_FILE").await? {
            return assert(context, &tenant, &client, &proof, scope).await;
        }
    }
    managed(context, scope).await
}

/// Proves who asks with a token of somebody whom Entra trusts.
async fn assert(
    context: &CloudContext,
    tenant: &str,
    client: &str,
    proof: &Secret,
    scope: &str,
) -> Result<Token, AuthError> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", proof.expose_str().unwrap_or_default()),
        ("scope", scope),
    ];
    ask(context, own_url(context, tenant)?, &form).await
}

/// Where a tenant's tokens are asked for, at the authority that the process was told.
fn own_url(context: &CloudContext, tenant: &str) -> Result<Url, AuthError> {
    token_url(context.environment.get("AZURE_AUTHORITY_HOST").as_deref(), tenant)
}

fn token_url(authority: Option<&str>, tenant: &str) -> Result<Url, AuthError> {
    let mut url: Url = authority
        .unwrap_or(AUTHORITY)
        .parse()
        .map_err(|error| AuthError::invalid(format!("malformed authority host: {error}")))?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend([tenant, "oauth2", "v2.0", "token"]);
    }
    Ok(url)
}

async fn ask(context: &CloudContext, url: Url, form: &[(&str, &str)]) -> Result<Token, AuthError> {
    let what = "failed to get a token from Microsoft Entra";
    let request = context.http.requests().post(url).form(form);
    let answer: Answer = context.http.json(what, request).await?;
    Ok(answer.into_token(context.clock.now()))
}

/// The identity of the virtual machine or node.
async fn managed(context: &CloudContext, scope: &str) -> Result<Token, AuthError> {
    let base = context.environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    let base = base.unwrap_or_else(|| "http://169.254.169.254".to_owned());
    let url = format!("{}/metadata/identity/oauth2/token", base.trim_end_matches('/'));
    let resource = scope.strip_suffix("/.default").unwrap_or(scope);
    let mut query =
        vec![("api-version", "2018-02-01".to_owned()), ("resource", resource.to_owned())];
    if let Some(client) = context.environment.get("AZURE_CLIENT_ID") {
        query.push(("client_id", client));
    }
    let request = context.http.requests().get(url).query(&query).header("Metadata", "true");
    let what = "no Azure credentials found: neither in the environment, nor of a workload \
                identity or a managed identity";
    let answer: Answer = context.http.json(what, request.timeout(METADATA_TIMEOUT)).await?;
    Ok(answer.into_token(context.clock.now()))
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(deserialize_with = "seconds")]
    expires_in: u64,
}

impl Answer {
    fn into_token(self, now: Timestamp) -> Token {
        let ends = now.saturating_add(Duration::from_secs(self.expires_in));
        Token::new(Secret::from(self.access_token), ends.unwrap_or(Timestamp::MAX))
    }
}

/// Entra writes a number, the metadata service a text.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(D::Error::custom),
    }
}
