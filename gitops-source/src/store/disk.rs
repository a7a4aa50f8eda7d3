//! A store in a directory.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use gitops_core::{
    Algorithm, Artifact, ArtifactKey, Cancelled, Clock, Digest, Hasher, Revision, Scope,
};
use jiff::Timestamp;

use super::{
    ArtifactStore, CancelOnDrop, Content, Counted, OpenFile, StoreError, StoredFile, checked,
    file_name, plain,
};

/// The beginning of the name of a file in the making.
const TEMPORARY: &str = ".put-";

/// Artifacts as files `<kind>/<namespace>/<name>/<file>`, readable by their owner only.
///
/// A file is written under another name in the same directory and then renamed. One directory is for
/// one process at a time: [`clean`](ArtifactStore::clean) removes what is half-written.
#[derive(Clone, Debug)]
pub struct DiskStore {
    root: Arc<Path>,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
}

impl DiskStore {
    /// Opens a directory, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(
        root: impl Into<PathBuf>,
        algorithm: Algorithm,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let root: PathBuf = root.into();
        fs::create_dir_all(&root).map_err(disk("create storage directory"))?;
        Ok(Self { root: root.into(), algorithm, clock })
    }

    fn directory(&self, key: &ArtifactKey) -> PathBuf {
        self.root.join(&key.kind).join(&key.namespace).join(&key.name)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let own = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&own)).await;
        done.map_err(|_| StoreError::Cancelled(Cancelled))?
    }

    fn write(
        &self,
        key: &ArtifactKey,
        file: &str,
        content: &Content,
        scope: &Scope,
    ) -> Result<(Digest, u64), StoreError> {
        let directory = self.directory(key);
        fs::create_dir_all(&directory).map_err(disk("create artifact directory"))?;
        // Goes away by itself unless it is renamed.
        let temporary = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&directory)
            .map_err(disk("create artifact file"))?;
        let (digest, size) = {
            let mut out = Counted {
                out: BufWriter::with_capacity(128 << 10, temporary.as_file()),
                hasher: Hasher::new(self.algorithm),
                size: 0,
            };
            content.write(&mut out, scope)?;
            out.flush().map_err(StoreError::writing)?;
            (out.hasher.finish(), out.size)
        };
        let target = directory.join(file);
        temporary.persist(target).map_err(|error| disk("rename artifact file")(error.error))?;
        Ok((digest, size))
    }
}

#[async_trait]
impl ArtifactStore for DiskStore {
    async fn clean(&self) -> Result<(), StoreError> {
        self.blocking(|store| sweep(&store.root, 0).map_err(disk("clean storage directory"))).await
    }

    async fn put(
        &self,
        key: &ArtifactKey,
        revision: &Revision,
        content: Content,
        scope: &Scope,
    ) -> Result<Artifact, StoreError> {
        let file = file_name(revision, &content)?;
        checked(key, Some(&file))?;
        // Ends the work when this future is dropped.
        let scope = scope.child();
        let _guard = CancelOnDrop(scope.clone());
        let (place, name) = (key.clone(), file.clone());
        let (digest, size) =
            self.blocking(move |store| store.write(&place, &name, &content, &scope)).await?;
        let (key, revision) = (key.clone(), revision.clone());
        Ok(Artifact { key, file, revision, digest, size, stored_at: self.clock.now() })
    }

    async fn alias(&self, key: &ArtifactKey, alias: &str, file: &str) -> Result<(), StoreError> {
        checked(key, Some(alias))?;
        checked(key, Some(file))?;
        let (directory, alias) = (self.directory(key), alias.to_owned());
        let file = file.to_owned();
        self.blocking(move |_| {
            let make = |temporary: &Path| std::os::unix::fs::symlink(&file, temporary);
            tempfile::Builder::new()
                .prefix(TEMPORARY)
                .make_in(&directory, make)
                .map_err(disk("create artifact alias"))?
                .into_temp_path()
                .persist(directory.join(alias))
                .map_err(|error| disk("rename artifact alias")(error.error))
        })
        .await
    }

    async fn open(&self, key: &ArtifactKey, file: &str) -> Result<OpenFile, StoreError> {
        checked(key, Some(file)).map_err(|_| StoreError::NotFound)?;
        let path = self.directory(key).join(file);
        let (file, metadata) = self
            .blocking(move |store| {
                let path = followed(path);
                store.refuse_links(&path)?;
                let file = File::open(&path).map_err(StoreError::reading)?;
                let metadata = file.metadata().map_err(StoreError::reading)?;
                Ok((file, metadata))
            })
            .await?;
        if !metadata.is_file() {
            return Err(StoreError::NotFound);
        }
        Ok(OpenFile {
            size: metadata.len(),
            stored_at: modified(&metadata),
            body: Box::new(tokio::fs::File::from_std(file)),
        })
    }

    async fn list(&self, key: &ArtifactKey) -> Result<Vec<StoredFile>, StoreError> {
        checked(key, None)?;
        let directory = self.directory(key);
        self.blocking(move |_| {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(StoreError::reading(error)),
            };
            let mut files = Vec::new();
            for entry in entries {
                let entry = entry.map_err(StoreError::reading)?;
                let Ok(file) = entry.file_name().into_string() else {
                    continue;
                };
                // Gone between the two calls: somebody removed it.
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                if metadata.is_file() && !file.starts_with('.') {
                    let stored_at = modified(&metadata);
                    files.push(StoredFile { file, size: metadata.len(), stored_at });
                }
            }
            files.sort_by(|a, b| a.file.cmp(&b.file));
            Ok(files)
        })
        .await
    }

    async fn remove(&self, key: &ArtifactKey, file: &str) -> Result<(), StoreError> {
        checked(key, Some(file))?;
        let path = self.directory(key).join(file);
        self.blocking(move |_| match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(disk("remove artifact file")(error))
            }
            _ => Ok(()),
        })
        .await
    }

    async fn remove_all(&self, key: &ArtifactKey) -> Result<bool, StoreError> {
        checked(key, None)?;
        let directory = self.directory(key);
        self.blocking(move |_| match fs::remove_dir_all(&directory) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(disk("remove artifact directory")(error)),
        })
        .await
    }
}

impl DiskStore {
    /// A link anywhere below the root is not ours, and leads who knows where.
    fn refuse_links(&self, path: &Path) -> Result<(), StoreError> {
        for part in path.ancestors().take_while(|part| *part != &*self.root) {
            match part.symlink_metadata() {
                Ok(metadata) if metadata.is_symlink() => return Err(StoreError::NotFound),
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound
                            | io::ErrorKind::NotADirectory
                            | io::ErrorKind::InvalidFilename
                    ) =>
                {
                    return Err(StoreError::NotFound);
                }
                Err(error) => return Err(StoreError::reading(error)),
            }
        }
        Ok(())
    }
}

/// The file that an alias of ours names: a link to a plain name in the same directory.
fn followed(path: PathBuf) -> PathBuf {
    let target = fs::read_link(&path).ok();
    let name = target.as_ref().and_then(|target| target.to_str());
    match name.filter(|name| plain(name)) {
        Some(name) => path.with_file_name(name),
        None => path,
    }
}

/// Removes files in the making; they stand in directories of the fourth level.
fn sweep(directory: &Path, depth: usize) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < 3 {
            sweep(&entry.path(), depth + 1)?;
        } else if !kind.is_dir() && entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn modified(metadata: &fs::Metadata) -> Timestamp {
    metadata.modified().ok().and_then(|time| time.try_into().ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn disk(doing: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError::Disk { doing, source }
}
