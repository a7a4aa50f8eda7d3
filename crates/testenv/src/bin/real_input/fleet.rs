//! The repositories as Git repositories, the objects that reconcile them, and what comes of it.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use gitops_testenv::{Cluster, GitRepo, GitServer};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::corpus::{Build, Corpus, Kind, Repository, group, text};

pub(crate) const NAMESPACE: &str = "flux-system";

/// Requests at a time.
const TOGETHER: usize = 16;

/// Groups of the API server itself, and of the controllers.
pub(crate) fn is_built_in(group: &str) -> bool {
    const SERVED: &[&str] = &[
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    !group.contains('.') || SERVED.contains(&group) || group.ends_with(".toolkit.fluxcd.io")
}

pub(crate) struct Fleet {
    pub(crate) repositories: Vec<Repository>,
    kinds: Vec<Kind>,
    namespaces: Vec<String>,
    git: Vec<GitRepo>,
}

/// One commit that changes, removes and breaks.
pub(crate) struct Plan {
    pub(crate) repository: usize,
    pub(crate) repository_name: String,
    pub(crate) commit: String,
    pub(crate) changed: String,
    pub(crate) removed: String,
    pub(crate) broken: String,
    changed_keys: Vec<String>,
    removed_key: String,
}

impl Fleet {
    pub(crate) fn make(corpus: Corpus, root: &Path) -> anyhow::Result<Self> {
        let git = corpus
            .repositories
            .iter()
            .map(|repository| GitRepo::init(root.join(format!("{}.git", repository.name))))
            .collect::<anyhow::Result<_>>()?;
        let namespaces = corpus.namespaces.into_iter().collect();
        Ok(Self { repositories: corpus.repositories, kinds: corpus.kinds, namespaces, git })
    }

    /// All Kustomizations by name.
    pub(crate) fn kustomizations(&self) -> impl Iterator<Item = (String, &Build)> {
        self.repositories.iter().flat_map(|repository| {
            repository.builds.iter().enumerate().map(|(at, build)| (name(repository, at), build))
        })
    }

    fn objects(&self) -> impl Iterator<Item = &Value> {
        self.repositories.iter().flat_map(|one| &one.builds).flat_map(|build| &build.objects)
    }

    /// Makes the namespaces and the kinds that the builds take for granted.
    pub(crate) async fn furnish(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let mut needed: Vec<Value> = self.kinds.iter().map(definition).collect();
        let namespaces = self.namespaces.iter().map(String::as_str).chain([NAMESPACE]);
        needed.extend(namespaces.map(
            |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        ));
        for object in &needed {
            let api = cluster.api(text(object, "/apiVersion"), text(object, "/kind"), "").await?;
            let parameters = PatchParams::apply("real-input").force();
            let name = text(object, "/metadata/name");
            api.patch(name, &parameters, &Patch::Apply(object))
                .await
                .with_context(|| format!("{} {name}", text(object, "/kind")))?;
        }
        // New kinds are served a moment after they are accepted.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        Ok(())
    }

    /// Leaves out builds that no API server accepts: placeholders, encrypted values.
    pub(crate) async fn drop_what_is_refused(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        for repository in &mut self.repositories {
            let mut kept = Vec::new();
            for build in std::mem::take(&mut repository.builds) {
                let mut refused = None;
                for object in &build.objects {
                    if let Err(error) = dry_run(cluster, object, "real-input").await {
                        refused = Some(error);
                        break;
                    }
                }
                match refused {
                    None => kept.push(build),
                    Some(error) => tell_refused(&repository.name, &build.path, &error),
                }
            }
            repository.builds = kept;
        }
        let git = std::mem::take(&mut self.git);
        let pairs = std::mem::take(&mut self.repositories).into_iter().zip(git);
        (self.repositories, self.git) = pairs.filter(|(one, _)| !one.builds.is_empty()).unzip();
        Ok(())
    }

    pub(crate) fn commit_all(&mut self) -> anyhow::Result<()> {
        for (repository, git) in self.repositories.iter().zip(&mut self.git) {
            let files: Vec<(&str, Option<&str>)> = repository
                .files
                .iter()
                .map(|(path, content)| (path.as_str(), Some(content.as_str())))
                .collect();
            git.commit("main", &files, "as published")?;
        }
        Ok(())
    }

    /// A source for each repository, a Kustomization for each build; every second one waits for the
    /// one before it, and every repository's first for that of the repository before.
    pub(crate) fn sync(&self, git: &GitServer) -> Vec<Value> {
        let mut objects = Vec::new();
        let mut last_first: Option<String> = None;
        for repository in &self.repositories {
            objects.push(json!({
                "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
                "metadata": {"name": repository.name, "namespace": NAMESPACE},
                "spec": {
                    "interval": "10m", "ref": {"branch": "main"},
                    "url": git.url(&format!("{}.git", repository.name)),
                },
            }));
            for (at, build) in repository.builds.iter().enumerate() {
                let own = name(repository, at);
                let after = match at {
                    0 => last_first.replace(own.clone()),
                    at if at % 2 == 1 => Some(name(repository, at - 1)),
                    _ => None,
                };
                let mut kustomization = json!({
                    "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
                    "metadata": {
                        "name": own, "namespace": NAMESPACE, "labels": {"real-input": "build"},
                    },
                    "spec": {
                        "interval": "10m", "retryInterval": "5s", "prune": true,
                        "path": format!("./{}", build.path),
                        "sourceRef": {"kind": "GitRepository", "name": repository.name},
                    },
                });
                if let Some(after) = after {
                    kustomization["spec"]["dependsOn"] = json!([{"name": after}]);
                }
                objects.push(kustomization);
            }
        }
        objects
    }

    /// Objects that are not in the cluster as the builds give them: applying what kustomize gave once
    /// more, in another name, would change them.
    pub(crate) async fn compare(&self, cluster: &Cluster) -> anyhow::Result<Vec<String>> {
        let found: Vec<Option<String>> = stream::iter(self.objects())
            .map(|object| compare_one(cluster, object))
            .buffer_unordered(TOGETHER)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The resource version of every object; none for one that is not there.
    pub(crate) async fn versions(
        &self,
        cluster: &Cluster,
    ) -> anyhow::Result<BTreeMap<String, Option<String>>> {
        stream::iter(self.objects())
            .map(|object| async move {
                let found = get(cluster, object).await?;
                let version =
                    found.map(|found| text(&found, "/metadata/resourceVersion").to_owned());
                anyhow::Ok((key(object), version))
            })
            .buffer_unordered(TOGETHER)
            .try_collect()
            .await
    }

    /// Commits to one repository: one build changes, one loses an object, one breaks.
    pub(crate) fn change(&mut self) -> anyhow::Result<Plan> {
        let fits = |repository: &Repository| {
            repository.builds.len() >= 6 && repository.builds[2].objects.len() > 1
        };
        let at =
            self.repositories.iter().position(fits).context("no repository is large enough")?;
        let repository = &self.repositories[at];
        // The first and the third are waited for by others; the last of a pair is by nobody.
        let (changed, removed, broken) = (0, 2, 5);
        let whole = |objects: &[Value]| -> String {
            objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
        };
        let mut new = repository.builds[changed].objects.clone();
        for object in &mut new {
            object["metadata"]["annotations"]["real-input"] = "changed".into();
        }
        let (gone, kept) = repository.builds[removed].objects.split_last().context("an object")?;
        let mut changes: Vec<(String, Option<String>)> = Vec::new();
        for (build, text) in
            [(changed, Some(whole(&new))), (removed, Some(whole(kept))), (broken, None)]
        {
            let path = Path::new(&repository.builds[build].path);
            for old in ["kustomization.yml", "Kustomization"] {
                let old = path.join(old).display().to_string();
                if repository.files.contains_key(&old) {
                    changes.push((old, None));
                }
            }
            let file = |name: &str| path.join(name).display().to_string();
            changes
                .push((file("kustomization.yaml"), Some("resources: [real-input.yaml]\n".into())));
            if text.is_some() {
                changes.push((file("real-input.yaml"), text));
            }
        }
        let borrowed: Vec<(&str, Option<&str>)> =
            changes.iter().map(|(path, text)| (path.as_str(), text.as_deref())).collect();
        let plan = Plan {
            repository: at,
            repository_name: repository.name.clone(),
            changed: name(repository, changed),
            removed: name(repository, removed),
            broken: name(repository, broken),
            changed_keys: repository.builds[changed].objects.iter().map(key).collect(),
            removed_key: key(gone),
            commit: String::new(),
        };
        let commit = self.git[at].commit("main", &borrowed, "change, remove, break")?;
        Ok(Plan { commit, ..plan })
    }
}

impl Plan {
    /// What moved although it should not, and the other way round.
    pub(crate) fn judge(
        &self,
        before: &BTreeMap<String, Option<String>>,
        after: &BTreeMap<String, Option<String>>,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, version) in before {
            let now = after.get(key).cloned().flatten();
            let problem = if *key == self.removed_key {
                now.is_some().then_some("is still there")
            } else if self.changed_keys.contains(key) {
                (now.is_none() || now == *version).then_some("did not change")
            } else {
                (now != *version).then_some("moved")
            };
            problems.extend(problem.map(|problem| format!("{key} {problem}")));
        }
        problems
    }
}

fn name(repository: &Repository, at: usize) -> String {
    let mut name = repository.name.clone();
    name.truncate(50);
    format!("{name}-{at}")
}

fn key(object: &Value) -> String {
    let place = |pointer| text(object, pointer);
    format!(
        "{}/{}/{}/{}",
        group(place("/apiVersion")),
        place("/kind"),
        place("/metadata/namespace"),
        place("/metadata/name")
    )
}

/// A definition that lets anything pass.
fn definition(kind: &Kind) -> Value {
    let (group, version) = kind.api_version.rsplit_once('/').unwrap_or(("", &kind.api_version));
    let plural = format!("{}s", kind.kind.to_lowercase());
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": group,
            "names": {"kind": kind.kind, "plural": plural},
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
            "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
        },
    })
}

fn tell_refused(repository: &str, path: &str, error: &anyhow::Error) {
    let why: String = format!("{error:#}").replace('\n', " ").chars().take(120).collect();
    println!("left out: {repository} {path}: {why}");
}

async fn dry_run(cluster: &Cluster, object: &Value, manager: &str) -> anyhow::Result<Value> {
    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    let api = cluster.api(api_version, kind, text(object, "/metadata/namespace")).await?;
    let parameters = PatchParams { dry_run: true, ..PatchParams::apply(manager).force() };
    let name = text(object, "/metadata/name");
    let applied = api.patch(name, &parameters, &Patch::Apply(object)).await?;
    Ok(serde_json::to_value(applied)?)
}

async fn get(cluster: &Cluster, object: &Value) -> anyhow::Result<Option<Value>> {
    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    let api = cluster.api(api_version, kind, text(object, "/metadata/namespace")).await?;
    let found = api.get_opt(text(object, "/metadata/name")).await?;
    Ok(found.map(serde_json::to_value).transpose()?)
}

async fn compare_one(cluster: &Cluster, object: &Value) -> anyhow::Result<Option<String>> {
    let Some(live) = get(cluster, object).await? else {
        return Ok(Some(format!("{} is not there", key(object))));
    };
    if text(&live, "/metadata/labels/kustomize.toolkit.fluxcd.io~1name").is_empty() {
        return Ok(Some(format!("{} is not owned", key(object))));
    }
    let again = dry_run(cluster, object, "compare").await?;
    let bare = |mut object: Value| {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            metadata.remove("resourceVersion");
            metadata.remove("generation");
        }
        object
    };
    let (live, again) = (bare(live), bare(again));
    if live == again {
        return Ok(None);
    }
    Ok(Some(format!("{}: {live} is not {again}", key(object))))
}
