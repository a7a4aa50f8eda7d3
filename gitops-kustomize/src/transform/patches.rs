//! `patches`, `patchesStrategicMerge` and `patchesJson6902`.

use gitops_core::one_line;
use gitops_yaml::{JsonPatch, Node, Schema};

use super::{Transform, selector::Matcher};
use crate::{
    build::Build,
    error::{Error, ErrorKind, Result},
    file::Patch,
    load::Loader,
    read::{read_document, read_resources},
    resource::Resource,
    set::ResourceSet,
};

/// Patches that name their target by their own kind, name and namespace.
#[derive(Debug)]
pub(crate) struct StrategicMerge {
    patches: Vec<Resource>,
}

impl StrategicMerge {
    /// Reads the entries of `patchesStrategicMerge`: each a patch itself, or a file of them.
    pub(crate) fn from_entries(
        entries: &[String],
        loader: &Loader<'_>,
        schema: &Schema,
    ) -> Result<Self> {
        let mut patches = Vec::new();
        for entry in entries {
            if let Ok(read) = read_resources(entry.as_bytes(), "", schema) {
                patches.extend(read);
            } else {
                let name = loader.name_of(entry);
                let content = loader.read(entry).map_err(|error| error.in_file(name.as_str()))?;
                patches.extend(read_resources(&content, &name, schema).map_err(|error| {
                    let malformed = error.to_string().starts_with("MalformedYAMLError");
                    let error = error.in_file(name.as_str());
                    if malformed {
                        error.reword(|text| format!("{text} in File: {entry}"))
                    } else {
                        error
                    }
                })?);
            }
        }
        Self::new(patches)
    }

    pub(crate) fn new(patches: Vec<Resource>) -> Result<Self> {
        if patches.is_empty() {
            return Err(Error::new(ErrorKind::Field, "patch appears to be empty"));
        }
        Ok(Self { patches })
    }
}

impl Transform for StrategicMerge {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for patch in &self.patches {
            let index = set.find_any(&patch.original_id()).map_err(|error| locate(error, patch))?;
            merge_into(set, index, patch.node(), Allowed::default(), &build.schema)
                .map_err(|error| locate(error, patch))?;
        }
        drop_empty(set);
        Ok(())
    }
}

/// What a strategic merge patch may change besides the content.
#[derive(Clone, Copy, Debug, Default)]
struct Allowed {
    name: bool,
    kind: bool,
}

/// An entry of `patches`.
#[derive(Debug)]
pub(crate) struct PatchStep {
    /// How messages name the patch.
    source: String,
    target: Option<Matcher>,
    allowed: Allowed,
    content: PatchContent,
}

#[derive(Debug)]
enum PatchContent {
    Strategic(Vec<Resource>),
    Json(JsonPatch),
}

impl PatchStep {
    pub(crate) fn new(patch: &Patch, loader: &Loader<'_>, schema: &Schema) -> Result<Self> {
        Self::read(patch, loader, schema).map_err(|error| {
            error.context(format!(
                "trouble configuring builtin PatchTransformer with config: `\n{}`",
                describe(patch),
            ))
        })
    }

    pub(crate) fn read(patch: &Patch, loader: &Loader<'_>, schema: &Schema) -> Result<Self> {
        let inline = patch.patch.trim();
        let fail = |message: &str| {
            Err(Error::new(ErrorKind::Field, format!("{message}\n{}", describe(patch))))
        };
        let (text, source, file) = match (inline, patch.path.as_str()) {
            ("", "") => return fail("must specify one of patch and path in"),
            ("", file_path) => {
                let name = loader.name_of(file_path);
                let content = loader.read(file_path).map_err(|error| {
                    error
                        .context(format!("failed to get the patch file from path({file_path})"))
                        .in_file(name.as_str())
                })?;
                (content.to_vec(), format!("[path: {file_path:?}]"), name)
            }
            (text, "") => (text.as_bytes().to_vec(), format!("[patch: {text:?}]"), String::new()),
            _ => return fail("patch and path can't be set at the same time"),
        };
        let strategic = read_resources(&text, &file, schema);
        let json = read_json_patch(&text);
        let content = match (strategic, json) {
            (Ok(patches), Ok(json)) if !patches.is_empty() && !json.is_empty() => {
                let message = format!("illegally qualifies as both an SM and JSON patch: {source}");
                return Err(Error::new(ErrorKind::Field, message));
            }
            (Ok(patches), _) => PatchContent::Strategic(patches),
            (Err(_), Ok(json)) => PatchContent::Json(json),
            (Err(strategic), Err(json)) => {
                let mut error = Error::new(
                    ErrorKind::Syntax,
                    format!("unable to parse SM or JSON patch from {source}"),
                );
                if let Some(line) = strategic.line() {
                    error = error.at_line(line, strategic.column().unwrap_or(1));
                }
                if !file.is_empty() {
                    error = error.in_file(file);
                }
                return Err(error.with_hint(format!(
                    "as a strategic merge patch: {}; as a JSON patch: {}",
                    one_line(&strategic),
                    one_line(&json),
                )));
            }
        };
        let target = patch.target.as_ref().map(Matcher::new).transpose()?;
        let allowed = Allowed { name: patch.allow_name_change, kind: patch.allow_kind_change };
        Ok(Self { source, target, allowed, content })
    }

    fn merge_strategic(
        &self,
        patches: &[Resource],
        set: &mut ResourceSet,
        schema: &Schema,
    ) -> Result<()> {
        let Some(matcher) = &self.target else {
            for patch in patches {
                let id = patch.original_id();
                let index = set.find_any(&id).map_err(|error| {
                    locate(
                        error.context(format!(
                            "no resource matches strategic merge patch {:?}",
                            id.to_string()
                        )),
                        patch,
                    )
                })?;
                merge_into(set, index, patch.node(), self.allowed, schema)
                    .map_err(|error| locate(error, patch))?;
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
                ));
            }
        };
        let mut renamed = false;
        for index in matcher.select(set) {
            let mut node = patch.node().clone();
            // The patch is read as one for the target's API version.
            if let Some(mapping) = node.as_mapping_mut() {
                mapping.insert("apiVersion", set.get(index).id().gvk.api_version());
            }
            renamed |= merge_into(set, index, &node, self.allowed, schema)
                .map_err(|error| locate(error, patch))?;
        }
        if renamed {
            set.check_unique(already_registered)?;
        }
        Ok(())
    }
}

fn already_registered(resource: &Resource) -> String {
    format!("may not add resource with an already registered id: {}", resource.id())
}

impl Transform for PatchStep {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        match &self.content {
            PatchContent::Strategic(patches) => {
                self.merge_strategic(patches, set, &build.schema)?;
            }
            PatchContent::Json(patch) => {
                let Some(matcher) = &self.target else {
                    let message = format!("must specify a target for JSON patch {}", self.source);
                    return Err(Error::new(ErrorKind::Field, message));
                };
                for index in matcher.select(set) {
                    let resource = set.get_mut(index);
                    resource.remember_id();
                    apply_json(resource, patch, &build.schema)?;
                }
            }
        }
        drop_empty(set);
        Ok(())
    }
}

/// An entry of `patchesJson6902`.
#[derive(Debug)]
pub(crate) struct Json6902 {
    matcher: Matcher,
    patch: JsonPatch,
}

impl Json6902 {
    pub(crate) fn new(patch: &Patch, loader: &Loader<'_>) -> Result<Self> {
        Self::read(patch, loader).map_err(|error| {
            error.context(format!(
                "trouble configuring builtin PatchJson6902Transformer with config: `\n{}`",
                describe(patch),
            ))
        })
    }

    pub(crate) fn read(patch: &Patch, loader: &Loader<'_>) -> Result<Self> {
        let fail = |message: String| Err(Error::new(ErrorKind::Field, message));
        let Some(target) = patch.target.as_ref().filter(|target| !target.name.is_empty()) else {
            return fail("must specify the target name".to_owned());
        };
        let text = match (patch.path.as_str(), patch.patch.as_str()) {
            ("", "") => return fail("empty file path and empty jsonOp".to_owned()),
            ("", text) => text.as_bytes().to_vec(),
            (file_path, "") => {
                let content = loader
                    .read(file_path)
                    .map_err(|error| error.in_file(loader.name_of(file_path)))?;
                if content.is_empty() {
                    return fail(format!("patch file '{file_path}' empty seems to be empty"));
                }
                content.to_vec()
            }
            _ => return fail("must specify a file path or jsonOp, not both".to_owned()),
        };
        let decoded = read_json_patch(&text)?;
        if decoded.is_empty() {
            return fail(format!(
                "patch appears to be empty; file={}, JsonOp={}",
                patch.path, patch.patch
            ));
        }
        Ok(Self { matcher: Matcher::new(target)?, patch: decoded })
    }
}

impl Transform for Json6902 {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for index in self.matcher.select(set) {
            apply_json(set.get_mut(index), &self.patch, &build.schema)?;
        }
        drop_empty(set);
        Ok(())
    }
}

fn read_json_patch(text: &[u8]) -> Result<JsonPatch> {
    let document = read_document(text)?;
    Ok(JsonPatch::from_node(&document)?)
}

fn apply_json(resource: &mut Resource, patch: &JsonPatch, schema: &Schema) -> Result<()> {
    let id = resource.id().to_object_id();
    patch.apply(resource.node_mut()).map_err(|error| Error::from(error).about(id))?;
    resource.refresh(schema);
    Ok(())
}

/// Merges a patch into a resource. Kind, name and namespace stay, unless a change is allowed.
/// Returns whether the identity changed.
fn merge_into(
    set: &mut ResourceSet,
    index: usize,
    patch: &Node,
    allowed: Allowed,
    schema: &Schema,
) -> Result<bool> {
    let may_rename = allowed.name || allowed.kind;
    if may_rename {
        set.get_mut(index).remember_id();
    }
    let resource = set.content_mut(index);
    let id = resource.id().to_object_id();
    let kept: Vec<Option<Node>> = ["name", "namespace"]
        .iter()
        .map(|key| resource.node().at(["metadata", key]).cloned())
        .collect();
    let kind = resource.node().get("kind").cloned();
    gitops_yaml::merge_strategic(resource.node_mut(), patch, schema)
        .map_err(|error| Error::from(error).about(id))?;
    if resource.node().is_empty() {
        return Ok(false);
    }
    let object = resource.node_mut().make_mapping();
    if !allowed.kind
        && let Some(kind) = kind
    {
        object.insert("kind", kind);
    }
    let metadata = object.mapping_or_insert("metadata");
    for (key, node) in ["name", "namespace"].into_iter().zip(kept) {
        match node {
            _ if key == "name" && allowed.name => {}
            Some(node) => {
                metadata.insert(key, node);
            }
            None => {
                metadata.remove(key);
            }
        }
    }
    let changed = resource.refresh(schema);
    if changed {
        // The indexes are dropped.
        set.get_mut(index);
    }
    Ok(changed)
}

/// Drops what a patch deleted.
fn drop_empty(set: &mut ResourceSet) {
    if set.iter().any(|resource| resource.node().is_empty()) {
        set.retain(|resource| !resource.node().is_empty());
    }
}

fn locate(error: Error, patch: &Resource) -> Error {
    match &patch.read_at {
        Some(read_at) if !read_at.file.is_empty() => {
            let error = error.in_file(&*read_at.file);
            if error.line().is_none() { error.at_line(read_at.line, 1) } else { error }
        }
        _ => error,
    }
}

/// The entry as the original prints it in its messages.
fn describe(patch: &Patch) -> String {
    let mut text = String::new();
    if !patch.patch.is_empty() {
        text.push_str("patch: ");
        text.push_str(
            &Node::string(patch.patch.as_str())
                .text()
                .map(|text| format!("{text:?}"))
                .unwrap_or_default(),
        );
        text.push('\n');
    }
    if !patch.path.is_empty() {
        text.push_str("path: ");
        text.push_str(&patch.path);
        text.push('\n');
    }
    text
}
