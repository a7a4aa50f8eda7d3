//! Objects that a kustomization makes: ConfigMaps, Secrets, charts, plugins.

use std::{collections::HashMap, sync::Arc};

use gitops_yaml::Schema;

use super::Target;
use crate::{
    accumulator::Accumulator,
    build::Build,
    error::{Entry, Error, Location, Result},
    file::{GeneratorArgs, HelmChart},
    generate,
    load::path,
    resource::{Origin, Resource},
    trace::Cause,
};

impl Target<'_> {
    pub(super) fn run_generators(
        &self,
        build: &mut Build<'_>,
        all: &mut Accumulator,
    ) -> Result<()> {
        // The original configures all generators before it runs the first.
        for (index, chart) in self.file.helm_charts.iter().enumerate() {
            generate::check_chart(chart, build)
                .map_err(|error| {
                    let words =
                        "trouble configuring builtin HelmChartInflationGenerator with config";
                    let config = self.with_namespace(chart).config(&self.file.helm_globals);
                    error.context(format!("{words}: `\n{config}`"))
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

    /// A chart without a namespace gets that of the kustomization or of the nearest one that refers to it.
    fn with_namespace(&self, chart: &HelmChart) -> HelmChart {
        let mut chart = chart.clone();
        if chart.namespace.is_empty() {
            self.namespace_for_charts().clone_into(&mut chart.namespace);
        }
        chart
    }

    /// The charts of the kustomization file.
    fn run_charts(&self, build: &mut Build<'_>, all: &mut Accumulator) -> Result<()> {
        const KIND: &str = "HelmChartInflationGenerator";
        for (index, chart) in self.file.helm_charts.iter().enumerate() {
            build.scope.check()?;
            let entry = Entry("helmCharts", Some(index));
            let chart = self.with_namespace(chart);
            let made = generate::helm_chart(&chart, &self.file.helm_globals, &self.loader, build)
                .map_err(|error| self.place(error, entry))?;
            for mut resource in made {
                resource.origin = self.made_by(KIND);
                absorb(all, resource, &build.schema).map_err(|error| self.place(error, entry))?;
            }
            build.note(&mut all.set, || Cause {
                configured: Some(Error::location(&self.file_path(), self.document.as_ref(), entry)),
                ..Cause::by(KIND)
            });
        }
        Ok(())
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
        made.origin = self.made_by(kind);
        absorb(all, made, &build.schema)
    }

    /// The origin of what a field of this file makes.
    fn made_by(&self, kind: &str) -> Option<Arc<Origin>> {
        self.origin.as_ref().map(|origin| Arc::new(origin.builtin(self.file_name, kind)))
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
}

fn absorb(all: &mut Accumulator, resource: Resource, schema: &Schema) -> Result<()> {
    all.set.absorb(resource, schema).map_err(|error| error.context("merging from generator"))
}
