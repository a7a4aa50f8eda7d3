//! Bases and files that are not in the tree.

use std::{fmt::Debug, path::PathBuf, sync::Arc};

use bytes::Bytes;
use gitops_core::Tree;

use super::RepositoryUrl;
use crate::error::{Error, ErrorKind};

/// Fetches what kustomizations name by an address. The build asks at most once for each mention.
///
/// An implementation decides which addresses it accepts; what it returns is read as untrusted: a
/// fetched kustomization never reads outside its own directories.
pub trait Remotes: Debug + Send + Sync {
    /// A repository, as a tree and the directory in it that the address names.
    ///
    /// # Errors
    /// When the address is refused or cannot be fetched.
    fn directory(&self, repository: &RepositoryUrl) -> Result<Remote, Error>;

    /// A single file. Where the address is that of a repository, [`Error::not_a_file`] makes the
    /// build ask for that.
    ///
    /// # Errors
    /// When the address is refused or cannot be fetched.
    fn file(&self, url: &str) -> Result<Bytes, Error>;
}

/// What stands at a remote address.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The repository.
    pub tree: Arc<dyn Tree>,
    /// The directory in it.
    pub path: PathBuf,
}

/// Refuses every address: the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DenyRemotes;

impl DenyRemotes {
    fn refuse(url: &str) -> Error {
        // The address may hold a token; only its host is shown.
        let message = format!("remote '{}' is not allowed in this build", host_of(url));
        Error::new(ErrorKind::Denied, message)
            .with_hint("copy the base into the source, or allow remote bases")
    }
}

impl Remotes for DenyRemotes {
    fn directory(&self, repository: &RepositoryUrl) -> Result<Remote, Error> {
        Err(Self::refuse(repository.as_str()))
    }

    fn file(&self, url: &str) -> Result<Bytes, Error> {
        Err(Self::refuse(url))
    }
}

impl Error {
    /// An address was refused or could not be fetched; for implementations of [`Remotes`]. The
    /// message must not hold credentials.
    pub fn remote(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Io, message)
    }

    /// There is no file at an address, but it may be a repository's; for implementations of
    /// [`Remotes`].
    pub fn not_a_file() -> Self {
        Self::new(ErrorKind::NotFound, "URL is a git repository")
    }

    /// A chart does not render; for implementations of [`HelmCharts`](crate::HelmCharts).
    pub fn chart(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Field, message)
    }
}

fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['?', '#']).next().unwrap_or_default();
    let shown = match authority.split_once('@') {
        Some((_, host)) => host,
        None => authority,
    };
    gitops_core::truncate(shown, 200)
}
