//! A container registry in memory, with the habits that registries have.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gitops_core::Digest;
use http::{HeaderMap, Method, StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

const MAX_BODY: usize = 256 << 20;

/// How a [`Registry`] behaves.
#[expect(clippy::struct_excessive_bools, reason = "one for each habit")]
#[derive(Clone, Debug, Default)]
pub struct RegistryHabits {
    /// User name and password that it wants.
    pub credentials: Option<(String, String)>,
    /// Credentials are to be exchanged for tokens.
    pub tokens: bool,
    /// So many tags a page.
    pub page: Option<usize>,
    /// The API for referrers is there; else they stand in an index with a tag.
    pub referrers: bool,
    /// Where an upload ended is not told.
    pub no_location: bool,
    /// Blobs are elsewhere: at this base URL.
    pub blobs_at: Option<String>,
    /// `HEAD` is not answered.
    pub no_head: bool,
}

/// A registry on loopback; it stops when it is dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    state: Arc<Mutex<Contents>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Contents {
    habits: RegistryHabits,
    host: String,
    /// By repository.
    manifests: BTreeMap<(String, Digest), (String, Bytes)>,
    tags: BTreeMap<(String, String), Digest>,
    blobs: BTreeMap<Digest, Bytes>,
    uploads: BTreeMap<u64, Vec<u8>>,
    next_upload: u64,
    tokens: BTreeSet<String>,
    requests: Vec<String>,
}

impl Registry {
    /// Starts on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(habits: RegistryHabits) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let contents = Contents { habits, host: address.to_string(), ..Contents::default() };
        let state = Arc::new(Mutex::new(contents));
        let app = Router::new().fallback(serve).with_state(Arc::clone(&state));
        let task = tokio::spawn(async move {
            // Ends only with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, state, task })
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What was asked so far: method, path and query, `+` when with credentials.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().requests.clone()
    }

    /// Forgets what was asked.
    pub fn forget_requests(&self) {
        self.state.lock().requests.clear();
    }

    /// No token holds any longer.
    pub fn revoke_tokens(&self) {
        self.state.lock().tokens.clear();
    }

    /// Changes how it behaves.
    pub fn change(&self, change: impl FnOnce(&mut RegistryHabits)) {
        change(&mut self.state.lock().habits);
    }

    /// Puts a blob there.
    pub fn put_blob(&self, bytes: impl Into<Bytes>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::sha256(&bytes);
        self.state.lock().blobs.insert(digest.clone(), bytes);
        digest
    }

    /// Puts other bytes in the place of a blob.
    pub fn tamper_blob(&self, digest: &Digest, bytes: impl Into<Bytes>) {
        self.state.lock().blobs.insert(digest.clone(), bytes.into());
    }

    /// Puts a manifest there, under a tag if one is named.
    pub fn put_manifest(&self, repository: &str, tag: Option<&str>, manifest: &Value) -> Digest {
        let bytes = Bytes::from(manifest.to_string());
        let digest = Digest::sha256(&bytes);
        let mut state = self.state.lock();
        let kind = manifest["mediaType"].as_str();
        let kind = kind.unwrap_or("application/vnd.oci.image.manifest.v1+json").to_owned();
        state.manifests.insert((repository.to_owned(), digest.clone()), (kind, bytes));
        if let Some(tag) = tag {
            state.tags.insert((repository.to_owned(), tag.to_owned()), digest.clone());
        }
        digest
    }

    /// The manifest under a tag.
    pub fn manifest(&self, repository: &str, tag: &str) -> Option<Bytes> {
        let state = self.state.lock();
        let digest = state.tags.get(&(repository.to_owned(), tag.to_owned()))?;
        let (_, bytes) = state.manifests.get(&(repository.to_owned(), digest.clone()))?;
        Some(bytes.clone())
    }

    /// A blob.
    pub fn blob(&self, digest: &Digest) -> Option<Bytes> {
        self.state.lock().blobs.get(digest).cloned()
    }

    /// The tags of a repository, in the order of the alphabet.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let state = self.state.lock();
        let own = state.tags.keys().filter(|(own, _)| own == repository);
        own.map(|(_, tag)| tag.clone()).collect()
    }

    /// Puts other bytes in the place of a manifest.
    pub fn tamper_manifest(&self, repository: &str, digest: &Digest, bytes: impl Into<Bytes>) {
        let kind = "application/vnd.oci.image.manifest.v1+json".to_owned();
        let place = (repository.to_owned(), digest.clone());
        self.state.lock().manifests.insert(place, (kind, bytes.into()));
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = Arc<Mutex<Contents>>;

async fn serve(State(state): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut state = state.lock();
    let authorization = parts.headers.get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plus = if authorization.is_empty() { "" } else { " +" };
    state.requests.push(format!("{} {}{plus}", parts.method, parts.uri));
    let path = parts.uri.path().to_owned();
    let query: BTreeMap<String, String> = parts
        .uri
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.replace("%3A", ":").replace("%2F", "/")))
        .collect();
    if path == "/token" {
        return state.token(authorization, &query, &body);
    }
    if let Some(refused) = state.refusal(authorization) {
        return refused;
    }
    let Some(rest) = path.strip_prefix("/v2/") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if rest.is_empty() {
        return "{}".into_response();
    }
    let asked = Asked { method: parts.method, headers: parts.headers, query, body };
    for kind in ["manifests", "blobs/uploads", "blobs", "referrers", "tags"] {
        if let Some((repository, what)) = rest.split_once(&format!("/{kind}/")) {
            return match kind {
                "manifests" => state.manifest(repository, what, &asked),
                "blobs/uploads" => state.upload(repository, what, &asked),
                "blobs" => state.blob(what, &asked),
                "referrers" => state.referrers(repository, what),
                _ => state.tag_list(repository, &asked.query),
            };
        }
    }
    StatusCode::NOT_FOUND.into_response()
}

struct Asked {
    method: Method,
    headers: HeaderMap,
    query: BTreeMap<String, String>,
    body: Bytes,
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let errors = json!({"errors": [{"code": code, "message": message}]});
    (status, errors.to_string()).into_response()
}

impl Contents {
    fn is_known(&self, authorization: &str) -> bool {
        let Some((username, password)) = &self.habits.credentials else { return true };
        let pair = STANDARD.encode(format!("{username}:{password}"));
        authorization == format!("Basic {pair}")
    }

    fn refusal(&self, authorization: &str) -> Option<Response> {
        let challenge = if self.habits.tokens {
            let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
            if self.tokens.contains(token) {
                return None;
            }
            format!("Bearer realm=\"http://{}/token\",service=\"reg\"", self.host)
        } else if self.is_known(authorization) {
            return None;
        } else {
            "Basic realm=\"reg\"".to_owned()
        };
        let answer = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
        Some(([(header::WWW_AUTHENTICATE, challenge)], answer).into_response())
    }

    fn token(
        &mut self,
        authorization: &str,
        query: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Response {
        let form = String::from_utf8_lossy(body);
        let password = self.habits.credentials.as_ref().map(|(_, password)| password.clone());
        let refresh = password.is_some_and(|own| form.contains(&format!("refresh_token={own}")));
        if !refresh && !self.is_known(authorization) {
            return error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "wrong credentials");
        }
        let scope = query.get("scope").cloned().unwrap_or_default();
        let token = format!("t0ken-{}-{scope}", self.tokens.len());
        self.tokens.insert(token.clone());
        json!({"token": token, "expires_in": 300}).to_string().into_response()
    }

    fn manifest(&mut self, repository: &str, reference: &str, asked: &Asked) -> Response {
        if asked.method == Method::PUT {
            return self.put_manifest(repository, reference, asked);
        }
        if asked.method == Method::HEAD && self.habits.no_head {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let digest = reference.parse().ok();
        let tag = || self.tags.get(&(repository.to_owned(), reference.to_owned())).cloned();
        let digest = digest.or_else(tag);
        let found = digest.and_then(|digest| {
            let found = self.manifests.get(&(repository.to_owned(), digest.clone()))?;
            Some((digest, found.clone()))
        });
        let Some((digest, (kind, bytes))) = found else {
            return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "Unknown manifest");
        };
        let headers = [("docker-content-digest", digest.to_string()), ("content-type", kind)];
        (headers, bytes).into_response()
    }

    fn put_manifest(&mut self, repository: &str, reference: &str, asked: &Asked) -> Response {
        let digest = Digest::sha256(&asked.body);
        let parsed: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let missing = parsed["layers"].as_array().into_iter().flatten().any(|layer| {
            let digest = layer["digest"].as_str().and_then(|digest| digest.parse().ok());
            digest.is_none_or(|digest: Digest| !self.blobs.contains_key(&digest))
        });
        if missing {
            return error(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", "blob unknown");
        }
        let kind = asked.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let place = (repository.to_owned(), digest.clone());
        self.manifests.insert(place, (kind, asked.body.clone()));
        if reference.parse::<Digest>().is_err() {
            self.tags.insert((repository.to_owned(), reference.to_owned()), digest);
        }
        StatusCode::CREATED.into_response()
    }

    fn blob(&self, digest: &str, asked: &Asked) -> Response {
        let found = digest.parse().ok().and_then(|digest: Digest| self.blobs.get(&digest));
        let Some(bytes) = found else {
            return error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "Unknown blob");
        };
        match &self.habits.blobs_at {
            Some(base) if asked.method == Method::GET => {
                let target = format!("{base}/{digest}?sig=c4nary");
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target)]).into_response()
            }
            _ => Body::from(bytes.clone()).into_response(),
        }
    }

    fn upload(&mut self, repository: &str, id: &str, asked: &Asked) -> Response {
        if asked.method == Method::POST {
            self.next_upload += 1;
            self.uploads.insert(self.next_upload, Vec::new());
            let place = format!("/v2/{repository}/blobs/uploads/{}?state=a", self.next_upload);
            return (StatusCode::ACCEPTED, [(header::LOCATION, place)]).into_response();
        }
        let id = id.parse().unwrap_or_default();
        let Some(upload) = self.uploads.get_mut(&id) else {
            return error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "no such upload");
        };
        let range = asked.headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
        if let Some(from) = range.and_then(|range| range.split('-').next())
            && from.parse() != Ok(upload.len())
        {
            return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        }
        upload.extend_from_slice(&asked.body);
        let place = format!("/v2/{repository}/blobs/uploads/{id}?state=b");
        let told = !self.habits.no_location;
        if asked.method == Method::PATCH {
            let mut headers = HeaderMap::new();
            let place = place.parse().ok().filter(|_| told);
            headers.extend(place.map(|place| (header::LOCATION, place)));
            return (StatusCode::ACCEPTED, headers).into_response();
        }
        let bytes = Bytes::from(self.uploads.remove(&id).unwrap_or_default());
        let digest = Digest::sha256(&bytes);
        if asked.query.get("digest") != Some(&digest.to_string()) {
            return error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "digest does not match");
        }
        self.blobs.insert(digest, bytes);
        StatusCode::CREATED.into_response()
    }

    fn referrers(&self, repository: &str, digest: &str) -> Response {
        if !self.habits.referrers {
            return error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no referrers here");
        }
        let all = self.manifests.iter().filter_map(|((own, own_digest), (kind, bytes))| {
            let manifest: Value = serde_json::from_slice(bytes).ok()?;
            let fits = own == repository && manifest["subject"]["digest"] == digest;
            let config = &manifest["config"]["mediaType"];
            let artifact = manifest.get("artifactType").unwrap_or(config);
            fits.then(|| {
                json!({
                    "mediaType": kind, "digest": own_digest.to_string(), "size": bytes.len(),
                    "artifactType": artifact, "annotations": manifest["annotations"],
                })
            })
        });
        let kind = "application/vnd.oci.image.index.v1+json";
        let all: Vec<Value> = all.collect();
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": all});
        ([(header::CONTENT_TYPE, kind)], index.to_string()).into_response()
    }

    fn tag_list(&self, repository: &str, query: &BTreeMap<String, String>) -> Response {
        let own = self.tags.keys().filter(|(own, _)| own == repository).map(|(_, tag)| tag);
        let last = query.get("last").cloned().unwrap_or_default();
        let rest: Vec<&String> = own.filter(|tag| **tag > last).collect();
        if rest.is_empty() && last.is_empty() {
            return error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "Unknown name");
        }
        let page = self.habits.page.unwrap_or(usize::MAX).min(rest.len());
        let mut headers = HeaderMap::new();
        if page < rest.len() {
            let next = format!(
                "</v2/{repository}/tags/list?n={page}&last={}>; rel=\"next\"",
                rest[page - 1]
            );
            headers.extend(next.parse().ok().map(|next| (header::LINK, next)));
        }
        (headers, json!({"name": repository, "tags": rest[..page]}).to_string()).into_response()
    }
}
