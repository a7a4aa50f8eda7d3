//! `gitops helm dependency`

use std::{io::Write as _, process::ExitCode};

use gitops_core::DiskTree;
use gitops_helm::{Chart, Compat, LoadOptions, check_archive, list_dependencies};

pub(in super::super) fn list(path: &str, width: u64, compat: Compat) -> anyhow::Result<ExitCode> {
    let mut options = LoadOptions::new(compat);
    options.any_version = true;
    let full = std::path::absolute(path)?;
    let metadata = std::fs::metadata(path);
    if let Err(error) = metadata {
        anyhow::bail!("stat {path}: {}", super::super::reason(&error));
    }
    let tree = DiskTree::open("/")?;
    // Here both versions name archives as they are given.
    let chart = if full.is_dir() {
        Chart::load_directory(&tree, &full, &options)?
    } else {
        let archive = std::fs::read(&full)?;
        check_archive(path, &archive)?;
        Chart::from_archive(&archive, &options)?
    };
    for warning in chart.all_warnings() {
        anstream::eprintln!("{}", warning.log_line(compat));
    }
    let text = list_dependencies(&tree, &full, path, &chart, width, &options);
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
