//! Random fields of kustomization files.

pub(crate) mod features;
pub(crate) mod patches;
mod plugins;
pub(crate) mod replacements;

use std::fmt::Write as _;

use crate::{
    case::{Case, Field},
    objects::{NAMES, NAMESPACES, Object, scalar},
    rng::Rng,
};

/// Adds so many fields to the kustomization of a directory.
pub(crate) fn add(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    list: &mut Vec<Field>,
    objects: &mut Vec<Object>,
    count: usize,
) {
    for _ in 0..count {
        let field = one(r, case, directory, objects);
        match list.iter_mut().find(|old| !field.head.is_empty() && old.head == field.head) {
            Some(old) if old.head.ends_with(":\n") => old.items.extend(field.items),
            Some(_) => {}
            None => list.push(field),
        }
    }
}

fn field(head: &str, item: String) -> Field {
    Field { head: head.to_owned(), items: vec![item] }
}

fn one(r: &mut Rng, case: &mut Case, directory: &str, objects: &mut Vec<Object>) -> Field {
    match r.below(40) {
        0..=6 => field("patches:\n", patches::entry(r, case, directory, objects)),
        7 | 8 => field("patchesStrategicMerge:\n", patches::strategic_entry(r, case, directory, objects)),
        9 => field("patchesJson6902:\n", patches::json_entry(r, case, directory, objects)),
        10..=13 => generator(r, case, directory, objects),
        14 => field("generatorOptions:\n", options(r, 2)),
        15 | 16 => field("namespace: ", format!("{}\n", r.pick(&["one", "two", "default", "prod", "\"prod\""]))),
        17 | 18 => field("namePrefix: ", format!("{}\n", r.pick(&["pre-", "a", "\"x-\"", "1"]).replace('1', "\"1\""))),
        19 => field("nameSuffix: ", format!("{}\n", r.pick(&["-suf", "z", "'-y'"]))),
        20 => field("commonLabels:\n", format!("  {}: {}\n", r.pick(&["app", "env", "\"a.b/c\""]), r.pick(&["x", "\"1\"", "\"true\"", "prod"]))),
        21..=23 => field("labels:\n", labels(r)),
        24 => field("commonAnnotations:\n", format!("  {}: {}\n", r.pick(&["note", "env"]), r.pick(&["x", "\"1\"", "\"yes\"", "'a: b'"]))),
        25 | 26 => field("images:\n", image(r)),
        27 => field("replicas:\n", format!("- name: {}\n  count: {}\n", target_name(r, objects), r.below(5))),
        28..=31 => field("replacements:\n", replacements::entry(r, case, directory, objects)),
        32 => variable(r, objects),
        33 => field("buildMetadata: ", format!("{}\n", r.pick(&["[originAnnotations]", "[transformerAnnotations]", "[managedByLabel]", "[originAnnotations, transformerAnnotations]"]))),
        34 => field("sortOptions:\n", r.pick(&[
            "  order: fifo\n",
            "  order: legacy\n",
            "  order: legacy\n  legacySortOptions:\n    orderFirst: [Service, ConfigMap]\n    orderLast: [Namespace]\n",
        ]).to_owned()),
        35 => configuration(r, case, directory),
        36 => crds(r, case, directory),
        37 => openapi(r, case, directory),
        38 => plugins::transformer(r, case, directory, objects),
        _ => plugins::generator(r, case, directory, objects),
    }
}

fn target_name(r: &mut Rng, objects: &[Object]) -> String {
    let workloads: Vec<&Object> = objects
        .iter()
        .filter(|object| {
            ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"]
                .contains(&object.kind)
        })
        .collect();
    if workloads.is_empty() || r.chance(4) {
        return r.pick(NAMES).to_owned();
    }
    r.pick(&workloads).name.clone()
}

pub(crate) fn options(r: &mut Rng, indent: usize) -> String {
    let space = " ".repeat(indent);
    let mut text = String::new();
    for (percent, line) in [
        (40, "disableNameSuffixHash: true"),
        (30, "labels: {gen: \"1\"}"),
        (30, "annotations: {note: gen}"),
        (15, "immutable: true"),
        (10, "disableNameSuffixHash: false"),
    ] {
        if r.chance(percent) && !(line.ends_with("false") && text.contains("disable")) {
            let _ = writeln!(text, "{space}{line}");
        }
    }
    if text.is_empty() { format!("{space}labels: {{gen: x}}\n") } else { text }
}

/// The lines of a generator's arguments, without the dash.
pub(crate) fn generator_body(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    secret: bool,
) -> String {
    let mut text = String::new();
    if r.chance(70) {
        text.push_str("  literals:\n");
        let mut seen = Vec::new();
        for _ in 0..=r.below(3) {
            let literal = r.pick(&[
                "a=1",
                "b=two words",
                "c=\"quoted\"",
                "'d=''single'''",
                "e=",
                "HOST=h.example.com",
                "f=x=y",
                "\"g=line\\nbreak\"",
                "h=true",
                "i=#x",
                "'j=\"half'",
                "k=caf\u{e9}",
                "z= padded ",
            ]);
            let key = literal.trim_start_matches(['"', '\'']).split('=').next().unwrap_or_default();
            if !seen.contains(&key) {
                seen.push(key);
                let _ = writeln!(text, "  - {literal}");
            }
        }
    }
    if r.chance(30) {
        let file = r.pick(&["f.txt", "conf.yaml", "empty.txt", "unix.sh"]);
        let content = match file {
            "conf.yaml" => "a: 1\nb: [x, y]\n",
            "empty.txt" => "",
            "unix.sh" => "#!/bin/sh\nset -e\n\techo \"$1\"  \n",
            _ => "line one\nline two",
        };
        case.files.insert(format!("{directory}/{file}"), vec![content.to_owned()]);
        let key = r.pick(&["", "", "key=", "other.name="]);
        let _ = writeln!(text, "  files:\n  - {key}{file}");
    }
    if r.chance(25) {
        let content = r.pick(&[
            "A=1\nB=two\n",
            "# c\n\nX=\"y\"\nY=a=b\n",
            "KEY\nZ= spaced \n",
            "Q='x'\r\nW=1\r\n",
        ]);
        case.files.insert(format!("{directory}/v.env"), vec![content.to_owned()]);
        text.push_str(r.pick(&["  envs:\n  - v.env\n", "  envs: [v.env]\n", "  env: v.env\n"]));
    }
    if r.chance(30) {
        let _ = write!(text, "  options:\n{}", options(r, 4));
    }
    if secret && r.chance(30) {
        let _ = writeln!(text, "  type: {}", r.pick(&["Opaque", "kubernetes.io/tls", "\"x\""]));
    }
    text
}

fn generator(r: &mut Rng, case: &mut Case, directory: &str, objects: &mut Vec<Object>) -> Field {
    let secret = r.chance(35);
    let kind = if secret { "Secret" } else { "ConfigMap" };
    let existing: Vec<&Object> = objects.iter().filter(|object| object.kind == kind).collect();
    let mut behavior = "";
    let mut name = r.pick(NAMES).to_owned();
    let mut namespace = r.chance(20).then(|| r.pick(NAMESPACES).to_owned());
    if !existing.is_empty() && r.chance(70) {
        let old = existing[r.below(existing.len())];
        behavior = r.pick(&["merge", "replace", "merge", "replace", "merge", "replace", "create"]);
        name.clone_from(&old.name);
        namespace.clone_from(&old.namespace);
    }
    let twin =
        |name: &str| existing.iter().any(|old| old.name == name && old.namespace == namespace);
    if behavior.is_empty() && twin(&name) && !r.chance(5) {
        name.push_str("-gen");
    }
    let name_text = if name.parse::<f64>().is_ok() || name == "y" {
        format!("\"{name}\"")
    } else {
        name.clone()
    };
    let mut text = format!("- name: {name_text}\n");
    if let Some(namespace) = &namespace {
        let _ = writeln!(text, "  namespace: {namespace}");
    }
    if !behavior.is_empty() {
        let _ = writeln!(text, "  behavior: {behavior}");
    }
    text.push_str(&generator_body(r, case, directory, secret));
    objects.push(Object { api_version: "v1", kind, name, namespace, text: String::new() });
    field(if secret { "secretGenerator:\n" } else { "configMapGenerator:\n" }, text)
}

fn labels(r: &mut Rng) -> String {
    let mut text = format!(
        "- pairs:\n    {}: {}\n",
        r.pick(&["app", "env", "team"]),
        r.pick(&["x", "\"1\"", "\"on\""])
    );
    text.push_str(r.pick(&[
        "", "", "  includeSelectors: true\n", "  includeTemplates: true\n", "  includeSelectors: false\n",
        "  includeTemplates: true\n  includeVolumeClaimTemplates: true\n",
        "  fields:\n  - path: spec/labels\n    create: true\n",
        "  fields:\n  - path: spec/template/metadata/labels\n    kind: Deployment\n    group: apps\n    create: true\n",
        "  includeSelectors: true\n  fields:\n  - path: spec/x/labels\n    kind: Widget\n    create: true\n",
    ]));
    text
}

fn image(r: &mut Rng) -> String {
    let mut text = format!(
        "- name: {}\n",
        r.pick(&[
            "nginx",
            "ghcr.io/org/app",
            "localhost:5000/app",
            "busybox",
            "my-nginx",
            "none",
            "ngin."
        ])
    );
    text.push_str(r.pick(&["", "", "  newName: other/nginx\n", "  newName: registry:5000/x\n"]));
    text.push_str(r.pick(&[
        "",
        "  newTag: v2\n",
        "  newTag: \"1.10\"\n",
        "  digest: sha256:abc\n",
        "  tagSuffix: -x\n",
        "  newTag: v3\n  digest: sha256:def\n",
        "  newTag: v4\n  tagSuffix: -y\n",
    ]));
    text
}

fn variable(r: &mut Rng, objects: &[Object]) -> Field {
    let mut text = format!("- name: {}\n", r.pick(&["VAR", "OTHER", "HOST", "IMAGE"]));
    if let Some(object) = (!objects.is_empty()).then(|| &objects[r.below(objects.len())]) {
        let _ = write!(
            text,
            "  objref:\n    apiVersion: {}\n    kind: {}\n    name: \"{}\"\n",
            object.api_version, object.kind, object.name
        );
        if let Some(namespace) = &object.namespace {
            let _ = writeln!(text, "    namespace: {namespace}");
        }
        let path = match object.kind {
            "ConfigMap" => r.pick(&["data.a", "metadata.name", "data.HOST", "data[a]"]),
            "Service" => {
                r.pick(&["metadata.name", "spec.ports[0].port", "metadata.namespace", "spec"])
            }
            "Deployment" => r.pick(&[
                "spec.replicas",
                "spec.template.spec.containers[0].image",
                "spec.template.spec.containers[0].env",
                "metadata.labels.app",
            ]),
            _ => r.pick(&["metadata.name", "metadata.namespace", "kind", "spec"]),
        };
        text.push_str(&r.maybe(70, |_| format!("  fieldref:\n    fieldPath: {path}\n")));
    }
    Field { head: "vars:\n".to_owned(), items: vec![text] }
}

fn configuration(r: &mut Rng, case: &mut Case, directory: &str) -> Field {
    let content = r.pick(&[
        "nameReference:\n- kind: Gadget\n  fieldSpecs:\n  - kind: Widget\n    path: spec/ref/name\n- kind: ConfigMap\n  version: v1\n  fieldSpecs:\n  - kind: Widget\n    path: spec/ref/name\n",
        "nameReference:\n- kind: Widget\n  group: example.com\n  fieldSpecs:\n  - path: spec/widget\n    kind: Gadget\n  - path: spec/ref\n    kind: Widget\n",
        "commonLabels:\n- path: spec/labels\n  kind: Widget\n  create: true\n",
        "namePrefix:\n- path: spec/widget\n  kind: Gadget\n",
        "namePrefix:\n- path: metadata/name\n  kind: Deployment\n- path: spec/ref/name\n",
        "images:\n- path: spec/list[]/value\n  kind: Widget\n",
        "replicas:\n- path: spec/count\n  kind: Widget\n  create: true\n",
        "varReference:\n- path: data\n  kind: ConfigMap\n- path: spec/text\n- path: spec/rules/host\n  kind: Ingress\n",
        "namespace:\n- path: spec/namespace\n  kind: Widget\n  create: true\n",
        "commonAnnotations:\n- path: spec/annotations\n  create: true\n  kind: Gadget\n",
        "namespace:\n- path: metadata/namespace\n  create: false\n",
        "labels:\n- path: spec/labels\n  create: true\n  kind: Widget\ntemplateLabels:\n- path: spec/x\n  create: true\n",
    ]);
    case.files.insert(format!("{directory}/config.yaml"), vec![content.to_owned()]);
    field("configurations: ", "[config.yaml]\n".to_owned())
}

fn crds(r: &mut Rng, case: &mut Case, directory: &str) -> Field {
    let properties = "\"kind\": {\"type\": \"string\"}, \"apiVersion\": {\"type\": \"string\"}, \"metadata\": {\"type\": \"object\"}";
    let spec = r.pick(&[
        "{\"ref\": {\"x-kubernetes-object-ref-api-version\": \"v1\", \"x-kubernetes-object-ref-kind\": \"ConfigMap\"}}",
        "{\"ref\": {\"x-kubernetes-object-ref-api-version\": \"v1\", \"x-kubernetes-object-ref-kind\": \"Secret\", \"x-kubernetes-object-ref-name-key\": \"name\"}}",
        "{\"labels\": {\"x-kubernetes-label-selector\": \"\"}, \"notes\": {\"x-kubernetes-annotation\": \"\"}}",
        "{\"ref\": {\"x-kubernetes-identity\": \"\"}}",
    ]);
    let text = format!(
        "{{\"x.Widget\": {{\"Schema\": {{\"properties\": {{{properties}, \"spec\": {{\"$ref\": \"x.WidgetSpec\"}}}}}}, \"Dependencies\": []}},\n\"x.WidgetSpec\": {{\"Schema\": {{\"properties\": {spec}}}}}}}\n"
    );
    case.files.insert(format!("{directory}/crds.json"), vec![text]);
    field("crds: ", "[crds.json]\n".to_owned())
}

fn openapi(r: &mut Rng, case: &mut Case, directory: &str) -> Field {
    if r.chance(25) {
        return field(
            "openapi:\n",
            format!("  version: {}\n", r.pick(&["v1.21.2", "v1.21.2", "v1.21.2", "v1.20.4", "v9"])),
        );
    }
    let text = "{\"definitions\": {\"x.Widget\": {\"properties\": {\"spec\": {\"properties\": {\"list\": {\"type\": \"array\", \"items\": {\"type\": \"object\"}, \"x-kubernetes-patch-merge-key\": \"name\", \"x-kubernetes-patch-strategy\": \"merge\"}}}}, \"x-kubernetes-group-version-kind\": [{\"group\": \"example.com\", \"kind\": \"Widget\", \"version\": \"v1\"}]}}}\n";
    case.files.insert(format!("{directory}/schema.json"), vec![text.to_owned()]);
    let _ = scalar(r);
    field("openapi:\n", "  path: schema.json\n".to_owned())
}
