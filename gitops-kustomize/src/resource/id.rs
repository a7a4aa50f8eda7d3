//! Group, version, kind, name and namespace as kustomize compares and prints them.

use std::fmt;

use gitops_core::ObjectId;
use gitops_yaml::Text;

/// Group, version and kind; as a selector an empty part matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Gvk {
    pub(crate) group: Text,
    pub(crate) version: Text,
    pub(crate) kind: Text,
}

impl Gvk {
    pub(crate) fn new(api_version: &str, kind: impl Into<Text>) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.as_str().to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether every part that `selector` names is the same here.
    pub(crate) fn is_selected_by(&self, selector: &Self) -> bool {
        (selector.group.is_empty() || selector.group == self.group)
            && (selector.version.is_empty() || selector.version == self.version)
            && (selector.kind.is_empty() || selector.kind == self.kind)
    }

    fn sort_text(&self) -> String {
        format!("{}_{}_{}", or(&self.group, "~G"), or(&self.version, "~V"), or(&self.kind, "~K"))
    }

    /// The order in which field specifications are kept: kinds that others depend on come first.
    pub(crate) fn sort_key(&self) -> (i32, String) {
        (crate::transform::sort::default_rank(&self.kind), self.sort_text())
    }
}

/// `Kind.version.group`, with `[noKind]` and the like where a part is missing.
impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, version, kind } = self;
        write!(f, "{}.{}.{}", or(kind, "[noKind]"), or(version, "[noVer]"), or(group, "[noGrp]"))
    }
}

/// An object's identity, now or at an earlier step of the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceId {
    pub(crate) gvk: Gvk,
    pub(crate) name: Text,
    /// As written; empty where the object names none.
    pub(crate) namespace: Text,
    /// Whether the schema knows the kind as cluster-scoped.
    pub(crate) cluster_scoped: bool,
}

/// What cluster-scoped objects have in place of a namespace when identities are compared.
pub(crate) const NO_NAMESPACE: &str = "_non_namespaceable_";

/// The namespace of objects that name none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

impl ResourceId {
    /// The namespace that counts in comparisons: none and `default` are the same.
    pub(crate) fn effective_namespace(&self) -> &str {
        if self.cluster_scoped {
            NO_NAMESPACE
        } else if self.namespace.is_empty() {
            DEFAULT_NAMESPACE
        } else {
            &self.namespace
        }
    }

    pub(crate) fn same_namespace(&self, other: &Self) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// What two equal identities have in common.
    pub(crate) fn key(&self) -> IdKey {
        IdKey {
            gvk: self.gvk.clone(),
            name: self.name.clone(),
            namespace: self.effective_namespace().into(),
        }
    }

    /// Whether a selector's name, namespace and kind, where given, are those of this identity.
    pub(crate) fn is_selected_by(&self, selector: &Self) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.same_namespace(self))
            && self.gvk.is_selected_by(&selector.gvk)
    }

    pub(crate) fn to_object_id(&self) -> ObjectId {
        ObjectId {
            group: self.gvk.group.as_str().to_owned(),
            version: self.gvk.version.as_str().to_owned(),
            kind: self.gvk.kind.as_str().to_owned(),
            namespace: self.namespace.as_str().to_owned(),
            name: self.name.as_str().to_owned(),
        }
    }
}

/// `Kind.version.group/name.namespace`
impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gvk, name, namespace, .. } = self;
        write!(f, "{gvk}/{}.{}", or(name, "[noName]"), or(namespace, "[noNs]"))
    }
}

/// An identity reduced to what is compared, as a key of maps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct IdKey {
    gvk: Gvk,
    name: Text,
    namespace: Text,
}

fn or<'t>(text: &'t str, missing: &'t str) -> &'t str {
    if text.is_empty() { missing } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_is_missing() {
        let id = ResourceId {
            gvk: Gvk::new("v1", "ConfigMap"),
            name: "a".into(),
            ..ResourceId::default()
        };
        assert_eq!(id.to_string(), "ConfigMap.v1.[noGrp]/a.[noNs]");
        assert_eq!(Gvk::new("apps/v1", "").to_string(), "[noKind].v1.apps");
    }

    #[test]
    fn no_namespace_is_the_default_one() {
        let id = |namespace: &str| ResourceId {
            gvk: Gvk::new("v1", "ConfigMap"),
            name: "a".into(),
            namespace: namespace.into(),
            cluster_scoped: false,
        };
        assert_eq!(id("").key(), id("default").key());
        assert_ne!(id("").key(), id("other").key());
    }
}
