//! From a list of files to a chart.
//!
//! Follows helm pkg/chart/v2/loader/load.go; differs in: charts below `charts/` are loaded in the
//! order of their names, where Helm takes the order of a Go map.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    Compat,
    chart::{Chart, ChartError, ChartWarning, Lock, Metadata, archive::Budget},
    decode::read_value,
    values::read_values,
};

/// A file of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the chart, divided by `/`.
    pub name: String,
    /// Its content, without a byte order mark.
    pub data: Bytes,
}

impl File {
    /// A file.
    pub fn new(name: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self { name: name.into(), data: data.into() }
    }
}

pub(super) fn load(
    files: Vec<File>,
    compat: Compat,
    budget: &mut Budget,
) -> Result<Chart, ChartError> {
    budget.enter()?;
    let mut chart = Chart::default();
    let mut metadata = load_metadata(&files, compat)?;
    let mut below = BTreeMap::<&str, Vec<File>>::new();
    for file in &files {
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => chart.lock = Some(load_lock(file, compat)?),
            "values.yaml" => {
                let values = read_values(&file.data, compat)
                    .map_err(|source| ChartError::document("values.yaml", source))?;
                chart.values = Some(values);
            }
            "values.schema.json" => chart.schema = Some(file.data.clone()),
            "requirements.yaml" => {
                let metadata = metadata.get_or_insert_default();
                if metadata.api_version != "v1" {
                    chart.warnings.push(ChartWarning::RequirementsFile);
                }
                read_value(&file.data).and_then(|value| metadata.decode(&value)).map_err(
                    |source| ChartError::document("requirements.yaml", source.of(compat)),
                )?;
                if metadata.api_version == "v1" {
                    chart.files.push(file.clone());
                }
            }
            "requirements.lock" => {
                chart.lock = Some(load_lock(file, compat)?);
                if metadata.get_or_insert_default().api_version == "v1" {
                    chart.files.push(file.clone());
                } else {
                    chart.warnings.push(ChartWarning::RequirementsLock);
                }
            }
            name if name.starts_with("templates/") => chart.templates.push(file.clone()),
            name => match name.strip_prefix("charts/") {
                Some(_) if name.ends_with(".prov") => chart.files.push(file.clone()),
                Some(rest) => {
                    let first = rest.split('/').next().unwrap_or(rest);
                    below.entry(first).or_default().push(File::new(rest, file.data.clone()));
                }
                None => chart.files.push(file.clone()),
            },
        }
    }
    chart.metadata = metadata.ok_or(ChartError::NoMetadata)?;
    chart.metadata.validate()?;
    for (name, files) in below {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let subchart = load_below(name, files, &chart.metadata.name, compat, budget)?;
        chart.dependencies.push(subchart);
    }
    chart.raw = files;
    budget.leave();
    Ok(chart)
}

fn load_metadata(files: &[File], compat: Compat) -> Result<Option<Metadata>, ChartError> {
    let mut metadata: Option<Metadata> = None;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let metadata = metadata.get_or_insert_default();
        read_value(&file.data)
            .and_then(|value| metadata.decode(&value))
            .map_err(|source| ChartError::document("Chart.yaml", source.of(compat)))?;
        // Helm 2 accepted charts without it.
        if metadata.api_version.is_empty() {
            "v1".clone_into(&mut metadata.api_version);
        }
    }
    Ok(metadata)
}

fn load_lock(file: &File, compat: Compat) -> Result<Lock, ChartError> {
    read_value(&file.data)
        .and_then(|value| Lock::decode(&value))
        .map_err(|source| ChartError::document(&file.name, source.of(compat)))
}

fn load_below(
    name: &str,
    files: Vec<File>,
    chart: &str,
    compat: Compat,
    budget: &mut Budget,
) -> Result<Chart, ChartError> {
    let loaded = if name.ends_with(".tgz") {
        let file = &files[0];
        if file.name != name {
            return Err(ChartError::SubchartArchive {
                chart: chart.to_owned(),
                expected: name.to_owned(),
                found: file.name.clone(),
            });
        }
        budget.read_archive(&file.data).and_then(|files| load(files, compat, budget))
    } else {
        let files = files
            .into_iter()
            .filter_map(|file| {
                let (_, rest) = file.name.split_once('/')?;
                Some(File { name: rest.to_owned(), data: file.data })
            })
            .collect();
        load(files, compat, budget)
    };
    loaded.map_err(|source| ChartError::Subchart {
        name: name.to_owned(),
        chart: chart.to_owned(),
        source: Box::new(source),
    })
}
