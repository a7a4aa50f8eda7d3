//! `import-values`: what a chart takes from the values of its dependencies.

use serde_json::Value;

use super::path;
use crate::{
    Compat, Warning,
    chart::{Chart, Dependency},
    values::{CoalesceError, Values, merge_tables, merge_with_nulls},
    warning::go_value,
};

pub(super) fn process(
    chart: &mut Chart,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<(), CoalesceError> {
    for child in &mut chart.dependencies {
        process(child, compat, warnings)?;
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let mut values = merge_with_nulls(chart, compat, &mut Vec::new())?;
    let mut imported = Values::new();
    let mut shared = Vec::new();
    for dependency in &chart.metadata.dependencies {
        for import in &dependency.import_values {
            let Some((from, to)) = import_paths(dependency, import) else { continue };
            let table = match path::table(&values, &from) {
                Ok(table) => table.clone(),
                Err(key) => {
                    warnings.push(missing(dependency, import, key));
                    continue;
                }
            };
            let to: Vec<&str> = if to == "." { Vec::new() } else { to.split('.').collect() };
            let wrapped = to.iter().rev().fold(Value::Object(table), |inner, key| {
                Value::Object(Values::from_iter([((*key).to_owned(), inner)]))
            });
            let Value::Object(wrapped) = wrapped else { continue };
            let from: Vec<String> = from.split('.').map(str::to_owned).collect();
            let mut place = Vec::new();
            add(&mut imported, wrapped, &mut place, &to, &from, &mut shared);
        }
    }
    for dependency in &mut chart.metadata.dependencies {
        tell_paths(dependency);
    }
    // Quirk: an imported table is the dependency's own one, so what other dependencies add to it
    // is there too.
    for Shared { to, from } in shared {
        let table = at(&mut imported, &to).cloned();
        if let (Some(table), Some(own)) = (table, at(&mut values, &from)) {
            *own = table;
        }
    }
    // The chart's own values win over what it imports.
    merge_tables(&mut values, &imported, warnings);
    chart.values = Some(values);
    Ok(())
}

/// From where below the chart's values, and to where.
fn import_paths(dependency: &Dependency, import: &Value) -> Option<(String, String)> {
    let name = &dependency.name;
    match import {
        Value::String(export) => Some((format!("{name}.exports.{export}"), ".".to_owned())),
        Value::Object(paths) => {
            let path = |key: &str| go_value(paths.get(key).unwrap_or(&Value::Null));
            Some((format!("{name}.{}", path("child")), path("parent")))
        }
        _ => None,
    }
}

/// Templates see both paths of each import, however it was written.
fn tell_paths(dependency: &mut Dependency) {
    let imports = std::mem::take(&mut dependency.import_values);
    for import in &imports {
        let Some((from, to)) = import_paths(dependency, import) else { continue };
        let child = from[dependency.name.len() + 1..].to_owned();
        let paths = [("child".to_owned(), child.into()), ("parent".to_owned(), to.into())];
        dependency.import_values.push(Value::Object(paths.into_iter().collect()));
    }
}

fn missing(dependency: &Dependency, import: &Value, key: &str) -> Warning {
    let key = key.to_owned();
    if import.is_string() {
        Warning::Import { key }
    } else {
        Warning::ImportFromChart { chart: dependency.name.clone(), key }
    }
}

/// A table that is in the imported values and in those of a dependency.
struct Shared {
    to: Vec<String>,
    from: Vec<String>,
}

/// Puts the entries of `source` below those of `target`, and notes which tables of the dependency
/// became part of the target. The path `outer` of `source` only leads to those tables.
fn add(
    target: &mut Values,
    source: Values,
    place: &mut Vec<String>,
    outer: &[&str],
    from: &[String],
    shared: &mut Vec<Shared>,
) {
    for (key, value) in source {
        place.push(key);
        let key = place.last().expect("one was pushed");
        match (target.get_mut(key), value) {
            (Some(Value::Object(target)), Value::Object(value)) => {
                add(target, value, place, outer, from, shared);
            }
            (Some(_), _) => {}
            (None, value) => {
                if value.is_object() {
                    // Where the way was missing, the dependency's table itself is at its end.
                    let below = place.get(outer.len()..).unwrap_or_default();
                    let to = outer.iter().map(|key| (*key).to_owned()).chain(below.iter().cloned());
                    let from = from.iter().chain(below).cloned().collect();
                    shared.push(Shared { to: to.collect(), from });
                }
                target.insert(key.clone(), value);
            }
        }
        place.pop();
    }
}

fn at<'v>(values: &'v mut Values, path: &[String]) -> Option<&'v mut Value> {
    let (last, path) = path.split_last()?;
    let mut table = values;
    for key in path {
        table = table.get_mut(key)?.as_object_mut()?;
    }
    table.get_mut(last)
}
