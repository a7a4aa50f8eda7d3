//! Signatures in the forms that cosign makes, good and tampered.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use crate::sigstore;
use std::sync::Arc;

use crate::sigstore::{Installation, Key, REPOSITORY, Signer, base64, push_bundle, push_simple};
use gitops_core::{Digest, Scope, one_line};
use gitops_source::{
    CosignTrust, CosignVerifier, IdentityMatch, Keyless, OciReference, OciRepositoryName,
    OciSource, PublicKey, Registries, RegistryOptions, Source as _, TrustedRoot, Verified,
    Verifier as _, VerifyError,
};
use gitops_testenv::{Registry, RegistryHabits};
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.example.com";
const SUBJECT: &str = "https://git.example.com/o/r/.ci/release.yaml@refs/tags/v1";

/// A registry with an image.
struct Image {
    registry: Registry,
    digest: Digest,
    referrers: bool,
}

impl Image {
    async fn new(referrers: bool) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let habits = RegistryHabits { referrers, ..RegistryHabits::default() };
        let registry = Registry::start(habits).await.unwrap();
        let digest = registry.put_manifest(REPOSITORY, Some("v1"), &json!({"layers": []}));
        Self { registry, digest, referrers }
    }

    async fn verify(&self, trust: CosignTrust) -> Result<Verified, VerifyError> {
        let url = format!("oci://{}/{REPOSITORY}", self.registry.host());
        let name = OciRepositoryName::parse(&url).unwrap();
        let options = RegistryOptions::default();
        let verifier = CosignVerifier::new(Registries::new(), name, options, trust);
        let source = OciSource::new(&url, OciReference::Tag("v1".into())).unwrap();
        let scope = Scope::background();
        let resolved = source.resolve(&scope).await.unwrap();
        verifier.verify(&resolved.image(), &scope).await
    }

    async fn refusal(&self, trust: CosignTrust) -> String {
        one_line(&self.verify(trust).await.unwrap_err())
    }

    fn push_bundle(&self, bundle: &Value) {
        push_bundle(&self.registry, &self.digest, bundle, self.referrers);
    }
}

fn keys(keys: &[&Key]) -> CosignTrust {
    let keys = keys.iter().map(|key| PublicKey::from_pem(key.pem().as_bytes()).unwrap());
    CosignTrust::Keys(keys.collect())
}

fn keyless(root: &Value, identities: &[(&str, &str)]) -> CosignTrust {
    let root = TrustedRoot::parse(root.to_string().as_bytes()).unwrap();
    let identities = identities.iter();
    let identities =
        identities.map(|(issuer, subject)| IdentityMatch::new(issuer, subject).unwrap());
    CosignTrust::Keyless(Arc::new(Keyless::new(root, identities.collect())))
}

fn simple_by(key: &Key, image: &Digest) -> (Vec<u8>, Value) {
    let payload = sigstore::simple_payload(image);
    let signature = base64(key.sign(&payload));
    (payload, json!({"dev.cosignproject.cosign/signature": signature}))
}

#[tokio::test]
async fn signatures_of_keys_in_both_forms() {
    let (own, other) = (Key::new(), Key::new());
    for referrers in [true, false] {
        let image = Image::new(referrers).await;
        let missing = format!(
            "no matching signatures were found for '{}/o/r@{}'",
            image.registry.host(),
            image.digest
        );
        assert_eq!(image.refusal(keys(&[&own])).await, missing, "is not signed");

        image.push_bundle(&sigstore::key_bundle(&own, &image.digest));
        image.verify(keys(&[&own])).await.unwrap();
        image.verify(keys(&[&other, &own])).await.unwrap();
        assert_eq!(image.refusal(keys(&[&other])).await, missing, "is signed by another");

        let image = Image::new(referrers).await;
        let signatures = [simple_by(&other, &image.digest), simple_by(&own, &image.digest)];
        push_simple(&image.registry, &image.digest, &signatures);
        image.verify(keys(&[&own])).await.unwrap();
        let third = Key::new();
        let error = image.refusal(keys(&[&third])).await;
        assert!(error.starts_with("no matching signatures were found"), "{error}");
    }
}

#[tokio::test]
async fn signatures_of_other_images_are_none() {
    let key = Key::new();
    let image = Image::new(true).await;
    let other = Digest::sha256(b"other");
    image.push_bundle(&sigstore::key_bundle(&key, &other));
    push_simple(&image.registry, &image.digest, &[simple_by(&key, &other)]);
    let error = image.refusal(keys(&[&key])).await;
    assert!(error.starts_with("no matching signatures were found"), "{error}");

    // A statement that was changed after it was signed.
    let image = Image::new(true).await;
    let mut bundle = sigstore::key_bundle(&key, &other);
    let (payload, _) = sigstore::statement(&key, &image.digest);
    bundle["dsseEnvelope"]["payload"] = base64(payload).into();
    image.push_bundle(&bundle);
    image.refusal(keys(&[&key])).await;

    // Bundles that are none do no harm, and a good one beside them counts.
    for hostile in [json!({}), json!([]), json!({"mediaType": 1}), json!("x".repeat(100_000))] {
        image.push_bundle(&hostile);
    }
    image.push_bundle(&sigstore::key_bundle(&key, &image.digest));
    image.verify(keys(&[&key])).await.unwrap();
}

#[tokio::test]
async fn identities_prove_themselves_in_both_forms() {
    let own = Installation::new();
    let root = own.trusted_root();
    let signer = own.issue(SUBJECT, ISSUER, true);
    let exact = [("^https://issuer\\.example\\.com$", "^https://git\\.example\\.com/o/r/")];
    let image = Image::new(true).await;
    assert_eq!(image.refusal(keyless(&root, &exact)).await, "no signatures found");
    image.push_bundle(&own.bundle(&signer, &image.digest));
    let simple = Image::new(true).await;
    let signature = own.sign_simple(&signer, &simple.digest);
    push_simple(&simple.registry, &simple.digest, &[signature]);
    for image in [image, simple] {
        let verified = image.verify(keyless(&root, &exact)).await.unwrap();
        assert_eq!(verified.signer.as_deref(), Some(SUBJECT));
        image.verify(keyless(&root, &[])).await.unwrap();
        image.verify(keyless(&root, &[("x", "y"), exact[0]])).await.unwrap();
        for other in [("^https://issuer\\.example\\.com$", "/o/s/"), ("other", ".*")] {
            let error = image.refusal(keyless(&root, &[other])).await;
            assert!(error.contains("none of the expected identities matched"), "{error}");
        }
        let stranger = Installation::new().trusted_root();
        let error = image.refusal(keyless(&stranger, &exact)).await;
        assert!(error.contains("unknown log"), "{error}");
    }
}

/// Each part of the proof, changed or left out, makes the signature worthless.
#[tokio::test]
async fn tampered_proofs_are_refused() {
    let own = Installation::new();
    let root = own.trusted_root();
    let signer = own.issue(SUBJECT, ISSUER, true);
    let image = Image::new(true).await;
    let good = own.bundle(&signer, &image.digest);
    let entry = "/verificationMaterial/tlogEntries/0";
    let other = base64([7; 32]);
    let changes: &[(&str, Value, &str)] = &[
        ("/inclusionProof/rootHash", other.clone().into(), "invalid proof of inclusion"),
        ("/inclusionProof/hashes/0", other.clone().into(), "invalid proof of inclusion"),
        ("/inclusionProof/logIndex", "0".into(), "invalid proof of inclusion"),
        ("/inclusionProof/treeSize", "3".into(), "invalid proof of inclusion"),
        ("/inclusionProof/checkpoint/envelope", "o\n2\nx\n\n— l x\n".into(), "checkpoint"),
        ("/inclusionProof", Value::Null, "no proof of inclusion"),
        ("/integratedTime", (sigstore::NOON + 1).to_string().into(), "signed entry timestamp"),
        ("/inclusionPromise", Value::Null, "nobody confirms when"),
        ("/logId/keyId", other.into(), "unknown log"),
        ("/canonicalizedBody", base64("{}").into(), "signed entry timestamp"),
    ];
    for (place, value, why) in changes {
        let mut bundle = good.clone();
        *bundle.pointer_mut(&format!("{entry}{place}")).unwrap() = value.clone();
        let image = Image::new(true).await;
        image.push_bundle(&bundle);
        let error = image.refusal(keyless(&root, &[])).await;
        assert!(error.contains(why), "{place}: {error}");
    }
    let mut none = good.clone();
    none["verificationMaterial"]["tlogEntries"] = json!([]);
    image.push_bundle(&none);
    let error = image.refusal(keyless(&root, &[])).await;
    assert!(error.contains("no proof of a transparency log"), "{error}");
    image.push_bundle(&good);
    image.verify(keyless(&root, &[])).await.unwrap();
}

#[tokio::test]
async fn certificates_must_be_logged_and_of_their_time() {
    let own = Installation::new();
    let root = own.trusted_root();
    let signed = |signer: Signer, installation: Installation| async move {
        let image = Image::new(true).await;
        image.push_bundle(&installation.bundle(&signer, &image.digest));
        image
    };
    let unlogged = own.issue(SUBJECT, ISSUER, false);
    let image = signed(unlogged, own).await;
    let error = image.refusal(keyless(&root, &[])).await;
    assert!(error.contains("no proof of a certificate log"), "{error}");

    // A certificate of another authority, in a log that is trusted.
    let (own, other) = (Installation::new(), Installation::new());
    let root = own.trusted_root();
    let foreign = other.issue(SUBJECT, ISSUER, true);
    let image = signed(foreign, own).await;
    let error = image.refusal(keyless(&root, &[])).await;
    assert!(error.contains("certificate is not trusted"), "{error}");

    // The authority was not to be believed at that time.
    let own = Installation::new();
    let mut root = own.trusted_root();
    root["certificateAuthorities"][0]["validFor"]["end"] = "2025-06-01T00:00:00Z".into();
    let signer = own.issue(SUBJECT, ISSUER, true);
    let image = signed(signer, own).await;
    let error = image.refusal(keyless(&root, &[])).await;
    assert!(error.contains("no certificate authority of that time"), "{error}");

    // An entry of the log about another signature of the same signer.
    let own = Installation::new();
    let root = own.trusted_root();
    let signer = own.issue(SUBJECT, ISSUER, true);
    let image = Image::new(true).await;
    let mut bundle = own.bundle(&signer, &image.digest);
    let elsewhere = own.bundle(&signer, &Digest::sha256(b"other"));
    bundle["verificationMaterial"]["tlogEntries"] =
        elsewhere["verificationMaterial"]["tlogEntries"].clone();
    image.push_bundle(&bundle);
    let error = image.refusal(keyless(&root, &[])).await;
    assert!(error.contains("is about another signature"), "{error}");
    for broken in ["{}", "x", r#"{"certificateAuthorities": []}"#] {
        let error = TrustedRoot::parse(broken.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("unable to parse trusted root"), "{error}");
    }
}

/// The real program, where `cargo run -p xtask -- peers` built it.
fn cosign() -> Option<std::path::PathBuf> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = root.join("target/peers/cosign");
    if !program.exists() {
        println!("skipped: {} is not there, see `cargo run -p xtask -- peers`", program.display());
        return None;
    }
    Some(program)
}

#[tokio::test]
async fn signatures_of_the_real_cosign() {
    let Some(program) = cosign() else { return };
    let directory = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| {
        let done = tokio::process::Command::new(&program)
            .args(arguments)
            .current_dir(directory.path())
            .env_clear()
            .env("HOME", directory.path())
            .env("COSIGN_PASSWORD", "")
            .kill_on_drop(true)
            .output();
        let done = tokio::time::timeout(std::time::Duration::from_mins(2), done).await;
        let done = done.unwrap().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    run(&["generate-key-pair"]).await;
    let pem = std::fs::read(directory.path().join("cosign.pub")).unwrap();
    let key = || CosignTrust::Keys(vec![PublicKey::from_pem(&pem).unwrap()]);
    for (referrers, bundle) in [(true, "true"), (false, "true"), (true, "false")] {
        let image = Image::new(referrers).await;
        let name = format!("{}/{REPOSITORY}@{}", image.registry.host(), image.digest);
        let format = format!("--new-bundle-format={bundle}");
        run(&[
            "sign",
            "--key=cosign.key",
            "--tlog-upload=false",
            "--use-signing-config=false",
            "--allow-http-registry",
            "--allow-insecure-registry",
            "--yes",
            &format,
            &name,
        ])
        .await;
        image.verify(key()).await.unwrap();
        image.refusal(keys(&[&Key::new()])).await;
    }
}
