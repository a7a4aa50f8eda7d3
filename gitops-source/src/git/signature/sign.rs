//! Signatures for commits that are made here.

use std::fmt;

use gitops_core::Secret;
use jiff::Timestamp;
use pgp::{
    composed::{ArmorOptions, Deserializable as _, DetachedSignature, SignedSecretKey},
    crypto::hash::HashAlgorithm,
    packet::{SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::{KeyVersion, Password, SigningKey},
};
use russh::keys::{
    Algorithm, PrivateKey,
    ssh_key::{HashAlg, LineEnding},
};

use crate::{SourceError, git::ssh::read_key};

/// A key that commits are signed with.
pub struct GitSigner(Key);

enum Key {
    OpenPgp { key: Box<SignedSecretKey>, password: Password },
    Ssh(Box<PrivateKey>),
}

impl fmt::Debug for GitSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Key::OpenPgp { .. } => "GitSigner(OpenPGP)",
            Key::Ssh(_) => "GitSigner(SSH)",
        })
    }
}

impl GitSigner {
    /// An armored `OpenPGP` key with its secret part, of which a key that may sign is taken.
    ///
    /// # Errors
    /// When it cannot be read, or cannot sign with this passphrase.
    pub fn open_pgp(armored: &Secret, passphrase: Option<&Secret>) -> Result<Self, SourceError> {
        // Nothing of the key may be told, and its library does not promise that.
        let malformed = || SourceError::Invalid("could not read OpenPGP signing key".into());
        let (key, _) =
            SignedSecretKey::from_armor_single(armored.expose()).map_err(|_| malformed())?;
        let password = match passphrase {
            Some(passphrase) => Password::from(passphrase.expose()),
            None => Password::empty(),
        };
        let signer = Self(Key::OpenPgp { key: Box::new(key), password });
        // Said now, and not when there is something to sign.
        signer.sign(b"probe", Timestamp::UNIX_EPOCH)?;
        Ok(signer)
    }

    /// An SSH key: ed25519, ECDSA, or RSA of at least 2048 bits.
    ///
    /// # Errors
    /// When it cannot be read, or is of another kind; [`SourceError::Encrypted`] for a key that is
    /// encrypted when there is no passphrase.
    pub fn ssh(pem: &Secret, passphrase: Option<&Secret>) -> Result<Self, SourceError> {
        let key = read_key(pem, passphrase.filter(|text| !text.is_empty()))?;
        let rsa = key.public_key().key_data().rsa();
        let weak = rsa.is_some_and(|rsa| rsa.key_size() < 2048);
        match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. } if !weak => {
                Ok(Self(Key::Ssh(Box::new(key))))
            }
            _ => Err(SourceError::Invalid("unsupported SSH signing key".into())),
        }
    }

    /// An armored signature.
    pub(crate) fn sign(&self, payload: &[u8], now: Timestamp) -> Result<String, SourceError> {
        match &self.0 {
            Key::OpenPgp { key, password } => {
                // The key that gpg would take: the newest subkey that may sign, else the main one.
                let subkey = key.secret_subkeys.iter().rev().find(|subkey| {
                    subkey.signatures.iter().any(|binding| binding.key_flags().sign())
                });
                match subkey {
                    Some(subkey) => open_pgp(&subkey.key, password, payload, now),
                    None => open_pgp(&key.primary_key, password, payload, now),
                }
            }
            Key::Ssh(key) => {
                let failed = |_| SourceError::Invalid("SSH key does not sign".into());
                let signature = key.sign("git", HashAlg::Sha512, payload).map_err(failed)?;
                signature.to_pem(LineEnding::LF).map_err(failed)
            }
        }
    }
}

fn open_pgp(
    key: &impl SigningKey,
    password: &Password,
    payload: &[u8],
    now: Timestamp,
) -> Result<String, SourceError> {
    let failed = |_| SourceError::Invalid("OpenPGP key does not sign with this passphrase".into());
    if key.version() != KeyVersion::V4 {
        return Err(SourceError::Invalid("unsupported OpenPGP key version".into()));
    }
    let seconds = u32::try_from(now.as_second()).unwrap_or(u32::MAX);
    let hash = HashAlgorithm::Sha512;
    let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), hash);
    let at = pgp::types::Timestamp::from_secs(seconds);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint())).map_err(failed)?,
        Subpacket::critical(SubpacketData::SignatureCreationTime(at)).map_err(failed)?,
    ];
    config.unhashed_subpackets =
        vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id())).map_err(failed)?];
    let signature = config.sign(key, password, payload).map_err(failed)?;
    DetachedSignature::new(signature).to_armored_string(ArmorOptions::default()).map_err(failed)
}
