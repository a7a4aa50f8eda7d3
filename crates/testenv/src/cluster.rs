//! One handle for the clusters that tests run in, and a namespace of its own for each test.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use gitops_apiserver::Server;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
    discovery,
};
use parking_lot::Mutex;
use serde_json::Value;

/// The field manager of what tests apply.
const MANAGER: &str = "kubectl";

/// How long a test waits between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Kinds without a definition of ours that a short name, such as `ConfigMap/app`, may use.
const BUILT_IN: &[(&str, &str)] = &[
    ("v1", "ConfigMap"),
    ("v1", "Event"),
    ("v1", "Namespace"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "Job"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
];

/// A cluster that knows our kinds. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    resources: Arc<Mutex<BTreeMap<String, (ApiResource, bool)>>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster that a client talks to, with our definitions installed.
    ///
    /// # Errors
    /// When the definitions are refused or not served in time.
    pub async fn new(client: Client) -> anyhow::Result<Self> {
        let cluster = Self { client, resources: Arc::default() };
        cluster.install().await?;
        Ok(cluster)
    }

    /// A cluster inside the process; with `GITOPS_CLUSTER=real` the one that `KUBECONFIG` names.
    ///
    /// # Errors
    /// When a real cluster is asked for and cannot be used.
    pub async fn connect() -> anyhow::Result<Self> {
        #[allow(clippy::disallowed_methods, reason = "tests choose their cluster by environment")]
        let wanted = std::env::var("GITOPS_CLUSTER").is_ok_and(|cluster| cluster == "real");
        // Installing it twice is refused, and that is fine.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = if wanted {
            Client::try_default().await.context("no usable KUBECONFIG")?
        } else {
            Client::new(Server::new().service(), "default")
        };
        Self::new(client).await
    }

    /// The client.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A namespace for one test, named after it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn namespace(&self, test: &str) -> anyhow::Result<Namespace> {
        // Unique within a process, and between the processes that share a cluster.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t-{test}-{}-{number}", std::process::id());
        let namespace = Namespace { cluster: self.clone(), name };
        namespace
            .apply(&format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n",
                namespace.name
            ))
            .await?;
        Ok(namespace)
    }

    async fn install(&self) -> anyhow::Result<()> {
        let definitions =
            self.api("apiextensions.k8s.io/v1", "CustomResourceDefinition", "").await?;
        let parameters = PatchParams::apply(MANAGER).force();
        for crd in gitops_api::crds() {
            let name = crd["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            definitions
                .patch(&name, &parameters, &Patch::Apply(&crd))
                .await
                .with_context(|| format!("the cluster refuses {name}"))?;
            poll(Duration::from_secs(10), || async {
                let crd = definitions.get(&name).await?;
                let conditions = crd.data["status"]["conditions"].as_array().cloned();
                let established = conditions.into_iter().flatten().any(|condition| {
                    condition["type"] == "Established" && condition["status"] == "True"
                });
                Ok(established.then_some(()))
            })
            .await?
            .with_context(|| format!("{name} is not served in time"))?;
        }
        Ok(())
    }

    /// The API of a kind, in a namespace if the kind has one.
    ///
    /// # Errors
    /// When the cluster does not know the kind.
    pub async fn api(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
    ) -> anyhow::Result<Api<DynamicObject>> {
        let (resource, namespaced) = self.resource(api_version, kind).await?;
        Ok(if namespaced && !namespace.is_empty() {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        })
    }

    async fn resource(&self, api_version: &str, kind: &str) -> anyhow::Result<(ApiResource, bool)> {
        let key = format!("{api_version}/{kind}");
        if let Some(known) = self.resources.lock().get(&key) {
            return Ok(known.clone());
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let (resource, capabilities) = discovery::pinned_kind(&self.client, &gvk)
            .await
            .with_context(|| format!("the cluster does not know {key}"))?;
        let found = (resource, capabilities.scope == discovery::Scope::Namespaced);
        self.resources.lock().insert(key, found.clone());
        Ok(found)
    }
}

/// A namespace that belongs to one test. It stays when the test ends, for whoever looks into a
/// failure; an embedded cluster goes with the process.
#[derive(Clone, Debug)]
pub struct Namespace {
    cluster: Cluster,
    name: String,
}

impl Namespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Applies each document of a YAML text on the server. Objects without a namespace get this
    /// one; `@NS@` stands for its name.
    ///
    /// # Errors
    /// When the text is not YAML, or the first time the cluster refuses an object.
    pub async fn apply(&self, yaml: &str) -> anyhow::Result<()> {
        let yaml = yaml.replace("@NS@", &self.name);
        for node in gitops_yaml::read_all(&yaml)? {
            let object = node.to_json()?;
            if object.is_null() {
                continue;
            }
            let field = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let (Some(api_version), Some(kind), Some(name)) =
                (field("/apiVersion"), field("/kind"), field("/metadata/name"))
            else {
                bail!("an object lacks apiVersion, kind or name: {object}");
            };
            let namespace = field("/metadata/namespace").unwrap_or(&self.name);
            self.cluster
                .api(api_version, kind, namespace)
                .await?
                .patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&object))
                .await
                .with_context(|| format!("the cluster refuses {kind}/{name}"))?;
        }
        Ok(())
    }

    /// Merges a patch into an object, for example an annotation.
    ///
    /// # Errors
    /// When the object is not there or the cluster refuses.
    pub async fn patch(&self, object: &str, patch: &Value) -> anyhow::Result<()> {
        let (api, name) = self.find(object).await?;
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// The object, or nothing if it is not there. Written `Kind/name`, for the kinds of the toolkit
    /// and common built-in ones, or `group/version/Kind/name`.
    ///
    /// # Errors
    /// When the kind is not known or the cluster does not answer.
    pub async fn get(&self, object: &str) -> anyhow::Result<Option<Value>> {
        let (api, name) = self.find(object).await?;
        let Some(mut found) = api.get_opt(name).await? else {
            return Ok(None);
        };
        found.types = found.types.or_else(|| {
            let kind = object.rsplit('/').nth(1)?;
            let api_version = api_version_of(kind)?;
            Some(kube::core::TypeMeta { api_version, kind: kind.into() })
        });
        Ok(Some(serde_json::to_value(found)?))
    }

    /// Deletes an object, without waiting until it is gone.
    ///
    /// # Errors
    /// When the object is not there or the cluster refuses.
    pub async fn delete(&self, object: &str) -> anyhow::Result<()> {
        let (api, name) = self.find(object).await?;
        api.delete(name, &DeleteParams::background()).await?;
        Ok(())
    }

    /// Waits until the object, or its absence, is as the test wants it, and returns it.
    ///
    /// # Errors
    /// When the time is up; the message has what was last seen.
    pub async fn wait_for(
        &self,
        object: &str,
        limit: Duration,
        accept: impl Fn(Option<&Value>) -> bool,
    ) -> anyhow::Result<Option<Value>> {
        let last = Mutex::new(None);
        let found = poll(limit, || async {
            let seen = self.get(object).await?;
            let accepted = accept(seen.as_ref());
            *last.lock() = seen;
            Ok(accepted.then_some(()))
        })
        .await?;
        let last = last.into_inner();
        if found.is_none() {
            match last {
                Some(seen) => bail!("{object} is not as wanted after {limit:?}: {seen:#}"),
                None => bail!("{object} is not there after {limit:?}"),
            }
        }
        Ok(last)
    }

    /// Waits until the Ready condition of the object's present generation is `True`.
    ///
    /// # Errors
    /// When the time is up.
    pub async fn wait_ready(&self, object: &str, limit: Duration) -> anyhow::Result<Value> {
        let ready = self.wait_for(object, limit, |seen| seen.is_some_and(is_ready)).await?;
        ready.context("an accepted object is there")
    }

    /// The core/v1 events of the namespace, in the order of their first occurrence.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn events(&self) -> anyhow::Result<Vec<Value>> {
        let api = self.cluster.api("v1", "Event", &self.name).await?;
        let mut events = Vec::new();
        for event in api.list(&ListParams::default()).await? {
            events.push(serde_json::to_value(event)?);
        }
        // Times are in seconds. Recorders name an event after the object and the nanosecond, in hex.
        events.sort_by_cached_key(|event| {
            let field = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
            let name = field("/metadata/name").unwrap_or_default();
            let moment = name.rsplit('.').next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
            (field("/firstTimestamp").unwrap_or_default().to_owned(), moment)
        });
        Ok(events)
    }

    async fn find<'o>(&self, object: &'o str) -> anyhow::Result<(Api<DynamicObject>, &'o str)> {
        let (path, name) = object.rsplit_once('/').context("an object is written Kind/name")?;
        let (api_version, kind) = if let Some((api_version, kind)) = path.rsplit_once('/') {
            (api_version.to_owned(), kind)
        } else {
            let known = api_version_of(path);
            (known.with_context(|| format!("{path} is no kind that has a short name"))?, path)
        };
        Ok((self.cluster.api(&api_version, kind, &self.name).await?, name))
    }
}

/// Whether the Ready condition is `True` for the object's present generation.
pub(crate) fn is_ready(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == "Ready"
            && condition["status"] == "True"
            && (condition["observedGeneration"].is_null()
                || condition["observedGeneration"] == object["metadata"]["generation"])
    })
}

fn api_version_of(kind: &str) -> Option<String> {
    if let Some((api_version, _)) = BUILT_IN.iter().find(|(_, known)| *known == kind) {
        return Some((*api_version).to_owned());
    }
    gitops_api::crds().iter().find_map(|crd| {
        let version = crd["spec"]["versions"][0]["name"].as_str()?;
        let group = crd["spec"]["group"].as_str()?;
        (crd["spec"]["names"]["kind"] == kind).then(|| format!("{group}/{version}"))
    })
}

/// Looks again and again until there is something or the time is up.
async fn poll<T, F: Future<Output = anyhow::Result<Option<T>>>>(
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> anyhow::Result<Option<T>> {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        if tokio::time::Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
