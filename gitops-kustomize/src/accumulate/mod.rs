//! One kustomization: its resources, bases, generators, components and transformers, in this order.
//!
//! Follows kustomize's `api/internal/target`; differs in that a base that several kustomizations name
//! is built at most twice.

mod configure;
mod generators;
mod resources;
mod transformers;

use gitops_yaml::Node;

use crate::{
    accumulator::Accumulator,
    build::Build,
    error::{Entry, Error, ErrorKind, Result},
    file::{FILE_NAMES, Kustomization, Variable},
    load::{Loader, path},
    read::read_document,
    resource::Origin,
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
                    return Err(loader.several_files(&loader.name_of(name)));
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
        let file = Kustomization::read(&document, &mut |warning| {
            build.warnings.push(warning.map_files(|_| place()));
        })
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

    fn namespace_for_charts(&self) -> &str {
        if self.file.namespace.is_empty() { &self.chart_namespace } else { &self.file.namespace }
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
}

/// The base name of the directory, which one plugin takes for a value.
pub(crate) fn directory_name(loader: &Loader<'_>) -> String {
    path::base_name(loader.root()).to_owned()
}
