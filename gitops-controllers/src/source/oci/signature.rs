//! From `spec.verify` and its Secrets to whose signatures of an image are good.

use std::sync::Arc;

use gitops_api::source::{OidcIdentityMatch, SignatureProvider};
use gitops_core::SystemClock;
use gitops_source::{
    CosignTrust, CosignVerifier, IdentityMatch, Keyless, NotationVerifier, OciSource, PublicKey,
    Registries, TrustPolicy, TrustedRoot, TrustedRootRepository, Verifier,
};
use kube::Client;

use super::super::credentials;

/// What a spec says of signatures, for any kind that pulls from registries.
#[derive(Clone, Debug)]
pub(in crate::source) struct Wanted<'s> {
    pub(in crate::source) provider: SignatureProvider,
    /// The Secret with keys or certificates.
    pub(in crate::source) secret: Option<&'s str>,
    /// The Secret with `trusted_root.json`.
    pub(in crate::source) trusted_root: Option<&'s str>,
    pub(in crate::source) identities: &'s [OidcIdentityMatch],
    /// What is to be verified, as a message names it that misses a Secret.
    pub(in crate::source) subject: String,
    /// Whether a Secret without keys is told of at once, not as one whose keys do not fit.
    pub(in crate::source) needs_keys: bool,
}

impl Wanted<'_> {
    /// The provider in messages.
    pub(in crate::source) fn shown(&self) -> &'static str {
        match (self.provider, self.secret) {
            (SignatureProvider::Cosign, None) => "cosign keyless",
            (SignatureProvider::Cosign, Some(_)) => "cosign",
            (SignatureProvider::Notation, _) => "notation",
        }
    }
}

/// A verifier for the images of a source.
pub(in crate::source) async fn verifier(
    client: &Client,
    namespace: &str,
    wanted: Wanted<'_>,
    registries: &Registries,
    public_good: &TrustedRootRepository,
    source: &OciSource,
) -> Result<Box<dyn Verifier>, String> {
    let secret = match wanted.secret {
        Some(name) => Some((name, credentials::secret(client, namespace, name).await?)),
        None => None,
    };
    if wanted.provider == SignatureProvider::Notation {
        let (name, data) = secret
            .ok_or_else(|| format!("verification secret cannot be empty: '{}'", wanted.subject))?;
        let place = format!("{namespace}/{name}");
        let policy = data.get("trustpolicy.json");
        let policy =
            policy.ok_or_else(|| format!("'trustpolicy.json' not found in secret '{place}'"))?;
        let certificates = certificates(&data);
        if certificates.is_empty() {
            return Err(format!("no certificates found in secret '{place}'"));
        }
        return Ok(Box::new(NotationVerifier::new(
            registries.clone(),
            source.repository().clone(),
            source.options().clone(),
            TrustPolicy::parse(policy).map_err(|error| error.to_string())?,
            certificates,
            Arc::new(SystemClock),
        )));
    }
    let trust = match secret {
        Some((name, data)) => {
            let keys = data.iter().filter(|(key, _)| key.ends_with(".pub"));
            let keys = keys.map(|(_, pem)| PublicKey::from_pem(pem).map_err(|e| e.to_string()));
            let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
            if wanted.needs_keys && keys.is_empty() {
                return Err(format!("no public keys found in secret '{namespace}/{name}'"));
            }
            CosignTrust::Keys(keys)
        }
        None => {
            CosignTrust::Keyless(Arc::new(keyless(client, namespace, wanted, public_good).await?))
        }
    };
    Ok(Box::new(CosignVerifier::new(
        registries.clone(),
        source.repository().clone(),
        source.options().clone(),
        trust,
    )))
}

/// What entries `*.crt` and `*.pem` hold, in PEM or DER.
fn certificates(data: &credentials::Data) -> Vec<Vec<u8>> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let ours = data.iter().filter(|(key, _)| key.ends_with(".crt") || key.ends_with(".pem"));
    let each = |(_, value): (&String, &Vec<u8>)| {
        let pem: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(value)
            .filter_map(Result::ok)
            .map(|der| der.to_vec())
            .collect();
        if pem.is_empty() { vec![value.clone()] } else { pem }
    };
    ours.flat_map(each).collect()
}

async fn keyless(
    client: &Client,
    namespace: &str,
    wanted: Wanted<'_>,
    public_good: &TrustedRootRepository,
) -> Result<Keyless, String> {
    let root = match wanted.trusted_root {
        Some(name) => trusted_root(client, namespace, name).await?,
        None => public_good.trusted_root().await.map_err(|error| {
            format!("unable to initialize trusted root: {}", gitops_core::one_line(&error))
        })?,
    };
    let identities = wanted.identities.iter();
    let identities = identities.map(|one| IdentityMatch::new(&one.issuer, &one.subject));
    let identities: Result<_, _> = identities.collect();
    Ok(Keyless::new(root, identities.map_err(|error| error.to_string())?))
}

async fn trusted_root(client: &Client, namespace: &str, name: &str) -> Result<TrustedRoot, String> {
    let fail = |why: String| {
        format!("failed to read trusted root from secret '{namespace}/{name}': {why}")
    };
    let data = credentials::secret(client, namespace, name).await.map_err(fail)?;
    let json = data.get("trusted_root.json");
    let json = json.ok_or_else(|| {
        fail(format!("'trusted_root.json' not found in secret '{namespace}/{name}'"))
    })?;
    TrustedRoot::parse(json).map_err(|error| error.to_string())
}
