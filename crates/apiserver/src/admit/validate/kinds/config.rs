//! Configuration, secrets, namespaces and their limits.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    super::{
        checks::{Checks, Read as _, same},
        names,
        place::Place,
        pod,
    },
    Subject,
};
use crate::{admit::quantity::Quantity, status::Cause};

const SIZE_LIMIT: usize = 1 << 20;

pub(super) fn config_map(checks: &mut Checks, subject: &Subject<'_>) {
    let new = subject.new;
    frozen(checks, subject, &["data", "binaryData"]);
    let mut size = 0;
    let (data, binary) = (new.entries("data"), new.entries("binaryData"));
    let place = Place::ROOT.field("data");
    for (key, value) in data.into_iter().flatten() {
        checks.invalids(&place.key(key), key, names::config_key(key));
        if binary.is_some_and(|binary| binary.contains_key(key)) {
            checks.invalid(&place.key(key), &**key, "duplicate of key present in binaryData");
        }
        size += value.as_str().map_or(0, str::len);
    }
    let place = Place::ROOT.field("binaryData");
    for (key, value) in binary.into_iter().flatten() {
        checks.invalids(&place.key(key), key, names::config_key(key));
        size += decoded_size(value);
    }
    if size > SIZE_LIMIT {
        checks.push(Cause::too_long("[]", SIZE_LIMIT));
    }
}

pub(super) fn secret(checks: &mut Checks, subject: &Subject<'_>) {
    let new = subject.new;
    if let Some(old) = subject.old {
        checks.immutable(&Place::ROOT.field("type"), &new["type"], &old["type"]);
    }
    frozen(checks, subject, &["data"]);
    let place = Place::ROOT.field("data");
    let empty = Map::new();
    let data = new.entries("data").unwrap_or(&empty);
    let mut size = 0;
    for (key, value) in data {
        checks.invalids(&place.key(key), key, names::config_key(key));
        size += decoded_size(value);
    }
    if size > SIZE_LIMIT {
        checks.push(Cause::too_long(place.to_string(), SIZE_LIMIT));
    }
    let has = |key: &str| data.contains_key(key);
    match new.text("type") {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            if new["metadata"]["annotations"].text(key).is_empty() {
                let annotations = Place::ROOT.field("metadata.annotations");
                checks.required(&annotations.key(key), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(checks, data, ".dockercfg", &place),
        "kubernetes.io/dockerconfigjson" => docker(checks, data, ".dockerconfigjson", &place),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            checks.required(&place.key("username"), "");
            checks.required(&place.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if data.get("ssh-privatekey").is_none_or(|key| key == "") => {
            checks.required(&place.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if !has(key) {
                    checks.required(&place.key(key), "");
                }
            }
        }
        _ => {}
    }
}

/// A secret for a registry holds a JSON object.
fn docker(checks: &mut Checks, data: &Map<String, Value>, key: &str, place: &Place<'_>) {
    let Some(value) = data.get(key) else { return checks.required(&place.key(key), "") };
    let bytes = BASE64_STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    let complaint = match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(_) | Value::Null) => return,
        Ok(other) => {
            let found = match other {
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                _ => "array",
            };
            format!(
                "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
            )
        }
        Err(error) => syntax(&bytes, &error),
    };
    checks.invalid(&place.key(key), "<secret contents redacted>", &complaint);
}

/// Go's words for JSON that is none.
fn syntax(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let text = String::from_utf8_lossy(bytes);
    let sign = text
        .lines()
        .nth(error.line().saturating_sub(1))
        .and_then(|line| line.chars().nth(error.column().saturating_sub(1)));
    for literal in ["null", "true", "false"] {
        let given = text.trim_start();
        let common = given.bytes().zip(literal.bytes()).take_while(|(a, b)| a == b).count();
        if common > 0 && common < literal.len() {
            return match given.chars().nth(common) {
                Some(sign) => format!(
                    "invalid character '{sign}' in literal {literal} (expecting '{}')",
                    &literal[common..=common]
                ),
                None => "unexpected end of JSON input".to_owned(),
            };
        }
    }
    let first = error.line() == 1 && error.column() <= 1;
    let context = if first { "looking for beginning of value" } else { "in JSON text" };
    match sign {
        Some(sign) => format!("invalid character '{sign}' {context}"),
        None => "unexpected end of JSON input".to_owned(),
    }
}

fn frozen(checks: &mut Checks, subject: &Subject<'_>, fields: &[&str]) {
    let Some(old) = subject.old.filter(|old| old.flag("immutable")) else { return };
    let text = "field is immutable when `immutable` is set";
    if !subject.new.flag("immutable") {
        checks.forbidden(&Place::ROOT.field("immutable"), text);
    }
    for name in fields {
        if !same(&subject.new[*name], &old[*name]) {
            checks.forbidden(&Place::ROOT.field(name), text);
        }
    }
}

fn decoded_size(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default();
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

pub(super) fn namespace(checks: &mut Checks, subject: &Subject<'_>) {
    let spec = Place::ROOT.field("spec");
    let place = spec.field("finalizers");
    for name in subject.new["spec"].texts("finalizers") {
        checks.invalids(&place, name, names::qualified_name(name));
        if !name.contains('/') && name != "kubernetes" {
            let text = "name is neither a standard finalizer name nor is it fully qualified";
            checks.invalid(&place, name, text);
        }
    }
}

/// Events stand beside what they tell of.
pub(super) fn event(checks: &mut Checks, subject: &Subject<'_>) {
    let new = subject.new;
    let field = if new.get("involvedObject").is_some() { "involvedObject" } else { "regarding" };
    let place = Place::ROOT.field(field);
    let (own, told) = (new["metadata"].text("namespace"), new[field].text("namespace"));
    let beside = match told {
        "" => matches!(own, "default" | "kube-system"),
        told => own == told,
    };
    if !beside {
        let text = "does not match event.namespace";
        checks.invalid(&place.field("namespace"), told, text);
    }
}

pub(super) fn quota(checks: &mut Checks, subject: &Subject<'_>) {
    let spec = Place::ROOT.field("spec");
    let map = spec.field("hard");
    for (name, value) in subject.new["spec"].entries("hard").into_iter().flatten() {
        let at = map.key(name);
        let counted = name.starts_with("count/");
        if !counted {
            pod::resource_name(checks, name, &at);
            if !name.contains('/') && !is_quota_resource(name) {
                checks.invalid(&at, &**name, "must be a standard resource for quota");
            }
        }
        pod::amount(checks, name, value, &at);
    }
}

fn is_quota_resource(name: &str) -> bool {
    name.starts_with("requests.")
        || name.starts_with("limits.")
        || name.starts_with("hugepages-")
        || matches!(
            name,
            "cpu"
                | "memory"
                | "ephemeral-storage"
                | "pods"
                | "resourcequotas"
                | "services"
                | "replicationcontrollers"
                | "secrets"
                | "persistentvolumeclaims"
                | "configmaps"
                | "services.nodeports"
                | "services.loadbalancers"
        )
}

pub(super) fn limit_range(checks: &mut Checks, subject: &Subject<'_>) {
    let spec = Place::ROOT.field("spec");
    let list = spec.field("limits");
    let mut seen = std::collections::HashSet::new();
    for (index, limit) in subject.new["spec"].list("limits").iter().enumerate() {
        let at = list.index(index);
        let kind = limit.text("type");
        if !seen.insert(kind) {
            checks.duplicate(&at.field("type"), kind);
        }
        for field in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            let map = at.field(field);
            for (name, value) in limit.entries(field).into_iter().flatten() {
                let at = map.key(name);
                pod::resource_name(checks, name, &at);
                pod::amount(checks, name, value, &at);
            }
        }
        order(checks, limit, "min", "max", &at);
    }
}

fn order(checks: &mut Checks, limit: &Value, low: &str, high: &str, place: &Place<'_>) {
    let quantity = |value: &Value| Quantity::parse(value.as_str().unwrap_or_default()).ok();
    let map = place.field(low);
    for (name, value) in limit.entries(low).into_iter().flatten() {
        let other = limit.entries(high).and_then(|high| high.get(name)).and_then(quantity);
        if let (Some(least), Some(most)) = (quantity(value), other)
            && least.nanos() > most.nanos()
        {
            let text = format!("min value {least} is greater than max value {most}");
            checks.invalid(&map.key(name), least.to_string(), &text);
        }
    }
}
