//! Authorities that issue certificates, and what they vouch for.

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, Der, TrustAnchor, UnixTime};
use serde::Deserialize;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring as algorithms};
use x509_parser::prelude::X509Certificate;

use super::{
    VerifyError,
    der::{Element, SEQUENCE},
};

/// 1.3.6.1.5.5.7.3.3, code signing.
pub(super) const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// 1.3.6.1.5.5.7.3.8, timestamping.
pub(super) const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
/// 1.3.6.1.5.5.7.3.9, answers about revocation.
pub(super) const OCSP_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09];

/// Certificates from the one that signs to its root, and when they are to be believed.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) valid: Valid,
}

impl Authority {
    /// One that is believed at any time.
    pub(super) fn of(root: &[u8]) -> Self {
        Self { chain: vec![root.to_vec()], valid: Valid::default() }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Valid {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Valid {
    pub(super) fn holds(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at <= end)
    }
}

/// Checks that one of some authorities issued a certificate for a use, and that it held at a time.
/// `between` are certificates that may stand between the two.
pub(super) fn check_chain(
    certificate: &[u8],
    authorities: &[Authority],
    between: &[&[u8]],
    at: Timestamp,
    usage: &'static [u8],
) -> Result<(), VerifyError> {
    let time = unix_time(at);
    let leaf = CertificateDer::from(certificate);
    let leaf = EndEntityCert::try_from(&leaf)
        .map_err(|error| VerifyError::unverified(format!("malformed certificate: {error}")))?;
    let mut why = "no certificate authority of that time".to_owned();
    for authority in authorities.iter().filter(|own| own.valid.holds(at)) {
        let Some((root, rest)) = authority.chain.split_last() else { continue };
        let root = CertificateDer::from(root.as_slice());
        let Ok(anchor) = anchor_from_trusted_cert(&root) else { continue };
        let rest = rest.iter().map(Vec::as_slice).chain(between.iter().copied());
        let rest: Vec<CertificateDer<'_>> = rest.map(CertificateDer::from).collect();
        let usage = KeyUsage::required(usage);
        match leaf.verify_for_usage(ALGORITHMS, &[anchor], &rest, time, usage, None, None) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(VerifyError::unverified(format!("certificate is not trusted: {why}")))
}

/// Whether an issuer, whoever trusts it, issued a certificate for a use.
pub(super) fn is_issued_for(
    certificate: &[u8],
    issuer: &X509Certificate<'_>,
    at: Timestamp,
    usage: &'static [u8],
) -> bool {
    let issued = || {
        let certificate = CertificateDer::from(certificate);
        let certificate = EndEntityCert::try_from(&certificate).ok()?;
        let content = |der| Some(Der::from_slice(Element::only(der, SEQUENCE)?.content));
        let anchors = [TrustAnchor {
            subject: content(issuer.subject().as_raw())?,
            subject_public_key_info: content(issuer.public_key().raw)?,
            name_constraints: None,
        }];
        let usage = KeyUsage::required(usage);
        let time = unix_time(at);
        let verified =
            certificate.verify_for_usage(ALGORITHMS, &anchors, &[], time, usage, None, None);
        verified.ok().map(drop)
    };
    issued().is_some()
}

fn unix_time(at: Timestamp) -> UnixTime {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

pub(super) const ALGORITHMS: &[&dyn rustls::pki_types::SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];
