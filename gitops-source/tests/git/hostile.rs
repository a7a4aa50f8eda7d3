//! Git servers that lie, flood and lead astray: each ends in an error, soon, and without a panic.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::{
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use flate2::{Compression, write::ZlibEncoder};
use gitops_core::{Class, Classify as _, Scope, Secret, one_line};
use gitops_source::{
    GitLimits, GitReference, GitSource, Source as _, SourceError, SshIdentity, SshTransport,
};
use gitops_testenv::{GitRepo, SshServer};
use sha1::{Digest as _, Sha1};

const ID: &str = "1111111111111111111111111111111111111111";

/// What the server says.
#[derive(Clone)]
enum Lie {
    /// These bytes for the pack.
    Pack(Vec<u8>),
    /// So many further references.
    References(usize),
    /// A redirect of each greeting, to here.
    Redirect(String),
    /// This for an advertisement.
    Greeting(Vec<u8>),
}

fn line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(format!("{:04x}", text.len() + 4).as_bytes());
    out.extend_from_slice(text);
}

async fn answer(State(lie): State<Arc<Lie>>, request: Request) -> Response {
    let greeting = request.uri().path().ends_with("/info/refs");
    let mut out = Vec::new();
    match &*lie {
        Lie::Redirect(to) if greeting => {
            let response = Response::builder().status(StatusCode::FOUND).header("location", to);
            return response.body(Body::empty()).unwrap();
        }
        Lie::Greeting(bytes) if greeting => out.extend_from_slice(bytes),
        _ if greeting => {
            line(&mut out, b"# service=git-upload-pack\n");
            out.extend_from_slice(b"0000");
            for text in ["version 2\n", "ls-refs\n", "fetch=shallow filter\n"] {
                line(&mut out, text.as_bytes());
            }
            out.extend_from_slice(b"0000");
        }
        lie => {
            let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
            if String::from_utf8_lossy(&body).contains("ls-refs") {
                line(&mut out, format!("{ID} refs/heads/main\n").as_bytes());
                if let Lie::References(count) = lie {
                    for number in 0..*count {
                        let name = format!("{ID} refs/heads/../../x\u{1}-{number}\n");
                        line(&mut out, name.as_bytes());
                    }
                }
                out.extend_from_slice(b"0000");
            } else {
                line(&mut out, b"packfile\n");
                if let Lie::Pack(pack) = lie {
                    for piece in pack.chunks(60_000) {
                        line(&mut out, &[b"\x01", piece].concat());
                    }
                }
                out.extend_from_slice(b"0000");
            }
        }
    }
    Response::new(Body::from(out))
}

async fn serve(lie: Lie) -> String {
    rustls::crypto::ring::default_provider().install_default().ok();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/r.git", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::new(lie));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn fetch(url: &str) -> Result<(), SourceError> {
    let limits = GitLimits { object_bytes: 16 << 20, ..GitLimits::default() };
    let source = GitSource::new(url, GitReference::Branch("main".into()))
        .with_timeout(Duration::from_secs(10))
        .with_limits(limits);
    let scope = Scope::background();
    let resolved = source.resolve(&scope).await?;
    source.fetch(&resolved, &scope).await.map(drop)
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The head of an object in a pack: kind and size.
fn head(kind: u8, size: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut byte = (kind << 4) | u8::try_from(size & 15).unwrap();
    let mut rest = size >> 4;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = u8::try_from(rest & 127).unwrap();
        rest >>= 7;
    }
    out.push(byte);
    out
}

fn pack(count: u32, objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = [&b"PACK\0\0\0\x02"[..], &count.to_be_bytes()].concat();
    for object in objects {
        out.extend_from_slice(object);
    }
    let sum = Sha1::digest(&out);
    out.extend_from_slice(&sum);
    out
}

/// A number as deltas have it.
fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 128 {
        out.push(u8::try_from(number & 127).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
    out
}

/// Row 59 of the list of attacks: packs that burst, or are not what they say.
#[tokio::test(flavor = "multi_thread")]
async fn packs_that_lie() {
    const BLOB: u8 = 3;
    const OFFSET_DELTA: u8 = 6;
    const REF_DELTA: u8 = 7;
    let blob = [head(BLOB, 5), zlib(b"hello")].concat();
    let missing = {
        let delta = [varint(5), varint(5), vec![5], b"world".to_vec()].concat();
        [head(REF_DELTA, delta.len() as u64), vec![0x22; 20], zlib(&delta)].concat()
    };
    // Copies the base again and again, into four gigabytes.
    let grows = {
        let mut delta = [varint(5), varint(4 << 30)].concat();
        for _ in 0..1000 {
            delta.extend_from_slice(&[0x90, 5]);
        }
        let offset = u8::try_from(blob.len()).unwrap();
        [head(OFFSET_DELTA, delta.len() as u64), vec![offset], zlib(&delta)].concat()
    };
    let itself = [head(OFFSET_DELTA, 3), vec![0], zlib(&[0, 0, 0])].concat();
    let far = [head(OFFSET_DELTA, 3), vec![0xff, 0xff, 0xff, 0x7f], zlib(&[0, 0, 0])].concat();
    let bomb = zlib(&vec![0; 64 << 20]);
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("no pack", b"KCAP-garbage-garbage-garbage".to_vec()),
        ("version 9", [&b"PACK\0\0\0\x09\0\0\0\x01"[..], &[0; 20]].concat()),
        ("more objects than there are", pack(u32::MAX, std::slice::from_ref(&blob))),
        ("fewer objects than there are", pack(1, &[blob.clone(), blob.clone()])),
        ("a wrong checksum", {
            let mut bytes = pack(1, std::slice::from_ref(&blob));
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        }),
        ("a size that is too small", pack(1, &[[head(BLOB, 1), zlib(b"hello")].concat()])),
        ("a size that is too large", pack(1, &[[head(BLOB, 1 << 33), zlib(b"hello")].concat()])),
        ("a bomb", pack(1, &[[head(BLOB, 64 << 20), bomb.clone()].concat()])),
        ("a bomb that says it is small", pack(1, &[[head(BLOB, 5), bomb].concat()])),
        ("a delta without its base", pack(1, &[missing])),
        ("a delta that grows", pack(2, &[blob.clone(), grows])),
        ("a delta of itself", pack(1, &[itself])),
        ("a delta of what is before the pack", pack(2, &[blob.clone(), far])),
        ("no zlib", pack(1, &[[head(BLOB, 5), b"hello".to_vec()].concat()])),
        ("not what was asked for", pack(1, &[blob])),
    ] {
        let url = serve(Lie::Pack(bytes)).await;
        let started = Instant::now();
        let error = fetch(&url).await.expect_err(name);
        assert!(started.elapsed() < Duration::from_secs(10), "{name}");
        assert!(one_line(&error).starts_with("failed to checkout"), "{name}: {}", one_line(&error));
    }
}

/// Row 62: references without end.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_references() {
    let url = serve(Lie::References(300_000)).await;
    let started = Instant::now();
    let source = GitSource::new(&url, GitReference::Branch("main".into()));
    let resolved = source.resolve(&Scope::background()).await.unwrap();
    assert_eq!(resolved.revision.to_string(), format!("main@sha1:{ID}"));
    assert!(started.elapsed() < Duration::from_secs(20));
    let limits = GitLimits { advertisement_bytes: 1 << 20, ..GitLimits::default() };
    let source = source.with_limits(limits);
    let error = source.resolve(&Scope::background()).await.unwrap_err();
    assert!(one_line(&error).contains("larger than 1048576 bytes"), "{error}");
}

/// Row 64: redirects to other schemes and in circles.
#[tokio::test(flavor = "multi_thread")]
async fn redirects_to_nowhere() {
    for (to, says) in [
        ("/r.git/info/refs?service=git-upload-pack", "too many redirects"),
        ("file:///etc/passwd/info/refs", "unsupported scheme \"file\""),
        ("ext::sh/info/refs", "unsupported scheme \"ext\""),
        ("http://127.0.0.1:1/info/refs", "connection refused"),
        ("/login", "http redirect: target \"/login\" does not end with /info/refs"),
        ("http://[::1/", "malformed location"),
    ] {
        let url = serve(Lie::Redirect(to.to_owned())).await;
        let error = one_line(&fetch(&url).await.unwrap_err());
        assert!(error.contains(says), "{to}: {error}");
    }
}

/// Row 110: answers that are cut off or none.
#[tokio::test(flavor = "multi_thread")]
async fn greetings_of_all_kinds() {
    for bytes in [
        &b""[..],
        b"<html>hello</html>",
        b"0005",
        b"ffff",
        b"0000",
        b"000eversion 2\n",
        b"0003",
        b"0009\xff\xfe\xfd\xfc\xfb0000",
        b"001fno-id refs/heads/main\0caps\n0000",
    ] {
        let url = serve(Lie::Greeting(bytes.to_vec())).await;
        let started = Instant::now();
        assert!(fetch(&url).await.is_err(), "{bytes:?}");
        assert!(started.elapsed() < Duration::from_secs(12), "{bytes:?}");
    }
}

fn identity() -> Option<(tempfile::TempDir, SshIdentity)> {
    if !SshServer::is_installed() {
        println!("SKIPPED: sshd or ssh-keygen is not installed");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let key = gitops_testenv::make_ssh_key(directory.path(), "k", "ed25519", "").unwrap().0;
    Some((directory, SshIdentity::Key { pem: Secret::from(key), passphrase: None }))
}

/// Row 65: what an SSH host may send instead of a greeting.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_flood_hang_or_speak_something_else() {
    use tokio::io::AsyncWriteExt as _;
    let Some((_directory, identity)) = identity() else { return };
    for (name, speech, endless, limit) in [
        ("a flood of lines", &b"you are number 42 in the queue\r\n"[..], true, 5),
        ("a flood without lines", b"aaaaaaaaaaaaaaaa", true, 5),
        ("another protocol", b"HTTP/1.1 400 Bad Request\r\n\r\n", false, 5),
        ("garbage after the greeting", b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff", false, 5),
        ("silence", b"", false, 5),
    ] {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("ssh://{}/r.git", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            while stream.write_all(speech).await.is_ok() && endless {}
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        let transport = SshTransport::new(&identity, b"").unwrap();
        let source = GitSource::new(&url, GitReference::Branch("main".into()))
            .with_timeout(Duration::from_secs(2))
            .with_transport(transport);
        let started = Instant::now();
        let error = source.resolve(&Scope::background()).await.expect_err(name);
        assert!(started.elapsed() < Duration::from_secs(limit), "{name}: {error}");
        assert_eq!(error.class(), Class::Transient, "{name}: {}", one_line(&error));
    }
}

/// Row 65: RSA keys that can be broken.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_host_key_is_refused() {
    let Some((directory, identity)) = identity() else { return };
    let mut repo = GitRepo::init(directory.path().join("app.git")).unwrap();
    repo.commit("main", &[("a", Some("a"))], "first").unwrap();
    let place = directory.path().join("ssh");
    let server = SshServer::start(&place, &["rsa-1024"], "RequiredRSASize 1024").await.unwrap();
    let known = server.known_hosts().unwrap();
    let source = GitSource::new(server.url(repo.path()), GitReference::Branch("main".into()))
        .with_transport(SshTransport::new(&identity, known.as_bytes()).unwrap());
    let error = one_line(&source.resolve(&Scope::background()).await.unwrap_err());
    assert!(error.contains("RSA key of 1024 bits is too short, 2048 are required"), "{error}");
}
