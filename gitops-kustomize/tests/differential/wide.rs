//! Small overlays with one or two features each, so that most of them are valid.

use std::fmt::Write as _;

use crate::{
    case::{Case, Field},
    fields,
    objects::{NAMES, Object, object},
    patches,
    pods::indented,
    rng::Rng,
    styles,
};

fn field(head: &str, item: String) -> Field {
    Field { head: head.to_owned(), items: vec![item] }
}

/// Objects in odd styles, and few fields over them.
pub(crate) fn styled(r: &mut Rng) -> Case {
    let mut case = Case { top: "base".to_owned(), ..Case::default() };
    let mut resources = String::new();
    let mut objects: Vec<Object> = Vec::new();
    for file in 0..=r.below(2) {
        let mut documents = Vec::new();
        for _ in 0..=r.below(2) {
            let made = if r.chance(80) { styles::document(r) } else { object(r) };
            if objects.iter().any(|old| old.kind == made.kind && old.name == made.name) {
                continue;
            }
            if r.chance(8) {
                documents.push(
                    r.pick(&["", "\n", "# nothing\n", "null\n", "~\n", "--- # c\n"]).to_owned(),
                );
            }
            documents.push(made.text.clone());
            objects.push(made);
        }
        let path = format!("s{file}.yaml");
        let _ = writeln!(resources, "- {path}");
        if let Some(first) = documents.first_mut()
            && r.chance(10)
        {
            let head =
                r.pick(&["---\n", "--- # c\n", "\u{feff}", "%YAML 1.1\n---\n", "---\n---\n"]);
            first.insert_str(0, head);
        }
        case.files.insert(format!("base/{path}"), documents);
    }
    let mut list = vec![field("resources:\n", resources)];
    let some = |r: &mut Rng| objects[r.below(objects.len().max(1)).min(objects.len() - 1)].clone();
    for _ in 0..r.below(3) {
        let new = match r.below(9) {
            0 => field("namePrefix: ", "p-\n".to_owned()),
            1 => field("commonAnnotations:\n", format!("  note: {}\n", quoted(r))),
            2 => field("labels:\n", format!("- pairs: {{l: {}}}\n", quoted(r))),
            3 => field("namespace: ", "ns\n".to_owned()),
            4 => {
                let target = some(r);
                let op = format!(
                    "- op: add\n  path: /metadata/annotations\n  value: {{x: {}}}\n",
                    quoted(r)
                );
                field(
                    "patches:\n",
                    format!(
                        "- target: {{kind: {}}}\n  patch: |-\n{}",
                        target.kind,
                        indented(&op, 4)
                    ),
                )
            }
            5 | 6 => {
                let target = some(r);
                let other = styles::document(r);
                let content = other.text.replace("\r\n", "\n");
                if other.kind == target.kind && other.name == target.name {
                    case.files.insert("base/sp.yaml".to_owned(), vec![content]);
                    field("patches:\n", "- path: sp.yaml\n".to_owned())
                } else {
                    field("nameSuffix: ", "-s\n".to_owned())
                }
            }
            7 => {
                let target = some(r);
                let path = r.pick(&[
                    "metadata.annotations.copy",
                    "spec.copy",
                    "spec.a",
                    "metadata.labels.copy",
                ]);
                let mut text = format!(
                    "- {}\n  targets:\n  - select: {{kind: {}}}\n    fieldPaths: [{path}]\n    options: {{create: true}}\n",
                    if r.chance(40) {
                        format!("sourceValue: {}", quoted(r))
                    } else {
                        format!(
                            "source: {{kind: {}, name: {}, fieldPath: {}}}",
                            target.kind,
                            target.name,
                            r.pick(&[
                                "spec.a",
                                "spec.b",
                                "spec.key",
                                "metadata.name",
                                "spec.list",
                                "spec.c"
                            ])
                        )
                    },
                    some(r).kind
                );
                if r.chance(10) {
                    text = text.replace("create: true", "delimiter: a, index: 1");
                }
                field("replacements:\n", text)
            }
            _ => field(
                "configMapGenerator:\n",
                format!(
                    "- name: gen\n  literals:\n  - {}\n  - \"v={}\"\n",
                    r.pick(&["a=b", "'x= y '", "\"k=l\\nm\"", "q='r'"]),
                    r.pick(&["1", "true", "caf\u{e9}", "\\u263a", "a\\tb", "\\U0001F600", ""])
                ),
            ),
        };
        match list.iter_mut().find(|old| old.head == new.head) {
            Some(old) if old.head.ends_with(":\n") && !old.head.starts_with("common") => {
                old.items.extend(new.items);
            }
            Some(_) => {}
            None => list.push(new),
        }
    }
    case.kustomizations.insert("base/kustomization.yaml".to_owned(), list);
    case
}

/// A text in quotes, as a kustomization file wants it.
fn quoted(r: &mut Rng) -> String {
    r.pick(&[
        "x", "\"1\"", "'true'", "\"null\"", "\"a: b\"", "\"y\"", "'#'", "\"\"", "caf\u{e9}", "\"1.0\"", "'- a'", "\"0x1\"", "\"~\"",
        "\"a\\nb\"", "\"<<\"", "\"2020-01-01\"", "\"1e3\"", "\"*\"", "\" a\"", "\"a long text that goes on and on until it is quite a bit longer than the eighty columns\"",
    ])
    .to_owned()
}

/// Two levels of kustomizations with one or two features each, over objects that refer to each other.
pub(crate) fn focused(r: &mut Rng) -> Case {
    let mut case = Case { top: "top".to_owned(), ..Case::default() };
    let mut objects: Vec<Object> = Vec::new();
    let mut documents = Vec::new();
    for _ in 0..2 + r.below(5) {
        let made = object(r);
        if !objects.iter().any(|old| old.kind == made.kind && old.name == made.name) {
            documents.push(made.text.clone());
            objects.push(made);
        }
    }
    if r.chance(10) {
        documents = vec![listed(r, &documents, &objects)];
    }
    case.files.insert("base/all.yaml".to_owned(), documents);
    let mut list = vec![field("resources:\n", "- all.yaml\n".to_owned())];
    add(r, &mut case, "base", &mut list, &mut objects);
    case.kustomizations.insert("base/kustomization.yaml".to_owned(), list);
    let mut below = "base";
    if r.chance(40) {
        let mut list = vec![field("resources:\n", "- ../base\n".to_owned())];
        add(r, &mut case, "mid", &mut list, &mut objects);
        case.kustomizations.insert("mid/kustomization.yaml".to_owned(), list);
        below = "mid";
    }
    let mut list = vec![field("resources:\n", format!("- ../{below}\n"))];
    if r.chance(25) {
        let mut part = vec![field(
            "",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n".to_owned(),
        )];
        add(r, &mut case, "part", &mut part, &mut objects);
        case.kustomizations.insert("part/kustomization.yaml".to_owned(), part);
        list.push(field("components:\n", "- ../part\n".to_owned()));
    }
    add(r, &mut case, "top", &mut list, &mut objects);
    case.kustomizations.insert("top/kustomization.yaml".to_owned(), list);
    case
}

/// The documents as one list, of any or of their own kind.
fn listed(r: &mut Rng, documents: &[String], objects: &[Object]) -> String {
    let same = objects.iter().all(|object| object.kind == objects[0].kind);
    let mut text = match (same, r.below(3)) {
        (true, 0) => {
            format!("apiVersion: {}\nkind: {}List\n", objects[0].api_version, objects[0].kind)
        }
        (_, 1) => "apiVersion: v1\nkind: List\nmetadata:\n  resourceVersion: \"\"\n".to_owned(),
        _ => "apiVersion: v1\nkind: List\n".to_owned(),
    };
    text.push_str("items:\n");
    for document in documents {
        let lines = document.lines().filter(|line| !line.starts_with('#'));
        for (index, line) in lines.enumerate() {
            let _ = writeln!(text, "{}{line}", if index == 0 { "- " } else { "  " });
        }
    }
    text
}

fn add(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    list: &mut Vec<Field>,
    objects: &mut Vec<Object>,
) {
    for _ in 0..=r.below(2) {
        let new = one(r, case, directory, objects);
        match list.iter_mut().find(|old| !old.head.is_empty() && old.head == new.head) {
            Some(old) if old.head.ends_with(":\n") && !old.head.starts_with("sort") => {
                old.items.extend(new.items);
            }
            Some(_) => {}
            None => list.push(new),
        }
    }
}

fn one(r: &mut Rng, case: &mut Case, directory: &str, objects: &mut Vec<Object>) -> Field {
    match r.below(20) {
        0 | 1 => field("labels:\n", labels(r)),
        2 => field("commonLabels:\n", format!("  {}: {}\n", r.pick(&["app", "x/y", "\"1\"", "tier", "\"true\""]), quoted(r))),
        3 => field("commonAnnotations:\n", format!("  {}: {}\n", r.pick(&["note", "x.io/y", "\"1\""]), quoted(r))),
        4 | 5 => configuration(r, case, directory),
        6 => field("images:\n", image(r)),
        7 => field("namespace: ", format!("{}\n", r.pick(&["one", "prod", "default", "two", "\"1\""]))),
        8 => field("namePrefix: ", format!("{}\n", r.pick(&["p-", "\"1\"", "a.b-"]))),
        9 => field("nameSuffix: ", format!("{}\n", r.pick(&["-s", "\"2\"", "-1"]))),
        10 => field("sortOptions:\n", format!("  order: {}\n", r.pick(&["fifo", "legacy", "legacy\n  legacySortOptions: {orderFirst: [Deployment, Widget, ConfigMap]}", "legacy\n  legacySortOptions: {orderLast: [Secret, Service]}", "legacy\n  legacySortOptions:\n    orderFirst: [Namespace]\n    orderLast: [CustomResourceDefinition, Namespace]"]))),
        11 => field("buildMetadata: ", format!("{}\n", r.pick(&["[originAnnotations]", "[transformerAnnotations]", "[managedByLabel, originAnnotations]", "[managedByLabel]"]))),
        12 | 13 => subset_patch(r, objects),
        14 => annotation_patch(r, objects),
        15 => json_patch(r, objects),
        16 | 17 => copy(r, objects),
        18 => variable(r, objects),
        _ => {
            let mut more = Vec::new();
            fields::add(r, case, directory, &mut more, objects, 1);
            more.pop().unwrap_or_else(|| field("", String::new()))
        }
    }
}

fn labels(r: &mut Rng) -> String {
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

fn configuration(r: &mut Rng, case: &mut Case, directory: &str) -> Field {
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

fn image(r: &mut Rng) -> String {
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
fn subset_patch(r: &mut Rng, objects: &[Object]) -> Field {
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
        } else if indent > 2 && line.trim_start().starts_with("- name: ") && r.chance(15) {
            let _ = writeln!(
                text,
                "{line}\n{}$patch: {}",
                " ".repeat(indent + 2),
                r.pick(&["delete", "replace", "merge"])
            );
        } else if indent > 0 && line.trim_end().ends_with(':') && r.chance(4) {
            let _ = writeln!(
                text,
                "{line}\n{}$patch: {}",
                " ".repeat(indent + 2),
                r.pick(&["delete", "replace", "merge"])
            );
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

fn annotation_patch(r: &mut Rng, objects: &[Object]) -> Field {
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
fn json_patch(r: &mut Rng, objects: &[Object]) -> Field {
    let Some(object) = some(r, objects) else { return field("", String::new()) };
    let mut text = String::new();
    for _ in 0..=r.below(3) {
        let value = crate::styles::plain(r);
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
fn copy(r: &mut Rng, objects: &[Object]) -> Field {
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

fn variable(r: &mut Rng, objects: &[Object]) -> Field {
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
