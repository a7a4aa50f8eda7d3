//! Plan and apply: stages, dry runs, drift, apply.
//!
//! # Expected flow
//! Per stage: every object is checked, [`concurrency`](crate::ApplyOptions::concurrency) at a time.
//! A check costs nothing where the [`Record`] knows the object unchanged, one request where the
//! object does not exist (the dry run answers 201) and two where it does (dry run, read). When all
//! checks have passed, the [`Journal`] hears what is about to change; then the objects are applied
//! in order, those that do not rely on each other at the same time. Definitions and classes are waited for.
//!
//! # Guarantees
//! Nothing of a stage is applied if one of its dry runs fails, except that an object that must be
//! recreated because of an immutable field is deleted before its own dry run can pass.
//!
//! Follows fluxcd/pkg `ssa/manager_apply.go`; differs in: managed fields are taken over when an
//! object is applied, after all dry runs have passed, and not during them; and objects of several
//! kinds are sent at the same time, where Flux sends one after the other.

use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use gitops_core::{ObjectId, Scope, Stage};
use http::Method;
use serde_json::{Value, json};

use crate::{
    Action, ApiError, ApplyError, ApplyFailure, ApplyOptions, ApplyStage, ChangeSet, Cluster,
    Journal, Plan, Planned, Record, Resource, WaitOptions,
    check::{Checked, Item, Payload, Turn},
    compare,
    object::{mask_message, object_id, wave},
};

pub(crate) const APPLY_PATCH: &str = "application/apply-patch+yaml";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
/// Fields that a kind does not have are refused or pruned all the same. What this turns off is a
/// second, strict decoding for warnings that nobody reads, a fifth of the cost of a dry run.
pub(crate) const VALIDATION: &str = "fieldValidation=Ignore";

/// How long it is waited for a new kind after its definition is established.
const SERVED_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked for.
const SERVED_INTERVAL: Duration = Duration::from_millis(100);

/// Applies objects to a cluster, deletes them, and waits for them.
#[derive(Clone, Debug)]
pub struct Applier {
    pub(crate) cluster: Cluster,
    pub(crate) record: Option<Record>,
}

impl Applier {
    /// An applier without a record: every object is checked every time.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, record: None }
    }

    /// An applier that skips what the record knows unchanged. The record must be of the same
    /// cluster; the identity may differ.
    #[must_use]
    pub fn with_record(mut self, record: Record) -> Self {
        self.record = Some(record);
        self
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What an apply would do. Changes nothing. Objects whose namespace or kind would be created by
    /// the same apply count as created.
    ///
    /// # Errors
    /// The first object whose dry run fails.
    pub async fn plan(
        &self,
        objects: Vec<Value>,
        options: &ApplyOptions,
        scope: &Scope,
    ) -> Result<Plan, ApplyError> {
        let turn = Turn::new(options, false)?;
        let mut plan = Plan::default();
        let stages = staged(objects, options)?;
        let created = stages.iter().flat_map(|(_, items)| items).filter(|item| {
            matches!(item.id.kind.as_str(), "Namespace" | "CustomResourceDefinition")
        });
        let created: Vec<(ObjectId, Value)> =
            created.map(|item| (item.id.clone(), item.object.clone())).collect();
        for (_, items) in stages {
            let (turn, created) = (&turn, &created);
            let checks = items.into_iter().map(|item| {
                let check = async move {
                    let id = item.id.clone();
                    match self.check(item, turn).await {
                        Err(ApplyError::DryRun { .. }) if is_prepared_by(created, &id) => {
                            Ok(Planned::new(id, Action::Created, None, None))
                        }
                        Err(error) => Err(error),
                        Ok(checked) => Ok(checked.into_planned()),
                    }
                };
                check.boxed()
            });
            let checks = stream::iter(checks.collect::<Vec<_>>());
            let checks = checks.buffered(options.concurrency.max(1));
            plan.entries.extend(scope.run(checks.try_collect::<Vec<_>>()).await??);
        }
        Ok(plan)
    }

    /// Applies objects. They are sorted, and applied stage by stage.
    ///
    /// # Errors
    /// [`ApplyFailure`] tells what was done before the failure.
    ///
    /// # Cancel safety
    /// Every request is complete or was never sent; what was applied stays and the journal knows it.
    pub async fn apply(
        &self,
        objects: Vec<Value>,
        options: &ApplyOptions,
        journal: &dyn Journal,
        scope: &Scope,
    ) -> Result<ChangeSet, Box<ApplyFailure>> {
        let fail = |error, done: &ChangeSet, partial| {
            Box::new(ApplyFailure { error, done: done.clone(), partial })
        };
        let mut done = ChangeSet::default();
        let none = ChangeSet::default;
        let turn = Turn::new(options, true).map_err(|error| fail(error, &done, none()))?;
        let stages = staged(objects, options).map_err(|error| fail(error, &done, none()))?;
        for (stage, items) in stages {
            let mut partial = ChangeSet::default();
            let applied = self.apply_stage(items, &turn, journal, scope, &mut partial).await;
            let (changes, waited) = applied.map_err(|error| fail(error, &done, partial))?;
            done.append(changes);
            if stage.is_waited_for() {
                let wait = WaitOptions::stage(options.stage_timeout);
                let defined: Vec<(String, String)> = waited.iter().flat_map(kinds_of).collect();
                self.wait_from(waited, &wait, scope)
                    .await
                    .map_err(|error| fail(error.into(), &done, none()))?;
                let served = scope.run(self.wait_until_served(&defined)).await;
                served.map_err(|error| fail(error.into(), &done, none()))?;
            }
        }
        if let Some(record) = &self.record {
            let owned: Vec<ObjectId> = done.objects().cloned().collect();
            record.retain(&options.owner, &owned);
        }
        Ok(done)
    }

    /// Waits until kinds that were just defined can be looked up: an API server may tell of them a
    /// moment after it accepted their definition, and another turn may have asked in vain meanwhile.
    /// What is not served in time fails where it is used.
    async fn wait_until_served(&self, kinds: &[(String, String)]) {
        let deadline = tokio::time::Instant::now() + SERVED_WITHIN;
        let discovery = self.cluster.discovery();
        for (api_version, kind) in kinds {
            while discovery.resource(&self.cluster, api_version, kind).await.is_err()
                && tokio::time::Instant::now() < deadline
            {
                discovery.forget(api_version.split('/').next().unwrap_or_default());
                tokio::time::sleep(SERVED_INTERVAL).await;
            }
        }
    }

    /// Checks and applies a stage. Gives back the changes and, of each object that may not be ready
    /// yet, its state.
    async fn apply_stage(
        &self,
        items: Vec<Item>,
        turn: &Turn<'_>,
        journal: &dyn Journal,
        scope: &Scope,
        partial: &mut ChangeSet,
    ) -> Result<(ChangeSet, Vec<(ObjectId, Option<Value>)>), ApplyError> {
        let total = items.len() as u64;
        let concurrency = turn.options.concurrency.max(1);
        let checks: Vec<_> = items.into_iter().map(|item| self.check(item, turn).boxed()).collect();
        let checks = stream::iter(checks).buffered(concurrency);
        let mut checked = scope.run(checks.try_collect::<Vec<_>>()).await??;
        let due: Vec<ObjectId> = checked
            .iter()
            .filter(|checked| checked.payload.is_some())
            .map(|checked| checked.id.clone())
            .collect();
        if !due.is_empty() {
            journal.about_to_apply(&due).await.map_err(ApplyError::Journal)?;
        }

        let mut rest = checked.as_mut_slice();
        let mut count = 0;
        while let Some(first) = rest.first() {
            let current = wave(&first.id);
            let same = rest.iter().take_while(|checked| wave(&checked.id) == current);
            let same = same.count();
            let (run, after) = rest.split_at_mut(same);
            rest = after;
            let sends = run.iter_mut().map(|checked| {
                let send = async move {
                    scope.check()?;
                    self.send_payload(checked, turn).await?;
                    Ok::<_, ApplyError>((checked.id.clone(), checked.action))
                };
                send.boxed()
            });
            let mut sends = stream::iter(sends.collect::<Vec<_>>()).buffered(concurrency);
            while let Some(sent) = sends.next().await {
                let (id, action) = sent?;
                partial.push(id, action);
                count += 1;
                scope.advance(Stage::Apply, count, Some(total));
            }
        }
        let waited = checked
            .into_iter()
            .filter(|checked| checked.live.is_some() && checked.action != Action::Skipped)
            .map(|checked| (checked.id, checked.live));
        Ok((std::mem::take(partial), waited.collect()))
    }

    /// Sends what a check found to be due.
    async fn send_payload(&self, checked: &mut Checked, turn: &Turn<'_>) -> Result<(), ApplyError> {
        let Some(payload) = checked.payload.take() else {
            return Ok(());
        };
        let (id, options) = (&checked.id, turn.options);
        let Payload { resource, object, takeover, digest } = payload;
        if let Some(record) = &self.record {
            record.drop_object(&options.owner, id);
        }
        self.patch_json(id, &resource, takeover, options).await.map_err(|source| {
            ApplyError::Cleanup { object: Box::new(id.clone()), source: Box::new(source) }
        })?;
        let manager = crate::cluster::escape(&options.field_manager);
        let path = resource.object_path(&id.namespace, &id.name);
        let path = format!("{path}?fieldManager={manager}&force=true&{VALIDATION}");
        let body = Bytes::from(object.to_string());
        let sent = self.cluster.send(Method::PATCH, &path, Some(APPLY_PATCH), body).await;
        let answer = sent.map_err(|source| {
            let source = source.map_message(|text| mask_message(text, &object));
            ApplyError::Apply { object: Box::new(id.clone()), source: Box::new(source) }
        })?;
        if id.kind == "CustomResourceDefinition"
            && let Some(group) = object["spec"]["group"].as_str()
        {
            self.cluster.discovery().forget(group);
        }
        if let Some(record) = &self.record {
            let identity = self.cluster.identity();
            record.remember(identity, &options.owner, id, &resource, digest, &answer.object);
        }
        checked.live = Some(answer.object);
        Ok(())
    }

    /// Deletes an object if it is still the one that was seen.
    pub(crate) async fn delete_object(
        &self,
        resource: &Resource,
        id: &ObjectId,
        live: &Value,
    ) -> Result<(), ApiError> {
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": {"uid": live["metadata"]["uid"]},
        });
        let path = resource.object_path(&id.namespace, &id.name);
        let body = Bytes::from(options.to_string());
        match self.cluster.send(Method::DELETE, &path, Some("application/json"), body).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The kinds that a definition serves, by API version; none of anything else.
fn kinds_of((id, live): &(ObjectId, Option<Value>)) -> Vec<(String, String)> {
    let Some(spec) = live.as_ref().map(|live| &live["spec"]) else { return Vec::new() };
    if id.kind != "CustomResourceDefinition" {
        return Vec::new();
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, kind) = (text(&spec["group"]), text(&spec["names"]["kind"]));
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let served = versions.iter().filter(|version| version["served"] == true);
    served.map(|version| (format!("{group}/{}", text(&version["name"])), kind.clone())).collect()
}

/// Sorts objects and divides them into stages; empty stages are left out.
fn staged(
    objects: Vec<Value>,
    options: &ApplyOptions,
) -> Result<Vec<(ApplyStage, Vec<Item>)>, ApplyError> {
    let mut items = objects
        .into_iter()
        .map(|object| Ok(Item { id: object_id(&object)?, object }))
        .collect::<Result<Vec<_>, ApplyError>>()?;
    items.sort_by(|a, b| compare(&a.id, &b.id));
    let mut stages: Vec<(ApplyStage, Vec<Item>)> =
        ApplyStage::ALL.into_iter().map(|stage| (stage, Vec::new())).collect();
    for item in items {
        let stage = ApplyStage::of(&item.id, &options.custom_stage_kinds);
        let slot = stages.iter_mut().find(|(known, _)| *known == stage);
        slot.expect("ALL has every stage").1.push(item);
    }
    stages.retain(|(_, items)| !items.is_empty());
    Ok(stages)
}

/// Whether the namespace or the definition that an object needs is applied with it.
fn is_prepared_by(definitions: &[(ObjectId, Value)], id: &ObjectId) -> bool {
    definitions.iter().any(|(definition, object)| match definition.kind.as_str() {
        "Namespace" => definition.name == id.namespace,
        _ => object["spec"]["group"] == *id.group && object["spec"]["names"]["kind"] == *id.kind,
    })
}

/// The calls can be spawned: this does not compile otherwise.
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spawnable<F: Future + Send>(_: F) {}

    #[allow(dead_code, reason = "compiling it is the test")]
    fn calls_can_be_spawned(applier: &Applier, options: &ApplyOptions, scope: &Scope) {
        spawnable(applier.apply(Vec::new(), options, &crate::NoJournal, scope));
        spawnable(applier.plan(Vec::new(), options, scope));
        spawnable(applier.delete(&[], &options.owner, scope));
        spawnable(applier.wait(&[], &WaitOptions::new(Duration::ZERO), scope));
    }
}
