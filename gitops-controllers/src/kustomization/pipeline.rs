//! What a turn begins with: the spec, the source and the dependencies.

use std::{collections::BTreeMap, sync::Arc};

use gitops_api::{
    kustomize::Kustomization,
    meta::{self, annotation, reason},
};
use gitops_apply::{ApiError, Cluster, Record};
use gitops_core::{Class, ObjectId, Stage, one_line};

use super::{
    Options,
    inputs::{
        dependencies::{self, DependencyError},
        source::{self, Resolved},
        spec,
    },
    problem::{Problem, Retry, Tell},
    seams::{Artifacts, Build},
    triggers::Known,
    turn::Turn,
};
use crate::runtime::{Attempt, Observer, Stop};

/// What turns work with.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) cluster: Cluster,
    /// Of the own cluster; objects in other clusters are always checked.
    pub(crate) record: Record,
    pub(crate) artifacts: Arc<dyn Artifacts>,
    pub(crate) build: Arc<dyn Build>,
    pub(crate) known: Known,
    pub(crate) options: Arc<Options>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Pipeline {
    /// Brings the cluster to what the Kustomization wants.
    pub(crate) async fn reconcile(
        &self,
        object: &Kustomization,
        attempt: &mut Attempt<Kustomization>,
    ) -> Result<(), Stop> {
        let checks = spec::health_checks(object)
            .map_err(|error| Problem::invalid_expression(Stage::Validate, &error))?;
        self.check_gates(object)?;
        let resolved = source::resolve(&self.cluster, &self.known, object, &self.options).await?;
        let key = (spec::namespace(object).to_owned(), spec::name(object).to_owned());
        self.known.begin(key, &resolved.artifact.revision);
        attempt.describe("revision", &resolved.artifact.revision);
        if let Some(origin) = &resolved.origin_revision {
            attempt.describe("originRevision", origin);
        }
        self.check_dependencies(object, &resolved).await?;
        let turn = Turn { pipeline: self, object, timeout: spec::timeout(object) };
        turn.run(&resolved, checks, attempt).await
    }

    fn check_gates(&self, object: &Kustomization) -> Result<(), Problem> {
        let names_account = object
            .spec
            .decryption
            .as_ref()
            .and_then(|decryption| decryption.service_account_name.as_deref())
            .is_some_and(|name| !name.is_empty());
        if !names_account || self.options.object_level_workload_identity {
            return Ok(());
        }
        let message = "to use spec.decryption.serviceAccountName for decryption authentication \
                       please enable the ObjectLevelWorkloadIdentity feature gate in the controller";
        let reason = reason::FEATURE_GATE_DISABLED;
        let problem = Problem::text(Stage::Validate, reason, Class::Unsupported, message.into());
        Err(Problem { retry: Retry::Never, ..problem })
    }

    async fn check_dependencies(
        &self,
        object: &Kustomization,
        resolved: &Resolved,
    ) -> Result<(), Problem> {
        for reference in &object.spec.depends_on {
            let key = dependencies::key_of(reference, spec::namespace(object));
            let judged = self.check_dependency(object, reference, &key, resolved).await;
            let error = match judged {
                Ok(()) => continue,
                Err(error) => error,
            };
            if matches!(error, DependencyError::Malformed { .. }) {
                return Err(Problem::invalid_expression(Stage::Dependencies, &error));
            }
            if matches!(error, DependencyError::Denied(_)) {
                return Err(Problem::denied(one_line(&error)));
            }
            let pause = meta::Duration::from(self.options.dependency_interval);
            let event = format!("Dependencies do not meet ready condition, retrying in {pause}");
            let reason = reason::DEPENDENCY_NOT_READY;
            return Err(Problem {
                event: Some(event.into()),
                tell: Tell::Info,
                retry: Retry::Dependency,
                ..Problem::failed(Stage::Dependencies, reason, &error)
            });
        }
        Ok(())
    }

    async fn check_dependency(
        &self,
        object: &Kustomization,
        reference: &meta::Dependency,
        key: &dependencies::Key,
        resolved: &Resolved,
    ) -> Result<(), DependencyError> {
        let shown = format!("{}/{}", key.0, key.1);
        if self.options.no_cross_namespace_refs && key.0 != spec::namespace(object) {
            return Err(DependencyError::Denied(shown));
        }
        let is_additive = self.options.additive_cel_dependency_check;
        let revision = &resolved.artifact.revision;
        // What the cache calls ready was ready; what it does not may be by now.
        if let Some(known) = self.known.kustomization(key)
            && dependencies::check(object, reference, &known, revision, is_additive).await.is_ok()
        {
            return Ok(());
        }
        let found = self.cluster.get(&kustomization_id(key)).await;
        let missing = |error| DependencyError::NotFound(shown.clone(), Box::new(error));
        let dependency = found.map_err(missing)?.ok_or_else(|| {
            let plural = "kustomizations.kustomize.toolkit.fluxcd.io";
            missing(ApiError::not_found(plural, &key.1))
        })?;
        let judged =
            dependencies::check(object, reference, &dependency, revision, is_additive).await;
        if matches!(judged, Err(DependencyError::NotReady(_)))
            && let Some(path) = self.find_cycle(object, key, &dependency).await
        {
            return Err(DependencyError::Cycle(path));
        }
        judged
    }

    /// Looks whether a dependency that is not ready waits for us.
    async fn find_cycle(
        &self,
        object: &Kustomization,
        key: &dependencies::Key,
        dependency: &serde_json::Value,
    ) -> Option<String> {
        /// A step costs a request where the cache does not know the object.
        const STEP_LIMIT: usize = 20;

        let own = (spec::namespace(object).to_owned(), spec::name(object).to_owned());
        let edges = |value: &serde_json::Value, namespace: &str| -> Vec<dependencies::Key> {
            serde_json::from_value::<Kustomization>(value.clone())
                .map(|object| {
                    let references = object.spec.depends_on.iter();
                    references.map(|r| dependencies::key_of(r, namespace)).collect()
                })
                .unwrap_or_default()
        };
        let mut known = BTreeMap::from([
            (own.clone(), vec![key.clone()]),
            (key.clone(), edges(dependency, &key.0)),
        ]);
        for _ in 0..STEP_LIMIT {
            if let Some(path) =
                dependencies::cycle(&own, |key| known.get(key).cloned().unwrap_or_default())
            {
                return Some(path);
            }
            let next = known.values().flatten().find(|key| !known.contains_key(*key)).cloned()?;
            let found = match self.known.kustomization(&next) {
                Some(known) => Some(known),
                None => self.cluster.get(&kustomization_id(&next)).await.ok().flatten(),
            };
            let found = found.map(|value| edges(&value, &next.0)).unwrap_or_default();
            known.insert(next, found);
        }
        None
    }
}

pub(crate) fn kustomization_id(key: &dependencies::Key) -> ObjectId {
    let api_version = format!("{}/v1", annotation::KUSTOMIZE_GROUP);
    ObjectId::new(&api_version, "Kustomization", &key.0, &key.1)
}
