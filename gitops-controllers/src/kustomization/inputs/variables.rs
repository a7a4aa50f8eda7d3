//! The variables of `spec.postBuild`: from ConfigMaps and Secrets in order, then those of the spec.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_api::{
    kustomize::{Kustomization, SubstituteKind},
    meta::annotation,
};
use gitops_apply::{ApiError, Cluster};
use gitops_core::{Class, Classify, ObjectId};
use serde_json::Value;

/// The size above which the variables of one Kustomization are refused.
const SIZE_LIMIT: usize = 8 << 20;

/// Why there are no variables.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VariablesError {
    /// An object is not there or cannot be read.
    #[error("substitute from '{kind}/{name}' error: {error}")]
    From {
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What the API server said.
        error: Box<ApiError>,
    },
    /// They are too large.
    #[error("variables are larger than {SIZE_LIMIT} bytes")]
    TooLarge,
}

impl Classify for VariablesError {
    fn class(&self) -> Class {
        match self {
            Self::From { error, .. } => error.class(),
            Self::TooLarge => Class::Invalid,
        }
    }
}

/// Reads the variables. Line breaks are taken out of values, as Flux does.
///
/// # Errors
/// When an object that is not optional is missing, or cannot be read.
pub(crate) async fn load(
    cluster: &Cluster,
    object: &Kustomization,
) -> Result<BTreeMap<String, String>, VariablesError> {
    let mut variables = BTreeMap::new();
    let Some(post_build) = &object.spec.post_build else {
        return Ok(variables);
    };
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let mut size = 0;
    let mut add = |key: &str, value: &str| {
        size += key.len() + value.len();
        variables.insert(key.to_owned(), value.replace('\n', ""));
        if size > SIZE_LIMIT { Err(VariablesError::TooLarge) } else { Ok(()) }
    };
    for reference in &post_build.substitute_from {
        let kind = reference.kind.as_str();
        let id = ObjectId::new("v1", kind, namespace, &reference.name);
        let failed = |error: ApiError| VariablesError::From {
            kind,
            name: reference.name.clone(),
            error: Box::new(error),
        };
        let Some(found) = cluster.get(&id).await.map_err(failed)? else {
            if reference.optional {
                continue;
            }
            let plural =
                if reference.kind == SubstituteKind::Secret { "secrets" } else { "configmaps" };
            return Err(failed(ApiError::not_found(plural, &reference.name)));
        };
        for (key, value) in found["data"].as_object().into_iter().flatten() {
            let Some(text) = value.as_str() else { continue };
            if reference.kind == SubstituteKind::Secret {
                // What is no base64 was never stored by an API server.
                let bytes = STANDARD.decode(text).unwrap_or_default();
                add(key, &String::from_utf8_lossy(&bytes))?;
            } else {
                add(key, text)?;
            }
        }
    }
    for (key, value) in &post_build.substitute {
        add(key, value)?;
    }
    Ok(variables)
}

/// Whether a Kustomization refers to a ConfigMap or Secret.
pub(crate) fn refers_to(object: &Kustomization, kind: SubstituteKind, name: &str) -> bool {
    let of_post_build = object
        .spec
        .post_build
        .iter()
        .flat_map(|post_build| &post_build.substitute_from)
        .any(|reference| reference.kind == kind && reference.name == name);
    let config = object.spec.kube_config.as_ref();
    let others = match kind {
        SubstituteKind::Secret => {
            let config = config.and_then(|config| config.secret_ref.as_ref()).map(|r| &r.name);
            let keys = object.spec.decryption.as_ref().and_then(|d| d.secret_ref.as_ref());
            [config, keys.map(|reference| &reference.name)]
        }
        SubstituteKind::ConfigMap => {
            [config.and_then(|config| config.config_map_ref.as_ref()).map(|r| &r.name), None]
        }
    };
    of_post_build || others.into_iter().flatten().any(|other| other == name)
}

/// Whether an object is a Secret that SOPS encrypted and that is meant to be decrypted.
pub(crate) fn is_encrypted_secret(object: &Value) -> bool {
    let is_secret = object["kind"] == "Secret" && object["apiVersion"] == "v1";
    let decrypt = &object["metadata"]["annotations"][annotation::KUSTOMIZE_DECRYPT];
    let is_left = decrypt.as_str().is_some_and(|value| value.eq_ignore_ascii_case("disabled"));
    is_secret && object.get("sops").is_some() && !is_left
}
