//! Buckets of loopback servers that speak the dialects of S3, Google Cloud Storage and Azure.

#![allow(clippy::unwrap_used, reason = "a failed assertion is the purpose")]

use std::{
    collections::BTreeMap, fmt::Write as _, net::SocketAddr, path::Path, sync::Arc, time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use gitops_core::{Digest, Limits, Scope};
use gitops_source::{
    AzureBucket, AzureCredentials, BucketEndpoint, BucketSource, BucketStore, GcsBucket,
    GcsCredentials, S3Bucket, S3Credentials,
};
use parking_lot::Mutex;

const CANARY: &str = "canary-secret";

/// The objects of a bucket `b`, two to a page, and what was asked.
#[derive(Clone, Default)]
struct Cloud {
    objects: Arc<Mutex<BTreeMap<String, String>>>,
    requests: Arc<Mutex<Vec<String>>>,
    /// What a request must prove, where it must.
    wanted: Option<&'static str>,
    endless: bool,
}

impl Cloud {
    fn with(objects: &[(&str, &str)]) -> Self {
        let own = Self::default();
        let all = objects.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        own.objects.lock().extend(all);
        own
    }

    async fn serve(&self) -> SocketAddr {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// A page after a key, and where the next begins.
    fn page(&self, prefix: &str, after: &str) -> (Vec<(String, String)>, Option<String>) {
        if self.endless {
            return (Vec::new(), Some(format!("{after}x")));
        }
        let objects = self.objects.lock();
        let fitting =
            objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let mut all: Vec<_> = fitting.map(|(key, text)| (key.clone(), etag(text))).collect();
        let more = all.len() > 2;
        all.truncate(2);
        let next = more.then(|| all[1].0.clone());
        (all, next)
    }
}

fn etag(text: &str) -> String {
    Digest::sha256(text.as_bytes()).hex()[..8].to_owned()
}

#[expect(clippy::too_many_lines, reason = "one answer after the other")]
async fn answer(State(cloud): State<Cloud>, request: Request) -> Response {
    let uri = request.uri().clone();
    let mut seen = format!("{} {uri}", request.method());
    for (name, value) in request.headers() {
        let _ = write!(seen, "\n{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    let proven = cloud.wanted.is_none_or(|wanted| seen.contains(wanted));
    cloud.requests.lock().push(seen);
    if !proven {
        let text = "<Error><Message>denied</Message></Error>";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let get = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
    let path = decoded(uri.path());
    let object = |key: &str| cloud.objects.lock().get(key).cloned();
    if let Some(rest) = path.strip_prefix("/storage/v1/b/") {
        let Some(rest) = rest.strip_prefix('b') else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if rest.is_empty() {
            return "{\"name\": \"b\"}".into_response();
        }
        if rest == "/o" {
            let (page, next) = cloud.page(get("prefix"), get("pageToken"));
            let items: Vec<_> = page
                .into_iter()
                .map(|(name, etag)| serde_json::json!({"name": name, "etag": etag}))
                .collect();
            return serde_json::json!({"items": items, "nextPageToken": next})
                .to_string()
                .into_response();
        }
        let Some(text) = object(rest.trim_start_matches("/o/")) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if get("alt") == "media" {
            return text.into_response();
        }
        return serde_json::json!({"etag": etag(&text), "generation": "7"})
            .to_string()
            .into_response();
    }
    let Some(rest) = path.strip_prefix("/b").or(path.strip_prefix("/account/b")) else {
        return (StatusCode::NOT_FOUND, [("x-ms-error-code", "ContainerNotFound")]).into_response();
    };
    let key = rest.trim_start_matches('/');
    if get("comp") == "list" {
        let (page, next) = cloud.page(get("prefix"), get("marker"));
        let mut blobs = String::new();
        for (key, etag) in &page {
            let _ = write!(
                blobs,
                "<Blob><Name>{key}</Name><Properties><Etag>{etag}</Etag></Properties></Blob>"
            );
        }
        let next = next.unwrap_or_default();
        return format!("<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>").into_response();
    }
    if get("list-type") == "2" {
        let (page, next) = cloud.page(get("prefix"), get("continuation-token"));
        let mut contents = String::new();
        for (key, etag) in &page {
            let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
            let _ =
                write!(contents, "<Contents><Key>{key}</Key><ETag>\"{etag}\"</ETag></Contents>");
        }
        let truncated = next.is_some();
        let next =
            next.map(|next| format!("<NextContinuationToken>{next}</NextContinuationToken>"));
        return format!(
            "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>{truncated}</IsTruncated>{}{contents}</ListBucketResult>",
            next.unwrap_or_default()
        )
        .into_response();
    }
    if key.is_empty() {
        return StatusCode::OK.into_response();
    }
    match object(key) {
        Some(text) => ([(header::ETAG, format!("\"{}\"", etag(&text)))], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn decoded(path: &str) -> String {
    let text = path.replace('+', "%2B");
    url::form_urlencoded::parse(text.as_bytes())
        .next()
        .map(|(key, _)| key.into_owned())
        .unwrap_or_default()
}

const OBJECTS: [(&str, &str); 7] = [
    (".sourceignore", "docs/\n"),
    ("deploy/cm.yaml", "cm"),
    ("deploy/sa.yaml", "sa"),
    ("deploy/a b+ü.yaml", "odd"),
    ("docs/readme.md", "r"),
    ("empty/", ""),
    ("x.yaml", "x"),
];

/// The digest of the lines that Flux makes of an index.
fn revision(keys: &[&str], quote: &str) -> String {
    let mut lines: Vec<String> = OBJECTS
        .iter()
        .filter(|(key, _)| keys.contains(key))
        .map(|(key, text)| format!("{key} {quote}{}{quote}\n", etag(text)))
        .collect();
    lines.sort();
    Digest::sha256(lines.concat().as_bytes()).to_string()
}

fn endpoint(address: SocketAddr, path: &str) -> BucketEndpoint {
    let endpoint = BucketEndpoint::new(&format!("http://{address}{path}"), true).unwrap();
    endpoint.with_timeout(Duration::from_secs(5))
}

fn s3(address: SocketAddr) -> S3Bucket {
    let credentials =
        S3Credentials::Static { access_key: "key-id".into(), secret_key: CANARY.into() };
    S3Bucket::new(endpoint(address, ""), "b", None, credentials)
}

fn stores(address: SocketAddr) -> [(Arc<dyn BucketStore>, &'static str); 3] {
    // The key in base64, as Azure gives it.
    let key = "Y2FuYXJ5LXNlY3JldA==";
    [
        (Arc::new(s3(address)), ""),
        (Arc::new(GcsBucket::new(endpoint(address, ""), "b", GcsCredentials::Anonymous)), ""),
        (
            Arc::new(AzureBucket::new(
                endpoint(address, "/account"),
                "b",
                AzureCredentials::AccountKey(key.into()),
            )),
            "\"",
        ),
    ]
}

#[tokio::test]
async fn objects_become_files_whatever_the_cloud() {
    let cloud = Cloud::with(&OBJECTS);
    let address = cloud.serve().await;
    let scope = Scope::background();
    let kept = ["deploy/cm.yaml", "deploy/sa.yaml", "deploy/a b+ü.yaml", "x.yaml"];
    for (store, quote) in stores(address) {
        let source = BucketSource::new(Arc::clone(&store), "b");
        let index = source.index(&scope).await.unwrap();
        assert_eq!(index.revision().to_string(), revision(&kept, quote), "{store:?}");
        let (tree, now) = source.download(&index, &scope).await.unwrap();
        assert_eq!(now, index);
        for (key, text) in OBJECTS {
            let read = tree.read(Path::new(key));
            if kept.contains(&key) || key == ".sourceignore" {
                assert_eq!(read.unwrap(), text.as_bytes(), "{key}");
            } else {
                assert!(read.is_err(), "{key}");
            }
        }
        // Any text is a prefix, not only whole directories.
        let source = BucketSource::new(store, "b")
            .with_prefix("deploy/s")
            .with_ignore(Some("!docs/\n".into()));
        let index = source.index(&scope).await.unwrap();
        assert_eq!(index.revision().to_string(), revision(&["deploy/sa.yaml"], quote));
    }
}

#[tokio::test]
async fn an_unchanged_bucket_costs_a_listing() {
    let cloud = Cloud::with(&OBJECTS);
    let address = cloud.serve().await;
    let source = BucketSource::new(Arc::new(s3(address)), "b");
    let scope = Scope::background();
    let index = source.index(&scope).await.unwrap();
    let first = cloud.requests.lock().len();
    assert_eq!(source.index(&scope).await.unwrap(), index);
    // Whether it is there, the ignore rules, and four pages of two.
    assert_eq!(cloud.requests.lock().len() - first, 6);
    cloud.objects.lock().remove("x.yaml");
    cloud.objects.lock().insert("deploy/cm.yaml".into(), "changed".into());
    let (tree, now) = source.download(&index, &scope).await.unwrap();
    assert_eq!(now.len(), index.len() - 1, "what went is left out");
    assert_eq!(tree.read(Path::new("deploy/cm.yaml")).unwrap(), "changed");
    assert_eq!(now, source.index(&scope).await.unwrap(), "and is what the bucket holds now");
}

/// Row 71 of the list of attacks.
#[tokio::test]
async fn refusals_are_told_without_secrets() {
    let mut cloud = Cloud::with(&OBJECTS);
    cloud.wanted = Some("never");
    let address = cloud.serve().await;
    let scope = Scope::background();
    for (store, _) in stores(address) {
        let error = BucketSource::new(Arc::clone(&store), "b").index(&scope).await.unwrap_err();
        let text = format!("{} {error:?} {store:?}", gitops_core::one_line(&error));
        assert!(text.contains("failed to confirm existence of 'b' bucket"), "{text}");
        assert!(!text.contains(CANARY) && !text.contains("Y2FuYXJ5"), "{text}");
    }
    for seen in cloud.requests.lock().iter() {
        assert!(!seen.contains(CANARY) && !seen.contains("Y2FuYXJ5"), "{seen}");
    }
    let signed = cloud.requests.lock().join("\n");
    assert!(signed.contains("AWS4-HMAC-SHA256 Credential=key-id/"));
    assert!(signed.contains("SharedKey account:"));
}

/// Row 71: a secret in a query.
#[tokio::test]
async fn shared_access_signatures_are_sent_and_not_shown() {
    let mut cloud = Cloud::with(&OBJECTS);
    cloud.wanted = Some("sig=canary-secret");
    let address = cloud.serve().await;
    let access = AzureCredentials::SharedAccess("?sv=2023&sig=canary-secret".into());
    let bucket = AzureBucket::new(endpoint(address, "/account"), "b", access);
    let scope = Scope::background();
    assert_eq!(BucketSource::new(Arc::new(bucket), "b").index(&scope).await.unwrap().len(), 4);
    // A port where nobody listens.
    let nobody = endpoint(SocketAddr::from(([127, 0, 0, 1], 1)), "/account");
    let access = AzureCredentials::SharedAccess("?sv=2023&sig=canary-secret".into());
    let bucket = AzureBucket::new(nobody, "b", access);
    let error = BucketSource::new(Arc::new(bucket), "b").index(&scope).await.unwrap_err();
    let text = format!("{} {error:?}", gitops_core::one_line(&error));
    assert!(text.contains("connection refused") && !text.contains(CANARY), "{text}");
}

#[tokio::test]
async fn missing_buckets_are_not_found() {
    let cloud = Cloud::with(&OBJECTS);
    let address = cloud.serve().await;
    let bucket = S3Bucket::new(endpoint(address, ""), "c", None, S3Credentials::Anonymous);
    let error = BucketSource::new(Arc::new(bucket), "c").index(&Scope::background()).await;
    assert_eq!(error.unwrap_err().to_string(), "bucket 'c' not found");
    assert!(BucketEndpoint::new("not a host", false).is_err());
    assert!(BucketEndpoint::new("ftp://h", false).is_err());
}

/// Row 70 of the list of attacks: keys, listings, and objects that change.
#[tokio::test]
async fn hostile_buckets_are_bounded() {
    let mut cloud =
        Cloud::with(&[("a//b", "1"), ("c/../../../../d", "2"), ("e", "3"), ("e/f", "4")]);
    let address = cloud.serve().await;
    let scope = Scope::background();
    let source = BucketSource::new(Arc::new(s3(address)), "b");
    let index = source.index(&scope).await.unwrap();
    // One key climbs, and one needs a directory where a file is: neither is fetched in silence.
    let error = source.download(&index, &scope).await.unwrap_err();
    assert!(gitops_core::one_line(&error).contains("fetch from bucket 'b' failed"));
    cloud.objects.lock().retain(|key, _| key == "a//b" || key == "e");
    let index = source.index(&scope).await.unwrap();
    let (tree, _) = source.download(&index, &scope).await.unwrap();
    assert_eq!(tree.read(Path::new("a/b")).unwrap(), "1");

    let small = Limits { bytes: 1, ..Limits::default() };
    let source = BucketSource::new(Arc::new(s3(address)), "b").with_limits(small);
    let error = source.download(&index, &scope).await.unwrap_err();
    assert!(gitops_core::one_line(&error).contains("larger than allowed"));
    let few = Limits { entries: 1, ..Limits::default() };
    let source = BucketSource::new(Arc::new(s3(address)), "b").with_limits(few);
    let error = source.index(&scope).await.unwrap_err();
    assert!(gitops_core::one_line(&error).contains("more than 1 objects"));

    cloud.endless = true;
    let address = cloud.serve().await;
    let source =
        BucketSource::new(Arc::new(s3(address)), "b").with_timeout(Duration::from_millis(500));
    let error = source.index(&scope).await.unwrap_err();
    assert!(gitops_core::one_line(&error).contains("context deadline exceeded"));
}
