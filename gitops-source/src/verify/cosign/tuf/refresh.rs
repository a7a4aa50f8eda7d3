//! How a repository of The Update Framework is brought up to date: from a root that is trusted to
//! the files that it vouches for now.
//!
//! Follows the specification's client workflow (version 1.0, section 5.3 to 5.7). Delegated targets
//! are not followed: Sigstore's repositories hold their trusted root at the top.

use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use reqwest::StatusCode;
use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    super::super::VerifyError,
    metadata::{Document, Envelope, Listed, Listing, Root, Targets},
};
use crate::{
    SourceError,
    http_client::{HttpClients, Means},
};

/// How many roots may follow one another; Sigstore has a few in a year.
const MAX_ROOTS: usize = 64;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const ROOT_LIMIT: u64 = 512 << 10;
const TIMESTAMP_LIMIT: u64 = 16 << 10;
const SNAPSHOT_LIMIT: u64 = 2 << 20;
const TARGETS_LIMIT: u64 = 5 << 20;
const TARGET_LIMIT: u64 = 16 << 20;

/// Where a repository is.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    pub(super) clients: HttpClients,
    pub(super) base: Url,
}

/// The root that trust in a repository begins with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FirstRoot {
    /// The `root.json` itself.
    Document(Vec<u8>),
    /// A root by its number, which is fetched from the repository.
    Digest {
        /// Its version.
        version: u64,
        /// SHA-256 of its signed part in canonical JSON, in hexadecimal.
        sha256: Box<str>,
    },
}

/// What is known of a repository so far. It never becomes older.
#[derive(Clone, Debug)]
pub(super) struct Trusted {
    root: Document<Root>,
    timestamp: Option<Document<Listing>>,
    snapshot: Option<Document<Listing>>,
    targets: Option<Document<Targets>>,
}

fn wrong(file: &str, why: impl std::fmt::Display) -> VerifyError {
    VerifyError::invalid(format!("TUF metadata {file}: {why}"))
}

impl Trusted {
    /// What is known in the beginning: a root that is trusted.
    pub(super) async fn first(first: &FirstRoot, mirror: &Mirror) -> Result<Self, VerifyError> {
        let root = match first {
            FirstRoot::Document(root) => {
                root_of(root, None).map_err(|why| wrong("root.json", why))?
            }
            FirstRoot::Digest { version, sha256 } => {
                let file = format!("{version}.root.json");
                let bytes = mirror.get(&file, ROOT_LIMIT).await?;
                let signed = Envelope::parse(&bytes).and_then(|root| root.canonical());
                let signed = signed.map_err(|why| wrong(&file, why))?;
                if hex::encode(digest(&SHA256, &signed)) != **sha256 {
                    return Err(wrong(&file, "is not the root that is trusted"));
                }
                root_of(&bytes, None).map_err(|why| wrong(&file, why))?
            }
        };
        Ok(Self { root, timestamp: None, snapshot: None, targets: None })
    }

    /// Until when nothing has to be asked again.
    pub(super) fn expires(&self) -> Timestamp {
        let timestamp = self.timestamp.as_ref().map(|own| own.expires);
        let snapshot = self.snapshot.as_ref().map(|own| own.expires);
        let targets = self.targets.as_ref().map(|own| own.expires);
        let all = [Some(self.root.expires), timestamp, snapshot, targets];
        all.into_iter().flatten().min().unwrap_or(Timestamp::MIN)
    }

    pub(super) async fn refresh(
        &mut self,
        mirror: &Mirror,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        self.follow_roots(mirror).await?;
        not_expired("root.json", &self.root, now)?;
        self.refresh_timestamp(mirror, now).await?;
        self.refresh_snapshot(mirror, now).await?;
        self.refresh_targets(mirror, now).await
    }

    /// From root to root: each is signed by those whom the former names and those whom it names.
    async fn follow_roots(&mut self, mirror: &Mirror) -> Result<(), VerifyError> {
        for _ in 0..MAX_ROOTS {
            let file = format!("{}.root.json", self.root.version + 1);
            let Some(bytes) = mirror.find(&file, ROOT_LIMIT).await? else { return Ok(()) };
            let next = root_of(&bytes, Some(&self.root)).map_err(|why| wrong(&file, why))?;
            let changed = |role| next.content.differs_in(&self.root.content, role);
            // Whoever held a key that was replaced may have named a version that is never reached.
            if changed("timestamp") || changed("snapshot") {
                self.timestamp = None;
                self.snapshot = None;
            }
            self.root = next;
        }
        Err(wrong("root.json", "there are too many new roots"))
    }

    async fn refresh_timestamp(
        &mut self,
        mirror: &Mirror,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        let file = "timestamp.json";
        let bytes = mirror.get(file, TIMESTAMP_LIMIT).await?;
        let next: Document<Listing> = self.document(&bytes, "timestamp", file)?;
        let listed = next.content.meta.get("snapshot.json");
        let listed = listed.ok_or_else(|| wrong(file, "lists no snapshot.json"))?;
        if let Some(own) = &self.timestamp {
            let former = own.content.meta.get("snapshot.json").map(|former| former.version);
            if next.version < own.version || former.is_some_and(|former| listed.version < former) {
                return Err(wrong(file, "is older than what was seen before"));
            }
        }
        // What is newer counts even when it has expired: nothing older will be believed again.
        if self.timestamp.as_ref().is_none_or(|own| own.version < next.version) {
            self.timestamp = Some(next);
        }
        match &self.timestamp {
            Some(own) => not_expired(file, own, now),
            None => Ok(()),
        }
    }

    async fn refresh_snapshot(
        &mut self,
        mirror: &Mirror,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        let file = "snapshot.json";
        let listed = self.timestamp.as_ref().and_then(|own| own.content.meta.get(file)).cloned();
        let listed = listed.ok_or_else(|| wrong("timestamp.json", "lists no snapshot.json"))?;
        if self.snapshot.as_ref().is_none_or(|own| own.version != listed.version) {
            let next: Document<Listing> =
                self.listed(mirror, "snapshot", &listed, SNAPSHOT_LIMIT).await?;
            let former = self.snapshot.iter().flat_map(|own| &own.content.meta);
            for (name, former) in former {
                let own = next.content.meta.get(name);
                if own.is_none_or(|own| own.version < former.version) {
                    return Err(wrong(file, format_args!("{name} is older than seen before")));
                }
            }
            self.snapshot = Some(next);
        }
        match &self.snapshot {
            Some(own) => not_expired(file, own, now),
            None => Ok(()),
        }
    }

    async fn refresh_targets(
        &mut self,
        mirror: &Mirror,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        let file = "targets.json";
        let listed = self.snapshot.as_ref().and_then(|own| own.content.meta.get(file)).cloned();
        let listed = listed.ok_or_else(|| wrong("snapshot.json", "lists no targets.json"))?;
        if self.targets.as_ref().is_none_or(|own| own.version != listed.version) {
            let next = self.listed(mirror, "targets", &listed, TARGETS_LIMIT).await?;
            self.targets = Some(next);
        }
        match &self.targets {
            Some(own) => not_expired(file, own, now),
            None => Ok(()),
        }
    }

    /// A file that the repository vouches for.
    pub(super) async fn target(&self, mirror: &Mirror, name: &str) -> Result<Vec<u8>, VerifyError> {
        let target = self.targets.as_ref().and_then(|own| own.content.targets.get(name));
        let target =
            target.ok_or_else(|| wrong("targets.json", format_args!("lists no {name}")))?;
        let hash = target.hashes.get("sha256").or_else(|| target.hashes.values().next());
        let path = match hash {
            Some(hash) if self.root.content.consistent_snapshot => format!("targets/{hash}.{name}"),
            _ => format!("targets/{name}"),
        };
        let bytes = mirror.get(&path, target.length.min(TARGET_LIMIT)).await?;
        if !target.fits(&bytes) {
            let why = format!("TUF target {name}: is not what targets.json lists");
            return Err(VerifyError::invalid(why));
        }
        Ok(bytes)
    }

    async fn listed<T: DeserializeOwned>(
        &self,
        mirror: &Mirror,
        role: &str,
        listed: &Listed,
        limit: u64,
    ) -> Result<Document<T>, VerifyError> {
        let file = if self.root.content.consistent_snapshot {
            format!("{}.{role}.json", listed.version)
        } else {
            format!("{role}.json")
        };
        let bytes = mirror.get(&file, listed.length.unwrap_or(limit).min(limit)).await?;
        if !listed.fits(&bytes) {
            return Err(wrong(&file, "is not what was listed"));
        }
        let document = self.document(&bytes, role, &file)?;
        if document.version != listed.version {
            return Err(wrong(&file, "has another version than was listed"));
        }
        Ok(document)
    }

    fn document<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        role: &str,
        file: &str,
    ) -> Result<Document<T>, VerifyError> {
        let read = || {
            let envelope = Envelope::parse(bytes)?;
            envelope.check(&self.root.content, role)?;
            envelope.unverified(role)
        };
        read().map_err(|why: String| wrong(file, why))
    }
}

fn root_of(bytes: &[u8], former: Option<&Document<Root>>) -> Result<Document<Root>, String> {
    let envelope = Envelope::parse(bytes)?;
    let root: Document<Root> = envelope.unverified("root")?;
    if let Some(former) = former {
        envelope.check(&former.content, "root")?;
        if Some(root.version) != former.version.checked_add(1) {
            return Err(format!("has version {}", root.version));
        }
    }
    envelope.check(&root.content, "root")?;
    Ok(root)
}

fn not_expired<T>(file: &str, document: &Document<T>, now: Timestamp) -> Result<(), VerifyError> {
    if document.expires <= now {
        return Err(wrong(file, format_args!("expired at {}", document.expires)));
    }
    Ok(())
}

impl Mirror {
    async fn get(&self, path: &str, limit: u64) -> Result<Vec<u8>, VerifyError> {
        let missing = || {
            let url = self.url(path).map(|url| url.to_string()).unwrap_or_default();
            VerifyError::Source(SourceError::NotFound(format!("{url} is not there").into()))
        };
        self.find(path, limit).await?.ok_or_else(missing)
    }

    fn url(&self, path: &str) -> Result<Url, VerifyError> {
        let mut base = self.base.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        base.join(path).map_err(|_| wrong(path, "its name cannot stand in a URL"))
    }

    /// A file of the repository, `None` when there is none of that name.
    async fn find(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, VerifyError> {
        let url = self.url(path)?;
        let failed = |why: &dyn std::fmt::Display| {
            SourceError::network(format!("cannot fetch {url}: {why}"))
        };
        let unreachable =
            |error: reqwest::Error| failed(&gitops_core::one_line(&error.without_url()));
        let sent = self
            .clients
            .get(&Means::default())?
            .get(url.clone())
            .timeout(REQUEST_TIMEOUT)
            .send()
            .await;
        let response = sent.map_err(unreachable)?;
        match response.status() {
            // Stores of objects answer so when nobody may list what is there.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Ok(None),
            status if !status.is_success() => return Err(failed(&status).into()),
            _ => {}
        }
        let mut all = Vec::new();
        let mut body = response.bytes_stream();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(unreachable)?;
            if (all.len() + piece.len()) as u64 > limit {
                return Err(
                    SourceError::content(format!("{url} is larger than {limit} bytes")).into()
                );
            }
            all.extend_from_slice(&piece);
        }
        Ok(Some(all))
    }
}
