//! From the spec and Secrets of a Bucket to the way to its object store.

use std::sync::Arc;

use gitops_api::{
    meta::reason,
    source::{Bucket, BucketTokenService, CloudProvider, TokenServiceProvider},
};
use gitops_core::{Class, Failure, Secret, Stage, go_dial_refusal, go_url};
use gitops_source::{
    Ambient, AzureBucket, AzureCredentials, BucketEndpoint, BucketStore, GcsBucket, GcsCredentials,
    S3Bucket, S3Credentials, SourceError, Tls,
};
use kube::{Client, ResourceExt as _};

use super::{
    super::{
        credentials::{self, Data},
        identity::Identities,
        secret_data,
    },
    azure::{self, AzureSecret, Named},
    google,
    identity::Lender,
    name::bad_name,
};
use crate::runtime::Fault;

/// What is known beside the object and its Secrets.
#[derive(Default)]
pub(super) struct Means {
    /// What the process was given by the cloud that it runs in.
    pub(super) ambient: Ambient,
    pub(super) identities: Identities,
    /// Whether tokens of Azure may go over plain HTTP.
    pub(super) emulated: bool,
}

/// The bucket of an object, reached with what its Secrets hold.
pub(super) async fn store(
    client: &Client,
    means: &Means,
    object: &Bucket,
) -> Result<Arc<dyn BucketStore>, Failure> {
    let (spec, identities) = (&object.spec, &means.identities);
    identities.check_gate(
        spec.service_account_name.as_deref().filter(|_| spec.provider != CloudProvider::Generic),
    )?;
    if let Some(sts) = &spec.sts {
        check_token_service(spec.provider, sts)?;
    }
    let secrets = Secrets::read(client, object).await.map_err(denied)?;
    let endpoint = |open: fn(&str, bool) -> Result<BucketEndpoint, SourceError>| {
        let endpoint = open(&spec.endpoint, spec.insecure);
        let endpoint = endpoint.map_err(|error| denied(error.to_string()))?;
        let proxy = secrets.proxy.clone().map(Into::into);
        Ok::<_, Failure>(endpoint.with_timeout(spec.timeout.get()).with_proxy(proxy))
    };
    let name = &spec.bucket_name;
    let lender = Lender { client, identities, object, proxy: secrets.proxy.clone() };
    let secret_name = spec.secret_ref.as_ref().map(|reference| reference.name.clone());
    let secret_name = secret_name.unwrap_or_default();
    Ok(match spec.provider {
        CloudProvider::Gcp => {
            let credentials = match &secrets.own {
                Some(data) => google::credentials(data, &secret_name, &lender).await?,
                None => GcsCredentials::Token(lender.google().await?),
            };
            Arc::new(GcsBucket::new(endpoint(BucketEndpoint::new)?, name, credentials))
        }
        CloudProvider::Azure => {
            let named = match &secrets.own {
                None => None,
                Some(data) => {
                    let (endpoint, name) = (spec.endpoint.as_str(), secret_name.as_str());
                    let secret = AzureSecret { data, name, endpoint, emulated: means.emulated };
                    Some(secret.named(&means.ambient).map_err(denied)?)
                }
            };
            let sends_token = named.as_ref().is_none_or(Named::sends_token);
            if sends_token && !azure::has_tls(&spec.endpoint) && !means.emulated {
                return Err(unconfirmed(name, azure::NEEDS_TLS));
            }
            let credentials = match named {
                None => lender.azure().await?,
                Some(Named::Credentials(known)) => known,
                Some(Named::Certificate(own)) => {
                    AzureCredentials::Token(lender.azure_certificate(&own).await?)
                }
            };
            Arc::new(AzureBucket::new(endpoint(BucketEndpoint::new)?, name, credentials))
        }
        CloudProvider::Generic | CloudProvider::Aws => {
            let credentials = s3(object, &secrets).map_err(denied)?;
            let scheme = if spec.insecure { "http" } else { "https" };
            let place = format!("{scheme}://{}", spec.endpoint);
            if let Some(why) = go_dial_refusal(&place).filter(|why| why.starts_with("dial")) {
                let asked = format!("{}/{name}/?location=", place.trim_end_matches('/'));
                return Err(unconfirmed(name, format!("Get \"{asked}\": {why}")));
            }
            let endpoint = endpoint(BucketEndpoint::at_host)?.with_tls(secrets.tls.clone());
            if let Some(why) = bad_name(name) {
                return Err(unconfirmed(name, why));
            }
            let open = |own| S3Bucket::new(endpoint, name, spec.region.as_deref(), own);
            Arc::new(match credentials {
                Some(credentials) => open(credentials),
                None => {
                    let bucket = open(S3Credentials::Anonymous);
                    let keys = lender.amazon(bucket.region()).await?;
                    bucket.with_credentials(keys)
                }
            })
        }
    })
}

pub(super) fn denied(message: impl Into<String>) -> Failure {
    let fault = Fault::new(Class::Denied, message).reason(reason::AUTHENTICATION_FAILED);
    Failure::new(Stage::Fetch, fault)
}

/// A failure that is known before the store is asked.
pub(super) fn unconfirmed(bucket: &str, why: impl std::fmt::Display) -> Failure {
    let message = format!("failed to confirm existence of '{bucket}' bucket: {why}");
    let fault = Fault::new(Class::Transient, message).reason(reason::BUCKET_OPERATION_FAILED);
    Failure::new(Stage::Fetch, fault)
}

/// A failure for which only another spec can help.
fn invalid(reason: &'static str, message: impl Into<String>) -> Failure {
    Failure::new(Stage::Validate, Fault::new(Class::Invalid, message).reason(reason))
}

/// What the Secrets of a Bucket hold.
struct Secrets {
    own: Option<Data>,
    sts: Option<Data>,
    proxy: Option<url::Url>,
    tls: Tls,
    sts_tls: Tls,
}

impl Secrets {
    async fn read(client: &Client, object: &Bucket) -> Result<Self, String> {
        let namespace = object.namespace().unwrap_or_default();
        let spec = &object.spec;
        let read = async |name: &str, what: &str| {
            let data = credentials::secret(client, &namespace, name).await;
            data.map_err(|why| format!("failed to get {what} '{namespace}/{name}': {why}"))
        };
        let certificates = async |name: &str, what: &str| {
            let place = format!("'{namespace}/{name}'");
            let wrap = |why: String| format!("failed to get {what}: {why}");
            let data = credentials::referenced(client, &namespace, name).await.map_err(wrap)?;
            secret_data::required_tls(&data, &place).map_err(wrap)
        };
        let own = match &spec.secret_ref {
            Some(reference) => Some(read(&reference.name, "secret").await?),
            None => None,
        };
        let service = spec.sts.as_ref();
        let sts = match service.and_then(|sts| sts.secret_ref.as_ref()) {
            Some(reference) => Some(read(&reference.name, "STS secret").await?),
            None => None,
        };
        let proxy = match &spec.proxy_secret_ref {
            Some(reference) => {
                let proxy = credentials::proxy_url(client, &namespace, &reference.name).await;
                Some(proxy.map_err(|why| format!("failed to get proxy URL: {why}"))?)
            }
            None => None,
        };
        let tls = match &spec.cert_secret_ref {
            Some(reference) => certificates(&reference.name, "TLS config").await?,
            None => Tls::default(),
        };
        let sts_tls = match service.and_then(|sts| sts.cert_secret_ref.as_ref()) {
            Some(reference) => certificates(&reference.name, "STS TLS config").await?,
            None => Tls::default(),
        };
        Ok(Self { own, sts, proxy, tls, sts_tls })
    }
}

pub(super) fn value(data: &Data, key: &str) -> Option<Secret> {
    data.get(key).map(|value| Secret::new(value.clone()))
}

pub(super) fn text(data: &Data, key: &str) -> Option<String> {
    data.get(key).map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Follows Flux's `minio.ValidateSTSProvider`.
fn check_token_service(provider: CloudProvider, sts: &BucketTokenService) -> Result<(), Failure> {
    let wrong = |message: String| Err(invalid(reason::INVALID_STS_CONFIGURATION, message));
    let (bucket, wanted) = match provider {
        CloudProvider::Aws => ("aws", "aws"),
        CloudProvider::Generic => ("generic", "ldap"),
        CloudProvider::Azure | CloudProvider::Gcp => {
            let name = if provider == CloudProvider::Gcp { "gcp" } else { "azure" };
            return wrong(format!(
                "STS configuration is not supported for '{name}' bucket provider"
            ));
        }
    };
    let name = match sts.provider {
        TokenServiceProvider::Aws => "aws",
        TokenServiceProvider::Ldap => "ldap",
    };
    if name != wanted {
        let message =
            format!("STS provider '{name}' is not supported for '{bucket}' bucket provider");
        return wrong(message);
    }
    if wanted == "aws" {
        for (field, set) in [
            ("secretRef", sts.secret_ref.is_some()),
            ("certSecretRef", sts.cert_secret_ref.is_some()),
        ] {
            if set {
                return wrong(format!(
                    "spec.sts.{field} is not required for the '{name}' STS provider"
                ));
            }
        }
    }
    if let Err(why) = go_url(&sts.endpoint) {
        let message = format!("failed to parse STS endpoint '{}': {why}", sts.endpoint);
        return Err(invalid(reason::URL_INVALID, message));
    }
    Ok(())
}

/// What Secrets say of who reads; `None` when nothing does, and Amazon is to be asked.
fn s3(object: &Bucket, secrets: &Secrets) -> Result<Option<S3Credentials>, String> {
    let spec = &object.spec;
    if let Some(data) = &secrets.own {
        let name = spec.secret_ref.as_ref().map_or("", |reference| &reference.name);
        let fields = text(data, "accesskey").zip(value(data, "secretkey"));
        let (access_key, secret_key) = fields.ok_or_else(|| {
            format!("invalid '{name}' secret data: required fields 'accesskey' and 'secretkey'")
        })?;
        return Ok(Some(S3Credentials::Static { access_key, secret_key }));
    }
    match (&spec.sts, spec.provider) {
        (_, CloudProvider::Aws) => Ok(None),
        (Some(sts), _) => {
            let name = sts.secret_ref.as_ref().map_or("", |reference| &reference.name);
            let data = secrets.sts.as_ref();
            let set = |key: &str| {
                let found = data.and_then(|data| data.get(key));
                found.is_some_and(|value| !value.is_empty())
            };
            if data.is_some() && !(set("username") && set("password")) {
                return Err(format!(
                    "invalid '{name}' secret data for 'ldap' STS provider: required fields \
                     username, password"
                ));
            }
            let endpoint = sts.endpoint.parse().map_err(|error| {
                format!("failed to parse STS endpoint '{}': {error}", sts.endpoint)
            })?;
            Ok(Some(S3Credentials::Ldap {
                endpoint,
                tls: secrets.sts_tls.clone(),
                username: data.and_then(|data| text(data, "username")).unwrap_or_default(),
                password: data.and_then(|data| value(data, "password")).unwrap_or_default(),
            }))
        }
        (None, _) => Ok(Some(S3Credentials::Anonymous)),
    }
}
