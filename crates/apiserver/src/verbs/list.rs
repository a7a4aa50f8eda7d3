//! Many objects, whole or in parts.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::{BufMut as _, BytesMut};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Call, view};
use crate::{
    request::View,
    selector::Selector,
    service::Answer,
    status::{Refusal, Result, go_quote},
    storage::{Key, Listing},
    table::table,
};

pub(crate) fn list(call: &Call<'_>) -> Result<Answer> {
    Ok(show(call, &find(call)?))
}

/// Objects as a list.
pub(super) fn show(call: &Call<'_>, listing: &Listing) -> Answer {
    let mut metadata = json!({"resourceVersion": listing.revision.to_string()});
    if super::write::is_custom(call.resource) && call.view == View::Whole {
        // Kinds without a type of their own in the server say that there is no more.
        metadata["continue"] = "".into();
    }
    if let Some(last) = &listing.last
        && listing.remaining > 0
    {
        metadata["continue"] = Continue::after(listing.revision, last).into();
        metadata["remainingItemCount"] = listing.remaining.into();
    }
    let (resource, now) = (call.resource, call.state.clock.now());
    match call.view {
        View::Table(included) => {
            let values: Vec<Value> = listing
                .objects
                .iter()
                .map(|object| view::in_version(resource, &object.value))
                .collect();
            let values: Vec<&Value> = values.iter().collect();
            let mut table = table(resource, &values, included, now);
            table["metadata"] = metadata;
            Answer::value(StatusCode::OK, &table)
        }
        partial_or_whole => {
            let (kind, api_version) = match partial_or_whole {
                View::PartialMetadata => ("PartialObjectMetadataList", "meta.k8s.io/v1"),
                _ => (&*resource.list_kind, &*resource.api_version),
            };
            let head = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
            let mut body = BytesMut::from(head.to_string().as_bytes());
            body.truncate(body.len() - 1);
            body.put_slice(b",\"items\":[");
            for (place, object) in listing.objects.iter().enumerate() {
                if place > 0 {
                    body.put_u8(b',');
                }
                body.put_slice(&view::item(resource, call.view, object, now));
            }
            body.put_slice(b"]}");
            Answer::json(StatusCode::OK, body.freeze())
        }
    }
}

/// A resource version that is no number.
pub(super) fn odd_version(text: &str) -> Refusal {
    let text = go_quote(text);
    let why = format!(
        "resourceVersion: Invalid value: {text}: strconv.ParseUint: parsing {text}: invalid syntax"
    );
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "", why)
}

/// The objects that the options ask for.
pub(crate) fn find(call: &Call<'_>) -> Result<Listing> {
    let options = &call.options;
    let selector = selector(call)?;
    let from = match options.continue_token.as_str() {
        "" => None,
        token => Some(Continue::parse(token).ok_or_else(|| {
            Refusal::bad_request("invalid continue token: continue key is not valid")
        })?),
    };
    let version = options.resource_version.as_str();
    if !version.is_empty() && version.parse::<u64>().is_err() {
        return Err(odd_version(version));
    }
    let at = match (&from, options.resource_version_match.as_str()) {
        (Some(from), _) => Some(from.revision),
        (None, "Exact") => options.resource_version.parse().ok(),
        _ => None,
    };
    let namespace = call.resource.namespaced.then_some(call.namespace).filter(|n| !n.is_empty());
    let after = from.as_ref().map(|from| &from.key);
    let all = selector.is_empty();
    call.resource
        .table
        .list(namespace, after, at, options.limit, &|object| all || selector.matches(&object.value))
        .map_err(|_| {
            Refusal::expired(
                "The provided continue parameter is too old to display a consistent list result. \
                 You can start a new list without the continue parameter.",
            )
        })
}

/// The selector of the options; a name in the path is one as well.
pub(crate) fn selector(call: &Call<'_>) -> Result<Selector> {
    let mut fields = call.options.field_selector.clone();
    if !call.name.is_empty() {
        fields = format!("metadata.name={}", call.name);
    }
    Selector::parse(call.resource, &call.options.label_selector, &fields)
}

/// Where the next part of a list begins, and of which revision the list is.
struct Continue {
    revision: u64,
    key: Key,
}

impl Continue {
    fn after(revision: u64, last: &Key) -> String {
        BASE64.encode(format!("{revision}/{}/{}", last.namespace, last.name))
    }

    fn parse(token: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
        let mut parts = text.splitn(3, '/');
        let revision = parts.next()?.parse().ok()?;
        Some(Self { revision, key: Key::new(parts.next()?, parts.next()?) })
    }
}
