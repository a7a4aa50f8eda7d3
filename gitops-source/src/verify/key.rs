//! Public keys and what they signed.

use ring::signature::{self as algorithm, UnparsedPublicKey, VerificationAlgorithm};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use x509_parser::{
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
        OID_SIG_ED25519,
    },
    prelude::FromDer as _,
    x509::SubjectPublicKeyInfo,
};

/// A public key: ECDSA over P-256 or P-384, RSA of 2048 to 8192 bits, or Ed25519.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// The key itself: a point, an `RSAPublicKey`, or 32 bytes.
    raw: Vec<u8>,
    /// The whole `SubjectPublicKeyInfo`.
    der: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    Rsa,
    Ed25519,
}

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Not PEM.
    #[error("PEM decoding failed")]
    Pem,
    /// Not a `SubjectPublicKeyInfo`.
    #[error("malformed public key")]
    Malformed,
    /// Another algorithm or curve.
    #[error("unsupported kind of public key")]
    Unsupported,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.kind, hex::encode(self.id()))
    }
}

impl PublicKey {
    /// Reads a key in PEM (`PUBLIC KEY`).
    ///
    /// # Errors
    /// When it is no key, or of a kind that is not known.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PublicKeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| PublicKeyError::Pem)?;
        Self::from_der(&der)
    }

    /// Reads a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// When it is no key, or of a kind that is not known.
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let (rest, key) =
            SubjectPublicKeyInfo::from_der(der).map_err(|_| PublicKeyError::Malformed)?;
        if !rest.is_empty() {
            return Err(PublicKeyError::Malformed);
        }
        let kind = &key.algorithm.algorithm;
        let kind = if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            match curve {
                Some(curve) if curve == OID_EC_P256 => Kind::P256,
                Some(curve) if curve == OID_NIST_EC_P384 => Kind::P384,
                _ => return Err(PublicKeyError::Unsupported),
            }
        } else if *kind == OID_PKCS1_RSAENCRYPTION {
            Kind::Rsa
        } else if *kind == OID_SIG_ED25519 {
            Kind::Ed25519
        } else {
            return Err(PublicKeyError::Unsupported);
        };
        let raw = key.subject_public_key.data.to_vec();
        Ok(Self { kind, raw, der: der.to_vec() })
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`, by which logs are known.
    #[expect(clippy::missing_panics_doc, reason = "the length is a constant")]
    pub fn id(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.der);
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Whether a signature over a message is this key's. The hash is SHA-256, and for P-384 also
    /// SHA-384, which tools differ in.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithms: &[&dyn VerificationAlgorithm] = match self.kind {
            Kind::P256 => &[&algorithm::ECDSA_P256_SHA256_ASN1],
            Kind::P384 => &[&algorithm::ECDSA_P384_SHA256_ASN1, &algorithm::ECDSA_P384_SHA384_ASN1],
            Kind::Rsa => &[&algorithm::RSA_PKCS1_2048_8192_SHA256],
            Kind::Ed25519 => &[&algorithm::ED25519],
        };
        algorithms.iter().any(|algorithm| self.check(*algorithm, message, signature))
    }

    pub(crate) fn check(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(algorithm, &self.raw).verify(message, signature).is_ok()
    }
}
