//! Signatures that notation made: envelopes whose certificates lead to an authority that
//! a trust policy names.
//!
//! Follows the Notary Project's specifications of signatures and trust policies, version 1.0, as
//! notation-go and source-controller apply them, without plugins.

mod cbor;
mod cose;
mod envelope;
mod judge;
mod jws;
mod revocation;
mod trust_policy;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use gitops_core::{Cancelled, Clock, Digest, Scope};

use super::{Verified, Verifier, VerifyError};
use crate::{
    OciManifest, OciRepositoryName, Registries, Registry, RegistryOptions, SourceError, Subject,
    http_client::HttpClients,
};
use judge::Judge;
use trust_policy::Level;

pub use trust_policy::TrustPolicy;

const SIGNATURE: &str = "application/vnd.cncf.notary.signature";
/// How many signatures are looked at, as many as source-controller does.
const MAX_ATTEMPTS: usize = 3;
const MAX_SIGNATURE: u64 = 4 << 20;

/// Looks for notation's signatures of an image in the image's own repository.
#[derive(Clone, Debug)]
pub struct NotationVerifier {
    registries: Registries,
    repository: OciRepositoryName,
    options: RegistryOptions,
    policy: TrustPolicy,
    roots: Vec<Vec<u8>>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
}

impl NotationVerifier {
    /// A verifier for images of a repository. The certificates, in DER, are what every trust store
    /// holds that the policy names.
    pub fn new(
        registries: Registries,
        repository: OciRepositoryName,
        options: RegistryOptions,
        policy: TrustPolicy,
        certificates: Vec<Vec<u8>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let timeout = Duration::from_mins(1);
        Self { registries, repository, options, policy, roots: certificates, clock, timeout }
    }

    async fn search(&self, digest: &Digest) -> Result<Verified, VerifyError> {
        let image = format!("{}@{digest}", self.repository);
        let statement = self.policy.applicable(&self.repository.to_string()).ok_or_else(|| {
            VerifyError::unverified(format!(
                "artifact \"{image}\" has no applicable oci trust policy statement"
            ))
        })?;
        if statement.level == Level::SKIP {
            return Ok(Verified { skipped: true, ..Verified::default() });
        }
        let registry = self.registries.open(&self.repository, &self.options).await?;
        let mut reasons = BTreeSet::new();
        let mut attempts = 0;
        let (now, clients) = (self.clock.now(), HttpClients::default());
        for (kind, envelope) in envelopes(&registry, digest).await? {
            attempts += 1;
            let judge = Judge { statement, roots: &self.roots, clients: &clients, now };
            match judge.check(&kind, &envelope, digest).await {
                Ok(verified) => return Ok(verified),
                Err(error) => reasons.insert(error.to_string()),
            };
        }
        if attempts == 0 {
            return Err(VerifyError::unverified(format!(
                "no signature is associated with \"{image}\", make sure the artifact was signed \
                 successfully"
            )));
        }
        let reasons: Vec<String> = reasons.into_iter().collect();
        Err(VerifyError::unverified(format!(
            "signature verification failed: {}",
            reasons.join("; ")
        )))
    }
}

/// The signatures that refer to an image, with their media types.
async fn envelopes(
    registry: &Registry,
    digest: &Digest,
) -> Result<Vec<(String, Vec<u8>)>, VerifyError> {
    let mut all = Vec::new();
    for referrer in registry.referrers(digest, None).await? {
        if referrer.artifact_type.as_deref().is_some_and(|kind| kind != SIGNATURE)
            || all.len() >= MAX_ATTEMPTS
        {
            continue;
        }
        let raw = registry.manifest(&referrer.digest).await?;
        let manifest = OciManifest::parse(&raw.bytes)?;
        let about = manifest.subject.as_ref().map(|subject| subject.digest.as_str());
        let config = manifest.config.as_ref().map(|config| config.media_type.as_str());
        let kind = manifest.artifact_type.as_deref().or(config);
        let Some(layer) = manifest.layers.first() else { continue };
        if about != Some(&digest.to_string()) || kind != Some(SIGNATURE) {
            continue;
        }
        let bytes = registry.small_blob(&layer.parsed_digest()?, MAX_SIGNATURE).await?;
        all.push((layer.media_type.clone(), bytes));
    }
    Ok(all)
}

#[async_trait]
impl Verifier for NotationVerifier {
    async fn verify(&self, subject: &Subject, scope: &Scope) -> Result<Verified, VerifyError> {
        let Subject::Image { digest, .. } = subject else {
            return Err(VerifyError::invalid("only images are signed by notation"));
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
