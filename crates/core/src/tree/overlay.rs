//! A tree with files in memory laid over it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::{Entry, MemoryTree, Tree, TreeError};

/// A base tree over which files in memory are laid: how generated files are added without
/// touching the source.
#[derive(Clone, Debug)]
pub struct OverlayTree {
    base: Arc<dyn Tree>,
    over: MemoryTree,
}

impl OverlayTree {
    /// `over` laid over `base`: where both have a file, that of `over` is seen.
    pub fn new(base: Arc<dyn Tree>, over: MemoryTree) -> Self {
        Self { base, over }
    }
}

impl Tree for OverlayTree {
    fn read(&self, path: &Path) -> Result<Bytes, TreeError> {
        match self.over.read(path) {
            Err(error) if error.is_not_found() => self.base.read(path),
            result => result,
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, TreeError> {
        let over = match self.over.list(dir) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return self.base.list(dir),
            Err(error) => return Err(error),
        };
        let base = match self.base.list(dir) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(over),
            Err(error) => return Err(error),
        };
        let mut entries = over;
        let added = entries.len();
        for entry in base {
            if !entries[..added].iter().any(|other| other.name == entry.name) {
                entries.push(entry);
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
        match self.over.stat(path) {
            Ok(entry) if !entry.is_dir() => Ok(entry),
            Ok(directory) => Ok(self.base.stat(path).unwrap_or(directory)),
            Err(error) if error.is_not_found() => self.base.stat(path),
            Err(error) => Err(error),
        }
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, TreeError> {
        match self.base.resolve(path) {
            Err(error) if error.is_not_found() => {
                // A file laid over a directory that a link leads to keeps the link's target.
                let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                    return self.over.resolve(path);
                };
                match self.base.resolve(parent) {
                    Ok(parent) => self.stat(path).map(|_| parent.join(name)),
                    Err(_) => self.over.resolve(path),
                }
            }
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_files_win_and_directories_merge() {
        let base = Arc::new(MemoryTree::from_iter([("a/x", "base"), ("a/y", "base")]));
        let over = MemoryTree::from_iter([("a/x", "over"), ("b/z", "over")]);
        let tree = OverlayTree::new(base, over);
        assert_eq!(&tree.read("a/x".as_ref()).unwrap()[..], b"over");
        assert_eq!(&tree.read("a/y".as_ref()).unwrap()[..], b"base");
        let names: Vec<_> =
            tree.list("a".as_ref()).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["x", "y"]);
        assert!(tree.stat("b".as_ref()).unwrap().is_dir());
    }
}
