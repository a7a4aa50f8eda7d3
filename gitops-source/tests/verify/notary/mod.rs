//! An image that notation's signatures refer to.

use std::sync::Arc;

use gitops_core::{Digest, FixedClock, Scope};
use gitops_source::{
    NotationVerifier, OciReference, OciRepositoryName, OciSource, Registries, RegistryOptions,
    Source as _, TrustPolicy, Verified, Verifier as _, VerifyError,
};
use gitops_testenv::{Registry, RegistryHabits};
use serde_json::{Value, json};

pub(crate) const REPOSITORY: &str = "o/r";
pub(crate) const JWS: &str = "application/jose+json";

pub(crate) struct Image {
    pub(crate) registry: Registry,
    pub(crate) digest: Digest,
}

impl Image {
    pub(crate) async fn new() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let habits = RegistryHabits { referrers: true, ..RegistryHabits::default() };
        let registry = Registry::start(habits).await.unwrap();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "layers": [],
        });
        let digest = registry.put_manifest(REPOSITORY, Some("v1"), &manifest);
        Self { registry, digest }
    }

    /// Puts an envelope there that refers to the image.
    pub(crate) fn push(&self, kind: &str, envelope: impl Into<Vec<u8>>) {
        let layer = self.registry.put_blob(envelope.into()).to_string();
        let manifest = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.cncf.notary.signature", "digest": layer, "size": 2,
            },
            "layers": [{"mediaType": kind, "digest": layer, "size": 2}],
            "subject": {"mediaType": "m", "digest": self.digest.to_string(), "size": 1},
        });
        self.registry.put_manifest(REPOSITORY, None, &manifest);
    }

    pub(crate) async fn verify(
        &self,
        statement: &Value,
        roots: Vec<Vec<u8>>,
        now: &str,
    ) -> Result<Verified, VerifyError> {
        let url = format!("oci://{}/{REPOSITORY}", self.registry.host());
        let policy = json!({"version": "1.0", "trustPolicies": [statement]}).to_string();
        let verifier = NotationVerifier::new(
            Registries::new(),
            OciRepositoryName::parse(&url).unwrap(),
            RegistryOptions::default(),
            TrustPolicy::parse(policy.as_bytes()).unwrap(),
            roots,
            Arc::new(FixedClock::new(now.parse().unwrap())),
        );
        let source = OciSource::new(&url, OciReference::Tag("v1".into())).unwrap();
        let scope = Scope::background();
        let resolved = source.resolve(&scope).await.unwrap();
        verifier.verify(&resolved.image(), &scope).await
    }
}

pub(crate) fn statement(level: &str, identity: &str) -> Value {
    json!({
        "name": "p", "registryScopes": ["*"], "signatureVerification": {"level": level},
        "trustStores": ["ca:s"], "trustedIdentities": [identity],
    })
}
