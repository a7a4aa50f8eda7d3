//! Which kinds are served.

mod builtin;
pub(crate) mod custom;

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;

pub(crate) use builtin::object_meta;

use crate::{
    schema::{NodeId, Schema, Text},
    storage::{Store, Table},
    table::Column,
};

/// One snapshot of everything that is served. Changing it makes a new snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    /// Groups by name in the order of discovery; `""` is the core group.
    pub(crate) groups: IndexMap<Text, Group>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// The preferred version first.
    pub(crate) versions: Vec<Version>,
}

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) name: Text,
    pub(crate) resources: IndexMap<Text, Arc<Resource>>,
}

/// A resource in one version.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) group: Text,
    pub(crate) version: Text,
    /// `group/version`, or the version alone for the core group.
    pub(crate) api_version: String,
    pub(crate) kind: Text,
    pub(crate) list_kind: Text,
    pub(crate) plural: Text,
    pub(crate) singular: Text,
    pub(crate) namespaced: bool,
    pub(crate) verbs: Vec<Text>,
    pub(crate) short_names: Vec<Text>,
    pub(crate) categories: Vec<Text>,
    pub(crate) subresources: Vec<Subresource>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) node: NodeId,
    pub(crate) table: Arc<Table>,
    /// The columns of a definition; absent of built-in kinds.
    pub(crate) columns: Option<Vec<Column>>,
    /// The fields beside name and namespace that a custom resource can be selected by; absent of
    /// built-in kinds.
    pub(crate) selectable: Option<Vec<String>>,
    /// Where a custom resource keeps its replicas, where it can be scaled.
    pub(crate) scale: Option<ScalePaths>,
}

/// The paths of a definition's `scale`.
#[derive(Clone, Debug)]
pub(crate) struct ScalePaths {
    /// Such as `.spec.replicas`.
    pub(crate) spec: String,
    pub(crate) status: String,
    /// Empty where there is none.
    pub(crate) selector: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Subresource {
    pub(crate) name: Text,
    /// Group, version and kind that it speaks.
    pub(crate) speaks: (Text, Text, Text),
    pub(crate) verbs: Vec<Text>,
    /// The type of what is sent, where it differs from the resource's.
    pub(crate) node: Option<NodeId>,
}

impl Registry {
    /// The built-in kinds.
    pub(crate) fn builtin(store: &Store) -> Self {
        builtin::registry(store)
    }

    pub(crate) fn resource(
        &self,
        group: &str,
        version: &str,
        plural: &str,
    ) -> Option<&Arc<Resource>> {
        self.version(group, version)?.resources.get(plural)
    }

    pub(crate) fn version(&self, group: &str, version: &str) -> Option<&Version> {
        self.groups.get(group)?.versions.iter().find(|served| served.name == version)
    }

    /// Every resource once, in its group's preferred version that has it.
    pub(crate) fn preferred(&self) -> Vec<Arc<Resource>> {
        let mut found: HashMap<(&str, &str), &Arc<Resource>> = HashMap::new();
        let mut order = Vec::new();
        for resource in self
            .groups
            .values()
            .flat_map(|group| &group.versions)
            .flat_map(|v| v.resources.values())
        {
            let key = (&*resource.group, &*resource.plural);
            found.entry(key).or_insert_with(|| {
                order.push(Arc::clone(resource));
                resource
            });
        }
        order
    }

    /// The resource of a kind, as owner references name it.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        self.version(group, version)?.resources.values().find(|resource| resource.kind == kind)
    }

    pub(crate) fn add(&mut self, resource: Arc<Resource>) {
        let group = self.groups.entry(resource.group.clone()).or_default();
        let known = group.versions.iter().position(|v| v.name == resource.version);
        let place = known.unwrap_or_else(|| {
            let name = resource.version.clone();
            group.versions.push(Version { name, resources: IndexMap::new() });
            group.versions.len() - 1
        });
        group.versions[place].resources.insert(resource.plural.clone(), resource);
    }
}

impl Resource {
    pub(crate) fn has_status(&self) -> bool {
        self.subresources.iter().any(|sub| sub.name == "status")
    }

    pub(crate) fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Kind;

    #[test]
    fn built_in_kinds_have_their_facts() {
        let registry = Registry::builtin(&Store::new());
        let deployments = registry.resource("apps", "v1", "deployments").unwrap();
        assert_eq!((&*deployments.kind, &*deployments.list_kind), ("Deployment", "DeploymentList"));
        assert!(deployments.namespaced && deployments.has_status());
        assert_eq!(deployments.subresource("scale").unwrap().speaks.2, "Scale");
        let nodes = registry.resource("", "v1", "nodes").unwrap();
        assert!(!nodes.namespaced && nodes.is("", "nodes"));
        let of_kind = registry.of_kind("batch/v1", "CronJob").unwrap();
        assert_eq!(of_kind.plural, "cronjobs");
        assert!(registry.resource("apps", "v1", "unknown").is_none());
        let total = registry.preferred().len();
        assert!(total > 60, "{total}");
    }

    #[test]
    fn types_lead_from_a_deployment_to_the_ports_of_its_containers() {
        let registry = Registry::builtin(&Store::new());
        let deployments = registry.resource("apps", "v1", "deployments").unwrap();
        let schema = &deployments.schema;
        let mut node = schema.node(deployments.node);
        for name in ["spec", "template", "spec", "containers"] {
            node = schema.node(node.member(name).unwrap());
        }
        let Kind::List { items, .. } = &node.kind else { panic!("{node:?}") };
        let ports = schema.node(schema.node(*items).member("ports").unwrap());
        let Kind::List { list, .. } = &ports.kind else { panic!("{ports:?}") };
        let keys = crate::schema::ListKind::Map(vec!["containerPort".into(), "protocol".into()]);
        assert_eq!(*list, keys);
    }
}
