//! `helmCharts`: which chart, with which values, for which release.
//!
//! Follows kustomize's `HelmChartInflationGenerator`; differs in that a renderer in the process does
//! what the `helm` program does there.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use gitops_core::Tree;
use gitops_yaml::{Node, Schema};

use crate::{
    build::Build,
    error::{Error, ErrorKind, Result},
    file::{HelmChart, HelmGlobals, decode::Dialect},
    helm::{ChartReference, HelmCharts, HelmRelease},
    load::{Loader, Remote, path},
    read::read_resources,
    resource::Resource,
};

const DEFAULT_HOME: &str = "charts";
const MERGE_OPTIONS: [&str; 3] = ["merge", "override", "replace"];

/// Where a chart is.
enum Chart<'t> {
    Here { tree: &'t dyn Tree, directory: PathBuf },
    Pulled(Remote),
}

impl Chart<'_> {
    fn tree(&self) -> &dyn Tree {
        match self {
            Self::Here { tree, .. } => *tree,
            Self::Pulled(remote) => &*remote.tree,
        }
    }

    fn directory(&self) -> &Path {
        match self {
            Self::Here { directory, .. } => directory,
            Self::Pulled(remote) => &remote.path,
        }
    }
}

/// The objects of a chart.
pub(crate) fn helm_chart(
    chart: &HelmChart,
    globals: &HelmGlobals,
    loader: &Loader<'_>,
    build: &Build<'_>,
) -> Result<Vec<Resource>> {
    let renderer = check(chart, build)?;
    let home = if globals.chart_home.is_empty() { DEFAULT_HOME } else { &globals.chart_home };
    let mut place = loader.place_of(home);
    if !chart.version.is_empty() && !chart.repo.is_empty() {
        place = path::join(&place, &format!("{}-{}", chart.name, chart.version));
    }
    let place = path::join(&place, &chart.name);
    let found = find(chart, &place, loader, renderer, build)?;
    let release = release(chart, &found, &place, loader, build)?;
    let output = renderer
        .template(found.tree(), found.directory(), &release, build.scope)
        .map_err(|error| error.about(format_args!("chart {}", chart.name)))?;
    let mut resources = read_resources(output.as_bytes(), &place, &build.schema)
        .map_err(|error| error.context("could not parse bytes into resource map"))?;
    for resource in &mut resources {
        resource.is_from_chart = true;
    }
    Ok(resources)
}

/// Fails, as the original does before it generates anything, where charts are not enabled or the
/// entry cannot be meant.
pub(crate) fn check<'b>(chart: &HelmChart, build: &'b Build<'_>) -> Result<&'b dyn HelmCharts> {
    let fail = |message: String| Err(Error::new(ErrorKind::Field, message));
    let Some(renderer) = &build.options.helm else {
        return Err(Error::new(ErrorKind::Unsupported, "must specify --enable-helm").with_hint(
            "charts are rendered only where the build allows it; a HelmRelease may do, too",
        ));
    };
    if chart.name.is_empty() {
        return fail("chart name cannot be empty".to_owned());
    }
    for (what, text) in [("releaseName", &chart.release_name), ("chart name", &chart.name)] {
        if text.starts_with('-') {
            return fail(format!("{what} must not start with '-', got {text:?}"));
        }
    }
    if !chart.values_merge.is_empty() && !MERGE_OPTIONS.contains(&chart.values_merge.as_str()) {
        return fail(format!("valuesMerge must be one of [{}]", MERGE_OPTIONS.join(" ")))
            .map_err(|error: Error| error.at_field("valuesMerge"));
    }
    Ok(&**renderer)
}

fn find<'t>(
    chart: &HelmChart,
    place: &str,
    loader: &'t Loader<'_>,
    renderer: &dyn HelmCharts,
    build: &Build<'_>,
) -> Result<Chart<'t>> {
    let tree = loader.tree();
    let directory = PathBuf::from(place);
    if tree.stat(&directory).is_ok_and(|entry| entry.is_dir()) {
        return Ok(Chart::Here { tree, directory });
    }
    if chart.repo.is_empty() {
        let message =
            format!("no repo specified for pull, no chart found at '{}'", loader.shown(place));
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    let wanted = ChartReference {
        repository: chart.repo.clone(),
        name: chart.name.clone(),
        version: chart.version.clone(),
        devel: chart.devel,
    };
    renderer.pull(&wanted, build.scope).map(Chart::Pulled)
}

fn release(
    chart: &HelmChart,
    found: &Chart<'_>,
    place: &str,
    loader: &Loader<'_>,
    build: &Build<'_>,
) -> Result<HelmRelease> {
    let defaults = &build.options.helm_defaults;
    let mut values = vec![values(chart, found, place, loader, &build.schema)?];
    for (index, file) in chart.additional_values_files.iter().enumerate() {
        values.push(loader.read(file).map_err(|error| {
            loader
                .suggest(error, file)
                .context("could not load additionalValuesFile")
                .at_index(index)
                .at_field("additionalValuesFiles")
        })?);
    }
    Ok(HelmRelease {
        name: chart.release_name.clone(),
        name_template: chart.name_template.clone(),
        namespace: chart.namespace.clone(),
        values,
        api_versions: if chart.api_versions.is_empty() {
            defaults.api_versions.clone()
        } else {
            chart.api_versions.clone()
        },
        kube_version: if chart.kube_version.is_empty() {
            defaults.kube_version.clone()
        } else {
            chart.kube_version.clone()
        },
        include_crds: chart.include_crds,
        skip_tests: chart.skip_tests,
        skip_hooks: chart.skip_hooks,
        debug: chart.debug || defaults.debug,
    })
}

/// The values file, with those of the entry merged over it, under it, or put in its place.
fn values(
    chart: &HelmChart,
    found: &Chart<'_>,
    place: &str,
    loader: &Loader<'_>,
    schema: &Schema,
) -> Result<Bytes> {
    let inline = chart.values_inline.as_ref().filter(|values| !values.is_empty());
    if let (Some(inline), "replace") = (inline, chart.values_merge.as_str()) {
        return print(inline);
    }
    let file = if !chart.values_file.is_empty() {
        loader
            .read(&chart.values_file)
            .map_err(|error| loader.suggest(error, &chart.values_file).at_field("valuesFile"))?
    } else if let Chart::Pulled(remote) = found {
        let file = remote.path.join("values.yaml");
        remote.tree.read(&file).map_err(|error| {
            Error::new(ErrorKind::NotFound, format!("open {}: {}", file.display(), error.kind))
        })?
    } else {
        loader.read(&format!("/{place}/values.yaml"))?
    };
    let Some(inline) = inline else { return Ok(file) };
    let own = gitops_yaml::read(&file)
        .map_err(|error| Error::from(error).context("could not parse values file into rnode"))?;
    let (mut base, patch) = match chart.values_merge.as_str() {
        "merge" => (inline.clone(), own),
        _ => (own, inline.clone()),
    };
    gitops_yaml::merge_strategic(&mut base, &patch, schema)
        .map_err(|error| Error::from(error).context("could not merge values"))?;
    print(&base)
}

fn print(values: &Node) -> Result<Bytes> {
    Ok(Bytes::from(gitops_yaml::to_yaml(values)?))
}

/// The chart and the globals of a plugin's configuration.
pub(crate) fn read_plugin(node: &Node) -> Result<(HelmChart, HelmGlobals)> {
    Ok((HelmChart::read(node, Dialect::Lenient)?, HelmGlobals::read(node, Dialect::Lenient)?))
}
