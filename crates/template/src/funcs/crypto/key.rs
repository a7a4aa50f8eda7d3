//! Private keys: making them, reading and writing them as PEM, and what they sign.

use ed25519_dalek::Signer as _;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p521::ecdsa::signature::RandomizedSigner as _;
use rsa::{
    RsaPrivateKey,
    pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _},
    pkcs8::DecodePrivateKey as _,
    sha2::{Digest as _, Sha256},
    traits::PublicKeyParts as _,
};

use super::{
    der::{self, CONTEXT, NULL, OCTET_STRING, OID, Reader, SEQUENCE, element, oid, sequence},
    pem,
    prime::{Dsa, dsa_key, rsa_key},
    rng::HostRng,
};
use crate::{CallError, Context, Host};

/// A private key of one of the kinds that Go's `x509` knows, and DSA.
pub(super) enum Key {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Dsa(Vec<u8>),
}

/// Never shows what is secret.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

fn rsa_of(key: RsaPrivateKey) -> Key {
    Key::Rsa(Box::new(key))
}

impl Key {
    pub(super) fn new_rsa(context: &mut Context<'_>, bits: usize) -> Result<Self, CallError> {
        rsa_key(context, bits).map(rsa_of)
    }

    pub(super) fn new_ecdsa(context: &mut Context<'_>) -> Result<Self, CallError> {
        context.spend(10_000, 0)?;
        // A number that is no key comes once in 2^32 times; a host without chance has only one.
        let mut rng = HostRng(context.host());
        for _ in 0..16 {
            let mut bytes = [0; 32];
            rsa::rand_core::RngCore::fill_bytes(&mut rng, &mut bytes);
            if let Ok(key) = p256::SecretKey::from_slice(&bytes) {
                return Ok(Self::P256(key));
            }
        }
        Err(CallError::new("the host's random bytes are no key"))
    }

    pub(super) fn new_ed25519(context: &mut Context<'_>) -> Result<Self, CallError> {
        context.spend(10_000, 0)?;
        let mut seed = [0; 32];
        context.host().random(&mut seed);
        Ok(Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed))))
    }

    pub(super) fn new_dsa(context: &mut Context<'_>) -> Result<Self, CallError> {
        let Dsa { p, q, g, y, x } = dsa_key(context)?;
        let numbers = [p, q, g, y, x].map(|number| der::integer(&number.to_bytes_be()));
        let mut parts = vec![der::integer(&[0])];
        parts.extend(numbers);
        Ok(Self::Dsa(element(SEQUENCE, &parts.concat())))
    }

    /// Reads a key. The errors start as sprig's do.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let block = pem::decode(text).ok_or_else(|| "no PEM data in input".to_owned())?;
        let bytes = &block.bytes;
        if block.kind == "PRIVATE KEY" {
            return pkcs8(bytes).map_err(|error| format!("decoding PEM as PKCS#8: {error}"));
        }
        let kind = block
            .kind
            .strip_suffix(" PRIVATE KEY")
            .ok_or_else(|| format!("no private key data in PEM block of type {}", block.kind))?;
        let unreadable = |name: &str| format!("parsing {name} private key from PEM: {MALFORMED}");
        match kind {
            "RSA" => {
                RsaPrivateKey::from_pkcs1_der(bytes).map(rsa_of).map_err(|_| unreadable("RSA"))
            }
            "EC" => sec1(bytes, None).ok_or_else(|| unreadable("EC")),
            "DSA" if Reader(bytes).take(SEQUENCE).is_some() => Ok(Self::Dsa(block.bytes)),
            "DSA" => Err(unreadable("DSA")),
            other => Err(format!("invalid private key type {other}")),
        }
    }

    /// The key as sprig writes it.
    pub(super) fn to_pem(&self) -> Result<String, CallError> {
        let failed = || CallError::new("the key cannot be written");
        let ec = |curve: &[u8], secret: &[u8], public: &[u8]| {
            let curve = element(CONTEXT, &element(OID, curve));
            let public = element(CONTEXT + 1, &der::bits(public));
            let secret = element(OCTET_STRING, secret);
            let bytes = sequence(&[&der::integer(&[1]), &secret, &curve, &public]);
            pem::encode("EC PRIVATE KEY", &bytes)
        };
        Ok(match self {
            Self::Rsa(key) => {
                let bytes = key.to_pkcs1_der().map_err(|_| failed())?;
                pem::encode("RSA PRIVATE KEY", bytes.as_bytes())
            }
            Self::P256(key) => {
                let public = key.public_key().to_encoded_point(false);
                ec(oid::P256, &key.to_bytes(), public.as_bytes())
            }
            Self::P384(key) => {
                let public = key.public_key().to_encoded_point(false);
                ec(oid::P384, &key.to_bytes(), public.as_bytes())
            }
            Self::P521(key) => {
                let public = key.public_key().to_encoded_point(false);
                ec(oid::P521, &key.to_bytes(), public.as_bytes())
            }
            Self::Ed25519(key) => {
                let seed = element(OCTET_STRING, &element(OCTET_STRING, key.as_bytes()));
                let algorithm = sequence(&[&element(OID, oid::ED25519)]);
                let bytes = sequence(&[&der::integer(&[0]), &algorithm, &seed]);
                pem::encode("PRIVATE KEY", &bytes)
            }
            Self::Dsa(bytes) => pem::encode("DSA PRIVATE KEY", bytes),
        })
    }

    /// The public key's algorithm and bits. Nothing for DSA, which certificates do not take.
    pub(super) fn public(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let ec = |curve: &[u8], point: &[u8]| {
            let algorithm = sequence(&[&element(OID, oid::EC), &element(OID, curve)]);
            (algorithm, point.to_vec())
        };
        Some(match self {
            Self::Rsa(key) => {
                let algorithm = sequence(&[&element(OID, oid::RSA), &element(NULL, &[])]);
                (algorithm, key.to_public_key().to_pkcs1_der().ok()?.into_vec())
            }
            Self::P256(key) => ec(oid::P256, key.public_key().to_encoded_point(false).as_bytes()),
            Self::P384(key) => ec(oid::P384, key.public_key().to_encoded_point(false).as_bytes()),
            Self::P521(key) => ec(oid::P521, key.public_key().to_encoded_point(false).as_bytes()),
            Self::Ed25519(key) => {
                let algorithm = sequence(&[&element(OID, oid::ED25519)]);
                (algorithm, key.verifying_key().to_bytes().to_vec())
            }
            Self::Dsa(_) => return None,
        })
    }

    /// The algorithm with which the key signs, as Go chooses it.
    pub(super) fn signature_algorithm(&self) -> Option<Vec<u8>> {
        Some(match self {
            Self::Rsa(_) => sequence(&[&element(OID, oid::RSA_SHA256), &element(NULL, &[])]),
            Self::P256(_) => sequence(&[&element(OID, oid::ECDSA_SHA256)]),
            Self::P384(_) => sequence(&[&element(OID, oid::ECDSA_SHA384)]),
            Self::P521(_) => sequence(&[&element(OID, oid::ECDSA_SHA512)]),
            Self::Ed25519(_) => sequence(&[&element(OID, oid::ED25519)]),
            Self::Dsa(_) => return None,
        })
    }

    pub(super) fn sign(&self, message: &[u8], host: &dyn Host) -> Option<Vec<u8>> {
        Some(match self {
            Self::Rsa(key) => {
                let padding = rsa::Pkcs1v15Sign::new::<Sha256>();
                key.sign(padding, &Sha256::digest(message)).ok()?
            }
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature =
                    p256::ecdsa::SigningKey::from(key).sign(message);
                signature.as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::DerSignature =
                    p384::ecdsa::SigningKey::from(key).sign(message);
                signature.as_bytes().to_vec()
            }
            Self::P521(key) => {
                let key = p521::ecdsa::SigningKey::from_slice(&key.to_bytes()).ok()?;
                let signature = key.try_sign_with_rng(&mut HostRng(host), message).ok()?;
                signature.to_der().as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::Dsa(_) => return None,
        })
    }

    /// Go's name of the key's type.
    pub(super) fn go_type(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "*rsa.PrivateKey",
            Self::P256(_) | Self::P384(_) | Self::P521(_) => "*ecdsa.PrivateKey",
            Self::Ed25519(_) => "ed25519.PrivateKey",
            Self::Dsa(_) => "*dsa.PrivateKey",
        }
    }

    /// Whether an RSA key is one of the size that signs with SHA-256.
    pub(super) fn is_too_small(&self) -> bool {
        matches!(self, Self::Rsa(key) if key.size() < 62)
    }
}

const MALFORMED: &str = "asn1: structure error: length too large";

fn pkcs8(bytes: &[u8]) -> Result<Key, String> {
    let malformed = || MALFORMED.to_owned();
    let mut reader = Reader(Reader(bytes).take(SEQUENCE).ok_or_else(malformed)?);
    reader.take(der::INTEGER).ok_or_else(malformed)?;
    let mut algorithm = Reader(reader.take(SEQUENCE).ok_or_else(malformed)?);
    let secret = reader.take(OCTET_STRING).ok_or_else(malformed)?;
    let kind = algorithm.take(OID).ok_or_else(malformed)?;
    let key = match kind {
        kind if kind == oid::RSA => RsaPrivateKey::from_pkcs8_der(bytes).ok().map(rsa_of),
        kind if kind == oid::EC => sec1(secret, algorithm.take(OID)),
        kind if kind == oid::ED25519 => {
            let seed = Reader(secret).take(OCTET_STRING);
            seed.and_then(|seed| <[u8; 32]>::try_from(seed).ok())
                .map(|seed| Key::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed))))
        }
        _ => {
            return Err("x509: PKCS#8 wrapping contained private key with unknown algorithm".into());
        }
    };
    key.ok_or_else(malformed)
}

/// An elliptic key; its curve may be known from around it.
fn sec1(bytes: &[u8], curve: Option<&[u8]>) -> Option<Key> {
    let mut reader = Reader(Reader(bytes).take(SEQUENCE)?);
    reader.take(der::INTEGER)?;
    let secret = reader.take(OCTET_STRING)?;
    let own = reader.take(CONTEXT).and_then(|content| Reader(content).take(OID));
    let padded = |length: usize| {
        let secret = &secret[secret.len().saturating_sub(length)..];
        [vec![0; length - secret.len()], secret.to_vec()].concat()
    };
    match curve.or(own)? {
        curve if curve == oid::P256 => p256::SecretKey::from_slice(&padded(32)).ok().map(Key::P256),
        curve if curve == oid::P384 => p384::SecretKey::from_slice(&padded(48)).ok().map(Key::P384),
        curve if curve == oid::P521 => p521::SecretKey::from_slice(&padded(66)).ok().map(Key::P521),
        _ => None,
    }
}
