//! `gitops kustomize build`

mod args;
mod bases;
mod charts;
mod files;
mod plain;

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use gitops_core::{DiskTree, Scope, Tree, one_line};
use gitops_kustomize::{
    BuildOptions, DenyRemotes, Error, HelmCharts, HelmDefaults, LoadRestriction, Remote, Remotes,
    Rendered, RenderedText, Reorder, RepositoryUrl, Warning, WarningKind, build, build_text,
};

use super::report::{ErrorFormat, ExplainFormat, resolved};
use args::Build;
pub(crate) use args::{Kustomize, refused};
pub(crate) use plain::plain;

pub(crate) fn run(args: &Build) -> anyhow::Result<ExitCode> {
    match print(args) {
        // Who reads JSON gets JSON, whatever failed.
        Err(error) if args.error_format == ErrorFormat::Json => {
            let none = serde_json::Value::Null;
            anstream::eprintln!(
                "{}",
                serde_json::json!({
                    "code": "io", "message": format!("{error:#}"), "file": none, "line": none,
                    "column": none, "snippet": none, "object": none, "chain": [], "related": none, "expected": none,
                    "hint": none, "warnings": [],
                })
            );
            Ok(ExitCode::FAILURE)
        }
        outcome => outcome,
    }
}

fn print(args: &Build) -> anyhow::Result<ExitCode> {
    let [directory] = &args.directories[..] else {
        bail!("specify one path to kustomization.yaml")
    };
    let options = options(args)?;
    let here = std::env::current_dir()?;
    let is_remote = directory.to_str().and_then(RepositoryUrl::parse).is_some();
    // Files of a repository are not those of this machine.
    let shown = |file: &str| if is_remote { file.to_owned() } else { relative(file, &here) };
    let out = args.output.as_deref();
    let folder = out.filter(|out| out.is_dir());
    if args.explain.is_none() && folder.is_none() {
        let built = render(directory, &options, build_text);
        let built = built.map(|RenderedText { text, warnings }| (text, warnings));
        let Some(text) = told(built, shown, args.error_format) else {
            return Ok(ExitCode::FAILURE);
        };
        match out {
            Some(file) => fs::File::create(file)
                .and_then(|file| text.write(file))
                .with_context(|| format!("cannot write '{}'", file.display()))?,
            None => text.write(std::io::stdout().lock())?,
        }
        // The process ends: to take a large tree apart would be work for nothing.
        std::mem::forget(text);
        return Ok(ExitCode::SUCCESS);
    }
    let built = render(directory, &options, build);
    let built = built.map(|Rendered { manifests, warnings }| (manifests, warnings));
    let Some(manifests) = told(built, shown, args.error_format) else {
        return Ok(ExitCode::FAILURE);
    };
    if let Some(question) = &args.explain {
        let explained = manifests.explain(question).map(|explanation| (explanation, Vec::new()));
        let Some(explanation) = told(explained, shown, args.error_format) else {
            return Ok(ExitCode::FAILURE);
        };
        let explanation = explanation.map_files(shown);
        let text = match args.explain_format {
            ExplainFormat::Text => explanation.to_string(),
            ExplainFormat::Json => explanation.to_json().to_string(),
        };
        writeln!(std::io::stdout(), "{text}")?;
    } else if let Some(folder) = folder {
        files::write_each(&manifests, folder)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was built, after its warnings were told; `None` after its failure was.
fn told<T>(
    outcome: Result<(T, Vec<Warning>), Error>,
    shown: impl Fn(&str) -> String,
    format: ErrorFormat,
) -> Option<T> {
    match outcome {
        Ok((built, warnings)) => {
            let warnings: Vec<_> = warnings.into_iter().map(|one| one.map_files(&shown)).collect();
            warn(&warnings, format);
            Some(built)
        }
        Err(error) => {
            tell(&error.map_files(&shown), format);
            None
        }
    }
}

/// Builds a directory of this machine, or of a repository that is fetched.
fn render<T>(
    directory: &Path,
    options: &BuildOptions,
    build: impl FnOnce(&dyn Tree, &Path, &BuildOptions, &Scope) -> Result<T, Error>,
) -> Result<T, Error> {
    let scope = Scope::background();
    if let Some(repository) = directory.to_str().and_then(RepositoryUrl::parse) {
        let Remote { tree, path } = options.remotes.directory(&repository)?;
        // What was fetched never reads outside of its directories.
        let options =
            BuildOptions { load_restriction: LoadRestriction::RootOnly, ..options.clone() };
        return build(&*tree, &path, &options, &scope);
    }
    // Bases may stand anywhere on this machine; what may be loaded is the restrictor's to say.
    let tree = DiskTree::open("/").map_err(|error| Error::remote(one_line(&error)))?;
    let place = std::path::absolute(directory)
        .map_err(|error| Error::remote(format!("{}: {error}", directory.display())))?;
    // The tree does not follow a link with an absolute target. What is not there is left to the build,
    // which says so in kustomize's words.
    let place = match tree.resolve(&place) {
        Ok(real) => Path::new("/").join(real),
        Err(_) => directory.canonicalize().unwrap_or(place),
    };
    build(&tree, &place, options, &scope)
}

fn options(args: &Build) -> anyhow::Result<BuildOptions> {
    let load_restriction = match args.load_restrictor.as_str() {
        "LoadRestrictionsRootOnly" | "" => LoadRestriction::RootOnly,
        "LoadRestrictionsNone" => LoadRestriction::None,
        other => bail!(
            "illegal flag value --load-restrictor {other}; legal values: [LoadRestrictionsRootOnly LoadRestrictionsNone]"
        ),
    };
    let reorder = match args.reorder.as_deref() {
        None | Some("legacy") => Reorder::Legacy,
        Some("none") => Reorder::None,
        Some(other) => {
            bail!("illegal flag value --reorder {other}; legal values: [legacy none]")
        }
    };
    for (given, flag, instead) in [
        (
            args.reorder.is_some(),
            "reorder",
            "use the new 'sortOptions' field in kustomization.yaml instead.",
        ),
        (
            args.enable_managedby_label,
            "enable-managedby-label",
            "The flag `enable-managedby-label` has been deprecated. Use the `managedByLabel` option in the `buildMetadata` field instead.",
        ),
    ] {
        if given {
            anstream::eprintln!("Flag --{flag} has been deprecated, {instead}");
        }
    }
    if args.enable_helm && args.helm_command.is_empty() {
        bail!("must specify --helm-command");
    }
    let remotes: Arc<dyn Remotes> = if args.no_remote_bases {
        Arc::new(DenyRemotes)
    } else {
        Arc::new(bases::Network::default())
    };
    Ok(BuildOptions {
        load_restriction,
        reorder,
        enable_managed_by_label: args.enable_managedby_label,
        trace: args.explain.is_some(),
        remotes,
        helm: args.enable_helm.then(|| {
            Arc::new(charts::Charts { remote: !args.no_remote_bases }) as Arc<dyn HelmCharts>
        }),
        helm_defaults: HelmDefaults {
            api_versions: args.helm_api_versions.clone(),
            kube_version: args.helm_kube_version.clone().unwrap_or_default(),
            debug: args.helm_debug,
        },
        ..BuildOptions::default()
    })
}

/// Writes warnings to stderr, at once. What kustomize does not say is for people only.
fn warn(warnings: &[Warning], format: ErrorFormat) {
    let full = !warnings.is_empty() && resolved(format) == ErrorFormat::Full;
    let mut text = String::new();
    for warning in warnings {
        if full || matches!(warning.kind, WarningKind::Deprecated | WarningKind::Unused) {
            let _ = writeln!(text, "# Warning: {warning}");
            if let (true, Some(place)) = (full, &warning.place) {
                let _ = writeln!(text, "#   --> {place}");
            }
        }
    }
    if !text.is_empty() {
        anstream::eprint!("{text}");
    }
}

/// Writes a failure to stderr, and what the build remarked before it.
fn tell(error: &Error, format: ErrorFormat) {
    if resolved(format) != ErrorFormat::Json {
        warn(error.warnings(), format);
    }
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
