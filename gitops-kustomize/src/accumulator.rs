//! What kustomizations add up to.

use std::{collections::BTreeMap, sync::Arc};

use gitops_yaml::Schema;

use crate::{
    config::{self, TransformerConfig},
    error::{Error, ErrorKind, Result},
    file::Variable,
    set::ResourceSet,
    words::list,
};

/// What a kustomization adds up to: its resources, and the rules that the last steps need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accumulator {
    pub(crate) set: ResourceSet,
    pub(crate) config: Option<Arc<TransformerConfig>>,
    pub(crate) variables: BTreeMap<String, Variable>,
}

impl Accumulator {
    /// The rules so far.
    pub(crate) fn config(&self) -> Arc<TransformerConfig> {
        self.config.clone().unwrap_or_else(TransformerConfig::defaults)
    }

    pub(crate) fn merge_config(&mut self, other: &Arc<TransformerConfig>) -> Result<()> {
        self.config = Some(match self.config.take() {
            Some(own) => config::merged(own, other)?,
            None => config::narrowed(other)?,
        });
        Ok(())
    }

    fn add_variable(&mut self, variable: Variable) -> Result<()> {
        if let Some(twin) = self.variables.get(&variable.name) {
            let message = format!("var '{}' already encountered", variable.name);
            let error = Error::new(ErrorKind::Conflict, message).at_field("name");
            return Err(match &twin.declared {
                Some(declared) => error.see(declared.clone()),
                None => error,
            });
        }
        self.variables.insert(variable.name.clone(), variable);
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        self.set.append_all(other.set)?;
        if let Some(config) = &other.config {
            self.merge_config(config)?;
        }
        other.variables.into_values().try_for_each(|variable| self.add_variable(variable))
    }

    /// Notes which resource the variable takes its value from.
    pub(crate) fn bind_variable(&mut self, variable: Variable, schema: &Schema) -> Result<()> {
        let api_version = variable.gvk.api_version();
        let cluster_scoped = schema.is_namespaced(&api_version, &variable.gvk.kind) == Some(false);
        let anywhere = variable.object_namespace.is_empty() && !cluster_scoped;
        let matches: Vec<usize> = self
            .set
            .iter()
            .enumerate()
            .filter(|(_, resource)| {
                resource.all_ids().any(|id| {
                    id.name == variable.object_name
                        && id.gvk == variable.gvk
                        && (anywhere
                            || cluster_scoped
                            || id.effective_namespace() == namespace_of(&variable))
                })
            })
            .map(|(index, _)| index)
            .collect();
        match *matches {
            [] => {}
            [index] => {
                self.set.content_mut(index).variables.push(variable.name.as_str().into());
            }
            _ => {
                let ids: Vec<String> =
                    matches.iter().map(|index| self.set.get(*index).id().to_string()).collect();
                return Err(Error::new(
                    ErrorKind::Reference,
                    format!(
                        "found {} resId matches for var {{{} {} {{{}}}}} (unable to disambiguate)",
                        matches.len(),
                        variable.name,
                        variable.gvk,
                        variable.field_path,
                    ),
                )
                .at_field("objref")
                .with_hint(format!("it means each of {}; name the namespace", list(&ids))));
            }
        }
        self.add_variable(variable)
    }
}

fn namespace_of(variable: &Variable) -> &str {
    if variable.object_namespace.is_empty() { "default" } else { &variable.object_namespace }
}
