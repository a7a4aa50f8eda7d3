//! The source of a Kustomization and its artifact.

use gitops_api::{kustomize::Kustomization, meta::annotation, source::Artifact};
use gitops_apply::Cluster;
use gitops_core::ObjectId;
use serde_json::Value;

use super::spec;
use crate::kustomization::{
    Options,
    problem::{Problem, Retry},
    triggers::Known,
};

/// An artifact and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// The artifact.
    pub(crate) artifact: Artifact,
    /// The revision that the artifact was made from, where it says so.
    pub(crate) origin_revision: Option<String>,
}

/// The source that a Kustomization names.
pub(crate) fn id(object: &Kustomization) -> ObjectId {
    let reference = &object.spec.source_ref;
    let namespace = reference.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    ObjectId::new(
        &format!("{}/v1", annotation::SOURCE_GROUP),
        &reference.kind,
        namespace.unwrap_or_else(|| spec::namespace(object)),
        &reference.name,
    )
}

/// Reads the source and its artifact.
///
/// # Errors
/// A [`Problem`] with Flux's words: the source is forbidden, missing, or has no artifact.
pub(crate) async fn resolve(
    cluster: &Cluster,
    known: &Known,
    object: &Kustomization,
    options: &Options,
) -> Result<Resolved, Problem> {
    let id = id(object);
    check_access(object, &id, options)?;
    let found = known.source(cluster, &id, options.direct_source_fetch).await.map_err(|error| {
        let place = format!("{}/{}", id.namespace, id.name);
        let message = format!("unable to get source '{place}': {error}");
        Problem::no_artifact(message, Retry::Dependency)
    })?;
    let Some(source) = found else {
        // Quirk: what controller-runtime reads from its cache is named by its kind.
        let resource = if options.direct_source_fetch { plural(&id.kind) } else { &id.kind };
        let message = format!("{resource}.{} \"{}\" not found", id.group, id.name);
        return Err(Problem::no_artifact(message, Retry::Interval));
    };
    artifact_of(&source).ok_or_else(|| {
        let pause = gitops_api::meta::Duration::from(options.dependency_interval);
        let message = format!("Source artifact not found, retrying in {pause}");
        Problem::no_artifact(message, Retry::Dependency)
    })
}

/// The artifact in the status of a source.
pub(crate) fn artifact_of(source: &Value) -> Option<Resolved> {
    let artifact: Artifact = serde_json::from_value(source["status"]["artifact"].clone()).ok()?;
    let origin_revision = artifact.metadata.get(annotation::ORIGIN_REVISION).cloned();
    let origin_revision = origin_revision.filter(|revision| !revision.is_empty());
    Some(Resolved { artifact, origin_revision })
}

fn check_access(object: &Kustomization, id: &ObjectId, options: &Options) -> Result<(), Problem> {
    if options.no_cross_namespace_refs && id.namespace != spec::namespace(object) {
        let message = format!("can't access '{id}', cross-namespace references have been blocked");
        return Err(Problem::denied(message));
    }
    match id.kind.as_str() {
        "ExternalArtifact" if !options.external_artifacts => Err(Problem::denied(format!(
            "can't access '{id}', ExternalArtifact feature gate is disabled"
        ))),
        "GitRepository" | "OCIRepository" | "Bucket" | "ExternalArtifact" => Ok(()),
        other => {
            let message = format!("source `{}` kind '{other}' not supported", id.name);
            Err(Problem::no_artifact(message, Retry::Dependency))
        }
    }
}

pub(crate) fn plural(kind: &str) -> &'static str {
    match kind {
        "GitRepository" => "gitrepositories",
        "OCIRepository" => "ocirepositories",
        "Bucket" => "buckets",
        _ => "externalartifacts",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn access_is_checked() {
        let object = |reference: Value| -> Kustomization {
            serde_json::from_value(
                json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
                "metadata": {"name": "a", "namespace": "n"},
                "spec": {"interval": "1m", "prune": true, "sourceRef": reference}}),
            )
            .unwrap()
        };
        let strict = Options { no_cross_namespace_refs: true, ..Options::default() };
        for (reference, options, expected) in [
            (json!({"kind": "GitRepository", "name": "s"}), &strict, None),
            (json!({"kind": "GitRepository", "name": "s", "namespace": ""}), &strict, None),
            (
                json!({"kind": "GitRepository", "name": "s", "namespace": "m"}),
                &Options::default(),
                None,
            ),
            (
                json!({"kind": "GitRepository", "name": "s", "namespace": "m"}),
                &strict,
                Some(
                    "can't access 'GitRepository/m/s', cross-namespace references have been blocked",
                ),
            ),
            (
                json!({"kind": "ExternalArtifact", "name": "s"}),
                &strict,
                Some(
                    "can't access 'ExternalArtifact/n/s', ExternalArtifact feature gate is disabled",
                ),
            ),
        ] {
            let object = object(reference);
            let denied = check_access(&object, &id(&object), options).err();
            assert_eq!(denied.map(|problem| problem.message).as_deref(), expected);
        }
    }
}
