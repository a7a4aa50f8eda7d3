//! `patches`, `patchesStrategicMerge` and `patchesJson6902`.

use std::sync::Arc;

use gitops_core::one_line;
use gitops_yaml::{JsonPatch, Mapping, Node, Schema};

use super::{Transform, remove_pair, selector::Matcher};
use crate::{
    build::Build,
    error::{Error, ErrorKind, Result},
    file::{Patch, Selector},
    finish::{ORIGIN, TRANSFORMATIONS, widen_folds},
    load::Loader,
    read::{read_document, read_resources},
    resource::{Resource, rewrite_pairs},
    set::ResourceSet,
    trace::TextAt,
};

/// Patches that name their target by their own kind, name and namespace.
#[derive(Debug)]
pub(crate) struct StrategicMerge {
    patches: Vec<Resource>,
    /// The entry of each patch.
    entries: Vec<usize>,
}

impl StrategicMerge {
    /// Reads the field `patchesStrategicMerge`.
    pub(crate) fn configured(
        entries: &[String],
        loader: &Loader<'_>,
        schema: &Schema,
    ) -> Result<Self> {
        Self::from_entries(entries, loader, schema).map_err(|error| {
            let paths: Mapping = [("paths", Node::sequence(entries.iter().cloned()))].into_iter().collect();
            let config = gitops_yaml::to_yaml(&Node::from(paths)).unwrap_or_default();
            error.context(format!(
                "trouble configuring builtin PatchStrategicMergeTransformer with config: `\n{config}`",
            ))
        })
    }

    /// Reads entries, each a patch itself or a file of them.
    pub(crate) fn from_entries(
        entries: &[String],
        loader: &Loader<'_>,
        schema: &Schema,
    ) -> Result<Self> {
        let mut step = Self { patches: Vec::new(), entries: Vec::new() };
        for (index, entry) in entries.iter().enumerate() {
            if let Ok(read) = read_resources(entry.as_bytes(), "", schema) {
                step.patches.extend(read);
            } else {
                let content = loader
                    .read(entry)
                    .map_err(|error| loader.suggest(error, entry).at_index(index))?;
                let name = loader.name_of(entry);
                step.patches.extend(read_resources(&content, &name, schema).map_err(|error| {
                    let malformed = error.to_string().starts_with("MalformedYAMLError");
                    let error = error.in_file(name.as_str());
                    if malformed {
                        error.reword(|text| format!("{text} in File: {entry}"))
                    } else {
                        error
                    }
                })?);
            }
            step.entries.resize(step.patches.len(), index);
        }
        if step.patches.is_empty() {
            let files = entries.join(" ");
            let message = format!("patch appears to be empty; files=[{files}], Patch=");
            return Err(Error::new(ErrorKind::Field, message)
                .expecting("at least one object with apiVersion, kind and metadata.name"));
        }
        for patch in &mut step.patches {
            settle_metadata(patch.node_mut());
        }
        Ok(step)
    }
}

impl Transform for StrategicMerge {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for (patch, entry) in self.patches.iter().zip(&self.entries) {
            build.scope.check()?;
            let index = set
                .find_any(&patch.original_id())
                .and_then(|index| {
                    merge_into(set, index, patch.node(), Allowed::default(), build)?;
                    Ok(index)
                })
                .map_err(|error| locate(error, patch).at_index(*entry))?;
            if let Some(step) = &build.step {
                let file = patch.read_at.as_ref().map_or("", |read_at| &read_at.file);
                set.content_mut(index).trace(|| step.cause_of_patch(file, 0, Some(*entry)));
            }
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
    /// The file that it was read from; empty where it stands in the entry itself.
    file: String,
    /// The empty lines in front of one that stands in the entry.
    skipped: u32,
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
            (text, "") => (text.as_bytes().to_vec(), format!("[patch: {text:?}]"), String::new()),
            _ => return fail("patch and path can't be set at the same time"),
        };
        let strategic = read_resources(&text, &file, schema);
        let json = read_json_patch(&text);
        let content = match (strategic, json) {
            (Ok(patches), Ok(json)) if !patches.is_empty() && !json.is_empty() => {
                let message = format!("illegally qualifies as both an SM and JSON patch: {source}");
                return Err(place(Error::new(ErrorKind::Field, message), &file, skipped));
            }
            (Ok(patches), _) => PatchContent::Strategic(patches),
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
        let allowed = Allowed { name: patch.allow_name_change, kind: patch.allow_kind_change };
        Ok(Self { source, file, skipped, target, allowed, content })
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
                self.trace(set, index, build);
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
        for index in matcher.select(set) {
            build.check_at(index)?;
            let mut node = patch.node().clone();
            settle_metadata(&mut node);
            // The patch is read as one for the target's API version.
            if let Some(mapping) = node.as_mapping_mut() {
                mapping.insert("apiVersion", set.get(index).id().gvk.api_version());
            }
            renamed |= merge_into(set, index, &node, self.allowed, build)
                .map_err(|error| self.place(locate(error, patch)))?;
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

/// Quirk: labels and annotations of a patch become strings, `null` too, unless it finds its object by
/// its own name.
fn settle_metadata(patch: &mut Node) {
    rewrite_pairs(patch, "labels");
    rewrite_pairs(patch, "annotations");
}

fn already_registered(resource: &Resource) -> String {
    format!("may not add resource with an already registered id: {}", resource.id())
}

impl Transform for PatchStep {
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
                for index in matcher.select(set) {
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

/// An entry of `patchesJson6902`.
#[derive(Debug)]
pub(crate) struct Json6902 {
    matcher: Matcher,
    patch: JsonPatch,
    /// The file that it was read from; empty where it stands in the entry itself.
    file: String,
}

impl Json6902 {
    pub(crate) fn new(patch: &Patch, loader: &Loader<'_>) -> Result<Self> {
        Self::read(patch, loader).map_err(|error| {
            error.context(format!(
                "trouble configuring builtin PatchJson6902Transformer with config: `\n{}`",
                describe(patch, "jsonOp"),
            ))
        })
    }

    pub(crate) fn read(patch: &Patch, loader: &Loader<'_>) -> Result<Self> {
        let fail = |message: String| Err(Error::new(ErrorKind::Field, message));
        let Some(target) = patch.target.as_ref().filter(|target| !target.name.is_empty()) else {
            return fail("must specify the target name".to_owned()).map_err(|error: Error| {
                error.at_field("target").expecting("`target` with kind and name")
            });
        };
        let mut file = String::new();
        let text = match (patch.path.as_str(), patch.patch.as_str()) {
            ("", "") => return fail("empty file path and empty jsonOp".to_owned()),
            ("", text) => text.as_bytes().to_vec(),
            (file_path, "") => {
                let content = loader
                    .read(file_path)
                    .map_err(|error| loader.suggest(error, file_path).at_field("path"))?;
                file = loader.name_of(file_path);
                if content.is_empty() {
                    return fail(format!("patch file '{file_path}' empty seems to be empty"));
                }
                content.to_vec()
            }
            _ => return fail("must specify a file path or jsonOp, not both".to_owned()),
        };
        let decoded = read_json_patch(&text).map_err(|error| {
            let read = read_document(&text).ok().and_then(|node| node.to_json_v2().ok());
            let error = match read {
                Some(json) => {
                    let shown = gitops_core::truncate(&json.to_string(), 400);
                    error.context(format!("decoding {shown}"))
                }
                None => error,
            };
            place(error, &file, 0).expecting("a list of operations {op, path, value}")
        })?;
        if decoded.is_empty() {
            return fail(format!(
                "patch appears to be empty; file={}, JsonOp={}",
                patch.path, patch.patch
            ));
        }
        let matcher = Matcher::new(target).map_err(|error| error.at_field("target"))?;
        Ok(Self { matcher, patch: decoded, file })
    }
}

impl Transform for Json6902 {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for index in self.matcher.select(set) {
            build.check_at(index)?;
            let text = JsonText { file: &self.file, skipped: 0 };
            apply_json(set.get_mut(index), &self.patch, text, build)
                .map_err(|error| place(error, &self.file, 0))?;
        }
        drop_empty(set);
        Ok(())
    }
}

fn read_json_patch(text: &[u8]) -> Result<JsonPatch> {
    // What begins like JSON must be JSON.
    if text.starts_with(b"[")
        && let Err(error) = serde_json::from_slice::<&serde_json::value::RawValue>(text)
    {
        return Err(Error::new(ErrorKind::Syntax, format!("invalid JSON: {error}")));
    }
    let document = read_document(text)?;
    Ok(JsonPatch::from_node(&document)?)
}

/// Where the operations of a patch stand.
#[derive(Clone, Copy)]
struct JsonText<'p> {
    file: &'p str,
    skipped: u32,
}

/// Applies a JSON patch.
///
/// Quirk: the original keeps its books in annotations, so that an object whose books were opened has
/// some; a patch that takes all annotations away forgets where the object came from.
fn apply_json(
    resource: &mut Resource,
    patch: &JsonPatch,
    text: JsonText<'_>,
    build: &Build<'_>,
) -> Result<()> {
    let id = resource.id().to_object_id();
    let kept: Vec<&str> = [
        (!resource.transformations.is_empty()).then_some(TRANSFORMATIONS),
        resource.origin.is_some().then_some(ORIGIN),
    ]
    .into_iter()
    .flatten()
    .collect();
    let has_books = resource.has_books();
    if has_books {
        let metadata = resource.node_mut().make_mapping().mapping_or_insert("metadata");
        if metadata.get("annotations").is_none_or(Node::is_null) {
            metadata.insert("annotations", Mapping::new());
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Node::as_mapping_mut) {
            for key in &kept {
                annotations.insert(*key, "");
            }
        }
    }
    widen_folds(resource.node_mut());
    let applied = match (&build.step, resource.history.take()) {
        (Some(step), Some(mut history)) => {
            let cause = step.cause_of_patch(text.file, text.skipped, None);
            let applied = patch.apply_watched(resource.node_mut(), &mut |document, place| {
                let mut cause = cause.clone();
                cause.text = cause.text.map(|text| TextAt::Here(text.locate(place)));
                history.note(document, &Arc::new(cause));
            });
            resource.history = Some(history);
            applied
        }
        (_, history) => {
            resource.history = history;
            patch.apply(resource.node_mut())
        }
    };
    applied.map_err(|error| Error::from(error).about(id))?;
    for key in kept {
        if remove_pair(resource.node_mut(), "annotations", key) {
            continue;
        }
        if key == ORIGIN {
            resource.origin = None;
        } else {
            resource.transformations.clear();
        }
    }
    resource.forget_bonds();
    rewrite_pairs(resource.node_mut(), "annotations");
    if has_books {
        let metadata = resource.node_mut().make_mapping().mapping_or_insert("metadata");
        metadata.get_or_insert_with("annotations", || Node::from(Mapping::new()));
    }
    resource.refresh(&build.schema);
    Ok(())
}

/// Merges a patch into a resource. Kind, name and namespace stay, unless a change is allowed.
/// Returns whether the identity changed.
fn merge_into(
    set: &mut ResourceSet,
    index: usize,
    patch: &Node,
    allowed: Allowed,
    build: &Build<'_>,
) -> Result<bool> {
    let schema = &*build.schema;
    build.schema_in_use.set(true);
    let may_rename = allowed.name || allowed.kind;
    if may_rename {
        set.get_mut(index).remember_id();
    }
    let resource = set.content_mut(index);
    let id = resource.id().to_object_id();
    let kept: Vec<Option<Node>> = ["name", "namespace"]
        .iter()
        .map(|key| resource.node().at(["metadata", key]).filter(|node| !node.is_null()).cloned())
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

/// Places a failure in a patch: at the line that is known, or where the patch begins.
fn locate(error: Error, patch: &Resource) -> Error {
    let Some(read_at) = &patch.read_at else { return error };
    let error = error.at_line(read_at.line, 1);
    if read_at.file.is_empty() { error } else { error.in_file(&*read_at.file) }
}

/// The entry as the original prints it in its messages: with its text under the name `text`.
fn describe(patch: &Patch, text: &'static str) -> String {
    let mut config = Mapping::new();
    let mut options = Mapping::new();
    for (key, set) in
        [("allowNameChange", patch.allow_name_change), ("allowKindChange", patch.allow_kind_change)]
    {
        if set {
            options.insert(key, true);
        }
    }
    if !options.is_empty() {
        config.insert("options", options);
    }
    for (key, value) in [(text, &patch.patch), ("path", &patch.path)] {
        if !value.is_empty() {
            config.insert(key, value.as_str());
        }
    }
    if let Some(target) = &patch.target {
        config.insert("target", describe_selector(target));
    }
    gitops_yaml::to_yaml(&Node::from(config)).unwrap_or_default()
}

fn describe_selector(selector: &Selector) -> Mapping {
    let Selector { gvk, name, namespace, annotation_selector, label_selector } = selector;
    [
        ("annotationSelector", annotation_selector.as_str()),
        ("group", &gvk.group),
        ("kind", &gvk.kind),
        ("labelSelector", label_selector),
        ("name", name),
        ("namespace", namespace),
        ("version", &gvk.version),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect()
}
