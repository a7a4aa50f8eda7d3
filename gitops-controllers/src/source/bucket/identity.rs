//! Keys and tokens that clouds lend for reading buckets: to an object's service account, to an
//! application with a certificate, else to the process.

use std::fmt::Display;

use gitops_api::{meta::reason::AUTHENTICATION_FAILED, source::Bucket};
use gitops_auth::{
    AZURE_STORAGE_SCOPE, AuthError, AzureCertificate, CacheKey, CloudContext, GoogleKeyFile,
    HttpOptions, Token, aws_credentials, azure_certificate_token, azure_token, gcp_token,
};
use gitops_core::{Failure, SafeUrl, Secret, Stage, one_line};
use gitops_source::{AzureCredentials, S3Credentials};
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use url::Url;

use super::{
    super::{
        common::failed,
        identity::{Identities, denied},
    },
    access::unconfirmed,
};
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
        let token = self.token(context.gcp_cache_key(), || gcp_token(&context)).await;
        token.map_err(|error| self.unread_by_google(one_line(&error)))
    }

    /// For whom a file of Google's names.
    pub(super) async fn google_file(&self, file: &GoogleKeyFile) -> Result<Secret, Failure> {
        let context = self.context(false).await?;
        let token = self.token(file.cache_key(), || file.token(&context)).await;
        token.map_err(|error| self.unread_by_google(one_line(&error)))
    }

    /// Google's client needs a token when it asks for the bucket, and says so.
    pub(super) fn unread_by_google(&self, why: impl Display) -> Failure {
        let name = &self.object.spec.bucket_name;
        let place = "https://storage.googleapis.com/storage/v1/b";
        let query = "alt=json&prettyPrint=false&projection=full";
        unconfirmed(name, format!("Get \"{place}/{name}?{query}\": {why}"))
    }

    /// A machine without an identity is nobody: the container may be public.
    pub(super) async fn azure(&self) -> Result<AzureCredentials, Failure> {
        let context = self.context(true).await?;
        let told = ["AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"];
        let told = told.iter().any(|name| context.environment.get(name).is_some());
        let is_somebody = context.account.is_some() || told;
        let key = context.azure_cache_key(AZURE_STORAGE_SCOPE);
        match self.token(key, || azure_token(&context, AZURE_STORAGE_SCOPE)).await {
            Ok(token) => Ok(AzureCredentials::Token(token)),
            Err(_) if !is_somebody => Ok(AzureCredentials::Anonymous),
            Err(error) => Err(self.unread_by_azure(&error)),
        }
    }

    pub(super) async fn azure_certificate(
        &self,
        own: &AzureCertificate,
    ) -> Result<Secret, Failure> {
        let context = self.context(false).await?;
        let key = own.cache_key(AZURE_STORAGE_SCOPE);
        let fetch = || azure_certificate_token(&context, own, AZURE_STORAGE_SCOPE);
        self.token(key, fetch).await.map_err(|error| self.unread_by_azure(&error))
    }

    fn unread_by_azure(&self, error: &AuthError) -> Failure {
        unconfirmed(&self.object.spec.bucket_name, one_line(error))
    }

    /// Keys for a region, which the spec or the environment must name.
    pub(super) async fn amazon(&self, region: &str) -> Result<S3Credentials, Failure> {
        let denied =
            |error| failed(Stage::Fetch, "AWS authentication failed", AUTHENTICATION_FAILED, error);
        let context = self.context(true).await?;
        let named = self.object.spec.region.as_deref().is_some_and(|region| !region.is_empty());
        if !named && (context.account.is_some() || context.environment.get("AWS_REGION").is_none())
        {
            return Err(denied(no_region(&context)));
        }
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
        let all = self.token(key, fetch).await.map_err(denied)?;
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

    async fn token<F, T>(&self, key: CacheKey, fetch: F) -> Result<Secret, AuthError>
    where
        F: FnOnce() -> T,
        T: Future<Output = Result<Token, AuthError>>,
    {
        let proxy = self.proxy.as_ref().map_or("", Url::as_str);
        let key = key.with("proxy", proxy);
        let object = self.object;
        let about = Key::new(object.namespace().unwrap_or_default(), object.name_any());
        let token = self.identities.token(("Bucket", &about), &key, fetch).await?;
        Ok(token.secret)
    }
}

/// What Flux says where nothing names a region.
fn no_region(context: &CloudContext) -> AuthError {
    let text = match &context.account {
        Some(account) => format!(
            "failed to create provider access token for service account '{}/{}': an AWS region is \
             required for authenticating with a service account. please configure one in the \
             object spec",
            account.namespace, account.name
        ),
        None => {
            "failed to create provider access token for the controller: AWS_REGION environment \
                 variable is not set in the Flux controller. if you have properly configured IAM \
                 Roles for Service Accounts (IRSA) or EKS Pod Identity, please delete/replace the \
                 controller pod so the EKS admission controllers can inject this environment \
                 variable, or set it manually if the cluster is not EKS"
                .to_owned()
        }
    };
    AuthError::Denied(text.into())
}
