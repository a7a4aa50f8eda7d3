//! Addresses of Git repositories as kustomizations write them.
//!
//! Follows kustomize's `api/internal/git/repospec.go`.

use std::time::Duration;

/// A Git repository, and what of it is meant.
///
/// ```
/// use gitops_kustomize::RepositoryUrl;
///
/// let url = RepositoryUrl::parse("github.com/org/repo//overlays/prod?ref=v1").unwrap();
/// assert_eq!(url.clone_url(), "https://github.com/org/repo");
/// assert_eq!((url.path(), url.reference()), ("overlays/prod", "v1"));
/// assert!(RepositoryUrl::parse("../base").is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RepositoryUrl {
    text: String,
    clone_url: String,
    path: String,
    reference: String,
    submodules: bool,
    timeout: Duration,
}

/// How long the original lets Git work where the address does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(27);

impl RepositoryUrl {
    /// Reads an address; `None` for what the original takes for a path.
    ///
    /// Accepted are `https://`, `http://`, `ssh://` and `file://` addresses, `user@host:path`, and
    /// `github.com/…` without a scheme. The directory in the repository stands behind `//`, behind
    /// `.git/` or `_git/name/`, or else behind the first two parts of the path. The query may hold
    /// `ref` (or `version`), `submodules` and `timeout`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return None;
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (host, rest) = split_host(address)?;
        let (repository, path) = split_path(rest, host.starts_with("file://"))?;
        if repository.is_empty() || leaves(path) {
            return None;
        }
        let mut url = Self {
            text: text.to_owned(),
            clone_url: format!("{host}{repository}"),
            path: path.strip_prefix('/').unwrap_or(path).to_owned(),
            reference: String::new(),
            submodules: true,
            timeout: DEFAULT_TIMEOUT,
        };
        url.read_query(query);
        Some(url)
    }

    /// What `git clone` is given. It may hold a user's name, and whatever a person wrote beside it.
    pub fn clone_url(&self) -> &str {
        &self.clone_url
    }

    /// The directory in the repository; empty for its root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The branch, tag or commit; empty for the default branch.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Whether submodules are fetched, too.
    pub fn submodules(&self) -> bool {
        self.submodules
    }

    /// How long fetching may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn read_query(&mut self, query: &str) {
        let mut version = String::new();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decoded(value);
            match key {
                "ref" if !value.is_empty() && self.reference.is_empty() => self.reference = value,
                "version" if version.is_empty() => version = value,
                "submodules" => match value.as_str() {
                    "0" | "f" | "F" | "false" | "FALSE" | "False" => self.submodules = false,
                    _ => {}
                },
                "timeout" => {
                    if let Some(timeout) = duration(&value) {
                        self.timeout = timeout;
                    }
                }
                _ => {}
            }
        }
        if self.reference.is_empty() {
            self.reference = version;
        }
    }
}

/// What may be a password is not shown.
impl std::fmt::Debug for RepositoryUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RepositoryUrl")
            .field("clone_url", &super::path::masked(&self.clone_url))
            .field("path", &self.path)
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

/// The host with scheme and user, and what follows it.
fn split_host(address: &str) -> Option<(String, &str)> {
    let address = without_prefix(address, "git::").unwrap_or(address);
    let scheme = ["ssh://", "https://", "http://", "file://"]
        .into_iter()
        .find(|scheme| without_prefix(address, scheme).is_some());
    let rest = &address[scheme.map_or(0, str::len)..];
    let (user, host_and_path) = split_user(rest);
    let github = ["github.com/", "github.com:"]
        .iter()
        .any(|host| without_prefix(host_and_path, host).is_some());
    let like_scp = scheme.is_none() && (!user.is_empty() || github);
    match scheme {
        None if !like_scp => return None,
        Some("file://") => return Some(("file://".to_owned(), rest)),
        _ => {}
    }
    let end = separator(host_and_path, like_scp);
    let (host, path) = match end {
        Some(end) => host_and_path.split_at(end + 1),
        None => (host_and_path, ""),
    };
    if host.is_empty() {
        return None;
    }
    if github {
        // Whatever was written, GitHub is asked by HTTPS, or by SSH for a user.
        let over_ssh = scheme == Some("ssh://") || !user.is_empty();
        let host =
            if over_ssh { format!("{user}github.com:") } else { "https://github.com/".to_owned() };
        return Some((host, path));
    }
    Some((format!("{}{user}{host}", scheme.unwrap_or_default()), path))
}

/// `user@` and the rest; the user is a word.
fn split_user(text: &str) -> (&str, &str) {
    let Some(at) = text.find('@') else { return ("", text) };
    let word = text[..at].starts_with(|c: char| c.is_ascii_alphabetic())
        && text[..at].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if word { text.split_at(at + 1) } else { ("", text) }
}

fn separator(text: &str, like_scp: bool) -> Option<usize> {
    let slash = text.find('/');
    let colon = text.find(':').filter(|_| like_scp);
    match (slash, colon) {
        (None, colon) => colon,
        (Some(slash), Some(colon)) if colon > 0 && colon < slash => Some(colon),
        (slash, _) => slash,
    }
}

/// The repository, and the directory in it.
fn split_path(rest: &str, whole: bool) -> Option<(&str, &str)> {
    if let Some(at) = rest.find("_git/") {
        let name = at + "_git/".len();
        let end = rest[name..].find('/').map_or(rest.len(), |end| name + end);
        return Some((&rest[..end], rest[end..].strip_prefix('/').unwrap_or("")));
    }
    if let Some(at) = rest.find("//") {
        return Some((&rest[..at], &rest[at + 2..]));
    }
    if let Some(at) = rest.find(".git") {
        return Some(rest.split_at(at + ".git".len()));
    }
    if whole {
        return Some((rest, ""));
    }
    let first = rest.find('/')?;
    let end = rest[first + 1..].find('/').map(|end| first + 1 + end);
    Some(match end {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, ""),
    })
}

/// Whether a path leads out of the repository.
fn leaves(path: &str) -> bool {
    let mut depth = 0_i32;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

fn without_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        let hex = |at: usize| char::from(*more.get(at)?).to_digit(16);
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &more[2..];
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Seconds, or numbers with units as Go writes them.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return (seconds > 0).then(|| Duration::from_secs(seconds));
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |length| end + length);
        total += number
            * match &rest[end..unit_end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(total).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        for (text, clone_url, path, reference) in [
            ("https://github.com/org/repo", "https://github.com/org/repo", "", ""),
            ("https://github.com/org/repo//a/b?ref=v1", "https://github.com/org/repo", "a/b", "v1"),
            ("github.com/org/repo/a/b", "https://github.com/org/repo", "a/b", ""),
            ("GitHub.com/org/repo", "https://github.com/org/repo", "", ""),
            ("git@github.com:org/repo.git//a?ref=x", "git@github.com:org/repo.git", "a", "x"),
            ("ssh://git@github.com/org/repo", "git@github.com:org/repo", "", ""),
            (
                "git::https://git.example.com/org/repo.git/a",
                "https://git.example.com/org/repo.git",
                "a",
                "",
            ),
            (
                "ssh://git@host:7999/p/repo.git?version=v2",
                "ssh://git@host:7999/p/repo.git",
                "",
                "v2",
            ),
            ("org-1@host.example.com:a/b//c", "org-1@host.example.com:a/b", "c", ""),
            ("file:///srv/repo//a?ref=main", "file:///srv/repo", "a", "main"),
            ("file:///srv/repo", "file:///srv/repo", "", ""),
            (
                "https://me@dev.azure.com/org/project/_git/repo/a/b",
                "https://me@dev.azure.com/org/project/_git/repo",
                "a/b",
                "",
            ),
            ("https://host/a/b.yaml", "https://host/a/b.yaml", "", ""),
        ] {
            let url = RepositoryUrl::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (url.clone_url(), url.path(), url.reference()),
                (clone_url, path, reference),
                "{text}"
            );
        }
        for path in [
            "../base",
            "a.yaml",
            "/abs",
            "host/org/repo",
            "a@b",
            "https://host",
            "https://host/one",
            "github.com/org/repo//../..",
            "htxxtp://github.com/org/repo",
            "./github.com/a/b",
        ] {
            assert_eq!(RepositoryUrl::parse(path), None, "{path}");
        }
    }

    #[test]
    fn queries() {
        let url =
            RepositoryUrl::parse("https://h/a/b?submodules=false&timeout=1m30s&ref=a%2Fb").unwrap();
        assert_eq!(
            (url.submodules(), url.timeout().as_secs(), url.reference()),
            (false, 90, "a/b")
        );
        let url = RepositoryUrl::parse("https://h/a/b?submodules=x&timeout=0").unwrap();
        assert_eq!((url.submodules(), url.timeout()), (true, DEFAULT_TIMEOUT));
        assert!(
            !format!("{:?}", RepositoryUrl::parse("https://u:secret@h/a/b").unwrap())
                .contains("secret")
        );
    }
}
