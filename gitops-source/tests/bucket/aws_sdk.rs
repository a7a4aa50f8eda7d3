//! The credential chain of Amazon's SDK, against metadata and token services of our own. It reads the
//! variables of its process, so each case is a process: this program, called again.

#![cfg(feature = "aws-sdk")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "the child tells what came of it")]
#![allow(clippy::disallowed_methods, reason = "the child is told by its environment")]

use std::{fs, sync::Arc};

use axum::{Router, extract::Request, http::StatusCode, response::IntoResponse};
use gitops_core::{Scope, one_line};
use gitops_source::{BucketEndpoint, BucketSource, S3Bucket, S3Credentials, SdkCredentials};
use tokio::process::Command;

const CANARY: &str = "c4nary";

async fn answer(request: Request) -> impl IntoResponse {
    let (status, body) = said(request).await;
    (status, [("x-aws-ec2-metadata-token-ttl-seconds", "21600")], body)
}

async fn said(request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let lent = header("authorization").contains("Credential=LENT/")
        && header("x-amz-security-token") == format!("session-{CANARY}");
    let json = format!(
        r#"{{"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": "LENT", "SecretAccessKey": "{CANARY}", "Token": "session-{CANARY}",
        "Expiration": "2099-01-01T00:00:00Z"}}"#
    );
    let ok = |text: &str| (StatusCode::OK, text.to_owned());
    match parts.uri.path() {
        "/latest/api/token" => ok(CANARY),
        path if path.starts_with("/latest/meta-data/iam/security-credentials") => {
            if path.ends_with("/node") { ok(&json) } else { ok("node") }
        }
        "/pod" if header("authorization") == format!("pod-{CANARY}") => ok(&json),
        "/" if body.contains(&format!("WebIdentityToken=web-{CANARY}")) => ok(&format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>LENT</AccessKeyId><SecretAccessKey>{CANARY}</SecretAccessKey>\
             <SessionToken>session-{CANARY}</SessionToken><Expiration>2099-01-01T00:00:00Z\
             </Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        )),
        "/b/" if lent => ok("<ListBucketResult></ListBucketResult>"),
        path if path.contains(".sourceignore") => (StatusCode::NOT_FOUND, String::new()),
        _ => (StatusCode::FORBIDDEN, "go away".to_owned()),
    }
}

/// Reads a bucket as the child that [`chains_of_the_sdk`] starts.
#[tokio::test]
async fn child() {
    let Ok(url) = std::env::var("GITOPS_TEST_CLOUD") else { return };
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let credentials = S3Credentials::Sdk(SdkCredentials::new("eu-west-1", client));
    let endpoint = BucketEndpoint::new(&url, true).unwrap();
    let bucket = S3Bucket::new(endpoint, "b", Some("eu-west-1"), credentials);
    println!("{bucket:?}");
    let index = BucketSource::new(Arc::new(bucket), "b").index(&Scope::background()).await;
    match index {
        Ok(index) => println!("read {} objects", index.len()),
        Err(error) => println!("failed: {} {error:?}", one_line(&error)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_of_the_sdk() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let profile = file(
        "profile",
        &format!(
            "[default]\naws_access_key_id = LENT\naws_secret_access_key = {CANARY}\n\
             aws_session_token = session-{CANARY}\n"
        ),
    );
    let web = |text: &str| {
        vec![
            ("AWS_WEB_IDENTITY_TOKEN_FILE", file("web", text)),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r".to_owned()),
            ("AWS_ENDPOINT_URL_STS", url.clone()),
        ]
    };
    let pod = |text: &str| {
        vec![
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/pod")),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", format!("{text}{CANARY}")),
        ]
    };
    let off = ("AWS_EC2_METADATA_DISABLED", "true".to_owned());
    let good = format!("web-{CANARY}");
    for (case, variables, is_good) in [
        ("instance", vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.clone())], true),
        ("pod", pod("pod-"), true),
        ("profile", vec![("AWS_SHARED_CREDENTIALS_FILE", profile), off.clone()], true),
        ("web identity", web(&good), true),
        ("refused pod", pod("other-"), false),
        ("nobody", vec![off.clone()], false),
        (
            "other keys",
            vec![
                ("AWS_ACCESS_KEY_ID", "OTHER".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", CANARY.to_owned()),
            ],
            false,
        ),
    ] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "aws_sdk::child", "--nocapture"])
            .env_clear()
            .env("HOME", directory.path())
            .env("GITOPS_TEST_CLOUD", &url)
            .envs(variables)
            .kill_on_drop(true)
            .output();
        let done = tokio::time::timeout(std::time::Duration::from_mins(1), child).await.unwrap();
        let done = done.unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        let wanted = if is_good { "read 0 objects" } else { "failed: " };
        assert!(done.status.success() && said.contains(wanted), "{case}: {said}");
        assert!(!said.contains(CANARY), "{case}: {said}");
    }
}
