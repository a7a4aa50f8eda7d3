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
pub(crate) use images::Images;
pub(crate) use labels::{AddPairs, label_specs};
pub(crate) use namespace::{Namespace, SubjectMode};
pub(crate) use patches::{Json6902, PatchStep, StrategicMerge};
pub(crate) use prefix_suffix::{Affix, AffixKind};
pub(crate) use replacements::Replacements;
pub(crate) use replicas::Replicas;
pub(crate) use value_add::{AddTarget, ValueAdd};

use crate::{
    build::Build, config::TransformerConfig, error::Result, file::Kustomization, load::Loader,
    resource::Origin, set::ResourceSet,
};

/// A change of a set of resources, ready to run.
pub(crate) trait Transform: Debug {
    /// Changes the set. What a step empties is dropped by the step itself.
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()>;
}

/// The steps of a kustomization file in kustomize's order, each with the name of its plugin.
pub(crate) fn steps(
    file: &Kustomization,
    config: &Arc<TransformerConfig>,
    loader: &Loader<'_>,
    schema: &Schema,
) -> Result<Vec<(&'static str, Box<dyn Transform>)>> {
    let mut steps: Vec<(&'static str, Box<dyn Transform>)> = Vec::new();
    if !file.patches_strategic_merge.is_empty() {
        let step = StrategicMerge::from_entries(&file.patches_strategic_merge, loader, schema)?;
        steps.push(("PatchStrategicMergeTransformer", Box::new(step)));
    }
    for patch in &file.patches {
        steps.push(("PatchTransformer", Box::new(PatchStep::new(patch, loader, schema)?)));
    }
    if !file.namespace.is_empty() {
        let step = Namespace::new(&file.namespace, &config.namespace);
        steps.push(("NamespaceTransformer", Box::new(step)));
    }
    if !file.name_prefix.is_empty() {
        let step = Affix::new(AffixKind::Prefix, &file.name_prefix, &config.name_prefix);
        steps.push(("PrefixTransformer", Box::new(step)));
    }
    if !file.name_suffix.is_empty() {
        let step = Affix::new(AffixKind::Suffix, &file.name_suffix, &config.name_suffix);
        steps.push(("SuffixTransformer", Box::new(step)));
    }
    if !file.labels.is_empty() || !file.common_labels.is_empty() {
        for label in &file.labels {
            let step = AddPairs::new(label.pairs.clone(), label_specs(label, config)?);
            steps.push(("LabelTransformer", Box::new(step)));
        }
        let step = AddPairs::new(file.common_labels.clone(), config.common_labels.clone());
        steps.push(("LabelTransformer", Box::new(step)));
    }
    if !file.common_annotations.is_empty() {
        let step =
            AddPairs::new(file.common_annotations.clone(), config.common_annotations.clone());
        steps.push(("AnnotationsTransformer", Box::new(step)));
    }
    for patch in &file.patches_json6902 {
        steps.push(("PatchJson6902Transformer", Box::new(Json6902::new(patch, loader)?)));
    }
    for replica in &file.replicas {
        let step = Replicas::new(replica.clone(), config.replicas.clone());
        steps.push(("ReplicaCountTransformer", Box::new(step)));
    }
    for image in &file.images {
        let step = Images::new(image.clone(), config.images.clone());
        steps.push(("ImageTagTransformer", Box::new(step)));
    }
    if !file.replacements.is_empty() {
        let step = Replacements::new(&file.replacements, loader)?;
        steps.push(("ReplacementTransformer", Box::new(step)));
    }
    Ok(steps)
}

/// Notes a transformation on every resource. One without an origin is taken to be made by it.
pub(crate) fn note(set: &mut ResourceSet, origin: &Origin) {
    for resource in set.contents_mut() {
        if resource.origin.is_none() {
            resource.origin = Some(origin.clone());
        } else {
            resource.transformations.push(origin.clone());
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
