//! `helm lint`: what is wrong with a chart, and what should be otherwise.
//!
//! Follows helm pkg/chart/v2/lint.

mod chart_file;
mod deprecations;
mod names;
mod resources;
mod templates;

use std::{fmt, path::Path};

use gitops_core::Tree;
use gitops_template::Host;
use serde_json::Value;

use crate::{
    Compat, KubeVersion,
    chart::{Chart, ChartError, LoadOptions},
    values::{Values, merge_tables_without_nulls, validate_single_schema},
};

/// How a chart is looked at.
#[derive(Clone, Debug)]
pub struct LintOptions {
    /// Whose rules apply.
    pub compat: Compat,
    /// The namespace that templates see.
    pub namespace: String,
    /// The version of Kubernetes that templates see and that tells what is deprecated.
    pub kube_version: Option<KubeVersion>,
    /// Whether values.schema.json is left alone.
    pub skip_schema_validation: bool,
}

impl LintOptions {
    /// The namespace `default`, and the version of Kubernetes that Helm assumes.
    pub fn new(compat: Compat) -> Self {
        Self {
            compat,
            namespace: "default".to_owned(),
            kube_version: None,
            skip_schema_validation: false,
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Against convention.
    Warning,
    /// The chart cannot be installed.
    Error,
}

/// Something about a chart. `Display` gives Helm's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintMessage {
    /// How bad it is.
    pub severity: Severity,
    /// The file below the chart, or the chart.
    pub path: String,
    /// What it is.
    pub text: String,
}

impl fmt::Display for LintMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.path, self.text)
    }
}

/// Looks at the chart in a directory of a tree. `shown` is the full path of the directory, for
/// messages; templates see the world through `host`: without randomness none makes a key.
pub fn lint(
    tree: &dyn Tree,
    path: &Path,
    shown: &str,
    values: &Values,
    options: &LintOptions,
    host: &dyn Host,
) -> Vec<LintMessage> {
    let mut load = LoadOptions::new(options.compat);
    load.any_version = true;
    let mut linter = Linter {
        tree,
        path,
        chart: Chart::load_directory(tree, path, &load),
        values,
        options,
        host,
        messages: Vec::new(),
    };
    linter.chart_file();
    linter.values_file();
    linter.templates();
    linter.dependencies(shown);
    if options.compat == Compat::Helm4 {
        linter.crds();
    }
    linter.messages
}

struct Linter<'l> {
    tree: &'l dyn Tree,
    path: &'l Path,
    chart: Result<Chart, ChartError>,
    values: &'l Values,
    options: &'l LintOptions,
    host: &'l dyn Host,
    messages: Vec<LintMessage>,
}

impl Linter<'_> {
    /// Notes what a rule found; whether it found nothing.
    fn check(&mut self, severity: Severity, path: &str, rule: Result<(), String>) -> bool {
        match rule {
            Ok(()) => true,
            Err(text) => {
                self.messages.push(LintMessage { severity, path: path.to_owned(), text });
                false
            }
        }
    }

    fn values_file(&mut self) {
        let file = "values.yaml";
        let Ok(text) = self.tree.read(&self.path.join(file)) else {
            self.check(Severity::Info, file, Err("file does not exist".to_owned()));
            return;
        };
        let rule = self.check_values(&text);
        self.check(Severity::Error, file, rule);
    }

    /// The values of the chart alone: those of its dependencies are not looked at.
    fn check_values(&self, text: &[u8]) -> Result<(), String> {
        let go_type = match self.options.compat {
            Compat::Helm3 => "chartutil.Values",
            Compat::Helm4 => "common.Values",
        };
        let defaults = crate::decode::read_object_as(text, go_type)
            .map_err(|error| format!("unable to parse YAML: {}", gitops_core::one_line(&error)))?;
        let mut values = self.values.clone();
        merge_tables_without_nulls(&mut values, &defaults);
        let schema = self.tree.read(&self.path.join("values.schema.json")).unwrap_or_default();
        let skipped = self.options.skip_schema_validation && self.options.compat == Compat::Helm4;
        if schema.is_empty() || skipped {
            return Ok(());
        }
        validate_single_schema(&schema, &values)
    }

    fn dependencies(&mut self, shown: &str) {
        let chart = match &self.chart {
            Ok(chart) => chart,
            Err(error) => {
                let text = format!("unable to load chart\n\t{}", error.helm_text());
                self.check(Severity::Error, "", Err(text));
                return;
            }
        };
        let declared: Vec<_> =
            chart.metadata.dependencies.iter().map(|d| d.name.as_str()).collect();
        let present: Vec<_> = chart.dependencies.iter().map(Chart::name).collect();
        let missing = |these: &[&str], those: &[&str], text: &str| {
            let missing: Vec<_> =
                these.iter().filter(|name| !those.contains(name)).copied().collect();
            if missing.is_empty() {
                Ok(())
            } else {
                Err(format!("{text} is missing these dependencies: {}", missing.join(",")))
            }
        };
        let undeclared = missing(&present, &declared, "chart metadata");
        let absent = missing(&declared, &present, "chart directory");
        self.check(Severity::Error, shown, undeclared);
        self.check(Severity::Warning, shown, absent);
    }
}

/// What Go calls the type of a decoded value.
fn go_type(value: &Value) -> &'static str {
    crate::warning::go_type_name(value)
}
