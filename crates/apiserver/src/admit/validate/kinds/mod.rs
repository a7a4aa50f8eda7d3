//! The rules of built-in kinds.
//!
//! Follows the `validation` packages of Kubernetes 1.36. A kind that is not listed has only the
//! rules of metadata.

mod access;
mod batch;
mod config;
mod extend;
mod network;
mod policy;
mod service;
mod status;
mod storage;
mod workload;

use serde_json::Value;

use super::{
    checks::{Checks, Read as _},
    metadata, names,
    names::NameRule,
    place::Place,
    pod,
};
use crate::{registry::Resource, status::Cause};

/// An object and what it replaces.
struct Subject<'o> {
    new: &'o Value,
    old: Option<&'o Value>,
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn validate(
    checks: &mut Checks,
    resource: &Resource,
    new: &Value,
    old: Option<&Value>,
    subresource: &str,
) {
    let kind = (&*resource.group, &*resource.plural);
    if kind == ("policy", "poddisruptionbudgets") && old.is_none() {
        // The only kind whose own rules come first, and alone.
        policy::budget(checks, &Subject { new, old });
        if !checks.causes.is_empty() {
            return;
        }
    }
    match old {
        None => metadata::create(checks, new, resource.namespaced, name_rule(kind)),
        Some(old) => metadata::update(checks, new, old, resource.namespaced),
    }
    if has_core_metadata(&resource.group) {
        metadata::standard_finalizers(checks, new);
    }
    let subject = Subject { new, old };
    if subresource == "status" {
        match kind {
            ("apps", kind) => status::workload(checks, &subject, kind),
            ("", "replicationcontrollers") => status::workload(checks, &subject, kind.1),
            ("", "namespaces") => status::namespace(checks, &subject),
            ("", "services") => status::service(checks, &subject),
            _ => {}
        }
    }
    if !subresource.is_empty() {
        return;
    }
    match kind {
        ("", "pods") => match old {
            None => {
                pod::pod(checks, new);
                if !new["spec"].list("ephemeralContainers").is_empty() {
                    let at = Place::ROOT.field("spec");
                    checks.forbidden(&at.field("ephemeralContainers"), "cannot be set on create");
                }
            }
            Some(old) => {
                pod::pod(checks, new);
                pod::update(checks, new, old);
            }
        },
        ("", "podtemplates") => {
            pod::template(checks, &new["template"], &Place::ROOT.field("template"));
        }
        ("", "configmaps") => config::config_map(checks, &subject),
        ("", "secrets") => config::secret(checks, &subject),
        ("", "namespaces") => config::namespace(checks, &subject),
        ("", "services") => service::service(checks, &subject),
        ("", "endpoints") => service::endpoints(checks, &subject),
        ("discovery.k8s.io", "endpointslices") => service::slice(checks, &subject),
        ("", "replicationcontrollers") => workload::replication_controller(checks, &subject),
        ("", "resourcequotas") => config::quota(checks, &subject),
        ("", "limitranges") => config::limit_range(checks, &subject),
        ("", "persistentvolumeclaims") => storage::claim(checks, &subject),
        ("", "persistentvolumes") => storage::volume(checks, &subject),
        ("storage.k8s.io", "storageclasses") => storage::class(checks, &subject),
        ("apps", "deployments") => workload::deployment(checks, &subject),
        ("apps", "replicasets") => workload::replica_set(checks, &subject),
        ("apps", "daemonsets") => workload::daemon_set(checks, &subject),
        ("apps", "statefulsets") => workload::stateful_set(checks, &subject),
        ("" | "events.k8s.io", "events") => config::event(checks, &subject),
        ("apiregistration.k8s.io", "apiservices") => extend::api_service(checks, &subject),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies") => {
            extend::admission_policy(checks, &subject);
        }
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings") => {
            extend::admission_binding(checks, &subject);
        }
        ("node.k8s.io", "runtimeclasses") => policy::runtime_class(checks, &subject),
        ("batch", "jobs") => batch::job(checks, &subject),
        ("batch", "cronjobs") => batch::cron_job(checks, &subject),
        ("networking.k8s.io", "ingresses") => network::ingress(checks, &subject),
        ("networking.k8s.io", "ingressclasses") => network::ingress_class(checks, &subject),
        ("networking.k8s.io", "networkpolicies") => network::policy(checks, &subject),
        ("rbac.authorization.k8s.io", "roles") => access::role(checks, &subject, true),
        ("rbac.authorization.k8s.io", "clusterroles") => access::role(checks, &subject, false),
        ("rbac.authorization.k8s.io", "rolebindings") => access::binding(checks, &subject, true),
        ("rbac.authorization.k8s.io", "clusterrolebindings") => {
            access::binding(checks, &subject, false);
        }
        ("policy", "poddisruptionbudgets") if old.is_some() => policy::budget(checks, &subject),
        ("autoscaling", "horizontalpodautoscalers") => policy::autoscaler(checks, &subject),
        ("scheduling.k8s.io", "priorityclasses") => policy::priority(checks, &subject),
        ("coordination.k8s.io", "leases") => policy::lease(checks, &subject),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations") => {
            extend::configuration(checks, &subject, false);
        }
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations") => {
            extend::configuration(checks, &subject, true);
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            extend::definition(checks, &subject);
        }
        _ => {}
    }
}

/// Kinds whose finalizers need a domain, unless they are the server's own.
fn has_core_metadata(group: &str) -> bool {
    !matches!(
        group,
        "apiextensions.k8s.io"
            | "admissionregistration.k8s.io"
            | "apiregistration.k8s.io"
            | "events.k8s.io"
            | "policy"
    )
}

/// How objects of a kind are named.
fn name_rule(kind: (&str, &str)) -> NameRule {
    match kind {
        ("", "namespaces" | "services") | ("apps", "statefulsets") => names::name_is_label,
        ("rbac.authorization.k8s.io", _) => names::name_is_path_segment,
        ("certificates.k8s.io" | "flowcontrol.apiserver.k8s.io", _) => names::name_is_subdomain,
        ("" | "events.k8s.io", "events") => |_, _| Vec::new(),
        ("apiregistration.k8s.io", _) | ("policy", "poddisruptionbudgets") => {
            names::name_is_path_segment
        }
        _ => names::name_is_subdomain,
    }
}

/// A whole number that is not negative, or a percentage.
fn positive_or_percent(checks: &mut Checks, value: &Value, place: &Place<'_>) {
    match value {
        Value::String(text) => {
            for complaint in names::percent(text) {
                checks.invalid(place, value.clone(), &complaint);
            }
        }
        Value::Number(number) if number.as_i64().is_some_and(|number| number < 0) => {
            checks.invalid(place, value.clone(), "must be greater than or equal to 0");
        }
        _ => {}
    }
}

fn not_more_than_all(checks: &mut Checks, value: &Value, place: &Place<'_>) {
    let text = value.as_str().and_then(|text| text.strip_suffix('%'));
    if text.and_then(|text| text.parse::<u64>().ok()).is_some_and(|number| number > 100) {
        checks.invalid(place, value.clone(), "must not be greater than 100%");
    }
}

/// The number, or the number before the percent sign; zero for anything else.
fn number_or_percent(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap_or(0),
        Value::String(text) => text.strip_suffix('%').unwrap_or(text).parse().unwrap_or(0),
        _ => 0,
    }
}

/// Whether a label selector matches labels; a selector that is no object matches nothing.
fn matches(selector: &Value, labels: &Value) -> bool {
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let Some(object) = selector.as_object() else { return false };
    let equal = object
        .get("matchLabels")
        .and_then(Value::as_object)
        .is_none_or(|wanted| wanted.iter().all(|(key, value)| label(key) == value.as_str()));
    equal
        && selector.list("matchExpressions").iter().all(|requirement| {
            let found = label(requirement.text("key"));
            let among =
                found.is_some_and(|found| requirement.texts("values").any(|value| value == found));
            match requirement.text("operator") {
                "In" => among,
                "NotIn" => !among,
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        })
}

fn is_empty_selector(selector: &Value) -> bool {
    selector.entries("matchLabels").is_none_or(serde_json::Map::is_empty)
        && selector.list("matchExpressions").is_empty()
}

/// A text that must be there and be one of a few.
fn required_choice(checks: &mut Checks, place: &Place<'_>, value: &str, known: &[&str]) {
    if value.is_empty() {
        checks.required(place, "");
    } else {
        checks.one_of(place, value, known);
    }
}
