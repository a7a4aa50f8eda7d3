//! Google Cloud: access tokens of a service account's identity, or of the machine.
//!
//! Follows fluxcd/pkg `auth/gcp`: workload identity federation for accounts of the cluster, and
//! application default credentials (a key file, or the metadata server) for the process.

mod external;
mod key_file;

pub use key_file::{GoogleKeyFile, GoogleLibrary};

use std::time::Duration;

use gitops_core::Secret;
use jiff::Timestamp;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Account, AuthError, CacheKey, CloudContext, Token, jwt};

const EMAIL: &str = "iam.gke.io/gcp-service-account";
const PROVIDER: &str = "gcp.auth.fluxcd.io/workload-identity-provider";
const CLOUD: &str = "https://www.googleapis.com/auth/cloud-platform";
const SCOPES: [&str; 2] = [CLOUD, "https://www.googleapis.com/auth/userinfo.email"];
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// Where Google's services are; others only in tests.
struct Services {
    exchange: String,
    impersonation: String,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            exchange: "https://sts.googleapis.com".into(),
            impersonation: "https://iamcredentials.googleapis.com".into(),
        }
    }
}

/// An access token for Google's APIs.
///
/// # Errors
/// When there is no identity, or Google refuses.
pub async fn gcp_token(context: &CloudContext) -> Result<Token, AuthError> {
    token_at(context, &Services::default()).await
}

async fn token_at(context: &CloudContext, services: &Services) -> Result<Token, AuthError> {
    match &context.account {
        Some(account) => {
            let email = email(account).map_err(|error| account.no_identity(error))?;
            let federated = provider(account).map_err(|error| account.no_identity(error))?;
            let token = exchange(context, services, account, federated, email).await;
            token.map_err(|error| account.no_token(error))
        }
        None => ambient(context).await.map_err(CloudContext::no_token),
    }
}

impl CloudContext {
    /// What makes a token of Google another: account and identity.
    pub fn gcp_cache_key(&self) -> CacheKey {
        let key = CacheKey::new("gcp");
        let Some(account) = &self.account else { return key };
        key.with("namespace", &account.namespace)
            .with("name", &account.name)
            .with("email", account.annotation(EMAIL))
            .with("provider", account.annotation(PROVIDER))
    }
}

fn email(account: &Account) -> Result<Option<&str>, AuthError> {
    const PATTERN: &str = r"^[a-zA-Z0-9-]{1,100}@[a-zA-Z0-9-]{1,100}\.iam\.gserviceaccount\.com$";
    let email = account.annotation(EMAIL);
    if email.is_empty() {
        return Ok(None);
    }
    let word = |text: &str| {
        (1..=100).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let parts = email.strip_suffix(".iam.gserviceaccount.com").and_then(|own| own.split_once('@'));
    if parts.is_some_and(|(name, project)| word(name) && word(project)) {
        return Ok(Some(email));
    }
    Err(AuthError::invalid(format!("invalid {EMAIL} annotation: '{email}'. must match {PATTERN}")))
}

fn provider(account: &Account) -> Result<Option<&str>, AuthError> {
    const PATTERN: &str = r"^projects/\d{1,30}/locations/global/workloadIdentityPools/[^/]{1,100}/providers/[^/]{1,100}$";
    let provider = account.annotation(PROVIDER);
    if provider.is_empty() {
        return Ok(None);
    }
    let parts: Vec<&str> = provider.split('/').collect();
    let number = |text: &str| {
        (1..=30).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let name = |text: &str| (1..=100).contains(&text.chars().count());
    let good = matches!(
        parts.as_slice(),
        ["projects", project, "locations", "global", "workloadIdentityPools", pool, "providers", own]
            if number(project) && name(pool) && name(own)
    );
    if good {
        return Ok(Some(provider));
    }
    Err(AuthError::invalid(format!(
        "invalid {PROVIDER} annotation: '{provider}'. must match {PATTERN}"
    )))
}

/// A token of the cluster for one of Google, and that for one of another account where one is
/// named.
async fn exchange(
    context: &CloudContext,
    services: &Services,
    account: &Account,
    federated: Option<&str>,
    email: Option<&str>,
) -> Result<Token, AuthError> {
    let (proved_to, audience) = match federated {
        Some(provider) => {
            let audience = format!("//iam.googleapis.com/{provider}");
            (audience.clone(), audience)
        }
        // Without a provider this is a cluster of Google's.
        None => {
            let project = metadata(context, "project/project-id").await?;
            let place = metadata(context, "instance/attributes/cluster-location").await?;
            let cluster = metadata(context, "instance/attributes/cluster-name").await?;
            let pool = format!("{project}.svc.id.goog");
            let url = format!(
                "https://container.googleapis.com/v1/projects/{project}/locations/{place}/clusters/{cluster}"
            );
            (pool.clone(), format!("identitynamespace:{pool}:{url}"))
        }
    };
    let proof = account.prove(&proved_to).await?;
    // Who acts as another needs no more than the right to do so.
    let scope = if email.is_some() { CLOUD.to_owned() } else { SCOPES.join(" ") };
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", audience.as_str()),
        ("scope", scope.as_str()),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", proof.expose_str().unwrap_or_default()),
    ];
    let url = format!("{}/v1/token", services.exchange);
    let what = "failed to exchange the token of the service account with Google";
    let request = context.http.requests().post(url).form(&form);
    let token: Answer = context.http.json(what, request).await?;
    let token = token.into_token(context.clock.now());
    let Some(email) = email else { return Ok(token) };
    let url = format!(
        "{}/v1/projects/-/serviceAccounts/{email}:generateAccessToken",
        services.impersonation
    );
    let body = json!({"scope": SCOPES, "lifetime": "3600s"});
    let request = context.http.requests().post(url).json(&body);
    let request = request.bearer_auth(token.secret.expose_str().unwrap_or_default());
    let what = format!("failed to act as the Google service account '{email}'");
    let acting: Impersonated = context.http.json(&what, request).await?;
    Ok(Token::new(Secret::from(acting.access_token), acting.expire_time))
}

/// Application default credentials.
async fn ambient(context: &CloudContext) -> Result<Token, AuthError> {
    if let Some(file) = context.read_file("GOOGLE_APPLICATION_CREDENTIALS").await? {
        return from_file(context, &file).await;
    }
    let path = "instance/service-accounts/default/token";
    let request = metadata_request(context, path).query(&[("scopes", SCOPES.join(","))]);
    let what = "no Google credentials found: neither in GOOGLE_APPLICATION_CREDENTIALS, nor of a \
                metadata server";
    let token: Answer = context.http.json(what, request).await?;
    Ok(token.into_token(context.clock.now()))
}

async fn from_file(context: &CloudContext, file: &Secret) -> Result<Token, AuthError> {
    let malformed = || AuthError::invalid("malformed file of GOOGLE_APPLICATION_CREDENTIALS");
    let file: Value = serde_json::from_slice(file.expose()).map_err(|_| malformed())?;
    let text = |key: &str| file[key].as_str().ok_or_else(malformed);
    if file["type"] == "external_account" {
        return external::token(context, &file).await;
    }
    let default = "https://oauth2.googleapis.com/token";
    let url = file["token_uri"].as_str().unwrap_or(default).to_owned();
    let now = context.clock.now();
    let form: Vec<(&str, String)> = match text("type")? {
        "service_account" => {
            let assertion = signed(text("private_key")?, text("client_email")?, &url, now)?;
            let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned();
            vec![("grant_type", grant), ("assertion", assertion)]
        }
        "authorized_user" => vec![
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", text("client_id")?.to_owned()),
            ("client_secret", text("client_secret")?.to_owned()),
            ("refresh_token", text("refresh_token")?.to_owned()),
        ],
        other => {
            return Err(AuthError::invalid(format!(
                "credentials of type '{other}' are not supported"
            )));
        }
    };
    let request = context.http.requests().post(url).form(&form);
    let token: Answer = context.http.json("failed to get a token from Google", request).await?;
    Ok(token.into_token(now))
}

/// A statement of a key's owner, which Google takes for a proof (RFC 7523).
fn signed(pem: &str, email: &str, audience: &str, now: Timestamp) -> Result<String, AuthError> {
    let unusable =
        || AuthError::invalid("the private key of the Google service account is unusable");
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unusable())?;
    let start = now.as_second();
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let claims = json!({
        "iss": email, "scope": SCOPES.join(" "), "aud": audience, "iat": start, "exp": start + 3600,
    });
    jwt::rs256(&key, &header, &claims).ok_or_else(unusable)
}

fn metadata_request(context: &CloudContext, path: &str) -> reqwest::RequestBuilder {
    let host = context.environment.get("GCE_METADATA_HOST");
    let host = host.unwrap_or_else(|| "169.254.169.254".to_owned());
    let url = format!("http://{host}/computeMetadata/v1/{path}");
    let request = context.http.requests().get(url).header("Metadata-Flavor", "Google");
    request.timeout(METADATA_TIMEOUT)
}

async fn metadata(context: &CloudContext, path: &str) -> Result<String, AuthError> {
    let what = format!("failed to get {path} from the metadata service");
    let body = context.http.bytes(&what, metadata_request(context, path)).await?;
    let text = String::from_utf8_lossy(&body).trim().to_owned();
    // Parts of it become part of a URL.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if text.is_empty() || !text.chars().all(plain) {
        return Err(AuthError::network(format!("{what}: empty or malformed value")));
    }
    Ok(text)
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

impl Answer {
    fn into_token(self, now: Timestamp) -> Token {
        let ends = now.saturating_add(Duration::from_secs(self.expires_in));
        Token::new(Secret::from(self.access_token), ends.unwrap_or(Timestamp::MAX))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: Timestamp,
}

#[cfg(test)]
mod tests;
