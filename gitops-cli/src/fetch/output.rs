//! What was fetched, on the disk.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
};

use anyhow::{Context as _, bail};
use gitops_core::{Algorithm, Hasher, Scope, Tree, pack, unpack};
use gitops_source::{Fetched, IgnoreRules};

use super::args::Common;
use crate::artifact::write;

/// Refuses an output that is in the way, before anything is fetched.
pub(super) fn check(common: &Common) -> anyhow::Result<()> {
    let Some(output) = &common.output else { return Ok(()) };
    if output.is_dir() && fs::read_dir(output)?.next().is_some() {
        bail!("'{}' is not empty", output.display());
    }
    if is_archive(output) && output.is_dir() {
        bail!("'{}' is a directory", output.display());
    }
    Ok(())
}

/// Packages what was fetched, writes it, and prints what it is called.
pub(super) fn finish(common: &Common, fetched: &Fetched, scope: &Scope) -> anyhow::Result<()> {
    let tree = &*fetched.tree;
    let rules = IgnoreRules::load(tree, common.ignore.as_deref())?;
    let mut archive = tempfile(common)?;
    let digest = packed(tree, &rules, &mut archive, scope)?;
    if let Some(output) = &common.output {
        if is_archive(output) {
            archive
                .persist(output)
                .with_context(|| format!("cannot write '{}'", output.display()))?;
        } else {
            fs::create_dir_all(output)
                .with_context(|| format!("cannot make '{}'", output.display()))?;
            // From the archive, so that what is left out there is left out here.
            let packed = File::open(archive.path())?;
            let tree = unpack(std::io::BufReader::new(packed), &gitops_core::Limits::default())?;
            write(&tree, output, &|_| None)?;
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "revision: {}", fetched.revision)?;
    writeln!(out, "digest: {digest}")?;
    Ok(())
}

/// Beside where it will stand, so that it can be renamed.
fn tempfile(common: &Common) -> anyhow::Result<tempfile::NamedTempFile> {
    let beside = common.output.as_deref().filter(|output| is_archive(output));
    let beside = beside.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
    let made = match beside {
        Some(directory) => tempfile::NamedTempFile::new_in(directory),
        None => match &common.output {
            Some(output) if is_archive(output) => tempfile::NamedTempFile::new_in("."),
            _ => tempfile::NamedTempFile::new(),
        },
    };
    made.context("cannot make a temporary file")
}

fn packed(
    tree: &dyn Tree,
    rules: &IgnoreRules,
    archive: &mut tempfile::NamedTempFile,
    scope: &Scope,
) -> anyhow::Result<gitops_core::Digest> {
    let keep = |path: &Path, is_dir: bool| !rules.ignores(path, is_dir);
    let mut out = Hashed {
        out: BufWriter::new(archive.as_file_mut()),
        hasher: Hasher::new(Algorithm::Sha256),
    };
    pack(tree, &keep, &mut out, scope)?;
    out.out.flush()?;
    Ok(out.hasher.finish())
}

struct Hashed<W> {
    out: W,
    hasher: Hasher,
}

impl<W: std::io::Write> std::io::Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let amount = self.out.write(bytes)?;
        self.hasher.update(&bytes[..amount]);
        Ok(amount)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

pub(super) fn is_archive(output: &Path) -> bool {
    let name = output.to_string_lossy();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}
