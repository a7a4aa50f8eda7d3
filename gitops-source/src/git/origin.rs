//! Where the objects are: behind a server, or on this disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gitops_core::Cancelled;
use gix::{ObjectId, objs::FindExt as _};
use tokio::{sync::mpsc, time::Instant};

use super::{
    GitAccess, GitLimits,
    location::Location,
    objects::{Objects, object_not_found},
    packet::{RemoteRef, Want},
    session::{Service, Session},
};
use crate::SourceError;

#[derive(Debug)]
pub(crate) enum Origin {
    Server(Box<Session>),
    Disk { objects: PathBuf, format: gix::hash::Kind, refs: BTreeMap<String, RemoteRef> },
}

impl Origin {
    pub(crate) async fn open(
        url: &str,
        access: Option<&GitAccess>,
        limits: &GitLimits,
        deadline: Instant,
    ) -> Result<Self, SourceError> {
        Self::open_at(&Location::parse(url)?, access, limits, deadline).await
    }

    pub(crate) async fn open_at(
        location: &Location,
        access: Option<&GitAccess>,
        limits: &GitLimits,
        deadline: Instant,
    ) -> Result<Self, SourceError> {
        let Location::Disk(path) = location.clone() else {
            let max = limits.advertisement_bytes;
            let session = Session::open(location, access, Service::Fetch, max, deadline).await?;
            return Ok(Self::Server(Box::new(session)));
        };
        let opened = tokio::task::spawn_blocking(move || Self::open_disk(&path)).await;
        opened.map_err(|_| SourceError::Cancelled(Cancelled))?
    }

    fn open_disk(path: &Path) -> Result<Self, SourceError> {
        // Isolated: no configuration of the machine or the user, nothing is ever executed.
        let repository = gix::open_opts(path, gix::open::Options::isolated())
            .map_err(|_| SourceError::NotFound("repository not found".into()))?;
        let malformed = |what: &str| SourceError::content(format!("cannot read {what}"));
        let mut refs = BTreeMap::new();
        let platform = repository.references().map_err(|_| malformed("references"))?;
        for found in platform.all().map_err(|_| malformed("references"))? {
            let mut found = found.map_err(|_| malformed("a reference"))?;
            let name = found.name().as_bstr().to_string();
            let Some(id) = found.try_id().map(|id| id.to_string()) else {
                continue;
            };
            let peeled = found.peel_to_id().map_err(|_| malformed(&name))?.to_string();
            let peeled = (peeled != id).then_some(peeled);
            refs.insert(name, RemoteRef { id, peeled });
        }
        if let Ok(head) = repository.head_id() {
            refs.insert("HEAD".into(), RemoteRef { id: head.to_string(), peeled: None });
        }
        let objects = repository.common_dir().join("objects");
        Ok(Self::Disk { objects, format: repository.object_hash(), refs })
    }

    pub(crate) async fn list(&mut self, prefixes: &[String]) -> Result<(), SourceError> {
        match self {
            Self::Server(session) => session.list(prefixes).await,
            Self::Disk { .. } => Ok(()),
        }
    }

    pub(crate) fn refs(&self) -> &BTreeMap<String, RemoteRef> {
        match self {
            Self::Server(session) => &session.advertisement.refs,
            Self::Disk { refs, .. } => refs,
        }
    }

    /// Whether there is no reference at all. Asks once more when only some were listed.
    pub(crate) async fn is_empty(&mut self) -> Result<bool, SourceError> {
        if self.refs().is_empty()
            && let Self::Server(session) = self
            && session.advertisement.version_2
        {
            session.list(&["refs/".to_owned()]).await?;
            let empty = session.advertisement.refs.is_empty();
            return Ok(empty);
        }
        Ok(self.refs().is_empty())
    }

    /// How the repository names its objects.
    pub(crate) fn format(&self) -> gix::hash::Kind {
        match self {
            Self::Disk { format, .. } => *format,
            Self::Server(session) if session.advertisement.object_format() == "sha256" => {
                gix::hash::Kind::Sha256
            }
            Self::Server(_) => gix::hash::Kind::Sha1,
        }
    }

    pub(crate) fn filters(&self) -> bool {
        matches!(self, Self::Server(session) if session.advertisement.filters())
    }

    /// The wanted objects.
    pub(crate) async fn objects(
        &self,
        want: &Want<'_>,
        limits: &GitLimits,
    ) -> Result<Objects, SourceError> {
        let session = match self {
            Self::Server(session) => session,
            Self::Disk { objects, format, .. } => return Objects::open(objects, *format),
        };
        let format = self.format();
        let tips: Vec<String>;
        let mut want = Want { ids: want.ids, ..*want };
        if !session.may_want(want.ids) {
            // An old server gives no commit by its id alone: take all branches and look.
            tips = self.branch_tips();
            want = Want { ids: &tips, shallow: false, history_only: false };
        }
        let (sender, pieces) = mpsc::channel(16);
        let interrupt = Interrupt(Arc::new(AtomicBool::new(false)));
        let (flag, bounds) = (Arc::clone(&interrupt.0), *limits);
        let reader =
            tokio::task::spawn_blocking(move || Objects::receive(pieces, format, &bounds, &flag));
        let sink = |piece| {
            let sender = sender.clone();
            // Fails when the reader gave up; its own error says more.
            async move { sender.send(Some(piece)).await.map_err(|_| SourceError::network("")) }
        };
        let sent = session.fetch(&want, limits.pack_bytes, sink).await;
        let gave_up = sender.is_closed();
        if sent.is_ok() {
            let _ = sender.send(None).await;
        }
        drop(sender);
        let received = reader.await.map_err(|_| SourceError::Cancelled(Cancelled))?;
        match sent {
            Err(error) if !gave_up => Err(error),
            _ => received,
        }
    }

    /// A commit that must be in the history of a branch.
    pub(crate) async fn commit_of_branch(
        &self,
        id: &str,
        branch: &str,
        limits: &GitLimits,
    ) -> Result<Objects, SourceError> {
        let tip = self.refs().get(&format!("refs/heads/{branch}"));
        let tip = tip.map(|found| found.id.clone()).ok_or_else(object_not_found)?;
        let wanted = object_id(id)?;
        let only = [id.to_owned()];
        let commit = Want { ids: &only, shallow: true, history_only: false };
        if tip == id {
            return self.objects(&commit, limits).await;
        }
        let tips = [tip];
        let history = Want { ids: &tips, shallow: false, history_only: self.filters() };
        let objects = self.objects(&history, limits).await?;
        match self {
            Self::Disk { .. } => {
                if !is_ancestor(&objects, object_id(&tips[0])?, wanted) {
                    return Err(object_not_found());
                }
                Ok(objects)
            }
            // Exactly what the branch reaches was sent.
            Self::Server(_) if !objects.has(&wanted) => Err(object_not_found()),
            Self::Server(_) if history.history_only => self.objects(&commit, limits).await,
            Self::Server(_) => Ok(objects),
        }
    }

    fn branch_tips(&self) -> Vec<String> {
        let heads = self.refs().iter().filter(|(name, _)| name.starts_with("refs/heads/"));
        let tips: BTreeSet<String> = heads.map(|(_, found)| found.id.clone()).collect();
        tips.into_iter().collect()
    }
}

/// Ends blocking work when the one who waits for it goes away.
struct Interrupt(Arc<AtomicBool>);

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn object_id(hex: &str) -> Result<ObjectId, SourceError> {
    ObjectId::from_hex(hex.as_bytes()).map_err(|_| object_not_found())
}

/// The name that an annotated tag gives itself.
pub(crate) fn tag_name(raw: &[u8]) -> String {
    let header = String::from_utf8_lossy(raw);
    let name = header.lines().find_map(|line| line.strip_prefix("tag "));
    name.unwrap_or_default().to_owned()
}

fn is_ancestor(objects: &Objects, tip: ObjectId, wanted: ObjectId) -> bool {
    let mut todo = vec![tip];
    let mut seen = BTreeSet::new();
    let mut buffer = Vec::new();
    while let Some(id) = todo.pop() {
        if id == wanted {
            return true;
        }
        if seen.insert(id)
            && let Ok(commit) = objects.odb.find_commit_iter(&id, &mut buffer)
        {
            todo.extend(commit.parent_ids());
        }
    }
    false
}
