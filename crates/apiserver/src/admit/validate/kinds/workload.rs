//! Controllers of pods.

use serde_json::{Value, json};

use super::{
    super::{
        checks::{Checks, Read as _, same},
        metadata, names,
        place::Place,
        pod,
    },
    Cause, Subject, is_empty_selector, matches, not_more_than_all, number_or_percent,
    positive_or_percent, storage,
};

const MISMATCH: &str = "`selector` does not match template `labels`";

pub(super) fn deployment(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    checks.not_negative(&place, spec, "replicas");
    if selector(checks, spec, &place, "deployment") {
        template(checks, spec, &place, "ReplicaSet");
    } else {
        let text = "invalid label selector";
        checks.invalid(&place.field("selector"), spec["selector"].clone(), text);
    }
    let strategy = &spec["strategy"];
    let at = place.field("strategy");
    let rolling = strategy.get_some("rollingUpdate");
    match (strategy.text("type"), rolling) {
        ("Recreate", Some(_)) => checks.forbidden(
            &at.field("rollingUpdate"),
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        ("Recreate", None) => {}
        ("RollingUpdate", Some(rolling)) => {
            rolling_deployment(checks, rolling, &at.field("rollingUpdate"));
        }
        ("RollingUpdate", None) => {
            checks
                .required(&at.field("rollingUpdate"), "this should be defaulted and never be nil");
        }
        _ => {
            let known = ["Recreate", "RollingUpdate"];
            checks.push(Cause::unsupported(at.to_string(), strategy.clone(), known));
        }
    }
    checks.not_negative(&place, spec, "minReadySeconds");
    checks.not_negative(&place, spec, "revisionHistoryLimit");
    checks.not_negative(&place, spec, "progressDeadlineSeconds");
    if let Some(deadline) = spec.int("progressDeadlineSeconds")
        && deadline <= spec.int("minReadySeconds").unwrap_or(0)
    {
        let text = "must be greater than minReadySeconds";
        checks.invalid(&place.field("progressDeadlineSeconds"), deadline, text);
    }
    fixed_selector(checks, subject, &place);
}

fn rolling_deployment(checks: &mut Checks, rolling: &Value, place: &Place<'_>) {
    let (unavailable, surge) = (&rolling["maxUnavailable"], &rolling["maxSurge"]);
    let at = place.field("maxUnavailable");
    positive_or_percent(checks, unavailable, &at);
    positive_or_percent(checks, surge, &place.field("maxSurge"));
    if number_or_percent(unavailable) == 0 && number_or_percent(surge) == 0 {
        checks.invalid(&at, unavailable.clone(), "may not be 0 when `maxSurge` is 0");
    }
    not_more_than_all(checks, unavailable, &at);
}

pub(super) fn replica_set(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    checks.not_negative(&place, spec, "replicas");
    checks.not_negative(&place, spec, "minReadySeconds");
    if selector(checks, spec, &place, "deployment") {
        template(checks, spec, &place, "ReplicaSet");
    } else {
        let text = "invalid label selector";
        checks.invalid(&place.field("selector"), spec["selector"].clone(), text);
    }
    fixed_selector(checks, subject, &place);
}

pub(super) fn daemon_set(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    pod::label_selector(checks, &spec["selector"], &place.field("selector"));
    let labels = &spec["template"]["metadata"]["labels"];
    if !matches(&spec["selector"], labels) {
        let metadata = place.field("template.metadata.labels");
        checks.invalid(&metadata, labels.clone(), MISMATCH);
    }
    if spec["selector"].is_object() && is_empty_selector(&spec["selector"]) {
        let text = "empty selector is invalid for daemonset";
        checks.invalid(&place.field("selector"), spec["selector"].clone(), text);
    }
    pod::template(checks, &spec["template"], &place.field("template"));
    always_running(checks, spec, &place, "DaemonSet");
    checks.not_negative(&place, spec, "minReadySeconds");
    let strategy = &spec["updateStrategy"];
    let at = place.field("updateStrategy");
    match strategy.text("type") {
        "OnDelete" => {}
        "RollingUpdate" => match strategy.get_some("rollingUpdate") {
            None => checks.required(&at.field("rollingUpdate"), ""),
            Some(rolling) => rolling_daemon_set(checks, rolling, &at.field("rollingUpdate")),
        },
        _ => {
            let known = ["RollingUpdate", "OnDelete"];
            checks.push(Cause::unsupported(at.to_string(), strategy.clone(), known));
        }
    }
    checks.not_negative(&place, spec, "revisionHistoryLimit");
    fixed_selector(checks, subject, &place);
}

fn rolling_daemon_set(checks: &mut Checks, rolling: &Value, place: &Place<'_>) {
    for name in ["maxUnavailable", "maxSurge"] {
        positive_or_percent(checks, &rolling[name], &place.field(name));
    }
    for name in ["maxUnavailable", "maxSurge"] {
        not_more_than_all(checks, &rolling[name], &place.field(name));
    }
    match (number_or_percent(&rolling["maxUnavailable"]), number_or_percent(&rolling["maxSurge"])) {
        (0, 0) => {
            checks.required(&place.field("maxUnavailable"), "cannot be 0 when maxSurge is 0");
        }
        (0, _) | (_, 0) => {}
        _ => {
            let text = "may not be set when maxUnavailable is non-zero";
            checks.invalid(&place.field("maxSurge"), rolling["maxSurge"].clone(), text);
        }
    }
}

pub(super) fn stateful_set(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let policy = spec.text("podManagementPolicy");
    if !matches!(policy, "OrderedReady" | "Parallel") {
        let text = "must be 'OrderedReady' or 'Parallel'";
        checks.invalid(&place.field("podManagementPolicy"), policy, text);
    }
    stateful_strategy(checks, spec, &place.field("updateStrategy"));
    if let Some(retention) = spec.get_some("persistentVolumeClaimRetentionPolicy") {
        let at = place.field("persistentVolumeClaimRetentionPolicy");
        for name in ["whenDeleted", "whenScaled"] {
            checks.one_of(&at.field(name), retention.text(name), &["Retain", "Delete"]);
        }
    }
    if subject.old.is_none() {
        let list = place.field("volumeClaimTemplates");
        for (index, claim) in spec.list("volumeClaimTemplates").iter().enumerate() {
            let at = list.index(index);
            storage::claim_spec(checks, &claim["spec"], &at.field("spec"));
        }
        let name = spec.text("serviceName");
        if !name.is_empty() {
            checks.invalids(&place.field("serviceName"), name, names::label(name));
        }
    }
    checks.not_negative(&place, spec, "replicas");
    checks.not_negative(&place, spec, "minReadySeconds");
    if let Some(ordinals) = spec.get_some("ordinals")
        && let Some(start) = ordinals.int("start")
        && start < 0
    {
        let text = "must be greater than or equal to 0";
        checks.invalid(&place.field("ordinals.start"), start, text);
    }
    if selector(checks, spec, &place, "statefulset") {
        let labels = &spec["template"]["metadata"]["labels"];
        let wanted = &spec["selector"];
        let empty = wanted.is_object() && is_empty_selector(wanted);
        if !empty && !matches(wanted, labels) {
            checks.invalid(&place.field("template.metadata.labels"), labels.clone(), MISMATCH);
        }
        let at = place.field("template");
        pod::template(checks, &with_claims(spec), &at);
        // The server looks at these twice.
        metadata::template(checks, &spec["template"]["metadata"], &at);
    } else {
        checks.invalid(&place.field("selector"), spec["selector"].clone(), "");
    }
    always_running(checks, spec, &place, "StatefulSet");
    let Some(old) = subject.old else { return };
    let mut clone = spec.clone();
    for name in [
        "replicas",
        "template",
        "updateStrategy",
        "minReadySeconds",
        "ordinals",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
    ] {
        clone[name] = old["spec"].get(name).cloned().unwrap_or(Value::Null);
    }
    if !same(&clone, &old["spec"]) {
        checks.forbidden(&place, "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
    }
}

/// The template with the volumes that its claims will give it, and without names that it will get.
fn with_claims(spec: &Value) -> Value {
    let mut template = spec["template"].clone();
    let claims: Vec<&str> = spec
        .list("volumeClaimTemplates")
        .iter()
        .map(|claim| claim["metadata"].text("name"))
        .collect();
    let Some(pod) = template.get_mut("spec").and_then(Value::as_object_mut) else {
        return template;
    };
    pod.shift_remove("subdomain");
    pod.shift_remove("hostname");
    if claims.is_empty() {
        return template;
    }
    let mut volumes: Vec<Value> = claims
        .iter()
        .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}}))
        .collect();
    let given = pod.get("volumes").and_then(Value::as_array).into_iter().flatten();
    volumes.extend(given.filter(|volume| !claims.contains(&volume.text("name"))).cloned());
    pod.insert("volumes".to_owned(), volumes.into());
    template
}

fn stateful_strategy(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let strategy = &spec["updateStrategy"];
    let rolling = strategy.get_some("rollingUpdate");
    let at = place.field("rollingUpdate");
    match (strategy.text("type"), rolling) {
        ("OnDelete", Some(rolling)) => {
            checks.invalid(&at, rolling.clone(), "only allowed for updateStrategy 'RollingUpdate'");
        }
        ("RollingUpdate", Some(rolling)) => {
            checks.not_negative(&at, rolling, "partition");
            if let Some(most) = rolling.get_some("maxUnavailable") {
                let at = at.field("maxUnavailable");
                positive_or_percent(checks, most, &at);
                if number_or_percent(most) == 0 {
                    checks.invalid(&at, most.clone(), "cannot be 0");
                }
                not_more_than_all(checks, most, &at);
            }
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        ("", _) => checks.required(place, ""),
        _ => {
            checks.invalid(place, strategy.clone(), "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

pub(super) fn replication_controller(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    checks.not_negative(&place, spec, "minReadySeconds");
    checks.not_negative(&place, spec, "replicas");
    let wanted = spec.entries("selector");
    if wanted.is_none_or(serde_json::Map::is_empty) {
        checks.required(&place.field("selector"), "");
    }
    if !spec["template"].is_object() {
        return checks.required(&place.field("template"), "");
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if !matches(&json!({"matchLabels": spec["selector"]}), labels) {
        let text = "`selector` does not match template `labels`";
        checks.invalid(&place.field("template.metadata.labels"), labels.clone(), text);
    }
    pod::template(checks, &spec["template"], &place.field("template"));
    always_running(checks, spec, &place, "ReplicationController");
}

/// Whether the selector can be used, or is not there.
fn selector(checks: &mut Checks, spec: &Value, place: &Place<'_>, kind: &str) -> bool {
    let selector = &spec["selector"];
    let at = place.field("selector");
    if !selector.is_object() {
        checks.required(&at, "");
        return true;
    }
    let before = checks.causes.len();
    pod::label_selector(checks, selector, &at);
    let sound = checks.causes.len() == before;
    if is_empty_selector(selector) {
        let text = format!("empty selector is invalid for {kind}");
        checks.invalid(&at, selector.clone(), &text);
    }
    sound
}

fn template(checks: &mut Checks, spec: &Value, place: &Place<'_>, kind: &str) {
    let labels = &spec["template"]["metadata"]["labels"];
    let wanted = &spec["selector"];
    let empty = wanted.is_object() && is_empty_selector(wanted);
    if !empty && !matches(wanted, labels) {
        checks.invalid(&place.field("template.metadata.labels"), labels.clone(), MISMATCH);
    }
    pod::template(checks, &spec["template"], &place.field("template"));
    always_running(checks, spec, place, kind);
}

/// Controllers start pods again, so their pods may not end.
fn always_running(checks: &mut Checks, spec: &Value, place: &Place<'_>, kind: &str) {
    let pod = &spec["template"]["spec"];
    let policy = pod.text("restartPolicy");
    if policy != "Always" {
        checks.unsupported(&place.field("template.spec.restartPolicy"), policy, &["Always"]);
    }
    if pod.get_some("activeDeadlineSeconds").is_some() {
        let text = format!("activeDeadlineSeconds in {kind} is not Supported");
        checks.forbidden(&place.field("template.spec.activeDeadlineSeconds"), &text);
    }
}

fn fixed_selector(checks: &mut Checks, subject: &Subject<'_>, place: &Place<'_>) {
    if let Some(old) = subject.old {
        let (new, old) = (&subject.new["spec"]["selector"], &old["spec"]["selector"]);
        checks.immutable(&place.field("selector"), new, old);
    }
}
