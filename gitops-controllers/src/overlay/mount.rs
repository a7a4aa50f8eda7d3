//! An artifact below a directory of its own, so that paths in messages look like those of Flux.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use gitops_core::{Entry, EntryKind, Tree, TreeError, TreeErrorKind, clean_path};

/// Where artifacts seem to be unpacked.
pub(super) const ROOT: &str = "tmp/kustomization-0";

/// A tree below [`ROOT`]. Nothing else exists.
#[derive(Debug)]
pub(super) struct Mounted(Arc<dyn Tree>);

impl Mounted {
    pub(super) fn new(inner: Arc<dyn Tree>) -> Self {
        Self(inner)
    }

    /// The path within the artifact. `..` that leaves the artifact leads nowhere.
    fn inner(path: &Path) -> Result<PathBuf, TreeError> {
        let clean = clean_path(path)?;
        let missing = || TreeError::new(path, TreeErrorKind::NotFound);
        clean
            .strip_prefix(ROOT)
            .map(Path::to_path_buf)
            .map_err(|_| missing())
    }

    fn outer<T>(path: &Path, result: Result<T, TreeError>) -> Result<T, TreeError> {
        result.map_err(|error| TreeError::new(path, error.kind))
    }

    fn is_above(path: &Path) -> bool {
        clean_path(path).is_ok_and(|clean| Path::new(ROOT).starts_with(clean))
    }
}

impl Tree for Mounted {
    fn read(&self, path: &Path) -> Result<Bytes, TreeError> {
        Self::outer(path, self.0.read(&Self::inner(path)?))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, TreeError> {
        Self::outer(dir, self.0.list(&Self::inner(dir)?))
    }

    fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
        match Self::inner(path) {
            Ok(inner) => Self::outer(path, self.0.stat(&inner)),
            Err(_) if Self::is_above(path) => {
                let name = path
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                Ok(Entry {
                    name: name.unwrap_or_default(),
                    kind: EntryKind::Directory,
                    size: 0,
                })
            }
            Err(error) => Err(error),
        }
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, TreeError> {
        match Self::inner(path) {
            Ok(inner) => {
                Self::outer(path, self.0.resolve(&inner)).map(|to| Path::new(ROOT).join(to))
            }
            Err(_) if Self::is_above(path) => clean_path(path),
            Err(error) => Err(error),
        }
    }
}
