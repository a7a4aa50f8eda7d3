//! `namespace:` puts objects, and what refers to a namespace by field specification, into it.

use gitops_yaml::{Node, Text};

use super::Transform;
use crate::{
    build::Build,
    config::{Creates, FieldSpec},
    error::{Error, ErrorKind, Result},
    resource::{Gvk, Resource, set_string, wrong_kind},
    set::ResourceSet,
};

/// Which subjects of role bindings are changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SubjectMode {
    /// Those named `default`.
    #[default]
    DefaultOnly,
    /// All service accounts.
    AllServiceAccounts,
    /// None.
    Nothing,
}

impl SubjectMode {
    /// Reads `setRoleBindingSubjects`.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        match text {
            "" | "defaultOnly" => Ok(Self::DefaultOnly),
            "allServiceAccounts" => Ok(Self::AllServiceAccounts),
            "none" => Ok(Self::Nothing),
            _ => Err(Error::new(
                ErrorKind::Field,
                format!(
                    "invalid value {text:?} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \"allServiceAccounts\""
                ),
            )),
        }
    }
}

/// Puts objects into a namespace.
#[expect(clippy::struct_field_names, reason = "the namespace is its own name")]
#[derive(Debug)]
pub(crate) struct Namespace {
    namespace: Text,
    own: FieldSpec,
    specs: Vec<FieldSpec>,
    pub(crate) unset_only: bool,
    pub(crate) subjects: SubjectMode,
}

const METADATA_NAMESPACE: &str = "metadata/namespace";

impl Namespace {
    pub(crate) fn new(namespace: &str, specs: &[FieldSpec]) -> Self {
        Self {
            namespace: namespace.into(),
            own: FieldSpec::new(Gvk::default(), METADATA_NAMESPACE, true),
            specs: specs.iter().filter(|spec| spec.path != METADATA_NAMESPACE).cloned().collect(),
            unset_only: false,
            subjects: SubjectMode::DefaultOnly,
        }
    }

    /// Changes one object.
    pub(crate) fn apply(&self, resource: &mut Resource) -> Result<()> {
        let id = resource.id().clone();
        let mut set = |node: &mut Node| {
            if node.as_scalar().is_none() {
                return Err(wrong_kind(node, "ScalarNode")
                    .expecting("field specifications that lead to single values"));
            }
            if !self.unset_only || node.is_null() || node.text() == Some("") {
                set_string(node, &self.namespace);
            }
            Ok(())
        };
        if !id.cluster_scoped {
            self.own.apply(resource, Creates::Scalar, &mut set)?;
        }
        let binding = matches!(id.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if binding {
            self.set_subjects(resource, &mut set)?;
        }
        for spec in &self.specs {
            // Only the core group's Namespace is renamed.
            let renames = spec.path == "metadata/name" && id.gvk.api_version() != "v1";
            let subjects = binding
                && spec.path == "subjects/namespace"
                && matches!(spec.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
            if !renames && !subjects {
                spec.apply(resource, Creates::Scalar, &mut set).map_err(|error| {
                    let wrong = gitops_core::one_line(&error);
                    error.context(if wrong.contains("expected ScalarNode") {
                        "namespace field specs must target scalar nodes"
                    } else {
                        "namespace transformation failed"
                    })
                })?;
            }
        }
        Ok(())
    }

    fn set_subjects(
        &self,
        resource: &mut Resource,
        set: &mut dyn FnMut(&mut Node) -> Result<()>,
    ) -> Result<()> {
        let (field, wanted) = match self.subjects {
            SubjectMode::Nothing => return Ok(()),
            SubjectMode::DefaultOnly => ("name", "default"),
            SubjectMode::AllServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(subjects) = resource.node_mut().get_mut("subjects").filter(|node| !node.is_null())
        else {
            return Ok(());
        };
        let setting = "setting namespace on (cluster)role binding subjects";
        if !subjects.is_sequence() {
            return Err(wrong_kind(subjects, "SequenceNode").context(setting));
        }
        for subject in subjects.as_sequence_mut().into_iter().flatten() {
            if !subject.is_mapping() && !subject.is_null() {
                let looking = format!("looking up {field} on (cluster)role binding subject");
                return Err(wrong_kind(subject, "MappingNode").context(looking).context(setting));
            }
            if subject.get(field).and_then(Node::text) == Some(wanted)
                && let Some(subject) = subject.as_mapping_mut()
            {
                set(subject.get_or_insert_with("namespace", || Node::string("")))?;
            }
        }
        Ok(())
    }
}

impl Transform for Namespace {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        for (index, resource) in set.iter_mut().enumerate() {
            build.check_at(index)?;
            if resource.is_from_chart {
                continue;
            }
            resource.remember_id();
            self.apply(resource)?;
            resource.refresh(&build.schema);
        }
        set.check_unique(|resource| {
            format!("namespace transformation produces ID conflict: {}", resource.id())
        })
    }
}
