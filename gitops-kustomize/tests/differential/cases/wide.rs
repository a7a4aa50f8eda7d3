//! Small overlays with one or two features each, so that most of them are valid.

use std::fmt::Write as _;

use crate::{
    case::{Case, Field},
    fields,
    fields::features::{
        annotation_patch, configuration, copy, image, json_patch, labels, subset_patch, variable,
    },
    objects::pods::indented,
    objects::styles,
    objects::{Object, object},
    rng::Rng,
};

pub(crate) fn field(head: &str, item: String) -> Field {
    Field { head: head.to_owned(), items: vec![item] }
}

/// Objects in odd styles, and few fields over them.
#[expect(clippy::too_many_lines, reason = "a table")]
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
pub(crate) fn quoted(r: &mut Rng) -> String {
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
