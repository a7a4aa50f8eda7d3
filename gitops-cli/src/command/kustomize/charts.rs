//! `helmCharts`: charts of the tree, rendered in this process as Helm 4 does.

use std::path::Path;

use gitops_core::{Scope, Tree, one_line};
use gitops_helm::{
    Capabilities, Chart, Compat, KubeVersion, LoadOptions, ReleaseInfo, RenderOptions, Values,
    merge, read_values, render,
};
use gitops_kustomize::{ChartReference, Error, HelmCharts, HelmRelease, Remote};

use crate::command::helm::{World, expand_name};

const COMPAT: Compat = Compat::Helm4;

/// Renders the charts that are there; none is fetched.
#[derive(Debug)]
pub(super) struct LocalCharts;

impl HelmCharts for LocalCharts {
    fn pull(&self, chart: &ChartReference, _: &Scope) -> Result<Remote, Error> {
        let name = &chart.name;
        Err(Error::remote(format!("charts are not pulled: put '{name}' into the chart home first")))
    }

    fn template(
        &self,
        tree: &dyn Tree,
        directory: &Path,
        release: &HelmRelease,
        scope: &Scope,
    ) -> Result<String, Error> {
        let chart = Chart::load(tree, directory, &LoadOptions::new(COMPAT)).map_err(told)?;
        let mut values = Values::new();
        for file in &release.values {
            merge(&mut values, read_values(file, COMPAT).map_err(told)?);
        }
        let mut options = RenderOptions::new(COMPAT);
        options.capabilities = capabilities(release)?;
        let info = ReleaseInfo {
            name: name_of(release)?,
            namespace: or(&release.namespace, "default"),
            revision: 1,
            is_upgrade: false,
        };
        let world = World { dns: false };
        let rendered = render(chart, &values, &info, &options, &world, scope).map_err(told)?;
        let mut stream = String::new();
        if release.include_crds {
            for crd in &rendered.crds {
                stream.push_str("---\n");
                stream.push_str(&gitops_template::bytes::from_bytes(&crd.data));
                stream.push('\n');
            }
        }
        for manifest in &rendered.manifests {
            stream.push_str("---\n");
            stream.push_str(&manifest.content);
            stream.push('\n');
        }
        for hook in rendered.hooks.iter().filter(|_| !release.skip_hooks) {
            if !(release.skip_tests && hook.is_test()) {
                stream.push_str(&hook.document());
            }
        }
        Ok(stream)
    }
}

fn told(error: impl std::error::Error + 'static) -> Error {
    Error::chart(one_line(&error))
}

fn or(text: &str, missing: &str) -> String {
    if text.is_empty() { missing } else { text }.to_owned()
}

fn name_of(release: &HelmRelease) -> Result<String, Error> {
    if release.name.is_empty() && !release.name_template.is_empty() {
        return expand_name(&release.name_template)
            .map_err(|error| Error::chart(one_line(&*error)));
    }
    Ok(or(&release.name, "release-name"))
}

fn capabilities(release: &HelmRelease) -> Result<Capabilities, Error> {
    let mut capabilities = Capabilities::new(COMPAT);
    if !release.kube_version.is_empty() {
        capabilities.kube_version =
            KubeVersion::parse(&release.kube_version, COMPAT).map_err(told)?;
    }
    capabilities.api_versions.extend(release.api_versions.iter().cloned());
    Ok(capabilities)
}
