//! Values files, merged into one.

use gitops_helm::{Chart, Compat};
use serde_json::{Map, Value};

use gitops_core::confined_path;

use super::{Cause, ChartBuildOptions, LocalChart, error::during};

pub(super) fn merge_local(
    local: &LocalChart,
    options: &ChartBuildOptions,
) -> Result<(Map<String, Value>, Vec<String>), Cause> {
    let mut values = Map::new();
    let mut used = Vec::new();
    for path in &options.values_files {
        let place = confined_path(path);
        match local.tree.read(&place) {
            Ok(data) => {
                merge_file(&mut values, path, &data)?;
                used.push(path.clone());
            }
            Err(error) if error.is_not_found() && options.ignore_missing => {}
            Err(_) => {
                let place = place.display();
                let why = format!("no values file found at path '/{place}' (reference '{path}')");
                return Err(why.into());
            }
        }
    }
    Ok((values, used))
}

pub(super) fn merge_file(
    values: &mut Map<String, Value>,
    path: &str,
    data: &[u8],
) -> Result<(), Cause> {
    let read = gitops_helm::read_values(data, Compat::Helm3);
    let read =
        read.map_err(|error| during(format!("unmarshaling values from '{path}' failed"), error))?;
    gitops_helm::merge(values, read);
    Ok(())
}

/// Puts merged values in place of `values.yaml`; false when that changes nothing.
pub(super) fn overwrite_values(
    chart: &mut Chart,
    values: Map<String, Value>,
) -> Result<bool, Cause> {
    let text = if values.is_empty() {
        String::new()
    } else {
        let mut values = Value::Object(values.clone());
        integers(&mut values);
        gitops_yaml::to_yaml(&gitops_yaml::Node::from_json(values))?
    };
    let file = chart.raw.iter_mut().find(|file| file.name == "values.yaml");
    let file = file.ok_or("failed to locate values file: values.yaml")?;
    if file.data == text.as_bytes() {
        return Ok(false);
    }
    file.data = text.into();
    chart.values = Some(values);
    Ok(true)
}

/// Whole numbers print as such, as Go's JSON has them.
fn integers(value: &mut Value) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() <= EXACT
            {
                #[allow(clippy::cast_possible_truncation, reason = "whole and small enough")]
                let whole = float as i64;
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(integers),
        Value::Object(fields) => fields.values_mut().for_each(integers),
        _ => {}
    }
}
