//! `crds`: field specifications from the extensions of OpenAPI definitions.
//!
//! Follows kustomize's `api/internal/accumulator/loadconfigfromcrds.go`.

use gitops_yaml::{Mapping, Node};

use super::{FieldSpec, NameReferences, NameTable, TransformerConfig};
use crate::{
    error::{Error, ErrorKind, Result},
    file::decode::{at, json_kind},
    read::read_document,
    resource::Gvk,
};

/// How deep definitions may refer to each other.
const MAX_DEPTH: usize = 50;

/// Reads a file of `crds`: a map from type names to `{Schema, Dependencies}`.
pub(crate) fn read_crds(content: &[u8], file: &str) -> Result<TransformerConfig> {
    let document = read_document(content).map_err(|error| {
        Error::from(error).context(format!("unable to parse open API definition from '{file}'"))
    })?;
    let mut config = TransformerConfig::default();
    let wrong = |node: &Node, wanted: &str| {
        let decoder = if content.starts_with(b"{") {
            ""
        } else {
            "error unmarshaling JSON: while decoding JSON: "
        };
        let kind = json_kind(node);
        let message = format!(
            "unable to parse open API definition from '{file}': {decoder}json: cannot unmarshal {kind} into Go value of type accumulator.{wanted}"
        );
        Err(at(node, message).expecting("names of types, each with its `Schema`").with_hint(
            "CustomResourceDefinitions are no such definitions; name them under `resources`",
        ))
    };
    let Some(types) = document.as_mapping() else {
        if document.is_null() {
            return Ok(config);
        }
        return wrong(&document, "nameToApiMap");
    };
    if let Some(other) = types.values().find(|value| !value.is_mapping() && !value.is_null()) {
        return wrong(other, "OpenAPIDefinition");
    }
    for (name, definition) in types.iter() {
        let is_object = properties(definition).is_some_and(|fields| {
            ["kind", "apiVersion", "metadata"].iter().all(|field| fields.contains_key(field))
        });
        if is_object {
            let kind = name.rsplit('.').next().unwrap_or_default();
            let gvk = Gvk { kind: kind.into(), ..Gvk::default() };
            let mut path = Vec::new();
            add(&mut config, &gvk, types, definition, &mut path)?;
        }
    }
    Ok(config)
}

fn properties(definition: &Node) -> Option<&Mapping> {
    let schema = field(definition, "Schema")?;
    field(schema, "properties")?.as_mapping()
}

/// Go's decoder takes field names in any case.
fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    node.as_mapping()?
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn add(
    config: &mut TransformerConfig,
    gvk: &Gvk,
    types: &Mapping,
    definition: &Node,
    path: &mut Vec<String>,
) -> Result<()> {
    if path.len() > MAX_DEPTH {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("definitions nest more than {MAX_DEPTH} deep at {}", path.join("/")),
        ));
    }
    for (name, property) in properties(definition).into_iter().flat_map(Mapping::iter) {
        path.push(name.to_owned());
        let spec = |path: &[String]| FieldSpec::new(gvk.clone(), &path.join("/"), false);
        let text = |key: &str| property.get(key).and_then(Node::text);
        if text("x-kubernetes-annotation").is_some() {
            super::merge_one(config.common_annotations.make_own(), &spec(path))?;
        }
        if text("x-kubernetes-label-selector").is_some() {
            super::merge_one(config.common_labels.make_own(), &spec(path))?;
        }
        if text("x-kubernetes-identity").is_some() {
            super::merge_one(config.name_prefix.make_own(), &spec(path))?;
        }
        if let (Some(version), Some(kind)) =
            (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"))
        {
            let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
            path.push(key.to_owned());
            let reference = NameReferences {
                target: Gvk { version: version.into(), kind: kind.into(), ..Gvk::default() },
                referrers: vec![spec(path)],
            };
            path.pop();
            config.merge(&TransformerConfig {
                name_reference: NameTable::Own(vec![reference]),
                ..TransformerConfig::default()
            })?;
        }
        if let Some(referred) = text("$ref").and_then(|name| types.get(name)) {
            add(config, gvk, types, referred, path)?;
        }
        path.pop();
    }
    Ok(())
}
