//! Whether an object is of the kind that its path names.

use serde_json::Value;

use crate::{
    registry::{Registry, Resource},
    status::{Cause, Refusal, Result},
};

/// So much of a body stands in complaints about it.
const SHOWN: usize = 30;

/// Checks `apiVersion` and `kind`. Built-in kinds may leave them out.
///
/// # Errors
/// `BadRequest` when the object is of another version, or no object of the API at all; `Invalid`
/// when a custom resource is of another kind of the same version.
pub(crate) fn check_identity(
    registry: &Registry,
    resource: &Resource,
    value: &Value,
) -> Result<()> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if resource.schema.node(resource.node).rules.is_some() {
        custom(resource, value, version, kind)
    } else {
        builtin(registry, resource, version, kind)
    }
}

fn builtin(registry: &Registry, resource: &Resource, version: &str, kind: &str) -> Result<()> {
    let version = if version.is_empty() { &resource.api_version } else { version };
    let kind = if kind.is_empty() { &*resource.kind } else { kind };
    if version == resource.api_version && kind == resource.kind {
        return Ok(());
    }
    let wanted = &resource.kind;
    let short = version.rsplit('/').next().unwrap_or_default();
    let why = if registry.of_kind(version, kind).is_some() {
        let internal = match resource.group.split('.').next() {
            None | Some("") => "core",
            Some(name) => name,
        };
        format!("converting ({short}.{kind}) to ({internal}.{wanted}): unknown conversion")
    } else {
        format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\""
        )
    };
    let text = format!("{kind} in version {short:?} cannot be handled as a {wanted}: {why}");
    Err(Refusal::bad_request(text))
}

fn custom(resource: &Resource, value: &Value, version: &str, kind: &str) -> Result<()> {
    if kind.is_empty() {
        let body = value.to_string();
        let start: String = body.chars().take(SHOWN).collect();
        let start = if start.len() < body.len() { format!("{start} ...") } else { start };
        return Err(Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{body}' ({start})",
            resource.kind
        )));
    }
    if version != resource.api_version {
        return Err(Refusal::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            resource.api_version
        )));
    }
    if kind != resource.kind {
        let name = value.get("metadata").and_then(|metadata| metadata.get("name"));
        let name = name.and_then(Value::as_str).unwrap_or_default();
        let cause = Cause::invalid("kind", kind, format!("must be {}", resource.kind));
        return Err(Refusal::invalid(&resource.group, kind, name, &[cause]));
    }
    Ok(())
}
