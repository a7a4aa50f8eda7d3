//! Signatures of commits and tags.
//!
//! What is verified are the bytes of the object as it is stored, without the signature, as Git cuts
//! it out; an object that two readers could take for two different things is refused. Texts follow
//! fluxcd/pkg `git/signature`; differs in that revoked and expired OpenPGP keys are told apart in no
//! message, since Flux does not either.

mod openpgp;
mod payload;
mod sign;
mod ssh;

use gitops_core::{Class, Classify};
use jiff::Timestamp;

use crate::{Subject, TagObject};
use payload::Signed;

pub use sign::GitSigner;

/// The public keys that are trusted to sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitKeys {
    openpgp: Vec<Vec<u8>>,
    ssh: Vec<Vec<u8>>,
}

/// Why a signature is not good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The object bears no signature.
    #[error("unsupported signature type: empty")]
    Unsigned,
    /// The signature is of a kind that is not verified, such as X.509.
    #[error("unsupported signature type: {0}")]
    Unsupported(&'static str),
    /// There is no key of the signature's kind.
    #[error(
        "{kind} signature detected but no {kind} public keys found in secret (keys with {suffix} suffix)"
    )]
    NoKeys {
        /// `PGP` or `SSH`.
        kind: &'static str,
        /// What the entries of such keys end in.
        suffix: &'static str,
    },
    /// None of the keys made the signature, or not of this content, or not with a key that may.
    #[error("{0}")]
    Bad(Box<str>),
    /// The object itself is malformed.
    #[error("{0}")]
    Malformed(&'static str),
}

impl Classify for SignatureError {
    fn class(&self) -> Class {
        // Keys and objects may both be replaced.
        Class::Transient
    }
}

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Commit,
    Tag,
}

impl ObjectKind {
    fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tag => "tag",
        }
    }
}

impl GitKeys {
    /// Keys from the entries of a Secret: `OpenPGP` key rings in entries that end in `.asc`, SSH keys
    /// (lines of `authorized_keys`) in entries that end in `.sshpub`. Any other is taken for a ring.
    pub fn from_entries<'e>(entries: impl IntoIterator<Item = (&'e str, &'e [u8])>) -> Self {
        let mut keys = Self::default();
        for (name, value) in entries {
            if name.ends_with(".sshpub") {
                keys.ssh.push(value.to_owned());
            } else {
                keys.openpgp.push(value.to_owned());
            }
        }
        keys
    }

    /// Verifies the signature of a fetched commit. Returns who signed: the id of an `OpenPGP` key,
    /// or the fingerprint of an SSH key.
    ///
    /// # Errors
    /// When it is not signed, or not by one of these keys, or not anything that can be signed.
    pub fn verify_commit(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<String, SignatureError> {
        match subject {
            Subject::Commit { raw, .. } => self.verify(ObjectKind::Commit, raw, now),
            _ => Err(SignatureError::Malformed("not a commit")),
        }
    }

    /// Verifies the signature of an annotated tag, as [`verify_commit`](Self::verify_commit).
    ///
    /// # Errors
    /// As there.
    pub fn verify_tag(&self, tag: &TagObject, now: Timestamp) -> Result<String, SignatureError> {
        self.verify(ObjectKind::Tag, &tag.raw, now)
    }

    fn verify(
        &self,
        kind: ObjectKind,
        raw: &[u8],
        now: Timestamp,
    ) -> Result<String, SignatureError> {
        let signed = Signed::of(kind, raw)?;
        let signature = signed.signature.trim();
        let name = kind.name();
        match SignatureKind::of(signature) {
            SignatureKind::Empty => Err(SignatureError::Unsigned),
            SignatureKind::OpenPgp => {
                if self.openpgp.is_empty() {
                    return Err(SignatureError::NoKeys { kind: "PGP", suffix: ".asc" });
                }
                let verified = openpgp::verify(signature, &signed.payload, &self.openpgp, now);
                verified.map_err(|why| {
                    SignatureError::Bad(format!("unable to verify Git {name}: {why}").into())
                })
            }
            SignatureKind::Ssh => {
                if self.ssh.is_empty() {
                    return Err(SignatureError::NoKeys { kind: "SSH", suffix: ".sshpub" });
                }
                let verified = ssh::verify(signature, &signed.payload, &self.ssh);
                verified.map_err(|why| {
                    let text = format!("unable to verify Git {name} SSH signature: {why}");
                    SignatureError::Bad(text.into())
                })
            }
            SignatureKind::X509 => Err(SignatureError::Unsupported("x509")),
            SignatureKind::Unknown => Err(SignatureError::Unsupported("unknown")),
        }
    }
}

impl TagObject {
    /// Whether the tag bears a signature, good or bad.
    pub fn is_signed(&self) -> bool {
        Signed::of(ObjectKind::Tag, &self.raw).is_ok_and(|signed| !signed.signature.is_empty())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignatureKind {
    Empty,
    OpenPgp,
    Ssh,
    X509,
    Unknown,
}

impl SignatureKind {
    fn of(signature: &str) -> Self {
        match signature {
            "" => Self::Empty,
            text if text.starts_with("-----BEGIN PGP SIGNATURE-----") => Self::OpenPgp,
            text if text.starts_with("-----BEGIN SSH SIGNATURE-----") => Self::Ssh,
            text if text.starts_with("-----BEGIN SIGNED MESSAGE-----") => Self::X509,
            _ => Self::Unknown,
        }
    }
}
