//! Bundles whose log tells no time (Rekor 2), so that a timestamp authority must: good, tampered, by
//! the wrong people and at the wrong time.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use crate::{pki, sigstore};
use std::sync::Arc;

use crate::pki::{About, ExtendedKeyUsageKind as Usage, Holder};
use crate::sigstore::{BUNDLE, Installation, REPOSITORY, Signer, base64, push_bundle};
use gitops_core::{Digest, Scope, one_line};
use gitops_source::{
    CosignTrust, CosignVerifier, IdentityMatch, Keyless, OciReference, OciRepositoryName,
    OciSource, Registries, RegistryOptions, Source as _, TrustedRoot, Verified, Verifier as _,
    VerifyError,
};
use gitops_testenv::{Registry, RegistryHabits};
use ring::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.example.com";
const SUBJECT: &str = "https://git.example.com/o/r/.ci/release.yaml@refs/tags/v1";
const THEN: &str = "2026-01-01T12:00:00Z";

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// A log that knows no time.
struct Log {
    key: Ed25519KeyPair,
}

impl Log {
    fn new(seed: u8) -> Self {
        Self { key: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap() }
    }

    /// Not the digest of the key: newer logs are known by their name as well.
    fn id(&self) -> Vec<u8> {
        sha256(&[b"log2.example.com\n\x01", self.key.public_key().as_ref()].concat())
    }

    fn document(&self) -> Value {
        let prefix = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        json!({
            "baseUrl": "https://log2.example.com", "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": base64([&prefix[..], self.key.public_key().as_ref()].concat()),
                "keyDetails": "PKIX_ED25519", "validFor": {"start": "2025-01-01T00:00:00Z"},
            },
            "logId": {"keyId": base64(self.id())},
        })
    }

    /// An entry that is the third of three.
    fn entry(&self, body: &Value) -> Value {
        let body = body.to_string();
        let hash = |parts: &[&[u8]]| sha256(&parts.concat());
        let leaf = hash(&[&[0], body.as_bytes()]);
        let left = hash(&[&[1], &hash(&[&[0], b"a"]), &hash(&[&[0], b"b"])]);
        let root = hash(&[&[1], &left, &leaf]);
        let text = format!("log2.example.com\n3\n{}\n", base64(&root));
        let note = [&self.id()[..4], self.key.sign(text.as_bytes()).as_ref()].concat();
        let witness = base64([7; 68]);
        let envelope = format!(
            "{text}\n— witness.example.com {witness}\n— log2.example.com {}\n",
            base64(note)
        );
        json!({
            "logIndex": "2", "logId": {"keyId": base64(self.id())},
            "kindVersion": {"kind": "dsse", "version": "0.0.2"},
            "inclusionProof": {
                "logIndex": "2", "rootHash": base64(&root), "treeSize": "3",
                "hashes": [base64(&left)], "checkpoint": {"envelope": envelope},
            },
            "canonicalizedBody": base64(&body),
        })
    }
}

/// What the log notes of a statement.
fn dsse(signer: &Signer, payload: &[u8], signature: &[u8]) -> Value {
    json!({"apiVersion": "0.0.2", "kind": "dsse", "spec": {"dsseV002": {
        "payloadHash": {"algorithm": "SHA2_256", "digest": base64(sha256(payload))},
        "signatures": [{"content": base64(signature), "verifier": verifier(signer)}],
    }}})
}

/// What the log notes of a signature over a message.
fn hashed(signer: &Signer, message: &[u8], signature: &[u8]) -> Value {
    json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": base64(sha256(message))},
        "signature": {"content": base64(signature), "verifier": verifier(signer)},
    }}})
}

fn verifier(signer: &Signer) -> Value {
    json!({
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "x509Certificate": {"rawBytes": base64(&signer.certificate)},
    })
}

struct World {
    own: Installation,
    log: Log,
    timing: Holder,
    tsa: Holder,
    signer: Signer,
    image: Digest,
    manifest: Vec<u8>,
}

impl World {
    fn new() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let own = Installation::new();
        let timing = Holder::authority("time authority");
        let usage = Some(Usage::TimeStamping);
        let tsa = timing.issue(&About { name: "time", usage, ..About::default() });
        let signer = own.issue(SUBJECT, ISSUER, true);
        let manifest = json!({"layers": []}).to_string().into_bytes();
        let image = Digest::sha256(&manifest);
        Self { own, log: Log::new(1), timing, tsa, signer, image, manifest }
    }

    fn root(&self) -> Value {
        let mut root = self.own.trusted_root();
        root["tlogs"].as_array_mut().unwrap().push(self.log.document());
        let chain = [&self.tsa.certificate, &self.timing.certificate];
        let chain = chain.map(|der| json!({"rawBytes": base64(der)}));
        root["timestampAuthorities"] = json!([{
            "uri": "https://time.example.com", "certChain": {"certificates": chain},
            "validFor": {"start": "2025-01-01T00:00:00Z"},
        }]);
        root
    }

    fn stamp(&self, signature: &[u8]) -> Vec<u8> {
        self.tsa.stamp(&sha256(signature), None, THEN)
    }

    fn bundle(&self, entry: &Value, stamps: &[Vec<u8>]) -> Value {
        let stamps = stamps.iter().map(|stamp| json!({"signedTimestamp": base64(stamp)}));
        json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {
                "certificate": {"rawBytes": base64(&self.signer.certificate)},
                "tlogEntries": [entry],
                "timestampVerificationData": {"rfc3161Timestamps": stamps.collect::<Vec<_>>()},
            },
        })
    }

    /// A bundle with a statement about the image.
    fn statement(&self) -> Value {
        let (payload, signature) = sigstore::statement(&self.signer.key, &self.image);
        let entry = self.log.entry(&dsse(&self.signer, &payload, &signature));
        let mut bundle = self.bundle(&entry, &[self.stamp(&signature)]);
        bundle["dsseEnvelope"] = sigstore::envelope(&payload, &signature);
        bundle
    }

    /// A bundle with a signature of the image's manifest.
    fn message(&self) -> Value {
        let signature = self.signer.key.sign(&self.manifest);
        let entry = self.log.entry(&hashed(&self.signer, &self.manifest, &signature));
        let mut bundle = self.bundle(&entry, &[self.stamp(&signature)]);
        bundle["messageSignature"] = json!({
            "messageDigest": {"algorithm": "SHA2_256", "digest": base64(sha256(&self.manifest))},
            "signature": base64(&signature),
        });
        bundle
    }

    async fn verify(&self, bundle: &Value, root: &Value) -> Result<Verified, VerifyError> {
        let habits = RegistryHabits { referrers: true, ..RegistryHabits::default() };
        let registry = Registry::start(habits).await.unwrap();
        let image = registry.put_manifest(REPOSITORY, Some("v1"), &json!({"layers": []}));
        assert_eq!(image, self.image);
        push_bundle(&registry, &image, bundle, true);
        let url = format!("oci://{}/{REPOSITORY}", registry.host());
        let root = TrustedRoot::parse(root.to_string().as_bytes()).unwrap();
        let identity = IdentityMatch::new("^https://issuer", "^https://git").unwrap();
        let trust = CosignTrust::Keyless(Arc::new(Keyless::new(root, vec![identity])));
        let name = OciRepositoryName::parse(&url).unwrap();
        let verifier =
            CosignVerifier::new(Registries::new(), name, RegistryOptions::default(), trust);
        let source = OciSource::new(&url, OciReference::Tag("v1".into())).unwrap();
        let scope = Scope::background();
        let resolved = source.resolve(&scope).await.unwrap();
        verifier.verify(&resolved.image(), &scope).await
    }

    async fn refusal(&self, bundle: &Value, root: &Value) -> String {
        one_line(&self.verify(bundle, root).await.unwrap_err())
    }
}

#[tokio::test]
async fn the_time_is_that_of_the_authority() {
    let world = World::new();
    let root = world.root();
    for bundle in [world.statement(), world.message()] {
        let verified = world.verify(&bundle, &root).await.unwrap();
        assert_eq!(verified.signer.as_deref(), Some(SUBJECT));
    }
    // The whole answer of an authority does as well as the token in it.
    let mut bundle = world.statement();
    let place =
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";
    let token = bundle.pointer(place).unwrap().as_str().unwrap();
    let token = base64_decoded(token);
    *bundle.pointer_mut(place).unwrap() = base64(pki::granted(&token)).into();
    world.verify(&bundle, &root).await.unwrap();
}

fn base64_decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn timestamps_must_be_good() {
    let world = World::new();
    let root = world.root();
    let good = world.statement();
    let stamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    let signature = base64_decoded(good["dsseEnvelope"]["signatures"][0]["sig"].as_str().unwrap());
    let with = |stamps_of: &[Vec<u8>]| {
        let mut bundle = good.clone();
        let all = stamps_of.iter().map(|stamp| json!({"signedTimestamp": base64(stamp)}));
        *bundle.pointer_mut(stamps).unwrap() = all.collect::<Vec<_>>().into();
        bundle
    };
    let stranger = Holder::authority("time authority");
    let usage = Some(Usage::TimeStamping);
    let strange = stranger.issue(&About { name: "time", usage, ..About::default() });
    let web = world.timing.issue(&About { name: "web", ..About::default() });
    let imprint = sha256(&signature);
    let tampered = {
        let mut token = world.stamp(&signature);
        let at = token.len() - 10;
        token[at] ^= 1;
        token
    };
    let moved = {
        // Another time in what is stated: the digest of it no longer fits.
        let mut token = world.stamp(&signature);
        let at = token.windows(14).position(|own| own == b"20260101120000").unwrap();
        token[at + 9] = b'1';
        token
    };
    for (stamps, why) in [
        (vec![], "nobody confirms when"),
        (vec![strange.stamp(&imprint, None, THEN)], "certificate is not trusted"),
        (vec![web.stamp(&imprint, None, THEN)], "certificate is not trusted"),
        (vec![world.stamp(b"other")], "is about something else"),
        (vec![tampered], "timestamp: invalid signature"),
        (vec![moved], "timestamp: content was changed"),
        (vec![b"0".to_vec()], "timestamp: malformed"),
        (
            vec![world.tsa.stamp(&imprint, None, "2026-01-02T12:00:00Z")],
            "did not hold at that time",
        ),
        (
            vec![world.tsa.stamp(&imprint, None, "2025-12-31T12:00:00Z")],
            "did not hold at that time",
        ),
        // One that is good does not make up for one that is not.
        (vec![world.stamp(&signature), world.stamp(b"other")], "is about something else"),
    ] {
        let error = world.refusal(&with(&stamps), &root).await;
        assert!(error.contains(why), "{error}");
    }
    let mut old = root.clone();
    old["timestampAuthorities"][0]["validFor"]["end"] = "2025-06-01T00:00:00Z".into();
    let error = world.refusal(&good, &old).await;
    assert!(error.contains("no certificate authority of that time"), "{error}");
    let mut none = root.clone();
    none["timestampAuthorities"] = json!([]);
    let error = world.refusal(&good, &none).await;
    assert!(error.contains("no certificate authority of that time"), "{error}");
}

#[tokio::test]
async fn entries_must_be_of_the_log_and_about_the_signature() {
    let world = World::new();
    let root = world.root();
    let good = world.statement();
    let (payload, _) = sigstore::statement(&world.signer.key, &world.image);
    let signature = base64_decoded(good["dsseEnvelope"]["signatures"][0]["sig"].as_str().unwrap());
    let stranger = world.own.issue(SUBJECT, ISSUER, true);
    let with = |entry: Value| {
        let mut bundle = good.clone();
        bundle["verificationMaterial"]["tlogEntries"][0] = entry;
        bundle
    };
    let forged = {
        let mut entry = Log::new(2).entry(&dsse(&world.signer, &payload, &signature));
        entry["logId"]["keyId"] = base64(world.log.id()).into();
        entry
    };
    let mut no_proof = world.log.entry(&dsse(&world.signer, &payload, &signature));
    no_proof["inclusionProof"] = Value::Null;
    for (entry, why) in [
        (Log::new(2).entry(&dsse(&world.signer, &payload, &signature)), "unknown log"),
        (forged, "checkpoint is not signed by the log"),
        (no_proof, "no proof of inclusion"),
        (world.log.entry(&dsse(&stranger, &payload, &signature)), "is about another signature"),
        (world.log.entry(&dsse(&world.signer, b"other", &signature)), "is about another signature"),
        (world.log.entry(&dsse(&world.signer, &payload, b"other")), "is about another signature"),
        (world.log.entry(&json!({"kind": "dsse", "apiVersion": "0.0.3"})), "is about another"),
    ] {
        let error = world.refusal(&with(entry), &root).await;
        assert!(error.contains(why), "{error}");
    }
    let message = world.message();
    let signature = base64_decoded(message["messageSignature"]["signature"].as_str().unwrap());
    for entry in [
        hashed(&world.signer, b"other", &signature),
        hashed(&world.signer, &world.manifest, b"other"),
        hashed(&stranger, &world.manifest, &signature),
    ] {
        let mut bundle = message.clone();
        bundle["verificationMaterial"]["tlogEntries"][0] = world.log.entry(&entry);
        let error = world.refusal(&bundle, &root).await;
        assert!(error.contains("is about another signature"), "{error}");
    }
}
