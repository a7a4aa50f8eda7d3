//! The fields `helmCharts` and `helmGlobals`, and the one that they replace.

use gitops_yaml::{Mapping, Node};

use super::decode::{Dialect, Fields};
use crate::error::Result;

/// What all charts have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct HelmGlobals {
    /// The directory that holds charts.
    pub(crate) chart_home: String,
    /// Where helm would keep its own files; there are none here, so it is only shown.
    config_home: String,
}

/// A chart to render.
#[expect(clippy::struct_excessive_bools, reason = "the fields of the file")]
#[derive(Clone, Debug, Default)]
pub(crate) struct HelmChart {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) repo: String,
    pub(crate) release_name: String,
    pub(crate) namespace: String,
    pub(crate) additional_values_files: Vec<String>,
    pub(crate) values_file: String,
    pub(crate) values_inline: Option<Node>,
    pub(crate) values_merge: String,
    pub(crate) include_crds: bool,
    pub(crate) skip_hooks: bool,
    pub(crate) api_versions: Vec<String>,
    pub(crate) kube_version: String,
    pub(crate) name_template: String,
    pub(crate) skip_tests: bool,
    pub(crate) debug: bool,
    pub(crate) devel: bool,
}

impl HelmGlobals {
    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "HelmGlobals", dialect)?;
        let globals = Self {
            chart_home: fields.string("chartHome")?,
            config_home: fields.string("configHome")?,
        };
        fields.finish()?;
        Ok(globals)
    }
}

impl HelmChart {
    /// The fields that say something, in the order of their names, as the original shows them in errors.
    pub(crate) fn config(&self, globals: &HelmGlobals) -> String {
        let mut config = Mapping::new();
        for (name, text) in [
            ("chartHome", &globals.chart_home),
            ("configHome", &globals.config_home),
            ("kubeVersion", &self.kube_version),
            ("name", &self.name),
            ("nameTemplate", &self.name_template),
            ("namespace", &self.namespace),
            ("releaseName", &self.release_name),
            ("repo", &self.repo),
            ("valuesFile", &self.values_file),
            ("valuesMerge", &self.values_merge),
            ("version", &self.version),
        ] {
            if !text.is_empty() {
                config.insert(name, text.as_str());
            }
        }
        for (name, list) in [
            ("additionalValuesFiles", &self.additional_values_files),
            ("apiVersions", &self.api_versions),
        ] {
            if !list.is_empty() {
                config.insert(name, Node::sequence(list.iter().map(String::as_str)));
            }
        }
        for (name, is_set) in [
            ("debug", self.debug),
            ("devel", self.devel),
            ("includeCRDs", self.include_crds),
            ("skipHooks", self.skip_hooks),
            ("skipTests", self.skip_tests),
        ] {
            if is_set {
                config.insert(name, true);
            }
        }
        if let Some(values) = self.values_inline.as_ref().filter(|values| !values.is_empty()) {
            let mut values = values.clone();
            sort(&mut values);
            config.insert("valuesInline", values);
        }
        config.sort();
        gitops_yaml::to_yaml(&Node::from(config)).unwrap_or_default()
    }

    pub(crate) fn read(node: &Node, dialect: Dialect) -> Result<Self> {
        let mut fields = Fields::new(node, "HelmChart", dialect)?;
        let chart = Self {
            name: fields.string("name")?,
            version: fields.string("version")?,
            repo: fields.string("repo")?,
            release_name: fields.string("releaseName")?,
            namespace: fields.string("namespace")?,
            additional_values_files: fields.strings("additionalValuesFiles")?,
            values_file: fields.string("valuesFile")?,
            values_inline: fields.node("valuesInline").cloned(),
            values_merge: fields.string("valuesMerge")?,
            include_crds: fields.boolean("includeCRDs")?,
            skip_hooks: fields.boolean("skipHooks")?,
            api_versions: fields.strings("apiVersions")?,
            kube_version: fields.string("kubeVersion")?,
            name_template: fields.string("nameTemplate")?,
            skip_tests: fields.boolean("skipTests")?,
            debug: fields.boolean("debug")?,
            devel: fields.boolean("devel")?,
        };
        fields.finish()?;
        Ok(chart)
    }

    /// An entry of the older field `helmChartInflationGenerator`, which says where charts are, too.
    pub(crate) fn read_old(node: &Node, dialect: Dialect) -> Result<(Self, HelmGlobals)> {
        let mut fields = Fields::new(node, "HelmChartArgs", dialect)?;
        let chart = Self {
            name: fields.string("chartName")?,
            version: fields.string("chartVersion")?,
            repo: fields.string("chartRepoUrl")?,
            values_file: fields.string("values")?,
            values_inline: fields.node("valuesLocal").cloned(),
            values_merge: fields.string("valuesMerge")?,
            release_name: fields.string("releaseName")?,
            ..Self::default()
        };
        let chart_home = fields.string("chartHome")?;
        let globals = HelmGlobals { chart_home, ..HelmGlobals::default() };
        for ignored in ["chartRepoName", "helmBin", "helmHome", "releaseNamespace"] {
            fields.string(ignored)?;
        }
        fields.strings("extraArgs")?;
        fields.finish()?;
        Ok((chart, globals))
    }
}

/// Puts the keys of all mappings in order.
fn sort(node: &mut Node) {
    if let Some(mapping) = node.as_mapping_mut() {
        mapping.sort();
        mapping.values_mut().for_each(sort);
    } else if let Some(items) = node.as_sequence_mut() {
        items.iter_mut().for_each(sort);
    }
}
