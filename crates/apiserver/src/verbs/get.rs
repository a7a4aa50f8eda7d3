//! One object.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use crate::{
    object::Meta as _,
    service::Answer,
    status::{Refusal, Result},
};

pub(crate) fn get(call: &Call<'_>) -> Result<Answer> {
    let found = call.resource.table.get(&call.key()).ok_or_else(|| call.not_found(call.name))?;
    match call.subresource_name() {
        "" | "status" => Ok(call.show(StatusCode::OK, &found)),
        "scale" => Ok(Answer::value(StatusCode::OK, &scale(&found.value))),
        _ => Err(Refusal::method_not_allowed()),
    }
}

/// The `Scale` of a workload.
pub(crate) fn scale(object: &Value) -> Value {
    let kept = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
    let metadata: serde_json::Map<String, Value> = kept
        .iter()
        .filter(|field| !object.meta(field).is_empty())
        .map(|field| ((*field).to_owned(), object.meta(field).into()))
        .collect();
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": number("/spec/replicas")},
        "status": {"replicas": number("/status/replicas")},
    });
    if let Some(Value::Object(labels)) = object.pointer("/spec/selector/matchLabels") {
        let terms: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        scale["status"]["selector"] = terms.join(",").into();
    }
    scale
}
