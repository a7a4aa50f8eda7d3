//! Logins at the registries of clouds.
//!
//! Follows fluxcd/pkg `auth`: which hosts are whose, and how their tokens become passwords.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gitops_core::Secret;
use jiff::Timestamp;

use serde::Deserialize;
use url::Url;

use crate::{
    AuthError, AwsSigner, CacheKey, CloudContext, Token, aws_credentials, azure_token, gcp_token,
};

/// Azure's name for who shows a token instead of a password.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
const PUBLIC_ECR: &str = "public.ecr.aws";
const AWS_PATTERN: &str = r"([0-9+]*).dkr[.-]ecr(?:-fips)?\.([^/.]*)\.(amazonaws\.com[.cn]*|amazonaws\.eu|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov|on\.aws)";
const AZURE_PATTERN: &str = r"^.+\.(azurecr\.io|azurecr\.cn|azurecr\.de|azurecr\.us)$";
const GCP_PATTERN: &str = r"^(((.+\.)?gcr\.io)|(.+-docker\.pkg\.dev)|(docker\.s3nsregistry\.fr))$";

/// A cloud that runs registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryCloud {
    /// Elastic Container Registry.
    Aws,
    /// Azure Container Registry.
    Azure,
    /// Artifact Registry, and Container Registry of old.
    Gcp,
}

/// User name and password for a registry, by host and port.
///
/// # Errors
/// When the host is none of the cloud's, there is no identity, or the cloud refuses.
pub async fn registry_login(
    context: &CloudContext,
    cloud: RegistryCloud,
    registry: &str,
) -> Result<Token, AuthError> {
    match cloud {
        RegistryCloud::Aws => {
            let place = aws_place(registry)?;
            aws_login(context, &place).await
        }
        RegistryCloud::Azure => {
            let scope = azure_scope(registry)?;
            let token = azure_token(context, &scope).await?;
            azure_exchange(context, &format!("https://{registry}"), registry, &token).await
        }
        RegistryCloud::Gcp => {
            check_gcp(registry)?;
            Ok(gcp_token(context).await?.with_username("oauth2accesstoken"))
        }
    }
}

impl CloudContext {
    /// What makes a login another: the cloud's identity, and the registry.
    pub fn registry_cache_key(&self, cloud: RegistryCloud, registry: &str) -> CacheKey {
        let key = match cloud {
            RegistryCloud::Aws => {
                let region = aws_place(registry).map(|place| place.region);
                self.aws_cache_key(region.as_deref().unwrap_or_default(), None)
            }
            RegistryCloud::Azure => self.azure_cache_key("registry"),
            RegistryCloud::Gcp => self.gcp_cache_key(),
        };
        key.with("registry", registry)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct AwsPlace {
    region: String,
    /// The end of the API's host.
    domain: String,
    fips: bool,
    public: bool,
}

fn aws_place(registry: &str) -> Result<AwsPlace, AuthError> {
    if registry == PUBLIC_ECR {
        let (region, domain) = ("us-east-1".to_owned(), "amazonaws.com".to_owned());
        return Ok(AwsPlace { region, domain, fips: false, public: true });
    }
    let parsed = || {
        let (account, rest) =
            registry.split_once(".dkr.ecr").or_else(|| registry.split_once(".dkr-ecr"))?;
        let fips = rest.starts_with("-fips.");
        let rest = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?;
        let (region, domain) = rest.split_once('.')?;
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let known = [
            "amazonaws.com",
            "amazonaws.com.cn",
            "amazonaws.eu",
            "sc2s.sgov.gov",
            "c2s.ic.gov",
            "cloud.adc-e.uk",
            "csp.hci.ic.gov",
            "on.aws",
        ];
        let good = account.bytes().all(|byte| byte.is_ascii_digit())
            && !region.is_empty()
            && region.chars().all(word)
            && known.contains(&domain);
        // The dual-stack names are of the registries alone, their API has the old name.
        let domain = if domain == "on.aws" { "amazonaws.com" } else { domain };
        good.then(|| AwsPlace {
            region: region.to_owned(),
            domain: domain.to_owned(),
            fips,
            public: false,
        })
    };
    parsed().ok_or_else(|| wrong("AWS", registry, AWS_PATTERN))
}

fn wrong(cloud: &str, registry: &str, pattern: &str) -> AuthError {
    AuthError::invalid(format!("invalid {cloud} registry: '{registry}'. must match {pattern}"))
}

async fn aws_login(context: &CloudContext, place: &AwsPlace) -> Result<Token, AuthError> {
    let credentials = aws_credentials(context, &place.region, None).await?;
    let (service, target, variable, host) = if place.public {
        let host = format!("api.ecr-public.{}.{}", place.region, place.domain);
        ("ecr-public", "SpencerFrontendService", "AWS_ENDPOINT_URL_ECR_PUBLIC", host)
    } else {
        let kind = if place.fips { "ecr-fips" } else { "api.ecr" };
        let host = format!("{kind}.{}.{}", place.region, place.domain);
        ("ecr", "AmazonEC2ContainerRegistry_V20150921", "AWS_ENDPOINT_URL_ECR", host)
    };
    // As the SDKs do, where somebody runs the API elsewhere.
    let url = context.environment.get(variable).unwrap_or_else(|| format!("https://{host}/"));
    let url: Url = url
        .parse()
        .map_err(|error| AuthError::invalid(format!("malformed {variable}: {error}")))?;
    let body = b"{}";
    let target = format!("{target}.GetAuthorizationToken");
    let headers =
        [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    let signer = AwsSigner { credentials: &credentials, region: &place.region, service };
    let mut request = context.http.requests().post(url.clone()).body(&body[..]);
    for (name, value) in signer.headers("POST", &url, &headers, body, &*context.clock) {
        request = request.header(name, value);
    }
    let answer: Authorization =
        context.http.json("failed to get an authorization token of ECR", request).await?;
    let data = match answer.data {
        Some(OneOrMany::One(data)) => Some(data),
        Some(OneOrMany::Many(all)) => all.into_iter().next(),
        None => None,
    };
    let data = data.ok_or_else(|| AuthError::network("no authorization data returned"))?;
    let invalid = || AuthError::network("invalid authorization token format");
    let text = STANDARD.decode(&data.token).map_err(|_| invalid())?;
    let text = String::from_utf8(text).map_err(|_| invalid())?;
    let (username, password) = text.split_once(':').ok_or_else(invalid)?;
    #[allow(clippy::cast_possible_truncation, reason = "fractions of a second do not matter")]
    let ends = Timestamp::from_second(data.expires_at as i64).map_err(|_| invalid())?;
    Ok(Token::new(Secret::from(password), ends).with_username(username))
}

#[derive(Deserialize)]
struct Authorization {
    #[serde(rename = "authorizationData")]
    data: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(AuthorizationData),
    Many(Vec<AuthorizationData>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationData {
    #[serde(rename = "authorizationToken")]
    token: String,
    /// Seconds, with fractions.
    expires_at: f64,
}

/// What a token for the registry is asked for.
fn azure_scope(registry: &str) -> Result<String, AuthError> {
    let of = |suffix: &str| registry.strip_suffix(suffix).is_some_and(|name| !name.is_empty());
    let audience = if of(".azurecr.cn") {
        "https://management.chinacloudapi.cn"
    } else if of(".azurecr.us") {
        "https://management.usgovcloudapi.net"
    } else if of(".azurecr.io") || of(".azurecr.de") {
        "https://containerregistry.azure.net"
    } else {
        return Err(wrong("Azure", registry, AZURE_PATTERN));
    };
    Ok(format!("{audience}/.default"))
}

/// A token of Entra for one of the registry.
async fn azure_exchange(
    context: &CloudContext,
    base: &str,
    registry: &str,
    token: &Token,
) -> Result<Token, AuthError> {
    let form = [
        ("grant_type", "access_token"),
        ("service", registry),
        ("access_token", token.secret.expose_str().unwrap_or_default()),
    ];
    let request = context.http.requests().post(format!("{base}/oauth2/exchange")).form(&form);
    let what = "failed to exchange the token of Entra for one of the registry";
    let answer: Exchanged = context.http.json(what, request).await?;
    let ends = expiry(&answer.refresh_token)
        .unwrap_or_else(|| context.clock.now() + Duration::from_mins(5));
    Ok(Token::new(Secret::from(answer.refresh_token), ends).with_username(NOBODY))
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: String,
}

/// The end of a token that says so itself; whether it is genuine is the registry's affair.
fn expiry(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims.exp).ok()
}

fn check_gcp(registry: &str) -> Result<(), AuthError> {
    let of = |suffix: &str| registry.strip_suffix(suffix).is_some_and(|name| !name.is_empty());
    let known = ["gcr.io", "docker.s3nsregistry.fr"].contains(&registry);
    if known || of(".gcr.io") || of("-docker.pkg.dev") {
        return Ok(());
    }
    Err(wrong("GCP", registry, GCP_PATTERN))
}

#[cfg(test)]
mod tests;
