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
            let (at, target) = (confined_path(&from), confined_path(&to));
            check_move(&tree, &at, &*base, &over, &target)?;
            copy(&tree, &at, &target, &mut over).map_err(|error| error.to_string())
        };
        copied.await.map_err(|why: String| {
            let name = &include.repository.name;
            let message = format!("failed to copy '{name}' include from {from} to {to}");
            failed(Stage::Store, message, reason::COPY_FAILURE, why)
        })?;
    }
    Ok(Arc::new(OverlayTree::new(base, over)))
}

/// Flux unpacks an include beside the checkout and renames what is wanted of it, which must not take
/// the place of a directory. Here both places have but names.
fn check_move(
    tree: &MemoryTree,
    at: &Path,
    base: &dyn Tree,
    over: &MemoryTree,
    to: &Path,
) -> Result<(), String> {
    let from = Path::new("/tmp/include/unpack").join(at);
    let from = from.display().to_string();
    let from = from.trim_end_matches('/');
    let entry = tree.stat(at).map_err(|error| {
        let place = Path::new("/tmp/include/unpack").join(&error.path);
        let place = place.display();
        format!("cannot stat {place}: stat {place}: {}", error.kind)
    })?;
    let standing = |path: &Path| {
        if path.as_os_str().is_empty() {
            return Some(EntryKind::Directory);
        }
        over.stat(path).or_else(|_| base.stat(path)).ok().map(|entry| entry.kind)
    };
    let checkout = Path::new("/tmp/checkout");
    let ancestors = to.ancestors().skip(1);
    let in_the_way = ancestors
        .filter(|path| !matches!(standing(path), None | Some(EntryKind::Directory)))
        .last();
    if let Some(path) = in_the_way {
        return Err(format!("mkdir {}: not a directory", checkout.join(path).display()));
    }
    let why = match (entry.kind, standing(to)) {
        (_, Some(EntryKind::Directory)) => "file exists",
        (EntryKind::Directory, Some(_)) => "not a directory",
        _ => return Ok(()),
    };
    let to = checkout.join(to).display().to_string();
    let to = to.trim_end_matches('/');
    Err(format!("link error: cannot rename {from} to {to}: rename {from} {to}: {why}"))
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
