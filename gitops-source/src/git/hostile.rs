//! Names that no honest tree holds.
//!
//! Follows the checks of `git fsck`: a name that some file system takes for `.git` could, once
//! written out, replace a repository's configuration. Nothing is written out here, but an artifact
//! may be, anywhere.

/// Why a tree entry's name is refused; `None` for an honest one.
pub(crate) fn hostile_name(name: &str) -> Option<&'static str> {
    if name.is_empty() || name == "." || name == ".." {
        return Some("not a name");
    }
    if name.contains(['/', '\\', '\0']) {
        return Some("contains a path separator");
    }
    if hfs_dot_git(name) || ntfs_dot_git(name) {
        return Some("taken for '.git' by some file system");
    }
    None
}

/// HFS+ ignores some invisible characters, and case.
fn hfs_dot_git(name: &str) -> bool {
    let ignored = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let seen: String = name.chars().filter(|&c| !ignored(c)).collect();
    seen.eq_ignore_ascii_case(".git")
}

/// NTFS ignores case and trailing dots and spaces, knows short names, and cuts at a stream's colon.
fn ntfs_dot_git(name: &str) -> bool {
    let stem = name.split(':').next().unwrap_or_default();
    let stem = stem.trim_end_matches([' ', '.']);
    stem.eq_ignore_ascii_case(".git") || stem.eq_ignore_ascii_case("git~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_and_honest_names() {
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            ".git",
            ".GIT",
            ".g\u{200c}it",
            "git~1",
            "GIT~1",
            ".git::$INDEX",
            ".git ",
            ".git.",
            ".git . .",
            "\u{feff}.git",
        ] {
            assert!(hostile_name(bad).is_some(), "{bad:?}");
        }
        for good in [".github", ".gitignore", ".gitmodules", "git", "git~2", "...", "a:b", "x y"] {
            assert!(hostile_name(good).is_none(), "{good:?}");
        }
    }
}
