//! Configurations of admission webhooks.

use serde_json::Value;

use crate::{
    admit::validate::{
        checks::{Checks, Read as _},
        kinds::Subject,
        names,
        place::Place,
        pod,
    },
    status::Cause,
};

pub(in crate::admit::validate) fn configuration(
    checks: &mut Checks,
    subject: &Subject<'_>,
    mutating: bool,
) {
    let list = Place::ROOT.field("webhooks");
    let mut seen = std::collections::HashSet::new();
    for (index, hook) in subject.new.list("webhooks").iter().enumerate() {
        let at = list.index(index);
        webhook(checks, hook, mutating, &at);
        let name = hook.text("name");
        if !name.is_empty() && !seen.insert(name) {
            checks.duplicate(&at.field("name"), name);
        }
    }
}

fn webhook(checks: &mut Checks, hook: &Value, mutating: bool, place: &Place<'_>) {
    let name = hook.text("name");
    let at = place.field("name");
    if name.is_empty() {
        checks.required(&at, "");
    } else {
        let complaints = names::subdomain(name);
        if !complaints.is_empty() {
            checks.invalid(&at, name, &complaints.join(","));
        } else if name.split('.').count() < 3 {
            let text = "should be a domain with at least three segments separated by dots";
            checks.invalid(&at, name, text);
        }
    }
    let versions = place.field("admissionReviewVersions");
    let reviews: Vec<&str> = hook.texts("admissionReviewVersions").collect();
    if reviews.is_empty() {
        checks.required(&versions, "must specify one of v1, v1beta1");
    } else if !reviews.iter().any(|version| matches!(*version, "v1" | "v1beta1")) {
        let text = "must include at least one of v1, v1beta1";
        checks.invalid(&versions, hook["admissionReviewVersions"].clone(), text);
    }
    let list = place.field("rules");
    for (index, rule) in hook.list("rules").iter().enumerate() {
        rules(checks, rule, &list.index(index));
    }
    if let Some(Value::String(policy)) = hook.get("failurePolicy") {
        checks.one_of(&place.field("failurePolicy"), policy, &["Fail", "Ignore"]);
    }
    if let Some(Value::String(policy)) = hook.get("matchPolicy") {
        checks.one_of(&place.field("matchPolicy"), policy, &["Equivalent", "Exact"]);
    }
    let effects = place.field("sideEffects");
    match hook.get_some("sideEffects").and_then(Value::as_str) {
        None => checks.required(&effects, "must specify one of None, NoneOnDryRun"),
        Some(effect) => checks.one_of(&effects, effect, &["None", "NoneOnDryRun"]),
    }
    if let Some(seconds) = hook.int("timeoutSeconds")
        && !(1..=30).contains(&seconds)
    {
        let text = "the timeout value must be between 1 and 30 seconds";
        checks.invalid(&place.field("timeoutSeconds"), seconds, text);
    }
    for name in ["namespaceSelector", "objectSelector"] {
        pod::label_selector(checks, &hook[name], &place.field(name));
    }
    client(checks, &hook["clientConfig"], &place.field("clientConfig"));
    if mutating && let Some(Value::String(policy)) = hook.get("reinvocationPolicy") {
        checks.one_of(&place.field("reinvocationPolicy"), policy, &["IfNeeded", "Never"]);
    }
}

/// Which requests are meant.
pub(in crate::admit::validate) fn rules(checks: &mut Checks, rule: &Value, place: &Place<'_>) {
    let at = place.field("operations");
    if rule.list("operations").is_empty() {
        checks.required(&at, "");
    }
    if rule.list("operations").len() > 1 && rule.texts("operations").any(|name| name == "*") {
        let text = "if '*' is present, must not specify other operations";
        checks.invalid(&at, rule["operations"].clone(), text);
    }
    for (index, name) in rule.texts("operations").enumerate() {
        let known = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
        checks.one_of(&at.index(index), name, &known);
    }
    for name in ["apiGroups", "apiVersions", "resources"] {
        let at = place.field(name);
        if rule.list(name).is_empty() {
            checks.required(&at, "");
        }
        if name != "resources"
            && rule.list(name).len() > 1
            && rule.texts(name).any(|value| value == "*")
        {
            let what = if name == "apiGroups" { "API groups" } else { "API versions" };
            let text = format!("if '*' is present, must not specify other {what}");
            checks.invalid(&at, rule[name].clone(), &text);
        }
        for (index, value) in rule.texts(name).enumerate() {
            if value.is_empty() && name != "apiGroups" {
                checks.required(&at.index(index), "");
            }
        }
    }
    if let Some(Value::String(scope)) = rule.get("scope") {
        checks.one_of(&place.field("scope"), scope, &["*", "Cluster", "Namespaced"]);
    }
}

/// Where a webhook listens: a URL or a service.
pub(in crate::admit::validate) fn client(checks: &mut Checks, client: &Value, place: &Place<'_>) {
    match (client.get_some("url"), client.get_some("service")) {
        (None, None) => {
            checks.required(place, "exactly one of url or service is required");
        }
        (Some(_), Some(_)) => {
            checks.required(place, "exactly one of url or service is required");
        }
        (Some(address), None) => {
            url(checks, address.as_str().unwrap_or_default(), &place.field("url"));
        }
        (None, Some(service)) => {
            let at = place.field("service");
            // The server confuses the two, and so do its complaints.
            for (name, told) in [("name", "namespace"), ("namespace", "name")] {
                if service.text(name).is_empty() {
                    checks.required(&at.field(told), "");
                }
            }
            if let Some(port) = service.int("port")
                && !(1..=65535).contains(&port)
            {
                let text = "port is not valid: must be between 1 and 65535, inclusive";
                checks.invalid(&at.field("port"), port, text);
            }
            let path = service.text("path");
            if !path.is_empty() && path != "/" && !path.starts_with('/') {
                checks.invalid(&at.field("path"), path, "must start with a '/'");
            }
        }
    }
}

fn url(checks: &mut Checks, text: &str, place: &Place<'_>) {
    let form = "; desired format: https://host[/path]";
    match url::Url::parse(text) {
        Err(error) => {
            let cause = Cause::required(
                place.to_string(),
                format!("url must be a valid URL: {error}{form}"),
            );
            checks.push(cause);
        }
        Ok(parsed) => {
            if parsed.scheme() != "https" {
                let why = format!("'https' is the only allowed URL scheme{form}");
                checks.invalid(place, parsed.scheme(), &why);
            }
            if parsed.host_str().is_none_or(str::is_empty) {
                checks.invalid(place, "", &format!("host must be specified{form}"));
            }
            if !parsed.username().is_empty() || parsed.password().is_some() {
                let why = "user information is not permitted in the URL";
                checks.invalid(place, parsed.username(), why);
            }
            if let Some(fragment) = parsed.fragment() {
                checks.invalid(place, fragment, "fragments are not permitted in the URL");
            }
            if let Some(query) = parsed.query() {
                let why = "query parameters are not permitted in the URL";
                checks.invalid(place, query, why);
            }
        }
    }
}
