//! `labels`, `commonLabels` and `commonAnnotations`.

use std::collections::BTreeMap;

use gitops_yaml::Node;

use super::Transform;
use crate::{
    build::Build,
    config::{Creates, FieldSpec, TransformerConfig, merge_all, merge_one},
    error::{Error, ErrorKind, Result},
    file::Label,
    resource::{Gvk, set_string},
    set::ResourceSet,
};

/// Adds pairs to mappings.
#[derive(Debug)]
pub(crate) struct AddPairs {
    pairs: BTreeMap<String, String>,
    specs: Vec<FieldSpec>,
}

impl AddPairs {
    pub(crate) fn new(pairs: BTreeMap<String, String>, specs: Vec<FieldSpec>) -> Self {
        Self { pairs, specs }
    }
}

impl Transform for AddPairs {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        for (index, resource) in set.contents_mut().enumerate() {
            build.check_at(index)?;
            for spec in &self.specs {
                spec.apply(resource, Creates::Mapping, &mut |node| self.add_to(node))?;
            }
        }
        Ok(())
    }
}

impl AddPairs {
    fn add_to(&self, node: &mut Node) -> Result<()> {
        let Some(mapping) = node.as_mapping_mut() else {
            return Err(Error::new(ErrorKind::Field, "wrong node kind: expected MappingNode"));
        };
        for (key, value) in &self.pairs {
            match mapping.get_mut(key) {
                Some(node) => set_string(node, value),
                None => {
                    mapping.insert(key, value.as_str());
                }
            }
        }
        Ok(())
    }
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
