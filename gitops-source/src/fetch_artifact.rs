//! The consumer's side of an artifact: download, check, unpack, and share what was unpacked.

use std::{
    collections::BTreeMap,
    fmt,
    io::{Seek as _, Write as _},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt as _;
use gitops_core::{
    Backoff, Cancelled, Class, Classify, Digest, Hasher, Limits, MemoryTree, Scope, TreeError,
    unpack,
};
use parking_lot::Mutex;
use reqwest::{Client, Response, StatusCode};
use url::Url;

use crate::go;

/// How artifacts are fetched.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchOptions {
    /// How often a failed download is tried again.
    pub retries: u32,
    /// How long to wait before that.
    pub backoff: Backoff,
    /// The longest silence of a server, also within a download.
    pub idle_timeout: Duration,
    /// The largest download, in bytes.
    pub max_bytes: u64,
    /// What may come out of it.
    pub limits: Limits,
    /// `host` or `host:port` to ask instead of the one in the URL.
    pub host: Option<String>,
    /// How many bytes of unpacked files to keep for the next who asks; 0 keeps none.
    pub cache_bytes: u64,
}

impl Default for FetchOptions {
    /// 9 retries from 1 s to 30 s apart, 30 s of silence, 1 GiB, the limits' own defaults, and
    /// 256 MiB of cache.
    fn default() -> Self {
        let backoff = Backoff { first: Duration::from_secs(1), limit: Duration::from_secs(30) };
        Self {
            retries: 9,
            backoff,
            idle_timeout: Duration::from_secs(30),
            max_bytes: 1 << 30,
            limits: Limits::default(),
            host: None,
            cache_bytes: 256 << 20,
        }
    }
}

/// Fetches artifacts. Clones share the cache.
///
/// What a digest names never changes, so it is downloaded and unpacked once for all who want it at
/// the same time, and kept while there is room.
#[derive(Clone)]
pub struct ArtifactFetcher {
    client: Client,
    options: Arc<FetchOptions>,
    cache: Arc<Mutex<Cache>>,
}

impl fmt::Debug for ArtifactFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactFetcher").field("options", &self.options).finish_non_exhaustive()
    }
}

impl ArtifactFetcher {
    /// A fetcher with an empty cache.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(options: FetchOptions) -> Result<Self, FetchError> {
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(options.idle_timeout)
            .read_timeout(options.idle_timeout)
            // An artifact is compressed already, and its digest is that of the bytes as served.
            .no_gzip()
            .build()
            .map_err(|error| FetchError::Download(error.to_string().into()))?;
        Ok(Self { client, options: Arc::new(options), cache: Arc::default() })
    }

    /// The files of the artifact at a URL, whose bytes must have a digest.
    ///
    /// # Errors
    /// [`FetchError::NotFound`] at once when the server does not have it (any more); others after
    /// the retries that make sense. Nothing unchecked is ever returned.
    pub async fn fetch(
        &self,
        url: &Url,
        digest: &Digest,
        scope: &Scope,
    ) -> Result<Arc<MemoryTree>, FetchError> {
        let slot = self.cache.lock().slot(digest);
        // Those who want the same wait here; the first one to come does the work.
        let mut tree = scope.run(slot.lock()).await?;
        if let Some(tree) = &*tree {
            return Ok(Arc::clone(tree));
        }
        match scope.run(self.download(url, digest, scope)).await.map_err(FetchError::from).flatten()
        {
            Ok(fetched) => {
                let fetched = Arc::new(fetched);
                let bytes = fetched.files().map(|(_, content)| content.len() as u64 + 256).sum();
                *tree = Some(Arc::clone(&fetched));
                drop(tree);
                self.cache.lock().keep(digest, bytes, self.options.cache_bytes);
                Ok(fetched)
            }
            Err(error) => {
                drop(tree);
                self.cache.lock().forget_unfinished(digest, &slot);
                Err(error)
            }
        }
    }

    async fn download(
        &self,
        url: &Url,
        digest: &Digest,
        scope: &Scope,
    ) -> Result<MemoryTree, FetchError> {
        let mut url = url.clone();
        if let Some(host) = &self.options.host {
            let (host, port) = match host.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                    (host, port.parse().ok())
                }
                _ => (host.as_str(), None),
            };
            let replaced = url.set_host(Some(host)).is_ok() && url.set_port(port).is_ok();
            if !replaced {
                return Err(FetchError::Download(format!("invalid host '{host}'").into()));
            }
        }
        let mut failures = 0;
        loop {
            let error = match self.attempt(&url, digest, scope).await {
                Ok(tree) => return Ok(tree),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Again(why)) => why,
            };
            failures += 1;
            if failures > self.options.retries {
                let url = go::masked(&url);
                let why = format!("GET {url} giving up after {failures} attempt(s): {error}");
                return Err(FetchError::Download(why.into()));
            }
            tokio::time::sleep(self.options.backoff.delay(failures)).await;
        }
    }

    async fn attempt(
        &self,
        url: &Url,
        digest: &Digest,
        scope: &Scope,
    ) -> Result<MemoryTree, Attempt> {
        let response = self.client.get(url.clone()).send().await;
        let response = response.map_err(|error| {
            let url = go::quoted(&go::masked(url));
            Attempt::Again(format!("Get {url}: {}", go::request_failure(&error, None)))
        })?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(FetchError::NotFound.into()),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Attempt::Again(format!("unexpected HTTP status {status}")));
            }
            status => {
                let url = go::masked(url);
                let why = format!("failed to download archive from {url} (status: {status})");
                return Err(FetchError::Status(why.into()).into());
            }
        }
        let file = self.save(response, digest).await?;
        let (limits, scope) = (self.options.limits, scope.clone());
        let unpacked = tokio::task::spawn_blocking(move || {
            scope.check()?;
            unpack(std::io::BufReader::new(file), &limits)
                .map_err(|error| FetchError::Archive(Box::new(error)))
        })
        .await;
        Ok(unpacked.map_err(|_| FetchError::Cancelled(Cancelled))??)
    }

    /// Writes the download to a file without a name while its digest is computed.
    async fn save(&self, response: Response, digest: &Digest) -> Result<std::fs::File, Attempt> {
        let mut file = tempfile::tempfile().map_err(FetchError::Disk)?;
        let mut hasher = Hasher::new(digest.algorithm());
        let mut size = 0_u64;
        let mut body = response.bytes_stream();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| Attempt::Again(go::request_failure(&error, None)))?;
            size += piece.len() as u64;
            if size > self.options.max_bytes {
                return Err(FetchError::TooLarge(self.options.max_bytes).into());
            }
            hasher.update(&piece);
            file.write_all(&piece).map_err(FetchError::Disk)?;
        }
        if hasher.finish() != *digest {
            return Err(FetchError::Digest(digest.to_string().into()).into());
        }
        file.rewind().map_err(FetchError::Disk)?;
        Ok(file)
    }
}

enum Attempt {
    Again(String),
    Final(FetchError),
}

impl From<FetchError> for Attempt {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

/// Why an artifact could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server does not have it, perhaps not any more: a newer one may be advertised by now.
    #[error("file not found")]
    NotFound,
    /// The server could not be reached or failed, and went on to.
    #[error("failed to download archive: {0}")]
    Download(Box<str>),
    /// The server refused.
    #[error("{0}")]
    Status(Box<str>),
    /// What the server has is not what was asked for.
    #[error("failed to verify archive: computed digest doesn't match provided '{0}'")]
    Digest(Box<str>),
    /// The download is larger than allowed.
    #[error("artifact is greater than the max download size of {0} bytes")]
    TooLarge(u64),
    /// What the archive holds is malformed or more than allowed.
    #[error("failed to extract archive")]
    Archive(#[source] Box<TreeError>),
    /// Local disk trouble.
    #[error("failed to copy temp contents")]
    Disk(#[source] std::io::Error),
    /// Stopped from outside.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Classify for FetchError {
    fn class(&self) -> Class {
        match self {
            Self::NotFound => Class::NotFound,
            Self::Download(_) | Self::Digest(_) | Self::Disk(_) | Self::Status(_) => {
                Class::Transient
            }
            Self::TooLarge(_) => Class::Invalid,
            Self::Archive(error) => error.class(),
            Self::Cancelled(error) => error.class(),
        }
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<Arc<MemoryTree>>>>;

#[derive(Default)]
struct Cache {
    slots: BTreeMap<Digest, Kept>,
    bytes: u64,
    /// Counts uses, so that the one used longest ago can be told.
    uses: u64,
}

struct Kept {
    slot: Slot,
    /// 0 until the download is done.
    bytes: u64,
    used: u64,
}

impl Cache {
    fn slot(&mut self, digest: &Digest) -> Slot {
        self.uses += 1;
        let kept = self.slots.entry(digest.clone()).or_insert_with(|| Kept {
            slot: Slot::default(),
            bytes: 0,
            used: 0,
        });
        kept.used = self.uses;
        Arc::clone(&kept.slot)
    }

    fn keep(&mut self, digest: &Digest, bytes: u64, room: u64) {
        if let Some(kept) = self.slots.get_mut(digest) {
            self.bytes = self.bytes - kept.bytes + bytes;
            kept.bytes = bytes;
        }
        while self.bytes > room {
            let finished = self.slots.iter().filter(|(_, kept)| kept.bytes > 0);
            let Some((oldest, _)) = finished.min_by_key(|(_, kept)| kept.used) else {
                break;
            };
            let oldest = oldest.clone();
            if let Some(kept) = self.slots.remove(&oldest) {
                self.bytes -= kept.bytes;
            }
        }
    }

    /// Removes a slot that never got a tree, unless others wait for it and will try themselves.
    fn forget_unfinished(&mut self, digest: &Digest, slot: &Slot) {
        let unused = self.slots.get(digest).is_some_and(|kept| {
            kept.bytes == 0 && Arc::ptr_eq(&kept.slot, slot) && Arc::strong_count(slot) <= 2
        });
        if unused {
            self.slots.remove(digest);
        }
    }
}
