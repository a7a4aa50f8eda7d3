//! `resources` and `components`: files of objects, and other kustomizations.

use std::sync::Arc;

use gitops_core::one_line;

use super::Target;
use crate::{
    accumulator::Accumulator,
    build::Build,
    config,
    error::{Entry, Error, ErrorKind, Result},
    file::COMPONENT,
    load::{Loader, path},
    read::read_resources,
    set::ResourceSet,
    trace::{Cause, TextAt},
};

impl<'t> Target<'t> {
    /// A file of objects, or else a directory with a kustomization.
    pub(super) fn add_resource(
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

    pub(super) fn add_component(
        &self,
        build: &mut Build<'_>,
        all: Accumulator,
        entry: &str,
    ) -> Result<Accumulator> {
        let loader = self.loader.enter(entry).map_err(|error| {
            let error = error.reword(|text| format!("loader.New {text:?}"));
            self.loader.suggest(error, entry)
        })?;
        let shown = loader.shown_root();
        let mut all = self
            .build_child(build, all, entry, loader, true)
            .and_then(|mut all| {
                let checked = all.set.check_before_merge();
                checked.map_err(|error| {
                    error.context(format!("recursed merging from path '{shown}'"))
                })?;
                Ok(all)
            })
            .map_err(|error| error.reword(|text| format!("accumulateDirectory: {text:?}")))?;
        // The original puts what a component made into a new accumulator.
        all.config = all.config.as_ref().map(config::narrowed).transpose()?;
        Ok(all)
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
        let origin = self.origin.as_ref().map(|origin| Arc::new(origin.join(entry)));
        let mut set = ResourceSet::new();
        for mut resource in resources {
            build.look_up(&resource);
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
}
