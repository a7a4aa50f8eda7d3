//! Amounts of resources.

use serde_json::Value;

use super::super::{
    checks::{Checks, Read as _},
    names,
    place::Place,
};
use crate::admit::quantity::Quantity;

pub(super) fn requirements(checks: &mut Checks, resources: &Value, place: &Place<'_>) {
    let (limits, requests) = (resources.entries("limits"), resources.entries("requests"));
    let quantity = |value: &Value| Quantity::parse(value.as_str().unwrap_or_default()).ok();
    let map = place.field("limits");
    for (name, value) in limits.into_iter().flatten() {
        let at = map.key(name);
        container_resource(checks, name, &at);
        amount(checks, name, value, &at);
    }
    let map = place.field("requests");
    for (name, value) in requests.into_iter().flatten() {
        let at = map.key(name);
        container_resource(checks, name, &at);
        amount(checks, name, value, &at);
        let limit = limits.and_then(|limits| limits.get(name));
        let shared = !name.contains('/') && !name.starts_with("hugepages-");
        match (quantity(value), limit.and_then(quantity)) {
            (Some(request), Some(limit)) if request.nanos() != limit.nanos() && !shared => {
                let text = format!("must be equal to {name} limit of {limit}");
                checks.invalid(&map, request.to_string(), &text);
            }
            (Some(request), Some(limit)) if request.nanos() > limit.nanos() => {
                let text = format!("must be less than or equal to {name} limit of {limit}");
                checks.invalid(&map, request.to_string(), &text);
            }
            (_, None) if !shared => checks.required(
                &place.field("limits"),
                "Limit must be set for non overcommitable resources",
            ),
            _ => {}
        }
    }
}

/// An amount: not negative, and whole unless it is of processors or the like.
pub(in crate::admit::validate) fn amount(
    checks: &mut Checks,
    name: &str,
    value: &Value,
    place: &Place<'_>,
) {
    let text = value.as_str().unwrap_or_default();
    let Ok(quantity) = Quantity::parse(text) else { return };
    if quantity.is_negative() {
        checks.invalid(place, text, "must be greater than or equal to 0");
    }
    let whole = name.contains('/') || COUNTED.contains(&name);
    if whole && !quantity.is_whole() {
        checks.invalid(place, text, "must be an integer");
    }
}

/// What is counted, not measured.
const COUNTED: [&str; 9] = [
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

const STANDARD: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "storage"];

/// The name of any resource.
pub(in crate::admit::validate) fn resource_name(
    checks: &mut Checks,
    name: &str,
    place: &Place<'_>,
) {
    let complaints = names::qualified_name(name);
    if !complaints.is_empty() {
        return checks.invalids(place, name, complaints);
    }
    let standard = STANDARD.contains(&name)
        || name.starts_with("hugepages-")
        || name.starts_with("requests.")
        || name.starts_with("limits.")
        || COUNTED.contains(&name);
    if !name.contains('/') && !standard {
        checks.invalid(place, name, "must be a standard resource type or fully qualified");
    }
}

fn container_resource(checks: &mut Checks, name: &str, place: &Place<'_>) {
    resource_name(checks, name, place);
    if name.contains('/') {
        let native = name.contains("kubernetes.io/");
        let extended = !name.starts_with("requests.")
            && names::qualified_name(&format!("requests.{name}")).is_empty();
        if !native && !extended {
            checks.invalid(place, name, "doesn't follow extended resource name standard");
        }
    } else if !matches!(name, "cpu" | "memory" | "ephemeral-storage")
        && !name.starts_with("hugepages-")
    {
        checks.invalid(place, name, "must be a standard resource for containers");
    }
}
