//! Keys and tokens that clouds lend for reading buckets: to an object's service account, to an
//! application with a certificate, else to the process.

use gitops_api::source::Bucket;
use gitops_auth::{
    AZURE_STORAGE_SCOPE, AuthError, AzureCertificate, CacheKey, CloudContext, HttpOptions, Token,
    aws_credentials, azure_certificate_token, azure_token, gcp_token,
};
use gitops_core::{Failure, SafeUrl, Secret};
use gitops_source::{AzureCredentials, S3Credentials};
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use url::Url;

use super::super::identity::{Identities, denied};
use crate::runtime::Key;

/// Who asks clouds on behalf of a Bucket.
pub(super) struct Lender<'l> {
    pub(super) client: &'l Client,
    pub(super) identities: &'l Identities,
    pub(super) object: &'l Bucket,
    pub(super) proxy: Option<Url>,
}

impl Lender<'_> {
    pub(super) async fn google(&self) -> Result<Secret, Failure> {
        let context = self.context(true).await?;
        let key = context.gcp_cache_key();
        self.token(key, || gcp_token(&context)).await
    }

    /// A machine without an identity is nobody: the container may be public.
    pub(super) async fn azure(&self) -> Result<AzureCredentials, Failure> {
        let context = self.context(true).await?;
        let told = ["AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"];
        let told = told.iter().any(|name| context.environment.get(name).is_some());
        let is_somebody = context.account.is_some() || told;
        let key = context.azure_cache_key(AZURE_STORAGE_SCOPE);
        match self.token(key, || azure_token(&context, AZURE_STORAGE_SCOPE)).await {
            Err(_) if !is_somebody => Ok(AzureCredentials::Anonymous),
            token => token.map(AzureCredentials::Token),
        }
    }

    pub(super) async fn azure_certificate(
        &self,
        own: &AzureCertificate,
    ) -> Result<Secret, Failure> {
        let context = self.context(false).await?;
        let key = own.cache_key(AZURE_STORAGE_SCOPE);
        self.token(key, || azure_certificate_token(&context, own, AZURE_STORAGE_SCOPE)).await
    }

    pub(super) async fn amazon(&self, region: &str) -> Result<S3Credentials, Failure> {
        let context = self.context(true).await?;
        let endpoint = self.object.spec.sts.as_ref().map(|sts| sts.endpoint.as_str());
        let key = context.aws_cache_key(region, endpoint).with("use", "bucket");
        let fetch = || async {
            let keys = aws_credentials(&context, region, endpoint).await?;
            // Three texts, none of which holds a line's end.
            let session = keys.session_token.as_ref().and_then(Secret::expose_str);
            let secret = keys.secret_key.expose_str().unwrap_or_default();
            let all = [keys.access_key.as_str(), secret, session.unwrap_or_default()].join("\n");
            let ends = keys.expires_at.unwrap_or(Timestamp::MAX);
            Ok(Token::new(Secret::from(all), ends))
        };
        let all = self.token(key, fetch).await?;
        let mut parts = all.expose_str().unwrap_or_default().splitn(3, '\n');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        Ok(S3Credentials::Session {
            access_key: next(),
            secret_key: Secret::from(next()),
            session_token: Secret::from(next()),
        })
    }

    async fn context(&self, as_account: bool) -> Result<CloudContext, Failure> {
        let namespace = self.object.namespace().unwrap_or_default();
        let http =
            HttpOptions { proxy: self.proxy.clone().map(SafeUrl::from), ..HttpOptions::default() };
        let identities = self.identities;
        if as_account {
            let account = self.object.spec.service_account_name.as_deref();
            let account = account.filter(|name| !name.is_empty());
            return identities.context(self.client, &namespace, account, &http).await;
        }
        identities.own_context(&http).map_err(denied)
    }

    async fn token<F, T>(&self, key: CacheKey, fetch: F) -> Result<Secret, Failure>
    where
        F: FnOnce() -> T,
        T: Future<Output = Result<Token, AuthError>>,
    {
        let proxy = self.proxy.as_ref().map_or("", Url::as_str);
        let key = key.with("proxy", proxy);
        let object = self.object;
        let about = Key::new(object.namespace().unwrap_or_default(), object.name_any());
        let token = self.identities.token(("Bucket", &about), &key, fetch).await;
        token.map(|token| token.secret).map_err(denied)
    }
}
