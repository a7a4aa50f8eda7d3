//! From a chart and values to the manifests of a release: the public verb.

use std::{fmt, sync::Arc};

use gitops_core::{Class, Classify, Scope, Version, VersionRange};
use gitops_template::{Host, Limits};

use crate::{
    Capabilities, Chart, CoalesceError, Compat, Crd, EngineError, Hook, Manifest, ManifestError,
    PostRenderStrategy, PostRenderer, Prepared, ReleaseInfo, SchemaError, Values, Warning,
    trace::Trace,
};

/// How a chart is rendered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RenderOptions {
    /// Whose rules apply.
    pub compat: Compat,
    /// What the templates are told of the cluster.
    pub capabilities: Capabilities,
    /// What a run of the templates may cost.
    pub limits: Limits,
    /// Leaves values.schema.json unread.
    pub skip_schema_validation: bool,
    /// Puts the notes of subcharts behind those of the chart.
    pub subchart_notes: bool,
    /// Keeps who wrote which line, for [`Release::explain`].
    pub trace: bool,
    /// Changes what the templates gave.
    pub post_renderer: Option<Arc<dyn PostRenderer>>,
    /// What of it the post-renderer gets to see.
    pub post_render_strategy: PostRenderStrategy,
}

impl RenderOptions {
    /// These rules, without a cluster.
    pub fn new(compat: Compat) -> Self {
        Self {
            compat,
            capabilities: Capabilities::new(compat),
            limits: Limits::default(),
            skip_schema_validation: false,
            subchart_notes: false,
            trace: false,
            post_renderer: None,
            post_render_strategy: PostRenderStrategy::default(),
        }
    }
}

/// What a chart gives.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Release {
    /// The manifests of `crds/` of the chart and of those below it that take part.
    pub crds: Vec<Crd>,
    /// The objects, in the order of installation.
    pub manifests: Vec<Manifest>,
    /// The hooks.
    pub hooks: Vec<Hook>,
    /// The text of NOTES.txt.
    pub notes: String,
    /// What is not as its author meant it.
    pub warnings: Vec<Warning>,
    /// Who wrote which line, of a release that was rendered with [`RenderOptions::trace`].
    pub(crate) trace: Option<Arc<Trace>>,
    /// The stream of a post-renderer that takes the place of the manifests in all that is shown.
    pub(crate) stream: Option<String>,
}

/// What of a release is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The manifests of `crds/`.
    pub crds: bool,
    /// Hooks.
    pub hooks: bool,
    /// Hooks that are tests.
    pub tests: bool,
}

impl Shown {
    /// Everything.
    pub const ALL: Self = Self { crds: true, hooks: true, tests: true };
}

impl Release {
    /// The release as one stream, as `helm template` prints it.
    pub fn text(&self, shown: Shown) -> String {
        let manifests = self.manifests.iter().map(|manifest| manifest.content.len() + 100).sum();
        let mut text = String::with_capacity(manifests);
        let written = self.write(shown, &mut text);
        debug_assert!(written.is_ok(), "a string takes all");
        text
    }

    /// Writes the release as one stream, as `helm template` prints it.
    ///
    /// # Errors
    /// If what it is written to takes no more.
    pub fn write(&self, shown: Shown, to: &mut dyn fmt::Write) -> fmt::Result {
        let mut trimmed = Trimmed { to, begun: false, held: String::new() };
        for crd in self.crds.iter().filter(|_| shown.crds) {
            let text = gitops_template::bytes::from_bytes(&crd.data);
            trimmed.document(&crd.path, &text)?;
        }
        match &self.stream {
            Some(stream) => trimmed.parts(&[stream])?,
            None => self
                .manifests
                .iter()
                .try_for_each(|manifest| trimmed.document(&manifest.path, &manifest.content))?,
        }
        to.write_str("\n")?;
        self.shown_hooks(shown).try_for_each(|hook| to.write_str(&hook.document()))
    }

    /// The objects as one stream without hooks, as a release record holds it.
    pub fn manifest_stream(&self) -> String {
        self.stream.clone().unwrap_or_else(|| crate::manifest::stream(&self.manifests))
    }

    /// The hooks that are shown.
    pub fn shown_hooks(&self, shown: Shown) -> impl Iterator<Item = &Hook> {
        let hooks = self.hooks.iter().filter(move |_| shown.hooks);
        hooks.filter(move |hook| shown.tests || !hook.is_test())
    }
}

/// Passes on what it is given but for the white space at its start and its end.
struct Trimmed<'w> {
    to: &'w mut dyn fmt::Write,
    begun: bool,
    /// White space that the end may be.
    held: String,
}

impl Trimmed<'_> {
    fn document(&mut self, path: &str, content: &str) -> fmt::Result {
        self.parts(&["---\n# Source: ", path, "\n", content, "\n"])
    }

    fn parts(&mut self, parts: &[&str]) -> fmt::Result {
        for part in parts {
            let part = if self.begun { part } else { part.trim_start() };
            let body = part.trim_end();
            if !body.is_empty() {
                self.begun = true;
                self.to.write_str(&self.held)?;
                self.held.clear();
                self.to.write_str(body)?;
            }
            self.held.push_str(&part[body.len()..]);
        }
        Ok(())
    }
}

/// Why a chart gives no manifests. The chain of causes, joined by `: `, is Helm's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The values of a dependency are no table.
    #[error("chart dependencies processing failed")]
    Dependencies(#[source] CoalesceError),
    /// The values of a chart are no table.
    #[error(transparent)]
    Values(#[from] CoalesceError),
    /// The values are not what values.schema.json wants.
    #[error(
        "values don't meet the specifications of the schema(s) in the following chart(s):\n{0}"
    )]
    Schema(SchemaError),
    /// The chart wants another Kubernetes.
    #[error("chart requires kubeVersion: {range} which is incompatible with Kubernetes {version}")]
    KubeVersion {
        /// What Chart.yaml asks for.
        range: String,
        /// What is there.
        version: String,
    },
    /// A template is broken or failed.
    #[error(transparent)]
    Template(#[from] EngineError),
    /// The post-renderer failed, or gave no YAML.
    #[error("error while running post render on {what}")]
    PostRender {
        /// What it was given: `files`, `hooks` or `manifests`.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A template gave no YAML, or no object.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl Classify for RenderError {
    fn class(&self) -> Class {
        Class::Invalid
    }
}

/// Renders a chart: dependencies are switched and named, values coalesced, templates run, and what
/// they give split and sorted.
///
/// Follows `helm template`.
///
/// # Errors
/// [`RenderError`], in Helm's words.
pub fn render(
    chart: Chart,
    values: &Values,
    release: &ReleaseInfo,
    options: &RenderOptions,
    host: &dyn Host,
    scope: &Scope,
) -> Result<Release, RenderError> {
    Prepared::new(chart, values, release.clone(), options.clone())?.render(host, scope)
}

pub(crate) fn check_kube_version(
    chart: &Chart,
    capabilities: &Capabilities,
) -> Result<(), RenderError> {
    let range = &chart.metadata.kube_version;
    let version = &capabilities.kube_version;
    if range.is_empty() {
        return Ok(());
    }
    let fits = range.parse::<VersionRange>().ok().zip(Version::parse(&version.normalized));
    if fits.is_some_and(|(range, version)| range.contains(&version)) {
        return Ok(());
    }
    Err(RenderError::KubeVersion { range: range.clone(), version: version.version.clone() })
}

/// Takes the notes out of the rendered files.
pub(crate) fn take_notes(
    rendered: &mut std::collections::BTreeMap<String, String>,
    chart: &str,
    subcharts: bool,
) -> String {
    let own = format!("{chart}/templates/NOTES.txt");
    let paths: Vec<String> =
        rendered.keys().filter(|path| path.ends_with("NOTES.txt")).cloned().collect();
    let mut notes = String::new();
    for path in paths {
        let text = rendered.remove(&path).unwrap_or_default();
        if subcharts || path == own {
            if !notes.is_empty() {
                notes.push('\n');
            }
            notes.push_str(&text);
        }
    }
    notes
}
