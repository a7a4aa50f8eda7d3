//! Amazon's SDK as the source of keys, for those who rely on parts of its credential chain that are
//! not followed here, such as profiles, processes and assumed roles.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use object_store::aws::AwsCredential;
use tokio::sync::OnceCell;

use super::client::document;

/// How long one request of the chain may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The credential chain of Amazon's SDK.
///
/// It reads the variables and files of the process by itself, when it is first asked. The SDK's HTTP
/// and TLS are not used: requests go the way of all others. Cheap to clone; clones share what was
/// lent.
#[derive(Clone)]
pub struct SdkCredentials {
    region: String,
    client: reqwest::Client,
    loaded: Arc<OnceCell<SdkConfig>>,
}

impl fmt::Debug for SdkCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkCredentials").field("region", &self.region).finish_non_exhaustive()
    }
}

impl SdkCredentials {
    /// The chain for a region, over an HTTP client.
    pub fn new(region: &str, client: reqwest::Client) -> Self {
        Self { region: region.to_owned(), client, loaded: Arc::default() }
    }

    async fn load(&self) -> SdkConfig {
        let connector = Connector { client: self.client.clone() };
        aws_config::defaults(BehaviorVersion::latest())
            .http_client(connector)
            .region(Region::new(self.region.clone()))
            .load()
            .await
    }
}

#[async_trait]
impl object_store::CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            object_store::Error::Generic { store: "the credential chain of the AWS SDK", source }
        };
        let config = self.loaded.get_or_init(|| self.load()).await;
        let provider = config.credentials_provider();
        let provider = provider.ok_or_else(|| failed("has no provider".into()))?;
        // The provider keeps what it was lent until that ends.
        let own = provider.provide_credentials().await.map_err(|error| failed(error.into()))?;
        Ok(Arc::new(AwsCredential {
            key_id: own.access_key_id().to_owned(),
            secret_key: own.secret_access_key().to_owned(),
            token: own.session_token().map(str::to_owned),
        }))
    }
}

/// The SDK's requests, sent by the client that all others use.
#[derive(Clone, Debug)]
struct Connector {
    client: reqwest::Client,
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.client.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.bytes().map(<[u8]>::to_vec).unwrap_or_default();
            let unreachable = |error: reqwest::Error| match error.is_timeout() {
                true => ConnectorError::timeout(error.without_url().into()),
                false => ConnectorError::io(error.without_url().into()),
            };
            let answer = client
                .request(parts.method, parts.uri.to_string())
                .headers(parts.headers)
                .timeout(TIMEOUT)
                .body(body)
                .send()
                .await
                .map_err(unreachable)?;
            let mut response = http::Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            let body = document(answer).await;
            let body = body.map_err(|error| ConnectorError::io(error.into()))?;
            let response = response
                .body(SdkBody::from(body))
                .map_err(|error| ConnectorError::other(error.into(), None))?;
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
