//! A connection to a cluster: raw requests whose HTTP status is not hidden.

mod api_error;
mod client;
mod discovery;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gitops_core::ObjectId;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use api_error::ApiError;
pub(crate) use client::transport_text;
pub use client::{ClientError, KubeconfigOptions};
pub(crate) use discovery::escape;
pub use discovery::{Discovery, Resource};

/// Longer than an admission webhook may take.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// How often a request is sent again that the API server was too busy for.
const BUSY_RETRIES: u32 = 4;
/// An answer may not be larger; the API server's own limit of an object is far below.
const ANSWER_LIMIT: usize = 256 << 20;

/// A cluster, and who we are there. Cloning is cheap; clones share connections and what is known
/// of the cluster's kinds.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    discovery: Discovery,
    /// Who we act as, for records that must not be shared between identities.
    identity: Arc<str>,
    /// Where the API server is, where errors shall name it.
    address: Arc<str>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) object: Value,
}

impl Cluster {
    /// A cluster that a client is connected to, as the identity of that client.
    pub fn new(client: kube::Client) -> Self {
        Self {
            client,
            discovery: Discovery::default(),
            identity: Arc::from(""),
            address: Arc::from(""),
        }
    }

    /// The client, for typed access as the same identity.
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// The kinds of this cluster.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// Who we act as: empty for the identity of the client itself, else a text that differs for
    /// every service account and every kubeconfig.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    pub(crate) fn with_client(&self, client: kube::Client, identity: &str) -> Self {
        Self { client, identity: Arc::from(identity), ..self.clone() }
    }

    pub(crate) fn is_remote(&self) -> bool {
        !self.address.is_empty()
    }

    /// Whether the API server answers.
    pub(crate) async fn probe(&self) -> Result<(), ApiError> {
        self.send(Method::GET, "/api?timeout=30s", None, Bytes::new()).await.map(drop)
    }

    pub(crate) fn remote(client: kube::Client, identity: &str, address: &str) -> Self {
        Self {
            client,
            discovery: Discovery::default(),
            identity: Arc::from(identity),
            address: Arc::from(address),
        }
    }

    /// How the kind of an object is served.
    pub async fn resource_of(&self, object: &ObjectId) -> Result<Arc<Resource>, ApiError> {
        self.discovery.of(self, object).await
    }

    /// The object, or nothing where it does not exist. A kind that is not served is an error; a
    /// version that is not served any more is not.
    pub async fn get(&self, object: &ObjectId) -> Result<Option<Value>, ApiError> {
        let resource = self.discovery.of_any_version(self, object).await?;
        self.get_object(&resource, object).await
    }

    pub(crate) async fn get_object(
        &self,
        resource: &Resource,
        object: &ObjectId,
    ) -> Result<Option<Value>, ApiError> {
        let path = resource.object_path(&object.namespace, &object.name);
        match self.send(Method::GET, &path, None, Bytes::new()).await {
            Ok(answer) => Ok(Some(answer.object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Merges a patch into the status of an object; gives the object as it is then.
    pub async fn patch_status(
        &self,
        object: &ObjectId,
        changes: &Value,
        field_manager: &str,
    ) -> Result<Value, ApiError> {
        let resource = self.resource_of(object).await?;
        let path = resource.object_path(&object.namespace, &object.name);
        let manager = escape(field_manager);
        let path = format!("{path}/status?fieldManager={manager}");
        let body = Bytes::from(changes.to_string());
        self.send(Method::PATCH, &path, Some("application/merge-patch+json"), body)
            .await
            .map(|answer| answer.object)
    }

    pub(crate) async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let answer = self.send(Method::GET, path, None, Bytes::new()).await?;
        serde_json::from_value(answer.object)
            .map_err(|error| ApiError::local(format!("malformed answer to {path}: {error}")))
    }

    /// Sends a request and reads the answer. Requests that the API server had no room for (429) are
    /// sent again after the time that it asks for.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Answer, ApiError> {
        let mut attempt = 0;
        loop {
            let request = build(&method, path, content_type, &body)?;
            let exchange = tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request));
            let (code, retry_after, bytes) = exchange
                .await
                .map_err(|_| self.unreachable(&method, path, "context deadline exceeded"))??;
            if code.is_success() {
                let object = if bytes.is_empty() {
                    Value::Null
                } else {
                    serde_json::from_slice(&bytes).map_err(|error| {
                        ApiError::local(format!("malformed answer to {path}: {error}"))
                    })?
                };
                return Ok(Answer { code, object });
            }
            if code == StatusCode::TOO_MANY_REQUESTS && attempt < BUSY_RETRIES {
                attempt += 1;
                tokio::time::sleep(retry_after.unwrap_or(Duration::from_secs(1))).await;
                continue;
            }
            return Err(ApiError::from_answer(code, &bytes, &describe(&method, path)));
        }
    }

    async fn exchange(
        &self,
        request: Request<Body>,
    ) -> Result<(StatusCode, Option<Duration>, Bytes), ApiError> {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let response = self
            .client
            .send(request)
            .await
            .map_err(|error| self.unreachable(&method, &path, &transport_text(&error)))?;
        let code = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
            .map(|seconds| Duration::from_secs(seconds.clamp(1, 10)));
        let bytes = Limited::new(response.into_body(), ANSWER_LIMIT)
            .collect()
            .await
            .map_err(|error| self.unreachable(&method, &path, &error.to_string()))?
            .to_bytes();
        Ok((code, retry_after, bytes))
    }

    /// Follows the form of Go's `url.Error`: `Get "https://host/path": cause`.
    fn unreachable(&self, method: &Method, path: &str, cause: &str) -> ApiError {
        let verb = method.as_str();
        let verb = format!("{}{}", &verb[..1], verb[1..].to_lowercase());
        ApiError::local(format!("{verb} \"{}{path}\": {cause}", self.address))
    }
}

fn build(
    method: &Method,
    path: &str,
    content_type: Option<&'static str>,
    body: &[u8],
) -> Result<Request<Body>, ApiError> {
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = method.clone();
    *request.uri_mut() =
        path.parse().map_err(|_| ApiError::local(format!("invalid path {path:?}")))?;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    Ok(request)
}

/// `patch configmaps app`, as client-go describes a request whose answer it did not understand.
fn describe(method: &Method, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut segments = path.rsplit('/');
    let name = segments.next().unwrap_or_default();
    let resource = segments.next().unwrap_or_default();
    format!("{} {resource} {name}", method.as_str().to_lowercase())
}
