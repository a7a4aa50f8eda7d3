//! Notation's envelope: a JSON Web Signature with the certificates of who signed.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
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
const SCHEME: &str = "io.cncf.notary.signingScheme";
const EXPIRY: &str = "io.cncf.notary.expiry";
const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
const MAX_CHAIN: usize = 16;

/// Who vouches for the time of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SigningScheme {
    /// Nobody but the signer.
    X509,
    /// A signing authority.
    SigningAuthority,
}

/// A parsed envelope.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) payload: Payload,
    pub(super) scheme: SigningScheme,
    pub(super) signed_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    algorithm: String,
    signed: String,
    signature: Vec<u8>,
    /// The signer's first.
    chain: Vec<Vec<u8>>,
}

/// What was signed.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) digest: String,
}

#[derive(Deserialize)]
struct Outer {
    payload: String,
    protected: String,
    header: Header,
    signature: String,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    x5c: Vec<String>,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    #[serde(default)]
    crit: Vec<String>,
    cty: String,
    #[serde(rename = "io.cncf.notary.signingScheme")]
    scheme: String,
    #[serde(rename = "io.cncf.notary.signingTime")]
    signing_time: Option<Timestamp>,
    #[serde(rename = "io.cncf.notary.authenticSigningTime")]
    authentic_time: Option<Timestamp>,
    #[serde(rename = "io.cncf.notary.expiry")]
    expiry: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PayloadDocument {
    target_artifact: Target,
}

#[derive(Deserialize)]
struct Target {
    digest: String,
}

fn bad(why: impl std::fmt::Display) -> VerifyError {
    VerifyError::unverified(format!("signature envelope: {why}"))
}

impl Envelope {
    pub(super) fn parse(json: &[u8]) -> Result<Self, VerifyError> {
        let outer: Outer = serde_json::from_slice(json).map_err(bad)?;
        let url = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| bad("malformed base64"));
        let protected: Protected = serde_json::from_slice(&url(&outer.protected)?).map_err(bad)?;
        if protected.cty != PAYLOAD {
            return Err(bad("unknown kind of payload"));
        }
        // What is critical and not understood makes the whole worthless.
        let known = |name: &String| [SCHEME, EXPIRY, AUTHENTIC_TIME].contains(&name.as_str());
        if let Some(unknown) = protected.crit.iter().find(|name| !known(name)) {
            return Err(bad(format_args!("'{unknown}' is critical, and not supported")));
        }
        if !protected.crit.iter().any(|name| name == SCHEME) {
            return Err(bad("the signing scheme must be critical"));
        }
        let (scheme, signed_at) = match protected.scheme.as_str() {
            "notary.x509" => (SigningScheme::X509, protected.signing_time),
            "notary.x509.signingAuthority" => {
                (SigningScheme::SigningAuthority, protected.authentic_time)
            }
            other => return Err(bad(format_args!("unknown signing scheme '{other}'"))),
        };
        let chain: Option<Vec<Vec<u8>>> = outer
            .header
            .x5c
            .iter()
            .take(MAX_CHAIN)
            .map(|text| STANDARD.decode(text).ok())
            .collect();
        let chain = chain.filter(|chain| !chain.is_empty());
        let payload: PayloadDocument =
            serde_json::from_slice(&url(&outer.payload)?).map_err(bad)?;
        Ok(Self {
            payload: Payload { digest: payload.target_artifact.digest },
            scheme,
            signed_at,
            expires_at: protected.expiry,
            algorithm: protected.alg,
            signature: url(&outer.signature)?,
            signed: format!("{}.{}", outer.protected, outer.payload),
            chain: chain.ok_or_else(|| bad("no certificates"))?,
        })
    }

    /// Checks that the certificate's key signed what is signed.
    pub(super) fn check_integrity(&self) -> Result<(), VerifyError> {
        let algorithm: &'static dyn VerificationAlgorithm = match self.algorithm.as_str() {
            "PS256" => &algorithm::RSA_PSS_2048_8192_SHA256,
            "PS384" => &algorithm::RSA_PSS_2048_8192_SHA384,
            "PS512" => &algorithm::RSA_PSS_2048_8192_SHA512,
            "ES256" => &algorithm::ECDSA_P256_SHA256_FIXED,
            "ES384" => &algorithm::ECDSA_P384_SHA384_FIXED,
            other => return Err(bad(format_args!("algorithm '{other}' is not supported"))),
        };
        let leaf = certificate(&self.chain[0])?;
        let key = PublicKey::from_der(leaf.public_key().raw).map_err(bad)?;
        if !key.check(algorithm, self.signed.as_bytes(), &self.signature) {
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

    /// Checks that the certificates held when it was signed, as far as somebody vouches for that,
    /// else that they hold now.
    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), VerifyError> {
        let at = match self.scheme {
            SigningScheme::X509 => now,
            SigningScheme::SigningAuthority => {
                self.signed_at.ok_or_else(|| bad("the signing authority does not tell the time"))?
            }
        };
        for der in &self.chain {
            let certificate = certificate(der)?;
            let valid = certificate.validity();
            let held = valid.not_before.timestamp()..=valid.not_after.timestamp();
            if !held.contains(&at.as_second()) {
                return Err(VerifyError::unverified(format!(
                    "certificate \"{}\" is not valid at {at}",
                    certificate.subject()
                )));
            }
        }
        Ok(())
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

fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, VerifyError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| bad("malformed certificate"))?;
    Ok(certificate)
}
