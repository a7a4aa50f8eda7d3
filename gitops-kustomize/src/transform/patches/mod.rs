//! `patches`, `patchesStrategicMerge` and `patchesJson6902`.

mod describe;
mod json;
mod strategic;

use std::sync::atomic::{AtomicBool, Ordering};

use gitops_core::one_line;
use gitops_yaml::{JsonPatch, Node, Schema};

pub(crate) use json::Json6902;
pub(crate) use strategic::StrategicMerge;

use super::{Transform, selector::Matcher};
use crate::{
    build::Build,
    error::{Error, ErrorKind, Result},
    file::{Patch, Selector},
    load::Loader,
    read::read_patches,
    resource::{Resource, ResourceId, rewrite_pairs},
    set::ResourceSet,
};
use describe::{describe, shown};
use json::{JsonText, apply_json, read_json_patch};
use strategic::{Allowed, merge_into, settle_metadata};
/// An entry of `patches`.
#[derive(Debug)]
pub(crate) struct PatchStep {
    /// How messages name the patch.
    source: String,
    /// The file that it was read from; empty where it stands in the entry itself.
    file: String,
    /// The empty lines in front of one that stands in the entry.
    skipped: u32,
    target: Option<Matcher>,
    allowed: Allowed,
    content: PatchContent,
    /// What the target was looked for by, while it is not found.
    wanted: Wanted,
}

/// The identity that a target selects, and whether nothing had it.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    id: ResourceId,
    missed: AtomicBool,
}

impl Wanted {
    pub(super) fn new(selector: Option<&Selector>) -> Self {
        let id = selector.map(|selector| ResourceId {
            gvk: selector.gvk.clone(),
            name: selector.name.clone(),
            namespace: selector.namespace.clone(),
            cluster_scoped: false,
        });
        Self { id: id.unwrap_or_default(), missed: AtomicBool::new(false) }
    }

    pub(super) fn note(&self, selected: &[usize]) {
        self.missed.store(selected.is_empty(), Ordering::Relaxed);
    }

    pub(super) fn idle(&self, set: &ResourceSet) -> Option<String> {
        let missed = self.missed.load(Ordering::Relaxed);
        missed.then(|| format!("patch target matches nothing; {}", set.near(&self.id)))
    }
}

#[derive(Debug)]
enum PatchContent {
    Strategic(Vec<Resource>),
    Json(JsonPatch),
}

impl PatchStep {
    pub(crate) fn new(patch: &Patch, loader: &Loader<'_>, schema: &Schema) -> Result<Self> {
        let config = || describe(patch, "patch");
        Self::read(patch, &config, loader, schema).map_err(|error| {
            error.context(format!(
                "trouble configuring builtin PatchTransformer with config: `\n{}`",
                config(),
            ))
        })
    }

    /// Reads a patch; `config` is what messages show of its configuration.
    pub(crate) fn read(
        patch: &Patch,
        config: &dyn Fn() -> String,
        loader: &Loader<'_>,
        schema: &Schema,
    ) -> Result<Self> {
        let inline = patch.patch.trim();
        let fail = |message: &str| {
            Err(Error::new(ErrorKind::Field, format!("{message}\n{}", config()))
                .expecting("either `patch`, with the text itself, or `path`, with a file"))
        };
        let lead = patch.patch.len() - patch.patch.trim_start().len();
        let skipped = u32::try_from(patch.patch[..lead].matches('\n').count()).unwrap_or(0);
        let (text, source, file) = match (inline, patch.path.as_str()) {
            ("", "") => return fail("must specify one of patch and path in"),
            ("", file_path) => {
                let content = loader.read(file_path).map_err(|error| {
                    loader
                        .suggest(error, file_path)
                        .context(format!("failed to get the patch file from path({file_path})"))
                        .at_field("path")
                })?;
                (content.to_vec(), format!("[path: {file_path:?}]"), loader.name_of(file_path))
            }
            (text, "") => (
                text.as_bytes().to_vec(),
                format!("[patch: {:?}]", shown(patch).trim()),
                String::new(),
            ),
            _ => return fail("patch and path can't be set at the same time"),
        };
        let strategic = read_patches(&text, &file, schema);
        let json = read_json_patch(&text);
        let content = match (strategic, json) {
            (Ok(patches), Ok(json)) if !patches.is_empty() && !json.is_empty() => {
                let message = format!("illegally qualifies as both an SM and JSON patch: {source}");
                return Err(place(Error::new(ErrorKind::Field, message), &file, skipped));
            }
            (Ok(mut patches), _) => {
                // Quirk: where an option is set, it is kept in the patch's annotations, which become
                // strings by that.
                if patch.allow_name_change || patch.allow_kind_change {
                    for patch in &mut patches {
                        rewrite_pairs(patch.node_mut(), "annotations");
                    }
                }
                PatchContent::Strategic(patches)
            }
            (Err(_), Ok(json)) => PatchContent::Json(json),
            (Err(strategic), Err(json)) => {
                let error = Error::new(
                    ErrorKind::Syntax,
                    format!("unable to parse SM or JSON patch from {source}"),
                );
                // A list is meant as operations, everything else as an object.
                let likely = if text.starts_with(b"-") || text.starts_with(b"[") {
                    &json
                } else {
                    &strategic
                };
                let error = match likely.line() {
                    Some(line) => error.at_line(line, likely.column().unwrap_or(1)),
                    None => error,
                };
                return Err(place(error, &file, skipped)
                    .expecting("an object with apiVersion, kind and metadata.name, or a list of operations {op, path, value}")
                    .with_hint(format!(
                        "as a strategic merge patch: {}; as a JSON patch: {}",
                        one_line(&strategic),
                        one_line(&json),
                    )));
            }
        };
        let target = patch
            .target
            .as_ref()
            .map(Matcher::new)
            .transpose()
            .map_err(|error| error.at_field("target"))?;
        let wanted = Wanted::new(patch.target.as_ref());
        let allowed = Allowed { name: patch.allow_name_change, kind: patch.allow_kind_change };
        Ok(Self { source, file, skipped, target, allowed, content, wanted })
    }

    fn merge_strategic(
        &self,
        patches: &[Resource],
        set: &mut ResourceSet,
        build: &Build<'_>,
    ) -> Result<()> {
        let Some(matcher) = &self.target else {
            for patch in patches {
                let id = patch.original_id();
                let index = set.find_any(&id).map_err(|error| {
                    let error = error.context(format!(
                        "no resource matches strategic merge patch {:?}",
                        id.to_string()
                    ));
                    self.place(locate(error, patch))
                })?;
                merge_into(set, index, patch.node(), self.allowed, build)
                    .map_err(|error| self.place(locate(error, patch)))?;
                if set.get(index).node().is_empty() {
                    drop_empty(set);
                } else {
                    self.trace(set, index, build);
                }
            }
            return Ok(());
        };
        let patch = match patches {
            [] => return Ok(()),
            [patch] => patch,
            _ => {
                return Err(Error::new(
                    ErrorKind::Field,
                    format!(
                        "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field: {}",
                        self.source,
                    ),
                )
                .at_field("target")
                .with_hint("make each patch an entry of its own, or remove `target`"));
            }
        };
        let mut renamed = false;
        let selected = matcher.select(set);
        self.wanted.note(&selected);
        for index in selected {
            build.check_at(index)?;
            let mut node = patch.node().clone();
            settle_metadata(&mut node);
            // The patch is read as one for the target's API version.
            let api_version = set.get(index).id().gvk.api_version();
            let bare = api_version.is_empty();
            if let Some(mapping) = node.as_mapping_mut() {
                if bare {
                    mapping.remove("apiVersion");
                } else {
                    mapping.insert("apiVersion", api_version);
                }
            }
            renamed |= merge_into(set, index, &node, self.allowed, build)
                .map_err(|error| self.place(locate(error, patch)))?;
            // Quirk: no API version becomes one that is null.
            let object = set.content_mut(index).node_mut();
            if let Some(mapping) =
                object.as_mapping_mut().filter(|mapping| bare && !mapping.is_empty())
            {
                mapping.insert("apiVersion", Node::null());
            }
            self.trace(set, index, build);
        }
        if renamed {
            set.check_unique(already_registered)?;
        }
        Ok(())
    }

    fn place(&self, error: Error) -> Error {
        place(error, &self.file, self.skipped)
    }

    fn trace(&self, set: &mut ResourceSet, index: usize, build: &Build<'_>) {
        if let Some(step) = &build.step {
            set.content_mut(index).trace(|| step.cause_of_patch(&self.file, self.skipped, None));
        }
    }
}

/// Places a failure in the text of a patch: in its file, or in the field that holds it.
fn place(error: Error, file: &str, skipped: u32) -> Error {
    if file.is_empty() { error.below(skipped).at_field("patch") } else { error.in_file(file) }
}

fn already_registered(resource: &Resource) -> String {
    format!("may not add resource with an already registered id: {}", resource.id())
}

impl Transform for PatchStep {
    fn idle(&self, set: &ResourceSet) -> Vec<(usize, String)> {
        self.wanted.idle(set).into_iter().map(|why| (0, why)).collect()
    }

    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        match &self.content {
            PatchContent::Strategic(patches) => {
                self.merge_strategic(patches, set, build)?;
            }
            PatchContent::Json(patch) => {
                let Some(matcher) = &self.target else {
                    let message = format!("must specify a target for JSON patch {}", self.source);
                    return Err(Error::new(ErrorKind::Field, message)
                        .expecting("`target` with the kind and name of the objects"));
                };
                let selected = matcher.select(set);
                self.wanted.note(&selected);
                for index in selected {
                    build.check_at(index)?;
                    let resource = set.get_mut(index);
                    resource.remember_id();
                    let text = JsonText { file: &self.file, skipped: self.skipped };
                    apply_json(resource, patch, text, build).map_err(|error| self.place(error))?;
                }
            }
        }
        drop_empty(set);
        Ok(())
    }
}

/// Drops what a patch deleted.
fn drop_empty(set: &mut ResourceSet) {
    if set.iter().any(|resource| resource.node().is_empty()) {
        set.retain(|resource| !resource.node().is_empty());
    }
}

/// Places a failure in a patch: at the line that is known, or where the patch begins.
fn locate(error: Error, patch: &Resource) -> Error {
    let Some(read_at) = &patch.read_at else { return error };
    let error = error.at_line(read_at.line, 1);
    if read_at.file.is_empty() { error } else { error.in_file(&*read_at.file) }
}
