//! Budgets, autoscalers, priorities and leases.

use serde_json::Value;

use super::{
    super::{
        checks::{Checks, Read as _},
        names,
        place::Place,
        pod,
    },
    Subject, not_more_than_all, positive_or_percent,
};
use crate::admit::quantity::Quantity;

pub(super) fn budget(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let (least, most) = (spec.get_some("minAvailable"), spec.get_some("maxUnavailable"));
    if least.is_some() && most.is_some() {
        let text = "minAvailable and maxUnavailable cannot be both set";
        checks.invalid(&place, spec.clone(), text);
    }
    for name in ["minAvailable", "maxUnavailable"] {
        if let Some(value) = spec.get_some(name) {
            positive_or_percent(checks, value, &place.field(name));
            not_more_than_all(checks, value, &place.field(name));
        }
    }
    pod::label_selector(checks, &spec["selector"], &place.field("selector"));
    if let Some(Value::String(policy)) = spec.get("unhealthyPodEvictionPolicy") {
        let known = ["AlwaysAllow", "IfHealthyBudget"];
        checks.one_of(&place.field("unhealthyPodEvictionPolicy"), policy, &known);
    }
}

pub(super) fn autoscaler(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let least = spec.int("minReplicas");
    let most = spec.int("maxReplicas").unwrap_or(0);
    if let Some(least) = least
        && least < 1
    {
        let text = "must be greater than or equal to 1";
        checks.invalid(&place.field("minReplicas"), least, text);
    }
    let at = place.field("maxReplicas");
    if most == 0 {
        checks.required(&at, "must be set and greater than 0");
    } else if most < 0 {
        checks.invalid(&at, most, "must be greater than or equal to 1");
    }
    if least.is_some_and(|least| most < least) {
        checks.invalid(&at, most, "must be greater than or equal to `minReplicas`");
    }
    let target = &spec["scaleTargetRef"];
    object_reference(checks, target, &place.field("scaleTargetRef"), subject.old.is_none());
    let list = place.field("metrics");
    for (index, metric) in spec.list("metrics").iter().enumerate() {
        metric_source(checks, metric, &list.index(index));
    }
    let scales_to_zero = |metric: &Value| matches!(metric.text("type"), "Object" | "External");
    if least == Some(0) && !spec.list("metrics").iter().any(scales_to_zero) {
        checks.forbidden(
            &list,
            "must specify at least one Object or External metric to support scaling to zero replicas",
        );
    }
    let behavior = place.field("behavior");
    for name in ["scaleUp", "scaleDown"] {
        if let Some(rules) = spec["behavior"].get_some(name) {
            scaling_rules(checks, rules, &behavior.field(name));
        }
    }
}

fn object_reference(checks: &mut Checks, reference: &Value, place: &Place<'_>, strict: bool) {
    for name in ["kind", "name"] {
        let value = reference.text(name);
        if value.is_empty() {
            checks.required(&place.field(name), "");
        } else {
            let rule = names::name_is_path_segment;
            checks.invalids(&place.field(name), value, rule(value, false));
        }
    }
    let version = reference.text("apiVersion");
    let core = ["ReplicationController"].contains(&reference.text("kind"));
    if strict && !version.contains('/') && !core {
        checks.invalid(&place.field("apiVersion"), version, "apiVersion must specify API group");
    }
}

fn metric_source(checks: &mut Checks, metric: &Value, place: &Place<'_>) {
    let kind = metric.text("type");
    let known = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    let at = place.field("type");
    if kind.is_empty() {
        checks.required(&at, "must specify a metric source type");
    }
    if !known.contains(&kind) {
        checks.unsupported(&at, kind, &known);
        checks.unsupported(&at, kind, &known);
    }
    let fields = ["object", "external", "pods", "resource", "containerResource"];
    let mut present: Vec<&str> =
        fields.iter().copied().filter(|name| metric.get_some(name).is_some()).collect();
    if let Some(first) = present.first() {
        source(checks, first, &metric[*first], &place.field(first));
    }
    let expected = match kind {
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "External" => "external",
        "ContainerResource" => "containerResource",
        _ => "",
    };
    if !expected.is_empty() && !present.contains(&expected) {
        let text = "must populate information for the given metric source";
        checks.required(&place.field(expected), text);
    }
    if present.len() != 1 {
        present.retain(|name| *name != expected);
        for name in present {
            checks.forbidden(&place.field(name), "must populate the given metric source only");
        }
    }
}

fn source(checks: &mut Checks, kind: &str, source: &Value, place: &Place<'_>) {
    let target = &source["target"];
    let at = place.field("target");
    match kind {
        "resource" | "containerResource" => {
            if source.text("name").is_empty() {
                checks.required(&place.field("name"), "must specify a resource name");
            }
            if kind == "containerResource" && source.text("container").is_empty() {
                checks.required(&place.field("container"), "must specify a container name");
            }
            metric_target(checks, target, &at);
            let utilization = target.get_some("averageUtilization").is_some();
            let value = target.get_some("averageValue").is_some();
            if !utilization && !value {
                let text = "must set either a target raw value or a target utilization";
                checks.required(&at.field("averageUtilization"), text);
            }
            if utilization && value {
                let text = "may not set both a target raw value and a target utilization";
                checks.forbidden(&at.field("averageValue"), text);
            }
        }
        _ => {
            if kind == "object" {
                let described = place.field("describedObject");
                object_reference(checks, &source["describedObject"], &described, false);
            }
            let metric = place.field("metric");
            let name = source["metric"].text("name");
            if name.is_empty() {
                checks.required(&metric.field("name"), "must specify a metric name");
            }
            metric_target(checks, target, &at);
            let average = target.get_some("averageValue").is_some();
            let value = target.get_some("value").is_some();
            match kind {
                "pods" if !average => {
                    let text = "must specify a positive target averageValue";
                    checks.required(&at.field("averageValue"), text);
                }
                "object" | "external" if !average && !value => {
                    let text = "must set either a target value or averageValue";
                    checks.required(&at.field("averageValue"), text);
                }
                _ => {}
            }
        }
    }
}

fn metric_target(checks: &mut Checks, target: &Value, place: &Place<'_>) {
    let kind = target.text("type");
    if kind.is_empty() {
        checks.required(&place.field("type"), "must specify a metric target type");
    }
    if !matches!(kind, "Utilization" | "Value" | "AverageValue") {
        let text = "must be either Utilization, Value, or AverageValue";
        checks.invalid(&place.field("type"), kind, text);
    }
    for name in ["value", "averageValue"] {
        if let Some(Value::String(text)) = target.get(name) {
            let positive = Quantity::parse(text).is_ok_and(|q| !q.is_negative() && !q.is_zero());
            if !positive {
                checks.invalid(&place.field(name), &**text, "must be positive");
            }
        }
    }
    if let Some(number) = target.int("averageUtilization")
        && number < 1
    {
        checks.invalid(&place.field("averageUtilization"), number, "must be greater than 0");
    }
}

fn scaling_rules(checks: &mut Checks, rules: &Value, place: &Place<'_>) {
    let window = rules.int("stabilizationWindowSeconds");
    let at = place.field("stabilizationWindowSeconds");
    match window {
        Some(seconds) if seconds < 0 => {
            checks.invalid(&at, seconds, "must be greater than or equal to zero");
        }
        Some(seconds) if seconds > 3600 => {
            checks.invalid(&at, seconds, "must be less than or equal to 3600");
        }
        _ => {}
    }
    if let Some(Value::String(policy)) = rules.get("selectPolicy") {
        checks.one_of(&place.field("selectPolicy"), policy, &["Disabled", "Max", "Min"]);
    }
    let list = place.field("policies");
    if rules.list("policies").is_empty() {
        checks.required(&list, "must specify at least one Policy");
    }
    for (index, policy) in rules.list("policies").iter().enumerate() {
        let at = list.index(index);
        checks.one_of(&at.field("type"), policy.text("type"), &["Percent", "Pods"]);
        let value = policy.int("value").unwrap_or(0);
        if value <= 0 {
            checks.invalid(&at.field("value"), value, "must be greater than zero");
        }
        let seconds = policy.int("periodSeconds").unwrap_or(0);
        if seconds <= 0 {
            checks.invalid(&at.field("periodSeconds"), seconds, "must be greater than zero");
        }
        if seconds > 1800 {
            let text = "must be less than or equal to 1800";
            checks.invalid(&at.field("periodSeconds"), seconds, text);
        }
    }
}

pub(super) fn priority(checks: &mut Checks, subject: &Subject<'_>) {
    let new = subject.new;
    let name = new["metadata"].text("name");
    if name.starts_with("system-") && subject.old.is_none() {
        let system = matches!(name, "system-node-critical" | "system-cluster-critical");
        if !system {
            let at = Place::ROOT.field("metadata");
            let text =
                "priority class names with 'system-' prefix are reserved for system use only";
            checks.forbidden(
                &at.field("name"),
                &format!("{text}. error: {name} is not a known system priority class"),
            );
        }
    } else if let Some(value) = new.int("value").filter(|value| *value > 1_000_000_000) {
        let text = "maximum allowed value of a user defined priority is 1000000000";
        let _ = value;
        checks.forbidden(&Place::ROOT.field("value"), text);
    }
    if let Some(Value::String(policy)) = new.get("preemptionPolicy") {
        let known = ["PreemptLowerPriority", "Never"];
        checks.one_of(&Place::ROOT.field("preemptionPolicy"), policy, &known);
    }
    if let Some(old) = subject.old {
        if new.int("value").unwrap_or(0) != old.int("value").unwrap_or(0) {
            let text = "may not be changed in an update.";
            checks.forbidden(&Place::ROOT.field("value"), text);
        }
        let at = Place::ROOT.field("preemptionPolicy");
        checks.immutable(&at, &new["preemptionPolicy"], &old["preemptionPolicy"]);
    }
}

pub(super) fn runtime_class(checks: &mut Checks, subject: &Subject<'_>) {
    let handler = subject.new.text("handler");
    let at = Place::ROOT.field("handler");
    checks.invalids(&at, handler, names::label(handler));
    if let Some(old) = subject.old {
        checks.immutable(&at, &subject.new["handler"], &old["handler"]);
    }
}

pub(super) fn lease(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    if let Some(seconds) = spec.int("leaseDurationSeconds")
        && seconds <= 0
    {
        checks.invalid(&place.field("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    if let Some(number) = spec.int("leaseTransitions")
        && number < 0
    {
        let text = "must be greater than or equal to 0";
        checks.invalid(&place.field("leaseTransitions"), number, text);
    }
}
