//! Plan and apply: stages, dry runs, drift, apply.
//!
//! # Expected flow
//! Per stage: every object is checked, [`concurrency`](crate::ApplyOptions::concurrency) at a time.
//! A check costs nothing where the [`Record`] knows the object unchanged, one request where the
//! object does not exist (the dry run answers 201) and two where it does (dry run, read). When all
//! checks have passed, the [`Journal`] hears what is about to change; then the objects are applied
//! in order, neighbours of one kind at the same time. Definitions and classes are waited for.
//!
//! # Guarantees
//! Nothing of a stage is applied if one of its dry runs fails, except that an object that must be
//! recreated because of an immutable field is deleted before its own dry run can pass.
//!
//! Follows fluxcd/pkg `ssa/manager_apply.go`; differs in: managed fields are taken over when an
//! object is applied, after all dry runs have passed, and not during them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use gitops_core::{ObjectId, Scope, Stage};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    Action, ApiError, ApplyError, ApplyFailure, ApplyOptions, ApplyStage, ChangeSet, Cluster,
    Journal, Plan, Planned, Record, Resource, WaitOptions,
    cluster::Answer,
    compare, drift,
    ignore::IgnoreRules,
    managers, mask,
    object::{is_marked, object_id},
    record::payload_digest,
};

const APPLY_PATCH: &str = "application/apply-patch+yaml";
const JSON_PATCH: &str = "application/json-patch+json";

/// Applies objects to a cluster, deletes them, and waits for them.
#[derive(Clone, Debug)]
pub struct Applier {
    pub(crate) cluster: Cluster,
    pub(crate) record: Option<Record>,
}

/// A desired object on its way.
#[derive(Debug)]
struct Item {
    id: ObjectId,
    object: Value,
}

/// What a check found.
#[derive(Debug)]
struct Checked {
    id: ObjectId,
    action: Action,
    /// What to send; absent if there is nothing to do.
    payload: Option<Payload>,
    /// The object as it is after this turn, as far as it is known.
    live: Option<Value>,
    /// What the dry run answered.
    dry_run: Option<Value>,
}

#[derive(Debug)]
struct Payload {
    resource: Arc<Resource>,
    object: Value,
    /// Takes over managed fields first.
    takeover: Vec<Value>,
    digest: [u8; 32],
}

/// What holds for a whole apply.
struct Turn<'a> {
    options: &'a ApplyOptions,
    rules: IgnoreRules,
    /// Everything of the options that could change the result for an object.
    digest_context: String,
    /// Whether something may be changed (false: only planned).
    mutates: bool,
}

impl Applier {
    /// An applier without a record: every object is checked every time.
    pub fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            record: None,
        }
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
            matches!(
                item.id.kind.as_str(),
                "Namespace" | "CustomResourceDefinition"
            )
        });
        let created: Vec<(ObjectId, Value)> = created
            .map(|item| (item.id.clone(), item.object.clone()))
            .collect();
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
            plan.entries
                .extend(scope.run(checks.try_collect::<Vec<_>>()).await??);
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
            Box::new(ApplyFailure {
                error,
                done: done.clone(),
                partial,
            })
        };
        let mut done = ChangeSet::default();
        let none = ChangeSet::default;
        let turn = Turn::new(options, true).map_err(|error| fail(error, &done, none()))?;
        let stages = staged(objects, options).map_err(|error| fail(error, &done, none()))?;
        for (stage, items) in stages {
            let mut partial = ChangeSet::default();
            let applied = self
                .apply_stage(items, &turn, journal, scope, &mut partial)
                .await;
            let (changes, waited) = applied.map_err(|error| fail(error, &done, partial))?;
            done.append(changes);
            if stage.is_waited_for() {
                let wait = WaitOptions::stage(options.stage_timeout);
                self.wait_from(waited, &wait, scope)
                    .await
                    .map_err(|error| fail(error.into(), &done, none()))?;
            }
        }
        if let Some(record) = &self.record {
            let owned: Vec<ObjectId> = done.objects().cloned().collect();
            record.retain(&options.owner, &owned);
        }
        Ok(done)
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
        let checks: Vec<_> = items
            .into_iter()
            .map(|item| self.check(item, turn).boxed())
            .collect();
        let checks = stream::iter(checks).buffered(concurrency);
        let mut checked = scope.run(checks.try_collect::<Vec<_>>()).await??;
        let due: Vec<ObjectId> = checked
            .iter()
            .filter(|checked| checked.payload.is_some())
            .map(|checked| checked.id.clone())
            .collect();
        if !due.is_empty() {
            journal
                .about_to_apply(&due)
                .await
                .map_err(ApplyError::Journal)?;
        }

        let mut rest = checked.as_mut_slice();
        let mut count = 0;
        while let Some(first) = rest.first() {
            let kind = (first.id.group.clone(), first.id.kind.clone());
            let same = rest
                .iter()
                .take_while(|c| (&c.id.group, &c.id.kind) == (&kind.0, &kind.1));
            let (run, after) = rest.split_at_mut(same.count());
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

    /// Finds out what there is to do to an object.
    async fn check(&self, item: Item, turn: &Turn<'_>) -> Result<Checked, ApplyError> {
        let Item { mut id, mut object } = item;
        let options = turn.options;
        let resource = match self.cluster.resource_of(&id).await {
            Ok(resource) => resource,
            Err(_) if turn.is_excluded(&object) => return Ok(Checked::skipped(id)),
            Err(source) => return Err(dry_run_error(&id, &object, source)),
        };
        if !resource.namespaced && !id.namespace.is_empty() {
            // The API server would do the same; the inventory must not hold the namespace.
            id.namespace.clear();
            if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
                metadata.shift_remove("namespace");
            }
        }
        if turn.is_excluded(&object) {
            return Ok(Checked::skipped(id));
        }
        if resource.namespaced && id.namespace.is_empty() {
            return Err(dry_run_error(&id, &object, ApiError::no_such_path()));
        }
        let body = Bytes::from(object.to_string());
        let digest = payload_digest(&body, &turn.digest_context);
        let identity = self.cluster.identity();
        if let Some(record) = &self.record
            && !options.full_check
            && turn.mutates
            && record.is_unchanged(identity, &options.owner, &id, &resource, &digest)
        {
            return Ok(Checked {
                action: Action::Unchanged,
                ..Checked::skipped(id)
            });
        }

        let only_if_absent = is_marked(&object, &options.owner.key("ssa"), "IfNotPresent");
        if only_if_absent || options.migrate_api_version {
            let live = self
                .cluster
                .get_object(&resource, &id)
                .await
                .unwrap_or_default();
            if only_if_absent && live.is_some() {
                return Ok(Checked::skipped(id));
            }
            if let Some(found) = &live
                && turn.mutates
                && options.migrate_api_version
                && !turn.is_excluded(found)
            {
                self.migrate(&id, &resource, found, options).await?;
            }
        }

        let answer = match self.dry_run(&id, &resource, body.clone(), options).await {
            Ok(answer) => answer,
            Err(source) => {
                match self
                    .after_refusal(&id, &object, &resource, body, source, turn)
                    .await?
                {
                    Some(answer) => answer,
                    None => return Ok(Checked::skipped(id)),
                }
            }
        };
        let payload = |takeover| Payload {
            resource: Arc::clone(&resource),
            object,
            takeover,
            digest,
        };
        let dry_run = answer.object;
        if answer.code == StatusCode::CREATED {
            let payload = Some(payload(Vec::new()));
            return Ok(Checked {
                id,
                action: Action::Created,
                payload,
                live: None,
                dry_run: Some(dry_run),
            });
        }
        let live = self
            .cluster
            .get_object(&resource, &id)
            .await
            .map_err(|source| dry_run_error(&id, &dry_run, source))?
            .unwrap_or_default();
        if turn.is_excluded(&live) {
            return Ok(Checked::skipped(id));
        }
        let mut payload = payload(managers::takeover(
            &dry_run,
            &live,
            &options.owner.group,
            &options.field_manager,
            &options.override_managers,
        ));
        let drifted = drift::has_drifted(&live, &dry_run, &turn.rules);
        let is_due = drifted || !payload.takeover.is_empty();
        if is_due && !turn.rules.is_empty() {
            // Who owns a field counts after the takeover: what we take over would otherwise be
            // left out of the payload, and so removed.
            let mut owned = live.clone();
            if let Some(entries) = managers::entries_of(&payload.takeover) {
                owned["metadata"]["managedFields"] = entries.clone();
            }
            let manager = &options.field_manager;
            drift::spare_ignored(&mut payload.object, &owned, &dry_run, &turn.rules, manager);
        }
        if !is_due && let Some(record) = self.record.as_ref().filter(|_| turn.mutates) {
            record.remember(identity, &options.owner, &id, &resource, digest, &live);
        }
        let action = if is_due {
            Action::Configured
        } else {
            Action::Unchanged
        };
        let payload = is_due.then_some(payload);
        Ok(Checked {
            id,
            action,
            payload,
            live: Some(live),
            dry_run: Some(dry_run),
        })
    }

    /// A dry run was refused: is the object excluded (then nothing is given back), or must it be
    /// recreated (then the answer of the next dry run is)?
    async fn after_refusal(
        &self,
        id: &ObjectId,
        object: &Value,
        resource: &Resource,
        body: Bytes,
        source: ApiError,
        turn: &Turn<'_>,
    ) -> Result<Option<Answer>, ApplyError> {
        let refused = |source| dry_run_error(id, object, source);
        let Ok(Some(live)) = self.cluster.get_object(resource, id).await else {
            return Err(refused(source));
        };
        if turn.is_excluded(&live) {
            return Ok(None);
        }
        let force = turn.options.owner.key("force");
        let is_forced = turn.options.force
            || is_marked(object, &force, "enabled")
            || is_marked(&live, &force, "enabled");
        if !turn.mutates || !is_forced || !source.is_immutable() {
            return Err(refused(source));
        }
        let failed = |step| {
            let object = Box::new(id.clone());
            move |source| ApplyError::Recreate {
                object,
                step,
                source: Box::new(source),
            }
        };
        self.delete_object(resource, id, &live)
            .await
            .map_err(failed("delete object"))?;
        let deadline = tokio::time::Instant::now() + turn.options.stage_timeout;
        let wait = "wait for object to be deleted";
        while self
            .cluster
            .get_object(resource, id)
            .await
            .map_err(failed(wait))?
            .is_some()
        {
            if tokio::time::Instant::now() >= deadline {
                return Err(failed(wait)(ApiError::local("context deadline exceeded")));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.dry_run(id, resource, body, turn.options)
            .await
            .map(Some)
            .map_err(refused)
    }

    async fn dry_run(
        &self,
        id: &ObjectId,
        resource: &Resource,
        body: Bytes,
        options: &ApplyOptions,
    ) -> Result<Answer, ApiError> {
        let manager = crate::discovery::escape(&options.field_manager);
        let path = resource.object_path(&id.namespace, &id.name);
        let path = format!("{path}?dryRun=All&fieldManager={manager}&force=true");
        self.cluster
            .send(Method::PATCH, &path, Some(APPLY_PATCH), body)
            .await
    }

    async fn migrate(
        &self,
        id: &ObjectId,
        resource: &Resource,
        live: &Value,
        options: &ApplyOptions,
    ) -> Result<(), ApplyError> {
        let patch = managers::migration(live, &id.api_version());
        let migrated = self.patch_json(id, resource, patch, options).await;
        migrated.map_err(|source| ApplyError::Migrate {
            object: Box::new(id.clone()),
            source: Box::new(source),
        })
    }

    async fn patch_json(
        &self,
        id: &ObjectId,
        resource: &Resource,
        patch: Vec<Value>,
        options: &ApplyOptions,
    ) -> Result<(), ApiError> {
        if patch.is_empty() {
            return Ok(());
        }
        let manager = crate::discovery::escape(&options.field_manager);
        let path = resource.object_path(&id.namespace, &id.name);
        let path = format!("{path}?fieldManager={manager}");
        let body = Bytes::from(Value::from(patch).to_string());
        self.cluster
            .send(Method::PATCH, &path, Some(JSON_PATCH), body)
            .await
            .map(drop)
    }

    /// Sends what a check found to be due.
    async fn send_payload(&self, checked: &mut Checked, turn: &Turn<'_>) -> Result<(), ApplyError> {
        let Some(payload) = checked.payload.take() else {
            return Ok(());
        };
        let (id, options) = (&checked.id, turn.options);
        let Payload {
            resource,
            object,
            takeover,
            digest,
        } = payload;
        if let Some(record) = &self.record {
            record.drop_object(&options.owner, id);
        }
        self.patch_json(id, &resource, takeover, options)
            .await
            .map_err(|source| ApplyError::Cleanup {
                object: Box::new(id.clone()),
                source: Box::new(source),
            })?;
        let manager = crate::discovery::escape(&options.field_manager);
        let path = resource.object_path(&id.namespace, &id.name);
        let path = format!("{path}?fieldManager={manager}&force=true");
        let body = Bytes::from(object.to_string());
        let sent = self
            .cluster
            .send(Method::PATCH, &path, Some(APPLY_PATCH), body)
            .await;
        let answer = sent.map_err(|source| {
            let source = source.map_message(|text| mask::mask_message(text, &object));
            ApplyError::Apply {
                object: Box::new(id.clone()),
                source: Box::new(source),
            }
        })?;
        if id.kind == "CustomResourceDefinition"
            && let Some(group) = object["spec"]["group"].as_str()
        {
            self.cluster.discovery().forget(group);
        }
        if let Some(record) = &self.record {
            let identity = self.cluster.identity();
            record.remember(
                identity,
                &options.owner,
                id,
                &resource,
                digest,
                &answer.object,
            );
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
        match self
            .cluster
            .send(Method::DELETE, &path, Some("application/json"), body)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Checked {
    fn skipped(id: ObjectId) -> Self {
        Self {
            id,
            action: Action::Skipped,
            payload: None,
            live: None,
            dry_run: None,
        }
    }

    fn into_planned(self) -> Planned {
        let desired = if self.action == Action::Skipped {
            None
        } else {
            self.dry_run
        };
        Planned::new(self.id, self.action, self.live, desired)
    }
}

impl<'a> Turn<'a> {
    fn new(options: &'a ApplyOptions, mutates: bool) -> Result<Self, ApplyError> {
        let rules = IgnoreRules::compile(&options.ignore)?;
        let digest_context = format!(
            "{}|{:?}|{:?}|{}",
            options.field_manager,
            options.ignore,
            options.override_managers,
            options.migrate_api_version
        );
        Ok(Self {
            options,
            rules,
            digest_context,
            mutates,
        })
    }

    /// Whether an object, desired or live, asks to be left alone.
    fn is_excluded(&self, object: &Value) -> bool {
        let owner = &self.options.owner;
        is_marked(object, &owner.key("reconcile"), "disabled")
            || is_marked(object, &owner.key("ssa"), "Ignore")
    }
}

/// Sorts objects and divides them into stages; empty stages are left out.
fn staged(
    objects: Vec<Value>,
    options: &ApplyOptions,
) -> Result<Vec<(ApplyStage, Vec<Item>)>, ApplyError> {
    let mut items = objects
        .into_iter()
        .map(|object| {
            Ok(Item {
                id: object_id(&object)?,
                object,
            })
        })
        .collect::<Result<Vec<_>, ApplyError>>()?;
    items.sort_by(|a, b| compare(&a.id, &b.id));
    let mut stages: Vec<(ApplyStage, Vec<Item>)> = ApplyStage::ALL
        .into_iter()
        .map(|stage| (stage, Vec::new()))
        .collect();
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
    definitions
        .iter()
        .any(|(definition, object)| match definition.kind.as_str() {
            "Namespace" => definition.name == id.namespace,
            _ => {
                object["spec"]["group"] == *id.group && object["spec"]["names"]["kind"] == *id.kind
            }
        })
}

fn dry_run_error(id: &ObjectId, object: &Value, source: ApiError) -> ApplyError {
    let source = source.map_message(|text| mask::mask_message(text, object));
    ApplyError::DryRun {
        object: Box::new(id.clone()),
        source: Box::new(source),
    }
}

/// The calls can be spawned: this does not compile otherwise.
#[cfg(test)]
mod tests {
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
