//! Read-only file trees: the only way in which renderers and packers see files.

pub(crate) mod archive;
#[cfg(not(target_family = "wasm"))]
mod disk;
mod memory;
mod overlay;

use std::{
    fmt::Debug,
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;

use crate::{Class, Classify};

#[cfg(not(target_family = "wasm"))]
pub use disk::DiskTree;
pub use memory::MemoryTree;
pub use overlay::OverlayTree;

/// A read-only tree of files below a root that nothing escapes.
///
/// Paths are relative to the root; a leading `/` or `./` is accepted and means the root. A path
/// that climbs above the root, by `..` or by a symbolic link, is an error of kind
/// [`TreeErrorKind::Escapes`].
pub trait Tree: Debug + Send + Sync {
    /// The content of a file, links followed within the tree.
    ///
    /// # Errors
    /// [`TreeError`] names the path and says why.
    fn read(&self, path: &Path) -> Result<Bytes, TreeError>;

    /// The entries of a directory, sorted by name.
    ///
    /// # Errors
    /// [`TreeError`] names the path and says why.
    fn list(&self, dir: &Path) -> Result<Vec<Entry>, TreeError>;

    /// The names in a directory, sorted: [`Self::list`] for those who need nothing that the directory
    /// itself does not tell.
    ///
    /// # Errors
    /// [`TreeError`] names the path and says why.
    fn names(&self, dir: &Path) -> Result<Vec<Name>, TreeError> {
        let entries = self.list(dir)?;
        Ok(entries
            .into_iter()
            .map(|Entry { name, kind, .. }| Name { name, kind: kind.into() })
            .collect())
    }

    /// The content of a file as [`Self::read`] gives it; `None`, and nothing is read, if it has more than
    /// so many bytes.
    ///
    /// # Errors
    /// [`TreeError`] names the path and says why.
    fn read_within(&self, path: &Path, most: u64) -> Result<Option<Bytes>, TreeError> {
        if self.stat(path)?.size > most {
            return Ok(None);
        }
        self.read(path).map(Some)
    }

    /// What stands at a path, links followed within the tree.
    ///
    /// # Errors
    /// [`TreeError`] names the path and says why.
    fn stat(&self, path: &Path) -> Result<Entry, TreeError>;

    /// The path with all links followed: the one name under which a file or directory is known.
    /// A tree without links needs no other implementation than this.
    ///
    /// # Errors
    /// [`TreeError`] names the path and says why.
    fn resolve(&self, path: &Path) -> Result<PathBuf, TreeError> {
        self.stat(path)?;
        clean_path(path)
    }

    /// Where a path leads, links followed, and what stands there: [`Self::resolve`] and [`Self::stat`]
    /// in one step.
    ///
    /// # Errors
    /// As theirs.
    fn find(&self, path: &Path) -> Result<(PathBuf, Entry), TreeError> {
        let real = self.resolve(path)?;
        let entry = self.stat(&real)?;
        Ok((real, entry))
    }

    /// Where a path leads, links followed, and the content of the file there: [`Self::resolve`] and
    /// [`Self::read`] in one step.
    ///
    /// # Errors
    /// As theirs.
    fn read_found(&self, path: &Path) -> Result<(PathBuf, Bytes), TreeError> {
        let real = self.resolve(path)?;
        let content = self.read(path)?;
        Ok((real, content))
    }
}

/// A file or directory in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The last component of the path; empty for the root.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Size in bytes; 0 for directories.
    pub size: u64,
}

impl Entry {
    /// Whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == EntryKind::Directory
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file; `executable` by its owner.
    File {
        /// Whether the owner may execute it.
        executable: bool,
    },
    /// A symbolic link, as `list` shows it; `read` and `stat` follow it.
    Link,
    /// A socket, a device and the like: never read, never packed.
    Special,
}

/// An entry of a directory by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The last component of its path.
    pub name: String,
    /// What it is.
    pub kind: NameKind,
}

/// What a directory says of what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as for `EntryKind`")]
pub enum NameKind {
    Directory,
    File,
    Link,
    Special,
}

impl From<EntryKind> for NameKind {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Directory => Self::Directory,
            EntryKind::File { .. } => Self::File,
            EntryKind::Link => Self::Link,
            EntryKind::Special => Self::Special,
        }
    }
}

/// A failed access to a [`Tree`].
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct TreeError {
    /// The path as it was asked for.
    pub path: PathBuf,
    /// Why.
    pub kind: TreeErrorKind,
}

impl TreeError {
    /// An error at a path.
    pub fn new(path: impl Into<PathBuf>, kind: TreeErrorKind) -> Self {
        Self { path: path.into(), kind }
    }

    /// Whether nothing stands at the path.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, TreeErrorKind::NotFound)
    }
}

impl Classify for TreeError {
    fn class(&self) -> Class {
        match &self.kind {
            TreeErrorKind::NotFound => Class::NotFound,
            TreeErrorKind::Escapes => Class::Denied,
            TreeErrorKind::Io(_) => Class::Transient,
            _ => Class::Invalid,
        }
    }
}

/// Why an access failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeErrorKind {
    /// Nothing stands there.
    #[error("no such file or directory")]
    NotFound,
    /// A file was wanted and a directory stands there.
    #[error("is a directory")]
    IsADirectory,
    /// A directory was wanted and a file stands there.
    #[error("not a directory")]
    NotADirectory,
    /// The path leaves the tree.
    #[error("path leaves the root of the tree")]
    Escapes,
    /// Too large, too many, or too deep; says which.
    #[error("{0}")]
    Limit(String),
    /// A link cycle, a special file, or a name that is not UTF-8.
    #[error("{0}")]
    Unreadable(String),
    /// The disk failed.
    #[error(transparent)]
    Io(std::io::Error),
}

/// The path without `.`, `..`, leading `/` and doubled slashes.
///
/// # Errors
/// [`TreeErrorKind::Escapes`] when `..` would climb above the root.
pub fn clean_path(path: &Path) -> Result<PathBuf, TreeError> {
    if is_clean(path) {
        return Ok(path.to_owned());
    }
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => {
                if !clean.pop() {
                    return Err(TreeError::new(path, TreeErrorKind::Escapes));
                }
            }
            Component::CurDir | Component::RootDir => {}
            Component::Prefix(_) => return Err(TreeError::new(path, TreeErrorKind::Escapes)),
        }
    }
    Ok(clean)
}

/// A path that cannot climb: `..` at the root stays there, as Flux's secure join has it. For what is to
/// be refused where it climbs there is [`clean_path`].
pub fn confined_path(path: &str) -> PathBuf {
    let mut confined = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => confined.push(part),
            Component::ParentDir => {
                confined.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    confined
}

/// Whether there is nothing to take out of a path; most that builds ask for are so.
#[cfg(unix)]
fn is_clean(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let parts = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    parts.into_iter().all(|part| !matches!(part, b"" | b"." | b".."))
}

#[cfg(not(unix))]
fn is_clean(_: &Path) -> bool {
    false
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_climb() {
        for (path, confined) in [("../x", "x"), ("./a//b/", "a/b"), ("a/../../b", "b"), ("/a", "a")]
        {
            assert_eq!(confined_path(path), Path::new(confined), "{path}");
        }
    }
}
