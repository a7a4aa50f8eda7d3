//! How issuers are asked.

use std::{fmt, time::Duration};

use gitops_core::{SafeUrl, Secret, truncate};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect::Policy};
use serde::de::DeserializeOwned;

use crate::AuthError;

/// What an answer may weigh; tokens and lists of keys are far smaller.
const MAX_ANSWER: usize = 1 << 20;
/// What an error page may add to a message.
const MAX_REASON: usize = 512;

/// The way to an issuer.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// Authorities to trust beside the system's, in PEM.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate chain and key, in PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
    /// An `http`, `https` or `socks5` proxy; without one the system's holds.
    pub proxy: Option<SafeUrl>,
}

/// A client that follows no redirect and reads no endless answer. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient(Client);

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client; a request may take 30 s.
    ///
    /// # Errors
    /// When certificates, key or proxy are malformed.
    pub fn new(options: &HttpOptions) -> Result<Self, AuthError> {
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("gitops/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30));
        if let Some(pem) = &options.authorities {
            let authorities = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|_| AuthError::invalid("malformed CA certificate"))?;
            builder = builder.tls_certs_merge(authorities);
        }
        if let Some((chain, key)) = &options.identity {
            let pem = [chain.as_slice(), b"\n", key.expose()].concat();
            let identity = reqwest::Identity::from_pem(&pem)
                .map_err(|_| AuthError::invalid("malformed client certificate"))?;
            builder = builder.identity(identity);
        }
        if let Some(proxy) = &options.proxy {
            let proxy = reqwest::Proxy::all(proxy.expose().clone())
                .map_err(|_| AuthError::invalid("malformed proxy URL"))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| {
            AuthError::invalid(format!("cannot set up HTTP client: {}", deepest(&error)))
        })?;
        Ok(Self(client))
    }

    /// A client over one that is set up already.
    pub fn from_client(client: Client) -> Self {
        Self(client)
    }

    /// The client behind, to build requests with.
    pub fn requests(&self) -> &Client {
        &self.0
    }

    /// Sends a request and reads its JSON answer. `what` begins the text of an error; the URL of
    /// the request is not in it, because it may hold secrets.
    ///
    /// # Errors
    /// When there is no answer, no success, or no such JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        what: &str,
        request: RequestBuilder,
    ) -> Result<T, AuthError> {
        let body = self.bytes(what, request).await?;
        serde_json::from_slice(&body)
            // The answer holds the token: only where it is malformed may be told.
            .map_err(|error| {
                let place = format!("line {} column {}", error.line(), error.column());
                AuthError::network(format!("{what}: malformed answer at {place}"))
            })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// When there is no answer, or no success.
    pub async fn bytes(&self, what: &str, request: RequestBuilder) -> Result<Vec<u8>, AuthError> {
        let response = request
            .send()
            .await
            .map_err(|error| AuthError::network(format!("{what}: {}", deepest(&error))))?;
        let status = response.status();
        let body = read(what, response).await?;
        if status.is_success() {
            return Ok(body);
        }
        let reason = truncate(String::from_utf8_lossy(&body).trim(), MAX_REASON);
        Err(refused(status, format!("{what}: {}: {reason}", status.as_u16())))
    }

    /// Sends a request and reads what comes, a refusal too, or says in Go's words why nothing came.
    pub(crate) async fn answer(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let response = request.send().await.map_err(|error| undelivered(&error))?;
        let status = response.status();
        let body = read("", response).await;
        let body = body.map_err(|error| error.to_string().trim_start_matches(": ").to_owned())?;
        Ok((status, body))
    }
}

/// A refusal by its status: whether it may help to try again.
pub(crate) fn refused(status: StatusCode, text: String) -> AuthError {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => AuthError::network(text),
        status if status.is_client_error() => AuthError::Denied(text.into()),
        _ => AuthError::network(text),
    }
}

/// Why a request did not reach its host, as Go says it.
fn undelivered(error: &reqwest::Error) -> String {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    let url = error.url();
    let host = url.and_then(|url| url.host_str()).unwrap_or_default();
    while let Some(cause) = next {
        if cause.to_string().starts_with("dns error") {
            return format!("dial tcp: lookup {host}: no such host");
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            let port = url.and_then(url::Url::port_or_known_default).unwrap_or(0);
            return format!("dial tcp {host}:{port}: connect: connection refused");
        }
        next = cause.source();
    }
    deepest(error)
}

async fn read(what: &str, mut response: Response) -> Result<Vec<u8>, AuthError> {
    let mut body = Vec::new();
    let broken = |error| AuthError::network(format!("{what}: {}", deepest(&error)));
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        if body.len() + piece.len() > MAX_ANSWER {
            return Err(AuthError::network(format!("{what}: more than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The deepest cause says most, and names no URL.
fn deepest(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "context deadline exceeded".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if std::ptr::addr_eq(cause, std::ptr::from_ref(error)) {
        return "request failed".to_owned();
    }
    cause.to_string()
}
