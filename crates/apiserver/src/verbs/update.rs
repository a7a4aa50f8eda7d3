//! An object in the place of another.

use serde_json::Value;

use super::{
    Call,
    write::{self, Ownership},
};
use crate::{
    object::Meta as _,
    service::Answer,
    status::{Refusal, Result},
};

pub(crate) fn update(call: &Call<'_>, body: Value) -> Result<Answer> {
    match call.subresource_name() {
        "" | "status" | "finalize" => {}
        "scale" => return super::patch::rescale(call, &mut |_| Ok(body.clone())),
        _ => return Err(Refusal::method_not_allowed()),
    }
    let decoded = write::decode(call, body)?;
    if decoded.value.name() != call.name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            decoded.value.name(),
            call.name
        )));
    }
    if is_strict_about_versions(call) && decoded.value.meta("resourceVersion").is_empty() {
        let cause = crate::status::Cause::invalid(
            "metadata.resourceVersion",
            0,
            "must be specified for an update",
        );
        let resource = call.resource;
        let kind = if write::is_custom(resource) { &resource.plural } else { &resource.kind };
        return Err(Refusal::invalid(&resource.group, kind, call.name, &[cause]));
    }
    let mut new = decoded.value;
    write::set_defaults(call.resource, &mut new);
    let written = write::replace(call, &mut |_| Ok((new.clone(), Ownership::Changed)))?;
    Ok(written.answer(call, decoded.warnings))
}

/// Whether an update must say which state it replaces.
fn is_strict_about_versions(call: &Call<'_>) -> bool {
    write::is_custom(call.resource)
        || call.resource.is("apiextensions.k8s.io", "customresourcedefinitions")
        || call.resource.is("coordination.k8s.io", "leases")
}
