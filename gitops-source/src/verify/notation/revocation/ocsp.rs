//! Questions to a responder, and its answers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, civil::DateTime, tz::Offset};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use url::Url;
use x509_parser::prelude::X509Certificate;

use super::{
    super::super::{
        authority::{OCSP_SIGNING, is_issued_for},
        der::{BIT_STRING, Element, INTEGER, OCTET_STRING, OID, SEQUENCE, encode},
    },
    Signed, Standing, certificates, http_url, was_good,
};

/// 1.3.14.3.2.26, SHA-1: most responders know nothing else, and it protects nothing here.
const SHA_1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// 1.3.6.1.5.5.7.48.1.1
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
/// 2.5.29.24
const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 0x18];
const ENUMERATED: u8 = 0x0a;
const GENERALIZED_TIME: u8 = 0x18;

/// A question about one certificate.
pub(super) struct Question<'q> {
    issuer: &'q X509Certificate<'q>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: &'q [u8],
}

impl<'q> Question<'q> {
    pub(super) fn new(
        own: &'q X509Certificate<'q>,
        issuer: &'q X509Certificate<'q>,
    ) -> Option<Self> {
        let key = Element::only(issuer.public_key().raw, SEQUENCE)?.children()?;
        let key = key.get(1).filter(|key| key.tag == BIT_STRING)?.content.get(1..)?;
        let hash = |bytes: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec();
        Some(Self {
            issuer,
            name_hash: hash(issuer.subject().as_raw()),
            key_hash: hash(key),
            serial: own.raw_serial(),
        })
    }

    pub(super) fn to_der(&self) -> Vec<u8> {
        let algorithm = encode(SEQUENCE, &[encode(OID, SHA_1), vec![0x05, 0x00]].concat());
        let id = [
            algorithm,
            encode(OCTET_STRING, &self.name_hash),
            encode(OCTET_STRING, &self.key_hash),
            encode(INTEGER, self.serial),
        ];
        // The id in a request, in a list of requests, in what could be signed, in the whole.
        (0..4).fold(encode(SEQUENCE, &id.concat()), |inner, _| encode(SEQUENCE, &inner))
    }

    /// Where to ask with GET; a question that is too long for that is posted.
    pub(super) fn url(&self, responder: &str) -> Option<Url> {
        let question = STANDARD.encode(self.to_der());
        let question = utf8_percent_encode(&question, NON_ALPHANUMERIC).to_string();
        let base = responder.trim_end_matches('/');
        (question.len() < 255).then(|| http_url(&format!("{base}/{question}")))?
    }

    /// What an answer says; `None` when it is none, or nobody who may has signed it.
    pub(super) fn standing(
        &self,
        answer: &[u8],
        now: Timestamp,
        signed_at: Option<Timestamp>,
    ) -> Option<Standing> {
        let answer = Element::only(answer, SEQUENCE)?.children()?;
        let [status, bytes] = answer.as_slice() else { return None };
        if status.tag != ENUMERATED || status.content != [0] {
            return None;
        }
        let bytes = Element::only(bytes.content, SEQUENCE)?.children()?;
        let [kind, basic] = bytes.as_slice() else { return None };
        if kind.content != BASIC || basic.tag != OCTET_STRING {
            return None;
        }
        let basic = Signed::parse(basic.content)?;
        if !self.is_authorized(&basic, now) {
            return None;
        }
        let data = basic.content.children()?;
        let responses = data.iter().find(|part| part.tag == SEQUENCE)?.children()?;
        let about = |response: &&Element<'_>| self.is_about(response).unwrap_or_default();
        let response = responses.iter().find(about)?.children()?;
        let next = response.iter().find(|part| part.tag == 0xa0)?;
        let next = time(&Element::only(next.content, GENERALIZED_TIME)?)?;
        if next < now {
            return None;
        }
        let extensions =
            response.iter().find(|part| part.tag == 0xa1 && part.whole != response[1].whole);
        let invalid = extensions.and_then(invalidity);
        Some(match response.get(1)?.tag {
            0x80 => Standing::Good,
            0xa1 if was_good(signed_at, invalid) => Standing::Good,
            0xa1 => Standing::Revoked,
            _ => Standing::Unknown,
        })
    }

    /// The issuer signs, or somebody whom it gave a certificate for that.
    fn is_authorized(&self, basic: &Signed<'_>, now: Timestamp) -> bool {
        if basic.is_by(self.issuer) {
            return true;
        }
        let enclosed = basic.rest.iter().find(|part| part.tag == 0xa0);
        let list = enclosed.and_then(|part| Element::only(part.content, SEQUENCE));
        list.iter().flat_map(certificates).any(|(der, signer)| {
            basic.is_by(&signer) && is_issued_for(der, self.issuer, now, OCSP_SIGNING)
        })
    }

    fn is_about(&self, response: &Element<'_>) -> Option<bool> {
        let id = response.children()?.first()?.children()?;
        let [_, name, key, serial] = id.as_slice() else { return None };
        let same = name.content == self.name_hash && key.content == self.key_hash;
        Some(same && serial.content == self.serial)
    }
}

/// When it became invalid, which may be before it was revoked.
fn invalidity(extensions: &Element<'_>) -> Option<Timestamp> {
    let list = Element::only(extensions.content, SEQUENCE)?.children()?;
    let date = list.iter().find_map(|extension| {
        let parts = extension.children()?;
        (parts.first()?.content == INVALIDITY_DATE).then(|| parts.last().copied())?
    })?;
    time(&Element::only(date.content, GENERALIZED_TIME)?)
}

fn time(element: &Element<'_>) -> Option<Timestamp> {
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    let at = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    Offset::UTC.to_timestamp(at).ok()
}
