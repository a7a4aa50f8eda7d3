//! Which objects bind a cluster to its repository: what `flux bootstrap` wrote, or what stands
//! beside each other in a plain directory.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, bail};
use gitops_core::{EntryKind, Tree};
use serde_json::Value;

use super::RemoteUrl;

/// The sync objects of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    /// The cluster's directory.
    pub(crate) directory: PathBuf,
    /// `GitRepository`s first, then `Kustomization`s.
    pub(crate) objects: Vec<Value>,
}

impl Sync {
    /// The URLs that the working tree stands for: those of its remotes. Where no source has one of
    /// these (a fork, a copy, an example), the one URL whose Kustomizations fit the tree best: they
    /// take the cluster's own directory from it, or other directories that are there.
    pub(crate) fn own_urls(&self, remotes: &[String], tree: &dyn Tree) -> Vec<String> {
        let mut own = remotes.to_vec();
        let is_remote = |url: &str| remotes.iter().any(|remote| RemoteUrl::same(remote, url));
        if !self.urls().any(|(_, url)| is_remote(url)) {
            // Of equals the last is taken: the first one is to win.
            let urls: Vec<_> = self.urls().collect();
            let best = urls.into_iter().rev().max_by_key(|(source, _)| self.fit(source, tree));
            own.extend(best.map(|(_, url)| url.to_owned()));
        }
        own
    }

    /// The sources with their URLs.
    fn urls(&self) -> impl Iterator<Item = (&Value, &str)> {
        self.objects.iter().filter_map(|object| {
            object.pointer("/spec/url").and_then(Value::as_str).map(|url| (object, url))
        })
    }

    /// How well the Kustomizations of a source fit the tree: whether one takes the cluster's
    /// directory, and how many take directories that are there.
    fn fit(&self, source: &Value, tree: &dyn Tree) -> (bool, usize) {
        let users = self.objects.iter().filter(|one| is_kustomization(one) && uses(one, source));
        let paths: Vec<PathBuf> = users
            .filter_map(|one| one.pointer("/spec/path").and_then(Value::as_str))
            .map(|path| Path::new(path).components().filter(is_name).collect())
            .collect();
        let is_there = |path: &&PathBuf| {
            // The root is everywhere.
            !path.as_os_str().is_empty() && tree.list(path).is_ok()
        };
        (paths.contains(&self.directory), paths.iter().filter(is_there).count())
    }
}

fn is_name(component: &Component<'_>) -> bool {
    matches!(component, Component::Normal(_))
}

const SOURCE: &str = "source.toolkit.fluxcd.io/";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io/";
/// Deeper directories hold no sync objects that anybody wrote by hand.
const DEEPEST: usize = 12;

/// The sync objects below `path`, or of the only cluster that the tree holds.
///
/// A cluster is a directory in which a `GitRepository` stands together with a `Kustomization` that
/// takes its files from it; one that stands in a directory `flux-system` belongs to the directory
/// above, as `flux bootstrap` lays it out.
///
/// # Errors
/// When there is none, or when there are several: then the text lists them.
pub(crate) fn find(tree: &dyn Tree, path: Option<&Path>) -> anyhow::Result<Sync> {
    let start = path.unwrap_or_else(|| Path::new(""));
    let mut found: BTreeMap<PathBuf, Vec<Value>> = BTreeMap::new();
    walk(tree, start, 0, &mut found).with_context(|| format!("cannot read {}", start.display()))?;
    let mut clusters: Vec<Sync> =
        found.into_iter().filter_map(|(directory, objects)| sync(directory, objects)).collect();
    match (clusters.len(), path) {
        (1, _) => Ok(clusters.remove(0)),
        (0, Some(path)) => bail!(
            "no GitRepository stands below {} together with a Kustomization that uses it",
            path.display()
        ),
        (0, None) => bail!(
            "the repository has no sync objects: no directory holds a GitRepository together with \
             a Kustomization that uses it; write them, as `flux bootstrap` does, or name their \
             directory with --path"
        ),
        (count, _) => {
            let choices: Vec<String> = clusters
                .iter()
                .map(|cluster| format!("\n  --path {}", cluster.directory.display()))
                .collect();
            bail!("{count} clusters are here; say which:{}", choices.concat())
        }
    }
}

fn walk(
    tree: &dyn Tree,
    directory: &Path,
    depth: usize,
    found: &mut BTreeMap<PathBuf, Vec<Value>>,
) -> anyhow::Result<()> {
    for entry in tree.list(directory)? {
        let path = directory.join(&entry.name);
        match entry.kind {
            EntryKind::Directory if depth < DEEPEST => walk(tree, &path, depth + 1, found)?,
            EntryKind::File { .. } if is_yaml(&entry.name) => {
                let objects = flux_objects(&tree.read(&path)?);
                if !objects.is_empty() {
                    found.entry(cluster_of(directory)).or_default().extend(objects);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_yaml(name: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| name.ends_with(end))
}

fn cluster_of(directory: &Path) -> PathBuf {
    match directory.parent() {
        Some(parent) if directory.ends_with("flux-system") => parent.to_owned(),
        _ => directory.to_owned(),
    }
}

/// The Git repositories and Kustomizations of a file. One that is no YAML (a template, an encrypted
/// file) has none; if it should have been, the build says so.
fn flux_objects(content: &[u8]) -> Vec<Value> {
    // Most files of a repository name no such kind, and need not be parsed.
    if !content.windows(SOURCE.len()).any(|window| window == SOURCE.as_bytes())
        && !content.windows(KUSTOMIZE.len()).any(|window| window == KUSTOMIZE.as_bytes())
    {
        return Vec::new();
    }
    let Ok(nodes) = gitops_yaml::read_all(content) else { return Vec::new() };
    let objects = nodes.iter().filter_map(|node| node.to_json_v2().ok());
    objects
        .filter(|object| is(object, SOURCE, "GitRepository") || is_kustomization(object))
        .collect()
}

fn is(object: &Value, group: &str, kind: &str) -> bool {
    object["kind"] == kind
        && object["apiVersion"].as_str().is_some_and(|version| version.starts_with(group))
}

fn is_kustomization(object: &Value) -> bool {
    is(object, KUSTOMIZE, "Kustomization")
}

/// The repositories of a directory that a Kustomization beside them uses, with those that use them.
fn sync(directory: PathBuf, objects: Vec<Value>) -> Option<Sync> {
    let (kustomizations, repositories): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(is_kustomization);
    let used = |repository: &Value| kustomizations.iter().any(|one| uses(one, repository));
    let repositories: Vec<Value> = repositories.into_iter().filter(|one| used(one)).collect();
    let mut objects = repositories.clone();
    objects.extend(
        kustomizations.into_iter().filter(|one| repositories.iter().any(|two| uses(one, two))),
    );
    (!repositories.is_empty()).then_some(Sync { directory, objects })
}

fn uses(kustomization: &Value, repository: &Value) -> bool {
    let source = &kustomization["spec"]["sourceRef"];
    source["kind"] == "GitRepository"
        && source["name"] == repository["metadata"]["name"]
        && source
            .get("namespace")
            .is_none_or(|namespace| *namespace == repository["metadata"]["namespace"])
}

#[cfg(test)]
mod tests {
    use gitops_core::MemoryTree;

    use super::*;

    fn bootstrap(name: &str) -> String {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n\
             metadata: {{name: {name}, namespace: flux-system}}\nspec: {{url: ssh://git@h/{name}}}\n\
             ---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
             metadata: {{name: {name}, namespace: flux-system}}\n\
             spec: {{path: ./x, sourceRef: {{kind: GitRepository, name: {name}}}}}\n"
        )
    }

    #[test]
    fn the_only_cluster_is_found() {
        let apps = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
                    metadata: {name: apps}\nspec: {sourceRef: {kind: OCIRepository, name: a}}\n";
        let tree = MemoryTree::from_iter([
            ("clusters/prod/flux-system/gotk-sync.yaml", bootstrap("flux-system")),
            ("clusters/prod/apps.yaml", apps.to_owned()),
            ("chart/templates/a.yaml", "{{ source.toolkit.fluxcd.io/ }}".to_owned()),
        ]);
        let sync = find(&tree, None).unwrap();
        assert_eq!(sync.directory, Path::new("clusters/prod"));
        assert_eq!(sync.objects.len(), 2);
        assert_eq!(sync.own_urls(&[], &tree), ["ssh://git@h/flux-system"]);
    }

    #[test]
    fn the_tree_stands_for_one_of_several_sources() {
        let both = format!("{}---\n{}", bootstrap("their"), bootstrap("own"));
        let both = both.replacen("./x", "./", 1);
        let tree = MemoryTree::from_iter([("c/sync.yaml", both), ("x/a.yaml", String::new())]);
        let sync = find(&tree, None).unwrap();
        assert_eq!(sync.own_urls(&[], &tree), ["ssh://git@h/own"], "it holds the directory");
        let remote = ["https://h/their.git".to_owned()];
        assert_eq!(sync.own_urls(&remote, &tree), remote, "the remote decides");
        let fork = ["https://h/fork.git".to_owned()];
        assert_eq!(sync.own_urls(&fork, &tree), ["https://h/fork.git", "ssh://git@h/own"]);
    }

    #[test]
    fn several_clusters_are_listed() {
        let tree = MemoryTree::from_iter([
            ("clusters/prod/flux-system/gotk-sync.yaml", bootstrap("flux-system")),
            ("clusters/test/sync.yaml", bootstrap("test")),
        ]);
        let error = find(&tree, None).unwrap_err().to_string();
        assert_eq!(
            error,
            "2 clusters are here; say which:\n  --path clusters/prod\n  --path clusters/test"
        );
        let sync = find(&tree, Some(Path::new("clusters/test"))).unwrap();
        assert_eq!(sync.directory, Path::new("clusters/test"));
    }

    #[test]
    fn none_is_said_plainly() {
        let tree = MemoryTree::from_iter([("a.yaml", "kind: ConfigMap\n")]);
        let error = find(&tree, None).unwrap_err().to_string();
        assert!(error.starts_with("the repository has no sync objects"), "{error}");
    }
}
