//! One object.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use crate::{
    object::Meta as _,
    registry::Resource,
    service::Answer,
    status::{Refusal, Result},
};

pub(crate) fn get(call: &Call<'_>) -> Result<Answer> {
    let found = call.resource.table.get(&call.key()).ok_or_else(|| call.not_found(call.name))?;
    match call.subresource_name() {
        "" | "status" => Ok(call.show(StatusCode::OK, &found)),
        "scale" => Ok(Answer::value(StatusCode::OK, &scale(call.resource, &found.value)?)),
        _ => Err(Refusal::method_not_allowed()),
    }
}

/// The `Scale` of a workload, or of a custom resource whose definition says where it is.
pub(crate) fn scale(resource: &Resource, object: &Value) -> Result<Value> {
    let kept = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
    let metadata: serde_json::Map<String, Value> = kept
        .iter()
        .filter(|field| !object.meta(field).is_empty())
        .map(|field| ((*field).to_owned(), object.meta(field).into()))
        .collect();
    let number = |path: &str| at(object, path).and_then(Value::as_i64);
    let (replicas, shown, selector) = match &resource.scale {
        Some(paths) => {
            let replicas = number(&paths.spec).ok_or_else(|| {
                let path = crate::status::go_quote(&paths.spec);
                Refusal::internal(format!("the spec replicas field {path} does not exist"))
            })?;
            let selector = at(object, &paths.selector).and_then(Value::as_str);
            (replicas, number(&paths.status), selector.map(str::to_owned))
        }
        None => {
            let replicas = number(".spec.replicas").unwrap_or(0);
            (replicas, number(".status.replicas"), terms(object))
        }
    };
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": replicas}, "status": {"replicas": shown.unwrap_or(0)},
    });
    if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
        scale["status"]["selector"] = selector.into();
    }
    Ok(scale)
}

/// The selector of a workload in the form in which requests have it.
fn terms(object: &Value) -> Option<String> {
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let terms: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    Some(terms.join(","))
}

/// The value at a path such as `.spec.replicas`, all a definition's scale may name.
fn at<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    let mut names = path.strip_prefix('.')?.split('.');
    names.try_fold(object, |value, name| value.get(name))
}
