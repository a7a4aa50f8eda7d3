//! Applications of Azure that prove themselves with a certificate, against an authority that checks
//! what it is sent.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::StatusCode, http::Uri};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gitops_auth::{
    AZURE_STORAGE_SCOPE, AzureCertificate, CloudContext, Environment, HttpClient, HttpOptions,
    azure_certificate_token,
};
use gitops_core::{FixedClock, Secret, one_line};
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain,
};
use rcgen::{CertificateParams, KeyPair};
use ring::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, digest},
    signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use serde_json::Value;

const KEY: &str = include_str!("data/app-pkcs8.pem");
const PUBLIC: &[u8] = include_bytes!("data/app-public.der");
const CANARY: &str = "c4nary";

type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// Gives a token for the tenant `t`, and to nobody else.
async fn answer(State(seen): State<Seen>, uri: Uri, body: String) -> (StatusCode, String) {
    seen.lock().unwrap().push((uri.path().to_owned(), body));
    match uri.path() {
        "/t/oauth2/v2.0/token" => {
            (StatusCode::OK, r#"{"access_token":"t0ken","expires_in":3600}"#.to_owned())
        }
        _ => (StatusCode::UNAUTHORIZED, format!("no such tenant, {CANARY}")),
    }
}

async fn authority() -> (String, Seen) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

fn context() -> CloudContext {
    CloudContext {
        http: HttpClient::new(&HttpOptions::default()).unwrap(),
        clock: Arc::new(FixedClock::new("2026-01-01T00:00:00Z".parse().unwrap())),
        environment: Environment::default(),
        account: None,
    }
}

/// A certificate of the key, in DER.
fn certificate() -> Vec<u8> {
    let key = KeyPair::from_pem(KEY).unwrap();
    CertificateParams::default().self_signed(&key).unwrap().der().to_vec()
}

fn pem(certificate: &[u8]) -> String {
    let body = STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n{KEY}")
}

fn archive(certificate: &[u8], algorithm: EncryptionAlgorithm) -> Vec<u8> {
    let key = KeyPair::from_pem(KEY).unwrap();
    let key = PrivateKey::from_der(&key.serialize_der()).unwrap();
    let certificate = Certificate::from_der(certificate).unwrap();
    let chain = PrivateKeyChain::new(vec![1, 2, 3], key, [certificate]);
    let mut store = KeyStore::new();
    store.add_entry("own", KeyStoreEntry::PrivateKeyChain(chain));
    store.writer(CANARY).encryption_algorithm(algorithm).write().unwrap()
}

fn own(authority: &str, certificate: impl Into<Vec<u8>>) -> AzureCertificate {
    AzureCertificate {
        tenant: "t".into(),
        client: "c".into(),
        certificate: Secret::new(certificate.into()),
        password: Some(Secret::from(CANARY)),
        send_chain: false,
        authority: Some(authority.to_owned()),
    }
}

#[tokio::test]
async fn a_certificate_proves_the_application() {
    let (url, seen) = authority().await;
    let der = certificate();
    let forms = [
        pem(&der).into_bytes(),
        archive(&der, EncryptionAlgorithm::PbeWithHmacSha256AndAes256),
        archive(&der, EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc),
    ];
    for (form, send_chain) in forms.into_iter().zip([true, false, false]) {
        let own = AzureCertificate { send_chain, ..own(&url, form) };
        let token = azure_certificate_token(&context(), &own, AZURE_STORAGE_SCOPE).await.unwrap();
        assert_eq!(token.secret.expose_str(), Some("t0ken"));
        assert_eq!(token.expires_at, "2026-01-01T01:00:00Z".parse().unwrap());
        let (_, form) = seen.lock().unwrap().pop().unwrap();
        let fields: std::collections::BTreeMap<String, String> =
            url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        assert_eq!(
            (fields["scope"].as_str(), fields["client_id"].as_str()),
            (AZURE_STORAGE_SCOPE, "c")
        );
        let (signed, signature) = fields["client_assertion"].rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC)
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .expect("signed with the certificate's key");
        let part = |index: usize| -> Value {
            let text = signed.split('.').nth(index).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
        };
        let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &der);
        assert_eq!(part(0)["x5t"], URL_SAFE_NO_PAD.encode(thumbprint));
        let chain = part(0).get("x5c").cloned();
        assert_eq!(chain, send_chain.then(|| vec![STANDARD.encode(&der)].into()));
        assert_eq!(part(1)["aud"], format!("{url}/t/oauth2/v2.0/token"));
        assert_eq!((&part(1)["iss"], &part(1)["sub"]), (&"c".into(), &"c".into()));
        assert_eq!(part(1)["exp"].as_i64().unwrap() - part(1)["nbf"].as_i64().unwrap(), 600);
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_without_telling_it() {
    let (url, seen) = authority().await;
    let der = certificate();
    let good = archive(&der, EncryptionAlgorithm::PbeWithHmacSha256AndAes256);
    let mut wrong_password = own(&url, good.clone());
    wrong_password.password = Some(Secret::from("other"));
    let mut no_password = own(&url, good.clone());
    no_password.password = None;
    let without_key = pem(&der).split("-----BEGIN PRIVATE").next().unwrap().to_owned();
    for own in [
        wrong_password,
        no_password,
        own(&url, good[..good.len() / 2].to_vec()),
        own(&url, without_key),
        own(&url, KEY),
        own(&url, CANARY),
        own(&url, Vec::new()),
    ] {
        let error = azure_certificate_token(&context(), &own, AZURE_STORAGE_SCOPE).await;
        let error = one_line(&error.unwrap_err());
        assert!(error.starts_with("failed to parse client certificates: "), "{error}");
        assert!(!error.contains(CANARY) && !format!("{own:?}").contains(CANARY));
    }
    assert!(seen.lock().unwrap().is_empty(), "nobody was asked");

    let mut stranger = own(&url, pem(&der));
    stranger.tenant = "other".into();
    let error = azure_certificate_token(&context(), &stranger, AZURE_STORAGE_SCOPE).await;
    let error = one_line(&error.unwrap_err());
    assert!(error.contains("failed to get a token from Microsoft Entra"), "{error}");
    assert!(!error.contains("BEGIN"), "{error}");
    let mut lost = own("not a url", pem(&der));
    lost.tenant = "t".into();
    let error = azure_certificate_token(&context(), &lost, AZURE_STORAGE_SCOPE).await;
    assert!(one_line(&error.unwrap_err()).contains("malformed authority host"));
}
