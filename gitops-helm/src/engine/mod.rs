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

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use bytestring::ByteString;
use gitops_core::Scope;
use gitops_template::{
    Context, Functions, HelmVersion, Host, Limits, Map, MapKind, MissingKey, Options, Templates,
    Text, Value, strip_missing,
};

use crate::{Capabilities, Chart, Compat, Values, trace::Trace};

pub(crate) use convert::value as go_value;
pub use error::EngineError;
pub use report::{Diagnostic, Place};
pub(crate) use scope::{Renderable, Template, templates_of};

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

impl ReleaseInfo {
    /// The first revision of a release.
    pub fn install(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self { name: name.into(), namespace: namespace.into(), revision: 1, is_upgrade: false }
    }
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
    let seen = Seen { chart, values, release, capabilities };
    let templates = templates_of(chart);
    let renderables = seen.renderables(&templates, options.compat);
    let templates = parse(&templates, options.compat)?;
    run_all(&templates, &renderables, options, host, scope, None)
}

/// What the templates of a chart see.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) chart: &'a Chart,
    pub(crate) values: &'a Values,
    pub(crate) release: &'a ReleaseInfo,
    pub(crate) capabilities: &'a Capabilities,
}

impl Seen<'_> {
    /// The templates with what they see. Templates can change that: it serves one run.
    pub(crate) fn renderables(self, templates: &[Template], compat: Compat) -> Vec<Renderable> {
        scope::renderables(templates, self, compat)
    }

    /// A text that sees what the templates of the chart see.
    pub(crate) fn of_text(self, path: &str, text: &str, compat: Compat) -> Renderable {
        scope::of_text(path, text, self, compat)
    }
}

/// Parses all templates into one set.
pub(crate) fn parse(all: &[Template], compat: Compat) -> Result<Templates, EngineError> {
    let mut templates = Templates::new(functions(compat));
    let text_of = |path: &str| {
        let found = all.iter().find(|template| *template.path == *path);
        found.map(|template| template.text.to_string())
    };
    templates.reserve(all.iter().map(|template| template.text.len()).sum());
    for Template { path, text, .. } in all {
        add(&mut templates, path, text.clone(), text_of)?;
    }
    Ok(templates)
}

/// Parses one more template.
pub(crate) fn add(
    templates: &mut Templates,
    path: impl Into<Text>,
    text: ByteString,
    source: impl Fn(&str) -> Option<String>,
) -> Result<(), EngineError> {
    templates.add(path, text).map_err(|error| {
        let diagnostic = Diagnostic::new(&error, source);
        EngineError::parse(error, diagnostic)
    })
}

/// Runs all templates but partials.
pub(crate) fn run_all(
    templates: &Templates,
    renderables: &[Renderable],
    options: &EngineOptions,
    host: &dyn Host,
    scope: &Scope,
    mut trace: Option<&mut Trace>,
) -> Result<BTreeMap<String, String>, EngineError> {
    let mut context = Context::new(templates.clone(), run_options(options), host, scope);
    let root = renderables.iter().min_by_key(|renderable| renderable.base_path.len());
    if let (Some(_), Some(values)) = (&trace, root.and_then(|root| root.values.get("Values"))) {
        context.watch("", &values);
    }
    let mut rendered = BTreeMap::new();
    for renderable in renderables {
        let path = &renderable.path;
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.starts_with('_') {
            continue;
        }
        let text = run_one(&mut context, renderable, renderables, options.compat)?;
        if let (Some(trace), Some(written)) = (&mut trace, context.take_written()) {
            trace.add(path, written);
        }
        rendered.insert(path.to_string(), text);
    }
    Ok(rendered)
}

pub(crate) fn run_options(options: &EngineOptions) -> Options {
    Options {
        limits: options.limits,
        missing: if options.strict { MissingKey::Error } else { MissingKey::Zero },
        lint: options.lint,
    }
}

/// Runs one template.
pub(crate) fn run_one(
    context: &mut Context<'_>,
    renderable: &Renderable,
    all: &[Renderable],
    compat: Compat,
) -> Result<String, EngineError> {
    let Renderable { path, base_path, values, .. } = renderable;
    values.insert("Template", template_value(path, base_path, compat));
    let text = context.render(path, Value::Map(values.clone())).map_err(|error| {
        let own = |wanted: &str| (*wanted == **path).then(|| renderable.text.to_string());
        let diagnostic =
            Diagnostic::new(&error, |wanted| own(wanted).or_else(|| source(all, wanted)));
        EngineError::exec(error, path, compat, diagnostic)
    })?;
    Ok(strip_missing(text))
}

/// The text of a template.
fn source(renderables: &[Renderable], path: &str) -> Option<String> {
    let found = renderables.iter().find(|renderable| &*renderable.path == path);
    found.map(|renderable| renderable.text.to_string())
}

/// The functions of a chart's templates, whose table is made once.
fn functions(compat: Compat) -> Arc<Functions> {
    static HELM_4: LazyLock<Arc<Functions>> = LazyLock::new(|| of(HelmVersion::V4));
    static HELM_3: LazyLock<Arc<Functions>> = LazyLock::new(|| of(HelmVersion::V3));
    fn of(version: HelmVersion) -> Arc<Functions> {
        Arc::new(Functions::builtin().with(gitops_template::helm(version)))
    }
    Arc::clone(match compat {
        Compat::Helm4 => &HELM_4,
        Compat::Helm3 => &HELM_3,
    })
}

fn template_value(path: &Text, base_path: &Text, compat: Compat) -> Value {
    let entries = [("BasePath", base_path), ("Name", path)];
    let entries = entries.map(|(key, text)| (Text::from(key), Value::Str(text.clone())));
    Value::Map(Map::of(values_kind(compat), entries.into_iter().collect()))
}

/// The type of values.
fn values_kind(compat: Compat) -> MapKind {
    match compat {
        Compat::Helm4 => MapKind::CommonValues,
        Compat::Helm3 => MapKind::ChartutilValues,
    }
}
