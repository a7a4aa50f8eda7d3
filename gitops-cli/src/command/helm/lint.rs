//! `gitops helm lint`

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Component, Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use gitops_core::{DiskTree, MemoryTree};
use gitops_helm::{
    Chart, Compat, KubeVersion, LintMessage, LintOptions, LoadOptions, Severity, Values,
    check_archive, lint,
};

use super::{
    World, absolute,
    args::{Helm, Lint},
    reason, values,
};

pub(super) fn run(args: &Lint, helm: &Helm, compat: Compat) -> anyhow::Result<ExitCode> {
    let mut paths = args.charts.clone();
    if paths.is_empty() {
        // For Helm 4 one is needed, and `flags` asks for it.
        paths.push(".".to_owned());
    }
    let mut options = LintOptions::new(compat);
    if let Some(version) = &args.kube_version {
        match KubeVersion::parse(version, compat) {
            Ok(version) => options.kube_version = Some(version),
            Err(error) => bail!("invalid kube version '{version}': {error}"),
        }
    }
    options.skip_schema_validation = args.skip_schema_validation;
    options.namespace.clone_from(&helm.namespace);
    if args.with_subcharts {
        for path in paths.clone() {
            add_subcharts(&Path::new(&path).join("charts"), &mut paths);
        }
    }
    let values = values::collect(&args.values, compat, false)?.values;
    let tolerated = if args.strict { Severity::Info } else { Severity::Warning };
    let mut text = String::new();
    let (mut failed, mut noted) = (0, 0);
    for path in &paths {
        let result = lint_one(path, &values, &options);
        let worst = match &result {
            Ok(messages) => messages.iter().map(|message| message.severity).max(),
            Err(_) => Some(Severity::Error),
        };
        let notable = worst > Some(Severity::Info);
        noted += usize::from(notable);
        if args.quiet && !notable {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "==> Linting {path}");
        match &result {
            Ok(messages) => {
                for message in messages {
                    if !args.quiet || message.severity > Severity::Info {
                        let _ = writeln!(text, "{message}");
                    }
                }
            }
            Err(error) => {
                let _ = writeln!(text, "Error {error:#}");
            }
        }
        failed += usize::from(worst > Some(tolerated));
        text.push('\n');
    }
    let summary = format!("{} chart(s) linted, {failed} chart(s) failed", paths.len());
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if failed > 0 {
        out.flush()?;
        bail!(summary);
    }
    if !args.quiet || noted > 0 {
        writeln!(out, "{summary}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lint_one(
    path: &str,
    values: &Values,
    options: &LintOptions,
) -> anyhow::Result<Vec<LintMessage>> {
    if path.ends_with(".tgz") || path.ends_with(".tar.gz") {
        return lint_archive(path, values, options);
    }
    let metadata = Path::new(path).join("Chart.yaml");
    let metadata: PathBuf =
        metadata.components().filter(|part| *part != Component::CurDir).collect();
    if let Err(error) = std::fs::metadata(&metadata) {
        let reason = reason(&error);
        bail!("unable to check Chart.yaml file in chart: stat {}: {reason}", metadata.display());
    }
    let full = absolute(path)?;
    let tree = DiskTree::open("/")?;
    Ok(lint(&tree, &full, &full.display().to_string(), values, options, &World { dns: false }))
}

/// An archive is unpacked into memory; messages name the directory in it.
fn lint_archive(
    path: &str,
    values: &Values,
    options: &LintOptions,
) -> anyhow::Result<Vec<LintMessage>> {
    let archive = match std::fs::read(path) {
        Ok(archive) => archive,
        Err(error) => bail!("unable to open tarball: open {path}: {}", reason(&error)),
    };
    if check_archive(path, &archive).is_err() {
        let why = if archive.len() < 10 { "EOF" } else { "gzip: invalid header" };
        bail!("unable to extract tarball: {why}");
    }
    let mut load = LoadOptions::new(options.compat);
    load.any_version = true;
    let files = Chart::unpack(&archive, &load)
        .map_err(|error| anyhow::anyhow!("unable to extract tarball: {}", error.helm_text()))?;
    let mut tree = MemoryTree::new();
    for file in files {
        tree.insert(Path::new("chart").join(&file.name), file.data)?;
    }
    let shown = path.trim_end_matches(".tgz").trim_end_matches(".tar.gz");
    Ok(lint(&tree, Path::new("chart"), shown, values, options, &World { dns: false }))
}

/// The charts below a directory, as a walk meets them.
fn add_subcharts(directory: &Path, paths: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        if name == "Chart.yaml" {
            paths.push(directory.display().to_string());
        } else if name.ends_with(".tgz") || name.ends_with(".tar.gz") {
            paths.push(path.display().to_string());
        } else if path.is_dir() && !is_link {
            add_subcharts(&path, paths);
        }
    }
}
