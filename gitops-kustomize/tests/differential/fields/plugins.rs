//! Random configurations of builtin plugins: inline, in a file, or in a directory.

use crate::{
    case::{Case, Field},
    fields::generator_body,
    fields::patches,
    fields::replacements,
    objects::pods::indented,
    objects::{NAMES, Object},
    rng::Rng,
};

fn entry(r: &mut Rng, case: &mut Case, directory: &str, config: String) -> String {
    match r.below(4) {
        0 | 1 => format!("- |-\n{}", indented(&config, 2)),
        2 => {
            let path = format!("plugin{}.yaml", r.below(100));
            case.files.insert(format!("{directory}/{path}"), vec![config]);
            format!("- {path}\n")
        }
        _ => {
            let name = format!("plugins{}", r.below(100));
            case.files.insert(format!("{directory}/{name}/c.yaml"), vec![config]);
            let list = vec![Field {
                head: "resources:\n".to_owned(),
                items: vec!["- c.yaml\n".to_owned()],
            }];
            case.kustomizations.insert(format!("{directory}/{name}/kustomization.yaml"), list);
            format!("- {name}\n")
        }
    }
}

pub(crate) fn transformer(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    objects: &[Object],
) -> Field {
    let head = |kind: &str| format!("apiVersion: builtin\nkind: {kind}\nmetadata:\n  name: cfg\n");
    let config = match r.below(31) / 2 {
        0 => format!("{}  namespace: {}\n{}", head("NamespaceTransformer"), r.pick(&["one", "prod"]), r.pick(&[
            "", "fieldSpecs:\n- path: metadata/namespace\n  create: true\n", "unsetOnly: true\nfieldSpecs:\n- path: metadata/name\n  kind: Namespace\n",
            "setRoleBindingSubjects: allServiceAccounts\n", "setRoleBindingSubjects: none\n", "fieldSpecs:\n- path: subjects\n  kind: RoleBinding\n",
            "fieldSpecs:\n- path: spec/namespace\n  create: true\n  kind: Widget\n",
        ])),
        1 => format!("{}prefix: p-\nfieldSpecs:\n- path: metadata/name\n", head("PrefixTransformer")),
        2 => format!("{}suffix: -s\nfieldSpecs:\n- path: metadata/name\n  kind: {}\n", head("SuffixTransformer"), r.pick(&["Deployment", "ConfigMap"])),
        3 => format!("{}labels:\n  from: plugin\n{}", head("LabelTransformer"), r.pick(&["fieldSpecs:\n- path: metadata/labels\n  create: true\n", "", "fieldSpecs:\n- path: spec/template/metadata/labels\n  create: true\n  kind: Deployment\n"])),
        4 => format!("{}annotations:\n  from: plugin\nfieldSpecs:\n- path: metadata/annotations\n  create: true\n", head("AnnotationsTransformer")),
        5 => format!("{}imageTag:\n  name: nginx\n  newTag: v9\n{}", head("ImageTagTransformer"), r.pick(&["", "fieldSpecs:\n- path: spec/image\n"])),
        6 => format!("{}replica:\n  name: {}\n  count: 4\nfieldSpecs:\n- path: spec/replicas\n  create: true\n  kind: Deployment\n", head("ReplicaCountTransformer"), r.pick(NAMES)),
        7 | 8 => {
            let Some(object) = (!objects.is_empty()).then(|| &objects[r.below(objects.len())]) else { return Field { head: String::new(), items: vec![String::new()] } };
            let patch = patches::strategic(r, object);
            let target = r.maybe(50, |r| format!("target:\n{}", patches::target(r, object)));
            format!("{}patch: |-\n{}{target}", head("PatchTransformer"), indented(&patch, 2))
        }
        9 => format!("{}replacements:\n- {}", head("ReplacementTransformer"), indented(&replacements::body(r, objects), 2).trim_start()),
        10 => format!("{}value: {}\ntargets:\n- fieldPath: {}\n", head("ValueAddTransformer"), r.pick(&["v", "w"]), r.pick(&["metadata/labels/added", "metadata/namespace", "spec/added/deep"])),
        11 => head("HashTransformer"),
        12 => format!("{}target:\n  kind: {}\n  name: \"{}\"\njsonOp: |-\n  - op: add\n    path: /metadata/annotations\n    value: {{a: b}}\n", head("PatchJson6902Transformer"), r.pick(&["Deployment", "ConfigMap"]), r.pick(&[".*", "app"])),
        13 => {
            let Some(object) = (!objects.is_empty()).then(|| &objects[r.below(objects.len())]) else { return Field { head: String::new(), items: vec![String::new()] } };
            let patch = patches::strategic(r, object);
            format!("{}patches: |-\n{}", head("PatchStrategicMergeTransformer"), indented(&patch, 2))
        }
        14 => format!("{}prefix: b-\nsuffix: -e\nfieldSpecs:\n- path: metadata/name\n", head("PrefixSuffixTransformer")),
        _ => format!("{}order: legacy\n{}", head("SortOrderTransformer"), r.pick(&["", "legacySortOptions:\n  orderFirst: [Service]\n  orderLast: [ConfigMap]\n"])),
    };
    let head = if r.chance(6) { "validators:\n" } else { "transformers:\n" };
    Field { head: head.to_owned(), items: vec![entry(r, case, directory, config)] }
}

pub(crate) fn generator(
    r: &mut Rng,
    case: &mut Case,
    directory: &str,
    objects: &mut Vec<Object>,
) -> Field {
    let secret = r.chance(40);
    let kind = if secret { "Secret" } else { "ConfigMap" };
    let name = r.pick(NAMES).to_owned();
    let behavior =
        r.maybe(25, |r| format!("behavior: {}\n", r.pick(&["merge", "replace", "create"])));
    let hash = r.maybe(30, |r| {
        format!(
            "  annotations:\n    kustomize.config.k8s.io/needs-hash: \"{}\"\n",
            r.pick(&["true", "false"])
        )
    });
    let body: String = generator_body(r, case, directory, secret)
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
        .collect();
    let config = format!(
        "apiVersion: builtin\nkind: {kind}Generator\nmetadata:\n  name: {name}\n{hash}{behavior}{body}"
    );
    objects.push(Object { api_version: "v1", kind, name, namespace: None, text: String::new() });
    Field { head: "generators:\n".to_owned(), items: vec![entry(r, case, directory, config)] }
}
