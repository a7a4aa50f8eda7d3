//! `helmCharts`: charts of the tree, rendered in this process as Helm 4 does.

use std::{path::Path, sync::Arc};

use gitops_core::{Limits, Scope, Tree, one_line, unpack};
use gitops_helm::{
    Capabilities, Chart, Compat, KubeVersion, LoadOptions, ReleaseInfo, RenderOptions, Shown,
    Values, merge, read_values, render,
};
use gitops_kustomize::{ChartReference, Error, HelmCharts, HelmRelease, Remote};

use crate::{
    charts::{self, Access},
    command::helm::{World, expand_name},
};

const COMPAT: Compat = Compat::Helm4;

/// Renders charts; those that are not there are fetched from their repositories.
#[derive(Debug)]
pub(super) struct Charts {
    /// Whether anything may be fetched.
    pub(super) remote: bool,
}

impl HelmCharts for Charts {
    fn pull(&self, chart: &ChartReference, scope: &Scope) -> Result<Remote, Error> {
        if !self.remote {
            return Err(Error::remote(format!(
                "chart '{}' is not there, and fetching is off",
                chart.name
            )));
        }
        let package = charts::fetched(async { fetch(chart, scope).await }).map_err(|error| {
            Error::remote(format!("cannot fetch chart '{}': {error:#}", chart.name))
        })?;
        let tree = unpack(&package[..], &Limits::default()).map_err(|error| {
            Error::remote(format!("chart '{}': {}", chart.name, one_line(&error)))
        })?;
        let name = chart.name.rsplit('/').next().unwrap_or(&chart.name);
        Ok(Remote { tree: Arc::new(tree), path: name.into() })
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
        let shown = Shown {
            crds: release.include_crds,
            hooks: !release.skip_hooks,
            tests: !release.skip_tests,
        };
        Ok(rendered.text(shown))
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

async fn fetch(chart: &ChartReference, scope: &Scope) -> anyhow::Result<Vec<u8>> {
    let repository = Access::default().open(&chart.repository, &chart.name)?;
    let range = charts::range(&chart.version, chart.devel);
    let version = repository.find(&chart.name, range, scope).await?;
    Ok(repository.download(&version, scope).await?.to_vec())
}
