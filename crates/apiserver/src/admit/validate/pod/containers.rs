//! Containers of a pod.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    super::{
        checks::{Checks, Read as _},
        names,
        place::Place,
    },
    probes, resources, security,
    volumes::{self, Sources},
};

pub(super) fn check(checks: &mut Checks, spec: &Value, sources: &Sources<'_>, place: &Place<'_>) {
    let list = place.field("containers");
    let containers = spec.list("containers");
    if containers.is_empty() {
        checks.required(&list, "");
    }
    let mut names = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = list.index(index);
        common(checks, container, sources, &at);
        if !names.insert(container.text("name")) {
            checks.duplicate(&at.field("name"), container.text("name"));
        }
        let lifecycle = at.field("lifecycle");
        for hook in ["postStart", "preStop"] {
            if let Some(handler) = container["lifecycle"].get_some(hook) {
                probes::handler(checks, handler, &lifecycle.field(hook));
            }
        }
        probes::all(checks, container, &at);
        restart(checks, container, &at);
    }
    host_ports(checks, containers, &list);
    init(checks, spec, sources, &names, place);
    ephemeral(checks, spec, sources, &mut names, place);
}

fn init(
    checks: &mut Checks,
    spec: &Value,
    sources: &Sources<'_>,
    names: &HashSet<&str>,
    place: &Place<'_>,
) {
    let list = place.field("initContainers");
    let mut seen = names.clone();
    for (index, container) in spec.list("initContainers").iter().enumerate() {
        let at = list.index(index);
        common(checks, container, sources, &at);
        let name = container.text("name");
        if !name.is_empty() && !seen.insert(name) {
            checks.duplicate(&at.field("name"), name);
        }
        host_ports(checks, std::slice::from_ref(container), &list);
        restart(checks, container, &at);
        if container.text("restartPolicy") == "Always" {
            let lifecycle = at.field("lifecycle");
            for hook in ["postStart", "preStop"] {
                if let Some(handler) = container["lifecycle"].get_some(hook) {
                    probes::handler(checks, handler, &lifecycle.field(hook));
                }
            }
            probes::all(checks, container, &at);
            continue;
        }
        if container.get_some("lifecycle").is_some() {
            let text = "may not be set for init containers without restartPolicy=Always";
            checks.forbidden(&at.field("lifecycle"), text);
        }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            if container.get_some(probe).is_some() {
                let text = "may not be set for init containers without restartPolicy=Always";
                checks.forbidden(&at.field(probe), text);
            }
        }
    }
}

fn ephemeral<'v>(
    checks: &mut Checks,
    spec: &'v Value,
    sources: &Sources<'_>,
    names: &mut HashSet<&'v str>,
    place: &Place<'_>,
) {
    let list = place.field("ephemeralContainers");
    names.extend(spec.list("initContainers").iter().map(|container| container.text("name")));
    let targets = names.clone();
    for (index, container) in spec.list("ephemeralContainers").iter().enumerate() {
        let at = list.index(index);
        common(checks, container, sources, &at);
        if !names.insert(container.text("name")) {
            checks.duplicate(&at.field("name"), container.text("name"));
        }
        let target = container.text("targetContainerName");
        if !target.is_empty() && !targets.contains(target) {
            checks.not_found(&at.field("targetContainerName"), target);
        }
        for name in ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] {
            if container.get_some(name).is_some() {
                checks.forbidden(&at.field(name), "cannot be set for an Ephemeral Container");
            }
        }
    }
}

fn restart(checks: &mut Checks, container: &Value, place: &Place<'_>) {
    match container.get("restartPolicy") {
        Some(Value::String(policy)) => {
            let known = ["Always", "Never", "OnFailure"];
            checks.one_of(&place.field("restartPolicy"), policy, &known);
        }
        _ if !container.list("restartPolicyRules").is_empty() => checks.required(
            &place.field("restartPolicy"),
            "must specify restartPolicy when restart rules are used",
        ),
        _ => {}
    }
}

fn common(checks: &mut Checks, container: &Value, sources: &Sources<'_>, place: &Place<'_>) {
    let name = container.text("name");
    if name.is_empty() {
        checks.required(&place.field("name"), "");
    } else {
        checks.invalids(&place.field("name"), name, names::label(name));
    }
    if container.text("image").is_empty() {
        checks.required(&place.field("image"), "");
    }
    checks.one_of(
        &place.field("terminationMessagePolicy"),
        container.text("terminationMessagePolicy"),
        &["File", "FallbackToLogsOnError"],
    );
    ports(checks, container.list("ports"), &place.field("ports"));
    environment(checks, container, place);
    mounts(checks, container, sources, place);
    devices(checks, container, sources, place);
    checks.one_of(
        &place.field("imagePullPolicy"),
        container.text("imagePullPolicy"),
        &["Always", "IfNotPresent", "Never"],
    );
    resources::requirements(checks, &container["resources"], &place.field("resources"));
    security::container(checks, &container["securityContext"], &place.field("securityContext"));
}

fn ports(checks: &mut Checks, ports: &[Value], place: &Place<'_>) {
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = place.index(index);
        let name = port.text("name");
        if !name.is_empty() {
            let complaints = names::port_name(name);
            if complaints.is_empty() && !seen.insert(name) {
                checks.duplicate(&at.field("name"), name);
            }
            checks.invalids(&at.field("name"), name, complaints);
        }
        match port.int("containerPort").unwrap_or(0) {
            0 => checks.required(&at.field("containerPort"), ""),
            number => {
                for text in names::port_number(number) {
                    checks.invalid(&at.field("containerPort"), number, &text);
                }
            }
        }
        if let Some(number) = port.int("hostPort")
            && number != 0
        {
            for text in names::port_number(number) {
                checks.invalid(&at.field("hostPort"), number, &text);
            }
        }
        protocol(checks, port.text("protocol"), &at.field("protocol"));
    }
}

pub(super) fn protocol(checks: &mut Checks, protocol: &str, place: &Place<'_>) {
    if protocol.is_empty() {
        checks.required(place, "");
    } else {
        checks.one_of(place, protocol, &["SCTP", "TCP", "UDP"]);
    }
}

/// No two containers hold the same port of the host.
fn host_ports(checks: &mut Checks, containers: &[Value], place: &Place<'_>) {
    let mut seen = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        for (port_index, port) in container.list("ports").iter().enumerate() {
            let Some(number) = port.int("hostPort").filter(|number| *number != 0) else { continue };
            let text = format!("{}/{}/{number}", port.text("protocol"), port.text("hostIP"));
            if !seen.insert(text.clone()) {
                let at = place.index(index);
                let list = at.field("ports");
                checks.duplicate(&list.index(port_index).field("hostPort"), text);
            }
        }
    }
}

const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

fn environment(checks: &mut Checks, container: &Value, place: &Place<'_>) {
    let list = place.field("env");
    for (index, variable) in container.list("env").iter().enumerate() {
        let at = list.index(index);
        let name = variable.text("name");
        if name.is_empty() {
            checks.required(&at.field("name"), "");
        } else {
            checks.invalids(&at.field("name"), name, names::variable_name(name));
        }
        if let Some(source) = variable.get_some("valueFrom") {
            value_from(checks, source, !variable.text("value").is_empty(), &at.field("valueFrom"));
        }
    }
    let list = place.field("envFrom");
    for (index, source) in container.list("envFrom").iter().enumerate() {
        let at = list.index(index);
        let prefix = source.text("prefix");
        if !prefix.is_empty() {
            checks.invalids(&at.field("prefix"), prefix, names::variable_name(prefix));
        }
        let mut count = 0;
        for kind in ["configMapRef", "secretRef"] {
            let Some(source) = source.get_some(kind) else { continue };
            count += 1;
            let name = source.text("name");
            let at = at.field(kind);
            let at = at.field("name");
            if name.is_empty() {
                checks.required(&at, "");
            } else {
                checks.invalids(&at, name, names::name_is_subdomain(name, true));
            }
        }
        match count {
            0 => {
                checks.invalid(&list, "", "must specify one of: `configMapRef` or `secretRef`");
            }
            1 => {}
            _ => checks.invalid(&list, "", "may not have more than one field specified at a time"),
        }
    }
}

fn value_from(checks: &mut Checks, source: &Value, has_value: bool, place: &Place<'_>) {
    let mut count = 0;
    for kind in ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"] {
        let Some(source) = source.get_some(kind) else { continue };
        count += 1;
        let at = place.field(kind);
        match kind {
            "fieldRef" => field_reference(checks, source, &at),
            "resourceFieldRef" => {
                let resource = source.text("resource");
                let known = [
                    "limits.cpu",
                    "limits.ephemeral-storage",
                    "limits.memory",
                    "requests.cpu",
                    "requests.ephemeral-storage",
                    "requests.memory",
                ];
                let huge = resource.starts_with("limits.hugepages-")
                    || resource.starts_with("requests.hugepages-");
                if resource.is_empty() {
                    checks.required(&at.field("resource"), "");
                } else if !huge {
                    checks.one_of(&at.field("resource"), resource, &known);
                }
            }
            "configMapKeyRef" | "secretKeyRef" => {
                let name = source.text("name");
                checks.invalids(&at.field("name"), name, names::subdomain(name));
                let key = source.text("key");
                if key.is_empty() {
                    checks.required(&at.field("key"), "");
                } else {
                    checks.invalids(&at.field("key"), key, names::config_key(key));
                }
            }
            _ => {
                for name in ["key", "volumeName", "path"] {
                    if source.text(name).is_empty() {
                        checks.required(&at.field(name), "");
                    }
                }
            }
        }
    }
    if count == 0 {
        checks.invalid(place, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`");
    } else if has_value {
        checks.invalid(place, "", "may not be specified when `value` is not empty");
    } else if count > 1 {
        checks.invalid(place, "", "may not have more than one field specified at a time");
    }
}

fn field_reference(checks: &mut Checks, source: &Value, place: &Place<'_>) {
    let path = source.text("fieldPath");
    let at = place.field("fieldPath");
    let subscript =
        path.split_once("['").and_then(|(path, rest)| Some((path, rest.strip_suffix("']")?)));
    if path.is_empty() {
        checks.required(&at, "");
    } else if let Some((path, key)) = subscript {
        match path {
            "metadata.annotations" => {
                checks.invalids(place, key, names::qualified_name(&key.to_lowercase()));
            }
            "metadata.labels" => checks.invalids(place, key, names::qualified_name(key)),
            _ => checks.invalid(
                &at,
                source.text("fieldPath"),
                &format!(
                    "error converting fieldPath: field label does not support subscript: {path}"
                ),
            ),
        }
    } else if matches!(
        path,
        "metadata.annotations"
            | "metadata.labels"
            | "spec.restartPolicy"
            | "spec.schedulerName"
            | "status.phase"
    ) {
        checks.unsupported(&at, path, &FIELDS);
    } else if !FIELDS.contains(&path) {
        let text = format!("error converting fieldPath: field label not supported: {path}");
        checks.invalid(&at, path, &text);
    }
}

fn mounts(checks: &mut Checks, container: &Value, sources: &Sources<'_>, place: &Place<'_>) {
    let list = place.field("volumeMounts");
    let devices = container.list("volumeDevices");
    let mut seen = HashSet::new();
    for (index, mount) in container.list("volumeMounts").iter().enumerate() {
        let at = list.index(index);
        let (name, path) = (mount.text("name"), mount.text("mountPath"));
        if name.is_empty() {
            checks.required(&at.field("name"), "");
        }
        if !sources.contains_key(name) {
            checks.not_found(&at.field("name"), name);
        }
        if path.is_empty() {
            checks.required(&at.field("mountPath"), "");
        }
        if !seen.insert(path) {
            checks.invalid(&at.field("mountPath"), path, "must be unique");
        }
        if devices.iter().any(|device| device.text("name") == name) {
            checks.invalid(&at.field("name"), name, "must not already exist in volumeDevices");
        }
        if devices.iter().any(|device| device.text("devicePath") == path) {
            let text = "must not already exist as a path in volumeDevices";
            checks.invalid(&at.field("mountPath"), path, text);
        }
        let (sub, expression) = (mount.text("subPath"), mount.text("subPathExpr"));
        if !sub.is_empty() {
            volumes::descending(checks, sub, &list.field("subPath"));
        }
        if !expression.is_empty() {
            if !sub.is_empty() {
                let text = "subPathExpr and subPath are mutually exclusive";
                checks.invalid(&at.field("subPathExpr"), expression, text);
            }
            volumes::descending(checks, expression, &list.field("subPathExpr"));
        }
        if let Some(Value::String(mode)) = mount.get("mountPropagation") {
            let at = list.field("mountPropagation");
            let known = ["Bidirectional", "HostToContainer", "None"];
            checks.one_of(&at, mode, &known);
            let privileged = container["securityContext"].flag("privileged");
            if mode == "Bidirectional" && !privileged {
                let text =
                    "Bidirectional mount propagation is available only to privileged containers";
                checks.forbidden(&at, text);
            }
        }
    }
}

fn devices(checks: &mut Checks, container: &Value, sources: &Sources<'_>, place: &Place<'_>) {
    let list = place.field("volumeDevices");
    let (mut names, mut paths) = (HashSet::new(), HashSet::new());
    for (index, device) in container.list("volumeDevices").iter().enumerate() {
        let at = list.index(index);
        let (name, path) = (device.text("name"), device.text("devicePath"));
        if name.is_empty() {
            checks.required(&at.field("name"), "");
        }
        if !names.insert(name) {
            checks.invalid(&at.field("name"), name, "must be unique");
        }
        match sources.get(name) {
            Some(&("persistentVolumeClaim" | "ephemeral")) => {}
            Some(_) => {
                let text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                checks.invalid(&at.field("name"), name, text);
            }
            None => checks.not_found(&at.field("name"), name),
        }
        if path.is_empty() {
            checks.required(&at.field("devicePath"), "");
        }
        if !paths.insert(path) {
            checks.invalid(&at.field("devicePath"), path, "must be unique");
        }
    }
}
