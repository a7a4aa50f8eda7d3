//! Custom resources against the schema of their definition.

mod cel;
mod embedded;
mod formats;
mod lists;
mod structural;

use serde_json::Value;

use super::{checks::Checks, metadata, names, place::Place};
use crate::{
    registry::Resource,
    status::{Cause, CauseKind},
};

pub(super) fn validate(
    checks: &mut Checks,
    resource: &Resource,
    new: &Value,
    old: Option<&Value>,
    subresource: &str,
) {
    let schema = &resource.schema;
    match old {
        None => metadata::create(checks, new, resource.namespaced, names::name_is_subdomain),
        Some(old) => metadata::update(checks, new, old, resource.namespaced),
    }
    if subresource == "status" {
        let node = schema.node(resource.node).member("status");
        if let (Some(node), Some(status)) = (node, new.get("status")) {
            let old = old.and_then(|old| old.get("status"));
            structural::check_below(checks, schema, node, status, old, "status");
        }
    } else {
        structural::check(checks, schema, resource.node, new, old);
    }
    embedded::check(checks, schema, resource.node, new, &Place::ROOT, true);
    // What was wrong before does not stop an update.
    if old.is_none_or(|old| lists::are_sound(schema, resource.node, old)) {
        lists::check(checks, schema, resource.node, new, &Place::ROOT);
    }
    if !cel::has_rules(schema, resource.node) {
        return;
    }
    let blocked = checks.causes.iter().any(|cause| {
        matches!(
            cause.kind,
            CauseKind::Required
                | CauseKind::TooLong
                | CauseKind::TooMany(_)
                | CauseKind::TypeInvalid(_)
                | CauseKind::Unsupported(..)
        )
    });
    if blocked {
        checks.push(Cause::invalid(
            "<nil>",
            Value::Null,
            "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
        ));
        return;
    }
    cel::check(checks, schema, resource.node, new, old);
}
