//! Timestamps of authorities (RFC 3161): that something was signed at a time.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::Offset};
use ring::{
    digest::{self, SHA256, SHA384, SHA512},
    signature::{self as algorithm, VerificationAlgorithm},
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{
    VerifyError,
    authority::{Authority, TIME_STAMPING, check_chain},
    der::{Element, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, encode},
    key::PublicKey,
};

/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
const TIMESTAMP_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 2.16.840.1.101.3.4.2, followed by 1, 2 or 3 for SHA-256, 384 and 512.
const SHA_2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

struct Token<'t> {
    info: &'t [u8],
    certificates: Vec<&'t [u8]>,
    attributes: &'t [u8],
    digest: &'static digest::Algorithm,
    signature: &'t [u8],
}

/// When something was there at the latest.
#[derive(Clone, Debug)]
pub(super) struct Stamp<'t> {
    pub(super) at: Timestamp,
    /// The time less and plus what it may be wrong by.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// The certificate of who says so, then all others that came along.
    pub(super) chain: Vec<&'t [u8]>,
}

/// Checks a timestamp over some bytes.
pub(super) fn check<'t>(
    token: &'t [u8],
    message: &[u8],
    authorities: &[Authority],
) -> Result<Stamp<'t>, VerifyError> {
    let bad = |why: &str| VerifyError::unverified(format!("timestamp: {why}"));
    let token = parse(token).ok_or_else(|| bad("malformed token"))?;
    let Info { algorithm, imprint, at, accuracy } =
        Info::parse(token.info).ok_or_else(|| bad("malformed content"))?;
    if digest::digest(algorithm, message).as_ref() != imprint {
        return Err(bad("is about something else"));
    }
    let digested = digest::digest(token.digest, token.info);
    if noted_digest(token.attributes) != Some(digested.as_ref()) {
        return Err(bad("content was changed"));
    }
    // The signature is over the attributes as a set, whatever they are tagged as.
    let signed = encode(SET, token.attributes);
    let own = authorities.iter().flat_map(|own| own.chain.iter().map(Vec::as_slice));
    for certificate in token.certificates.iter().copied().chain(own) {
        let Some(key) = key_of(certificate) else { continue };
        let signs = signature_algorithms(token.digest)
            .iter()
            .any(|algorithm| key.check(*algorithm, &signed, token.signature));
        if signs {
            check_chain(certificate, authorities, &token.certificates, at, TIME_STAMPING)?;
            let enclosed = token.certificates.iter().copied();
            // One that is not enclosed is an authority itself, which nobody takes back.
            let signer = enclosed.clone().find(|own| *own == certificate);
            let others = enclosed.filter(|own| *own != certificate);
            let chain = signer.into_iter().chain(others).collect();
            let (from, to) = (at.saturating_sub(accuracy), at.saturating_add(accuracy));
            return Ok(Stamp { at, from: from.unwrap_or(at), to: to.unwrap_or(at), chain });
        }
    }
    Err(bad("invalid signature"))
}

fn key_of(certificate: &[u8]) -> Option<PublicKey> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    PublicKey::from_der(certificate.public_key().raw).ok()
}

type Algorithms = &'static [&'static dyn VerificationAlgorithm];

static WITH_SHA256: Algorithms = &[
    &algorithm::ECDSA_P256_SHA256_ASN1,
    &algorithm::ECDSA_P384_SHA256_ASN1,
    &algorithm::RSA_PKCS1_2048_8192_SHA256,
    &algorithm::ED25519,
];
static WITH_SHA384: Algorithms = &[
    &algorithm::ECDSA_P256_SHA384_ASN1,
    &algorithm::ECDSA_P384_SHA384_ASN1,
    &algorithm::RSA_PKCS1_2048_8192_SHA384,
];
static WITH_SHA512: Algorithms = &[&algorithm::RSA_PKCS1_2048_8192_SHA512, &algorithm::ED25519];

fn signature_algorithms(digest: &digest::Algorithm) -> Algorithms {
    if *digest == SHA256 {
        WITH_SHA256
    } else if *digest == SHA384 {
        WITH_SHA384
    } else {
        WITH_SHA512
    }
}

fn parse(der: &[u8]) -> Option<Token<'_>> {
    let mut outer = Element::only(der, SEQUENCE)?.children()?;
    // An answer is a status and the token; a token alone begins with its type.
    if outer.first()?.tag == SEQUENCE {
        outer = outer.get(1)?.children()?;
    }
    let [kind, content] = outer.as_slice() else { return None };
    if kind.tag != OID || kind.content != SIGNED_DATA {
        return None;
    }
    let data = Element::only(content.content, SEQUENCE)?.children()?;
    let enclosed = data.get(2)?.children()?;
    let [kind, content] = enclosed.as_slice() else { return None };
    if kind.content != TIMESTAMP_INFO {
        return None;
    }
    let info = Element::only(content.content, OCTET_STRING)?.content;
    let certificates = data.iter().skip(3).find(|part| part.tag == 0xa0);
    let certificates = match certificates {
        Some(list) => list.children()?.iter().map(|one| one.whole).take(8).collect(),
        None => Vec::new(),
    };
    let signers = data.last().filter(|part| part.tag == SET)?.children()?;
    let signer = signers.first()?.children()?;
    let attributes = signer.iter().position(|part| part.tag == 0xa0 && part.whole.len() > 32)?;
    let digest = algorithm_of(signer.get(attributes.checked_sub(1)?)?)?;
    let signature = signer.iter().skip(attributes).find(|part| part.tag == OCTET_STRING)?;
    Some(Token {
        info,
        certificates,
        attributes: signer[attributes].content,
        digest,
        signature: signature.content,
    })
}

fn algorithm_of(identifier: &Element<'_>) -> Option<&'static digest::Algorithm> {
    let parts = identifier.children()?;
    match parts.first()?.content.strip_prefix(SHA_2)? {
        [1] => Some(&SHA256),
        [2] => Some(&SHA384),
        [3] => Some(&SHA512),
        _ => None,
    }
}

/// What is stated.
struct Info<'t> {
    algorithm: &'static digest::Algorithm,
    imprint: &'t [u8],
    at: Timestamp,
    accuracy: SignedDuration,
}

impl<'t> Info<'t> {
    fn parse(info: &'t [u8]) -> Option<Self> {
        let parts = Element::only(info, SEQUENCE)?.children()?;
        let imprint = parts.get(2)?.children()?;
        let text = std::str::from_utf8(parts.get(4)?.content).ok()?;
        // Fractions of a second decide nothing here.
        let text = text.strip_suffix('Z')?.split('.').next()?;
        let at = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
        Some(Self {
            algorithm: algorithm_of(imprint.first()?)?,
            imprint: imprint.get(1)?.content,
            at: Offset::UTC.to_timestamp(at).ok()?,
            accuracy: match parts.get(5).filter(|part| part.tag == SEQUENCE) {
                Some(accuracy) => accuracy_of(accuracy)?,
                None => SignedDuration::ZERO,
            },
        })
    }
}

/// What a time may be wrong by, in whole seconds; parts of one count as one.
fn accuracy_of(accuracy: &Element<'_>) -> Option<SignedDuration> {
    let mut seconds = 0_i64;
    for part in accuracy.children()? {
        let number = part.content.iter().try_fold(0_i64, |number, byte| {
            number.checked_mul(256)?.checked_add(i64::from(*byte))
        })?;
        seconds = seconds.checked_add(if part.tag == INTEGER { number } else { number.min(1) })?;
    }
    Some(SignedDuration::from_secs(seconds))
}

fn noted_digest(attributes: &[u8]) -> Option<&[u8]> {
    let mut rest = attributes;
    while !rest.is_empty() {
        let (attribute, after) = Element::read(rest)?;
        let parts = attribute.children()?;
        if parts.first()?.content == MESSAGE_DIGEST {
            return Some(Element::only(parts.get(1)?.content, OCTET_STRING)?.content);
        }
        rest = after;
    }
    None
}
