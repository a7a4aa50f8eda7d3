//! Who reads a bucket: what is lent by token services and clouds, sent as each store wants it, and
//! refused without telling it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
};
use gitops_core::{Scope, Secret, one_line};
use gitops_source::{
    Ambient, AzureBucket, AzureCredentials, BucketEndpoint, BucketSource, BucketStore, GcsBucket,
    GcsCredentials, S3Bucket, S3Credentials, SourceError, Tls,
};

const CANARY: &str = "c4nary";
const KEY: &str = include_str!("../../../crates/auth/tests/data/app-pkcs8.pem");

/// What was asked: method, path, headers and body.
type Seen = Arc<Mutex<Vec<String>>>;

async fn answer(State(seen): State<Seen>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = parts.uri.path();
    seen.lock().unwrap().push(format!("{} {path} {:?} {body}", parts.method, parts.headers));
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let signed = header("authorization");
    let lent = signed.contains("Credential=LENT/")
        && header("x-amz-security-token") == format!("session-{CANARY}");
    let bearer = signed == format!("Bearer lent-{CANARY}") || signed.starts_with("Bearer eyJ");
    let keys = format!(
        "<AccessKeyId>LENT</AccessKeyId><SecretAccessKey>{CANARY}</SecretAccessKey>\
         <SessionToken>session-{CANARY}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
    );
    let json = format!(
        r#"{{"AccessKeyId": "LENT", "SecretAccessKey": "{CANARY}", "Token": "session-{CANARY}",
        "Code": "Success", "Type": "x", "LastUpdated": "2026-01-01T00:00:00Z",
        "Expiration": "2099-01-01T00:00:00Z"}}"#
    );
    let ok = |body: &str| (StatusCode::OK, body.to_owned());
    match path {
        "/ldap" if body.contains("LDAPPassword=c4nary%26x") => ok(&format!(
            "<AssumeRoleWithLDAPIdentityResponse><AssumeRoleWithLDAPIdentityResult><Credentials>\
             {keys}</Credentials></AssumeRoleWithLDAPIdentityResult>\
             </AssumeRoleWithLDAPIdentityResponse>"
        )),
        "/latest/api/token" => ok(CANARY),
        "/latest/meta-data/iam/security-credentials/" => ok("node"),
        "/latest/meta-data/iam/security-credentials/node" => ok(&json),
        "/pod" if signed == format!("pod-{CANARY}") => ok(&json),
        "/s3/b/" if lent => ok("<ListBucketResult></ListBucketResult>"),
        "/azure/b" if bearer => {
            ok("<EnumerationResults><Blobs></Blobs><NextMarker></NextMarker></EnumerationResults>")
        }
        "/gcs/storage/v1/b/b" | "/gcs/storage/v1/b/b/o" if bearer => ok("{}"),
        path if path.contains(".sourceignore") => (StatusCode::NOT_FOUND, String::new()),
        _ => (StatusCode::FORBIDDEN, "<Error><Message>go away</Message></Error>".to_owned()),
    }
}

async fn cloud() -> (String, Seen) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

fn endpoint(url: &str, path: &str) -> BucketEndpoint {
    let endpoint = BucketEndpoint::new(&format!("{url}/{path}"), true).unwrap();
    endpoint.with_timeout(Duration::from_secs(5))
}

async fn read(store: impl BucketStore + 'static) -> Result<usize, SourceError> {
    let shown = format!("{store:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    let source = BucketSource::new(Arc::new(store), "b").with_timeout(Duration::from_secs(20));
    source.index(&Scope::background()).await.map(|index| index.len())
}

async fn refused(store: impl BucketStore + 'static, why: &str) {
    let error = read(store).await.unwrap_err();
    let text = format!("{} {error:?}", one_line(&error));
    assert!(text.contains(why) && !text.contains(CANARY), "{text}");
}

fn s3(url: &str, credentials: S3Credentials) -> S3Bucket {
    S3Bucket::new(endpoint(url, "s3"), "b", Some("eu-west-1"), credentials)
}

fn ldap(url: &str, password: &str) -> S3Credentials {
    S3Credentials::Ldap {
        endpoint: format!("{url}/ldap").parse().unwrap(),
        tls: Tls::default(),
        username: "u&v".into(),
        password: Secret::from(password.to_owned()),
    }
}

#[tokio::test]
async fn a_directory_knows_the_reader() {
    let (url, seen) = cloud().await;
    assert_eq!(read(s3(&url, ldap(&url, "c4nary&x"))).await.unwrap(), 0);
    let asked = seen.lock().unwrap()[0].clone();
    assert!(asked.contains("Action=AssumeRoleWithLDAPIdentity&LDAPUsername=u%26v&"), "{asked}");
    refused(s3(&url, ldap(&url, "c4nary-wrong")), "go away").await;
    refused(
        s3(&url, ldap("http://127.0.0.1:1", CANARY)),
        "Post \"http://127.0.0.1:1/ldap\": dial tcp 127.0.0.1:1",
    )
    .await;
}

#[tokio::test]
async fn lent_keys_and_tokens_are_sent() {
    let (url, _) = cloud().await;
    let session = |key: &str| S3Credentials::Session {
        access_key: key.to_owned(),
        secret_key: CANARY.into(),
        session_token: format!("session-{CANARY}").into(),
    };
    read(s3(&url, session("LENT"))).await.unwrap();
    refused(s3(&url, session("OTHER")), "Access Denied").await;
    let azure = |token: &str| {
        let credentials = AzureCredentials::Token(token.to_owned().into());
        AzureBucket::new(endpoint(&url, "azure"), "b", credentials)
    };
    read(azure(&format!("lent-{CANARY}"))).await.unwrap();
    refused(azure(&format!("other-{CANARY}")), "go away").await;
    let gcs = |token: &str| {
        let credentials = GcsCredentials::Token(token.to_owned().into());
        GcsBucket::new(endpoint(&url, "gcs"), "b", credentials)
    };
    read(gcs(&format!("lent-{CANARY}"))).await.unwrap();
    refused(gcs(&format!("other-{CANARY}")), "go away").await;
}

#[tokio::test]
async fn a_service_account_of_google_signs_for_itself() {
    let (url, _) = cloud().await;
    let gcs = |json: String| {
        let credentials = GcsCredentials::ServiceAccount(json.into());
        GcsBucket::new(endpoint(&url, "gcs"), "b", credentials)
    };
    let account = |key: &str| {
        serde_json::json!({
            "type": "service_account", "private_key": key, "private_key_id": "1",
            "client_email": "a@p.iam.gserviceaccount.com",
        })
        .to_string()
    };
    read(gcs(account(KEY))).await.unwrap();
    for broken in [account(CANARY), format!("{{\"{CANARY}\""), CANARY.to_owned(), String::new()] {
        refused(gcs(broken), "failed to create Google credentials from secret").await;
    }
}

#[tokio::test]
async fn amazons_chain_of_the_process() {
    let (url, seen) = cloud().await;
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, format!("pod-{CANARY}")).unwrap();
    let token = token.to_str().unwrap();
    let with = |variables: &[(&str, &str)]| {
        let variables = variables.iter();
        let ambient: Ambient =
            variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        s3(&url, S3Credentials::Ambient { ambient, sts_endpoint: None })
    };
    read(with(&[("AWS_METADATA_ENDPOINT", &url)])).await.unwrap();
    assert!(seen.lock().unwrap()[0].starts_with("PUT /latest/api/token"), "the second version");
    let pod = format!("{url}/pod");
    read(with(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &pod),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token),
    ]))
    .await
    .unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", "OTHER"), ("AWS_SECRET_ACCESS_KEY", CANARY)];
    refused(with(&keys), "Access Denied").await;
}
