//! From Secrets and service accounts to the way to a registry.

use gitops_core::SafeUrl;
use gitops_source::{DockerConfig, Tls};
use k8s_openapi::api::core::v1::{Secret as SecretObject, ServiceAccount};
use kube::{Api, Client};

use super::super::{credentials, secret_data};

/// Why a registry's credentials could not be read.
#[derive(Debug)]
pub(in crate::source) struct NoCredentials {
    /// For people, as Flux says it.
    pub(in crate::source) why: String,
    /// The Secret of the spec that is not there.
    pub(in crate::source) missing: Option<String>,
}

/// The credentials of a pull secret, and of a service account's pull secrets.
pub(in crate::source) async fn docker_config(
    client: &Client,
    namespace: &str,
    secret: Option<&str>,
    account: Option<&str>,
) -> Result<DockerConfig, NoCredentials> {
    let mut all = DockerConfig::default();
    if let Some(name) = secret {
        let secret = read(client, namespace, name).await.map_err(|why| NoCredentials {
            why: format!("failed to get secret '{namespace}/{name}': {why}"),
            missing: Some(name.to_owned()),
        })?;
        let config = config(&secret, namespace, name);
        all.merge(config.map_err(|why| NoCredentials { why, missing: None })?);
    }
    let Some(account) = account else { return Ok(all) };
    let fail = |why: String| NoCredentials { why, missing: None };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let found = accounts.get(account).await.map_err(|error| {
        let why = credentials::api_text(error);
        fail(if why.ends_with("not found") {
            format!("serviceaccount '{namespace}/{account}' not found")
        } else {
            format!("failed to get serviceaccount '{namespace}/{account}': {why}")
        })
    })?;
    for reference in found.image_pull_secrets.unwrap_or_default() {
        let name = &reference.name;
        let secret = read(client, namespace, name).await.map_err(|why| {
            let doing = "failed to get image pull secret for serviceaccount";
            let why = credentials::not_there(namespace, name, &why);
            fail(format!("{doing} '{namespace}/{account}': {why}"))
        })?;
        all.merge(config(&secret, namespace, name).map_err(fail)?);
    }
    Ok(all)
}

async fn read(client: &Client, namespace: &str, name: &str) -> Result<SecretObject, String> {
    let secrets: Api<SecretObject> = Api::namespaced(client.clone(), namespace);
    secrets.get(name).await.map_err(credentials::api_text)
}

/// The credentials that a pull secret holds.
fn config(secret: &SecretObject, namespace: &str, name: &str) -> Result<DockerConfig, String> {
    let data = secret.data.as_ref();
    let value = |key: &str| data.and_then(|data| data.get(key));
    // As for a kubelet, the type decides, and a Secret of another one adds nothing.
    let parsed = match secret.type_.as_deref() {
        Some("kubernetes.io/dockerconfigjson") => {
            value(".dockerconfigjson").map(|file| DockerConfig::parse(&file.0))
        }
        Some("kubernetes.io/dockercfg") => {
            value(".dockercfg").map(|file| DockerConfig::parse_legacy(&file.0))
        }
        _ => None,
    };
    let parsed = parsed.unwrap_or_else(|| Ok(DockerConfig::default()));
    parsed.map_err(|error| match error.to_string() {
        why if why.starts_with("unable to decode") => why,
        why => format!("secret '{namespace}/{name}': {why}"),
    })
}

/// The certificates of a `certSecretRef`.
pub(in crate::source) async fn certificates(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Tls, String> {
    let data = credentials::referenced(client, namespace, name).await?;
    secret_data::required_tls(&data, &format!("'{namespace}/{name}'"))
}

/// The proxy of a `proxySecretRef`.
pub(in crate::source) async fn proxy(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<SafeUrl, String> {
    credentials::proxy_url(client, namespace, name).await.map(SafeUrl::from)
}
