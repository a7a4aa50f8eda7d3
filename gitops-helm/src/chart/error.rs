//! What can be wrong with a chart.

use gitops_core::{Class, Classify, TreeError, one_line};

use crate::decode::DocumentError;

/// A chart that cannot be loaded. The chain of causes, joined by `: `, is Helm's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    /// Chart.yaml says something that is not allowed.
    #[error("validation: {0}")]
    Invalid(String),
    /// A file of the chart is malformed.
    #[error("cannot load {file}")]
    Document {
        /// Its name below the chart.
        file: String,
        /// Why.
        source: ValuesFileError,
    },
    /// There is no Chart.yaml.
    #[error("Chart.yaml file is missing")]
    NoMetadata,
    /// There is no Chart.yaml in a directory.
    #[error("unable to detect chart at {0}: open {0}: no such file or directory", path.display())]
    Undetected {
        /// Where it should be.
        path: std::path::PathBuf,
    },
    /// There is no Chart.yaml in an archive.
    #[error("unable to detect chart version, no Chart.yaml found")]
    NoVersion,
    /// Chart.yaml names a format that is not known.
    #[error("unsupported chart version")]
    UnsupportedVersion,
    /// A chart below `charts/` is broken.
    #[error("error unpacking subchart {name} in {chart}")]
    Subchart {
        /// The directory or archive.
        name: String,
        /// The chart in which it stands.
        chart: String,
        /// Why.
        source: Box<Self>,
    },
    /// An archive below `charts/` is a directory.
    #[error("error unpacking subchart tar in {chart}: expected {expected}, got {found}")]
    SubchartArchive {
        /// The chart in which it stands.
        chart: String,
        /// The name of the archive.
        expected: String,
        /// A file below it.
        found: String,
    },
    /// .helmignore says `**`.
    #[error("double-star (**) syntax is not supported")]
    DoubleStar,
    /// .helmignore has a malformed pattern.
    #[error("syntax error in pattern")]
    BadPattern,
    /// An archive holds what it must not hold, or is broken.
    #[error("{0}")]
    Archive(String),
    /// Larger, more or deeper than allowed.
    #[error("{0}")]
    Limit(String),
    /// A file of a directory is neither file nor directory.
    #[error("cannot load irregular file {0} as it has file mode type bits set")]
    Irregular(String),
    /// A directory or file cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// A document that cannot be read as what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValuesFileError {
    /// One of several documents, as Helm 4 reads values.
    #[error("cannot unmarshal yaml document")]
    OneOfMany(#[source] DocumentError),
    /// A line that starts like the end of a document but holds more, as Helm 4 reads values.
    #[error("error reading yaml document: invalid Yaml document separator: {0}")]
    Separator(String),
    /// The only document.
    #[error(transparent)]
    Only(#[from] DocumentError),
}

impl ChartError {
    /// The error in Helm's words: the chain of causes on one line.
    pub fn helm_text(&self) -> String {
        one_line(self)
    }

    pub(crate) fn document(file: &str, source: impl Into<ValuesFileError>) -> Self {
        Self::Document { file: file.to_owned(), source: source.into() }
    }
}

impl Classify for ChartError {
    fn class(&self) -> Class {
        match self {
            Self::Tree(error) => error.class(),
            Self::UnsupportedVersion => Class::Unsupported,
            Self::Subchart { source, .. } => source.class(),
            _ => Class::Invalid,
        }
    }
}
