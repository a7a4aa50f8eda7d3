//! An ordered set of resources, with indexes by identity.

use std::collections::{HashMap, HashSet};

use gitops_yaml::Schema;

use crate::{
    error::{Error, ErrorKind, Result},
    resource::{Behavior, IdKey, Resource, ResourceId},
};

/// Resources in the order in which they were added. No two have the same current identity when they
/// are added; transformers that change identities check again.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceSet {
    items: Vec<Resource>,
    /// Built on first use, dropped when an identity may have changed.
    current: Option<HashSet<IdKey>>,
    any: Option<HashMap<IdKey, Vec<usize>>>,
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
                error = error.with_hint(format!(
                    "the same object stands in {}:{}",
                    read_at.file, read_at.line
                ));
            }
            if let Some(read_at) = &resource.read_at {
                error = error.in_file(&*read_at.file).at_line(read_at.line, 1);
            }
            return Err(error);
        }
        if let Some(any) = &mut self.any {
            index_one(any, self.items.len(), &resource);
        }
        self.items.push(resource);
        Ok(())
    }

    /// Adds all resources of another set at the end.
    pub(crate) fn append_all(&mut self, other: Self) -> Result<()> {
        if self.items.is_empty() {
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
                }
                _ => self.append(resource),
            },
            [index] => {
                let old = &self.items[index];
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
                        ));
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
        let mut error = Error::new(ErrorKind::Reference, message).about(id.to_object_id());
        if problem == "no"
            && let Some(near) = self
                .items
                .iter()
                .find(|item| item.id().name == id.name && item.id().gvk.kind == id.gvk.kind)
        {
            error = error.with_hint(format!("there is {}; name and namespace must be those before any prefix or namespace was set", near.original_id()));
        }
        Err(error)
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
            if !seen.insert(item.id().key()) {
                return Err(
                    Error::new(ErrorKind::Conflict, describe(item)).about(item.id().to_object_id())
                );
            }
        }
        self.current = Some(seen);
        Ok(())
    }

    pub(crate) fn sort_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&Resource) -> K) {
        self.any = None;
        self.items.sort_by_cached_key(key);
    }

    fn forget(&mut self) {
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
