//! kustomize-controller, killed while it applies, prunes and deletes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use gitops_testenv::{
    Access, ApiProxy, Cluster, Controller, GitRepo, GitServer, Moment, Namespace, git_is_installed,
};
use kube::api::ListParams;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{CONVERGE, POINTS, Point, REACH, TOGETHER, address, points};

/// What a controller is killed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    FirstApply,
    /// Objects change, come and go.
    Upgrade,
    /// As an upgrade, but while nobody runs a further commit takes back what it brought.
    Overtaken,
    Delete,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_first_apply_is_finished_by_the_next() -> anyhow::Result<()> {
    check(Work::FirstApply).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upgrade_is_finished_and_pruned_by_the_next() -> anyhow::Result<()> {
    check(Work::Upgrade).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_overtaken_upgrade_brought_is_pruned_by_the_next() -> anyhow::Result<()> {
    check(Work::Overtaken).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_is_finished_by_the_next() -> anyhow::Result<()> {
    check(Work::Delete).await
}

/// ConfigMaps by name with what they hold, and whether there is a `ClusterRole`.
type Content = (BTreeMap<&'static str, &'static str>, bool);

fn content(branch: &str) -> Content {
    match branch {
        "one" => (["a", "b", "c", "d", "e", "f"].map(|name| (name, "one")).into(), true),
        "two" => (
            [("a", "two"), ("c", "one"), ("d", "two"), ("e", "one"), ("g", "two"), ("h", "two")]
                .into(),
            true,
        ),
        "three" => ([("a", "three"), ("c", "one"), ("i", "three")].into(), false),
        _ => (BTreeMap::new(), false),
    }
}

/// What all points of one kind of work share: a cluster, a repository, a source-controller.
struct Arena {
    work: Work,
    cluster: Cluster,
    git: GitServer,
    repository: GitRepo,
    // Killed with it.
    _source: ApiProxy,
    directory: TempDir,
}

async fn check(work: Work) -> anyhow::Result<()> {
    if !git_is_installed() {
        eprintln!("skipped: git is not installed");
        return Ok(());
    }
    let arena = Arena::new(work).await?;
    let (writes, _) = arena.play(None).await.context("without a crash")?;
    ensure!(writes >= POINTS / 2, "{work:?} takes only {writes} writes");
    let reached: Vec<bool> = stream::iter(points(writes))
        .map(|point| {
            let arena = &arena;
            async move {
                let played = arena.play(Some(point)).await;
                played.map(|(_, reached)| reached).with_context(|| format!("{work:?} {point:?}"))
            }
        })
        .buffer_unordered(TOGETHER)
        .try_collect()
        .await?;
    let reached = reached.into_iter().filter(|reached| *reached).count();
    ensure!(reached >= 15, "only {reached} of {POINTS} crashes were in the middle of the work");
    Ok(())
}

impl Arena {
    async fn new(work: Work) -> anyhow::Result<Self> {
        let cluster = Cluster::connect().await?;
        let directory = tempfile::tempdir()?;
        let mut repository = GitRepo::init(directory.path().join("app.git"))?;
        for branch in ["one", "two", "three"] {
            repository.commit(branch, &[("all.yaml", Some(&manifests(branch)))], branch)?;
        }
        let git = GitServer::start(directory.path(), Access::Open).await?;
        let source = ApiProxy::start(cluster.client()).await?;
        let address = address();
        let storage = directory.path().join("storage");
        std::fs::create_dir(&storage)?;
        source.set_controller(Controller::start_in(
            "default",
            Path::new(env!("CARGO_BIN_EXE_source-controller")),
            &source.kubeconfig(directory.path())?,
            &directory.path().join("source.log"),
            &[
                format!("--storage-path={}", storage.display()),
                format!("--storage-addr={address}"),
                format!("--storage-adv-addr={address}"),
                // Arenas may share a cluster.
                format!("--watch-label-selector=crash={}", label(work)),
                "--concurrent=4".into(),
            ],
        )?);
        Ok(Self { work, cluster, git, repository, _source: source, directory })
    }

    /// Does the work, with a crash if there is a point for it, and waits until everything is as it
    /// should be. Returns the writes that it took, and whether the point was reached.
    async fn play(&self, crash: Option<Point>) -> anyhow::Result<(u64, bool)> {
        let namespace = self.cluster.namespace("crash").await?;
        let home = tempfile::tempdir_in(self.directory.path())?;
        let proxy = ApiProxy::start(self.cluster.client()).await?;
        proxy.kubeconfig(home.path())?;
        namespace.apply(&self.source_of("one")).await?;
        namespace.wait_ready("GitRepository/app", CONVERGE).await?;
        start(&proxy, &namespace, home.path())?;
        if self.work != Work::FirstApply {
            namespace.apply(KUSTOMIZATION).await?;
            self.settled(&namespace, "one").await?;
        }
        let point = crash.unwrap_or(Point { write: u64::MAX, moment: Moment::BeforeForwarding });
        proxy.kill_at(point.write, point.moment);
        let mut goal = match self.work {
            Work::FirstApply => {
                namespace.apply(KUSTOMIZATION).await?;
                "one"
            }
            Work::Upgrade | Work::Overtaken => {
                namespace.apply(&self.source_of("two")).await?;
                "two"
            }
            Work::Delete => {
                namespace.delete("Kustomization/app").await?;
                ""
            }
        };
        let mut reached = true;
        if crash.is_some() {
            reached = proxy.killed(REACH).await;
            proxy.kill();
            if self.work == Work::Overtaken {
                goal = "three";
                namespace.apply(&self.source_of(goal)).await?;
                let revision = self.revision(goal)?;
                namespace
                    .wait_for("GitRepository/app", CONVERGE, |seen| {
                        seen.is_some_and(|seen| seen["status"]["artifact"]["revision"] == revision)
                    })
                    .await?;
            }
            start(&proxy, &namespace, home.path())?;
        }
        let settled = self.settled(&namespace, goal).await;
        settled.with_context(|| {
            let log = std::fs::read_to_string(home.path().join("log")).unwrap_or_default();
            format!("log of the controllers:\n{log}\n{}", proxy.requests().join("\n"))
        })?;
        Ok((proxy.writes(), reached))
    }

    fn source_of(&self, branch: &str) -> String {
        let source = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "app", "labels": {"crash": label(self.work)}},
            "spec": {"interval": "1h", "url": self.git.url("app.git"), "ref": {"branch": branch}},
        });
        source.to_string()
    }

    fn revision(&self, branch: &str) -> anyhow::Result<String> {
        let commit = self.repository.resolve(&format!("refs/heads/{branch}"))?;
        Ok(format!("{branch}@sha1:{commit}"))
    }

    /// Waits until there is what the branch holds and nothing else; none for no branch.
    async fn settled(&self, namespace: &Namespace, branch: &str) -> anyhow::Result<()> {
        let end = tokio::time::Instant::now() + CONVERGE;
        loop {
            let Err(problem) = self.look(namespace, branch).await else {
                return Ok(());
            };
            if tokio::time::Instant::now() > end {
                return Err(problem.context(format!("not as branch '{branch}' has it")));
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    async fn look(&self, namespace: &Namespace, branch: &str) -> anyhow::Result<()> {
        let (maps, has_role) = content(branch);
        let role = format!("{}-reader", namespace.name());
        match namespace.get("Kustomization/app").await? {
            None if branch.is_empty() => {}
            None => bail!("the Kustomization is gone"),
            Some(_) if branch.is_empty() => bail!("the Kustomization is still there"),
            Some(object) => {
                let mut ids: BTreeSet<String> = maps
                    .keys()
                    .map(|name| format!("{}_{name}__ConfigMap", namespace.name()))
                    .collect();
                if has_role {
                    ids.insert(format!("_{role}_rbac.authorization.k8s.io_ClusterRole"));
                }
                self.judge(&object, branch, &ids)?;
            }
        }
        let found = owned(&self.cluster, "v1", "ConfigMap", namespace).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found: BTreeMap<String, String> = found
            .iter()
            .map(|map| (text(&map["metadata"]["name"]), text(&map["data"]["of"])))
            .collect();
        let maps: BTreeMap<String, String> =
            maps.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned())).collect();
        ensure!(found == maps, "ConfigMaps are {found:?} instead of {maps:?}");
        let roles =
            owned(&self.cluster, "rbac.authorization.k8s.io/v1", "ClusterRole", namespace).await?;
        let is_there = roles.iter().any(|found| found["metadata"]["name"] == role.as_str());
        ensure!(
            is_there == has_role && roles.len() == usize::from(has_role),
            "ClusterRoles: {roles:?}"
        );
        Ok(())
    }

    fn judge(&self, object: &Value, branch: &str, ids: &BTreeSet<String>) -> anyhow::Result<()> {
        let revision = self.revision(branch)?;
        let status = &object["status"];
        ensure!(
            status["lastAppliedRevision"] == revision,
            "last applied: {}",
            status["lastAppliedRevision"]
        );
        let conditions = status["conditions"].as_array().context("no conditions")?;
        let is_ready =
            conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
        let is_busy = conditions.iter().any(|one| one["type"] == "Reconciling");
        ensure!(is_ready && !is_busy, "conditions: {conditions:?}");
        let inventory = status["inventory"]["entries"].as_array().context("no inventory")?;
        let inventory: BTreeSet<String> =
            inventory.iter().filter_map(|entry| Some(entry["id"].as_str()?.to_owned())).collect();
        ensure!(inventory == *ids, "inventory is {inventory:?} instead of {ids:?}");
        Ok(())
    }
}

const KUSTOMIZATION: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app}
spec:
  interval: 1h
  retryInterval: 1s
  path: ./
  prune: true
  wait: true
  timeout: 20s
  targetNamespace: '@NS@'
  postBuild: {substitute: {namespace: '@NS@'}}
  sourceRef: {kind: GitRepository, name: app}
";

/// The objects of a branch as one file.
fn manifests(branch: &str) -> String {
    let (maps, has_role) = content(branch);
    let mut objects: Vec<Value> = maps
        .iter()
        .map(|(name, of)| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name}, "data": {"of": of},
            })
        })
        .collect();
    if has_role {
        objects.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "${namespace}-reader"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        }));
    }
    objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

fn label(work: Work) -> String {
    format!("{work:?}-{}", std::process::id()).to_lowercase()
}

fn start(proxy: &ApiProxy, namespace: &Namespace, home: &Path) -> anyhow::Result<()> {
    proxy.set_controller(Controller::start_in(
        namespace.name(),
        Path::new(env!("CARGO_BIN_EXE_kustomize-controller")),
        &home.join("kubeconfig"),
        &home.join("log"),
        &["--watch-all-namespaces=false", "--log-level=debug"],
    )?);
    Ok(())
}

/// What belongs to the Kustomization of a namespace.
async fn owned(
    cluster: &Cluster,
    api_version: &str,
    kind: &str,
    namespace: &Namespace,
) -> anyhow::Result<Vec<Value>> {
    let labels = format!(
        "kustomize.toolkit.fluxcd.io/name=app,kustomize.toolkit.fluxcd.io/namespace={}",
        namespace.name()
    );
    let api = cluster.api(api_version, kind, namespace.name()).await?;
    let found = api.list(&ListParams::default().labels(&labels)).await?;
    found.items.into_iter().map(|object| Ok(serde_json::to_value(object)?)).collect()
}
