//! One kustomization: its resources, bases, generators, components and transformers, in this order.
//!
//! Follows kustomize's `api/internal/target`; differs in that a base that several kustomizations name
//! is built at most twice.

use std::sync::Arc;

use gitops_core::one_line;
use gitops_yaml::Schema;

use crate::{
    accumulator::Accumulator,
    build::Build,
    config::{TransformerConfig, read_crds},
    error::{Error, ErrorKind, Result},
    file::{COMPONENT, FILE_NAMES, Kustomization},
    generate,
    load::{Loader, path},
    plugin::Plugin,
    read::{read_document, read_resources},
    resource::Origin,
    set::ResourceSet,
    transform,
};

/// A kustomization file and the directory that it stands in.
#[derive(Debug)]
pub(crate) struct Target<'t> {
    loader: Loader<'t>,
    file: Kustomization,
    file_name: &'static str,
    /// Where this kustomization comes from, if origins are asked for.
    origin: Option<Origin>,
}

impl<'t> Target<'t> {
    /// Reads the kustomization file of a directory.
    pub(crate) fn load(build: &mut Build<'_>, loader: Loader<'t>) -> Result<Self> {
        build.count_kustomization()?;
        let mut found = None;
        for name in FILE_NAMES {
            match loader.read(name) {
                Ok(_) if found.is_some() => {
                    let message = format!(
                        "Found multiple kustomization files under: {}\n",
                        loader.shown_root()
                    );
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                Ok(content) => found = Some((name, content)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // A link out of the tree, a disk failure, a file that is too large.
                Err(error) => return Err(error.in_file(loader.name_of(name))),
            }
        }
        let Some((file_name, content)) = found else {
            let message = format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
                loader.shown_root(),
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        let place = loader.name_of(file_name);
        let document = read_document(&content).map_err(|error| {
            Error::from(error)
                .reword(|text| format!("invalid Kustomization: {text}"))
                .in_file(place.as_str())
        })?;
        let file = Kustomization::read(&document, &mut |warning| build.warnings.push(warning))
            .map_err(|error| error.in_file(place.as_str()))?;
        Self::new(loader, file, file_name)
    }

    /// A target with a kustomization file that was read.
    pub(crate) fn new(
        loader: Loader<'t>,
        file: Kustomization,
        file_name: &'static str,
    ) -> Result<Self> {
        file.check_kind(&loader.shown_root())
            .map_err(|error| error.in_file(loader.name_of(file_name)))?;
        Ok(Self { loader, file, file_name, origin: None })
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
        let custom = self.file.openapi.get("path");
        let version = self.file.openapi.get("version");
        let content = custom.map(|file| self.loader.read(file)).transpose()?;
        if build.schema_is_set {
            return Ok(());
        }
        match (content, version.map(String::as_str)) {
            (Some(_), Some(_)) => Err(Error::new(
                ErrorKind::Field,
                "builtin version and custom schema provided, cannot use both",
            )),
            (Some(content), None) => {
                let schema = Schema::from_openapi(&content).map_err(|error| {
                    Error::from(error)
                        .in_file(self.loader.name_of(custom.map_or("", String::as_str)))
                })?;
                build.schema = Arc::new(if build.options.openapi_adds {
                    schema.or_else(&build.options.schema)
                } else {
                    schema
                });
                build.schema_is_set = true;
                Ok(())
            }
            (None, None | Some("")) => Ok(()),
            (None, Some(version)) => {
                if !version.starts_with("v1.") {
                    let message = "the specified OpenAPI version is not built in".to_owned();
                    return Err(Error::new(ErrorKind::Field, message));
                }
                build.schema_is_set = true;
                Ok(())
            }
        }
    }

    /// Adds what this kustomization says to `into`: empty, or the parent's for a component.
    pub(crate) fn accumulate(
        &mut self,
        build: &mut Build<'_>,
        into: Accumulator,
    ) -> Result<Accumulator> {
        let mut all = into;
        let resources = std::mem::take(&mut self.file.resources);
        for entry in &resources {
            build.scope.check()?;
            self.add_resource(build, &mut all, entry)
                .map_err(|error| error.context("accumulating resources"))?;
        }
        self.merge_configurations(&mut all)?;
        self.run_generators(build, &mut all)?;
        let components = std::mem::take(&mut self.file.components);
        for entry in &components {
            all = self
                .add_component(build, all, entry)
                .map_err(|error| error.context("accumulating components"))?;
        }
        build.check_size(all.set.len())?;
        self.run_transformers(build, &mut all)?;
        self.run_validators(build, &mut all)?;
        all.bind_variables(&self.file.vars, &build.schema)
            .map_err(|error| error.context("merging vars"))?;
        Ok(all)
    }

    /// A file of objects, or else a directory with a kustomization.
    fn add_resource(
        &self,
        build: &mut Build<'_>,
        all: &mut Accumulator,
        entry: &str,
    ) -> Result<()> {
        let Err(as_file) = self.add_file(build, all, entry) else { return Ok(()) };
        if matches!(as_file.kind(), ErrorKind::Cancelled | ErrorKind::Limit) {
            return Err(as_file);
        }
        match self.loader.enter(entry) {
            Ok(loader) => self.add_base(build, all, entry, loader).map_err(|error| {
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
                // The more telling of the two names the place.
                let place = (as_file.file().map(str::to_owned), as_file.line(), as_file.column());
                let object = as_file.object().map(str::to_owned);
                let hint = as_file.hint().map(str::to_owned);
                let mut error =
                    as_base.context(format!("accumulation err='{}'", one_line(&as_file)));
                if let (Some(file), line, column) = place {
                    error = error.in_file(file).at_line(line.unwrap_or(0), column.unwrap_or(0));
                }
                if let Some(object) = object {
                    error = error.about(object);
                }
                if let Some(hint) = hint {
                    error = error.with_hint(hint);
                }
                Err(error.in_file(self.file_path()))
            }
        }
    }

    fn add_file(&self, build: &Build<'_>, all: &mut Accumulator, entry: &str) -> Result<()> {
        let set = self.read_file(build, entry).map_err(|error| {
            error.context(format!("accumulating resources from '{}'", path::masked(entry)))
        })?;
        build.check_size(all.set.len() + set.len())?;
        all.set.append_all(set).map_err(|error| {
            error.context(format!("merging resources from '{}'", path::masked(entry)))
        })
    }

    fn read_file(&self, build: &Build<'_>, entry: &str) -> Result<ResourceSet> {
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
            resource.origin.clone_from(&origin);
            set.append(resource)?;
        }
        Ok(set)
    }

    fn add_base(
        &self,
        build: &mut Build<'_>,
        all: &mut Accumulator,
        entry: &str,
        loader: Loader<'t>,
    ) -> Result<()> {
        let place = loader.place();
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
            error.reword(|text| format!("loader.New {text:?}")).in_file(self.file_path())
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
        child.choose_schema(build)?;
        let kind = &child.file.kind;
        if component && kind != COMPONENT {
            let message =
                format!("expected kind '{COMPONENT}' for path '{shown}' but got '{kind}'");
            return Err(Error::new(ErrorKind::Field, message).in_file(child.file_path()));
        }
        if !component && kind == COMPONENT {
            let message = format!("expected kind != '{COMPONENT}' for path '{shown}'");
            return Err(Error::new(ErrorKind::Field, message)
                .in_file(child.file_path())
                .with_hint("components are named under `components`, not `resources`"));
        }
        let through = child.file_path();
        child.accumulate(build, into).map_err(|error| {
            error.context(format!("recursed accumulation of path '{shown}'")).through(through)
        })
    }

    fn merge_configurations(&self, all: &mut Accumulator) -> Result<()> {
        let mut own = TransformerConfig::defaults();
        if !self.file.configurations.is_empty() {
            let mut merged = TransformerConfig::clone(&own);
            for file in &self.file.configurations {
                let name = self.loader.name_of(file);
                let content =
                    self.loader.read(file).map_err(|error| error.in_file(name.as_str()))?;
                let read = read_document(&content)
                    .map_err(Error::from)
                    .and_then(|document| TransformerConfig::read(&document));
                merged.merge(&read.map_err(|error| error.in_file(name.as_str()))?)?;
            }
            own = Arc::new(merged);
        }
        all.merge_config(&own).map_err(|error| error.context("merging config"))?;
        if !self.file.crds.is_empty() {
            let mut merged = TransformerConfig::clone(&all.config());
            for file in &self.file.crds {
                let name = self.loader.name_of(file);
                let content =
                    self.loader.read(file).map_err(|error| error.in_file(name.as_str()))?;
                let crds = read_crds(&content, file).map_err(|error| error.in_file(name.as_str()));
                let crds = crds.map_err(|error| {
                    error.context(format!("loading CRDs [{}]", self.file.crds.join(" ")))
                })?;
                merged.merge(&crds).map_err(|error| error.context("merging CRDs"))?;
            }
            all.config = Some(Arc::new(merged));
        }
        Ok(())
    }

    fn run_generators(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        let options = self.file.generator_options.as_ref();
        let schema = Arc::clone(&build.schema);
        let here = self.file_path();
        for (kind, generators) in [
            ("ConfigMapGenerator", &self.file.config_maps),
            ("SecretGenerator", &self.file.secrets),
        ] {
            for args in generators {
                let made = if kind == "SecretGenerator" {
                    generate::secret(args, options, &self.loader, &schema)
                } else {
                    generate::config_map(args, options, &self.loader, &schema)
                };
                let mut made = made.map_err(|error| error.in_file(here.as_str()))?;
                made.origin =
                    self.origin.as_ref().map(|origin| origin.builtin(self.file_name, kind));
                absorb(all, made, &schema, &here)?;
            }
        }
        if !self.file.helm_charts.is_empty() || self.file.helm_globals.is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "helmCharts is not allowed in this build",
            )
            .in_file(here)
            .with_hint("render the chart with a HelmRelease, or commit its output"));
        }
        for plugin in self
            .plugins(build, &self.file.generators)
            .map_err(|error| error.context("loading generator plugins"))?
        {
            for resource in plugin.generate(&self.loader, build)? {
                absorb(all, resource, &schema, &here)?;
            }
        }
        Ok(())
    }

    fn run_transformers(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        let config = all.config();
        let steps = transform::steps(&self.file, &config, &self.loader, &build.schema)
            .map_err(|error| error.in_file(self.file_path()))?;
        let plugins = self.plugins(build, &self.file.transformers)?;
        for (kind, step) in steps {
            build.scope.check()?;
            step.run(&mut all.set, build).map_err(|error| error.in_file(self.file_path()))?;
            if let Some(origin) = &self.origin {
                transform::note(&mut all.set, &origin.builtin(self.file_name, kind));
            }
        }
        for plugin in plugins {
            plugin.transform(&mut all.set, &self.loader, build)?;
            if let Some(origin) = plugin.origin() {
                transform::note(&mut all.set, origin);
            }
        }
        Ok(())
    }

    fn run_validators(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        for plugin in self.plugins(build, &self.file.validators)? {
            let before: Vec<_> = all.set.iter().map(|resource| resource.node().clone()).collect();
            plugin.transform(&mut all.set, &self.loader, build)?;
            let same = before.len() == all.set.len()
                && all.set.iter().zip(&before).all(|(after, before)| {
                    let mut after = after.node().clone();
                    transform::remove_label(&mut after, "validated-by");
                    after == *before
                });
            if !same {
                return Err(Error::new(
                    ErrorKind::Field,
                    "validator shouldn't modify the resource map",
                ));
            }
        }
        Ok(())
    }

    /// The plugins that a list of `generators`, `transformers` or `validators` names: each entry is a
    /// configuration itself, a file of them, or a kustomization that builds some.
    fn plugins(&self, build: &mut Build<'_>, entries: &[String]) -> Result<Vec<Plugin>> {
        let mut inline = ResourceSet::new();
        let mut named = Accumulator::default();
        for entry in entries {
            match read_resources(entry.as_bytes(), &self.file_path(), &build.schema) {
                Ok(resources) => {
                    for mut resource in resources {
                        resource.origin =
                            self.origin.as_ref().map(|origin| origin.join(self.file_name));
                        inline.append(resource)?;
                    }
                }
                Err(_) => self.add_resource(build, &mut named, entry)?,
            }
        }
        inline.append_all(named.set)?;
        inline.into_vec().into_iter().map(Plugin::new).collect()
    }
}

fn absorb(
    all: &mut Accumulator,
    resource: crate::resource::Resource,
    schema: &Schema,
    file: &str,
) -> Result<()> {
    all.set
        .absorb(resource, schema)
        .map_err(|error| error.context("merging from generator").in_file(file))
}

/// The base name of the directory, which one plugin takes for a value.
pub(crate) fn directory_name(loader: &Loader<'_>) -> String {
    path::base_name(loader.root()).to_owned()
}
