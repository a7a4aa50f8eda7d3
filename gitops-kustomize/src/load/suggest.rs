//! What stands near a path that leads nowhere.

use std::path::Path;

use gitops_core::Tree;

use super::path;
use crate::{file::FILE_NAMES, words::nearest as nearest_word};

/// A hint at what may have been meant by `entry`, which `directory` has not.
pub(super) fn nearest(tree: &dyn Tree, directory: &str, entry: &str) -> Option<String> {
    let full = path::join(directory, entry);
    if tree.stat(Path::new(&full)).is_ok_and(|found| found.is_dir()) {
        return Some(format!(
            "the directory is there, but has no {}; list its files one by one, or add one",
            FILE_NAMES[0],
        ));
    }
    // The first part of the path that is not there.
    let mut there = String::new();
    for part in full.split('/') {
        let next = path::join(&there, part);
        if tree.stat(Path::new(&next)).is_ok() {
            there = next;
            continue;
        }
        let shown = if there.is_empty() { "the root" } else { &there };
        let Ok(entries) = tree.list(Path::new(&there)) else {
            return Some(format!("{shown} is a file, not a directory"));
        };
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let written = entry.strip_suffix(part).filter(|_| next == full).unwrap_or_default();
        if let Some(near) = nearest_word(part, names.iter().copied()) {
            return Some(format!("did you mean {:?}?", format!("{written}{near}")));
        }
        // The other ending of YAML files, and files that stand one level away.
        return Some(if names.is_empty() {
            format!("{shown} is empty")
        } else {
            format!("{shown} has no {part:?}; it has {}", crate::words::list(&names))
        });
    }
    None
}
