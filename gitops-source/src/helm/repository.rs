//! A chart repository behind HTTP: its index, and the packages that it names.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    fs::File,
    io::{Seek as _, Write as _},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt as _;
use gitops_core::{Algorithm, Cancelled, Digest, Hasher, Scope, Secret};
use parking_lot::Mutex;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{
        ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
    },
};
use tokio::time::Instant;
use url::Url;

use super::{entry::ChartVersion, index};
use crate::{
    SourceError, Tls, go,
    http_client::{HttpClients, Means},
    overload::AskedPause,
};

/// The largest package of a chart, in bytes, unless told otherwise.
const CHART_LIMIT: u64 = 10 << 20;
/// The largest index, in bytes, unless told otherwise.
const INDEX_LIMIT: u64 = 50 << 20;

/// How often a repository may point elsewhere.
const REDIRECTS: usize = 10;

/// A user's name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicCredentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Where a repository is and how it is asked.
#[derive(Clone)]
pub struct HelmRepository {
    url: Url,
    means: Means,
    credentials: Option<BasicCredentials>,
    pass_credentials: bool,
    timeout: Duration,
}

impl fmt::Debug for HelmRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HelmRepository")
            .field("url", &go::masked(&self.url))
            .finish_non_exhaustive()
    }
}

impl HelmRepository {
    /// A repository at the URL of the directory of its `index.yaml`; nobody proves who asks, and a
    /// request takes up to a minute.
    pub fn new(url: Url, tls: Tls) -> Self {
        let means = Means { tls, direct: is_loopback(&url), ..Means::default() };
        let timeout = Duration::from_mins(1);
        Self { url, means, credentials: None, pass_credentials: false, timeout }
    }

    /// Who asks.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Option<BasicCredentials>) -> Self {
        self.credentials = credentials;
        self
    }

    /// Whether other hosts that the index names for packages get the credentials too.
    #[must_use]
    pub fn with_pass_credentials(mut self, pass: bool) -> Self {
        self.pass_credentials = pass;
        self
    }

    /// How long a request may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The URL of the index.
    fn index_url(&self) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/index.yaml", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// Where a package is, as the index names it; Helm's `ResolveReferenceURL`.
    fn resolve(&self, reference: &str) -> Result<Url, SourceError> {
        let invalid = |error: url::ParseError| {
            SourceError::Invalid(format!("failed to parse {reference} as URL: {error}").into())
        };
        let mut base = self.url.clone();
        let query = base.query().map(str::to_owned);
        base.set_query(None);
        let path = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        let mut url = base.join(reference).map_err(invalid)?;
        if !matches!(url.scheme(), "http" | "https") {
            let (shown, scheme) = (go::quoted(&go::masked(&url)), go::quoted(url.scheme()));
            let why = format!("Get {shown}: unsupported protocol scheme {scheme}");
            return Err(SourceError::Invalid(why.into()));
        }
        // Some repositories sign their URLs in the query.
        if url.query().is_none() && same_server(&url, &self.url) {
            url.set_query(query.as_deref());
        }
        Ok(url)
    }

    async fn get(
        &self,
        client: &Client,
        url: &Url,
        deadline: Instant,
        conditions: &[(HeaderName, HeaderValue)],
    ) -> Result<Response, SourceError> {
        let mut target = url.clone();
        let failed = |target: &Url, why: &str| {
            let shown = go::quoted(&go::masked(target));
            SourceError::network(format!("Get {shown}: {why}"))
        };
        for _ in 0..=REDIRECTS {
            let request = self.request(client, url, &target, deadline);
            let request = conditions
                .iter()
                .fold(request, |request, (name, value)| request.header(name, value));
            let response = request
                .send()
                .await
                .map_err(|error| failed(&target, &go::request_failure(&error, None)))?;
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED
            {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| target.join(location).ok());
            target = match next {
                Some(next) if matches!(next.scheme(), "http" | "https") => next,
                _ => return Err(failed(&target, "the redirect leads nowhere")),
            };
        }
        Err(failed(url, &format!("stopped after {REDIRECTS} redirects")))
    }

    /// A request for a target to which `url` may have led. Credentials are for the server that
    /// they were given for: with another host, port or scheme they stay at home.
    fn request(
        &self,
        client: &Client,
        url: &Url,
        target: &Url,
        deadline: Instant,
    ) -> RequestBuilder {
        let mut plain = target.clone();
        // Neither can fail for a URL with a host.
        let _ = plain.set_username("");
        let _ = plain.set_password(None);
        let left = deadline.saturating_duration_since(Instant::now());
        let request = client.get(plain).timeout(left);
        if !same_server(url, target) {
            return request;
        }
        if let Some(credentials) = &self.credentials
            && (self.pass_credentials || same_server(target, &self.url))
        {
            request.basic_auth(&credentials.username, credentials.password.expose_str())
        } else if !target.username().is_empty() || target.password().is_some() {
            request.basic_auth(target.username(), target.password())
        } else {
            request
        }
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

fn same_server(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// An index in the form in which it is stored.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoredIndex {
    /// The digest of the index as the repository served it.
    pub revision: Digest,
    /// The stored form.
    pub file: Arc<File>,
    /// The size of that, in bytes.
    pub size: u64,
}

/// What a repository has now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FoundIndex {
    /// The index that the caller has.
    Same,
    /// Another one.
    New(Arc<StoredIndex>),
}

/// Chart repositories. What they answered is remembered, so that an index that did not change
/// costs a request without a body, and one that many ask for at a time is downloaded once.
#[derive(Debug)]
pub struct HelmRepositories {
    clients: HttpClients,
    index_limit: u64,
    chart_limit: u64,
    slots: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
    /// The indexes used last, for those who come next.
    recent: Mutex<VecDeque<Arc<StoredIndex>>>,
}

/// What is known of the index of one URL for one set of credentials.
#[derive(Debug, Default)]
struct Slot {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
    revision: Option<Digest>,
    checked: Option<Instant>,
}

impl Default for HelmRepositories {
    /// Indexes of up to 50 MiB and packages of up to 10 MiB.
    fn default() -> Self {
        Self::new(INDEX_LIMIT, CHART_LIMIT)
    }
}

impl HelmRepositories {
    const MOST_SLOTS: usize = 8192;
    const MOST_RECENT: usize = 8;

    /// Limits in bytes: of an index, and of the package of a chart.
    pub fn new(index_limit: u64, chart_limit: u64) -> Self {
        Self {
            clients: HttpClients::default(),
            index_limit,
            chart_limit,
            slots: Mutex::default(),
            recent: Mutex::default(),
        }
    }

    /// The index of a repository; `have` is the revision that the caller has stored.
    ///
    /// # Errors
    /// When the repository cannot be reached or refuses, or what it serves is no index. A
    /// [`SourceError::Content`] with an [`index::IndexError`] behind it is about the content.
    pub async fn index(
        &self,
        repository: &HelmRepository,
        have: Option<&Digest>,
        scope: &Scope,
    ) -> Result<FoundIndex, SourceError> {
        let asked = Instant::now();
        let slot = self.slot(repository);
        let work = async {
            // Those who want the same wait here; the first one to come asks the repository.
            let mut slot = slot.lock().await;
            if slot.checked.is_some_and(|checked| checked >= asked)
                && let Some(found) = self.known(&slot, have)
            {
                return Ok(found);
            }
            self.ask(repository, &mut slot, have).await
        };
        scope.run(work).await.map_err(SourceError::Cancelled)?
    }

    fn slot(&self, repository: &HelmRepository) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut key = Hasher::new(Algorithm::Sha256);
        let mut part = |bytes: &[u8]| {
            key.update(&(bytes.len() as u64).to_le_bytes());
            key.update(bytes);
        };
        part(repository.url.as_str().as_bytes());
        let credentials = repository.credentials.as_ref();
        part(credentials.map_or("", |own| own.username.as_str()).as_bytes());
        part(credentials.map_or(&[][..], |own| own.password.expose()));
        part(repository.means.tls.authorities.as_deref().unwrap_or_default());
        let identity = repository.means.tls.identity.as_ref();
        part(identity.map_or(&[][..], |(chain, _)| chain));
        part(identity.map_or(&[][..], |(_, key)| key.expose()));
        let mut slots = self.slots.lock();
        if slots.len() >= Self::MOST_SLOTS {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key.finish().hex().to_owned()).or_default())
    }

    /// What is known without asking.
    fn known(&self, slot: &Slot, have: Option<&Digest>) -> Option<FoundIndex> {
        let revision = slot.revision.as_ref()?;
        if have == Some(revision) {
            return Some(FoundIndex::Same);
        }
        let recent = self.recent.lock();
        let found = recent.iter().find(|index| index.revision == *revision)?;
        Some(FoundIndex::New(Arc::clone(found)))
    }

    async fn ask(
        &self,
        repository: &HelmRepository,
        slot: &mut Slot,
        have: Option<&Digest>,
    ) -> Result<FoundIndex, SourceError> {
        let doing = "failed to fetch Helm repository index: failed to cache index to temporary \
                     file";
        let client = self.clients.get(&repository.means)?;
        let deadline = Instant::now() + repository.timeout;
        let url = repository.index_url();
        let known = self.known(slot, have);
        let mut conditions = Vec::new();
        // A server that says "not modified" must not leave us with nothing.
        if known.is_some() {
            conditions.extend(slot.etag.clone().map(|value| (IF_NONE_MATCH, value)));
            conditions.extend(slot.modified.clone().map(|value| (IF_MODIFIED_SINCE, value)));
        }
        let response = repository.get(&client, &url, deadline, &conditions).await;
        let response = response.map_err(|error| error.during(doing))?;
        if response.status() == StatusCode::NOT_MODIFIED
            && let Some(known) = known
        {
            slot.checked = Some(Instant::now());
            return Ok(known);
        }
        let header = |name| response.headers().get(name).cloned();
        let (etag, modified) = (header(ETAG), header(LAST_MODIFIED));
        let body = accepted(&url, response).map_err(|error| error.during(doing))?;
        let too_large = || {
            let limit = self.index_limit;
            SourceError::content(format!(
                "index exceeds the maximum index file size of {limit} bytes"
            ))
        };
        let (file, revision) =
            save(body, self.index_limit, too_large).await.map_err(|error| error.during(doing))?;
        *slot = Slot { etag, modified, revision: Some(revision), checked: Some(Instant::now()) };
        if let Some(known) = self.known(slot, have) {
            return Ok(known);
        }
        let converted = self.converted(file, slot).await;
        if converted.is_err() {
            *slot = Slot::default();
        }
        converted
    }

    async fn converted(&self, mut file: File, slot: &Slot) -> Result<FoundIndex, SourceError> {
        let Some(revision) = slot.revision.clone() else {
            return Err(SourceError::Cancelled(Cancelled));
        };
        let converted = tokio::task::spawn_blocking(move || index::convert(&mut file)).await;
        let converted = converted.map_err(|_| SourceError::Cancelled(Cancelled))?;
        let (file, size) = converted.map_err(|error| SourceError::Index(Box::new(error)))?;
        let index = Arc::new(StoredIndex { revision, file: Arc::new(file), size });
        let mut recent = self.recent.lock();
        recent.push_back(Arc::clone(&index));
        if recent.len() > Self::MOST_RECENT {
            recent.pop_front();
        }
        Ok(FoundIndex::New(index))
    }

    /// Downloads the package of a version.
    ///
    /// # Errors
    /// When it cannot be had, is too large, or does not have the digest that the index gives it.
    pub async fn download(
        &self,
        repository: &HelmRepository,
        version: &ChartVersion,
        scope: &Scope,
    ) -> Result<Bytes, SourceError> {
        let reference = version.urls.first().ok_or_else(|| {
            let name = &version.name;
            SourceError::NotFound(format!("chart '{name}' has no downloadable URLs").into())
        })?;
        let url = repository.resolve(reference)?;
        let client = self.clients.get(&repository.means)?;
        let work = async {
            let deadline = Instant::now() + repository.timeout;
            let response = repository.get(&client, &url, deadline, &[]).await?;
            let mut body = accepted(&url, response)?.bytes_stream();
            let mut all = Vec::new();
            while let Some(piece) = body.next().await {
                let piece = piece
                    .map_err(|error| SourceError::network(go::request_failure(&error, None)))?;
                if (all.len() + piece.len()) as u64 > self.chart_limit {
                    let limit = self.chart_limit;
                    let why = format!("size of chart exceeds '{limit}' bytes limit");
                    return Err(SourceError::content(why));
                }
                all.extend_from_slice(&piece);
            }
            Ok(Bytes::from(all))
        };
        let bytes = scope.run(work).await.map_err(SourceError::Cancelled)??;
        let wanted = version.digest.strip_prefix("sha256:").unwrap_or(&version.digest);
        if !wanted.is_empty() && !wanted.eq_ignore_ascii_case(Digest::sha256(&bytes).hex()) {
            let why = format!("the package does not have the digest '{wanted}' of the index");
            return Err(SourceError::content(why));
        }
        Ok(bytes)
    }
}

fn accepted(url: &Url, response: Response) -> Result<Response, SourceError> {
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(response);
    }
    let why: Box<str> = format!("failed to fetch {} : {status}", go::masked(url)).into();
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SourceError::Denied(why),
        StatusCode::NOT_FOUND => SourceError::NotFound(why),
        _ => AskedPause::of(&response).error(why),
    })
}

/// Writes a body to a file without a name while its digest is computed.
async fn save(
    response: Response,
    limit: u64,
    too_large: impl Fn() -> SourceError,
) -> Result<(File, Digest), SourceError> {
    let disk = |source| SourceError::Disk { doing: "cannot write a temporary file", source };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut file = tempfile::tempfile().map_err(disk)?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut size = 0_u64;
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece =
            piece.map_err(|error| SourceError::network(go::request_failure(&error, None)))?;
        size += piece.len() as u64;
        if size > limit {
            return Err(too_large());
        }
        hasher.update(&piece);
        file.write_all(&piece).map_err(disk)?;
    }
    file.rewind().map_err(disk)?;
    Ok((file, hasher.finish()))
}
