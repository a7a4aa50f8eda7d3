//! The columns of the main built-in kinds.
//!
//! Follows Kubernetes' `printers/internalversion` of 1.36.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    age, definition,
    format::{count, created, labels, length, list, name, or_none, selector, text},
    pods, workloads,
};
use crate::object::Meta as _;

/// How a kind is printed.
pub(super) struct Printer {
    pub(super) columns: &'static [Column],
    pub(super) row: fn(&Value, Timestamp) -> Vec<Value>,
}

/// Name, type and priority; those with a priority are shown with `-o wide`.
pub(super) struct Column(&'static str, &'static str, i64);

impl Column {
    pub(super) fn definition(&self) -> Value {
        let format = if self.0 == "Name" { "name" } else { "" };
        definition(self.0, self.1, format, self.2, "")
    }
}

pub(super) const fn shown(name: &'static str) -> Column {
    Column(name, "string", 0)
}

pub(super) const fn number(name: &'static str) -> Column {
    Column(name, "integer", 0)
}

pub(super) const fn boolean(name: &'static str) -> Column {
    Column(name, "boolean", 0)
}

pub(super) const fn wide(name: &'static str) -> Column {
    Column(name, "string", 1)
}

pub(super) const NAME: Column = shown("Name");
pub(super) const AGE: Column = shown("Age");

/// How a kind is printed; nothing where it shows name and creation alone.
pub(super) fn printer(group: &str, plural: &str) -> Option<Printer> {
    Some(match (group, plural) {
        ("", "pods") => Printer { columns: PODS, row: pods::row },
        ("", "services") => Printer { columns: SERVICES, row: service },
        ("", "configmaps") => Printer { columns: CONFIG_MAPS, row: config_map },
        ("", "secrets") => Printer { columns: SECRETS, row: secret },
        ("", "serviceaccounts") => Printer { columns: &[NAME, AGE], row: named },
        ("", "namespaces") => Printer { columns: NAMESPACES, row: phase },
        ("", "persistentvolumeclaims") => Printer { columns: CLAIMS, row: claim },
        ("" | "events.k8s.io", "events") => Printer { columns: EVENTS, row: event },
        ("apps", "deployments") => {
            Printer { columns: workloads::DEPLOYMENTS, row: workloads::deployment }
        }
        ("apps", "replicasets") => {
            Printer { columns: workloads::REPLICA_SETS, row: workloads::replica_set }
        }
        ("apps", "statefulsets") => {
            Printer { columns: workloads::STATEFUL_SETS, row: workloads::stateful_set }
        }
        ("apps", "daemonsets") => {
            Printer { columns: workloads::DAEMON_SETS, row: workloads::daemon_set }
        }
        ("batch", "jobs") => Printer { columns: workloads::JOBS, row: workloads::job },
        ("batch", "cronjobs") => {
            Printer { columns: workloads::CRON_JOBS, row: workloads::cron_job }
        }
        ("networking.k8s.io", "ingresses") => Printer { columns: INGRESSES, row: ingress },
        ("networking.k8s.io", "networkpolicies") => {
            Printer { columns: NETWORK_POLICIES, row: network_policy }
        }
        ("policy", "poddisruptionbudgets") => Printer { columns: BUDGETS, row: budget },
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            Printer { columns: BINDINGS, row: binding }
        }
        ("coordination.k8s.io", "leases") => Printer { columns: LEASES, row: lease },
        _ => return None,
    })
}

const CONFIG_MAPS: &[Column] = &[NAME, shown("Data"), AGE];
const SECRETS: &[Column] = &[NAME, shown("Type"), shown("Data"), AGE];
const NAMESPACES: &[Column] = &[NAME, shown("Status"), AGE];
const NETWORK_POLICIES: &[Column] = &[NAME, shown("Pod-Selector"), AGE];
const LEASES: &[Column] = &[NAME, shown("Holder"), AGE];
const PODS: &[Column] = &[
    NAME,
    shown("Ready"),
    shown("Status"),
    shown("Restarts"),
    AGE,
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
];

fn named(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), created(object, now)]
}

fn phase(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(&object["status"]["phase"]), created(object, now)]
}

fn config_map(object: &Value, now: Timestamp) -> Vec<Value> {
    let keys = length(&object["data"]) + length(&object["binaryData"]);
    vec![name(object), keys.into(), created(object, now)]
}

fn secret(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(&object["type"]), length(&object["data"]).into(), created(object, now)]
}

fn lease(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(&object["spec"]["holderIdentity"]), created(object, now)]
}

fn network_policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), selector(&object["spec"]["podSelector"]).into(), created(object, now)]
}

const SERVICES: &[Column] = &[
    NAME,
    shown("Type"),
    shown("Cluster-IP"),
    shown("External-IP"),
    shown("Port(s)"),
    AGE,
    wide("Selector"),
];

fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let ports: Vec<String> = list(&spec["ports"])
        .iter()
        .map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or_default();
            match count(&port["nodePort"]) {
                0 => format!("{}/{protocol}", port["port"]),
                node_port => format!("{}:{node_port}/{protocol}", port["port"]),
            }
        })
        .collect();
    let ports = if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") };
    vec![
        name(object),
        text(&spec["type"]),
        or_none(&spec["clusterIP"]),
        external(object).into(),
        ports.into(),
        created(object, now),
        labels(&spec["selector"]).into(),
    ]
}

/// Where a service is reached from outside.
fn external(service: &Value) -> String {
    let spec = &service["spec"];
    let mut addresses: Vec<&str> = Vec::new();
    match spec["type"].as_str() {
        Some("ExternalName") => {
            return spec["externalName"].as_str().unwrap_or_default().to_owned();
        }
        Some("LoadBalancer") => addresses.extend(balancer(service)),
        _ => {}
    }
    addresses.extend(list(&spec["externalIPs"]).iter().filter_map(Value::as_str));
    match (addresses.is_empty(), spec["type"].as_str()) {
        (false, _) => addresses.join(","),
        (true, Some("LoadBalancer")) => "<pending>".to_owned(),
        (true, _) => "<none>".to_owned(),
    }
}

fn balancer(object: &Value) -> Vec<&str> {
    let points = list(&object["status"]["loadBalancer"]["ingress"]).iter();
    let mut found: Vec<&str> =
        points.filter_map(|point| point["ip"].as_str().or(point["hostname"].as_str())).collect();
    found.sort_unstable();
    found.dedup();
    found
}

const INGRESSES: &[Column] =
    &[NAME, shown("Class"), shown("Hosts"), shown("Address"), shown("Ports"), AGE];

fn ingress(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let hosts: Vec<&str> =
        list(&spec["rules"]).iter().filter_map(|rule| rule["host"].as_str()).collect();
    let hosts = match hosts.len() {
        0 => "*".to_owned(),
        1..=3 => hosts.join(","),
        more => format!("{} + {} more...", hosts[..3].join(","), more - 3),
    };
    let ports = if list(&spec["tls"]).is_empty() { "80" } else { "80, 443" };
    vec![
        name(object),
        or_none(&spec["ingressClassName"]),
        hosts.into(),
        balancer(object).join(",").into(),
        ports.into(),
        created(object, now),
    ]
}

const CLAIMS: &[Column] = &[
    NAME,
    shown("Status"),
    shown("Volume"),
    shown("Capacity"),
    shown("Access Modes"),
    shown("StorageClass"),
    shown("VolumeAttributesClass"),
    AGE,
    wide("VolumeMode"),
];

fn claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let phase = if object.is_deleting() { "Terminating".into() } else { text(&status["phase"]) };
    let bound = !spec["volumeName"].as_str().unwrap_or_default().is_empty();
    let modes: Vec<&str> = list(&status["accessModes"])
        .iter()
        .filter_map(|mode| match mode.as_str()? {
            "ReadWriteOnce" => Some("RWO"),
            "ReadOnlyMany" => Some("ROX"),
            "ReadWriteMany" => Some("RWX"),
            "ReadWriteOncePod" => Some("RWOP"),
            _ => None,
        })
        .collect();
    let unset = |value: &Value| Value::from(value.as_str().unwrap_or("<unset>"));
    vec![
        name(object),
        phase,
        text(&spec["volumeName"]),
        if bound { text(&status["capacity"]["storage"]) } else { "".into() },
        if bound { modes.join(",").into() } else { "".into() },
        text(&spec["storageClassName"]),
        unset(&spec["volumeAttributesClassName"]),
        created(object, now),
        unset(&spec["volumeMode"]),
    ]
}

const EVENTS: &[Column] = &[
    shown("Last Seen"),
    shown("Type"),
    shown("Reason"),
    shown("Object"),
    wide("Subobject"),
    wide("Source"),
    shown("Message"),
    wide("First Seen"),
    wide("Count"),
    wide("Name"),
];

fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let first_of = |times: &[&Value]| {
        let known = times.iter().find(|time| time.as_str().is_some_and(|text| !text.is_empty()));
        age::of(known.copied().unwrap_or(&Value::Null), now)
    };
    let (once, first) = (&object["eventTime"], &object["firstTimestamp"]);
    let series = &object["series"];
    let last = if series.is_object() {
        first_of(&[&series["lastObservedTime"]])
    } else {
        first_of(&[&object["lastTimestamp"], first, once])
    };
    let times = if series.is_object() { &series["count"] } else { &object["count"] };
    let involved = &object["involvedObject"];
    let kind = involved["kind"].as_str().unwrap_or_default().to_lowercase();
    let about = match involved.name_of() {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let source = &object["source"];
    let component = source["component"].as_str().filter(|text| !text.is_empty());
    let component = component.or(object["reportingComponent"].as_str()).unwrap_or_default();
    let host = source["host"].as_str().filter(|text| !text.is_empty());
    let source = host.map_or_else(|| component.to_owned(), |host| format!("{component}, {host}"));
    vec![
        last.into(),
        text(&object["type"]),
        text(&object["reason"]),
        about.into(),
        text(&involved["fieldPath"]),
        source.into(),
        object["message"].as_str().unwrap_or_default().trim().into(),
        first_of(&[first, once]).into(),
        count(times).max(1).into(),
        name(object),
    ]
}

/// A reference's own name.
trait Named {
    fn name_of(&self) -> &str;
}

impl Named for Value {
    fn name_of(&self) -> &str {
        self["name"].as_str().unwrap_or_default()
    }
}

const BUDGETS: &[Column] =
    &[NAME, shown("Min Available"), shown("Max Unavailable"), number("Allowed Disruptions"), AGE];

fn budget(object: &Value, now: Timestamp) -> Vec<Value> {
    let bound = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => "N/A".to_owned(),
    };
    vec![
        name(object),
        bound(&object["spec"]["minAvailable"]).into(),
        bound(&object["spec"]["maxUnavailable"]).into(),
        count(&object["status"]["disruptionsAllowed"]).into(),
        created(object, now),
    ]
}

const BINDINGS: &[Column] =
    &[NAME, shown("Role"), AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts")];

fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let role = &object["roleRef"];
    let subjects = |kind: &str| {
        let of_kind = list(&object["subjects"]).iter().filter(|subject| subject["kind"] == kind);
        let names: Vec<String> = of_kind
            .map(|subject| match subject["namespace"].as_str() {
                Some(namespace) if kind == "ServiceAccount" => {
                    format!("{namespace}/{}", subject.name_of())
                }
                _ => subject.name_of().to_owned(),
            })
            .collect();
        Value::from(names.join(", "))
    };
    vec![
        name(object),
        format!("{}/{}", role["kind"].as_str().unwrap_or_default(), role.name_of()).into(),
        created(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}
