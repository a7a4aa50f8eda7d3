//! Bases and files that stand elsewhere: Git repositories and HTTP.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use gitops_controllers::remote_file;
use gitops_core::{Scope, one_line};
use gitops_kustomize::{Error, Remote, Remotes, RepositoryUrl};
use tokio::runtime::{Builder, Runtime};

use crate::repository::{self, SshPlaces};

/// Fetches what kustomizations name by an address; each repository once.
#[derive(Debug, Default)]
pub(super) struct Network {
    /// Most builds need none.
    runtime: OnceLock<Runtime>,
    /// Repositories by address and reference.
    known: Mutex<HashMap<(String, String), Remote>>,
}

impl Network {
    fn runtime(&self) -> Result<&Runtime, Error> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        rustls::crypto::ring::default_provider().install_default().ok();
        let made = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let made = made.map_err(|error| Error::remote(format!("cannot connect: {error}")))?;
        Ok(self.runtime.get_or_init(|| made))
    }
}

impl Remotes for Network {
    fn directory(&self, repository: &RepositoryUrl) -> Result<Remote, Error> {
        let path = repository.path().into();
        let key = (repository.clone_url().to_owned(), repository.reference().to_owned());
        let known = |known: &Mutex<HashMap<_, Remote>>| {
            known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
        };
        if let Some(fetched) = known(&self.known) {
            return Ok(Remote { path, ..fetched });
        }
        let fetched = repository::Remote::of_base(repository).and_then(|remote| {
            let runtime =
                self.runtime().map_err(|error| anyhow::anyhow!("{}", one_line(&error)))?;
            let ssh = SshPlaces {
                identity: None,
                known_hosts: None,
                agent: std::env::var_os("SSH_AUTH_SOCK").map(Into::into),
                home: std::env::home_dir(),
            };
            runtime.block_on(remote.fetch(&ssh, &Scope::background()))
        });
        let fetched = fetched.map_err(|error| {
            let url = repository::shown(repository.clone_url());
            Error::remote(format!("failed to fetch '{url}': {}", one_line(&*error)))
        })?;
        let remote = Remote { tree: fetched.tree, path };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key, remote.clone());
        Ok(remote)
    }

    fn file(&self, url: &str) -> Result<bytes::Bytes, Error> {
        let (shown, scope) = (repository::shown(url), Scope::background());
        self.runtime()?.block_on(remote_file(url, &shown, &scope))
    }
}
