//! The rules that objects keep, in the server's own texts.

use serde_json::Value;

use crate::{
    object::Meta as _,
    registry::Resource,
    status::{Cause, Refusal, Result},
};

/// Checks an object that has been decoded and defaulted against the rules of its kind.
///
/// `old` is the stored state of an update; `subresource` is empty for the object itself.
///
/// # Errors
/// `Invalid` with every rule that is broken.
pub(crate) fn validate(
    resource: &Resource,
    new: &Value,
    old: Option<&Value>,
    subresource: &str,
) -> Result<()> {
    let _ = (old, subresource);
    let mut causes: Vec<Cause> = Vec::new();
    if new.name().is_empty() && new.meta("generateName").is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(&resource.group, &resource.kind, new.name(), &causes))
}
