//! Certificates of signers: who they are about, who issued them, and which logs saw them.

use jiff::Timestamp;
use x509_parser::prelude::{
    FromDer as _, GeneralName, ParsedExtension, SignedCertificateTimestamp, X509Certificate,
};

use super::{
    super::{
        VerifyError,
        authority::Authority,
        der::{Element, SEQUENCE, encode},
        key::PublicKey,
    },
    trusted_root::Log,
};

const ISSUER_V1: &str = "1.3.6.1.4.1.57264.1.1";
const ISSUER_V2: &str = "1.3.6.1.4.1.57264.1.8";
const OTHER_NAME: &str = "1.3.6.1.4.1.57264.1.7";
/// 1.3.6.1.4.1.11129.2.4.2, the list of signed certificate timestamps.
const TIMESTAMPS: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];
const EXTENSIONS: u8 = 0xa3;

/// The certificate of who signed.
#[derive(Debug)]
pub(super) struct Leaf<'c> {
    parsed: X509Certificate<'c>,
    pub(super) key: PublicKey,
}

impl<'c> Leaf<'c> {
    pub(super) fn parse(der: &'c [u8]) -> Result<Self, VerifyError> {
        let malformed = || VerifyError::unverified("malformed certificate");
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| malformed())?;
        if !rest.is_empty() {
            return Err(malformed());
        }
        let key = PublicKey::from_der(parsed.public_key().raw)
            .map_err(|error| VerifyError::unverified(error.to_string()))?;
        Ok(Self { parsed, key })
    }

    /// Who proved to whom who they are: names, and the issuer of the identity token.
    pub(super) fn identity(&self) -> (Vec<String>, Option<String>) {
        let mut names = Vec::new();
        let mut issuer = None;
        for extension in self.parsed.extensions() {
            if let ParsedExtension::SubjectAlternativeName(all) = extension.parsed_extension() {
                names.extend(all.general_names.iter().filter_map(name));
            }
            let value = extension.value;
            match extension.oid.to_id_string().as_str() {
                ISSUER_V2 => {
                    let text = Element::read(value).map(|(element, _)| element.content);
                    issuer = text.and_then(|text| String::from_utf8(text.to_vec()).ok());
                }
                ISSUER_V1 if issuer.is_none() => issuer = String::from_utf8(value.to_vec()).ok(),
                _ => {}
            }
        }
        (names, issuer)
    }

    /// Checks that a log saw the certificate before it was issued.
    pub(super) fn check_logged(
        &self,
        logs: &[Log],
        authorities: &[Authority],
        between: &[&[u8]],
    ) -> Result<(), VerifyError> {
        let missing = || VerifyError::unverified("certificate has no proof of a certificate log");
        let lists = self.parsed.extensions().iter();
        let mut timestamps = lists.filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SCT(all) => Some(all),
            _ => None,
        });
        let timestamps = timestamps.next().ok_or_else(missing)?;
        let precertificate = without_timestamps(self.parsed.tbs_certificate.as_ref())
            .ok_or_else(|| VerifyError::unverified("malformed certificate"))?;
        let chains = authorities.iter().flat_map(|own| own.chain.iter().map(Vec::as_slice));
        let issuers: Vec<[u8; 32]> = chains
            .chain(between.iter().copied())
            .filter_map(|der| {
                let (_, issuer) = X509Certificate::from_der(der).ok()?;
                let is_it = issuer.subject().as_raw() == self.parsed.issuer().as_raw();
                is_it
                    .then(|| PublicKey::from_der(issuer.public_key().raw).ok())?
                    .map(|key| key.id())
            })
            .collect();
        let good = |one: &SignedCertificateTimestamp<'_>| {
            let at = i64::try_from(one.timestamp).ok();
            let at = at.and_then(|at| Timestamp::from_millisecond(at).ok());
            let log = logs.iter().find(|log| log.id == one.id.key_id);
            let (Some(at), Some(log)) = (at, log) else { return false };
            log.valid.holds(at)
                && issuers.iter().any(|issuer| {
                    let signed = logged(one, issuer, &precertificate);
                    log.key.verify(&signed, one.signature.data)
                })
        };
        if timestamps.iter().any(good) { Ok(()) } else { Err(missing()) }
    }

    /// Whether the certificate held at a time.
    pub(super) fn holds(&self, at: Timestamp) -> bool {
        let valid = self.parsed.validity();
        (valid.not_before.timestamp()..=valid.not_after.timestamp()).contains(&at.as_second())
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::RFC822Name(text) | GeneralName::URI(text) | GeneralName::DNSName(text) => {
            Some((*text).to_owned())
        }
        GeneralName::OtherName(kind, value) if kind.to_id_string() == OTHER_NAME => {
            // [0] { UTF8String }, or the string alone, depending on the reader.
            let (mut element, _) = Element::read(value)?;
            if element.tag == 0xa0 {
                element = Element::read(element.content)?.0;
            }
            String::from_utf8(element.content.to_vec()).ok()
        }
        _ => None,
    }
}

/// The part of a certificate that is signed, as it was before logs confirmed it.
fn without_timestamps(certificate: &[u8]) -> Option<Vec<u8>> {
    let body = Element::only(certificate, SEQUENCE)?;
    let mut kept = Vec::with_capacity(certificate.len());
    for part in body.children()? {
        if part.tag != EXTENSIONS {
            kept.extend_from_slice(part.whole);
            continue;
        }
        let list = Element::only(part.content, SEQUENCE)?;
        let mut extensions = Vec::new();
        for extension in list.children()? {
            if extension.children()?.first()?.content != TIMESTAMPS {
                extensions.extend_from_slice(extension.whole);
            }
        }
        kept.extend(encode(EXTENSIONS, &encode(SEQUENCE, &extensions)));
    }
    Some(encode(SEQUENCE, &kept))
}

/// What a log signs (RFC 6962, 3.2).
fn logged(one: &SignedCertificateTimestamp<'_>, issuer: &[u8; 32], body: &[u8]) -> Vec<u8> {
    let mut signed = vec![0, 0];
    signed.extend_from_slice(&one.timestamp.to_be_bytes());
    signed.extend_from_slice(&[0, 1]);
    signed.extend_from_slice(issuer);
    // A certificate of 16 MiB was refused before it came here.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    signed.extend_from_slice(&length[1..]);
    signed.extend_from_slice(body);
    let extensions = one.extensions.0;
    signed.extend_from_slice(&u16::try_from(extensions.len()).unwrap_or(0).to_be_bytes());
    signed.extend_from_slice(extensions);
    signed
}
