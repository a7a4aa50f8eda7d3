//! Where the lines of a release come from: which action of which template wrote them, and who set
//! the values that it read. A release that is not traced carries `None`.

mod explanation;
mod question;
mod values;

use std::{collections::BTreeMap, sync::Arc};

use gitops_template::{Origin, Site, Text, Written};

use crate::{Chart, Compat, Release, Shown, Values, engine::Place};

pub use explanation::{ExplainError, ExplainedLine, ExplainedValue, Explanation, LineOrigin};
use values::Defaults;
pub use values::{GivenValues, Setting};

/// What is known of a release that was rendered with [`RenderOptions::trace`](crate::RenderOptions).
#[derive(Debug)]
pub(crate) struct Trace {
    compat: Compat,
    /// What each template wrote, by its path.
    files: BTreeMap<String, Written>,
    /// values.yaml of the chart and of those below it, parents first.
    defaults: Vec<Defaults>,
    /// What the templates saw.
    values: Values,
}

impl Trace {
    pub(crate) fn new(chart: &Chart, values: Values, compat: Compat) -> Self {
        let defaults = values::defaults(chart);
        Self { compat, files: BTreeMap::new(), defaults, values }
    }

    pub(crate) fn add(&mut self, path: &str, written: Written) {
        self.files.insert(path.to_owned(), written);
    }

    /// How a line of what a template wrote came about.
    fn line(&self, path: &str, number: usize, given: &[GivenValues]) -> Vec<LineOrigin> {
        let Some(written) = self.files.get(path) else { return Vec::new() };
        written.line(number).into_iter().map(|origin| self.origin(origin, given)).collect()
    }

    fn origin(&self, origin: Origin, given: &[GivenValues]) -> LineOrigin {
        let Origin { text, mut site, mut calls, within, mut reads, .. } = origin;
        // A text that was given to `tpl` has no lines that anybody could look up.
        while &*site.template == TPL {
            let Some(outer) = calls.pop() else { break };
            for read in &outer.reads {
                if !reads.contains(read) {
                    reads.push(read.clone());
                }
            }
            site = outer;
        }
        calls.retain(|site| &*site.template != TPL);
        let of = |site: Site| Place {
            file: site.template.to_string(),
            line: site.line,
            column: site.column,
            action: site.action,
        };
        let deciding: Vec<Text> = within.iter().flat_map(|site| site.reads.clone()).collect();
        let explained = |paths: Vec<Text>| {
            let values = paths.iter().map(|path| self.value(path, given));
            values.collect::<Vec<_>>()
        };
        LineOrigin {
            text,
            place: of(site),
            calls: calls.into_iter().map(of).collect(),
            within: within.into_iter().filter(|site| &*site.template != TPL).map(of).collect(),
            values: explained(reads),
            deciding: explained(unique(deciding)),
        }
    }

    fn value(&self, path: &str, given: &[GivenValues]) -> ExplainedValue {
        let settings = values::settings(path, given, &self.defaults);
        ExplainedValue { path: path.to_owned(), value: values::at(&self.values, path), settings }
    }
}

/// What Go names a text that was given to `tpl`.
const TPL: &str = "gotpl";

fn unique(paths: Vec<Text>) -> Vec<Text> {
    let mut kept: Vec<Text> = Vec::new();
    for path in paths {
        if !kept.contains(&path) {
            kept.push(path);
        }
    }
    kept
}

impl Release {
    /// Explains lines of the output: which action of which template wrote them, which templates
    /// called that, in which `if`, `with` and `range` it stands, which values were read, and who set
    /// those: of `given`, what was given besides the chart, lowest first, and of the values.yaml of
    /// the chart and its subcharts.
    ///
    /// The question is one of
    ///
    /// * `Kind/name.field` or `Kind/namespace/name.field`: the lines of a field of an object, as
    ///   `Deployment/web.spec.template.spec.containers[name=web].image`, or without a field of all
    ///   of it;
    /// * `path:line`: a line of the file that `--output-dir` writes for a template, which begins with
    ///   `---` and `# Source:`;
    /// * `line`: a line of [`Release::text`].
    ///
    /// `shown` is what the output shows, as far as lines are counted.
    ///
    /// ```
    /// use gitops_core::{MemoryTree, Scope};
    /// use gitops_helm::{Chart, Compat, LoadOptions, ReleaseInfo, RenderOptions, Shown};
    /// use gitops_helm::{Values, render};
    ///
    /// let tree = MemoryTree::from_iter([
    ///     ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\n"),
    ///     ("values.yaml", "replicas: 2\n"),
    ///     ("templates/a.yaml", "kind: A\nmetadata:\n  name: x\nspec: {{ .Values.replicas }}\n"),
    /// ]);
    /// let chart = Chart::load(&tree, "".as_ref(), &LoadOptions::default())?;
    /// let release = ReleaseInfo::install("web", "default");
    /// let mut options = RenderOptions::new(Compat::Helm4);
    /// options.trace = true;
    /// let (host, scope) = (gitops_template::Sealed, Scope::background());
    /// let rendered = render(chart, &Values::new(), &release, &options, &host, &scope)?;
    /// assert_eq!(
    ///     rendered.explain("A/x.spec", Shown::ALL, &[])?.to_string(),
    ///     "A/x spec = 2\n\
    ///      \x20 web/templates/a.yaml:4:10  {{.Values.replicas}}\n\
    ///      \x20   .Values.replicas = 2  web/values.yaml:1:11",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the release was not traced, or there is no such line, object or field.
    pub fn explain(
        &self,
        question: &str,
        shown: Shown,
        given: &[GivenValues],
    ) -> Result<Explanation, ExplainError> {
        let trace: &Arc<Trace> = self.trace.as_ref().ok_or(ExplainError::NotTraced)?;
        question::answer(self, trace, question, shown, given)
    }
}
