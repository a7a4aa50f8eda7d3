//! `labels`, `commonLabels` and `commonAnnotations`.

use std::collections::BTreeMap;

use gitops_yaml::Node;

use super::Transform;
use crate::{
    build::Build,
    config::{Creates, FieldSpec, TransformerConfig, merge_all, merge_one},
    error::{Error, Result},
    file::Label,
    resource::{Gvk, Resource, made_key, made_string, set_string, wrong_kind},
    set::ResourceSet,
};

/// Adds pairs to mappings.
#[derive(Debug)]
pub(crate) struct AddPairs {
    pairs: Vec<Pair>,
    specs: Vec<FieldSpec>,
    /// Whether the pairs go one by one through all fields, as in the original: it shows where a field
    /// that is not to be made is made all the same, by what comes after it.
    one_by_one: bool,
}

/// A pair as it is added; what is added shares the texts.
#[derive(Debug)]
struct Pair {
    key: Node,
    value: Node,
}

impl AddPairs {
    pub(crate) fn new(pairs: BTreeMap<String, String>, specs: Vec<FieldSpec>) -> Self {
        let pair = |(key, value): (&String, &String)| Pair {
            key: made_key(key),
            value: made_string(value),
        };
        let made_later = |(at, spec): (usize, &FieldSpec)| {
            !spec.create
                && specs[at + 1..].iter().any(|later| later.create && later.leads_through(spec))
        };
        let one_by_one = pairs.len() > 1 && specs.iter().enumerate().any(made_later);
        Self { pairs: pairs.iter().map(pair).collect(), specs, one_by_one }
    }
}

impl Transform for AddPairs {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        for (index, resource) in set.contents_mut().enumerate() {
            build.check_at(index)?;
            self.apply(resource)?;
        }
        Ok(())
    }
}

impl AddPairs {
    pub(crate) fn apply(&self, resource: &mut Resource) -> Result<()> {
        let first = resource.new_bonds(self.pairs.len());
        let mut added: Vec<(u32, u32, &Node)> =
            (first..).zip(&self.pairs).map(|(bond, pair)| (bond, 0, &pair.value)).collect();
        let step = if self.one_by_one { 1 } else { self.pairs.len() };
        for (pairs, added) in self.pairs.chunks(step).zip(added.chunks_mut(step)) {
            for spec in &self.specs {
                spec.apply(resource, Creates::Mapping, &mut |node| add_to(node, pairs, added))?;
            }
        }
        for (bond, count, value) in added {
            if count > 1
                && let Some(value) = value.as_scalar()
            {
                resource.bind(bond, value.clone());
            }
        }
        resource.sync_bonds();
        Ok(())
    }
}

/// Adds the pairs to a mapping; `added` counts how often each was new.
fn add_to(node: &mut Node, pairs: &[Pair], added: &mut [(u32, u32, &Node)]) -> Result<()> {
    if node.is_null() {
        return Ok(());
    }
    if !node.is_mapping() {
        return Err(wrong_kind(node, "MappingNode"));
    }
    let Some(mapping) = node.as_mapping_mut() else { return Ok(()) };
    let is_new = |pair: &&Pair| pair.key.text().is_some_and(|key| !mapping.contains_key(key));
    let new = pairs.iter().filter(is_new).count();
    mapping.reserve(new);
    for (Pair { key, value }, (bond, count, _)) in pairs.iter().zip(added) {
        let (Some(name), Some(text)) = (key.text(), value.as_scalar()) else { continue };
        match mapping.get_mut(name).filter(|node| !node.is_null()) {
            Some(node) => set_string(node, text.to_text()),
            None => {
                let mut node = value.clone();
                node.bind(*bond);
                *count += 1;
                mapping.remove(name);
                mapping.push(key.clone(), node);
            }
        }
    }
    Ok(())
}

/// The fields that an entry of `labels` is written to.
pub(crate) fn label_specs(label: &Label, config: &TransformerConfig) -> Result<Vec<FieldSpec>> {
    let fail = |error: Error| error.context("failed to merge labels");
    let mut specs = label.fields.clone();
    merge_all(&mut specs, &config.labels).map_err(fail)?;
    if label.include_selectors {
        merge_all(&mut specs, &config.common_labels).map_err(fail)?;
        return Ok(specs);
    }
    if label.include_templates {
        merge_all(&mut specs, &config.template_labels)
            .map_err(|error| error.context("failed to merge template fieldSpec"))?;
    }
    if label.include_volume_claim_templates {
        merge_all(&mut specs, &config.volume_claim_template_labels)
            .map_err(|error| error.context("failed to merge volumeClaimTemplate fieldSpec"))?;
    }
    let own = FieldSpec::new(Gvk::default(), "metadata/labels", true);
    merge_one(&mut specs, &own).map_err(fail)?;
    Ok(specs)
}
