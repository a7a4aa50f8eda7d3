//! Generators over several layers, and kustomization files in odd spellings.

use std::fmt::Write as _;

use crate::{
    case::{Case, Field},
    cases::wide::{field, quoted},
    rng::Rng,
};

/// Three layers that generate, merge and replace a few config maps and secrets.
pub(crate) fn layers(r: &mut Rng) -> Case {
    let mut case = Case { top: "top".to_owned(), ..Case::default() };
    let mut below: Option<&str> = None;
    for directory in ["base", "mid", "top"] {
        if directory == "mid" && r.chance(40) {
            continue;
        }
        let mut list = Vec::new();
        if let Some(below) = below {
            list.push(field("resources:\n", format!("- ../{below}\n")));
        } else if r.chance(60) {
            case.files.insert("base/user.yaml".to_owned(), vec![user(r)]);
            list.push(field("resources:\n", "- user.yaml\n".to_owned()));
        }
        let mut seen = Vec::new();
        for _ in 0..=r.below(2) {
            let secret = !seen.is_empty() && r.chance(70) || r.chance(10);
            let name = if r.chance(80) { "one" } else { "two" };
            if seen.contains(&(secret, name)) {
                continue;
            }
            seen.push((secret, name));
            let new = generator(r, &mut case, directory, secret, name, below.is_some());
            match list.iter_mut().find(|old: &&mut Field| old.head == new.head) {
                Some(old) => old.items.extend(new.items),
                None => list.push(new),
            }
        }
        if r.chance(35) {
            list.push(field("generatorOptions:\n", options(r, 2)));
        }
        for (percent, head, text) in [
            (15, "namePrefix: ", "p-\n"),
            (10, "nameSuffix: ", "-s\n"),
            (15, "namespace: ", "ns\n"),
            (10, "commonLabels:\n", "  c: l\n"),
            (10, "buildMetadata: ", "[originAnnotations]\n"),
        ] {
            if r.chance(percent) {
                list.push(field(head, text.to_owned()));
            }
        }
        case.kustomizations.insert(format!("{directory}/kustomization.yaml"), list);
        below = Some(directory);
    }
    spell(r, &mut case);
    case
}

fn user(r: &mut Rng) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: user\nspec:\n  containers:\n  - name: a\n    image: x\n    envFrom:\n    - configMapRef:\n        name: {}\n    - secretRef:\n        name: {}\n",
        r.pick(&["one", "two"]),
        r.pick(&["one", "two"])
    )
}

fn options(r: &mut Rng, indent: usize) -> String {
    let space = " ".repeat(indent);
    let mut text = String::new();
    for line in [
        "disableNameSuffixHash: true",
        "disableNameSuffixHash: false",
        "immutable: true",
        "labels: {l: \"1\"}",
        "labels:",
        "annotations: {a: 'true'}",
        "labels: {x/y: z, app: web}",
        "annotations: {}",
    ] {
        let head = line.split(':').next().unwrap_or_default();
        if r.chance(22) && !text.contains(head) {
            let _ = writeln!(text, "{space}{line}");
        }
    }
    if text.is_empty() { format!("{space}labels: {{g: h}}\n") } else { text }
}

#[expect(clippy::too_many_lines, reason = "tables")]
fn generator(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    secret: bool,
    name: &str,
    above: bool,
) -> Field {
    let mut text = format!("- name: {name}\n");
    if above || r.chance(5) {
        text.push_str(if r.chance(90) {
            r.pick(&["  behavior: merge\n", "  behavior: replace\n"])
        } else {
            r.pick(&[
                "  behavior: create\n",
                "",
                "  behavior: Merge\n",
                "  behavior: unspecified\n",
            ])
        });
    }
    text.push_str(
        &r.maybe(10, |r| format!("  namespace: {}\n", r.pick(&["ns", "default", "other"]))),
    );
    text.push_str(&r.maybe(if secret { 25 } else { 2 }, |r| {
        format!("  type: {}\n", r.pick(&["Opaque", "kubernetes.io/tls", "\"\""]))
    }));
    if r.chance(60) {
        text.push_str("  literals:\n");
        for _ in 0..=r.below(2) {
            if r.chance(4) {
                let _ = writeln!(
                    text,
                    "  - {}",
                    r.pick(&["=x", "noequals", "a/b=bad", "..=x", "r.=x"])
                );
                continue;
            }
            let _ = writeln!(
                text,
                "  - {}",
                r.pick(&[
                    "a=1",
                    "b=",
                    "c= x ",
                    "'d=\"q\"'",
                    "\"e='q'\"",
                    "\"f=a\\nb\"",
                    "g==",
                    "h=a=b",
                    "\"i=\\\"x\"",
                    "'j=''x'",
                    "k=\u{e9}\u{2028}",
                    "a.b-c_d=ok",
                    "\"l= \"",
                    "m=true",
                    "n=0x1F",
                    "'o=$(X)'",
                    "\"p=\\tx\"",
                    "\"q=a\\r\\nb\"",
                ])
            );
        }
    }
    if r.chance(40) {
        let (file, content) = match r.below(9) {
            0 => ("bin.dat", vec![0xff, 0xfe, 0, 1, 2]),
            1 => ("text.txt", b"line\nline two".to_vec()),
            2 => ("crlf.txt", b"a\r\nb\r\n".to_vec()),
            3 => ("empty", Vec::new()),
            4 => ("utf8.txt", "caf\u{e9} \u{1F600}\n".as_bytes().to_vec()),
            5 => ("spaces.txt", b"a  \n\tb\n\n\n".to_vec()),
            6 => ("long.txt", "word ".repeat(40).into_bytes()),
            7 => ("half.bin", [b"text ".as_slice(), &[0xc3]].concat()),
            _ => ("bom.txt", b"\xef\xbb\xbfx=1\n".to_vec()),
        };
        case.binary.insert(format!("{directory}/{file}"), content);
        let _ = writeln!(
            text,
            "  files:\n  - {}{file}",
            r.pick(&["", "", "key=", "a.b=", "./", "k=./", "", "", "", "x-y=", "=", "a/b="])
        );
    }
    if r.chance(35) {
        let content: &[u8] = match r.below(8) {
            0 => b"A=1\nB=two words\n",
            1 => b"# c\n\n  C=indented\nD=x # y\n",
            2 => b"E=\"quoted\"\nF='single'\n",
            3 => b"\xef\xbb\xbfG=bom\nH=1\r\n",
            4 => b"NOVALUE\nI=1",
            5 => b"J=a=b=c\nK= lead\nL=trail \n",
            6 => b"export M=1\nN=2\n",
            _ => b"O=1\nO=2\n",
        };
        case.binary.insert(format!("{directory}/v.env"), content.to_vec());
        text.push_str(r.pick(&["  envs: [v.env]\n", "  env: v.env\n", "  envs:\n  - v.env\n"]));
    }
    text.push_str(&r.maybe(30, |r| format!("  options:\n{}", options(r, 4))));
    field(if secret { "secretGenerator:\n" } else { "configMapGenerator:\n" }, text)
}

/// Small kustomizations with fields of odd types.
pub(crate) fn spelled(r: &mut Rng) -> Case {
    let mut case = Case { top: "top".to_owned(), ..Case::default() };
    let object = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: {app: web}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - name: main\n        image: nginx:1\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n";
    case.files.insert("top/a.yaml".to_owned(), vec![object.to_owned()]);
    let mut list = vec![field(
        r.pick(&["resources:\n", "resources:\n", "Resources:\n", "bases:\n"]),
        "- a.yaml\n".to_owned(),
    )];
    for _ in 0..=r.below(2) {
        let odd = |r: &mut Rng| -> String {
            if r.chance(55) {
                return r.pick(&["x", "\"1\"", "web", "'a'", "\"true\"", "a-b"]).to_owned();
            }
            r.pick(&[
                "x",
                "1",
                "true",
                "null",
                "\"1\"",
                "[x]",
                "{a: b}",
                "~",
                "yes",
                "1.5",
                "''",
                "[]",
                "{}",
                "&a x",
                "!!str 1",
                "2020-01-01",
                "[{name: x}]",
                "web",
            ])
            .to_owned()
        };
        let line = match r.below(24) {
            0 => format!("namePrefix: {}\n", odd(r)),
            1 => format!("NamePrefix: {}\n", odd(r)),
            2 => format!("namespace: {}\n", odd(r)),
            3 => format!("commonLabels: {{{}: {}}}\n", r.pick(&["a", "1", "true", "null", "a.b/c"]), odd(r)),
            4 => format!("commonAnnotations: {}\n", odd(r)),
            5 => format!("images: [{{name: {}, newTag: {}}}]\n", r.pick(&["nginx", "1", "null"]), odd(r)),
            6 => format!("replicas: [{{name: {}, count: {}}}]\n", r.pick(&["web", "1"]), r.pick(&["3", "\"3\"", "3.0", "x", "null", "-1", "1e1", "0x3"])),
            7 => format!("labels: [{{pairs: {{a: {}}}, includeSelectors: {}}}]\n", quoted(r), r.pick(&["true", "yes", "\"true\"", "1", "null"])),
            8 => format!("patches: [{{patch: {}, target: {{kind: Deployment}}}}]\n", odd(r)),
            9 => format!("patches: {}\n", odd(r)),
            10 => format!("buildMetadata: {}\n", r.pick(&["[originAnnotations]", "originAnnotations", "[x]", "null", "[]", "[managedByLabel, managedByLabel]"])),
            11 => format!("sortOptions: {}\n", r.pick(&["{order: fifo}", "{order: legacy}", "{order: x}", "{}", "null", "{order: fifo, legacySortOptions: {orderFirst: [x]}}", "{order: legacy, legacySortOptions: {orderFirst: [Service], orderLast: [Service]}}", "{order: legacy, legacySortOptions: {}}"])),
            12 => format!("configMapGenerator: [{{name: {}, literals: {}}}]\n", odd(r), r.pick(&["[a=b]", "a=b", "null", "[1]", "[]"])),
            13 => format!("generatorOptions: {}\n", odd(r)),
            14 => format!("apiVersion: {}\n", r.pick(&["kustomize.config.k8s.io/v1beta1", "v1", "kustomize.config.k8s.io/v1", "null"])),
            15 => format!("kind: {}\n", r.pick(&["Kustomization", "Component", "kustomization", "Deployment", "null"])),
            16 => format!("metadata: {}\n", odd(r)),
            17 => format!("openapi: {}\n", r.pick(&["{}", "{version: v1.21.2}", "{version: v1.20.4}", "{path: none}", "null", "x"])),
            18 => format!("vars: [{{name: V, objref: {{apiVersion: v1, kind: Service, name: {}}}}}]\n", r.pick(&["web", "none", "1"])),
            19 => format!("replacements: [{{sourceValue: {}, targets: [{{select: {{kind: Deployment}}, fieldPaths: [{}]}}]}}]\n", odd(r), r.pick(&["spec.replicas", "metadata.labels.app", "spec.template.spec.containers.0.image"])),
            20 => format!("{}: {}\n", r.pick(&["unknown", "resource", "patch", "helmChart", "commonlabels", "imageTags"]), odd(r)),
            21 => format!("imageTags: [{{name: nginx, newTag: {}}}]\n", odd(r)),
            22 => format!("components: {}\n", r.pick(&["[]", "null", "x", "[none]"])),
            _ => format!("transformers: [{}]\n", r.pick(&["''", "null", "'{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: x}, prefix: q-, fieldSpecs: [{path: metadata/name}]}'", "x", "'{apiVersion: builtin, kind: Unknown, metadata: {name: x}}'", "'{apiVersion: v1, kind: LabelTransformer, metadata: {name: x}, labels: {a: b}}'"])),
        };
        list.push(field("", line));
    }
    case.kustomizations.insert("top/kustomization.yaml".to_owned(), list);
    spell(r, &mut case);
    case
}

/// Changes how the kustomization on top is written, not what it says.
fn spell(r: &mut Rng, case: &mut Case) {
    if r.chance(70) {
        return;
    }
    let path = "top/kustomization.yaml";
    let Some(fields) = case.kustomizations.remove(path) else { return };
    let text: String = fields
        .iter()
        .flat_map(|field| {
            std::iter::once(field.head.as_str()).chain(field.items.iter().map(String::as_str))
        })
        .collect();
    let (path, text) = match r.below(9) {
        0 => (path, text.replace('\n', "\r\n")),
        1 => (path, format!("\u{feff}{text}")),
        2 => ("top/kustomization.yml", text),
        3 => ("top/Kustomization", text),
        4 => (path, format!("---\n# c\n{text}...\n")),
        5 => (path, format!("{text}---\nnamePrefix: other-\n")),
        6 => (path, format!("%YAML 1.1\n---\n{text}")),
        7 => {
            let read = gitops_yaml::read(&text)
                .ok()
                .and_then(|node| gitops_yaml::to_json_text(&node).ok());
            (path, read.unwrap_or(text))
        }
        _ => (path, text.lines().map(|line| format!("{line} # note\n")).collect()),
    };
    case.files.insert(path.to_owned(), vec![text]);
}
