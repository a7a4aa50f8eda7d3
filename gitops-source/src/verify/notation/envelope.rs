//! What an envelope says, whichever form it has, and whether its signature is sound.

use std::time::Duration;

use jiff::Timestamp;
use ring::signature::{self as algorithm, VerificationAlgorithm};
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Deserialize;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::super::{
    VerifyError,
    authority::{ALGORITHMS, CODE_SIGNING},
    key::PublicKey,
};

const PAYLOAD: &str = "application/vnd.cncf.notary.payload.v1+json";
pub(super) const SCHEME: &str = "io.cncf.notary.signingScheme";
pub(super) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub(super) const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub(super) const EXPIRY: &str = "io.cncf.notary.expiry";
pub(super) const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";
const MAX_CHAIN: usize = 16;

/// Who vouches for the time of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SigningScheme {
    /// Nobody but the signer, or a timestamp authority.
    X509,
    /// A signing authority.
    SigningAuthority,
}

/// How a signature was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
}

/// The signed header.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) content_type: String,
    /// The names of what must be understood.
    pub(super) critical: Vec<String>,
    pub(super) scheme: String,
    pub(super) signing_time: Option<Timestamp>,
    pub(super) authentic_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
}

/// An envelope taken apart.
#[derive(Debug)]
pub(super) struct Parts<'p> {
    pub(super) header: Header,
    pub(super) payload: &'p [u8],
    pub(super) algorithm: Algorithm,
    /// What the signature is over.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) timestamp: Option<Vec<u8>>,
}

/// An envelope whose form is as it should be.
#[derive(Debug)]
pub(super) struct Envelope {
    /// The digest of what was signed.
    pub(super) digest: String,
    pub(super) scheme: SigningScheme,
    pub(super) signed_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) signature: Vec<u8>,
    /// Somebody else's word for when the signature was there.
    pub(super) timestamp: Option<Vec<u8>>,
    /// The signer's first.
    pub(super) chain: Vec<Vec<u8>>,
    algorithm: Algorithm,
    signed: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    target_artifact: Target,
}

#[derive(Deserialize)]
struct Target {
    digest: String,
}

pub(super) fn bad(why: impl std::fmt::Display) -> VerifyError {
    VerifyError::unverified(format!("signature envelope: {why}"))
}

impl Algorithm {
    pub(super) fn unknown(name: &str) -> VerifyError {
        bad(format_args!("algorithm '{name}' is not supported"))
    }

    fn verifier(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ps256 => &algorithm::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &algorithm::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &algorithm::RSA_PSS_2048_8192_SHA512,
            Self::Es256 => &algorithm::ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &algorithm::ECDSA_P384_SHA384_FIXED,
        }
    }
}

impl Header {
    /// What is critical must be understood, and what decides must be critical.
    fn check(&self, scheme: SigningScheme) -> Result<(), VerifyError> {
        if self.content_type != PAYLOAD {
            return Err(bad("unknown kind of payload"));
        }
        let known = |name: &String| [SCHEME, EXPIRY, AUTHENTIC_TIME].contains(&name.as_str());
        if let Some(unknown) = self.critical.iter().find(|name| !known(name)) {
            return Err(bad(format_args!("'{unknown}' is critical, and not supported")));
        }
        let authority = scheme == SigningScheme::SigningAuthority;
        let needed = [(SCHEME, true), (AUTHENTIC_TIME, authority), (EXPIRY, self.expiry.is_some())];
        for (name, _) in needed.into_iter().filter(|(_, needed)| *needed) {
            if !self.critical.iter().any(|own| own == name) {
                return Err(bad(format_args!("'{name}' must be critical")));
            }
        }
        Ok(())
    }
}

impl Envelope {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, VerifyError> {
        let header = parts.header;
        let (scheme, signed_at) = match header.scheme.as_str() {
            "notary.x509" => (SigningScheme::X509, header.signing_time),
            "notary.x509.signingAuthority" => {
                (SigningScheme::SigningAuthority, header.authentic_time)
            }
            other => return Err(bad(format_args!("unknown signing scheme '{other}'"))),
        };
        header.check(scheme)?;
        if parts.chain.is_empty() || parts.chain.len() > MAX_CHAIN {
            return Err(bad("no certificates, or too many"));
        }
        let payload: Payload = serde_json::from_slice(parts.payload).map_err(bad)?;
        Ok(Self {
            digest: payload.target_artifact.digest,
            scheme,
            signed_at,
            expires_at: header.expiry,
            signature: parts.signature,
            timestamp: parts.timestamp,
            chain: parts.chain,
            algorithm: parts.algorithm,
            signed: parts.signed,
        })
    }

    /// Checks that the certificate's key signed what is signed.
    pub(super) fn check_integrity(&self) -> Result<(), VerifyError> {
        let leaf = certificate(&self.chain[0])?;
        let key = PublicKey::from_der(leaf.public_key().raw).map_err(bad)?;
        if !key.check(self.algorithm.verifier(), &self.signed, &self.signature) {
            return Err(VerifyError::unverified("signature is invalid"));
        }
        Ok(())
    }

    /// Checks that the certificates lead to one that is trusted.
    pub(super) fn check_chain(&self, roots: &[Vec<u8>], at: Timestamp) -> Result<(), VerifyError> {
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let roots: Vec<CertificateDer<'_>> =
            roots.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let anchors: Vec<_> =
            roots.iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
        let leaf = CertificateDer::from(self.chain[0].as_slice());
        let leaf = EndEntityCert::try_from(&leaf).map_err(bad)?;
        let rest: Vec<CertificateDer<'_>> =
            self.chain[1..].iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let usage = KeyUsage::required_if_present(CODE_SIGNING);
        leaf.verify_for_usage(ALGORITHMS, &anchors, &rest, time, usage, None, None)
            .map(drop)
            .map_err(|error| {
                VerifyError::unverified(format!(
                    "the signature's certificate chain does not contain any trusted certificate: \
                     {error}"
                ))
            })
    }

    /// Checks that all certificates held from one time to another.
    pub(super) fn check_held(&self, from: Timestamp, to: Timestamp) -> Result<(), VerifyError> {
        for der in &self.chain {
            let certificate = certificate(der)?;
            let valid = certificate.validity();
            let held = valid.not_before.timestamp()..=valid.not_after.timestamp();
            let missed = [from, to].into_iter().find(|at| !held.contains(&at.as_second()));
            if let Some(at) = missed {
                return Err(VerifyError::unverified(format!(
                    "certificate \"{}\" is not valid at {at}",
                    certificate.subject()
                )));
            }
        }
        Ok(())
    }

    /// Whether a certificate has ended before a time.
    pub(super) fn has_expired(&self, now: Timestamp) -> Result<bool, VerifyError> {
        for der in &self.chain {
            if certificate(der)?.validity().not_after.timestamp() < now.as_second() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Who signed, for people.
    pub(super) fn subject(&self) -> Result<String, VerifyError> {
        Ok(certificate(&self.chain[0])?.subject().to_string())
    }

    /// Who signed, in parts such as `O` and `acme`.
    pub(super) fn subject_parts(&self) -> Result<Vec<(String, String)>, VerifyError> {
        let leaf = certificate(&self.chain[0])?;
        let mut parts = Vec::new();
        for attribute in leaf.subject().iter_attributes() {
            let name = match attribute.attr_type().to_id_string().as_str() {
                "2.5.4.3" => "CN",
                "2.5.4.6" => "C",
                "2.5.4.7" => "L",
                "2.5.4.8" => "ST",
                "2.5.4.9" => "STREET",
                "2.5.4.10" => "O",
                "2.5.4.11" => "OU",
                _ => continue,
            };
            if let Ok(value) = attribute.as_str() {
                parts.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(parts)
    }
}

pub(super) fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, VerifyError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| bad("malformed certificate"))?;
    Ok(certificate)
}
