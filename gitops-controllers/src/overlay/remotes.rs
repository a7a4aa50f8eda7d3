//! Bases and files that a kustomization names by an address: Git repositories and HTTP.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use gitops_core::{SafeUrl, Scope, one_line};
use gitops_kustomize::{DenyRemotes, Error, Remote, Remotes, RepositoryUrl};
use gitops_source::{
    GitCredentials, GitReference, GitSource, GitTransport, HttpFiles, SourceError, Tls,
};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use url::Url;

/// A file that a kustomization names is no larger than this.
const MOST_BYTES: usize = 64 << 20;

/// One build names no more repositories than this.
const MOST_REPOSITORIES: usize = 64;

/// Who answers when a build names an address: the network, where a Kustomization may ask it.
pub(super) fn remotes(is_denied: bool, shown_root: &str, scope: &Scope) -> Arc<dyn Remotes> {
    match Handle::try_current() {
        Ok(runtime) if !is_denied => {
            Arc::new(Network { runtime, scope: scope.clone(), known: Mutex::default() })
        }
        _ => Arc::new(Denied { shown_root: shown_root.to_owned() }),
    }
}

/// `--no-remote-bases`, in Flux's words: it clones the repository, and then may not look at it.
#[derive(Debug)]
struct Denied {
    shown_root: String,
}

impl Remotes for Denied {
    fn directory(&self, repository: &RepositoryUrl) -> Result<Remote, Error> {
        let place = format!("/tmp/kustomize-0/{}", repository.path());
        let place = place.trim_end_matches('/');
        let root = &self.shown_root;
        Err(Error::remote(format!(
            "fs-security-constraint abs {place}: path '{place}' is not in or below '{root}'"
        )))
    }

    fn file(&self, url: &str) -> Result<Bytes, Error> {
        if RepositoryUrl::parse(url).is_some() {
            return Err(Error::not_a_file());
        }
        DenyRemotes.file(url)
    }
}

/// Fetches over HTTP and HTTPS; each repository once in a build. There are no keys for SSH, and the
/// controller's own disk is nobody's repository.
#[derive(Debug)]
struct Network {
    runtime: Handle,
    scope: Scope,
    /// By address and reference.
    known: Mutex<HashMap<(String, String), Remote>>,
}

impl Network {
    async fn fetch(&self, repository: &RepositoryUrl) -> Result<Remote, String> {
        let mut url = Url::parse(repository.clone_url()).map_err(|error| one_line(&error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("only http:// and https:// are fetched here".to_owned());
        }
        let credentials = GitCredentials::take_from(&mut url).map_err(|error| one_line(&error))?;
        let transport = GitTransport::new(&url, &Tls::default(), None);
        let transport = transport.map_err(|error| one_line(&error))?;
        let transport = transport.with_credentials(credentials);
        let source_of = |reference| {
            GitSource::new(url.as_str(), reference)
                .with_transport(transport.clone())
                .with_submodules(repository.submodules())
                .with_timeout(repository.timeout())
        };
        let name = Some(repository.reference()).filter(|name| !name.is_empty());
        let references = GitReference::candidates(name);
        let fetched = GitSource::fetch_any(references, source_of, &self.scope).await;
        let fetched = fetched.map_err(|error| one_line(&error))?;
        Ok(Remote { tree: fetched.tree, path: repository.path().into() })
    }
}

impl Remotes for Network {
    fn directory(&self, repository: &RepositoryUrl) -> Result<Remote, Error> {
        let key = (repository.clone_url().to_owned(), repository.reference().to_owned());
        let known = self.known.lock().get(&key).cloned();
        if let Some(fetched) = known {
            return Ok(Remote { path: repository.path().into(), ..fetched });
        }
        if self.known.lock().len() >= MOST_REPOSITORIES {
            let message = format!("the build names more than {MOST_REPOSITORIES} repositories");
            return Err(Error::remote(message));
        }
        let fetched = self.runtime.block_on(self.fetch(repository)).map_err(|error| {
            let url = shown(repository.clone_url());
            Error::remote(format!("failed to fetch '{url}': {error}"))
        })?;
        self.known.lock().insert(key, fetched.clone());
        Ok(fetched)
    }

    fn file(&self, url: &str) -> Result<Bytes, Error> {
        self.runtime.block_on(remote_file(url, &shown(url), &self.scope))
    }
}

/// The file at an HTTP address that a kustomization names; `shown` is how messages show the address.
///
/// # Errors
/// When there is none, or it is over 64 MiB; [`Error::not_a_file`] where it may be a repository.
pub async fn remote_file(url: &str, shown: &str, scope: &Scope) -> Result<Bytes, Error> {
    let address = Url::parse(url).map_err(|error| Error::remote(format!("'{shown}': {error}")))?;
    let fetched = async { HttpFiles::new(MOST_BYTES)?.get(&address, scope).await };
    fetched.await.map_err(|error| match error {
        SourceError::NotFound(_) | SourceError::Denied(_)
            if RepositoryUrl::parse(url).is_some() =>
        {
            Error::not_a_file()
        }
        error => Error::remote(format!("HTTP Error: {} for '{shown}'", one_line(&error))),
    })
}

/// An address without what may be a password in it.
fn shown(url: &str) -> String {
    url.parse::<SafeUrl>().map_or_else(|_| "the address".to_owned(), |url| url.to_string())
}
