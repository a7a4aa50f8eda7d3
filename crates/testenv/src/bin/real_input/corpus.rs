//! Which builds of which repositories are reconciled.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::Value;

/// Kinds without a namespace, among those that the corpus holds.
const CLUSTER_KINDS: &[&str] = &[
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "IngressClass",
    "PersistentVolume",
    "RuntimeClass",
    "CSIDriver",
];

/// Kinds that change what the API server does with other objects.
const INTRUSIVE: &[&str] = &[
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// Kinds that the controllers of the run would reconcile on their own account.
const RECONCILED: &[&str] =
    &["Kustomization", "GitRepository", "OCIRepository", "ExternalArtifact"];

/// Builds of one repository; more would only repeat it.
const BUILDS_LIMIT: usize = 12;

/// A public repository, and what is built of it.
pub(crate) struct Repository {
    pub(crate) name: String,
    /// Path and content.
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) builds: Vec<Build>,
}

/// A directory and what `kustomize build` makes of it.
pub(crate) struct Build {
    pub(crate) path: String,
    pub(crate) objects: Vec<Value>,
}

/// A definition that lets anything pass, for a kind whose own one is not among the builds.
pub(crate) struct Kind {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
}

/// What is reconciled: builds whose objects do not overlap.
pub(crate) struct Corpus {
    pub(crate) repositories: Vec<Repository>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) namespaces: BTreeSet<String>,
}

#[derive(Default)]
struct Taken {
    objects: BTreeSet<String>,
    used: BTreeSet<String>,
    defined: BTreeSet<String>,
}

impl Corpus {
    /// Chooses among the builds of `real/`.
    pub(crate) fn read(real: &Path, is_built_in: &dyn Fn(&str) -> bool) -> anyhow::Result<Self> {
        let mut names: Vec<PathBuf> = fs::read_dir(real)
            .with_context(|| real.display().to_string())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        names.sort();
        let mut taken = Taken::default();
        let mut repositories = Vec::new();
        for root in names.iter().filter(|path| path.is_dir()) {
            let repository = repository(root, &mut taken, is_built_in)?;
            if !repository.builds.is_empty() {
                repositories.push(repository);
            }
        }
        let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
        let mut namespaces = BTreeSet::new();
        for object in
            repositories.iter().flat_map(|one| &one.builds).flat_map(|build| &build.objects)
        {
            let namespace = text(object, "/metadata/namespace");
            if !namespace.is_empty() {
                namespaces.insert(namespace.to_owned());
            }
            let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
            let group = group(api_version);
            if !is_built_in(group) && !taken.defined.contains(&format!("{group}/{kind}")) {
                let entry = Kind {
                    api_version: api_version.to_owned(),
                    kind: kind.to_owned(),
                    namespaced: !namespace.is_empty(),
                };
                kinds.entry(format!("{api_version}/{kind}")).or_insert(entry);
            }
        }
        Ok(Self { repositories, kinds: kinds.into_values().collect(), namespaces })
    }
}

fn repository(
    root: &Path,
    taken: &mut Taken,
    is_built_in: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Repository> {
    let name = root.file_name().unwrap_or_default().to_string_lossy().replace('+', "-");
    let cases: Value = serde_json::from_slice(&fs::read(root.join("cases.json"))?)?;
    let mut repository =
        Repository { name: name.to_lowercase(), files: BTreeMap::new(), builds: Vec::new() };
    for case in cases["cases"].as_array().into_iter().flatten() {
        let (Some(path), Some(expected)) = (case["build_path"].as_str(), case["expected"].as_str())
        else {
            continue;
        };
        if repository.builds.len() == BUILDS_LIMIT {
            break;
        }
        let Some(files) = files(root, case) else { continue };
        let objects: Vec<Value> = gitops_yaml::read_all(&fs::read_to_string(root.join(expected))?)?
            .iter()
            .map(gitops_yaml::Node::to_json)
            .collect::<Result<_, _>>()?;
        if taken.take(&objects, is_built_in) {
            repository.files.extend(files);
            repository.builds.push(Build { path: path.to_owned(), objects });
        }
    }
    Ok(repository)
}

/// The files that a build reads; `None` if one of them is not text.
fn files(root: &Path, case: &Value) -> Option<BTreeMap<String, String>> {
    case["files_read"]
        .as_array()?
        .iter()
        .map(|file| {
            let file = file.as_str()?;
            Some((file.to_owned(), fs::read_to_string(root.join("fs").join(file)).ok()?))
        })
        .collect()
}

impl Taken {
    /// Takes a build if its objects can stand beside all that was taken before.
    fn take(&mut self, objects: &[Value], is_built_in: &dyn Fn(&str) -> bool) -> bool {
        let (mut keys, mut used, mut defined) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for object in objects {
            let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
            let namespace = text(object, "/metadata/namespace");
            let api_group = group(text(object, "/apiVersion"));
            let is_placed = CLUSTER_KINDS.contains(&kind) == namespace.is_empty();
            let is_known = is_built_in(api_group) || api_group.contains('.');
            if name.is_empty()
                || !is_placed
                || !is_known
                || INTRUSIVE.contains(&kind)
                || RECONCILED.contains(&kind)
            {
                return false;
            }
            keys.insert(format!("{api_group}/{kind}/{namespace}/{name}"));
            if kind == "CustomResourceDefinition" {
                let kind = text(object, "/spec/names/kind");
                defined.insert(format!("{}/{kind}", text(object, "/spec/group")));
            } else if !is_built_in(api_group) {
                used.insert(format!("{api_group}/{kind}"));
            }
        }
        let fits = !objects.is_empty()
            && keys.len() == objects.len()
            && keys.is_disjoint(&self.objects)
            && defined.is_disjoint(&self.used)
            && defined.is_disjoint(&used)
            && used.is_disjoint(&self.defined);
        if fits {
            self.objects.append(&mut keys);
            self.used.append(&mut used);
            self.defined.append(&mut defined);
        }
        fits
    }
}

pub(crate) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn group(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}
