//! One kustomization: its resources, bases, generators, components and transformers, in this order.
//!
//! Follows kustomize's `api/internal/target`; differs in that a base that several kustomizations name
//! is built at most twice.

use std::{collections::HashMap, sync::Arc};

use gitops_core::one_line;
use gitops_yaml::{Node, Schema};

use crate::{
    accumulator::Accumulator,
    build::Build,
    config::{TransformerConfig, read_crds},
    error::{Entry, Error, ErrorKind, Location, Result},
    file::{COMPONENT, FILE_NAMES, GeneratorArgs, Kustomization, Variable},
    generate,
    load::{Loader, path},
    plugin::Plugin,
    read::{read_document, read_resources},
    resource::{Origin, Resource},
    set::ResourceSet,
    trace::{self, Cause, ConfigurationFile, TextAt, TracedStep},
    transform::{self, Step},
};

/// A kustomization file and the directory that it stands in.
#[derive(Debug)]
pub(crate) struct Target<'t> {
    loader: Loader<'t>,
    file: Kustomization,
    file_name: &'static str,
    /// The kustomization file as it was read, for the places of its entries.
    document: Option<Node>,
    /// Where this kustomization comes from, if origins are asked for.
    origin: Option<Origin>,
    /// The namespace of the nearest kustomization above that sets one.
    chart_namespace: String,
}

impl<'t> Target<'t> {
    /// Reads the kustomization file of a directory.
    pub(crate) fn load(build: &mut Build<'_>, loader: Loader<'t>) -> Result<Self> {
        build.count_kustomization()?;
        let mut found = None;
        for name in FILE_NAMES {
            match loader.read_if_there(name) {
                Ok(Some(_)) if found.is_some() => {
                    let message = format!(
                        "Found multiple kustomization files under: {}\n",
                        loader.shown_root()
                    );
                    let error = Error::new(ErrorKind::Conflict, message)
                        .expecting("one kustomization file in a directory");
                    return Err(error.in_kustomization(loader.name_of(name), b""));
                }
                Ok(Some(content)) => found = Some((name, content)),
                Ok(None) => {}
                // A link out of the tree, a disk failure, a file that is too large.
                Err(error) => return Err(error.in_kustomization(loader.name_of(name), b"")),
            }
        }
        let Some((file_name, content)) = found else {
            let message = format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
                loader.shown_root(),
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let place = || loader.name_of(file_name);
        let document = read_document(&content).map_err(|error| {
            Error::from(error)
                .reword(|text| format!("invalid Kustomization: {text}"))
                .in_kustomization(place(), &content)
        })?;
        let file = Kustomization::read(&document, &mut |warning| build.warnings.push(warning))
            .map_err(|error| error.in_kustomization(place(), &content))?;
        Self::new(loader, file, file_name, Some(document))
    }

    /// A target with a kustomization file that was read.
    pub(crate) fn new(
        loader: Loader<'t>,
        file: Kustomization,
        file_name: &'static str,
        document: Option<Node>,
    ) -> Result<Self> {
        let target = Self {
            loader,
            file,
            file_name,
            document,
            origin: None,
            chart_namespace: String::new(),
        };
        match target.file.check_kind(&target.loader.shown_root()) {
            Ok(()) => Ok(target),
            Err(error) => Err(target.place(error, Entry::UNKNOWN)),
        }
    }

    /// Places a failure of an entry of this kustomization: in the kustomization file, unless a closer
    /// place is known. Adds this kustomization to the chain.
    #[cold]
    pub(crate) fn place(&self, mut error: Error, entry: Entry) -> Error {
        if matches!(error.kind(), ErrorKind::Cancelled) {
            return error;
        }
        let file = self.file_path();
        if let Some(index) = entry.1 {
            error = error.at_index(index);
        }
        if !entry.0.is_empty() {
            error = error.at_field(entry.0);
        }
        let text = self.loader.text_of(&file).unwrap_or_default();
        let error = error.place_in(&file, self.document.as_ref(), &text).through(Error::location(
            &file,
            self.document.as_ref(),
            entry,
        ));
        match error.lacks_text_of().and_then(|file| self.loader.text_of(file)) {
            Some(text) => error.with_text(&text),
            None => error,
        }
    }

    pub(crate) fn file(&self) -> &Kustomization {
        &self.file
    }

    pub(crate) fn set_origin(&mut self, origin: Origin) {
        self.origin = Some(origin);
    }

    /// The kustomization file, relative to the tree's root.
    pub(crate) fn file_path(&self) -> String {
        self.loader.name_of(self.file_name)
    }

    /// Takes the schema of the `openapi` field, unless an earlier kustomization chose one.
    pub(crate) fn choose_schema(&self, build: &mut Build<'_>) -> Result<()> {
        if self.file.openapi.is_empty() {
            return Ok(());
        }
        self.read_schema(build).map_err(|error| self.place(error, Entry("openapi", None)))
    }

    fn read_schema(&self, build: &mut Build<'_>) -> Result<()> {
        let custom = self.file.openapi.get("path");
        let version = self.file.openapi.get("version");
        let content = custom
            .map(|file| {
                self.loader
                    .read(file)
                    .map_err(|error| self.loader.suggest(error, file).at_field("path"))
            })
            .transpose()?;
        if build.schema_is_set {
            return Ok(());
        }
        match (content, version.map(String::as_str)) {
            (Some(_), Some(_)) => Err(Error::new(
                ErrorKind::Field,
                "builtin version and custom schema provided, cannot use both",
            )
            .expecting("either `path` or `version`")),
            (Some(content), None) => {
                let schema = Schema::from_openapi(&content).map_err(|error| {
                    Error::from(error)
                        .in_file(self.loader.name_of(custom.map_or("", String::as_str)))
                        .expecting("an OpenAPI document in JSON or YAML, with `definitions`")
                })?;
                // Quirk: a schema that was read before stays under the one of the field.
                let adds = build.options.openapi_adds || build.schema_in_use.get();
                build.schema = Arc::new(if adds { schema.or_else(&build.schema) } else { schema });
                build.schema_is_set = true;
                Ok(())
            }
            (None, None | Some("")) => Ok(()),
            (None, Some(version)) => {
                if version != "v1.21.2" {
                    let message = "the specified OpenAPI version is not built in".to_owned();
                    return Err(Error::new(ErrorKind::Field, message)
                        .at_field("version")
                        .expecting("a version of Kubernetes, such as v1.21.2"));
                }
                build.schema_is_set = true;
                Ok(())
            }
        }
    }

    /// Adds what this kustomization says to `into`: empty, or the parent's for a component.
    ///
    /// # Errors
    /// Placed, with this kustomization in the chain.
    pub(crate) fn accumulate(
        &mut self,
        build: &mut Build<'_>,
        into: Accumulator,
    ) -> Result<Accumulator> {
        let mut all = into;
        let resources = std::mem::take(&mut self.file.resources);
        for (index, entry) in resources.iter().enumerate() {
            build.scope.check()?;
            let at = Entry("resources", Some(index));
            self.add_resource(build, &mut all, entry, at)
                .map_err(|error| self.place(error.context("accumulating resources"), at))?;
        }
        build.scope.check()?;
        self.merge_configurations(&mut all)?;
        self.run_generators(build, &mut all)?;
        let components = std::mem::take(&mut self.file.components);
        for (index, entry) in components.iter().enumerate() {
            build.scope.check()?;
            all = self.add_component(build, all, entry).map_err(|error| {
                let error = error.context("accumulating components");
                self.place(error, Entry("components", Some(index)))
            })?;
        }
        build.check_size(all.set.len()).map_err(|error| self.place(error, Entry::UNKNOWN))?;
        build.scope.check()?;
        self.run_transformers(build, &mut all)?;
        self.run_validators(build, &mut all)?;
        let variables = std::mem::take(&mut self.file.vars);
        let words = || {
            let all: Vec<&str> = variables.iter().map(|one| one.written.as_str()).collect();
            format!("merging vars [{}]", all.join(" "))
        };
        for (index, variable) in variables.iter().enumerate() {
            let entry = Entry("vars", Some(index));
            let declared = Error::location(&self.file_path(), self.document.as_ref(), entry);
            let variable = Variable { declared: Some(declared), ..variable.clone() };
            all.bind_variable(variable, &build.schema)
                .map_err(|error| self.place(error.context(words()), entry))?;
        }
        Ok(all)
    }

    /// A file of objects, or else a directory with a kustomization.
    fn add_resource(
        &self,
        build: &mut Build<'_>,
        all: &mut Accumulator,
        entry: &str,
        at: Entry,
    ) -> Result<()> {
        let Err(mut as_file) = self.add_file(build, all, entry, at) else { return Ok(()) };
        if matches!(as_file.kind(), ErrorKind::Cancelled | ErrorKind::Limit) {
            return Err(as_file);
        }
        match self.loader.enter(entry) {
            Ok(loader) => self.add_base(build, all, entry, loader).map_err(|error| {
                let error =
                    if error.file().is_none() { self.loader.suggest(error, entry) } else { error };
                error.context(format!("accumulation err='{}'", one_line(&as_file)))
            }),
            // What is no YAML is a file; that it is no directory either is of no interest.
            Err(_)
                if as_file.kind() == ErrorKind::Syntax
                    && one_line(&as_file).contains("MalformedYAMLError") =>
            {
                Err(as_file)
            }
            Err(as_base) => {
                let error = as_base.context(format!("accumulation err='{}'", one_line(&as_file)));
                // The more telling of the two names place and object.
                let error = error.or_details_of(&mut as_file);
                let error = self.loader.suggest(error, entry);
                Err(match error.kind() {
                    ErrorKind::NotFound => error
                        .expecting("a file of objects, or a directory with a kustomization file"),
                    _ => error,
                })
            }
        }
    }

    fn add_file(
        &self,
        build: &Build<'_>,
        all: &mut Accumulator,
        entry: &str,
        at: Entry,
    ) -> Result<()> {
        let set = self.read_file(build, entry, at).map_err(|error| {
            error.context(format!("accumulating resources from '{}'", path::masked(entry)))
        })?;
        build.check_size(all.set.len() + set.len())?;
        all.set.append_all(set).map_err(|error| {
            error.context(format!("merging resources from '{}'", path::masked(entry)))
        })
    }

    fn read_file(&self, build: &Build<'_>, entry: &str, at: Entry) -> Result<ResourceSet> {
        let content = self.loader.read(entry)?;
        let name = self.loader.name_of(entry);
        let resources = read_resources(&content, &name, &build.schema).map_err(|error| {
            let malformed = error.to_string().starts_with("MalformedYAMLError");
            let error = error.in_file(name.as_str());
            if malformed {
                error.reword(|text| format!("{text} in File: {}", path::masked(entry)))
            } else {
                error
            }
        })?;
        let origin = self.origin.as_ref().map(|origin| origin.join(entry));
        let mut set = ResourceSet::new();
        for mut resource in resources {
            let gvk = &resource.id().gvk;
            if build.schema.is_namespaced(&gvk.api_version(), &gvk.kind).is_none() {
                build.schema_in_use.set(true);
            }
            resource.origin.clone_from(&origin);
            set.append(resource)?;
        }
        build.note(&mut set, || Cause {
            configured: Some(Error::location(&self.file_path(), self.document.as_ref(), at)),
            text: Some(TextAt::File(name.as_str().into())),
            ..Cause::default()
        });
        Ok(set)
    }

    fn add_base(
        &self,
        build: &mut Build<'_>,
        all: &mut Accumulator,
        entry: &str,
        loader: Loader<'t>,
    ) -> Result<()> {
        let place = format!("{} {}", loader.place(), self.namespace_for_charts());
        let shown = loader.shown_root();
        let seen = build.seen.entry(place.clone()).or_default();
        seen.times += 1;
        let times = seen.times;
        let base = if let Some(result) = &seen.result {
            result.clone()
        } else {
            let base = self.build_child(build, Accumulator::default(), entry, loader, false)?;
            // Most bases are named once; only then is no copy kept.
            if times > 1 {
                build.seen.entry(place).or_default().result = Some(base.clone());
            }
            base
        };
        build.check_size(all.set.len() + base.set.len())?;
        all.merge(base)
            .map_err(|error| error.context(format!("recursed merging from path '{shown}'")))
    }

    fn add_component(
        &self,
        build: &mut Build<'_>,
        all: Accumulator,
        entry: &str,
    ) -> Result<Accumulator> {
        let loader = self.loader.enter(entry).map_err(|error| {
            let error = error.reword(|text| format!("loader.New {text:?}"));
            self.loader.suggest(error, entry)
        })?;
        self.build_child(build, all, entry, loader, true)
            .map_err(|error| error.reword(|text| format!("accumulateDirectory: {text:?}")))
    }

    fn build_child(
        &self,
        build: &mut Build<'_>,
        into: Accumulator,
        entry: &str,
        loader: Loader<'t>,
        component: bool,
    ) -> Result<Accumulator> {
        let shown = loader.shown_root();
        let mut child = Target::load(build, loader)
            .map_err(|error| error.context(format!("couldn't make target for path '{shown}'")))?;
        child.file.build_metadata.clone_from(&self.file.build_metadata);
        child.origin = self.origin.as_ref().map(|origin| origin.join(entry));
        self.namespace_for_charts().clone_into(&mut child.chart_namespace);
        child.choose_schema(build)?;
        let kind = &child.file.kind;
        if component && kind != COMPONENT {
            let message =
                format!("expected kind '{COMPONENT}' for path '{shown}' but got '{kind}'");
            let error = Error::new(ErrorKind::Field, message)
                .expecting(format!("kind: {COMPONENT}"))
                .with_hint("kustomizations are named under `resources`, not `components`");
            return Err(child.place(error, Entry("kind", None)));
        }
        if !component && kind == COMPONENT {
            let message = format!("expected kind != '{COMPONENT}' for path '{shown}'");
            let error = Error::new(ErrorKind::Field, message)
                .expecting("kind: Kustomization")
                .with_hint("components are named under `components`, not `resources`");
            return Err(child.place(error, Entry("kind", None)));
        }
        child
            .accumulate(build, into)
            .map_err(|error| error.context(format!("recursed accumulation of path '{shown}'")))
    }

    fn merge_configurations(&self, all: &mut Accumulator) -> Result<()> {
        let mut own = TransformerConfig::defaults();
        if !self.file.configurations.is_empty() {
            let mut merged = TransformerConfig::clone(&own);
            for (index, file) in self.file.configurations.iter().enumerate() {
                self.read_configuration(file)
                    .and_then(|read| merged.merge(&read))
                    .map_err(|error| self.place(error, Entry("configurations", Some(index))))?;
            }
            own = Arc::new(merged);
        }
        all.merge_config(&own).map_err(|error| {
            self.place(error.context("merging config"), Entry("configurations", None))
        })?;
        if !self.file.crds.is_empty() {
            let mut merged = TransformerConfig::clone(&all.config());
            for (index, file) in self.file.crds.iter().enumerate() {
                self.read_definitions(file)
                    .and_then(|crds| {
                        merged.merge(&crds).map_err(|error| error.context("merging CRDs"))
                    })
                    .map_err(|error| self.place(error, Entry("crds", Some(index))))?;
            }
            all.config = Some(Arc::new(merged));
        }
        Ok(())
    }

    fn read_configuration(&self, file: &str) -> Result<TransformerConfig> {
        let content = self.loader.read(file).map_err(|error| self.loader.suggest(error, file))?;
        read_document(&content)
            .map_err(Error::from)
            .and_then(|document| TransformerConfig::read(&document))
            .map_err(|error| error.in_file(self.loader.name_of(file)))
    }

    fn read_definitions(&self, file: &str) -> Result<TransformerConfig> {
        let content = self.loader.read(file).map_err(|error| self.loader.suggest(error, file))?;
        read_crds(&content, file).map_err(|error| {
            error
                .in_file(self.loader.name_of(file))
                .context(format!("loading CRDs [{}]", self.file.crds.join(" ")))
        })
    }

    fn run_generators(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        // The original configures all generators before it runs the first.
        for (index, chart) in self.file.helm_charts.iter().enumerate() {
            generate::check_chart(chart, build)
                .map_err(|error| {
                    let words =
                        "trouble configuring builtin HelmChartInflationGenerator with config";
                    error.context(format!("{words}: `\nname: {}\n`", chart.name))
                })
                .map_err(|error| self.place(error, Entry("helmCharts", Some(index))))?;
        }
        for (field, kind, generators) in [
            ("configMapGenerator", "ConfigMapGenerator", &self.file.config_maps),
            ("secretGenerator", "SecretGenerator", &self.file.secrets),
        ] {
            for (index, args) in generators.iter().enumerate() {
                build.scope.check()?;
                let entry = Entry(field, Some(index));
                self.run_generator(build, all, kind, args)
                    .map_err(|error| self.place(error, entry))?;
                build.note(&mut all.set, || self.cause_of_generator(kind, args, entry));
            }
        }
        self.run_charts(build, all)?;
        self.run_plugin_generators(build, all)
    }

    /// The charts of the kustomization file. A chart without a namespace gets that of the kustomization
    /// or of the nearest one that refers to it.
    fn run_charts(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        const KIND: &str = "HelmChartInflationGenerator";
        for (index, chart) in self.file.helm_charts.iter().enumerate() {
            build.scope.check()?;
            let entry = Entry("helmCharts", Some(index));
            let mut chart = chart.clone();
            if chart.namespace.is_empty() {
                self.namespace_for_charts().clone_into(&mut chart.namespace);
            }
            let made = generate::helm_chart(&chart, &self.file.helm_globals, &self.loader, build)
                .map_err(|error| self.place(error, entry))?;
            for mut resource in made {
                resource.origin =
                    self.origin.as_ref().map(|origin| origin.builtin(self.file_name, KIND));
                absorb(all, resource, &build.schema).map_err(|error| self.place(error, entry))?;
            }
            build.note(&mut all.set, || Cause {
                configured: Some(Error::location(&self.file_path(), self.document.as_ref(), entry)),
                ..Cause::by(KIND)
            });
        }
        Ok(())
    }

    fn namespace_for_charts(&self) -> &str {
        if self.file.namespace.is_empty() { &self.chart_namespace } else { &self.file.namespace }
    }

    /// A field of the kustomization file that makes a ConfigMap or Secret.
    fn run_generator(
        &self,
        build: &Build<'_>,
        all: &mut Accumulator,
        kind: &'static str,
        args: &GeneratorArgs,
    ) -> Result<()> {
        let options = self.file.generator_options.as_ref();
        let mut made = if kind == "SecretGenerator" {
            generate::secret(args, options, &self.loader, &build.schema)?
        } else {
            generate::config_map(args, options, &self.loader, &build.schema)?
        };
        made.origin = self.origin.as_ref().map(|origin| origin.builtin(self.file_name, kind));
        absorb(all, made, &build.schema)
    }

    /// What a generator does, with the places of the keys that it makes.
    fn cause_of_generator(&self, kind: &str, args: &GeneratorArgs, entry: Entry) -> Cause {
        let at = |field: &'static str, index: usize| {
            Error::part_location(&self.file_path(), self.document.as_ref(), entry, field, index)
        };
        let mut keys = HashMap::new();
        for (index, literal) in args.literals.iter().enumerate() {
            let key = literal.split('=').next().unwrap_or_default();
            keys.insert(key.to_owned(), at("literals", index));
        }
        for source in &args.files {
            let (key, file) = source.split_once('=').unwrap_or((path::base_name(source), source));
            let file = self.loader.name_of(file).into();
            keys.insert(key.to_owned(), Location { file, line: 1, column: 1 });
        }
        for file in &args.envs {
            let name: Arc<str> = self.loader.name_of(file).into();
            let text = self.loader.text_of(&name).unwrap_or_default();
            for (number, line) in (1..).zip(text.lines()) {
                let key = line.trim_start().split('=').next().unwrap_or_default();
                if !key.is_empty() && !key.starts_with('#') {
                    let place = Location { file: Arc::clone(&name), line: number, column: 1 };
                    keys.insert(key.to_owned(), place);
                }
            }
        }
        let configured = Error::location(&self.file_path(), self.document.as_ref(), entry);
        Cause { configured: Some(configured), keys, ..Cause::by(kind) }
    }

    /// A step of this kustomization as a trace names it.
    fn traced(
        &self,
        kind: &str,
        from: &Arc<ConfigurationFile>,
        entry: Entry,
        plugin: Option<Location>,
    ) -> Option<TracedStep> {
        Some(TracedStep { by: kind.to_owned(), from: Arc::clone(from), entry, plugin })
    }

    fn configuration_file(&self) -> Arc<ConfigurationFile> {
        let file = self.file_path();
        let text = self.loader.text_of(&file).unwrap_or_default();
        Arc::new(ConfigurationFile { file, text, document: self.document.clone() })
    }

    fn run_plugin_generators(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        let plugins = self
            .plugins(build, "generators", &self.file.generators)
            .map_err(|error| error.context("loading generator plugins"))?;
        for (entry, plugin) in plugins {
            plugin
                .generate(&self.loader, build)
                .and_then(|made| {
                    made.into_iter().try_for_each(|resource| absorb(all, resource, &build.schema))
                })
                .map_err(|error| self.place(error, entry))?;
            build.note(&mut all.set, || Cause {
                configured: Some(plugin.location().unwrap_or_else(|| {
                    Error::location(&self.file_path(), self.document.as_ref(), entry)
                })),
                ..Cause::by(plugin.kind())
            });
        }
        Ok(())
    }

    fn run_transformers(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        let config = all.config();
        let steps = transform::steps(&self.file, &config, &self.loader, &build.schema)
            .map_err(|(error, entry)| self.place(error, entry))?;
        let plugins = self.plugins(build, "transformers", &self.file.transformers)?;
        // Only a build that is traced looks anything up here.
        let from = build.options.trace.then(|| self.configuration_file());
        for Step { kind, entry, transform } in steps {
            build.scope.check()?;
            build.step = from.as_ref().and_then(|from| self.traced(kind, from, entry, None));
            transform.run(&mut all.set, build).map_err(|error| self.place(error, entry))?;
            if let Some(origin) = &self.origin {
                transform::note(&mut all.set, &origin.builtin(self.file_name, kind));
            }
            if let Some(step) = build.step.take() {
                trace::note(&mut all.set, step.cause());
            }
        }
        for (entry, plugin) in plugins {
            build.step = from
                .as_ref()
                .and_then(|from| self.traced(plugin.kind(), from, entry, plugin.location()));
            plugin
                .transform(&mut all.set, &self.loader, build)
                .map_err(|error| self.place(error, entry))?;
            if let Some(step) = build.step.take() {
                trace::note(&mut all.set, step.cause());
            }
            if let Some(origin) = plugin.origin() {
                transform::note(&mut all.set, origin);
            }
        }
        Ok(())
    }

    fn run_validators(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        for (entry, plugin) in self.plugins(build, "validators", &self.file.validators)? {
            let before: Vec<_> = all.set.iter().map(|resource| resource.node().clone()).collect();
            plugin
                .transform(&mut all.set, &self.loader, build)
                .map_err(|error| self.place(error, entry))?;
            let same = before.len() == all.set.len()
                && all.set.iter().zip(&before).all(|(after, before)| {
                    let mut after = after.node().clone();
                    transform::remove_label(&mut after, "validated-by");
                    after == *before
                });
            if !same {
                let error =
                    Error::new(ErrorKind::Field, "validator shouldn't modify the resource map")
                        .with_hint("name it under `transformers` if it is meant to change objects");
                return Err(self.place(error, entry));
            }
        }
        Ok(())
    }

    /// The plugins that a list of `generators`, `transformers` or `validators` names: each entry is a
    /// configuration itself, a file of them, or a kustomization that builds some.
    fn plugins(
        &self,
        build: &mut Build<'_>,
        field: &'static str,
        entries: &[String],
    ) -> Result<Vec<(Entry, Plugin)>> {
        let mut inline = ResourceSet::new();
        let mut named = Accumulator::default();
        // The entry of each resource, in the order of the two sets.
        let (mut of_inline, mut of_named) = (Vec::new(), Vec::new());
        for (index, text) in entries.iter().enumerate() {
            let entry = Entry(field, Some(index));
            match read_resources(text.as_bytes(), "", &build.schema) {
                Ok(resources) => {
                    for mut resource in resources {
                        resource.origin =
                            self.origin.as_ref().map(|origin| origin.join(self.file_name));
                        inline.append(resource).map_err(|error| {
                            let kind =
                                if field == "generators" { "generator" } else { "transformer" };
                            let error = error.context(format!("configuring external {kind}"));
                            self.place(error, entry)
                        })?;
                        of_inline.push(entry);
                    }
                }
                Err(_) => {
                    self.add_resource(build, &mut named, text, entry)
                        .map_err(|error| self.place(error, entry))?;
                    of_named.resize(named.set.len(), entry);
                }
            }
        }
        inline.append_all(named.set).map_err(|error| self.place(error, Entry(field, None)))?;
        inline
            .into_vec()
            .into_iter()
            .zip(of_inline.into_iter().chain(of_named))
            .map(|(config, entry)| {
                let plugin = Plugin::new(config).map_err(|error| self.place(error, entry))?;
                Ok((entry, plugin))
            })
            .collect()
    }
}

fn absorb(all: &mut Accumulator, resource: Resource, schema: &Schema) -> Result<()> {
    all.set.absorb(resource, schema).map_err(|error| error.context("merging from generator"))
}

/// The base name of the directory, which one plugin takes for a value.
pub(crate) fn directory_name(loader: &Loader<'_>) -> String {
    path::base_name(loader.root()).to_owned()
}
