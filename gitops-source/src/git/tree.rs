//! The files of a commit, straight from Git's objects: nothing is checked out.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use gitops_core::{Entry, EntryKind, Scope, Tree, TreeError, TreeErrorKind, clean_path};
use gix::{
    ObjectId,
    objs::{FindExt as _, TreeRefIter, tree::EntryKind as GitKind},
    odb::HeaderExt as _,
};
use parking_lot::Mutex;

use super::{GitLimits, hostile::hostile_name, objects::Objects};
use crate::SourceError;

const DOT_GIT: &str = ".git";

/// The tree of a commit. Directories are known from the start; files are read when asked for.
pub(crate) struct GitTree {
    /// Reading remembers packs, which one reader at a time can do.
    objects: Arc<Mutex<Objects>>,
    directories: BTreeMap<PathBuf, Vec<(Entry, ObjectId)>>,
    submodules: Vec<(PathBuf, ObjectId)>,
    mounted: BTreeMap<PathBuf, Arc<Self>>,
    /// The content of the file `.git` that a submodule has.
    pointer: Option<Bytes>,
}

impl fmt::Debug for GitTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitTree")
            .field("directories", &self.directories.len())
            .finish_non_exhaustive()
    }
}

impl GitTree {
    /// Reads the directories below the tree `root`. A submodule is an empty directory until it is
    /// mounted. With
    /// `sparse`, only files whose path begins so are there, and the directories above them.
    pub(crate) fn load(
        objects: Objects,
        root: ObjectId,
        sparse: &[String],
        limits: &GitLimits,
        scope: &Scope,
    ) -> Result<Self, SourceError> {
        let submodules = Vec::new();
        let mut walk =
            Walk { objects: &objects, sparse, limits, scope, entries: 0, bytes: 0, submodules };
        let mut directories = BTreeMap::new();
        walk.directory(Path::new(""), root, &mut directories)?;
        let submodules = walk.submodules;
        let mounted = BTreeMap::new();
        let objects = Arc::new(Mutex::new(objects));
        Ok(Self { objects, directories, submodules, mounted, pointer: None })
    }

    /// The objects that the files are read from.
    pub(crate) fn objects(&self) -> Arc<Mutex<Objects>> {
        Arc::clone(&self.objects)
    }

    /// Where submodules are, and their commits.
    pub(crate) fn submodules(&self) -> &[(PathBuf, ObjectId)] {
        &self.submodules
    }

    /// Gives a submodule the file that says where its repository would be in a checkout. No other
    /// file can have its name: it is refused in trees.
    pub(crate) fn point_to(&mut self, repository: &str) {
        let content = format!("gitdir: {repository}\n");
        let kind = EntryKind::File { executable: false };
        let entry = Entry { name: DOT_GIT.to_owned(), kind, size: content.len() as u64 };
        self.pointer = Some(content.into());
        let root = self.directories.entry(PathBuf::new()).or_default();
        let at = root.partition_point(|(other, _)| other.name.as_str() < DOT_GIT);
        // It is read from here, whatever the object.
        root.insert(at, (entry, ObjectId::null(gix::hash::Kind::Sha1)));
    }

    /// Puts the files of a submodule in its place.
    pub(crate) fn mount(&mut self, path: PathBuf, tree: Arc<Self>) {
        self.mounted.insert(path, tree);
    }

    /// The submodule that a path is in, and the path within it.
    fn inside<'p>(&self, path: &'p Path) -> Option<(&Self, &'p Path)> {
        if self.mounted.is_empty() {
            return None;
        }
        path.ancestors().find_map(|outer| {
            let tree = self.mounted.get(outer)?;
            Some((&**tree, path.strip_prefix(outer).ok()?))
        })
    }

    fn find(&self, path: &Path) -> Result<&(Entry, ObjectId), TreeErrorKind> {
        let parent = path.parent().unwrap_or(Path::new(""));
        let Some(entries) = self.directories.get(parent) else {
            let file = parent.ancestors().any(|dir| {
                !dir.as_os_str().is_empty()
                    && self.find(dir).is_ok_and(|(entry, _)| !entry.is_dir())
            });
            return Err(if file { TreeErrorKind::NotADirectory } else { TreeErrorKind::NotFound });
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let at = entries.binary_search_by(|(entry, _)| entry.name.as_str().cmp(name));
        at.map(|at| &entries[at]).map_err(|_| TreeErrorKind::NotFound)
    }
}

impl Tree for GitTree {
    fn read(&self, path: &Path) -> Result<Bytes, TreeError> {
        let fail = |kind| TreeError::new(path, kind);
        let clean = clean_path(path)?;
        if let Some((tree, inner)) = self.inside(&clean) {
            return tree.read(inner).map_err(|error| TreeError::new(path, error.kind));
        }
        if self.directories.contains_key(&clean) {
            return Err(fail(TreeErrorKind::IsADirectory));
        }
        if let Some(pointer) = self.pointer.as_ref().filter(|_| clean == Path::new(DOT_GIT)) {
            return Ok(pointer.clone());
        }
        let (entry, id) = self.find(&clean).map_err(fail)?;
        if !matches!(entry.kind, EntryKind::File { .. }) {
            let why = "is not a regular file".to_owned();
            return Err(fail(TreeErrorKind::Unreadable(why)));
        }
        let mut content = Vec::new();
        let objects = self.objects.lock();
        objects
            .odb
            .find_blob(id, &mut content)
            .map_err(|error| fail(TreeErrorKind::Unreadable(error.to_string())))?;
        Ok(content.into())
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, TreeError> {
        let clean = clean_path(dir)?;
        if let Some((tree, inner)) = self.inside(&clean) {
            return tree.list(inner).map_err(|error| TreeError::new(dir, error.kind));
        }
        if let Some(entries) = self.directories.get(&clean) {
            return Ok(entries.iter().map(|(entry, _)| entry.clone()).collect());
        }
        let kind = self.find(&clean).err().unwrap_or(TreeErrorKind::NotADirectory);
        Err(TreeError::new(dir, kind))
    }

    fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
        let clean = clean_path(path)?;
        if clean.as_os_str().is_empty() {
            return Ok(Entry { name: String::new(), kind: EntryKind::Directory, size: 0 });
        }
        if let Some((tree, inner)) = self.inside(&clean)
            && !inner.as_os_str().is_empty()
        {
            return tree.stat(inner).map_err(|error| TreeError::new(path, error.kind));
        }
        let found = self.find(&clean).map_err(|kind| TreeError::new(path, kind))?;
        Ok(found.0.clone())
    }
}

struct Walk<'w> {
    objects: &'w Objects,
    sparse: &'w [String],
    limits: &'w GitLimits,
    scope: &'w Scope,
    entries: usize,
    bytes: u64,
    submodules: Vec<(PathBuf, ObjectId)>,
}

impl Walk<'_> {
    fn directory(
        &mut self,
        path: &Path,
        id: ObjectId,
        out: &mut BTreeMap<PathBuf, Vec<(Entry, ObjectId)>>,
    ) -> Result<(), SourceError> {
        self.scope.check()?;
        let bad = |why: String| {
            SourceError::content(format!("malformed tree object '{}': {why}", path.display()))
        };
        if path.components().count() > self.limits.depth {
            return Err(bad(format!("more than {} levels", self.limits.depth)));
        }
        let mut buffer = Vec::new();
        let data = self
            .objects
            .odb
            .find(&id, &mut buffer)
            .map_err(|error| bad(format!("{id}: {error}")))?;
        if data.kind != gix::objs::Kind::Tree {
            return Err(bad(format!("{id} is a {}", data.kind)));
        }
        let mut entries = self.entries(data.data, id, &bad)?;
        entries.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].0.name == pair[1].0.name) {
            return Err(bad(format!("duplicate entry {}", crate::go::quoted(&pair[0].0.name))));
        }
        for (entry, own, submodule) in &entries {
            if entry.is_dir() {
                let child = path.join(&entry.name);
                if *submodule {
                    let wanted = self.sparse.is_empty() || self.begins(&child);
                    if wanted {
                        self.submodules.push((child.clone(), *own));
                    }
                    out.insert(child, Vec::new());
                } else {
                    self.directory(&child, *own, out)?;
                }
            }
        }
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(entry, id, _)| (entry, id))
            .filter(|(entry, _)| self.keeps(&path.join(&entry.name), entry, out))
            .collect();
        if entries.is_empty() && !self.sparse.is_empty() && !path.as_os_str().is_empty() {
            return Ok(());
        }
        out.insert(path.to_owned(), entries);
        Ok(())
    }

    /// The entries of a tree object; the flag tells a submodule.
    fn entries(
        &mut self,
        data: &[u8],
        id: ObjectId,
        bad: &dyn Fn(String) -> SourceError,
    ) -> Result<Vec<(Entry, ObjectId, bool)>, SourceError> {
        let mut entries = Vec::new();
        for entry in TreeRefIter::from_bytes(data, id.kind()) {
            let entry = entry.map_err(|error| bad(error.to_string()))?;
            let name = std::str::from_utf8(entry.filename)
                .map_err(|_| bad("a name is not UTF-8".to_owned()))?;
            if let Some(why) = hostile_name(name) {
                return Err(bad(format!("refused entry {}: {why}", crate::go::quoted(name))));
            }
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(bad(format!("more than {} entries", self.limits.entries)));
            }
            let own = entry.oid.to_owned();
            let kind = match entry.mode.kind() {
                GitKind::Tree | GitKind::Commit => EntryKind::Directory,
                GitKind::Blob => EntryKind::File { executable: false },
                GitKind::BlobExecutable => EntryKind::File { executable: true },
                GitKind::Link => EntryKind::Link,
            };
            let mut size = 0;
            if matches!(kind, EntryKind::File { .. }) {
                size = self
                    .objects
                    .odb
                    .header(own)
                    .map_err(|error| bad(format!("{own}: {error}")))?
                    .size();
                self.bytes = self.bytes.saturating_add(size);
                if self.bytes > self.limits.tree_bytes {
                    return Err(bad(format!("more than {} bytes", self.limits.tree_bytes)));
                }
            }
            entries.push((
                Entry { name: name.to_owned(), kind, size },
                own,
                entry.mode.is_commit(),
            ));
        }
        Ok(entries)
    }

    /// Quirk: as in Flux, a sparse directory `app` also takes `apple/x` and `app.yaml`.
    fn begins(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        self.sparse.iter().any(|dir| path.starts_with(dir.as_str()))
    }

    fn keeps(
        &self,
        path: &Path,
        entry: &Entry,
        kept: &mut BTreeMap<PathBuf, Vec<(Entry, ObjectId)>>,
    ) -> bool {
        if self.sparse.is_empty() || self.begins(path) {
            return true;
        }
        if !entry.is_dir() {
            return false;
        }
        let full = kept.get(path).is_some_and(|entries| !entries.is_empty());
        if !full {
            kept.remove(path);
        }
        full
    }
}
