//! `/openapi/v3`: what objects look like, as `kubectl explain` and editors read it.
//!
//! Kinds of definitions are described by their own schema; built-in kinds by the types of the table,
//! without descriptions. Of the paths only those of collections are told, which say of which kind the
//! objects are.

use std::collections::HashMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    registry::{Registry, Resource, Version, object_meta},
    schema::{Kind, ListKind, Node, NodeId, Scalar, Schema},
    server::State,
    service::Answer,
    status::{Refusal, Result},
    storage::Key,
};

/// Answers a path below `/openapi/v3`, given without it.
pub(crate) fn answer(state: &State, registry: &Registry, path: &[&str]) -> Result<Answer> {
    let value = match *path {
        [] => index(registry),
        ["api", version] => document(state, registry, "", version)?,
        ["apis", group, version] => document(state, registry, group, version)?,
        _ => return Err(Refusal::no_such_path()),
    };
    Ok(Answer::value(StatusCode::OK, &value))
}

fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for (name, group) in &registry.groups {
        for version in &group.versions {
            let path = root(name, &version.name);
            paths.insert(path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}")}));
        }
    }
    json!({"paths": paths})
}

/// `api/v1` or `apis/apps/v1`.
fn root(group: &str, version: &str) -> String {
    match group {
        "" => format!("api/{version}"),
        group => format!("apis/{group}/{version}"),
    }
}

fn document(state: &State, registry: &Registry, group: &str, name: &str) -> Result<Value> {
    let version: &Version = registry.version(group, name).ok_or_else(Refusal::no_such_path)?;
    let mut paths = Map::new();
    let mut schemas = Schemas::default();
    for resource in version.resources.values() {
        let place = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
        let path = format!("/{}/{place}{}", root(group, name), resource.plural);
        let list = json!({"x-kubernetes-action": "list", "x-kubernetes-group-version-kind": gvk(resource)});
        paths.insert(path, json!({"get": list}));
        schemas.describe(state, resource);
    }
    Ok(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36"},
        "paths": paths,
        "components": {"schemas": schemas.found},
    }))
}

fn gvk(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

/// The schemas of a document, by the name that references have.
#[derive(Default)]
struct Schemas {
    found: Map<String, Value>,
    /// Types of the table, which may refer to each other in circles.
    names: HashMap<NodeId, String>,
}

impl Schemas {
    fn describe(&mut self, state: &State, resource: &Resource) {
        let reversed: Vec<&str> =
            resource.group.rsplit('.').filter(|part| !part.is_empty()).collect();
        let domain = if reversed.is_empty() { "core".to_owned() } else { reversed.join(".") };
        let name = format!("{domain}.{}.{}", resource.version, resource.kind);
        let mut schema = match &resource.columns {
            Some(_) => self.of_definition(state, resource),
            None => {
                let node = resource.schema.node(resource.node);
                self.inline(&resource.schema, node)
            }
        };
        schema["x-kubernetes-group-version-kind"] = json!([gvk(resource)]);
        self.found.insert(name, schema);
    }

    /// The schema that stands in the definition, with what every object has.
    fn of_definition(&mut self, state: &State, resource: &Resource) -> Value {
        let table = state.store.table("apiextensions.k8s.io", "customresourcedefinitions");
        let name = format!("{}.{}", resource.plural, resource.group);
        let definition = table.get(&Key::new("", &name));
        let versions = definition.as_ref().map(|stored| &stored.value["spec"]["versions"]);
        let versions = versions.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let version = versions.iter().find(|version| version["name"] == *resource.version);
        let mut schema = version
            .map(|version| version["schema"]["openAPIV3Schema"].clone())
            .filter(Value::is_object)
            .unwrap_or_else(|| json!({"type": "object"}));
        let (builtin, metadata) = object_meta();
        let metadata = self.reference(builtin, metadata);
        let properties = &mut schema["properties"];
        if !properties.is_object() {
            *properties = json!({});
        }
        properties["apiVersion"] = json!({"type": "string"});
        properties["kind"] = json!({"type": "string"});
        properties["metadata"] = metadata;
        schema
    }

    /// A type where it is used: its name if it has one.
    fn reference(&mut self, schema: &Schema, id: NodeId) -> Value {
        let node = schema.node(id);
        if node.name.is_empty() || !matches!(node.kind, Kind::Struct { .. }) {
            return self.inline(schema, node);
        }
        if let Some(name) = self.names.get(&id) {
            return refer(name);
        }
        let mut name = format!("{}.{}", node.package, node.name);
        if self.found.contains_key(&name) {
            name = format!("{name}.{}", id.0);
        }
        self.names.insert(id, name.clone());
        // Its place, so that no other type takes the name meanwhile.
        self.found.insert(name.clone(), Value::Null);
        let described = self.inline(schema, node);
        self.found.insert(name.clone(), described);
        refer(&name)
    }

    fn inline(&mut self, schema: &Schema, node: &Node) -> Value {
        let mut described = match &node.kind {
            Kind::Any => json!({"x-kubernetes-preserve-unknown-fields": true}),
            Kind::Scalar(scalar) => of_scalar(scalar),
            Kind::List { items, list } => {
                let items = self.reference(schema, *items);
                let mut described = json!({"type": "array", "items": items});
                match list {
                    ListKind::Atomic => described["x-kubernetes-list-type"] = "atomic".into(),
                    ListKind::Set => described["x-kubernetes-list-type"] = "set".into(),
                    ListKind::Map(keys) => {
                        described["x-kubernetes-list-type"] = "map".into();
                        described["x-kubernetes-list-map-keys"] = json!(keys);
                    }
                }
                described
            }
            Kind::Struct { fields, rest } => {
                let mut properties = Map::new();
                for field in fields {
                    properties.insert(field.name.to_string(), self.reference(schema, field.node));
                }
                let required: Vec<&str> = fields
                    .iter()
                    .filter(|field| field.required)
                    .map(|field| &*field.name)
                    .collect();
                let mut described = json!({"type": "object", "properties": properties});
                if !required.is_empty() {
                    described["required"] = json!(required);
                }
                if let Some(rest) = rest {
                    described["additionalProperties"] = self.reference(schema, *rest);
                }
                described
            }
            Kind::Map { values } => {
                let values = self.reference(schema, *values);
                json!({"type": "object", "additionalProperties": values})
            }
        };
        if node.atomic && described["type"] == "object" {
            described["x-kubernetes-map-type"] = "atomic".into();
        }
        if node.patch.merge {
            described["x-kubernetes-patch-strategy"] = "merge".into();
            if !node.patch.key.is_empty() {
                described["x-kubernetes-patch-merge-key"] = json!(node.patch.key);
            }
        }
        described
    }
}

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn of_scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::String(allowed) if allowed.is_empty() => json!({"type": "string"}),
        Scalar::String(allowed) => json!({"type": "string", "enum": allowed}),
        Scalar::Boolean => json!({"type": "boolean"}),
        Scalar::Int32 => json!({"type": "integer", "format": "int32"}),
        Scalar::Int64 => json!({"type": "integer", "format": "int64"}),
        Scalar::Double => json!({"type": "number", "format": "double"}),
        Scalar::Bytes => json!({"type": "string", "format": "byte"}),
        Scalar::Time | Scalar::MicroTime => json!({"type": "string", "format": "date-time"}),
        Scalar::Quantity => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        Scalar::IntOrString => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
    }
}
