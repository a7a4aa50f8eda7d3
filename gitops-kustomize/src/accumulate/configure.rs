//! What a kustomization says of schemas and field specifications.

use std::sync::Arc;

use gitops_yaml::Schema;

use super::Target;
use crate::{
    accumulator::Accumulator,
    build::Build,
    config::{TransformerConfig, read_crds},
    error::{Entry, Error, ErrorKind, Result},
    read::read_strict_document,
};

impl Target<'_> {
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
                // Quirk: a schema that was read before stays under the one of the field.
                let adds = build.options.openapi_adds || build.schema_in_use.get();
                let read = if adds { Schema::beside_builtin } else { Schema::from_openapi };
                let schema = read(&content).map_err(|error| {
                    Error::from(error)
                        .in_file(self.loader.name_of(custom.map_or("", String::as_str)))
                        .expecting("an OpenAPI document in JSON or YAML, with `definitions`")
                })?;
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

    pub(super) fn merge_configurations(&self, all: &mut Accumulator) -> Result<()> {
        let mut own = TransformerConfig::defaults();
        if !self.file.configurations.is_empty() {
            // Quirk: the files are merged with each other first, so that of two specifications of
            // one file the narrower one can take the place of the other.
            let mut configured = TransformerConfig::default();
            for (index, file) in self.file.configurations.iter().enumerate() {
                self.read_configuration(file)
                    .and_then(|read| configured.merge(&read))
                    .map_err(|error| self.place(error, Entry("configurations", Some(index))))?;
            }
            let mut merged = TransformerConfig::clone(&own);
            merged
                .merge(&configured)
                .map_err(|error| self.place(error, Entry("configurations", None)))?;
            own = Arc::new(merged);
        }
        all.merge_config(&own).map_err(|error| {
            self.place(error.context("merging config"), Entry("configurations", None))
        })?;
        if !self.file.crds.is_empty() {
            let mut defined = TransformerConfig::default();
            for (index, file) in self.file.crds.iter().enumerate() {
                self.read_definitions(file)
                    .and_then(|crds| {
                        defined.merge(&crds).map_err(|error| error.context("merging CRDs"))
                    })
                    .map_err(|error| self.place(error, Entry("crds", Some(index))))?;
            }
            let mut merged = TransformerConfig::clone(&all.config());
            merged
                .merge(&defined)
                .map_err(|error| self.place(error.context("merging CRDs"), Entry("crds", None)))?;
            all.config = Some(Arc::new(merged));
        }
        Ok(())
    }

    fn read_configuration(&self, file: &str) -> Result<TransformerConfig> {
        let content = self.loader.read(file).map_err(|error| self.loader.suggest(error, file))?;
        read_strict_document(&content)
            .map_err(|error| Error::from(error).context("error converting YAML to JSON"))
            .and_then(|document| {
                TransformerConfig::read(&document).map_err(|error| {
                    let decoding = error.to_string().starts_with("json: ");
                    let words = "error unmarshaling JSON: while decoding JSON";
                    if decoding { error.context(words) } else { error }
                })
            })
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
}
