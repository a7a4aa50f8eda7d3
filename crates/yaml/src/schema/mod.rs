//! Which lists merge by which keys, and which kinds live in a namespace.

mod comments;
mod openapi;
mod table;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use crate::error::Error;
pub use comments::heed_schema_comments;

/// What is known of kinds and their fields. An immutable value: builds share it without a lock.
#[derive(Debug, Default)]
pub struct Schema {
    /// By their names, the API versions that have them.
    kinds: HashMap<Box<str>, HashMap<Box<str>, Kind>>,
    types: Vec<HashMap<Box<str>, OwnField>>,
    /// What holds besides, where `kinds` has nothing else.
    builtin: Builtin,
}

/// How much of the built-in schema is part of another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Builtin {
    #[default]
    Nothing,
    /// Which kinds live in a namespace.
    Scopes,
    /// Everything.
    All,
}

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    /// `None`: not known.
    namespaced: Option<bool>,
    root: Option<TypeId>,
}

/// A type of a [`Schema`]; only of use with the schema that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeId {
    /// One of the built-in schema.
    Builtin(u16),
    /// One of the schema's own.
    Own(usize),
}

/// What a field is, as far as merging is concerned.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Field<'s> {
    /// The type of the value, or of the elements of a list.
    pub(crate) of: Option<TypeId>,
    /// The keys by which a list merges; none of them for a set of scalars; `None` where it is replaced.
    pub(crate) merge: Option<MergeKeys<'s>>,
}

/// The keys by which a list merges.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MergeKeys<'s> {
    /// With commas between them.
    Words(&'static str),
    Texts(&'s [Box<str>]),
}

/// A field of a type that was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnField {
    of: Option<TypeId>,
    merge: Option<Arc<[Box<str>]>>,
}

impl OwnField {
    pub(crate) fn view(&self) -> Field<'_> {
        Field { of: self.of, merge: self.merge.as_deref().map(MergeKeys::Texts) }
    }
}

impl Schema {
    /// The built-in schema of kustomize v5.8: Kubernetes 1.21.2.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: LazyLock<Arc<Schema>> =
            LazyLock::new(|| Arc::new(Schema { builtin: Builtin::All, ..Schema::default() }));
        Arc::clone(&BUILTIN)
    }

    /// A schema from an OpenAPI v2 document, in JSON or YAML, as kustomize's field `openapi` names
    /// it. It replaces the built-in one; only scopes of kinds that it does not know are taken from
    /// there.
    ///
    /// # Errors
    /// When the document cannot be read.
    pub fn from_openapi(document: &[u8]) -> Result<Self, Error> {
        openapi::read(document, false)
    }

    /// As [`Self::from_openapi`], of a document that adds to the built-in schema and may refer to its
    /// types, as kustomize reads it once the built-in one was in use.
    ///
    /// # Errors
    /// When the document cannot be read.
    pub fn beside_builtin(document: &[u8]) -> Result<Self, Error> {
        openapi::read(document, true).map(|schema| schema.or_else(&Self::builtin()))
    }

    /// Whether objects of a kind live in a namespace; `None` for kinds that are not known.
    pub fn is_namespaced(&self, api_version: &str, kind: &str) -> Option<bool> {
        self.kind(api_version, kind).namespaced
    }

    /// This schema, with the kinds of another that it lacks.
    #[must_use]
    pub fn or_else(mut self, other: &Self) -> Self {
        let offset = self.types.len();
        let moved = |of: Option<TypeId>| match of {
            Some(TypeId::Own(id)) => Some(TypeId::Own(id + offset)),
            builtin => builtin,
        };
        for fields in &other.types {
            let fields = fields.iter().map(|(name, field)| {
                let field = OwnField { of: moved(field.of), merge: field.merge.clone() };
                (name.clone(), field)
            });
            self.types.push(fields.collect());
        }
        for (name, versions) in &other.kinds {
            for (api_version, kind) in versions {
                let known = self.kind(api_version, name);
                *self.kind_mut(api_version, name) = Kind {
                    namespaced: known.namespaced.or(kind.namespaced),
                    root: known.root.or(moved(kind.root)),
                };
            }
        }
        self.builtin = self.builtin.max(other.builtin);
        self
    }

    pub(crate) fn root(&self, api_version: &str, kind: &str) -> Option<TypeId> {
        self.kind(api_version, kind).root
    }

    pub(crate) fn field(&self, of: TypeId, name: &str) -> Option<Field<'_>> {
        match of {
            TypeId::Builtin(of) => {
                let (of, keys) = table::field(of, name)?;
                Some(Field { of, merge: keys.map(MergeKeys::Words) })
            }
            TypeId::Own(of) => self.types.get(of)?.get(name).map(OwnField::view),
        }
    }

    fn kind(&self, api_version: &str, kind: &str) -> Kind {
        let own = self.kinds.get(kind).and_then(|versions| versions.get(api_version));
        let own = own.copied().unwrap_or_default();
        if self.builtin == Builtin::Nothing || (own.namespaced.is_some() && own.root.is_some()) {
            return own;
        }
        let Some(builtin) = table::kind(api_version, kind) else { return own };
        Kind {
            namespaced: own.namespaced.or(builtin.namespaced),
            root: own.root.or(builtin.root.filter(|_| self.builtin == Builtin::All)),
        }
    }

    /// What the schema itself says of a kind: nothing, if it is new.
    fn kind_mut(&mut self, api_version: &str, kind: &str) -> &mut Kind {
        let versions = self.kinds.entry(kind.into()).or_default();
        versions.entry(api_version.into()).or_default()
    }
}

impl<'s> MergeKeys<'s> {
    pub(crate) fn to_vec(self) -> Vec<&'s str> {
        match self {
            Self::Words(words) => words.split(',').filter(|word| !word.is_empty()).collect(),
            Self::Texts(texts) => texts.iter().map(AsRef::as_ref).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(field: Option<Field<'_>>) -> Vec<&str> {
        field.unwrap().merge.unwrap().to_vec()
    }

    #[test]
    fn schemas_add_up() {
        let custom = br#"{"definitions": {"T": {"properties": {"l": {"type": "array",
            "x-kubernetes-patch-merge-key": "id", "x-kubernetes-patch-strategy": "merge"}},
            "x-kubernetes-group-version-kind": [{"group": "g", "version": "v1", "kind": "T"}]}}}"#;
        let both = Schema::from_openapi(custom).unwrap().or_else(&Schema::builtin());
        let own = both.root("g/v1", "T").unwrap();
        assert_eq!(keys(both.field(own, "l")), ["id"]);
        assert_eq!(both.is_namespaced("v1", "Node"), Some(false));
        let pod = both.root("v1", "Pod").unwrap();
        let spec = both.field(pod, "spec").unwrap().of.unwrap();
        assert_eq!(keys(both.field(spec, "containers")), ["name"]);
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
        assert_eq!(keys(Some(containers)), ["name"]);
        let ports = schema.field(containers.of.unwrap(), "ports");
        assert_eq!(keys(ports), ["containerPort", "protocol"]);
        assert!(schema.field(at, "tolerations").is_none_or(|field| field.merge.is_none()));
    }
}
