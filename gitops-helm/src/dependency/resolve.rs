//! From ranges of versions to a Chart.lock.
//!
//! Follows helm internal/resolver/resolver.go; where versions come from is the caller's affair.

use std::fmt::Write as _;

use gitops_core::{Class, Classify, Digest, Version, VersionRange, VersionRangeError, quoted};
use serde_json::Value;

use crate::chart::{Dependency, Lock, Metadata};

/// Dependencies that cannot be resolved. The text is Helm's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A range is none.
    #[error("dependency {} has an invalid version/constraint format", quoted(name))]
    Range {
        /// The dependency.
        name: String,
        /// Why.
        source: VersionRangeError,
    },
    /// No version is in the range.
    #[error(
        "can't get a valid version for {} subchart(s): {}. Make sure a matching chart version \
         exists in the repo, or change the version constraint in Chart.yaml", .0.len(), .0.join(", ")
    )]
    Missing(Vec<String>),
    /// The versions are not to be had.
    #[error("{0}")]
    Versions(String),
}

impl Classify for ResolveError {
    fn class(&self) -> Class {
        match self {
            Self::Range { .. } => Class::Invalid,
            Self::Missing(_) => Class::NotFound,
            Self::Versions(_) => Class::Transient,
        }
    }
}

/// Finds a version for each dependency: the first that is in its range of those that `versions`
/// gives, which should come with the highest first. A dependency without a repository lies in
/// `charts/` and keeps its range. `generated` is the time of the lock in RFC 3339.
///
/// # Errors
/// [`ResolveError`]; all dependencies without a version are named together.
pub fn resolve_dependencies(
    dependencies: &[Dependency],
    generated: &str,
    versions: &mut dyn FnMut(&Dependency) -> Result<Vec<String>, String>,
) -> Result<Lock, ResolveError> {
    let mut locked = Vec::with_capacity(dependencies.len());
    let mut missing = Vec::new();
    for dependency in dependencies {
        let range: VersionRange = dependency
            .version
            .parse()
            .map_err(|source| ResolveError::Range { name: dependency.name.clone(), source })?;
        let mut version = Some(dependency.version.clone());
        if !dependency.repository.is_empty() {
            let listed = versions(dependency).map_err(ResolveError::Versions)?;
            let fits = |text: &String| Version::parse(text).is_some_and(|v| range.contains(&v));
            version = listed.into_iter().find(fits);
        }
        let Some(version) = version else {
            missing.push(format!(
                "{} (repository {}, version {})",
                quoted(&dependency.name),
                quoted(&dependency.repository),
                quoted(&dependency.version)
            ));
            continue;
        };
        locked.push(Dependency {
            name: dependency.name.clone(),
            repository: dependency.repository.clone(),
            version,
            ..Dependency::default()
        });
    }
    if !missing.is_empty() {
        return Err(ResolveError::Missing(missing));
    }
    let digest = lock_digest(dependencies, &locked);
    Ok(Lock { generated: generated.to_owned(), digest, dependencies: locked })
}

impl Lock {
    /// Whether the lock was made for what Chart.yaml declares now.
    pub fn is_in_sync(&self, metadata: &Metadata) -> bool {
        self.digest == lock_digest(&metadata.dependencies, &self.dependencies)
    }
}

/// The digest over declared and locked dependencies, as Go writes both in JSON.
fn lock_digest(declared: &[Dependency], locked: &[Dependency]) -> String {
    let list = |dependencies: &[Dependency]| -> Value {
        dependencies.iter().map(Dependency::to_json).collect()
    };
    let json = Value::Array(vec![list(declared), list(locked)]).to_string();
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{:04x}", character as u32);
            }
            other => escaped.push(other),
        }
    }
    Digest::sha256(escaped.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(name: &str, version: &str, repository: &str) -> Dependency {
        let text = str::to_owned;
        Dependency {
            name: text(name),
            version: text(version),
            repository: text(repository),
            ..Dependency::default()
        }
    }

    #[test]
    fn the_first_version_in_the_range_is_locked() {
        let declared =
            [dependency("web", ">=1.0.0 <2", "https://example.org"), dependency("own", "1.x", "")];
        let mut versions = |_: &Dependency| {
            Ok(["2.0.0", "nonsense", "1.5.0", "1.4.0"].map(str::to_owned).to_vec())
        };
        let lock = resolve_dependencies(&declared, "2020-01-01T00:00:00Z", &mut versions).unwrap();
        let locked: Vec<_> = lock.dependencies.iter().map(|d| d.version.as_str()).collect();
        assert_eq!(locked, ["1.5.0", "1.x"]);
        let metadata = Metadata { dependencies: declared.to_vec(), ..Metadata::default() };
        assert!(lock.is_in_sync(&metadata));
        assert!(!lock.is_in_sync(&Metadata::default()));
    }

    /// The digest that Helm's own `Chart.lock` has for this pair.
    #[test]
    fn digests_are_helms() {
        let declared = [dependency("alpine", "0.1.0", "http://localhost:8879/charts")];
        let locked = [dependency("alpine", "0.1.0", "http://localhost:8879/charts")];
        assert_eq!(lock_digest(&declared, &locked), HELM_DIGEST);
        let declared = [dependency("alpine", ">=0.1.0", "http://localhost:8879/charts")];
        assert_eq!(lock_digest(&declared, &locked), HELM_DIGEST_OF_RANGE);
    }

    const HELM_DIGEST: &str =
        "sha256:fb239e836325c5fa14b29d1540a13b7d3ba13151b67fe719f820e0ef6d66aaaf";
    const HELM_DIGEST_OF_RANGE: &str =
        "sha256:e5aa97849ccdc148f78ef0243ff25d0119693dee500727a984ae31e8d051edc1";

    #[test]
    fn what_is_missing_is_named_together() {
        let declared = [dependency("a", "^9", "r"), dependency("b", "^8", "r")];
        let mut versions = |_: &Dependency| Ok(vec!["1.0.0".to_owned()]);
        let error = resolve_dependencies(&declared, "", &mut versions).unwrap_err();
        assert_eq!(
            error.to_string(),
            "can't get a valid version for 2 subchart(s): \"a\" (repository \"r\", version \"^9\"), \
             \"b\" (repository \"r\", version \"^8\"). Make sure a matching chart version exists in \
             the repo, or change the version constraint in Chart.yaml"
        );
        let error = resolve_dependencies(&[dependency("a", "?", "r")], "", &mut versions);
        let error = gitops_core::one_line(&error.unwrap_err());
        assert_eq!(
            error,
            "dependency \"a\" has an invalid version/constraint format: improper constraint: \"?\""
        );
    }
}
