//! How to apply: for whom, under which name, and what to leave alone.

use std::{collections::BTreeSet, fmt::Debug, time::Duration};

use async_trait::async_trait;
use gitops_core::ObjectId;
use serde_json::Value;

use crate::{IgnoreRule, object::set_metadata};

/// The object in whose name others are applied: a Kustomization.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The prefix of labels and annotations, e.g. `kustomize.toolkit.fluxcd.io`.
    pub group: String,
    /// The namespace of the owner.
    pub namespace: String,
    /// The name of the owner.
    pub name: String,
}

impl Owner {
    /// An owner of the Kustomization kind.
    pub fn kustomization(namespace: &str, name: &str) -> Self {
        Self {
            group: "kustomize.toolkit.fluxcd.io".into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The labels that mark what the owner owns: `<group>/name` and `<group>/namespace`.
    pub fn labels(&self) -> [(String, &str); 2] {
        [(self.key("name"), &self.name), (self.key("namespace"), &self.namespace)]
    }

    /// Puts the owner's labels on an object.
    pub fn mark(&self, object: &mut Value) {
        for (key, value) in self.labels() {
            set_metadata(object, "labels", &key, value);
        }
    }

    /// Whether an object carries the owner's labels.
    pub fn owns(&self, object: &Value) -> bool {
        self.labels().iter().all(|(key, value)| object["metadata"]["labels"][key] == **value)
    }

    /// `<group>/<word>`.
    pub fn key(&self, word: &str) -> String {
        format!("{}/{word}", self.group)
    }
}

/// How to apply. [`ApplyOptions::new`] gives the behaviour of Flux's kustomize-controller.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApplyOptions {
    /// Whose objects these are.
    pub owner: Owner,
    /// The field manager; `kustomize-controller` for Flux's objects.
    pub field_manager: String,
    /// Recreate objects whose immutable fields changed.
    pub force: bool,
    /// Fields that others may own.
    pub ignore: Vec<IgnoreRule>,
    /// Field managers beside kubectl's whose fields are taken over, by prefix of their names.
    pub override_managers: Vec<String>,
    /// `group/Kind`s that are applied in a stage of their own, before the rest.
    pub custom_stage_kinds: BTreeSet<(String, String)>,
    /// Move managed fields to the API version of the desired object first.
    pub migrate_api_version: bool,
    /// How many requests run at once.
    pub concurrency: usize,
    /// How long definitions and classes may take to become ready.
    pub stage_timeout: Duration,
    /// Ask the API server about every object, even where the record says that nothing changed.
    pub full_check: bool,
}

impl ApplyOptions {
    /// The defaults of kustomize-controller: four requests at once, a minute for definitions.
    pub fn new(owner: Owner, field_manager: impl Into<String>) -> Self {
        Self {
            owner,
            field_manager: field_manager.into(),
            force: false,
            ignore: Vec::new(),
            override_managers: Vec::new(),
            custom_stage_kinds: BTreeSet::new(),
            migrate_api_version: false,
            concurrency: 4,
            stage_timeout: Duration::from_mins(1),
            full_check: false,
        }
    }
}

/// Is told what will be owned before it is created, so that a crash in between leaves no orphan.
#[async_trait]
pub trait Journal: Debug + Send + Sync {
    /// Called once per stage in which something is applied, before the first of its changes, with
    /// the objects of the stage that will be created or changed. Nothing is applied when it fails.
    ///
    /// # Errors
    /// A text that says why nothing could be recorded.
    async fn about_to_apply(&self, objects: &[ObjectId]) -> Result<(), String>;
}

/// Records nothing: for callers without a memory of their own.
#[derive(Clone, Copy, Debug)]
pub struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    async fn about_to_apply(&self, _: &[ObjectId]) -> Result<(), String> {
        Ok(())
    }
}
