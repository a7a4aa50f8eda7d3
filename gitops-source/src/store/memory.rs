//! A store in memory.

use std::{collections::BTreeMap, io::Cursor, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use gitops_core::{Artifact, ArtifactKey, Clock, Digest, Revision, Scope};
use jiff::Timestamp;
use parking_lot::RwLock;

use super::{ArtifactStore, Content, OpenFile, StoreError, StoredFile, checked, file_name};

type Files = BTreeMap<String, (Bytes, Timestamp)>;

/// Artifacts in memory, for tests and for runs that keep nothing. Clones share them.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    files: Arc<RwLock<BTreeMap<ArtifactKey, Files>>>,
    aliases: Arc<RwLock<BTreeMap<(ArtifactKey, String), String>>>,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { files: Arc::default(), aliases: Arc::default(), clock }
    }
}

#[async_trait]
impl ArtifactStore for MemoryStore {
    async fn put(
        &self,
        key: &ArtifactKey,
        revision: &Revision,
        content: Content,
        scope: &Scope,
    ) -> Result<Artifact, StoreError> {
        let file = file_name(revision, &content)?;
        checked(key, Some(&file))?;
        let mut out = Vec::new();
        content.write(&mut out, scope)?;
        let (digest, size) = (Digest::sha256(&out), out.len() as u64);
        let stored_at = self.clock.now();
        let mut files = self.files.write();
        files.entry(key.clone()).or_default().insert(file.clone(), (out.into(), stored_at));
        let (key, revision) = (key.clone(), revision.clone());
        Ok(Artifact { key, file, revision, digest, size, stored_at })
    }

    async fn alias(&self, key: &ArtifactKey, alias: &str, file: &str) -> Result<(), StoreError> {
        checked(key, Some(alias))?;
        self.aliases.write().insert((key.clone(), alias.to_owned()), file.to_owned());
        Ok(())
    }

    async fn open(&self, key: &ArtifactKey, file: &str) -> Result<OpenFile, StoreError> {
        let alias = self.aliases.read().get(&(key.clone(), file.to_owned())).cloned();
        let file = alias.as_deref().unwrap_or(file);
        let files = self.files.read();
        let found = files.get(key).and_then(|files| files.get(file));
        let (bytes, stored_at) = found.cloned().ok_or(StoreError::NotFound)?;
        Ok(OpenFile { size: bytes.len() as u64, stored_at, body: Box::new(Cursor::new(bytes)) })
    }

    async fn list(&self, key: &ArtifactKey) -> Result<Vec<StoredFile>, StoreError> {
        checked(key, None)?;
        let files = self.files.read();
        let stored = |(file, (bytes, stored_at)): (&String, &(Bytes, Timestamp))| StoredFile {
            file: file.clone(),
            size: bytes.len() as u64,
            stored_at: *stored_at,
        };
        Ok(files.get(key).into_iter().flatten().map(stored).collect())
    }

    async fn remove(&self, key: &ArtifactKey, file: &str) -> Result<(), StoreError> {
        checked(key, Some(file))?;
        if let Some(files) = self.files.write().get_mut(key) {
            files.remove(file);
        }
        Ok(())
    }

    async fn remove_all(&self, key: &ArtifactKey) -> Result<bool, StoreError> {
        checked(key, None)?;
        self.aliases.write().retain(|(of, _), _| of != key);
        Ok(self.files.write().remove(key).is_some_and(|files| !files.is_empty()))
    }
}
