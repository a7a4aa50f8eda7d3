//! The real distribution registry, which has no API for referrers: push, tags page by page, credentials, and
//! signatures that the real cosign and notation put there.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf, process::Stdio, sync::Arc};

use crate::pki::{About, ExtendedKeyUsageKind, Holder};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_core::{Scope, SystemClock, one_line};
use gitops_source::{
    CONTENT_MEDIA_TYPE, CosignTrust, CosignVerifier, DockerConfig, NotationVerifier, OciArtifact,
    OciReference, OciRepositoryName, OciSource, PublicKey, Registries, RegistryCredential,
    RegistryOptions, Source as _, TrustPolicy, Verifier as _,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The user `reader` with the password `c4nary`, as `htpasswd -B` writes it.
const USERS: &str = "reader:$2b$04$SqgdsncntDObaccPBveBD.fThH.xVvBbHIqPJXccg44AvmZ.SpUmy\n";
const MANY: usize = 230;

fn peer(name: &str) -> Option<PathBuf> {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/peers").join(name);
    if !program.exists() {
        println!("skipped: {} is not there, see `cargo run -p xtask -- peers`", program.display());
        return None;
    }
    Some(program)
}

struct Server {
    _process: Child,
    directory: TempDir,
    at: SocketAddr,
}

impl Server {
    async fn start(more: &str) -> Option<Self> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let program = peer("registry")?;
        let directory = tempfile::tempdir().unwrap();
        let at = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  inmemory: {{}}\n  tag:\n    \
             concurrencylimit: 4\nhttp:\n  addr: {at}\n  secret: s\n{more}"
        );
        let file = directory.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(&file)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..400 {
            if tokio::net::TcpStream::connect(at).await.is_ok() {
                return Some(Self { _process: process, directory, at });
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the registry does not listen");
    }

    fn url(&self) -> String {
        format!("oci://{}/org/app", self.at)
    }

    fn name(&self) -> OciRepositoryName {
        OciRepositoryName::parse(&self.url()).unwrap()
    }
}

fn artifact(text: &str) -> OciArtifact {
    OciArtifact {
        layer: text.to_owned().into(),
        media_type: CONTENT_MEDIA_TYPE.to_owned(),
        annotations: BTreeMap::from([("org.opencontainers.image.source".into(), text.into())]),
    }
}

#[tokio::test]
async fn tags_come_in_pages_and_versions_are_chosen() {
    let Some(server) = Server::start("").await else { return };
    let scope = Scope::background();
    let registries = Registries::new();
    let options = RegistryOptions::default();
    let registry = registries.open(&server.name(), &options).await.unwrap().for_push();
    let first = artifact("one").push(&registry, "v0", &scope).await.unwrap();
    for patch in 0..MANY {
        artifact("two").push(&registry, &format!("1.0.{patch}"), &scope).await.unwrap();
    }
    assert_eq!(registry.tags().await.unwrap().len(), MANY + 1, "all pages");
    let chosen = |reference| OciSource::new(&server.url(), reference).unwrap();
    let semver = |range: &str| OciReference::Semver { range: range.into(), filter: None };
    let resolved = chosen(semver(">=1.0.0")).resolve(&scope).await.unwrap();
    assert!(resolved.revision.to_string().starts_with(&format!("1.0.{}@", MANY - 1)));
    let resolved = chosen(OciReference::Tag("v0".into())).resolve(&scope).await.unwrap();
    assert!(resolved.revision.to_string().ends_with(&first.to_string()));
    let error = chosen(semver(">=2")).resolve(&scope).await.unwrap_err();
    assert!(one_line(&error).contains("no match found for semver"), "{error}");
    let error = chosen(OciReference::Tag("none".into())).resolve(&scope).await.unwrap_err();
    assert!(one_line(&error).contains("MANIFEST_UNKNOWN"), "{}", one_line(&error));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "two programs sign one after the other")]
async fn signatures_stand_under_tags() {
    let Some(server) = Server::start("").await else { return };
    let (Some(cosign), Some(notation)) = (peer("cosign"), peer("notation")) else { return };
    let scope = Scope::background();
    let registries = Registries::new();
    let options = RegistryOptions::default();
    let registry = registries.open(&server.name(), &options).await.unwrap().for_push();
    let digest = artifact("signed").push(&registry, "v1", &scope).await.unwrap();
    let image = format!("{}/org/app@{digest}", server.at);
    let home = server.directory.path();
    let run = async |program: &PathBuf, arguments: &[&str]| {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home)
            .env("COSIGN_PASSWORD", "")
            .kill_on_drop(true)
            .output();
        let done = tokio::time::timeout(std::time::Duration::from_mins(2), done).await;
        let done = done.unwrap().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let source = OciSource::new(&server.url(), OciReference::Tag("v1".into())).unwrap();
    let subject = source.resolve(&scope).await.unwrap().image();
    run(&cosign, &["generate-key-pair"]).await;
    let key = PublicKey::from_pem(&fs::read(home.join("cosign.pub")).unwrap()).unwrap();
    let by_key = || {
        let trust = CosignTrust::Keys(vec![key.clone()]);
        CosignVerifier::new(Registries::new(), server.name(), RegistryOptions::default(), trust)
    };
    assert!(by_key().verify(&subject, &scope).await.is_err(), "is not signed yet");
    run(
        &cosign,
        &[
            "sign",
            "--key=cosign.key",
            "--tlog-upload=false",
            "--use-signing-config=false",
            "--allow-http-registry",
            "--allow-insecure-registry",
            "--yes",
            "--new-bundle-format=true",
            &image,
        ],
    )
    .await;
    by_key().verify(&subject, &scope).await.unwrap();

    let authority = Holder::authority("authority");
    let usage = Some(ExtendedKeyUsageKind::CodeSigning);
    let signer = authority.issue(&About { name: "signer", usage, ..About::default() });
    let pem = [&signer, &authority].map(|own| {
        let body = STANDARD.encode(&own.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    });
    fs::create_dir(home.join("notation")).unwrap();
    fs::write(home.join("own.key"), signer.key_pem()).unwrap();
    fs::write(home.join("own.crt"), pem.concat()).unwrap();
    let keys = json!({"default": "own", "keys": [{
        "name": "own", "keyPath": home.join("own.key"), "certPath": home.join("own.crt"),
    }]});
    fs::write(home.join("notation/signingkeys.json"), keys.to_string()).unwrap();
    run(&notation, &["sign", "--insecure-registry", "--signature-format", "cose", &image]).await;
    let policy = json!({"version": "1.0", "trustPolicies": [{
        "name": "p", "registryScopes": [format!("{}/org/app", server.at)],
        "signatureVerification": {"level": "strict"}, "trustStores": ["ca:s"],
        "trustedIdentities": ["*"],
    }]});
    let by_policy = |root: &Holder| {
        NotationVerifier::new(
            Registries::new(),
            server.name(),
            RegistryOptions::default(),
            TrustPolicy::parse(policy.to_string().as_bytes()).unwrap(),
            vec![root.certificate.clone()],
            Arc::new(SystemClock),
        )
    };
    by_policy(&authority).verify(&subject, &scope).await.unwrap();
    let stranger = Holder::authority("stranger");
    assert!(by_policy(&stranger).verify(&subject, &scope).await.is_err());
    // Both stand side by side.
    by_key().verify(&subject, &scope).await.unwrap();
}

#[tokio::test]
async fn who_may_not_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    fs::write(&users, USERS).unwrap();
    let more = format!("auth:\n  htpasswd:\n    realm: r\n    path: {}\n", users.display());
    let Some(server) = Server::start(&more).await else { return };
    let scope = Scope::background();
    let with = |password: &str| {
        let credential = RegistryCredential::Basic {
            username: "reader".into(),
            password: password.to_owned().into(),
        };
        DockerConfig::single(&server.at.to_string(), credential)
    };
    let options = RegistryOptions { credentials: with("c4nary"), ..RegistryOptions::default() };
    let registry = Registries::new().open(&server.name(), &options).await.unwrap().for_push();
    artifact("private").push(&registry, "v1", &scope).await.unwrap();
    let source = || OciSource::new(&server.url(), OciReference::Tag("v1".into())).unwrap();
    source().with_credentials(with("c4nary")).resolve(&scope).await.unwrap();
    for source in [source(), source().with_credentials(with("c4nary-wrong"))] {
        let error = source.resolve(&scope).await.unwrap_err();
        let text = format!("{} {error:?}", one_line(&error));
        assert!(text.contains("UNAUTHORIZED") && !text.contains("c4nary"), "{text}");
    }
}
