//! Files from a disk to an artifact and back.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use gitops_core::{DiskTree, Entry, EntryKind, MemoryTree, Scope, Tree, pack};
use gitops_source::IgnoreRules;

use super::args::Ignore;

/// What may be read from stdin, or stand behind links.
const MAX_BYTES: u64 = 512 << 20;
const MAX_DEPTH: usize = 64;

impl Ignore {
    pub(super) fn rules(&self) -> IgnoreRules {
        let all: Vec<&str> =
            self.ignore_paths.iter().chain(&self.add_ignore_paths).map(String::as_str).collect();
        IgnoreRules::only(&all.join("\n"))
    }
}

/// The files of a directory, or one file.
pub(super) fn open(path: &Path, resolve_links: bool) -> anyhow::Result<Arc<dyn Tree>> {
    let metadata = fs::metadata(path).with_context(|| {
        format!("invalid path '{}', must point to an existing directory or file", path.display())
    })?;
    if metadata.is_dir() {
        if !resolve_links {
            return Ok(Arc::new(DiskTree::open(path)?));
        }
        let mut tree = MemoryTree::new();
        resolved(path, Path::new(""), &mut tree, 0, &mut 0).context("resolving symlinks failed")?;
        return Ok(Arc::new(tree));
    }
    let name = path.file_name().context("the path names no file")?;
    let mut tree = MemoryTree::new();
    insert(&mut tree, Path::new(name), path, &metadata)?;
    Ok(Arc::new(tree))
}

/// What comes in on stdin, as one file.
pub(super) fn stdin() -> anyhow::Result<Arc<dyn Tree>> {
    let mut content = Vec::new();
    std::io::stdin().take(MAX_BYTES).read_to_end(&mut content)?;
    Ok(Arc::new(MemoryTree::from_iter([("manifests.yaml", content)])))
}

/// Reads a directory with what links lead to in their places.
fn resolved(
    from: &Path,
    to: &Path,
    tree: &mut MemoryTree,
    depth: usize,
    bytes: &mut u64,
) -> anyhow::Result<()> {
    if depth > MAX_DEPTH {
        bail!("'{}' is too deep, or a link leads back to where it is", from.display());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        // A link that leads nowhere is left out.
        let Ok(metadata) = fs::metadata(&from) else { continue };
        if metadata.is_dir() {
            tree.insert_directory(&to)?;
            resolved(&from, &to, tree, depth + 1, bytes)?;
        } else if metadata.is_file() {
            *bytes += metadata.len();
            if *bytes > MAX_BYTES {
                bail!("more than {MAX_BYTES} bytes");
            }
            insert(tree, &to, &from, &metadata)?;
        }
    }
    Ok(())
}

fn insert(
    tree: &mut MemoryTree,
    to: &Path,
    from: &Path,
    metadata: &fs::Metadata,
) -> anyhow::Result<()> {
    let content = fs::read(from).with_context(|| format!("cannot read '{}'", from.display()))?;
    if metadata.permissions().mode() & 0o100 == 0 {
        tree.insert(to, content)?;
    } else {
        tree.insert_executable(to, content)?;
    }
    Ok(())
}

/// Packs files as Flux does.
pub(super) fn packed(tree: &dyn Tree, rules: &IgnoreRules) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    let keep = |path: &Path, is_dir: bool| !rules.ignores(path, is_dir);
    pack(tree, &keep, &mut out, &Scope::background())?;
    Ok(out)
}

/// Writes the files of a tree below a directory. Links that are there are not followed out of it.
pub(crate) fn write(tree: &dyn Tree, directory: &Path) -> anyhow::Result<()> {
    let root = directory.canonicalize()?;
    let mut waiting = vec![PathBuf::new()];
    while let Some(place) = waiting.pop() {
        for Entry { name, kind, .. } in tree.list(&place)? {
            let path = place.join(&name);
            let target = root.join(&path);
            match kind {
                EntryKind::Directory => {
                    fs::create_dir_all(&target)?;
                    if !target.canonicalize()?.starts_with(&root) {
                        bail!("'{}' leads out of the directory", target.display());
                    }
                    waiting.push(path);
                }
                EntryKind::File { executable } => {
                    // In place of a link, not through it.
                    if target.symlink_metadata().is_ok_and(|old| old.is_symlink()) {
                        fs::remove_file(&target)?;
                    }
                    let mut file = fs::File::create(&target)
                        .with_context(|| format!("cannot write '{}'", target.display()))?;
                    file.write_all(&tree.read(&path)?)?;
                    if executable {
                        file.set_permissions(fs::Permissions::from_mode(0o755))?;
                    }
                }
                EntryKind::Link | EntryKind::Special => {}
            }
        }
    }
    Ok(())
}
