//! What every [`ArtifactStore`] must do; call these from the tests of an implementation.

#![allow(clippy::missing_panics_doc, reason = "a failed assertion is the purpose")]

use std::sync::Arc;

use gitops_core::{ArtifactKey, Limits, MemoryTree, Revision, Scope, Tree as _, unpack};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{ArtifactStore, ArtifactStoreExt as _, Content, Retention, StoreError};
use crate::IgnoreRules;

/// Runs the whole suite over an empty store.
pub async fn all(store: &dyn ArtifactStore) {
    round_trip(store).await;
    files_as_they_are(store).await;
    keys_are_apart(store).await;
    retention(store).await;
    hostile_names(store).await;
    aliases(store).await;
    cancelled_puts_leave_nothing(store).await;
}

/// What is put can be read, checked, replaced and removed.
pub async fn round_trip(store: &dyn ArtifactStore) {
    let key = ArtifactKey::new("GitRepository", "ns", "round-trip");
    let artifact = put(store, &key, "1").await;
    assert_eq!(artifact.path(), format!("gitrepository/ns/round-trip/{}.tar.gz", hash("1")));
    let mut open = store.open(&key, &artifact.file).await.expect("opens");
    assert_eq!(open.size, artifact.size);
    let mut bytes = Vec::new();
    open.body.read_to_end(&mut bytes).await.expect("reads");
    let tree = unpack(&bytes[..], &Limits::default()).expect("unpacks");
    assert_eq!(&tree.read("a/f".as_ref()).expect("holds the file")[..], b"1");
    assert!(tree.stat("a/left-out".as_ref()).is_err());
    open.body.seek(std::io::SeekFrom::Start(1)).await.expect("seeks");
    assert_eq!(open.body.read_u8().await.expect("reads"), bytes[1]);

    assert!(store.verify(&artifact).await.expect("is whole"));
    let mut other = artifact.clone();
    other.digest = gitops_core::Digest::sha256(b"other");
    let error = store.verify(&other).await.expect_err("is another");
    assert!(matches!(error, StoreError::Digest { .. }));

    let again = put(store, &key, "1").await;
    assert_eq!(again.digest, artifact.digest, "the same files give the same bytes");
    assert_eq!(store.list(&key).await.expect("lists").len(), 1);
    store.remove(&key, &artifact.file).await.expect("removes");
    store.remove(&key, &artifact.file).await.expect("is gone already");
    assert!(!store.verify(&artifact).await.expect("is missing"));
    let error = store.open(&key, &artifact.file).await.expect_err("is missing");
    assert!(matches!(error, StoreError::NotFound));
}

/// Bytes and files are stored unchanged, under their names.
pub async fn files_as_they_are(store: &dyn ArtifactStore) {
    use std::io::Write as _;
    let key = ArtifactKey::new("HelmChart", "ns", "as-it-is");
    let (revision, scope) = (Revision::named("1.0.0"), Scope::background());
    let mut file = tempfile::tempfile().expect("opens");
    file.write_all(b"index").expect("writes");
    for content in [
        Content::Bytes { name: "a-1.0.0.tgz".into(), bytes: b"chart"[..].into() },
        Content::File { name: "index-1.yaml".into(), file: Arc::new(file) },
    ] {
        let artifact = store.put(&key, &revision, content, &scope).await.expect("is stored");
        let expected: &[u8] = if artifact.file == "index-1.yaml" { b"index" } else { b"chart" };
        assert_eq!(artifact.digest, gitops_core::Digest::sha256(expected));
        let mut open = store.open(&key, &artifact.file).await.expect("opens");
        let mut bytes = Vec::new();
        open.body.read_to_end(&mut bytes).await.expect("reads");
        assert_eq!(bytes, expected);
    }
}

/// Removing one key leaves the others.
pub async fn keys_are_apart(store: &dyn ArtifactStore) {
    let (one, two) = (ArtifactKey::new("k", "ns", "one"), ArtifactKey::new("k", "ns", "two"));
    put(store, &one, "1").await;
    put(store, &one, "2").await;
    put(store, &two, "1").await;
    assert!(store.remove_all(&one).await.expect("removes"));
    assert!(!store.remove_all(&one).await.expect("has none"));
    assert!(store.list(&one).await.expect("lists").is_empty());
    assert_eq!(store.list(&two).await.expect("lists").len(), 1);
}

/// Garbage goes, the current artifact never.
pub async fn retention(store: &dyn ArtifactStore) {
    let key = ArtifactKey::new("k", "ns", "retention");
    let current = put(store, &key, "1").await;
    put(store, &key, "2").await;
    put(store, &key, "3").await;
    let keep = Retention { ttl: std::time::Duration::ZERO, records: 2 };
    let later = Timestamp::MAX;
    assert_eq!(store.collect(&current, keep, later).await.expect("collects"), 2);
    let left = store.list(&key).await.expect("lists");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].file, current.file);
    assert_eq!(store.collect(&current, keep, later).await.expect("collects"), 0);
}

/// No name leads out of a key.
pub async fn hostile_names(store: &dyn ArtifactStore) {
    let key = ArtifactKey::new("k", "ns", "hostile");
    let artifact = put(store, &key, "1").await;
    for file in ["", ".", "..", "../hostile", "/etc/passwd", "a\\b", "a\0b", ".put-x"] {
        let error = store.open(&key, file).await.expect_err(file);
        assert!(matches!(error, StoreError::NotFound), "{file}");
        assert!(store.remove(&key, file).await.is_err(), "{file}");
    }
    for name in ["..", "a/b", ""] {
        let key = ArtifactKey::new("k", "ns", name);
        assert!(store.remove_all(&key).await.is_err(), "{name}");
        assert!(store.open(&key, &artifact.file).await.is_err(), "{name}");
        assert!(try_put(store, &key, "1", &Scope::background()).await.is_err(), "{name}");
    }
    assert!(store.verify(&artifact).await.expect("is untouched"));
}

/// A second name opens the file and is replaced at once.
pub async fn aliases(store: &dyn ArtifactStore) {
    let key = ArtifactKey::new("k", "ns", "aliases");
    for text in ["1", "2"] {
        let artifact = put(store, &key, text).await;
        store.alias(&key, "latest.tar.gz", &artifact.file).await.expect("makes an alias");
        let open = store.open(&key, "latest.tar.gz").await.expect("opens");
        assert_eq!(open.size, artifact.size);
    }
    assert_eq!(store.list(&key).await.expect("lists").len(), 2);
    assert!(store.alias(&key, "../latest", "x").await.is_err());
    assert!(store.remove_all(&key).await.expect("removes"));
    assert!(store.open(&key, "latest.tar.gz").await.is_err());
}

/// A cancelled put leaves what was there.
pub async fn cancelled_puts_leave_nothing(store: &dyn ArtifactStore) {
    let key = ArtifactKey::new("k", "ns", "cancelled");
    let scope = Scope::background();
    scope.cancel();
    assert!(try_put(store, &key, "1", &scope).await.is_err());
    assert!(store.list(&key).await.expect("lists").is_empty());
}

fn hash(content: &str) -> String {
    gitops_core::Digest::sha256(content.as_bytes()).hex()[..40].to_owned()
}

async fn put(store: &dyn ArtifactStore, key: &ArtifactKey, text: &str) -> gitops_core::Artifact {
    try_put(store, key, text, &Scope::background()).await.expect("puts")
}

async fn try_put(
    store: &dyn ArtifactStore,
    key: &ArtifactKey,
    text: &str,
    scope: &Scope,
) -> Result<gitops_core::Artifact, StoreError> {
    let tree = MemoryTree::from_iter([("a/f", text.to_owned()), ("a/left-out", String::new())]);
    let rules = IgnoreRules::load(&tree, Some("left-out")).expect("loads");
    let revision = Revision::new(Some("main"), "sha1", &hash(text));
    store.put(key, &revision, Content::tree(Arc::new(tree), rules), scope).await
}
