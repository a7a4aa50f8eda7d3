//! Paths that lead somewhere: field specifications, replacements, operations and patches that are made
//! from the fields that random objects have.

use std::fmt::Write as _;

use gitops_yaml::{Content, Node};

use crate::{
    case::{Case, Field},
    cases::wide::{field, quoted},
    objects::pods::indented,
    objects::{NAMES, Object, object, scalar},
    rng::Rng,
};

/// A part of a path.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    /// An element, and pairs by which it is known.
    Index(usize, Vec<(String, String)>),
}

type Path = Vec<Step>;

/// A way down into an object.
fn way(r: &mut Rng, node: &Node) -> Path {
    let mut path = Vec::new();
    let mut node = node;
    loop {
        match node.content() {
            Content::Mapping(mapping) if !mapping.is_empty() => {
                let entry = &mapping.entries()[r.below(mapping.len())];
                path.push(Step::Key(entry.key.text().unwrap_or_default().to_owned()));
                node = &entry.value;
            }
            Content::Sequence(items) if !items.is_empty() => {
                let at = r.below(items.len());
                let pairs = items[at].as_mapping().into_iter().flat_map(gitops_yaml::Mapping::iter);
                let pairs = pairs
                    .filter_map(|(key, value)| Some((key.to_owned(), value.text()?.to_owned())));
                path.push(Step::Index(at, pairs.collect()));
                node = &items[at];
            }
            _ => return path,
        }
        if path.len() > 1 && r.chance(18) {
            return path;
        }
    }
}

fn path_of(r: &mut Rng, object: &Object) -> Path {
    match gitops_yaml::read(&object.text) {
        Ok(node) => (0..4).map(|_| way(r, &node)).max_by_key(Vec::len).unwrap_or_default(),
        Err(_) => vec![Step::Key("spec".to_owned())],
    }
}

const NEW: &[&str] = &["new", "a.b/c", "x-y", "0", "labels", "name", "1a", "deep"];

/// As field specifications have it.
fn spec_path(r: &mut Rng, path: &[Step]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for step in path {
        match step {
            Step::Key(key) => parts.push(key.replace('/', "\\/")),
            Step::Index(at, _) => {
                if r.chance(60)
                    && let Some(last) = parts.last_mut()
                {
                    last.push_str("[]");
                } else if r.chance(5) {
                    parts.push(at.to_string());
                }
            }
        }
    }
    match r.below(14) {
        0 | 1 => parts.push((*r.pick(NEW)).replace('/', "\\/")),
        2 => drop(parts.pop()),
        3 => {
            parts.pop();
            parts.push((*r.pick(NEW)).replace('/', "\\/"));
        }
        4 => parts.insert(0, String::new()),
        _ => {}
    }
    parts.join("/")
}

fn field_spec(r: &mut Rng, objects: &[Object]) -> String {
    let object = &objects[r.below(objects.len())];
    let path = path_of(r, object);
    let mut text = format!("- path: \"{}\"\n", spec_path(r, &path).replace('\\', "\\\\"));
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", object.api_version));
    text.push_str(
        &r.maybe(55, |r| format!("  kind: {}\n", if r.chance(90) { object.kind } else { "Other" })),
    );
    text.push_str(&r.maybe(15, |_| format!("  group: \"{group}\"\n")));
    text.push_str(
        &r.maybe(15, |r| format!("  version: {}\n", if r.chance(80) { version } else { "v9" })),
    );
    text.push_str(&r.maybe(50, |r| format!("  create: {}\n", r.pick(&["true", "true", "false"]))));
    text
}

fn field_specs(r: &mut Rng, objects: &[Object]) -> String {
    (0..=r.below(3)).map(|_| field_spec(r, objects)).collect()
}

/// A builtin transformer over odd fields.
fn transformer(r: &mut Rng, objects: &[Object]) -> String {
    let head = |kind: &str| format!("apiVersion: builtin\nkind: {kind}\nmetadata:\n  name: t\n");
    let name = objects[r.below(objects.len())].name.clone();
    let (head, body) = match r.below(9) {
        0 => (head("PrefixTransformer"), format!("prefix: {}\n", r.pick(&["p-", "\"1\"", "''", "a/b", "true"]))),
        1 => (head("SuffixTransformer"), format!("suffix: {}\n", r.pick(&["-s", "\"0\"", "1", "x y"]))),
        2 => (head("LabelTransformer"), format!("labels: {{{}: {}, b: {}}}\n", r.pick(&["a", "app", "x/y", "1"]), quoted(r), r.pick(&["x", "1", "1.50", "yes", "true"]))),
        3 => (head("AnnotationsTransformer"), format!("annotations: {{{}: {}}}\n", r.pick(&["a", "note", "x/y"]), quoted(r))),
        4 => (head("NamespaceTransformer").replace("name: t\n", &format!("name: t\n  namespace: {}\n", r.pick(&["ns", "default", "\"1\"", "one"]))), r.pick(&["", "unsetOnly: true\n", "unsetOnly: false\n", "setRoleBindingSubjects: none\n", "setRoleBindingSubjects: allServiceAccounts\n", "setRoleBindingSubjects: defaultOnly\n", "setRoleBindingSubjects: bad\n"]).to_owned()),
        5 => (head("ImageTagTransformer"), format!("imageTag:\n  name: {}\n{}", r.pick(&["nginx", "ghcr.io/org/app", "busybox", "my-nginx", "localhost:5000/app", "n.*x"]), r.pick(&["  newTag: v2\n", "  newName: a/b\n", "  digest: sha256:aa\n", "  tagSuffix: -x\n", "  newTag: 1.10\n", "  newName: a:5000/b\n  newTag: v1\n", "  newTag: v1\n  tagSuffix: -y\n", "  newTag: v1\n  digest: sha256:bb\n"]))),
        6 => (head("ReplicaCountTransformer"), format!("replica:\n  name: {name}\n  count: {}\n", r.pick(&["0", "3", "\"4\"", "-1"]))),
        7 => {
            let object = &objects[r.below(objects.len())];
            let path = path_of(r, object);
            let target = format!("- fieldPath: \"{}\"\n{}{}", spec_path(r, &path).replace('\\', "\\\\"),
                r.maybe(60, |_| format!("  selector: {{kind: {}}}\n", object.kind)),
                r.maybe(25, |r| format!("  options: {{delimiter: \"{}\", index: {}}}\n", r.pick(&["-", ".", "/", ":"]), r.below(3))));
            (head("ValueAddTransformer"), format!("value: {}\ntargets:\n{target}", r.pick(&["v", "\"1\"", "a-b"])))
        }
        _ => (head("SortOrderTransformer"), format!("sortOptions:\n  order: {}\n", r.pick(&["legacy", "fifo", "bad", "legacy\n  legacySortOptions:\n    orderFirst: [ConfigMap, Service]\n    orderLast: [Namespace, Widget]"]))),
    };
    let specs = if head.contains("ValueAdd") || head.contains("SortOrder") || r.chance(8) {
        String::new()
    } else {
        format!(
            "{}:\n{}",
            if head.contains("ImageTag") || r.chance(97) { "fieldSpecs" } else { "fieldspecs" },
            field_specs(r, objects)
        )
    };
    format!("{head}{body}{specs}")
}

fn configurations(r: &mut Rng, case: &mut Case, objects: &[Object], list: &mut Vec<Field>) {
    let mut text = String::new();
    for (section, head, items) in [
        ("namePrefix", "namePrefix: ", &["p-\n", "x.\n"][..]),
        ("nameSuffix", "nameSuffix: ", &["-s\n"][..]),
        ("namespace", "namespace: ", &["ns\n", "one\n"][..]),
        ("commonLabels", "commonLabels:\n", &["  l: m\n", "  app: web\n"][..]),
        (
            "labels",
            "labels:\n",
            &["- pairs: {l: m}\n", "- pairs: {l: m, n: o}\n  includeTemplates: true\n"][..],
        ),
        ("templateLabels", "labels:\n", &["- pairs: {l: m}\n  includeTemplates: true\n"][..]),
        (
            "volumeClaimTemplateLabels",
            "labels:\n",
            &["- pairs: {l: m}\n  includeVolumeClaimTemplates: true\n"][..],
        ),
        ("commonAnnotations", "commonAnnotations:\n", &["  l: 'm'\n", "  l: '1'\n"][..]),
        (
            "images",
            "images:\n",
            &["- {name: nginx, newTag: v7}\n", "- {name: ghcr.io/org/app, newName: x}\n"][..],
        ),
        (
            "replicas",
            "replicas:\n",
            &["- {name: app, count: 4}\n", "- {name: web, count: 0}\n"][..],
        ),
    ] {
        if r.chance(18) {
            let _ = write!(text, "{section}:\n{}", field_specs(r, objects));
            if !list.iter().any(|old| old.head == head) {
                list.push(field(head, r.pick(items).to_owned()));
            }
        }
    }
    if r.chance(40) {
        let target = &objects[r.below(objects.len())];
        let _ = write!(
            text,
            "nameReference:\n- kind: {}\n{}  fieldSpecs:\n{}",
            target.kind,
            r.maybe(20, |_| "  version: v1\n".to_owned()),
            indented(&field_specs(r, objects), 2)
        );
    }
    if r.chance(15) {
        let _ = write!(text, "varReference:\n{}", field_specs(r, objects));
        let object = &objects[r.below(objects.len())];
        list.push(field(
            "vars:\n",
            format!(
                "- name: VAR\n  objref: {{apiVersion: {}, kind: {}, name: \"{}\"}}\n",
                object.api_version, object.kind, object.name
            ),
        ));
    }
    case.files.insert("top/conf.yaml".to_owned(), vec![text]);
    list.push(field("configurations:\n", "- conf.yaml\n".to_owned()));
}

/// As replacements have it.
fn dotted(r: &mut Rng, path: &[Step], source: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    for step in path {
        parts.push(match step {
            Step::Key(key) if key.contains('.') && r.chance(50) => format!("[{key}]"),
            Step::Key(key) => key.replace('.', "\\."),
            Step::Index(at, pairs) => match r.below(10) {
                0..=2 => at.to_string(),
                3 if !source => "*".to_owned(),
                4 => "-".to_owned(),
                5 => (at + 1).to_string(),
                _ => match pairs.iter().find(|(key, _)| key == "name" || r.chance(40)) {
                    Some((key, value)) if !source && r.chance(15) => {
                        format!("[{key}={}.*]", value.chars().take(2).collect::<String>())
                    }
                    Some((key, value)) => format!("[{key}={value}]"),
                    None => at.to_string(),
                },
            },
        });
    }
    if !source {
        match r.below(10) {
            0 => parts.push("new".to_owned()),
            1 => {
                parts.pop();
                parts.push(
                    r.pick(&["new", "[a.b/c]", "[name=new]", "[=x]", "0", "9", "*"]).to_owned(),
                );
            }
            _ => {}
        }
    }
    parts.join(".")
}

fn replacement(r: &mut Rng, objects: &[Object]) -> String {
    let from = &objects[r.below(objects.len())];
    let mut text = String::new();
    if r.chance(20) {
        let _ = writeln!(text, "sourceValue: {}", scalar(r));
    } else {
        let path = path_of(r, from);
        let _ = write!(text, "source:\n  kind: {}\n  name: \"{}\"\n", from.kind, from.name);
        if r.chance(85) {
            let _ = writeln!(text, "  fieldPath: '{}'", dotted(r, &path, true));
        }
        if r.chance(20) {
            let _ = writeln!(
                text,
                "  options: {{delimiter: \"{}\", index: {}}}",
                r.pick(&["-", ".", "/", ":", "e"]),
                r.below(3)
            );
        }
    }
    text.push_str("targets:\n");
    for _ in 0..=r.below(1) {
        let to = &objects[r.below(objects.len())];
        let _ = writeln!(text, "- select: {{kind: {}}}", to.kind);
        if r.chance(8) {
            let _ = writeln!(text, "  reject: [{{name: \"{}\"}}]", to.name);
        }
        text.push_str("  fieldPaths:\n");
        for _ in 0..=r.below(2) {
            let path = path_of(r, to);
            let _ = writeln!(text, "  - '{}'", dotted(r, &path, false));
        }
        text.push_str(&r.maybe(35, |r| {
            r.pick(&[
                "  options: {create: true}\n",
                "  options: {create: true}\n",
                "  options: {delimiter: '-', index: 1}\n",
                "  options: {delimiter: ':', index: 0}\n",
                "  options: {delimiter: '/', index: -1}\n",
                "  options: {delimiter: '.', index: 9, create: true}\n",
                "  options: {encoding: base64}\n",
            ])
            .to_owned()
        }));
    }
    format!("- {}", indented(&text, 2).trim_start())
}

fn pointer(r: &mut Rng, path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                let _ = write!(text, "/{}", key.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(at, _) => {
                let _ = match r.below(10) {
                    0 => write!(text, "/-"),
                    1 => write!(text, "/{}", at + 1),
                    2 => write!(text, "/-1"),
                    3 => write!(text, "/0{at}"),
                    _ => write!(text, "/{at}"),
                };
            }
        }
    }
    match r.below(12) {
        0 | 1 => text.push_str(r.pick(&["/new", "/a~1b", "/-", "/0", "/"])),
        2 => {
            text = text.rsplit_once('/').map_or(String::new(), |(front, _)| format!("{front}/new"));
        }
        3 => text = text.rsplit_once('/').map_or(String::new(), |(front, _)| front.to_owned()),
        _ => {}
    }
    text
}

fn operations(r: &mut Rng, object: &Object) -> String {
    let mut text = String::new();
    for _ in 0..=r.below(3) {
        let (path, from) = (path_of(r, object), path_of(r, object));
        let path = pointer(r, &path);
        let value = match r.below(5) {
            0 => r
                .pick(&[
                    "{a: 1}",
                    "[x, {y: z}]",
                    "null",
                    "{}",
                    "[]",
                    "1.0",
                    "1e3",
                    "12345678901234567890",
                    "0.1",
                ])
                .to_owned(),
            1 => quoted(r),
            _ => scalar(r),
        };
        let _ = match r.below(12) {
            0..=2 => writeln!(text, "- {{op: add, path: '{path}', value: {value}}}"),
            3..=5 => writeln!(text, "- {{op: replace, path: '{path}', value: {value}}}"),
            6 | 7 => writeln!(text, "- {{op: remove, path: '{path}'}}"),
            8 => writeln!(text, "- {{op: copy, from: '{}', path: '{path}'}}", pointer(r, &from)),
            9 => writeln!(text, "- {{op: move, from: '{}', path: '{path}'}}", pointer(r, &from)),
            10 => writeln!(text, "- {{op: test, path: '{path}', value: {value}}}"),
            _ => writeln!(
                text,
                "- op: add\n  path: '{path}'\n  value:\n    x: {value}\n    l:\n    - 1\n    - {{b: c}}"
            ),
        };
    }
    text
}

/// A strategic merge patch along a path, with siblings and directives here and there.
fn along(r: &mut Rng, path: &[Step], indent: usize) -> String {
    let space = " ".repeat(indent);
    match path {
        [] => format!("{space}new: {}\n", scalar(r)),
        [Step::Key(key)] => {
            let value = match r.below(8) {
                0 => "null".to_owned(),
                1 => r.pick(&["{}", "[]", "{a: b}", "[x]", "[{name: n}]", "\"\""]).to_owned(),
                _ => scalar(r),
            };
            format!("{}{space}{}: {value}\n", directive(r, &space), key_text(key))
        }
        [Step::Key(key), rest @ ..] => {
            let more = r.maybe(15, |r| format!("{space}added: {}\n", scalar(r)));
            let special = r.maybe(4, |r| {
                format!(
                    "{space}{}\n",
                    r.pick(&[
                        "$retainKeys: [name]",
                        "$setElementOrder/containers: [{name: side}, {name: main}]",
                        "$deleteFromPrimitiveList/finalizers: [a]",
                        "$setElementOrder/x: []"
                    ])
                )
            });
            format!(
                "{}{space}{}:\n{}{more}{special}",
                directive(r, &space),
                key_text(key),
                along(r, rest, indent + 2)
            )
        }
        [Step::Index(_, pairs), rest @ ..] => element(r, pairs, rest, indent),
    }
}

/// Now and then, a directive of its own line.
fn directive(r: &mut Rng, space: &str) -> String {
    r.maybe(9, |r| format!("{space}$patch: {}\n", r.pick(&["delete", "replace", "merge", "bad"])))
}

/// An element of a list, with the keys by which lists merge, and what leads on within it.
fn element(r: &mut Rng, pairs: &[(String, String)], rest: &[Step], indent: usize) -> String {
    let space = " ".repeat(indent);
    let mut text = String::new();
    text.push_str(
        &r.maybe(8, |r| format!("{space}- $patch: {}\n", r.pick(&["replace", "delete", "merge"]))),
    );
    let mut own = String::new();
    for (key, value) in pairs {
        let known = [
            "name",
            "containerPort",
            "protocol",
            "port",
            "mountPath",
            "key",
            "ip",
            "topologyKey",
            "uid",
        ]
        .contains(&key.as_str());
        let again = matches!(rest.first(), Some(Step::Key(next)) if next == key);
        if known && !again && r.chance(85) {
            let _ = writeln!(
                own,
                "{space}  {}: {}",
                key_text(key),
                gitops_yaml::to_yaml(&Node::string(value.as_str()))
                    .unwrap_or_default()
                    .trim_end()
                    .replace("\"80\"", "80")
                    .replace("\"53\"", "53")
                    .replace("\"443\"", "443")
            );
        }
    }
    if rest.is_empty() && own.is_empty() {
        let _ = writeln!(text, "{space}- {}", scalar(r));
        return text;
    }
    own.push_str(&if rest.is_empty() {
        directive(r, &space).replace(&space, &format!("{space}  "))
    } else {
        along(r, rest, indent + 2)
    });
    let _ = write!(text, "{space}- {}", own.trim_start());
    text
}

fn key_text(key: &str) -> String {
    if key.parse::<f64>().is_ok() || key.is_empty() { format!("'{key}'") } else { key.to_owned() }
}

fn strategic(r: &mut Rng, object: &Object) -> String {
    let mut path = path_of(r, object);
    if matches!(path.first(), Some(Step::Key(key)) if key == "apiVersion" || key == "kind") {
        path = vec![Step::Key("spec".to_owned()), Step::Key("x".to_owned())];
    }
    let head = format!("apiVersion: {}\nkind: {}\n", object.api_version, object.kind);
    let namespace = object
        .namespace
        .as_ref()
        .map(|namespace| format!("  namespace: {namespace}\n"))
        .unwrap_or_default();
    let name = format!("  name: \"{}\"\n{namespace}", object.name);
    if matches!(path.first(), Some(Step::Key(key)) if key == "metadata") {
        let inner = match path.get(1) {
            Some(Step::Key(key)) if key != "name" && key != "namespace" => along(r, &path[1..], 2),
            _ => "  labels: {added: x}\n".to_owned(),
        };
        return format!("{head}metadata:\n{name}{inner}");
    }
    format!("{head}metadata:\n{name}{}", along(r, &path, 0))
}

fn patch(r: &mut Rng, objects: &[Object]) -> String {
    let object = &objects[r.below(objects.len())];
    let json = r.chance(45);
    let text = if json { operations(r, object) } else { strategic(r, object) };
    let target = if json || r.chance(30) {
        format!(
            "  target:\n    kind: {}\n{}",
            object.kind,
            r.maybe(40, |_| format!("    name: \"{}\"\n", object.name))
        )
    } else {
        String::new()
    };
    let options = r.maybe(8, |r| {
        format!("  options: {{{}: true}}\n", r.pick(&["allowNameChange", "allowKindChange"]))
    });
    format!("- patch: |-\n{}{target}{options}", indented(&text, 4))
}

/// A base of a few objects, and over it one to three fields that lead into them.
pub(crate) fn deep(r: &mut Rng) -> Case {
    let mut case = Case { top: "top".to_owned(), ..Case::default() };
    let mut objects: Vec<Object> = Vec::new();
    let mut documents = Vec::new();
    for _ in 0..=r.below(4) {
        let made = object(r);
        if !objects.iter().any(|old| old.kind == made.kind && old.name == made.name) {
            documents.push(made.text.clone());
            objects.push(made);
        }
    }
    case.files.insert("base/all.yaml".to_owned(), documents);
    let mut base = vec![field("resources:\n", "- all.yaml\n".to_owned())];
    if r.chance(25) {
        base.push(field("namePrefix: ", "b-\n".to_owned()));
    }
    case.kustomizations.insert("base/kustomization.yaml".to_owned(), base);
    let mut list = vec![field("resources:\n", "- ../base\n".to_owned())];
    for _ in 0..=r.below(2) {
        let new = match r.below(10) {
            0..=2 => {
                let config = transformer(r, &objects);
                if r.chance(50) {
                    field("transformers:\n", format!("- |-\n{}", indented(&config, 2)))
                } else {
                    let name = format!("t{}.yaml", r.below(1000));
                    case.files.insert(format!("top/{name}"), vec![config]);
                    field("transformers:\n", format!("- {name}\n"))
                }
            }
            3 => {
                if !list.iter().any(|old| old.head == "configurations:\n") {
                    configurations(r, &mut case, &objects, &mut list);
                }
                continue;
            }
            4 | 5 => field("replacements:\n", replacement(r, &objects)),
            6 => field(
                "labels:\n",
                format!(
                    "- pairs: {{{}: {}, z: '1'}}\n  fields:\n{}{}",
                    r.pick(&["a", "app", "x/y"]),
                    quoted(r),
                    indented(&field_specs(r, &objects), 2),
                    r.pick(&["", "  includeSelectors: true\n", "  includeTemplates: true\n"])
                ),
            ),
            _ => field("patches:\n", patch(r, &objects)),
        };
        match list.iter_mut().find(|old| old.head == new.head) {
            Some(old) => old.items.extend(new.items),
            None => list.push(new),
        }
    }
    if r.chance(10) {
        list.push(field("nameSuffix: ", format!("-{}\n", r.pick(NAMES))));
    }
    case.kustomizations.insert("top/kustomization.yaml".to_owned(), list);
    case
}
