//! What Flux adds to kustomize: a kustomization for directories that have none, the fields of a
//! `Kustomization`'s spec, and post-build substitution.
//!
//! ```
//! use std::sync::Arc;
//! use gitops_core::{MemoryTree, Scope};
//! use gitops_kustomize::{BuildOptions, flux};
//!
//! let app = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {env: '${env}'}\n";
//! let tree = Arc::new(MemoryTree::from_iter([("deploy/app.yaml", app)]));
//! let options = flux::FluxOptions { target_namespace: "prod".into(), ..Default::default() };
//! let mut rendered =
//!     flux::render(tree, "./deploy", &options, &BuildOptions::default(), &Scope::background())?;
//! let substitution = flux::Substitution {
//!     vars: [("env".to_owned(), "production".to_owned())].into(),
//!     ..Default::default()
//! };
//! flux::substitute(&mut rendered.manifests, &substitution)?;
//! assert!(rendered.manifests.to_yaml().contains("env: production\n"));
//! # Ok::<(), gitops_kustomize::Error>(())
//! ```
//!
//! Follows fluxcd/pkg `kustomize` and `envsubst`; see
//! <https://fluxcd.io/flux/components/kustomize/kustomizations/>.

mod expand;
mod generate;
mod glob;
mod substitute;

use std::{path::PathBuf, sync::Arc};

use gitops_core::{Scope, Tree, confined_path};

pub use substitute::{Strategy, Substitution, SubstitutionLimits, substitute};

use crate::{
    build::{BuildOptions, Reorder, build_from},
    error::{Error, ErrorKind},
    file::{Image, Kustomization, Patch, Selector},
    load::{LoadRestriction, Loader, path},
    manifests::Rendered,
};

/// The fields of a `Kustomization`'s spec that change what is built.
#[derive(Clone, Debug, Default)]
pub struct FluxOptions {
    /// The namespace of all objects; empty to leave it.
    pub target_namespace: String,
    /// Put in front of all names.
    pub name_prefix: String,
    /// Put behind all names.
    pub name_suffix: String,
    /// Applied after the patches of the kustomization file.
    pub patches: Vec<FluxPatch>,
    /// Merged by name into the images of the kustomization file.
    pub images: Vec<FluxImage>,
    /// Relative paths of components, added to those of the kustomization file.
    pub components: Vec<String>,
    /// Leaves out components that are not there.
    pub ignore_missing_components: bool,
    /// Takes the place of the kustomization file's `buildMetadata` if there is any.
    pub build_metadata: Vec<String>,
}

/// A patch and the objects it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FluxPatch {
    /// A strategic merge patch or a list of JSON 6902 operations, in YAML.
    pub patch: String,
    /// Needed for operations; a strategic merge patch may name its target itself.
    pub target: Option<PatchTarget>,
}

/// Which objects a patch is for: regular expressions, each for a whole text; empty ones match all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchTarget {
    /// The API group.
    pub group: String,
    /// The version within the group.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// A selector of labels.
    pub label_selector: String,
    /// A selector of annotations, in the same language.
    pub annotation_selector: String,
}

/// A change of an image. Tag and digest are one: setting one clears the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FluxImage {
    /// The name as it stands in the manifests.
    pub name: String,
    /// Another name; empty to keep it.
    pub new_name: String,
    /// A tag; empty to keep it.
    pub new_tag: String,
    /// A digest, which wins over the tag.
    pub digest: String,
}

/// The directory that `path` names, which must exist. `..` never climbs above the root.
///
/// # Errors
/// [`ErrorKind::NotFound`] in Flux's words: `kustomization path not found: …`.
pub fn find_directory(tree: &dyn Tree, path: &str, build: &BuildOptions) -> Result<PathBuf, Error> {
    let directory = confined_path(path);
    match tree.stat(&directory) {
        Ok(_) => Ok(directory),
        Err(error) => {
            let shown = format!("{}/{}", build.shown_root, directory.display());
            let kind = crate::error::kind_of_tree_error(&error);
            Err(Error::new(kind, format!("stat {}: {}", shown.trim_end_matches('/'), error.kind))
                .context("kustomization path not found"))
        }
    }
}

/// Builds a directory as Flux does: any file of the tree may be named, the order is that of the
/// files, and unknown fields of the directory's own kustomization file are passed over.
///
/// # Errors
/// `kustomization path not found: …`, `failed to decode Kubernetes YAML from …` while the directory
/// is looked through, and `kustomize build failed: …`.
#[expect(clippy::needless_pass_by_value, reason = "callers hand the tree over to a blocking task")]
pub fn render(
    tree: Arc<dyn Tree>,
    path: &str,
    flux: &FluxOptions,
    build: &BuildOptions,
    scope: &Scope,
) -> Result<Rendered, Error> {
    let directory = find_directory(&*tree, path, build)?;
    if tree.stat(&directory).is_ok_and(|entry| !entry.is_dir()) {
        let place = format!("{}/{}/kustomization.yaml", build.shown_root, directory.display());
        let problem = "not a directory";
        // Quirk: Flux writes a kustomization there, and takes it back.
        let message = format!("open {place}: {problem} remove {place}: {problem}");
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    let options = BuildOptions {
        load_restriction: LoadRestriction::None,
        reorder: Reorder::None,
        openapi_adds: true,
        ..build.clone()
    };
    let loader = Loader::open(&*tree, &directory, &options)?;
    let (mut file, name, document) = generate::find_or_generate(&*tree, &loader, &options, scope)?;
    inject(&mut file, flux, &*tree, &loader)?;
    generate::refuse_others(&*tree, &loader, name)
        .map_err(|error| error.context("kustomize build failed"))?;
    build_from(loader, file, name, document, &options, scope)
        .map_err(|error| error.context("kustomize build failed"))
}

fn inject(
    file: &mut Kustomization,
    flux: &FluxOptions,
    tree: &dyn Tree,
    loader: &Loader<'_>,
) -> Result<(), Error> {
    for (field, value) in [
        (&mut file.namespace, &flux.target_namespace),
        (&mut file.name_prefix, &flux.name_prefix),
        (&mut file.name_suffix, &flux.name_suffix),
    ] {
        if !value.is_empty() {
            field.clone_from(value);
        }
    }
    file.patches.extend(flux.patches.iter().map(|patch| Patch {
        patch: patch.patch.clone(),
        target: patch.target.as_ref().map(selector),
        ..Patch::default()
    }));
    for component in &flux.components {
        if path::is_remote(component) || component.starts_with('/') {
            let message = format!("component path '{component}' must be local and relative");
            return Err(Error::new(ErrorKind::Field, message));
        }
        let there = tree.stat(loader.name_of(component).as_ref()).is_ok();
        if there || !flux.ignore_missing_components {
            file.components.push(component.clone());
        }
    }
    for image in &flux.images {
        merge_image(&mut file.images, image);
    }
    if !flux.build_metadata.is_empty() {
        file.build_metadata.clone_from(&flux.build_metadata);
    }
    Ok(())
}

fn selector(target: &PatchTarget) -> Selector {
    Selector {
        gvk: crate::resource::Gvk {
            group: target.group.as_str().into(),
            version: target.version.as_str().into(),
            kind: target.kind.as_str().into(),
        },
        name: target.name.as_str().into(),
        namespace: target.namespace.as_str().into(),
        annotation_selector: target.annotation_selector.clone(),
        label_selector: target.label_selector.clone(),
    }
}

fn merge_image(images: &mut Vec<Image>, image: &FluxImage) {
    let Some(own) = images.iter_mut().find(|own| own.name == image.name) else {
        images.push(Image {
            name: image.name.clone(),
            new_name: image.new_name.clone(),
            new_tag: image.new_tag.clone(),
            digest: image.digest.clone(),
            tag_suffix: String::new(),
        });
        return;
    };
    if !image.new_name.is_empty() {
        own.new_name.clone_from(&image.new_name);
    }
    if !image.new_tag.is_empty() || !image.digest.is_empty() {
        own.new_tag.clone_from(&image.new_tag);
        own.digest.clone_from(&image.digest);
    }
}
