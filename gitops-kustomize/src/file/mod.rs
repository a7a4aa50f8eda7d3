//! The kustomization file, typed.
//!
//! Follows kustomize's `api/types`; see
//! <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>.

mod charts;
pub(crate) mod decode;
mod fields;

pub(crate) use charts::{HelmChart, HelmGlobals};
pub(crate) use fields::{
    FieldOptions, GeneratorArgs, GeneratorOptions, Image, Label, Patch, Replacement,
    ReplacementSource, ReplacementTarget, Replica, Selector, SortOptions, Variable,
    read_field_spec, read_gvk,
};

use std::{collections::BTreeMap, sync::Arc};

use gitops_yaml::Node;

use crate::{
    error::{Error, ErrorKind, Location, Result},
    manifests::{Warning, WarningKind},
};
use decode::{Dialect, Fields};

/// The names of a kustomization file, in the order in which they are looked for.
pub(crate) const FILE_NAMES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

pub(crate) const KUSTOMIZATION: &str = "Kustomization";
pub(crate) const COMPONENT: &str = "Component";
pub(crate) const KUSTOMIZATION_VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

/// A kustomization file after the older spellings were folded into the newer ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kustomization {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) openapi: BTreeMap<String, String>,
    pub(crate) name_prefix: String,
    pub(crate) name_suffix: String,
    pub(crate) namespace: String,
    pub(crate) common_labels: BTreeMap<String, String>,
    pub(crate) labels: Vec<Label>,
    pub(crate) common_annotations: BTreeMap<String, String>,
    pub(crate) patches_strategic_merge: Vec<String>,
    pub(crate) patches_json6902: Vec<Patch>,
    pub(crate) patches: Vec<Patch>,
    pub(crate) images: Vec<Image>,
    pub(crate) replacements: Vec<Replacement>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) vars: Vec<Variable>,
    pub(crate) sort_options: Option<SortOptions>,
    pub(crate) resources: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) crds: Vec<String>,
    pub(crate) config_maps: Vec<GeneratorArgs>,
    pub(crate) secrets: Vec<GeneratorArgs>,
    pub(crate) helm_charts: Vec<HelmChart>,
    pub(crate) helm_globals: HelmGlobals,
    pub(crate) generator_options: Option<GeneratorOptions>,
    pub(crate) configurations: Vec<String>,
    pub(crate) generators: Vec<String>,
    pub(crate) transformers: Vec<String>,
    pub(crate) validators: Vec<String>,
    pub(crate) build_metadata: Vec<String>,
}

impl Kustomization {
    /// Reads the first document of a kustomization file. Use of older spellings is told to `warn`, with
    /// a place without a file.
    pub(crate) fn read(document: &Node, warn: &mut dyn FnMut(Warning)) -> Result<Self> {
        let file = Self::read_as(document, Dialect::Strict, warn)
            .map_err(|error| error.reword(|text| format!("invalid Kustomization: {text}")))?;
        if !says_something(document) {
            return Err(Error::new(ErrorKind::Field, "kustomization.yaml is empty"));
        }
        Ok(file)
    }

    /// Reads a document, which may be empty.
    pub(crate) fn read_as(
        document: &Node,
        dialect: Dialect,
        warn: &mut dyn FnMut(Warning),
    ) -> Result<Self> {
        let mut file = Self::read_fields(document, dialect, warn)?;
        if file.kind.is_empty() {
            KUSTOMIZATION.clone_into(&mut file.kind);
        }
        if file.api_version.is_empty() {
            let version =
                if file.kind == COMPONENT { COMPONENT_VERSION } else { KUSTOMIZATION_VERSION };
            version.clone_into(&mut file.api_version);
        }
        Ok(file)
    }

    fn read_fields(
        document: &Node,
        dialect: Dialect,
        warn: &mut dyn FnMut(Warning),
    ) -> Result<Self> {
        let mut fields = Fields::new(document, "Kustomization", dialect)?;
        let mut file = Self {
            api_version: fields.string("apiVersion")?,
            kind: fields.string("kind")?,
            openapi: fields.string_map("openapi")?,
            name_prefix: fields.string("namePrefix")?,
            name_suffix: fields.string("nameSuffix")?,
            namespace: fields.string("namespace")?,
            common_labels: fields.string_map("commonLabels")?,
            labels: fields.list("labels", Label::read)?,
            common_annotations: fields.string_map("commonAnnotations")?,
            patches_strategic_merge: fields.strings("patchesStrategicMerge")?,
            patches_json6902: fields.list("patchesJson6902", Patch::read)?,
            patches: fields.list("patches", Patch::read)?,
            images: fields.list("images", Image::read)?,
            replacements: fields.list("replacements", Replacement::read)?,
            replicas: fields.list("replicas", Replica::read)?,
            vars: fields.list("vars", Variable::read)?,
            sort_options: fields.object("sortOptions", SortOptions::read)?,
            resources: fields.strings("resources")?,
            components: fields.strings("components")?,
            crds: fields.strings("crds")?,
            config_maps: fields.list("configMapGenerator", GeneratorArgs::read_config_map)?,
            secrets: fields.list("secretGenerator", GeneratorArgs::read_secret)?,
            helm_charts: fields.list("helmCharts", HelmChart::read)?,
            helm_globals: fields.object("helmGlobals", HelmGlobals::read)?.unwrap_or_default(),
            generator_options: fields.object("generatorOptions", GeneratorOptions::read)?,
            configurations: fields.strings("configurations")?,
            generators: fields.strings("generators")?,
            transformers: fields.strings("transformers")?,
            validators: fields.strings("validators")?,
            build_metadata: fields.strings("buildMetadata")?,
        };
        fields.object("metadata", check_object_meta)?;
        // Older spellings.
        file.resources.extend(fields.strings("bases")?);
        file.images.extend(fields.list("imageTags", Image::read)?);
        let has_globals = fields.has("helmGlobals");
        for (chart, globals) in fields.list("helmChartInflationGenerator", HelmChart::read_old)? {
            file.helm_charts.push(chart);
            // The last one that says where charts are counts for all.
            if !has_globals && !globals.chart_home.is_empty() {
                file.helm_globals = globals;
            }
        }
        warn_about_old_fields(&mut fields, warn);
        fields.finish()?;
        Ok(file)
    }

    /// Checks kind and version; kustomize does so after it looked for emptiness.
    pub(crate) fn check_kind(&self, directory: &str) -> Result<()> {
        let mut wrong = Vec::new();
        if self.kind != KUSTOMIZATION && self.kind != COMPONENT {
            wrong.push("kind should be Kustomization or Component".to_owned());
        }
        let version =
            if self.kind == COMPONENT { COMPONENT_VERSION } else { KUSTOMIZATION_VERSION };
        if self.api_version != version {
            wrong.push(format!("apiVersion for {} should be {version}", self.kind));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let message =
            format!("Failed to read kustomization file under {directory}:\n{}", wrong.join("\n"));
        let (field, expected) = if self.api_version == version {
            ("kind", format!("{KUSTOMIZATION} or {COMPONENT}"))
        } else {
            ("apiVersion", version.to_owned())
        };
        Err(Error::new(ErrorKind::Field, message).at_field(field).expecting(expected))
    }

    /// Whether a `buildMetadata` option is set.
    pub(crate) fn has_metadata_option(&self, option: &str) -> bool {
        self.build_metadata.iter().any(|name| name == option)
    }
}

/// Whether the file has a field besides `apiVersion` and `kind` that is neither `null` nor an empty
/// text. An empty list counts, as it does in the original.
fn says_something(document: &Node) -> bool {
    document.as_mapping().is_some_and(|mapping| {
        mapping.iter().any(|(key, value)| {
            let is = |name: &str| key.eq_ignore_ascii_case(name);
            let folded = value.is_empty() && (is("bases") || is("imageTags"));
            !is("apiVersion")
                && !is("kind")
                && !folded
                && !value.is_null()
                && value.as_str() != Some("")
        })
    })
}

fn warn_about_old_fields(fields: &mut Fields<'_>, warn: &mut dyn FnMut(Warning)) {
    for (old, new, experimental) in [
        ("bases", "resources", false),
        ("commonLabels", "labels", false),
        ("imageTags", "images", false),
        ("patchesJson6902", "patches", false),
        ("patchesStrategicMerge", "patches", false),
        ("vars", "replacements", true),
    ] {
        if let Some(node) = fields.node(old) {
            let place = Location {
                file: Arc::default(),
                line: node.place().line(),
                column: node.place().column(),
            };
            let mark = if experimental { "[EXPERIMENTAL] " } else { "" };
            let message = format!(
                "'{old}' is deprecated. Please use '{new}' instead. {mark}Run 'kustomize edit fix' to update your Kustomization automatically."
            );
            warn(Warning::new(WarningKind::Deprecated, message).at(place));
        }
    }
}

/// Nothing is done with the metadata of a kustomization, but they must be some.
fn check_object_meta(node: &Node, dialect: Dialect) -> Result<()> {
    let mut fields = Fields::new(node, "ObjectMeta", dialect)?;
    fields.optional_string("name")?;
    fields.optional_string("namespace")?;
    fields.string_map("labels")?;
    fields.string_map("annotations")?;
    fields.finish()
}
