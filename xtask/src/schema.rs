//! Writes the table of merge keys of `gitops-yaml` from kustomize's built-in OpenAPI document.
//!
//! The table holds facts only: which kinds there are, whether they live in a namespace, and which
//! lists merge by which keys. Types that lead to no such list are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use serde_json::Value;

use crate::verify::shared;

const TABLE: &str = "crates/yaml/src/schema/builtin.txt";

const HEAD: &str = "\
# Made by `cargo run -p xtask -- schema`: what Kubernetes 1.21.2 says of merging lists.
# kind: group/version Kind scope type, in the order of kinds; type: its fields as name[:type][=merge keys]; name of each type
";

/// Kinds without a namespace that Kubernetes 1.21 had and 1.36 no longer has.
const GONE: &[(&str, &str)] =
    &[("policy", "PodSecurityPolicy"), ("flowcontrol.apiserver.k8s.io", "FlowSchema")];

/// Kinds without a namespace that kustomize knows beyond its schema.
const ADDED: &[(&str, &str)] = &[
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
];

/// A field: its type where that matters, and the keys by which its list merges.
type Field<'v> = (Option<&'v str>, Option<Vec<&'v str>>);

pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let Some(shared) = shared(root) else {
        return Ok(ExitCode::SUCCESS);
    };
    let read = |file: &str| -> anyhow::Result<Value> {
        let path = shared.join("schema").join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_str(&text)?)
    };
    let document = read("kustomize-builtin-openapi.json")?;
    let discovery =
        [read("kubernetes-1.36-discovery-api.json")?, read("kubernetes-1.36-discovery-apis.json")?];
    let definitions = document["definitions"].as_object().context("no definitions")?;
    let types: BTreeMap<&str, BTreeMap<&str, Field<'_>>> =
        definitions.iter().map(|(name, one)| (name.as_str(), fields(one))).collect();
    let useful = useful(&types);
    let kinds = kinds(definitions);
    let mut reached = BTreeSet::new();
    let mut todo: Vec<&str> =
        kinds.values().copied().filter(|name| useful.contains(name)).collect();
    while let Some(name) = todo.pop() {
        if reached.insert(name) {
            let next = types[name].values().filter_map(|(of, _)| *of);
            todo.extend(next.filter(|of| useful.contains(of)));
        }
    }
    let numbers: BTreeMap<&str, usize> =
        reached.iter().enumerate().map(|(number, name)| (*name, number)).collect();
    let mut table = HEAD.to_owned();
    write_kinds(&mut table, &kinds, &numbers, &cluster_scoped(&discovery))?;
    for name in &reached {
        let row: Vec<String> = types[name]
            .iter()
            .filter(|(_, (of, keys))| keys.is_some() || of.is_some_and(|of| useful.contains(of)))
            .map(|(field, (of, keys))| {
                let of = of.and_then(|of| numbers.get(of)).map(|number| format!(":{number}"));
                let keys = keys.as_ref().map(|keys| format!("={}", keys.join(",")));
                format!("{field}{}{}", of.unwrap_or_default(), keys.unwrap_or_default())
            })
            .collect();
        writeln!(table, "t {}", row.join(" "))?;
    }
    for name in &reached {
        writeln!(table, "n {name}")?;
    }
    fs::write(root.join(TABLE), &table)?;
    println!("schema: {} kinds, {} types in {TABLE}", kinds.len(), reached.len());
    Ok(ExitCode::SUCCESS)
}

fn write_kinds(
    table: &mut String,
    kinds: &BTreeMap<(&str, &str, &str), &str>,
    numbers: &BTreeMap<&str, usize>,
    cluster: &BTreeSet<(&str, &str)>,
) -> anyhow::Result<()> {
    let mut lines = BTreeMap::new();
    for ((group, version, kind), name) in kinds {
        let slash = if group.is_empty() { "" } else { "/" };
        let scope = if cluster.contains(&(*group, *kind)) { "c" } else { "n" };
        let number = numbers.get(name).map_or_else(|| "-".to_owned(), usize::to_string);
        lines.insert((*kind, format!("{group}{slash}{version}")), format!("{scope} {number}"));
    }
    for (api_version, kind) in ADDED {
        lines.insert((kind, (*api_version).to_owned()), "c -".to_owned());
    }
    // They are looked up by halves.
    for ((kind, api_version), rest) in lines {
        writeln!(table, "k {api_version} {kind} {rest}")?;
    }
    Ok(())
}

fn fields(definition: &Value) -> BTreeMap<&str, Field<'_>> {
    let properties = definition["properties"].as_object();
    let fields = properties.into_iter().flatten().map(|(name, property)| {
        let inner = [
            &property["$ref"],
            &property["items"]["$ref"],
            &property["additionalProperties"]["$ref"],
        ];
        let of = inner.iter().find_map(|of| of.as_str()?.rsplit('/').next());
        let strategy = property["x-kubernetes-patch-strategy"].as_str().unwrap_or_default();
        let merges = property["type"] == "array" && strategy.split(',').any(|word| word == "merge");
        let keys = merges.then(|| {
            let list = property["x-kubernetes-list-map-keys"].as_array();
            let one = property["x-kubernetes-patch-merge-key"].as_str();
            list.map_or_else(
                || one.into_iter().collect(),
                |list| list.iter().filter_map(Value::as_str).collect(),
            )
        });
        (name.as_str(), (of, keys))
    });
    fields.filter(|(_, (of, keys))| of.is_some() || keys.is_some()).collect()
}

/// Types from which a list that merges can be reached.
fn useful<'v>(types: &BTreeMap<&'v str, BTreeMap<&'v str, Field<'v>>>) -> BTreeSet<&'v str> {
    let mut useful: BTreeSet<&str> = BTreeSet::new();
    loop {
        let more: Vec<&str> = types
            .iter()
            .filter(|(name, fields)| {
                !useful.contains(*name)
                    && fields.values().any(|(of, keys)| {
                        keys.is_some() || of.is_some_and(|of| useful.contains(of))
                    })
            })
            .map(|(name, _)| *name)
            .collect();
        if more.is_empty() {
            return useful;
        }
        useful.extend(more);
    }
}

/// Group, version and kind with the type's name.
fn kinds(definitions: &serde_json::Map<String, Value>) -> BTreeMap<(&str, &str, &str), &str> {
    let mut kinds = BTreeMap::new();
    for (name, definition) in definitions {
        let list = definition["x-kubernetes-group-version-kind"].as_array();
        for one in list.into_iter().flatten() {
            let text = |key: &str| one[key].as_str().unwrap_or_default();
            let kind = text("kind");
            if !matches!(kind, "DeleteOptions" | "WatchEvent") && !kind.ends_with("List") {
                kinds.insert((text("group"), text("version"), kind), name.as_str());
            }
        }
    }
    kinds
}

fn cluster_scoped(discovery: &[Value]) -> BTreeSet<(&str, &str)> {
    let mut found: BTreeSet<(&str, &str)> = GONE.iter().copied().collect();
    let groups = discovery.iter().flat_map(|list| list["items"].as_array().into_iter().flatten());
    for group in groups {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            for resource in version["resources"].as_array().into_iter().flatten() {
                if resource["scope"] == "Cluster"
                    && let Some(kind) = resource["responseKind"]["kind"].as_str()
                {
                    found.insert((name, kind));
                }
            }
        }
    }
    found
}
