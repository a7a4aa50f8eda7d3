//! From a bucket to files.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{Read as _, Seek as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use gitops_core::{
    Algorithm, Cancelled, Digest, DiskTree, Entry, Hasher, Limits, Revision, Scope, Tree,
    TreeError, confined_path,
};
use tempfile::TempDir;

use super::client::BucketStore;
use crate::{Fetched, IgnoreRules, Resolved, Source, SourceError};

/// The file with ignore rules.
const IGNORE_FILE: &str = ".sourceignore";
/// How many objects are downloaded at a time.
const PARALLEL: usize = 64;
/// The largest file of ignore rules, in bytes.
const IGNORE_LIMIT: u64 = 1 << 20;

/// A bucket whose objects become files.
#[derive(Debug)]
pub struct BucketSource {
    store: Arc<dyn BucketStore>,
    name: String,
    prefix: String,
    ignore: Option<String>,
    timeout: Duration,
    limits: Limits,
}

/// What a bucket holds: every key that is not ignored, with its entity tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketIndex {
    objects: BTreeMap<String, String>,
    /// The file with ignore rules, which always comes along.
    rules: Option<Bytes>,
}

impl BucketIndex {
    /// The digest of the index: that of a line `key etag` for each object, in the order of keys.
    pub fn revision(&self) -> Revision {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for (key, etag) in &self.objects {
            for part in [key.as_str(), " ", etag, "\n"] {
                hasher.update(part.as_bytes());
            }
        }
        let digest: Digest = hasher.finish();
        Revision::new(None, digest.algorithm().name(), digest.hex())
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl BucketSource {
    /// All objects of a bucket; a minute for the listing, and one for the download.
    pub fn new(store: Arc<dyn BucketStore>, name: &str) -> Self {
        Self {
            store,
            name: name.to_owned(),
            prefix: String::new(),
            ignore: None,
            timeout: Duration::from_mins(1),
            limits: Limits::default(),
        }
    }

    /// Only objects whose key begins with this.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Leaves out what these rules ignore, beside those of the bucket.
    #[must_use]
    pub fn with_ignore(mut self, ignore: Option<String>) -> Self {
        self.ignore = ignore;
        self
    }

    /// How long the listing and the download may each take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How much may be downloaded.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What the bucket holds now.
    ///
    /// # Errors
    /// When the bucket is not there or cannot be read, or holds too much.
    pub async fn index(&self, scope: &Scope) -> Result<BucketIndex, SourceError> {
        self.bounded(scope, self.read_index()).await
    }

    async fn read_index(&self) -> Result<BucketIndex, SourceError> {
        let name = &self.name;
        let exists = self.store.exists().await.map_err(|error| {
            error.during(format!("failed to confirm existence of '{name}' bucket"))
        })?;
        if !exists {
            return Err(SourceError::NotFound(format!("bucket '{name}' not found").into()));
        }
        let rules = self.ignore_file().await.map_err(|error| {
            error.during(format!("failed to get Etag for '{IGNORE_FILE}' object"))
        })?;
        let text = rules.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let ignore = IgnoreRules::of_texts(&[&text, self.ignore.as_deref().unwrap_or_default()]);
        let listing = self.objects(&ignore.map_err(SourceError::from)?).await;
        let objects = listing.map_err(|error| {
            error.during(format!("indexation of objects from bucket '{name}' failed"))
        })?;
        Ok(BucketIndex { objects, rules })
    }

    async fn ignore_file(&self) -> Result<Option<Bytes>, SourceError> {
        let disk = |source| SourceError::Disk { doing: "cannot write object", source };
        let mut file = tempfile::tempfile().map_err(disk)?;
        if self.store.get(IGNORE_FILE, &mut file, IGNORE_LIMIT).await?.is_none() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.rewind().map_err(disk)?;
        file.read_to_end(&mut bytes).map_err(disk)?;
        Ok(Some(bytes.into()))
    }

    async fn objects(&self, ignore: &IgnoreRules) -> Result<BTreeMap<String, String>, SourceError> {
        let mut objects = BTreeMap::new();
        let mut token: Option<String> = None;
        let mut seen = 0_usize;
        loop {
            let page = self.store.list(&self.prefix, token.as_deref()).await?;
            seen += page.objects.len();
            for object in page.objects {
                let key = object.key;
                if key.ends_with('/')
                    || key == IGNORE_FILE
                    || ignore.ignores(Path::new(&key), false)
                {
                    continue;
                }
                objects.insert(key, object.etag);
                if objects.len() > self.limits.entries {
                    let most = self.limits.entries;
                    return Err(SourceError::content(format!("more than {most} objects")));
                }
            }
            // A listing may go on for ever without a single object that counts.
            if seen > self.limits.entries.saturating_mul(16) {
                return Err(SourceError::content("too many objects"));
            }
            match page.next {
                None => return Ok(objects),
                Some(next) if token.as_deref() == Some(&next) => {
                    return Err(SourceError::content("the list of objects does not end"));
                }
                next => token = next,
            }
        }
    }

    /// Downloads the objects of an index. One that is gone by now is left out, one that changed
    /// is taken as it is: the index that comes along is what was downloaded.
    ///
    /// # Errors
    /// When an object cannot be had, or all together are too large.
    pub async fn download(
        &self,
        index: &BucketIndex,
        scope: &Scope,
    ) -> Result<(Arc<dyn Tree>, BucketIndex), SourceError> {
        let doing = format!("fetch from bucket '{}' failed", self.name);
        let work = self.fetch_all(index);
        self.bounded(scope, work).await.map_err(|error| error.during(doing))
    }

    async fn fetch_all(
        &self,
        index: &BucketIndex,
    ) -> Result<(Arc<dyn Tree>, BucketIndex), SourceError> {
        let disk = |source| SourceError::Disk { doing: "cannot write object", source };
        let directory = tempfile::tempdir().map_err(disk)?;
        if let Some(rules) = &index.rules {
            fs::write(directory.path().join(IGNORE_FILE), rules).map_err(disk)?;
        }
        let left = AtomicU64::new(self.limits.bytes);
        let keys: Vec<String> = index.objects.keys().cloned().collect();
        let fetched: Vec<_> = futures::stream::iter(keys)
            .map(|key| {
                let (left, root) = (&left, directory.path());
                async move {
                    let got = self.fetch_one(&key, root, left).await;
                    let got =
                        got.map_err(|error| error.during(format!("failed to get '{key}' object")))?;
                    Ok::<_, SourceError>((key, got))
                }
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let mut now = BucketIndex { rules: index.rules.clone(), ..BucketIndex::default() };
        for (key, etag) in fetched {
            match etag {
                Some(etag) => {
                    now.objects.insert(key, etag);
                }
                None => {
                    let name = &self.name;
                    tracing::info!("indexed object '{key}' disappeared from '{name}' bucket");
                }
            }
        }
        let tree = DiskTree::open(directory.path()).map_err(SourceError::from)?;
        Ok((Arc::new(Downloaded { tree, _directory: directory }), now))
    }

    async fn fetch_one(
        &self,
        key: &str,
        root: &Path,
        left: &AtomicU64,
    ) -> Result<Option<String>, SourceError> {
        let disk = |source| SourceError::Disk { doing: "cannot write object", source };
        let path = confined_path(key);
        if path.as_os_str().is_empty() || key.contains('\0') {
            return Err(SourceError::content("the key is no name of a file"));
        }
        if path.components().count() > self.limits.depth {
            return Err(SourceError::content("the key has too many parts"));
        }
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(disk)?;
        }
        let mut file = File::create(&path).map_err(disk)?;
        let max = left.load(Ordering::Relaxed);
        match self.store.get(key, &mut file, max).await? {
            Some((etag, size)) => {
                let spent = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(size)
                });
                spent.map_err(|_| SourceError::content("the objects are larger than allowed"))?;
                Ok(Some(etag))
            }
            None => {
                drop(file);
                fs::remove_file(&path).map_err(disk)?;
                Ok(None)
            }
        }
    }

    async fn bounded<T>(
        &self,
        scope: &Scope,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        match scope.run(tokio::time::timeout(self.timeout, work)).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(SourceError::network("context deadline exceeded")),
            Err(Cancelled) => Err(Cancelled.into()),
        }
    }
}

#[async_trait]
impl Source for BucketSource {
    async fn resolve(&self, scope: &Scope) -> Result<Resolved, SourceError> {
        Ok(Resolved::new(self.index(scope).await?.revision()))
    }

    /// Fetches what the bucket holds, which may be newer than what was resolved.
    async fn fetch(&self, _: &Resolved, scope: &Scope) -> Result<Fetched, SourceError> {
        let index = self.index(scope).await?;
        let (tree, index) = self.download(&index, scope).await?;
        Ok(Fetched::unsigned(index.revision(), tree))
    }
}

/// Downloaded files, which go when nobody needs them any more.
struct Downloaded {
    tree: DiskTree,
    _directory: TempDir,
}

impl fmt::Debug for Downloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.fmt(f)
    }
}

impl Tree for Downloaded {
    fn read(&self, path: &Path) -> Result<Bytes, TreeError> {
        self.tree.read(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, TreeError> {
        self.tree.list(dir)
    }

    fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
        self.tree.stat(path)
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, TreeError> {
        self.tree.resolve(path)
    }
}
