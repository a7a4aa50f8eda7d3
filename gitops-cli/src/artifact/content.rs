//! Files from a disk to an artifact and back, with the permissions that they have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use flate2::{Compression, GzBuilder, read::MultiGzDecoder};
use gitops_core::{Entry, EntryKind, Limits, Tree};
use gitops_source::IgnoreRules;

use super::args::Ignore;

/// What may be read from stdin.
const MAX_STDIN: u64 = 512 << 20;
/// Of the directory that Flux puts single files and copies into.
const PRIVATE: u32 = 0o700;

impl Ignore {
    pub(super) fn rules(&self) -> IgnoreRules {
        let all: Vec<&str> =
            self.ignore_paths.iter().chain(&self.add_ignore_paths).map(String::as_str).collect();
        IgnoreRules::only(&all.join("\n"))
    }
}

/// The files of an artifact to be, in the order in which an archive has them.
pub(super) struct Files {
    root_mode: u32,
    entries: Vec<(PathBuf, u32, Content)>,
}

enum Content {
    Directory,
    File(PathBuf),
    Text(Vec<u8>),
}

impl Files {
    /// The files of a directory, or one file. Links are left out, or `resolve_links` puts what they
    /// lead to in their places.
    pub(super) fn open(path: &Path, resolve_links: bool) -> anyhow::Result<Self> {
        let metadata = fs::metadata(path).map_err(|error| {
            let shown = path.display();
            anyhow::anyhow!("{}: stat {shown}: {}", absent(path), go_text(&error))
        })?;
        let mut files = Self { root_mode: mode(&metadata), entries: Vec::new() };
        if !metadata.is_dir() {
            let name = path.file_name().context("the path names no file")?;
            files.root_mode = PRIVATE;
            files.entries.push((name.into(), mode(&metadata), Content::File(path.to_owned())));
        } else if resolve_links {
            files.root_mode = PRIVATE;
            let path = path.canonicalize()?;
            let resolved = files.resolved(&path, Path::new(""), &mut BTreeSet::new());
            resolved.context("resolving symlinks failed")?;
        } else {
            files.directory(path, Path::new(""))?;
        }
        Ok(files)
    }

    /// What comes in on stdin, as one file.
    pub(super) fn stdin() -> anyhow::Result<Self> {
        let mut content = Vec::new();
        let size = io::stdin().take(MAX_STDIN + 1).read_to_end(&mut content)?;
        if size as u64 > MAX_STDIN {
            bail!("more than {MAX_STDIN} bytes on stdin");
        }
        while content.last().is_some_and(|last| b"\r\n".contains(last)) {
            content.pop();
        }
        let entries = vec![("manifests.yaml".into(), 0o600, Content::Text(content))];
        Ok(Self { root_mode: PRIVATE, entries })
    }

    fn directory(&mut self, from: &Path, to: &Path) -> anyhow::Result<()> {
        for (name, from) in listed(from)? {
            let to = to.join(name);
            let metadata = from.symlink_metadata()?;
            if metadata.is_dir() {
                self.entries.push((to.clone(), mode(&metadata), Content::Directory));
                self.directory(&from, &to)?;
            } else if metadata.is_file() {
                self.entries.push((to, mode(&metadata), Content::File(from)));
            }
        }
        Ok(())
    }

    /// `above` are the directories that one is in: a link that leads back to one is empty there.
    fn resolved(
        &mut self,
        from: &Path,
        to: &Path,
        above: &mut BTreeSet<PathBuf>,
    ) -> anyhow::Result<()> {
        if !above.insert(from.to_owned()) {
            return Ok(());
        }
        for (name, from) in listed(from)? {
            let to = to.join(name);
            let real = from.canonicalize().map_err(|error| {
                let target = fs::read_link(&from).unwrap_or_default();
                let target = from.parent().unwrap_or(&from).join(target);
                let (shown, target) = (from.display(), target.display());
                anyhow::anyhow!("resolving symlink {shown}: lstat {target}: {}", go_text(&error))
            })?;
            let metadata = real.metadata()?;
            if metadata.is_dir() {
                self.entries.push((to.clone(), mode(&metadata), Content::Directory));
                self.resolved(&real, &to, above)?;
            } else if metadata.is_file() {
                self.entries.push((to, mode(&metadata), Content::File(real)));
            }
        }
        above.remove(from);
        Ok(())
    }

    /// Archives the files as Flux's commands do. The same files give the same bytes.
    pub(super) fn packed(self, rules: &IgnoreRules) -> anyhow::Result<Vec<u8>> {
        let gzip =
            GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
        let mut archive = tar::Builder::new(gzip);
        append(&mut archive, Path::new("."), self.root_mode, None)?;
        for (path, mode, content) in self.entries {
            let is_directory = matches!(content, Content::Directory);
            if rules.ignores(&path, is_directory) {
                continue;
            }
            let content = match content {
                Content::Directory => None,
                Content::Text(content) => Some(content),
                Content::File(from) => Some(
                    fs::read(&from).with_context(|| format!("cannot read '{}'", from.display()))?,
                ),
            };
            append(&mut archive, &path, mode, content.as_deref())?;
        }
        Ok(archive.into_inner()?.finish()?)
    }
}

/// What Flux says of a path where nothing is.
pub(super) fn absent(path: &Path) -> String {
    format!("invalid path '{}', must point to an existing directory or file", path.display())
}

/// A failure of the disk in Go's words.
pub(super) fn go_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    first.to_lowercase() + rest
}

fn mode(metadata: &fs::Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

/// What is in a directory, in the order of the names.
fn listed(directory: &Path) -> anyhow::Result<BTreeMap<std::ffi::OsString, PathBuf>> {
    let read = fs::read_dir(directory)
        .with_context(|| format!("cannot read '{}'", directory.display()))?;
    let entries = read.map(|entry| entry.map(|entry| (entry.file_name(), entry.path())));
    Ok(entries.collect::<Result<_, _>>()?)
}

fn append<W: io::Write>(
    archive: &mut tar::Builder<W>,
    path: &Path,
    mode: u32,
    content: Option<&[u8]>,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(mode);
    header.set_entry_type(match content {
        Some(_) => tar::EntryType::Regular,
        None => tar::EntryType::Directory,
    });
    let content = content.unwrap_or_default();
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, path, content)
}

/// An archive whose entries [`gitops_core::unpack`] took already, so that they are within limits.
fn entries<R: Read>(archive: R) -> tar::Archive<impl Read> {
    let bytes = Limits::default().bytes.saturating_mul(2);
    tar::Archive::new(MultiGzDecoder::new(archive).take(bytes))
}

/// The permissions of the files of an archive that was unpacked before.
pub(super) fn modes(archive: impl Read) -> io::Result<BTreeMap<PathBuf, u32>> {
    let mut modes = BTreeMap::new();
    for entry in entries(archive).entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            modes.insert(plain(&entry.path()?), entry.header().mode()? & 0o777);
        }
    }
    Ok(modes)
}

/// Whether two archives hold the same files with the same permissions, however they are written.
/// The first is one that was unpacked before.
pub(super) fn are_equal(theirs: impl Read, own: &[u8]) -> io::Result<bool> {
    let (mut theirs, mut own) = (entries(theirs), tar::Archive::new(MultiGzDecoder::new(own)));
    let (mut theirs, mut own) = (files_of(&mut theirs)?, files_of(&mut own)?);
    loop {
        match (theirs.next().transpose()?, own.next().transpose()?) {
            (None, None) => return Ok(true),
            (Some(one), Some(other)) if one == other => {}
            _ => return Ok(false),
        }
    }
}

type File = (PathBuf, tar::EntryType, u32, Vec<u8>);

fn files_of<R: Read>(
    archive: &mut tar::Archive<R>,
) -> io::Result<impl Iterator<Item = io::Result<File>>> {
    Ok(archive.entries()?.map(|entry| {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        let header = entry.header();
        Ok((plain(&entry.path()?), header.entry_type(), header.mode()? & 0o777, content))
    }))
}

/// `./a/` is `a`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

/// Writes the files of a tree below a directory. Links that are there are not followed out of it.
/// `mode` tells the permissions of a file where they are known.
pub(crate) fn write(
    tree: &dyn Tree,
    directory: &Path,
    mode: &dyn Fn(&Path) -> Option<u32>,
) -> anyhow::Result<()> {
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
                    // In the place of what is there: not through a link, and with its permissions.
                    if target.symlink_metadata().is_ok_and(|old| !old.is_dir()) {
                        fs::remove_file(&target)?;
                    }
                    let usual = if executable { 0o755 } else { 0o644 };
                    let mut file = fs::OpenOptions::new()
                        .write(true)
                        .create_new(true)
                        .mode(mode(&path).unwrap_or(usual))
                        .open(&target)
                        .with_context(|| format!("cannot write '{}'", target.display()))?;
                    file.write_all(&tree.read(&path)?)?;
                }
                EntryKind::Link | EntryKind::Special => {}
            }
        }
    }
    Ok(())
}
