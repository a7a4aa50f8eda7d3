//! What a chart depends on and does not hold: from its neighbours or from repositories.

use std::path::Path;

use gitops_core::{Scope, Version, VersionRange, confined_path, one_line};
use gitops_helm::{Chart, Dependency};

use super::{
    Cause, ChartBuildOptions, ChartRepositories, LocalChart,
    error::{Retold, during},
};

/// The dependencies that are declared and not there, by the name under which the chart uses them.
pub(super) fn missing(chart: &Chart) -> Vec<(String, Dependency)> {
    let wanted = match &chart.lock {
        Some(lock) => &lock.dependencies,
        None => &chart.metadata.dependencies,
    };
    if wanted.len() == chart.dependencies.len() {
        return Vec::new();
    }
    let mut missing: Vec<(String, Dependency)> = Vec::new();
    for dependency in wanted {
        let name = dependency.local_name();
        let is_there = chart.dependencies.iter().any(|own| own.name() == name);
        if !is_there && missing.iter().all(|(known, _)| known != name) {
            missing.push((name.to_owned(), dependency.clone()));
        }
    }
    missing
}

pub(super) fn is_local(dependency: &Dependency) -> bool {
    dependency.repository.is_empty() || dependency.repository.starts_with("file://")
}

pub(super) async fn fetch(
    local: &LocalChart,
    path: &Path,
    dependency: &Dependency,
    repositories: &dyn ChartRepositories,
    options: &ChartBuildOptions,
    scope: &Scope,
) -> Result<Chart, Cause> {
    let mut chart = if is_local(dependency) {
        let (local, path) = (local.clone(), path.to_owned());
        let (dependency, options) = (dependency.clone(), options.clone());
        let loaded =
            tokio::task::spawn_blocking(move || load_local(&local, &path, &dependency, &options));
        loaded.await.map_err(|_| gitops_core::Cancelled)??
    } else {
        load_remote(dependency, repositories, options, scope).await?
    };
    if !dependency.alias.is_empty() {
        chart.metadata.name.clone_from(&dependency.alias);
    }
    Ok(chart)
}

fn load_local(
    local: &LocalChart,
    path: &Path,
    dependency: &Dependency,
    options: &ChartBuildOptions,
) -> Result<Chart, Cause> {
    let repository = &dependency.repository;
    let place = match repository.strip_prefix("file://") {
        Some(relative) => path.join(relative.trim_start_matches('/')),
        None => path.join("charts").join(&dependency.name),
    };
    let place = confined_path(&place.display().to_string());
    if local.tree.stat(&place).is_err() {
        let place = place.display();
        return Err(format!("no chart found at '/{place}' (reference '{repository}')").into());
    }
    let range: VersionRange =
        dependency.version.parse().map_err(|error: gitops_core::VersionRangeError| {
            let wanted = &dependency.version;
            during(format!("invalid version/constraint format '{wanted}'"), error)
        })?;
    let chart = Chart::load(&*local.tree, &place, &options.load).map_err(|error| {
        let place = place.display();
        during(format!("failed to load chart from '/{place}' (reference '{repository}')"), error)
    })?;
    let version = Version::parse(&chart.metadata.version).ok_or("Invalid Semantic Version")?;
    if !range.contains(&version) {
        let wanted = &dependency.version;
        return Err(format!("can't get a valid version for constraint '{wanted}'").into());
    }
    Ok(chart)
}

async fn load_remote(
    dependency: &Dependency,
    repositories: &dyn ChartRepositories,
    options: &ChartBuildOptions,
    scope: &Scope,
) -> Result<Chart, Cause> {
    let (name, version, address) = (&dependency.name, &dependency.version, &dependency.repository);
    let url = normalize_url(address);
    if address.starts_with('@') {
        let shown = address.trim_end_matches('/');
        let why = format!("aliased repository dependency is not supported: {shown}/");
        return Err(why.into());
    }
    if !["oci://", "https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(format!("invalid dependency repository URL: {url}").into());
    }
    let repository = repositories.repository(&url).await.map_err(|error| {
        during(format!("failed to get chart repository for URL '{url}'"), error)
    })?;
    let found = repository.find(name, version, scope).await.map_err(|error| {
        let doing = format!("failed to get chart '{name}' version '{version}' from '{address}'");
        // For a dependency Flux says it shorter.
        let text = one_line(&error);
        match text.strip_prefix("failed to fetch Helm repository index: ") {
            Some(why) => {
                during(doing, Retold { text: format!("failed to cache index: {why}"), error })
            }
            None => during(doing, error),
        }
    })?;
    let archive = repository.download(&found, scope).await.map_err(|error| {
        during(format!("chart download of version '{}' failed", found.version), error)
    })?;
    let load = options.load.clone();
    let loaded = tokio::task::spawn_blocking(move || Chart::from_archive(&archive, &load)).await;
    loaded.map_err(|_| gitops_core::Cancelled)?.map_err(|error| {
        during(format!("failed to load downloaded archive of version '{}'", found.version), error)
    })
}

/// The URL of a repository in the one form in which URLs are compared: with a slash at its end,
/// or without one for a registry.
pub fn normalize_url(url: &str) -> String {
    let Ok(mut parsed) = url.parse::<url::Url>() else {
        return url.to_owned();
    };
    let path = parsed.path().trim_end_matches('/').to_owned();
    if parsed.scheme() == "oci" {
        parsed.set_path(&path);
    } else {
        parsed.set_path(&format!("{path}/"));
    }
    parsed.to_string()
}
