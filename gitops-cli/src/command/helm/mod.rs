//! `gitops helm`: what Helm does without a cluster, with Helm's flags, texts and exit codes.

mod args;
mod dependency;
mod failure;
mod flags;
mod lint;
mod package;
mod place;
mod show;
mod template;
mod values;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use gitops_core::{DiskTree, quoted};
use gitops_helm::{Chart, Compat, LoadOptions, check_archive};

use crate::deferred::Deferred;

pub(crate) use args::Helm;
use args::{Dependency, HelmCommand};
use dependency::Wanted;
pub(crate) use flags::arranged;
pub(crate) use template::{World, expand_name};

/// Does what was asked. Errors are told in Helm's manner, on one line each.
pub(crate) fn run(helm: &Helm) -> ExitCode {
    let compat = helm.helm_compat.into();
    let done = match &helm.command {
        HelmCommand::Template(Deferred(args)) => template::run(args, helm, compat),
        HelmCommand::Lint(Deferred(args)) => lint::run(args, helm, compat),
        HelmCommand::Show(Deferred(show)) => show::run(show, &helm.settings, compat),
        HelmCommand::Package(Deferred(args)) => package::run(args, &helm.settings, compat),
        HelmCommand::Dependency(Deferred(command)) => match command {
            Dependency::List { chart, max_col_width } => {
                dependency::list(chart.as_deref().unwrap_or("."), *max_col_width, compat)
            }
            Dependency::Update(args) => {
                dependency::run(args, Wanted::Newest, &helm.settings, compat)
            }
            Dependency::Build(args) => {
                dependency::run(args, Wanted::Locked, &helm.settings, compat)
            }
        },
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            failure::tell(&error, helm.error_format);
            ExitCode::FAILURE
        }
    }
}

/// The chart at a path, or why there is none. Archives are named by their full path.
fn load_chart(path: &str, options: &LoadOptions) -> anyhow::Result<Chart> {
    let (tree, full) = open(path)?;
    let chart = if full.is_dir() {
        Chart::load_directory(&tree, &full, options)?
    } else {
        let archive = std::fs::read(&full)?;
        check_archive(&full.display().to_string(), &archive)?;
        Chart::from_archive(&archive, options)?
    };
    warn_of(&chart, options.compat);
    Ok(chart)
}

/// Tells what should be otherwise in a chart.
fn warn_of(chart: &Chart, compat: Compat) {
    for warning in chart.all_warnings() {
        anstream::eprintln!("{}", warning.log_line(compat));
    }
}

/// The machine's files, and the place of a path among them.
fn open(path: &str) -> anyhow::Result<(DiskTree, PathBuf)> {
    let full = absolute(path)?;
    if !full.exists() {
        if Path::new(path).is_absolute() || path.starts_with('.') {
            bail!("path {} not found", quoted(path));
        }
        match path.split_once('/') {
            Some((repository, _)) => bail!("repo {repository} not found"),
            None => {
                bail!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {path}")
            }
        }
    }
    Ok((DiskTree::open("/")?, full))
}

/// A path from the root, without `..`, as Go's `filepath.Abs` has it: links are not followed.
fn absolute(path: impl AsRef<Path>) -> std::io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        if part == std::path::Component::ParentDir {
            clean.pop();
        } else {
            clean.push(part);
        }
    }
    Ok(clean)
}

/// What the system says, in Go's words.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        std::io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        std::io::ErrorKind::AlreadyExists => "file exists".to_owned(),
        _ => error.to_string(),
    }
}
