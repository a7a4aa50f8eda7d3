//! Git repositories, over HTTP, over SSH or on disk.
//!
//! Follows what Flux's source-controller makes of go-git; differs in that nothing is checked out,
//! that a commit is fetched without its history wherever the server allows it, and that a commit
//! given with a branch costs the branch's history without its files.

mod hostile;
mod http;
mod location;
mod named;
mod objects;
mod origin;
mod packet;
mod push;
mod select;
mod session;
mod signature;
mod ssh;
mod submodules;
mod tree;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use gitops_core::{Cancelled, Revision, Scope, confined_path};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{Fetched, Resolved, Source, SourceError, Subject, TagObject};
use location::Location;
use objects::Commit;
use origin::Origin;
use packet::Want;
use submodules::Submodules;
use tree::GitTree;

pub use http::{GitCredentials, GitTransport, GitTransports, Tls};
pub use push::{CommitOptions, GitBase, GitChange, GitCommit, GitPerson, Push, PushTarget};
pub use signature::{GitKeys, GitSigner, SignatureError};
pub use ssh::{SshAlgorithms, SshIdentity, SshTransport};

/// The way to a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GitAccess {
    /// Over HTTP or HTTPS.
    Http(GitTransport),
    /// Over SSH.
    Ssh(SshTransport),
}

impl From<GitTransport> for GitAccess {
    fn from(transport: GitTransport) -> Self {
        Self::Http(transport)
    }
}

impl From<SshTransport> for GitAccess {
    fn from(transport: SshTransport) -> Self {
        Self::Ssh(transport)
    }
}

/// Which commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GitReference {
    /// The head of a branch.
    Branch(String),
    /// A tag, lightweight or annotated.
    Tag(String),
    /// The highest tag in a range of versions.
    Semver(String),
    /// A reference by its full name, e.g. `refs/pull/1/head`.
    Name(String),
    /// A commit.
    Commit {
        /// Its full id.
        id: String,
        /// It must be in the history of this branch, whose name the revision then carries.
        branch: Option<String>,
        /// The revision carries this name.
        name: Option<String>,
    },
}

impl Default for GitReference {
    fn default() -> Self {
        Self::Branch("master".into())
    }
}

/// Bounds for what a server may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GitLimits {
    /// Bytes of the advertisement of references.
    pub advertisement_bytes: u64,
    /// Bytes of the pack as it is sent.
    pub pack_bytes: u64,
    /// Bytes of one object, unpacked.
    pub object_bytes: u64,
    /// Bytes of all files of a tree.
    pub tree_bytes: u64,
    /// Files and directories of a tree.
    pub entries: usize,
    /// Nested directories.
    pub depth: usize,
}

impl Default for GitLimits {
    /// 256 MiB of references, packs of 4 GiB, objects of 512 MiB, trees of 4 GiB and a million
    /// entries in 128 levels.
    fn default() -> Self {
        Self {
            advertisement_bytes: 256 << 20,
            pack_bytes: 4 << 30,
            object_bytes: 512 << 20,
            tree_bytes: 4 << 30,
            entries: 1_000_000,
            depth: 128,
        }
    }
}

/// A Git repository at a reference.
///
/// The URL is `http`, `https` or `ssh`, or an address as `user@host:path`; for a repository on disk
/// `file`, or a plain path.
#[derive(Debug)]
pub struct GitSource {
    url: String,
    access: Option<GitAccess>,
    reference: GitReference,
    observed: Option<Revision>,
    sparse: Vec<String>,
    submodules: bool,
    timeout: Duration,
    limits: GitLimits,
    /// What `resolve` opened, for the `fetch` that follows.
    opened: Mutex<Option<Origin>>,
}

impl GitSource {
    /// A repository; the timeout is 60 s.
    pub fn new(url: impl Into<String>, reference: GitReference) -> Self {
        Self {
            url: url.into(),
            access: None,
            reference,
            observed: None,
            sparse: Vec::new(),
            submodules: false,
            timeout: Duration::from_mins(1),
            limits: GitLimits::default(),
            opened: Mutex::new(None),
        }
    }

    /// The way to the server; without one a plain way is set up for each call, which SSH has none
    /// of.
    #[must_use]
    pub fn with_transport(mut self, access: impl Into<GitAccess>) -> Self {
        self.access = Some(access.into());
        self
    }

    /// The revision that was fetched last. As in Flux, a failure then speaks of listing the remote
    /// and not of cloning it.
    #[must_use]
    pub fn with_observed(mut self, revision: Option<Revision>) -> Self {
        self.observed = revision;
        self
    }

    /// Only files whose path begins with one of these; all when there is none.
    #[must_use]
    pub fn with_sparse(mut self, directories: Vec<String>) -> Self {
        let trim = |dir: String| dir.strip_prefix("./").map(str::to_owned).unwrap_or(dir);
        self.sparse = directories.into_iter().map(trim).collect();
        self
    }

    /// Whether submodules are fetched too, and theirs.
    #[must_use]
    pub fn with_submodules(mut self, submodules: bool) -> Self {
        self.submodules = submodules;
        self
    }

    /// How long `resolve` and `fetch` may each take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the server may send.
    #[must_use]
    pub fn with_limits(mut self, limits: GitLimits) -> Self {
        self.limits = limits;
        self
    }

    async fn bounded<T>(
        &self,
        scope: &Scope,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        // Requests have the same deadline and say more; this one is for all else.
        let work = tokio::time::timeout(self.timeout + Duration::from_millis(500), work);
        match scope.run(work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.cloning(SourceError::network("context deadline exceeded"))),
            Err(Cancelled) => Err(Cancelled.into()),
        }
    }

    async fn open(&self) -> Result<Origin, SourceError> {
        let deadline = Instant::now() + self.timeout;
        Origin::open(&self.url, self.access.as_ref(), &self.limits, deadline).await
    }

    fn shown_url(&self) -> String {
        match self.url.parse::<url::Url>() {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                crate::go::masked(&url)
            }
            _ => self.url.clone(),
        }
    }

    fn cloning(&self, error: SourceError) -> SourceError {
        error.during(format!("unable to clone '{}'", self.shown_url()))
    }

    fn listing(&self, error: SourceError) -> SourceError {
        error.during(format!("unable to list remote for '{}'", self.shown_url()))
    }

    async fn fetch_commit(&self, at: &Resolved, scope: &Scope) -> Result<Fetched, SourceError> {
        let opened = self.opened.lock().take();
        let origin = match opened {
            Some(origin) => origin,
            None => self.open().await.map_err(|error| self.cloning(error))?,
        };
        let commit_only = matches!(self.reference, GitReference::Commit { .. });
        let missing = |error: SourceError| match error {
            SourceError::NotFound(_) if commit_only => {
                error.during(format!("unable to resolve commit object for '{}'", at.target))
            }
            error => self.cloning(error),
        };
        let objects = if let GitReference::Commit { branch: Some(branch), .. } = &self.reference {
            origin.commit_of_branch(&at.target, branch, &self.limits).await.map_err(missing)?
        } else {
            let want = [at.target.clone()];
            let want = Want { ids: &want, shallow: true, history_only: false };
            origin.objects(&want, &self.limits).await.map_err(missing)?
        };
        let (limits, sparse, within) = (self.limits, self.sparse.clone(), scope.clone());
        let target = at.target.clone();
        let read = move || -> Result<(Commit, Option<TagObject>, GitTree), SourceError> {
            let id = origin::object_id(&target)?;
            let commit = objects.commit(id)?;
            let tag = objects.tag(&id).map(|raw| TagObject {
                id: target,
                name: origin::tag_name(&raw),
                raw,
            });
            let tree = GitTree::load(objects, commit.tree, &sparse, &limits, &within)?;
            Ok((commit, tag, tree))
        };
        let joined = tokio::task::spawn_blocking(read).await;
        let (commit, tag, mut tree) = joined.map_err(|_| SourceError::Cancelled(Cancelled))??;
        if self.submodules {
            let home = Location::parse(&self.url)?;
            let mut submodules = Submodules {
                access: self.access.as_ref(),
                limits: &self.limits,
                deadline: Instant::now() + self.timeout,
                scope,
                home: &home,
                count: 0,
            };
            let mounted =
                submodules.mount(&mut tree, &home, (".git/modules", Path::new("")), 0).await;
            mounted.map_err(|error| self.cloning(error))?;
        }
        Ok(Fetched {
            revision: at.revision.clone(),
            tree: Arc::new(tree),
            subject: Subject::Commit {
                id: commit.id.to_string(),
                raw: commit.raw,
                summary: commit.summary,
                tag,
            },
        })
    }
}

#[async_trait]
impl Source for GitSource {
    async fn resolve(&self, scope: &Scope) -> Result<Resolved, SourceError> {
        let resolved = self.bounded(scope, self.select()).await;
        resolved.map_err(|error| error.during("failed to checkout and determine revision"))
    }

    async fn fetch(&self, at: &Resolved, scope: &Scope) -> Result<Fetched, SourceError> {
        let fetched = self.bounded(scope, self.fetch_commit(at, scope)).await;
        let fetched =
            fetched.map_err(|error| error.during("failed to checkout and determine revision"))?;
        for dir in &self.sparse {
            if fetched.tree.stat(dir.as_ref()).is_err() {
                // The space before the colon is Flux's, and so is the look into a checkout; there
                // is none here, so its name is always the same.
                let shown = confined_path(dir);
                let why = format!(
                    "failed to sparse checkout directories : sparse checkout dir '{dir}' does not \
                     exist in repository: lstat /tmp/checkout/{}: no such file or directory",
                    shown.display()
                );
                return Err(SourceError::NotFound(why.into()));
            }
        }
        Ok(fetched)
    }
}
