//! When do two URLs name the same Git repository?

/// A repository's place without how one gets there: host in lower case, path without `.git`.
///
/// `https://`, `ssh://`, `git://`, `git@host:path` and `user:token@host` forms of one repository
/// are equal; the port counts only where it is not the scheme's own, because a forge listens for
/// SSH and HTTPS on different ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RemoteUrl {
    host: String,
    path: String,
}

impl RemoteUrl {
    /// Reads a URL or an scp-like address; none for a text that is neither.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((scheme, rest)) = text.split_once("://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            return Some(Self::new(without_port(scheme, host), path));
        }
        // `[user@]host:path`, but not `C:\path` nor `./a:b`.
        let (host, path) = text.split_once(':')?;
        if host.contains('/') || host.len() < 2 {
            return None;
        }
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        Some(Self::new(host, path))
    }

    fn new(host: &str, path: &str) -> Self {
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
        // Forges treat paths without regard to case, as users do.
        Self { host: host.to_ascii_lowercase(), path: path.to_ascii_lowercase() }
    }

    /// Whether both texts name one repository; texts that are no URLs are compared as they are.
    pub(crate) fn same(one: &str, other: &str) -> bool {
        match (Self::parse(one), Self::parse(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        }
    }
}

fn without_port<'a>(scheme: &str, host: &'a str) -> &'a str {
    let default = match scheme {
        "https" => ":443",
        "http" => ":80",
        "ssh" | "git+ssh" | "ssh+git" => ":22",
        "git" => ":9418",
        _ => return host,
    };
    host.strip_suffix(default).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_repository_are_equal() {
        let forms = [
            "https://github.com/example/fleet",
            "https://github.com/example/fleet.git",
            "https://github.com/Example/fleet.git/",
            "https://user:token@GitHub.com:443/example/fleet",
            "ssh://git@github.com/example/fleet",
            "ssh://git@github.com:22/example/fleet.git",
            "git@github.com:example/fleet.git",
            "github.com:/example/fleet",
            "git://github.com:9418/example/fleet.git",
        ];
        for form in forms {
            assert!(RemoteUrl::same(forms[0], form), "{form}");
        }
    }

    #[test]
    fn other_repositories_are_not() {
        let one = "https://github.com/example/fleet";
        for other in [
            "https://gitlab.com/example/fleet",
            "https://github.com/example/fleet2",
            "https://github.com:8443/example/fleet",
            "https://github.com/fleet",
            "git@github.com:example/fleet/sub",
            "../fleet",
        ] {
            assert!(!RemoteUrl::same(one, other), "{other}");
        }
        assert!(RemoteUrl::same("/srv/git/fleet", "/srv/git/fleet"));
        assert!(RemoteUrl::parse("C:\\fleet").is_none());
    }
}
