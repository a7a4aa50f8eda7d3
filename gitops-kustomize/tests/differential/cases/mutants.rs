//! Cases of the corpora with a few lines changed.
//!
//! The corpora are looked for as in `tests/corpus.rs`; without them there are none of these cases.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use serde_json::Value;

use crate::{case::Case, environment, rng::Rng};

/// Files of a build and what is built.
struct Origin {
    root: PathBuf,
    files: Vec<PathBuf>,
    top: String,
    unrestricted: bool,
}

/// Larger builds take too long.
const MOST_FILES: usize = 40;
const MOST_BYTES: u64 = 60_000;

static ORIGINS: LazyLock<Vec<Origin>> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let roots =
        [environment("GITOPS_CORPUS").map(PathBuf::from), Some(workspace.join("target/corpus"))];
    let mut all = Vec::new();
    if let Some(root) =
        roots.into_iter().flatten().map(|root| root.join("kustomize")).find(|root| root.is_dir())
    {
        for set in ["dev", "quirks"] {
            for case in children(&root.join(set)) {
                single(&case, &mut all);
            }
        }
        for case in children(&root.join("real")) {
            several(&case, &mut all);
        }
    }
    all.retain(|origin: &Origin| {
        let sizes =
            origin.files.iter().map(|file| fs::metadata(file).map_or(u64::MAX, |data| data.len()));
        origin.files.len() <= MOST_FILES && sizes.fold(0, u64::saturating_add) <= MOST_BYTES
    });
    all
});

fn children(directory: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    all.sort();
    all
}

fn read_json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

fn single(directory: &Path, all: &mut Vec<Origin>) {
    let Some(case) = read_json(&directory.join("case.json")) else { return };
    let root = directory.join("fs");
    let mut files = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(children(&path));
        } else {
            files.push(path);
        }
    }
    all.push(Origin {
        root,
        files,
        top: case["build_path"].as_str().unwrap_or_default().to_owned(),
        unrestricted: case["options"]["load_restrictor"] != "LoadRestrictionsRootOnly",
    });
}

fn several(directory: &Path, all: &mut Vec<Origin>) {
    let Some(cases) = read_json(&directory.join("cases.json")) else { return };
    let root = directory.join("fs");
    for case in cases["cases"].as_array().into_iter().flatten() {
        let files = case["files_read"].as_array().into_iter().flatten();
        all.push(Origin {
            files: files.filter_map(Value::as_str).map(|file| root.join(file)).collect(),
            root: root.clone(),
            top: case["build_path"].as_str().unwrap_or_default().to_owned(),
            unrestricted: true,
        });
    }
}

/// A damaged case; `None` without corpora.
pub(crate) fn mutant(r: &mut Rng) -> Option<Case> {
    let origin = ORIGINS.get(r.below(ORIGINS.len().max(1)))?;
    let mut case =
        Case { top: origin.top.clone(), unrestricted: origin.unrestricted, ..Case::default() };
    for file in &origin.files {
        let path = file.strip_prefix(&origin.root).ok()?.to_str()?.to_owned();
        match String::from_utf8(fs::read(file).ok()?) {
            Ok(text) => drop(case.files.insert(path, vec![text])),
            Err(bytes) => drop(case.binary.insert(path, bytes.into_bytes())),
        }
    }
    let paths: Vec<String> = case.files.keys().cloned().collect();
    if paths.is_empty() {
        return None;
    }
    let donor = words(&case.files);
    for _ in 0..=r.below(3) {
        // What the kustomizations say matters more than what they name.
        let mut path = &paths[r.below(paths.len())];
        for _ in 0..2 {
            if !path.contains("ustomization") {
                path = &paths[r.below(paths.len())];
            }
        }
        let is_kustomization = path.contains("ustomization");
        let text = &mut case.files.get_mut(path)?[0];
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        change(r, &mut lines, &donor, is_kustomization);
        *text = lines.concat();
    }
    Some(case)
}

/// The lines of all files, to put them elsewhere.
fn words(files: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    files
        .values()
        .flatten()
        .flat_map(|text| text.split_inclusive('\n'))
        .map(str::to_owned)
        .collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The lines from one on that are indented further.
fn block(lines: &[String], start: usize) -> usize {
    let more = lines[start + 1..].iter().take_while(|line| indent(line) > indent(&lines[start]));
    start + 1 + more.count()
}

fn change(r: &mut Rng, lines: &mut Vec<String>, donor: &[String], is_kustomization: bool) {
    if is_kustomization && r.chance(35) {
        let field = r.pick(FIELDS);
        let head = field.split(':').next().unwrap_or_default();
        if !lines.iter().any(|line| line.starts_with(head)) {
            if let Some(last) = lines.last_mut().filter(|line| !line.ends_with('\n')) {
                last.push('\n');
            }
            lines.push((*field).to_owned());
            return;
        }
    }
    if lines.is_empty() {
        return;
    }
    let at = r.below(lines.len());
    let end = block(lines, at);
    match r.below(14) {
        0 | 1 => drop(lines.drain(at..end)),
        2 => drop(lines.remove(at)),
        3 => {
            let copy: Vec<String> = lines[at..end].to_vec();
            lines.splice(end..end, copy);
        }
        4..=7 => {
            if let Some((key, _)) = lines[at].split_once(": ") {
                lines[at] = format!("{key}: {}\n", r.pick(VALUES));
            } else if let Some((key, _)) = lines[at].split_once("- ") {
                lines[at] = format!("{key}- {}\n", r.pick(VALUES));
            } else if lines[at].trim_end().ends_with(':') {
                let key = lines[at].trim_end().to_owned();
                lines.splice(at..end, [format!("{key} {}\n", r.pick(VALUES))]);
            }
        }
        8 => {
            if let Some((key, value)) = lines[at].clone().split_once(": ") {
                let value = value.trim_end();
                let space = " ".repeat(indent(key) + 4);
                lines[at] = match r.below(6) {
                    0 => format!("{key}: \"{value}\"\n"),
                    1 => format!("{key}: '{value}'\n"),
                    2 => format!("{key}: |\n{space}{value}\n"),
                    3 => format!("{key}: >-\n{space}{value}\n{space}more\n"),
                    4 => format!("{key}: !!str {value}\n"),
                    _ => format!("{key}: &a{at} {value} # note\n"),
                };
            }
        }
        9 => lines[at] = format!("{}{}", " ".repeat(r.below(3)), lines[at]),
        10 => {
            let other = r.below(lines.len());
            lines.swap(at, other);
        }
        11 => {
            // A line from elsewhere, at this indentation.
            let line = &donor[r.below(donor.len())];
            let line = format!("{}{}", " ".repeat(indent(&lines[at])), line.trim_start());
            lines.insert(at, line);
        }
        12 => {
            // Another value that the files know.
            let value =
                donor[r.below(donor.len())].split_once(": ").map(|(_, value)| value.to_owned());
            if let (Some((key, _)), Some(value)) = (lines[at].clone().split_once(": "), value) {
                lines[at] = format!("{key}: {value}");
            }
        }
        _ => {
            let line = r.pick(&[
                "# a comment\n",
                "\n",
                "---\n",
                "  # {\"x\": 1}\n",
                "null: x\n",
                "1: x\n",
                "\t\n",
                "  $patch: delete\n",
                "$patch: replace\n",
                "...\n",
            ]);
            lines.insert(at, line.to_owned());
        }
    }
}

const VALUES: &[&str] = &[
    "null",
    "~",
    "\"\"",
    "''",
    "[]",
    "{}",
    "x",
    "\"x\"",
    "1",
    "\"1\"",
    "1.5",
    "0x1F",
    "010",
    "true",
    "\"true\"",
    "yes",
    "off",
    "[x]",
    "[a, b]",
    "{a: b}",
    "{name: x}",
    "[{name: x}]",
    "2020-01-01",
    "1e3",
    ".inf",
    "a: b",
    "'a: b'",
    "-1",
    "*",
    "\".*\"",
    "$(X)",
    "a/b",
    "a.b",
    "\"a\\nb\"",
    "v1",
    "apps/v1",
    "ConfigMap",
    "Deployment",
    "Service",
    "Namespace",
    "default",
    "12345678901234567890",
    "\"\\u00e9\\u2028\"",
    "!x y",
    "|\n",
    "{$patch: delete}",
    "<<",
    "=",
];

/// Fields for kustomizations that lack them.
const FIELDS: &[&str] = &[
    "namePrefix: p-\n",
    "nameSuffix: -s\n",
    "namespace: ns\n",
    "namespace: default\n",
    "commonLabels: {x: y}\n",
    "commonAnnotations: {x: 'y'}\n",
    "commonLabels: {app: null}\n",
    "commonAnnotations: {a: 1}\n",
    "labels: [{pairs: {x: y}, includeSelectors: true}]\n",
    "labels: [{pairs: {x: y}, includeTemplates: true}]\n",
    "labels:\n- pairs: {x: y}\n  fields:\n  - path: spec/labels\n    create: true\n",
    "images: [{name: nginx, newTag: v9}]\n",
    "images: [{name: nginx, newName: a/b, digest: 'sha256:1'}]\n",
    "images: [{name: '.*', newTag: x}]\n",
    "replicas: [{name: web, count: 3}]\n",
    "sortOptions: {order: legacy}\n",
    "sortOptions: {order: fifo}\n",
    "sortOptions:\n  order: legacy\n  legacySortOptions:\n    orderFirst: [Service, Deployment]\n    orderLast: [ConfigMap]\n",
    "buildMetadata: [originAnnotations]\n",
    "buildMetadata: [transformerAnnotations, managedByLabel]\n",
    "buildMetadata: [originAnnotations, transformerAnnotations]\n",
    "generatorOptions: {disableNameSuffixHash: true}\n",
    "generatorOptions: {labels: {g: h}, annotations: {i: j}, immutable: true}\n",
    "configMapGenerator: [{name: gen, literals: [a=b]}]\n",
    "secretGenerator: [{name: gen, literals: [a=b], type: x/y}]\n",
    "configMapGenerator:\n- name: gen\n  files: [kustomization.yaml]\n",
    "patches:\n- patch: |-\n    - op: add\n      path: /metadata/annotations\n      value: {p: q}\n  target: {kind: '.*'}\n",
    "patches:\n- patch: '[{\"op\": \"replace\", \"path\": \"/metadata/name\", \"value\": \"n\"}]'\n  target: {kind: Deployment}\n",
    "patches:\n- patch: |-\n    apiVersion: v1\n    kind: X\n    metadata:\n      name: x\n      labels: {p: q}\n  target: {name: '.*'}\n",
    "patches:\n- patch: |-\n    kind: X\n    metadata: {name: x}\n    spec: {template: {spec: {containers: [{name: new, image: new:1}]}}}\n  target: {kind: Deployment|StatefulSet}\n",
    "patches:\n- patch: '{kind: ConfigMap, metadata: {name: x}, $patch: delete}'\n  target: {kind: ConfigMap}\n",
    "patches:\n- patch: '{kind: X, metadata: {name: renamed}}'\n  target: {kind: Service}\n  options: {allowNameChange: true}\n",
    "replacements:\n- sourceValue: v\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: [metadata.labels.v]\n    options: {create: true}\n",
    "replacements:\n- source: {kind: Service, fieldPath: metadata.name}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: ['spec.template.spec.containers.*.image']\n    options: {delimiter: ':', index: 1}\n",
    "vars:\n- name: V\n  objref: {apiVersion: v1, kind: Service, name: web}\n",
    "resources: []\n",
    "components: []\n",
    "crds: []\n",
    "apiVersion: kustomize.config.k8s.io/v1beta1\n",
    "kind: Component\n",
    "kind: Kustomization\n",
    "metadata: {name: x, annotations: {a: b}}\n",
    "unknown: field\n",
    "transformers: []\n",
    "openapi: {version: v1.21.2}\n",
    "transformers:\n- |-\n  apiVersion: builtin\n  kind: NamespaceTransformer\n  metadata: {name: x, namespace: moved}\n  unsetOnly: true\n",
    "transformers:\n- |-\n  apiVersion: builtin\n  kind: PrefixTransformer\n  metadata: {name: x}\n  prefix: q-\n  fieldSpecs: [{path: metadata/name}]\n",
    "transformers:\n- |-\n  apiVersion: builtin\n  kind: LabelTransformer\n  metadata: {name: x}\n  labels: {t: u}\n  fieldSpecs: [{path: metadata/labels, create: true}, {path: 'spec/template/metadata/labels'}]\n",
    "transformers:\n- |-\n  apiVersion: builtin\n  kind: AnnotationsTransformer\n  metadata: {name: x}\n  annotations: {t: 'true'}\n  fieldSpecs: [{path: metadata/annotations, create: true}, {path: 'spec/template/spec/containers[]/annotations', create: true}]\n",
];
