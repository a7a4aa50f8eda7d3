//! `gitops kustomize build`

use std::{fs, io::Write as _, path::Path, process::ExitCode};

use anyhow::Context as _;
use gitops_core::{DiskTree, Scope};
use gitops_kustomize::{BuildOptions, LoadRestriction, Manifests, build};

use crate::args::{Build, LoadRestrictor, Reorder};

pub(crate) fn run(args: &Build) -> anyhow::Result<ExitCode> {
    let directory = args
        .directory
        .canonicalize()
        .with_context(|| format!("'{}' doesn't exist", args.directory.display()))?;
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
        ..BuildOptions::default()
    };
    let rendered = build(&tree, &directory, &options, &Scope::background())?;
    for warning in &rendered.warnings {
        anstream::eprintln!("# Warning: {warning}");
    }
    match &args.output {
        Some(directory) if directory.is_dir() => write_each(&rendered.manifests, directory)?,
        Some(file) => fs::write(file, rendered.manifests.to_yaml())
            .with_context(|| format!("cannot write '{}'", file.display()))?,
        None => std::io::stdout().write_all(rendered.manifests.to_yaml().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
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
