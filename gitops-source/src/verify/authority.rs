//! Authorities that issue certificates, and what they vouch for.

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Deserialize;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring as algorithms};

use super::VerifyError;

/// 1.3.6.1.5.5.7.3.3, code signing.
pub(super) const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// 1.3.6.1.5.5.7.3.8, timestamping.
pub(super) const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// Certificates from the one that signs to its root, and when they are to be believed.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) valid: Valid,
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
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
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
