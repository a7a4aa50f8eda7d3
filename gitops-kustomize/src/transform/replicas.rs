//! `replicas`: how many.

use gitops_yaml::Text;

use super::Transform;
use crate::{
    build::Build,
    config::{Creates, FieldSpec},
    error::{Error, ErrorKind, Result},
    file::Replica,
    resource::{Resource, expect_scalar, set_integer},
    set::ResourceSet,
    words::{list, nearest},
};

/// Sets the number of replicas of the objects of a name.
#[derive(Debug)]
pub(crate) struct Replicas {
    replica: Replica,
    specs: Vec<FieldSpec>,
}

impl Replicas {
    pub(crate) fn new(replica: Replica, specs: Vec<FieldSpec>) -> Self {
        Self { replica, specs }
    }
}

impl Replicas {
    /// The names that there are.
    fn near(&self, set: &ResourceSet) -> String {
        let counted = |resource: &&Resource| {
            self.specs.iter().any(|spec| resource.id().gvk.is_selected_by(&spec.gvk))
        };
        let names: Vec<Text> =
            set.iter().filter(counted).map(|resource| resource.original_id().name).collect();
        let names: Vec<&str> = names.iter().map(Text::as_str).collect();
        match nearest(&self.replica.name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None if names.is_empty() => "no object here has a number of replicas".to_owned(),
            None => format!("objects with a number of replicas are: {}", list(&names)),
        }
    }
}

impl Transform for Replicas {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        let name = self.replica.name.as_str();
        let mut found = false;
        for resource in set.contents_mut() {
            if resource.id().name != name && !resource.former_names().any(|former| former == name) {
                continue;
            }
            for spec in &self.specs {
                if resource.all_ids().any(|id| id.name == name && id.gvk.is_selected_by(&spec.gvk))
                {
                    found = true;
                    spec.apply(resource, Creates::Scalar, &mut |node| {
                        expect_scalar(node)?;
                        set_integer(node, self.replica.count);
                        Ok(())
                    })?;
                    if spec.path.starts_with("metadata/") {
                        resource.refresh(&build.schema);
                    }
                }
            }
        }
        if found {
            return Ok(());
        }
        let kinds: Vec<String> = self.specs.iter().map(|spec| spec.gvk.to_string()).collect();
        Err(Error::new(
            ErrorKind::Reference,
            format!(
                "resource with name {name} does not match a config with the following GVK [{}]",
                kinds.join(" "),
            ),
        )
        .at_field("name")
        .expecting("the name of a Deployment, ReplicaSet, ReplicationController or StatefulSet")
        .with_hint(self.near(set)))
    }
}
