//! One file for each object.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context as _;
use gitops_kustomize::{Manifest, Manifests};
use gitops_yaml::Schema;

/// Writes every object to `<group>_<version>_<kind>_<name>.yaml`, in lower case and without the parts
/// that are empty; its namespace stands in front where there are several.
pub(super) fn write_each(manifests: &Manifests, directory: &Path) -> anyhow::Result<()> {
    let schema = Schema::builtin();
    let namespaces: BTreeSet<&str> =
        manifests.into_iter().filter_map(|manifest| namespace_of(manifest, &schema)).collect();
    for manifest in manifests {
        let mut name = name_of(manifest);
        if let Some(namespace) = namespace_of(manifest, &schema).filter(|_| namespaces.len() > 1) {
            name = format!("{}_{name}", namespace.to_lowercase());
        }
        // A name must never lead to another directory.
        let file = directory.join(name.replace(['/', '\\'], "-"));
        fs::write(&file, manifest.as_yaml())
            .with_context(|| format!("cannot write '{}'", file.display()))?;
    }
    Ok(())
}

/// The namespace that counts; none for objects that live in no namespace.
fn namespace_of<'m>(manifest: &'m Manifest, schema: &Schema) -> Option<&'m str> {
    let id = manifest.id();
    let api_version = if id.group.is_empty() {
        id.version.clone()
    } else {
        format!("{}/{}", id.group, id.version)
    };
    if schema.is_namespaced(&api_version, &id.kind) == Some(false) {
        return None;
    }
    Some(if id.namespace.is_empty() { "default" } else { &id.namespace })
}

fn name_of(manifest: &Manifest) -> String {
    let id = manifest.id();
    let kind: Vec<&str> = [&id.group, &id.version, &id.kind]
        .into_iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    format!("{}_{}.yaml", kind.join("_").to_lowercase(), id.name.to_lowercase())
}
