//! The store in a bucket: what every store must do, and what several processes see of each other.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::sync::Arc;

use gitops_core::{Algorithm, ArtifactKey, Digest, Revision, Scope, SystemClock};
use gitops_source::{
    ArtifactStore, ArtifactStoreExt as _, Content, SharedStore, SharedStorePlace, StoreError,
    artifact_router, store::conformance,
};
use http::{Request, StatusCode, header};
use object_store::memory::InMemory;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tower::ServiceExt as _;

fn in_memory(objects: &Arc<InMemory>) -> SharedStore {
    let objects = Arc::clone(objects) as Arc<dyn object_store::ObjectStore>;
    SharedStore::of_objects(objects, "some/prefix", Algorithm::Sha256, Arc::new(SystemClock))
}

#[tokio::test]
async fn does_what_every_store_does() {
    conformance::all(&in_memory(&Arc::new(InMemory::new()))).await;
}

#[tokio::test]
async fn processes_share_what_is_stored() {
    let objects = Arc::new(InMemory::new());
    let (one, other) = (in_memory(&objects), in_memory(&objects));
    several_processes(&one, &other).await;
}

/// What one process stores, another serves; what one removes is gone for all.
async fn several_processes(one: &SharedStore, other: &SharedStore) {
    let key = ArtifactKey::new("OCIRepository", "ns", "app");
    let scope = Scope::background();
    let revision = Revision::named("1.0.0");
    // More than one part, and no multiple of one.
    let bytes: Vec<u8> = (0..(17_u32 << 20) + 3).map(|at| (at % 251) as u8).collect();
    let content = Content::Bytes { name: "a.tgz".into(), bytes: bytes.clone().into() };
    let artifact = one.put(&key, &revision, content, &scope).await.unwrap();
    assert_eq!(artifact.digest, Digest::sha256(&bytes));
    one.alias(&key, "latest.tgz", "a.tgz").await.unwrap();
    assert!(other.verify(&artifact).await.unwrap());
    let mut open = other.open(&key, "latest.tgz").await.unwrap();
    assert_eq!(open.size, bytes.len() as u64);
    for at in [12_000_000_usize, 5, 0] {
        open.body.seek(std::io::SeekFrom::Start(at as u64)).await.unwrap();
        let mut some = vec![0; 100_000];
        open.body.read_exact(&mut some).await.unwrap();
        assert!(some == bytes[at..at + some.len()], "from {at}");
    }
    let before = one.fingerprint(&key, "a.tgz").await.unwrap();
    assert_eq!(before, other.fingerprint(&key, "a.tgz").await.unwrap());
    let changed = Content::Bytes { name: "a.tgz".into(), bytes: b"other"[..].into() };
    other.put(&key, &revision, changed, &scope).await.unwrap();
    assert_ne!(before, one.fingerprint(&key, "a.tgz").await.unwrap());
    let error = one.verify(&artifact).await.unwrap_err();
    assert!(matches!(error, StoreError::Digest { .. }), "{error}");

    let app = artifact_router(Arc::new(other.clone()));
    let ask = |path: &str, range: &str| {
        let request = Request::builder().uri(path).header(header::RANGE, range);
        app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap())
    };
    let response = ask("/ocirepository/ns/app/latest.tgz", "bytes=1-3").await.unwrap();
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!(&body[..], b"the");
    for hostile in ["/ocirepository/ns/app/.alias-latest.tgz", "/ocirepository/ns/app/%2e%2e%2fx"] {
        assert_eq!(ask(hostile, "").await.unwrap().status(), StatusCode::NOT_FOUND);
    }
    assert!(other.remove_all(&key).await.unwrap());
    assert!(matches!(one.open(&key, "latest.tgz").await, Err(StoreError::NotFound)));
    assert!(matches!(one.fingerprint(&key, "a.tgz").await, Err(StoreError::NotFound)));
}

/// A server of the S3 API as a process, where `cargo run -p xtask -- peers` built one.
struct Server {
    process: tokio::process::Child,
    endpoint: String,
}

impl Server {
    async fn start() -> Option<Self> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let program = root.join("target/peers/gofakes3");
        if !program.exists() {
            println!(
                "skipped: {} is not there, see `cargo run -p xtask -- peers`",
                program.display()
            );
            return None;
        }
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let process = tokio::process::Command::new(program)
            .args(["-backend", "memory", "-autobucket", "-host", &free.to_string()])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(free).await.is_ok() {
                return Some(Self { process, endpoint: format!("http://{free}") });
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the S3 server does not listen");
    }

    fn store(&self, prefix: &str) -> SharedStore {
        let place = format!("s3://artifacts/{prefix}?endpoint={}&region=us-east-1", self.endpoint);
        let place: SharedStorePlace = place.parse().unwrap();
        let settings = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let place = place.with_ambient(&settings.into_iter().collect());
        SharedStore::new(&place, Algorithm::Sha256, Arc::new(SystemClock)).unwrap()
    }
}

#[tokio::test]
async fn on_a_real_server() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let Some(mut server) = Server::start().await else { return };
    conformance::all(&server.store("conformance")).await;
    several_processes(&server.store("shared"), &server.store("shared")).await;
    server.process.kill().await.unwrap();
    let key = ArtifactKey::new("k", "ns", "gone");
    let error = tokio::time::timeout(
        std::time::Duration::from_secs(1),
        server.store("gone").open(&key, "a"),
    )
    .await;
    assert!(!matches!(error, Ok(Ok(_))), "nobody is there");
}
