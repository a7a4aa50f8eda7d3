//! Buckets of real servers: MinIO, gofakes3, fake-gcs-server and Azurite, where
//! `cargo run -p xtask -- peers` built them. Many keys, odd keys, prefixes, wrong credentials.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::{fs, net::SocketAddr, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt as _;
use gitops_core::{Scope, Secret, one_line};
use gitops_source::{
    AzureBucket, AzureCredentials, BucketEndpoint, BucketSource, BucketStore, GcsBucket,
    GcsCredentials, S3Bucket, S3Credentials,
};
use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    azure::{AzureAccessKey, AzureAuthorizer, AzureCredential},
    client::{HttpRequest, HttpRequestBody},
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Keys whose form is not the same everywhere.
const ODD: &[&str] = &[
    "odd/a b+ü.yaml",
    "odd/100%25.yaml",
    "odd/q?x=1&y.yaml",
    "odd/hash#1.yaml",
    "odd/(1)'~!*.yaml",
    "odd/日本.yaml",
];
const MANY: usize = 1203;
/// That emulator cuts a listing off without telling how to go on.
const ONE_PAGE: usize = 900;
const CANARY: &str = "c4nary-c4nary";

/// What a bucket holds: more than a page, odd keys, and something beside the prefix.
fn keys(many: usize) -> Vec<String> {
    let many = (0..many).map(|index| format!("many/{:02}/{index:04}.yaml", index % 7));
    many.chain(ODD.iter().map(|key| (*key).to_owned()))
        .chain(["manyfold.yaml".to_owned()])
        .collect()
}

/// A server as a process; ended when dropped.
struct Server {
    _process: Child,
    _directory: TempDir,
    at: SocketAddr,
}

impl Server {
    /// `arguments` know the address and the directory for data.
    async fn start(
        name: &str,
        prepare: impl Fn(&std::path::Path),
        arguments: impl Fn(&SocketAddr, &str) -> Vec<String>,
    ) -> Option<Self> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/peers").join(name);
        if !program.exists() {
            println!(
                "skipped: {} is not there, see `cargo run -p xtask -- peers`",
                program.display()
            );
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        let at = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let process = Command::new(program)
            .args(arguments(&at, directory.path().to_str().unwrap()))
            .env("MINIO_ROOT_USER", "reader")
            .env("MINIO_ROOT_PASSWORD", CANARY)
            .env("HOME", directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(at).await.is_ok() {
                return Some(Self { _process: process, _directory: directory, at });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{name} does not listen");
    }

    fn url(&self) -> String {
        format!("http://{}", self.at)
    }
}

fn encoded(key: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    utf8_percent_encode(key, KEPT).to_string()
}

fn request(url: &str, body: &str) -> HttpRequest {
    let body = HttpRequestBody::from(Bytes::from(body.to_owned()));
    http::Request::builder().method("PUT").uri(url).body(body).unwrap()
}

async fn send(client: &reqwest::Client, request: HttpRequest, body: &str) {
    let (parts, _) = request.into_parts();
    let sent = client
        .put(parts.uri.to_string())
        .headers(parts.headers)
        .body(body.to_owned())
        .timeout(Duration::from_secs(30))
        .send();
    let answer = sent.await.unwrap();
    let status = answer.status();
    assert!(status.is_success(), "{}: {status} {}", parts.uri, answer.text().await.unwrap());
}

/// Writes the bucket of a server of the S3 API.
async fn fill_s3(url: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let credential =
        AwsCredential { key_id: "reader".into(), secret_key: CANARY.into(), token: None };
    let put = async |path: String, body: String| {
        let mut request = request(&format!("{url}/{path}"), &body);
        AwsAuthorizer::new(&credential, "s3", "us-east-1")
            .try_authorize(&mut request, None)
            .unwrap();
        send(&client, request, &body).await;
    };
    put("lake".into(), String::new()).await;
    let all = keys(MANY).into_iter().map(|key| put(format!("lake/{}", encoded(&key)), key));
    futures::stream::iter(all).buffer_unordered(16).collect::<Vec<()>>().await;
}

fn endpoint(url: &str) -> BucketEndpoint {
    BucketEndpoint::new(url, true).unwrap().with_timeout(Duration::from_secs(30))
}

fn source(store: impl BucketStore + 'static) -> BucketSource {
    BucketSource::new(Arc::new(store), "lake").with_timeout(Duration::from_mins(2))
}

/// What must hold of every store that holds [`keys`], each of which is its own content.
async fn check(many: usize, open: impl Fn(&str) -> BucketSource) {
    let scope = Scope::background();
    let all = open("lake");
    let index = all.index(&scope).await.unwrap();
    assert_eq!(index.len(), many + ODD.len() + 1, "all pages");
    let again = open("lake").index(&scope).await.unwrap();
    assert_eq!(index.revision(), again.revision());

    let whole = open("lake").with_prefix("many/").index(&scope).await.unwrap();
    assert_eq!(whole.len(), many);
    let partial = open("lake").with_prefix("many").index(&scope).await.unwrap();
    assert_eq!(partial.len(), many + 1, "a prefix is a text, not a directory");
    assert_ne!(whole.revision(), partial.revision());

    let odd = open("lake").with_prefix("odd/");
    let index = odd.index(&scope).await.unwrap();
    let (tree, fetched) = odd.download(&index, &scope).await.unwrap();
    assert_eq!(fetched.revision(), index.revision());
    for key in ODD {
        let content = gitops_core::Tree::read(&*tree, key.as_ref()).unwrap();
        assert_eq!(String::from_utf8_lossy(&content), *key);
    }
    let error = one_line(&open("ocean").index(&scope).await.unwrap_err());
    assert!(error.contains("bucket 'ocean' not found"), "{error}");
}

#[tokio::test]
async fn minio() {
    let server = Server::start(
        "minio",
        |_| {},
        |at, data| {
            ["server", "--quiet", "--address", &at.to_string(), data].map(str::to_owned).to_vec()
        },
    );
    let Some(server) = server.await else { return };
    let url = server.url();
    // It listens before it is ready.
    let ready = format!("{url}/minio/health/cluster");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..300 {
        if client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    fill_s3(&url).await;
    let own = |name: &str, key: &str, secret: &str| {
        let credentials = S3Credentials::Static {
            access_key: key.to_owned(),
            secret_key: Secret::from(secret.to_owned()),
        };
        S3Bucket::new(endpoint(&url), name, None, credentials)
    };
    check(MANY, |name| {
        let store = own(name, "reader", CANARY);
        BucketSource::new(Arc::new(store), name)
    })
    .await;
    for (key, secret) in [("reader", "c4nary-wrong"), ("c4nary", CANARY)] {
        let refused = source(own("lake", key, secret)).index(&Scope::background()).await;
        let error = one_line(&refused.unwrap_err());
        assert!(error.contains("Access Denied") && !error.contains("c4nary"), "{error}");
    }
    let nobody = S3Bucket::new(endpoint(&url), "lake", None, S3Credentials::Anonymous);
    assert!(source(nobody).index(&Scope::background()).await.is_err());
}

#[tokio::test]
async fn gofakes3() {
    let server = Server::start(
        "gofakes3",
        |_| {},
        |at, _| ["-backend", "memory", "-host", &at.to_string()].map(str::to_owned).to_vec(),
    );
    let Some(server) = server.await else { return };
    let url = server.url();
    fill_s3(&url).await;
    check(MANY, |name| {
        let store = S3Bucket::new(endpoint(&url), name, None, S3Credentials::Anonymous);
        BucketSource::new(Arc::new(store), name)
    })
    .await;
}

#[tokio::test]
async fn fake_gcs_server() {
    let fill = |directory: &std::path::Path| {
        for key in keys(ONE_PAGE) {
            let file = directory.join("lake").join(&key);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, &key).unwrap();
        }
    };
    let server = Server::start("fake-gcs-server", fill, |at, data| {
        let (host, port) = (at.ip().to_string(), at.port().to_string());
        let public = at.to_string();
        [
            "-scheme",
            "http",
            "-host",
            &host,
            "-port",
            &port,
            "-backend",
            "memory",
            "-data",
            data,
            "-public-host",
            &public,
        ]
        .map(str::to_owned)
        .to_vec()
    });
    let Some(server) = server.await else { return };
    let url = server.url();
    check(ONE_PAGE, |name| {
        let store = GcsBucket::new(endpoint(&url), name, GcsCredentials::Anonymous);
        BucketSource::new(Arc::new(store), name)
    })
    .await;
}

/// The key that everybody knows of the emulator's account.
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[tokio::test]
async fn azurite() {
    let server = Server::start(
        "azurite",
        |_| {},
        |at, _| {
            let (host, port) = (at.ip().to_string(), at.port().to_string());
            [
                "--silent",
                "--skipApiVersionCheck",
                "--inMemoryPersistence",
                "--blobHost",
                &host,
                "--blobPort",
                &port,
            ]
            .map(str::to_owned)
            .to_vec()
        },
    );
    let Some(server) = server.await else { return };
    let url = format!("{}/devstoreaccount1", server.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(EMULATOR_KEY).unwrap());
    let put = async |path: String, body: String| {
        let mut request = request(&format!("{url}/{path}"), &body);
        request.headers_mut().insert("x-ms-blob-type", "BlockBlob".parse().unwrap());
        let length = body.len().to_string();
        request.headers_mut().insert("content-length", length.parse().unwrap());
        AzureAuthorizer::new(&credential, "devstoreaccount1").try_authorize(&mut request).unwrap();
        send(&client, request, &body).await;
    };
    put("lake?restype=container".into(), String::new()).await;
    let all = keys(MANY).into_iter().map(|key| put(format!("lake/{}", encoded(&key)), key));
    futures::stream::iter(all).buffer_unordered(16).collect::<Vec<()>>().await;
    let own = |name: &str, key: &str| {
        let credentials = AzureCredentials::AccountKey(Secret::from(key.to_owned()));
        AzureBucket::new(endpoint(&url), name, credentials)
    };
    check(MANY, |name| {
        let store = own(name, EMULATOR_KEY);
        BucketSource::new(Arc::new(store), name)
    })
    .await;
    let wrong =
        "Yzxuxxxx4nary8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tqK1SZFPTO==";
    for key in [wrong, "not base64"] {
        let error = source(own("lake", key)).index(&Scope::background()).await.unwrap_err();
        assert!(!one_line(&error).contains("4nary"), "{error}");
    }
}
