//! The cluster to apply to, and as whom.
//!
//! Follows fluxcd/pkg `runtime/client/impersonator.go`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_api::{kustomize::Kustomization, meta::reason};
use gitops_apply::{ApiError, Cluster};
use gitops_core::{Class, Classify, ObjectId, Secret, Stage, one_line};

use super::spec;
use crate::kustomization::{Options, problem::Problem};

/// A client for a Kustomization: the controller's own cluster or another one, as the controller,
/// or as the service account that the spec or the controller's flags name. There is no falling
/// back from one to the other.
///
/// # Errors
/// A [`Problem`] in Flux's words; the event says that no client could be built.
pub(crate) async fn cluster(
    own: &Cluster,
    object: &Kustomization,
    options: &Options,
) -> Result<Cluster, Problem> {
    let remote = match &object.spec.kube_config {
        Some(_) => Some(remote(own, object, options).await?),
        None => None,
    };
    let cluster = remote.as_ref().unwrap_or(own);
    match spec::service_account(object, options) {
        Some(account) => cluster
            .impersonate(spec::namespace(object), account)
            .map_err(|error| problem(error.class(), one_line(&error))),
        None => Ok(cluster.clone()),
    }
}

/// Whether the service account that objects are deleted as still exists.
pub(crate) async fn can_impersonate(
    own: &Cluster,
    object: &Kustomization,
    options: &Options,
) -> bool {
    let Some(account) = spec::service_account(object, options) else {
        return true;
    };
    let id = ObjectId::new("v1", "ServiceAccount", spec::namespace(object), account);
    matches!(own.get(&id).await, Ok(Some(_)))
}

/// Why a cluster that is named by a ConfigMap is not reached: identities of clouds are not there yet.
async fn unknown_cloud(own: &Cluster, object: &Kustomization, namespace: &str) -> Problem {
    let reference =
        object.spec.kube_config.as_ref().and_then(|config| config.config_map_ref.as_ref());
    let name = reference.map(|reference| reference.name.as_str()).unwrap_or_default();
    let id = ObjectId::new("v1", "ConfigMap", namespace, name);
    let found = own.get(&id).await;
    let found = found.and_then(|map| map.ok_or_else(|| ApiError::not_found("configmaps", name)));
    let map = match found {
        Ok(map) => map,
        Err(error) => {
            let message = format!("failed to get configmap {namespace}/{name}: {error}");
            return problem(error.class(), message);
        }
    };
    match map["data"]["provider"].as_str().unwrap_or_default() {
        provider @ ("aws" | "azure" | "gcp" | "generic") => problem(
            Class::Unsupported,
            format!(
                "provider '{provider}' of spec.kubeConfig.configMapRef is not supported: clusters are \
                 reached through spec.kubeConfig.secretRef only"
            ),
        ),
        other => problem(Class::Invalid, format!("provider '{other}' not implemented")),
    }
}

async fn remote(
    own: &Cluster,
    object: &Kustomization,
    options: &Options,
) -> Result<Cluster, Problem> {
    let namespace = spec::namespace(object);
    let Some(reference) =
        object.spec.kube_config.as_ref().and_then(|config| config.secret_ref.as_ref())
    else {
        return Err(unknown_cloud(own, object, namespace).await);
    };
    let place = format!("{namespace}/{}", reference.name);
    let unread = |error: ApiError| {
        problem(error.class(), format!("unable to read KubeConfig secret '{place}' error: {error}"))
    };
    let id = ObjectId::new("v1", "Secret", namespace, &reference.name);
    let secret = own.get(&id).await.map_err(unread)?;
    let secret = secret.ok_or_else(|| unread(ApiError::not_found("secrets", &reference.name)))?;
    let data = &secret["data"];
    let key = reference.key.as_deref().filter(|key| !key.is_empty());
    let value = match key {
        Some(key) => data.get(key),
        None => data.get("value").or_else(|| data.get("value.yaml")),
    };
    let bytes = value.and_then(|value| STANDARD.decode(value.as_str()?).ok());
    let bytes = bytes.ok_or_else(|| {
        let key = key.unwrap_or("value");
        let message =
            format!("KubeConfig secret '{place}' does not contain a '{key}' key with a kubeconfig");
        problem(Class::Invalid, message)
    })?;
    Cluster::from_kubeconfig(&Secret::new(bytes), options.kubeconfig)
        .await
        .map_err(|error| problem(error.class(), one_line(&error)))
}

/// The condition tells the cause, the event what it led to.
fn problem(class: Class, message: String) -> Problem {
    let event = Some(format!("failed to build kube client: {message}").into());
    let reason = reason::RECONCILIATION_FAILED;
    Problem { event, ..Problem::text(Stage::Connect, reason, class, message) }
}
