//! `gitops kustomize build`

use std::{
    fs,
    io::{BufWriter, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use gitops_core::{DiskTree, Scope, one_line};
use gitops_kustomize::{
    BuildOptions, Error, LoadRestriction, Manifests, Warning, WarningKind, build,
};

use crate::args::{Build, ErrorFormat, ExplainFormat, LoadRestrictor, Reorder};

pub(crate) fn run(args: &Build) -> anyhow::Result<ExitCode> {
    // What is not there is left to the build, which says so in kustomize's words.
    let directory =
        args.directory.canonicalize().or_else(|_| std::path::absolute(&args.directory))?;
    // Bases may stand anywhere on this machine; what may be loaded is the restrictor's to say.
    let tree = DiskTree::open("/")?;
    let load_restriction = match args.load_restrictor {
        LoadRestrictor::LoadRestrictionsRootOnly => LoadRestriction::RootOnly,
        LoadRestrictor::LoadRestrictionsNone => LoadRestriction::None,
    };
    let reorder = match args.reorder {
        Reorder::Legacy => gitops_kustomize::Reorder::Legacy,
        Reorder::None => gitops_kustomize::Reorder::None,
    };
    let options = BuildOptions {
        load_restriction,
        reorder,
        enable_managed_by_label: args.enable_managedby_label,
        trace: args.explain.is_some(),
        ..BuildOptions::default()
    };
    let here = std::env::current_dir()?;
    let shown = |file: &str| relative(file, &here);
    let built = build(&tree, &directory, &options, &Scope::background());
    let explained = built.and_then(|rendered| {
        let question = args.explain.as_deref();
        let explanation = question.map(|question| rendered.manifests.explain(question));
        Ok((rendered, explanation.transpose()?))
    });
    let (rendered, explanation) = match explained {
        Ok(outcome) => outcome,
        Err(error) => {
            tell(&error.map_files(shown), args.error_format);
            return Ok(ExitCode::FAILURE);
        }
    };
    for warning in rendered.warnings {
        warn(&warning.map_files(shown), args.error_format);
    }
    if let Some(explanation) = explanation.map(|explanation| explanation.map_files(shown)) {
        let text = match args.explain_format {
            ExplainFormat::Text => explanation.to_string(),
            ExplainFormat::Json => explanation.to_json().to_string(),
        };
        writeln!(std::io::stdout(), "{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    match &args.output {
        Some(directory) if directory.is_dir() => write_each(&rendered.manifests, directory)?,
        Some(file) => fs::File::create(file)
            .and_then(|file| rendered.manifests.write_yaml(BufWriter::new(file)))
            .with_context(|| format!("cannot write '{}'", file.display()))?,
        None => rendered
            .manifests
            .write_yaml(BufWriter::with_capacity(1 << 16, std::io::stdout().lock()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a warning to stderr. What kustomize does not say is for people only.
fn warn(warning: &Warning, format: ErrorFormat) {
    let full = resolved(format) == ErrorFormat::Full;
    if !full && !matches!(warning.kind, WarningKind::Deprecated | WarningKind::Unused) {
        return;
    }
    anstream::eprintln!("# Warning: {warning}");
    if let (true, Some(place)) = (full, &warning.place) {
        anstream::eprintln!("#   --> {place}");
    }
}

/// The format that is meant.
fn resolved(format: ErrorFormat) -> ErrorFormat {
    match format {
        ErrorFormat::Auto if std::io::stderr().is_terminal() => ErrorFormat::Full,
        ErrorFormat::Auto => ErrorFormat::Line,
        chosen => chosen,
    }
}

/// Writes a failure to stderr.
fn tell(error: &Error, format: ErrorFormat) {
    match resolved(format) {
        ErrorFormat::Json => anstream::eprintln!("{}", error.to_json()),
        ErrorFormat::Full => anstream::eprintln!("Error: {error:#}"),
        ErrorFormat::Line | ErrorFormat::Auto => anstream::eprintln!("Error: {}", one_line(error)),
    }
}

/// A file of the machine as seen from a directory, without its leading slash.
fn relative(file: &str, from: &Path) -> String {
    let (mut from, file) = (from.components().skip(1), Path::new(file));
    let mut rest = file.components();
    let mut path = PathBuf::new();
    loop {
        let (before, directory) = (rest.clone(), from.next());
        match (directory, rest.next()) {
            (Some(directory), Some(part)) if directory == part => {}
            (directory, _) => {
                path.extend(directory.into_iter().chain(from).map(|_| ".."));
                path.extend(before);
                break;
            }
        }
    }
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
}

/// One file for each object, named in lower case
/// `<namespace>_<group>_<version>_<kind>_<name>.yaml`, without the parts that are empty.
fn write_each(manifests: &Manifests, directory: &Path) -> anyhow::Result<()> {
    for manifest in manifests {
        let id = manifest.id();
        let parts = [&id.namespace, &id.group, &id.version, &id.kind, &id.name];
        let parts: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        // A name may hold a `:`, and must never lead to another directory.
        let name = parts.join("_").to_lowercase().replace(['/', '\\', ':'], "-");
        let file = directory.join(format!("{name}.yaml"));
        fs::write(&file, manifest.as_yaml())
            .with_context(|| format!("cannot write '{}'", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_here() {
        for (file, from, name) in [
            ("home/u/app/base/a.yaml", "/home/u/app", "base/a.yaml"),
            ("home/u/base/a.yaml", "/home/u/app/prod", "../../base/a.yaml"),
            ("home/u/app", "/home/u/app", "."),
            ("a.yaml", "/", "a.yaml"),
        ] {
            assert_eq!(relative(file, Path::new(from)), name);
        }
    }
}
