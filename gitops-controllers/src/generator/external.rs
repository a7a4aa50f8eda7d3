//! ExternalArtifacts in the cluster.

use std::collections::BTreeMap;

use gitops_api::source::{Artifact, ArtifactGenerator, ExternalArtifact};
use jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::GENERATOR_LABEL;

/// The field manager of ExternalArtifacts, and who manages them.
const MANAGER: &str = "source-watcher";

/// Writes ExternalArtifacts.
#[derive(Clone)]
pub(super) struct Externals {
    client: Client,
}

impl Externals {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    fn api(&self, namespace: &str) -> Api<ExternalArtifact> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Applies the object that tells of an artifact, and its status.
    pub(super) async fn apply(
        &self,
        generator: &ArtifactGenerator,
        name: &str,
        captured: &BTreeMap<String, String>,
        artifact: &Artifact,
        now: Timestamp,
    ) -> Result<(), kube::Error> {
        let namespace = generator.namespace().unwrap_or_default();
        let common = generator.spec.common_metadata.as_ref();
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        labels.extend(common.into_iter().flat_map(|common| common.labels.clone()));
        labels.extend(captured.clone());
        labels.insert("app.kubernetes.io/managed-by".into(), MANAGER.into());
        labels.insert(GENERATOR_LABEL.into(), generator.uid().unwrap_or_default());
        let annotations: BTreeMap<String, String> =
            common.into_iter().flat_map(|common| common.annotations.clone()).collect();
        let mut metadata = json!({"name": name, "namespace": namespace, "labels": labels});
        if !annotations.is_empty() {
            metadata["annotations"] = json!(annotations);
        }
        let kind = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "ExternalArtifact",
        });
        let mut object = kind.clone();
        object["metadata"] = metadata;
        object["spec"] = json!({"sourceRef": {
            "apiVersion": "source.extensions.fluxcd.io/v1beta1",
            "kind": "ArtifactGenerator",
            "name": generator.name_any(),
            "namespace": namespace,
        }});
        let api = self.api(&namespace);
        let params = PatchParams::apply(MANAGER).force();
        let applied = api.patch(name, &params, &Patch::Apply(&object)).await?;
        let mut status = kind;
        status["metadata"] = json!({"name": name, "namespace": namespace});
        status["status"] = json!({
            "artifact": artifact,
            "conditions": [{
                "type": "Ready",
                "status": "True",
                "reason": gitops_api::meta::reason::SUCCEEDED,
                "message": "Artifact is ready",
                "observedGeneration": applied.metadata.generation,
                "lastTransitionTime": gitops_api::meta::Time::from(now),
            }],
        });
        api.patch_status(name, &params, &Patch::Apply(&status)).await?;
        Ok(())
    }

    /// Deletes an object; one that is gone already is no error.
    pub(super) async fn delete(&self, namespace: &str, name: &str) -> Result<(), kube::Error> {
        match self.api(namespace).delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => deleted.map(|_| ()),
        }
    }
}
