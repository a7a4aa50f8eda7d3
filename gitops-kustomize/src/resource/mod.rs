//! An object under construction, with what the build must remember about it beside it.

mod books;
mod id;
mod origin;
mod values;

use std::sync::Arc;

use gitops_yaml::{Content, Mapping, Node, Scalar, Schema, Text};
use thin_vec::ThinVec;

use crate::{
    error::{Error, Location},
    trace::History,
};

use books::{Former, claimed, claimed_names};
pub(crate) use id::{Gvk, IdKey, NO_NAMESPACE, ResourceId};
pub(crate) use origin::Origin;
pub(crate) use values::{
    expect_scalar, made_key, made_string, rewrite_pairs, set_field, set_integer, set_string,
    set_untagged, wrong_kind,
};

/// What a generated object does to one that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behavior {
    #[default]
    Unspecified,
    Create,
    Merge,
    Replace,
}

impl Behavior {
    pub(crate) fn from_text(text: &str) -> Self {
        match text {
            "create" => Self::Create,
            "merge" => Self::Merge,
            "replace" => Self::Replace,
            _ => Self::Unspecified,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Create => "create",
            Self::Merge => "merge",
            Self::Replace => "replace",
        }
    }
}

/// The file and line at which an object was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadAt {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
}

impl ReadAt {
    pub(crate) fn location(&self) -> Location {
        Location { file: Arc::clone(&self.file), line: self.line, column: 1 }
    }
}

/// An object and its side table: what the original keeps in annotations of the object itself. There may
/// be many, most with little in their tables, so that lists are thin.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    node: Node,
    id: ResourceId,
    /// Former identities, oldest first. Their group and version are always the current ones.
    former: ThinVec<Former>,
    pub(crate) prefixes: ThinVec<Text>,
    pub(crate) suffixes: ThinVec<Text>,
    pub(crate) needs_hash: bool,
    pub(crate) behavior: Behavior,
    /// Whether a generator made it.
    pub(crate) is_generated: bool,
    /// Whether it comes from a chart, which chose its namespace.
    pub(crate) is_from_chart: bool,
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) transformations: ThinVec<Arc<Origin>>,
    /// The variables whose value this object holds.
    pub(crate) variables: ThinVec<Text>,
    pub(crate) read_at: Option<ReadAt>,
    /// What happened to its fields, in a build that is traced.
    pub(crate) history: Option<Box<History>>,
    /// The values that stand in several fields and change together.
    bonds: ThinVec<(u32, Scalar)>,
    last_bond: u32,
}

impl Resource {
    pub(crate) fn new(node: Node, schema: &Schema) -> Self {
        let id = id_of(&node, schema);
        Self {
            former: claimed_names(&node),
            prefixes: claimed(&node, "prefixes").map(Text::from).collect(),
            suffixes: claimed(&node, "suffixes").map(Text::from).collect(),
            node,
            id,
            needs_hash: false,
            behavior: Behavior::Unspecified,
            is_generated: false,
            is_from_chart: false,
            origin: None,
            transformations: ThinVec::new(),
            variables: ThinVec::new(),
            read_at: None,
            history: None,
            bonds: ThinVec::new(),
            last_bond: 0,
        }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn into_node(self) -> Node {
        self.node
    }

    /// Takes the object out for a while, so that it can be changed while the side tables of all are
    /// looked at.
    pub(crate) fn take_node(&mut self) -> Node {
        std::mem::take(&mut self.node)
    }

    /// Puts back what [`Self::take_node`] took.
    pub(crate) fn put_node(&mut self, node: Node) {
        self.node = node;
    }

    /// The object to change. The caller answers for calling [`Self::refresh`] where name, kind,
    /// namespace or API version may have changed.
    pub(crate) fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    /// Reads the identity anew; true when it is another one.
    pub(crate) fn refresh(&mut self, schema: &Schema) -> bool {
        self.sync_bonds();
        let id = id_of(&self.node, schema);
        let changed = id != self.id;
        self.id = id;
        changed
    }

    /// Reads group, version and kind anew, and nothing else.
    pub(crate) fn refresh_kind(&mut self) {
        let text = |key: &str| self.node.get(key).and_then(Node::text).unwrap_or_default();
        self.id.gvk = Gvk::new(text("apiVersion"), text("kind"));
    }

    /// The first of so many numbers for new bonds.
    pub(crate) fn new_bonds(&mut self, count: usize) -> u32 {
        let first = self.last_bond.saturating_add(1);
        self.last_bond = self.last_bond.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        first
    }

    /// Keeps the values that are bound with this number equal from now on.
    ///
    /// Quirk: the original puts one and the same value into all fields where it adds a label; who
    /// changes it in one of them later changes it in all.
    pub(crate) fn bind(&mut self, bond: u32, value: Scalar) {
        add(&mut self.bonds, (bond, value));
    }

    /// Carries a change of one bound value over to the others.
    pub(crate) fn sync_bonds(&mut self) {
        if self.bonds.is_empty() {
            return;
        }
        let mut changed = Vec::new();
        find_changed(&self.node, &self.bonds, &mut changed);
        if changed.is_empty() {
            return;
        }
        for (bond, value) in changed {
            for (own, old) in &mut self.bonds {
                if *own == bond {
                    *old = value.clone();
                }
            }
        }
        write_bound(&mut self.node, &self.bonds);
    }

    /// Forgets which values are bound, after the object was made anew.
    pub(crate) fn forget_bonds(&mut self) {
        self.bonds.clear();
    }

    pub(crate) fn id(&self) -> &ResourceId {
        &self.id
    }

    /// The identity that the object was read or generated with.
    pub(crate) fn original_id(&self) -> ResourceId {
        self.former_ids().next().unwrap_or_else(|| self.id.clone())
    }

    /// Former identities, oldest first.
    pub(crate) fn former_ids(&self) -> impl Iterator<Item = ResourceId> {
        self.former.iter().map(|former| ResourceId {
            gvk: Gvk {
                group: self.id.gvk.group.clone(),
                version: self.id.gvk.version.clone(),
                kind: former.kind.clone(),
            },
            name: former.name.clone(),
            namespace: former.namespace.clone(),
            cluster_scoped: false,
        })
    }

    /// Whether an object was of a kind that the selector means, before it was renamed.
    pub(crate) fn was_of_kind(&self, selector: &Gvk) -> bool {
        let Gvk { group, version, .. } = &self.id.gvk;
        (selector.group.is_empty() || selector.group == *group)
            && (selector.version.is_empty() || selector.version == *version)
            && self
                .former
                .iter()
                .any(|former| selector.kind.is_empty() || selector.kind == former.kind)
    }

    /// The effective namespace that the object was read or generated with.
    pub(crate) fn original_namespace(&self) -> &str {
        match self.former.first() {
            Some(former) if former.namespace.is_empty() => id::DEFAULT_NAMESPACE,
            Some(former) => &former.namespace,
            None => self.id.effective_namespace(),
        }
    }

    /// The group, version and kind that the object was read or generated with.
    pub(crate) fn original_gvk(&self) -> Gvk {
        let kind = self.former.first().map_or(&self.id.gvk.kind, |former| &former.kind);
        Gvk { kind: kind.clone(), ..self.id.gvk.clone() }
    }

    pub(crate) fn add_prefix(&mut self, prefix: Text) {
        add(&mut self.prefixes, prefix);
    }

    pub(crate) fn add_suffix(&mut self, suffix: Text) {
        add(&mut self.suffixes, suffix);
    }

    /// Former names, which may repeat.
    pub(crate) fn former_names(&self) -> impl Iterator<Item = &Text> {
        self.former.iter().map(|former| &former.name)
    }

    /// Former identities and the current one, in this order.
    pub(crate) fn all_ids(&self) -> impl Iterator<Item = ResourceId> {
        self.former_ids().chain([self.id.clone()])
    }

    /// Remembers the current identity before it changes.
    pub(crate) fn remember_id(&mut self) {
        let former = Former {
            kind: self.id.gvk.kind.clone(),
            name: self.id.name.clone(),
            namespace: self.id.effective_namespace().into(),
        };
        add(&mut self.former, former);
        // Quirk: the original writes this into the annotations, which are there by that.
        if let Some(annotations) = self.node.at_mut(["metadata", "annotations"])
            && annotations.is_empty()
        {
            *annotations = Node::from(Mapping::new());
        }
    }

    /// Forgets all that the original would have written into annotations that are gone now.
    pub(crate) fn forget_books(&mut self) {
        self.former.clear();
        self.prefixes.clear();
        self.suffixes.clear();
        self.transformations.clear();
        self.origin = None;
        self.needs_hash = false;
        self.behavior = Behavior::Unspecified;
        self.is_generated = false;
        self.is_from_chart = false;
    }

    pub(crate) fn set_name(&mut self, name: &str, schema: &Schema) {
        set_field(metadata_mut(&mut self.node), "name", name);
        self.refresh(schema);
    }

    pub(crate) fn set_namespace(&mut self, namespace: &str, schema: &Schema) {
        let metadata = metadata_mut(&mut self.node);
        if namespace.is_empty() {
            metadata.remove("namespace");
        } else {
            set_field(metadata, "namespace", namespace);
        }
        self.refresh(schema);
    }

    /// Whether the original would keep something about the object in its annotations.
    pub(crate) fn has_books(&self) -> bool {
        !self.former.is_empty()
            || !self.prefixes.is_empty()
            || !self.suffixes.is_empty()
            || !self.transformations.is_empty()
            || self.needs_hash
            || self.is_generated
            || self.is_from_chart
            || self.origin.is_some()
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.node.at(["metadata", "annotations", key]).and_then(Node::text)
    }

    pub(crate) fn set_annotation(&mut self, key: &str, value: &str) {
        metadata_mut(&mut self.node).mapping_or_insert("annotations").insert(key, value);
    }

    /// Places a failure where this object begins, if it was read.
    #[cold]
    pub(crate) fn locate(&self, error: Error) -> Error {
        let error = error.about(self.id.to_object_id());
        match &self.read_at {
            Some(read_at) if !read_at.file.is_empty() => {
                error.in_file(&*read_at.file).at_line(read_at.line, 1)
            }
            _ => error,
        }
    }

    /// Takes over everything that is remembered about `other`.
    pub(crate) fn inherit_side_table(&mut self, other: &Self) {
        self.former.clone_from(&other.former);
        self.prefixes.clone_from(&other.prefixes);
        self.suffixes.clone_from(&other.suffixes);
        self.variables.clone_from(&other.variables);
        self.behavior = other.behavior;
    }
}

/// Appends to a list that hardly ever gets more than one or two elements.
fn add<T>(list: &mut ThinVec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().max(1));
    }
    list.push(item);
}

fn find_changed(node: &Node, bonds: &[(u32, Scalar)], changed: &mut Vec<(u32, Scalar)>) {
    match node.content() {
        Content::Scalar(scalar) => {
            let Some(bond) = node.bond() else { return };
            if bonds.iter().any(|(own, value)| *own == bond && value != scalar) {
                changed.push((bond, scalar.clone()));
            }
        }
        Content::Mapping(mapping) => {
            // In the order in which the original walks: the last change counts.
            let mut fields: Vec<(&str, &Node)> = mapping.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            for (_, value) in fields {
                find_changed(value, bonds, changed);
            }
        }
        Content::Sequence(_) => {
            let items = node.as_sequence().unwrap_or_default();
            for item in items {
                find_changed(item, bonds, changed);
            }
        }
    }
}

fn write_bound(node: &mut Node, bonds: &[(u32, Scalar)]) {
    let bond = node.bond();
    match node.content_mut() {
        Content::Scalar(scalar) => {
            if let Some((_, value)) = bonds.iter().find(|(own, _)| Some(*own) == bond) {
                *scalar = value.clone();
            }
        }
        Content::Mapping(mapping) => {
            mapping.values_mut().for_each(|value| write_bound(value, bonds));
        }
        Content::Sequence(_) => {
            node.as_sequence_mut().into_iter().flatten().for_each(|item| write_bound(item, bonds));
        }
    }
}

fn id_of(node: &Node, schema: &Schema) -> ResourceId {
    let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
    let metadata = |key: &str| {
        node.get("metadata")
            .and_then(|metadata| metadata.get(key))
            .filter(|value| !value.is_null() || value.is_untyped())
            .and_then(Node::as_scalar)
            .map(Scalar::to_text)
            .unwrap_or_default()
    };
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    ResourceId {
        gvk: Gvk::new(api_version, kind),
        name: metadata("name"),
        namespace: metadata("namespace"),
        cluster_scoped: schema.is_namespaced(api_version, kind) == Some(false),
    }
}

fn metadata_mut(node: &mut Node) -> &mut Mapping {
    node.make_mapping().mapping_or_insert("metadata")
}
