//! From a reference to a commit.

use gitops_core::Revision;

use super::{
    GitReference, GitSource,
    objects::object_not_found,
    origin::{self, Origin},
    packet::{RemoteRef, Want, is_id},
};
use crate::{Resolved, SourceError, Version, VersionRange, go::quoted};

impl GitSource {
    pub(super) async fn select(&self) -> Result<Resolved, SourceError> {
        let range = match &self.reference {
            GitReference::Semver(range) => {
                let parsed = range.parse::<VersionRange>().map_err(|error| {
                    SourceError::Invalid(format!("semver parse error: {error}").into())
                })?;
                Some(parsed)
            }
            GitReference::Name(name) if name.starts_with('/') || name.ends_with('/') => {
                let why = "Git refs cannot begin or end with a slash '/'";
                return Err(SourceError::Invalid(format!("ref {name} is invalid; {why}").into()));
            }
            _ => None,
        };
        let lists = match &self.reference {
            GitReference::Branch(_) | GitReference::Tag(_) => self.observed.is_some(),
            GitReference::Name(_) => true,
            _ => false,
        };
        let wrap = |error| {
            if lists { self.listing(error) } else { self.cloning(error) }
        };
        let mut origin = self.open().await.map_err(wrap)?;
        origin.list(&self.prefixes()).await.map_err(wrap)?;
        if origin.is_empty().await.map_err(wrap)? {
            return Err(self.empty(lists));
        }
        let resolved = self.choose(&origin, range.as_ref()).await?;
        *self.opened.lock() = Some(origin);
        Ok(resolved)
    }

    fn prefixes(&self) -> Vec<String> {
        let wanted = match &self.reference {
            GitReference::Branch(branch) | GitReference::Commit { branch: Some(branch), .. } => {
                format!("refs/heads/{branch}")
            }
            GitReference::Tag(tag) => format!("refs/tags/{tag}"),
            GitReference::Semver(_) => "refs/tags/".to_owned(),
            GitReference::Name(name) => name.trim_end_matches("^{}").to_owned(),
            GitReference::Commit { .. } => "refs/heads/".to_owned(),
        };
        // No reference has a control character in its name, and no request may have one.
        let wanted = wanted.split(|c: char| c.is_control()).next().unwrap_or_default().to_owned();
        vec![wanted, "HEAD".to_owned()]
    }

    fn empty(&self, lists: bool) -> SourceError {
        let why = SourceError::NotFound("remote repository is empty".into());
        match &self.reference {
            _ if lists => self.listing(why),
            GitReference::Branch(_) => SourceError::Empty,
            _ => SourceError::NotFound(
                format!(
                    "unable to clone: remote repository is empty: git repository: '{}'",
                    self.shown_url()
                )
                .into(),
            ),
        }
    }

    async fn choose(
        &self,
        origin: &Origin,
        range: Option<&VersionRange>,
    ) -> Result<Resolved, SourceError> {
        let refs = origin.refs();
        let named = |full: &str, name: &str| match refs.get(full) {
            Some(found) => Ok(resolved(Some(name), found)),
            None => Err(self.cloning(SourceError::NotFound(
                format!("couldn't find remote ref {}", quoted(asked(full))).into(),
            ))),
        };
        match &self.reference {
            GitReference::Branch(branch) => named(&format!("refs/heads/{branch}"), branch),
            GitReference::Tag(tag) => named(&format!("refs/tags/{tag}"), tag),
            GitReference::Semver(text) => self.highest(origin, text, range).await,
            GitReference::Name(name) => {
                let found = match name.strip_suffix("^{}") {
                    Some(tag) => refs.get(tag).filter(|found| found.peeled.is_some()),
                    None => refs.get(name.as_str()),
                };
                found.map(|found| resolved(Some(name), found)).ok_or_else(|| {
                    let why = format!("unable to resolve ref '{name}' to a specific commit");
                    SourceError::NotFound(why.into())
                })
            }
            GitReference::Commit { id, branch, name } => {
                if let Some(branch) = branch {
                    named(&format!("refs/heads/{branch}"), branch)?;
                }
                if !is_id(id) {
                    let doing = format!("unable to resolve commit object for '{id}'");
                    return Err(object_not_found().during(doing));
                }
                let id = id.to_ascii_lowercase();
                let name = name.as_deref().or(branch.as_deref());
                Ok(resolved(name, &RemoteRef { id, peeled: None }))
            }
        }
    }

    async fn highest(
        &self,
        origin: &Origin,
        text: &str,
        range: Option<&VersionRange>,
    ) -> Result<Resolved, SourceError> {
        let mut versions: Vec<(Version, &RemoteRef)> = origin
            .refs()
            .iter()
            .filter_map(|(name, found)| {
                let version = Version::from_tag(name.strip_prefix("refs/tags/")?)?;
                range?.contains(&version).then_some((version, found))
            })
            .collect();
        versions.sort_by(|a, b| a.0.cmp(&b.0));
        let Some((highest, _)) = versions.last() else {
            let why = format!("no match found for semver: {text}");
            return Err(SourceError::NotFound(why.into()));
        };
        let first = versions.partition_point(|(version, _)| version < highest);
        let equal = &versions[first..];
        let mut chosen = &equal[equal.len() - 1];
        if equal.len() > 1 {
            // Versions that differ by build metadata only: the commit made last wins.
            let ids: Vec<String> = equal.iter().map(|(_, found)| found.id.clone()).collect();
            let want = Want { ids: &ids, shallow: true, history_only: origin.filters() };
            let objects = origin.objects(&want, &self.limits).await;
            let objects = objects.map_err(|error| self.cloning(error))?;
            let mut latest = i64::MIN;
            for candidate in equal {
                let commit = objects.commit(origin::object_id(&candidate.1.id)?)?;
                if commit.committed_at >= latest {
                    (latest, chosen) = (commit.committed_at, candidate);
                }
            }
        }
        Ok(resolved(Some(chosen.0.original()), chosen.1))
    }
}

/// As much of a name as a request can hold: no reference has a space in it.
fn asked(name: &str) -> &str {
    name.split(' ').next().unwrap_or_default()
}

fn resolved(name: Option<&str>, found: &RemoteRef) -> Resolved {
    let commit = found.commit();
    let algorithm = if commit.len() == 64 { "sha256" } else { "sha1" };
    Resolved { revision: Revision::new(name, algorithm, commit), target: found.id.clone() }
}
