//! Lists of certificates that their issuer has taken back.

use jiff::Timestamp;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, ReasonCode, X509Certificate};

use super::{Signed, Standing, was_good};

/// The extensions that may be critical: which certificates a list is for.
const ISSUING_DISTRIBUTION_POINT: &str = "2.5.29.28";

/// What a list says of a certificate; `None` when it is none, is old, or is not the issuer's.
pub(super) fn standing(
    der: &[u8],
    own: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
    now: Timestamp,
    signed_at: Option<Timestamp>,
) -> Option<Standing> {
    if !Signed::parse(der)?.is_by(issuer) {
        return None;
    }
    let (_, list) = CertificateRevocationList::from_der(der).ok()?;
    if list.next_update()?.timestamp() < now.as_second() {
        return None;
    }
    let foreign = list.extensions().iter().any(|extension| {
        extension.critical && extension.oid.to_id_string() != ISSUING_DISTRIBUTION_POINT
    });
    if foreign {
        return None;
    }
    let mut held = None;
    for entry in
        list.iter_revoked_certificates().filter(|entry| entry.raw_serial() == own.raw_serial())
    {
        let invalid = entry.invalidity_date().map(|(_, at)| at.timestamp());
        let invalid = invalid.and_then(|at| Timestamp::from_second(at).ok());
        if was_good(signed_at, invalid) {
            return Some(Standing::Good);
        }
        match entry.reason_code().map(|(_, reason)| reason) {
            Some(reason @ (ReasonCode::CertificateHold | ReasonCode::RemoveFromCRL)) => {
                let at = entry.revocation_date.timestamp();
                if held.is_none_or(|(known, _)| known < at) {
                    held = Some((at, reason));
                }
            }
            _ => return Some(Standing::Revoked),
        }
    }
    Some(match held {
        Some((_, ReasonCode::CertificateHold)) => Standing::Revoked,
        _ => Standing::Good,
    })
}
