//! New objects.

use serde_json::Value;

use super::{
    Call,
    write::{self, Ownership},
};
use crate::{
    object::Meta as _,
    registry::Registry,
    request::Options,
    server::State,
    service::Answer,
    status::{Refusal, Result},
};

pub(crate) fn create(call: &Call<'_>, body: Value) -> Result<Answer> {
    if let Some(answer) = review(call, &body) {
        return Ok(answer);
    }
    if call.subresource.is_some() || !call.name.is_empty() {
        return Err(Refusal::method_not_allowed());
    }
    let decoded = write::decode(call, body)?;
    let mut new = decoded.value;
    write::set_defaults(call.resource, &mut new);
    let written = write::store_new(call, new, &Ownership::Changed)?;
    created(call.state, call.registry, call, &written);
    Ok(written.answer(call, decoded.warnings))
}

/// What follows from a new object.
pub(super) fn created(
    state: &State,
    registry: &Registry,
    call: &Call<'_>,
    written: &write::Written,
) {
    if let write::Written::Created(object) = written
        && !call.options.dry_run
        && call.resource.is("", "namespaces")
    {
        furnish(state, registry, object.value.name());
    }
}

/// Every namespace has a service account.
fn furnish(state: &State, registry: &Registry, namespace: &str) {
    if !state.built_in_controllers {
        return;
    }
    let account = serde_json::json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": namespace},
    });
    create_system(state, registry, account);
}

/// Creates an object in the name of the server itself; one that is there already stays.
pub(crate) fn create_system(state: &State, registry: &Registry, object: Value) {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    let Some(resource) = registry.of_kind(api_version, kind) else { return };
    let namespace = object.namespace().to_owned();
    let call = Call {
        state,
        registry,
        resource,
        subresource: None,
        namespace: &namespace,
        name: "",
        options: Options::default(),
        manager: "kube-apiserver".to_owned(),
        view: super::View::Whole,
        now: state.now(),
    };
    // Refused only if it is there, or if its namespace is going away.
    let _ = create(&call, object);
}

/// Questions that are asked by creating something: what may I do, and who am I?
fn review(call: &Call<'_>, body: &Value) -> Option<Answer> {
    let mut answer = body.clone();
    answer["status"] = match (&*call.resource.group, &*call.resource.plural) {
        ("authorization.k8s.io", "selfsubjectaccessreviews" | "subjectaccessreviews") => {
            serde_json::json!({"allowed": true})
        }
        _ => return None,
    };
    Some(call.show_value(http::StatusCode::CREATED, answer))
}
