//! Pods, and the templates of pods.
//!
//! Follows `pkg/apis/core/validation` of Kubernetes 1.36, but for what only Windows and rarely used
//! volume plugins need. Privileged containers are allowed.

mod containers;
mod probes;
mod resources;
mod scheduling;
mod security;
mod volumes;

use serde_json::Value;

pub(super) use self::scheduling::{label_selector, node_selector};
pub(super) use self::{
    probes::port,
    resources::{amount, resource_name},
};
use super::{
    checks::{Checks, Read as _, same},
    metadata, names,
    place::Place,
};
use crate::status::Cause;

/// A template: metadata without a name, and a specification.
pub(super) fn template(checks: &mut Checks, template: &Value, place: &Place<'_>) {
    metadata::template(checks, &template["metadata"], place);
    specification(checks, &template["spec"], &place.field("spec"));
    if !template["spec"].list("ephemeralContainers").is_empty() {
        let spec = place.field("spec");
        checks.forbidden(
            &spec.field("ephemeralContainers"),
            "ephemeral containers not allowed in pod template",
        );
    }
}

/// A pod of its own.
pub(super) fn pod(checks: &mut Checks, pod: &Value) {
    specification(checks, &pod["spec"], &Place::ROOT.field("spec"));
}

/// What may change of a pod that exists.
pub(super) fn update(checks: &mut Checks, new: &Value, old: &Value) {
    let place = Place::ROOT.field("spec");
    let (mut changed, former) = (new["spec"].clone(), &old["spec"]);
    for list in ["containers", "initContainers"] {
        let (count, before) = (changed.list(list).len(), former.list(list).len());
        if count != before {
            checks.forbidden(&place.field(list), "pod updates may not add or remove containers");
            return;
        }
        // Images may change.
        for index in 0..count {
            changed[list][index]["image"] = former[list][index]["image"].clone();
            if changed[list][index]["image"].is_null()
                && let Some(container) = changed[list][index].as_object_mut()
            {
                container.shift_remove("image");
            }
        }
    }
    for (index, container) in new["spec"].list("containers").iter().enumerate() {
        if container.text("image").is_empty() {
            let list = place.field("containers");
            checks.required(&list.index(index).field("image"), "");
        }
    }
    for name in ["activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations"] {
        match former.get(name) {
            Some(value) => changed[name] = value.clone(),
            None => {
                if let Some(spec) = changed.as_object_mut() {
                    spec.shift_remove(name);
                }
            }
        }
    }
    let kept = former
        .list("tolerations")
        .iter()
        .all(|toleration| new["spec"].list("tolerations").contains(toleration));
    if !kept {
        checks.forbidden(
            &place.field("tolerations"),
            "existing toleration can not be modified except its tolerationSeconds",
        );
    }
    if !same(&changed, former) {
        checks.push(Cause::forbidden(
            place.to_string(),
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ));
    }
}

pub(super) fn specification(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let sources = volumes::check(checks, spec.list("volumes"), &place.field("volumes"));
    claims(checks, spec, place);
    containers::check(checks, spec, &sources, place);
    host_network_ports(checks, spec, place);
    let policy = spec.text("restartPolicy");
    checks.one_of(&place.field("restartPolicy"), policy, &["Always", "OnFailure", "Never"]);
    checks.one_of(
        &place.field("dnsPolicy"),
        spec.text("dnsPolicy"),
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
    );
    metadata::label_map(checks, &spec["nodeSelector"], &place.field("nodeSelector"));
    security::pod(checks, &spec["securityContext"], &place.field("securityContext"));
    scheduling::affinity(checks, &spec["affinity"], &place.field("affinity"));
    dns(checks, spec, &place.field("dnsConfig"));
    for (index, gate) in spec.list("readinessGates").iter().enumerate() {
        let kind = gate.text("conditionType");
        let list = place.field("readinessGates");
        let at = list.index(index);
        checks.invalids(&at.field("conditionType"), kind, names::qualified_name(kind));
    }
    scheduling::spread(checks, spec, &place.field("topologySpreadConstraints"));
    names_of(checks, spec, place);
    scheduling::tolerations(checks, spec, &place.field("tolerations"));
    for (index, alias) in spec.list("hostAliases").iter().enumerate() {
        let address = alias.text("ip");
        let list = place.field("hostAliases");
        let at = list.index(index);
        ip(checks, &at.field("ip"), address);
        let hosts = at.field("hostnames");
        for (index, host) in alias.texts("hostnames").enumerate() {
            checks.invalids(&hosts.index(index), host, names::subdomain(host));
        }
    }
    if let Some(overhead) = spec.entries("overhead") {
        for (name, value) in overhead {
            let map = place.field("overhead");
            resources::amount(checks, name, value, &map.key(name));
        }
    }
}

fn claims(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let list = place.field("resourceClaims");
    let mut seen = std::collections::HashSet::new();
    for (index, claim) in spec.list("resourceClaims").iter().enumerate() {
        let at = list.index(index);
        let name = claim.text("name");
        if name.is_empty() {
            checks.required(&at.field("name"), "");
        } else {
            checks.invalids(&at.field("name"), name, names::label(name));
            if !seen.insert(name) {
                checks.duplicate(&at.field("name"), name);
            }
        }
        let given = ["resourceClaimName", "resourceClaimTemplateName"]
            .iter()
            .filter(|name| claim.get_some(name).is_some())
            .count();
        match given {
            0 => checks.invalid(
                &at,
                claim.clone(),
                "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            ),
            1 => {}
            _ => checks.invalid(
                &at,
                claim.clone(),
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            ),
        }
    }
}

fn names_of(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    for name in ["serviceAccountName", "nodeName"] {
        let value = spec.text(name);
        if !value.is_empty() {
            checks.invalids(&place.field(name), value, names::subdomain(value));
        }
    }
    if let Some(seconds) = spec.int("activeDeadlineSeconds")
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let text = names::between(1, i64::from(i32::MAX));
        checks.invalid(&place.field("activeDeadlineSeconds"), seconds, &text);
    }
    for name in ["hostname", "subdomain"] {
        let value = spec.text(name);
        if !value.is_empty() {
            checks.invalids(&place.field(name), value, names::label(value));
        }
    }
    for name in ["priorityClassName", "runtimeClassName"] {
        if let Some(Value::String(value)) = spec.get(name) {
            checks.invalids(&place.field(name), value, names::subdomain(value));
        }
    }
    if let Some(Value::String(policy)) = spec.get("preemptionPolicy") {
        let known = ["PreemptLowerPriority", "Never"];
        checks.one_of(&place.field("preemptionPolicy"), policy, &known);
    }
    if let Some(os) = spec.get_some("os") {
        let name = os.text("name");
        let at = place.field("os");
        if name.is_empty() {
            checks.required(&at.field("name"), "cannot be empty");
        } else {
            checks.one_of(&at, name, &["linux", "windows"]);
        }
    }
}

/// Ports of containers on the host's network are the host's.
fn host_network_ports(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    if !spec.flag("hostNetwork") {
        return;
    }
    for list in ["containers", "initContainers"] {
        for (index, container) in spec.list(list).iter().enumerate() {
            let items = place.field(list);
            let at = items.index(index);
            let ports = at.field("ports");
            for (index, port) in container.list("ports").iter().enumerate() {
                let host = port.int("hostPort").unwrap_or(0);
                if host != 0 && Some(host) != port.int("containerPort") {
                    checks.invalid(
                        &ports.index(index).field("hostPort"),
                        host,
                        "must match `containerPort` when `hostNetwork` is true",
                    );
                }
            }
        }
    }
}

fn dns(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let config = spec.get_some("dnsConfig");
    let servers = config.map_or(&[][..], |config| config.list("nameservers"));
    if spec.text("dnsPolicy") == "None" {
        if config.is_none() {
            return checks.required(place, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            return checks.required(
                &place.field("nameservers"),
                "must provide at least one DNS nameserver when `dnsPolicy` is None",
            );
        }
    }
    let Some(config) = config else { return };
    let at = place.field("nameservers");
    if servers.len() > 3 {
        checks.invalid(&at, config["nameservers"].clone(), "must not have more than 3 nameservers");
    }
    for (index, server) in config.texts("nameservers").enumerate() {
        ip(checks, &at.index(index), server);
    }
    let searches = config.list("searches");
    if searches.len() > 32 {
        let text = "must not have more than 32 search paths";
        checks.invalid(&place.field("searches"), config["searches"].clone(), text);
    }
    for (index, option) in config.list("options").iter().enumerate() {
        if option.text("name").is_empty() {
            checks.required(&place.field("options").index(index), "must not be empty");
        }
    }
}

/// An address, of either family.
pub(super) fn ip(checks: &mut Checks, place: &Place<'_>, text: &str) {
    if text.parse::<std::net::IpAddr>().is_err() {
        checks.invalid(
            place,
            text,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        );
    }
}
