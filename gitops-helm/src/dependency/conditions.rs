//! Aliases, tags and conditions.

use gitops_core::{Version, VersionRange};
use serde_json::Value;

use super::path;
use crate::{
    Compat, Warning,
    chart::{Chart, Dependency},
    values::{CoalesceError, Values, coalesce},
};

pub(super) fn process(
    chart: &mut Chart,
    values: &Values,
    prefix: &str,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<(), CoalesceError> {
    // Without any list Helm does not look at the charts below, either.
    if !chart.metadata.has_dependency_list() {
        return Ok(());
    }
    name_dependencies(chart, compat);
    // What is merged here is merged again to render, which tells the same.
    let values = coalesce(chart, values, compat, &mut Vec::new())?;
    for dependency in &mut chart.metadata.dependencies {
        dependency.enabled = true;
    }
    apply_tags(&mut chart.metadata.dependencies, &values, warnings);
    apply_conditions(&mut chart.metadata.dependencies, &values, prefix, warnings);
    let off: Vec<String> = chart
        .metadata
        .dependencies
        .iter()
        .filter(|dependency| !dependency.enabled)
        .map(|dependency| dependency.name.clone())
        .collect();
    chart.dependencies.retain(|child| !off.iter().any(|name| name == child.name()));
    chart.metadata.dependencies.retain(|dependency| !off.contains(&dependency.name));
    share_charts_below(&mut chart.dependencies);
    for child in &mut chart.dependencies {
        let prefix = format!("{prefix}{}.", child.name());
        process(child, &values, &prefix, compat, warnings)?;
    }
    Ok(())
}

/// Gives each declared dependency the chart it means, under its alias. Charts that nobody declares
/// come first, as they are.
fn name_dependencies(chart: &mut Chart, compat: Compat) {
    let declared = &mut chart.metadata.dependencies;
    let below = &chart.dependencies;
    let meant: Vec<Option<usize>> = declared
        .iter()
        .map(|dependency| below.iter().position(|child| means(dependency, child)))
        .collect();
    let undeclared =
        below.iter().map(|child| !declared.iter().any(|dependency| means(dependency, child)));
    let undeclared: Vec<bool> = undeclared.collect();
    let mut below: Vec<Option<Chart>> =
        std::mem::take(&mut chart.dependencies).into_iter().map(Some).collect();
    for (child, undeclared) in below.iter_mut().zip(undeclared) {
        if undeclared {
            chart.dependencies.extend(child.take());
        }
    }
    for (at, dependency) in declared.iter_mut().enumerate() {
        if let Some(place) = meant[at] {
            // A chart under several aliases is there several times.
            let again = meant[at + 1..].contains(&Some(place));
            let child = if again { below[place].clone() } else { below[place].take() };
            let mut child = child.expect("it is taken by the last one that means it");
            if compat == Compat::Helm3 {
                child.known_below_as = Some(child.metadata.name.clone());
            }
            if !dependency.alias.is_empty() {
                child.metadata.name.clone_from(&dependency.alias);
            }
            chart.dependencies.push(child);
        }
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
    }
}

/// Quirk: in Helm 3 all aliases of a chart share the charts below it that it does not declare. Their
/// parent is the chart without an alias, or the last alias if the chart declares others.
fn share_charts_below(children: &mut [Chart]) {
    for at in 0..children.len() {
        let child = &children[at];
        let declared = &child.metadata.dependencies;
        let Some(name) = child.known_below_as.as_ref().filter(|_| !declared.is_empty()) else {
            continue;
        };
        let own =
            declared.iter().any(|one| child.dependencies.iter().any(|below| means(one, below)));
        let last = children[at..].iter().rev().find(|other| {
            other.known_below_as.as_ref() == Some(name) && !other.metadata.dependencies.is_empty()
        });
        let parent = last.filter(|_| !own).map(|child| child.name().to_owned());
        children[at].known_below_as = parent;
    }
}

/// Whether a declared dependency means a chart.
fn means(dependency: &Dependency, child: &Chart) -> bool {
    child.name() == dependency.name && is_compatible(&dependency.version, &child.metadata.version)
}

/// Whether a version is in a range; neither may be malformed.
pub(crate) fn is_compatible(range: &str, version: &str) -> bool {
    let Some(version) = Version::parse(version) else { return false };
    range.parse::<VersionRange>().is_ok_and(|range| range.contains(&version))
}

/// Any tag that is true switches a dependency on; otherwise any that is false switches it off.
fn apply_tags(dependencies: &mut [Dependency], values: &Values, warnings: &mut Vec<Warning>) {
    let Some(Value::Object(tags)) = values.get("tags") else { return };
    for dependency in dependencies {
        let (mut on, mut off) = (false, false);
        for tag in &dependency.tags {
            match tags.get(tag) {
                Some(Value::Bool(true)) => on = true,
                Some(Value::Bool(false)) => off = true,
                Some(_) => {
                    warnings
                        .push(Warning::Tag { tag: tag.clone(), chart: dependency.name.clone() });
                }
                None => {}
            }
        }
        dependency.enabled = on || !off;
    }
}

/// The first path that leads to a boolean decides, over the tags.
fn apply_conditions(
    dependencies: &mut [Dependency],
    values: &Values,
    prefix: &str,
    warnings: &mut Vec<Warning>,
) {
    for dependency in dependencies {
        for condition in dependency.condition.trim().split(',').filter(|text| !text.is_empty()) {
            match path::scalar(values, &format!("{prefix}{condition}")) {
                Some(Value::Bool(value)) => {
                    dependency.enabled = *value;
                    break;
                }
                Some(_) => warnings.push(Warning::Condition {
                    path: condition.to_owned(),
                    chart: dependency.name.clone(),
                }),
                None => {}
            }
        }
    }
}
