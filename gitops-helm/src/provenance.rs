//! Provenance files: who packed a chart, and that nothing changed since.
//!
//! Follows helm pkg/provenance/sign.go: the chart's metadata and the digest of its archive, signed
//! with `OpenPGP` as clear text.

use std::fmt;

use gitops_core::{Class, Classify, Digest, Secret, quoted};
use gitops_yaml::{Flavour, Node, to_yaml};
use jiff::Timestamp;
use pgp::{
    composed::{
        ArmorOptions, CleartextSignedMessage, Deserializable, SignedPublicKey, SignedSecretKey,
    },
    crypto::hash::HashAlgorithm,
    packet::{Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::{KeyDetails as _, Password, SigningKey, VerifyingKey},
};

use crate::chart::Metadata;

/// Keys of a ring that are looked at.
const MOST: usize = 1000;
/// The largest provenance file.
const MAX_BYTES: usize = 1 << 20;

/// Public keys, any of which may have signed.
pub struct Keyring(Vec<SignedPublicKey>);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.0.len())
    }
}

/// A key that packages are signed with.
pub struct ChartSigner {
    key: Box<SignedSecretKey>,
    password: Password,
}

impl fmt::Debug for ChartSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChartSigner")
    }
}

/// A package that is what its provenance file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The names of the key that signed: `Name <mail>`.
    pub signed_by: Vec<String>,
    /// Its fingerprint in hexadecimal.
    pub fingerprint: String,
    /// The digest of the archive.
    pub digest: Digest,
}

/// A package that is not what its provenance file says, or that cannot be signed. The text is
/// Helm's where Helm has one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvenanceError {
    /// The file holds no signed text.
    #[error("signature block not found")]
    NoSignature,
    /// No key of the ring made the signature, or none that may.
    #[error("openpgp: signature made by unknown entity")]
    UnknownSigner,
    /// The signed text is not what Helm writes.
    #[error("message block must have at least two parts")]
    Malformed,
    /// The signed text does not name the archive.
    #[error("provenance does not contain a SHA for a file named {}", quoted(.0))]
    NoDigest(String),
    /// The archive is another one.
    #[error("sha256 sum does not match for {file}: {} != {}", quoted(expected), quoted(found))]
    OtherDigest {
        /// The archive.
        file: String,
        /// What was signed.
        expected: String,
        /// What is there.
        found: String,
    },
    /// There is no such key.
    #[error("private key not found")]
    NoKey,
    /// The ring holds several such keys.
    #[error("more than one key contain the id {}", quoted(.0))]
    ManyKeys(String),
    /// The keys cannot be read.
    #[error("the keyring cannot be read")]
    Keyring,
    /// The key does not sign, with this passphrase.
    #[error("the key does not sign with this passphrase")]
    Sign,
}

impl Classify for ProvenanceError {
    fn class(&self) -> Class {
        match self {
            Self::NoKey | Self::ManyKeys(_) | Self::Keyring | Self::Sign => Class::Invalid,
            _ => Class::Denied,
        }
    }
}

impl Keyring {
    /// Reads keys as `gpg --export` writes them, armored or not.
    ///
    /// # Errors
    /// [`ProvenanceError::Keyring`] when there is no key.
    pub fn read(bytes: &[u8]) -> Result<Self, ProvenanceError> {
        read_keys(bytes).map(Self)
    }

    /// Verifies an archive by the text of its provenance file. Keys that are revoked or that
    /// ended before `now` count for nothing.
    ///
    /// # Errors
    /// [`ProvenanceError`] says what is not as it should be; every doubt is an error.
    pub fn verify(
        &self,
        archive: &[u8],
        provenance: &str,
        file_name: &str,
        now: Timestamp,
    ) -> Result<Verification, ProvenanceError> {
        if provenance.len() > MAX_BYTES {
            return Err(ProvenanceError::NoSignature);
        }
        let (message, _) = CleartextSignedMessage::from_string(provenance)
            .map_err(|_| ProvenanceError::NoSignature)?;
        let key = self
            .0
            .iter()
            .find(|key| is_alive(key, now) && made_by(key, &message))
            .ok_or(ProvenanceError::UnknownSigner)?;
        let text = message.signed_text().replace("\r\n", "\n");
        let expected = signed_digest(&text, file_name)?;
        let digest = Digest::sha256(archive);
        if expected != digest.to_string() {
            return Err(ProvenanceError::OtherDigest {
                file: file_name.to_owned(),
                expected,
                found: digest.to_string(),
            });
        }
        Ok(Verification {
            signed_by: names(key),
            fingerprint: key.fingerprint().to_string().to_uppercase(),
            digest,
        })
    }
}

impl ChartSigner {
    /// The key of a ring whose name is `id`, or contains it.
    ///
    /// # Errors
    /// When there is none or more than one, or it does not sign with this passphrase.
    pub fn from_keyring(
        ring: &Secret,
        id: &str,
        passphrase: Option<&Secret>,
    ) -> Result<Self, ProvenanceError> {
        let keys: Vec<SignedSecretKey> = read_keys(ring.expose())?;
        let users = |key: &SignedSecretKey| -> Vec<String> {
            key.details
                .users
                .iter()
                .map(|u| String::from_utf8_lossy(u.id.id()).into_owned())
                .collect()
        };
        let exact = keys.iter().position(|key| users(key).iter().any(|name| name == id));
        let found = match exact {
            Some(index) => index,
            None => {
                let mut like = keys
                    .iter()
                    .enumerate()
                    .filter(|(_, key)| users(key).iter().any(|name| name.contains(id)));
                let (index, _) = like.next().ok_or(ProvenanceError::NoKey)?;
                if like.next().is_some() {
                    return Err(ProvenanceError::ManyKeys(id.to_owned()));
                }
                index
            }
        };
        let key = keys.into_iter().nth(found).ok_or(ProvenanceError::NoKey)?;
        let password = passphrase.map_or_else(Password::empty, |text| text.expose().into());
        let signer = Self { key: Box::new(key), password };
        // Said now, and not when there is something to sign.
        signer.sign_text("probe", Timestamp::UNIX_EPOCH)?;
        Ok(signer)
    }

    /// The text of a provenance file for an archive.
    ///
    /// # Errors
    /// [`ProvenanceError::Sign`].
    pub fn sign(
        &self,
        archive: &[u8],
        file_name: &str,
        metadata: &Metadata,
        now: Timestamp,
    ) -> Result<String, ProvenanceError> {
        let yaml = |json| to_yaml(&Node::from_json(json)).map_err(|_| ProvenanceError::Malformed);
        let digest = Digest::sha256(archive).to_string();
        let sums = yaml(serde_json::json!({"files": {file_name: digest}}))?;
        let text = format!("{}\n...\n{sums}", yaml(metadata.to_json())?);
        // The last line break belongs to the frame, not to what is signed.
        self.sign_text(text.trim_end_matches('\n'), now)
    }

    fn sign_text(&self, text: &str, now: Timestamp) -> Result<String, ProvenanceError> {
        let subkey = self
            .key
            .secret_subkeys
            .iter()
            .rev()
            .find(|subkey| subkey.signatures.iter().any(|binding| binding.key_flags().sign()));
        match subkey {
            Some(subkey) => self.sign_with(&subkey.key, text, now),
            None => self.sign_with(&self.key.primary_key, text, now),
        }
    }

    fn sign_with(
        &self,
        key: &impl SigningKey,
        text: &str,
        now: Timestamp,
    ) -> Result<String, ProvenanceError> {
        let failed = |_| ProvenanceError::Sign;
        let seconds = u32::try_from(now.as_second()).unwrap_or(u32::MAX);
        let mut config =
            SignatureConfig::v4(SignatureType::Text, key.algorithm(), HashAlgorithm::Sha512);
        let at = pgp::types::Timestamp::from_secs(seconds);
        let issuer = SubpacketData::IssuerFingerprint(key.fingerprint());
        config.hashed_subpackets = vec![
            Subpacket::regular(issuer).map_err(failed)?,
            Subpacket::critical(SubpacketData::SignatureCreationTime(at)).map_err(failed)?,
        ];
        let issuer = SubpacketData::IssuerKeyId(key.legacy_key_id());
        config.unhashed_subpackets = vec![Subpacket::regular(issuer).map_err(failed)?];
        CleartextSignedMessage::new(text, config, key, &self.password)
            .and_then(|message| message.to_armored_string(ArmorOptions::default()))
            .map_err(failed)
    }
}

fn read_keys<K: Deserializable>(bytes: &[u8]) -> Result<Vec<K>, ProvenanceError> {
    let armored = bytes.trim_ascii_start().starts_with(b"-----BEGIN");
    // A key of a kind that is not known does not make the others useless.
    let keys: Vec<K> = if armored {
        let (keys, _) = K::from_armor_many(bytes).map_err(|_| ProvenanceError::Keyring)?;
        keys.take(MOST).filter_map(Result::ok).collect()
    } else {
        let keys = K::from_bytes_many(bytes).map_err(|_| ProvenanceError::Keyring)?;
        keys.take(MOST).filter_map(Result::ok).collect()
    };
    if keys.is_empty() { Err(ProvenanceError::Keyring) } else { Ok(keys) }
}

/// Whether a key is neither revoked nor at its end.
fn is_alive(key: &SignedPublicKey, now: Timestamp) -> bool {
    let primary = &key.primary_key;
    let revocations = &key.details.revocation_signatures;
    if revocations.iter().any(|revocation| revocation.verify_key(primary).is_ok()) {
        return false;
    }
    let selves = key.details.direct_signatures.iter();
    let selves = selves.chain(key.details.users.iter().flat_map(|user| &user.signatures));
    let newest = selves.max_by_key(|own| own.created().map(pgp::types::Timestamp::as_secs));
    let lifetime =
        newest.and_then(Signature::key_expiration_time).map_or(0, pgp::types::Duration::as_secs);
    let end = i64::from(primary.created_at().as_secs()) + i64::from(lifetime);
    lifetime == 0 || end > now.as_second()
}

/// Whether the key, or a subkey that may sign, made one of the signatures.
fn made_by(key: &SignedPublicKey, message: &CleartextSignedMessage) -> bool {
    let strong = message.signatures().iter().all(|signature| {
        !matches!(
            signature.hash_alg(),
            None | Some(HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160)
        )
    });
    let signed = |key: &dyn Fn() -> bool| strong && key();
    if signed(&|| verifies(&key.primary_key, message)) {
        return true;
    }
    key.public_subkeys.iter().any(|subkey| {
        let bound = subkey.signatures.iter().any(|binding| {
            binding.typ() == Some(SignatureType::SubkeyBinding)
                && binding.key_flags().sign()
                && binding.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok()
        });
        let revoked = subkey
            .signatures
            .iter()
            .any(|binding| binding.typ() == Some(SignatureType::SubkeyRevocation));
        bound && !revoked && signed(&|| verifies(&subkey.key, message))
    })
}

fn verifies(key: &impl VerifyingKey, message: &CleartextSignedMessage) -> bool {
    message.verify(key).is_ok()
}

fn names(key: &SignedPublicKey) -> Vec<String> {
    key.details.users.iter().map(|u| String::from_utf8_lossy(u.id.id()).into_owned()).collect()
}

/// The digest that the signed text has for a file.
fn signed_digest(text: &str, file_name: &str) -> Result<String, ProvenanceError> {
    let (_, rest) = text.split_once("\n...\n").ok_or(ProvenanceError::Malformed)?;
    let sums = rest.split("\n...\n").next().unwrap_or(rest);
    let sums: Node =
        gitops_yaml::read_first(sums, Flavour::V2).map_err(|_| ProvenanceError::Malformed)?;
    let found = sums.at(["files", file_name]).and_then(Node::as_str);
    found.map(str::to_owned).ok_or_else(|| ProvenanceError::NoDigest(file_name.to_owned()))
}

#[cfg(test)]
mod tests;
