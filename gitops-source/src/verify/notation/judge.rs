//! How much of a signature must be good, by the level that a trust policy asks for.
//!
//! Follows notation-go's order: integrity at every level; then authenticity, expiry, the time of
//! signing and revocation, each enforced, noted or left out.

use gitops_core::Digest;
use jiff::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{
    super::{
        Verified, VerifyError,
        authority::Authority,
        timestamp::{self, Stamp},
    },
    cose,
    envelope::{Envelope, SigningScheme},
    jws,
    revocation::Revocation,
    trust_policy::{Action, Statement, VerifyTimestamp},
};
use crate::http_client::HttpClients;

const MAX_CHAIN: usize = 8;

/// By what signatures are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge<'j> {
    pub(super) statement: &'j Statement,
    /// What every trust store holds.
    pub(super) roots: &'j [Vec<u8>],
    pub(super) clients: &'j HttpClients,
    pub(super) now: Timestamp,
}

impl Judge<'_> {
    /// Judges an envelope of a media type, which must be about an image.
    pub(super) async fn check(
        &self,
        kind: &str,
        envelope: &[u8],
        digest: &Digest,
    ) -> Result<Verified, VerifyError> {
        let envelope = match kind {
            jws::MEDIA_TYPE => jws::parse(envelope)?,
            cose::MEDIA_TYPE => cose::parse(envelope)?,
            other => {
                return Err(VerifyError::unverified(format!(
                    "signature envelope '{other}' is not supported"
                )));
            }
        };
        envelope.check_integrity()?;
        if envelope.digest != digest.to_string() {
            return Err(VerifyError::unverified("the signed payload is about another image"));
        }
        let level = self.statement.level;
        let authentic = self.authentic(&envelope);
        let is_authentic = authentic.is_ok();
        self.note(level.authenticity, authentic)?;
        if envelope.expires_at.is_some_and(|end| end <= self.now) {
            let expired = VerifyError::unverified("digital signature has expired");
            self.note(level.expiry, Err(expired))?;
        }
        if level.timestamp == Action::Enforce {
            self.check_time(&envelope).await?;
        }
        // Nobody is asked for the sake of a certificate that nobody trusts: it names whom to ask.
        if level.revocation == Action::Enforce && is_authentic {
            let signed_at = match envelope.scheme {
                SigningScheme::SigningAuthority => envelope.signed_at,
                SigningScheme::X509 => None,
            };
            let revocation = Revocation { clients: self.clients, now: self.now, signed_at };
            revocation.check(&self.complete(&envelope.chain), "signing").await?;
        }
        // As in source-controller, what was only noted is not told as verified.
        Ok(Verified { signer: Some(envelope.subject()?), skipped: !is_authentic })
    }

    fn note(&self, action: Action, found: Result<(), VerifyError>) -> Result<(), VerifyError> {
        match (action, found) {
            (Action::Enforce, found) => found,
            (Action::Log, Err(error)) => {
                tracing::info!(policy = self.statement.name, %error, "noted, not enforced");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn authentic(&self, envelope: &Envelope) -> Result<(), VerifyError> {
        if !self.statement.names_store(envelope.scheme) {
            let why = "the trust policy names no trust store of that kind";
            return Err(VerifyError::unverified(why));
        }
        // By the authority that signs for itself, at the time of signing: whether the certificates
        // still hold is another question, which the level answers.
        let at = envelope.signed_at.unwrap_or(self.now);
        envelope.check_chain(self.roots, at)?;
        if !self.statement.trusts(&envelope.subject_parts()?) {
            return Err(VerifyError::unverified(format!(
                "signing certificate from the digital signature does not match the X.509 trusted \
                 identities [{}] defined in the trust policy \"{}\"",
                self.statement.identities.join(", "),
                self.statement.name
            )));
        }
        Ok(())
    }

    /// Checks that the certificates held when it was signed, as far as somebody vouches for that,
    /// else that they hold now.
    async fn check_time(&self, envelope: &Envelope) -> Result<(), VerifyError> {
        if envelope.scheme == SigningScheme::SigningAuthority {
            let at = envelope.signed_at.ok_or_else(|| {
                VerifyError::unverified("the signing authority does not tell the time")
            })?;
            return envelope.check_held(at, at);
        }
        let asked = match self.statement.verify_timestamp {
            VerifyTimestamp::Always => true,
            VerifyTimestamp::AfterExpiry => envelope.has_expired(self.now)?,
        };
        if !asked || !self.statement.names_timestampers() {
            return envelope.check_held(self.now, self.now);
        }
        let token = envelope.timestamp.as_ref().ok_or_else(|| {
            VerifyError::unverified(
                "no timestamp countersignature was found in the signature envelope",
            )
        })?;
        let authorities: Vec<Authority> = self.roots.iter().map(|der| Authority::of(der)).collect();
        let stamp = timestamp::check(token, &envelope.signature, &authorities)?;
        let Stamp { from, to, ref chain, .. } = stamp;
        envelope.check_held(from, to)?;
        let revocation = Revocation { clients: self.clients, now: self.now, signed_at: None };
        revocation.check(&self.complete(chain), "timestamping").await
    }

    /// A chain up to a certificate that issued itself, as far as it can be told.
    fn complete<'c, C: AsRef<[u8]>>(&'c self, chain: &'c [C]) -> Vec<&'c [u8]> {
        let Some(first) = chain.first() else { return Vec::new() };
        let mut all = vec![first.as_ref()];
        while all.len() < MAX_CHAIN {
            let Ok((_, last)) = X509Certificate::from_der(all[all.len() - 1]) else { break };
            if last.issuer() == last.subject() {
                break;
            }
            let others = chain.iter().map(AsRef::as_ref);
            let mut others = others.chain(self.roots.iter().map(Vec::as_slice));
            let issuer = others.find(|der| {
                X509Certificate::from_der(der).is_ok_and(|(_, own)| own.subject() == last.issuer())
            });
            let Some(issuer) = issuer.filter(|issuer| !all.contains(issuer)) else { break };
            all.push(issuer);
        }
        all
    }
}
