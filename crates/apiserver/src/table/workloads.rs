//! The rows of workloads.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    age,
    builtin::{AGE, Column, NAME, boolean, number, shown, wide},
    format::{count, created, joined, labels, length, list, name, or_none, selector, text},
};
use crate::object::Meta as _;

pub(super) const DEPLOYMENTS: &[Column] = &[
    NAME,
    shown("Ready"),
    shown("Up-to-date"),
    shown("Available"),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let mut row = vec![
        name(object),
        format!("{}/{}", count(&status["readyReplicas"]), count(&spec["replicas"])).into(),
        count(&status["updatedReplicas"]).into(),
        count(&status["availableReplicas"]).into(),
        created(object, now),
    ];
    row.extend(template(&spec["template"]));
    row.push(selector(&spec["selector"]).into());
    row
}

/// Names and images of the containers of a template.
fn template(template: &Value) -> [Value; 2] {
    let containers = &template["spec"]["containers"];
    [joined(containers, "name").into(), joined(containers, "image").into()]
}

pub(super) const REPLICA_SETS: &[Column] = &[
    NAME,
    number("Desired"),
    number("Current"),
    number("Ready"),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn replica_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let counts = [&spec["replicas"], &status["replicas"], &status["readyReplicas"]];
    counted(object, &counts, now, &[])
}

pub(super) const STATEFUL_SETS: &[Column] =
    &[NAME, shown("Ready"), AGE, wide("Containers"), wide("Images")];

pub(super) fn stateful_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let ready = format!("{}/{}", count(&status["readyReplicas"]), count(&spec["replicas"]));
    let mut row = vec![name(object), ready.into(), created(object, now)];
    row.extend(template(&spec["template"]));
    row
}

pub(super) const DAEMON_SETS: &[Column] = &[
    NAME,
    number("Desired"),
    number("Current"),
    number("Ready"),
    number("Up-to-date"),
    number("Available"),
    shown("Node Selector"),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn daemon_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let status = &object["status"];
    let counts = [
        &status["desiredNumberScheduled"],
        &status["currentNumberScheduled"],
        &status["numberReady"],
        &status["updatedNumberScheduled"],
        &status["numberAvailable"],
    ];
    let nodes = labels(&object["spec"]["template"]["spec"]["nodeSelector"]);
    counted(object, &counts, now, &[nodes.into()])
}

/// Name, counts, `more`, age, containers and selector of a workload.
fn counted(object: &Value, counts: &[&Value], now: Timestamp, more: &[Value]) -> Vec<Value> {
    let spec = &object["spec"];
    let mut row = vec![name(object)];
    row.extend(counts.iter().map(|value| Value::from(count(value))));
    row.extend(more.iter().cloned());
    row.push(created(object, now));
    row.extend(template(&spec["template"]));
    row.push(selector(&spec["selector"]).into());
    row
}

pub(super) const JOBS: &[Column] = &[
    NAME,
    shown("Status"),
    shown("Completions"),
    shown("Duration"),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let done = count(&status["succeeded"]);
    let completions = match (spec["completions"].as_i64(), spec["parallelism"].as_i64()) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, Some(parallel)) if parallel > 1 => format!("{done}/1 of {parallel}"),
        _ => format!("{done}/1"),
    };
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let duration = time(&status["startTime"]).map(|start| {
        let end = time(&status["completionTime"]).unwrap_or(now);
        age::human(end.as_second() - start.as_second())
    });
    let mut row = vec![
        name(object),
        job_state(object).into(),
        completions.into(),
        duration.unwrap_or_default().into(),
        created(object, now),
    ];
    row.extend(template(&spec["template"]));
    row.push(selector(&spec["selector"]).into());
    row
}

fn job_state(job: &Value) -> &'static str {
    let holds = |kind: &str| {
        let conditions = list(&job["status"]["conditions"]).iter();
        conditions.into_iter().any(|one| one["type"] == kind && one["status"] == "True")
    };
    if holds("Complete") {
        return "Complete";
    }
    if holds("Failed") {
        return "Failed";
    }
    if job.is_deleting() {
        return "Terminating";
    }
    let states = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];
    states.into_iter().find(|state| holds(state)).unwrap_or("Running")
}

pub(super) const CRON_JOBS: &[Column] = &[
    NAME,
    shown("Schedule"),
    shown("Timezone"),
    boolean("Suspend"),
    number("Active"),
    shown("Last Schedule"),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

pub(super) fn cron_job(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let last = match &status["lastScheduleTime"] {
        Value::Null => json!("<none>"),
        time => age::of(time, now).into(),
    };
    let inner = &spec["jobTemplate"]["spec"];
    let mut row = vec![
        name(object),
        text(&spec["schedule"]),
        or_none(&spec["timeZone"]),
        if spec["suspend"] == true { "True" } else { "False" }.into(),
        length(&status["active"]).into(),
        last,
        created(object, now),
    ];
    row.extend(template(&inner["template"]));
    row.push(selector(&inner["selector"]).into());
    row
}
