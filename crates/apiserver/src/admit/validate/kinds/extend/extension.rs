//! What extends the server: aggregated APIs and policies for admission.

use serde_json::Value;

use super::webhook;
use crate::admit::validate::{
    checks::{Checks, Read as _},
    kinds::Subject,
    names,
    place::Place,
    pod,
};

pub(in crate::admit::validate) fn api_service(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let (group, version) = (spec.text("group"), spec.text("version"));
    let name = subject.new["metadata"].text("name");
    let expected = format!("{version}.{group}");
    if subject.old.is_none() && !name.is_empty() && name != expected {
        let at = Place::ROOT.field("metadata");
        let text = format!("must be `spec.version+\".\"+spec.group`: {expected:?}");
        checks.invalid(&at.field("name"), name, &text);
    }
    if group.is_empty() {
        if version != "v1" {
            let text = "only v1 may have an empty group and it better be legacy kube";
            checks.required(&place.field("group"), text);
        }
    } else {
        checks.invalids(&place.field("group"), group, names::subdomain(group));
    }
    checks.invalids(&place.field("version"), version, names::old_label(version));
    for (name, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let number = spec.int(name).unwrap_or(0);
        if !(1..=most).contains(&number) {
            let text = format!("must be positive and less than {most}");
            checks.invalid(&place.field(name), number, &text);
        }
    }
    let Some(service) = spec.get_some("service") else { return };
    let at = place.field("service");
    for name in ["namespace", "name"] {
        if service.text(name).is_empty() {
            checks.required(&at.field(name), "");
        }
    }
    if spec.flag("insecureSkipTLSVerify") && !spec.text("caBundle").is_empty() {
        let text = "may not be true if caBundle is present";
        checks.invalid(&place.field("insecureSkipTLSVerify"), true, text);
    }
}

/// Rules in CEL of a policy are not read: the server does not enforce policies.
pub(in crate::admit::validate) fn admission_policy(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let at = place.field("matchConstraints");
    match spec.get_some("matchConstraints") {
        None => checks.required(&at, ""),
        Some(constraints) => {
            if constraints.list("resourceRules").is_empty() {
                checks.required(&at.field("resourceRules"), "");
            }
            for name in ["resourceRules", "excludeResourceRules"] {
                let list = at.field(name);
                for (index, rule) in constraints.list(name).iter().enumerate() {
                    webhook::rules(checks, rule, &list.index(index));
                }
            }
            for name in ["namespaceSelector", "objectSelector"] {
                pod::label_selector(checks, &constraints[name], &at.field(name));
            }
        }
    }
    let (validations, annotations) = (spec.list("validations"), spec.list("auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        let text = "validations or auditAnnotations must contain at least one item";
        checks.required(&place.field("validations"), text);
        checks.required(&place.field("auditAnnotations"), text);
    }
    let list = place.field("validations");
    for (index, validation) in validations.iter().enumerate() {
        if validation.text("expression").trim().is_empty() {
            let at = list.index(index);
            checks.required(&at.field("expression"), "expression is not specified");
        }
    }
    if let Some(Value::String(policy)) = spec.get("failurePolicy") {
        checks.one_of(&place.field("failurePolicy"), policy, &["Fail", "Ignore"]);
    }
}

pub(in crate::admit::validate) fn admission_binding(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    if spec.text("policyName").is_empty() {
        checks.required(&place.field("policyName"), "");
    }
    let list = place.field("validationActions");
    if spec.list("validationActions").is_empty() {
        checks.required(&list, "at least one validation action is required");
    }
    let mut seen = std::collections::HashSet::new();
    for (index, action) in spec.texts("validationActions").enumerate() {
        checks.one_of(&list.index(index), action, &["Audit", "Deny", "Warn"]);
        if !seen.insert(action) {
            checks.duplicate(&list.index(index), action);
        }
    }
}
