//! A schema from an OpenAPI v2 document.

use std::{collections::HashMap, sync::Arc};

use super::{Builtin, OwnField, Schema, TypeId, table};
use crate::{
    error::Error,
    node::{Mapping, Node},
    read::ReadOptions,
    resolve::Flavour,
};

/// Reads a document; one that adds to the built-in schema may refer to its types.
pub(super) fn read(document: &[u8], adds: bool) -> Result<Schema, Error> {
    let document = ReadOptions::flavour(Flavour::V2).read_first(document)?;
    let mut schema = Schema { builtin: Builtin::Scopes, ..Schema::default() };
    let Some(definitions) = document.get("definitions").and_then(Node::as_mapping) else {
        return Ok(schema);
    };
    let mut ids = Ids { own: definitions.len(), by_name: HashMap::new() };
    if adds {
        for (name, id) in table::names() {
            ids.by_name.insert(name, id);
        }
    }
    let own = definitions.keys().enumerate().map(|(index, name)| (name, TypeId::Own(index)));
    ids.by_name.extend(own);
    for (id, (name, definition)) in definitions.iter().enumerate() {
        let fields = definition.get("properties").and_then(Node::as_mapping);
        let mut types = HashMap::new();
        for (field, property) in fields.into_iter().flat_map(Mapping::iter) {
            types.insert(Box::from(field), read_field(property, &ids, &mut schema, 0));
        }
        place(&mut schema, id, types);
        for kind in definition
            .get("x-kubernetes-group-version-kind")
            .and_then(Node::as_sequence)
            .into_iter()
            .flatten()
        {
            let text = |key| kind.get(key).and_then(Node::text).unwrap_or_default();
            let api_version = match text("group") {
                "" => text("version").to_owned(),
                group => format!("{group}/{}", text("version")),
            };
            schema.kind_mut(&api_version, text("kind")).root = ids.by_name.get(name).copied();
        }
    }
    read_scopes(&document, &mut schema);
    Ok(schema)
}

/// The types that a document can refer to.
struct Ids<'d> {
    by_name: HashMap<&'d str, TypeId>,
    /// How many are its own.
    own: usize,
}

/// Inline types nest; this bounds how deep they are followed.
const DEEPEST: usize = 64;

fn read_field(property: &Node, ids: &Ids<'_>, schema: &mut Schema, depth: usize) -> OwnField {
    let inner =
        property.get("items").or_else(|| property.get("additionalProperties")).unwrap_or(property);
    OwnField { of: type_of(inner, ids, schema, depth), merge: merge_keys(property) }
}

/// The keys by which a list merges; `None` where it is replaced.
pub(super) fn merge_keys(property: &Node) -> Option<Arc<[Box<str>]>> {
    let strategy =
        property.get("x-kubernetes-patch-strategy").and_then(Node::text).unwrap_or_default();
    strategy.split(',').any(|word| word == "merge").then(|| {
        let list = property.get("x-kubernetes-list-map-keys").and_then(Node::as_sequence);
        let one = property.get("x-kubernetes-patch-merge-key").and_then(Node::text);
        let keys: Vec<Box<str>> = match list {
            Some(keys) => keys.iter().filter_map(Node::text).map(Box::from).collect(),
            None => one.into_iter().map(Box::from).collect(),
        };
        Arc::from(keys)
    })
}

fn type_of(node: &Node, ids: &Ids<'_>, schema: &mut Schema, depth: usize) -> Option<TypeId> {
    if let Some(reference) = node.get("$ref").and_then(Node::text) {
        return ids.by_name.get(reference.rsplit('/').next()?).copied();
    }
    let properties =
        node.get("properties").and_then(Node::as_mapping).filter(|_| depth < DEEPEST)?;
    let mut fields = HashMap::new();
    for (name, property) in properties.iter() {
        fields.insert(Box::from(name), read_field(property, ids, schema, depth + 1));
    }
    // Behind the named types, whose places are given by their order.
    let id = schema.types.len().max(ids.own);
    place(schema, id, fields);
    Some(TypeId::Own(id))
}

fn place(schema: &mut Schema, id: usize, fields: HashMap<Box<str>, OwnField>) {
    if schema.types.len() <= id {
        schema.types.resize_with(id + 1, HashMap::new);
    }
    schema.types[id] = fields;
}

/// A kind lives in a namespace if one of its paths has a namespace in it.
fn read_scopes(document: &Node, schema: &mut Schema) {
    let paths = document.get("paths").and_then(Node::as_mapping);
    for (path, item) in paths.into_iter().flat_map(Mapping::iter) {
        if !path.ends_with('}') {
            continue;
        }
        let Some(kind) = item.at(["get", "x-kubernetes-group-version-kind"]) else {
            continue;
        };
        let text = |key| kind.get(key).and_then(Node::text).unwrap_or_default();
        let api_version = match text("group") {
            "" => text("version").to_owned(),
            group => format!("{group}/{}", text("version")),
        };
        let namespaced = path.contains("namespaces/{namespace}")
            || schema.is_namespaced(&api_version, text("kind")) == Some(true);
        schema.kind_mut(&api_version, text("kind")).namespaced = Some(namespaced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_keys_and_scopes_of_own_kinds() {
        let schema = read(
            br##"{"definitions": {"v1.Thing": {
                "properties": {"spec": {"properties": {"parts": {
                    "type": "array", "x-kubernetes-patch-strategy": "merge",
                    "x-kubernetes-patch-merge-key": "id", "items": {"$ref": "#/definitions/Part"}}}}},
                "x-kubernetes-group-version-kind": [{"group": "x.io", "version": "v1", "kind": "Thing"}]},
                "Part": {"properties": {"id": {"type": "string"}}}}}"##,
            false,
        )
        .unwrap();
        let root = schema.root("x.io/v1", "Thing").unwrap();
        let spec = schema.field(root, "spec").unwrap().of.unwrap();
        let parts = schema.field(spec, "parts").unwrap();
        assert_eq!(parts.merge.unwrap().to_vec(), ["id"]);
        assert!(schema.root("apps/v1", "Deployment").is_none(), "the built-in types are replaced");
        assert_eq!(schema.is_namespaced("v1", "Namespace"), Some(false), "the scopes stay");
    }
}
