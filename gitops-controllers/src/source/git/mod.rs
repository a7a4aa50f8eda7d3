//! GitRepository.
//!
//! # Expected Flow
//! 1. What is stored is looked after; a missing or changed artifact is built anew.
//! 2. Credentials, proxy and includes are read.
//! 3. The reference is resolved. When neither the revision nor what decides the content changed,
//!    that is all: no fetch, no write.
//! 4. The commit is fetched and its signature verified, includes are laid over it, and it is stored
//!    as the artifact.
//!
//! # Guarantees
//! The artifact of the last good turn stays advertised and served while later turns fail.

mod signature;

use std::{sync::Arc, time::Duration};

use gitops_api::{
    meta::{Condition, ConditionStatus, condition_type, reason},
    source::{Artifact as Recorded, GitRepository, GitRepositoryReference, GitRepositoryStatus},
};
use gitops_core::{ArtifactKey, Class, Classify, Failure, Stage};
use gitops_source::{
    Content, GitReference, GitSource, Source, SourceError, SshAlgorithms, Subject,
};
use kube::{Client, ResourceExt as _};

use super::{
    common::{Storage, blocking_rules},
    credentials::{self, GitMeans},
    identity::Identities,
    include,
    instead::SourceOverride,
};
use crate::runtime::{Attempt, Done, Notice, Reconcile, Turn};

/// Makes artifacts of Git repositories.
pub struct GitRepositoryReconciler {
    client: Client,
    storage: Storage,
    means: GitMeans,
    overrides: Option<Arc<dyn SourceOverride>>,
}

impl std::fmt::Debug for GitRepositoryReconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitRepositoryReconciler")
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl GitRepositoryReconciler {
    /// A reconciler that reads Secrets and includes with a client.
    pub fn new(client: Client, storage: Storage) -> Self {
        Self { client, storage, means: GitMeans::default(), overrides: None }
    }

    /// Takes on these identities towards clouds, and offers these algorithms to SSH hosts.
    #[must_use]
    pub fn with_identities(mut self, identities: Identities, algorithms: SshAlgorithms) -> Self {
        self.means.identities = identities;
        self.means.algorithms = algorithms;
        self
    }

    /// Asks `overrides` first where a repository's files come from.
    #[must_use]
    pub fn with_overrides(mut self, overrides: Option<Arc<dyn SourceOverride>>) -> Self {
        self.overrides = overrides;
        self
    }

    fn instead(&self, object: &GitRepository) -> Option<Arc<dyn Source>> {
        self.overrides.as_ref().and_then(|overrides| overrides.source(&object.spec.url))
    }
}

impl Reconcile for GitRepositoryReconciler {
    type Kind = GitRepository;

    async fn reconcile(
        &self,
        object: &GitRepository,
        attempt: &mut Attempt<GitRepository>,
    ) -> Turn {
        let key = key(object);
        let start = self.storage.begin(&key, attempt).await?;
        forget_failed_verification(attempt);

        let instead = self.instead(object);
        let way = match instead {
            Some(_) => None,
            None => Some(credentials::way(&self.client, &self.means, object).await?),
        };
        let includes = include::artifacts(&self.client, object).await?;
        attempt.clear(condition_type::INCLUDE_UNAVAILABLE);
        if includes_changed(&attempt.status, &includes) {
            let message =
                "building artifact: included artifacts differ from last observed includes";
            attempt.drifted(Stage::Dependencies, message);
        }
        let source = if let Some(instead) = instead {
            instead
        } else {
            let observed = start.current.as_ref().filter(|_| start.in_storage);
            let source = source(object, observed);
            Arc::new(match &way {
                Some(way) => source.with_transport(way.access.clone()),
                None => source,
            })
        };
        let scope = attempt.scope.clone();
        let failure = |error: SourceError| {
            if let (Some(way), Class::Denied) = (&way, error.class()) {
                self.means.refused(way);
            }
            failure(error)
        };
        let resolved = source.resolve(&scope).await.map_err(failure)?;
        attempt.clear(condition_type::FETCH_FAILED);

        if let Some(current) = start.current_with(&resolved.revision)
            && !content_changed(object, &attempt.status, &includes)
        {
            stored(attempt, current);
            let message = format!("stored artifact for commit '{}'", current.revision);
            let (told, recovered) = (unchanged(object, current), start.recovered(current, message));
            // As in Flux: what was cloned is told of first, what was not at the end.
            let events = if told.reason == reason::GIT_OPERATION_SUCCEEDED {
                recovered.into_iter().chain([told]).collect()
            } else {
                [told].into_iter().chain(recovered).collect()
            };
            return Ok(Done { events, ..Done::default() });
        }
        let fetched = source.fetch(&resolved, &scope).await.map_err(failure)?;
        let reference = reference(object.spec.reference.as_ref());
        signature::verify(&self.client, object, &reference, &fetched, attempt).await?;
        let message = format!("building artifact: new upstream revision '{}'", resolved.revision);
        if let Some(current) = start.current_with(&resolved.revision) {
            if !content_changed(object, &attempt.status, &includes) {
                // Only the verification was wanting.
                stored(attempt, current);
                let message = stored_commit(&fetched.subject, current);
                let mut done = Done::default().with_event(up_to_date(current));
                done.events.extend(start.recovered(current, message));
                return Ok(done);
            }
        } else {
            attempt.drifted(Stage::Fetch, message);
        }
        let tree = include::laid_over(fetched.tree, &self.storage, object, &includes).await?;
        let ignore = object.spec.ignore.clone();
        let rules = blocking_rules(std::sync::Arc::clone(&tree), ignore).await?;
        let content = Content::tree(tree, rules);
        let artifact = self.storage.put(&key, &fetched.revision, content, &scope).await?;
        let recorded = self.storage.record(&artifact);
        observe_content(object, &mut attempt.status, includes);
        attempt.status.artifact = Some(recorded.clone());
        stored(attempt, &recorded);

        let message = stored_commit(&fetched.subject, &recorded);
        let events = start.stored(&recorded, reason::NEW_ARTIFACT, message).into_iter().collect();
        Ok(Done { events, ..Done::default() })
    }

    async fn finalize(&self, object: &GitRepository, attempt: &mut Attempt<GitRepository>) -> Turn {
        self.storage.clear(&key(object), attempt).await?;
        attempt.status.artifact = None;
        Ok(Done::default())
    }
}

/// A verification that failed is done anew; one that succeeded tells of the artifact that stands.
fn forget_failed_verification(attempt: &mut Attempt<GitRepository>) {
    let failed = |condition: &Condition| {
        condition.type_ == condition_type::SOURCE_VERIFIED
            && condition.status == ConditionStatus::False
    };
    if attempt.status.conditions.iter().any(failed) {
        attempt.clear(condition_type::SOURCE_VERIFIED);
    }
}

fn key(object: &GitRepository) -> ArtifactKey {
    ArtifactKey::new("GitRepository", &object.namespace().unwrap_or_default(), &object.name_any())
}

fn source(object: &GitRepository, observed: Option<&Recorded>) -> GitSource {
    let spec = &object.spec;
    let observed = observed.and_then(|artifact| artifact.revision.parse().ok());
    GitSource::new(&spec.url, reference(spec.reference.as_ref()))
        .with_timeout(spec.timeout.get())
        .with_observed(observed)
        .with_sparse(spec.sparse_checkout.clone())
        .with_submodules(spec.recurse_submodules)
}

/// The most specific one that is set: commit, name, tag, semver, branch.
fn reference(reference: Option<&GitRepositoryReference>) -> GitReference {
    let set = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let Some(reference) = reference else {
        return GitReference::default();
    };
    if let Some(id) = set(&reference.commit) {
        let (branch, name) = (set(&reference.branch), set(&reference.name));
        return GitReference::Commit { id, branch, name };
    }
    if reference.name.as_deref() == Some("HEAD") {
        // A name for another reference. Flux looks for a commit of its own, and finds none.
        return GitReference::Commit { id: "0".repeat(40), branch: None, name: None };
    }
    set(&reference.name)
        .map(GitReference::Name)
        .or_else(|| set(&reference.tag).map(GitReference::Tag))
        .or_else(|| set(&reference.semver).map(GitReference::Semver))
        .or_else(|| set(&reference.branch).map(GitReference::Branch))
        .unwrap_or_default()
}

fn content_changed(
    object: &GitRepository,
    status: &GitRepositoryStatus,
    includes: &[Recorded],
) -> bool {
    let spec = &object.spec;
    includes_changed(status, includes)
        || signature::is_wanting(object, status.source_verification_mode.as_deref())
        || spec.ignore != status.observed_ignore
        || spec.recurse_submodules != status.observed_recurse_submodules
        || spec.include != status.observed_include
        || spec.sparse_checkout != status.observed_sparse_checkout
}

fn includes_changed(status: &GitRepositoryStatus, includes: &[Recorded]) -> bool {
    let same = |(now, then): (&Recorded, &Recorded)| {
        now.digest == then.digest && now.revision == then.revision && now.path == then.path
    };
    includes.len() != status.included_artifacts.len()
        || !includes.iter().zip(&status.included_artifacts).all(same)
}

fn observe_content(
    object: &GitRepository,
    status: &mut GitRepositoryStatus,
    includes: Vec<Recorded>,
) {
    status.included_artifacts = includes;
    status.observed_ignore.clone_from(&object.spec.ignore);
    status.observed_recurse_submodules = object.spec.recurse_submodules;
    status.observed_include.clone_from(&object.spec.include);
    status.observed_sparse_checkout.clone_from(&object.spec.sparse_checkout);
}

fn stored(attempt: &mut Attempt<GitRepository>, artifact: &Recorded) {
    attempt.clear(condition_type::ARTIFACT_OUTDATED);
    attempt.observe(
        condition_type::ARTIFACT_IN_STORAGE,
        ConditionStatus::True,
        reason::SUCCEEDED,
        format!("stored artifact for revision '{}'", artifact.revision),
    );
}

/// Flux clones to find out where the reference is no branch, tag or name, and says so otherwise.
fn unchanged(object: &GitRepository, artifact: &Recorded) -> Notice {
    let revision = &artifact.revision;
    match reference(object.spec.reference.as_ref()) {
        GitReference::Semver(_) | GitReference::Commit { .. } => up_to_date(artifact),
        _ => Notice::trace(
            reason::GIT_OPERATION_SUCCEEDED,
            format!("no changes since last reconciliation: observed revision '{revision}'"),
        ),
    }
}

fn up_to_date(artifact: &Recorded) -> Notice {
    let message = format!("artifact up-to-date with remote revision: '{}'", artifact.revision);
    Notice::trace(reason::ARTIFACT_UP_TO_DATE, message)
}

fn stored_commit(subject: &Subject, artifact: &Recorded) -> String {
    let summary = match subject {
        Subject::Commit { summary, .. } => summary,
        _ => &artifact.revision,
    };
    format!("stored artifact for commit '{summary}'")
}

/// A failure of the source, with the reason that the wire has for it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct GitFailure(SourceError);

impl Classify for GitFailure {
    fn class(&self) -> Class {
        self.0.class()
    }

    fn reason(&self) -> Option<&'static str> {
        matches!(self.0, SourceError::Empty).then_some(reason::EMPTY_GIT_REPOSITORY)
    }

    fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after()
    }
}

fn failure(error: SourceError) -> Failure {
    Failure::new(Stage::Fetch, GitFailure(error))
}
