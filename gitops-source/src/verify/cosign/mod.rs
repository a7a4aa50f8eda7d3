//! Signatures that cosign made: bundles that refer to the image, and the older form, a tag made of
//! the image's digest.
//!
//! Follows cosign v3 in where signatures are looked for. Differs in that both forms are looked at
//! and one good signature is enough; and in that a payload of the older form must name the image,
//! which source-controller does not ask for.

mod bundle;
mod certificate;
mod keyless;
mod payload;
mod transparency;
mod trusted_root;
mod tuf;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use gitops_core::{Cancelled, Digest, Scope};

use super::{Verified, Verifier, VerifyError, key::PublicKey};
use crate::{
    OciManifest, OciRepositoryName, Registries, Registry, RegistryOptions, SourceError, Subject,
};
use bundle::Bundle;

pub use keyless::{IdentityMatch, Keyless};
pub use trusted_root::TrustedRoot;
pub use tuf::{FirstRoot, TrustedRootRepository};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// How many signatures of one image are looked at.
const MAX_SIGNATURES: usize = 64;
/// How large a signature with all that belongs to it may be.
const MAX_SIGNATURE: u64 = 4 << 20;

/// Whose signatures are good.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CosignTrust {
    /// Those of keys; any of them will do.
    Keys(Vec<PublicKey>),
    /// Those of people and workloads who proved to an authority who they are.
    Keyless(Arc<Keyless>),
}

/// Looks for signatures of an image in the image's own repository.
#[derive(Clone, Debug)]
pub struct CosignVerifier {
    registries: Registries,
    repository: OciRepositoryName,
    options: RegistryOptions,
    trust: CosignTrust,
    timeout: Duration,
}

/// One signature of the older form, with what stands beside it.
#[derive(Debug)]
pub(super) struct Simple {
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) annotations: std::collections::BTreeMap<String, String>,
}

impl CosignVerifier {
    /// A verifier for images of a repository; it may take 60 s for each.
    pub fn new(
        registries: Registries,
        repository: OciRepositoryName,
        options: RegistryOptions,
        trust: CosignTrust,
    ) -> Self {
        Self { registries, repository, options, trust, timeout: Duration::from_mins(1) }
    }

    /// How long it may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn search(&self, digest: &Digest) -> Result<Verified, VerifyError> {
        let registry = self.registries.open(&self.repository, &self.options).await?;
        let mut reasons = BTreeSet::new();
        let mut seen = false;
        for bundle in bundles(&registry, digest).await? {
            seen = true;
            match self.check_bundle(&registry, &bundle, digest).await {
                Ok(verified) => return Ok(verified),
                Err(VerifyError::Source(error)) => return Err(error.into()),
                Err(error) => reasons.insert(error.to_string()),
            };
        }
        for simple in simple_signatures(&registry, digest).await? {
            seen = true;
            match self.check_simple(&simple, digest) {
                Ok(verified) => return Ok(verified),
                Err(error) => reasons.insert(error.to_string()),
            };
        }
        let reasons: Vec<String> = reasons.into_iter().collect();
        let text = match (&self.trust, seen) {
            (CosignTrust::Keys(_), _) => {
                let image = format!("{}@{digest}", self.repository);
                format!("no matching signatures were found for '{image}'")
            }
            (_, false) => "no signatures found".to_owned(),
            (_, true) => format!("no matching signatures: {}", reasons.join("; ")),
        };
        Err(if seen { VerifyError::unverified(text) } else { VerifyError::Unsigned(text.into()) })
    }

    async fn check_bundle(
        &self,
        registry: &Registry,
        bundle: &Bundle,
        digest: &Digest,
    ) -> Result<Verified, VerifyError> {
        let message = match bundle.content()? {
            bundle::Content::Statement { kind, payload, .. } => {
                if kind != payload::IN_TOTO || !payload::states(&payload, &digest.to_string()) {
                    return Err(VerifyError::unverified("the statement is about something else"));
                }
                payload::pre_authentication(&kind, &payload)
            }
            // The signature is over the manifest, whose digest was checked as it arrived.
            bundle::Content::Message { .. } => {
                registry.manifest(&digest.to_string()).await?.bytes.to_vec()
            }
        };
        match &self.trust {
            CosignTrust::Keys(keys) => {
                let signature = bundle.content()?.into_signature();
                by_any(keys, &message, &signature)
            }
            CosignTrust::Keyless(keyless) => keyless.check_bundle(bundle, &message),
        }
    }

    fn check_simple(&self, simple: &Simple, digest: &Digest) -> Result<Verified, VerifyError> {
        let verified = match &self.trust {
            CosignTrust::Keys(keys) => by_any(keys, &simple.payload, &simple.signature)?,
            CosignTrust::Keyless(keyless) => keyless.check_simple(simple)?,
        };
        if !payload::is_about(&simple.payload, &digest.to_string()) {
            return Err(VerifyError::unverified("the signed payload is about another image"));
        }
        Ok(verified)
    }
}

fn by_any(keys: &[PublicKey], message: &[u8], signature: &[u8]) -> Result<Verified, VerifyError> {
    let key = keys.iter().find(|key| key.verify(message, signature));
    let key = key.ok_or_else(|| VerifyError::unverified("invalid signature"))?;
    Ok(Verified { signer: Some(hex::encode(key.id())), ..Verified::default() })
}

/// The bundles that refer to an image.
async fn bundles(registry: &Registry, digest: &Digest) -> Result<Vec<Bundle>, VerifyError> {
    let mut all = Vec::new();
    for referrer in registry.referrers(digest, None).await? {
        // Some registries tell the type of the configuration, which for bundles is empty.
        let is_bundle =
            |kind: Option<&str>| kind.is_none_or(|kind| kind.starts_with(BUNDLE) || kind == EMPTY);
        if !is_bundle(referrer.artifact_type.as_deref()) || all.len() >= MAX_SIGNATURES {
            continue;
        }
        let raw = registry.manifest(&referrer.digest).await?;
        let manifest = OciManifest::parse(&raw.bytes)?;
        let about = manifest.subject.as_ref().map(|subject| subject.digest.as_str());
        let layer = manifest.layers.first();
        let Some(layer) = layer.filter(|layer| layer.media_type.starts_with(BUNDLE)) else {
            continue;
        };
        if about != Some(&digest.to_string()) {
            continue;
        }
        let bytes = registry.small_blob(&layer.parsed_digest()?, MAX_SIGNATURE).await?;
        // What is no bundle is no signature; another one may be good.
        all.extend(Bundle::parse(&bytes).ok());
    }
    Ok(all)
}

/// The signatures of the older form.
async fn simple_signatures(
    registry: &Registry,
    digest: &Digest,
) -> Result<Vec<Simple>, VerifyError> {
    let tag = format!("{}-{}.sig", digest.algorithm().name(), digest.hex());
    let raw = match registry.manifest(&tag).await {
        Ok(raw) => raw,
        Err(SourceError::NotFound(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut all = Vec::new();
    for layer in OciManifest::parse(&raw.bytes)?.layers.into_iter().take(MAX_SIGNATURES) {
        let signature = layer.annotations.get(SIGNATURE).and_then(|text| payload::decoded(text));
        let Some(signature) = signature.filter(|_| layer.media_type == SIMPLE_SIGNING) else {
            continue;
        };
        let payload = registry.small_blob(&layer.parsed_digest()?, MAX_SIGNATURE).await?;
        all.push(Simple { payload, signature, annotations: layer.annotations });
    }
    Ok(all)
}

#[async_trait]
impl Verifier for CosignVerifier {
    async fn verify(&self, subject: &Subject, scope: &Scope) -> Result<Verified, VerifyError> {
        let Subject::Image { digest, .. } = subject else {
            return Err(VerifyError::invalid("only images are signed by cosign"));
        };
        let digest: Digest =
            digest.parse().map_err(|_| VerifyError::invalid("malformed digest"))?;
        match scope.run(tokio::time::timeout(self.timeout, self.search(&digest))).await {
            Ok(Ok(verified)) => verified,
            Ok(Err(_)) => Err(SourceError::network("context deadline exceeded").into()),
            Err(Cancelled) => Err(Cancelled.into()),
        }
    }
}
