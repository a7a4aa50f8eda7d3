//! One run, as functions see it.

use std::sync::Arc;

use gitops_core::Scope;

use crate::{
    CallError, Error, ErrorKind, Host, Limits, Templates, Text, Value,
    ast::{Id, Table},
    engine::{Options, Parsed},
    exec::Operand,
    funcs::{Patterns, encoding::Plain, semver::Comparisons},
    trace::{Recorder, Written},
};

/// One run of a template: what functions may use of the world and of the other templates, and what
/// is left of the limits.
#[derive(Debug)]
pub struct Context<'r> {
    pub(crate) host: &'r dyn Host,
    pub(crate) scope: &'r Scope,
    pub(crate) options: Options,
    /// The templates that can be called by name, with what `tpl` added.
    pub(crate) templates: Templates,
    pub(crate) steps: u64,
    pub(crate) output: u64,
    pub(crate) depth: u32,
    /// How often each template includes itself, by the number of its name.
    pub(crate) included: Vec<u32>,
    /// What `tpl` parsed, by its text.
    expanded: Table<Text, Arc<Parsed>>,
    pub(crate) patterns: Patterns,
    pub(crate) comparisons: Comparisons,
    /// The variables of the templates that run, those of the innermost last.
    pub(crate) variables: Vec<(Id<Text>, Operand)>,
    /// Empty lists for the arguments of templates that will run.
    pub(crate) arguments: Vec<Vec<Value>>,
    /// The room for copies of values that are printed.
    pub(crate) plain: Plain,
    /// Buffers that nobody writes to.
    buffers: Vec<String>,
    /// What is told who wrote what; none in a run that is not traced.
    pub(crate) trace: Option<Box<Recorder>>,
}

/// Steps from one look at the clock of cancellation to the next.
const TICK: u64 = 1024;

/// Bytes of a buffer that are kept for the next who writes.
const LARGEST_BUFFER: usize = 1 << 20;

/// Texts of `tpl` that are kept parsed.
const MOST_EXPANDED: usize = 4096;

impl<'r> Context<'r> {
    /// A run of templates of the set.
    pub fn new(
        templates: Templates,
        options: Options,
        host: &'r dyn Host,
        scope: &'r Scope,
    ) -> Self {
        let Limits { steps, output, .. } = options.limits;
        Self {
            host,
            scope,
            options,
            templates,
            steps,
            output,
            depth: 0,
            included: Vec::new(),
            expanded: Table::default(),
            patterns: Patterns::default(),
            comparisons: Comparisons::default(),
            variables: Vec::new(),
            arguments: Vec::new(),
            plain: Plain::default(),
            buffers: Vec::new(),
            trace: None,
        }
    }

    /// Traces this run from now on: after each [`Context::render`] there is a [`Written`].
    ///
    /// ```
    /// use gitops_core::Scope;
    /// use gitops_template::{Context, Functions, Map, Options, Sealed, Templates, Value};
    ///
    /// let mut templates = Templates::new(Functions::builtin());
    /// templates.add("t", "on: true\n{{ if .image }}tag: {{ .image.tag }}{{ end }}\n")?;
    /// let image = Map::from_iter([("tag", Value::string("v1"))]);
    /// let dot = Value::Map(Map::from_iter([("image", Value::Map(image))]));
    /// let scope = Scope::background();
    /// let mut context = Context::new(templates, Options::default(), &Sealed, &scope);
    /// context.watch("", &dot);
    /// context.render("t", dot)?;
    /// let written = context.take_written().expect("the run is traced");
    /// let [tag] = &written.line(2)[..] else { panic!("one action wrote the line") };
    /// assert_eq!((tag.site.line, tag.site.column), (2, 24));
    /// assert_eq!(tag.site.action, "{{.image.tag}}");
    /// assert_eq!(tag.reads, ["image.tag"]);
    /// assert_eq!(tag.within[0].action, "{{if .image}}");
    /// # Ok::<(), gitops_template::Error>(())
    /// ```
    ///
    /// Reads of the maps of `value` are noted by their paths below `name`. What becomes of copies
    /// (`deepCopy`, `merge`) is not known; that they were read is.
    pub fn watch(&mut self, name: &str, value: &Value) {
        self.trace.get_or_insert_default().watch(name, value);
    }

    /// What the template that was rendered last wrote, if the run is traced.
    pub fn take_written(&mut self) -> Option<Written> {
        self.trace.as_mut()?.take_written()
    }

    /// The world.
    pub fn host(&self) -> &'r dyn Host {
        self.host
    }

    /// Whether a template only looks (`helm lint`): `required` and `fail` let it pass.
    pub fn lints(&self) -> bool {
        self.options.lint
    }

    /// Takes what a function is about to make from what the run may cost: call it before anything
    /// is made whose size an argument decides.
    ///
    /// # Errors
    /// If there is not as much left, or the run was cancelled.
    pub fn spend(&mut self, steps: u64, bytes: u64) -> Result<(), CallError> {
        self.take(steps, bytes).map_err(CallError::template)
    }

    #[inline]
    pub(crate) fn take(&mut self, steps: u64, bytes: u64) -> Result<(), Error> {
        if self.steps % TICK >= steps && self.output >= bytes {
            self.steps -= steps;
            self.output -= bytes;
            return Ok(());
        }
        self.take_and_tick(steps, bytes)
    }

    /// The same where the clock ticks, or a limit is reached.
    #[cold]
    fn take_and_tick(&mut self, steps: u64, bytes: u64) -> Result<(), Error> {
        match (self.steps.checked_sub(steps), self.output.checked_sub(bytes)) {
            (Some(steps), Some(output)) => {
                let ticked = steps / TICK != self.steps / TICK;
                (self.steps, self.output) = (steps, output);
                if ticked && self.scope.is_cancelled() {
                    return Err(Error::exec(ErrorKind::Cancelled, "cancelled"));
                }
                Ok(())
            }
            (None, _) => Err(Error::exec(
                ErrorKind::Limit,
                format!("the template does not end: over {} steps", self.options.limits.steps),
            )),
            (_, None) => Err(Error::exec(
                ErrorKind::Limit,
                format!("the template writes over {} bytes", self.options.limits.output),
            )),
        }
    }

    /// What `write` puts into a buffer of the run, as a text that takes just the room it needs.
    pub(crate) fn text<E>(
        &mut self,
        write: impl FnOnce(&mut Self, &mut String) -> Result<(), E>,
    ) -> Result<Text, E> {
        self.buffered(|context, out| {
            write(context, out)?;
            Ok(Text::from(out.as_str()))
        })
    }

    /// Lends a buffer of the run, which is empty.
    pub(crate) fn buffered<T>(&mut self, write: impl FnOnce(&mut Self, &mut String) -> T) -> T {
        let mut out = self.buffers.pop().unwrap_or_default();
        let result = write(self, &mut out);
        if out.capacity() <= LARGEST_BUFFER {
            out.clear();
            self.buffers.push(out);
        }
        result
    }

    pub(crate) fn parsed(&mut self, source: &str) -> Result<Arc<Parsed>, Error> {
        if let Some(parsed) = self.expanded.get(source) {
            return Ok(Arc::clone(parsed));
        }
        self.take(source.len() as u64 / 16, source.len() as u64)?;
        let parsed = Arc::new(self.templates.parse("gotpl", source)?);
        // Which blank definitions count depends on the templates that are there.
        if self.expanded.len() < MOST_EXPANDED && !parsed.defines {
            self.expanded.insert(source.into(), Arc::clone(&parsed));
        }
        Ok(parsed)
    }

    /// Runs another template and gives its text: Helm's `include`.
    ///
    /// # Errors
    /// If there is no such template, it fails, or it includes itself more than 1000 times.
    pub fn include(&mut self, name: &str, dot: Value) -> Result<Text, CallError> {
        self.text(|context, out| crate::exec::include(context, name, dot, out))
    }

    /// Parses a text as a template of its own and runs it: Helm's `tpl`.
    ///
    /// # Errors
    /// If it cannot be parsed, or fails.
    pub fn expand(&mut self, source: &str, dot: Value) -> Result<Text, CallError> {
        self.text(|context, out| crate::exec::expand(context, source, dot, out))
    }
}
