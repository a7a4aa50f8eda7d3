//! Where files and bases come from.
//!
//! Follows kustomize's `api/internal/loader`; differs in that every path stays inside the tree,
//! whatever the restriction says, and that remote places are asked of [`Remotes`].

pub(crate) mod path;
mod remote;
mod repository;
mod suggest;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use gitops_core::{Tree, TreeErrorKind};

pub use remote::{DenyRemotes, Remote, Remotes};
pub use repository::RepositoryUrl;

use crate::{
    build::BuildOptions,
    error::{Error, ErrorKind, Result, kind_of_tree_error},
};

/// Which files a kustomization may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestriction {
    /// Only files in or below the directory of the kustomization file: kustomize's default.
    #[default]
    RootOnly,
    /// Any file of the tree: what Flux uses.
    None,
}

/// The files of one directory with a kustomization file in it.
#[derive(Clone, Debug)]
pub(crate) struct Loader<'t> {
    files: Files<'t>,
    restriction: LoadRestriction,
    /// The directory, links resolved, relative to the tree's root.
    root: String,
    /// What messages put before paths.
    shown_before: &'t str,
    /// The directories that led here, the first one last; with the place they belong to.
    visited: Option<Arc<Visited>>,
    remotes: &'t dyn Remotes,
    depth: usize,
    input: Arc<Input>,
}

/// How much a build has read, and may read, in bytes.
#[derive(Debug)]
struct Input {
    read: AtomicUsize,
    limit: usize,
}

/// The tree that files are read from: the one that is built, or one that was fetched.
#[derive(Clone, Debug)]
enum Files<'t> {
    Local(&'t dyn Tree),
    Fetched { tree: Arc<dyn Tree>, url: Arc<str> },
}

#[derive(Debug)]
struct Visited {
    place: Option<Arc<str>>,
    root: String,
    before: Option<Arc<Self>>,
}

/// How deep kustomizations may nest.
const MAX_DEPTH: usize = 100;

impl<'t> Loader<'t> {
    /// A loader of the directory that is built.
    pub(crate) fn open(
        tree: &'t dyn Tree,
        directory: &Path,
        options: &'t BuildOptions,
    ) -> Result<Self> {
        let text = directory.to_string_lossy();
        let mut loader = Self {
            files: Files::Local(tree),
            restriction: options.load_restriction,
            root: String::new(),
            shown_before: &options.shown_root,
            visited: None,
            remotes: &*options.remotes,
            depth: 0,
            input: Arc::new(Input { read: AtomicUsize::new(0), limit: options.limits.input }),
        };
        loader.root = loader.confirm_directory(&path::clean(&text))?;
        Ok(loader)
    }

    /// The directory, relative to the tree's root.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The directory as messages show it.
    pub(crate) fn shown_root(&self) -> String {
        self.shown(&self.root)
    }

    /// A key by which equal directories are known, whatever the way to them.
    pub(crate) fn place(&self) -> String {
        match &self.files {
            Files::Local(_) => self.root.clone(),
            Files::Fetched { url, .. } => format!("{url} {}", self.root),
        }
    }

    /// A path as errors name it: relative to the tree's root, in a repository that was fetched behind
    /// the repository's address and a `#`.
    pub(crate) fn name_of(&self, file: &str) -> String {
        if path::is_remote(file) {
            return path::masked(file);
        }
        let full = path::join(&self.root, file);
        match self.files.url() {
            None => full,
            Some(url) => format!("{}#{full}", path::masked(&url)),
        }
    }

    /// The content of a file that the kustomization names.
    pub(crate) fn read(&self, file: &str) -> Result<Bytes> {
        let content = self.read_uncounted(file)?;
        self.counted(file, content)
    }

    fn counted(&self, file: &str, content: Bytes) -> Result<Bytes> {
        let Input { read, limit } = &*self.input;
        let before = read.fetch_add(content.len(), Ordering::Relaxed);
        if before.saturating_add(content.len()) > *limit {
            let message = format!("the files of this build are larger than {limit} bytes");
            return Err(Error::new(ErrorKind::Limit, message).in_file(self.name_of(file)));
        }
        Ok(content)
    }

    fn read_uncounted(&self, file: &str) -> Result<Bytes> {
        if path::is_remote_file(file) {
            return self.remotes.file(file);
        }
        let full = self.place_of(file);
        let tree = self.tree();
        if self.restriction == LoadRestriction::RootOnly {
            match tree.read_found(Path::new(&full)) {
                Ok((real, content)) if self.may_read(&real) => return Ok(content),
                Err(error) if matches!(error.kind, TreeErrorKind::IsADirectory) => {
                    return Err(self.not_a_file(&full));
                }
                // What is wrong is told below.
                Ok(_) | Err(_) => {}
            }
            let real = tree.resolve(Path::new(&full)).map_err(|error| {
                let problem = self.open_error("lstat", &full, &error);
                let shown = self.shown(&full);
                problem.reword(|text| format!("evalsymlink failure on '{shown}' : {text}"))
            })?;
            let real = real.to_string_lossy().into_owned();
            if !path::is_within(&real, &self.root) {
                let message = format!(
                    "security; file '{}' is not in or below '{}'",
                    self.shown(&real),
                    self.shown_root(),
                );
                return Err(Error::new(ErrorKind::Denied, message)
                    .expecting("a file in or below the directory of the kustomization")
                    .with_hint("move the file below the kustomization, or lift the restriction (--load-restrictor LoadRestrictionsNone)"));
            }
        }
        tree.read(Path::new(&full)).map_err(|error| match error.kind {
            TreeErrorKind::IsADirectory if self.restriction == LoadRestriction::RootOnly => {
                self.not_a_file(&full)
            }
            TreeErrorKind::IsADirectory => Error::new(
                ErrorKind::NotFound,
                format!("read {}: is a directory", self.shown(&full)),
            ),
            _ => self.open_error("open", &full, &error),
        })
    }

    /// Whether a file may be read, by the place where it really stands.
    fn may_read(&self, real: &Path) -> bool {
        self.restriction == LoadRestriction::None
            || path::is_within(&real.to_string_lossy(), &self.root)
    }

    #[cold]
    fn not_a_file(&self, full: &str) -> Error {
        let message = format!("'{}' must resolve to a file", self.shown(full));
        Error::new(ErrorKind::NotFound, message)
    }

    /// The content of a file that the kustomization's own directory may have.
    pub(crate) fn read_if_there(&self, file: &str) -> Result<Option<Bytes>> {
        let full = path::join(&self.root, file);
        match self.tree().read_found(Path::new(&full)) {
            Ok((real, content)) if self.may_read(&real) => {
                return self.counted(file, content).map(Some);
            }
            Err(error) if kind_of_tree_error(&error) == ErrorKind::NotFound => return Ok(None),
            // What is wrong is told below.
            Ok(_) | Err(_) => {}
        }
        match self.read(file) {
            Ok(content) => Ok(Some(content)),
            // A directory of the name.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The text of a file by the name that errors have for it.
    pub(crate) fn text_of(&self, name: &str) -> Option<String> {
        let own = match self.files.url() {
            None => name,
            Some(url) => name.strip_prefix(path::masked(&url).as_str())?.strip_prefix('#')?,
        };
        let content = self.tree().read(Path::new(own)).ok()?;
        Some(String::from_utf8_lossy(&content).into_owned())
    }

    /// Adds what may help to a failure to find what the kustomization calls `entry`.
    #[cold]
    pub(crate) fn suggest(&self, error: Error, entry: &str) -> Error {
        if error.kind() != ErrorKind::NotFound || path::is_remote(entry) {
            return error;
        }
        match suggest::nearest(self.tree(), &self.root, entry) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// A loader of a base or component.
    pub(crate) fn enter(&self, target: &str) -> Result<Self> {
        if target.is_empty() {
            return Err(Error::new(ErrorKind::Field, "new root cannot be empty"));
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::new(
                ErrorKind::Cycle,
                format!(
                    "kustomizations nest more than {MAX_DEPTH} deep at '{}'",
                    self.shown_root()
                ),
            ));
        }
        if path::is_remote(target) {
            return self.enter_remote(target);
        }
        if target.starts_with('/') {
            let message = format!("new root '{target}' cannot be absolute");
            return Err(Error::new(ErrorKind::Denied, message)
                .expecting("a path relative to the kustomization"));
        }
        if has_swallowed_entry(target) {
            let clean = path::clean(target);
            return Err(Error::new(
                ErrorKind::Field,
                format!(
                    "path {target:?} is ambiguous: resolves to {clean:?} after normalization, which is likely not the intended target; check for YAML indentation errors in your kustomization file"
                ),
            )
            .with_hint("begin each entry on a line of its own, all with the same indentation"));
        }
        let next = Self {
            root: self.confirm_directory(&path::join(&self.root, target))?,
            visited: Some(self.as_visited()),
            depth: self.depth + 1,
            ..self.clone()
        };
        next.check_cycle()?;
        Ok(next)
    }

    fn enter_remote(&self, target: &str) -> Result<Self> {
        let repository = RepositoryUrl::parse(target).ok_or_else(Error::not_a_file)?;
        let Remote { tree, path: directory } = self.remotes.directory(&repository)?;
        let mut next = Self {
            files: Files::Fetched { tree, url: target.into() },
            // What was fetched never reads outside its directories.
            restriction: LoadRestriction::RootOnly,
            visited: Some(self.as_visited()),
            depth: self.depth + 1,
            ..self.clone()
        };
        next.root = next.confirm_directory(&path::clean(&directory.to_string_lossy()))?;
        next.check_cycle()?;
        Ok(next)
    }

    /// Fails if this directory holds, or is, one that led here.
    fn check_cycle(&self) -> Result<()> {
        let place = self.files.url();
        let mut before = self.visited.as_deref();
        while let Some(visited) = before {
            if visited.place == place && path::is_within(&visited.root, &self.root) {
                let message = format!(
                    "cycle detected: candidate root '{}' contains visited root '{}'",
                    self.shown_root(),
                    self.shown(&visited.root),
                );
                return Err(Error::new(ErrorKind::Cycle, message)
                    .expecting("a directory that is not on the way from the built kustomization to this one")
                    .with_hint("a base must not lie at or above the kustomization that names it"));
            }
            before = visited.before.as_deref();
        }
        Ok(())
    }

    fn as_visited(&self) -> Arc<Visited> {
        Arc::new(Visited {
            place: self.files.url(),
            root: self.root.clone(),
            before: self.visited.clone(),
        })
    }

    fn confirm_directory(&self, directory: &str) -> Result<String> {
        let fail = |kind, message: String| {
            Err(Error::new(kind, format!("must build at directory: {message}")))
        };
        match self.tree().find(Path::new(directory)) {
            Ok((real, entry)) if entry.is_dir() => Ok(real.to_string_lossy().into_owned()),
            Ok(_) => fail(
                ErrorKind::NotFound,
                format!("'{}': file is not directory", self.shown(directory)),
            ),
            Err(error) => {
                let problem = self.open_error("lstat", directory, &error);
                let message = format!(
                    "not a valid directory: evalsymlink failure on '{}' : {problem}",
                    self.shown(directory),
                );
                fail(kind_of_tree_error(&error), message)
            }
        }
    }

    /// `open /file: no such file or directory`, as Go puts it.
    fn open_error(&self, verb: &str, file: &str, error: &gitops_core::TreeError) -> Error {
        let kind = kind_of_tree_error(error);
        if matches!(error.kind, TreeErrorKind::Escapes) {
            return self.escaped(verb, file);
        }
        // Go looks at one part of the path after the other.
        let file = if verb == "lstat" && kind == ErrorKind::NotFound {
            self.first_missing(file)
        } else {
            file
        };
        Error::new(kind, format!("{verb} {}: {}", self.shown(file), error.kind))
    }

    /// What Flux says of a path that leads out of the artifact: it may not be read, and for a look at it
    /// there is nothing beside the artifact's directory.
    fn escaped(&self, verb: &str, file: &str) -> Error {
        let (root, place) = (&self.shown_before, self.shown(file));
        let message = if verb == "lstat" {
            let mut there = root.split('/');
            let parts = place.split('/').position(|part| there.next() != Some(part));
            let missing: Vec<&str> =
                place.split('/').take(parts.map_or(usize::MAX, |at| at + 1)).collect();
            format!("lstat {}: no such file or directory", missing.join("/"))
        } else {
            format!(
                "fs-security-constraint read {place}: path '{place}' is not in or below '{root}'"
            )
        };
        Error::new(ErrorKind::Denied, message)
    }

    /// The path up to its first part that is not there.
    fn first_missing<'f>(&self, file: &'f str) -> &'f str {
        let ends = file.match_indices('/').map(|(at, _)| at).chain([file.len()]);
        ends.map(|end| &file[..end])
            .find(|part| self.tree().stat(Path::new(part)).is_err())
            .unwrap_or(file)
    }

    /// A directory has more than one kustomization file.
    pub(crate) fn several_files(&self, second: &str) -> Error {
        let message = format!("Found multiple kustomization files under: {}\n", self.shown_root());
        Error::new(ErrorKind::Conflict, message)
            .expecting("one kustomization file in a directory")
            .in_kustomization(second.to_owned(), b"")
    }

    /// A path of the tree as messages show it.
    pub(crate) fn shown(&self, path: &str) -> String {
        if path.is_empty() && !self.shown_before.is_empty() {
            return self.shown_before.to_owned();
        }
        if path.starts_with("../") || path == ".." {
            let place = path::clean(&format!("{}/{path}", self.shown_before));
            return format!("/{}", place.trim_start_matches("../"));
        }
        format!("{}/{path}", self.shown_before)
    }

    /// The tree that the files stand in.
    pub(crate) fn tree(&self) -> &dyn Tree {
        self.files.tree()
    }

    /// A path that the kustomization names, relative to the tree's root.
    pub(crate) fn place_of(&self, file: &str) -> String {
        if file.starts_with('/') { path::clean(file) } else { path::join(&self.root, file) }
    }
}

impl Files<'_> {
    fn tree(&self) -> &dyn Tree {
        match self {
            Self::Local(tree) => *tree,
            Self::Fetched { tree, .. } => &**tree,
        }
    }

    fn url(&self) -> Option<Arc<str>> {
        match self {
            Self::Local(_) => None,
            Self::Fetched { url, .. } => Some(Arc::clone(url)),
        }
    }
}

/// Whether a part of the path holds `..` among other letters: two list entries of YAML that became
/// one by wrong indentation.
fn has_swallowed_entry(target: &str) -> bool {
    target.split('/').any(|part| part != ".." && part.contains(".."))
}
