//! Signatures of those who proved to an authority who they are, instead of having a key.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex::Regex;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::Deserialize;

use super::{
    super::{
        Verified, VerifyError,
        authority::{CODE_SIGNING, check_chain},
        timestamp,
    },
    Simple,
    bundle::{self, Bundle, Content, LogEntry, Promise, base64},
    certificate::Leaf,
    transparency::{self, Claim},
    trusted_root::TrustedRoot,
};

const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// Who must have signed: both are regular expressions, not anchored.
#[derive(Clone, Debug)]
pub struct IdentityMatch {
    issuer: Regex,
    subject: Regex,
}

impl IdentityMatch {
    /// An identity of an issuer.
    ///
    /// # Errors
    /// When one is no regular expression.
    pub fn new(issuer: &str, subject: &str) -> Result<Self, VerifyError> {
        let compiled = |what: &str, text: &str| {
            Regex::new(text)
                .map_err(|_| VerifyError::invalid(format!("malformed {what} in identity: {text}")))
        };
        Ok(Self { issuer: compiled("issuer", issuer)?, subject: compiled("subject", subject)? })
    }
}

/// Whose word is taken for who signed, and who must have.
#[derive(Clone, Debug)]
pub struct Keyless {
    root: TrustedRoot,
    identities: Vec<IdentityMatch>,
}

/// What stands beside a signature of the older form.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogNote {
    #[serde(deserialize_with = "base64")]
    signed_entry_timestamp: Vec<u8>,
    payload: LogPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogPayload {
    #[serde(deserialize_with = "base64")]
    body: Vec<u8>,
    integrated_time: u64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimestampNote {
    #[serde(rename = "SignedRFC3161Timestamp", deserialize_with = "base64")]
    signed: Vec<u8>,
}

impl Keyless {
    /// Without any identity, everybody whom the authorities know is good.
    pub fn new(root: TrustedRoot, identities: Vec<IdentityMatch>) -> Self {
        Self { root, identities }
    }

    pub(super) fn check_bundle(
        &self,
        bundle: &Bundle,
        message: &[u8],
    ) -> Result<Verified, VerifyError> {
        let (certificate, between) = bundle
            .certificates()
            .ok_or_else(|| VerifyError::unverified("bundle holds no certificate"))?;
        let material = &bundle.verification_material;
        // Later forms promise that the proof is there; the first had a promise of the log alone.
        let proof = !bundle.media_type.ends_with("version=0.1");
        if proof && material.tlog_entries.iter().any(|entry| entry.inclusion_proof.is_none()) {
            return Err(VerifyError::unverified("transparency log entry: no proof of inclusion"));
        }
        let (inner, signature) = match bundle.content()? {
            Content::Statement { payload, signature, .. } => (payload, signature),
            Content::Message { signature } => (message.to_vec(), signature),
        };
        let timestamps = material.timestamp_verification_data.as_ref();
        let timestamps = timestamps.into_iter().flat_map(|all| &all.rfc3161_timestamps);
        self.check(&Evidence {
            claim: Claim { message: &inner, signed: message, signature: &signature, certificate },
            between,
            entries: &material.tlog_entries,
            timestamps: timestamps.map(|one| one.signed_timestamp.as_slice()).collect(),
        })
    }

    pub(super) fn check_simple(&self, simple: &Simple) -> Result<Verified, VerifyError> {
        let missing =
            |what: &str| VerifyError::unverified(format!("no {what} beside the signature"));
        let note = |key: &str| simple.annotations.get(key);
        let certificate = note(CERTIFICATE).ok_or_else(|| missing("certificate"))?;
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| VerifyError::unverified("malformed certificate"))?;
        let chain = note(CHAIN).map(String::as_str).unwrap_or_default();
        let between: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .filter_map(Result::ok)
            .take(8)
            .collect();
        let entries: Vec<LogEntry> = log_entry(&simple.annotations)?.into_iter().collect();
        let timestamp = note(TIMESTAMP).map(|text| {
            serde_json::from_str::<TimestampNote>(text)
                .map_err(|_| VerifyError::unverified("malformed timestamp beside the signature"))
        });
        let timestamp = timestamp.transpose()?;
        self.check(&Evidence {
            claim: Claim {
                message: &simple.payload,
                signed: &simple.payload,
                signature: &simple.signature,
                certificate: &certificate,
            },
            between: between.iter().map(AsRef::as_ref).collect(),
            entries: &entries,
            timestamps: timestamp.iter().map(|note| note.signed.as_slice()).collect(),
        })
    }

    fn check(&self, evidence: &Evidence<'_>) -> Result<Verified, VerifyError> {
        let claim = evidence.claim;
        let leaf = Leaf::parse(claim.certificate)?;
        let mut times: Vec<Timestamp> = Vec::new();
        if evidence.entries.is_empty() {
            return Err(VerifyError::unverified("no proof of a transparency log"));
        }
        for entry in evidence.entries {
            times.extend(transparency::check(entry, claim, &self.root)?);
        }
        for token in &evidence.timestamps {
            times.push(timestamp::check(token, claim.signature, &self.root.timestampers)?.at);
        }
        if times.is_empty() {
            return Err(VerifyError::unverified("nobody confirms when the signature was made"));
        }
        for at in times {
            if !leaf.holds(at) {
                return Err(VerifyError::unverified("certificate did not hold at that time"));
            }
            let authorities = &self.root.authorities;
            check_chain(claim.certificate, authorities, &evidence.between, at, CODE_SIGNING)?;
        }
        let logs = &self.root.certificate_logs;
        leaf.check_logged(logs, &self.root.authorities, &evidence.between)?;
        if !leaf.key.verify(claim.signed, claim.signature) {
            return Err(VerifyError::unverified("invalid signature"));
        }
        self.check_identity(&leaf)
    }

    fn check_identity(&self, leaf: &Leaf<'_>) -> Result<Verified, VerifyError> {
        let (names, issuer) = leaf.identity();
        let fits = |wanted: &IdentityMatch| {
            issuer.as_ref().is_some_and(|issuer| wanted.issuer.is_match(issuer))
                && names.iter().any(|name| wanted.subject.is_match(name))
        };
        if self.identities.is_empty() || self.identities.iter().any(fits) {
            return Ok(Verified { signer: names.into_iter().next(), ..Verified::default() });
        }
        Err(VerifyError::unverified(format!(
            "none of the expected identities matched what was in the certificate, got subjects \
             [{}] with issuer {}",
            names.join(", "),
            issuer.unwrap_or_default()
        )))
    }
}

/// All that speaks for a signature.
struct Evidence<'e> {
    claim: Claim<'e>,
    /// Certificates between the signer's and the authority's.
    between: Vec<&'e [u8]>,
    entries: &'e [LogEntry],
    timestamps: Vec<&'e [u8]>,
}

fn log_entry(notes: &BTreeMap<String, String>) -> Result<Option<LogEntry>, VerifyError> {
    let Some(text) = notes.get(LOG) else { return Ok(None) };
    let malformed = || VerifyError::unverified("malformed log entry beside the signature");
    let note: LogNote = serde_json::from_str(text).map_err(|_| malformed())?;
    Ok(Some(LogEntry {
        log_index: note.payload.log_index,
        log_id: bundle::LogId {
            key_id: hex::decode(&note.payload.log_id).map_err(|_| malformed())?,
        },
        integrated_time: note.payload.integrated_time,
        inclusion_promise: Some(Promise { signed_entry_timestamp: note.signed_entry_timestamp }),
        inclusion_proof: None,
        canonicalized_body: note.payload.body,
    }))
}
