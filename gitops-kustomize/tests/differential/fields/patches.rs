//! Random patches of objects that are there, mostly.

use std::fmt::Write as _;

use crate::{
    case::Case,
    objects::pods::indented,
    objects::{NAMES, NAMESPACES, Object, object, scalar},
    rng::Rng,
};

fn some<'o>(r: &mut Rng, objects: &'o [Object]) -> Option<&'o Object> {
    let real: Vec<&Object> =
        objects.iter().filter(|object| !object.text.is_empty() || r.chance(20)).collect();
    if real.is_empty() { None } else { Some(real[r.below(real.len())]) }
}

/// An entry of `patches`, with its dash.
pub(crate) fn entry(r: &mut Rng, case: &mut Case, directory: &str, objects: &[Object]) -> String {
    let Some(object) = some(r, objects) else {
        return "- patch: '[]'\n  target: {kind: X}\n".to_owned();
    };
    let json = r.chance(35);
    let text = if json { operations(r, object) } else { strategic(r, object) };
    let mut entry = if r.chance(25) {
        let path = format!("p{}.yaml", r.below(100));
        let content = if json && r.chance(30) { in_json(r) } else { text };
        case.files.insert(format!("{directory}/{path}"), vec![content]);
        format!("- path: {path}\n")
    } else {
        format!("- patch: |{}\n{}", r.pick(&["", "-"]), indented(&text, 4))
    };
    if json || r.chance(35) {
        let _ = write!(entry, "  target:\n{}", target(r, object));
    }
    if !json && r.chance(15) {
        let _ = writeln!(
            entry,
            "  options:\n    {}: true",
            r.pick(&["allowNameChange", "allowKindChange"])
        );
    }
    entry
}

/// The lines of a target.
pub(crate) fn target(r: &mut Rng, object: &Object) -> String {
    let mut text = String::new();
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", object.api_version));
    if r.chance(80) {
        let _ = writeln!(
            text,
            "    kind: {}",
            if r.chance(15) { "Deploy.*|ConfigMap" } else { object.kind }
        );
    }
    if r.chance(40) {
        let name = match r.below(5) {
            0 => ".*".to_owned(),
            1 => format!("{}.*", &object.name[..1]),
            2 => "app|web".to_owned(),
            _ => object.name.clone(),
        };
        let _ = writeln!(text, "    name: \"{name}\"");
    }
    if r.chance(10) && !group.is_empty() {
        let _ = writeln!(text, "    group: {group}");
    }
    if r.chance(10) {
        let _ = writeln!(text, "    version: {version}");
    }
    if r.chance(10) {
        let _ = writeln!(text, "    namespace: {}", r.pick(NAMESPACES));
    }
    if r.chance(15) {
        let selector = r.pick(&[
            "app=app",
            "app in (app, web)",
            "tier!=front",
            "!tier",
            "app,tier",
            "app notin (db)",
            "app==web",
            "",
        ]);
        let _ = writeln!(text, "    labelSelector: \"{selector}\"");
    }
    if r.chance(6) {
        let _ = writeln!(
            text,
            "    annotationSelector: {}",
            r.pick(&["note", "note=plain", "\"!note\""])
        );
    }
    if text.is_empty() { "    kind: ConfigMap\n".to_owned() } else { text }
}

/// An entry of `patchesStrategicMerge`.
pub(crate) fn strategic_entry(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    objects: &[Object],
) -> String {
    let Some(object) = some(r, objects) else { return "- none.yaml\n".to_owned() };
    let text = strategic(r, object);
    if r.chance(40) {
        let path = format!("sm{}.yaml", r.below(100));
        let mut documents = vec![text];
        if r.chance(25)
            && let Some(other) = some(r, objects)
        {
            documents.push(strategic(r, other));
        }
        case.files.insert(format!("{directory}/{path}"), documents);
        return format!("- {path}\n");
    }
    format!("- |-\n{}", indented(&text, 2))
}

/// An entry of `patchesJson6902`.
pub(crate) fn json_entry(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    objects: &[Object],
) -> String {
    let Some(object) = some(r, objects) else { return "- path: none.yaml\n".to_owned() };
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", object.api_version));
    let mut text = format!(
        "- target:\n    version: {version}\n    kind: {}\n    name: \"{}\"\n",
        object.kind, object.name
    );
    if !group.is_empty() {
        let _ = writeln!(text, "    group: {group}");
    }
    if let Some(namespace) = &object.namespace {
        let _ = writeln!(text, "    namespace: {namespace}");
    }
    let operations = operations(r, object);
    if r.chance(30) {
        let path = format!("j{}.yaml", r.below(100));
        case.files.insert(format!("{directory}/{path}"), vec![operations]);
        let _ = writeln!(text, "  path: {path}");
    } else {
        let _ = write!(text, "  patch: |-\n{}", indented(&operations, 4));
    }
    text
}

fn pod_path(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "Job"
        | "ReplicationController"
        | "Rollout" => "/spec/template/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        "Pod" => "/spec",
        _ => return None,
    })
}

fn operations(r: &mut Rng, object: &Object) -> String {
    let mut text = String::new();
    for _ in 0..=r.below(3) {
        let mut path = pointer(r, object);
        for _ in 0..12 {
            if is_there(&path, object) || r.chance(3) {
                break;
            }
            path = pointer(r, object);
        }
        // Where an object stands, nothing else may.
        if path.ends_with("/-") || path.ends_with("/env/0") || path.ends_with("containers/1") {
            let _ = writeln!(
                text,
                "- op: add\n  path: {path}\n  value: {{name: new, value: {}}}",
                r.below(3)
            );
            continue;
        }
        if path.ends_with("/spec") || path.ends_with("/volumes") {
            let _ = writeln!(text, "- op: remove\n  path: {path}");
            continue;
        }
        match r.below(10) {
            0..=3 => {
                let _ = writeln!(text, "- op: add\n  path: {path}\n  value: {}", value(r));
            }
            4..=6 => {
                let _ = writeln!(text, "- op: replace\n  path: {path}\n  value: {}", value(r));
            }
            7 => {
                let _ = writeln!(text, "- op: remove\n  path: {path}");
            }
            8 => {
                let _ = writeln!(
                    text,
                    "- op: {}\n  from: {}\n  path: {path}",
                    r.pick(&["copy", "move"]),
                    r.pick(&["/metadata/name", "/metadata/labels", "/spec/replicas", "/data/a"])
                );
            }
            _ => {
                let _ = writeln!(
                    text,
                    "- {{\"op\": \"test\", \"path\": \"/metadata/name\", \"value\": \"{}\"}}",
                    object.name
                );
            }
        }
    }
    text
}

fn pointer(r: &mut Rng, object: &Object) -> String {
    match (pod_path(object.kind), r.below(4)) {
        (Some(pod), 0..=2) => format!(
            "{pod}{}",
            r.pick(&[
                "/containers/0/image",
                "/containers/0/args/-",
                "/containers/0/env/0",
                "/containers/-",
                "/containers/1",
                "/serviceAccountName",
                "/volumes",
                "/containers/0/ports/0/containerPort",
                "/nodeSelector/disk",
                "/containers/0/env/-",
            ])
        ),
        _ => r
            .pick(&[
                "/metadata/name",
                "/metadata/labels/app",
                "/metadata/labels/new",
                "/metadata/annotations",
                "/metadata/annotations/a.b~1c",
                "/spec/replicas",
                "/data/a",
                "/data/new",
                "/spec",
                "/spec/ports/0/port",
                "/spec/ports/-",
                "/metadata/namespace",
                "/spec/list/1",
                "/spec/list/-1",
                "/rules/0/verbs/-",
                "/metadata/labels",
                "/spec/matrix/0/0",
                "/spec/ref/name",
                "/spec/flags/0",
                "/spec/rules/0/host",
                "/subjects/0",
            ])
            .to_owned(),
    }
}

/// Whether all parts but the last one seem to stand in the object.
fn is_there(path: &str, object: &Object) -> bool {
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.pop();
    parts
        .iter()
        .all(|part| part.parse::<i32>().is_ok() || object.text.contains(&format!("{part}:")))
}

fn value(r: &mut Rng) -> String {
    match r.below(6) {
        0 => r
            .pick(&[
                "{a: 1, b: [x]}",
                "[]",
                "{}",
                "[{a: 1}]",
                "{name: new, image: nginx}",
                "{name: A, value: \"1\"}",
            ])
            .to_owned(),
        1 => r
            .pick(&["\"text\"", "5", "true", "null", "1.5", "12345678901234567890", "1.0", "1e3"])
            .to_owned(),
        _ => scalar(r),
    }
}

fn in_json(r: &mut Rng) -> String {
    r.pick(&[
        "[{\"op\": \"add\", \"path\": \"/metadata/labels\", \"value\": {\"a\": \"b\"}}]",
        "[{\"op\": \"replace\", \"path\": \"/spec/replicas\", \"value\": 7}]\n",
        "[\n  {\"op\": \"add\", \"path\": \"/data/x\", \"value\": \"\\u00e9<&>\"}\n]\n",
    ])
    .to_owned()
}

/// A strategic merge patch: parts of a new object of the kind, with directives thrown in.
pub(crate) fn strategic(r: &mut Rng, target: &Object) -> String {
    let mut text = format!(
        "apiVersion: {}\nkind: {}\nmetadata:\n  name: \"{}\"\n",
        target.api_version, target.kind, target.name
    );
    if let Some(namespace) = &target.namespace
        && !r.chance(5)
    {
        let _ = writeln!(text, "  namespace: {namespace}");
    }
    if r.chance(6) {
        text.push_str("$patch: delete\n");
        return text;
    }
    text.push_str(&r.maybe(25, |r| {
        format!(
            "  labels:\n    {}: {}\n",
            r.pick(&["app", "tier", "new"]),
            r.pick(&["x", "null", "\"1\""])
        )
    }));
    text.push_str(&r.maybe(20, |r| {
        format!("  annotations:\n    {}: {}\n", r.pick(&["note", "new.io/a"]), scalar(r))
    }));
    text.push_str(&r.maybe(3, |r| format!("  finalizers: [{}]\n", r.pick(&["b", "c, a"]))));
    // The body of a random object of the same kind.
    let body = (0..400)
        .map(|_| object(r))
        .find(|other| other.kind == target.kind && other.api_version == target.api_version);
    let Some(body) = body else { return text };
    let at = [
        "\nspec:",
        "\ndata:",
        "\nrules:",
        "\nroleRef:",
        "\nwebhooks:",
        "\ntype:",
        "\nstringData:",
        "\nprovisioner:",
        "\nimmutable:",
    ]
    .iter()
    .filter_map(|head| body.text.find(head))
    .min();
    let Some(at) = at else { return text };
    let body = body.text[at + 1..].replace("# another one\n", "");
    text.push_str(&changed(r, &body));
    text
}

/// The body with directives in some places.
fn changed(r: &mut Rng, body: &str) -> String {
    let mut text = String::new();
    let mut in_block = None;
    for line in body.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if in_block.is_some_and(|block| indent > block) || line.trim().is_empty() {
            text.push_str(line);
            continue;
        }
        in_block = None;
        let trimmed = line.trim_end();
        if trimmed.ends_with(['|', '>', '+']) || trimmed.ends_with("|-") || trimmed.ends_with(">-")
        {
            in_block = Some(indent);
        }
        if r.chance(3)
            && trimmed.contains(": ")
            && in_block.is_none()
            && !trimmed.contains(['{', '['])
        {
            let (key, _) = trimmed.split_once(": ").unwrap_or((trimmed, ""));
            let _ = writeln!(text, "{key}: null");
            continue;
        }
        text.push_str(line);
        if !r.chance(6) {
            continue;
        }
        if let Some(rest) = line.trim_start().strip_prefix("- name: ") {
            let _ = rest;
            let _ = writeln!(
                text,
                "{}$patch: {}",
                " ".repeat(indent + 2),
                r.pick(&["delete", "delete", "replace", "merge"])
            );
        } else if trimmed.ends_with("env:")
            || trimmed.ends_with("containers:")
            || trimmed.ends_with("ports:")
            || trimmed.ends_with("volumes:")
            || trimmed.ends_with("rules:")
        {
            let _ = writeln!(
                text,
                "{}- $patch: {}",
                " ".repeat(indent),
                r.pick(&["replace", "delete"])
            );
        } else if trimmed.ends_with("matchLabels:")
            || trimmed.ends_with("spec:")
            || trimmed.ends_with("template:")
            || trimmed.ends_with("data:")
        {
            let _ = writeln!(
                text,
                "{}$patch: {}",
                " ".repeat(indent + 2),
                r.pick(&["replace", "merge", "delete"])
            );
        }
    }
    let _ = NAMES;
    text
}
