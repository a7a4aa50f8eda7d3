//! Paths as kustomize joins and compares them: as texts, with `/`.

use super::RepositoryUrl;

/// `directory/relative` without `.`, `..` and doubled slashes; empty for the root. A path that climbs
/// above the directory in which `directory` itself is relative keeps its `..`.
pub(crate) fn join(directory: &str, relative: &str) -> String {
    let mut path = String::with_capacity(directory.len() + relative.len() + 1);
    directory.split('/').chain(relative.split('/')).for_each(|part| go_on(&mut path, part));
    path
}

/// The path without `.`, doubled slashes, and `..` as far as they can be resolved.
pub(crate) fn clean(path: &str) -> String {
    let mut clean = String::with_capacity(path.len());
    path.split('/').for_each(|part| go_on(&mut clean, part));
    clean
}

/// Goes on along a part of a path.
fn go_on(path: &mut String, part: &str) {
    match part {
        "" | "." => return,
        ".." if !path.is_empty() && base_name(path) != ".." => {
            let above = path.rfind('/').unwrap_or(0);
            return path.truncate(above);
        }
        _ => {}
    }
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(part);
}

/// Whether `path` is `directory` or stands in it. Both are clean.
pub(crate) fn is_within(path: &str, directory: &str) -> bool {
    directory.is_empty()
        || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The last part of a path.
pub(crate) fn base_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Whether a text names a remote place: an http(s) address, or what kustomize takes for a git
/// repository.
pub(crate) fn is_remote(path: &str) -> bool {
    is_remote_file(path) || RepositoryUrl::parse(path).is_some()
}

/// An entry as messages show it: without what may be a password in an address.
pub(crate) fn masked(entry: &str) -> String {
    let Some((scheme, rest)) = entry.split_once("://") else { return entry.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}/{path}"),
        None => entry.to_owned(),
    }
}

/// Whether a name of a file, as errors have it, is that of one in the tree that is built.
pub(crate) fn is_local_name(name: &str) -> bool {
    !is_remote(name.split('#').next().unwrap_or(name))
}

/// Whether a text is an address of a single file.
pub(crate) fn is_remote_file(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_compares() {
        assert_eq!(join("a/b", "../c/./d"), "a/c/d");
        assert_eq!(join("", "../x"), "../x");
        assert_eq!(join("a", ".."), "");
        assert!(is_within("a/b", "a") && is_within("a", "a") && is_within("a", ""));
        assert!(!is_within("ab", "a"));
        assert_eq!(base_name("a/b.yaml"), "b.yaml");
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(masked("https://u:p@h/o/r?ref=v1"), "https://***@h/o/r?ref=v1");
        assert_eq!(masked("git@h:o/r"), "git@h:o/r");
        assert_eq!(masked("../base"), "../base");
    }

    #[test]
    fn tells_remote_places() {
        for remote in [
            "https://a/b.yaml",
            "github.com/a/b",
            "git@github.com:a/b",
            "ssh://git@h/p/q",
            "git::https://h/p/q",
            "org-1@h:x/y",
        ] {
            assert!(is_remote(remote), "{remote}");
        }
        for local in ["../base", "a.yaml", "github.com", "./github.com/x", "/abs", "a@b/c"] {
            assert!(!is_remote(local), "{local}");
        }
    }
}
