//! What the schema cannot check.

use std::collections::BTreeSet;

use gitops_api::{meta::reason, source::ArtifactGenerator};
use gitops_core::{Class, Failure, Stage, quoted};

use crate::runtime::Fault;

/// Checks a generator; a failure stays until its spec changes.
pub(super) fn validate(
    object: &ArtifactGenerator,
    namespace: &str,
    no_cross_namespace: bool,
) -> Result<(), Failure> {
    let invalid = |reason: &'static str, message: String| {
        let fault = Fault::new(Class::Invalid, message).reason(reason);
        Err(Failure::new(Stage::Validate, fault))
    };
    let mut aliases = BTreeSet::new();
    for source in &object.spec.sources {
        let alias = &source.alias;
        if !aliases.insert(alias.as_str()) {
            let message = format!("duplicate source alias '{alias}' found");
            return invalid(reason::VALIDATION_FAILED, message);
        }
        if let Some(other) = source.namespace.as_deref().filter(|other| !other.is_empty())
            && no_cross_namespace
            && other != namespace
        {
            let message = format!(
                "cross-namespace reference to source {}/{other}/{} is not allowed",
                source.kind, source.name
            );
            return invalid(reason::ACCESS_DENIED, message);
        }
    }
    let mut names = BTreeSet::new();
    for artifact in &object.spec.artifacts {
        let name = &artifact.name;
        if !names.insert(name.as_str()) {
            let message = format!("duplicate artifact name '{name}' found");
            return invalid(reason::VALIDATION_FAILED, message);
        }
        if pattern(object).is_none() && !is_object_name(name) {
            let shown = quoted(name);
            let message = format!("artifact name {shown} is not a valid Kubernetes object name");
            return invalid(reason::VALIDATION_FAILED, message);
        }
        if let Some(revision) = artifact.revision.as_deref().filter(|text| !text.is_empty()) {
            let alias = revision.trim_start_matches('@');
            if !aliases.contains(alias) {
                let message = format!("artifact {name} revision source alias '{alias}' not found");
                return invalid(reason::VALIDATION_FAILED, message);
            }
        }
    }
    Ok(())
}

/// The path pattern, where there is one.
pub(super) fn pattern(object: &ArtifactGenerator) -> Option<&str> {
    object.spec.path_pattern.as_deref().filter(|pattern| !pattern.is_empty())
}

/// Whether a text can be the name of an object: a DNS subdomain.
pub(super) fn is_object_name(name: &str) -> bool {
    let label = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !part.is_empty()
            && part.bytes().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}
