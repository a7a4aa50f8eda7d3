//! Why no credential could be had.

use gitops_core::{Class, Classify};

/// A failure to exchange a secret for a token.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The issuer could not be reached, or answered with something else than a token.
    #[error("{0}")]
    Network(Box<str>),
    /// The issuer does not accept who asks.
    #[error("{0}")]
    Denied(Box<str>),
    /// What was configured cannot work.
    #[error("{0}")]
    Invalid(Box<str>),
    /// A step failed; what it was, and why.
    #[error("{doing}")]
    Step {
        /// What was being done.
        doing: Box<str>,
        /// Why it failed.
        source: Box<Self>,
    },
}

impl AuthError {
    /// The same failure with what was being done in front of it.
    #[must_use]
    pub fn during(self, doing: impl Into<Box<str>>) -> Self {
        Self::Step { doing: doing.into(), source: Box::new(self) }
    }

    pub(crate) fn network(text: impl Into<Box<str>>) -> Self {
        Self::Network(text.into())
    }

    pub(crate) fn invalid(text: impl Into<Box<str>>) -> Self {
        Self::Invalid(text.into())
    }
}

impl Classify for AuthError {
    fn class(&self) -> Class {
        match self {
            Self::Network(_) => Class::Transient,
            Self::Denied(_) => Class::Denied,
            Self::Invalid(_) => Class::Invalid,
            Self::Step { source, .. } => source.class(),
        }
    }
}
