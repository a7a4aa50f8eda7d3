//! Random replacements.

use std::fmt::Write as _;

use crate::{case::Case, objects::Object, objects::pods::indented, rng::Rng};

/// An entry of `replacements`, with its dash.
pub(crate) fn entry(r: &mut Rng, case: &mut Case, directory: &str, objects: &[Object]) -> String {
    let body = body(r, objects);
    if r.chance(15) {
        let path = format!("rep{}.yaml", r.below(100));
        let text =
            if r.chance(50) { body } else { format!("- {}", indented(&body, 2).trim_start()) };
        case.files.insert(format!("{directory}/{path}"), vec![text]);
        return format!("- path: {path}\n");
    }
    format!("- {}", indented(&body, 2).trim_start())
}

/// The lines of a replacement, without indentation.
pub(crate) fn body(r: &mut Rng, objects: &[Object]) -> String {
    let mut text = String::new();
    // A name can be anything but a number or a mapping.
    let mut default_path = true;
    if r.chance(15) {
        default_path = false;
        let _ =
            writeln!(text, "sourceValue: {}", r.pick(&["text", "\"5\"", "\"true\"", "\"a: b\""]));
    } else if let Some(source) = pick(r, objects) {
        text.push_str("source:\n");
        let _ = writeln!(text, "  kind: {}", source.kind);
        if r.chance(85) {
            let _ = writeln!(text, "  name: \"{}\"", source.name);
        }
        if let Some(namespace) = source.namespace.as_ref().filter(|_| r.chance(70)) {
            let _ = writeln!(text, "  namespace: {namespace}");
        }
        if r.chance(85) {
            let path = path(r, source, true);
            default_path = path == "metadata.name";
            let _ = writeln!(text, "  fieldPath: {path}");
        }
        if r.chance(20) {
            let _ = write!(
                text,
                "  options:\n    delimiter: \"{}\"\n    index: {}\n",
                r.pick(&["-", ".", ":", "/", "p"]),
                r.pick(&["0", "1", "5", "-1"])
            );
        }
    }
    text.push_str("targets:\n");
    for _ in 0..=r.below(2) {
        target(r, objects, default_path, &mut text);
    }
    text
}

fn target(r: &mut Rng, objects: &[Object], default_path: bool, text: &mut String) {
    let Some(target) = pick(r, objects) else {
        text.push_str("- select: {kind: ConfigMap}\n");
        return;
    };
    text.push_str("- select:\n");
    match r.below(10) {
        0 => {
            let _ = writeln!(text, "    kind: {}", r.pick(&["Deploy.*", ".*Map", ".*"]));
        }
        1 => {
            let _ = writeln!(text, "    name: {}", r.pick(&["app", "a.*", "\"app|web\""]));
        }
        2 => {
            let _ = write!(
                text,
                "    kind: {}\n    labelSelector: {}\n",
                target.kind,
                r.pick(&["app=app", "tier"])
            );
        }
        3 => {
            let _ = write!(text, "    kind: {}\n    annotationSelector: note\n", target.kind);
        }
        4 | 5 => {
            let _ = writeln!(text, "    kind: {}", target.kind);
        }
        _ => {
            let _ = write!(text, "    kind: {}\n    name: \"{}\"\n", target.kind, target.name);
            if let Some(namespace) = &target.namespace {
                let _ = writeln!(text, "    namespace: {namespace}");
            }
        }
    }
    if r.chance(15) {
        let _ = writeln!(
            text,
            "  reject:\n  - {}",
            r.pick(&[
                "name: web",
                "kind: Service",
                "namespace: one",
                "labelSelector: app=db",
                "{kind: ConfigMap, name: a.*}"
            ])
        );
    }
    if !default_path || r.chance(95) {
        text.push_str("  fieldPaths:\n");
        for _ in 0..=r.below(2) {
            let _ = writeln!(text, "  - {}", path(r, target, false));
        }
    }
    if r.chance(50) {
        text.push_str("  options:\n");
        let create = r.chance(60);
        if create {
            text.push_str("    create: true\n");
        }
        if !create || r.chance(30) {
            let _ = write!(
                text,
                "    delimiter: \"{}\"\n    index: {}\n",
                r.pick(&["-", ":", "/", "."]),
                r.pick(&["0", "1", "3", "-1"])
            );
        }
    }
}

fn pick<'o>(r: &mut Rng, objects: &'o [Object]) -> Option<&'o Object> {
    if objects.is_empty() { None } else { Some(&objects[r.below(objects.len())]) }
}

/// A path of which the names stand in the object, mostly.
fn path(r: &mut Rng, object: &Object, source: bool) -> String {
    let there = |path: &str| {
        path.split('.').all(|part| {
            let part = part.trim_matches(['"', '\\']);
            part.starts_with(['[', '*'])
                || part.parse::<i32>().is_ok()
                || object.text.contains(&format!("{part}:"))
        })
    };
    for _ in 0..10 {
        let path = any_path(r, object, source);
        let structure = ["spec", "data", "metadata", "containers", "labels", "selector", "flags"];
        if source && structure.iter().any(|name| path.ends_with(name)) && r.chance(85) {
            continue;
        }
        if !source && path.starts_with("metadata.name") && r.chance(95) {
            continue;
        }
        let whole = ["kind", "apiVersion", "metadata", "spec"].contains(&path.as_str());
        if !source && (whole || path.ends_with("containers")) {
            continue;
        }
        if there(&path) || r.chance(if source { 2 } else { 12 }) {
            return path;
        }
    }
    if source { "metadata.name".to_owned() } else { "metadata.labels.app".to_owned() }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn any_path(r: &mut Rng, object: &Object, source: bool) -> String {
    let pod = match object.kind {
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "Job"
        | "ReplicationController"
        | "Rollout" => Some("spec.template.spec"),
        "CronJob" => Some("spec.jobTemplate.spec.template.spec"),
        "Pod" => Some("spec"),
        _ => None,
    };
    if let (Some(pod), true) = (pod, r.chance(75)) {
        let part = r.pick(&[
            "containers.[name=main].image",
            "containers.0.image",
            "containers.[name=main].env.[name=A].value",
            "containers.[name=main].env.[name=NEW].value",
            "containers.[name=side|main].image",
            "containers.[name=main].args.0",
            "containers.[name=main].ports.[containerPort=80].name",
            "containers.1.name",
            "serviceAccountName",
            "volumes.[name=conf].configMap.name",
            "nodeSelector.disk",
            "containers",
            "containers.[image=nginx.*].name",
        ]);
        if !source && r.chance(20) {
            return format!(
                "\"{pod}.{}\"",
                r.pick(&[
                    "containers.*.image",
                    "containers.*.env.[name=A].value",
                    "containers.*.env.*.value",
                    "*.name"
                ])
            );
        }
        return format!("{pod}.{part}");
    }
    let specific: &[&str] = match object.kind {
        "ConfigMap" => &[
            "data.a",
            "data.b",
            "data.new",
            "data.HOST",
            "data.[config.yaml]",
            "data.config\\.yaml",
            "data",
            "data.config\\.yaml.key",
            "data.config\\.yaml.nested.deep",
            "data.json.a.b",
        ],
        "Secret" => &["data.user", "stringData.token", "type"],
        "Service" => &[
            "spec.ports.0.port",
            "spec.ports.[name=http].port",
            "spec.selector.app",
            "spec.ports.[name=http].name",
            "spec.selector",
            "spec.ports.*.port",
        ],
        "Deployment" => &[
            "spec.replicas",
            "spec.selector.matchLabels.app",
            "spec.template.metadata.labels.app",
            "spec.strategy.type",
        ],
        "Ingress" => &[
            "spec.rules.0.host",
            "spec.rules.0.http.paths.0.backend.service.name",
            "spec.tls.0.hosts.0",
            "spec.rules.*.host",
            "spec.tls.*.secretName",
        ],
        "Widget" => &[
            "spec.count",
            "spec.ref.name",
            "spec.list.[name=a].value",
            "spec.list.1.value",
            "spec.matrix.0.0",
            "spec.new.deep.field",
            "spec.list.[name=c].value",
            "spec.list.2",
            "spec.list.-",
        ],
        "Gadget" => &[
            "spec.widget",
            "spec.flags.0",
            "spec.flags.[=a]",
            "spec.text",
            "spec.flags",
            "spec.flags.[=z]",
        ],
        "HorizontalPodAutoscaler" => &["spec.scaleTargetRef.name", "spec.maxReplicas"],
        "RoleBinding" | "ClusterRoleBinding" => &[
            "roleRef.name",
            "subjects.0.name",
            "subjects.[kind=ServiceAccount].name",
            "subjects.0.namespace",
        ],
        _ => &["spec", "metadata.name"],
    };
    if r.chance(65) {
        return (*r.pick(&specific.iter().map(|path| path as &&str).collect::<Vec<_>>()))
            .to_string();
    }
    r.pick(&[
        "metadata.name",
        "metadata.namespace",
        "metadata.labels.app",
        "metadata.annotations.note",
        "metadata.labels",
        "metadata.annotations.[new.io/key]",
        "metadata.annotations.new\\.io/key",
        "kind",
        "metadata.labels.new",
        "metadata",
        "spec.missing.field",
        "apiVersion",
    ])
    .to_owned()
}
