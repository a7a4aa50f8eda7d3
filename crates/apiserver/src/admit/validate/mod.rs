//! The rules that objects keep, in the server's own texts.

mod checks;
mod custom;
mod kinds;
mod metadata;
mod names;
mod place;
mod pod;

use serde_json::Value;

use self::checks::Checks;
use crate::{
    object::Meta as _,
    registry::Resource,
    status::{Refusal, Result},
};

/// Checks an object that has been decoded, defaulted and prepared against the rules of its kind.
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
    let mut checks = Checks::default();
    if resource.schema.node(resource.node).rules.is_some() {
        custom::validate(&mut checks, resource, new, old, subresource);
    } else {
        kinds::validate(&mut checks, resource, new, old, subresource);
    }
    if checks.causes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(&resource.group, &resource.kind, new.name(), &checks.causes))
}
