//! Runs the templates of a chart and of all charts below it.
//!
//! Follows helm pkg/engine/engine.go.

mod capabilities;
mod chart_value;
mod convert;
mod error;
mod files;
mod glob;
mod report;
mod scope;

use std::collections::BTreeMap;

use gitops_core::Scope;
use gitops_template::{
    Context, Functions, Host, Limits, Map, MapKind, MissingKey, Options, Templates, Text, Value,
    strip_missing,
};

use crate::{Capabilities, Chart, Compat, Values};

pub use error::EngineError;
pub use report::{Diagnostic, Place};
use scope::Renderable;

/// What a run of a chart's templates is told besides the chart and its values.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Whose rules and whose errors apply.
    pub compat: Compat,
    /// What a run may cost.
    pub limits: Limits,
    /// A missing key is an error.
    pub strict: bool,
    /// `helm lint`: `required` and `fail` let a template pass.
    pub lint: bool,
}

impl EngineOptions {
    /// These rules, with the default limits.
    pub fn new(compat: Compat) -> Self {
        Self { compat, limits: Limits::default(), strict: false, lint: false }
    }
}

/// `.Release`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// The name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its revision, from 1.
    pub revision: i64,
    /// Whether it is an upgrade, and not an installation.
    pub is_upgrade: bool,
}

/// Renders all templates but partials; the texts by their paths (`parent/charts/child/templates/a.yaml`).
/// The values are those that [`coalesce`](crate::coalesce) gives.
///
/// # Errors
/// If a template cannot be parsed or fails; in Helm's words.
pub fn render_templates(
    chart: &Chart,
    values: &Values,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
    options: &EngineOptions,
    host: &dyn Host,
    scope: &Scope,
) -> Result<BTreeMap<String, String>, EngineError> {
    let renderables = scope::renderables(chart, values, release, capabilities, options.compat);
    let source = |path: &str| {
        let found = renderables.iter().find(|renderable| &*renderable.path == path);
        found.map(|renderable| renderable.text.to_string())
    };
    let mut templates = Templates::new(functions(options.compat));
    for Renderable { path, text, .. } in &renderables {
        templates.add(path, text.clone()).map_err(|error| {
            let diagnostic = Diagnostic::new(&error, source);
            EngineError::parse(error, diagnostic)
        })?;
    }
    let run = Options {
        limits: options.limits,
        missing: if options.strict { MissingKey::Error } else { MissingKey::Zero },
        lint: options.lint,
    };
    let mut context = Context::new(templates, run, host, scope);
    let mut rendered = BTreeMap::new();
    for Renderable { path, base_path, values, .. } in &renderables {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.starts_with('_') {
            continue;
        }
        values.insert("Template", template_value(path, base_path, options.compat));
        let text = context.render(path, Value::Map(values.clone())).map_err(|error| {
            let diagnostic = Diagnostic::new(&error, source);
            EngineError::exec(error, path, options.compat, diagnostic)
        })?;
        rendered.insert(path.to_string(), strip_missing(text));
    }
    Ok(rendered)
}

/// The functions of a chart's templates.
fn functions(compat: Compat) -> Functions {
    let profile = match compat {
        Compat::Helm4 => gitops_template::HelmVersion::V4,
        Compat::Helm3 => gitops_template::HelmVersion::V3,
    };
    Functions::builtin().with(gitops_template::helm(profile))
}

fn template_value(path: &Text, base_path: &Text, compat: Compat) -> Value {
    let entries = [("Name", path), ("BasePath", base_path)];
    let entries = entries.map(|(key, text)| (Text::from(key), Value::Str(text.clone())));
    Value::Map(Map::of(values_kind(compat), entries.into_iter().collect()))
}

/// The type of values.
fn values_kind(compat: Compat) -> MapKind {
    MapKind::Named(match compat {
        Compat::Helm4 => "common.Values",
        Compat::Helm3 => "chartutil.Values",
    })
}
