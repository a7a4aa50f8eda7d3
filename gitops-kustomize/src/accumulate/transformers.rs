//! The steps of a kustomization over all its objects, and its plugins.

use std::sync::Arc;

use super::Target;
use crate::{
    accumulator::Accumulator,
    build::Build,
    error::{Entry, Error, ErrorKind, Result},
    manifests::{Warning, WarningKind},
    plugin::Plugin,
    read::read_resources,
    set::ResourceSet,
    trace::{self, ConfigurationFile, TracedStep},
    transform::{self, Step},
};

impl Target<'_> {
    pub(super) fn run_transformers(
        &self,
        build: &mut Build<'_>,
        all: &mut Accumulator,
    ) -> Result<()> {
        let config = all.config();
        let apart = build.options.trace || self.origin.is_some();
        let steps = transform::steps(&self.file, apart, &config, &self.loader, &build.schema)
            .map_err(|(error, entry)| self.place(error, entry))?;
        let plugins = self.plugins(build, "transformers", &self.file.transformers)?;
        // Only a build that is traced looks anything up here.
        let from = build.options.trace.then(|| self.configuration_file());
        for Step { kind, entry, transform } in steps {
            build.scope.check()?;
            build.step = from.as_ref().map(|from| TracedStep::new(kind, from, entry, None));
            transform.run(&mut all.set, build).map_err(|error| self.place(error, entry))?;
            for (offset, why) in transform.idle(&all.set) {
                let entry = Entry(entry.0, entry.1.map(|first| first + offset));
                let place = Error::location(&self.file_path(), self.document.as_ref(), entry);
                build.warnings.push(Warning::new(WarningKind::Idle, why).at(place));
            }
            if let Some(origin) = &self.origin {
                transform::note(&mut all.set, &Arc::new(origin.builtin(self.file_name, kind)));
            }
            if let Some(step) = build.step.take() {
                trace::note(&mut all.set, step.cause());
            }
        }
        for (entry, plugin) in plugins {
            build.step = from
                .as_ref()
                .map(|from| TracedStep::new(plugin.kind(), from, entry, plugin.location()));
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

    pub(super) fn run_validators(
        &self,
        build: &mut Build<'_>,
        all: &mut Accumulator,
    ) -> Result<()> {
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
    pub(super) fn plugins(
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
                        build.look_up(&resource);
                        resource.origin = self
                            .origin
                            .as_ref()
                            .map(|origin| Arc::new(origin.join(self.file_name)));
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
                let plugin = Plugin::new(config).map_err(|error| match field {
                    "generators" => error.context("failed to load generator"),
                    _ => error,
                });
                let plugin = plugin.map_err(|error| self.place(error, entry))?;
                Ok((entry, plugin))
            })
            .collect()
    }

    fn configuration_file(&self) -> Arc<ConfigurationFile> {
        let file = self.file_path();
        let text = self.loader.text_of(&file).unwrap_or_default();
        Arc::new(ConfigurationFile { file, text, document: self.document.clone() })
    }
}
