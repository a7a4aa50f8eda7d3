//! Acting as somebody else: service accounts, and other clusters through kubeconfigs.
//!
//! Follows fluxcd/pkg `runtime/client`; differs in: names of service accounts are checked before
//! they become part of a user name; kubeconfigs that would run a program, or read a file of this
//! machine, are refused with a reason instead of losing those fields silently.

use std::error::Error;

use gitops_core::{Class, Classify, Digest, Secret};
use http::{HeaderName, HeaderValue, Request};
use kube::{
    Config,
    client::Body,
    config::{KubeConfigOptions as KubeOptions, Kubeconfig},
};

use super::Cluster;

/// The size above which a kubeconfig is not read.
const KUBECONFIG_LIMIT: usize = 1 << 20;

/// What a kubeconfig may do beyond naming a server and credentials.
#[derive(Clone, Copy, Debug, Default)]
pub struct KubeconfigOptions {
    /// Run programs to obtain credentials.
    pub allow_exec: bool,
    /// Talk to servers without checking their certificates. Otherwise the wish is ignored and the
    /// certificate is checked.
    pub allow_insecure_tls: bool,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The name is no name of a service account.
    #[error("invalid service account name '{namespace}/{name}'")]
    ServiceAccount {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// The kubeconfig cannot be read.
    #[error("invalid kubeconfig: {0}")]
    Kubeconfig(String),
    /// The kubeconfig asks for something that is not allowed.
    #[error("kubeconfig refused: {0}")]
    Refused(&'static str),
}

impl Classify for ClientError {
    fn class(&self) -> Class {
        match self {
            Self::Refused(_) | Self::ServiceAccount { .. } => Class::Denied,
            Self::Kubeconfig(_) => Class::Invalid,
        }
    }
}

impl Cluster {
    /// The same cluster as a service account. Every request carries the impersonation; there is no
    /// falling back to the client's own identity.
    ///
    /// # Errors
    /// [`ClientError::ServiceAccount`] for names that no service account can have: a name with a
    /// colon or a slash could otherwise become another user.
    pub fn impersonate(&self, namespace: &str, name: &str) -> Result<Self, ClientError> {
        if !is_label(namespace) || !is_subdomain(name) {
            return Err(ClientError::ServiceAccount {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            });
        }
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let value = HeaderValue::from_str(&user)
            .map_err(|error| ClientError::Kubeconfig(error.to_string()))?;
        let inner = self.client().clone();
        let service = tower::service_fn(move |mut request: Request<Body>| {
            // The API server derives the groups of a service account itself.
            let header = HeaderName::from_static("impersonate-user");
            request.headers_mut().insert(header, value.clone());
            let inner = inner.clone();
            async move { inner.send(request).await }
        });
        let client = kube::Client::new(service, namespace);
        Ok(self.with_client(client, &format!("{}/{user}", self.identity())))
    }

    /// Another cluster, as a kubeconfig names it.
    ///
    /// # Errors
    /// [`ClientError::Refused`] where it would run a program or read a file of this machine,
    /// [`ClientError::Kubeconfig`] where it cannot be understood. Nothing of it is shown.
    pub async fn from_kubeconfig(
        kubeconfig: &Secret,
        options: KubeconfigOptions,
    ) -> Result<Self, ClientError> {
        let invalid = |what: &str| ClientError::Kubeconfig(what.to_owned());
        if kubeconfig.expose().len() > KUBECONFIG_LIMIT {
            return Err(invalid("larger than 1 MiB"));
        }
        // The text is needed whole: it is parsed and never printed.
        let text = kubeconfig.expose_str().ok_or_else(|| invalid("not UTF-8"))?;
        let mut parsed = Kubeconfig::from_yaml(text).map_err(|_| invalid("not a kubeconfig"))?;
        check(&mut parsed, options)?;
        let mut config = Config::from_custom_kubeconfig(parsed, &KubeOptions::default())
            .await
            .map_err(|error| ClientError::Kubeconfig(error.to_string()))?;
        config.connect_timeout = Some(std::time::Duration::from_secs(30));
        let address = config.cluster_url.to_string();
        let identity = Digest::sha256(kubeconfig.expose()).to_string();
        let client = kube::Client::try_from(config)
            .map_err(|error| ClientError::Kubeconfig(error.to_string()))?;
        Ok(Self::remote(client, &identity, address.trim_end_matches('/')))
    }
}

/// Refuses what reaches outside of the kubeconfig, and drops what weakens TLS.
fn check(kubeconfig: &mut Kubeconfig, options: KubeconfigOptions) -> Result<(), ClientError> {
    for user in kubeconfig.auth_infos.iter().filter_map(|named| named.auth_info.as_ref()) {
        if user.exec.is_some() && !options.allow_exec {
            return Err(ClientError::Refused("it runs a program (exec)"));
        }
        if user.auth_provider.is_some() {
            return Err(ClientError::Refused("it uses an auth-provider"));
        }
        if user.token_file.is_some() {
            return Err(ClientError::Refused("it refers to a file (tokenFile)"));
        }
        if user.client_certificate.is_some() || user.client_key.is_some() {
            return Err(ClientError::Refused(
                "it refers to a file (client-certificate, client-key)",
            ));
        }
    }
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        if cluster.certificate_authority.is_some() {
            return Err(ClientError::Refused("it refers to a file (certificate-authority)"));
        }
        if !options.allow_insecure_tls {
            cluster.insecure_skip_tls_verify = None;
        }
    }
    Ok(())
}

/// A DNS label: a namespace.
fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_dns(name, |byte| byte != b'.')
}

/// A DNS subdomain: the name of most objects.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && is_dns(name, |_| true) && !name.contains("..")
}

fn is_dns(name: &str, allowed: impl Fn(u8) -> bool) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(alphanumeric)
        && name.bytes().next_back().is_some_and(alphanumeric);
    ends && name.bytes().all(|byte| allowed(byte) && (alphanumeric(byte) || b"-.".contains(&byte)))
}

/// Why a request did not reach the API server, in the words of Go where people know those.
pub(crate) fn transport_text(error: &kube::Error) -> String {
    let mut root: &(dyn Error + 'static) = error;
    let mut chain = format!("{root}");
    while let Some(cause) = root.source() {
        root = cause;
        chain = format!("{root}");
    }
    let says = |needles: &[&str]| needles.iter().any(|needle| chain.contains(needle));
    if says(&["UnknownIssuer", "unable to get local issuer"]) {
        "tls: failed to verify certificate: x509: certificate signed by unknown authority".into()
    } else if says(&["Connection refused"]) {
        "connect: connection refused".into()
    } else {
        chain
    }
}
