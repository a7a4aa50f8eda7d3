//! Keys of AWS: of a service account, or of the machine.
//!
//! Follows the default chain of the AWS SDKs: environment, web identity, container, instance; files
//! of profiles are no place for the keys of a controller and are not read.

use std::time::Duration;

use gitops_core::Secret;
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use crate::{Account, AuthError, CacheKey, CloudContext};

const AUDIENCE: &str = "sts.amazonaws.com";
/// How long a metadata service may take that may not be there at all.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// Keys to sign requests with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The id of the key.
    pub access_key: String,
    /// The key.
    pub secret_key: Secret,
    /// What goes with temporary keys.
    pub session_token: Option<Secret>,
    /// From then on they are refused; keys of a person last.
    pub expires_at: Option<Timestamp>,
}

/// Keys for a region: of the context's account, or of the machine. `sts_endpoint` replaces the
/// region's token service.
///
/// # Errors
/// When there are none, or AWS refuses.
pub async fn aws_credentials(
    context: &CloudContext,
    region: &str,
    sts_endpoint: Option<&str>,
) -> Result<AwsCredentials, AuthError> {
    let sts = sts_url(context, region, sts_endpoint)?;
    match &context.account {
        Some(account) => {
            let role = role(account).map_err(|error| account.no_identity(error))?;
            let token = account.prove(AUDIENCE).await?;
            let session = format!("{}.{}.{region}.fluxcd.io", account.name, account.namespace);
            let assumed = assume_role(context, &sts, role, &session, &token).await;
            assumed.map_err(|error| account.no_token(error))
        }
        None => ambient(context, &sts).await.map_err(CloudContext::no_token),
    }
}

impl CloudContext {
    /// What makes keys of AWS others: account, role, region and token service.
    pub fn aws_cache_key(&self, region: &str, sts_endpoint: Option<&str>) -> CacheKey {
        let mut key = CacheKey::new("aws")
            .with("region", region)
            .with("sts", sts_endpoint.unwrap_or_default());
        if let Some(account) = &self.account {
            key = key
                .with("namespace", &account.namespace)
                .with("name", &account.name)
                .with("role", account.annotation(ROLE));
        }
        key
    }
}

const ROLE: &str = "eks.amazonaws.com/role-arn";

/// The role that an account's annotation names; checked as fluxcd/pkg does.
fn role(account: &Account) -> Result<&str, AuthError> {
    let arn = account.annotation(ROLE);
    let is_arn = || {
        let rest = arn.strip_prefix("arn:aws")?;
        let (partition, rest) = rest.split_once(":iam::")?;
        let (number, role) = rest.split_once(":role/")?;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let good = partition.chars().all(word)
            && (1..=30).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && (1..=200).contains(&role.chars().count())
            && !role.contains('\n');
        good.then_some(())
    };
    is_arn().map(|()| arn).ok_or_else(|| {
        AuthError::invalid(format!(
            r"invalid {ROLE} annotation: '{arn}'. must match ^arn:aws[\w-]*:iam::[0-9]{{1,30}}:role/.{{1,200}}$"
        ))
    })
}

/// Whether a token service's URL is one of AWS's own.
///
/// # Errors
/// Names the pattern that it must match.
pub fn validate_sts_endpoint(endpoint: &str) -> Result<(), AuthError> {
    const PATTERN: &str = r"^https://(.+\.)?sts(-fips)?(\.[^.]+)?(\.vpce)?\.amazonaws\.com$";
    let is_one = || {
        let host = endpoint.strip_prefix("https://")?.strip_suffix(".amazonaws.com")?;
        let host = host.strip_suffix(".vpce").unwrap_or(host);
        let is_sts = |label: &str| matches!(label, "sts" | "sts-fips");
        let labels: Vec<&str> = host.split('.').collect();
        match labels.as_slice() {
            [.., service, region] if is_sts(service) => (!region.is_empty()).then_some(()),
            [.., service] if is_sts(service) => Some(()),
            _ => None,
        }
    };
    is_one().ok_or_else(|| {
        AuthError::invalid(format!("invalid STS endpoint: '{endpoint}'. must match {PATTERN}"))
    })
}

fn sts_url(context: &CloudContext, region: &str, endpoint: Option<&str>) -> Result<Url, AuthError> {
    let text = match endpoint {
        Some(endpoint) => {
            validate_sts_endpoint(endpoint)?;
            endpoint.to_owned()
        }
        None => context.environment.get("AWS_ENDPOINT_URL_STS").unwrap_or_else(|| {
            let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://sts.{region}.amazonaws.com{suffix}")
        }),
    };
    // A region comes from a URL of the user's: it must not lead to another host.
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if region.is_empty() || !region.chars().all(is_word) {
        return Err(AuthError::invalid(format!("invalid AWS region: '{region}'")));
    }
    text.parse().map_err(|error| AuthError::invalid(format!("invalid STS endpoint: {error}")))
}

async fn assume_role(
    context: &CloudContext,
    sts: &Url,
    role: &str,
    session: &str,
    token: &Secret,
) -> Result<AwsCredentials, AuthError> {
    // Names of sessions may be 64 characters of some kinds.
    let session: String = session
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "_=,.@-".contains(c) { c } else { '-' })
        .take(64)
        .collect();
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", &session),
        ("WebIdentityToken", token.expose_str().unwrap_or_default()),
    ];
    let request = context.http.requests().post(sts.clone()).form(&form);
    let what = "failed to assume role with web identity";
    let answer = context.http.bytes(what, request).await?;
    let answer = String::from_utf8_lossy(&answer);
    let field = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once("</")?;
        Some(value.trim().to_owned())
    };
    let missing = || AuthError::network(format!("{what}: malformed answer"));
    Ok(AwsCredentials {
        access_key: field("AccessKeyId").ok_or_else(missing)?,
        secret_key: Secret::from(field("SecretAccessKey").ok_or_else(missing)?),
        session_token: Some(Secret::from(field("SessionToken").ok_or_else(missing)?)),
        expires_at: field("Expiration").and_then(|at| at.parse().ok()),
    })
}

async fn ambient(context: &CloudContext, sts: &Url) -> Result<AwsCredentials, AuthError> {
    let environment = &context.environment;
    let own = (environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY"));
    if let (Some(access_key), Some(secret_key)) = own {
        return Ok(AwsCredentials {
            access_key,
            secret_key: Secret::from(secret_key),
            session_token: environment.get("AWS_SESSION_TOKEN").map(Secret::from),
            expires_at: None,
        });
    }
    if let (Some(token), Some(role)) =
        (context.read_file("AWS_WEB_IDENTITY_TOKEN_FILE").await?, environment.get("AWS_ROLE_ARN"))
    {
        let session = environment.get("AWS_ROLE_SESSION_NAME");
        let session = session.unwrap_or_else(|| "gitops".to_owned());
        return assume_role(context, sts, &role, &session, &token).await;
    }
    if let Some(keys) = container(context).await? {
        return Ok(keys);
    }
    instance(context).await
}

/// The keys of a pod or a task, as EKS and ECS serve them.
async fn container(context: &CloudContext) -> Result<Option<AwsCredentials>, AuthError> {
    let environment = &context.environment;
    let full = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let Some(url) = full.or_else(|| relative.map(|path| format!("http://169.254.170.2{path}")))
    else {
        return Ok(None);
    };
    let url: Url = url
        .parse()
        .map_err(|_| AuthError::invalid("malformed AWS_CONTAINER_CREDENTIALS_FULL_URI"))?;
    let token = match context.read_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").await? {
        Some(token) => Some(token),
        None => environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Secret::from),
    };
    let mut request = context.http.requests().get(url).timeout(METADATA_TIMEOUT);
    if let Some(token) = &token {
        request = request.header("Authorization", token.expose());
    }
    let what = "failed to get credentials of the container";
    context.http.json::<Served>(what, request).await.map(|served| Some(served.into()))
}

/// The keys of an instance's role, by version 2 of its metadata service.
async fn instance(context: &CloudContext) -> Result<AwsCredentials, AuthError> {
    let environment = &context.environment;
    let none = "no AWS credentials found: neither in the environment, nor of a web identity, a \
                container or an instance";
    let is_disabled =
        environment.get("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text == "true");
    if is_disabled {
        return Err(AuthError::Denied(none.into()));
    }
    let base = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let base = base.unwrap_or_else(|| "http://169.254.169.254".to_owned());
    let base = base.trim_end_matches('/');
    let http = &context.http;
    let request = http
        .requests()
        .put(format!("{base}/latest/api/token"))
        .header("X-aws-ec2-metadata-token-ttl-seconds", "300")
        .timeout(METADATA_TIMEOUT);
    let token = http.bytes(none, request).await.map_err(|error| match error {
        // Most machines are no instances: that there is no such service is no news.
        AuthError::Network(_) => AuthError::Denied(none.into()),
        error => error,
    })?;
    let get = |path: &str| {
        let url = format!("{base}/latest/meta-data/iam/security-credentials/{path}");
        let request = http.requests().get(url).timeout(METADATA_TIMEOUT);
        request.header("X-aws-ec2-metadata-token", token.as_slice())
    };
    let what = "failed to get credentials of the instance";
    let role = http.bytes(what, get("")).await?;
    let role = String::from_utf8_lossy(&role);
    let role = role.lines().next().unwrap_or_default().trim();
    http.json::<Served>(what, get(role)).await.map(Into::into)
}

/// Keys as the metadata services give them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Served {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

impl From<Served> for AwsCredentials {
    fn from(served: Served) -> Self {
        Self {
            access_key: served.access_key_id,
            secret_key: Secret::from(served.secret_access_key),
            session_token: served.token.map(Secret::from),
            expires_at: served.expiration,
        }
    }
}
