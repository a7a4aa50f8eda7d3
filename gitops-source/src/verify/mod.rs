//! Signatures of artifacts in registries.
//!
//! Two dialects, `cosign` and `notation`, each with its envelopes and its idea of whom to trust;
//! beside them what both rest upon: keys, chains of certificates, timestamps.

mod authority;
mod cosign;
mod der;
mod key;
mod notation;
mod timestamp;

use std::fmt::Debug;

use async_trait::async_trait;
use gitops_core::{Cancelled, Class, Classify, Scope};

use crate::{SourceError, Subject};

pub use cosign::{
    CosignTrust, CosignVerifier, FirstRoot, IdentityMatch, Keyless, TrustedRoot,
    TrustedRootRepository,
};
pub use key::{PublicKey, PublicKeyError};
pub use notation::{NotationVerifier, TrustPolicy};

/// Judges whether what was fetched is what somebody trusted signed.
#[async_trait]
pub trait Verifier: Debug + Send + Sync {
    /// Looks for a good signature of a subject; one is enough.
    ///
    /// # Errors
    /// When there is none, or it cannot be found out: what is not known to be good is not good.
    async fn verify(&self, subject: &Subject, scope: &Scope) -> Result<Verified, VerifyError>;
}

/// What a signature proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Who signed, where the signature says so.
    pub signer: Option<String>,
    /// The policy asks for no signature, so there is none to speak of.
    pub skipped: bool,
}

/// Why a subject is not taken for signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There are no signatures. Says so, as of an image.
    #[error("{0}")]
    Unsigned(Box<str>),
    /// No signature is good. Says why.
    #[error("{0}")]
    Unverified(Box<str>),
    /// Keys, roots or policy cannot be used.
    #[error("{0}")]
    Invalid(Box<str>),
    /// The signatures could not be fetched.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Stopped from outside.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl VerifyError {
    pub(crate) fn unverified(text: impl Into<Box<str>>) -> Self {
        Self::Unverified(text.into())
    }

    pub(crate) fn invalid(text: impl Into<Box<str>>) -> Self {
        Self::Invalid(text.into())
    }
}

impl Classify for VerifyError {
    fn class(&self) -> Class {
        match self {
            // A signature may yet be pushed, and a Secret put right.
            Self::Unsigned(_) | Self::Unverified(_) | Self::Invalid(_) => Class::Transient,
            Self::Source(error) => error.class(),
            Self::Cancelled(error) => error.class(),
        }
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Source(error) => error.retry_after(),
            _ => None,
        }
    }
}
