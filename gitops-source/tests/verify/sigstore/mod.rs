//! A Sigstore installation of our own: an authority, two logs, and what they make.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_core::Digest;
use gitops_testenv::Registry;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use serde_json::{Value, json};

const ISSUER: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 8];
const TIMESTAMPS: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
/// 2026-01-01T12:00:00Z, when everything was signed.
pub(crate) const NOON: i64 = 1_767_268_800;
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
pub(crate) const REPOSITORY: &str = "o/r";

/// A P-256 key.
pub(crate) struct Key {
    pair: EcdsaKeyPair,
    rcgen: KeyPair,
}

impl Key {
    pub(crate) fn new() -> Self {
        let rcgen = KeyPair::generate().unwrap();
        let der = rcgen.serialize_der();
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &random);
        Self { pair: pair.unwrap(), rcgen }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    pub(crate) fn pem(&self) -> String {
        self.rcgen.public_key_pem()
    }

    fn der(&self) -> Vec<u8> {
        use rcgen::PublicKeyData as _;
        self.rcgen.subject_public_key_info()
    }

    fn id(&self) -> Vec<u8> {
        digest(&SHA256, &self.der()).as_ref().to_vec()
    }
}

/// The authority and its logs.
pub(crate) struct Installation {
    ca: Key,
    ca_params: CertificateParams,
    ca_der: Vec<u8>,
    pub(crate) rekor: Key,
    pub(crate) ctlog: Key,
}

/// Somebody who proved who they are.
pub(crate) struct Signer {
    pub(crate) key: Key,
    pub(crate) certificate: Vec<u8>,
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

fn pem(der: &[u8]) -> String {
    let body = base64(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

impl Installation {
    pub(crate) fn new() -> Self {
        let ca = Key::new();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2035, 1, 1);
        let ca_der = params.self_signed(&ca.rcgen).unwrap().der().to_vec();
        Self { ca, ca_params: params, ca_der, rekor: Key::new(), ctlog: Key::new() }
    }

    pub(crate) fn trusted_root(&self) -> Value {
        let log = |key: &Key| {
            json!({
                "baseUrl": "https://log.example.com", "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64(key.der()), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": "2025-01-01T00:00:00Z"},
                },
                "logId": {"keyId": base64(key.id())},
            })
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(&self.rekor)],
            "ctlogs": [log(&self.ctlog)],
            "certificateAuthorities": [{
                "subject": {"organization": "o", "commonName": "c"},
                "uri": "https://ca.example.com",
                "certChain": {"certificates": [{"rawBytes": base64(&self.ca_der)}]},
                "validFor": {"start": "2025-01-01T00:00:00Z"},
            }],
        })
    }

    /// A certificate for an identity. `logged`: with the proof of a log.
    pub(crate) fn issue(&self, subject: &str, issuer: &str, logged: bool) -> Signer {
        let key = Key::new();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.serial_number = Some(7_u64.into());
        params.subject_alt_names = vec![SanType::URI(subject.try_into().unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 1, 2);
        let text = [&[0x0c, u8::try_from(issuer.len()).unwrap()], issuer.as_bytes()].concat();
        params.custom_extensions = vec![CustomExtension::from_oid_content(ISSUER, text)];
        let ca = Issuer::from_params(&self.ca_params, &self.ca.rcgen);
        let before = params.signed_by(&key.rcgen, &ca).unwrap().der().to_vec();
        if !logged {
            return Signer { key, certificate: before };
        }
        let proof = self.certificate_timestamp(&before);
        params.custom_extensions.push(CustomExtension::from_oid_content(TIMESTAMPS, proof));
        let certificate = params.signed_by(&key.rcgen, &ca).unwrap().der().to_vec();
        Signer { key, certificate }
    }

    /// A list of one signed certificate timestamp, as the extension holds it.
    fn certificate_timestamp(&self, certificate: &[u8]) -> Vec<u8> {
        // The first element in the certificate is what is signed.
        let start = if certificate[1] == 0x82 { 4 } else { 3 };
        let length =
            4 + usize::from(u16::from_be_bytes([certificate[start + 2], certificate[start + 3]]));
        assert_eq!(certificate[start + 1], 0x82);
        let body = &certificate[start..start + length];
        let at = u64::try_from(NOON * 1000).unwrap().to_be_bytes();
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        let signed = [&[0, 0], &at[..], &[0, 1], &self.ca.id(), &size[1..], body, &[0, 0]].concat();
        let signature = self.ctlog.sign(&signed);
        let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
        let one = [&[0], &self.ctlog.id()[..], &at, &[0, 0], &[4, 3], &length, &signature].concat();
        let one = [&u16::try_from(one.len()).unwrap().to_be_bytes()[..], &one].concat();
        let list = [&u16::try_from(one.len()).unwrap().to_be_bytes()[..], &one].concat();
        [&[0x04, u8::try_from(list.len()).unwrap()], &list[..]].concat()
    }

    /// What the log notes of a signature over a message.
    fn body(signer: &Signer, message: &[u8], signature: &[u8]) -> Value {
        json!({
            "apiVersion": "0.0.1", "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": hex::encode(digest(&SHA256, message))}},
                "signature": {
                    "content": base64(signature),
                    "publicKey": {"content": base64(pem(&signer.certificate))},
                },
            },
        })
    }

    fn dsse_body(signer: &Signer, payload: &[u8], signature: &[u8]) -> Value {
        json!({
            "apiVersion": "0.0.1", "kind": "dsse",
            "spec": {
                "payloadHash": {"algorithm": "sha256", "value": hex::encode(digest(&SHA256, payload))},
                "signatures": [{
                    "signature": base64(signature), "verifier": base64(pem(&signer.certificate)),
                }],
            },
        })
    }

    /// The log's promise to take an entry in.
    pub(crate) fn promise(&self, body: &str) -> Vec<u8> {
        let log = hex::encode(self.rekor.id());
        let signed = format!(
            "{{\"body\":\"{}\",\"integratedTime\":{NOON},\"logID\":\"{log}\",\"logIndex\":1}}",
            base64(body)
        );
        self.rekor.sign(signed.as_bytes())
    }

    /// An entry with promise and proof, in a tree of two.
    fn entry(&self, body: &str) -> Value {
        let hash = |parts: &[&[u8]]| digest(&SHA256, &parts.concat()).as_ref().to_vec();
        let (leaf, other) = (hash(&[&[0], body.as_bytes()]), hash(&[&[0], b"other"]));
        let root = hash(&[&[1], &other, &leaf]);
        let text = format!("log.example.com - 1\n2\n{}\n", base64(&root));
        let note = [&[1, 2, 3, 4], &self.rekor.sign(text.as_bytes())[..]].concat();
        json!({
            "logIndex": "1", "logId": {"keyId": base64(self.rekor.id())},
            "kindVersion": {"kind": "k", "version": "v"}, "integratedTime": NOON.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": base64(self.promise(body))},
            "inclusionProof": {
                "logIndex": "1", "rootHash": base64(&root), "treeSize": "2",
                "hashes": [base64(&other)],
                "checkpoint": {"envelope": format!("{text}\n— log.example.com {}\n", base64(note))},
            },
            "canonicalizedBody": base64(body),
        })
    }

    /// A bundle with a statement about an image, as `cosign sign` makes it.
    pub(crate) fn bundle(&self, signer: &Signer, digest: &Digest) -> Value {
        let (payload, signature) = statement(&signer.key, digest);
        let body = Self::dsse_body(signer, &payload, &signature).to_string();
        json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {
                "certificate": {"rawBytes": base64(&signer.certificate)},
                "tlogEntries": [self.entry(&body)],
            },
            "dsseEnvelope": envelope(&payload, &signature),
        })
    }

    /// A signature of the older form, with the notes beside it.
    pub(crate) fn sign_simple(&self, signer: &Signer, digest: &Digest) -> (Vec<u8>, Value) {
        let payload = simple_payload(digest);
        let signature = signer.key.sign(&payload);
        let body = Self::body(signer, &payload, &signature).to_string();
        let log = json!({
            "SignedEntryTimestamp": base64(self.promise(&body)),
            "Payload": {
                "body": base64(&body), "integratedTime": NOON, "logIndex": 1,
                "logID": hex::encode(self.rekor.id()),
            },
        });
        let notes = json!({
            "dev.cosignproject.cosign/signature": base64(&signature),
            "dev.sigstore.cosign/certificate": pem(&signer.certificate),
            "dev.sigstore.cosign/bundle": log.to_string(),
        });
        (payload, notes)
    }
}

pub(crate) fn simple_payload(digest: &Digest) -> Vec<u8> {
    json!({
        "critical": {
            "identity": {"docker-reference": "h/o/r"},
            "image": {"docker-manifest-digest": digest.to_string()},
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string()
    .into_bytes()
}

/// A statement about an image, and a key's signature of it.
pub(crate) fn statement(key: &Key, digest: &Digest) -> (Vec<u8>, Vec<u8>) {
    let payload = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "", "digest": {"sha256": digest.hex()}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    })
    .to_string();
    let kind = "application/vnd.in-toto+json";
    let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    let signature = key.sign(signed.as_bytes());
    (payload.into_bytes(), signature)
}

pub(crate) fn envelope(payload: &[u8], signature: &[u8]) -> Value {
    json!({
        "payload": base64(payload), "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": base64(signature)}],
    })
}

/// A bundle of a key, without any log.
pub(crate) fn key_bundle(key: &Key, digest: &Digest) -> Value {
    let (payload, signature) = statement(key, digest);
    json!({
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "h"}},
        "dsseEnvelope": envelope(&payload, &signature),
    })
}

/// Puts a bundle there that refers to an image; without the API for it, in the index of the tag.
pub(crate) fn push_bundle(registry: &Registry, image: &Digest, bundle: &Value, referrers: bool) {
    let bytes = bundle.to_string();
    let layer = registry.put_blob(bytes.clone());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": BUNDLE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": layer.to_string(), "size": 2},
        "layers": [{"mediaType": BUNDLE, "digest": layer.to_string(), "size": bytes.len()}],
        "subject": {"mediaType": "m", "digest": image.to_string(), "size": 1},
    });
    let digest = registry.put_manifest(REPOSITORY, None, &manifest);
    if !referrers {
        let entry = json!({"mediaType": "m", "digest": digest.to_string(), "size": 1, "artifactType": BUNDLE});
        let index = json!({"schemaVersion": 2, "manifests": [entry]});
        registry.put_manifest(REPOSITORY, Some(&format!("sha256-{}", image.hex())), &index);
    }
}

/// Puts signatures of the older form there.
pub(crate) fn push_simple(registry: &Registry, image: &Digest, signatures: &[(Vec<u8>, Value)]) {
    let layer = |(payload, notes): &(Vec<u8>, Value)| {
        let digest = registry.put_blob(payload.clone());
        json!({
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": digest.to_string(), "size": payload.len(), "annotations": notes,
        })
    };
    let layers: Vec<Value> = signatures.iter().map(layer).collect();
    let tag = format!("sha256-{}.sig", image.hex());
    registry.put_manifest(REPOSITORY, Some(&tag), &json!({"layers": layers}));
}
