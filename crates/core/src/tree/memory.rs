//! A tree in memory.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{Entry, EntryKind, Tree, TreeError, TreeErrorKind, clean_path, file_name};

/// Files in memory. A directory exists when something stands in it or when it was put itself.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    nodes: BTreeMap<PathBuf, Node>,
}

#[derive(Clone, Debug)]
enum Node {
    File { content: Bytes, executable: bool },
    Directory,
}

impl Node {
    fn entry(&self, name: String) -> Entry {
        match self {
            Self::File { content, executable } => Entry {
                name,
                kind: EntryKind::File { executable: *executable },
                size: content.len() as u64,
            },
            Self::Directory => Entry { name, kind: EntryKind::Directory, size: 0 },
        }
    }
}

impl MemoryTree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file, replacing one that stands there.
    ///
    /// # Errors
    /// When the path leaves the root.
    pub fn insert(
        &mut self,
        path: impl AsRef<Path>,
        content: impl Into<Bytes>,
    ) -> Result<(), TreeError> {
        let node = Node::File { content: content.into(), executable: false };
        self.nodes.insert(clean_path(path.as_ref())?, node);
        Ok(())
    }

    /// Puts an executable file.
    ///
    /// # Errors
    /// When the path leaves the root.
    pub fn insert_executable(
        &mut self,
        path: impl AsRef<Path>,
        content: impl Into<Bytes>,
    ) -> Result<(), TreeError> {
        let node = Node::File { content: content.into(), executable: true };
        self.nodes.insert(clean_path(path.as_ref())?, node);
        Ok(())
    }

    /// Puts a directory, which may stay empty.
    ///
    /// # Errors
    /// When the path leaves the root.
    pub fn insert_directory(&mut self, path: impl AsRef<Path>) -> Result<(), TreeError> {
        let path = clean_path(path.as_ref())?;
        if !path.as_os_str().is_empty() {
            self.nodes.entry(path).or_insert(Node::Directory);
        }
        Ok(())
    }

    /// Removes a file, or a directory that was put; false when none stood there.
    pub fn remove(&mut self, path: impl AsRef<Path>) -> bool {
        clean_path(path.as_ref()).is_ok_and(|path| self.nodes.remove(&path).is_some())
    }

    /// The files in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &Bytes)> {
        self.nodes.iter().filter_map(|(path, node)| match node {
            Node::File { content, .. } => Some((path.as_path(), content)),
            Node::Directory => None,
        })
    }
}

impl<P: AsRef<Path>, C: Into<Bytes>> FromIterator<(P, C)> for MemoryTree {
    /// Collects files; a path that would leave the root is kept below it instead.
    fn from_iter<I: IntoIterator<Item = (P, C)>>(files: I) -> Self {
        let mut tree = Self::new();
        for (path, content) in files {
            let path = path.as_ref();
            let clean = clean_path(path).unwrap_or_else(|_| PathBuf::from(file_name(path)));
            let node = Node::File { content: content.into(), executable: false };
            tree.nodes.insert(clean, node);
        }
        tree
    }
}

impl Tree for MemoryTree {
    fn read(&self, path: &Path) -> Result<Bytes, TreeError> {
        if let Some(Node::File { content, .. }) = self.nodes.get(&clean_path(path)?) {
            return Ok(content.clone());
        }
        self.stat(path)?;
        Err(TreeError::new(path, TreeErrorKind::IsADirectory))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, TreeError> {
        let clean = clean_path(dir)?;
        if !self.stat(&clean)?.is_dir() {
            return Err(TreeError::new(dir, TreeErrorKind::NotADirectory));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (path, node) in self.nodes.range(clean.clone()..) {
            let Ok(rest) = path.strip_prefix(&clean) else {
                break;
            };
            let mut parts = rest.components();
            let Some(first) = parts.next() else { continue };
            let name = first.as_os_str().to_string_lossy().into_owned();
            if entries.last().is_some_and(|last| last.name == name) {
                continue;
            }
            entries.push(if parts.next().is_some() {
                Entry { name, kind: EntryKind::Directory, size: 0 }
            } else {
                node.entry(name)
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
        let clean = clean_path(path)?;
        let name = file_name(&clean);
        if let Some(node) = self.nodes.get(&clean) {
            return Ok(node.entry(name));
        }
        let inside = self.nodes.range(clean.clone()..).next();
        if clean.as_os_str().is_empty() || inside.is_some_and(|(file, _)| file.starts_with(&clean))
        {
            return Ok(Entry { name, kind: EntryKind::Directory, size: 0 });
        }
        Err(TreeError::new(path, TreeErrorKind::NotFound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_reads_and_confines() {
        let tree = MemoryTree::from_iter([("a/b/c.yaml", "1"), ("a/d", "22"), ("e", "")]);
        let names = |dir: &str| -> Vec<String> {
            tree.list(dir.as_ref()).unwrap().into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(""), ["a", "e"]);
        assert_eq!(names("./a/"), ["b", "d"]);
        assert_eq!(&tree.read("/a/b/../d".as_ref()).unwrap()[..], b"22");
        assert!(tree.stat("a/b".as_ref()).unwrap().is_dir());
        let error = tree.read("a/../../x".as_ref()).unwrap_err();
        assert!(matches!(error.kind, TreeErrorKind::Escapes));
        let error = tree.read("a".as_ref()).unwrap_err();
        assert!(matches!(error.kind, TreeErrorKind::IsADirectory));
        assert!(tree.read("nope".as_ref()).unwrap_err().is_not_found());
    }

    #[test]
    fn directories_may_be_empty() {
        let mut tree = MemoryTree::from_iter([("a/b", "1")]);
        tree.insert_directory("a").unwrap();
        tree.insert_directory("vendor/app").unwrap();
        let names: Vec<_> =
            tree.list("".as_ref()).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["a", "vendor"]);
        assert!(tree.stat("vendor/app".as_ref()).unwrap().is_dir());
        assert_eq!(tree.list("vendor/app".as_ref()).unwrap(), []);
        assert_eq!(tree.files().count(), 1);
        let error = tree.read("vendor/app".as_ref()).unwrap_err();
        assert!(matches!(error.kind, TreeErrorKind::IsADirectory));
    }
}
