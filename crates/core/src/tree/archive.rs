//! Reproducible `tar.gz` archives of trees.
//!
//! Follows Flux's artifact format: entries relative to the root, owner 0, no names, times zero,
//! files 0600 (0700 when executable), directories 0750; links and special files are left out.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, read::MultiGzDecoder};

use super::{EntryKind, MemoryTree, Tree, TreeError, TreeErrorKind, clean_path};
use crate::Scope;

/// Bounds for an archive that comes from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Unpacked size of all files, in bytes.
    pub bytes: u64,
    /// Number of entries, directories included.
    pub entries: usize,
    /// Components of a path.
    pub depth: usize,
}

impl Default for Limits {
    /// 512 MiB, 100 000 entries, 128 components.
    fn default() -> Self {
        Self { bytes: 512 << 20, entries: 100_000, depth: 128 }
    }
}

/// Writes the files of `tree` for which `keep` says yes as a `tar.gz`. `keep` gets the path
/// relative to the root and whether it is a directory; a directory that it refuses is left out but
/// still entered, since ignore rules may take a file in it back. The root has an entry of its own,
/// `.`, which is never refused. The same files give the same bytes, whatever the tree.
///
/// # Errors
/// When the tree cannot be read, `out` cannot be written, or the scope is cancelled.
pub fn pack(
    tree: &dyn Tree,
    keep: &dyn Fn(&Path, bool) -> bool,
    out: &mut dyn Write,
    scope: &Scope,
) -> Result<(), TreeError> {
    // One level more takes a quarter to two thirds more time for a hundredth of the size.
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(out, Compression::new(5));
    let mut archive = tar::Builder::new(gzip);
    append(&mut archive, Path::new("."), EntryKind::Directory, &[])
        .map_err(|error| TreeError::new("", TreeErrorKind::Io(error)))?;
    pack_directory(tree, keep, Path::new(""), &mut archive, scope)?;
    let finish = || archive.into_inner()?.finish()?.flush();
    finish().map_err(|error| TreeError::new("", TreeErrorKind::Io(error)))
}

fn pack_directory<W: Write>(
    tree: &dyn Tree,
    keep: &dyn Fn(&Path, bool) -> bool,
    dir: &Path,
    archive: &mut tar::Builder<W>,
    scope: &Scope,
) -> Result<(), TreeError> {
    for entry in tree.list(dir)? {
        let path = dir.join(&entry.name);
        let fail = |error| TreeError::new(&path, TreeErrorKind::Io(error));
        scope.check().map_err(|error| fail(io::Error::other(error)))?;
        if matches!(entry.kind, EntryKind::Link | EntryKind::Special) {
            continue;
        }
        let is_dir = entry.is_dir();
        if keep(&path, is_dir) {
            let content = if is_dir { Bytes::new() } else { tree.read(&path)? };
            append(archive, &path, entry.kind, &content).map_err(fail)?;
        }
        if is_dir {
            pack_directory(tree, keep, &path, archive, scope)?;
        }
    }
    Ok(())
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    path: &Path,
    kind: EntryKind,
    content: &[u8],
) -> io::Result<()> {
    let (entry_type, mode) = match kind {
        EntryKind::Directory => (tar::EntryType::Directory, 0o750),
        EntryKind::File { executable: true } => (tar::EntryType::Regular, 0o700),
        _ => (tar::EntryType::Regular, 0o600),
    };
    let mut header = tar::Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, path, content)
}

/// Reads a `tar.gz` into memory. Nothing is written to disk, so no entry can name a place outside.
/// Links and special files are left out; an entry that climbs above the root is an error.
///
/// # Errors
/// When the archive is malformed or exceeds `limits`.
pub fn unpack(archive: impl Read, limits: &Limits) -> Result<MemoryTree, TreeError> {
    unpack_unless(archive, limits, |_| None)
}

/// What an archive says of an entry before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveEntry<'e> {
    /// Its path, as it is written.
    pub path: &'e str,
    /// `d` for a directory, `-` for a file, `L` for a link, `p` for a pipe, `c` and `b` for devices,
    /// `?` for anything else.
    pub kind: char,
    /// Its permissions.
    pub permissions: u32,
}

/// [`unpack`], unless there is an entry that is refused; the text says why.
///
/// # Errors
/// As [`unpack`], and [`TreeErrorKind::Unreadable`] for what is refused.
pub fn unpack_unless(
    archive: impl Read,
    limits: &Limits,
    refused: impl Fn(ArchiveEntry<'_>) -> Option<String>,
) -> Result<MemoryTree, TreeError> {
    let fail = |error| TreeError::new("", TreeErrorKind::Io(error));
    let limit = |path: &Path, why: String| TreeError::new(path, TreeErrorKind::Limit(why));
    // The headers count too: 2 KiB an entry and some room for long names.
    let overhead = (limits.entries as u64).saturating_mul(2048);
    let bounded = MultiGzDecoder::new(archive).take(limits.bytes.saturating_add(overhead));
    let mut archive = tar::Archive::new(bounded);
    let mut tree = MemoryTree::new();
    let mut bytes = 0_u64;
    for (count, entry) in archive.entries().map_err(fail)?.enumerate() {
        let mut entry = entry.map_err(fail)?;
        if count >= limits.entries {
            return Err(limit(Path::new(""), format!("more than {} entries", limits.entries)));
        }
        let path: PathBuf = entry.path().map_err(fail)?.into_owned();
        let about = ArchiveEntry {
            path: &path.to_string_lossy(),
            kind: kind_of(entry.header().entry_type()),
            permissions: entry.header().mode().unwrap_or(0) & 0o777,
        };
        if let Some(why) = refused(about) {
            return Err(TreeError::new(&path, TreeErrorKind::Unreadable(why)));
        }
        let path = clean_path(&path)?;
        if path.components().count() > limits.depth {
            return Err(limit(&path, format!("more than {} components", limits.depth)));
        }
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            tree.insert_directory(&path)?;
        }
        if !kind.is_file() || path.as_os_str().is_empty() {
            continue;
        }
        bytes = bytes.saturating_add(entry.size());
        if bytes > limits.bytes {
            return Err(limit(&path, format!("more than {} bytes unpacked", limits.bytes)));
        }
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .map_err(|error| TreeError::new(&path, TreeErrorKind::Io(error)))?;
        if entry.header().mode().unwrap_or(0) & 0o100 == 0 {
            tree.insert(path, content)?;
        } else {
            tree.insert_executable(path, content)?;
        }
    }
    Ok(tree)
}

fn kind_of(kind: tar::EntryType) -> char {
    use tar::EntryType;
    match kind {
        EntryType::Directory => 'd',
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => '-',
        EntryType::Link | EntryType::Symlink => 'L',
        EntryType::Fifo => 'p',
        EntryType::Char => 'c',
        EntryType::Block => 'b',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    #[test]
    fn refused_directories_are_entered_and_empty_ones_survive() {
        let mut tree = MemoryTree::from_iter([("docs/keep.md", "k"), ("docs/drop.md", "d")]);
        tree.insert_directory("vendor/app").unwrap();
        let keep =
            |path: &Path, is_dir: bool| is_dir && path != "docs" || path.ends_with("keep.md");
        let mut out = Vec::new();
        pack(&tree, &keep, &mut out, &Scope::background()).unwrap();
        let mut archive = tar::Archive::new(MultiGzDecoder::new(&out[..]));
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, [".", "docs/keep.md", "vendor", "vendor/app"]);
        let back = unpack(&out[..], &Limits::default()).unwrap();
        assert!(back.stat("vendor/app".as_ref()).unwrap().is_dir());
    }

    fn packed(tree: &dyn Tree) -> Vec<u8> {
        let mut out = Vec::new();
        pack(tree, &|path, _| !path.ends_with("left-out"), &mut out, &Scope::background()).unwrap();
        out
    }

    #[test]
    fn packs_the_same_bytes_and_reads_them_back() {
        let mut tree =
            MemoryTree::from_iter([("b/c.yaml", "c"), ("a.yaml", "a"), ("left-out", "")]);
        tree.insert_executable("b/run.sh", "#!").unwrap();
        let first = packed(&tree);
        assert_eq!(Digest::sha256(&first), Digest::sha256(&packed(&tree)));
        let back = unpack(&first[..], &Limits::default()).unwrap();
        let names: Vec<_> = back.files().map(|(path, _)| path.display().to_string()).collect();
        assert_eq!(names, ["a.yaml", "b/c.yaml", "b/run.sh"]);
        let kind = back.stat("b/run.sh".as_ref()).unwrap().kind;
        assert_eq!(kind, EntryKind::File { executable: true });
        assert_eq!(first, packed(&back), "the tree's kind does not matter");
    }

    #[test]
    fn bombs_are_refused() {
        let tree = MemoryTree::from_iter([("zeros", vec![0_u8; 4 << 20]), ("b", vec![1])]);
        let bomb = packed(&tree);
        assert!(bomb.len() < 16 << 10);
        let small = Limits { bytes: 1 << 20, ..Limits::default() };
        assert!(unpack(&bomb[..], &small).unwrap_err().to_string().contains("bytes unpacked"));
        let few = Limits { entries: 1, ..Limits::default() };
        assert!(unpack(&bomb[..], &few).unwrap_err().to_string().contains("entries"));
        assert!(unpack(&bomb[..100], &Limits::default()).is_err());
        assert!(unpack(&b"not gzip"[..], &Limits::default()).is_err());
    }

    #[test]
    fn climbing_entries_are_refused() {
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        let name = b"../evil";
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_cksum();
        let mut raw =
            tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), Compression::fast()));
        raw.append(&header, &b"x"[..]).unwrap();
        let bytes = raw.into_inner().unwrap().finish().unwrap();
        let error = unpack(&bytes[..], &Limits::default()).unwrap_err();
        assert!(matches!(error.kind, TreeErrorKind::Escapes));
    }
}
