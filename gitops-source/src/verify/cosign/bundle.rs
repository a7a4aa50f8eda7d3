//! Sigstore bundles, as far as a verifier needs them.
//!
//! Follows `sigstore_bundle.proto` of the protobuf-specs, in its JSON form.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{super::VerifyError, payload::decoded};

/// A signature with what proves it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bundle {
    pub(super) media_type: String,
    pub(super) verification_material: Material,
    message_signature: Option<MessageSignature>,
    dsse_envelope: Option<Envelope>,
}

/// What a signature of a bundle is over.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A statement about the image.
    Statement { kind: String, payload: Vec<u8>, signature: Vec<u8> },
    /// The image's manifest itself.
    Message { signature: Vec<u8> },
}

impl Content {
    pub(super) fn into_signature(self) -> Vec<u8> {
        match self {
            Self::Statement { signature, .. } | Self::Message { signature } => signature,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Material {
    pub(super) certificate: Option<Raw>,
    pub(super) x509_certificate_chain: Option<Chain>,
    pub(super) tlog_entries: Vec<LogEntry>,
    pub(super) timestamp_verification_data: Option<Timestamps>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Raw {
    #[serde(deserialize_with = "base64")]
    pub(super) raw_bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chain {
    pub(super) certificates: Vec<Raw>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Timestamps {
    pub(super) rfc3161_timestamps: Vec<Timestamp>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timestamp {
    #[serde(deserialize_with = "base64")]
    pub(super) signed_timestamp: Vec<u8>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogEntry {
    #[serde(deserialize_with = "number")]
    pub(super) log_index: u64,
    pub(super) log_id: LogId,
    #[serde(deserialize_with = "number")]
    pub(super) integrated_time: u64,
    pub(super) inclusion_promise: Option<Promise>,
    pub(super) inclusion_proof: Option<Proof>,
    #[serde(deserialize_with = "base64")]
    pub(super) canonicalized_body: Vec<u8>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogId {
    #[serde(deserialize_with = "base64")]
    pub(super) key_id: Vec<u8>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Promise {
    #[serde(deserialize_with = "base64")]
    pub(super) signed_entry_timestamp: Vec<u8>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Proof {
    #[serde(deserialize_with = "number")]
    pub(super) log_index: u64,
    #[serde(deserialize_with = "base64")]
    pub(super) root_hash: Vec<u8>,
    #[serde(deserialize_with = "number")]
    pub(super) tree_size: u64,
    pub(super) hashes: Vec<String>,
    pub(super) checkpoint: Checkpoint,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Checkpoint {
    pub(super) envelope: String,
}

#[derive(Clone, Debug, Deserialize)]
struct MessageSignature {
    #[serde(deserialize_with = "base64")]
    signature: Vec<u8>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(deserialize_with = "base64")]
    payload: Vec<u8>,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Clone, Debug, Deserialize)]
struct EnvelopeSignature {
    #[serde(deserialize_with = "base64")]
    sig: Vec<u8>,
}

impl Bundle {
    pub(super) fn parse(json: &[u8]) -> Result<Self, VerifyError> {
        let bundle: Self = serde_json::from_slice(json)
            .map_err(|error| VerifyError::unverified(format!("malformed bundle: {error}")))?;
        if bundle.verification_material.tlog_entries.len() > 8 {
            return Err(VerifyError::unverified("malformed bundle: too many log entries"));
        }
        Ok(bundle)
    }

    pub(super) fn content(&self) -> Result<Content, VerifyError> {
        match (&self.dsse_envelope, &self.message_signature) {
            (Some(envelope), None) => match envelope.signatures.as_slice() {
                [one] => Ok(Content::Statement {
                    kind: envelope.payload_type.clone(),
                    payload: envelope.payload.clone(),
                    signature: one.sig.clone(),
                }),
                _ => Err(VerifyError::unverified("malformed bundle: not one signature")),
            },
            (None, Some(message)) => Ok(Content::Message { signature: message.signature.clone() }),
            _ => Err(VerifyError::unverified("malformed bundle: not one content")),
        }
    }

    /// The certificate of who signed, and what stands above it.
    pub(super) fn certificates(&self) -> Option<(&[u8], Vec<&[u8]>)> {
        let material = &self.verification_material;
        if let Some(certificate) = &material.certificate {
            return Some((&certificate.raw_bytes, Vec::new()));
        }
        let chain = &material.x509_certificate_chain.as_ref()?.certificates;
        let (leaf, rest) = chain.split_first()?;
        Some((&leaf.raw_bytes, rest.iter().map(|raw| raw.raw_bytes.as_slice()).collect()))
    }
}

pub(super) fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    decoded(&text).ok_or_else(|| D::Error::custom("malformed base64"))
}

/// 64-bit numbers are strings in protobuf's JSON; readers accept both.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(u64),
        Text(String),
    }
    match Number::deserialize(deserializer)? {
        Number::Number(number) => Ok(number),
        Number::Text(text) => text.parse().map_err(D::Error::custom),
    }
}
