//! `replicas`: how many.

use gitops_yaml::Node;

use super::Transform;
use crate::{
    build::Build,
    config::{Creates, FieldSpec},
    error::{Error, ErrorKind, Result},
    file::Replica,
    set::ResourceSet,
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

impl Transform for Replicas {
    fn run(&self, set: &mut ResourceSet, _: &Build<'_>) -> Result<()> {
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
                        *node = Node::number(self.replica.count);
                        Ok(())
                    })?;
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
        ))
    }
}
