//! A client for what a pull needs of the distribution protocol.

use std::{
    fmt,
    io::{Seek as _, Write as _},
    net::IpAddr,
    time::Duration,
};

use futures::StreamExt as _;
use gitops_core::{Digest, Hasher, Secret};
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, LINK, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use url::Url;

use super::DockerConfig;
use crate::{SourceError, go};

const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";
const MAX_MANIFEST: u64 = 4 << 20;
const MAX_TAG_PAGES: usize = 1000;
const MAX_ERROR: u64 = 4 << 10;

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    host: String,
    path: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl Repository {
    pub(crate) fn parse(url: &str) -> Result<Self, SourceError> {
        let invalid = |why: &str| {
            SourceError::Invalid(format!("URL validation failed for '{url}': {why}").into())
        };
        let form = "URL must be in format 'oci://<domain>/<org>/<repo>'";
        let rest = url.strip_prefix("oci://").ok_or_else(|| invalid(form))?;
        let (host, path) = rest.split_once('/').ok_or_else(|| invalid(form))?;
        if let Some((_, digest)) = path.split_once('@') {
            return Err(invalid(&format!("URL must not contain a digest; remove '@{digest}'")));
        }
        if let Some((_, tag)) = path.split_once(':') {
            return Err(invalid(&format!("URL must not contain a tag; remove ':{tag}'")));
        }
        let plain = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/')
        };
        let named = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if host.is_empty() || !named || !path.chars().all(plain) {
            return Err(invalid(form));
        }
        Ok(Self { host: host.to_owned(), path: path.to_owned() })
    }

    /// Whether nobody expects TLS there: this machine and private networks.
    fn is_local(&self) -> bool {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        match name.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
            Ok(IpAddr::V6(ip)) => ip.is_loopback(),
            Err(_) => name == "localhost" || name.rsplit('.').next() == Some("local"),
        }
    }
}

/// A registry that answered, ready for one repository.
#[derive(Debug)]
pub(crate) struct Registry {
    client: Client,
    base: Url,
    repository: Repository,
    authorization: Authorization,
}

#[derive(Debug)]
enum Authorization {
    None,
    Basic(String, Secret),
    Bearer(Secret),
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    code: String,
    #[serde(default)]
    message: String,
}

impl Registry {
    /// Finds out how the registry is spoken to: TLS is tried first, and plain HTTP only where it is
    /// allowed or nobody expects TLS.
    pub(crate) async fn open(
        repository: &Repository,
        credentials: &DockerConfig,
        insecure: bool,
    ) -> Result<Self, SourceError> {
        let mut builder = Client::builder()
            .connect_timeout(Duration::from_secs(30))
            // A layer is compressed already, and its digest is that of the bytes as they are.
            .no_gzip();
        if repository.is_local() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| SourceError::network(error.to_string()))?;
        let plain = insecure || repository.is_local();
        let mut first_error = None;
        for scheme in ["https", "http"].into_iter().take(if plain { 2 } else { 1 }) {
            let base: Url = format!("{scheme}://{}/v2/", repository.host)
                .parse()
                .map_err(|_| SourceError::Invalid("malformed registry address".into()))?;
            let request = client.get(base.clone()).timeout(Duration::from_secs(15));
            match request.send().await {
                Ok(response) => {
                    let challenge = challenge(&response);
                    let mut own = Self {
                        client,
                        base,
                        repository: repository.clone(),
                        authorization: Authorization::None,
                    };
                    own.authorize(challenge.as_deref(), credentials).await?;
                    return Ok(own);
                }
                Err(error) => {
                    let why = go::request_failure(&error, None);
                    let shown = go::quoted(base.as_str());
                    first_error.get_or_insert_with(|| format!("Get {shown}: {why}"));
                }
            }
        }
        Err(SourceError::network(first_error.unwrap_or_default()))
    }

    /// The digest of what a tag names.
    pub(crate) async fn digest(&self, tag: &str) -> Result<Digest, SourceError> {
        let url = self.url(&format!("manifests/{tag}"));
        let request = self.request(Method::HEAD, url.clone()).header(ACCEPT, MANIFESTS);
        if let Ok(response) = request.send().await
            && response.status().is_success()
            && let Some(digest) = response.headers().get("docker-content-digest")
            && let Some(digest) = digest.to_str().ok().and_then(|text| text.parse().ok())
        {
            return Ok(digest);
        }
        // Some registries do not answer HEAD, and the answer to GET says what is wrong.
        let raw = self.get(url, MAX_MANIFEST).await?;
        Ok(Digest::sha256(&raw))
    }

    /// The manifest with a digest.
    pub(crate) async fn manifest(&self, digest: &str) -> Result<Vec<u8>, SourceError> {
        let raw = self.get(self.url(&format!("manifests/{digest}")), MAX_MANIFEST).await?;
        let wanted: Digest = digest
            .parse()
            .map_err(|error: gitops_core::DigestError| SourceError::content(error.to_string()))?;
        if Digest::of(wanted.algorithm(), &raw) != wanted {
            return Err(SourceError::content(format!("manifest digest does not match {wanted}")));
        }
        Ok(raw)
    }

    /// All tags.
    pub(crate) async fn tags(&self) -> Result<Vec<String>, SourceError> {
        let mut all = Vec::new();
        let mut next = Some(self.url("tags/list?n=1000"));
        for _ in 0..MAX_TAG_PAGES {
            let Some(url) = next.take() else { return Ok(all) };
            let response = self.send(self.request(Method::GET, url.clone()), "GET", &url).await?;
            let link = response.headers().get(LINK).and_then(|link| link.to_str().ok());
            let target = link.filter(|link| link.contains("rel=\"next\"")).and_then(|link| {
                let target = link.split_once('<')?.1.split_once('>')?.0;
                url.join(target).ok()
            });
            // A page elsewhere would get our credentials.
            next = target.filter(|next| next.origin() == url.origin() && *next != url);
            let body = limited(response, MAX_MANIFEST).await?;
            let tags: Tags = serde_json::from_slice(&body).map_err(|error| {
                SourceError::content(format!("malformed list of tags: {error}"))
            })?;
            all.extend(tags.tags.unwrap_or_default());
        }
        Err(SourceError::content("too many pages of tags"))
    }

    /// The layer with a digest, in a file without a name.
    pub(crate) async fn blob(
        &self,
        digest: &Digest,
        max: u64,
    ) -> Result<std::fs::File, SourceError> {
        let disk = |source| SourceError::Disk { doing: "cannot write layer", source };
        let url = self.url(&format!("blobs/{digest}"));
        let response = self.send(self.request(Method::GET, url.clone()), "GET", &url).await?;
        let mut file = tempfile::tempfile().map_err(disk)?;
        let mut hasher = Hasher::new(digest.algorithm());
        let mut size = 0;
        let mut body = response.bytes_stream();
        while let Some(piece) = body.next().await {
            let piece =
                piece.map_err(|error| SourceError::network(go::request_failure(&error, None)))?;
            size += piece.len() as u64;
            if size > max {
                return Err(SourceError::content(format!("layer is larger than {max} bytes")));
            }
            hasher.update(&piece);
            file.write_all(&piece).map_err(disk)?;
        }
        if hasher.finish() != *digest {
            return Err(SourceError::content(format!("layer digest does not match {digest}")));
        }
        file.rewind().map_err(disk)?;
        Ok(file)
    }

    async fn authorize(
        &mut self,
        challenge: Option<&str>,
        credentials: &DockerConfig,
    ) -> Result<(), SourceError> {
        let pair = credentials.of(&self.repository.host).cloned();
        let bearer = challenge.and_then(|text| strip_scheme(text, "bearer"));
        let Some(parameters) = bearer else {
            if let Some((username, password)) = pair {
                self.authorization = Authorization::Basic(username, password);
            }
            return Ok(());
        };
        let parameter = |name: &str| {
            let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let realm: Option<Url> = parameter("realm").and_then(|realm| realm.parse().ok());
        let mut realm = realm.ok_or_else(|| SourceError::content("malformed challenge"))?;
        if self.base.scheme() == "https" && realm.scheme() != "https" {
            return Err(SourceError::Denied("token realm is not reached by https".into()));
        }
        let scope = format!("repository:{}:pull", self.repository.path);
        realm.query_pairs_mut().append_pair("scope", &scope);
        if let Some(service) = parameter("service") {
            realm.query_pairs_mut().append_pair("service", &service);
        }
        let mut request = self.client.get(realm.clone());
        if let Some((username, password)) = &pair {
            request = request.basic_auth(username, password.expose_str());
        }
        let response = self.send(request, "GET", &realm).await?;
        let body = limited(response, MAX_MANIFEST).await?;
        let token: Token =
            serde_json::from_slice(&body).map_err(|_| SourceError::content("malformed token"))?;
        let token = token.token.or(token.access_token).unwrap_or_default();
        self.authorization = Authorization::Bearer(Secret::from(token));
        Ok(())
    }

    fn url(&self, tail: &str) -> Url {
        let text = format!("{}{}/{tail}", self.base, self.repository.path);
        text.parse().expect("a checked repository below a URL is a URL")
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.authorization {
            Authorization::None => request,
            Authorization::Basic(username, password) => {
                request.basic_auth(username, password.expose_str())
            }
            Authorization::Bearer(token) => {
                request.bearer_auth(token.expose_str().unwrap_or_default())
            }
        }
    }

    async fn get(&self, url: Url, max: u64) -> Result<Vec<u8>, SourceError> {
        let request = self.request(Method::GET, url.clone()).header(ACCEPT, MANIFESTS);
        limited(self.send(request, "GET", &url).await?, max).await
    }

    async fn send(
        &self,
        request: RequestBuilder,
        method: &str,
        url: &Url,
    ) -> Result<Response, SourceError> {
        let response = request.send().await.map_err(|error| {
            let shown = go::quoted(&go::masked(url));
            SourceError::network(format!("Get {shown}: {}", go::request_failure(&error, None)))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = limited(response, MAX_ERROR).await.unwrap_or_default();
        let why = match serde_json::from_slice::<Errors>(&body) {
            Ok(errors) if !errors.errors.is_empty() => {
                let texts =
                    errors.errors.iter().map(|one| format!("{}: {}", one.code, one.message));
                texts.collect::<Vec<_>>().join("; ")
            }
            _ => {
                let body = String::from_utf8_lossy(&body);
                let colon = if body.is_empty() { "" } else { ": " };
                format!("unexpected status code {status}{colon}{body}")
            }
        };
        let text = format!("{method} {}: {why}", go::masked(url)).into_boxed_str();
        Err(match status {
            StatusCode::NOT_FOUND => SourceError::NotFound(text),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SourceError::Denied(text),
            _ => SourceError::Network(text),
        })
    }
}

fn challenge(response: &Response) -> Option<String> {
    let wanted = response.status() == StatusCode::UNAUTHORIZED;
    let header = response.headers().get(WWW_AUTHENTICATE).filter(|_| wanted)?;
    header.to_str().ok().map(str::to_owned)
}

fn strip_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let (own, rest) = text.split_once(' ')?;
    own.eq_ignore_ascii_case(scheme).then_some(rest)
}

async fn limited(response: Response, max: u64) -> Result<Vec<u8>, SourceError> {
    let mut all = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece =
            piece.map_err(|error| SourceError::network(go::request_failure(&error, None)))?;
        if (all.len() + piece.len()) as u64 > max {
            return Err(SourceError::content(format!("answer is larger than {max} bytes")));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        let repository = Repository::parse("oci://127.0.0.1:5000/org/app").unwrap();
        assert_eq!(repository.to_string(), "127.0.0.1:5000/org/app");
        assert!(repository.is_local());
        assert!(!Repository::parse("oci://ghcr.io/o/r").unwrap().is_local());
        for (url, why) in [
            ("oci://h/o/r:1.0", "URL must not contain a tag; remove ':1.0'"),
            ("oci://h/o/r@sha256:ab", "URL must not contain a digest; remove '@sha256:ab'"),
            ("oci://h", "URL must be in format"),
            ("http://h/r", "URL must be in format"),
            ("oci://h/o/../r", "URL must be in format"),
            ("oci://h/O?x=1", "URL must be in format"),
        ] {
            let error = Repository::parse(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
