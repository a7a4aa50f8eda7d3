//! Signatures that the real notation makes, with certificates and a timestamp authority of our own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use crate::pki;
use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use crate::notary::{Image, REPOSITORY, statement};
use crate::pki::{About, ExtendedKeyUsageKind as Usage, Holder};
use axum::{Router, body::Bytes, extract::State, response::IntoResponse};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_core::{Clock as _, SystemClock, one_line};
use serde_json::json;

/// When the certificates of the signers have ended.
const LATER: &str = "2035-06-01T00:00:00Z";

/// The real program, where `cargo run -p xtask -- peers` built it.
fn notation() -> Option<PathBuf> {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/peers/notation");
    if !program.exists() {
        println!("skipped: {} is not there, see `cargo run -p xtask -- peers`", program.display());
        return None;
    }
    Some(program)
}

fn pem(chain: &[&Holder]) -> String {
    let one = |own: &&Holder| {
        let body = STANDARD.encode(&own.certificate);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    chain.iter().map(one).collect()
}

async fn stamp(State(authority): State<Arc<Holder>>, body: Bytes) -> impl IntoResponse {
    let (imprint, nonce) = pki::question(&body);
    let now = SystemClock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let answer = pki::granted(&authority.stamp(&imprint, nonce.as_deref(), &now));
    ([("content-type", "application/timestamp-reply")], answer)
}

#[tokio::test]
async fn signatures_of_the_real_notation() {
    let Some(program) = notation() else { return };
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let authority = Holder::authority("authority");
    let timing = Holder::authority("time authority");
    let usage = Some(Usage::TimeStamping);
    let tsa = timing.issue(&About { name: "time", usage, ..About::default() });
    let usage = Some(Usage::CodeSigning);
    let own = authority.issue(&About { name: "signer", usage, ..About::default() });
    fs::create_dir(home.join("notation")).unwrap();
    fs::write(home.join("own.key"), own.key_pem()).unwrap();
    fs::write(home.join("own.crt"), pem(&[&own, &authority])).unwrap();
    fs::write(home.join("tsa.crt"), pem(&[&timing])).unwrap();
    let keys = json!({"default": "own", "keys": [{
        "name": "own", "keyPath": home.join("own.key"), "certPath": home.join("own.crt"),
    }]});
    fs::write(home.join("notation/signingkeys.json"), keys.to_string()).unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().fallback(stamp).with_state(Arc::new(tsa));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let run = async |arguments: &[&str]| {
        let done = tokio::process::Command::new(&program)
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home)
            .kill_on_drop(true)
            .output();
        let done = tokio::time::timeout(Duration::from_mins(1), done).await.unwrap().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let root = home.join("tsa.crt");
    let now = SystemClock.now().to_string();
    let roots = || vec![authority.certificate.clone(), timing.certificate.clone()];
    let mut stamped = statement("strict", "x509.subject: C=US, ST=WA, O=acme");
    stamped["trustStores"] = json!(["ca:s", "tsa:t"]);
    let strict = statement("strict", "*");
    for format in ["jws", "cose"] {
        let image = Image::new().await;
        let name = format!("{}/{REPOSITORY}@{}", image.registry.host(), image.digest);
        let sign = ["sign", "--insecure-registry", "--signature-format", format];
        run(&[&sign[..], &[&name]].concat()).await;
        let verified = image.verify(&strict, roots(), &now).await.unwrap();
        assert!(verified.signer.unwrap().contains("signer"), "{format}");
        let error = image.verify(&stamped, roots(), &now).await.unwrap_err();
        assert!(one_line(&error).contains("no timestamp countersignature"), "{error}");
        let other = vec![Holder::authority("other").certificate];
        let error = image.verify(&strict, other, &now).await.unwrap_err();
        assert!(one_line(&error).contains("any trusted certificate"), "{error}");

        let image = Image::new().await;
        let name = format!("{}/{REPOSITORY}@{}", image.registry.host(), image.digest);
        let root = root.to_str().unwrap();
        let timed = ["--timestamp-url", &url, "--timestamp-root-cert", root, &name];
        run(&[&sign[..], &timed].concat()).await;
        image.verify(&stamped, roots(), &now).await.unwrap();
        image.verify(&stamped, roots(), LATER).await.unwrap();
        let error = image.verify(&strict, roots(), LATER).await.unwrap_err();
        assert!(one_line(&error).contains("is not valid at"), "{error}");
    }
}
