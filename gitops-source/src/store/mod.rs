//! Where artifacts are kept.

#[cfg(feature = "testing")]
pub mod conformance;
mod disk;
mod memory;
mod retain;
mod shared;

use std::{
    fmt::Debug, fs::File, io, os::unix::fs::FileExt as _, path::Path, sync::Arc, time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use gitops_core::{
    Artifact, ArtifactKey, Cancelled, Class, Classify, Hasher, Revision, Scope, Tree, TreeError,
    TreeErrorKind, pack,
};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncSeek};

use crate::IgnoreRules;

pub use disk::DiskStore;
pub use memory::MemoryStore;
pub use shared::{SharedStore, SharedStorePlace};

/// What an artifact is made of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// Files, which are packed.
    Tree {
        /// The files.
        tree: Arc<dyn Tree>,
        /// Which of them stay out.
        rules: IgnoreRules,
        /// The name of the file; absent, it is `<hash of the revision>.tar.gz`.
        name: Option<String>,
    },
    /// Bytes that are stored as they are.
    Bytes {
        /// The name of the file.
        name: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// A file whose content is stored as it is, from its start.
    File {
        /// The name of the stored file.
        name: String,
        /// The file.
        file: Arc<File>,
    },
}

impl Content {
    /// Files named after the revision.
    pub fn tree(tree: Arc<dyn Tree>, rules: IgnoreRules) -> Self {
        Self::Tree { tree, rules, name: None }
    }

    /// Writes the bytes of the artifact.
    fn write(&self, out: &mut dyn io::Write, scope: &Scope) -> Result<(), StoreError> {
        let written = StoreError::writing;
        match self {
            Self::Tree { tree, rules, .. } => {
                let keep = |path: &Path, is_dir: bool| !rules.ignores(path, is_dir);
                let packed = pack(&**tree, &keep, out, scope);
                scope.check()?;
                packed.map_err(|error| match error.kind {
                    // Without a path it was the output that failed.
                    TreeErrorKind::Io(source) if error.path.as_os_str().is_empty() => {
                        written(source)
                    }
                    kind => StoreError::Tree(Box::new(TreeError { path: error.path, kind })),
                })
            }
            Self::Bytes { bytes, .. } => out.write_all(bytes).map_err(written),
            Self::File { file, .. } => {
                let mut piece = vec![0; 128 << 10];
                let mut at = 0;
                loop {
                    scope.check()?;
                    // Others may use the same handle meanwhile.
                    let amount = file.read_at(&mut piece, at).map_err(StoreError::reading)?;
                    if amount == 0 {
                        return Ok(());
                    }
                    out.write_all(&piece[..amount]).map_err(written)?;
                    at += amount as u64;
                }
            }
        }
    }
}

/// A file of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name below the key's directory.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was put.
    pub stored_at: Timestamp,
}

/// An open file of a store.
pub struct OpenFile {
    /// Its size in bytes.
    pub size: u64,
    /// When it was put.
    pub stored_at: Timestamp,
    /// Its bytes, from the start.
    pub body: Box<dyn ReadSeek>,
}

impl Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Bytes that can be read from any place.
pub trait ReadSeek: AsyncRead + AsyncSeek + Send + Unpin {}

impl<T: AsyncRead + AsyncSeek + Send + Unpin> ReadSeek for T {}

/// Keeps artifacts.
///
/// An artifact appears as a whole or not at all, whenever the process ends. There are no locks: two
/// that put the same file at once leave the whole file of one of them, and a reader keeps the file
/// that it opened.
#[async_trait]
pub trait ArtifactStore: Debug + Send + Sync {
    /// Removes what an earlier process left half-written. To be called before the first write, and
    /// only when no other process writes to the store: not before a lease is held.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    async fn clean(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Stores content as a file, in place of one of that name; a tree is packed.
    ///
    /// # Errors
    /// When the tree cannot be read or the store cannot be written; what was there before stays.
    ///
    /// # Cancel safety
    /// Nothing half-written is left when the future is dropped.
    async fn put(
        &self,
        key: &ArtifactKey,
        revision: &Revision,
        content: Content,
        scope: &Scope,
    ) -> Result<Artifact, StoreError>;

    /// Makes a second name for a file, in place of one that is there. It is opened as the file is,
    /// and neither listed nor collected.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn alias(&self, key: &ArtifactKey, alias: &str, file: &str) -> Result<(), StoreError>;

    /// Opens a file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not there, or the key or name is none.
    async fn open(&self, key: &ArtifactKey, file: &str) -> Result<OpenFile, StoreError>;

    /// The files of a key, by name.
    ///
    /// # Errors
    /// When the store cannot be read. A key without files has none.
    async fn list(&self, key: &ArtifactKey) -> Result<Vec<StoredFile>, StoreError>;

    /// Removes a file; one that is gone already is no error.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn remove(&self, key: &ArtifactKey, file: &str) -> Result<(), StoreError>;

    /// Removes all files of a key; false when it had none.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn remove_all(&self, key: &ArtifactKey) -> Result<bool, StoreError>;

    /// A text that changes when the bytes of a file do, for stores where reading the file is dear:
    /// one who checked a file need not read it again. `None` where reading is cheap.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the file is not there.
    async fn fingerprint(
        &self,
        key: &ArtifactKey,
        file: &str,
    ) -> Result<Option<String>, StoreError> {
        let _ = (key, file);
        Ok(None)
    }
}

/// How long files that are no longer advertised stay, for consumers that are late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Older ones go.
    pub ttl: Duration,
    /// Of the younger ones, the newest stay until there are this many, the current one included.
    pub records: usize,
}

impl Default for Retention {
    /// A minute, and two.
    fn default() -> Self {
        Self { ttl: Duration::from_mins(1), records: 2 }
    }
}

/// What callers do with any store.
pub trait ArtifactStoreExt: ArtifactStore {
    /// Removes the files of a key that need not be kept; never the current one. Returns how many.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    fn collect(
        &self,
        current: &Artifact,
        keep: Retention,
        now: Timestamp,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send {
        async move {
            let files = self.list(&current.key).await?;
            let garbage = retain::garbage(files, &current.file, keep, now);
            for file in &garbage {
                self.remove(&current.key, file).await?;
            }
            Ok(garbage.len())
        }
    }

    /// Reads an artifact and compares its digest. False when the file is missing.
    ///
    /// # Errors
    /// [`StoreError::Digest`] when the file is not the one that was put.
    fn verify(&self, artifact: &Artifact) -> impl Future<Output = Result<bool, StoreError>> + Send {
        async move {
            use tokio::io::AsyncReadExt as _;
            let mut open = match self.open(&artifact.key, &artifact.file).await {
                Ok(open) => open,
                Err(StoreError::NotFound) => return Ok(false),
                Err(error) => return Err(error),
            };
            let mut hasher = gitops_core::Hasher::new(artifact.digest.algorithm());
            let mut buffer = vec![0; 64 << 10];
            loop {
                let amount = open.body.read(&mut buffer).await.map_err(StoreError::reading)?;
                if amount == 0 {
                    break;
                }
                hasher.update(&buffer[..amount]);
            }
            let found = hasher.finish();
            if found == artifact.digest {
                return Ok(true);
            }
            Err(StoreError::Digest { wanted: artifact.digest.to_string().into() })
        }
    }
}

impl<S: ArtifactStore + ?Sized> ArtifactStoreExt for S {}

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No such file.
    #[error("file not found")]
    NotFound,
    /// A key or file name that could lead elsewhere, or a revision without a hash.
    #[error("invalid artifact name '{0}'")]
    Name(Box<str>),
    /// The file is not the one that was put.
    #[error("computed digest doesn't match '{wanted}'")]
    Digest {
        /// The digest that was recorded.
        wanted: Box<str>,
    },
    /// The tree could not be packed.
    #[error(transparent)]
    Tree(Box<TreeError>),
    /// The disk failed.
    #[error("failed to {doing}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Stopped from outside.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl StoreError {
    fn reading(source: io::Error) -> Self {
        Self::Disk { doing: "read artifact", source }
    }

    fn writing(source: io::Error) -> Self {
        Self::Disk { doing: "write artifact file", source }
    }
}

impl Classify for StoreError {
    fn class(&self) -> Class {
        match self {
            Self::NotFound => Class::NotFound,
            Self::Name(_) => Class::Invalid,
            Self::Digest { .. } | Self::Disk { .. } => Class::Transient,
            Self::Tree(error) => error.class(),
            Self::Cancelled(error) => error.class(),
        }
    }
}

/// The name of the file that content becomes.
fn file_name(revision: &Revision, content: &Content) -> Result<String, StoreError> {
    match content {
        Content::Tree { name: Some(name), .. }
        | Content::Bytes { name, .. }
        | Content::File { name, .. } => return Ok(name.clone()),
        Content::Tree { name: None, .. } => {}
    }
    let name = || StoreError::Name(revision.to_string().into());
    let hash = revision.hash().ok_or_else(name)?;
    Ok(format!("{hash}.tar.gz"))
}

/// Refuses keys and names that are more than a name: nothing leads out of the store, and files in
/// the making, which begin with a dot, are not seen.
fn checked(key: &ArtifactKey, file: Option<&str>) -> Result<(), StoreError> {
    let parts = [&key.kind, &key.namespace, &key.name].into_iter().map(String::as_str);
    match parts.chain(file).find(|part| !plain(part)) {
        Some(part) => Err(StoreError::Name(part.into())),
        None => Ok(()),
    }
}

fn plain(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\', '\0'])
}

/// Ends the work on another thread when the future that waits for it is dropped.
struct CancelOnDrop(Scope);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Digests and counts what is written.
struct Counted<W> {
    out: W,
    hasher: Hasher,
    size: u64,
}

impl<W: io::Write> io::Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let amount = self.out.write(bytes)?;
        self.hasher.update(&bytes[..amount]);
        self.size += amount as u64;
        Ok(amount)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
