//! Whom a Sigstore installation trusts: its certificate authorities, logs and timestamp services.

use serde::Deserialize;

use super::{
    super::{
        VerifyError,
        authority::{Authority, Valid},
        key::PublicKey,
    },
    bundle::Raw,
    payload::decoded,
};

/// How the media types of all versions of the document begin.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot";

/// The authorities of a Sigstore installation, as its `trusted_root.json` lists them.
#[derive(Clone, Debug)]
pub struct TrustedRoot {
    pub(super) authorities: Vec<Authority>,
    pub(super) timestampers: Vec<Authority>,
    pub(super) logs: Vec<Log>,
    pub(super) certificate_logs: Vec<Log>,
}

/// A log that is known by an id.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) id: Vec<u8>,
    pub(super) key: PublicKey,
    pub(super) valid: Valid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    tlogs: Vec<LogDocument>,
    #[serde(default)]
    ctlogs: Vec<LogDocument>,
    #[serde(default)]
    certificate_authorities: Vec<AuthorityDocument>,
    #[serde(default)]
    timestamp_authorities: Vec<AuthorityDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogDocument {
    public_key: KeyDocument,
    log_id: Option<IdDocument>,
    checkpoint_key_id: Option<IdDocument>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyDocument {
    raw_bytes: String,
    #[serde(default)]
    valid_for: Valid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdDocument {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityDocument {
    cert_chain: ChainDocument,
    #[serde(default)]
    valid_for: Valid,
}

#[derive(Deserialize)]
struct ChainDocument {
    certificates: Vec<Raw>,
}

impl TrustedRoot {
    /// Reads a `trusted_root.json`. Logs whose keys are of a kind that is not known are left out.
    ///
    /// # Errors
    /// When it is malformed, or holds no authority.
    pub fn parse(json: &[u8]) -> Result<Self, VerifyError> {
        let unable = |why: &dyn std::fmt::Display| {
            VerifyError::invalid(format!("unable to parse trusted root: {why}"))
        };
        let document: Document = serde_json::from_slice(json).map_err(|error| unable(&error))?;
        if !document.media_type.starts_with(MEDIA_TYPE) {
            let shown = &document.media_type;
            return Err(unable(&format!("unsupported TrustedRoot media type: {shown}")));
        }
        let authorities = |all: Vec<AuthorityDocument>| {
            let chain = |own: AuthorityDocument| Authority {
                chain: own.cert_chain.certificates.into_iter().map(|raw| raw.raw_bytes).collect(),
                valid: own.valid_for,
            };
            all.into_iter().map(chain).filter(|own| !own.chain.is_empty()).collect::<Vec<_>>()
        };
        let root = Self {
            authorities: authorities(document.certificate_authorities),
            timestampers: authorities(document.timestamp_authorities),
            logs: document.tlogs.iter().filter_map(LogDocument::log).collect(),
            certificate_logs: document.ctlogs.iter().filter_map(LogDocument::log).collect(),
        };
        if root.authorities.is_empty() {
            return Err(unable(&"no certificate authority"));
        }
        Ok(root)
    }

    pub(super) fn log(&self, id: &[u8]) -> Option<&Log> {
        self.logs.iter().find(|log| log.id == id)
    }
}

impl LogDocument {
    fn log(&self) -> Option<Log> {
        let key = PublicKey::from_der(&decoded(&self.public_key.raw_bytes)?).ok()?;
        let id = self.log_id.as_ref().or(self.checkpoint_key_id.as_ref());
        let id = id.and_then(|id| decoded(&id.key_id)).unwrap_or_else(|| key.id().to_vec());
        Some(Log { id, key, valid: self.public_key.valid_for })
    }
}
