//! The kustomization of a directory: its own, or one that lists its manifests.

use std::path::Path;

use gitops_core::{Scope, Tree};
use gitops_yaml::Node;

use crate::{
    build::BuildOptions,
    error::{Error, Result, kind_of_tree_error},
    file::{FILE_NAMES, KUSTOMIZATION, KUSTOMIZATION_VERSION, Kustomization, decode::Dialect},
    load::Loader,
    read::{read_document, read_resources},
};

/// The name that stands for the namespace of nothing, so that an empty directory builds.
const PLACEHOLDER: &str = "_placeholder";

/// The directory's kustomization file, or one that is made up; with the name of the file and
/// the document in it.
pub(super) fn find_or_generate(
    tree: &dyn Tree,
    loader: &Loader<'_>,
    options: &BuildOptions,
    scope: &Scope,
) -> Result<(Kustomization, &'static str, Option<Node>)> {
    for name in FILE_NAMES {
        let place = loader.name_of(name);
        if !tree.stat(Path::new(&place)).is_ok_and(|entry| !entry.is_dir()) {
            continue;
        }
        let content = loader.read(name)?;
        let document = read_document(&content).map_err(|error| {
            Error::from(error)
                .reword(|text| format!("error converting YAML to JSON: {text}"))
                .in_file(place.as_str())
        })?;
        let mut file = Kustomization::read_as(&document, Dialect::Lenient, &mut |_| {})
            .map_err(|error| error.in_file(place.as_str()))?;
        // Quirk: a kustomization without `resources` would count as empty; Flux asks for origins to
        // give it something to say, and so its objects are annotated.
        if document.get("resources").is_none_or(Node::is_empty) {
            file.build_metadata = vec!["originAnnotations".to_owned()];
        }
        return Ok((file, name, Some(document)));
    }
    let mut resources = Vec::new();
    scan(tree, loader, "", options, scope, &mut resources)?;
    let mut file = Kustomization {
        api_version: KUSTOMIZATION_VERSION.to_owned(),
        kind: KUSTOMIZATION.to_owned(),
        ..Kustomization::default()
    };
    if resources.is_empty() {
        PLACEHOLDER.clone_into(&mut file.namespace);
    } else {
        file.resources = resources;
    }
    Ok((file, FILE_NAMES[0], None))
}

/// A directory has one kustomization file. Flux changes the first that it finds, and leaves it to the build
/// to find another.
pub(super) fn refuse_others(tree: &dyn Tree, loader: &Loader<'_>, first: &str) -> Result<()> {
    let others = FILE_NAMES.iter().filter(|name| **name != first);
    let mut there = others
        .map(|name| loader.name_of(name))
        .filter(|place| tree.stat(Path::new(place)).is_ok_and(|entry| !entry.is_dir()));
    there.next().map_or(Ok(()), |place| Err(loader.several_files(&place)))
}

/// Lists the manifests below a directory; one with a kustomization file of its own is listed and not
/// entered. Links to directories are not followed.
fn scan(
    tree: &dyn Tree,
    loader: &Loader<'_>,
    below: &str,
    options: &BuildOptions,
    scope: &Scope,
    resources: &mut Vec<String>,
) -> Result<()> {
    scope.check()?;
    let place = loader.name_of(below);
    let entries = tree.list(Path::new(&place)).map_err(|error| {
        Error::new(kind_of_tree_error(&error), error.kind.to_string()).in_file(place.as_str())
    })?;
    for entry in entries {
        let path =
            if below.is_empty() { entry.name.clone() } else { format!("{below}/{}", entry.name) };
        if entry.is_dir() {
            let own = FILE_NAMES.iter().any(|name| {
                let file = loader.name_of(&format!("{path}/{name}"));
                tree.stat(Path::new(&file)).is_ok_and(|entry| !entry.is_dir())
            });
            if own {
                resources.push(format!("./{path}"));
            } else {
                scan(tree, loader, &path, options, scope, resources)?;
            }
            continue;
        }
        if !matches!(path.rsplit_once('.'), Some((_, "yaml" | "yml"))) {
            continue;
        }
        let content = loader.read(&path)?;
        let name = loader.name_of(&path);
        read_resources(&content, &name, &options.schema).map_err(|error| {
            error
                .context(format!("failed to decode Kubernetes YAML from {}", loader.shown(&name)))
                .in_file(name.as_str())
        })?;
        resources.push(format!("./{path}"));
    }
    Ok(())
}
