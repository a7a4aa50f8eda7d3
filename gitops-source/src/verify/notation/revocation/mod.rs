//! Whether certificates were taken back: asked by OCSP (RFC 6960), else looked up in revocation
//! lists (RFC 5280).
//!
//! Follows notation-core-go: a certificate that names neither cannot be taken back; where the answer
//! of a responder is of no use, the lists decide; and no answer at all is no good answer. Differs in
//! that delta lists are not read.

mod ocsp;
mod revocation_list;

use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use reqwest::RequestBuilder;
use rustls::pki_types::SignatureVerificationAlgorithm;
use url::Url;
use x509_parser::prelude::{
    DistributionPointName, FromDer as _, GeneralName, ParsedExtension, X509Certificate,
};

use super::{
    super::{
        VerifyError,
        authority::ALGORITHMS,
        der::{BIT_STRING, Element, SEQUENCE},
    },
    envelope::certificate,
};
use crate::http_client::{HttpClients, Means};

/// 1.3.6.1.5.5.7.48.1
const OCSP: &str = "1.3.6.1.5.5.7.48.1";
const MAX_SERVERS: usize = 4;
const OCSP_TIMEOUT: Duration = Duration::from_secs(2);
const OCSP_LIMIT: usize = 64 << 10;
const LIST_TIMEOUT: Duration = Duration::from_secs(5);
const LIST_LIMIT: usize = 16 << 20;

/// What is known of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Revoked,
    Unknown,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revocation<'r> {
    pub(super) clients: &'r HttpClients,
    pub(super) now: Timestamp,
    /// When something was signed, where somebody vouches for it: what became invalid later was valid.
    pub(super) signed_at: Option<Timestamp>,
}

impl Revocation<'_> {
    /// Checks that no certificate of a chain was taken back. The chain begins with who signed; the
    /// last one is trusted.
    pub(super) async fn check(&self, chain: &[&[u8]], what: &str) -> Result<(), VerifyError> {
        let mut unknown = None;
        for pair in chain.windows(2) {
            let (own, issuer) = (certificate(pair[0])?, certificate(pair[1])?);
            match self.standing(&own, &issuer).await {
                Standing::Good => {}
                Standing::Unknown => unknown = Some(own.subject().to_string()),
                Standing::Revoked => {
                    return Err(VerifyError::unverified(format!(
                        "{what} certificate with subject \"{}\" is revoked",
                        own.subject()
                    )));
                }
            }
        }
        match unknown {
            None => Ok(()),
            Some(subject) => Err(VerifyError::unverified(format!(
                "{what} certificate with subject \"{subject}\" revocation status is unknown"
            ))),
        }
    }

    async fn standing(&self, own: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> Standing {
        let (responders, lists) = places(own);
        let mut standing = Standing::Good;
        for responder in &responders {
            standing = self.ask(responder, own, issuer).await.unwrap_or(Standing::Unknown);
            if standing != Standing::Unknown {
                return standing;
            }
        }
        if lists.is_empty() {
            return standing;
        }
        // Each list may be about other reasons: all must be read.
        for list in &lists {
            match self.look_up(list, own, issuer).await.unwrap_or(Standing::Unknown) {
                Standing::Good => {}
                other => return other,
            }
        }
        Standing::Good
    }

    async fn ask(
        &self,
        responder: &str,
        own: &X509Certificate<'_>,
        issuer: &X509Certificate<'_>,
    ) -> Option<Standing> {
        let question = ocsp::Question::new(own, issuer)?;
        let client = self.clients.get(&Means::default()).ok()?;
        let request = match question.url(responder) {
            Some(url) => client.get(url),
            None => client
                .post(http_url(responder)?)
                .header("content-type", "application/ocsp-request")
                .body(question.to_der()),
        };
        let answer = fetch(request.timeout(OCSP_TIMEOUT), OCSP_LIMIT).await?;
        question.standing(&answer, self.now, self.signed_at)
    }

    async fn look_up(
        &self,
        list: &str,
        own: &X509Certificate<'_>,
        issuer: &X509Certificate<'_>,
    ) -> Option<Standing> {
        let client = self.clients.get(&Means::default()).ok()?;
        let request = client.get(http_url(list)?).timeout(LIST_TIMEOUT);
        let list = fetch(request, LIST_LIMIT).await?;
        revocation_list::standing(&list, own, issuer, self.now, self.signed_at)
    }
}

/// Only plain HTTP: what is fetched is signed, and TLS would ask for certificates in turn.
fn http_url(text: &str) -> Option<Url> {
    text.parse::<Url>().ok().filter(|url| url.scheme() == "http")
}

async fn fetch(request: RequestBuilder, limit: usize) -> Option<Vec<u8>> {
    let response = request.send().await.ok().filter(|answer| answer.status().as_u16() == 200)?;
    let mut all = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.ok()?;
        if all.len() + piece.len() > limit {
            return None;
        }
        all.extend_from_slice(&piece);
    }
    Some(all)
}

/// The responders and lists that a certificate names.
fn places(own: &X509Certificate<'_>) -> (Vec<String>, Vec<String>) {
    let (mut responders, mut lists) = (Vec::new(), Vec::new());
    let url = |name: &GeneralName<'_>| match name {
        GeneralName::URI(url) => Some((*url).to_owned()),
        _ => None,
    };
    for extension in own.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => {
                let ocsp = access.accessdescs.iter();
                let ocsp = ocsp.filter(|one| one.access_method.to_id_string() == OCSP);
                responders.extend(ocsp.filter_map(|one| url(&one.access_location)));
            }
            ParsedExtension::CRLDistributionPoints(points) => {
                let names = points.points.iter().filter_map(|one| one.distribution_point.as_ref());
                for name in names {
                    if let DistributionPointName::FullName(names) = name {
                        lists.extend(names.iter().filter_map(url));
                    }
                }
            }
            _ => {}
        }
    }
    responders.truncate(MAX_SERVERS);
    lists.truncate(MAX_SERVERS);
    (responders, lists)
}

/// Something that is signed as certificates are: a sequence of content, algorithm and signature.
struct Signed<'d> {
    content: Element<'d>,
    algorithm: &'d [u8],
    signature: &'d [u8],
    /// What follows.
    rest: Vec<Element<'d>>,
}

impl<'d> Signed<'d> {
    fn parse(der: &'d [u8]) -> Option<Self> {
        let mut parts = Element::only(der, SEQUENCE)?.children()?.into_iter();
        let (content, algorithm, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let (0, signature) =
            signature.content.split_first().map(|(unused, rest)| (*unused, rest))?
        else {
            return None;
        };
        Some(Self { content, algorithm: algorithm.content, signature, rest: parts.collect() })
    }

    fn is_by(&self, signer: &X509Certificate<'_>) -> bool {
        let verify = || {
            let key = Element::only(signer.public_key().raw, SEQUENCE)?.children()?;
            let (algorithm, key) = (key.first()?, key.get(1).filter(|key| key.tag == BIT_STRING)?);
            let key = key.content.get(1..)?;
            let fits = |own: &&&'static dyn SignatureVerificationAlgorithm| {
                own.public_key_alg_id().as_ref() == algorithm.content
                    && own.signature_alg_id().as_ref() == self.algorithm
            };
            let own = ALGORITHMS.iter().find(fits)?;
            own.verify_signature(key, self.content.whole, self.signature).ok()
        };
        verify().is_some()
    }
}

/// Whether what was revoked was so only after it had signed.
fn was_good(signed_at: Option<Timestamp>, invalid_from: Option<Timestamp>) -> bool {
    matches!((signed_at, invalid_from), (Some(signed), Some(invalid)) if signed < invalid)
}

/// The certificates of a list of them.
fn certificates<'d>(list: &Element<'d>) -> Vec<(&'d [u8], X509Certificate<'d>)> {
    let all = list.children().unwrap_or_default().into_iter().take(MAX_SERVERS);
    all.filter_map(|one| Some((one.whole, X509Certificate::from_der(one.whole).ok()?.1))).collect()
}
