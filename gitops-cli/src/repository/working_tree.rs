//! What stands for the repository: a directory, uncommitted edits included, or what was fetched of a
//! remote one.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use gitops_core::{
    Algorithm, DiskTree, EntryKind, Hasher, MemoryTree, Revision, Scope, Tree, TreeError,
};
use gitops_source::{Fetched, Resolved, Source, SourceError};
use parking_lot::RwLock;

/// What stands in a directory, as of the last [`refresh`](Self::refresh), or what was fetched.
///
/// A directory's revision is `<branch>@sha256:<digest of all files>`: a function of the content, so that
/// saving a file without a change is no new revision. It names no commit, because uncommitted edits
/// are part of it.
#[derive(Debug)]
pub(crate) struct WorkingTree {
    /// Absent where the files were fetched.
    root: Option<PathBuf>,
    branch: String,
    remotes: Vec<String>,
    current: RwLock<(Revision, Arc<dyn Tree>)>,
}

impl WorkingTree {
    /// Reads a directory. Where it is the root of a Git work tree, its ignore rules and remotes
    /// count.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let root = root.canonicalize()?;
        let repository = gix::open(&root).ok();
        let branch = repository
            .as_ref()
            .and_then(|repository| repository.head_name().ok()?)
            .map_or_else(|| "local".to_owned(), |name| name.shorten().to_string());
        let remotes = repository.as_ref().map(remotes).unwrap_or_default();
        let current = RwLock::new(read(&root, &branch)?);
        Ok(Self { root: Some(root), branch, remotes, current })
    }

    /// What was fetched from a URL; it never changes.
    pub(crate) fn fetched(url: &str, fetched: Fetched) -> Self {
        Self {
            root: None,
            branch: String::new(),
            remotes: vec![url.to_owned()],
            current: RwLock::new((fetched.revision, fetched.tree)),
        }
    }

    /// The directory, where there is one that can be edited.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Where the files are from, for people.
    pub(crate) fn name(&self) -> String {
        match &self.root {
            Some(root) => root.display().to_string(),
            None => self.remotes.concat(),
        }
    }

    /// The URLs of the repository's remotes.
    pub(crate) fn remotes(&self) -> &[String] {
        &self.remotes
    }

    /// The revision and the files.
    pub(crate) fn current(&self) -> (Revision, Arc<dyn Tree>) {
        self.current.read().clone()
    }

    /// Reads the directory again; true when something is different.
    ///
    /// # Errors
    /// When it cannot be read; the former state stays.
    pub(crate) fn refresh(&self) -> anyhow::Result<bool> {
        let Some(root) = &self.root else { return Ok(false) };
        let new = read(root, &self.branch)?;
        let mut current = self.current.write();
        let changed = current.0 != new.0;
        *current = new;
        Ok(changed)
    }
}

fn remotes(repository: &gix::Repository) -> Vec<String> {
    let names = repository.remote_names();
    let remotes = names.iter().filter_map(|name| repository.find_remote(&**name).ok());
    remotes
        .filter_map(|remote| {
            Some(remote.url(gix::remote::Direction::Fetch)?.to_bstring().to_string())
        })
        .collect()
}

fn read(root: &Path, branch: &str) -> anyhow::Result<(Revision, Arc<dyn Tree>)> {
    let disk = DiskTree::open(root)?;
    let repository = gix::discover(root).ok();
    let index = repository.as_ref().and_then(|repository| repository.index_or_empty().ok());
    let excludes = match (&repository, &index) {
        (Some(repository), Some(index)) => repository
            .excludes(index, None, gix::worktree::stack::state::ignore::Source::default())
            .ok(),
        _ => None,
    };
    let prefix = repository
        .as_ref()
        .and_then(|repository| {
            let top = repository.workdir()?.canonicalize().ok()?;
            root.strip_prefix(top).ok().map(Path::to_owned)
        })
        .unwrap_or_default();
    let mut reader = Reader {
        disk,
        prefix,
        index: index.clone(),
        excludes,
        tree: MemoryTree::new(),
        hasher: Hasher::new(Algorithm::Sha256),
    };
    reader.directory(Path::new(""))?;
    let digest = reader.hasher.finish();
    let revision = Revision::new(Some(branch), "sha256", digest.hex());
    Ok((revision, Arc::new(reader.tree)))
}

struct Reader<'r> {
    disk: DiskTree,
    /// Where the root stands in the Git work tree.
    prefix: PathBuf,
    index: Option<gix::worktree::Index>,
    excludes: Option<gix::AttributeStack<'r>>,
    tree: MemoryTree,
    hasher: Hasher,
}

impl Reader<'_> {
    fn directory(&mut self, directory: &Path) -> Result<(), TreeError> {
        for entry in self.disk.list(directory)? {
            if entry.name == ".git" {
                continue;
            }
            let path = directory.join(&entry.name);
            if self.is_ignored(&path, entry.kind == EntryKind::Directory) {
                continue;
            }
            match entry.kind {
                EntryKind::Directory => self.directory(&path)?,
                EntryKind::File { executable } => self.file(&path, executable)?,
                // Artifacts hold neither links nor special files.
                EntryKind::Link | EntryKind::Special => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, executable: bool) -> Result<(), TreeError> {
        let content = match self.disk.read(path) {
            // An editor replaced it between the listing and the read; its event comes.
            Err(error) if error.is_not_found() => return Ok(()),
            other => other?,
        };
        let name = path.to_string_lossy();
        let head = format!("{}\0{}\0{}\0", name.len(), u8::from(executable), content.len());
        self.hasher.update(head.as_bytes());
        self.hasher.update(name.as_bytes());
        self.hasher.update(&content);
        if executable {
            self.tree.insert_executable(path, content)
        } else {
            self.tree.insert(path, content)
        }
    }

    /// What `.gitignore` excludes, unless it is committed all the same.
    fn is_ignored(&mut self, path: &Path, is_directory: bool) -> bool {
        let Some(excludes) = &mut self.excludes else { return false };
        let path = self.prefix.join(path);
        let mode =
            if is_directory { gix::index::entry::Mode::DIR } else { gix::index::entry::Mode::FILE };
        let ignored =
            excludes.at_path(&path, Some(mode)).is_ok_and(|platform| platform.is_excluded());
        ignored && !self.is_tracked(&path, is_directory)
    }

    fn is_tracked(&self, path: &Path, is_directory: bool) -> bool {
        let Some(index) = &self.index else { return false };
        let mut name = path.to_string_lossy().into_owned();
        if is_directory {
            name.push('/');
            return index.prefixed_entries(name.as_str().into()).is_some();
        }
        index.entry_by_path(name.as_str().into()).is_some()
    }
}

#[async_trait]
impl Source for WorkingTree {
    async fn resolve(&self, _: &Scope) -> Result<Resolved, SourceError> {
        Ok(Resolved::new(self.current.read().0.clone()))
    }

    async fn fetch(&self, _: &Resolved, _: &Scope) -> Result<Fetched, SourceError> {
        let (revision, tree) = self.current();
        Ok(Fetched::unsigned(revision, tree))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_seen_and_ignored_files_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        gix::init(root).unwrap();
        std::fs::create_dir(root.join("out")).unwrap();
        for (name, content) in
            [(".gitignore", "out/\n*.log\n"), ("a.yaml", "a: 1\n"), ("x.log", "")]
        {
            std::fs::write(root.join(name), content).unwrap();
        }
        std::fs::write(root.join("out/b.yaml"), "").unwrap();
        let tree = WorkingTree::open(root).unwrap();
        let (before, files) = tree.current();
        let names: Vec<_> =
            files.list(Path::new("")).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, [".gitignore", "a.yaml"]);
        assert!(!tree.refresh().unwrap());
        std::fs::write(root.join("out/b.yaml"), "changed").unwrap();
        assert!(!tree.refresh().unwrap());
        std::fs::write(root.join("a.yaml"), "a: 2\n").unwrap();
        assert!(tree.refresh().unwrap());
        assert_ne!(tree.current().0, before);
        assert_eq!(before.algorithm(), Some("sha256"));
    }
}
