//! Fields of kustomization files that are made to fit the objects they are for.

use std::fmt::Write as _;

use crate::{
    case::{Case, Field},
    cases::wide::{field, quoted},
    fields::patches,
    objects::pods::indented,
    objects::{NAMES, Object},
    rng::Rng,
};

pub(crate) fn labels(r: &mut Rng) -> String {
    let mut text =
        format!("- pairs:\n    {}: {}\n", r.pick(&["app", "a.b/c", "team", "\"1\""]), quoted(r));
    text.push_str(&r.maybe(30, |r| format!("    more: {}\n", quoted(r))));
    text.push_str(r.pick(&[
        "",
        "",
        "  includeSelectors: true\n",
        "  includeTemplates: true\n",
        "  includeSelectors: false\n  includeTemplates: true\n",
    ]));
    if r.chance(45) {
        text.push_str("  fields:\n");
        for _ in 0..=r.below(2) {
            text.push_str(&field_spec(r, 2));
        }
    }
    text
}

fn field_spec(r: &mut Rng, indent: usize) -> String {
    let path = r.pick(&[
        "spec/labels",
        "metadata/labels",
        "spec/selector",
        "spec/template/metadata/labels",
        "spec/selector/matchLabels",
        "spec/list[]/labels",
        "spec/template/spec/containers[]/labels",
        "spec/volumeClaimTemplates[]/metadata/labels",
        "spec/jobTemplate/spec/template/metadata/labels",
        "spec/ref",
        "data",
        "metadata/annotations",
        "subjects[]/labels",
        "spec/ref/name/deep",
        "spec/new/deep/path",
        "spec/a\\/b/c",
        "spec/list/labels",
        "spec/template/spec/nodeSelector",
        "spec/podSelector/matchLabels",
        "webhooks/labels",
        "webhooks[]/namespaceSelector/matchLabels",
    ]);
    let mut text = format!("- path: {path}\n");
    text.push_str(&r.maybe(60, |r| {
        format!(
            "  kind: {}\n",
            r.pick(&[
                "Widget",
                "Deployment",
                "Service",
                "ConfigMap",
                "StatefulSet",
                "NetworkPolicy",
                "Gadget",
                "CronJob"
            ])
        )
    }));
    text.push_str(
        &r.maybe(20, |r| format!("  group: {}\n", r.pick(&["apps", "example.com", "batch"]))),
    );
    text.push_str(
        &r.maybe(15, |r| format!("  version: {}\n", r.pick(&["v1", "v1beta1", "v1alpha1"]))),
    );
    text.push_str(&r.maybe(60, |r| format!("  create: {}\n", r.pick(&["true", "true", "false"]))));
    indented(&text, indent)
}

#[expect(clippy::too_many_lines, reason = "tables")]
pub(crate) fn configuration(r: &mut Rng, case: &mut Case, directory: &str) -> Field {
    let mut text = String::new();
    let mut seen = Vec::new();
    for _ in 0..=r.below(3) {
        let section = r.pick(&[
            "commonLabels",
            "labels",
            "templateLabels",
            "commonAnnotations",
            "namePrefix",
            "nameSuffix",
            "namespace",
            "images",
            "replicas",
            "varReference",
            "nameReference",
            "nameReference",
        ]);
        if seen.contains(&section) {
            continue;
        }
        seen.push(section);
        let _ = writeln!(text, "{section}:");
        for _ in 0..=r.below(2) {
            if section == "nameReference" {
                let kind = r.pick(&[
                    "ConfigMap",
                    "Secret",
                    "Deployment",
                    "Widget",
                    "Service",
                    "Gadget",
                    "ServiceAccount",
                ]);
                let _ = writeln!(text, "- kind: {kind}");
                text.push_str(
                    &r.maybe(30, |r| format!("  version: {}\n", r.pick(&["v1", "v1alpha1"]))),
                );
                text.push_str("  fieldSpecs:\n");
            }
            let mut spec = if section.ends_with("abels") || section == "commonAnnotations" {
                field_spec(r, 0)
            } else {
                let path = r.pick(&[
                    "spec/ref/name",
                    "spec/widget",
                    "spec/list/value",
                    "spec/list[]/value",
                    "spec/ref",
                    "data/a",
                    "metadata/name",
                    "metadata/annotations/note",
                    "spec/text",
                    "spec/flags",
                    "spec/flags[]",
                    "spec/count",
                    "spec/containers/image",
                    "spec/containers[]/image",
                    "spec/serviceName",
                    "spec/new/name",
                    "metadata/labels/app",
                    "spec/matrix",
                    "spec/list[]/value/deep",
                    "spec/template/spec/containers[]/env[]/value",
                    "spec/rules/host",
                ]);
                let mut text = format!("- path: {path}\n");
                text.push_str(&r.maybe(50, |r| {
                    format!(
                        "  kind: {}\n",
                        r.pick(&["Widget", "Gadget", "ConfigMap", "Deployment"])
                    )
                }));
                text.push_str(
                    &r.maybe(20, |r| format!("  create: {}\n", r.pick(&["true", "false"]))),
                );
                text
            };
            if section == "nameReference" {
                spec = indented(&spec, 2);
            }
            text.push_str(&spec);
        }
    }
    case.files.insert(format!("{directory}/conf.yaml"), vec![text]);
    field("configurations:\n", "- conf.yaml\n".to_owned())
}

pub(crate) fn image(r: &mut Rng) -> String {
    let mut text = format!(
        "- name: {}\n",
        r.pick(&[
            "nginx",
            "nginx",
            "ghcr.io/org/app",
            "localhost:5000/app",
            "busybox",
            "my-nginx",
            "(nginx|busybox)",
            "ghcr.io/.*",
            "nginx:1.25"
        ])
    );
    text.push_str(r.pick(&[
        "",
        "",
        "  newName: other/nginx\n",
        "  newName: registry:5000/x\n",
        "  newName: a:b\n",
        "  newName: x@sha256:1\n",
    ]));
    text.push_str(r.pick(&[
        "",
        "  newTag: v2\n",
        "  newTag: \"1.10\"\n",
        "  newTag: ''\n",
        "  digest: sha256:abc\n",
        "  tagSuffix: -x\n",
        "  newTag: v3\n  digest: sha256:def\n",
    ]));
    text
}

fn some<'o>(r: &mut Rng, objects: &'o [Object]) -> Option<&'o Object> {
    let real: Vec<&Object> = objects.iter().filter(|object| !object.text.is_empty()).collect();
    if real.is_empty() { None } else { Some(real[r.below(real.len())]) }
}

/// A patch that is a piece of its target, changed a bit, so that lists have elements in common.
pub(crate) fn subset_patch(r: &mut Rng, objects: &[Object]) -> Field {
    let Some(object) = some(r, objects) else { return field("", String::new()) };
    let mut text = String::new();
    let mut gone: Option<usize> = None;
    for line in object.text.lines().filter(|line| !line.starts_with('#')) {
        let indent = line.len() - line.trim_start().len();
        if gone.is_some_and(|gone| indent > gone || line.trim().is_empty()) {
            continue;
        }
        gone = None;
        let simple = line.contains(": ")
            && !line.contains(['{', '[', '|', '>', '&', '*'])
            && !line.contains("name: ");
        let fixed = indent == 0 || indent == 2 && line.starts_with("  name");
        if !fixed && !line.trim_start().starts_with('-') && r.chance(12) {
            gone = Some(indent);
        } else if !fixed && simple && r.chance(18) {
            let (key, _) = line.split_once(": ").unwrap_or((line, ""));
            let value = r.pick(&[
                "null",
                "changed",
                "\"5\"",
                "7",
                "true",
                "\"\"",
                "{$patch: delete}",
                "[x]",
                "{y: z}",
            ]);
            let _ = writeln!(text, "{key}: {value}");
        } else if indent > 2 && line.trim_start().starts_with("- name: ") && r.chance(15)
            || indent > 0 && line.trim_end().ends_with(':') && r.chance(4)
        {
            let directive = r.pick(&["delete", "replace", "merge"]);
            let _ = writeln!(text, "{line}\n{}$patch: {directive}", " ".repeat(indent + 2));
        } else {
            let _ = writeln!(text, "{line}");
        }
    }
    if r.chance(50) {
        return field("patchesStrategicMerge:\n", format!("- |-\n{}", indented(&text, 2)));
    }
    let target = r.maybe(40, |r| format!("  target:\n{}", patches::target(r, object)));
    field("patches:\n", format!("- patch: |-\n{}{target}", indented(&text, 4)))
}

pub(crate) fn annotation_patch(r: &mut Rng, objects: &[Object]) -> Field {
    let Some(object) = some(r, objects) else { return field("", String::new()) };
    let text = format!(
        "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\n  {}\n",
        object.api_version,
        object.kind,
        r.pick(&["any", &object.name]),
        r.pick(&[
            "annotations: {added: \"1\"}",
            "labels: {app: null}",
            "annotations: null",
            "labels: {$patch: replace, only: this}",
            "namespace: moved",
            "labels:\n    tier: back"
        ])
    );
    let target = match r.below(6) {
        0 => "annotationSelector: note".to_owned(),
        1 => format!(
            "labelSelector: \"{}\"",
            r.pick(&[
                "app=web",
                "app!=db",
                "app in (web,db)",
                "tier",
                "!app",
                "app,tier notin (front)"
            ])
        ),
        2 => format!(
            "name: \"{}\"",
            r.pick(&["^app$", "app.*", "(app|web)", ".b", "a|w", "^web", ""])
        ),
        3 => format!(
            "kind: \"{}\"",
            r.pick(&["Deploy.*", "^Config", "(Service|Secret)", ".*", "Role$"])
        ),
        4 => format!("group: \"{}\"", r.pick(&["apps", "a.*", "", "example.com"])),
        _ => format!(
            "{{kind: {}, version: \"{}\", name: {}}}",
            object.kind,
            r.pick(&["v1", "v.*", "v1.*"]),
            object.name
        )
        .trim_matches(['{', '}'])
        .replace(", ", "\n    "),
    };
    let options = r.maybe(20, |r| {
        format!("  options: {{{}: true}}\n", r.pick(&["allowNameChange", "allowKindChange"]))
    });
    field(
        "patches:\n",
        format!("- patch: |-\n{}  target:\n    {target}\n{options}", indented(&text, 4)),
    )
}

/// Operations upon metadata, which is always there.
pub(crate) fn json_patch(r: &mut Rng, objects: &[Object]) -> Field {
    let Some(object) = some(r, objects) else { return field("", String::new()) };
    let mut text = String::new();
    for _ in 0..=r.below(3) {
        let value = crate::objects::styles::plain(r);
        text.push_str(&match r.below(9) {
            0 => format!("- op: add\n  path: /metadata/annotations\n  value: {{k: {}}}\n", quoted(r)),
            1 => "- op: add\n  path: /spec\n  value: {list: [1, {a: b}, [c]], ref: {name: web}}\n".to_owned(),
            2 => "- {op: copy, from: /metadata/name, path: /copied}\n".to_owned(),
            3 => "- {op: move, from: /kind, path: /metadata/kind}\n- {op: copy, from: /metadata/kind, path: /kind}\n".to_owned(),
            4 => format!("- op: add\n  path: /extra\n  value: {value}\n"),
            5 => "- {\"op\": \"add\", \"path\": \"/a~1b~0c\", \"value\": [1.0, 1e3, 10000000000000000000000, -0, 0.1]}\n".to_owned(),
            6 => "- op: add\n  path: /list\n  value: [a, b, c]\n- {op: add, path: /list/1, value: x}\n- {op: remove, path: /list/0}\n- {op: add, path: /list/-, value: z}\n- {op: add, path: /list/-1, value: y}\n".to_owned(),
            7 => format!("- op: replace\n  path: /metadata/name\n  value: {}\n", r.pick(NAMES)),
            _ => format!("- {{op: test, path: /metadata/name, value: {}}}\n", object.name),
        });
    }
    field(
        "patches:\n",
        format!(
            "- target: {{kind: {}, name: {}}}\n  patch: |-\n{}",
            object.kind,
            object.name,
            indented(&text, 4)
        ),
    )
}

/// A replacement between metadata, which is there always or can be created.
pub(crate) fn copy(r: &mut Rng, objects: &[Object]) -> Field {
    let (Some(from), Some(to)) = (some(r, objects), some(r, objects)) else {
        return field("", String::new());
    };
    let source =
        r.pick(&["metadata.name", "metadata.name", "kind", "apiVersion", "metadata.labels.app"]);
    let mut text = format!(
        "- source:\n    kind: {}\n    name: {}\n    fieldPath: {source}\n",
        from.kind, from.name
    );
    text.push_str(&r.maybe(25, |r| {
        format!(
            "    options: {{delimiter: \"{}\", index: {}}}\n",
            r.pick(&["-", ".", "a", "/"]),
            r.pick(&["0", "0", "1"])
        )
    }));
    let path = r.pick(&[
        "metadata.annotations.copied",
        "metadata.labels.[x.y/z]",
        "spec.copied",
        "spec.deep.er.field",
        "spec.template.spec.containers.[name=main].image",
        "spec.template.spec.containers.[name=new].image",
        "spec.template.spec.containers.0.name",
        "data.copied",
        "spec.list.[name=z].value",
        "spec.new.[=a]",
        "spec.new.0",
        "metadata.name",
        "metadata.namespace",
        "spec.new.0.deep",
        "spec.ports.[port=80].name",
        "data.json.a.b",
        "spec.list.-.value",
        "spec.template.spec.containers.*.image",
    ]);
    let _ = write!(text, "  targets:\n  - select:\n      kind: {}\n", to.kind);
    text.push_str(&r.maybe(50, |_| format!("      name: {}\n", to.name)));
    let _ = writeln!(text, "    fieldPaths: [\"{path}\"]");
    text.push_str(&match r.below(4) {
        0 => "    options: {create: true, delimiter: \"-\", index: 1}\n".to_owned(),
        1 => String::new(),
        _ => "    options: {create: true}\n".to_owned(),
    });
    field("replacements:\n", text)
}

pub(crate) fn variable(r: &mut Rng, objects: &[Object]) -> Field {
    let Some(object) = some(r, objects) else { return field("", String::new()) };
    let mut text = format!(
        "- name: {}\n  objref:\n    apiVersion: {}\n    kind: {}\n    name: {}\n",
        r.pick(&["VAR", "OTHER", "HOST", "IMAGE"]),
        object.api_version,
        object.kind,
        object.name
    );
    if let Some(namespace) = &object.namespace {
        let _ = writeln!(text, "    namespace: {namespace}");
    }
    text.push_str(&r.maybe(40, |r| {
        format!(
            "  fieldref: {{fieldPath: {}}}\n",
            r.pick(&[
                "metadata.name",
                "metadata.namespace",
                "kind",
                "metadata.labels.app",
                "metadata['name']"
            ])
        )
    }));
    field("vars:\n", text)
}
