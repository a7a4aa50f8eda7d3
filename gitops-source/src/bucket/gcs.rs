//! Google Cloud Storage, by its JSON API: its entity tags are those that Flux's revisions hold.

use std::{fmt, fs::File, str::FromStr as _, sync::Arc};

use async_trait::async_trait;
use gitops_core::Secret;
use object_store::{
    StaticCredentialProvider,
    client::HttpRequest,
    gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey},
};
use reqwest::{Response, header::AUTHORIZATION};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::client::{
    Ambient, BucketEndpoint, BucketPage, BucketStore, StoredObject, document, encoded, refused,
    request, save, unauthorized,
};
use crate::SourceError;

/// Who reads a bucket.
#[derive(Clone)]
#[non_exhaustive]
pub enum GcsCredentials {
    /// Anybody.
    Anonymous,
    /// A service account: the JSON of its key.
    ServiceAccount(Secret),
    /// The bearer of an access token.
    Token(Secret),
    /// The process, or what it runs on.
    Ambient(Ambient),
}

impl fmt::Debug for GcsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::ServiceAccount(_) => "ServiceAccount",
            Self::Token(_) => "Token",
            Self::Ambient(_) => "Ambient",
        })
    }
}

type Provider = Arc<dyn object_store::CredentialProvider<Credential = GcpCredential>>;

/// A bucket of Google Cloud Storage.
#[derive(Debug)]
pub struct GcsBucket {
    endpoint: BucketEndpoint,
    name: String,
    credentials: GcsCredentials,
    provider: OnceCell<Option<Provider>>,
}

impl GcsBucket {
    /// A bucket by its name.
    pub fn new(endpoint: BucketEndpoint, name: &str, credentials: GcsCredentials) -> Self {
        Self { endpoint, name: name.to_owned(), credentials, provider: OnceCell::new() }
    }

    fn provider(&self) -> Result<Option<Provider>, SourceError> {
        let builder = GoogleCloudStorageBuilder::new().with_bucket_name(&self.name);
        let builder = match &self.credentials {
            GcsCredentials::Anonymous => return Ok(None),
            GcsCredentials::Token(token) => {
                let bearer = token.expose_str().unwrap_or_default().to_owned();
                return Ok(Some(Arc::new(StaticCredentialProvider::new(GcpCredential { bearer }))));
            }
            GcsCredentials::ServiceAccount(key) => {
                builder.with_service_account_key(key.expose_str().unwrap_or_default())
            }
            GcsCredentials::Ambient(ambient) => {
                ambient.variables().fold(builder, |builder, (name, value)| {
                    match GoogleConfigKey::from_str(&name) {
                        Ok(key) => builder.with_config(key, value),
                        Err(_) => builder,
                    }
                })
            }
        };
        // Its error may show the key.
        let built = builder.build().map_err(|_| {
            SourceError::Denied("failed to create Google credentials from secret".into())
        })?;
        Ok(Some(Arc::clone(built.credentials())))
    }

    async fn send(&self, mut request: HttpRequest) -> Result<Response, SourceError> {
        let provider = self.provider.get_or_try_init(|| async { self.provider() }).await?;
        if let Some(provider) = provider {
            let credential =
                provider.get_credential().await.map_err(|error| unauthorized(&error))?;
            if !credential.bearer.is_empty() {
                let value = format!("Bearer {}", credential.bearer);
                let mut value = http::HeaderValue::from_str(&value)
                    .map_err(|_| SourceError::Denied("malformed token".into()))?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
            }
        }
        self.endpoint.send(request).await
    }

    fn url(&self, rest: &str) -> String {
        let base = self.endpoint.base.as_str().trim_end_matches('/');
        format!("{base}/storage/v1/b/{}{rest}", encoded(&self.name, false))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    #[serde(default)]
    items: Vec<Item>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    #[serde(default)]
    etag: String,
}

#[async_trait]
impl BucketStore for GcsBucket {
    async fn exists(&self) -> Result<bool, SourceError> {
        let response = self.send(request("GET", &self.url("?fields=name"))?).await?;
        match response.status().as_u16() {
            200..=299 => Ok(true),
            404 => Ok(false),
            _ => Err(refused(response).await),
        }
    }

    async fn list(&self, prefix: &str, token: Option<&str>) -> Result<BucketPage, SourceError> {
        let token = token.map(|token| format!("&pageToken={}", encoded(token, false)));
        let url = self.url(&format!(
            "/o?fields=items(name%2Cetag)%2CnextPageToken&maxResults=1000&prefix={}{}",
            encoded(prefix, false),
            token.unwrap_or_default()
        ));
        let response = self.send(request("GET", &url)?).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let body = document(response).await?;
        let listing: Listing = serde_json::from_slice(&body)
            .map_err(|error| SourceError::content(format!("malformed list of objects: {error}")))?;
        let objects =
            listing.items.into_iter().map(|item| StoredObject { key: item.name, etag: item.etag });
        let next = listing.next_page_token.filter(|token| !token.is_empty());
        Ok(BucketPage { objects: objects.collect(), next })
    }

    async fn get(
        &self,
        key: &str,
        file: &mut File,
        max: u64,
    ) -> Result<Option<(String, u64)>, SourceError> {
        let place = format!("/o/{}", encoded(key, false));
        let about = self.url(&format!("{place}?fields=name%2Cetag%2Cgeneration"));
        let response = self.send(request("GET", &about)?).await?;
        match response.status().as_u16() {
            404 => return Ok(None),
            200..=299 => {}
            _ => return Err(refused(response).await),
        }
        #[derive(Deserialize)]
        struct About {
            #[serde(default)]
            etag: String,
            #[serde(default)]
            generation: String,
        }
        let about: About = serde_json::from_slice(&document(response).await?)
            .map_err(|error| SourceError::content(format!("malformed object: {error}")))?;
        // The very state of which the tag is.
        let generation = match about.generation.as_str() {
            "" => String::new(),
            generation => format!("&generation={}", encoded(generation, false)),
        };
        let url = self.url(&format!("{place}?alt=media{generation}"));
        let response = self.send(request("GET", &url)?).await?;
        match response.status().as_u16() {
            404 => return Ok(None),
            200..=299 => {}
            _ => return Err(refused(response).await),
        }
        let size = save(response, file, max).await?;
        Ok(Some((about.etag, size)))
    }
}
