//! A store in a bucket, which several processes share.

mod place;
mod read;

use std::{
    fmt,
    io::{BufWriter, Read as _, Seek as _, Write as _},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use gitops_core::{
    Algorithm, Artifact, ArtifactKey, Cancelled, Clock, Digest, Hasher, Revision, Scope,
};
use jiff::Timestamp;
use object_store::{
    GetOptions, ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart, path::Path,
};

use super::{ArtifactStore, Content, OpenFile, StoreError, StoredFile, checked, file_name};
use read::Reader;

pub use place::SharedStorePlace;

/// What is sent in one request; larger files are sent in parts of this size.
const PART: usize = 8 << 20;
const PARALLEL: usize = 4;
/// The beginning of the name of an object that names another.
const ALIAS: &str = ".alias-";
const MAX_ALIAS: usize = 1024;

/// Artifacts as objects `<prefix>/<kind>/<namespace>/<name>/<file>` of an S3-compatible bucket.
///
/// Any number of processes may read; a file is there as a whole or not at all, because an object
/// is. Nothing is kept on the local disk but a file in the making.
#[derive(Clone)]
pub struct SharedStore {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client's own text would tell how it is authenticated.
        f.debug_struct("SharedStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl SharedStore {
    /// A store at a place; nothing is asked of the bucket yet.
    ///
    /// # Errors
    /// [`StoreError::Name`] when the place is malformed.
    pub fn new(
        place: &SharedStorePlace,
        algorithm: Algorithm,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let prefix = place.prefix()?;
        Ok(Self { objects: place.connect()?, prefix, algorithm, clock })
    }

    /// A store in any object store, below a prefix.
    #[cfg(feature = "testing")]
    pub fn of_objects(
        objects: Arc<dyn ObjectStore>,
        prefix: &str,
        algorithm: Algorithm,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { objects, prefix: Path::from(prefix), algorithm, clock }
    }

    fn directory(&self, key: &ArtifactKey) -> Path {
        self.prefix
            .clone()
            .join(key.kind.as_str())
            .join(key.namespace.as_str())
            .join(key.name.as_str())
    }

    async fn send(
        &self,
        path: &Path,
        mut file: std::fs::File,
        size: u64,
    ) -> Result<(), StoreError> {
        file.rewind().map_err(StoreError::reading)?;
        if size <= PART as u64 {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(StoreError::reading)?;
            let sent = self.objects.put(path, PutPayload::from(bytes)).await;
            return sent.map(drop).map_err(failed("write artifact object"));
        }
        let upload = self.objects.put_multipart(path).await;
        let upload = upload.map_err(failed("write artifact object"))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        loop {
            let mut part = Vec::with_capacity(PART);
            let amount = (&mut file).take(PART as u64).read_to_end(&mut part);
            if amount.map_err(StoreError::reading)? == 0 {
                break;
            }
            upload.wait_for_capacity(PARALLEL).await.map_err(failed("write artifact object"))?;
            upload.put(Bytes::from(part));
        }
        upload.finish().await.map(drop).map_err(failed("write artifact object"))
    }

    /// Looks a file up, or the one that an alias of that name names.
    async fn find(
        &self,
        key: &ArtifactKey,
        file: &str,
    ) -> Result<(Path, object_store::GetResult), StoreError> {
        let directory = self.directory(key);
        let path = directory.clone().join(file);
        match self.objects.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => {}
            found => return Ok((path, found.map_err(failed("read artifact object"))?)),
        }
        let alias = directory.clone().join(format!("{ALIAS}{file}"));
        let named = self.objects.get(&alias).await.map_err(failed("read artifact object"))?;
        if named.meta.size > MAX_ALIAS as u64 {
            return Err(StoreError::NotFound);
        }
        let named = named.bytes().await.map_err(failed("read artifact object"))?;
        let named = String::from_utf8(named.to_vec()).map_err(|_| StoreError::NotFound)?;
        checked(key, Some(&named)).map_err(|_| StoreError::NotFound)?;
        let path = directory.join(named);
        let found = self.objects.get(&path).await.map_err(failed("read artifact object"))?;
        Ok((path, found))
    }
}

#[async_trait]
impl ArtifactStore for SharedStore {
    async fn put(
        &self,
        key: &ArtifactKey,
        revision: &Revision,
        content: Content,
        scope: &Scope,
    ) -> Result<Artifact, StoreError> {
        let file = file_name(revision, &content)?;
        checked(key, Some(&file))?;
        // Ends the packing when this future is dropped.
        let packing = scope.child();
        let guard = packing.clone();
        let _guard = super::CancelOnDrop(guard);
        let algorithm = self.algorithm;
        let packed =
            tokio::task::spawn_blocking(move || pack_aside(&content, algorithm, &packing)).await;
        let (aside, digest, size) = packed.map_err(|_| StoreError::Cancelled(Cancelled))??;
        let path = self.directory(key).join(file.as_str());
        scope.run(self.send(&path, aside, size)).await??;
        let (key, revision) = (key.clone(), revision.clone());
        Ok(Artifact { key, file, revision, digest, size, stored_at: self.clock.now() })
    }

    async fn alias(&self, key: &ArtifactKey, alias: &str, file: &str) -> Result<(), StoreError> {
        checked(key, Some(alias))?;
        checked(key, Some(file))?;
        let path = self.directory(key).join(format!("{ALIAS}{alias}"));
        let named = PutPayload::from(file.to_owned());
        self.objects.put(&path, named).await.map(drop).map_err(failed("write artifact alias"))
    }

    async fn open(&self, key: &ArtifactKey, file: &str) -> Result<OpenFile, StoreError> {
        checked(key, Some(file)).map_err(|_| StoreError::NotFound)?;
        let (path, found) = self.find(key, file).await?;
        let meta = found.meta.clone();
        let body = Reader::new(Arc::clone(&self.objects), path, found);
        Ok(OpenFile { size: meta.size, stored_at: stored_at(&meta), body: Box::new(body) })
    }

    async fn list(&self, key: &ArtifactKey) -> Result<Vec<StoredFile>, StoreError> {
        checked(key, None)?;
        let directory = self.directory(key);
        let listed = self.objects.list_with_delimiter(Some(&directory)).await;
        let listed = listed.map_err(failed("list artifact objects"))?;
        let stored = |meta: object_store::ObjectMeta| {
            let file = meta.location.filename()?.to_owned();
            let stored_at = stored_at(&meta);
            (!file.starts_with('.')).then_some(StoredFile { file, size: meta.size, stored_at })
        };
        let mut files: Vec<StoredFile> = listed.objects.into_iter().filter_map(stored).collect();
        files.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(files)
    }

    async fn remove(&self, key: &ArtifactKey, file: &str) -> Result<(), StoreError> {
        checked(key, Some(file))?;
        let path = self.directory(key).join(file);
        match self.objects.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("remove artifact object")(error)),
        }
    }

    async fn remove_all(&self, key: &ArtifactKey) -> Result<bool, StoreError> {
        checked(key, None)?;
        let directory = self.directory(key);
        let listed = self.objects.list(Some(&directory)).map_ok(|meta| meta.location);
        let all: Vec<Path> = listed.try_collect().await.map_err(failed("list artifact objects"))?;
        let any = all.iter().any(|path| !is_alias(path));
        for path in all {
            match self.objects.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("remove artifact object")(error)),
            }
        }
        Ok(any)
    }

    async fn fingerprint(
        &self,
        key: &ArtifactKey,
        file: &str,
    ) -> Result<Option<String>, StoreError> {
        checked(key, Some(file)).map_err(|_| StoreError::NotFound)?;
        let path = self.directory(key).join(file);
        let head = GetOptions { head: true, ..GetOptions::default() };
        let found = self.objects.get_opts(&path, head).await;
        let meta = found.map_err(failed("read artifact object"))?.meta;
        Ok(meta.e_tag.map(|tag| format!("{tag} {} {}", meta.size, meta.last_modified)))
    }
}

fn is_alias(path: &Path) -> bool {
    path.filename().is_some_and(|name| name.starts_with(ALIAS))
}

/// Packs content into a file without a name.
fn pack_aside(
    content: &Content,
    algorithm: Algorithm,
    scope: &Scope,
) -> Result<(std::fs::File, Digest, u64), StoreError> {
    let file = tempfile::tempfile().map_err(StoreError::writing)?;
    let hasher = Hasher::new(algorithm);
    let buffer = BufWriter::with_capacity(128 << 10, &file);
    let mut out = super::Counted { out: buffer, hasher, size: 0 };
    content.write(&mut out, scope)?;
    out.flush().map_err(StoreError::writing)?;
    let (digest, size) = (out.hasher.clone().finish(), out.size);
    drop(out);
    Ok((file, digest, size))
}

fn stored_at(meta: &object_store::ObjectMeta) -> Timestamp {
    let millis = meta.last_modified.timestamp_millis();
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn failed(doing: &'static str) -> impl Fn(object_store::Error) -> StoreError {
    move |error| match error {
        object_store::Error::NotFound { .. } => StoreError::NotFound,
        // Requests are signed in their headers, so no URL in the text is a secret.
        error => StoreError::Disk { doing, source: std::io::Error::other(error) },
    }
}
