//! What a person names shortly: a reference that may be a branch, a tag or a commit, and credentials
//! in a URL.

use gitops_core::{Scope, Secret};
use url::Url;

use super::{GitCredentials, GitReference, GitSource};
use crate::{Fetched, Source as _, SourceError};

impl GitReference {
    /// What a name may mean, likeliest first: a commit, a full reference, a branch or a tag; without a
    /// name, what the server's HEAD is.
    pub fn candidates(name: Option<&str>) -> Vec<Self> {
        let Some(name) = name else { return vec![Self::Name("HEAD".to_owned())] };
        let is_commit =
            matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_commit {
            return vec![Self::Commit { id: name.to_owned(), branch: None, name: None }];
        }
        if name.starts_with("refs/") {
            return vec![Self::Name(name.to_owned())];
        }
        vec![Self::Branch(name.to_owned()), Self::Tag(name.to_owned())]
    }
}

impl GitSource {
    /// Fetches the first of some references that the server has. `source_of` makes the source of one.
    ///
    /// # Errors
    /// That of the first reference where the server has none of them; any other at once.
    ///
    /// # Panics
    /// Without a reference.
    pub async fn fetch_any(
        references: Vec<GitReference>,
        source_of: impl Fn(GitReference) -> Self + Send,
        scope: &Scope,
    ) -> Result<Fetched, SourceError> {
        let mut first = None;
        for reference in references {
            let source = source_of(reference);
            let fetched = match source.resolve(scope).await {
                Ok(resolved) => source.fetch(&resolved, scope).await,
                Err(error) => Err(error),
            };
            match fetched {
                Err(error) if is_missing(&error) => first = first.or(Some(error)),
                other => return other,
            }
        }
        Err(first.expect("there is a reference"))
    }
}

impl GitCredentials {
    /// Takes user and password out of a URL.
    ///
    /// # Errors
    /// When they are no UTF-8.
    pub fn take_from(url: &mut Url) -> Result<Self, std::str::Utf8Error> {
        let text = |part: &str| {
            let decoded = percent_encoding::percent_decode_str(part).decode_utf8();
            decoded.map(std::borrow::Cow::into_owned)
        };
        let username = text(url.username())?;
        let password = text(url.password().unwrap_or_default())?;
        if username.is_empty() && password.is_empty() {
            return Ok(Self::Anonymous);
        }
        // Cannot fail: a URL with a user has a host.
        let _ = (url.set_username(""), url.set_password(None));
        Ok(Self::Basic { username, password: Secret::from(password) })
    }
}

fn is_missing(error: &SourceError) -> bool {
    match error {
        SourceError::NotFound(_) => true,
        SourceError::Step { source, .. } => is_missing(source),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_one_meaning_or_two() {
        let candidates = GitReference::candidates;
        assert_eq!(candidates(None), [GitReference::Name("HEAD".into())]);
        assert_eq!(candidates(Some("refs/pull/1/head")).len(), 1);
        let commit = candidates(Some(&"a".repeat(40)));
        assert!(matches!(&commit[..], [GitReference::Commit { .. }]));
        let name = candidates(Some("v1"));
        assert_eq!(name, [GitReference::Branch("v1".into()), GitReference::Tag("v1".into())]);
    }
}
