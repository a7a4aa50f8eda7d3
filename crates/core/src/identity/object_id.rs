//! Which object: group, version, kind, namespace and name.

use std::{fmt, str::FromStr};

/// The identity of a Kubernetes object. `Display` gives `Kind/namespace/name`, or `Kind/name`
/// where there is no namespace: the form of Flux's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// The API group; empty for the core group.
    pub group: String,
    /// The API version without the group; not part of the inventory id.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectId {
    /// An id from `apiVersion` (`group/version` or `version`) and the rest.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// `group/version`, or the version alone in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The inventory form `<namespace>_<name>_<group>_<kind>`. A `:` in a name, which only RBAC
    /// objects have, becomes `__`.
    pub fn inventory_id(&self) -> String {
        let name = self.name.replace(':', "__");
        format!("{}_{}_{}_{}", self.namespace, name, self.group, self.kind)
    }

    /// Reads an inventory entry: its id and its version.
    ///
    /// # Errors
    /// When the id does not have four parts or lacks a name or kind.
    pub fn from_inventory(id: &str, version: &str) -> Result<Self, ObjectIdError> {
        let bad = || ObjectIdError(id.to_owned());
        let (namespace, rest) = id.split_once('_').ok_or_else(bad)?;
        let (rest, kind) = rest.rsplit_once('_').ok_or_else(bad)?;
        let (name, group) = rest.rsplit_once('_').ok_or_else(bad)?;
        let name = name.replace("__", ":");
        if name.is_empty() || kind.is_empty() || name.contains('_') {
            return Err(bad());
        }
        Ok(Self {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name,
        })
    }

    /// Whether both name the same object, whatever the API version.
    pub fn same_object(&self, other: &Self) -> bool {
        self.group == other.group
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;

    fn from_str(id: &str) -> Result<Self, ObjectIdError> {
        Self::from_inventory(id, "")
    }
}

/// A text that is no inventory id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse stored object metadata: {0}")]
pub struct ObjectIdError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_ids_round_trip() {
        for (id, shown) in [
            ("flux_app__ConfigMap", "ConfigMap/flux/app"),
            ("_system__node_rbac.authorization.k8s.io_ClusterRole", "ClusterRole/system:node"),
            ("apps_web_apps_Deployment", "Deployment/apps/web"),
        ] {
            let object = ObjectId::from_inventory(id, "v1").unwrap();
            assert_eq!(object.inventory_id(), id);
            assert_eq!(object.to_string(), shown);
        }
        for bad in ["", "a", "a_b", "a_b_c", "a__g_K", "a_b_c_"] {
            assert!(ObjectId::from_inventory(bad, "v1").is_err(), "{bad}");
        }
    }
}
