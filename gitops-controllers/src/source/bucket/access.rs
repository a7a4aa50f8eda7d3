//! From the spec and Secrets of a Bucket to the way to its object store.

use std::sync::Arc;

use gitops_api::{
    meta::reason,
    source::{Bucket, BucketTokenService, CloudProvider, TokenServiceProvider},
};
use gitops_auth::AzureCertificate;
use gitops_core::{Class, Failure, Secret, Stage};
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
    identity::Lender,
    name::bad_name,
};
use crate::runtime::Fault;

/// The bucket of an object, reached with what its Secrets hold.
pub(super) async fn store(
    client: &Client,
    ambient: &Ambient,
    identities: &Identities,
    object: &Bucket,
) -> Result<Arc<dyn BucketStore>, Failure> {
    let spec = &object.spec;
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
    let secret_name = spec.secret_ref.as_ref().map_or("", |reference| &reference.name);
    Ok(match spec.provider {
        CloudProvider::Gcp => {
            let credentials = match &secrets.own {
                Some(data) => GcsCredentials::ServiceAccount(
                    value(data, "serviceaccount").ok_or_else(|| {
                        denied(format!(
                            "invalid '{secret_name}' secret data: required fields 'serviceaccount'"
                        ))
                    })?,
                ),
                None => GcsCredentials::Token(lender.google().await?),
            };
            Arc::new(GcsBucket::new(endpoint(BucketEndpoint::new)?, name, credentials))
        }
        CloudProvider::Azure => {
            let credentials = match &secrets.own {
                None => lender.azure().await?,
                Some(data) => match certificate(data) {
                    Some(own) => AzureCredentials::Token(lender.azure_certificate(&own).await?),
                    None => azure(data, secret_name, ambient).map_err(denied)?,
                },
            };
            Arc::new(AzureBucket::new(endpoint(BucketEndpoint::new)?, name, credentials))
        }
        CloudProvider::Generic | CloudProvider::Aws => {
            let credentials = s3(object, &secrets).map_err(denied)?;
            let endpoint = endpoint(BucketEndpoint::at_host)?.with_tls(secrets.tls.clone());
            if let Some(why) = bad_name(name) {
                let message = format!("failed to confirm existence of '{name}' bucket: {why}");
                let fault = Fault::new(Class::Transient, message);
                let fault = fault.reason(reason::BUCKET_OPERATION_FAILED);
                return Err(Failure::new(Stage::Fetch, fault));
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

fn denied(message: impl Into<String>) -> Failure {
    let fault = Fault::new(Class::Denied, message).reason(reason::AUTHENTICATION_FAILED);
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

fn value(data: &Data, key: &str) -> Option<Secret> {
    data.get(key).map(|value| Secret::new(value.clone()))
}

fn text(data: &Data, key: &str) -> Option<String> {
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
    if let Err(error) = sts.endpoint.parse::<url::Url>() {
        let message = format!("failed to parse STS endpoint '{}': {error}", sts.endpoint);
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

/// An application with a certificate, as Flux reads it from a Secret.
fn certificate(data: &Data) -> Option<AzureCertificate> {
    if data.contains_key("sasKey") || data.contains_key("clientSecret") {
        return None;
    }
    let send_chain = text(data, "clientCertificateSendChain");
    Some(AzureCertificate {
        tenant: text(data, "tenantId")?,
        client: text(data, "clientId")?,
        certificate: value(data, "clientCertificate")?,
        password: value(data, "clientCertificatePassword"),
        send_chain: send_chain.is_some_and(|text| text == "1" || text == "true"),
        authority: text(data, "authorityHost").filter(|host| !host.is_empty()),
    })
}

/// Follows Flux's `azure.ValidateSecret` and the order in which it takes what a Secret holds.
fn azure(data: &Data, name: &str, ambient: &Ambient) -> Result<AzureCredentials, String> {
    let (tenant, id) = (text(data, "tenantId"), text(data, "clientId"));
    let authority = text(data, "authorityHost");
    if let Some(query) = value(data, "sasKey") {
        return Ok(AzureCredentials::SharedAccess(query));
    }
    match (tenant, id, value(data, "clientSecret"), value(data, "accountKey")) {
        (Some(tenant), Some(id), Some(secret), _) => {
            Ok(AzureCredentials::Client { tenant, id, secret, authority })
        }
        (_, _, _, Some(key)) => Ok(AzureCredentials::AccountKey(key)),
        (_, Some(id), _, _) => {
            Ok(AzureCredentials::Ambient { ambient: ambient.clone(), client_id: Some(id) })
        }
        _ if authority.is_some() => {
            Ok(AzureCredentials::Ambient { ambient: ambient.clone(), client_id: None })
        }
        _ => Err(format!(
            "invalid '{name}' secret data: requires a 'clientId' or 'accountKey' field, a \
             combination of 'tenantId', 'clientId' and 'clientSecret', or 'tenantId', 'clientId' \
             and 'clientCertificate'"
        )),
    }
}
