//! The sources of a generator, as the caches of the process know them.

use std::{collections::BTreeMap, sync::Arc};

use gitops_api::source::{
    Artifact, ArtifactGenerator, Bucket, ExternalArtifact, GitRepository, HelmChart, OciRepository,
};
use gitops_core::{Digest, MemoryTree, Scope};
use gitops_source::ArtifactFetcher;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
};
use serde_json::Value;

use crate::runtime::{Cache, Caches, Key, Queue};

/// The annotation of an artifact that tells where its content comes from.
pub(super) const ORIGIN_REVISION: &str = "org.opencontainers.image.revision";

/// The kinds that a generator takes files from.
#[derive(Clone)]
pub(super) struct Sources {
    caches: Vec<Arc<Cache>>,
    /// Reads sources in place of the caches.
    direct: Option<Client>,
}

/// What is known of the sources of a generator, by alias.
pub(super) type Observed = BTreeMap<String, Artifact>;

impl Sources {
    /// With a client, every turn asks the API server for what the caches know.
    pub(super) fn new(caches: &Caches, direct: Option<Client>) -> Self {
        let caches = [
            ApiResource::erase::<Bucket>(&()),
            ApiResource::erase::<GitRepository>(&()),
            ApiResource::erase::<OciRepository>(&()),
            ApiResource::erase::<HelmChart>(&()),
            ApiResource::erase::<ExternalArtifact>(&()),
        ]
        .map(|resource| caches.watch(&resource, None));
        Self { caches: caches.into(), direct }
    }

    /// Completes when all sources are known.
    pub(super) async fn synced(&self) {
        for cache in &self.caches {
            cache.synced().await;
        }
    }

    /// The cache of ExternalArtifacts.
    pub(super) fn external(&self) -> &Arc<Cache> {
        // The constructor puts it last.
        &self.caches[self.caches.len() - 1]
    }

    /// Queues generators when the artifact of one of their sources changes.
    pub(super) fn follow(&self, generators: &Arc<Cache>, queue: &Arc<Queue>) {
        for cache in &self.caches {
            let kind = cache.resource().kind.clone();
            let (generators, queue) = (Arc::downgrade(generators), Arc::clone(queue));
            cache.listen(move |change| {
                let digest =
                    |object: &DynamicObject| object.data["status"]["artifact"]["digest"].clone();
                let new = change.new.as_deref().map(digest).unwrap_or_default();
                let Some(generators) = generators.upgrade() else { return };
                if new.is_null() || change.old.as_deref().map(digest) == Some(new) {
                    return;
                }
                for generator in generators.all() {
                    let own = generator.metadata.namespace.as_deref().unwrap_or_default();
                    let sources = generator.data["spec"]["sources"].as_array();
                    let takes = |source: &Value| {
                        let namespace =
                            source["namespace"].as_str().filter(|text| !text.is_empty());
                        source["kind"] == kind.as_str()
                            && source["name"] == change.key.name.as_str()
                            && namespace.unwrap_or(own) == change.key.namespace
                    };
                    if sources.is_some_and(|sources| sources.iter().any(takes)) {
                        queue.add(&Key::of(&generator), None);
                    }
                }
            });
        }
    }

    /// The artifacts of all sources; an error is what is missing.
    pub(super) async fn observe(
        &self,
        object: &ArtifactGenerator,
        namespace: &str,
    ) -> Result<Observed, String> {
        let mut observed = Observed::new();
        for source in &object.spec.sources {
            let (kind, name) = (&source.kind, &source.name);
            let cache = self.caches.iter().find(|cache| cache.resource().kind == *kind);
            let cache =
                cache.ok_or_else(|| format!("source `{name}` kind '{kind}' not supported"))?;
            let namespace =
                source.namespace.as_deref().filter(|text| !text.is_empty()).unwrap_or(namespace);
            let found = match &self.direct {
                None => cache.get(&Key::new(namespace, name.as_str())),
                Some(client) => {
                    let (client, resource) = (client.clone(), cache.resource());
                    let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, resource);
                    let found = api.get_opt(name).await.map_err(|error| {
                        let why = gitops_core::one_line(&error);
                        format!("unable to get source '{namespace}/{name}': {why}")
                    })?;
                    found.map(Arc::new)
                }
            };
            let found = found
                .ok_or_else(|| format!("{kind}.source.toolkit.fluxcd.io \"{name}\" not found"))?;
            let artifact = &found.data["status"]["artifact"];
            if artifact.is_null() {
                return Err(format!("source '{kind}/{namespace}/{name}' is not ready"));
            }
            let artifact = serde_json::from_value(artifact.clone())
                .map_err(|error| format!("unable to get source '{namespace}/{name}': {error}"))?;
            observed.insert(source.alias.clone(), artifact);
        }
        Ok(observed)
    }
}

/// The digest over all sources, by which a change of any is seen.
pub(super) fn digest(observed: &Observed) -> String {
    let parts: Vec<String> = observed
        .iter()
        .map(|(alias, artifact)| {
            let Artifact { digest, revision, url, .. } = artifact;
            format!("{alias}=[digest={digest},revision={revision},url={url}]")
        })
        .collect();
    // The aliases are sorted, and what follows an alias sorts after all that aliases may hold.
    let mut parts = parts;
    parts.sort();
    Digest::sha256(parts.join("|").as_bytes()).to_string()
}

/// Downloads the files of all sources; an error says of which one they could not be had.
pub(super) async fn fetch(
    fetcher: &ArtifactFetcher,
    observed: &Observed,
    scope: &Scope,
) -> Result<BTreeMap<String, Arc<MemoryTree>>, String> {
    let mut trees = BTreeMap::new();
    for (alias, artifact) in observed {
        let fail = |why: String| format!("failed to fetch source '{alias}': {why}");
        let url = artifact.url.parse().map_err(|error: url::ParseError| fail(error.to_string()))?;
        let digest = artifact
            .digest
            .parse()
            .map_err(|error: gitops_core::DigestError| fail(error.to_string()))?;
        let tree = fetcher.fetch(&url, &digest, scope).await;
        let tree = tree.map_err(|error| fail(gitops_core::one_line(&error)))?;
        trees.insert(alias.clone(), tree);
    }
    Ok(trees)
}
