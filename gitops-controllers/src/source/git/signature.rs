//! Whether a commit and its tag are signed by a trusted key.

use gitops_api::{
    meta::{ConditionStatus, condition_type, reason},
    source::{GitRepository, GitRepositoryVerification, GitVerificationMode},
};
use gitops_core::{Class, Failure, Stage};
use gitops_source::{Fetched, GitKeys, GitReference, SignatureError, Subject, TagObject};
use kube::{Client, ResourceExt as _};

use super::super::{common::failed, credentials};
use crate::runtime::{Attempt, Fault, Notice};

const HEAD: &str = "HEAD";
const TAG: &str = "Tag";
const TAG_AND_HEAD: &str = "TagAndHEAD";

/// Whether what was verified is less than what is to be.
pub(super) fn is_wanting(object: &GitRepository, observed: Option<&str>) -> bool {
    let Some(verify) = &object.spec.verify else {
        return false;
    };
    match observed {
        None => true,
        Some(TAG) => wants_head(verify),
        Some(HEAD) => wants_tag(verify),
        Some(_) => false,
    }
}

/// Verifies what was fetched by a reference as the spec asks, and says so in the status.
pub(super) async fn verify(
    client: &Client,
    object: &GitRepository,
    reference: &GitReference,
    fetched: &Fetched,
    attempt: &mut Attempt<GitRepository>,
) -> Result<(), Failure> {
    let subject = &fetched.subject;
    let Some(verify) = &object.spec.verify else {
        attempt.status.source_verification_mode = None;
        attempt.clear(condition_type::SOURCE_VERIFIED);
        return Ok(());
    };
    let namespace = object.namespace().unwrap_or_default();
    let secret = credentials::secret(client, &namespace, &verify.secret_ref.name).await;
    let secret = secret.map_err(|error| {
        let message = "public keys secret error";
        failed(Stage::Verify, message, reason::VERIFICATION_ERROR, error)
    })?;
    let entries = secret.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let keys = GitKeys::from_entries(entries);
    let now = attempt.now();

    let Subject::Commit { id, tag, .. } = subject else {
        // A working tree that stands for the repository is nobody's commit.
        let message = "cannot verify what is no commit";
        return Err(fault(Class::Invalid, reason::INVALID_GIT_OBJECT, message.to_owned()));
    };
    let mut lines = Vec::new();
    if wants_tag(verify) {
        let tag = signed_tag(reference, fetched.revision.name(), tag.as_ref())?;
        let shown = format!("{}@{}", tag.name, tag.id);
        let signer = keys.verify_tag(tag, now).map_err(|error| {
            bad(
                reason::INVALID_TAG_SIGNATURE,
                format!("signature verification of tag '{shown}' failed"),
                error,
            )
        })?;
        lines.push(format!("\n\t- tag '{shown}' with key '{signer}'"));
    }
    if wants_head(verify) {
        let signer = keys.verify_commit(subject, now).map_err(|error| {
            let message = format!("signature verification of commit '{id}' failed");
            bad(reason::INVALID_COMMIT_SIGNATURE, message, error)
        })?;
        lines.push(format!("\n\t- commit '{id}' with key '{signer}'"));
    }
    let message = format!("verified signature of{}", lines.concat());
    attempt.status.source_verification_mode = Some(mode(verify).to_owned());
    attempt.observe(
        condition_type::SOURCE_VERIFIED,
        ConditionStatus::True,
        reason::SUCCEEDED,
        message.clone(),
    );
    attempt.tell(Notice::trace(reason::SUCCEEDED, message));
    Ok(())
}

/// The tag object through which the commit was found, under the name `named`.
fn signed_tag<'t>(
    reference: &GitReference,
    named: Option<&str>,
    tag: Option<&'t TagObject>,
) -> Result<&'t TagObject, Failure> {
    let is_tag = match reference {
        GitReference::Tag(_) | GitReference::Semver(_) => true,
        GitReference::Name(name) => name.starts_with("refs/tags/"),
        _ => false,
    };
    if !is_tag {
        let message = "cannot verify tag object's signature if a tag reference is not specified";
        let reason = reason::INVALID_VERIFICATION_MODE;
        return Err(fault(Class::Invalid, reason, message.to_owned()));
    }
    let named = named.unwrap_or_default();
    let named = named.strip_prefix("refs/tags/").unwrap_or(named);
    let unsigned = |shown: String| {
        let message = format!("cannot verify signature of tag '{shown}' since it is not signed");
        fault(Class::Transient, reason::INVALID_GIT_OBJECT, message)
    };
    let tag = tag.ok_or_else(|| unsigned(named.to_owned()))?;
    if !tag.is_signed() {
        return Err(unsigned(format!("{}@{}", tag.name, tag.id)));
    }
    // Beyond Flux: a good old tag under a new name is a replay.
    if named != tag.name {
        let message = format!(
            "signature verification of tag '{}@{}' failed: it was fetched as '{named}'",
            tag.name, tag.id
        );
        return Err(fault(Class::Transient, reason::INVALID_TAG_SIGNATURE, message));
    }
    Ok(tag)
}

fn mode(verify: &GitRepositoryVerification) -> &'static str {
    match verify.mode {
        GitVerificationMode::LegacyHead | GitVerificationMode::Head => HEAD,
        GitVerificationMode::Tag => TAG,
        GitVerificationMode::TagAndHead => TAG_AND_HEAD,
    }
}

fn wants_head(verify: &GitRepositoryVerification) -> bool {
    mode(verify) != TAG
}

fn wants_tag(verify: &GitRepositoryVerification) -> bool {
    mode(verify) != HEAD
}

fn fault(class: Class, reason: &'static str, message: String) -> Failure {
    Failure::new(Stage::Verify, Fault::new(class, message).reason(reason))
}

fn bad(reason: &'static str, message: String, error: SignatureError) -> Failure {
    failed(Stage::Verify, message, reason, error)
}
