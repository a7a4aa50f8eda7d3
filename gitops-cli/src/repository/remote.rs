//! A repository that is named by its URL: fetched once, into memory.

use anyhow::{Context as _, bail};
use gitops_core::{Scope, Secret};
use gitops_source::{
    Fetched, GitCredentials, GitReference, GitSource, GitTransport, Source as _, SourceError, Tls,
};
use url::Url;

/// What a URL on the command line asks for: `URL[?ref=NAME]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Without credentials and query: it is printed and compared.
    url: Url,
    credentials: GitCredentials,
    /// A branch, a tag, a full reference or a commit; absent: what the server's HEAD is.
    reference: Option<String>,
}

impl Remote {
    /// Reads a URL; none for the path of a directory.
    ///
    /// # Errors
    /// When it is a URL, but none that names a Git repository.
    pub(crate) fn parse(target: &str) -> anyhow::Result<Option<Self>> {
        if !target.contains("://") {
            return Ok(None);
        }
        // The text may hold a password, so it is not repeated.
        let mut url = Url::parse(target).context("the URL is malformed")?;
        if !matches!(url.scheme(), "http" | "https" | "file") {
            bail!(
                "{}:// cannot be fetched here: say https://, or clone the repository and name its \
                 directory",
                url.scheme()
            );
        }
        let mut reference = None;
        for (name, value) in url.query_pairs() {
            match &*name {
                "ref" if !value.is_empty() => reference = Some(value.into_owned()),
                "ref" => bail!("?ref= names no branch, tag or commit"),
                other => bail!("?{other}= is not known in a URL; there is only ?ref="),
            }
        }
        url.set_query(None);
        url.set_fragment(None);
        let credentials = take_credentials(&mut url)?;
        Ok(Some(Self { url, credentials, reference }))
    }

    /// For people, and to be compared with the URLs of sources.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Gets the files.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or does not have the reference.
    pub(crate) async fn fetch(&self, scope: &Scope) -> anyhow::Result<Fetched> {
        let candidates = candidates(self.reference.as_deref());
        let mut first = None;
        for reference in candidates {
            match self.fetch_reference(reference, scope).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) if is_missing(&error) => first = first.or(Some(error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(first.expect("there is a candidate").into())
    }

    async fn fetch_reference(
        &self,
        reference: GitReference,
        scope: &Scope,
    ) -> Result<Fetched, SourceError> {
        let mut source = GitSource::new(self.url.as_str(), reference);
        if self.url.scheme() != "file" {
            let transport = GitTransport::new(&self.url, &Tls::default(), None)?;
            source = source.with_transport(transport.with_credentials(self.credentials.clone()));
        }
        source.fetch(&source.resolve(scope).await?, scope).await
    }
}

/// Takes user and password out of a URL.
pub(crate) fn take_credentials(url: &mut Url) -> anyhow::Result<GitCredentials> {
    let text = |part: &str| {
        let decoded = percent_encoding::percent_decode_str(part).decode_utf8();
        decoded.map(std::borrow::Cow::into_owned).context("the URL's user is no UTF-8")
    };
    let username = text(url.username())?;
    let password = text(url.password().unwrap_or_default())?;
    if username.is_empty() && password.is_empty() {
        return Ok(GitCredentials::Anonymous);
    }
    // Cannot fail: a URL with a user has a host.
    let _ = (url.set_username(""), url.set_password(None));
    Ok(GitCredentials::Basic { username, password: Secret::from(password) })
}

/// What a reference may mean, likeliest first.
fn candidates(reference: Option<&str>) -> Vec<GitReference> {
    let Some(name) = reference else { return vec![GitReference::Name("HEAD".to_owned())] };
    let is_commit = matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit());
    if is_commit {
        return vec![GitReference::Commit { id: name.to_owned(), branch: None, name: None }];
    }
    if name.starts_with("refs/") {
        return vec![GitReference::Name(name.to_owned())];
    }
    vec![GitReference::Branch(name.to_owned()), GitReference::Tag(name.to_owned())]
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

    fn remote(text: &str) -> Remote {
        Remote::parse(text).unwrap().unwrap()
    }

    #[test]
    fn urls_are_told_from_directories() {
        assert!(Remote::parse("./fleet").unwrap().is_none());
        assert!(Remote::parse("/srv/a:b").unwrap().is_none());
        let remote = remote("https://git.example.com/fleet.git?ref=v1");
        assert_eq!(remote.url(), "https://git.example.com/fleet.git");
        assert_eq!(remote.reference.as_deref(), Some("v1"));
        assert_eq!(remote.credentials, GitCredentials::Anonymous);
    }

    #[test]
    fn credentials_are_taken_out_of_what_is_shown() {
        let remote = remote("https://me:p%40ss@git.example.com/fleet.git");
        assert_eq!(remote.url(), "https://git.example.com/fleet.git");
        let password = Secret::from("p@ss");
        assert_eq!(
            remote.credentials,
            GitCredentials::Basic { username: "me".to_owned(), password }
        );
    }

    #[test]
    fn what_cannot_be_fetched_is_said() {
        let error = |text: &str| match Remote::parse(text) {
            Ok(_) => panic!("{text} is accepted"),
            Err(error) => error.to_string(),
        };
        assert!(error("ssh://git@h/fleet.git").contains("https://"));
        assert!(error("https://h/fleet.git?depth=1").contains("?ref="));
        assert!(error("https://h/fleet.git?ref=").contains("names no branch"));
        assert!(!error("https://me:s3cret@:99999/").contains("s3cret"));
    }

    #[test]
    fn references_have_one_meaning_or_two() {
        assert_eq!(candidates(None), [GitReference::Name("HEAD".into())]);
        assert_eq!(candidates(Some("refs/pull/1/head")).len(), 1);
        let commit = candidates(Some(&"a".repeat(40)));
        assert!(matches!(&commit[..], [GitReference::Commit { .. }]));
        let name = candidates(Some("v1"));
        assert_eq!(name, [GitReference::Branch("v1".into()), GitReference::Tag("v1".into())]);
    }
}
