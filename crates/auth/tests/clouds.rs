//! The exchanges, against issuers that check what they are sent.
//!
//! The key in `data` was made for these tests with `openssl genrsa`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gitops_auth::{
    AZURE_DEVOPS_SCOPE, Account, AccountTokens, AuthError, CloudContext, Environment, GitHubApp,
    HttpClient, HttpOptions, aws_credentials, azure_token, validate_sts_endpoint,
};
use gitops_core::{Class, Classify as _, FixedClock, Secret, one_line};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

const CANARY: &str = "c4nary";

/// An issuer that gives fixed answers and notes what it was asked.
struct Issuer {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

type Answers = Arc<BTreeMap<&'static str, (u16, String)>>;

impl Issuer {
    /// By method and path, e.g. `GET /a`.
    async fn start(answers: &[(&'static str, u16, &str)]) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let answers: Answers = Arc::new(
            answers.iter().map(|(what, code, body)| (*what, (*code, (*body).to_owned()))).collect(),
        );
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state((answers, Arc::clone(&seen)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State((answers, seen)): State<(Answers, Arc<Mutex<Vec<String>>>)>,
    request: Request,
) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    let headers = format!("{:?}", request.headers());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    seen.lock().unwrap().push(format!("{what} {query} {headers} {body}"));
    match answers.get(what.as_str()) {
        Some((code, body)) => (StatusCode::from_u16(*code).unwrap(), body.clone()).into_response(),
        None => (StatusCode::NOT_FOUND, "Not Found").into_response(),
    }
}

fn clock() -> FixedClock {
    FixedClock::new("2026-01-01T00:00:00Z".parse().unwrap())
}

fn http() -> HttpClient {
    HttpClient::new(&HttpOptions::default()).unwrap()
}

fn app(url: &str, values: &[(&str, &str)]) -> Result<GitHubApp, AuthError> {
    let key = include_bytes!("data/app-pkcs1.pem");
    let mut all: BTreeMap<&str, &[u8]> = [
        ("githubAppID", &b"42"[..]),
        ("githubAppPrivateKey", key),
        ("githubAppBaseURL", url.as_bytes()),
    ]
    .into();
    all.extend(values.iter().map(|(name, value)| (*name, value.as_bytes())));
    GitHubApp::from_values(|name| all.get(name).copied())
}

const TOKEN: &str = r#"{"token":"ghs_t0ken","expires_at":"2026-01-01T01:00:00Z"}"#;

#[tokio::test]
async fn a_github_app_signs_for_its_installation() {
    let issuer =
        Issuer::start(&[("POST /api/v3/app/installations/7/access_tokens", 201, TOKEN)]).await;
    let base = format!("{}/api/v3", issuer.url);
    let pkcs8 = include_str!("data/app-pkcs8.pem");
    for key in [include_str!("data/app-pkcs1.pem"), pkcs8] {
        let app =
            app(&base, &[("githubAppInstallationID", "7"), ("githubAppPrivateKey", key)]).unwrap();
        let token = app.token(&http(), &clock()).await.unwrap();
        assert_eq!(token.username.as_deref(), Some("x-access-token"));
        assert_eq!(token.secret.expose_str(), Some("ghs_t0ken"));
        assert_eq!(token.expires_at, "2026-01-01T01:00:00Z".parse().unwrap());
    }
    for request in issuer.seen() {
        let (_, rest) = request.split_once("Bearer ").unwrap();
        let assertion = rest.split('"').next().unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let public = include_bytes!("data/app-public.der");
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .expect("signed with the app's key");
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        let now = 1_767_225_600;
        assert_eq!(claims, serde_json::json!({"iat": now - 30, "exp": now + 90, "iss": "42"}));
    }
}

#[tokio::test]
async fn the_installation_of_an_owner_is_found() {
    let issuer = Issuer::start(&[
        ("GET /users/..%2Fme/installation", 200, r#"{"id":9}"#),
        ("POST /app/installations/9/access_tokens", 201, TOKEN),
    ])
    .await;
    let owner = |name| app(&issuer.url, &[("githubAppInstallationOwner", name)]).unwrap();
    owner("../me").token(&http(), &clock()).await.unwrap();
    let error = owner("nobody").token(&http(), &clock()).await.unwrap_err();
    let url = &issuer.url;
    assert_eq!(
        error.to_string(),
        format!(
            "failed to find organization installation: GET {url}/orgs/nobody/installation: 404  []\n\
             failed to find user installation: GET {url}/users/nobody/installation: 404  []"
        )
    );
    assert_eq!(error.class(), Class::Denied);
}

#[tokio::test]
async fn refusals_and_unreachable_hosts_are_told_as_gos_client_of_github_does() {
    let refused = r#"{"message":"Bad credentials","status":"401"}"#;
    let issuer = Issuer::start(&[("POST /app/installations/1/access_tokens", 401, refused)]).await;
    let installation = [("githubAppInstallationID", "1")];
    let error = |url: &str| {
        let app = app(url, &installation).unwrap();
        async move { app.token(&http(), &clock()).await.unwrap_err().to_string() }
    };
    let url = format!("{}/app/installations/1/access_tokens", issuer.url);
    assert_eq!(error(&issuer.url).await, format!("POST {url}: 401 Bad credentials []"));
    assert_eq!(
        error("http://127.0.0.1:1/api/v3").await,
        "Post \"http://127.0.0.1:1/api/v3/app/installations/1/access_tokens\": dial tcp 127.0.0.1:1: \
         connect: connection refused"
    );
    assert_eq!(
        error("::nonsense").await,
        "invalid API URL: parse \"::nonsense/\": missing protocol scheme"
    );
}

#[test]
fn what_an_app_needs() {
    for (values, says) in [
        (&[("githubAppID", "")][..], "app ID must be provided"),
        (&[], "app installation owner or ID must be provided"),
        (
            &[("githubAppInstallationOwner", "o"), ("githubAppInstallationID", "1")],
            "only one of app installation owner or ID must be provided",
        ),
        (
            &[("githubAppInstallationID", "1"), ("githubAppPrivateKey", "")],
            "private key must be provided",
        ),
    ] {
        let error = app("", values).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
        assert!(error.ends_with(" to use github app authentication"), "{error}");
    }
}

#[tokio::test]
async fn answers_and_keys_are_in_no_error() {
    let issuer = Issuer::start(&[
        ("POST /app/installations/1/access_tokens", 200, r#"{"tok":"c4nary"}"#),
        ("POST /app/installations/2/access_tokens", 500, "broken"),
    ])
    .await;
    for (id, class) in [("1", Class::Transient), ("2", Class::Transient), ("3", Class::Denied)] {
        let app = app(&issuer.url, &[("githubAppInstallationID", id)]).unwrap();
        let error = app.token(&http(), &clock()).await.unwrap_err();
        assert_eq!(error.class(), class);
        assert!(!one_line(&error).contains(CANARY), "{error}");
    }
    let values = [("githubAppInstallationID", "1"), ("githubAppPrivateKey", "c4nary-no-key")];
    let app = app(&issuer.url, &values).unwrap();
    let error = app.token(&http(), &clock()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not parse private key: invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key"
    );
    assert!(!format!("{app:?}").contains(CANARY));
}

#[derive(Debug)]
struct Tokens;

#[async_trait]
impl AccountTokens for Tokens {
    async fn request(&self, audience: &str) -> Result<Secret, AuthError> {
        Ok(Secret::from(format!("jwt-for-{audience}")))
    }
}

fn context(variables: &[(&str, &str)], annotations: Option<&[(&str, &str)]>) -> CloudContext {
    rustls::crypto::ring::default_provider().install_default().ok();
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    CloudContext {
        http: http(),
        clock: Arc::new(clock()),
        environment: variables.iter().map(own).collect::<Environment>(),
        account: annotations.map(|annotations| Account {
            namespace: "apps".into(),
            name: "git".into(),
            annotations: annotations.iter().map(own).collect(),
            tokens: Arc::new(Tokens),
        }),
    }
}

const ASSUMED: &str = "<AssumeRoleWithWebIdentityResponse><Credentials>\
    <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s3cret</SecretAccessKey>\
    <SessionToken>session</SessionToken><Expiration>2026-01-01T01:00:00Z</Expiration>\
    </Credentials></AssumeRoleWithWebIdentityResponse>";

#[tokio::test]
async fn an_account_assumes_its_role() {
    let issuer = Issuer::start(&[("POST /", 200, ASSUMED)]).await;
    let role = ("eks.amazonaws.com/role-arn", "arn:aws:iam::123456789012:role/git");
    let context_of = |role| context(&[("AWS_ENDPOINT_URL_STS", &issuer.url)], Some(&[role]));
    let keys = aws_credentials(&context_of(role), "eu-west-1", None).await.unwrap();
    assert_eq!((keys.access_key.as_str(), keys.secret_key.expose_str()), ("ASIA", Some("s3cret")));
    let seen = issuer.seen().concat();
    for part in [
        "RoleSessionName=git.apps.eu-west-1.fluxcd.io",
        "WebIdentityToken=jwt-for-sts.amazonaws.com",
    ] {
        assert!(seen.contains(part), "{seen}");
    }
    let error = aws_credentials(&context_of((role.0, "nonsense")), "eu-west-1", None).await;
    assert_eq!(
        one_line(&error.unwrap_err()),
        "failed to get provider identity from service account 'apps/git' annotations: invalid \
         eks.amazonaws.com/role-arn annotation: 'nonsense'. must match \
         ^arn:aws[\\w-]*:iam::[0-9]{1,30}:role/.{1,200}$"
    );
    let error = aws_credentials(&context_of(role), "eu.evil.example/", None).await.unwrap_err();
    assert!(one_line(&error).contains("invalid AWS region"));
}

#[tokio::test]
async fn the_machine_has_keys_of_its_own() {
    let served = r#"{"AccessKeyId":"AK","SecretAccessKey":"SK","Token":"T","Expiration":"2026-01-01T06:00:00Z"}"#;
    let issuer = Issuer::start(&[
        ("PUT /latest/api/token", 200, "imds"),
        ("GET /latest/meta-data/iam/security-credentials/", 200, "node\n"),
        ("GET /latest/meta-data/iam/security-credentials/node", 200, served),
        ("GET /pod", 200, served),
        ("POST /", 200, ASSUMED),
    ])
    .await;
    let directory = std::env::temp_dir().join(format!("gitops-auth-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("token");
    std::fs::write(&file, "web-identity\n").unwrap();
    let (file, pod) = (file.to_str().unwrap(), format!("{}/pod", issuer.url));
    let own = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S")];
    let web = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file),
        ("AWS_ROLE_ARN", "arn"),
        ("AWS_ENDPOINT_URL_STS", &issuer.url),
    ];
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", pod.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file),
    ];
    let instance = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", issuer.url.as_str())];
    for (variables, key) in [(&own[..], "A"), (&web, "ASIA"), (&container, "AK"), (&instance, "AK")]
    {
        let keys = aws_credentials(&context(variables, None), "us-east-1", None).await.unwrap();
        assert_eq!(keys.access_key, key);
    }
    let error = aws_credentials(
        &context(&[("AWS_EC2_METADATA_DISABLED", "true")], None),
        "us-east-1",
        None,
    )
    .await;
    assert!(one_line(&error.unwrap_err()).contains("no AWS credentials found"));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn token_services_of_aws_only() {
    for good in [
        "https://sts.amazonaws.com",
        "https://sts.eu-west-1.amazonaws.com",
        "https://sts-fips.us-east-1.amazonaws.com",
        "https://vpce-1.sts.us-east-1.vpce.amazonaws.com",
    ] {
        assert!(validate_sts_endpoint(good).is_ok(), "{good}");
    }
    for bad in [
        "http://sts.amazonaws.com",
        "https://sts.amazonaws.com.evil.example",
        "https://evil.example/sts.amazonaws.com",
        "https://s3.eu-west-1.amazonaws.com",
    ] {
        assert!(validate_sts_endpoint(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn azure_issues_tokens_for_accounts_and_machines() {
    let text = r#"{"access_token":"aad","expires_in":"3600"}"#;
    let number = r#"{"access_token":"aad","expires_in":3600}"#;
    let issuer = Issuer::start(&[
        ("POST /tenant/oauth2/v2.0/token", 200, number),
        ("GET /metadata/identity/oauth2/token", 200, text),
    ])
    .await;
    let host = ("AZURE_AUTHORITY_HOST", issuer.url.as_str());
    let identity = [
        ("azure.workload.identity/tenant-id", "tenant"),
        ("azure.workload.identity/client-id", "me"),
    ];
    let contexts = [
        context(&[host], Some(&identity)),
        context(
            &[
                host,
                ("AZURE_TENANT_ID", "tenant"),
                ("AZURE_CLIENT_ID", "me"),
                ("AZURE_CLIENT_SECRET", "s"),
            ],
            None,
        ),
        context(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &issuer.url)], None),
    ];
    for context in contexts {
        let token = azure_token(&context, AZURE_DEVOPS_SCOPE).await.unwrap();
        assert_eq!(token.secret.expose_str(), Some("aad"));
        assert_eq!(token.expires_at, "2026-01-01T01:00:00Z".parse().unwrap());
    }
    let seen = issuer.seen();
    assert!(
        seen[0].contains("client_assertion=jwt-for-api%3A%2F%2FAzureADTokenExchange"),
        "{}",
        seen[0]
    );
    assert!(seen[2].contains("resource=499b84ac-1321-427f-aa17-267ca6975798"), "{}", seen[2]);
    let error = azure_token(&context(&[host], Some(&identity[..1])), AZURE_DEVOPS_SCOPE).await;
    assert!(one_line(&error.unwrap_err()).ends_with(
        "azure client ID is not set in the service account annotation \
         azure.workload.identity/client-id"
    ));
}
