//! Who set a value.

use std::fmt;

use gitops_yaml::{FieldPath, Flavour, Node, PathStep, ReadOptions};
use serde_json::Value;

use crate::{Chart, Values};

/// Values that were given besides the chart, with their lines where they were read from a text.
#[derive(Clone, Debug)]
pub struct GivenValues {
    by: String,
    documents: Vec<Node>,
}

impl GivenValues {
    /// A file of values, as `-f` takes it.
    pub fn file(name: impl Into<String>, text: &[u8]) -> Self {
        Self { by: name.into(), documents: documents(text) }
    }

    /// Values without a text, such as those of one `--set`.
    pub fn flag(name: impl Into<String>, values: &Values) -> Self {
        let node = Node::from_json(Value::Object(values.clone()));
        Self { by: name.into(), documents: vec![node] }
    }
}

/// Someone who set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The file or the flag.
    pub by: String,
    /// The line of the value in that file, from 1; 0 of a flag.
    pub line: u32,
    /// Its column, from 1; 0 of a flag.
    pub column: u32,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.by)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// values.yaml of a chart.
#[derive(Debug)]
pub(super) struct Defaults {
    by: String,
    /// The names of the charts below the root that lead to it.
    below: Vec<String>,
    documents: Vec<Node>,
}

/// What cannot be read has no lines; rendering has told of it.
fn documents(text: &[u8]) -> Vec<Node> {
    ReadOptions::flavour(Flavour::V2).read_all(text).unwrap_or_default()
}

/// The values.yaml of a chart and of those below it, parents first.
pub(super) fn defaults(chart: &Chart) -> Vec<Defaults> {
    let mut found = Vec::new();
    let mut rest = vec![(chart, chart.name().to_owned(), Vec::new())];
    while let Some((chart, path, below)) = rest.pop() {
        for child in &chart.dependencies {
            let mut names = below.clone();
            names.push(child.name().to_owned());
            rest.push((child, format!("{path}/charts/{}", child.name()), names));
        }
        if let Some(file) = chart.raw.iter().find(|file| file.name == "values.yaml") {
            let documents = documents(&file.data);
            found.push(Defaults { by: format!("{path}/{}", file.name), below, documents });
        }
    }
    found.sort_by_key(|defaults| defaults.below.len());
    found
}

/// The value at a path.
pub(super) fn at(values: &Values, path: &str) -> Option<Value> {
    let path: FieldPath = path.parse().ok()?;
    let (PathStep::Key(first), rest) = path.steps().split_first()? else { return None };
    let found = rest.iter().try_fold(values.get(first.as_str())?, |value, step| match step {
        PathStep::Key(key) => value.get(key.as_str()),
        PathStep::Index(index) => value.get(index),
        PathStep::Element(..) => None,
    });
    found.cloned()
}

/// Who set a value, the one that wins first.
pub(super) fn settings(path: &str, given: &[GivenValues], defaults: &[Defaults]) -> Vec<Setting> {
    let Ok(path) = path.parse::<FieldPath>() else { return Vec::new() };
    let mut found = Vec::new();
    for steps in ways(path.steps()) {
        for given in given.iter().rev() {
            found.extend(setting(&given.by, &given.documents, &steps));
        }
        for Defaults { by, below, documents } in defaults {
            let leads = below.len() <= steps.len()
                && below
                    .iter()
                    .zip(&steps)
                    .all(|(name, step)| matches!(step, PathStep::Key(key) if key.as_str() == name));
            if leads {
                found.extend(setting(by, documents, &steps[below.len()..]));
            }
        }
    }
    found
}

/// The paths from which a value comes: a global one also from the globals of all charts above.
fn ways(steps: &[PathStep]) -> Vec<Vec<PathStep>> {
    let global =
        steps.iter().position(|step| matches!(step, PathStep::Key(key) if key == "global"));
    let global = global.unwrap_or(0);
    (0..=global).map(|kept| [&steps[..kept], &steps[global..]].concat()).collect()
}

fn setting(by: &str, documents: &[Node], steps: &[PathStep]) -> Option<Setting> {
    let node = documents.iter().rev().find_map(|document| {
        steps.iter().try_fold(document, |node, step| match step {
            PathStep::Key(key) => node.get(key),
            PathStep::Index(index) => node.as_sequence()?.get(*index),
            PathStep::Element(..) => None,
        })
    })?;
    let place = node.place();
    Some(Setting { by: by.to_owned(), line: place.line(), column: place.column() })
}
