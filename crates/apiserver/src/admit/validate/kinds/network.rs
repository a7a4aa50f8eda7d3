//! Ingresses and network policies.

use std::net::IpAddr;

use serde_json::Value;

use super::{
    super::{
        checks::{Checks, Read as _},
        names,
        place::Place,
        pod,
    },
    Subject, service,
};

pub(super) fn ingress(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let rules = spec.list("rules");
    let backend_of_all = spec.get_some("defaultBackend");
    if rules.is_empty() && backend_of_all.is_none() {
        let text = "either `defaultBackend` or `rules` must be specified";
        checks.invalid(&place, Value::Null, text);
    }
    if let Some(default) = backend_of_all {
        backend(checks, default, &place.field("defaultBackend"));
    }
    let list = place.field("rules");
    for (index, rule) in rules.iter().enumerate() {
        let at = list.index(index);
        host(checks, rule.text("host"), &at.field("host"), true);
        let Some(http) = rule.get_some("http") else { continue };
        let at = at.field("http");
        let paths = at.field("paths");
        if http.list("paths").is_empty() {
            checks.required(&paths, "");
        }
        for (index, path) in http.list("paths").iter().enumerate() {
            ingress_path(checks, path, &paths.index(index));
        }
    }
    let list = place.field("tls");
    for (index, tls) in spec.list("tls").iter().enumerate() {
        let at = list.index(index);
        let hosts = at.field("hosts");
        for (index, name) in tls.texts("hosts").enumerate() {
            host(checks, name, &hosts.index(index), false);
        }
        let secret = tls.text("secretName");
        if !secret.is_empty() {
            checks.invalids(&at.field("secretName"), secret, names::subdomain(secret));
        }
    }
    if let Some(Value::String(class)) = spec.get("ingressClassName") {
        checks.invalids(&place.field("ingressClassName"), class, names::subdomain(class));
    }
}

fn host(checks: &mut Checks, host: &str, place: &Place<'_>, may_lack: bool) {
    if host.is_empty() && may_lack {
        return;
    }
    if may_lack && host.parse::<IpAddr>().is_ok() {
        checks.invalid(place, host, "must be a DNS name, not an IP address");
    }
    if host.contains('*') {
        checks.invalids(place, host, names::wildcard_subdomain(host));
    } else {
        checks.invalids(place, host, names::subdomain(host));
    }
}

fn ingress_path(checks: &mut Checks, path: &Value, place: &Place<'_>) {
    let Some(Value::String(kind)) = path.get("pathType") else {
        return checks.required(&place.field("pathType"), "pathType must be specified");
    };
    let text = path.text("path");
    let at = place.field("path");
    let absolute = text.starts_with('/');
    match &**kind {
        "Exact" | "Prefix" => {
            if !absolute {
                checks.invalid(&at, text, "must be an absolute path");
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.contains(part) {
                    checks.invalid(&at, text, &format!("must not contain '{part}'"));
                }
            }
            for part in ["/..", "/."] {
                if text.ends_with(part) {
                    checks.invalid(&at, text, &format!("cannot end with '{part}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !absolute {
                checks.invalid(&at, text, "must be an absolute path");
            }
        }
        _ => {
            let known = ["Exact", "ImplementationSpecific", "Prefix"];
            checks.unsupported(&place.field("pathType"), kind, &known);
        }
    }
    backend(checks, &path["backend"], &place.field("backend"));
}

fn backend(checks: &mut Checks, backend: &Value, place: &Place<'_>) {
    match (backend.get_some("resource"), backend.get_some("service")) {
        (Some(_), Some(_)) => {
            checks.invalid(place, "", "cannot set both resource and service backends");
        }
        (Some(resource), None) => {
            let at = place.field("resource");
            for name in ["kind", "name"] {
                let value = resource.text(name);
                if value.is_empty() {
                    checks.required(&at.field(name), "");
                } else {
                    let rule = names::name_is_path_segment;
                    checks.invalids(&at.field(name), value, rule(value, false));
                }
            }
        }
        (None, Some(service)) => {
            let at = place.field("service");
            let name = service.text("name");
            if name.is_empty() {
                checks.required(&at.field("name"), "");
            } else {
                checks.invalids(&at.field("name"), name, names::label(name));
            }
            let (name, number) =
                (service["port"].text("name"), service["port"].int("number").unwrap_or(0));
            let at = at.field("port");
            match (name, number) {
                ("", 0) => checks.required(place, "port name or number is required"),
                ("", number) => {
                    for text in names::port_number(number) {
                        checks.invalid(&at.field("number"), number, &text);
                    }
                }
                (name, 0) => checks.invalids(&at.field("name"), name, names::port_name(name)),
                _ => checks.invalid(place, "", "cannot set both port name & port number"),
            }
        }
        (None, None) => checks.invalid(place, "", "resource or service backend is required"),
    }
}

pub(super) fn ingress_class(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let controller = spec.text("controller");
    let at = place.field("controller");
    if controller.len() > 250 {
        checks.push(crate::status::Cause::too_long(at.to_string(), 250));
    }
    if controller.is_empty() {
        checks.required(&at, "");
    } else if !controller.split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty()) {
        let text = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        checks.invalid(&at, controller, text);
    } else if let Some((domain, _)) = controller.split_once('/') {
        checks.invalids(&at, domain, names::subdomain(domain));
    }
    if let Some(old) = subject.old {
        checks.immutable(&at, &spec["controller"], &old["spec"]["controller"]);
    }
}

pub(super) fn policy(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    pod::label_selector(checks, &spec["podSelector"], &place.field("podSelector"));
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let list = place.field(direction);
        for (index, rule) in spec.list(direction).iter().enumerate() {
            let at = list.index(index);
            let ports = at.field("ports");
            for (index, port) in rule.list("ports").iter().enumerate() {
                policy_port(checks, port, &ports.index(index));
            }
            let list = at.field(peers);
            for (index, peer) in rule.list(peers).iter().enumerate() {
                policy_peer(checks, peer, &list.index(index));
            }
        }
    }
    let types = place.field("policyTypes");
    if spec.list("policyTypes").len() > 2 {
        let text = "may not specify more than two policyTypes";
        return checks.invalid(&types, spec["policyTypes"].clone(), text);
    }
    for (index, kind) in spec.texts("policyTypes").enumerate() {
        checks.one_of(&types.index(index), kind, &["Ingress", "Egress"]);
    }
}

fn policy_port(checks: &mut Checks, port: &Value, place: &Place<'_>) {
    if let Some(Value::String(protocol)) = port.get("protocol") {
        checks.one_of(&place.field("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
    }
    let end = port.int("endPort");
    let at = place.field("endPort");
    match port.get_some("port") {
        Some(Value::String(name)) => {
            if let Some(end) = end {
                let text = "may not be specified when `port` is non-numeric";
                checks.invalid(&at, end, text);
            }
            checks.invalids(&place.field("port"), name, names::port_name(name));
        }
        Some(number) => {
            let number = number.as_i64().unwrap_or(0);
            for text in names::port_number(number) {
                checks.invalid(&place.field("port"), number, &text);
            }
            if let Some(end) = end {
                if end < number {
                    checks.invalid(&at, number, "must be greater than or equal to `port`");
                }
                for text in names::port_number(end) {
                    checks.invalid(&at, end, &text);
                }
            }
        }
        None => {
            if let Some(end) = end {
                checks.invalid(&at, end, "may not be specified when `port` is not specified");
            }
        }
    }
}

fn policy_peer(checks: &mut Checks, peer: &Value, place: &Place<'_>) {
    let mut count = 0;
    for name in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = peer.get_some(name) {
            count += 1;
            pod::label_selector(checks, selector, &place.field(name));
        }
    }
    let block = peer.get_some("ipBlock");
    if let Some(block) = block {
        count += 1;
        let at = place.field("ipBlock");
        let range = block.text("cidr");
        if range.is_empty() {
            checks.required(&at.field("cidr"), "");
        } else {
            service::cidr(checks, range, &at.field("cidr"));
            let list = at.field("except");
            for (index, except) in block.texts("except").enumerate() {
                let at = list.index(index);
                service::cidr(checks, except, &at);
                if contains(range, except) == Some(false) {
                    checks.invalid(&at, except, "must be a strict subset of `cidr`");
                }
            }
        }
    }
    if count == 0 {
        checks.required(place, "must specify a peer");
    } else if count > 1 && block.is_some() {
        checks.forbidden(place, "may not specify both ipBlock and another peer");
    }
}

/// Whether a range strictly contains another; `None` if one is no range.
fn contains(range: &str, other: &str) -> Option<bool> {
    let parse = |text: &str| {
        let (address, bits) = text.split_once('/')?;
        Some((address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?))
    };
    let ((range, bits), (other, more)) = (parse(range)?, parse(other)?);
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, true),
        IpAddr::V6(address) => (u128::from(address), false),
    };
    let ((range, four), (other, also_four)) = (number(range), number(other));
    let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
    Some(four == also_four && bits < more && range & mask == other & mask)
}
