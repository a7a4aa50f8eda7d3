//! The compound fields of a kustomization file.

use std::collections::BTreeMap;

use gitops_yaml::{Node, Text};

use super::decode::{Dialect, Fields};
use crate::{
    config::FieldSpec,
    error::{Location, Result},
    resource::Gvk,
};

/// Labels to add, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Label {
    pub(crate) pairs: BTreeMap<String, String>,
    pub(crate) include_selectors: bool,
    pub(crate) include_templates: bool,
    pub(crate) include_volume_claim_templates: bool,
    pub(crate) fields: Vec<FieldSpec>,
}

impl Label {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "Label", dialect)?;
        let label = Self {
            pairs: fields.string_map("pairs")?,
            include_selectors: fields.boolean("includeSelectors")?,
            include_templates: fields.boolean("includeTemplates")?,
            include_volume_claim_templates: fields.boolean("includeVolumeClaimTemplates")?,
            fields: fields.list("fields", read_field_spec)?,
        };
        fields.finish()?;
        Ok(label)
    }
}

/// `path`, `create` and a selector of kinds.
pub(crate) fn read_field_spec(node: &Node, dialect: Dialect) -> Result<FieldSpec> {
    let mut fields = Fields::new(node, "FieldSpec", dialect)?;
    let gvk = read_gvk(&mut fields)?;
    let spec = FieldSpec::new(gvk, &fields.string("path")?, fields.boolean("create")?);
    fields.finish()?;
    Ok(spec)
}

/// `group`, `version` and `kind` of an object that has other fields too.
pub(crate) fn read_gvk(fields: &mut Fields<'_>) -> Result<Gvk> {
    Ok(Gvk {
        group: fields.string("group")?.into(),
        version: fields.string("version")?.into(),
        kind: fields.string("kind")?.into(),
    })
}

/// Which objects a patch or replacement is for.
#[expect(clippy::struct_field_names, reason = "the names of the file")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    pub(crate) gvk: Gvk,
    pub(crate) name: Text,
    pub(crate) namespace: Text,
    pub(crate) annotation_selector: String,
    pub(crate) label_selector: String,
}

impl Selector {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "Selector", dialect)?;
        let selector = Self {
            gvk: read_gvk(&mut fields)?,
            name: fields.string("name")?.into(),
            namespace: fields.string("namespace")?.into(),
            annotation_selector: fields.string("annotationSelector")?,
            label_selector: fields.string("labelSelector")?,
        };
        fields.finish()?;
        Ok(selector)
    }

    /// Whether it names neither kind, name nor namespace.
    pub(crate) fn selects_by_id(&self) -> bool {
        self.gvk != Gvk::default() || !self.name.is_empty() || !self.namespace.is_empty()
    }
}

/// A strategic merge or JSON 6902 patch.
#[expect(clippy::struct_field_names, reason = "the names of the file")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Patch {
    pub(crate) path: String,
    pub(crate) patch: String,
    pub(crate) target: Option<Selector>,
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
}

impl Patch {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "Patch", dialect)?;
        let mut patch = Self {
            path: fields.string("path")?,
            patch: fields.string("patch")?,
            target: fields.object("target", Selector::read)?,
            ..Self::default()
        };
        if let Some(node) = fields.node("options") {
            let mut options = Fields::new(node, "PatchArgs", dialect)?;
            patch.allow_name_change = options.boolean("allowNameChange")?;
            patch.allow_kind_change = options.boolean("allowKindChange")?;
            options.finish()?;
        }
        fields.finish()?;
        Ok(patch)
    }
}

/// A change of image references.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) new_name: String,
    pub(crate) tag_suffix: String,
    pub(crate) new_tag: String,
    pub(crate) digest: String,
}

impl Image {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "Image", dialect)?;
        let image = Self {
            name: fields.string("name")?,
            new_name: fields.string("newName")?,
            tag_suffix: fields.string("tagSuffix")?,
            new_tag: fields.string("newTag")?,
            digest: fields.string("digest")?,
        };
        fields.finish()?;
        Ok(image)
    }
}

/// A number of replicas for the objects of a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) count: i64,
}

impl Replica {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "Replica", dialect)?;
        let replica = Self { name: fields.string("name")?, count: fields.integer("count")? };
        fields.finish()?;
        Ok(replica)
    }
}

/// A value that is copied from one field to others; or a file that holds such.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replacement {
    pub(crate) path: String,
    pub(crate) source: Option<ReplacementSource>,
    pub(crate) source_value: Option<String>,
    /// `None` where the field is absent, which is an error; an empty list is not.
    pub(crate) targets: Option<Vec<ReplacementTarget>>,
}

/// Where the value comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplacementSource {
    pub(crate) gvk: Gvk,
    pub(crate) name: Text,
    pub(crate) namespace: Text,
    pub(crate) field_path: String,
    pub(crate) options: Option<FieldOptions>,
}

/// Where the value goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplacementTarget {
    pub(crate) select: Option<Selector>,
    pub(crate) reject: Vec<Selector>,
    pub(crate) field_paths: Vec<String>,
    pub(crate) options: Option<FieldOptions>,
}

/// Which part of a text is meant, and whether a missing field is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldOptions {
    pub(crate) delimiter: String,
    pub(crate) index: i64,
    pub(crate) create: bool,
}

impl Replacement {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "ReplacementField", dialect)?;
        let replacement = Self {
            path: fields.string("path")?,
            source: fields.object("source", ReplacementSource::read)?,
            source_value: fields.optional_string("sourceValue")?,
            targets: if fields.has("targets") {
                Some(fields.list("targets", ReplacementTarget::read)?)
            } else {
                None
            },
        };
        fields.finish()?;
        Ok(replacement)
    }
}

impl ReplacementSource {
    fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "SourceSelector", dialect)?;
        let source = Self {
            gvk: read_gvk(&mut fields)?,
            name: fields.string("name")?.into(),
            namespace: fields.string("namespace")?.into(),
            field_path: fields.string("fieldPath")?,
            options: fields.object("options", FieldOptions::read)?,
        };
        fields.finish()?;
        Ok(source)
    }
}

impl ReplacementTarget {
    fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "TargetSelector", dialect)?;
        let target = Self {
            select: fields.object("select", Selector::read)?,
            reject: fields.list("reject", Selector::read)?,
            field_paths: fields.strings("fieldPaths")?,
            options: fields.object("options", FieldOptions::read)?,
        };
        fields.finish()?;
        Ok(target)
    }
}

impl FieldOptions {
    fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "FieldOptions", dialect)?;
        let options = Self {
            delimiter: fields.string("delimiter")?,
            index: fields.integer("index")?,
            create: fields.boolean("create")?,
        };
        // Read and ignored, as in the original.
        fields.string("encoding")?;
        fields.finish()?;
        Ok(options)
    }
}

/// A named value that stands for `$(NAME)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Variable {
    /// As Go's `%v` prints the entry.
    pub(crate) written: String,
    /// Where it stands; known once it is bound.
    pub(crate) declared: Option<Location>,
    pub(crate) name: String,
    pub(crate) gvk: Gvk,
    pub(crate) object_name: Text,
    pub(crate) object_namespace: Text,
    pub(crate) field_path: String,
}

impl Variable {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "Var", dialect)?;
        let mut variable = Self { name: fields.string("name")?, ..Self::default() };
        let mut written_version = Text::default();
        if let Some(node) = fields.node("objref") {
            let mut target = Fields::new(node, "Target", dialect)?;
            variable.gvk = read_gvk(&mut target)?;
            written_version = variable.gvk.version.clone();
            let api_version = target.string("apiVersion")?;
            if let Some((group, version)) = api_version.split_once('/') {
                variable.gvk.group = group.into();
                variable.gvk.version = version.into();
            } else if !api_version.is_empty() {
                variable.gvk.version = api_version.into();
            }
            variable.object_name = target.string("name")?.into();
            variable.object_namespace = target.string("namespace")?.into();
            target.finish()?;
        }
        if let Some(node) = fields.node("fieldref") {
            let mut reference = Fields::new(node, "FieldSelector", dialect)?;
            variable.field_path = reference.string("fieldPath")?;
            reference.finish()?;
        }
        variable.written = format!(
            "{{{} {} {{{}}}}}",
            variable.name,
            Gvk { version: written_version, ..variable.gvk.clone() },
            variable.field_path
        );
        if variable.field_path.is_empty() {
            "metadata.name".clone_into(&mut variable.field_path);
        }
        fields.finish()?;
        Ok(variable)
    }
}

/// The order of the output.
#[derive(Clone, Debug, Default)]
pub(crate) struct SortOptions {
    pub(crate) order: String,
    pub(crate) legacy: Option<LegacySortOptions>,
}

/// Kinds that come first and last.
#[derive(Clone, Debug, Default)]
pub(crate) struct LegacySortOptions {
    pub(crate) first: Vec<String>,
    pub(crate) last: Vec<String>,
}

impl SortOptions {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "SortOptions", dialect)?;
        let mut options = Self { order: fields.string("order")?, legacy: None };
        if let Some(node) = fields.node("legacySortOptions") {
            let mut legacy = Fields::new(node, "LegacySortOptions", dialect)?;
            options.legacy = Some(LegacySortOptions {
                first: legacy.strings("orderFirst")?,
                last: legacy.strings("orderLast")?,
            });
            legacy.finish()?;
        }
        fields.finish()?;
        Ok(options)
    }
}

/// What a ConfigMap or Secret is generated from.
#[derive(Clone, Debug, Default)]
pub(crate) struct GeneratorArgs {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) behavior: String,
    pub(crate) literals: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) envs: Vec<String>,
    pub(crate) options: Option<GeneratorOptions>,
    /// Of a Secret.
    pub(crate) secret_type: String,
}

impl GeneratorArgs {
    pub(crate) fn read_config_map(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "ConfigMapArgs", dialect)?;
        let args = Self::read_common(&mut fields)?;
        fields.finish()?;
        Ok(args)
    }

    pub(crate) fn read_secret(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "SecretArgs", dialect)?;
        let mut args = Self::read_common(&mut fields)?;
        args.secret_type = fields.string("type")?;
        fields.finish()?;
        Ok(args)
    }

    /// The arguments of a plugin, for which the older field `env` means nothing.
    pub(crate) fn read_plugin(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut args = Self::read_secret(node, dialect)?;
        if Fields::new(node, "Plugin", dialect)?.string("env")?.is_empty() {
            return Ok(args);
        }
        args.envs.pop();
        Ok(args)
    }

    fn read_common(fields: &mut Fields<'_>) -> Result<Self> {
        let mut args = Self {
            name: fields.string("name")?,
            namespace: fields.string("namespace")?,
            behavior: fields.string("behavior")?,
            literals: fields.strings("literals")?,
            files: fields.strings("files")?,
            envs: fields.strings("envs")?,
            options: fields.object("options", GeneratorOptions::read)?,
            secret_type: String::new(),
        };
        let env = fields.string("env")?;
        if !env.is_empty() {
            args.envs.push(env);
        }
        Ok(args)
    }
}

/// What all generated objects have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct GeneratorOptions {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) disable_name_suffix_hash: bool,
    pub(crate) immutable: bool,
}

impl GeneratorOptions {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "GeneratorOptions", dialect)?;
        let options = Self {
            labels: fields.string_map("labels")?,
            annotations: fields.string_map("annotations")?,
            disable_name_suffix_hash: fields.boolean("disableNameSuffixHash")?,
            immutable: fields.boolean("immutable")?,
        };
        fields.finish()?;
        Ok(options)
    }

    /// The options of one generator, completed by those for all.
    pub(crate) fn merged(own: Option<&Self>, all: Option<&Self>) -> Self {
        let mut merged = own.cloned().unwrap_or_default();
        if let Some(all) = all {
            for (key, value) in &all.labels {
                merged.labels.entry(key.clone()).or_insert_with(|| value.clone());
            }
            for (key, value) in &all.annotations {
                merged.annotations.entry(key.clone()).or_insert_with(|| value.clone());
            }
            merged.disable_name_suffix_hash |= all.disable_name_suffix_hash;
            merged.immutable |= all.immutable;
        }
        merged
    }
}
