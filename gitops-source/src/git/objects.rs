//! A place for objects that were fetched, or that stand in a repository on disk.

use std::{
    io::{self, BufRead, Read},
    path::Path,
    sync::atomic::AtomicBool,
};

use bytes::Bytes;
use gix::{
    ObjectId,
    objs::{CommitRef, FindExt as _, Kind, TagRefIter},
    odb::{HeaderExt as _, pack},
};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::GitLimits;
use crate::SourceError;

/// An object database; a fetched one goes with this value.
pub(crate) struct Objects {
    pub(crate) odb: gix::odb::Handle,
    _place: Option<TempDir>,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").finish_non_exhaustive()
    }
}

/// What is told of a commit.
pub(crate) struct Commit {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    /// Seconds since the epoch.
    pub(crate) committed_at: i64,
    pub(crate) summary: String,
    pub(crate) raw: Bytes,
}

impl Objects {
    /// The objects of a repository on disk.
    pub(crate) fn open(directory: &Path, format: gix::hash::Kind) -> Result<Self, SourceError> {
        let odb = gix::odb::at(directory, format)
            .map_err(|source| SourceError::Disk { doing: "cannot open objects", source })?;
        Ok(Self { odb, _place: None })
    }

    /// Takes in a pack as it arrives. Blocks; ends early when `interrupt` is set or the sender goes
    /// away without an end mark.
    pub(crate) fn receive(
        pieces: mpsc::Receiver<Option<Bytes>>,
        format: gix::hash::Kind,
        limits: &GitLimits,
        interrupt: &AtomicBool,
    ) -> Result<Self, SourceError> {
        let disk = |doing| move |source| SourceError::Disk { doing, source };
        let place = tempfile::Builder::new()
            .prefix("git-")
            .tempdir()
            .map_err(disk("failed to create temporary working directory"))?;
        let packs = place.path().join("pack");
        std::fs::create_dir(&packs)
            .map_err(disk("failed to create temporary working directory"))?;
        let limit = usize::try_from(limits.object_bytes).unwrap_or(usize::MAX);
        let options = pack::bundle::write::Options {
            thread_limit: Some(2),
            alloc_limit_bytes: Some(limit),
            ..Default::default()
        };
        let mut reader = Pieces { incoming: pieces, current: Bytes::new(), finished: false };
        pack::Bundle::write_to_directory(
            &mut reader,
            Some(&packs),
            &mut gix::progress::Discard,
            interrupt,
            None::<gix::odb::Handle>,
            format,
            options,
        )
        .map_err(|error| SourceError::content(format!("malformed pack: {error}")))?;
        let options =
            gix::odb::store::init::Options { alloc_limit_bytes: Some(limit), ..Default::default() };
        let odb = gix::odb::at_opts(place.path(), format, None, options)
            .map_err(disk("cannot open objects"))?;
        Ok(Self { odb, _place: Some(place) })
    }

    /// Whether an object is here.
    pub(crate) fn has(&self, id: &ObjectId) -> bool {
        self.odb.header(id).is_ok()
    }

    /// The commit that an id means; annotated tags are followed.
    pub(crate) fn commit(&self, id: ObjectId) -> Result<Commit, SourceError> {
        let mut id = id;
        let mut buffer = Vec::new();
        // A tag of a tag of a tag is as deep as anyone goes.
        for _ in 0..8 {
            let data = self.odb.find(&id, &mut buffer).map_err(|_| object_not_found())?;
            match data.kind {
                Kind::Commit => {
                    let malformed =
                        |_| SourceError::content(format!("malformed commit object '{id}'"));
                    let commit = CommitRef::from_bytes(data.data, id.kind()).map_err(malformed)?;
                    let committer = commit.committer().map_err(malformed)?;
                    let message = String::from_utf8_lossy(commit.message);
                    return Ok(Commit {
                        id,
                        tree: commit.tree(),
                        committed_at: committer.seconds(),
                        summary: summary(&message),
                        raw: Bytes::copy_from_slice(data.data),
                    });
                }
                Kind::Tag => {
                    let target = TagRefIter::from_bytes(data.data, id.kind()).target_id();
                    id = target.map_err(|_| {
                        SourceError::content(format!("malformed tag object '{id}'"))
                    })?;
                }
                kind => {
                    return Err(SourceError::content(format!("'{id}' is a {kind}, no commit")));
                }
            }
        }
        Err(SourceError::content(format!("tag '{id}' points at too many tags")))
    }

    /// The annotated tag with an id, when it is one.
    pub(crate) fn tag(&self, id: &ObjectId) -> Option<Bytes> {
        let mut buffer = Vec::new();
        let data = self.odb.find(id, &mut buffer).ok()?;
        (data.kind == Kind::Tag).then(|| Bytes::copy_from_slice(data.data))
    }
}

pub(crate) fn object_not_found() -> SourceError {
    SourceError::NotFound("object not found".into())
}

/// The first line of a message, cut to 50 characters.
fn summary(message: &str) -> String {
    let line = message.split('\n').next().unwrap_or_default();
    match line.char_indices().nth(50) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line.to_owned(),
    }
}

/// The pack as a blocking reader. `None` marks its end: without it the download broke off.
struct Pieces {
    incoming: mpsc::Receiver<Option<Bytes>>,
    current: Bytes,
    finished: bool,
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() && !self.finished {
            match self.incoming.blocking_recv() {
                Some(Some(piece)) => self.current = piece,
                Some(None) => self.finished = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        let _ = self.current.split_to(amount.min(self.current.len()));
    }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let amount = ready.len().min(out.len());
        out[..amount].copy_from_slice(&ready[..amount]);
        self.consume(amount);
        Ok(amount)
    }
}
