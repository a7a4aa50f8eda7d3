//! Single files over HTTP, as kustomizations name them.

use bytes::{Bytes, BytesMut};
use gitops_core::Scope;
use reqwest::{StatusCode, redirect::Policy};
use url::Url;

use crate::SourceError;

/// Fetches files with HTTP GET, follows up to ten redirects and reads at most so many bytes.
#[derive(Clone, Debug)]
pub struct HttpFiles {
    client: reqwest::Client,
    most_bytes: usize,
}

impl HttpFiles {
    /// A client for files of at most so many bytes.
    ///
    /// # Errors
    /// When no client can be set up.
    pub fn new(most_bytes: usize) -> Result<Self, SourceError> {
        let client = reqwest::Client::builder()
            .redirect(Policy::limited(10))
            .user_agent(concat!("gitops/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(std::time::Duration::from_secs(30))
            .build()
            .map_err(|error| {
                SourceError::Invalid(format!("cannot set up HTTP client: {error}").into())
            })?;
        Ok(Self { client, most_bytes })
    }

    /// The content of a file.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] for every status but success, with its number;
    /// [`SourceError::Content`] for a file that is too large.
    pub async fn get(&self, url: &Url, scope: &Scope) -> Result<Bytes, SourceError> {
        let network = |error: reqwest::Error| {
            // The address may hold a password.
            SourceError::Network(gitops_core::one_line(&error.without_url()).into())
        };
        scope.check()?;
        let mut response = self.client.get(url.clone()).send().await.map_err(network)?;
        let status = response.status();
        if !status.is_success() {
            let name = status.canonical_reason().unwrap_or_default();
            let message = format!("status code {} ({name})", status.as_u16());
            return Err(match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    SourceError::Denied(message.into())
                }
                _ => SourceError::NotFound(message.into()),
            });
        }
        let mut content = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            scope.check()?;
            if content.len() + chunk.len() > self.most_bytes {
                let message = format!("the file is larger than {} bytes", self.most_bytes);
                return Err(SourceError::Content(message.into()));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content.freeze())
    }
}
