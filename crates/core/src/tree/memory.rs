//! A tree in memory.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{Entry, EntryKind, Tree, TreeError, TreeErrorKind, clean_path, file_name};

/// Files in memory; directories exist as far as files stand in them.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: BTreeMap<PathBuf, (Bytes, bool)>,
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
        self.files.insert(clean_path(path.as_ref())?, (content.into(), false));
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
        self.files.insert(clean_path(path.as_ref())?, (content.into(), true));
        Ok(())
    }

    /// Removes a file; false when none stood there.
    pub fn remove(&mut self, path: impl AsRef<Path>) -> bool {
        clean_path(path.as_ref()).is_ok_and(|path| self.files.remove(&path).is_some())
    }

    /// The files in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &Bytes)> {
        self.files.iter().map(|(path, (content, _))| (path.as_path(), content))
    }
}

impl<P: AsRef<Path>, C: Into<Bytes>> FromIterator<(P, C)> for MemoryTree {
    /// Collects files; a path that would leave the root is kept below it instead.
    fn from_iter<I: IntoIterator<Item = (P, C)>>(files: I) -> Self {
        let mut tree = Self::new();
        for (path, content) in files {
            let path = path.as_ref();
            let clean = clean_path(path).unwrap_or_else(|_| PathBuf::from(file_name(path)));
            tree.files.insert(clean, (content.into(), false));
        }
        tree
    }
}

impl Tree for MemoryTree {
    fn read(&self, path: &Path) -> Result<Bytes, TreeError> {
        match self.files.get(&clean_path(path)?) {
            Some((content, _)) => Ok(content.clone()),
            None => {
                self.stat(path)?;
                Err(TreeError::new(path, TreeErrorKind::IsADirectory))
            }
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, TreeError> {
        let clean = clean_path(dir)?;
        if !self.stat(&clean)?.is_dir() {
            return Err(TreeError::new(dir, TreeErrorKind::NotADirectory));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (path, (content, executable)) in self.files.range(clean.clone()..) {
            let Ok(rest) = path.strip_prefix(&clean) else { break };
            let mut parts = rest.components();
            let Some(first) = parts.next() else { continue };
            let name = first.as_os_str().to_string_lossy().into_owned();
            if entries.last().is_some_and(|last| last.name == name) {
                continue;
            }
            entries.push(if parts.next().is_some() {
                Entry { name, kind: EntryKind::Directory, size: 0 }
            } else {
                let kind = EntryKind::File { executable: *executable };
                Entry { name, kind, size: content.len() as u64 }
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
        let clean = clean_path(path)?;
        let name = file_name(&clean);
        if let Some((content, executable)) = self.files.get(&clean) {
            let kind = EntryKind::File { executable: *executable };
            return Ok(Entry { name, kind, size: content.len() as u64 });
        }
        let inside = self.files.range(clean.clone()..).next();
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
}
