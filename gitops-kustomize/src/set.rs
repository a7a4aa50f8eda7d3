//! An ordered set of resources, with indexes by identity.

use std::collections::{BTreeSet, HashMap, HashSet};

use gitops_yaml::Schema;

use crate::{
    error::{Error, ErrorKind, Result},
    resource::{Behavior, IdKey, Resource, ResourceId, rewrite_pairs},
    words::{list, nearest},
};

/// Resources in the order in which they were added. No two have the same current identity when they
/// are added; transformers that change identities check again.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceSet {
    items: Vec<Resource>,
    /// Built on first use, dropped when an identity may have changed.
    current: Option<HashSet<IdKey>>,
    any: Option<HashMap<IdKey, Vec<usize>>>,
    /// Whether identities may have changed since they were known to differ.
    unchecked: bool,
}

impl ResourceSet {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.items.iter()
    }

    /// The resources to change. Indexes are dropped: identities may change.
    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Resource> {
        self.forget();
        self.items.iter_mut()
    }

    /// The resources to change in ways that leave their identities alone.
    pub(crate) fn contents_mut(&mut self) -> std::slice::IterMut<'_, Resource> {
        self.items.iter_mut()
    }

    pub(crate) fn get(&self, index: usize) -> &Resource {
        &self.items[index]
    }

    /// A resource to change without changing its identity.
    pub(crate) fn content_mut(&mut self, index: usize) -> &mut Resource {
        &mut self.items[index]
    }

    /// A resource to change. Indexes are dropped.
    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Resource {
        self.forget();
        &mut self.items[index]
    }

    pub(crate) fn into_vec(self) -> Vec<Resource> {
        self.items
    }

    /// Adds a resource at the end.
    pub(crate) fn append(&mut self, resource: Resource) -> Result<()> {
        let current = self
            .current
            .get_or_insert_with(|| self.items.iter().map(|item| item.id().key()).collect());
        if !current.insert(resource.id().key()) {
            let mut error = Error::new(
                ErrorKind::Conflict,
                format!("may not add resource with an already registered id: {}", resource.id()),
            )
            .about(resource.id().to_object_id());
            let twin = self.items.iter().find(|item| item.id().key() == resource.id().key());
            if let Some(read_at) = twin.and_then(|twin| twin.read_at.as_ref()) {
                error = error
                    .see(read_at.location())
                    .with_hint("remove one of the two, or make it a patch");
            }
            if let Some(read_at) = &resource.read_at {
                error = error.in_file(&*read_at.file).at_line(read_at.line, 1);
            }
            return Err(error);
        }
        if let Some(any) = &mut self.any {
            index_one(any, self.items.len(), &resource);
        }
        if self.items.len() == self.items.capacity() {
            // Half of it more, not as much again: this is the largest list of a build.
            self.items.reserve_exact((self.items.len() / 2).max(4));
        }
        self.items.push(resource);
        Ok(())
    }

    /// Adds all resources of another set at the end.
    pub(crate) fn append_all(&mut self, other: Self) -> Result<()> {
        if self.items.is_empty() && !other.unchecked {
            *self = other;
            return Ok(());
        }
        self.items.reserve(other.items.len());
        other.items.into_iter().try_for_each(|resource| self.append(resource))
    }

    /// Adds a generated resource, or merges it into the one that is there, as its behavior has it.
    pub(crate) fn absorb(&mut self, mut resource: Resource, schema: &Schema) -> Result<()> {
        let id = resource.id().clone();
        let fail = |message: String| {
            Err(Error::new(ErrorKind::Conflict, message).about(id.to_object_id()))
        };
        match *self.matching_any(&id).as_slice() {
            [] => match resource.behavior {
                Behavior::Merge | Behavior::Replace => {
                    fail(format!("id {} does not exist; cannot merge or replace", go_id(&id)))
                        .map_err(|error| {
                            error.at_field("behavior").with_hint(self.near(&id)).expecting(
                        "a ConfigMap or Secret of that name in a base, or `behavior: create`",
                    )
                        })
                }
                _ => self.append(resource),
            },
            [index] => {
                let old = &self.items[index];
                resource.history.clone_from(&old.history);
                match resource.behavior {
                    Behavior::Replace => take_over_metadata(&mut resource, old, schema),
                    Behavior::Merge => {
                        let origin = old.origin.clone();
                        take_over_metadata(&mut resource, old, schema);
                        crate::generate::merge_data(&mut resource, old);
                        resource.origin = origin.or(resource.origin);
                    }
                    behavior => {
                        return fail(format!(
                            "id {} exists; can not use behavior: '{}', behavior must be merge or replace",
                            go_id(&id),
                            behavior.as_str(),
                        ))
                        .map_err(|error| {
                            let error = match &old.read_at {
                                Some(read_at) => error.see(read_at.location()),
                                None => error,
                            };
                            error
                                .at_field("behavior")
                                .expecting("`behavior: merge` or `behavior: replace`")
                                .with_hint("an object of that name is there already")
                        });
                    }
                }
                *self.get_mut(index) = resource;
                Ok(())
            }
            _ => fail(format!("found multiple objects that could accept merge of {id}")),
        }
    }

    /// The places of the resources that have, or once had, the identity.
    pub(crate) fn matching_any(&mut self, id: &ResourceId) -> Vec<usize> {
        let any = self.any.get_or_insert_with(|| {
            let mut any = HashMap::with_capacity(self.items.len());
            for (index, item) in self.items.iter().enumerate() {
                index_one(&mut any, index, item);
            }
            any
        });
        any.get(&id.key()).cloned().unwrap_or_default()
    }

    /// The one resource that has, or once had, the identity.
    pub(crate) fn find_any(&mut self, id: &ResourceId) -> Result<usize> {
        let problem = match *self.matching_any(id).as_slice() {
            [index] => return Ok(index),
            [] => "no",
            _ => "multiple",
        };
        let message =
            format!("{problem} matches for Id {id}; failed to find unique target for patch {id}");
        let error =
            Error::new(ErrorKind::Reference, message).about(id.to_object_id()).expecting(format!(
                "the patch's apiVersion, kind, name and namespace to be those of one object: {id}"
            ));
        Err(if problem == "no" {
            error.with_hint(self.near(id))
        } else {
            error.with_hint("name the namespace in the patch, or use `patches` with a `target`")
        })
    }

    /// What may have been meant by an identity that no resource has: a hint.
    pub(crate) fn near(&self, id: &ResourceId) -> String {
        if self.items.is_empty() {
            return "there are no objects yet; name their files under `resources`".to_owned();
        }
        let shown = |resource: &Resource| resource.original_id().to_string();
        // A selector without a kind may mean any.
        let is_of_kind =
            |item: &&Resource| id.gvk.kind.is_empty() || item.id().gvk.kind == id.gvk.kind;
        let of_kind = || self.items.iter().filter(is_of_kind);
        let same_name = |item: &&Resource| item.all_ids().any(|own| own.name == id.name);
        if let Some(twin) = of_kind().find(same_name) {
            return format!(
                "there is {}; group, version, name and namespace must be those before any prefix or namespace was set",
                shown(twin)
            );
        }
        let originals: Vec<ResourceId> = of_kind().map(Resource::original_id).collect();
        let names = || originals.iter().map(|own| own.name.as_str());
        if let Some(near) = nearest(&id.name, names()) {
            return format!("did you mean the name {near:?}?");
        }
        if originals.is_empty() {
            let kinds: BTreeSet<&str> =
                self.items.iter().map(|item| item.id().gvk.kind.as_str()).collect();
            return match nearest(&id.gvk.kind, kinds.iter().copied()) {
                Some(near) => format!("did you mean the kind {near:?}?"),
                None => format!(
                    "there is no object of kind {:?}; there are: {}",
                    id.gvk.kind.as_str(),
                    list(&kinds.into_iter().collect::<Vec<_>>()),
                ),
            };
        }
        let all: Vec<String> = of_kind().map(shown).collect();
        {
            let what = if id.gvk.kind.is_empty() { "the objects" } else { "objects of that kind" };
            format!("{what} are: {}", list(&all))
        }
    }

    /// Replaces the content by what `keep` returns for each resource.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Resource) -> bool) {
        self.forget();
        self.items.retain(|resource| keep(resource));
    }

    /// Fails if two resources have the same current identity.
    pub(crate) fn check_unique(&mut self, describe: impl Fn(&Resource) -> String) -> Result<()> {
        self.forget();
        let mut seen = HashSet::with_capacity(self.items.len());
        for item in &self.items {
            let id = item.id();
            if !seen.insert((&id.gvk, &id.name, id.effective_namespace())) {
                let twin = self.items.iter().find(|other| other.id().key() == item.id().key());
                let mut error =
                    Error::new(ErrorKind::Conflict, describe(item)).about(item.id().to_object_id());
                if let Some(twin) = twin {
                    error = error.with_hint(format!(
                        "{} and {} are the same object after this step",
                        twin.original_id(),
                        item.original_id(),
                    ));
                    if let Some(read_at) = &twin.read_at {
                        error = error.see(read_at.location());
                    }
                }
                return Err(error);
            }
        }
        self.unchecked = false;
        Ok(())
    }

    /// As [`Self::check_before_sort`], in the words for a set that is added to another one.
    pub(crate) fn check_before_merge(&mut self) -> Result<()> {
        if !self.unchecked {
            return Ok(());
        }
        self.check_unique(|resource| {
            format!("may not add resource with an already registered id: {}", resource.id())
        })
    }

    /// Fails if two resources have the same identity, where that is not known to be otherwise.
    pub(crate) fn check_before_sort(&mut self) -> Result<()> {
        if !self.unchecked {
            return Ok(());
        }
        self.check_unique(|resource| {
            format!(
                "SortOrderTransformer: Failed to append to resources: may not add resource with an already registered id: {}",
                resource.id()
            )
        })
    }

    pub(crate) fn sort_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&Resource) -> K) {
        self.any = None;
        self.items.sort_by_cached_key(key);
    }

    fn forget(&mut self) {
        self.unchecked = true;
        self.current = None;
        self.any = None;
    }
}

fn index_one(any: &mut HashMap<IdKey, Vec<usize>>, index: usize, resource: &Resource) {
    for id in resource.all_ids() {
        let places = any.entry(id.key()).or_default();
        if places.last() != Some(&index) {
            places.push(index);
        }
    }
}

/// Gives a generated resource the name, labels, annotations and side table of the one it replaces.
fn take_over_metadata(resource: &mut Resource, old: &Resource, schema: &Schema) {
    for field in ["labels", "annotations"] {
        let Some(inherited) =
            old.node().at(["metadata", field]).and_then(|node| node.as_mapping()).cloned()
        else {
            continue;
        };
        let metadata = resource.node_mut().make_mapping().mapping_or_insert("metadata");
        let own = metadata.mapping_or_insert(field);
        for (key, value) in inherited.iter() {
            if !own.contains_key(key) {
                own.insert(key, value.clone());
            }
        }
    }
    rewrite_pairs(resource.node_mut(), "labels");
    rewrite_pairs(resource.node_mut(), "annotations");
    if resource.transformations.is_empty() {
        resource.transformations.clone_from(&old.transformations);
    }
    resource.needs_hash &= old.needs_hash;
    resource.set_name(&old.id().name, schema);
    resource.set_namespace(&old.id().namespace, schema);
    resource.inherit_side_table(old);
}

/// An identity as Go's `%#v` prints it.
fn go_id(id: &ResourceId) -> String {
    let ResourceId { gvk, name, namespace, cluster_scoped } = id;
    format!(
        "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, isClusterScoped:{cluster_scoped}}}, Name:{:?}, Namespace:{:?}}}",
        gvk.group.as_str(),
        gvk.version.as_str(),
        gvk.kind.as_str(),
        name.as_str(),
        namespace.as_str(),
    )
}
