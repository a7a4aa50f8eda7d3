//! What is done to the cluster before anything is reconciled, carefully.

use anyhow::{Context as _, bail};
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::{Value, json};

/// What Flux itself applies the sync objects with, so that fields have one owner later on.
const FIELD_MANAGER: &str = "kustomize-controller";

const NEEDED: [&str; 2] =
    ["gitrepositories.source.toolkit.fluxcd.io", "kustomizations.kustomize.toolkit.fluxcd.io"];

/// Refuses a cluster in which Flux's controllers run: two would fight over the same objects.
pub(super) async fn refuse_taken(client: &Client) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::all(client.clone());
    let of_flux = ListParams::default().labels("app.kubernetes.io/part-of=flux");
    let found = deployments.list(&of_flux).await.context("cannot list Deployments")?;
    let is_ours = |name: &str| matches!(name, "source-controller" | "kustomize-controller");
    let running: Vec<String> = found
        .iter()
        .filter(|one| one.spec.as_ref().is_none_or(|spec| spec.replicas != Some(0)))
        .filter(|one| is_ours(&one.name_any()))
        .map(|one| format!("{}/{}", one.namespace().unwrap_or_default(), one.name_any()))
        .collect();
    if !running.is_empty() {
        bail!(
            "Flux runs in this cluster ({}) and would reconcile the same objects; scale it down, or \
             say --force",
            running.join(", ")
        );
    }
    Ok(())
}

/// Which of Flux's kinds a cluster is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Install {
    /// None: the run ends if one that it needs is missing.
    Nothing,
    /// Those that the run needs.
    Needed,
    /// All, so that whatever a repository holds can be applied.
    All,
}

/// Makes sure that the kinds are served: installs those that are not, as far as that is wanted, and
/// names them.
pub(super) async fn ensure_kinds(client: &Client, install: Install) -> anyhow::Result<Vec<String>> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut installed = Vec::new();
    for definition in gitops_api::crds() {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        if !NEEDED.contains(&name) && install != Install::All {
            continue;
        }
        if api.get_opt(name).await.with_context(|| format!("cannot look for {name}"))?.is_some() {
            continue;
        }
        if install == Install::Nothing {
            bail!("the cluster does not have {name}; say --install-crds to install it");
        }
        api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&definition))
            .await
            .with_context(|| format!("cannot install {name}"))?;
        await_condition(api.clone(), name, is_crd_established()).await?;
        installed.push(name.to_owned());
    }
    Ok(installed)
}

/// Applies the sync objects, and their namespaces where they are missing.
pub(super) async fn apply_sync(client: &Client, objects: &[Value]) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    for object in objects {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let namespace = Some(text("/metadata/namespace")).filter(|name| !name.is_empty());
        let namespace = namespace.with_context(|| format!("{kind}/{name} has no namespace"))?;
        if namespaces.get_opt(namespace).await?.is_none() {
            let new =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            namespaces
                .patch(namespace, &params, &Patch::Apply(&new))
                .await
                .with_context(|| format!("cannot create Namespace/{namespace}"))?;
        }
        resources(client, kind, Some(namespace))?
            .patch(name, &params, &Patch::Apply(object))
            .await
            .with_context(|| format!("cannot apply {kind}/{namespace}/{name}"))?;
    }
    Ok(())
}

/// Asks for a reconciliation now; `token` tells requests apart.
pub(super) async fn ask(client: &Client, id: &str, token: &str) -> anyhow::Result<()> {
    let mut parts = id.splitn(3, '/');
    let (Some(kind), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next())
    else {
        bail!("{id} is not Kind/namespace/name");
    };
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
    let api = resources(client, kind, Some(namespace))?;
    api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

/// The API of one of the two kinds, in a namespace or in all.
pub(super) fn resources(
    client: &Client,
    kind: &str,
    namespace: Option<&str>,
) -> anyhow::Result<Api<DynamicObject>> {
    let resource = resource(kind).with_context(|| format!("{kind} is no kind of this run"))?;
    Ok(match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    })
}

pub(super) fn resource(kind: &str) -> Option<ApiResource> {
    let (group, plural) = match kind {
        "GitRepository" => ("source.toolkit.fluxcd.io", "gitrepositories"),
        "Kustomization" => ("kustomize.toolkit.fluxcd.io", "kustomizations"),
        _ => return None,
    };
    let kind = GroupVersionKind::gvk(group, "v1", kind);
    Some(ApiResource::from_gvk_with_plural(&kind, plural))
}
