//! Other GitRepositories whose files are laid into an artifact.

use std::{path::Path, sync::Arc};

use gitops_api::{
    meta::{condition_type, reason},
    source::{Artifact as Recorded, GitRepository, GitRepositoryInclude},
};
use gitops_core::{
    ArtifactKey, EntryKind, Failure, Limits, MemoryTree, OverlayTree, Stage, Tree, TreeError,
    confined_path, unpack,
};
use kube::{Api, Client, ResourceExt as _};
use tokio::io::AsyncReadExt as _;

use super::common::{Storage, failed, parsed};
use crate::runtime::{Stop, Waiting};

/// The artifacts of the included repositories, in the order of the spec.
pub(super) async fn artifacts(
    client: &Client,
    object: &GitRepository,
) -> Result<Vec<Recorded>, Stop> {
    let namespace = object.namespace().unwrap_or_default();
    let repositories: Api<GitRepository> = Api::namespaced(client.clone(), &namespace);
    let mut artifacts = Vec::with_capacity(object.spec.include.len());
    for include in &object.spec.include {
        let name = &include.repository.name;
        let wait = |reason: &'static str, message: String| {
            let waiting = Waiting::new(reason, message.clone())
                .with_condition(condition_type::INCLUDE_UNAVAILABLE)
                .with_event(message);
            Stop::from(waiting)
        };
        let found = repositories.get_opt(name).await.map_err(|error| {
            let why = match error {
                kube::Error::Api(status) => status.message.clone(),
                error => gitops_core::one_line(&error),
            };
            wait(reason::NOT_FOUND, format!("could not get resource for include '{name}': {why}"))
        })?;
        let found = found.ok_or_else(|| {
            let why = format!("GitRepository.source.toolkit.fluxcd.io \"{name}\" not found");
            wait(reason::NOT_FOUND, format!("could not get resource for include '{name}': {why}"))
        })?;
        let artifact = found.status.and_then(|status| status.artifact).ok_or_else(|| {
            wait(reason::NO_ARTIFACT, format!("no artifact available for include '{name}'"))
        })?;
        artifacts.push(artifact);
    }
    Ok(artifacts)
}

/// The files of a repository with those of its includes laid over them.
pub(super) async fn laid_over(
    base: Arc<dyn Tree>,
    storage: &Storage,
    object: &GitRepository,
    artifacts: &[Recorded],
) -> Result<Arc<dyn Tree>, Failure> {
    if artifacts.is_empty() {
        return Ok(base);
    }
    let namespace = object.namespace().unwrap_or_default();
    let mut over = MemoryTree::new();
    for (include, artifact) in object.spec.include.iter().zip(artifacts) {
        let (from, to) = paths(include);
        let copied = async {
            let key = ArtifactKey::new("GitRepository", &namespace, &include.repository.name);
            let tree = open(storage, &key, artifact).await?;
            copy(&tree, &confined_path(&from), &confined_path(&to), &mut over).map_err(|error| {
                // Flux looks into a directory that it unpacked to; here it has but a name.
                let path = format!("/tmp/checkout/unpack/{}", error.path.display());
                format!("cannot stat {path}: stat {path}: {}", error.kind)
            })
        };
        copied.await.map_err(|why: String| {
            let name = &include.repository.name;
            let message = format!("failed to copy '{name}' include from {from} to {to}");
            failed(Stage::Store, message, reason::COPY_FAILURE, why)
        })?;
    }
    Ok(Arc::new(OverlayTree::new(base, over)))
}

fn paths(include: &GitRepositoryInclude) -> (String, String) {
    let from = include.from_path.clone().unwrap_or_default();
    let to = include.to_path.clone().filter(|to| !to.is_empty());
    (from, to.unwrap_or_else(|| include.repository.name.clone()))
}

/// The files of an artifact in the store.
pub(super) async fn open(
    storage: &Storage,
    key: &ArtifactKey,
    artifact: &Recorded,
) -> Result<MemoryTree, String> {
    let parsed = parsed(key, artifact).ok_or("the artifact's record is malformed")?;
    let text = |error: &(dyn std::error::Error + 'static)| gitops_core::one_line(error);
    let opened = storage.store.open(key, &parsed.file).await;
    let mut opened = opened.map_err(|error| text(&error))?;
    let mut bytes = Vec::new();
    opened.body.read_to_end(&mut bytes).await.map_err(|error| text(&error))?;
    if gitops_core::Digest::of(parsed.digest.algorithm(), &bytes) != parsed.digest {
        return Err("the artifact is being replaced".to_owned());
    }
    unpack(&bytes[..], &Limits::default()).map_err(|error| text(&error))
}

fn copy(from: &MemoryTree, at: &Path, to: &Path, over: &mut MemoryTree) -> Result<(), TreeError> {
    let entry = from.stat(at)?;
    match entry.kind {
        EntryKind::Directory => {
            over.insert_directory(to)?;
            for entry in from.list(at)? {
                copy(from, &at.join(&entry.name), &to.join(&entry.name), over)?;
            }
            Ok(())
        }
        EntryKind::File { executable: true } => over.insert_executable(to, from.read(at)?),
        EntryKind::File { executable: false } => over.insert(to, from.read(at)?),
        EntryKind::Link | EntryKind::Special => Ok(()),
    }
}
