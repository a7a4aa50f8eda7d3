//! What controllers may write into a status.

use serde_json::Value;

use super::{
    super::{
        checks::{Checks, Read as _},
        names,
        place::Place,
        pod,
    },
    Subject,
};

/// Whatever the kind of controller, these count pods.
const COUNTS: [&str; 17] = [
    "replicas",
    "fullyLabeledReplicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "currentReplicas",
    "terminatingReplicas",
    "collisionCount",
    "observedGeneration",
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
];

/// Of deployments, sets and daemons: nothing below zero, no part larger than the whole.
pub(super) fn workload(checks: &mut Checks, subject: &Subject<'_>, kind: &str) {
    let place = Place::ROOT.field("status");
    let status = &subject.new["status"];
    for name in COUNTS {
        checks.not_negative(&place, status, name);
    }
    if kind == "daemonsets" {
        return;
    }
    let count = |name: &str| status.int(name).unwrap_or(0);
    let parts: &[&str] = match kind {
        "deployments" => &["updatedReplicas", "readyReplicas", "availableReplicas"],
        "statefulsets" => {
            &["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"]
        }
        _ => &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
    };
    for name in parts {
        if count(name) > count("replicas") {
            let text = "cannot be greater than status.replicas";
            checks.invalid(&place.field(name), count(name), text);
        }
    }
    if count("availableReplicas") > count("readyReplicas") {
        let ready = if kind == "statefulsets" { "status.readyReplicas" } else { "readyReplicas" };
        let text = format!("cannot be greater than {ready}");
        checks.invalid(&place.field("availableReplicas"), count("availableReplicas"), &text);
    }
}

pub(super) fn namespace(checks: &mut Checks, subject: &Subject<'_>) {
    let phase = subject.new["status"].text("phase");
    let at = Place::ROOT.field("status.Phase");
    let deleting = subject.new["metadata"].get_some("deletionTimestamp").is_some();
    match (deleting, phase) {
        (false, "Active") | (true, "Terminating") => {}
        (false, _) => {
            checks.invalid(&at, phase, "may only be 'Active' if `deletionTimestamp` is empty");
        }
        (true, _) => {
            let text = "may only be 'Terminating' if `deletionTimestamp` is not empty";
            checks.invalid(&at, phase, text);
        }
    }
}

pub(super) fn service(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("status.loadBalancer.ingress");
    let list = subject.new["status"]["loadBalancer"].list("ingress");
    if subject.new["spec"].text("type") != "LoadBalancer" {
        if !list.is_empty() {
            let text = "may only be used when `spec.type` is 'LoadBalancer'";
            checks.forbidden(&place, text);
        }
        return;
    }
    for (index, ingress) in list.iter().enumerate() {
        let at = place.index(index);
        let (ip, host) = (ingress.text("ip"), ingress.text("hostname"));
        if !ip.is_empty() {
            pod::ip(checks, &at.field("ip"), ip);
        }
        match ingress.get("ipMode") {
            Some(Value::String(_)) if ip.is_empty() => {
                checks.forbidden(&at.field("ipMode"), "may not be specified when `ip` is not set");
            }
            Some(Value::String(mode)) => {
                checks.one_of(&at.field("ipMode"), mode, &["Proxy", "VIP"]);
            }
            _ if !ip.is_empty() => {
                checks.required(&at.field("ipMode"), "must be specified when `ip` is set");
            }
            _ => {}
        }
        if !host.is_empty() {
            checks.invalids(&at.field("hostname"), host, names::subdomain(host));
            if host.parse::<std::net::IpAddr>().is_ok() {
                let text = "must be a DNS name, not an IP address";
                checks.invalid(&at.field("hostname"), host, text);
            }
        }
    }
}
