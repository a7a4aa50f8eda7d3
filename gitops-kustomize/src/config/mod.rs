//! Which fields the transformers touch: built-in tables, files of `configurations`, and `crds`.
//!
//! Follows kustomize's `api/internal/plugins/builtinconfig`.

mod crds;
mod defaults;
mod field_spec;
mod specs;

use std::sync::{Arc, LazyLock};

pub(crate) use crds::read_crds;
pub(crate) use field_spec::{Creates, FieldSpec, split};
pub(crate) use specs::{NameTable, Specs};

use gitops_yaml::Node;

use crate::{
    error::{Error, ErrorKind, Result},
    file::decode::{Dialect, Fields},
    file::{read_field_spec, read_gvk},
    resource::Gvk,
};

/// The fields that each transformer looks at.
#[derive(Clone, Debug, Default)]
pub(crate) struct TransformerConfig {
    pub(crate) name_prefix: Specs,
    pub(crate) name_suffix: Specs,
    pub(crate) namespace: Specs,
    pub(crate) common_labels: Specs,
    pub(crate) labels: Specs,
    pub(crate) template_labels: Specs,
    pub(crate) volume_claim_template_labels: Specs,
    pub(crate) common_annotations: Specs,
    pub(crate) name_reference: NameTable,
    pub(crate) var_reference: Specs,
    pub(crate) images: Specs,
    pub(crate) replicas: Specs,
}

/// The fields that hold the name of an object of a kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameReferences {
    /// The kind that is referred to.
    pub(crate) target: Gvk,
    pub(crate) referrers: Vec<FieldSpec>,
}

/// The built-in tables, made once and never changed.
static DEFAULTS: LazyLock<Arc<TransformerConfig>> =
    LazyLock::new(|| Arc::new(defaults::transformer_config()));

impl TransformerConfig {
    /// The built-in tables.
    pub(crate) fn defaults() -> Arc<Self> {
        Arc::clone(&DEFAULTS)
    }

    /// Reads a file of `configurations`.
    pub(crate) fn read(document: &Node) -> Result<Self> {
        let mut fields = Fields::new(document, "TransformerConfig", Dialect::Converting)?;
        let mut config = Self {
            name_prefix: fields.list("namePrefix", read_field_spec)?.into(),
            name_suffix: fields.list("nameSuffix", read_field_spec)?.into(),
            namespace: fields.list("namespace", read_field_spec)?.into(),
            common_labels: fields.list("commonLabels", read_field_spec)?.into(),
            labels: fields.list("labels", read_field_spec)?.into(),
            template_labels: fields.list("templateLabels", read_field_spec)?.into(),
            volume_claim_template_labels: fields
                .list("volumeClaimTemplateLabels", read_field_spec)?
                .into(),
            common_annotations: fields.list("commonAnnotations", read_field_spec)?.into(),
            name_reference: NameTable::Own(fields.list("nameReference", NameReferences::read)?),
            var_reference: fields.list("varReference", read_field_spec)?.into(),
            images: fields.list("images", read_field_spec)?.into(),
            replicas: fields.list("replicas", read_field_spec)?.into(),
        };
        fields.finish()?;
        config.sort();
        Ok(config)
    }

    /// Adds the specifications of another configuration that are not there yet.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        let failed =
            |name: &str, error: Error| error.context(format!("failed to merge {name} fieldSpec"));
        let merge = |name: &str, own: &mut Specs, other: &Specs| {
            merge_specs(own, other).map_err(|error| failed(name, error))
        };
        merge("NamePrefix", &mut self.name_prefix, &other.name_prefix)?;
        merge("NameSuffix", &mut self.name_suffix, &other.name_suffix)?;
        merge("NameSpace", &mut self.namespace, &other.namespace)?;
        merge("CommonAnnotations", &mut self.common_annotations, &other.common_annotations)?;
        merge("CommonLabels", &mut self.common_labels, &other.common_labels)?;
        merge("Labels", &mut self.labels, &other.labels)?;
        merge("TemplateLabels", &mut self.template_labels, &other.template_labels)?;
        merge(
            "VolumeClaimTemplateLabels",
            &mut self.volume_claim_template_labels,
            &other.volume_claim_template_labels,
        )?;
        merge("VarReference", &mut self.var_reference, &other.var_reference)?;
        for reference in &*other.name_reference.all() {
            let all = self.name_reference.make_own();
            match all.iter_mut().find(|own| own.target == reference.target) {
                Some(own) => merge_all(&mut own.referrers, &reference.referrers)
                    .map_err(|error| failed("NameReference", error))?,
                None => all.push(reference.clone()),
            }
        }
        merge("Images", &mut self.images, &other.images)?;
        merge("Replicas", &mut self.replicas, &other.replicas)?;
        self.sort();
        Ok(())
    }

    fn sort(&mut self) {
        for specs in [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.volume_claim_template_labels,
            &mut self.common_annotations,
            &mut self.var_reference,
            &mut self.images,
            &mut self.replicas,
        ] {
            specs.sort();
        }
        if let NameTable::Own(references) = &mut self.name_reference {
            references.sort_by_cached_key(|reference| reference.target.sort_key());
        }
    }
}

impl NameReferences {
    fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "NameBackReferences", dialect)?;
        let references = Self {
            target: read_gvk(&mut fields)?,
            referrers: fields.list("fieldSpecs", read_field_spec)?,
        };
        fields.finish()?;
        Ok(references)
    }
}

fn merge_specs(own: &mut Specs, other: &Specs) -> Result<()> {
    if other.is_empty() { Ok(()) } else { merge_all(own.make_own(), other) }
}

/// Adds specifications that are not there yet.
pub(crate) fn merge_all(own: &mut Vec<FieldSpec>, other: &[FieldSpec]) -> Result<()> {
    for spec in other {
        merge_one(own, spec)?;
    }
    Ok(())
}

/// Adds a specification unless one with the same path, for the same or a narrower kind, is there.
pub(crate) fn merge_one(own: &mut Vec<FieldSpec>, spec: &FieldSpec) -> Result<()> {
    match own.iter().find(|own| own.path == spec.path && own.gvk.is_selected_by(&spec.gvk)) {
        Some(twin) if twin.create == spec.create => Ok(()),
        Some(twin) => Err(Error::new(ErrorKind::Field, "conflicting fieldspecs")
            .expecting(format!("`create: {}`, as elsewhere for this path", twin.create))
            .with_hint(format!("path {} for kind {:?}", spec.path, spec.gvk.kind.as_str()))),
        None => {
            own.push(spec.clone());
            Ok(())
        }
    }
}

/// The two configurations together; the same value again where they are the same.
pub(crate) fn merged(
    own: Arc<TransformerConfig>,
    other: &Arc<TransformerConfig>,
) -> Result<Arc<TransformerConfig>> {
    if Arc::ptr_eq(&own, other) {
        return Ok(own);
    }
    let mut merged = TransformerConfig::clone(&own);
    merged.merge(other)?;
    Ok(Arc::new(merged))
}

/// A configuration that stands alone. Of equal paths only the one for the narrower kind is kept, so
/// that a file of `configurations` can take the place of a built-in entry for all kinds.
pub(crate) fn narrowed(config: &Arc<TransformerConfig>) -> Result<Arc<TransformerConfig>> {
    if Arc::ptr_eq(config, &DEFAULTS) {
        return Ok(Arc::clone(config));
    }
    let mut narrowed = TransformerConfig::default();
    narrowed.merge(config)?;
    Ok(Arc::new(narrowed))
}
