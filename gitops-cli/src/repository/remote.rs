//! A repository that is named by its URL: fetched once, into memory.

use std::time::Duration;

use anyhow::{Context as _, bail};
use gitops_core::Scope;
use gitops_kustomize::RepositoryUrl;
use gitops_source::{
    Fetched, GitAccess, GitCredentials, GitReference, GitSource, GitTransport, Tls,
};
use url::Url;

use super::SshPlaces;

/// What a URL on the command line asks for: `URL[?ref=NAME]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Without credentials and query: it is printed and compared.
    address: String,
    access: Access,
    /// A branch, a tag, a full reference or a commit; absent: what the server's HEAD is.
    reference: Option<String>,
    submodules: bool,
    timeout: Option<Duration>,
}

/// How the server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Access {
    Http(Url, GitCredentials),
    Ssh,
    Disk,
}

impl Remote {
    /// Reads a URL or an address as `git@host:path`; none for the path of a directory.
    ///
    /// # Errors
    /// When it is a URL, but none that names a Git repository.
    pub(crate) fn parse(target: &str) -> anyhow::Result<Option<Self>> {
        if !target.contains("://") {
            return Self::parse_address(target);
        }
        // The text may hold a password, so it is not repeated.
        let mut url = Url::parse(target).context("the URL is malformed")?;
        if !matches!(url.scheme(), "http" | "https" | "ssh" | "file") {
            bail!(
                "{}:// cannot be fetched here: say https:// or ssh://, or clone the repository and \
                 name its directory",
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
        let access = match url.scheme() {
            "file" => Access::Disk,
            "ssh" => {
                // Keys log in; a password would only be shown. Cannot fail: there is a host.
                let _ = url.set_password(None);
                Access::Ssh
            }
            _ => {
                let credentials = take_credentials(&mut url)?;
                Access::Http(url.clone(), credentials)
            }
        };
        Ok(Some(Self::new(url.into(), access, reference)))
    }

    /// `[user@]host:path[?ref=NAME]`, but not `C:\path` nor `./a:b`, nor what is here.
    fn parse_address(target: &str) -> anyhow::Result<Option<Self>> {
        let (address, query) = target.split_once('?').unwrap_or((target, ""));
        let is_address = address
            .split_once(':')
            .is_some_and(|(host, path)| !host.contains('/') && host.len() > 1 && !path.is_empty());
        if !is_address || std::path::Path::new(target).exists() {
            return Ok(None);
        }
        let reference = match query.split_once('=') {
            None if query.is_empty() => None,
            Some(("ref", name)) if !name.is_empty() => Some(name.to_owned()),
            Some(("ref", _)) => bail!("?ref= names no branch, tag or commit"),
            _ => bail!("?{query} is not known in an address; there is only ?ref="),
        };
        Ok(Some(Self::new(address.to_owned(), Access::Ssh, reference)))
    }

    fn new(address: String, access: Access, reference: Option<String>) -> Self {
        Self { address, access, reference, submodules: false, timeout: None }
    }

    /// A repository that a kustomization names.
    ///
    /// # Errors
    /// When the address is malformed.
    pub(crate) fn of_base(repository: &RepositoryUrl) -> anyhow::Result<Self> {
        let text = repository.clone_url();
        let reference = Some(repository.reference().to_owned()).filter(|name| !name.is_empty());
        let base = match text.split_once("://") {
            None | Some(("ssh", _)) => Self::new(text.to_owned(), Access::Ssh, reference),
            Some(("file", _)) => Self::new(text.to_owned(), Access::Disk, reference),
            Some(_) => {
                let mut url = Url::parse(text).context("the URL is malformed")?;
                let credentials = take_credentials(&mut url)?;
                Self::new(url.to_string(), Access::Http(url, credentials), reference)
            }
        };
        let timeout = Some(repository.timeout());
        Ok(Self { submodules: repository.submodules(), timeout, ..base })
    }

    /// For people, and to be compared with the URLs of sources.
    pub(crate) fn url(&self) -> &str {
        &self.address
    }

    /// Gets the files.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or does not have the reference.
    pub(crate) async fn fetch(&self, ssh: &SshPlaces, scope: &Scope) -> anyhow::Result<Fetched> {
        let access: Option<GitAccess> = match &self.access {
            Access::Disk => None,
            Access::Ssh => Some(ssh.transport()?.into()),
            Access::Http(url, credentials) => {
                let transport = GitTransport::new(url, &Tls::default(), None)?;
                Some(transport.with_credentials(credentials.clone()).into())
            }
        };
        let source_of = |reference| {
            let mut source = GitSource::new(self.address.as_str(), reference);
            if let Some(access) = &access {
                source = source.with_transport(access.clone());
            }
            source = source.with_submodules(self.submodules);
            match self.timeout {
                Some(timeout) => source.with_timeout(timeout),
                None => source,
            }
        };
        let references = GitReference::candidates(self.reference.as_deref());
        Ok(GitSource::fetch_any(references, source_of, scope).await?)
    }
}

/// An address without what may be a password in it.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/{path}")
}

/// Takes user and password out of a URL.
pub(crate) fn take_credentials(url: &mut Url) -> anyhow::Result<GitCredentials> {
    GitCredentials::take_from(url).context("the URL's user is no UTF-8")
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
        assert!(matches!(remote.access, Access::Http(_, GitCredentials::Anonymous)));
        assert!(Remote::parse("C:\\fleet").unwrap().is_none());
    }

    #[test]
    fn credentials_are_taken_out_of_what_is_shown() {
        let remote = remote("https://me:p%40ss@git.example.com/fleet.git");
        assert_eq!(remote.url(), "https://git.example.com/fleet.git");
        let password = gitops_core::Secret::from("p@ss");
        let expected = GitCredentials::Basic { username: "me".to_owned(), password };
        assert!(matches!(remote.access, Access::Http(_, own) if own == expected));
    }

    #[test]
    fn addresses_for_ssh() {
        for (text, address, reference) in [
            ("ssh://git:s3cret@h:2222/o/r?ref=v1", "ssh://git@h:2222/o/r", Some("v1")),
            ("git@github.com:o/r.git", "git@github.com:o/r.git", None),
            ("host:o/r?ref=main", "host:o/r", Some("main")),
        ] {
            let remote = remote(text);
            assert_eq!(remote.url(), address);
            assert_eq!(remote.access, Access::Ssh);
            assert_eq!(remote.reference.as_deref(), reference);
        }
    }

    #[test]
    fn what_cannot_be_fetched_is_said() {
        let error = |text: &str| match Remote::parse(text) {
            Ok(_) => panic!("{text} is accepted"),
            Err(error) => error.to_string(),
        };
        assert!(error("git://h/fleet.git").contains("https:// or ssh://"));
        assert!(error("git@h:fleet.git?depth=1").contains("?ref="));
        assert!(error("https://h/fleet.git?depth=1").contains("?ref="));
        assert!(error("https://h/fleet.git?ref=").contains("names no branch"));
        assert!(!error("https://me:s3cret@:99999/").contains("s3cret"));
    }
}
