//! New objects.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Call,
    write::{self, Ownership},
};
use crate::{
    auth::{self, User, Wish},
    object::Meta as _,
    registry::Registry,
    request::Options,
    server::State,
    service::Answer,
    status::{Refusal, Result},
};

pub(crate) fn create(call: &Call<'_>, user: &User, body: Value) -> Result<Answer> {
    if let Some(answer) = review(call, user, &body) {
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
    let account = json!({
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
        sent: None,
        now: state.now(),
    };
    // Refused only if it is there, or if its namespace is going away.
    let _ = create(&call, &User::admin(), object);
}

/// Questions that are asked by creating something: what may I do, what may somebody else?
fn review(call: &Call<'_>, user: &User, body: &Value) -> Option<Answer> {
    if call.resource.group != "authorization.k8s.io" {
        return None;
    }
    let other;
    let spec = &body["spec"];
    let subject = match &*call.resource.plural {
        "selfsubjectaccessreviews" => user,
        "subjectaccessreviews" | "localsubjectaccessreviews" => {
            let groups = spec["groups"].as_array().into_iter().flatten();
            let name = spec["user"].as_str().unwrap_or_default().to_owned();
            let groups = groups.filter_map(Value::as_str).map(str::to_owned).collect();
            other = User { name, groups };
            &other
        }
        _ => return None,
    };
    let mut answer = body.clone();
    answer["status"] = json!({"allowed": may(call.state, subject, spec)});
    Some(call.show_value(StatusCode::CREATED, answer))
}

/// Whether a user may do what a review describes. Paths that are no resources are open to everybody
/// who is known.
fn may(state: &State, user: &User, spec: &Value) -> bool {
    let Some(wished) = spec.get("resourceAttributes").filter(|wished| wished.is_object()) else {
        return true;
    };
    let text = |field: &str| wished[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let wish = Wish {
        verb: text("verb"),
        group: text("group"),
        resource: &resource,
        namespace: Some(text("namespace")).filter(|namespace| !namespace.is_empty()),
        name: text("name"),
    };
    auth::authorize(state, user, &wish).is_ok()
}
