//! Signatures in the form that notation makes, good and tampered.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use crate::notary::{Image, JWS, statement};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gitops_core::{Digest, one_line};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::{Value, json};

struct Signer {
    key: EcdsaKeyPair,
    /// The signer's certificate, and the authority's.
    chain: [Vec<u8>; 2],
}

impl Signer {
    fn new() -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        ca.not_before = date_time_ymd(2025, 1, 1);
        ca.not_after = date_time_ymd(2035, 1, 1);
        let ca_der = ca.self_signed(&ca_key).unwrap().der().to_vec();
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::default();
        let text = |text: &str| DnValue::Utf8String(text.to_owned());
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.distinguished_name.push(DnType::CountryName, text("US"));
        leaf.distinguished_name.push(DnType::StateOrProvinceName, text("WA"));
        leaf.distinguished_name.push(DnType::OrganizationName, text("acme"));
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        leaf.not_before = date_time_ymd(2025, 6, 1);
        leaf.not_after = date_time_ymd(2027, 1, 1);
        let issuer = Issuer::from_params(&ca, &ca_key);
        let leaf = leaf.signed_by(&key, &issuer).unwrap().der().to_vec();
        let der = key.serialize_der();
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random);
        Self { key: key.unwrap(), chain: [leaf, ca_der] }
    }

    fn envelope(&self, digest: &Digest, change: impl Fn(&mut Value)) -> Value {
        let payload = json!({"targetArtifact": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest.to_string(), "size": 1,
        }});
        let mut protected = json!({
            "alg": "ES256", "cty": "application/vnd.cncf.notary.payload.v1+json",
            "crit": ["io.cncf.notary.signingScheme"],
            "io.cncf.notary.signingScheme": "notary.x509",
            "io.cncf.notary.signingTime": "2026-01-01T12:00:00Z",
        });
        change(&mut protected);
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let (payload, protected) = (encode(&payload), encode(&protected));
        let signed = format!("{protected}.{payload}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        json!({
            "payload": payload, "protected": protected,
            "header": {"x5c": self.chain.clone().map(|der| STANDARD.encode(der))},
            "signature": URL_SAFE_NO_PAD.encode(signature),
        })
    }
}

const NOW: &str = "2026-02-01T00:00:00Z";
const LATER: &str = "2028-01-01T00:00:00Z";

#[tokio::test]
async fn signatures_lead_to_the_authority() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let roots = || vec![signer.chain[1].clone()];
    let strict = statement("strict", "*");
    let image = Image::new().await;
    let error = image.verify(&strict, roots(), NOW).await.unwrap_err();
    assert!(one_line(&error).contains("no signature is associated with"), "{error}");

    image.push(JWS, signer.envelope(&image.digest, |_| {}).to_string());
    let verified = image.verify(&strict, roots(), NOW).await.unwrap();
    assert!(verified.signer.unwrap().contains("acme") && !verified.skipped);
    let acme = statement("strict", "x509.subject: C=US, ST=WA, O=acme");
    image.verify(&acme, roots(), NOW).await.unwrap();

    let refused = async |statement: &Value, roots: Vec<Vec<u8>>, now: &str, why: &str| {
        let error = image.verify(statement, roots, now).await.unwrap_err();
        assert!(one_line(&error).contains(why), "{error}");
    };
    let other = statement("strict", "x509.subject: C=US, ST=WA, O=other");
    refused(&other, roots(), NOW, "does not match the X.509 trusted identities").await;
    refused(&strict, vec![stranger.chain[1].clone()], NOW, "any trusted certificate").await;
    refused(&strict, roots(), LATER, "is not valid at").await;
    let elsewhere = json!({
        "name": "p", "registryScopes": ["h/other"], "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:s"], "trustedIdentities": ["*"],
    });
    refused(&elsewhere, roots(), NOW, "no applicable oci trust policy").await;

    image.verify(&statement("permissive", "*"), roots(), LATER).await.unwrap();
    // Told to be noted only, or not to be looked at: nothing is said to be verified.
    let audit = statement("audit", "*");
    assert!(image.verify(&audit, vec![stranger.chain[1].clone()], NOW).await.unwrap().skipped);
    let skip = json!({
        "name": "p", "registryScopes": ["*"], "signatureVerification": {"level": "skip"},
    });
    assert!(image.verify(&skip, roots(), NOW).await.unwrap().skipped);
}

#[tokio::test]
async fn tampered_envelopes_are_refused_at_every_level() {
    let signer = Signer::new();
    let roots = || vec![signer.chain[1].clone()];
    let other = Digest::sha256(b"other");
    let image = Image::new().await;
    let digest = image.digest.clone();
    let good = signer.envelope(&digest, |_| {});
    let swapped = {
        let mut envelope = good.clone();
        envelope["payload"] = signer.envelope(&other, |_| {})["payload"].clone();
        envelope
    };
    let foreign_key = {
        let mut envelope = good.clone();
        envelope["header"]["x5c"] =
            Signer::new().envelope(&digest, |_| {})["header"]["x5c"].clone();
        envelope
    };
    let change = |key: &'static str, value: Value| {
        signer.envelope(&digest, move |protected| protected[key] = value.clone())
    };
    let critical = json!(["io.cncf.notary.signingScheme", "io.cncf.notary.verificationPlugin"]);
    for (envelope, why) in [
        (swapped, "signature is invalid"),
        (foreign_key, "signature is invalid"),
        (signer.envelope(&other, |_| {}), "is about another image"),
        (change("crit", critical), "is critical, and not supported"),
        (change("crit", json!([])), "signingScheme' must be critical"),
        (
            change("io.cncf.notary.expiry", "2036-01-15T00:00:00Z".into()),
            "expiry' must be critical",
        ),
        (change("alg", "none".into()), "algorithm 'none' is not supported"),
        (change("cty", "x".into()), "unknown kind of payload"),
        (change("io.cncf.notary.signingScheme", "x".into()), "unknown signing scheme"),
        (json!({}), "signature envelope"),
        (json!([1]), "signature envelope"),
    ] {
        let image = Image::new().await;
        assert_eq!(image.digest, digest);
        image.push(JWS, envelope.to_string());
        for level in ["strict", "permissive", "audit"] {
            let error = image.verify(&statement(level, "*"), roots(), NOW).await.unwrap_err();
            assert!(one_line(&error).contains(why), "{level}: {error}");
        }
    }
    let image = Image::new().await;
    let envelope = signer.envelope(&digest, |protected| {
        protected["io.cncf.notary.expiry"] = "2026-01-15T00:00:00Z".into();
        protected["crit"] = json!(["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"]);
    });
    image.push(JWS, envelope.to_string());
    let error = image.verify(&statement("strict", "*"), roots(), NOW).await.unwrap_err();
    assert!(one_line(&error).contains("has expired"), "{error}");
    image.verify(&statement("permissive", "*"), roots(), NOW).await.unwrap();
}
