//! Changes to an object: JSON patch, merge patch, strategic merge patch, server-side apply.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    Call, get, json_error, parse_yaml,
    write::{self, Ownership},
};
use crate::{
    apply,
    object::Meta as _,
    registry::Resource,
    service::Answer,
    status::{Cause, Refusal, Result},
};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// The most operations of a JSON patch.
const OPERATIONS_LIMIT: usize = 10_000;

/// Merge patches nest no deeper.
const DEPTH_LIMIT: usize = 512;

/// What a patch makes of the live object.
type Edit<'a> = Box<dyn Fn(&Value) -> Result<Value> + 'a>;

pub(crate) fn patch(call: &Call<'_>, content_type: &str, body: &Bytes) -> Result<Answer> {
    if content_type == APPLY {
        return match call.subresource_name() {
            "" | "status" => server_side(call, &parse_yaml(body)?),
            _ => Err(Refusal::method_not_allowed()),
        };
    }
    if call.options.force.is_some() {
        let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
        return Err(Refusal::invalid("meta.k8s.io", "PatchOptions", "", &[cause]));
    }
    if !matches!(content_type, JSON | MERGE | STRATEGIC) {
        return Err(Refusal::unknown_patch());
    }
    let patch = serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!("error decoding patch: {}", json_error(&error)))
    })?;
    let edit: Edit<'_> = match content_type {
        JSON => Box::new(move |live| json_patch(live, &patch)),
        MERGE => Box::new(move |live| {
            let mut value = live.clone();
            merge(&mut value, &patch, 0)?;
            Ok(value)
        }),
        STRATEGIC if !write::is_custom(call.resource) => Box::new(move |live| {
            apply::strategic_merge(&write::target(call.resource), live, &patch)
        }),
        _ => {
            let mut accepted = vec![JSON, MERGE, STRATEGIC, APPLY];
            if write::is_custom(call.resource) {
                accepted.remove(2);
            }
            return Err(Refusal::unsupported_media_type(&accepted));
        }
    };
    match call.subresource_name() {
        "" | "status" => {}
        "scale" => return rescale(call, &mut |scale| edit(scale)),
        _ => return Err(Refusal::method_not_allowed()),
    }
    let mut warnings = Vec::new();
    let written = write::replace(call, &mut |live| {
        let live = write::in_this_version(call.resource, &live.value);
        let decoded = write::decode(call, edit(&live)?)?;
        warnings = decoded.warnings;
        let mut new = decoded.value;
        write::set_defaults(call.resource, &mut new);
        if new.meta("resourceVersion").is_empty() {
            new.set_meta("resourceVersion", live.meta("resourceVersion"));
        }
        Ok((new, Ownership::Changed))
    });
    Ok(written?.answer(call, warnings))
}

/// Server-side apply: creates what is not there.
fn server_side(call: &Call<'_>, applied: &Value) -> Result<Answer> {
    let resource = call.resource;
    if call.options.field_manager.as_deref().unwrap_or_default().is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(Refusal::invalid("meta.k8s.io", "PatchOptions", "", &[cause]));
    }
    let decoded = check_applied(call, applied)?;
    let (target, force) = (write::target(resource), call.options.force.unwrap_or(false));
    let merged = |live: Option<&Value>| -> Result<Value> {
        let endpoint = write::endpoint(call);
        let new =
            apply::apply(&target, live, &decoded.value, &call.manager, force, endpoint, &call.now)?;
        // What was merged is read as if it had been sent: defaults, canonical forms.
        let (mut new, _) = crate::admit::decode(
            resource,
            call.node(),
            new,
            None,
            crate::request::FieldValidation::Ignore,
        )?;
        write::name_kind(resource, &mut new);
        write::set_defaults(resource, &mut new);
        Ok(new)
    };
    for _ in 0..4 {
        let is_new = resource.table.get(&call.key()).is_none();
        let written = if is_new {
            if !call.subresource_name().is_empty() {
                return Err(call.not_found(call.name));
            }
            let mut new = merged(None)?;
            new.set_meta("name", call.name);
            write::store_new(call, new, &Ownership::Applied)
        } else {
            write::replace(call, &mut |live| {
                let live = write::in_this_version(resource, &live.value);
                let mut new = merged(Some(&live))?;
                if decoded.value.meta("resourceVersion").is_empty() {
                    new.remove_meta("resourceVersion");
                }
                Ok((new, Ownership::Applied))
            })
        };
        match written {
            // It came or went meanwhile.
            Err(refusal) if is_new && refusal.reason == "AlreadyExists" => {}
            Err(refusal) if !is_new && refusal.reason == "NotFound" => {}
            Err(refusal) => return Err(refusal),
            Ok(written) => {
                super::create::created(call.state, call.registry, call, &written);
                return Ok(written.answer(call, decoded.warnings));
            }
        }
    }
    Err(call.stale(call.name))
}

/// The applied configuration itself must be sound.
fn check_applied(call: &Call<'_>, applied: &Value) -> Result<write::Decoded> {
    if !applied.is_object() {
        return Err(Refusal::bad_request("error decoding patch: object expected"));
    }
    let field = |name: &str| applied.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (field("apiVersion"), field("kind"));
    if api_version != call.resource.api_version || kind != &*call.resource.kind {
        let slash = if api_version.contains('/') { "" } else { "/" };
        let why = format!("invalid object type: {slash}{api_version}, Kind={kind}");
        return Err(Refusal::bad_request(why));
    }
    if applied.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    let mut named = applied.clone();
    if named.name().is_empty() {
        named.set_meta("name", call.name);
    }
    if named.name() != call.name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            named.name(),
            call.name
        )));
    }
    apply::check(&write::target(call.resource), &named)?;
    let warnings = Vec::new();
    write::name_kind(call.resource, &mut named);
    Ok(write::Decoded { value: named, warnings })
}

/// Changes the number of replicas through the `Scale` of a workload.
pub(super) fn rescale(
    call: &Call<'_>,
    edit: &mut dyn FnMut(&Value) -> Result<Value>,
) -> Result<Answer> {
    let written = write::replace(call, &mut |live| {
        let scale = decode_scale(call, edit(&get::scale(call.resource, &live.value)?)?)?;
        let mut new = write::in_this_version(call.resource, &live.value);
        let replicas = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
        set_replicas(call, &mut new, replicas)?;
        new.set_meta("resourceVersion", scale.meta("resourceVersion"));
        Ok((new, Ownership::Changed))
    })?;
    let (write::Written::Created(object)
    | write::Written::Updated(object)
    | write::Written::Removed(object)) = written;
    Ok(Answer::value(StatusCode::OK, &get::scale(call.resource, &object.value)?))
}

/// Where the number of replicas stands is a custom resource's own affair.
fn set_replicas(call: &Call<'_>, object: &mut Value, replicas: i64) -> Result<()> {
    let Some(paths) = &call.resource.scale else {
        object["spec"]["replicas"] = replicas.into();
        return Ok(());
    };
    if replicas < 0 {
        let cause = Cause::invalid(&paths.spec, replicas, "should be a non-negative integer");
        let resource = call.resource;
        return Err(Refusal::invalid(&resource.group, &resource.kind, call.name, &[cause]));
    }
    let mut place = object;
    for name in paths.spec.trim_start_matches('.').split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = replicas.into();
    Ok(())
}

/// A scale as its type holds it; custom resources borrow the type from deployments.
fn decode_scale(call: &Call<'_>, scale: Value) -> Result<Value> {
    let own = |resource: &Resource| resource.subresource("scale").and_then(|sub| sub.node);
    let deployments = call.registry.resource("apps", "v1", "deployments");
    let (resource, node) = match (own(call.resource), deployments) {
        (Some(node), _) => (call.resource, node),
        (None, Some(deployments)) => match own(deployments) {
            Some(node) => (&**deployments, node),
            None => return Ok(scale),
        },
        (None, None) => return Ok(scale),
    };
    let (scale, _) =
        crate::admit::decode(resource, node, scale, None, call.options.field_validation)?;
    Ok(scale)
}

fn json_patch(live: &Value, patch: &Value) -> Result<Value> {
    let count = patch.as_array().map_or(0, Vec::len);
    if count > OPERATIONS_LIMIT {
        let why = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {OPERATIONS_LIMIT}, got {count}"
        );
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", why));
    }
    let operations: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
    let mut value = live.clone();
    json_patch::patch(&mut value, &operations).map_err(|_| Refusal::unprocessable())?;
    Ok(value)
}

/// RFC 7396.
fn merge(value: &mut Value, patch: &Value, depth: usize) -> Result<()> {
    if depth > DEPTH_LIMIT {
        return Err(Refusal::bad_request("the patch is nested too deeply"));
    }
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return Ok(());
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(fields) = value else { return Ok(()) };
    for (name, patch) in patch {
        if patch.is_null() {
            fields.shift_remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), patch, depth + 1)?;
        }
    }
    Ok(())
}
