//! What a chart says of itself, as `helm show` prints it.

use std::fmt;

use gitops_yaml::{Node, to_yaml};

use crate::{
    Compat,
    chart::{Chart, File},
};

/// What is shown of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Everything.
    All,
    /// Chart.yaml, with what requirements.yaml adds.
    Chart,
    /// values.yaml as it stands.
    Values,
    /// The readme.
    Readme,
    /// The manifests of `crds/`.
    Crds,
}

/// Metadata that YAML cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the chart's metadata")]
pub struct ShowError(#[from] gitops_yaml::Error);

impl Chart {
    /// The text that `helm show` prints.
    ///
    /// # Errors
    /// When the metadata cannot be written as YAML.
    pub fn show(&self, what: Show, compat: Compat) -> Result<Vec<u8>, ShowError> {
        let mut out = Vec::new();
        let all = what == Show::All;
        if all || what == Show::Chart {
            let metadata = to_yaml(&Node::from_json(self.metadata.to_json()))?;
            line(&mut out, metadata.as_bytes());
        }
        if (all || what == Show::Values) && self.values.is_some() {
            if all {
                line(&mut out, b"---");
            }
            for file in self.raw.iter().filter(|file| file.name == "values.yaml") {
                line(&mut out, &file.data);
            }
        }
        if (all || what == Show::Readme)
            && let Some(readme) = self.readme()
        {
            if all {
                line(&mut out, b"---");
            }
            line(&mut out, &readme.data);
        }
        if all || what == Show::Crds {
            for (index, crd) in self.crds().iter().enumerate() {
                // Helm 3 separates the first one only, and only from what stands before.
                let separated = compat == Compat::Helm4 || (index == 0 && all);
                if separated && !crd.data.starts_with(b"---") {
                    line(&mut out, b"---");
                }
                line(&mut out, &crd.data);
            }
        }
        Ok(out)
    }

    /// The readme.
    pub fn readme(&self) -> Option<&File> {
        let names = ["readme.md", "readme.txt", "readme"];
        self.files.iter().find(|file| names.iter().any(|name| file.name.eq_ignore_ascii_case(name)))
    }
}

fn line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// A table as Helm prints it: columns as wide as their widest cell, divided by tabs, cut at a width
/// unless that is 0.
///
/// Follows gosuri/uitable v0.0.4.
#[derive(Debug)]
pub(crate) struct Table {
    width: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(width: u64) -> Self {
        let width = usize::try_from(width).unwrap_or(usize::MAX);
        Self { width: if width == 0 { usize::MAX } else { width }, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: &[&str]) {
        let cut = |cell: &&str| match cell.char_indices().nth(self.width) {
            None => (*cell).to_owned(),
            Some(_) => {
                // One letter stays in the narrowest column, which gets wider by that.
                let kept: String = cell.chars().take(self.width.saturating_sub(3).max(1)).collect();
                format!("{kept}...")
            }
        };
        self.rows.push(cells.iter().map(cut).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count().min(self.width)).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            for (column, cell) in row.iter().enumerate() {
                let tab = if column > 0 { "\t" } else { "" };
                let space = widths[column].saturating_sub(cell.chars().count());
                write!(f, "{tab}{cell}{}", " ".repeat(space))?;
            }
        }
        Ok(())
    }
}
