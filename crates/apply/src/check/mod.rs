//! What there is to do to one object: dry run, drift, exclusions.

mod drift;
mod ignore;
mod managers;
mod undeclared;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gitops_core::ObjectId;
use http::{Method, StatusCode};
use serde_json::Value;

use self::ignore::IgnoreRules;
use crate::{
    Action, ApiError, Applier, ApplyError, ApplyOptions, Planned, Resource,
    applier::{APPLY_PATCH, JSON_PATCH, VALIDATION},
    cluster::Answer,
    object::{is_marked, mask_message},
    record::payload_digest,
};

pub use ignore::{IgnoreRule, IgnoreTarget};

/// A desired object on its way.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) id: ObjectId,
    pub(crate) object: Value,
}

/// What a check found.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) id: ObjectId,
    pub(crate) action: Action,
    /// What to send; absent if there is nothing to do.
    pub(crate) payload: Option<Payload>,
    /// The object as it is after this turn, as far as it is known.
    pub(crate) live: Option<Value>,
    /// What the dry run answered.
    pub(crate) dry_run: Option<Value>,
}

#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) resource: Arc<Resource>,
    pub(crate) object: Value,
    /// Takes over managed fields first.
    pub(crate) takeover: Vec<Value>,
    pub(crate) digest: [u8; 32],
}

/// What holds for a whole apply.
pub(crate) struct Turn<'a> {
    pub(crate) options: &'a ApplyOptions,
    pub(crate) rules: IgnoreRules,
    /// Everything of the options that could change the result for an object.
    pub(crate) digest_context: String,
    /// Whether something may be changed (false: only planned).
    pub(crate) mutates: bool,
}

/// A desired object and where it belongs.
struct Located {
    id: ObjectId,
    object: Value,
    resource: Arc<Resource>,
    /// The object as it is sent.
    body: Bytes,
    digest: [u8; 32],
}

impl Located {
    fn into_payload(self, takeover: Vec<Value>) -> (ObjectId, Payload) {
        let Self { id, object, resource, digest, .. } = self;
        (id, Payload { resource, object, takeover, digest })
    }
}

impl Checked {
    pub(crate) fn skipped(id: ObjectId) -> Self {
        Self { id, action: Action::Skipped, payload: None, live: None, dry_run: None }
    }

    pub(crate) fn into_planned(self) -> Planned {
        let desired = if self.action == Action::Skipped { None } else { self.dry_run };
        Planned::new(self.id, self.action, self.live, desired)
    }
}

impl<'a> Turn<'a> {
    pub(crate) fn new(options: &'a ApplyOptions, mutates: bool) -> Result<Self, ApplyError> {
        let rules = IgnoreRules::compile(&options.ignore)?;
        let digest_context = format!(
            "{}|{:?}|{:?}|{}",
            options.field_manager,
            options.ignore,
            options.override_managers,
            options.migrate_api_version
        );
        Ok(Self { options, rules, digest_context, mutates })
    }

    /// Whether an object, desired or live, asks to be left alone.
    pub(crate) fn is_excluded(&self, object: &Value) -> bool {
        let owner = &self.options.owner;
        is_marked(object, &owner.key("reconcile"), "disabled")
            || is_marked(object, &owner.key("ssa"), "Ignore")
    }
}

impl Applier {
    /// Finds out what there is to do to an object.
    pub(crate) async fn check(&self, item: Item, turn: &Turn<'_>) -> Result<Checked, ApplyError> {
        let mut located = match self.locate(item, turn).await? {
            Ok(located) => located,
            Err(skipped) => return Ok(Checked::skipped(skipped)),
        };
        if self.is_known_unchanged(&located, turn) {
            let skipped = Checked::skipped(located.id);
            return Ok(Checked { action: Action::Unchanged, ..skipped });
        }
        if self.is_settled_before(&located, turn).await? {
            return Ok(Checked::skipped(located.id));
        }
        let answer = match self.dry_run_declared(&mut located, turn.options).await {
            Ok(answer) => answer,
            Err(source) => match self.after_refusal(&located, source, turn).await? {
                Some(answer) => answer,
                None => return Ok(Checked::skipped(located.id)),
            },
        };
        if answer.code == StatusCode::CREATED {
            let (id, payload) = located.into_payload(Vec::new());
            return Ok(Checked {
                id,
                action: Action::Created,
                payload: Some(payload),
                live: None,
                dry_run: Some(answer.object),
            });
        }
        self.compare(located, answer.object, turn).await
    }

    /// Finds the resource of an object. Gives back the id alone of one that asks to be left alone.
    async fn locate(
        &self,
        item: Item,
        turn: &Turn<'_>,
    ) -> Result<Result<Located, ObjectId>, ApplyError> {
        let Item { mut id, mut object } = item;
        let resource = match self.cluster.resource_of(&id).await {
            Ok(resource) => resource,
            Err(_) if turn.is_excluded(&object) => return Ok(Err(id)),
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
            return Ok(Err(id));
        }
        if resource.namespaced && id.namespace.is_empty() {
            return Err(dry_run_error(&id, &object, ApiError::no_such_path()));
        }
        let body = Bytes::from(object.to_string());
        let digest = payload_digest(&body, &turn.digest_context);
        Ok(Ok(Located { id, object, resource, body, digest }))
    }

    fn is_known_unchanged(&self, located: &Located, turn: &Turn<'_>) -> bool {
        let Located { id, resource, digest, .. } = located;
        let (identity, owner) = (self.cluster.identity(), &turn.options.owner);
        turn.mutates
            && !turn.options.full_check
            && self
                .record
                .as_ref()
                .is_some_and(|record| record.is_unchanged(identity, owner, id, resource, digest))
    }

    /// What must be done before the dry run: objects that are wanted only where there is none need
    /// none, and managed fields of another API version would make it fail.
    async fn is_settled_before(
        &self,
        located: &Located,
        turn: &Turn<'_>,
    ) -> Result<bool, ApplyError> {
        let Located { id, object, resource, .. } = located;
        let options = turn.options;
        let only_if_absent = is_marked(object, &options.owner.key("ssa"), "IfNotPresent");
        if !only_if_absent && !options.migrate_api_version {
            return Ok(false);
        }
        let live = self.cluster.get_object(resource, id).await.unwrap_or_default();
        let Some(live) = live else { return Ok(false) };
        if !only_if_absent && turn.mutates && !turn.is_excluded(&live) {
            self.migrate(id, resource, &live, options).await?;
        }
        Ok(only_if_absent)
    }

    /// Compares the answer of a dry run with the live object.
    async fn compare(
        &self,
        located: Located,
        dry_run: Value,
        turn: &Turn<'_>,
    ) -> Result<Checked, ApplyError> {
        let options = turn.options;
        let live = self
            .cluster
            .get_object(&located.resource, &located.id)
            .await
            .map_err(|source| dry_run_error(&located.id, &dry_run, source))?
            .unwrap_or_default();
        if turn.is_excluded(&live) {
            return Ok(Checked::skipped(located.id));
        }
        let takeover = managers::takeover(
            &dry_run,
            &live,
            &options.owner.group,
            &options.field_manager,
            &options.override_managers,
        );
        if takeover.is_empty() && !drift::has_drifted(&live, &dry_run, &turn.rules) {
            if let Some(record) = self.record.as_ref().filter(|_| turn.mutates) {
                let Located { id, resource, digest, .. } = &located;
                let identity = self.cluster.identity();
                record.remember(identity, &options.owner, id, resource, *digest, &live);
            }
            let (id, action) = (located.id, Action::Unchanged);
            return Ok(Checked {
                id,
                action,
                payload: None,
                live: Some(live),
                dry_run: Some(dry_run),
            });
        }
        let (id, mut payload) = located.into_payload(takeover);
        if !turn.rules.is_empty() {
            // Who owns a field counts after the takeover: what we take over would otherwise be
            // left out of the payload, and so removed.
            let mut owned = live.clone();
            if let Some(entries) = managers::entries_of(&payload.takeover) {
                owned["metadata"]["managedFields"] = entries.clone();
            }
            let manager = &options.field_manager;
            drift::spare_ignored(&mut payload.object, &owned, &dry_run, &turn.rules, manager);
        }
        Ok(Checked {
            id,
            action: Action::Configured,
            payload: Some(payload),
            live: Some(live),
            dry_run: Some(dry_run),
        })
    }

    /// A dry run was refused: is the object excluded (then nothing is given back), or must it be
    /// recreated (then the answer of the next dry run is)?
    async fn after_refusal(
        &self,
        located: &Located,
        source: ApiError,
        turn: &Turn<'_>,
    ) -> Result<Option<Answer>, ApplyError> {
        let Located { id, object, resource, body, .. } = located;
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
            move |source| ApplyError::Recreate { object, step, source: Box::new(source) }
        };
        self.delete_object(resource, id, &live).await.map_err(failed("delete object"))?;
        let deadline = tokio::time::Instant::now() + turn.options.stage_timeout;
        let wait = "wait for object to be deleted";
        while self.cluster.get_object(resource, id).await.map_err(failed(wait))?.is_some() {
            if tokio::time::Instant::now() >= deadline {
                return Err(failed(wait)(ApiError::local("context deadline exceeded")));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.dry_run(id, resource, body.clone(), turn.options).await.map(Some).map_err(refused)
    }

    /// A dry run. Fields that a built-in kind does not have are left out, as if the object had been
    /// decoded into its Go type: Flux does so before it sends it.
    async fn dry_run_declared(
        &self,
        located: &mut Located,
        options: &ApplyOptions,
    ) -> Result<Answer, ApiError> {
        /// The API server names the fields of an object one at a time, or some at once.
        const ATTEMPTS: usize = 20;

        let mut attempt = 0;
        loop {
            let Located { id, resource, body, .. } = &*located;
            match self.dry_run(id, resource, body.clone(), options).await {
                Err(error)
                    if attempt < ATTEMPTS
                        && undeclared::is_builtin(&id.group)
                        && undeclared::remove(&mut located.object, error.message()) =>
                {
                    attempt += 1;
                    located.body = Bytes::from(located.object.to_string());
                }
                answer => return answer,
            }
        }
    }

    async fn dry_run(
        &self,
        id: &ObjectId,
        resource: &Resource,
        body: Bytes,
        options: &ApplyOptions,
    ) -> Result<Answer, ApiError> {
        let manager = crate::cluster::escape(&options.field_manager);
        let path = resource.object_path(&id.namespace, &id.name);
        let path = format!("{path}?dryRun=All&fieldManager={manager}&force=true&{VALIDATION}");
        self.cluster.send(Method::PATCH, &path, Some(APPLY_PATCH), body).await
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

    pub(crate) async fn patch_json(
        &self,
        id: &ObjectId,
        resource: &Resource,
        operations: Vec<Value>,
        options: &ApplyOptions,
    ) -> Result<(), ApiError> {
        if operations.is_empty() {
            return Ok(());
        }
        let manager = crate::cluster::escape(&options.field_manager);
        let path = resource.object_path(&id.namespace, &id.name);
        let path = format!("{path}?fieldManager={manager}");
        let body = Bytes::from(Value::from(operations).to_string());
        self.cluster.send(Method::PATCH, &path, Some(JSON_PATCH), body).await.map(drop)
    }
}

fn dry_run_error(id: &ObjectId, object: &Value, source: ApiError) -> ApplyError {
    let source = source.map_message(|text| mask_message(text, object));
    ApplyError::DryRun { object: Box::new(id.clone()), source: Box::new(source) }
}
