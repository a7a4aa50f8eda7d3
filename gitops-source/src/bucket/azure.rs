//! Azure Blob Storage.

use std::{fmt, fs::File, str::FromStr as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use gitops_core::Secret;
use object_store::{
    RetryConfig, StaticCredentialProvider,
    azure::{
        AzureAccessKey, AzureAuthorizer, AzureConfigKey, AzureCredential, MicrosoftAzureBuilder,
    },
    client::HttpRequest,
};
use reqwest::{Response, header::ETAG};
use serde::Deserialize;
use tokio::sync::OnceCell;
use url::{Position, Url};

use super::client::{
    Ambient, BucketEndpoint, BucketPage, BucketStore, StoredObject, document, encoded, refused,
    request, save, unauthorized,
};
use crate::{SourceError, go, overload::AskedPause};

/// Who reads a container.
#[derive(Clone)]
#[non_exhaustive]
pub enum AzureCredentials {
    /// Anybody.
    Anonymous,
    /// The owner of the storage account.
    AccountKey(Secret),
    /// The bearer of a shared access signature: a query.
    SharedAccess(Secret),
    /// The bearer of an access token.
    Token(Secret),
    /// An application.
    Client {
        /// Its tenant.
        tenant: String,
        /// Its id.
        id: String,
        /// Its secret.
        secret: Secret,
        /// Another authority than the public one.
        authority: Option<String>,
    },
    /// The process, or what it runs on; anybody where that has no identity.
    Ambient {
        /// What the process was given.
        ambient: Ambient,
        /// Which of several identities.
        client_id: Option<String>,
    },
}

impl fmt::Debug for AzureCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::AccountKey(_) => "AccountKey",
            Self::SharedAccess(_) => "SharedAccess",
            Self::Token(_) => "Token",
            Self::Client { .. } => "Client",
            Self::Ambient { .. } => "Ambient",
        })
    }
}

impl AzureCredentials {
    /// Says what is wrong with them, as far as that shows before they are used.
    ///
    /// # Errors
    /// [`SourceError::Denied`] where a key, a signature, a tenant or an authority is none; the first
    /// two in Flux's words.
    pub fn check(&self) -> Result<(), SourceError> {
        let denied = |why: String| Err(SourceError::Denied(why.into()));
        let text = |secret: &Secret| secret.expose_str().unwrap_or_default().to_owned();
        match self {
            Self::AccountKey(key) => match go::base64_refusal(&text(key)) {
                Some(why) => denied(format!("decode account key: {why}")),
                None => Ok(()),
            },
            Self::SharedAccess(query) => {
                match go::query_refusal(text(query).trim_start_matches('?')) {
                    Some(why) => denied(format!("unable to parse SAS token: {why}")),
                    None => Ok(()),
                }
            }
            Self::Client { tenant, authority, .. } => {
                let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
                if tenant.is_empty() || !tenant.chars().all(known) {
                    return denied("invalid tenantID".to_owned());
                }
                let host = authority.as_deref().map(Url::parse);
                match host {
                    Some(Err(error)) => denied(format!("malformed authority host: {error}")),
                    Some(Ok(url)) if !url.has_host() => {
                        denied("malformed authority host".to_owned())
                    }
                    _ => Ok(()),
                }
            }
            Self::Anonymous | Self::Token(_) | Self::Ambient { .. } => Ok(()),
        }
    }
}

type Provider = Arc<dyn object_store::CredentialProvider<Credential = AzureCredential>>;

/// A container of Azure Blob Storage.
#[derive(Debug)]
pub struct AzureBucket {
    endpoint: BucketEndpoint,
    name: String,
    account: String,
    credentials: AzureCredentials,
    provider: OnceCell<Option<Provider>>,
}

impl AzureBucket {
    /// A container by its name. The account is the first part of the endpoint's host, or of its
    /// path for an emulator's.
    pub fn new(endpoint: BucketEndpoint, name: &str, credentials: AzureCredentials) -> Self {
        let path = endpoint.base.path().trim_matches('/').to_owned();
        let host = endpoint.base.host_str().unwrap_or_default();
        let account = match host.split_once('.') {
            Some((account, _)) if path.is_empty() => account.to_owned(),
            _ => path,
        };
        let name = name.to_owned();
        Self { endpoint, name, account, credentials, provider: OnceCell::new() }
    }

    async fn provider(&self) -> Result<Option<Provider>, SourceError> {
        // What is behind the builder takes some of it for granted.
        self.credentials.check()?;
        let fixed = |credential| -> Result<Option<Provider>, SourceError> {
            Ok(Some(Arc::new(StaticCredentialProvider::new(credential))))
        };
        let retry = RetryConfig {
            max_retries: 2,
            retry_timeout: Duration::from_secs(10),
            ..RetryConfig::default()
        };
        let builder = MicrosoftAzureBuilder::new()
            .with_account("account")
            .with_container_name("container")
            .with_retry(retry);
        let (builder, required) = match &self.credentials {
            AzureCredentials::Anonymous => return Ok(None),
            AzureCredentials::AccountKey(key) => {
                let key = AzureAccessKey::try_new(key.expose_str().unwrap_or_default().trim());
                let key = key.map_err(|_| {
                    SourceError::Denied("failed to create shared credential: malformed key".into())
                })?;
                return fixed(AzureCredential::AccessKey(key));
            }
            AzureCredentials::SharedAccess(query) => {
                let query = query.expose_str().unwrap_or_default().trim();
                let pairs = url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes());
                return fixed(AzureCredential::SASToken(pairs.into_owned().collect()));
            }
            AzureCredentials::Token(token) => {
                let token = token.expose_str().unwrap_or_default().to_owned();
                return fixed(AzureCredential::BearerToken(token));
            }
            AzureCredentials::Client { tenant, id, secret, authority } => {
                let secret = secret.expose_str().unwrap_or_default();
                let builder = builder.with_client_secret_authorization(id, secret, tenant);
                let builder = match authority {
                    Some(authority) => builder.with_authority_host(authority),
                    None => builder,
                };
                (builder, true)
            }
            AzureCredentials::Ambient { ambient, client_id } => {
                let mut builder = builder;
                for (name, value) in ambient.variables() {
                    if let Ok(key) = AzureConfigKey::from_str(&name) {
                        builder = builder.with_config(key, value);
                    }
                }
                if let Some(id) = client_id {
                    builder = builder.with_client_id(id);
                }
                (builder, client_id.is_some() || ambient.has("AZURE_FEDERATED"))
            }
        };
        let built = builder.build().map_err(|error| unauthorized(&error))?;
        let provider = Arc::clone(built.credentials());
        match provider.get_credential().await {
            Ok(_) => Ok(Some(provider)),
            Err(error) if required => Err(unauthorized(&error)),
            // Nobody in particular: the container may be public.
            Err(_) => Ok(None),
        }
    }

    async fn send(&self, mut request: HttpRequest) -> Result<Response, SourceError> {
        let provider = self.provider.get_or_try_init(|| self.provider()).await?;
        match provider {
            Some(provider) => {
                let credential =
                    provider.get_credential().await.map_err(|error| unauthorized(&error))?;
                AzureAuthorizer::new(&credential, &self.account)
                    .try_authorize(&mut request)
                    .map_err(|error| unauthorized(&error))?;
            }
            None => {
                let version = http::HeaderValue::from_static("2023-11-03");
                request.headers_mut().insert("x-ms-version", version);
            }
        }
        self.endpoint.send(request).await
    }

    fn url(&self, rest: &str) -> String {
        let base = self.endpoint.base.as_str().trim_end_matches('/');
        format!("{base}/{}{rest}", encoded(&self.name, false))
    }

    async fn page(
        &self,
        prefix: &str,
        token: Option<&str>,
        size: u32,
    ) -> Result<Response, SourceError> {
        let token = token.map(|token| format!("&marker={}", encoded(token, false)));
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!("&prefix={}", encoded(prefix, false)),
        };
        let url = self.url(&format!(
            "?restype=container&comp=list&maxresults={size}{prefix}{}",
            token.unwrap_or_default()
        ));
        self.send(request("GET", &url)?).await
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    #[serde(default)]
    blobs: Blobs,
    next_marker: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blobs {
    #[serde(default)]
    blob: Vec<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blob {
    name: String,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(rename = "Etag", default)]
    etag: String,
}

/// An answer that is no success, as Azure's client shows it.
async fn unanswered(response: Response) -> SourceError {
    let line = "-".repeat(80);
    let status = response.status();
    let shown = |url: &Url| {
        let (scheme, path) = (url.scheme(), url.path());
        format!("{scheme}://{}{path}", url[Position::BeforeHost..Position::AfterPort].to_owned())
    };
    let place = shown(response.url());
    let header = response.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok());
    let header = header.map(|code| format!("ERROR CODE: {code}"));
    let pause = AskedPause::of(&response);
    let body = document(response).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body);
    let code = header.or_else(|| {
        let (_, rest) = body.split_once("<Code>")?;
        let (code, _) = rest.split_once("</Code>")?;
        Some(format!("ERROR CODE: {}", code.trim()))
    });
    let code = code.unwrap_or_else(|| "ERROR CODE UNAVAILABLE".to_owned());
    let body = match gitops_core::truncate(&body, 512) {
        body if body.is_empty() => "Response contained no body".to_owned(),
        body => body,
    };
    let why = format!(
        "GET {place}\n{line}\nRESPONSE {}: {status}\n{code}\n{line}\n{body}\n{line}\n",
        status.as_u16()
    );
    match status.as_u16() {
        401 | 403 => SourceError::Denied(why.into()),
        404 => SourceError::NotFound(why.into()),
        _ => pause.error(why),
    }
}

/// The tag as headers have it, with quotes: that is what Flux's revisions hold.
fn quoted_etag(etag: &str) -> String {
    format!("\"{}\"", etag.trim_matches('"'))
}

#[async_trait]
impl BucketStore for AzureBucket {
    async fn exists(&self) -> Result<bool, SourceError> {
        let response = self.page("", None, 1).await?;
        let code = response.headers().get("x-ms-error-code");
        let code = code.and_then(|code| code.to_str().ok()).unwrap_or_default().to_owned();
        match (response.status().as_u16(), code.as_str()) {
            (200..=299, _) => Ok(true),
            (404, "ContainerNotFound") => Ok(false),
            (_, "AuthenticationFailed") => {
                let doing = "the specified bucket name may be incorrect, nonexistent, or the \
                             caller might lack sufficient permissions to access it";
                Err(unanswered(response).await.during(doing))
            }
            _ => Err(unanswered(response).await),
        }
    }

    async fn list(&self, prefix: &str, token: Option<&str>) -> Result<BucketPage, SourceError> {
        let response = self.page(prefix, token, 1000).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let body = document(response).await?;
        let text = String::from_utf8_lossy(&body);
        let listing: Listing = quick_xml::de::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| SourceError::content(format!("malformed list of objects: {error}")))?;
        let objects = listing
            .blobs
            .blob
            .into_iter()
            .map(|blob| StoredObject { key: blob.name, etag: quoted_etag(&blob.properties.etag) });
        let next = listing.next_marker.filter(|marker| !marker.is_empty());
        Ok(BucketPage { objects: objects.collect(), next })
    }

    async fn get(
        &self,
        key: &str,
        file: &mut File,
        max: u64,
    ) -> Result<Option<(String, u64)>, SourceError> {
        let url = self.url(&format!("/{}", encoded(key, true)));
        let response = self.send(request("GET", &url)?).await?;
        match response.status().as_u16() {
            404 => return Ok(None),
            200..=299 => {}
            _ => return Err(refused(response).await),
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
        let etag = quoted_etag(etag.unwrap_or_default());
        let size = save(response, file, max).await?;
        Ok(Some((etag, size)))
    }
}
