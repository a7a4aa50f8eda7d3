//! A chart that waits to be rendered, as a whole or template by template.

use std::{borrow::Cow, fmt, sync::Arc};

use gitops_core::Scope;
use gitops_template::{Context, Host, Templates};

use crate::{
    Chart, Compat, EngineError, EngineOptions, KindOrder, Release, ReleaseInfo, RenderError,
    RenderOptions, Values, Warning, coalesce,
    engine::{Renderable, Seen, Template, add, parse, run_all, run_one, run_options, templates_of},
    manifest::sort,
    post_render::{PostRendered, post_render},
    process_dependencies,
    render::{check_kube_version, take_notes},
    trace::Trace,
    validate_schema,
};

/// A chart with its values, whose templates are parsed.
///
/// ```
/// use gitops_core::{MemoryTree, Scope};
/// use gitops_helm::{Chart, Compat, LoadOptions, Prepared, ReleaseInfo, RenderOptions, Values};
/// use gitops_template::Sealed;
///
/// let tree = MemoryTree::from_iter([
///     ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\n"),
///     ("values.yaml", "replicas: 2\n"),
///     ("templates/_names.tpl", r#"{{ define "full" }}{{ .Release.Name }}-web{{ end }}"#),
///     ("templates/a.yaml", "replicas: {{ .Values.replicas }}\n"),
///     ("templates/broken.yaml", "{{ fail \"no\" }}\n"),
/// ]);
/// let chart = Chart::load(&tree, "".as_ref(), &LoadOptions::default())?;
/// let release = ReleaseInfo::install("my", "default");
/// let options = RenderOptions::new(Compat::Helm4);
/// let prepared = Prepared::new(chart, &Values::new(), release, options)?;
///
/// let scope = Scope::background();
/// assert_eq!(prepared.template("templates/a.yaml", &Sealed, &scope)?, "replicas: 2\n");
/// let text = r#"name: {{ include "full" . }}"#;
/// assert_eq!(prepared.text("name", text, &Sealed, &scope)?, "name: my-web");
/// assert!(prepared.render(&Sealed, &scope).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is immutable: what templates `set` in the values of a run is gone after it.
#[derive(Clone)]
pub struct Prepared {
    chart: Chart,
    values: Values,
    release: ReleaseInfo,
    options: RenderOptions,
    sources: Vec<Template>,
    templates: Templates,
    warnings: Vec<Warning>,
}

impl Prepared {
    /// Switches and names the dependencies of a chart, coalesces and checks its values and parses its
    /// templates.
    ///
    /// # Errors
    /// [`RenderError`], in Helm's words.
    pub fn new(
        chart: Chart,
        values: &Values,
        release: ReleaseInfo,
        options: RenderOptions,
    ) -> Result<Self, RenderError> {
        Self::noting(chart, values, release, options, &mut Vec::new())
    }

    /// The same; the warnings are there, too, if it fails.
    ///
    /// # Errors
    /// [`RenderError`], in Helm's words.
    pub fn noting(
        mut chart: Chart,
        values: &Values,
        release: ReleaseInfo,
        options: RenderOptions,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, RenderError> {
        let compat = options.compat;
        process_dependencies(&mut chart, values, compat, warnings).map_err(
            |error| match compat {
                Compat::Helm4 => RenderError::Dependencies(error),
                Compat::Helm3 => RenderError::Values(error),
            },
        )?;
        let values = coalesce(&chart, values, compat, warnings)?;
        if !options.skip_schema_validation {
            validate_schema(&chart, &values).map_err(RenderError::Schema)?;
        }
        check_kube_version(&chart, &options.capabilities)?;
        let sources = templates_of(&chart);
        let templates = parse(&sources, compat)?;
        let warnings = warnings.clone();
        Ok(Self { chart, values, release, options, sources, templates, warnings })
    }

    /// The values that the templates see.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The chart, its dependencies switched and named.
    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    /// The paths of all templates, partials included, in the order of their names:
    /// `web/templates/a.yaml`, `web/charts/db/templates/_names.tpl`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.sources.iter().map(|template| template.path.to_string()).collect();
        paths.sort_unstable();
        paths
    }

    /// Runs one template: a path as in [`Prepared::paths`], one below the chart, or the name of a
    /// `define`, which sees what the templates of the chart see.
    ///
    /// # Errors
    /// If there is no such template, or it fails; in Helm's words.
    pub fn template(
        &self,
        path: &str,
        host: &dyn Host,
        scope: &Scope,
    ) -> Result<String, EngineError> {
        let renderables = self.renderables();
        let below = format!("{}/{path}", self.chart.name());
        let found = [path, &below]
            .into_iter()
            .find_map(|path| renderables.iter().find(|renderable| *renderable.path == *path));
        let mut context =
            Context::new(self.templates.clone(), run_options(&self.engine()), host, scope);
        let compat = self.options.compat;
        match found {
            Some(found) => run_one(&mut context, found, &renderables, compat),
            None => {
                let define = self.seen().of_text(path, "", compat);
                run_one(&mut context, &define, &renderables, compat)
            }
        }
    }

    /// Runs a text as if it were a template of the chart, with the functions and the `define`s of all
    /// its templates; errors call it by `name`.
    ///
    /// # Errors
    /// If it cannot be parsed, or fails; in Helm's words.
    pub fn text(
        &self,
        name: &str,
        text: &str,
        host: &dyn Host,
        scope: &Scope,
    ) -> Result<String, EngineError> {
        let compat = self.options.compat;
        let renderable = self.seen().of_text(name, text, compat);
        let mut templates = self.templates.clone();
        add(&mut templates, name, text.into(), |path| (path == name).then(|| text.to_owned()))?;
        let mut context = Context::new(templates, run_options(&self.engine()), host, scope);
        run_one(&mut context, &renderable, &self.renderables(), compat)
    }

    /// Runs all templates, and splits and sorts what they give.
    ///
    /// # Errors
    /// [`RenderError`], in Helm's words.
    pub fn render(&self, host: &dyn Host, scope: &Scope) -> Result<Release, RenderError> {
        self.render_noting(host, scope, &mut self.warnings.clone())
    }

    /// The same; `warnings` holds those of the preparation, and gets those of the run, also
    /// if that fails.
    ///
    /// # Errors
    /// [`RenderError`], in Helm's words.
    pub fn render_noting(
        &self,
        host: &dyn Host,
        scope: &Scope,
        warnings: &mut Vec<Warning>,
    ) -> Result<Release, RenderError> {
        let compat = self.options.compat;
        let mut trace =
            self.options.trace.then(|| Trace::new(&self.chart, self.values.clone(), compat));
        let renderables = self.renderables();
        let mut rendered =
            run_all(&self.templates, &renderables, &self.engine(), host, scope, trace.as_mut())?;
        let notes = take_notes(&mut rendered, self.chart.name(), self.options.subchart_notes);
        let PostRendered { sorted, stream } = match &self.options.post_renderer {
            Some(renderer) => {
                let strategy = self.options.post_render_strategy;
                post_render(&rendered, &**renderer, strategy, compat, warnings)?
            }
            None => {
                let files = rendered
                    .iter_mut()
                    .map(|(path, text)| (path.as_str(), Cow::Owned(std::mem::take(text))))
                    .collect();
                let sorted = sort(files, KindOrder::Install, compat, warnings)?;
                PostRendered { sorted, stream: None }
            }
        };
        Ok(Release {
            crds: self.chart.crds(),
            manifests: sorted.manifests,
            hooks: sorted.hooks,
            notes,
            warnings: warnings.clone(),
            trace: trace.map(Arc::new),
            stream,
        })
    }

    fn engine(&self) -> EngineOptions {
        EngineOptions { limits: self.options.limits, ..EngineOptions::new(self.options.compat) }
    }

    fn seen(&self) -> Seen<'_> {
        let Self { chart, values, release, options, .. } = self;
        Seen { chart, values, release, capabilities: &options.capabilities }
    }

    fn renderables(&self) -> Vec<Renderable> {
        self.seen().renderables(&self.sources, self.options.compat)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("chart", &self.chart.name())
            .field("release", &self.release)
            .finish_non_exhaustive()
    }
}
