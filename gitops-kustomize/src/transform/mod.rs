//! What the fields of a kustomization file do to resources: one transformer per module.
//!
//! Follows kustomize's `api/internal/builtins` and `api/filters`.

mod field_path;
mod images;
mod labels;
pub(crate) mod name_refs;
mod namespace;
mod patches;
mod prefix_suffix;
mod replacements;
mod replicas;
pub(crate) mod selector;
pub(crate) mod sort;
mod value_add;
pub(crate) mod variables;

use std::{fmt::Debug, sync::Arc};

use gitops_yaml::{Node, Schema};
pub(crate) use images::{ImageList, Images};
pub(crate) use labels::{AddPairs, label_specs};
pub(crate) use namespace::{Namespace, SubjectMode};
pub(crate) use patches::{Json6902, PatchStep, StrategicMerge};
pub(crate) use prefix_suffix::{Affix, AffixKind};
pub(crate) use replacements::Replacements;
pub(crate) use replicas::Replicas;
pub(crate) use value_add::{AddTarget, ValueAdd};

use crate::{
    build::Build,
    config::TransformerConfig,
    error::{Entry, Error, Result},
    file::Kustomization,
    load::Loader,
    resource::{Origin, rewrite_pairs},
    set::ResourceSet,
};

/// A change of a set of resources, ready to run.
pub(crate) trait Transform: Debug {
    /// Changes the set. What a step empties is dropped by the step itself.
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()>;

    /// After a run: which of its entries matched nothing, counted from the first one, and why.
    fn idle(&self, _: &ResourceSet) -> Vec<(usize, String)> {
        Vec::new()
    }
}

/// A field of a kustomization file, or an element of one, ready to run.
#[derive(Debug)]
pub(crate) struct Step {
    /// The name of kustomize's plugin.
    pub(crate) kind: &'static str,
    /// Where it stands in the file.
    pub(crate) entry: Entry,
    pub(crate) transform: Box<dyn Transform>,
}

/// The steps of a kustomization file in kustomize's order.
///
/// With `apart`, what could be done to all objects in one walk is a step for each entry, so that each
/// change has its own cause.
///
/// # Errors
/// With the entry that is wrong.
pub(crate) fn steps(
    file: &Kustomization,
    apart: bool,
    config: &Arc<TransformerConfig>,
    loader: &Loader<'_>,
    schema: &Schema,
) -> Result<Vec<Step>, (Error, Entry)> {
    let mut steps: Vec<Step> = Vec::new();
    let mut add = |kind: &'static str, entry: Entry, transform: Box<dyn Transform>| {
        steps.push(Step { kind, entry, transform });
    };
    if !file.patches_strategic_merge.is_empty() {
        let entry = Entry("patchesStrategicMerge", None);
        let step = StrategicMerge::configured(&file.patches_strategic_merge, loader, schema)
            .map_err(|error| (error, entry))?;
        add("PatchStrategicMergeTransformer", entry, Box::new(step));
    }
    for (index, patch) in file.patches.iter().enumerate() {
        let entry = Entry("patches", Some(index));
        let step = PatchStep::new(patch, loader, schema).map_err(|error| (error, entry))?;
        add("PatchTransformer", entry, Box::new(step));
    }
    if !file.namespace.is_empty() {
        let step = Namespace::new(&file.namespace, &config.namespace);
        add("NamespaceTransformer", Entry("namespace", None), Box::new(step));
    }
    if !file.name_prefix.is_empty() {
        let step = Affix::new(AffixKind::Prefix, &file.name_prefix, config.name_prefix.clone());
        add("PrefixTransformer", Entry("namePrefix", None), Box::new(step));
    }
    if !file.name_suffix.is_empty() {
        let step = Affix::new(AffixKind::Suffix, &file.name_suffix, config.name_suffix.clone());
        add("SuffixTransformer", Entry("nameSuffix", None), Box::new(step));
    }
    if !file.labels.is_empty() || !file.common_labels.is_empty() {
        for (index, label) in file.labels.iter().enumerate() {
            let entry = Entry("labels", Some(index));
            let specs = label_specs(label, config).map_err(|error| (error, entry))?;
            add("LabelTransformer", entry, Box::new(AddPairs::new(label.pairs.clone(), specs)));
        }
        let step = AddPairs::new(file.common_labels.clone(), config.common_labels.to_vec());
        add("LabelTransformer", Entry("commonLabels", None), Box::new(step));
    }
    if !file.common_annotations.is_empty() {
        let step =
            AddPairs::new(file.common_annotations.clone(), config.common_annotations.to_vec());
        add("AnnotationsTransformer", Entry("commonAnnotations", None), Box::new(step));
    }
    for (index, patch) in file.patches_json6902.iter().enumerate() {
        let entry = Entry("patchesJson6902", Some(index));
        let step = Json6902::new(patch, loader).map_err(|error| (error, entry))?;
        add("PatchJson6902Transformer", entry, Box::new(step));
    }
    for (index, replica) in file.replicas.iter().enumerate() {
        let step = Replicas::new(replica.clone(), config.replicas.to_vec());
        add("ReplicaCountTransformer", Entry("replicas", Some(index)), Box::new(step));
    }
    if !apart && file.images.len() > 1 {
        let step = ImageList::new(&file.images, &config.images);
        add("ImageTagTransformer", Entry("images", Some(0)), Box::new(step));
    }
    let singly = if apart || file.images.len() == 1 { &file.images[..] } else { &[] };
    for (index, image) in singly.iter().enumerate() {
        let step = Images::new(image.clone(), config.images.clone());
        add("ImageTagTransformer", Entry("images", Some(index)), Box::new(step));
    }
    if !file.replacements.is_empty() {
        let entry = Entry("replacements", None);
        let step = Replacements::new(&file.replacements, loader).map_err(|error| (error, entry))?;
        add("ReplacementTransformer", entry, Box::new(step));
    }
    Ok(steps)
}

/// Notes a transformation on every resource. One without an origin is taken to be made by it.
pub(crate) fn note(set: &mut ResourceSet, origin: &Arc<Origin>) {
    for resource in set.contents_mut() {
        // Quirk: to note it, the original writes all annotations anew.
        let annotations = resource.node().at(["metadata", "annotations"]);
        if annotations.is_some_and(|pairs| pairs.is_mapping() && !pairs.is_empty()) {
            rewrite_pairs(resource.node_mut(), "annotations");
        }
        if resource.origin.is_none() {
            resource.origin = Some(Arc::clone(origin));
        } else {
            resource.transformations.push(Arc::clone(origin));
        }
    }
}

/// Takes a label off an object, and the mapping of labels with it where that becomes empty.
pub(crate) fn remove_label(node: &mut Node, key: &str) {
    remove_pair(node, "labels", key);
}

/// Takes a label or annotation off an object; false when it was not there.
pub(crate) fn remove_pair(node: &mut Node, field: &str, key: &str) -> bool {
    let Some(metadata) = node.get_mut("metadata").and_then(Node::as_mapping_mut) else {
        return false;
    };
    let Some(pairs) = metadata.get_mut(field).and_then(Node::as_mapping_mut) else { return false };
    if pairs.remove(key).is_none() {
        return false;
    }
    if pairs.is_empty() {
        metadata.remove(field);
    }
    true
}
