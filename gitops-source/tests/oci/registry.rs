//! The registry client against a registry with habits.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::Arc;

use bytes::Bytes;
use gitops_core::{Digest, Scope, one_line};
use gitops_source::{
    CONTENT_MEDIA_TYPE, DockerConfig, OciArtifact, OciManifest, OciRepositoryName, Registries,
    RegistryCredential, RegistryOptions, SourceError, Tls,
};
use gitops_testenv::{Registry, RegistryHabits, Sink};
use http::StatusCode;
use serde_json::json;

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

fn repository(host: &str) -> OciRepositoryName {
    OciRepositoryName::parse(&format!("oci://{host}/o/r")).unwrap()
}

fn basic(host: &str, password: &str) -> DockerConfig {
    let credential =
        RegistryCredential::Basic { username: "oci".into(), password: password.into() };
    DockerConfig::single(host, credential)
}

fn with(credentials: DockerConfig) -> RegistryOptions {
    RegistryOptions { credentials, ..RegistryOptions::default() }
}

fn prepare() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

fn artifact(layer: impl Into<Bytes>) -> OciArtifact {
    OciArtifact {
        layer: layer.into(),
        media_type: CONTENT_MEDIA_TYPE.into(),
        annotations: [("a".to_owned(), "b".to_owned())].into(),
    }
}

#[tokio::test]
async fn what_is_pushed_can_be_pulled() {
    prepare();
    let scope = Scope::background();
    for no_location in [false, true] {
        let habits = RegistryHabits { no_location, ..RegistryHabits::default() };
        let server = Registry::start(habits).await.unwrap();
        let registries = Registries::new();
        let (name, options) = (repository(&server.host()), RegistryOptions::default());
        let registry = registries.open(&name, &options).await.unwrap().for_push();
        for layer in [b"small".to_vec(), vec![7; (33 << 20) + 5]] {
            let digest = Digest::sha256(&layer);
            let pushed = artifact(layer.clone()).push(&registry, "v1", &scope).await.unwrap();
            assert_eq!(registry.digest("v1").await.unwrap(), pushed);
            let raw = registry.manifest(&pushed.to_string()).await.unwrap();
            let manifest = OciManifest::parse(&raw.bytes).unwrap();
            assert_eq!(manifest.layers[0].digest, digest.to_string());
            assert_eq!(manifest.annotations["a"], "b");
            let mut file = registry.blob(&digest, 64 << 20, &scope).await.unwrap();
            let mut pulled = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut pulled).unwrap();
            assert!(pulled == layer);
        }
        let requests = server.requests();
        let pieces = requests.iter().filter(|line| line.starts_with("PATCH")).count();
        assert_eq!(pieces, 3, "a large layer goes in pieces");
        server.forget_requests();
        artifact("small").push(&registry, "v2", &scope).await.unwrap();
        assert!(server.requests().iter().all(|line| !line.starts_with("POST")), "is there already");
        let error = artifact("x").push(&registry, "../v1", &scope).await.unwrap_err();
        assert!(one_line(&error).contains("invalid tag"), "{error}");
    }
}

/// Row 72 of the list of attacks: a token that is over or refused.
#[tokio::test]
async fn a_token_serves_many_requests_and_is_renewed() {
    prepare();
    let habits = RegistryHabits {
        credentials: Some(("oci".into(), "s3cret".into())),
        tokens: true,
        ..RegistryHabits::default()
    };
    let server = Registry::start(habits).await.unwrap();
    server.put_manifest("o/r", Some("v1"), &json!({"layers": []}));
    let registries = Registries::new();
    let name = repository(&server.host());
    let options = with(basic(&server.host(), "s3cret"));
    let tokens = || server.requests().iter().filter(|line| line.contains("/token?")).count();
    for _ in 0..3 {
        let registry = registries.open(&name, &options).await.unwrap();
        registry.digest("v1").await.unwrap();
    }
    assert_eq!(tokens(), 1, "{:?}", server.requests());
    let greetings = server.requests().iter().filter(|line| line.starts_with("GET /v2/")).count();
    assert_eq!(greetings, 1);

    server.revoke_tokens();
    let registry = registries.open(&name, &options).await.unwrap();
    registry.digest("v1").await.unwrap();
    assert_eq!(tokens(), 2, "a refused token is asked for again, once");

    let identity =
        DockerConfig::single(&server.host(), RegistryCredential::Identity("s3cret".into()));
    let registry = registries.open(&name, &with(identity)).await.unwrap();
    registry.digest("v1").await.unwrap();
    assert!(server.requests().contains(&"POST /token".to_owned()));

    let registry = registries.open(&name, &with(basic(&server.host(), "c4nary"))).await.unwrap();
    let error = registry.tags().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    assert!(!format!("{error:?} {error} {registries:?} {registry:?}").contains("c4nary"));
}

#[tokio::test]
async fn ten_thousand_tags_come_in_pages() {
    prepare();
    let server =
        Registry::start(RegistryHabits { page: Some(997), ..Default::default() }).await.unwrap();
    for number in 0..10_000 {
        server.put_manifest("o/r", Some(&format!("1.0.{number}")), &json!({"layers": []}));
    }
    let opened = Registries::new();
    let registry =
        opened.open(&repository(&server.host()), &RegistryOptions::default()).await.unwrap();
    let mut tags = registry.tags().await.unwrap();
    assert_eq!(tags.len(), 10_000);
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 10_000);
    assert_eq!(server.requests().iter().filter(|line| line.contains("tags/list")).count(), 11);
}

#[tokio::test]
async fn referrers_with_and_without_the_api() {
    prepare();
    for referrers in [true, false] {
        let server =
            Registry::start(RegistryHabits { referrers, ..Default::default() }).await.unwrap();
        let subject = server.put_manifest("o/r", Some("v1"), &json!({"layers": []}));
        let refers = |kind: &str| {
            json!({
                "artifactType": kind, "layers": [],
                "subject": {"digest": subject.to_string(), "mediaType": "m", "size": 1},
            })
        };
        let bundle = server.put_manifest("o/r", None, &refers(BUNDLE));
        let other = server.put_manifest("o/r", None, &refers("application/other"));
        if !referrers {
            let entry = |digest: &Digest, kind: &str| json!({"digest": digest.to_string(), "mediaType": "m", "size": 1, "artifactType": kind});
            let index =
                json!({"manifests": [entry(&bundle, BUNDLE), entry(&other, "application/other")]});
            let tag = format!("sha256-{}", subject.hex());
            server.put_manifest("o/r", Some(&tag), &index);
        }
        let registries = Registries::new();
        let registry = registries
            .open(&repository(&server.host()), &RegistryOptions::default())
            .await
            .unwrap();
        let found = registry.referrers(&subject, Some(BUNDLE)).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].digest, bundle.to_string());
        assert_eq!(registry.referrers(&subject, None).await.unwrap().len(), 2);
        assert!(registry.referrers(&bundle, None).await.unwrap().is_empty());
    }
}

/// Row 50: redirects.
#[tokio::test]
async fn credentials_stay_at_home_when_blobs_are_elsewhere() {
    prepare();
    let sink = Sink::start().await.unwrap();
    let habits = RegistryHabits {
        credentials: Some(("oci".into(), "s3cret".into())),
        blobs_at: Some(format!("{}blobs", sink.url())),
        ..RegistryHabits::default()
    };
    let server = Registry::start(habits).await.unwrap();
    let digest = server.put_blob("layer");
    let registries = Registries::new();
    let options = with(basic(&server.host(), "s3cret"));
    let registry = registries.open(&repository(&server.host()), &options).await.unwrap();
    let scope = Scope::background();
    // The sink gives an empty body.
    let error = registry.blob(&digest, 100, &scope).await.unwrap_err();
    assert!(one_line(&error).contains("layer digest does not match"), "{error}");
    let seen = sink.requests();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].headers.get("authorization").is_none());
    assert!(server.requests().iter().any(|line| line.contains("blobs") && line.ends_with('+')));

    sink.answer_with(StatusCode::FORBIDDEN);
    let error = registry.blob(&digest, 100, &scope).await.unwrap_err();
    let text = one_line(&error);
    assert!(text.contains("403 Forbidden") && !text.contains("c4nary"), "{text}");

    for target in ["file:///etc/passwd", "ftp://127.0.0.1/x"] {
        server.change(|habits| habits.blobs_at = Some(target.into()));
        let error = registry.blob(&digest, 100, &scope).await.unwrap_err();
        assert!(one_line(&error).contains("refusing redirect"), "{error}");
    }
    let own = format!("http://{}/v2/o/r/blobs", server.host());
    server.change(|habits| habits.blobs_at = Some(own));
    let error = registry.blob(&digest, 100, &scope).await.unwrap_err();
    assert!(one_line(&error).contains("stopped after 10 redirects"), "{error}");
}

/// Row 67.
#[tokio::test]
async fn sizes_are_bounded_as_bytes_arrive() {
    prepare();
    let server = Registry::start(RegistryHabits::default()).await.unwrap();
    let digest = server.put_blob(vec![0; 1000]);
    let manifest = server.put_manifest("o/r", Some("big"), &json!({"x": "y".repeat(5 << 20)}));
    let registries = Registries::new();
    let registry =
        registries.open(&repository(&server.host()), &RegistryOptions::default()).await.unwrap();
    let scope = Scope::background();
    registry.blob(&digest, 1000, &scope).await.unwrap();
    let error = registry.blob(&digest, 999, &scope).await.unwrap_err();
    assert!(one_line(&error).contains("layer is larger than 999 bytes"), "{error}");
    let error = registry.manifest(&manifest.to_string()).await.unwrap_err();
    assert!(one_line(&error).contains("answer is larger than"), "{error}");
    // What can be no tag is asked for, as Flux does, and leads nowhere else.
    server.put_manifest("o/s", Some("v1"), &json!({}));
    for (hostile, shown) in [
        ("../../o/s/manifests/v1", "../../o/s/manifests/v1"),
        ("a/b", "a/b"),
        ("a@b", "a@b"),
        ("a?b", "a%3Fb"),
        ("%2e%2e", "%252e%252e"),
    ] {
        let error = one_line(&registry.digest(hostile).await.unwrap_err());
        let asked = format!("GET http://{}/v2/o/r/manifests/{shown}: ", server.host());
        assert!(error.starts_with(&asked), "{error}");
    }
    for hostile in ["", ".", ".."] {
        let error = one_line(&registry.digest(hostile).await.unwrap_err());
        assert_eq!(error, format!("invalid reference '{hostile}'"));
    }
}

#[tokio::test]
async fn certificates_of_both_sides() {
    prepare();
    let (host, authority, identity) = tls_server().await;
    let registries = Registries::new();
    let open = |tls: Tls, insecure| {
        let options = RegistryOptions { tls, insecure, ..RegistryOptions::default() };
        let (registries, name) = (registries.clone(), repository(&host));
        async move { registries.open(&name, &options).await.map(drop) }
    };
    let authorities = Some(authority.into_bytes());
    let good = Tls {
        authorities: authorities.clone(),
        identity: Some(identity.clone()),
        ..Tls::default()
    };
    open(good, false).await.unwrap();
    let error =
        open(Tls { authorities, identity: None, ..Tls::default() }, false).await.unwrap_err();
    assert!(one_line(&error).contains("certificate"), "{}", one_line(&error));
    let error = open(Tls { authorities: None, identity: Some(identity), ..Tls::default() }, false)
        .await
        .unwrap_err();
    assert!(one_line(&error).contains("signed by unknown authority"), "{}", one_line(&error));
    let broken = Tls { authorities: Some(b"x".to_vec()), identity: None, ..Tls::default() };
    // Without a certificate in it, a file of authorities adds none.
    assert!(open(broken, false).await.is_err());
}

/// A registry that wants a client certificate: its host, its authority, and a certificate that it
/// accepts.
async fn tls_server() -> (String, String, (Vec<u8>, gitops_core::Secret)) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use tokio_rustls::rustls::{
        RootCertStore, ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    };
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::from_params(&params, &ca_key);
    let leaf = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let (server, server_key) = leaf("127.0.0.1");
    let (client, client_key) = leaf("client");
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let app = axum::Router::new().fallback(|| async { "{}" });
                let service = hyper_util::service::TowerToHyperService::new(app);
                let executor = hyper_util::rt::TokioExecutor::new();
                let io = hyper_util::rt::TokioIo::new(stream);
                let server = hyper_util::server::conn::auto::Builder::new(executor);
                let _ = server.serve_connection(io, service).await;
            });
        }
    });
    let identity = (client.pem().into_bytes(), client_key.serialize_pem().into());
    (host, ca.pem(), identity)
}

/// What go-containerregistry says where a cloud lends no login: after the greeting, and of the
/// request for which it was wanted.
#[tokio::test]
async fn a_login_that_was_refused_matters_when_it_is_needed() {
    prepare();
    let server = Registry::start(RegistryHabits::default()).await.unwrap();
    let refused = RegistryCredential::Refused("invalid AWS registry".into());
    let options = RegistryOptions {
        credentials: DockerConfig::single(&server.host(), refused),
        ..RegistryOptions::default()
    };
    let registry = Registries::new().open(&repository(&server.host()), &options).await.unwrap();
    let place = format!("http://{}/v2/o/r", server.host());
    let error = one_line(&registry.digest("v1").await.unwrap_err());
    assert_eq!(error, format!("Get \"{place}/manifests/v1\": invalid AWS registry"));
    let error = one_line(&registry.tags().await.unwrap_err());
    assert_eq!(error, format!("Get \"{place}/tags/list?n=1000\": invalid AWS registry"));
}
