//! From the request's JSON to what the server's types can hold.

mod builtin;
mod custom;
mod duplicates;
mod identity;
mod mismatch;
mod trail;

pub(super) use builtin::zero;
pub(crate) use identity::check_identity;
use serde_json::Value;

use crate::{
    registry::Resource,
    request::FieldValidation,
    schema::NodeId,
    status::{Refusal, Result},
};

/// Objects nest no deeper; deeper ones are refused.
const DEPTH_LIMIT: usize = 256;

/// Reports no more unknown fields than this, as the API does.
const UNKNOWN_LIMIT: usize = 100;

/// Makes of a request's object what the server's types can hold, and tells what it left out.
///
/// `node` is the type of what was sent: the resource's own, or a subresource's. `sent` is the JSON
/// that the value was read from, where it was just that: keys in it that stand twice are told. Unknown fields are
/// dropped; the warnings name them (`unknown field "spec.foo"`) unless `validation` is `Ignore`.
/// For built-in types, values also get the form that they have after a round trip through the
/// server's types: nulls and empty values go where Go leaves them out, times, quantities and bytes
/// are written canonically.
///
/// # Errors
/// `BadRequest` in the words of Go's decoder when a value has the wrong type, and with
/// `FieldValidation::Strict` when a field is unknown.
pub(crate) fn decode(
    resource: &Resource,
    node: NodeId,
    mut value: Value,
    sent: Option<&[u8]>,
    validation: FieldValidation,
) -> Result<(Value, Vec<String>)> {
    let mut unknown = Unknown { paths: Vec::new(), wanted: validation != FieldValidation::Ignore };
    let custom = resource.schema.node(node).rules.is_some();
    let decoded = if custom {
        custom::decode(&resource.schema, node, &mut value, &mut unknown)
    } else {
        builtin::decode(&resource.schema, node, &mut value, &mut unknown)
    };
    let name = match &*resource.schema.node(node).name {
        "" => &resource.kind,
        name => name,
    };
    let head =
        || format!("{name} in version {:?} cannot be handled as a {name}: ", resource.version);
    decoded.map_err(|mismatch| Refusal::bad_request(format!("{}{mismatch}", head())))?;
    if validation == FieldValidation::Ignore {
        return Ok((value, Vec::new()));
    }
    let mut texts = duplicates::complaints(sent.unwrap_or_default(), &unknown.paths, custom);
    texts.truncate(UNKNOWN_LIMIT);
    if validation == FieldValidation::Strict && !texts.is_empty() {
        let text = format!("{}strict decoding error: {}", head(), texts.join(", "));
        return Err(Refusal::bad_request(text));
    }
    Ok((value, texts))
}

/// The paths of fields that were dropped because no type knows them.
struct Unknown {
    paths: Vec<String>,
    wanted: bool,
}

impl Unknown {
    fn push(&mut self, path: impl FnOnce() -> String) {
        if self.wanted && self.paths.len() < UNKNOWN_LIMIT {
            self.paths.push(path());
        }
    }
}
