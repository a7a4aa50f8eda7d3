//! The one public verb.

use std::{cell::Cell, collections::HashMap, path::Path, sync::Arc};

use gitops_core::{Scope, Tree};
use gitops_yaml::{Node, Schema};

use crate::{
    accumulate::Target,
    accumulator::Accumulator,
    error::{Entry, Error, ErrorKind, Result},
    file::Kustomization,
    finish,
    helm::{HelmCharts, HelmDefaults},
    load::{DenyRemotes, LoadRestriction, Loader, Remotes},
    manifests::{Rendered, RenderedText, Warning},
    resource::{Origin, Resource},
    set::ResourceSet,
    trace::{self, Cause, TracedStep},
    transform::sort,
};

/// How resources are ordered where the kustomization file does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reorder {
    /// In the order in which they were read: the default of kustomize as a library.
    None,
    /// By kind: the default of kustomize's command line, and of Flux.
    #[default]
    Legacy,
}

/// What a build may do.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Which files a kustomization may name.
    pub load_restriction: LoadRestriction,
    /// The order of the output.
    pub reorder: Reorder,
    /// Whether every object gets the label `app.kubernetes.io/managed-by`.
    pub enable_managed_by_label: bool,
    /// Who fetches remote bases and files; refused by default.
    pub remotes: Arc<dyn Remotes>,
    /// Who renders `helmCharts`; refused where there is nobody.
    pub helm: Option<Arc<dyn HelmCharts>>,
    /// What charts are rendered with where the kustomization does not say.
    pub helm_defaults: HelmDefaults,
    /// Whether the schema of an `openapi` field is added to the built-in one, as Flux has it, instead
    /// of taking its place.
    pub openapi_adds: bool,
    /// What messages put before paths, such as the directory that the tree was unpacked to.
    pub shown_root: String,
    /// Whether the build notes what happens to every field, for
    /// [`Manifests::explain`](crate::Manifests::explain). It then takes several times as long.
    pub trace: bool,
    /// What bounds the build.
    pub limits: BuildLimits,
    /// The built-in schema; a kustomization's `openapi` field takes its place.
    pub schema: Arc<Schema>,
}

/// Bounds for a build of files that come from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildLimits {
    /// The number of resources that any step may hold.
    pub resources: usize,
    /// The number of kustomization files that are read, each mention counted.
    pub kustomizations: usize,
    /// The size of all files that are read, each time counted, in bytes.
    pub input: usize,
    /// The size of the output, in bytes. A sixteenth of it bounds all names together.
    pub output: usize,
}

impl Default for BuildLimits {
    /// 200 000 resources, 100 000 kustomizations, 512 MiB of input, 1 GiB of output.
    fn default() -> Self {
        Self { resources: 200_000, kustomizations: 100_000, input: 512 << 20, output: 1 << 30 }
    }
}

impl Default for BuildOptions {
    /// As `kustomize build` without flags, but without remote bases.
    fn default() -> Self {
        Self {
            load_restriction: LoadRestriction::RootOnly,
            reorder: Reorder::Legacy,
            enable_managed_by_label: false,
            remotes: Arc::new(DenyRemotes),
            helm: None,
            helm_defaults: HelmDefaults::default(),
            openapi_adds: false,
            shown_root: String::new(),
            trace: false,
            limits: BuildLimits::default(),
            schema: Schema::builtin(),
        }
    }
}

/// Builds the kustomization in a directory of a tree.
///
/// The same files give the same bytes. Nothing is shared between builds: any number may run at once.
///
/// # Errors
/// [`Error`] in kustomize's words, with the place and the chain of kustomizations. Of the build only
/// its warnings are returned then, by [`Error::warnings`].
pub fn build(
    tree: &dyn Tree,
    path: &Path,
    options: &BuildOptions,
    scope: &Scope,
) -> Result<Rendered, Error> {
    let (manifests, warnings) = build_as(tree, path, options, scope, finish::manifests)?;
    Ok(Rendered { manifests, warnings })
}

/// Builds as [`build`] does, for who wants the text only: it takes less memory, as each object is
/// printed when it is written, and then dropped.
///
/// # Errors
/// As [`build`].
pub fn build_text(
    tree: &dyn Tree,
    path: &Path,
    options: &BuildOptions,
    scope: &Scope,
) -> Result<RenderedText, Error> {
    let (text, warnings) = build_as(tree, path, options, scope, finish::text)?;
    Ok(RenderedText { text, warnings })
}

/// Builds, and makes of the resources what `finish` does.
fn build_as<T>(
    tree: &dyn Tree,
    path: &Path,
    options: &BuildOptions,
    scope: &Scope,
    finish: impl FnOnce(ResourceSet, &Kustomization, &Build<'_>) -> Result<T>,
) -> Result<(T, Vec<Warning>), Error> {
    // Nothing leads to this directory: it is itself the place.
    let place = |error: Error| {
        let place = path.to_string_lossy();
        let place = place.trim_matches('/');
        if error.file().is_some() {
            return error;
        }
        let error = error.in_file(if place.is_empty() { "." } else { place });
        error.expecting("a directory with a kustomization file")
    };
    let loader = Loader::open(tree, path, options).map_err(place)?;
    let mut build = Build::new(options, scope);
    let target = Target::load(&mut build, loader).map_err(place);
    let outcome = target.and_then(|target| build.run(target, finish));
    build.finish(outcome)
}

/// Builds a directory with a kustomization that the caller made, of a document if there is one.
pub(crate) fn build_from(
    loader: Loader<'_>,
    file: Kustomization,
    file_name: &'static str,
    document: Option<Node>,
    options: &BuildOptions,
    scope: &Scope,
) -> Result<Rendered, Error> {
    let mut build = Build::new(options, scope);
    let target = Target::new(loader, file, file_name, document);
    let outcome = target.and_then(|target| build.run(target, finish::manifests));
    build.finish(outcome).map(|(manifests, warnings)| Rendered { manifests, warnings })
}

/// One build while it runs.
pub(crate) struct Build<'b> {
    pub(crate) options: &'b BuildOptions,
    pub(crate) scope: &'b Scope,
    pub(crate) schema: Arc<Schema>,
    /// Whether a kustomization chose a schema; the first one to do so wins.
    pub(crate) schema_is_set: bool,
    /// Whether anything asked for more than the scope of a built-in kind.
    pub(crate) schema_in_use: Cell<bool>,
    pub(crate) warnings: Vec<Warning>,
    kustomizations: usize,
    /// Bases by place: how often they were built, and the result from the second time on.
    pub(crate) seen: HashMap<String, Seen>,
    /// The step that runs, in a build that is traced.
    pub(crate) step: Option<TracedStep>,
}

/// What is known of a base that was built before.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) times: usize,
    pub(crate) result: Option<Accumulator>,
}

impl<'b> Build<'b> {
    fn new(options: &'b BuildOptions, scope: &'b Scope) -> Self {
        Self {
            options,
            scope,
            schema: Arc::clone(&options.schema),
            schema_is_set: false,
            schema_in_use: Cell::new(false),
            warnings: Vec::new(),
            kustomizations: 0,
            seen: HashMap::new(),
            step: None,
        }
    }

    fn run<T>(
        &mut self,
        mut target: Target<'_>,
        finish: impl FnOnce(ResourceSet, &Kustomization, &Self) -> Result<T>,
    ) -> Result<T> {
        if !target.file().build_metadata.is_empty() {
            target.set_origin(Origin::default());
        }
        target.choose_schema(self)?;
        let accumulated = target.accumulate(self, Accumulator::default())?;
        let accumulated =
            self.settle(accumulated).map_err(|error| target.place(error, Entry::UNKNOWN))?;
        let mut set = accumulated.set;
        match (&target.file().sort_options, self.options.reorder) {
            (Some(options), _) => sort::sort(&mut set, options)
                .map_err(|error| target.place(error, Entry("sortOptions", None)))?,
            (None, Reorder::Legacy) => sort::sort_legacy(&mut set)?,
            (None, Reorder::None) => {}
        }
        finish(set, target.file(), self).map_err(|error| target.place(error, Entry::UNKNOWN))
    }

    /// Adds the warnings, also to a failure.
    fn finish<T>(self, outcome: Result<T>) -> Result<(T, Vec<Warning>)> {
        match outcome {
            Ok(outcome) => Ok((outcome, self.warnings)),
            Err(error) => Err(error.with_warnings(self.warnings)),
        }
    }

    /// What follows when all resources are there.
    fn settle(&mut self, mut accumulated: Accumulator) -> Result<Accumulator> {
        finish::add_hashes(&mut accumulated.set, self)?;
        if self.options.trace {
            for resource in accumulated.set.contents_mut().filter(|resource| resource.needs_hash) {
                let configured = resource.made_at();
                resource.trace(|| Cause {
                    configured,
                    ..Cause::by("HashTransformer").noting("the hash of the content")
                });
            }
        }
        let config = accumulated.config();
        finish::fix_names(&mut accumulated.set, &config, self)?;
        finish::resolve_variables(&mut accumulated, self)?;
        finish::drop_local(&mut accumulated.set)?;
        Ok(accumulated)
    }

    /// Fails once the build is stopped; for loops over resources, which look every now and then.
    pub(crate) fn check_at(&self, index: usize) -> Result<()> {
        if index.is_multiple_of(64) {
            self.scope.check()?;
        }
        Ok(())
    }

    /// Notes what changed since the last note, in a build that is traced.
    pub(crate) fn note(&self, set: &mut ResourceSet, cause: impl FnOnce() -> Cause) {
        if self.options.trace {
            trace::note(set, cause());
        }
    }

    /// Notes that the scope of a resource's kind is asked for: only where it is known without the
    /// schema, the schema is not in use by that.
    pub(crate) fn look_up(&self, resource: &Resource) {
        let gvk = &resource.id().gvk;
        if !self.schema_in_use.get()
            && self.schema.is_namespaced(&gvk.api_version(), &gvk.kind).is_none()
        {
            self.schema_in_use.set(true);
        }
    }

    /// Counts a kustomization file that is read.
    pub(crate) fn count_kustomization(&mut self) -> Result<()> {
        self.scope.check()?;
        self.kustomizations += 1;
        let limit = self.options.limits.kustomizations;
        if self.kustomizations > limit {
            let message = format!("more than {limit} kustomizations are referred to");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }

    /// Fails when a set has grown too large.
    pub(crate) fn check_size(&self, resources: usize) -> Result<()> {
        let limit = self.options.limits.resources;
        if resources > limit {
            return Err(Error::new(ErrorKind::Limit, format!("more than {limit} resources")));
        }
        Ok(())
    }
}
