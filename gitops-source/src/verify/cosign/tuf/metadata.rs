//! What a repository of The Update Framework says, and who must have signed it.
//!
//! Follows the specification, version 1.0, sections 4.2 to 4.6. Ids of keys are taken as they are
//! declared, and signatures are over canonical JSON as securesystemslib writes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ring::{
    digest::{SHA256, SHA512, digest},
    signature::{self as algorithm, UnparsedPublicKey, VerificationAlgorithm},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::super::super::key::PublicKey;

/// A document with its signatures, of which nothing is known yet.
#[derive(Deserialize)]
pub(super) struct Envelope {
    signed: Value,
    #[serde(default)]
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    keyid: String,
    sig: String,
}

/// What all documents say of themselves.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    version: u64,
    expires: Timestamp,
}

/// A document that was signed by those who may.
#[derive(Clone, Debug)]
pub(super) struct Document<T> {
    pub(super) version: u64,
    pub(super) expires: Timestamp,
    pub(super) content: T,
}

/// Who may sign what.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Root {
    keys: BTreeMap<String, Key>,
    roles: BTreeMap<String, Role>,
    #[serde(default)]
    pub(super) consistent_snapshot: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Role {
    keyids: BTreeSet<String>,
    threshold: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Key {
    keytype: String,
    scheme: String,
    keyval: KeyValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct KeyValue {
    public: String,
}

/// The documents that a timestamp or a snapshot lists.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Listing {
    pub(super) meta: BTreeMap<String, Listed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Listed {
    pub(super) version: u64,
    pub(super) length: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

/// The files that a repository is for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Targets {
    pub(super) targets: BTreeMap<String, Target>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Target {
    pub(super) length: u64,
    pub(super) hashes: BTreeMap<String, String>,
}

impl Envelope {
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|error| format!("malformed: {error}"))
    }

    /// The document, of which nobody has to have signed anything: what signs may be in it.
    pub(super) fn unverified<T: DeserializeOwned>(
        &self,
        kind: &str,
    ) -> Result<Document<T>, String> {
        let malformed = |error: serde_json::Error| format!("malformed: {error}");
        let header = Header::deserialize(&self.signed).map_err(malformed)?;
        if header.kind != kind {
            return Err(format!("is a document of the kind {:?}", header.kind));
        }
        if !header.spec_version.starts_with("1.") {
            return Err(format!("specification {:?} is not supported", header.spec_version));
        }
        let content = T::deserialize(&self.signed).map_err(malformed)?;
        Ok(Document { version: header.version, expires: header.expires, content })
    }

    /// What signatures are over.
    pub(super) fn canonical(&self) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        canonical(&self.signed, &mut out)?;
        Ok(out)
    }

    /// Checks that as many of a role's keys as it asks for have signed.
    pub(super) fn check(&self, root: &Root, role: &str) -> Result<(), String> {
        let own = root.roles.get(role).ok_or_else(|| format!("nobody may sign as {role}"))?;
        let message = self.canonical()?;
        // One key counts once, whatever ids it is known by.
        let mut good: Vec<&str> = Vec::new();
        for signature in self.signatures.iter().take(64) {
            let Some(key) = root.keys.get(&signature.keyid) else { continue };
            let known = good.contains(&key.keyval.public.as_str());
            if !known && own.keyids.contains(&signature.keyid) && key.signed(&message, signature) {
                good.push(&key.keyval.public);
            }
        }
        if own.threshold == 0 || good.len() < own.threshold {
            return Err(format!(
                "{} of {} signatures as {role} are good",
                good.len(),
                own.threshold
            ));
        }
        Ok(())
    }
}

impl Root {
    /// Whether somebody else may sign as a role than before.
    pub(super) fn differs_in(&self, other: &Self, role: &str) -> bool {
        let (own, others) = (self.roles.get(role), other.roles.get(role));
        let keys = |root: &Self| {
            let ids = root.roles.get(role).into_iter().flat_map(|role| &role.keyids);
            ids.map(|id| root.keys.get(id).cloned()).collect::<Vec<_>>()
        };
        own != others || keys(self) != keys(other)
    }
}

impl Key {
    fn signed(&self, message: &[u8], signature: &Signature) -> bool {
        let Ok(signature) = hex::decode(&signature.sig) else { return false };
        let algorithm: &'static dyn VerificationAlgorithm = match self.scheme.as_str() {
            "ecdsa-sha2-nistp256" => &algorithm::ECDSA_P256_SHA256_ASN1,
            "ecdsa-sha2-nistp384" => &algorithm::ECDSA_P384_SHA384_ASN1,
            "rsassa-pss-sha256" => &algorithm::RSA_PSS_2048_8192_SHA256,
            "ed25519" => &algorithm::ED25519,
            _ => return false,
        };
        let public = &self.keyval.public;
        if self.keytype == "ed25519" {
            let raw = hex::decode(public).unwrap_or_default();
            return UnparsedPublicKey::new(algorithm, raw).verify(message, &signature).is_ok();
        }
        PublicKey::from_pem(public.as_bytes())
            .is_ok_and(|key| key.check(algorithm, message, &signature))
    }
}

impl Listed {
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        self.length.is_none_or(|length| length == bytes.len() as u64) && hashed(&self.hashes, bytes)
    }
}

impl Target {
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        self.length == bytes.len() as u64 && !self.hashes.is_empty() && hashed(&self.hashes, bytes)
    }
}

/// Whether all hashes are those of some bytes; one of a kind that is not known is none.
fn hashed(hashes: &BTreeMap<String, String>, bytes: &[u8]) -> bool {
    hashes.iter().all(|(kind, hash)| match kind.as_str() {
        "sha256" => *hash == hex::encode(digest(&SHA256, bytes)),
        "sha512" => *hash == hex::encode(digest(&SHA512, bytes)),
        _ => false,
    })
}

/// Canonical JSON: members by name, no spaces, nothing escaped but `"` and `\`.
fn canonical(value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::Number(_) => return Err("malformed: a number is not whole".to_owned()),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                canonical(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let members: BTreeMap<&String, &Value> = members.iter().collect();
            out.push(b'{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                quote(name, out);
                out.push(b':');
                canonical(member, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_has_one_form() {
        let json = r#"{"b": [1, true, null], "a": "line\nnext \"q\" \\ é", "A": {}}"#;
        let mut out = Vec::new();
        canonical(&serde_json::from_str(json).unwrap(), &mut out).unwrap();
        let expected = "{\"A\":{},\"a\":\"line\nnext \\\"q\\\" \\\\ é\",\"b\":[1,true,null]}";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(canonical(&serde_json::json!(1.5), &mut Vec::new()).is_err());
    }
}
