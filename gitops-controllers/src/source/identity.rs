//! Who a source is towards a cloud.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use gitops_api::meta::reason;
use gitops_auth::{
    Account, AccountTokens, AuthError, CacheKey, CloudContext, Environment, HttpClient,
    HttpOptions, RegistryCloud, Token, TokenCache,
};
use gitops_core::{Class, Clock, Failure, SafeUrl, Secret, Stage, SystemClock};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};

use super::{common::failed, credentials::api_text};
use crate::runtime::{Fault, Key, Metrics};

/// The identities that sources may take on, and the tokens that were had for them already.
#[derive(Clone, Debug)]
pub struct Identities {
    /// Tokens that are good for a while yet.
    pub tokens: Arc<TokenCache>,
    /// The time, for what is signed.
    pub clock: Arc<dyn Clock>,
    /// Where the process' own identity is looked for.
    pub environment: Environment,
    /// Gate `ObjectLevelWorkloadIdentity`: whether an object may name its service account.
    pub object_level: bool,
    /// Where it is counted which objects needed tokens.
    pub metrics: Option<Arc<Metrics>>,
    /// `--default-service-account`: whose identity counts where an object names none.
    pub default_account: Option<String>,
}

impl Default for Identities {
    /// No identity but what Secrets hold; Flux's cache of 100 tokens.
    fn default() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let hour = Duration::from_secs(3600);
        Self {
            tokens: Arc::new(TokenCache::new(100, hour, Arc::clone(&clock))),
            clock,
            environment: Environment::default(),
            object_level: false,
            metrics: None,
            default_account: None,
        }
    }
}

impl Identities {
    /// The token of a key, for an object of a kind.
    pub(super) async fn token<F>(
        &self,
        (kind, object): (&str, &Key),
        key: &CacheKey,
        fetch: impl FnOnce() -> F,
    ) -> Result<Token, AuthError>
    where
        F: Future<Output = Result<Token, AuthError>>,
    {
        let (token, lookup) = self.tokens.get_or_fetch(key, fetch).await?;
        if let Some(metrics) = &self.metrics {
            metrics.token(kind, object, lookup);
        }
        Ok(token)
    }

    /// With what an object's token is asked for: as the account that it names, else as the default
    /// one, else as the process.
    pub(super) async fn context(
        &self,
        client: &Client,
        namespace: &str,
        account: Option<&str>,
        http: &HttpOptions,
    ) -> Result<CloudContext, Failure> {
        self.check_gate(account)?;
        self.open_context(client, namespace, account, http).await.map_err(denied)
    }

    /// A login at a registry of a cloud, as the account of an object, else as in [`Self::context`].
    /// Where the cloud refuses, that is the inner result.
    pub(super) async fn registry_login(
        &self,
        client: &Client,
        object: (&str, &Key),
        account: Option<&str>,
        (cloud, registry): (RegistryCloud, &str),
        proxy: Option<SafeUrl>,
    ) -> Result<Result<Token, AuthError>, Failure> {
        self.check_gate(account)?;
        let login = async {
            let shown = proxy.as_ref().map(|proxy| proxy.expose().to_string());
            let http = HttpOptions { proxy, ..HttpOptions::default() };
            let namespace = &object.1.namespace;
            let context = self.open_context(client, namespace, account, &http).await?;
            let key = context.registry_cache_key(cloud, registry);
            let key = key.with("proxy", shown.unwrap_or_default());
            let fetch = || gitops_auth::registry_login(&context, cloud, registry);
            self.token(object, &key, fetch).await
        };
        Ok(login.await)
    }

    pub(super) fn check_gate(&self, account: Option<&str>) -> Result<(), Failure> {
        if account.is_some() && !self.object_level {
            let message = "to use spec.serviceAccountName for provider authentication please \
                           enable the ObjectLevelWorkloadIdentity feature gate in the controller";
            let fault = Fault::new(Class::Denied, message).reason(reason::FEATURE_GATE_DISABLED);
            return Err(Failure::new(Stage::Validate, fault));
        }
        Ok(())
    }

    async fn open_context(
        &self,
        client: &Client,
        namespace: &str,
        account: Option<&str>,
        http: &HttpOptions,
    ) -> Result<CloudContext, AuthError> {
        let account = match (account, self.default_account.as_deref()) {
            (Some(name), _) => Some(self.account(client, namespace, name, false).await?),
            (None, Some(name)) => Some(self.account(client, namespace, name, true).await?),
            (None, None) => None,
        };
        Ok(CloudContext { account, ..self.own_context(http)? })
    }

    /// With what the process asks for itself.
    pub(super) fn own_context(&self, http: &HttpOptions) -> Result<CloudContext, AuthError> {
        Ok(CloudContext {
            http: HttpClient::new(http)?,
            clock: Arc::clone(&self.clock),
            environment: self.environment.clone(),
            account: None,
        })
    }

    async fn account(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
        is_default: bool,
    ) -> Result<Account, AuthError> {
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let found = accounts.get(name).await.map_err(|error| {
            let missing = matches!(&error, kube::Error::Api(status) if status.code == 404);
            let why = if missing && is_default {
                "the default service account was not found".to_owned()
            } else {
                api_text(error)
            };
            let text = format!("failed to get service account '{namespace}/{name}': {why}");
            AuthError::Denied(text.into())
        })?;
        let tokens = ClusterTokens { accounts, name: name.to_owned() };
        Ok(Account {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            annotations: found.metadata.annotations.unwrap_or_default(),
            tokens: Arc::new(tokens),
        })
    }
}

/// A failure to get a token.
pub(super) fn denied(error: AuthError) -> Failure {
    let message = "failed to configure authentication options";
    failed(Stage::Fetch, message, reason::AUTHENTICATION_FAILED, error)
}

/// Tokens of an account, from the cluster's API.
#[derive(Debug)]
struct ClusterTokens {
    accounts: Api<ServiceAccount>,
    name: String,
}

#[async_trait]
impl AccountTokens for ClusterTokens {
    async fn request(&self, audience: &str) -> Result<Secret, AuthError> {
        let spec = TokenRequestSpec {
            audiences: Some(vec![audience.to_owned()]),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let parameters = PostParams::default();
        let made = self.accounts.create_token_request(&self.name, &parameters, &request);
        let made = made.await.map_err(|error| AuthError::Denied(api_text(error).into()))?;
        let token = made.status.and_then(|status| status.token);
        token.map(Secret::from).ok_or_else(|| AuthError::Denied("no token was issued".into()))
    }
}
