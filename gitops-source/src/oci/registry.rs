//! A client for the distribution API: how a registry is found, asked and believed.
//!
//! Follows the OCI distribution specification, and go-containerregistry in what it leaves open,
//! texts of errors included.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use gitops_core::{Digest, SafeUrl, go_dial_refusal};
use parking_lot::Mutex;
use reqwest::{
    Client, Method, Request, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde::Deserialize;
use tokio::{sync::OnceCell, time::Instant};
use url::Url;

use super::{
    answer::{accepted, base_of, failed, follow, limited, next_page, same_host},
    auth::{self, Challenge, TokenRequest, Tokens},
    credentials::{DockerConfig, RegistryCredential},
    reference::{OciRepositoryName, as_written, checked_reference},
};
use crate::{
    SourceError, Tls, go,
    http_client::{HttpClients, Means},
};

/// Media types of what a tag may name.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";
/// A manifest, a page of tags, an index.
const MAX_DOCUMENT: u64 = 4 << 20;
const MAX_TAG_PAGES: usize = 1000;
const MAX_TAGS: usize = 1_000_000;
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// After this long it is found out anew how a registry is spoken to.
const MAX_AGE: Duration = Duration::from_mins(10);

/// How registries are reached, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Who asks.
    pub credentials: DockerConfig,
    /// Certificates beyond the system's.
    pub tls: Tls,
    /// A proxy: an `http`, `https` or `socks5` URL.
    pub proxy: Option<SafeUrl>,
    /// Whether plain HTTP will do, and, without certificates in `tls`, any certificate.
    pub insecure: bool,
    /// Whether plain HTTP is for those only who ask for it with `insecure`, on this machine and in
    /// private networks too.
    pub strict: bool,
}

/// Registries that were spoken to already, for those who come again: one greeting, one token and
/// one connection serve all that ask with the same means. Cheap to clone; clones share what they
/// know.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    clients: HttpClients,
    known: Arc<Mutex<Vec<(Key, Greeted)>>>,
}

/// Shared by those who come while it is greeted.
type Greeted = Arc<OnceCell<Endpoint>>;

#[derive(Clone, PartialEq, Eq)]
struct Key {
    host: String,
    credential: Option<RegistryCredential>,
    tls: Tls,
    proxy: Option<SafeUrl>,
    insecure: bool,
    strict: bool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

/// A registry that answered.
struct Endpoint {
    client: Client,
    proxy: Option<SafeUrl>,
    base: Url,
    challenge: Option<Challenge>,
    credential: Option<RegistryCredential>,
    tokens: Tokens,
    opened_at: Instant,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// A repository of a registry that answered. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    cell: Arc<OnceCell<Endpoint>>,
    repository: OciRepositoryName,
    /// What tokens are asked for: `pull` or `pull,push`.
    actions: &'static str,
}

/// A manifest as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawManifest {
    /// Its bytes, which the digest is of.
    pub bytes: Bytes,
    /// Its digest.
    pub digest: Digest,
    /// Its media type, as the registry says.
    pub media_type: String,
}

impl Registries {
    const MOST: usize = 256;

    /// Knows no registry yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Greets a repository's registry, unless that was done lately.
    ///
    /// # Errors
    /// When it cannot be reached, or answers as no registry does.
    pub async fn open(
        &self,
        repository: &OciRepositoryName,
        options: &RegistryOptions,
    ) -> Result<Registry, SourceError> {
        let key = Key {
            host: repository.endpoint().to_owned(),
            credential: options.credentials.of(repository).cloned(),
            tls: options.tls.clone(),
            proxy: options.proxy.clone(),
            insecure: options.insecure,
            strict: options.strict,
        };
        let cell = self.cell(&key);
        cell.get_or_try_init(|| self.greet(repository, key)).await?;
        Ok(Registry { cell, repository: repository.clone(), actions: "pull" })
    }

    fn cell(&self, key: &Key) -> Arc<OnceCell<Endpoint>> {
        let mut known = self.known.lock();
        known.retain(|(_, cell)| cell.get().is_none_or(|own| own.opened_at.elapsed() < MAX_AGE));
        if let Some((_, cell)) = known.iter().find(|(other, _)| other == key) {
            return Arc::clone(cell);
        }
        if known.len() >= Self::MOST {
            known.remove(0);
        }
        let cell = Arc::<OnceCell<Endpoint>>::default();
        known.push((key.clone(), Arc::clone(&cell)));
        cell
    }

    /// TLS is tried first, and plain HTTP only where it is allowed or nobody expects TLS.
    async fn greet(
        &self,
        repository: &OciRepositoryName,
        key: Key,
    ) -> Result<Endpoint, SourceError> {
        let proxy = key.proxy.clone();
        let client = self.clients.get(&Means {
            unverified: key.insecure && key.tls == Tls::default(),
            tls: key.tls,
            direct: key.proxy.is_none() && repository.is_local(),
            proxy: key.proxy,
        })?;
        let plain = key.insecure || (repository.is_local() && !key.strict);
        let mut failures: Vec<String> = Vec::new();
        for scheme in ["https", "http"].into_iter().take(if plain { 2 } else { 1 }) {
            let place = format!("{scheme}://{}/v2/", key.host);
            if let Some(why) = go_dial_refusal(&place) {
                failures.push(format!("Get {}: {why}", go::quoted(&place)));
                continue;
            }
            let base: Url = place
                .parse()
                .map_err(|_| SourceError::Invalid("malformed registry address".into()))?;
            let request = client.get(base.clone()).timeout(PING_TIMEOUT).build();
            let sent = match request {
                Ok(request) => follow(&client, request, proxy.as_ref()).await,
                Err(error) => Err(failed(&Method::GET, &base, &error, proxy.as_ref())),
            };
            match sent {
                Ok((response, base)) => {
                    let challenge = Challenge::of(&response, &base)?;
                    if challenge.is_none() {
                        accepted(response, "GET", &base)
                            .await
                            .map_err(|error| after(&failures, error))?;
                    }
                    return Ok(Endpoint {
                        client,
                        proxy,
                        base: base_of(base),
                        challenge,
                        credential: key.credential,
                        tokens: Tokens::default(),
                        opened_at: Instant::now(),
                    });
                }
                Err(SourceError::Network(text)) => failures.push(text.into()),
                Err(error) => return Err(error),
            }
        }
        Err(SourceError::network(failures.join("; ")))
    }
}

/// A refusal, behind what the attempts before it came to.
fn after(failures: &[String], error: SourceError) -> SourceError {
    match error {
        SourceError::NotFound(why) if !failures.is_empty() => {
            SourceError::NotFound(format!("{}; {why}", failures.join("; ")).into())
        }
        error => error,
    }
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Registry {
    /// The same repository for one who also writes.
    #[must_use]
    pub fn for_push(mut self) -> Self {
        self.actions = "push,pull";
        self
    }

    /// The repository.
    pub fn repository(&self) -> &OciRepositoryName {
        &self.repository
    }

    /// The digest of what a tag names.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] when there is no such tag.
    pub async fn digest(&self, tag: &str) -> Result<Digest, SourceError> {
        let url = self.url(&format!("manifests/{}", checked_reference(tag)?));
        let request = self.request(Method::HEAD, &url).header(ACCEPT, MANIFESTS);
        if let Ok((response, _)) = self.send(request).await
            && response.status().is_success()
            && let Some(digest) = response.headers().get("docker-content-digest")
            && let Some(digest) = digest.to_str().ok().and_then(|text| text.parse().ok())
        {
            return Ok(digest);
        }
        // Some registries do not answer HEAD, and the answer to GET says what is wrong.
        Ok(self.manifest(tag).await?.digest)
    }

    /// What a tag names now, as far as the registry tells one who is about to push.
    pub(super) async fn names(&self, tag: &str) -> Result<Option<Digest>, SourceError> {
        if !super::reference::is_tag(tag) {
            return Err(SourceError::Invalid(format!("invalid tag '{tag}'").into()));
        }
        let url = self.url(&format!("manifests/{tag}"));
        let request = self.request(Method::HEAD, &url).header(ACCEPT, MANIFESTS);
        let (response, _) = self.send(request).await?;
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(SourceError::Denied(
                format!(
                    "HEAD {url}: unexpected status code {status} (HEAD responses have no body, use \
                     GET for details)"
                )
                .into(),
            ));
        }
        let digest =
            response.headers().get("docker-content-digest").filter(|_| status.is_success());
        Ok(digest.and_then(|digest| digest.to_str().ok()?.parse().ok()))
    }

    /// The manifest that a tag or digest names. With a digest, the bytes are those of the digest.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] when there is none, [`SourceError::Content`] when what arrives has
    /// another digest or is too large.
    pub async fn manifest(&self, reference: &str) -> Result<RawManifest, SourceError> {
        let url = self.url(&format!("manifests/{}", checked_reference(reference)?));
        let request = self.request(Method::GET, &url).header(ACCEPT, MANIFESTS);
        let response = self.expect(request, "GET", &url).await;
        let response = response.map_err(|error| as_written(error, &url, reference))?;
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let media_type = media_type.unwrap_or_default().to_owned();
        let bytes = limited(response, MAX_DOCUMENT).await?;
        let digest = match reference.parse::<Digest>() {
            Ok(wanted) => {
                if Digest::of(wanted.algorithm(), &bytes) != wanted {
                    return Err(SourceError::content(format!(
                        "manifest digest does not match {wanted}"
                    )));
                }
                wanted
            }
            Err(_) => Digest::sha256(&bytes),
        };
        Ok(RawManifest { bytes: bytes.into(), digest, media_type })
    }

    /// All tags, page by page.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] when there is no such repository, [`SourceError::Content`] when a
    /// list is malformed or does not end.
    pub async fn tags(&self) -> Result<Vec<String>, SourceError> {
        let mut all = Vec::new();
        let mut next = Some(self.url("tags/list?n=1000"));
        for _ in 0..MAX_TAG_PAGES {
            let Some(url) = next.take() else { return Ok(all) };
            let response = self.expect(self.request(Method::GET, &url), "GET", &url).await?;
            next = next_page(response.headers(), &url);
            let body = limited(response, MAX_DOCUMENT).await?;
            let tags: Tags = serde_json::from_slice(&body).map_err(|error| {
                SourceError::content(format!("malformed list of tags: {error}"))
            })?;
            all.extend(tags.tags.unwrap_or_default());
            if all.len() > MAX_TAGS {
                return Err(SourceError::content(format!("more than {MAX_TAGS} tags")));
            }
        }
        Err(SourceError::content("too many pages of tags"))
    }

    fn endpoint(&self) -> &Endpoint {
        self.cell.get().expect("a Registry is made when its endpoint is known")
    }

    pub(super) fn url(&self, tail: &str) -> Url {
        let text = format!("{}{}/{tail}", self.endpoint().base, self.repository.path());
        text.parse().expect("a checked repository below a URL is a URL")
    }

    pub(super) fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        self.endpoint().client.request(method, url.clone())
    }

    /// Sends a request with what the registry wants to see, and again with a new token when the
    /// one that was known will not do. Returns the answer, and where it came from in the end.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
    ) -> Result<(Response, Url), SourceError> {
        let endpoint = self.endpoint();
        let proxy = endpoint.proxy.as_ref();
        let mut request =
            request.build().map_err(|error| failed(&Method::GET, &endpoint.base, &error, proxy))?;
        let again = request.try_clone();
        let was_known = self.authorize(&mut request, None).await?;
        let (response, url) = follow(&endpoint.client, request, proxy).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok((response, url));
        }
        // Another scope than ours, or a token that holds no longer.
        let challenge = match Challenge::of(&response, &endpoint.base) {
            Ok(Some(Challenge::Bearer { scope: Some(scope), .. })) => Some(scope),
            _ => None,
        };
        let Some(mut again) = again.filter(|_| was_known || challenge.is_some()) else {
            return Ok((response, url));
        };
        endpoint.tokens.forget(&self.scope());
        self.authorize(&mut again, challenge.as_deref()).await?;
        follow(&endpoint.client, again, proxy).await
    }

    /// As `send`, with an error for an answer that is none.
    pub(super) async fn expect(
        &self,
        request: RequestBuilder,
        method: &str,
        url: &Url,
    ) -> Result<Response, SourceError> {
        let (response, from) = self.send(request).await?;
        // Elsewhere, the query is a secret as a rule.
        let url = if same_host(url, &from) { url } else { &from };
        accepted(response, method, url).await
    }

    fn scope(&self) -> String {
        format!("repository:{}:{}", self.repository.path(), self.actions)
    }

    /// Adds what proves who asks. True when that was a token that was known before.
    async fn authorize(
        &self,
        request: &mut Request,
        scope: Option<&str>,
    ) -> Result<bool, SourceError> {
        let endpoint = self.endpoint();
        if !same_host(request.url(), &endpoint.base) {
            return Ok(false);
        }
        let credential = endpoint.credential.as_ref();
        let bearer = |token: &str| {
            let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| SourceError::content("malformed token"))?;
            value.set_sensitive(true);
            Ok::<_, SourceError>(value)
        };
        let (realm, service) = match (&endpoint.challenge, credential) {
            // A token would be asked for before the request is; else the request fails.
            (Some(Challenge::Bearer { .. }), Some(RegistryCredential::Refused(why))) => {
                return Err(SourceError::Denied(why.clone()));
            }
            (_, Some(RegistryCredential::Refused(why))) => {
                let shown = go::quoted(&go::masked(request.url()));
                return Err(SourceError::Denied(format!("Get {shown}: {why}").into()));
            }
            (_, Some(RegistryCredential::Bearer(token))) => {
                let value = bearer(token.expose_str().unwrap_or_default())?;
                request.headers_mut().insert(AUTHORIZATION, value);
                return Ok(false);
            }
            (Some(Challenge::Bearer { realm, service, .. }), _) => (realm, service.as_deref()),
            (Some(Challenge::Basic), Some(_)) => {
                let made = auth::basic(endpoint.client.get(endpoint.base.clone()), credential);
                if let Some(value) =
                    made.build().ok().and_then(|mut made| made.headers_mut().remove(AUTHORIZATION))
                {
                    request.headers_mut().insert(AUTHORIZATION, value);
                }
                return Ok(false);
            }
            _ => return Ok(false),
        };
        let own = self.scope();
        let known = if scope.is_none() { endpoint.tokens.get(&own) } else { None };
        let was_known = known.is_some();
        let token = match known {
            Some(token) => token,
            None => {
                let wanted = scope.unwrap_or(&own);
                let (token, life) = endpoint.token(realm, service, wanted).await?;
                endpoint.tokens.put(&own, token.clone(), life);
                token
            }
        };
        let value = bearer(token.expose_str().unwrap_or_default())?;
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(was_known)
    }
}

impl Endpoint {
    async fn token(
        &self,
        realm: &Url,
        service: Option<&str>,
        scope: &str,
    ) -> Result<(gitops_core::Secret, Duration), SourceError> {
        let credential = self.credential.as_ref();
        let (method, url, request) = match auth::token_request(realm, service, scope, credential) {
            TokenRequest::Get(url) => {
                (Method::GET, url.clone(), auth::basic(self.client.get(url), credential))
            }
            TokenRequest::Post(url, form) => {
                let kind = "application/x-www-form-urlencoded";
                (
                    Method::POST,
                    url.clone(),
                    self.client.post(url).header(CONTENT_TYPE, kind).body(form),
                )
            }
        };
        let response = request
            .send()
            .await
            .map_err(|error| failed(&method, &url, &error, self.proxy.as_ref()))?;
        let response = accepted(response, method.as_str(), &url).await?;
        auth::parse_token(&limited(response, MAX_DOCUMENT).await?)
    }
}
