//! Which lists merge by which keys, and which kinds live in a namespace.

mod openapi;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use crate::error::Error;

/// What is known of kinds and their fields. An immutable value: builds share it without a lock.
#[derive(Debug, Default)]
pub struct Schema {
    /// By their names, the API versions that have them.
    kinds: HashMap<Box<str>, HashMap<Box<str>, Kind>>,
    types: Vec<HashMap<Box<str>, Field>>,
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    /// `None`: not known.
    namespaced: Option<bool>,
    root: Option<TypeId>,
}

/// A type of a [`Schema`]; only of use with the schema that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeId(usize);

/// What a field is, as far as merging is concerned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    /// The type of the value, or of the elements of a list.
    pub(crate) of: Option<TypeId>,
    /// The keys by which a list merges; empty for a set of scalars; `None` where it is replaced.
    pub(crate) merge: Option<Arc<[Box<str>]>>,
}

impl Schema {
    /// The built-in schema of kustomize v5.8: Kubernetes 1.21.2.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: LazyLock<Arc<Schema>> =
            LazyLock::new(|| Arc::new(Schema::from_table(include_str!("builtin.txt"))));
        Arc::clone(&BUILTIN)
    }

    /// A schema from an OpenAPI v2 document, in JSON or YAML, as kustomize's field `openapi` names
    /// it. It replaces the built-in one; only scopes of kinds that it does not know are taken from
    /// there.
    ///
    /// # Errors
    /// When the document cannot be read.
    pub fn from_openapi(document: &[u8]) -> Result<Self, Error> {
        openapi::read(document)
    }

    /// Whether objects of a kind live in a namespace; `None` for kinds that are not known.
    pub fn is_namespaced(&self, api_version: &str, kind: &str) -> Option<bool> {
        self.kind(api_version, kind)?.namespaced
    }

    /// This schema, with the kinds of another that it lacks.
    #[must_use]
    pub fn or_else(mut self, other: &Self) -> Self {
        let offset = self.types.len();
        let moved = |of: Option<TypeId>| of.map(|TypeId(id)| TypeId(id + offset));
        for fields in &other.types {
            let fields = fields.iter().map(|(name, field)| {
                let field = Field { of: moved(field.of), merge: field.merge.clone() };
                (name.clone(), field)
            });
            self.types.push(fields.collect());
        }
        for (api_version, name, kind) in other.each_kind() {
            let own = self.kind_mut(api_version, name);
            own.namespaced = own.namespaced.or(kind.namespaced);
            own.root = own.root.or(moved(kind.root));
        }
        self
    }

    pub(crate) fn root(&self, api_version: &str, kind: &str) -> Option<TypeId> {
        self.kind(api_version, kind)?.root
    }

    pub(crate) fn field(&self, of: TypeId, name: &str) -> Option<&Field> {
        self.types.get(of.0)?.get(name)
    }

    fn kind(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.kinds.get(kind)?.get(api_version)
    }

    /// The kind, of which nothing is known if it is new.
    fn kind_mut(&mut self, api_version: &str, kind: &str) -> &mut Kind {
        let versions = self.kinds.entry(kind.into()).or_default();
        versions.entry(api_version.into()).or_insert(Kind { namespaced: None, root: None })
    }

    /// API version, name and what is known of each kind.
    fn each_kind(&self) -> impl Iterator<Item = (&str, &str, &Kind)> {
        self.kinds.iter().flat_map(|(name, versions)| {
            versions.iter().map(move |(version, kind)| (&**version, &**name, kind))
        })
    }

    /// Reads the format of `builtin.txt`, which says it itself.
    fn from_table(table: &str) -> Self {
        let mut schema = Self::default();
        for line in table.lines() {
            match line.split_at_checked(2) {
                Some(("k ", rest)) => schema.add_kind(rest),
                Some(("t ", rest)) => schema.types.push(rest.split(' ').map(field).collect()),
                _ => {}
            }
        }
        schema
    }

    fn add_kind(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        if let [api_version, kind, scope, root] = words[..] {
            let namespaced = Some(scope == "n");
            let root = root.parse().ok().map(TypeId);
            *self.kind_mut(api_version, kind) = Kind { namespaced, root };
        }
    }
}

/// `name[:type][=key,key]`
fn field(text: &str) -> (Box<str>, Field) {
    let (text, keys) = text.split_once('=').map_or((text, None), |(text, keys)| (text, Some(keys)));
    let (name, of) = text.split_once(':').map_or((text, None), |(name, of)| (name, Some(of)));
    let merge =
        keys.map(|keys| keys.split(',').filter(|key| !key.is_empty()).map(Box::from).collect());
    (name.into(), Field { of: of.and_then(|of| of.parse().ok()).map(TypeId), merge })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_add_up() {
        let custom = br#"{"definitions": {"T": {"properties": {"l": {"type": "array",
            "x-kubernetes-patch-merge-key": "id", "x-kubernetes-patch-strategy": "merge"}},
            "x-kubernetes-group-version-kind": [{"group": "g", "version": "v1", "kind": "T"}]}}}"#;
        let both = Schema::from_openapi(custom).unwrap().or_else(&Schema::builtin());
        let own = both.root("g/v1", "T").unwrap();
        assert_eq!(both.field(own, "l").unwrap().merge.as_deref(), Some(&["id".into()][..]));
        let pod = both.root("v1", "Pod").unwrap();
        let spec = both.field(pod, "spec").unwrap().of.unwrap();
        assert_eq!(
            both.field(spec, "containers").unwrap().merge.as_deref(),
            Some(&["name".into()][..])
        );
    }

    #[test]
    fn builtin_facts() {
        let schema = Schema::builtin();
        assert_eq!(schema.is_namespaced("apps/v1", "Deployment"), Some(true));
        assert_eq!(schema.is_namespaced("v1", "Namespace"), Some(false));
        assert_eq!(schema.is_namespaced("example.com/v1", "Thing"), None);
        let mut at = schema.root("apps/v1", "Deployment").unwrap();
        for name in ["spec", "template", "spec"] {
            at = schema.field(at, name).unwrap().of.unwrap();
        }
        let containers = schema.field(at, "containers").unwrap();
        assert_eq!(containers.merge.as_deref(), Some(&["name".into()][..]));
        let ports = schema.field(containers.of.unwrap(), "ports").unwrap();
        assert_eq!(ports.merge.as_deref().map(<[_]>::len), Some(2));
        assert!(schema.field(at, "tolerations").is_none_or(|field| field.merge.is_none()));
    }
}
