//! The objects in a manifest, as `k8s.io/apimachinery` decodes a stream of YAML or JSON.

use gitops_core::one_line;
use gitops_template::bytes::to_bytes;
use serde_json::Value;

use crate::{
    Compat,
    decode::{DocumentError, decode_record, read_value, text},
    values::{documents, read_json_prefix},
};

/// What a rule looks at of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
}

/// The objects of a stream, `null` left out; the last one may be an error, which ends it.
pub(super) fn read(stream: &str, compat: Compat) -> Vec<Result<Resource, String>> {
    let mut found = Vec::new();
    let mut rest = stream;
    let mut first_error = None;
    if stream.trim_start().starts_with('{') {
        let body = stream.trim_start();
        match read_json_prefix(body) {
            Ok((value, end)) => {
                found.extend(decode(&value, compat).map_err(|error| one_line(&error)).transpose());
                rest = &body[end..];
                if rest.trim().is_empty() || found.last().is_some_and(Result::is_err) {
                    return found;
                }
            }
            Err((error, offset)) => {
                let offset = offset + stream.len() - body.len();
                first_error = Some(format!("json: offset {offset}: {error}"));
            }
        }
    }
    for document in documents(&to_bytes(rest)) {
        let decoded = match document {
            Ok(document) => read_value(document)
                .and_then(|value| decode(&value, compat))
                .map_err(|error| one_line(&error)),
            Err(rest) => Err(format!("invalid Yaml document separator: {rest}")),
        };
        match decoded {
            Ok(resource) => found.extend(resource.map(Ok)),
            Err(error) => {
                found.push(Err(first_error.unwrap_or(error)));
                return found;
            }
        }
    }
    found
}

fn decode(value: &Value, compat: Compat) -> Result<Option<Resource>, DocumentError> {
    if value.is_null() {
        return Ok(None);
    }
    let (record, go_type) = match compat {
        Compat::Helm3 => ("K8sYamlStruct", "rules.K8sYamlStruct"),
        Compat::Helm4 => ("k8sYamlStruct", "rules.k8sYamlStruct"),
    };
    let mut resource = Resource::default();
    let fields = &["apiVersion", "Kind", "Metadata"];
    decode_record(value, record, go_type, fields, None, |field, value, at| match field {
        "apiVersion" => text(value, at, &mut resource.api_version),
        "Kind" => text(value, at, &mut resource.kind),
        _ => {
            let (record, go_type) = ("k8sYamlMetadata", "rules.k8sYamlMetadata");
            let fields = &["Namespace", "Name"];
            decode_record(
                value,
                record,
                go_type,
                fields,
                Some(at),
                |field, value, at| match field {
                    "Name" => text(value, at, &mut resource.name),
                    _ => text(value, at, &mut String::new()),
                },
            )
        }
    })?;
    Ok(Some(resource))
}
