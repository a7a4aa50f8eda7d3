//! What all object stores have in common, and how they are reached.

use std::{collections::BTreeMap, fmt, fs::File, io::Write as _, time::Duration};

use async_trait::async_trait;
use futures::StreamExt as _;
use gitops_core::SafeUrl;
use object_store::client::{HttpRequest, HttpRequestBody};
use reqwest::{Client, Response};
use url::Url;

use crate::{
    SourceError, Tls, go,
    http_client::{HttpClients, Means},
    overload::AskedPause,
};

/// The largest answer that is no object, in bytes.
const DOCUMENT_LIMIT: usize = 16 << 20;

/// The query that asks where a bucket is.
pub(super) const LOCATION: &str = "location=";

/// A bucket.
#[async_trait]
pub trait BucketStore: fmt::Debug + Send + Sync {
    /// Whether the bucket is there.
    ///
    /// # Errors
    /// When that cannot be found out.
    async fn exists(&self) -> Result<bool, SourceError>;

    /// A page of the objects whose key begins with a prefix, which is any text; the first one, or
    /// the one after another.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn list(&self, prefix: &str, token: Option<&str>) -> Result<BucketPage, SourceError>;

    /// Writes an object to a file, no more than `max` bytes of it, and gives its entity tag and
    /// size; `None` when there is no such object.
    ///
    /// # Errors
    /// When it cannot be read, or is larger.
    async fn get(
        &self,
        key: &str,
        file: &mut File,
        max: u64,
    ) -> Result<Option<(String, u64)>, SourceError>;
}

/// Some objects of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketPage {
    /// The objects.
    pub objects: Vec<StoredObject>,
    /// What to ask for the next page with.
    pub next: Option<String>,
}

/// An object of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// Its entity tag.
    pub etag: String,
}

/// What the process was given by the cloud that it runs in: the variables of its environment whose
/// names begin with `AWS_`, `AZURE_`, `GOOGLE_`, `IDENTITY_` or `MSI_`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ambient(BTreeMap<String, String>);

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, String)> for Ambient {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        const CLOUDS: [&str; 5] = ["AWS_", "AZURE_", "GOOGLE_", "IDENTITY_", "MSI_"];
        let known = |name: &String| CLOUDS.iter().any(|cloud| name.starts_with(cloud));
        Self(variables.into_iter().filter(|(name, _)| known(name)).collect())
    }
}

impl Ambient {
    /// The variables, with names in lower case.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().map(|(name, value)| (name.to_lowercase(), value.as_str()))
    }

    pub(super) fn has(&self, prefix: &str) -> bool {
        self.0.keys().any(|name| name.starts_with(prefix))
    }
}

/// How an object store is reached.
#[derive(Clone, Debug)]
pub struct BucketEndpoint {
    pub(super) base: Url,
    pub(super) tls: Tls,
    pub(super) proxy: Option<SafeUrl>,
    pub(super) timeout: Duration,
    clients: HttpClients,
}

impl BucketEndpoint {
    /// The store at `host[:port]`, or at a URL; `insecure` means HTTP where no scheme is given.
    ///
    /// # Errors
    /// When the endpoint is none.
    pub fn new(endpoint: &str, insecure: bool) -> Result<Self, SourceError> {
        let text = match endpoint.split_once("://") {
            Some(_) => endpoint.to_owned(),
            None => format!("{}://{endpoint}", if insecure { "http" } else { "https" }),
        };
        let invalid =
            |why: &str| SourceError::Invalid(format!("Endpoint: {endpoint} {why}").into());
        let base: Url = text
            .parse()
            .map_err(|_| invalid("does not follow ip address or domain name standards."))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(invalid("is no HTTP endpoint."));
        }
        Ok(Self {
            base,
            tls: Tls::default(),
            proxy: None,
            timeout: Duration::from_mins(1),
            clients: HttpClients::default(),
        })
    }

    /// The store of Amazon's kind at `host[:port]`, which is no URL. Follows minio-go's
    /// `isValidEndpointURL`.
    ///
    /// # Errors
    /// When the endpoint is a URL, has a path, or its host is none.
    pub fn at_host(endpoint: &str, insecure: bool) -> Result<Self, SourceError> {
        let invalid = |why: String| Err(SourceError::Invalid(why.into()));
        let scheme = if insecure { "http" } else { "https" };
        if let Some(why) = gitops_core::go_url_refusal(&format!("{scheme}://{endpoint}")) {
            return invalid(why);
        }
        // What stands behind is not part of where the store is.
        let host = endpoint.split(['?', '#']).next().unwrap_or_default();
        let host = host.strip_suffix('/').unwrap_or(host);
        if host.contains('/') {
            return invalid("Endpoint url cannot have fully qualified paths.".to_owned());
        }
        let bare = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let misplaced = |c: char| matches!(c, '-' | '_');
        if bare.is_empty()
            || !host.starts_with('[')
                && (bare.starts_with(misplaced)
                    || bare.ends_with(misplaced)
                    || bare.starts_with('.'))
        {
            let why = "does not follow ip address or domain name standards.";
            return invalid(format!("Endpoint: {host} {why}"));
        }
        Self::new(host, insecure)
    }

    /// Certificates beyond the system's.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// A proxy: an `http`, `https` or `socks5` URL.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Option<SafeUrl>) -> Self {
        self.proxy = proxy;
        self
    }

    /// How long a request may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) fn client(&self) -> Result<Client, SourceError> {
        let direct = match self.base.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        self.clients.get(&Means {
            tls: self.tls.clone(),
            proxy: self.proxy.clone(),
            direct,
            ..Means::default()
        })
    }

    /// Sends a request that was signed.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<Response, SourceError> {
        let (parts, _) = request.into_parts();
        let what = if parts.method == http::Method::HEAD { "Head" } else { "Get" };
        let url: Url = parts.uri.to_string().parse().map_err(|_| malformed_key())?;
        let sent = self
            .client()?
            .request(parts.method, url.clone())
            .headers(parts.headers)
            .timeout(self.timeout)
            .send()
            .await;
        sent.map_err(|error| {
            // The query may hold a signature.
            let mut shown = url;
            shown.set_query(shown.query().filter(|query| *query == LOCATION).map(|_| LOCATION));
            let shown = go::quoted(&go::masked(&shown));
            let why = go::proxied_failure(&error, self.proxy.as_ref());
            SourceError::network(format!("{what} {shown}: {why}"))
        })
    }
}

/// A request without a body, ready to be signed. Refuses a URL that would change on its way.
pub(super) fn request(method: &str, url: &str) -> Result<HttpRequest, SourceError> {
    let parsed: Url = url.parse().map_err(|_| malformed_key())?;
    if parsed.as_str() != url {
        return Err(malformed_key());
    }
    http::Request::builder()
        .method(method)
        .uri(url)
        .body(HttpRequestBody::empty())
        .map_err(|_| malformed_key())
}

pub(super) fn malformed_key() -> SourceError {
    SourceError::Invalid("the key cannot stand in a URL".into())
}

/// A text as a part of a URL in which `/` stays.
pub(super) fn encoded(text: &str, keep_slash: bool) -> String {
    go::escaped(text, if keep_slash { "/" } else { "" })
}

/// Reads a short answer.
pub(super) async fn document(response: Response) -> Result<Vec<u8>, SourceError> {
    let mut all = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece =
            piece.map_err(|error| SourceError::network(go::request_failure(&error, None)))?;
        if all.len() + piece.len() > DOCUMENT_LIMIT {
            return Err(SourceError::content("the answer of the store is too large"));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// Writes the body of an answer to a file; gives its size.
pub(super) async fn save(
    response: Response,
    file: &mut File,
    max: u64,
) -> Result<u64, SourceError> {
    let mut size = 0_u64;
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece =
            piece.map_err(|error| SourceError::network(go::request_failure(&error, None)))?;
        size += piece.len() as u64;
        if size > max {
            return Err(SourceError::content("the objects are larger than allowed"));
        }
        file.write_all(&piece)
            .map_err(|source| SourceError::Disk { doing: "cannot write object", source })?;
    }
    Ok(size)
}

/// What a store says of a request that it refused: the text of an element of its XML, or its
/// status.
pub(super) async fn refused(response: Response) -> SourceError {
    let status = response.status();
    let pause = AskedPause::of(&response);
    let body = document(response).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let said = text.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>"));
    let said = said.map(|(said, _)| gitops_core::truncate(said, 512));
    let why = said.filter(|said| !said.is_empty()).unwrap_or_else(|| match status.as_u16() {
        403 => "Access Denied.".to_owned(),
        _ => status.to_string(),
    });
    match status.as_u16() {
        401 | 403 => SourceError::Denied(why.into()),
        404 => SourceError::NotFound(why.into()),
        _ => pause.error(why),
    }
}

/// A failure to get credentials. Its text holds no more than that of the library.
pub(super) fn unauthorized(error: &object_store::Error) -> SourceError {
    SourceError::Denied(gitops_core::one_line(error).into())
}
