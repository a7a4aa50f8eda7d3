//! Where a pod may run.

use serde_json::Value;

use super::super::{
    checks::{Checks, Read as _},
    metadata, names,
    place::Place,
};

pub(super) fn affinity(checks: &mut Checks, affinity: &Value, place: &Place<'_>) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    if let Some(node) = affinity.get_some("nodeAffinity") {
        let at = place.field("nodeAffinity");
        if let Some(selector) = node.get_some(REQUIRED) {
            node_selector(checks, selector, &at.field(REQUIRED));
        }
        let list = at.field(PREFERRED);
        for (index, term) in node.list(PREFERRED).iter().enumerate() {
            let at = list.index(index);
            weight(checks, term, &at);
            node_term(checks, &term["preference"], false, &at.field("preference"));
        }
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(pods) = affinity.get_some(kind) else { continue };
        let at = place.field(kind);
        let list = at.field(REQUIRED);
        for (index, term) in pods.list(REQUIRED).iter().enumerate() {
            pod_term(checks, term, &list.index(index));
        }
        let list = at.field(PREFERRED);
        for (index, term) in pods.list(PREFERRED).iter().enumerate() {
            let at = list.index(index);
            weight(checks, term, &at);
            pod_term(checks, &term["podAffinityTerm"], &at.field("podAffinityTerm"));
        }
    }
}

fn weight(checks: &mut Checks, term: &Value, place: &Place<'_>) {
    let weight = term.int("weight").unwrap_or(0);
    if !(1..=100).contains(&weight) {
        checks.invalid(&place.field("weight"), weight, "must be in the range 1-100");
    }
}

pub(in crate::admit::validate) fn node_selector(
    checks: &mut Checks,
    selector: &Value,
    place: &Place<'_>,
) {
    let list = place.field("nodeSelectorTerms");
    let terms = selector.list("nodeSelectorTerms");
    if terms.is_empty() {
        checks.required(&list, "must have at least one node selector term");
    }
    for (index, term) in terms.iter().enumerate() {
        node_term(checks, term, true, &list.index(index));
    }
}

fn node_term(checks: &mut Checks, term: &Value, strict: bool, place: &Place<'_>) {
    let list = place.field("matchExpressions");
    for (index, requirement) in term.list("matchExpressions").iter().enumerate() {
        node_requirement(checks, requirement, strict, &list.index(index));
    }
    let list = place.field("matchFields");
    for (index, requirement) in term.list("matchFields").iter().enumerate() {
        let at = list.index(index);
        let operator = requirement.text("operator");
        match operator {
            "In" | "NotIn" if requirement.list("values").len() != 1 => checks.required(
                &at.field("values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            ),
            "In" | "NotIn" => {}
            _ => checks.invalid(&at.field("operator"), operator, "not a valid selector operator"),
        }
        if requirement.text("key") != "metadata.name" {
            let text = "not a valid field selector key";
            checks.invalid(&at.field("key"), requirement.text("key"), text);
        }
    }
}

fn node_requirement(checks: &mut Checks, requirement: &Value, strict: bool, place: &Place<'_>) {
    let operator = requirement.text("operator");
    let count = requirement.list("values").len();
    let values = place.field("values");
    match operator {
        "In" | "NotIn" if count == 0 => {
            checks.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if count > 0 => checks.forbidden(
            &values,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        "Gt" | "Lt" if count != 1 => checks
            .required(&values, "must be specified single value when `operator` is 'Lt' or 'Gt'"),
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        _ => checks.invalid(&place.field("operator"), operator, "not a valid selector operator"),
    }
    let key = requirement.text("key");
    checks.invalids(&place.field("key"), key, names::qualified_name(key));
    if strict {
        for (index, value) in requirement.texts("values").enumerate() {
            checks.invalids(&values.index(index), value, names::label_value(value));
        }
    }
}

fn pod_term(checks: &mut Checks, term: &Value, place: &Place<'_>) {
    label_selector(checks, &term["labelSelector"], &place.field("labelSelector"));
    label_selector(checks, &term["namespaceSelector"], &place.field("namespaceSelector"));
    for name in term.texts("namespaces") {
        checks.invalids(&place.field("namespace"), name, names::label(name));
    }
    let key = term.text("topologyKey");
    let at = place.field("topologyKey");
    if key.is_empty() {
        checks.required(&at, "can not be empty");
    }
    checks.invalids(&at, key, names::qualified_name(key));
}

/// `matchLabels` and `matchExpressions`; nothing to check if there is no selector.
pub(in crate::admit::validate) fn label_selector(
    checks: &mut Checks,
    selector: &Value,
    place: &Place<'_>,
) {
    metadata::label_map(checks, &selector["matchLabels"], &place.field("matchLabels"));
    let list = place.field("matchExpressions");
    for (index, requirement) in selector.list("matchExpressions").iter().enumerate() {
        let at = list.index(index);
        let operator = requirement.text("operator");
        let empty = requirement.list("values").is_empty();
        let values = at.field("values");
        match operator {
            "In" | "NotIn" if empty => {
                checks.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if !empty => checks.forbidden(
                &values,
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => checks.invalid(&at.field("operator"), operator, "not a valid selector operator"),
        }
        let key = requirement.text("key");
        checks.invalids(&at.field("key"), key, names::qualified_name(key));
        for (index, value) in requirement.texts("values").enumerate() {
            checks.invalids(&values.index(index), value, names::label_value(value));
        }
    }
}

pub(super) fn tolerations(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    for (index, toleration) in spec.list("tolerations").iter().enumerate() {
        let at = place.index(index);
        let (key, operator) = (toleration.text("key"), toleration.text("operator"));
        let (value, effect) = (toleration.text("value"), toleration.text("effect"));
        if !key.is_empty() {
            checks.invalids(&at.field("key"), key, names::qualified_name(key));
        }
        if key.is_empty() && operator != "Exists" {
            checks.invalid(
                &at.field("operator"),
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        if toleration.get_some("tolerationSeconds").is_some() && effect != "NoExecute" {
            let text = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            checks.invalid(&at.field("effect"), effect, text);
        }
        match operator {
            "Equal" | "" => {
                let complaints = names::label_value(value);
                if !complaints.is_empty() {
                    checks.invalid(&at.field("operator"), value, &complaints.join(";"));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let text = "value must be empty when `operator` is 'Exists'";
                    checks.invalid(&at.field("operator"), value, text);
                }
            }
            _ => checks.unsupported(&at.field("operator"), operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
            checks.one_of(&at.field("effect"), effect, &known);
        }
    }
}

pub(super) fn spread(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let constraints = spec.list("topologySpreadConstraints");
    for (index, constraint) in constraints.iter().enumerate() {
        let at = place.index(index);
        let skew = constraint.int("maxSkew").unwrap_or(0);
        if skew <= 0 {
            checks.invalid(&at.field("maxSkew"), skew, "must be greater than zero");
        }
        let (key, action) = (constraint.text("topologyKey"), constraint.text("whenUnsatisfiable"));
        if key.is_empty() {
            checks.required(&at.field("topologyKey"), "can not be empty");
        }
        let known = ["DoNotSchedule", "ScheduleAnyway"];
        checks.one_of(&at.field("whenUnsatisfiable"), action, &known);
        let repeated = constraints[index + 1..].iter().any(|other| {
            other.text("topologyKey") == key && other.text("whenUnsatisfiable") == action
        });
        if repeated {
            let text = format!("{{{key}, {action}}}");
            checks.duplicate(&at.field("{topologyKey, whenUnsatisfiable}"), text);
        }
        if let Some(least) = constraint.int("minDomains") {
            if least <= 0 {
                checks.invalid(&at.field("minDomains"), least, "must be greater than zero");
            }
            if action != "DoNotSchedule" {
                let text = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                );
                checks.invalid(&at.field("minDomains"), least, &text);
            }
        }
        for name in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(Value::String(policy)) = constraint.get(name) {
                checks.one_of(&at.field(name), policy, &["Honor", "Ignore"]);
            }
        }
        label_selector(checks, &constraint["labelSelector"], &at.field("labelSelector"));
    }
}
