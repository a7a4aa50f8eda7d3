//! Strategic merge patches.

use gitops_yaml::{Mapping, Node, Schema};

use super::{super::Transform, drop_empty, locate};
use crate::{
    build::Build,
    error::{Error, ErrorKind, Result},
    load::Loader,
    read::read_patches,
    resource::{Resource, rewrite_pairs, set_field},
    set::ResourceSet,
    transform::remove_pair,
};

/// Patches that name their target by their own kind, name and namespace.
#[derive(Debug)]
pub(crate) struct StrategicMerge {
    patches: Vec<Resource>,
    /// The entry of each patch.
    entries: Vec<usize>,
}

impl StrategicMerge {
    /// Reads the field `patchesStrategicMerge`.
    pub(crate) fn configured(
        entries: &[String],
        loader: &Loader<'_>,
        schema: &Schema,
    ) -> Result<Self> {
        Self::from_entries(entries, loader, schema).map_err(|error| {
            let paths: Mapping = [("paths", Node::sequence(entries.iter().cloned()))].into_iter().collect();
            let config = gitops_yaml::to_yaml(&Node::from(paths)).unwrap_or_default();
            error.context(format!(
                "trouble configuring builtin PatchStrategicMergeTransformer with config: `\n{config}`",
            ))
        })
    }

    /// Reads entries, each a patch itself or a file of them.
    pub(crate) fn from_entries(
        entries: &[String],
        loader: &Loader<'_>,
        schema: &Schema,
    ) -> Result<Self> {
        let mut step = Self { patches: Vec::new(), entries: Vec::new() };
        for (index, entry) in entries.iter().enumerate() {
            if let Ok(read) = read_patches(entry.as_bytes(), "", schema) {
                step.patches.extend(read);
            } else {
                let content = loader
                    .read(entry)
                    .map_err(|error| loader.suggest(error, entry).at_index(index))?;
                let name = loader.name_of(entry);
                step.patches.extend(read_patches(&content, &name, schema).map_err(|error| {
                    let malformed = error.to_string().starts_with("MalformedYAMLError");
                    let error = error.in_file(name.as_str());
                    if malformed {
                        error.reword(|text| format!("{text} in File: {entry}"))
                    } else {
                        error
                    }
                })?);
            }
            step.entries.resize(step.patches.len(), index);
        }
        if step.patches.is_empty() {
            let files = entries.join(" ");
            let message = format!("patch appears to be empty; files=[{files}], Patch=");
            return Err(Error::new(ErrorKind::Field, message)
                .expecting("at least one object with apiVersion, kind and metadata.name"));
        }
        for patch in &mut step.patches {
            settle_metadata(patch.node_mut());
        }
        Ok(step)
    }
}

impl Transform for StrategicMerge {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for (patch, entry) in self.patches.iter().zip(&self.entries) {
            build.scope.check()?;
            let index = set
                .find_any(&patch.original_id())
                .and_then(|index| {
                    merge_into(set, index, patch.node(), Allowed::default(), build)?;
                    Ok(index)
                })
                .map_err(|error| locate(error, patch).at_index(*entry))?;
            if set.get(index).node().is_empty() {
                drop_empty(set);
                continue;
            }
            if let Some(step) = &build.step {
                let file = patch.read_at.as_ref().map_or("", |read_at| &read_at.file);
                set.content_mut(index).trace(|| step.cause_of_patch(file, 0, Some(*entry)));
            }
        }
        Ok(())
    }
}

/// What a strategic merge patch may change besides the content.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Allowed {
    pub(super) name: bool,
    pub(super) kind: bool,
}

/// Merges a patch into a resource. Kind, name and namespace stay, unless a change is allowed.
/// Returns whether the identity changed.
pub(super) fn merge_into(
    set: &mut ResourceSet,
    index: usize,
    patch: &Node,
    allowed: Allowed,
    build: &Build<'_>,
) -> Result<bool> {
    let schema = &*build.schema;
    build.schema_in_use.set(true);
    let may_rename = allowed.name || allowed.kind;
    if may_rename {
        set.get_mut(index).remember_id();
    }
    let resource = set.content_mut(index);
    let id = resource.id().to_object_id();
    let kept =
        [("name", resource.id().name.clone()), ("namespace", resource.id().namespace.clone())];
    let kind = resource.node().get("kind").cloned();
    let marked = clears_annotations(patch) && resource.has_books();
    if marked {
        resource.set_annotation(MARK, "");
    }
    gitops_yaml::merge_strategic(resource.node_mut(), patch, schema).map_err(|error| {
        let secret = id.kind == "Secret";
        let error = Error::from(error).about(id);
        if secret { error.without_contents() } else { error }
    })?;
    if resource.node().is_empty() {
        return Ok(false);
    }
    if marked && !remove_pair(resource.node_mut(), "annotations", MARK) {
        resource.forget_books();
    }
    if patch.doubled().is_some()
        && let Some(complaint) = resource.node().doubled()
    {
        let message = format!("yaml: unmarshal errors:\n  {complaint}");
        return Err(Error::new(ErrorKind::Syntax, message).about(resource.id().to_object_id()));
    }
    let object = resource.node_mut().make_mapping();
    if !allowed.kind
        && let Some(kind) = kind
    {
        object.insert("kind", kind);
    }
    let metadata = object.mapping_or_insert("metadata");
    for (key, text) in kept {
        if key == "name" && allowed.name {
            continue;
        }
        if text.is_empty() {
            metadata.remove(key);
        } else {
            // Quirk: the text comes back, in the style that the patch has for it.
            set_field(metadata, key, &text);
        }
    }
    let changed = resource.refresh(schema);
    if changed {
        // The indexes are dropped.
        set.get_mut(index);
    }
    Ok(changed)
}

/// Stands for the original's books while a patch is merged that may take the annotations away.
const MARK: &str = "internal.config.kubernetes.io/books";

/// Whether a patch says more of annotations than which to set.
fn clears_annotations(patch: &Node) -> bool {
    let directs = |node: &Node| node.is_null() || node.get("$patch").is_some();
    patch.get("$patch").is_some()
        || patch.get("metadata").is_some_and(|metadata| {
            directs(metadata) || metadata.get("annotations").is_some_and(directs)
        })
}

/// Quirk: labels and annotations of a patch become strings, `null` too, unless it finds its object by
/// its own name.
pub(super) fn settle_metadata(patch: &mut Node) {
    rewrite_pairs(patch, "labels");
    rewrite_pairs(patch, "annotations");
}
