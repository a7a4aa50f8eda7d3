//! JSON 6902 patches.

use std::sync::Arc;

use gitops_yaml::{Content, Entry, JsonPatch, Mapping, Node, wanted_text};

use super::{
    super::{Transform, remove_pair, selector::Matcher},
    Wanted,
    describe::{describe, shown},
    drop_empty, place,
};
use crate::{
    build::Build,
    error::{Error, ErrorKind, Result},
    file::Patch,
    finish::{ORIGIN, TRANSFORMATIONS, widen_folds},
    load::Loader,
    read::read_document,
    resource::{Resource, rewrite_pairs},
    set::ResourceSet,
    trace::TextAt,
};

/// An entry of `patchesJson6902`.
#[derive(Debug)]
pub(crate) struct Json6902 {
    matcher: Matcher,
    patch: JsonPatch,
    /// The file that it was read from; empty where it stands in the entry itself.
    file: String,
    wanted: Wanted,
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
                    let json = if shown(patch) == "***" { "***".into() } else { json.to_string() };
                    let shown = gitops_core::truncate(&json, 400);
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
        Ok(Self { matcher, patch: decoded, file, wanted: Wanted::new(Some(target)) })
    }
}

impl Transform for Json6902 {
    fn idle(&self, set: &ResourceSet) -> Vec<(usize, String)> {
        self.wanted.idle(set).into_iter().map(|why| (0, why)).collect()
    }

    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        let selected = self.matcher.select(set);
        self.wanted.note(&selected);
        for index in selected {
            build.check_at(index)?;
            let text = JsonText { file: &self.file, skipped: 0 };
            apply_json(set.get_mut(index), &self.patch, text, build)
                .map_err(|error| place(error, &self.file, 0))?;
        }
        drop_empty(set);
        Ok(())
    }
}

pub(super) fn read_json_patch(text: &[u8]) -> Result<JsonPatch> {
    // What begins like JSON must be JSON.
    if text.starts_with(b"[")
        && let Err(error) = serde_json::from_slice::<&serde_json::value::RawValue>(text)
    {
        return Err(Error::new(ErrorKind::Syntax, format!("invalid JSON: {error}")));
    }
    let mut document = read_document(text)?;
    name_keys(&mut document);
    Ok(JsonPatch::from_node(&document)?)
}

/// In JSON all keys are texts.
fn name_keys(node: &mut Node) {
    match node.content_mut() {
        Content::Scalar(_) => {}
        Content::Sequence(items) => items.iter_mut().for_each(name_keys),
        Content::Mapping(mapping) => {
            mapping.values_mut().for_each(name_keys);
            let is_text = |entry: &Entry| entry.key.is_string() || entry.key.is_null();
            if mapping.entries().iter().all(is_text) {
                return;
            }
            for entry in std::mem::take(mapping) {
                let name = wanted_text(&entry.key).filter(|_| !is_text(&entry));
                let name = name.map(|name| Node::string(name.into_owned()));
                mapping.push(name.unwrap_or(entry.key), entry.value);
            }
        }
    }
}

/// Where the operations of a patch stand.
#[derive(Clone, Copy)]
pub(super) struct JsonText<'p> {
    pub(super) file: &'p str,
    pub(super) skipped: u32,
}

/// Applies a JSON patch.
///
/// Quirk: the original keeps its books in annotations, so that an object whose books were opened has
/// some; a patch that takes all annotations away forgets where the object came from.
pub(super) fn apply_json(
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
