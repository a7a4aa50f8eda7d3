//! Probes and hooks.

use serde_json::Value;

use super::super::{
    checks::{Checks, Read as _},
    names,
    place::Place,
};

/// The probes of a container.
pub(super) fn all(checks: &mut Checks, container: &Value, place: &Place<'_>) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_some(name) else { continue };
        let at = place.field(name);
        check(checks, probe, &at);
        if name == "readinessProbe" {
            if let Some(seconds) = probe.int("terminationGracePeriodSeconds") {
                let text = "must not be set for readinessProbes";
                checks.invalid(&at.field("terminationGracePeriodSeconds"), seconds, text);
            }
        } else {
            let threshold = probe.int("successThreshold").unwrap_or(1);
            if threshold != 1 {
                checks.invalid(&at.field("successThreshold"), threshold, "must be 1");
            }
        }
    }
}

fn check(checks: &mut Checks, probe: &Value, place: &Place<'_>) {
    handler(checks, probe, place);
    for name in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        checks.not_negative(place, probe, name);
    }
    if let Some(seconds) = probe.int("terminationGracePeriodSeconds")
        && seconds <= 0
    {
        let at = place.field("terminationGracePeriodSeconds");
        checks.invalid(&at, seconds, "must be greater than 0");
    }
}

/// Exactly one action.
pub(super) fn handler(checks: &mut Checks, handler: &Value, place: &Place<'_>) {
    let mut found = false;
    for kind in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let Some(action) = handler.get_some(kind) else { continue };
        let at = place.field(kind);
        if found {
            checks.forbidden(&at, "may not specify more than 1 handler type");
            continue;
        }
        found = true;
        match kind {
            "exec" if action.list("command").is_empty() => {
                checks.required(&at.field("command"), "");
            }
            "httpGet" => {
                port(checks, &action["port"], &at.field("port"));
                let scheme = action.text("scheme");
                checks.one_of(&at.field("scheme"), scheme, &["HTTP", "HTTPS"]);
                for header in action.list("httpHeaders") {
                    let name = header.text("name");
                    checks.invalids(&at.field("httpHeaders"), name, names::header_name(name));
                }
            }
            "tcpSocket" | "grpc" => port(checks, &action["port"], &at.field("port")),
            _ => {}
        }
    }
    if !found {
        checks.required(place, "must specify a handler type");
    }
}

/// A number or the name of a port.
pub(in crate::admit::validate) fn port(checks: &mut Checks, port: &Value, place: &Place<'_>) {
    if let Value::String(name) = port {
        checks.invalids(place, name, names::port_name(name));
    } else {
        let number = port.as_i64().unwrap_or(0);
        for text in names::port_number(number) {
            checks.invalid(place, number, &text);
        }
    }
}
