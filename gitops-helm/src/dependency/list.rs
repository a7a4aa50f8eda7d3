//! What is there of what a chart depends on, as `helm dependency list` prints it.
//!
//! Follows helm pkg/action/dependency.go.

use std::{fmt::Write as _, path::Path};

use gitops_core::{Tree, Version, VersionRange, quoted};

use crate::{
    chart::{Chart, Dependency, LoadOptions},
    show::Table,
};

/// The dependencies of a chart, and what of them lies in `charts/`. `shown` is the path of the
/// chart as it was given, `path` its place in the tree. No
/// column is wider than `width`, if that is not 0.
pub fn list_dependencies(
    tree: &dyn Tree,
    path: &Path,
    shown: &str,
    chart: &Chart,
    width: u64,
    options: &LoadOptions,
) -> String {
    let folder = format!("{}/charts", shown.trim_end_matches('/'));
    if !chart.metadata.has_dependency_list() {
        return format!("WARNING: no dependencies at {folder}\n");
    }
    let charts = path.join("charts");
    let names: Vec<(String, bool)> = tree
        .list(&charts)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|entry| {
            let is_dir = tree.stat(&charts.join(&entry.name)).ok()?.is_dir();
            Some((entry.name, is_dir))
        })
        .collect();
    let mut table = Table::new(width);
    table.row(&["NAME", "VERSION", "REPOSITORY", "STATUS"]);
    for dependency in &chart.metadata.dependencies {
        let status = status(tree, &charts, &names, dependency, chart, options);
        table.row(&[&dependency.name, &dependency.version, &dependency.repository, status]);
    }
    let mut text = format!("{table}\n\n");
    for (name, is_dir) in &names {
        if !is_dir && (name.starts_with('.') || !name.ends_with(".tgz")) {
            continue;
        }
        let shown = quoted(&format!("{folder}/{name}"));
        // Writing to a String cannot fail.
        let _ = match Chart::load(tree, &charts.join(name), options) {
            Err(_) => writeln!(text, "WARNING: {shown} is not a chart."),
            Ok(found) => {
                let known = |dependency: &Dependency| dependency.name == found.name();
                if chart.metadata.dependencies.iter().any(known) {
                    continue;
                }
                writeln!(text, "WARNING: {shown} is not in Chart.yaml.")
            }
        };
    }
    text
}

fn status(
    tree: &dyn Tree,
    charts: &Path,
    names: &[(String, bool)],
    dependency: &Dependency,
    parent: &Chart,
    options: &LoadOptions,
) -> &'static str {
    let prefix = format!("{}-", dependency.name);
    let archives: Vec<&str> = names
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with(&prefix) && name.ends_with(".tgz"))
        .collect();
    let archive = match archives.as_slice() {
        [] => None,
        [archive] => Some(*archive),
        several => {
            let exact = |name: &&&str| {
                let version = &name[prefix.len()..name.len() - ".tgz".len()];
                semver::Version::parse(version).is_ok()
            };
            let found: Vec<_> = several.iter().filter(exact).collect();
            if found.len() > 1 {
                return "too many matches";
            }
            found.first().map(|name| **name)
        }
    };
    if let Some(archive) = archive {
        let Ok(found) = Chart::load(tree, &charts.join(archive), options) else { return "corrupt" };
        if found.name() != dependency.name {
            return "misnamed";
        }
        return version_status(dependency, &found).unwrap_or("ok");
    }
    match parent.dependencies.iter().rfind(|child| child.name() == dependency.name) {
        None => "missing",
        Some(found) => version_status(dependency, found).unwrap_or("unpacked"),
    }
}

/// What is wrong with the version that is there.
fn version_status(dependency: &Dependency, found: &Chart) -> Option<&'static str> {
    let version = &found.metadata.version;
    if *version == dependency.version {
        return None;
    }
    match (dependency.version.parse::<VersionRange>(), Version::parse(version)) {
        (Ok(range), Some(version)) if range.contains(&version) => None,
        (Ok(_), Some(_)) => Some("wrong version"),
        _ => Some("invalid version"),
    }
}
