//! Why a chart could not be built.

use std::{error::Error, time::Duration};

use gitops_core::{Class, Classify};

use super::{Cause, repositories::FindChartError};
use crate::SourceError;

/// Why a chart could not be built. The chain of causes, joined by `: `, is Flux's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartBuildError {
    /// There is no such chart.
    #[error("invalid chart reference")]
    Reference(#[source] Cause),
    /// It could not be had.
    #[error("chart pull error")]
    Pull(#[source] Cause),
    /// Its version cannot take the metadata.
    #[error("chart metadata patch error")]
    Metadata(#[source] Cause),
    /// The values files cannot be merged.
    #[error("values files merge error")]
    Values(#[source] Cause),
    /// What it depends on could not be had.
    #[error("dependency build error")]
    Dependencies(#[source] Cause),
    /// It could not be packaged.
    #[error("chart package error")]
    Package(#[source] Cause),
    /// It is not signed as it should be.
    #[error("chart verification error")]
    Verification(#[source] SourceError),
    /// Stopped from outside.
    #[error(transparent)]
    Cancelled(#[from] gitops_core::Cancelled),
}

impl ChartBuildError {
    /// The reason by which Flux tells it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Reference(_) => "InvalidChartReference",
            Self::Pull(_) => "ChartPullError",
            Self::Metadata(_) => "MetadataPatchError",
            Self::Values(_) => "ValuesFilesError",
            Self::Dependencies(_) => "DependencyBuildError",
            Self::Package(_) => "ChartPackageError",
            Self::Verification(_) => "ChartVerificationError",
            Self::Cancelled(_) => "Unknown",
        }
    }
}

impl Classify for ChartBuildError {
    fn class(&self) -> Class {
        match self {
            Self::Reference(_) | Self::Metadata(_) | Self::Values(_) => Class::Invalid,
            Self::Pull(_) | Self::Dependencies(_) | Self::Package(_) => Class::Transient,
            Self::Verification(_) => Class::Denied,
            Self::Cancelled(error) => error.class(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let mut cause = Error::source(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<SourceError>() {
                return error.retry_after();
            }
            // Transparent: its own cause is that of the failure in it.
            if let Some(FindChartError::Source(error)) = error.downcast_ref() {
                return error.retry_after();
            }
            if let Some(Retold { error: FindChartError::Source(error), .. }) = error.downcast_ref()
            {
                return error.retry_after();
            }
            cause = error.source();
        }
        None
    }
}

/// A failure in other words, which hold those of its causes.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Retold {
    pub(super) text: String,
    pub(super) error: FindChartError,
}

/// Words in front of their cause.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
struct During {
    doing: String,
    source: Cause,
}

pub(super) fn during(doing: impl Into<String>, source: impl Into<Cause>) -> Cause {
    Box::new(During { doing: doing.into(), source: source.into() })
}
