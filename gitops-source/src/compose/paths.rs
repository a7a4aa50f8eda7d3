//! Paths as Go's `path/filepath` reads them.

use std::path::{Path, PathBuf};

use gitops_core::{MemoryTree, Tree as _, TreeError};

/// A path as Go's `filepath.Clean` leaves it, above its beginning too.
pub(super) fn lexical(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match parts.last() {
            Some(last) if part == ".." && *last != ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// A path below the destination, as Go's `filepath.Join` has it.
pub(super) fn joined(to: &str, below: &str) -> PathBuf {
    let path = Path::new(to.trim_start_matches('/')).join(below);
    path.components().collect()
}

/// The path before the first part with a wildcard.
pub(super) fn literal_prefix(pattern: &str) -> String {
    let parts = pattern.split('/').filter(|part| !part.is_empty() && *part != ".");
    let literal = parts.take_while(|part| !part.contains(['*', '?', '[', ']']));
    literal.collect::<Vec<_>>().join("/")
}

/// Whether a file is a package by its name.
pub(super) fn is_archive(path: &str) -> bool {
    let lower = path.to_lowercase();
    lower.ends_with(".tar.gz") || lower.ends_with(".tgz")
}

/// Shows all paths below a directory, parents first.
pub(super) fn walk(
    tree: &MemoryTree,
    dir: &Path,
    show: &mut dyn FnMut(&str),
) -> Result<(), TreeError> {
    for entry in tree.list(dir)? {
        let path = dir.join(&entry.name);
        show(&path.to_string_lossy());
        if entry.is_dir() {
            walk(tree, &path, show)?;
        }
    }
    Ok(())
}
