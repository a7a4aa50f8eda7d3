//! Artifacts of a registry that answers as told.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use gitops_core::{Digest, MemoryTree, Scope, one_line, pack};
use gitops_source::{DockerConfig, OciReference, OciSource, Source as _, SourceError, Subject};
use http::StatusCode;
use serde_json::json;

const LAYER: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

type Headers = Vec<(&'static str, String)>;

#[derive(Default)]
struct Content {
    /// Answers by path.
    paths: BTreeMap<String, (Vec<u8>, Headers)>,
    /// The header that a request needs, unless it is for the token.
    authorization: Option<String>,
    challenge: Option<String>,
    asked: Vec<String>,
}

type Shared = Arc<Mutex<Content>>;

async fn answer(State(content): State<Shared>, request: Request) -> Response {
    let mut content = content.lock().unwrap();
    let line = request.uri().path_and_query().unwrap().to_string();
    content.asked.push(format!("{} {line}", request.method()));
    let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if let Some(wanted) = &content.authorization
        && given != Some(wanted)
        && !line.starts_with("/token")
    {
        let challenge = content.challenge.clone().unwrap_or_default();
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)], "no\n")
            .into_response();
    }
    match content.paths.get(&line) {
        Some((body, headers)) => {
            let mut response = body.clone().into_response();
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            response
        }
        None if line == "/v2/" => StatusCode::OK.into_response(),
        None => {
            let errors = json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "Unknown"}]});
            (StatusCode::NOT_FOUND, errors.to_string()).into_response()
        }
    }
}

struct Registry {
    content: Shared,
    host: String,
}

impl Registry {
    async fn start() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let content = Shared::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&content));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { content, host }
    }

    fn put(&self, path: &str, body: impl Into<Vec<u8>>, headers: &[(&'static str, String)]) {
        let mut content = self.content.lock().unwrap();
        content.paths.insert(path.to_owned(), (body.into(), headers.to_vec()));
    }

    fn put_manifest(&self, tag: &str, manifest: &serde_json::Value) -> String {
        let bytes = manifest.to_string();
        let digest = Digest::sha256(bytes.as_bytes()).to_string();
        let header = [("docker-content-digest", digest.clone())];
        self.put(&format!("/v2/o/r/manifests/{tag}"), bytes.clone(), &header);
        self.put(&format!("/v2/o/r/manifests/{digest}"), bytes, &header);
        digest
    }

    /// An artifact with one file that holds its tag.
    fn artifact(&self, tag: &str) -> String {
        let tree = MemoryTree::from_iter([("a/f", tag.to_owned())]);
        let mut layer = Vec::new();
        pack(&tree, &|_, _| true, &mut layer, &Scope::background()).unwrap();
        let digest = Digest::sha256(&layer).to_string();
        self.put(&format!("/v2/o/r/blobs/{digest}"), layer, &[]);
        let annotations = json!({"org.opencontainers.image.revision": tag});
        let layers = json!([{"mediaType": LAYER, "digest": digest}]);
        self.put_manifest(tag, &json!({"annotations": annotations, "layers": layers}))
    }

    fn source(&self, reference: OciReference) -> OciSource {
        let url = format!("oci://{}/o/r", self.host);
        OciSource::new(&url, reference).unwrap().with_timeout(Duration::from_secs(10))
    }
}

fn tag(tag: &str) -> OciReference {
    OciReference::Tag(tag.into())
}

/// Revision, content of the file, and the digest.
async fn pull(source: OciSource) -> Result<(String, String, String), SourceError> {
    let scope = Scope::background();
    let at = source.resolve(&scope).await?;
    let fetched = source.fetch(&at, &scope).await?;
    let file = fetched.tree.read("a/f".as_ref()).unwrap();
    let Subject::Image { digest, annotations } = fetched.subject else { panic!("an image") };
    let text = String::from_utf8(file.to_vec()).unwrap();
    assert_eq!(annotations["org.opencontainers.image.revision"], text);
    Ok((at.revision.to_string(), text, digest))
}

async fn failure(source: OciSource) -> String {
    one_line(&pull(source).await.unwrap_err())
}

#[tokio::test]
async fn tags_ranges_and_digests() {
    let registry = Registry::start().await;
    let mut digests = BTreeMap::new();
    for name in ["latest", "1.0.0", "1.1.0", "2.0.0-rc.1"] {
        digests.insert(name, registry.artifact(name));
    }
    let next = [("link", "</v2/o/r/tags/list?n=1000&last=1.0.0>; rel=\"next\"".to_owned())];
    let page = |tags: &[&str]| json!({"name": "o/r", "tags": tags}).to_string();
    registry.put("/v2/o/r/tags/list?n=1000", page(&["latest", "1.0.0", "other"]), &next);
    let rest = page(&["1.1.0", "2.0.0-rc.1"]);
    registry.put("/v2/o/r/tags/list?n=1000&last=1.0.0", rest, &[]);
    let semver = |range: &str, filter: Option<&str>| OciReference::Semver {
        range: range.into(),
        filter: filter.map(Into::into),
    };
    for (reference, expected) in [
        (OciReference::default(), "latest"),
        (tag("1.0.0"), "1.0.0"),
        (semver(">=1.0.0", None), "1.1.0"),
        (semver(">=1.0.0-0", None), "2.0.0-rc.1"),
        (semver(">=1.0.0-0", Some("^1\\.0")), "1.0.0"),
    ] {
        let digest = &digests[expected];
        let (revision, text, found) = pull(registry.source(reference)).await.unwrap();
        assert_eq!(revision, format!("{expected}@{digest}"));
        assert_eq!((text.as_str(), &found), (expected, digest));
    }
    let digest = &digests["1.0.0"];
    let source = registry.source(OciReference::Digest(digest.clone()));
    assert_eq!(pull(source).await.unwrap().0, *digest);
    let host = &registry.host;
    for (reference, text) in [
        (
            semver(">=9", None),
            format!(
                "failed to determine the artifact tag for 'oci://{host}/o/r': no match found for \
                 semver: >=9"
            ),
        ),
        (
            tag("nope"),
            format!(
                "failed to determine artifact digest: GET http://{host}/v2/o/r/manifests/nope: \
                 MANIFEST_UNKNOWN: Unknown"
            ),
        ),
        (OciReference::Digest("md5:1".into()), "failed to determine artifact digest: ".into()),
        (semver(">=1", Some("(")), "error parsing regexp: missing closing ): `(`".into()),
    ] {
        let error = failure(registry.source(reference)).await;
        assert!(error.contains(&text), "{error}");
    }
}

#[tokio::test]
async fn what_does_not_fit_its_digest_is_refused() {
    let registry = Registry::start().await;
    let digest = registry.artifact("1.0.0");
    registry.put(&format!("/v2/o/r/manifests/{digest}"), "{}", &[]);
    let error = failure(registry.source(tag("1.0.0"))).await;
    assert!(error.contains("manifest digest does not match"), "{error}");

    let blob = Digest::sha256(b"one").to_string();
    registry.put(&format!("/v2/o/r/blobs/{blob}"), "other", &[]);
    let layers = json!([{"mediaType": LAYER, "digest": blob}]);
    registry.put_manifest("swapped", &json!({"layers": layers}));
    let error = failure(registry.source(tag("swapped"))).await;
    assert!(error.contains("layer digest does not match"), "{error}");
}

#[tokio::test]
async fn layers_are_chosen_and_must_be_archives() {
    let registry = Registry::start().await;
    for (name, body, why) in [
        ("short", &b"r\n"[..], "requires gzip-compressed body: unexpected EOF"),
        ("empty", b"", "requires gzip-compressed body: EOF"),
        ("text", b"not an archive", "requires gzip-compressed body: gzip: invalid header"),
    ] {
        let digest = Digest::sha256(body).to_string();
        registry.put(&format!("/v2/o/r/blobs/{digest}"), body, &[]);
        let layers = json!([{"mediaType": "text/plain", "digest": digest}]);
        registry.put_manifest(name, &json!({"layers": layers}));
        let error = failure(registry.source(tag(name))).await;
        assert_eq!(error, format!("failed to extract layer contents from artifact: {why}"));
    }
    registry.put_manifest("none", &json!({"layers": []}));
    assert_eq!(failure(registry.source(tag("none"))).await, "no layers found in artifact");
    let source = registry.source(tag("text")).with_media_type(Some("text/none".into()));
    let error = failure(source).await;
    assert_eq!(error, "failed to find layer with media type 'text/none' in artifact");

    // An index leads to the manifest of the platform.
    let digest = registry.artifact("1.0.0");
    let amd = json!({"digest": digest, "platform": {"architecture": "amd64", "os": "linux"}});
    let arm = json!({"digest": "sha256:0", "platform": {"architecture": "arm64", "os": "linux"}});
    registry.put_manifest("index", &json!({"manifests": [arm, amd]}));
    assert_eq!(pull(registry.source(tag("index"))).await.unwrap().1, "1.0.0");
}

#[tokio::test]
async fn credentials_and_tokens() {
    let registry = Registry::start().await;
    registry.artifact("1.0.0");
    let host = registry.host.clone();
    let config = |pair: &str| {
        let json = json!({"auths": {host.clone(): {"auth": pair}}}).to_string();
        DockerConfig::parse(json.as_bytes()).unwrap()
    };
    // u:p
    let known = || config("dTpw");
    {
        let mut content = registry.content.lock().unwrap();
        content.authorization = Some("Basic dTpw".into());
        content.challenge = Some("Basic realm=\"x\"".into());
    }
    let error = failure(registry.source(tag("1.0.0"))).await;
    assert!(error.ends_with("unexpected status code 401 Unauthorized: no\n"), "{error}");
    pull(registry.source(tag("1.0.0")).with_credentials(known())).await.unwrap();

    {
        let mut content = registry.content.lock().unwrap();
        content.authorization = Some("Bearer t0ken".into());
        content.challenge =
            Some(format!("Bearer realm=\"http://{}/token\",service=\"reg\"", registry.host));
    }
    let path = "/token?scope=repository%3Ao%2Fr%3Apull&service=reg";
    registry.put(path, r#"{"token": "t0ken"}"#, &[]);
    pull(registry.source(tag("1.0.0")).with_credentials(known())).await.unwrap();
    let asked = registry.content.lock().unwrap().asked.clone();
    assert!(asked.contains(&format!("GET {path}")), "{asked:?}");
}
