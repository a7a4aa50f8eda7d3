//! `replacements`: a value of one object is copied to fields of others.
//!
//! Follows kustomize's `api/filters/replacement`.

mod copy;
mod notes;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gitops_yaml::{Flavour, Node, Scalar, ScalarStyle, resolve};

use copy::{copy_to, refined};

use super::{
    Transform,
    field_path::{look_up, split_path, way},
    selector::Matcher,
};
use crate::{
    build::Build,
    error::{Entry, Error, ErrorKind, Location, Result},
    file::{Replacement, ReplacementSource, ReplacementTarget, decode::Dialect},
    load::Loader,
    read::read_document,
    resource::{Resource, ResourceId},
    set::ResourceSet,
    trace::{self, Cause, TracedStep},
    words::list,
};
const DEFAULT_PATH: &str = "metadata.name";

/// Copies of values.
#[derive(Debug)]
pub(crate) struct Replacements {
    replacements: Vec<Configured>,
}

/// A replacement and where it stands.
#[derive(Debug)]
struct Configured {
    replacement: Replacement,
    /// Its place in the field, or in the file that the field names.
    index: usize,
    file: Option<Arc<ReplacementFile>>,
    /// Whether a target selected nothing.
    missed: AtomicBool,
}

/// A file of replacements.
#[derive(Debug)]
struct ReplacementFile {
    name: String,
    document: Node,
}

impl Configured {
    fn cause(&self, step: &TracedStep) -> Cause {
        let configured = match &self.file {
            Some(file) => {
                let place = match file.document.as_sequence() {
                    Some(items) => items.get(self.index).map(Node::place).unwrap_or_default(),
                    None => file.document.place(),
                };
                let (line, column) = (place.line(), place.column());
                Location { file: file.name.as_str().into(), line, column }
            }
            None => step.configured(Entry(step.entry.0, step.entry.1.or(Some(self.index)))),
        };
        let cause = Cause { configured: Some(configured), ..Cause::by(&step.by) };
        match &self.replacement.source {
            Some(source) => {
                let path =
                    if source.field_path.is_empty() { DEFAULT_PATH } else { &source.field_path };
                let name = if source.name.is_empty() { "" } else { "/" };
                let from = format!("{}{name}{}", source.gvk.kind, source.name);
                cause.noting(format!("copied from {path} of {from}"))
            }
            None => cause.noting("from sourceValue"),
        }
    }

    fn place(&self, error: Error) -> Error {
        let error = match &self.file {
            Some(file) if !file.document.is_sequence() => error,
            _ => error.at_index(self.index),
        };
        match &self.file {
            Some(file) => error.follow(Some(&file.document), "").in_file(file.name.as_str()),
            None => error,
        }
    }
}

impl Replacements {
    /// Takes the entries of the field; those with a path are read from their files.
    pub(crate) fn new(entries: &[Replacement], loader: &Loader<'_>) -> Result<Self> {
        let mut replacements = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if entry.path.is_empty() {
                replacements.push(Configured {
                    replacement: entry.clone(),
                    index,
                    file: None,
                    missed: AtomicBool::new(false),
                });
                continue;
            }
            if entry.source.is_some()
                || entry.targets.as_ref().is_some_and(|targets| !targets.is_empty())
            {
                return Err(Error::new(
                    ErrorKind::Field,
                    "cannot specify both path and inline replacement",
                )
                .at_index(index)
                .expecting("either `path`, or `source` and `targets`"));
            }
            let content = loader.read(&entry.path).map_err(|error| {
                loader.suggest(error, &entry.path).at_field("path").at_index(index)
            })?;
            Self::read_file(&content, loader.name_of(&entry.path), &mut replacements)?;
        }
        Ok(Self { replacements })
    }

    fn read_file(content: &[u8], name: String, replacements: &mut Vec<Configured>) -> Result<()> {
        let read = || -> Result<(Node, Vec<Replacement>)> {
            let document = read_document(content)?;
            let read = match document.as_sequence() {
                Some(items) => {
                    items.iter().map(|item| Replacement::read(item, Dialect::Lenient)).collect()
                }
                None if document.is_mapping() => {
                    Replacement::read(&document, Dialect::Lenient).map(|one| vec![one])
                }
                None => Err(Error::new(
                    ErrorKind::Field,
                    "unsupported replacement type encountered within replacement path: invalid",
                )
                .at_line(document.place().line(), document.place().column())
                .expecting("a replacement with `source` and `targets`, or a list of them")),
            };
            read.map(|read| (document, read))
        };
        let (document, read) = read().map_err(|error| error.in_file(name.as_str()))?;
        let file = Arc::new(ReplacementFile { name, document });
        replacements.extend(read.into_iter().enumerate().map(|(index, replacement)| Configured {
            replacement,
            index,
            file: Some(Arc::clone(&file)),
            missed: AtomicBool::new(false),
        }));
        Ok(())
    }
}

impl Transform for Replacements {
    fn idle(&self, _: &ResourceSet) -> Vec<(usize, String)> {
        let mut missed = self.replacements.iter().filter(|one| one.missed.load(Ordering::Relaxed));
        let Some(missed) = missed.next() else { return Vec::new() };
        let place = match &missed.file {
            Some(file) => format!(" of {}", file.name),
            None => String::new(),
        };
        vec![(0, format!("a target of replacement {}{place} selects nothing", missed.index + 1))]
    }

    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for configured in &self.replacements {
            let cause = build.step.as_ref().map(|step| configured.cause(step));
            run_one(configured, set, build, cause).map_err(|error| configured.place(error))?;
        }
        Ok(())
    }
}

fn run_one(
    configured: &Configured,
    set: &mut ResourceSet,
    build: &Build<'_>,
    cause: Option<Cause>,
) -> Result<()> {
    let replacement = &configured.replacement;
    let (Some(targets), true) =
        (&replacement.targets, replacement.source.is_some() || replacement.source_value.is_some())
    else {
        let message = "replacements must specify a source and at least one target";
        return Err(Error::new(ErrorKind::Field, message)
            .expecting("`source` (or `sourceValue`) and `targets`"));
    };
    let mut value = value_of(replacement, set).map_err(|error| error.at_field("source"))?;
    for (index, target) in targets.iter().enumerate() {
        build.scope.check()?;
        let found = write(target, &mut value, set, build).map_err(|error| {
            let error = error.at_index(index).at_field("targets");
            if value.secret { error.without(value.node.text().unwrap_or_default()) } else { error }
        })?;
        configured.missed.fetch_or(!found, Ordering::Relaxed);
    }
    if let Some(cause) = cause {
        trace::note(set, cause);
    }
    Ok(())
}

/// What is copied, and the field that it is; a change of that field counts for later targets.
struct Value {
    node: Node,
    /// Whether a Secret holds it.
    secret: bool,
    source: Option<(usize, Vec<String>)>,
}

impl Value {
    fn follow(&mut self, place: usize, resource: &Resource) {
        if let Some((_, path)) = self.source.as_ref().filter(|(source, _)| *source == place)
            && let Ok(Some(node)) = look_up(resource.node(), path)
        {
            self.node = node.clone();
        }
    }
}

fn value_of(replacement: &Replacement, set: &ResourceSet) -> Result<Value> {
    let source = match (&replacement.source, &replacement.source_value) {
        (Some(_), Some(_)) => {
            return Err(Error::new(
                ErrorKind::Field,
                "value and resource selectors are mutually exclusive",
            ));
        }
        (None, Some(text)) => {
            let kind = resolve(text, Flavour::V3);
            let mut node = Node::from(Scalar::new(text.as_str(), kind, ScalarStyle::Plain));
            node.mark_untyped();
            return Ok(Value { node, secret: false, source: None });
        }
        (Some(source), None) => source,
        (None, None) => return Ok(Value { node: Node::null(), secret: false, source: None }),
    };
    let place = find_source(source, set)?;
    let resource = set.get(place);
    let path = if source.field_path.is_empty() { DEFAULT_PATH } else { &source.field_path };
    let parts = split_path(path);
    let value = look_up(resource.node(), &parts).map_err(|error| {
        error
            .context("error looking up replacement source")
            .at_field("fieldPath")
            .with_hint(way(resource.node(), &parts))
    })?;
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Err(Error::new(
            ErrorKind::Reference,
            format!("fieldPath `{path}` is missing for replacement source {}", id_of(source)),
        )
        .about(resource.id().to_object_id())
        .at_field("fieldPath")
        .with_hint(way(resource.node(), &split_path(path))));
    };
    let options = source.options.as_ref().filter(|options| !options.delimiter.is_empty());
    let secret = resource.id().gvk.kind == "Secret";
    let node = refined(options, value).map_err(|error| {
        if secret { error.without(value.text().unwrap_or_default()) } else { error }
    })?;
    let parts = settled(resource.node(), parts);
    Ok(Value { node, secret, source: options.is_none().then_some((place, parts)) })
}

/// The path with numbers for last elements, of which there may be others later.
fn settled(object: &Node, parts: Vec<String>) -> Vec<String> {
    let mut settled: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts {
        let list = (part == "-").then(|| look_up(object, &settled).ok().flatten()).flatten();
        let last = list.and_then(Node::as_sequence).map(|items| items.len().saturating_sub(1));
        settled.push(last.map_or(part, |last| last.to_string()));
    }
    settled
}

fn id_of(source: &ReplacementSource) -> ResourceId {
    ResourceId {
        gvk: source.gvk.clone(),
        name: source.name.clone(),
        namespace: source.namespace.clone(),
        cluster_scoped: false,
    }
}

/// The identities of a resource, the current one first, as replacements see them: without knowledge
/// of which kinds have no namespace.
fn ids_of(resource: &Resource) -> impl Iterator<Item = ResourceId> {
    let current = ResourceId { cluster_scoped: false, ..resource.id().clone() };
    [current].into_iter().chain(resource.former_ids())
}

fn find_source(source: &ReplacementSource, set: &ResourceSet) -> Result<usize> {
    let selector = id_of(source);
    let shown = || {
        let path = if source.field_path.is_empty() {
            String::new()
        } else {
            format!(":{}", source.field_path)
        };
        let options = source
            .options
            .as_ref()
            .filter(|options| !options.delimiter.is_empty() || options.create)
            .map(|options| {
                format!(":{}({}), create={}", options.delimiter, options.index, options.create)
            })
            .unwrap_or_default();
        format!("{selector}{path}{options}")
    };
    let mut found = set
        .iter()
        .enumerate()
        .filter(|(_, resource)| ids_of(resource).any(|id| id.is_selected_by(&selector)));
    match (found.next(), found.next()) {
        (Some((place, _)), None) => Ok(place),
        (Some(_), Some(_)) => Err(Error::new(
            ErrorKind::Reference,
            format!("multiple matches for selector {}", shown()),
        )
        .expecting("a selector that exactly one object has")
        .with_hint(format!(
            "it selects {}",
            list(
                &set.iter()
                    .filter(|resource| ids_of(resource).any(|id| id.is_selected_by(&selector)))
                    .map(|resource| resource.id().to_string())
                    .collect::<Vec<_>>()
            )
        ))),
        (None, _) => {
            Err(Error::new(ErrorKind::Reference, format!("nothing selected by {}", shown()))
                .with_hint(set.near(&selector)))
        }
    }
}

/// Copies a value to the fields of a target; false where the target selects nothing.
fn write(
    target: &ReplacementTarget,
    value: &mut Value,
    set: &mut ResourceSet,
    build: &Build<'_>,
) -> Result<bool> {
    let Some(select) = &target.select else {
        return Err(Error::new(ErrorKind::Field, "target must specify resources to select")
            .expecting("`select` with kind and name"));
    };
    let wrap = |error: Error| error.context("error creating target selector");
    let matcher = Matcher::new(select).map_err(wrap)?;
    let rejects: Vec<(bool, Matcher)> = target
        .reject
        .iter()
        .map(|reject| Ok((reject.selects_by_id(), Matcher::new(reject)?)))
        .collect::<Result<_>>()
        .map_err(wrap)?;
    let default = [DEFAULT_PATH.to_owned()];
    let paths = if target.field_paths.is_empty() { &default[..] } else { &target.field_paths };
    let mut found = false;
    for place in 0..set.len() {
        build.check_at(place)?;
        let resource = set.get(place);
        if !matcher.matches_pairs(resource)
            || !ids_of(resource).any(|id| matcher.matches_id(&id))
            || rejects.iter().any(|(by_id, reject)| {
                (reject.has_pair_selector() && reject.matches_pairs(resource))
                    || (*by_id && ids_of(resource).any(|id| reject.matches_id(&id)))
            })
        {
            continue;
        }
        found = true;
        let id = resource.id().to_object_id();
        let resource = set.get_mut(place);
        for (index, path) in paths.iter().enumerate() {
            copy_to(resource.node_mut(), path, &value.node, target.options.as_ref())
                .map_err(|error| error.about(&id).at_index(index).at_field("fieldPaths"))?;
            resource.sync_bonds();
            value.follow(place, resource);
        }
        resource.refresh(&build.schema);
    }
    Ok(found)
}
