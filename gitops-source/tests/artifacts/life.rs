//! The life of an artifact: stored, served, consumed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::too_many_lines, reason = "a table of cases is one idea")]

use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::State, response::IntoResponse as _};
use gitops_core::{
    Algorithm, Artifact, ArtifactKey, Backoff, Classify as _, Digest, Entry, Limits, MemoryTree,
    Revision, Scope, SystemClock, Tree, TreeError, TreeErrorKind,
};
use gitops_source::{
    ArtifactFetcher, ArtifactStore, ArtifactStoreExt as _, Content, DiskStore, FetchError,
    FetchOptions, IgnoreRules, MemoryStore, artifact_router, store::conformance,
};
use http::{Request, StatusCode};
use tower::ServiceExt as _;

fn key() -> ArtifactKey {
    ArtifactKey::new("GitRepository", "ns", "src")
}

fn disk(root: &std::path::Path) -> DiskStore {
    DiskStore::open(root, Algorithm::Sha256, Arc::new(SystemClock)).unwrap()
}

fn revision(byte: u8) -> Revision {
    Revision::new(Some("main"), "sha1", &hex::encode([byte; 20]))
}

fn content(tree: impl Tree + 'static) -> Content {
    Content::tree(Arc::new(tree), IgnoreRules::default())
}

async fn put(store: &dyn ArtifactStore, byte: u8, text: &str) -> Artifact {
    let tree = MemoryTree::from_iter([("f", text.to_owned())]);
    store.put(&key(), &revision(byte), content(tree), &Scope::background()).await.unwrap()
}

#[tokio::test]
async fn stores_conform() {
    let root = tempfile::tempdir().unwrap();
    conformance::all(&disk(root.path())).await;
    conformance::all(&MemoryStore::new(Arc::new(SystemClock))).await;
}

#[tokio::test]
async fn files_are_private_and_digests_of_every_algorithm_hold() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512, Algorithm::Blake3] {
        let root = tempfile::tempdir().unwrap();
        let store = DiskStore::open(root.path(), algorithm, Arc::new(SystemClock)).unwrap();
        let artifact = put(&store, 1, "x").await;
        assert_eq!(artifact.digest.algorithm(), algorithm);
        assert!(store.verify(&artifact).await.unwrap());
        let file = root.path().join(artifact.path());
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "changed").unwrap();
        assert!(store.verify(&artifact).await.is_err());
    }
}

/// A tree that breaks off in the middle, as one does on a disk that fails.
#[derive(Debug)]
struct Failing(MemoryTree);

impl Tree for Failing {
    fn read(&self, path: &std::path::Path) -> Result<bytes::Bytes, TreeError> {
        if path.ends_with("z") {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(TreeError::new(path, TreeErrorKind::Io(full)));
        }
        self.0.read(path)
    }
    fn list(&self, dir: &std::path::Path) -> Result<Vec<Entry>, TreeError> {
        self.0.list(dir)
    }
    fn stat(&self, path: &std::path::Path) -> Result<Entry, TreeError> {
        self.0.stat(path)
    }
}

fn entries(root: &std::path::Path) -> Vec<String> {
    let directory = root.join(key().directory());
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_failed_put_keeps_what_was_there() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    let old = put(&store, 1, "old").await;
    let failing = || content(Failing(MemoryTree::from_iter([("a", "1"), ("z", "2")])));
    for byte in [1, 2] {
        let scope = Scope::background();
        assert!(store.put(&key(), &revision(byte), failing(), &scope).await.is_err());
        assert!(store.verify(&old).await.unwrap());
        assert_eq!(entries(root.path()), std::slice::from_ref(&old.file));
    }
}

#[tokio::test]
async fn a_full_disk_keeps_what_was_there() {
    // A file-size limit makes writes fail as a full disk does; it is set for a child process.
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    let old = put(&store, 1, "old").await;
    let exe = std::env::current_exe().unwrap();
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact life::writer --nocapture";
    let output = Command::new("bash")
        .args(["-c", script])
        .arg(exe)
        .env("GITOPS_STORE", root.path())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("File too large"), "{output:?}");
    assert!(store.verify(&old).await.unwrap());
    assert!(entries(root.path()).iter().all(|name| !name.starts_with('.')));
}

/// Not a test by itself: the process that others start to kill it, or to starve it of disk.
#[tokio::test]
async fn writer() {
    let Some(root) = std::env::var_os("GITOPS_STORE") else {
        return;
    };
    let store = disk(root.as_ref());
    let mut seed = 1_u64;
    for round in 0..u8::MAX {
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed.to_be_bytes()[1]
        };
        let files = (0..20).map(|at| (format!("f{at}"), (0..20_000).map(|_| noise()).collect()));
        let tree = MemoryTree::from_iter(files.collect::<Vec<(String, Vec<u8>)>>());
        let (scope, at) = (Scope::background(), revision(round % 5));
        match store.put(&key(), &at, content(tree), &scope).await {
            Ok(_) => println!("stored"),
            Err(error) => return println!("{error}"),
        }
    }
}

#[tokio::test]
async fn killed_at_any_point_leaves_nothing_half_made() {
    let root = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    for round in 0..12_u64 {
        let mut child = Command::new(&exe)
            .args(["--exact", "life::writer", "--nocapture"])
            .env("GITOPS_STORE", root.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(40 + 37 * round % 200)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let store = disk(root.path());
        if !root.path().join(key().directory()).exists() {
            continue;
        }
        store.clean().await.unwrap();
        assert!(entries(root.path()).iter().all(|name| !name.starts_with('.')), "orphans");
        for file in store.list(&key()).await.unwrap() {
            let path = root.path().join(key().directory()).join(&file.file);
            let bytes = std::fs::read(path).unwrap();
            let tree = gitops_core::unpack(&bytes[..], &Limits::default()).unwrap();
            assert_eq!(tree.files().count(), 20, "half an artifact");
        }
    }
    assert!(!disk(root.path()).list(&key()).await.unwrap().is_empty(), "nothing was ever stored");
}

async fn ask(
    router: &Router,
    request: http::request::Builder,
) -> (StatusCode, http::HeaderMap, Vec<u8>) {
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (head.status, head.headers, body.to_vec())
}

#[tokio::test]
async fn serves_files_ranges_and_conditions() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    let artifact = put(&store, 1, "hello").await;
    let bytes = std::fs::read(root.path().join(artifact.path())).unwrap();
    let router = artifact_router(Arc::new(store));
    let path = format!("/{}", artifact.path());
    let get = || Request::get(path.clone());

    let (status, headers, body) = ask(&router, get()).await;
    assert_eq!((status, &body), (StatusCode::OK, &bytes));
    assert_eq!(headers["content-length"], bytes.len().to_string());
    let etag = headers["etag"].clone();
    let (status, headers, body) = ask(&router, Request::head(path.clone())).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 0));
    assert_eq!(headers["content-length"], bytes.len().to_string());
    let (status, _, body) = ask(&router, get().header("if-none-match", &etag)).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));

    let last = bytes.len() - 1;
    for (range, expected) in [
        ("bytes=0-4", Some(0..=4)),
        ("bytes=5-", Some(5..=last)),
        ("bytes=-3", Some(last - 2..=last)),
        ("bytes=2-99999", Some(2..=last)),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
    ] {
        let (status, headers, body) = ask(&router, get().header("range", range)).await;
        match expected {
            Some(part) => {
                assert_eq!(status, StatusCode::PARTIAL_CONTENT, "{range}");
                let shown = format!("bytes {}-{}/{}", part.start(), part.end(), bytes.len());
                assert_eq!(headers["content-range"], shown);
                assert_eq!(body, &bytes[part], "{range}");
            }
            None => assert_eq!((status, &body), (StatusCode::OK, &bytes), "{range}"),
        }
    }
    let (status, ..) = ask(&router, get().header("range", "bytes=99999-")).await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
    let stale = get().header("range", "bytes=0-1").header("if-range", "\"old\"");
    assert_eq!(ask(&router, stale).await.0, StatusCode::OK);
    for method in ["POST", "PUT", "DELETE"] {
        let request = Request::builder().method(method).uri(path.clone());
        assert_eq!(ask(&router, request).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(ask(&router, Request::get("/")).await.0, StatusCode::OK);
}

/// Row 73 of the list of attacks.
#[tokio::test]
async fn what_is_half_written_goes_when_it_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let artifact = put(&disk(root.path()), 1, "x").await;
    let half = root.path().join(key().directory()).join(".put-half");
    std::fs::write(&half, "half").unwrap();
    let store = disk(root.path());
    assert!(half.exists(), "another process may be writing it");
    store.clean().await.unwrap();
    assert!(!half.exists());
    assert!(root.path().join(artifact.path()).exists());
}

#[tokio::test]
async fn serves_nothing_else() {
    let outer = tempfile::tempdir().unwrap();
    std::fs::write(outer.path().join("secret"), "secret").unwrap();
    let root = outer.path().join("root");
    let store = disk(&root);
    let artifact = put(&store, 1, "x").await;
    let directory = root.join(key().directory());
    symlink(outer.path().join("secret"), directory.join("link.tar.gz")).unwrap();
    symlink(outer.path(), root.join("gitrepository/ns/linked")).unwrap();
    std::fs::write(directory.join(".put-half"), "half").unwrap();
    let router = artifact_router(Arc::new(store));
    for path in [
        "/gitrepository",
        "/gitrepository/",
        "/gitrepository/ns/src",
        "/gitrepository/ns/src/",
        "/gitrepository/ns/src/none.tar.gz",
        "/gitrepository/ns/src/link.tar.gz",
        "/gitrepository/ns/linked/secret",
        "/gitrepository/ns/src/.put-half",
        "/gitrepository/ns/src/..",
        "/../secret",
        "/a/b/../../../secret",
        "/%2e%2e/%2e%2e/%2e%2e/secret",
        "/gitrepository/ns/src/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fsecret",
        "/gitrepository/ns/src/%00",
        "/gitrepository/ns/src/%zz",
        "//etc/passwd",
        "/gitrepository/other%2f..%2fns/src/x",
    ] {
        let (status, _, body) = ask(&router, Request::get(path)).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_FOUND, 0), "{path}");
    }
    let (status, ..) = ask(&router, Request::get(format!("/{}", artifact.path()))).await;
    assert_eq!(status, StatusCode::OK);
}

async fn listen(router: Router) -> String {
    rustls::crypto::ring::default_provider().install_default().ok();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn quick() -> FetchOptions {
    let mut options = FetchOptions::default();
    options.retries = 2;
    options.backoff = Backoff { first: Duration::from_millis(5), limit: Duration::from_millis(10) };
    options.idle_timeout = Duration::from_millis(300);
    options
}

#[tokio::test]
async fn a_thousand_consumers_cost_one_download() {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    let artifact = put(&*store, 1, "hello").await;
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let router = artifact_router(store).layer(axum::middleware::from_fn(
        move |request: axum::extract::Request, next: axum::middleware::Next| {
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                next.run(request).await
            }
        },
    ));
    let base = listen(router).await;
    // The advertised host is not ours: the option says whom to ask.
    let mut options = quick();
    options.host = Some(base.trim_start_matches("http://").to_owned());
    let fetcher = ArtifactFetcher::new(options).unwrap();
    let url: url::Url = format!("http://nowhere.invalid/{}", artifact.path()).parse().unwrap();
    let scope = Scope::background();
    let all = (0..1000).map(|_| fetcher.fetch(&url, &artifact.digest, &scope));
    let trees = futures::future::try_join_all(all).await.unwrap();
    assert!(trees.iter().all(|tree| Arc::ptr_eq(tree, &trees[0])));
    assert_eq!(&trees[0].read("f".as_ref()).unwrap()[..], b"hello");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    let base = listen(artifact_router(Arc::clone(&store) as Arc<dyn ArtifactStore>)).await;
    let mut options = quick();
    options.cache_bytes = 2_000;
    let fetcher = ArtifactFetcher::new(options).unwrap();
    let scope = Scope::background();
    let mut held = Vec::new();
    for byte in 0..4 {
        let artifact = put(&*store, byte, &"x".repeat(500 + usize::from(byte))).await;
        let url = format!("{base}/{}", artifact.path()).parse().unwrap();
        held.push((fetcher.fetch(&url, &artifact.digest, &scope).await.unwrap(), url, artifact));
    }
    store.remove_all(&key()).await.unwrap();
    let (tree, url, artifact) = &held[3];
    assert!(Arc::ptr_eq(tree, &fetcher.fetch(url, &artifact.digest, &scope).await.unwrap()));
    let (_, url, artifact) = &held[0];
    let error = fetcher.fetch(url, &artifact.digest, &scope).await.unwrap_err();
    assert!(matches!(error, FetchError::NotFound));
}

#[derive(Clone)]
struct Peer {
    bytes: bytes::Bytes,
    mode: &'static str,
    asked: Arc<AtomicUsize>,
    healed: Arc<AtomicBool>,
}

async fn misbehave(State(peer): State<Peer>) -> axum::response::Response {
    peer.asked.fetch_add(1, Ordering::SeqCst);
    let bytes = peer.bytes.clone();
    match peer.mode {
        "swapped" => "other bytes".into_response(),
        "broken" if peer.healed.swap(true, Ordering::SeqCst) => bytes.into_response(),
        "broken" => StatusCode::BAD_GATEWAY.into_response(),
        "denied" => StatusCode::FORBIDDEN.into_response(),
        "gone" => StatusCode::NOT_FOUND.into_response(),
        "slow" => {
            Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>())
                .into_response()
        }
        "short" => {
            let part = bytes.slice(..bytes.len() / 2);
            let head = [("content-length", bytes.len().to_string())];
            let rest = futures::stream::iter([Ok(part), Err(std::io::Error::other("cut"))]);
            (head, Body::from_stream(rest)).into_response()
        }
        _ => bytes.into_response(),
    }
}

/// Row 74 of the list of attacks.
#[tokio::test]
async fn consumers_fail_closed() {
    let store = MemoryStore::new(Arc::new(SystemClock));
    let artifact = put(&store, 1, "hello").await;
    let mut bytes = Vec::new();
    let mut open = store.open(&key(), &artifact.file).await.unwrap();
    tokio::io::AsyncReadExt::read_to_end(&mut open.body, &mut bytes).await.unwrap();
    let no_archive = bytes::Bytes::from_static(b"no archive at all");
    for (mode, requests, text) in [
        ("swapped", 1, "failed to verify archive: computed digest doesn't match"),
        ("short", 3, "giving up after 3 attempt(s)"),
        ("gone", 1, "file not found"),
        ("denied", 1, "(status: 403 Forbidden)"),
        ("slow", 3, "giving up after 3 attempt(s)"),
        ("broken", 2, ""),
        ("junk", 1, "failed to extract archive"),
        ("large", 1, "greater than the max download size"),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let junk = mode == "junk";
        let served = if junk { no_archive.clone() } else { bytes.clone().into() };
        let digest = if junk { Digest::sha256(&no_archive) } else { artifact.digest.clone() };
        let healed = Arc::new(AtomicBool::new(false));
        let peer = Peer { bytes: served, mode, asked: Arc::clone(&asked), healed };
        let base = listen(Router::new().fallback(misbehave).with_state(peer)).await;
        let mut options = quick();
        if mode == "large" {
            options.max_bytes = 10;
        }
        let fetcher = ArtifactFetcher::new(options).unwrap();
        let url = format!("{base}/x").parse().unwrap();
        match fetcher.fetch(&url, &digest, &Scope::background()).await {
            Ok(tree) => assert_eq!((mode, tree.files().count()), ("broken", 1)),
            Err(error) => assert!(error.to_string().contains(text), "{mode}: {error}"),
        }
        assert_eq!(asked.load(Ordering::SeqCst), requests, "{mode}");
    }
    let fetcher = ArtifactFetcher::new(quick()).unwrap();
    let scope = Scope::background();
    scope.cancel();
    let url = "http://127.0.0.1:1/x".parse().unwrap();
    let error = fetcher.fetch(&url, &artifact.digest, &scope).await.unwrap_err();
    assert_eq!(error.class(), gitops_core::Class::Cancelled);
}
