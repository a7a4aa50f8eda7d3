//! Why a source could not be had.

use std::time::Duration;

use gitops_core::{Cancelled, Class, Classify, TreeError};

/// A failure to resolve or fetch a source. Messages read as Flux's, since people search for them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The peer could not be reached, broke off, or answered with something else than asked for.
    #[error("{0}")]
    Network(Box<str>),
    /// The peer has too much to do, and says for how long it wants to be left alone.
    #[error("{message}")]
    Overloaded {
        /// What it answered.
        message: Box<str>,
        /// For how long; at most an hour.
        pause: Duration,
    },
    /// Asked in vain: no such repository, reference or version.
    #[error("{0}")]
    NotFound(Box<str>),
    /// The peer wants other credentials, or none would do.
    #[error("{0}")]
    Denied(Box<str>),
    /// The request itself is wrong, such as a malformed range of versions.
    #[error("{0}")]
    Invalid(Box<str>),
    /// What arrived is malformed, hostile, or larger than allowed.
    #[error("{0}")]
    Content(Box<str>),
    /// A private key is encrypted, and there is no passphrase.
    #[error("private key is encrypted")]
    Encrypted,
    /// A reference is not where a change to it was made from; nothing was pushed.
    #[error("non-fast-forward update: {reference}")]
    Moved {
        /// The reference.
        reference: Box<str>,
    },
    /// The repository has no commit yet.
    #[error("git repository is empty")]
    Empty,
    /// A step failed; what it was, and why.
    #[error("{doing}")]
    Step {
        /// What was being done.
        doing: Box<str>,
        /// Why it failed.
        source: Box<Self>,
    },
    /// Of all versions that are there, none could be chosen.
    #[error(transparent)]
    Choice(Box<Self>),
    /// What was fetched does not hold the layer, or the layer no files.
    #[error(transparent)]
    Layer(Box<Self>),
    /// The index of a chart repository cannot be used.
    #[error(transparent)]
    Index(Box<crate::IndexError>),
    /// Fetched files cannot be read.
    #[error(transparent)]
    Tree(Box<TreeError>),
    /// Local disk trouble.
    #[error("{doing}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Stopped from outside.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl SourceError {
    /// The same failure with what was being done in front of it.
    #[must_use]
    pub(crate) fn during(self, doing: impl Into<Box<str>>) -> Self {
        match self {
            Self::Cancelled(_) | Self::Empty => self,
            _ => Self::Step { doing: doing.into(), source: Box::new(self) },
        }
    }

    /// The same failure with a part of what it says replaced.
    #[must_use]
    pub(crate) fn replace(self, old: &str, new: &str) -> Self {
        let text = self.to_string();
        match self {
            Self::Step { .. } => self,
            _ if text.contains(old) => self.retold(text.replace(old, new)),
            _ => self,
        }
    }

    /// The same failure in words that hold those of its causes.
    #[must_use]
    pub(crate) fn retold(self, text: impl Into<Box<str>>) -> Self {
        let text = text.into();
        match self {
            Self::Overloaded { pause, .. } => Self::Overloaded { message: text, pause },
            Self::NotFound(_) => Self::NotFound(text),
            Self::Denied(_) => Self::Denied(text),
            Self::Invalid(_) => Self::Invalid(text),
            Self::Content(_) => Self::Content(text),
            Self::Cancelled(_) | Self::Empty => self,
            _ => Self::Network(text),
        }
    }

    pub(crate) fn network(text: impl Into<Box<str>>) -> Self {
        Self::Network(text.into())
    }

    pub(crate) fn content(text: impl Into<Box<str>>) -> Self {
        Self::Content(text.into())
    }
}

impl From<TreeError> for SourceError {
    fn from(error: TreeError) -> Self {
        Self::Tree(Box::new(error))
    }
}

impl Classify for SourceError {
    fn class(&self) -> Class {
        match self {
            Self::Network(_)
            | Self::Overloaded { .. }
            | Self::Empty
            | Self::Moved { .. }
            | Self::Disk { .. } => Class::Transient,
            Self::NotFound(_) => Class::NotFound,
            Self::Denied(_) => Class::Denied,
            Self::Invalid(_) | Self::Content(_) | Self::Index(_) | Self::Encrypted => {
                Class::Invalid
            }
            Self::Step { source, .. } | Self::Choice(source) | Self::Layer(source) => {
                source.class()
            }
            Self::Tree(error) => error.class(),
            Self::Cancelled(error) => error.class(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { pause, .. } => Some(*pause),
            Self::Step { source, .. } | Self::Choice(source) | Self::Layer(source) => {
                source.retry_after()
            }
            _ => None,
        }
    }
}
