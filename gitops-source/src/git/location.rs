//! Where a repository is: what a URL, an scp-like address or a path means.

use std::path::PathBuf;

use url::Url;

use crate::{SourceError, go};

/// A place that a repository can be at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Http(Url),
    Ssh(SshLocation),
    Disk(PathBuf),
}

/// A repository on a host that is reached with SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SshLocation {
    pub(crate) user: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As the host's shell is told, still without quotes.
    pub(crate) path: String,
}

/// Whom Git hosts expect where a URL names no user.
const DEFAULT_USER: &str = "git";

impl Location {
    /// Follows git's `connect.c`: `user@host:path` is an address for SSH if no slash comes before
    /// its first colon.
    pub(crate) fn parse(text: &str) -> Result<Self, SourceError> {
        let unsupported = |scheme: &str| {
            let why = format!("unsupported scheme {}", go::quoted(scheme));
            Err(SourceError::Invalid(why.into()))
        };
        if text.contains("://") {
            let url: Url = text
                .parse()
                .map_err(|error| SourceError::Invalid(format!("malformed URL: {error}").into()))?;
            return match url.scheme() {
                "http" | "https" => Ok(Self::Http(url)),
                "ssh" => SshLocation::of_url(&url).map(Self::Ssh),
                "file" => {
                    let path = url.to_file_path();
                    let none = |()| SourceError::Invalid("file URL has no local path".into());
                    path.map(Self::Disk).map_err(none)
                }
                scheme => unsupported(scheme),
            };
        }
        // `ext::sh -c …` would run a program.
        if let Some((helper, _)) = text.split_once("::")
            && helper.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        {
            return unsupported(helper);
        }
        // The colons of an IPv6 address stand in brackets.
        let split = match text.split_once("]:") {
            Some((host, path)) if host.contains('[') => Some((host, path)),
            _ => text.split_once(':'),
        };
        match split {
            Some((host, path)) if !host.contains('/') => {
                SshLocation::of_address(host, path).map(Self::Ssh)
            }
            _ => Ok(Self::Disk(PathBuf::from(text))),
        }
    }
}

impl SshLocation {
    fn of_url(url: &Url) -> Result<Self, SourceError> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let path = go::percent_decoded(url.path());
        // A path in the home of a user is not one below the root.
        let path = if path.starts_with("/~") { path[1..].to_owned() } else { path };
        let user = go::percent_decoded(url.username());
        Self::checked(&user, host, url.port().unwrap_or(22), &path)
    }

    fn of_address(host: &str, path: &str) -> Result<Self, SourceError> {
        let (user, host) = host.rsplit_once('@').unwrap_or(("", host));
        Self::checked(user, host.trim_matches(['[', ']']), 22, path)
    }

    fn checked(user: &str, host: &str, port: u16, path: &str) -> Result<Self, SourceError> {
        let invalid = |why: &str| Err(SourceError::Invalid(format!("malformed URL: {why}").into()));
        if host.is_empty() {
            return invalid("no host");
        }
        if path.is_empty() || path == "/" {
            return invalid("no path");
        }
        // A program here or there would take it for an option.
        if [user, host, path].iter().any(|part| part.starts_with('-')) {
            return invalid("a part begins with '-'");
        }
        if [user, host, path].iter().any(|part| part.chars().any(char::is_control)) {
            return invalid("control character");
        }
        let user = if user.is_empty() { DEFAULT_USER } else { user };
        Ok(Self { user: user.to_owned(), host: host.to_owned(), port, path: path.to_owned() })
    }

    /// What the host's shell runs, e.g. `git-upload-pack '/org/repository.git'`.
    pub(crate) fn command(&self, program: &str) -> String {
        let mut out = format!("{program} '");
        for c in self.path.chars() {
            match c {
                // Also csh must not take it for its history.
                '\'' | '!' => {
                    out.push_str("'\\");
                    out.push(c);
                    out.push('\'');
                }
                c => out.push(c),
            }
        }
        out.push('\'');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(user: &str, host: &str, port: u16, path: &str) -> Location {
        let (user, host, path) = (user.to_owned(), host.to_owned(), path.to_owned());
        Location::Ssh(SshLocation { user, host, port, path })
    }

    #[test]
    fn urls_addresses_and_paths() {
        for (text, expected) in [
            ("ssh://git@h/o/r.git", ssh("git", "h", 22, "/o/r.git")),
            ("ssh://h:2222/o/r", ssh("git", "h", 2222, "/o/r")),
            ("ssh://a%40b@h/~me/r", ssh("a@b", "h", 22, "~me/r")),
            ("ssh://[::1]:7/r%20x", ssh("git", "::1", 7, "/r x")),
            ("git@github.com:o/r.git", ssh("git", "github.com", 22, "o/r.git")),
            ("me@[::1]:r", ssh("me", "::1", 22, "r")),
            ("host:r", ssh("git", "host", 22, "r")),
            ("./a:b", Location::Disk("./a:b".into())),
            ("/srv/r", Location::Disk("/srv/r".into())),
            ("file:///srv/r", Location::Disk("/srv/r".into())),
        ] {
            assert_eq!(Location::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn hostile_addresses_are_refused() {
        for text in [
            "ext::sh -c id",
            "fd::17",
            "ftp://h/r",
            "git://h/r",
            "ssh://h",
            "ssh://h/",
            "host:-oProxyCommand=id",
            "ssh://h/a%0ab",
            "ssh://u%00@h/r",
            "host:",
        ] {
            let error = Location::parse(text).unwrap_err();
            assert!(matches!(error, SourceError::Invalid(_)), "{text}: {error}");
        }
    }

    #[test]
    fn a_path_is_quoted_for_the_shell() {
        let Location::Ssh(location) = Location::parse("ssh://h/a'b!$(id)").unwrap() else {
            panic!("an SSH location")
        };
        assert_eq!(location.command("git-upload-pack"), r"git-upload-pack '/a'\''b'\!'$(id)'");
    }
}
