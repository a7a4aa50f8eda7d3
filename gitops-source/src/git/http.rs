//! Git over HTTP: the requests that a fetch or a push needs.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use gitops_core::{SafeUrl, Secret};
use parking_lot::Mutex;
use reqwest::{
    Client, Method, Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue, LOCATION},
    redirect::Policy,
};
use tokio::time::Instant;
use url::Url;

use super::session::Service;
use crate::{SourceError, go, overload::AskedPause};

const MAX_REDIRECTS: usize = 10;
/// What an error page may add to a message.
const MAX_REASON: usize = 4 << 10;

/// How to prove who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GitCredentials {
    /// Not at all.
    #[default]
    Anonymous,
    /// User name and password.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token.
    Bearer(Secret),
}

/// Certificates beyond the system's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust beside the system's, in PEM.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate chain and key, in PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
    /// Whether any certificate of the other side will do.
    pub unverified: bool,
}

/// The way to a Git server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct GitTransport {
    client: Client,
    proxy: Option<SafeUrl>,
    credentials: GitCredentials,
}

impl fmt::Debug for GitTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitTransport")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl GitTransport {
    /// A way with certificates and a proxy (`http`, `https` or `socks5` URL). Without a proxy the
    /// system's holds, except towards this machine itself.
    ///
    /// # Errors
    /// When certificates, key or proxy are malformed.
    pub fn new(url: &Url, tls: &Tls, proxy: Option<&Url>) -> Result<Self, SourceError> {
        let invalid = |what: &str, error: &dyn fmt::Display| {
            SourceError::Invalid(format!("{what}: {error}").into())
        };
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("git/2.0 (gitops/", env!("CARGO_PKG_VERSION"), ")"))
            .connect_timeout(Duration::from_secs(30));
        if let Some(pem) = &tls.authorities {
            let authorities = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| invalid("malformed CA certificate", &error))?;
            builder = builder.tls_certs_merge(authorities);
        }
        if let Some((chain, key)) = &tls.identity {
            let pem = [chain.as_slice(), b"\n", key.expose()].concat();
            let identity = reqwest::Identity::from_pem(&pem)
                .map_err(|_| invalid("malformed client certificate", &"no certificate and key"))?;
            builder = builder.identity(identity);
        }
        if let Some(proxy) = proxy {
            let proxy = reqwest::Proxy::all(proxy.clone())
                .map_err(|_| invalid("malformed proxy URL", &"not http, https or socks5"))?;
            builder = builder.proxy(proxy);
        } else if is_loopback(url) {
            builder = builder.no_proxy();
        }
        let client =
            builder.build().map_err(|error| invalid("cannot set up HTTP client", &error))?;
        let proxy = proxy.cloned().map(SafeUrl::from);
        Ok(Self { client, proxy, credentials: GitCredentials::Anonymous })
    }

    /// The same way for someone who can prove who they are.
    #[must_use]
    pub fn with_credentials(mut self, credentials: GitCredentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// The same way for someone else.
    pub(crate) fn without_credentials(self) -> Self {
        self.with_credentials(GitCredentials::Anonymous)
    }

    /// Says hello to the repository.
    pub(crate) async fn open(
        &self,
        url: &Url,
        service: Service,
        max: u64,
        deadline: Instant,
    ) -> Result<(HttpLink, Vec<u8>), SourceError> {
        let query = format!("service={}", service.program());
        let mut base = url.clone();
        let mut credentials = self.credentials.clone();
        if credentials == GitCredentials::Anonymous && !base.username().is_empty() {
            credentials = GitCredentials::Basic {
                username: go::percent_decoded(base.username()),
                password: Secret::from(go::percent_decoded(base.password().unwrap_or_default())),
            };
        }
        let proxy = self.proxy.as_ref();
        for _ in 0..=MAX_REDIRECTS {
            let target = endpoint(&base, "/info/refs", Some(&query));
            let mut request = self
                .client
                .request(Method::GET, without_credentials(&target))
                .timeout(deadline.saturating_duration_since(Instant::now()));
            if service == Service::Fetch {
                request = request.header("Git-Protocol", "version=2");
            }
            let response = match authorized(request, &credentials).send().await {
                Ok(response) => response,
                Err(error) => return Err(failed("Get", &target, &error, None, proxy).await),
            };
            if response.status().is_redirection() {
                let next = redirected(&target, &response)?;
                if next.host_str() != base.host_str()
                    || next.port_or_known_default() != base.port_or_known_default()
                    || (base.scheme() == "https" && next.scheme() == "http")
                {
                    // Credentials are for the host they were given for.
                    credentials = GitCredentials::Anonymous;
                }
                base = next;
                continue;
            }
            let response = accepted(&target, response).await?;
            let body = limited(response, max, &|error| {
                format!(
                    "Get {}: {}",
                    go::quoted(&go::masked(&target)),
                    go::request_failure(error, None)
                )
            })
            .await?;
            let (client, proxy) = (self.client.clone(), self.proxy.clone());
            return Ok((HttpLink { client, proxy, credentials, base, deadline }, body));
        }
        let target = endpoint(&base, "/info/refs", Some(&query));
        let target = go::quoted(&go::masked(&target));
        Err(SourceError::network(format!("Get {target}: http redirect: too many redirects")))
    }
}

/// Ways that were set up already, for those who come again: a way costs the reading of all trusted
/// certificates, and holds connections that can be used again.
#[derive(Debug, Default)]
pub struct GitTransports {
    known: Mutex<Vec<(Means, GitTransport)>>,
}

/// What makes a way another way.
#[derive(Debug, PartialEq, Eq)]
struct Means {
    tls: Tls,
    proxy: Option<SafeUrl>,
    loopback: bool,
}

impl GitTransports {
    const MOST: usize = 64;

    /// A way as [`GitTransport::new`] makes it.
    ///
    /// # Errors
    /// As there.
    pub fn get(
        &self,
        url: &Url,
        tls: &Tls,
        proxy: Option<&Url>,
    ) -> Result<GitTransport, SourceError> {
        let proxied = proxy.cloned().map(SafeUrl::from);
        let means = Means { tls: tls.clone(), proxy: proxied, loopback: is_loopback(url) };
        let mut known = self.known.lock();
        if let Some((_, way)) = known.iter().find(|(other, _)| *other == means) {
            return Ok(way.clone());
        }
        let way = GitTransport::new(url, tls, proxy)?;
        if known.len() >= Self::MOST {
            known.remove(0);
        }
        known.push((means, way.clone()));
        Ok(way)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A repository that answered.
#[derive(Debug)]
pub(crate) struct HttpLink {
    client: Client,
    proxy: Option<SafeUrl>,
    credentials: GitCredentials,
    base: Url,
    deadline: Instant,
}

impl HttpLink {
    /// Sends a request of a service.
    pub(crate) async fn post(
        &self,
        body: Bytes,
        service: Service,
        version_2: bool,
    ) -> Result<HttpAnswer, SourceError> {
        let program = service.program();
        let target = endpoint(&self.base, &format!("/{program}"), None);
        let mut request = self
            .client
            .request(Method::POST, without_credentials(&target))
            .header("Content-Type", format!("application/x-{program}-request"))
            .header("Accept", format!("application/x-{program}-result"))
            .timeout(self.deadline.saturating_duration_since(Instant::now()));
        if version_2 {
            request = request.header("Git-Protocol", "version=2");
        }
        match authorized(request, &self.credentials).body(body).send().await {
            Ok(response) if response.status().is_redirection() => {
                let target = go::quoted(&go::masked(&target));
                Err(SourceError::network(format!(
                    "unexpected client error: Post {target}: http redirect: redirect on \
                     non-initial request"
                )))
            }
            Ok(response) => accepted(&target, response).await.map(HttpAnswer),
            Err(error) => {
                let (prefix, proxy) = (Some("unexpected client error: "), self.proxy.as_ref());
                Err(failed("Post", &target, &error, prefix, proxy).await)
            }
        }
    }
}

/// An answer that said yes.
#[derive(Debug)]
pub(crate) struct HttpAnswer(Response);

impl HttpAnswer {
    /// All of it, if it is not too much.
    pub(crate) async fn limited(self, max: u64) -> Result<Vec<u8>, SourceError> {
        limited(self.0, max, &|error| {
            format!("unexpected client error: {}", go::request_failure(error, None))
        })
        .await
    }

    /// Piece by piece.
    pub(crate) fn pieces(self) -> BoxStream<'static, Result<Bytes, reqwest::Error>> {
        self.0.bytes_stream().boxed()
    }
}

fn authorized(
    request: reqwest::RequestBuilder,
    credentials: &GitCredentials,
) -> reqwest::RequestBuilder {
    match credentials {
        GitCredentials::Anonymous => request,
        GitCredentials::Basic { username, password } => {
            request.basic_auth(username, password.expose_str())
        }
        GitCredentials::Bearer(token) => {
            let value = [b"Bearer ", token.expose()].concat();
            match HeaderValue::from_bytes(&value) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    request.header(AUTHORIZATION, value)
                }
                // A token that no header can hold, one with its line's end: the request fails.
                Err(_) => request.header(AUTHORIZATION, value),
            }
        }
    }
}

/// A path below the repository's URL. As Go's client, a trailing slash of the URL stays.
fn endpoint(base: &Url, path: &str, query: Option<&str>) -> Url {
    let mut url = base.clone();
    let own = if base.path() == "/" { "" } else { base.path() };
    url.set_path(&format!("{own}{path}"));
    url.set_query(query);
    url.set_fragment(None);
    url
}

fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Neither can fail for a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// The repository's URL after a redirect of its `info/refs`.
fn redirected(target: &Url, response: &Response) -> Result<Url, SourceError> {
    let fail = |why: &str| {
        let target = go::quoted(&go::masked(target));
        SourceError::network(format!("Get {target}: http redirect: {why}"))
    };
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| fail("no location"))?;
    let mut next = target.join(location).map_err(|_| fail("malformed location"))?;
    if !matches!(next.scheme(), "http" | "https") {
        return Err(fail(&format!("unsupported scheme {}", go::quoted(next.scheme()))));
    }
    let path = next.path().strip_suffix("/info/refs").map(str::to_owned);
    let path = path.ok_or_else(|| {
        let target = go::quoted(next.path());
        SourceError::network(format!("http redirect: target {target} does not end with /info/refs"))
    })?;
    next.set_path(&path);
    next.set_query(None);
    Ok(next)
}

async fn accepted(target: &Url, response: Response) -> Result<Response, SourceError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let pause = AskedPause::of(&response);
    let reason = beginning(response).await;
    Err(match status {
        StatusCode::UNAUTHORIZED => {
            SourceError::Denied(format!("authentication required: {reason}").into())
        }
        StatusCode::FORBIDDEN => {
            SourceError::Denied(format!("authorization failed: {reason}").into())
        }
        StatusCode::NOT_FOUND => {
            SourceError::NotFound(format!("repository not found: {reason}").into())
        }
        status => {
            let target = go::quoted(&go::masked(target));
            pause.error(format!(
                "unexpected client error: unexpected requesting {target} status code: {}",
                status.as_u16()
            ))
        }
    })
}

async fn beginning(response: Response) -> String {
    let mut text = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(Ok(piece)) = body.next().await {
        text.extend_from_slice(&piece);
        if text.len() > MAX_REASON {
            break;
        }
    }
    gitops_core::truncate(&String::from_utf8_lossy(&text), MAX_REASON)
}

async fn limited(
    response: Response,
    max: u64,
    text: &(dyn Fn(&reqwest::Error) -> String + Sync),
) -> Result<Vec<u8>, SourceError> {
    let mut all = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| SourceError::network(text(&error)))?;
        if (all.len() + piece.len()) as u64 > max {
            let why = format!("reference advertisement is larger than {max} bytes");
            return Err(SourceError::content(why));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

async fn failed(
    method: &str,
    target: &Url,
    error: &reqwest::Error,
    prefix: Option<&str>,
    proxy: Option<&SafeUrl>,
) -> SourceError {
    let why = match proxy {
        Some(proxy) => go::proxied_failure(error, Some(proxy)),
        None => {
            let host = target.host_str().unwrap_or_default();
            let port = target.port_or_known_default().unwrap_or(0);
            // Go names the address that it dialled; asked again only now, when it is too late anyway.
            let host = host.trim_matches(['[', ']']);
            let addresses = tokio::net::lookup_host((host, port)).await;
            let address = addresses.ok().and_then(|mut all| all.next()).map(|own| own.to_string());
            go::request_failure(error, address.as_deref())
        }
    };
    let shown = go::quoted(&go::masked(target));
    SourceError::network(format!("{}{method} {shown}: {why}", prefix.unwrap_or_default()))
}
