//! HTTP clients that were set up already.

use std::{fmt, sync::Arc, time::Duration};

use gitops_core::SafeUrl;
use parking_lot::Mutex;
use reqwest::{Client, redirect::Policy};

use crate::{SourceError, Tls};

/// What makes a client another client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Means {
    pub(crate) tls: Tls,
    pub(crate) proxy: Option<SafeUrl>,
    /// No proxy of the environment either.
    pub(crate) direct: bool,
    /// Any certificate will do.
    pub(crate) unverified: bool,
}

/// Clients for those who come again: a client costs the reading of all trusted certificates, and
/// holds connections that can be used again. They follow no redirects and decode no content. Cheap
/// to clone.
#[derive(Clone, Default)]
pub(crate) struct HttpClients {
    known: Arc<Mutex<Vec<(Means, Client)>>>,
}

impl fmt::Debug for HttpClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClients").field("known", &self.known.lock().len()).finish()
    }
}

impl HttpClients {
    const MOST: usize = 64;

    pub(crate) fn get(&self, means: &Means) -> Result<Client, SourceError> {
        let mut known = self.known.lock();
        if let Some((_, client)) = known.iter().find(|(other, _)| other == means) {
            return Ok(client.clone());
        }
        let client = build(means)?;
        if known.len() >= Self::MOST {
            known.remove(0);
        }
        known.push((means.clone(), client.clone()));
        Ok(client)
    }
}

fn build(means: &Means) -> Result<Client, SourceError> {
    let invalid = |what: &str, error: &dyn fmt::Display| {
        SourceError::Invalid(format!("{what}: {error}").into())
    };
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .user_agent(concat!("gitops/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(30))
        // What is fetched is compressed already, and its digest is that of the bytes as they are.
        .no_gzip();
    if means.unverified || means.tls.unverified {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let Some(pem) = &means.tls.authorities {
        let authorities = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| invalid("malformed CA certificate", &error))?;
        builder = builder.tls_certs_merge(authorities);
    }
    if let Some((chain, key)) = &means.tls.identity {
        let pem = [chain.as_slice(), b"\n", key.expose()].concat();
        let identity = reqwest::Identity::from_pem(&pem)
            .map_err(|_| invalid("malformed client certificate", &"no certificate and key"))?;
        builder = builder.identity(identity);
    }
    if let Some(proxy) = &means.proxy {
        let proxy = reqwest::Proxy::all(proxy.expose().clone())
            .map_err(|_| invalid("malformed proxy URL", &"not http, https or socks5"))?;
        builder = builder.proxy(proxy);
    } else if means.direct {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| invalid("cannot set up HTTP client", &error))
}
