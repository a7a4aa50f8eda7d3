//! A tree on disk, confined to its root.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use rustix::{
    buffer::spare_capacity,
    fd::{BorrowedFd, OwnedFd},
    fs::{self, AtFlags, DirEntry, FileType, Mode, OFlags, Stat},
    io::Errno,
};

#[cfg(target_os = "linux")]
use rustix::fs::ResolveFlags;

use super::{
    Entry, EntryKind, Name, NameKind, Tree, TreeError, TreeErrorKind, clean_path, file_name,
};

const MAX_LINKS: usize = 40;

/// A directory on disk as a [`Tree`]. Every path is opened from an open handle of the root: by the
/// kernel in one step where no link stands on the way, else one component at a time and without
/// following links blindly, so that a link (also one that is swapped in between a check and its use)
/// never leads outside.
///
/// A link with an absolute target leaves the tree by definition, even if it points back into it.
#[derive(Clone, Debug)]
pub struct DiskTree {
    root: Arc<OwnedFd>,
    path: PathBuf,
    /// The largest file that `read` accepts, in bytes.
    max_file: u64,
}

impl DiskTree {
    /// Opens a directory.
    ///
    /// # Errors
    /// When it does not exist or is no directory.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, TreeError> {
        let path = root.as_ref();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::open(path, flags, Mode::empty()).map_err(|errno| from_errno(path, errno))?;
        Ok(Self { root: Arc::new(root), path: path.to_owned(), max_file: 1 << 30 })
    }

    /// The same tree that refuses to read files over `bytes`; the default is 1 GiB.
    #[must_use]
    pub fn with_max_file(mut self, bytes: u64) -> Self {
        self.max_file = bytes;
        self
    }

    /// Where the tree stands, as it was opened.
    pub fn root(&self) -> &Path {
        &self.path
    }

    /// Opens a path; also tells where it stands, links followed.
    fn walk(&self, path: &Path) -> Result<(OwnedFd, Stat, PathBuf), TreeError> {
        match self.open_straight(path) {
            Some(outcome) => outcome,
            None => self.walk_links(path),
        }
    }

    /// Opens a path that leads over no link in one step, which the kernel confines; `None` where that
    /// does not tell.
    #[cfg(target_os = "linux")]
    fn open_straight(&self, path: &Path) -> Option<Result<(OwnedFd, Stat, PathBuf), TreeError>> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(&*self.root, relative, flags, Mode::empty(), resolve) {
            Ok(file) => {
                let stat = fs::fstat(&file).ok()?;
                Some(Ok((file, stat, clean_path(path).ok()?)))
            }
            Err(Errno::NOENT) => Some(Err(from_errno(path, Errno::NOENT))),
            // A link on the way, a rename meanwhile, a kernel or a sandbox that does not know the call.
            Err(_) => None,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_straight(&self, _: &Path) -> Option<Result<(OwnedFd, Stat, PathBuf), TreeError>> {
        None
    }

    /// Opens a path step by step.
    fn walk_links(&self, path: &Path) -> Result<(OwnedFd, Stat, PathBuf), TreeError> {
        let fail = |errno| from_errno(path, errno);
        let mut todo: VecDeque<OsString> = VecDeque::new();
        push_front(&mut todo, path).map_err(|kind| TreeError::new(path, kind))?;
        let mut above: Vec<OwnedFd> = Vec::new();
        let mut here = self.root.try_clone().map_err(|error| from_io(path, error))?;
        let mut stat = fs::fstat(&here).map_err(fail)?;
        let mut links = 0;
        let mut real = PathBuf::new();
        while let Some(part) = todo.pop_front() {
            if part == ".." {
                here = above.pop().ok_or_else(|| TreeError::new(path, TreeErrorKind::Escapes))?;
                stat = fs::fstat(&here).map_err(fail)?;
                real.pop();
                continue;
            }
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                return Err(TreeError::new(path, TreeErrorKind::NotADirectory));
            }
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            match fs::openat(&here, &part, flags, Mode::empty()) {
                Ok(next) => {
                    stat = fs::fstat(&next).map_err(fail)?;
                    above.push(std::mem::replace(&mut here, next));
                    real.push(&part);
                }
                Err(Errno::LOOP | Errno::MLINK) => {
                    links += 1;
                    if links > MAX_LINKS {
                        let why = "too many levels of symbolic links".to_owned();
                        return Err(TreeError::new(path, TreeErrorKind::Unreadable(why)));
                    }
                    let target = fs::readlinkat(&here, &part, Vec::new()).map_err(fail)?;
                    let target = PathBuf::from(os_string(target.as_bytes()));
                    if target.is_absolute() {
                        return Err(TreeError::new(path, TreeErrorKind::Escapes));
                    }
                    push_front(&mut todo, &target).map_err(|kind| TreeError::new(path, kind))?;
                }
                Err(errno) => return Err(fail(errno)),
            }
        }
        Ok((here, stat, real))
    }
}

impl DiskTree {
    /// The content of a file that was opened.
    fn content(&self, path: &Path, file: OwnedFd, stat: &Stat) -> Result<Bytes, TreeError> {
        let kind = match kind_of(stat) {
            EntryKind::File { .. } => None,
            EntryKind::Directory => Some(TreeErrorKind::IsADirectory),
            _ => Some(TreeErrorKind::Unreadable("is not a regular file".to_owned())),
        };
        if let Some(kind) = kind {
            return Err(TreeError::new(path, kind));
        }
        let too_large = || {
            let why = format!("file is larger than {} bytes", self.max_file);
            TreeError::new(path, TreeErrorKind::Limit(why))
        };
        let size = size_of(stat);
        if size > self.max_file {
            return Err(too_large());
        }
        // With room for a byte more, what is read falls short of it at the end of the file: one call
        // reads nearly all files.
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
        while content.len() < content.capacity() {
            match rustix::io::read(&file, spare_capacity(&mut content)) {
                Ok(0) => return Ok(content.into()),
                Ok(_) if content.len() < content.capacity() && content.len() as u64 == size => {
                    return Ok(content.into());
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(from_errno(path, errno)),
            }
        }
        // It grew after it was looked at. One byte more than allowed shows that it grew too large.
        let rest = self.max_file.saturating_add(1).saturating_sub(content.len() as u64);
        let mut file = File::from(file).take(rest);
        file.read_to_end(&mut content).map_err(|error| from_io(path, error))?;
        if content.len() as u64 > self.max_file {
            return Err(too_large());
        }
        Ok(content.into())
    }
}

impl DiskTree {
    /// What `take` makes of the entries of a directory, in no order. Those that are gone since the directory
    /// was read are left out.
    fn entries<T>(
        &self,
        dir: &Path,
        mut take: impl FnMut(BorrowedFd<'_>, &DirEntry, String) -> Result<T, Errno>,
    ) -> Result<Vec<T>, TreeError> {
        let fail = |errno| from_errno(dir, errno);
        let (handle, stat, _) = self.walk(dir)?;
        if kind_of(&stat) != EntryKind::Directory {
            return Err(TreeError::new(dir, TreeErrorKind::NotADirectory));
        }
        let mut entries = Vec::new();
        let mut open = fs::Dir::new(handle).map_err(fail)?;
        while let Some(entry) = open.read() {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(text) = name.to_str() else {
                let name = name.to_string_lossy().into_owned();
                let why = format!("file name {name:?} is not UTF-8");
                return Err(TreeError::new(dir, TreeErrorKind::Unreadable(why)));
            };
            match take(open.fd().map_err(fail)?, &entry, text.to_owned()) {
                Ok(entry) => entries.push(entry),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(fail(errno)),
            }
        }
        Ok(entries)
    }
}

impl Tree for DiskTree {
    fn read(&self, path: &Path) -> Result<Bytes, TreeError> {
        let (file, stat, _) = self.walk(path)?;
        self.content(path, file, &stat)
    }

    fn read_found(&self, path: &Path) -> Result<(PathBuf, Bytes), TreeError> {
        let (file, stat, real) = self.walk(path)?;
        Ok((real, self.content(path, file, &stat)?))
    }

    fn find(&self, path: &Path) -> Result<(PathBuf, Entry), TreeError> {
        let (_, stat, real) = self.walk(path)?;
        let entry = entry_of(file_name(&real), &stat);
        Ok((real, entry))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, TreeError> {
        let mut entries = self.entries(dir, |handle, entry, name| {
            let stat = fs::statat(handle, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(entry_of(name, &stat))
        })?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn names(&self, dir: &Path) -> Result<Vec<Name>, TreeError> {
        let mut names = self.entries(dir, |handle, entry, name| {
            let kind = match entry.file_type() {
                FileType::Directory => NameKind::Directory,
                FileType::RegularFile => NameKind::File,
                FileType::Symlink => NameKind::Link,
                // Not all file systems tell.
                FileType::Unknown => {
                    let stat = fs::statat(handle, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
                    kind_of(&stat).into()
                }
                _ => NameKind::Special,
            };
            Ok(Name { name, kind })
        })?;
        names.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(names)
    }

    fn read_within(&self, path: &Path, most: u64) -> Result<Option<Bytes>, TreeError> {
        let (file, stat, _) = self.walk(path)?;
        if matches!(kind_of(&stat), EntryKind::File { .. }) && size_of(&stat) > most {
            return Ok(None);
        }
        self.content(path, file, &stat).map(Some)
    }

    fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
        let (_, stat, _) = self.walk(path)?;
        Ok(entry_of(clean_path(path).map(|path| file_name(&path)).unwrap_or_default(), &stat))
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, TreeError> {
        self.walk(path).map(|(_, _, real)| real)
    }
}

fn push_front(todo: &mut VecDeque<OsString>, path: &Path) -> Result<(), TreeErrorKind> {
    for component in path.components().rev() {
        match component {
            Component::Normal(part) => todo.push_front(part.to_owned()),
            Component::ParentDir => todo.push_front(OsString::from("..")),
            Component::CurDir | Component::RootDir => {}
            Component::Prefix(_) => return Err(TreeErrorKind::Escapes),
        }
    }
    Ok(())
}

fn entry_of(name: String, stat: &Stat) -> Entry {
    let kind = kind_of(stat);
    let size = if kind == EntryKind::Directory { 0 } else { size_of(stat) };
    Entry { name, kind, size }
}

fn kind_of(stat: &Stat) -> EntryKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => EntryKind::Directory,
        FileType::RegularFile => EntryKind::File { executable: stat.st_mode & 0o100 != 0 },
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Special,
    }
}

fn size_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn os_string(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(bytes).to_owned()
}

fn from_errno(path: &Path, errno: Errno) -> TreeError {
    let kind = match errno {
        Errno::NOENT => TreeErrorKind::NotFound,
        Errno::NOTDIR => TreeErrorKind::NotADirectory,
        errno => TreeErrorKind::Io(errno.into()),
    };
    TreeError::new(path, kind)
}

fn from_io(path: &Path, error: std::io::Error) -> TreeError {
    TreeError::new(path, TreeErrorKind::Io(error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn kind(result: Result<Bytes, TreeError>) -> String {
        result.unwrap_err().kind.to_string()
    }

    #[test]
    fn links_stay_inside() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/file"), "content").unwrap();
        symlink("../file", root.join("a/b/inside")).unwrap();
        symlink("../../..", root.join("a/b/up")).unwrap();
        symlink(outside.path().join("secret"), root.join("absolute")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("a", root.join("dirlink")).unwrap();
        let tree = DiskTree::open(root).unwrap();
        assert_eq!(&tree.read("a/b/inside".as_ref()).unwrap()[..], b"content");
        assert_eq!(&tree.read("dirlink/file".as_ref()).unwrap()[..], b"content");
        assert_eq!(&tree.read("dirlink/b/../file".as_ref()).unwrap()[..], b"content");
        let escapes = "path leaves the root of the tree";
        assert_eq!(tree.resolve("dirlink/b/../file".as_ref()).unwrap(), Path::new("a/file"));
        assert_eq!(kind(tree.read("absolute".as_ref())), escapes);
        assert_eq!(kind(tree.read("a/b/up/etc/passwd".as_ref())), escapes);
        assert_eq!(kind(tree.read("../secret".as_ref())), escapes);
        assert_eq!(kind(tree.read("loop".as_ref())), "too many levels of symbolic links");
        assert_eq!(kind(tree.read("a".as_ref())), "is a directory");
        assert_eq!(kind(tree.read("a/file/x".as_ref())), "not a directory");
        assert!(tree.read("none".as_ref()).unwrap_err().is_not_found());
        let links: Vec<_> = tree
            .list("".as_ref())
            .unwrap()
            .into_iter()
            .filter(|entry| entry.kind == EntryKind::Link)
            .map(|entry| entry.name)
            .collect();
        assert_eq!(links, ["absolute", "dirlink", "loop"]);
        let named = |name: &str, kind| Name { name: name.to_owned(), kind };
        assert_eq!(
            tree.names("".as_ref()).unwrap(),
            [
                named("a", NameKind::Directory),
                named("absolute", NameKind::Link),
                named("dirlink", NameKind::Link),
                named("loop", NameKind::Link),
            ]
        );
        assert_eq!(tree.names("a".as_ref()).unwrap()[1], named("file", NameKind::File));
        for (most, found) in [(7, true), (6, false)] {
            let content = tree.read_within("a/b/inside".as_ref(), most).unwrap();
            assert_eq!(content.as_deref(), found.then_some(&b"content"[..]));
        }
    }

    #[test]
    fn swapped_links_never_escape() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("f"), "outside").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        std::fs::create_dir(root.join("real")).unwrap();
        std::fs::write(root.join("real/f"), "inside").unwrap();
        symlink(outside.path(), root.join("evil")).unwrap();
        let tree = DiskTree::open(&root).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = symlink("evil", root.join("d.new"));
                    let _ = std::fs::rename(root.join("d.new"), root.join("d"));
                    let _ = symlink("real", root.join("d.new"));
                    let _ = std::fs::rename(root.join("d.new"), root.join("d"));
                }
            });
            for _ in 0..20_000 {
                if let Ok(content) = tree.read("d/f".as_ref()) {
                    assert_eq!(&content[..], b"inside");
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
