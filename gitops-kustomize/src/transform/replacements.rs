//! `replacements`: a value of one object is copied to fields of others.
//!
//! Follows kustomize's `api/filters/replacement` and kyaml's `yaml/match.go`.

use gitops_yaml::{Content, Flavour, Mapping, Node, Scalar, ScalarStyle, ScalarType, resolve};
use regex::Regex;

use super::{Transform, selector::Matcher};
use crate::{
    build::Build,
    config::split,
    error::{Error, ErrorKind, Result},
    file::{FieldOptions, Replacement, ReplacementSource, ReplacementTarget, decode::Dialect},
    load::Loader,
    read::read_document,
    resource::{Resource, ResourceId},
    set::ResourceSet,
};

const DEFAULT_PATH: &str = "metadata.name";

/// Copies of values.
#[derive(Debug)]
pub(crate) struct Replacements {
    replacements: Vec<Replacement>,
}

impl Replacements {
    /// Takes the entries of the field; those with a path are read from their files.
    pub(crate) fn new(entries: &[Replacement], loader: &Loader<'_>) -> Result<Self> {
        let mut replacements = Vec::new();
        for entry in entries {
            if entry.path.is_empty() {
                replacements.push(entry.clone());
                continue;
            }
            if entry.source.is_some()
                || entry.targets.as_ref().is_some_and(|targets| !targets.is_empty())
            {
                return Err(Error::new(
                    ErrorKind::Field,
                    "cannot specify both path and inline replacement",
                ));
            }
            let name = loader.name_of(&entry.path);
            let read = loader.read(&entry.path).and_then(|content| {
                let document = read_document(&content)?;
                match document.as_sequence() {
                    Some(items) => {
                        items.iter().map(|item| Replacement::read(item, Dialect::Lenient)).collect()
                    }
                    None if document.is_mapping() => {
                        Ok(vec![Replacement::read(&document, Dialect::Lenient)?])
                    }
                    None => Err(Error::new(
                        ErrorKind::Field,
                        "unsupported replacement type encountered within replacement path: invalid",
                    )),
                }
            });
            let read: Vec<Replacement> = read.map_err(|error: Error| error.in_file(name))?;
            replacements.extend(read);
        }
        Ok(Self { replacements })
    }
}

impl Transform for Replacements {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for replacement in &self.replacements {
            let (Some(targets), true) = (
                &replacement.targets,
                replacement.source.is_some() || replacement.source_value.is_some(),
            ) else {
                let message = "replacements must specify a source and at least one target";
                return Err(Error::new(ErrorKind::Field, message));
            };
            let value = value_of(replacement, set)?;
            for target in targets {
                build.scope.check()?;
                write(target, &value, set, build)?;
            }
        }
        Ok(())
    }
}

fn value_of(replacement: &Replacement, set: &ResourceSet) -> Result<Node> {
    let source = match (&replacement.source, &replacement.source_value) {
        (Some(_), Some(_)) => {
            return Err(Error::new(
                ErrorKind::Field,
                "value and resource selectors are mutually exclusive",
            ));
        }
        (None, Some(text)) => {
            let kind = resolve(text, Flavour::V3);
            return Ok(Node::from(Scalar::new(text.as_str(), kind, ScalarStyle::Plain)));
        }
        (Some(source), None) => source,
        (None, None) => return Ok(Node::null()),
    };
    let resource = find_source(source, set)?;
    let path = if source.field_path.is_empty() { DEFAULT_PATH } else { &source.field_path };
    let value = look_up(resource.node(), &split_path(path))
        .map_err(|error| error.context("error looking up replacement source"))?;
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Err(Error::new(
            ErrorKind::Reference,
            format!("fieldPath `{path}` is missing for replacement source {}", id_of(source)),
        )
        .about(resource.id().to_object_id()));
    };
    refined(source.options.as_ref(), value)
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

fn find_source<'s>(source: &ReplacementSource, set: &'s ResourceSet) -> Result<&'s Resource> {
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
    let mut found =
        set.iter().filter(|resource| ids_of(resource).any(|id| id.is_selected_by(&selector)));
    match (found.next(), found.next()) {
        (Some(resource), None) => Ok(resource),
        (Some(_), Some(_)) => Err(Error::new(
            ErrorKind::Reference,
            format!("multiple matches for selector {}", shown()),
        )),
        (None, _) => {
            Err(Error::new(ErrorKind::Reference, format!("nothing selected by {}", shown())))
        }
    }
}

/// The part of a value that the options name.
fn refined(options: Option<&FieldOptions>, value: &Node) -> Result<Node> {
    let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else {
        return Ok(value.clone());
    };
    let Some(text) = value.text() else { return Err(scalar_only()) };
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|index| text.split(&options.delimiter).nth(index));
    match part {
        Some(part) => {
            let mut node = value.clone();
            set_keeping_type(&mut node, part)?;
            Ok(node)
        }
        None => Err(Error::new(
            ErrorKind::Reference,
            format!("options.index {} is out of bounds for value {text}", options.index),
        )),
    }
}

fn scalar_only() -> Error {
    Error::new(ErrorKind::Field, "delimiter option can only be used with scalar nodes")
}

fn write(
    target: &ReplacementTarget,
    value: &Node,
    set: &mut ResourceSet,
    build: &Build<'_>,
) -> Result<()> {
    let Some(select) = &target.select else {
        return Err(Error::new(ErrorKind::Field, "target must specify resources to select"));
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
    for place in 0..set.len() {
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
        let id = resource.id().to_object_id();
        let resource = set.get_mut(place);
        for path in paths {
            copy_to(resource.node_mut(), path, value, target.options.as_ref())
                .map_err(|error| error.about(&id))?;
        }
        resource.refresh(&build.schema);
    }
    Ok(())
}

fn copy_to(
    object: &mut Node,
    path: &str,
    value: &Node,
    options: Option<&FieldOptions>,
) -> Result<()> {
    let parts = split_path(path);
    if copy_into_structured_text(object, &parts, value, options) {
        return Ok(());
    }
    let create = options.is_some_and(|options| options.create).then_some(value);
    let fail = |create: bool| {
        let verb = if create { "find or create" } else { "find" };
        format!("unable to {verb} field {path:?} in replacement target")
    };
    let mut found = 0;
    let walked = visit(object, &parts, create, &mut |node| {
        found += 1;
        set_value(node, value, options)
    });
    match walked {
        Ok(()) if found == 0 => Err(Error::new(ErrorKind::Reference, fail(create.is_some()))),
        Err(error) if found == 0 => Err(error.context(fail(create.is_some()))),
        other => other,
    }
}

fn set_value(field: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<()> {
    let mut text = value.text().map(str::to_owned);
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        let old = if field.is_null() { Some("") } else { field.text() };
        let (Some(old), Some(new)) = (old, text.as_deref()) else { return Err(scalar_only()) };
        let mut parts: Vec<&str> = old.split(&options.delimiter).collect();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, new),
            Ok(index) if index >= parts.len() => parts.push(new),
            Ok(index) => parts[index] = new,
        }
        text = Some(parts.join(&options.delimiter));
    }
    match (field.as_scalar().is_some(), text) {
        (true, Some(text)) => set_keeping_type(field, &text),
        // Quirk: a mapping or list over a scalar leaves an empty text.
        (true, None) => set_keeping_type(field, ""),
        (false, Some(text)) => {
            let mut copy = value.clone();
            set_keeping_type(&mut copy, &text)?;
            *field = copy;
            Ok(())
        }
        (false, None) => {
            *field = value.clone();
            Ok(())
        }
    }
}

/// Writes a text over a scalar. A string stays a string, whatever the text looks like; a number or
/// boolean must stay one.
fn set_keeping_type(node: &mut Node, text: &str) -> Result<()> {
    let Some(scalar) = node.as_scalar() else { return Ok(()) };
    let (kind, style) = (scalar.kind(), scalar.style());
    let read = resolve(text, Flavour::V3);
    let kind = match kind {
        ScalarType::Str | ScalarType::Merge => ScalarType::Str,
        ScalarType::Float if read == ScalarType::Int => ScalarType::Float,
        kind if kind == read => kind,
        ScalarType::Null => read,
        _ if style != ScalarStyle::Plain => ScalarType::Str,
        kind => {
            let place = node.place();
            let name = match kind {
                ScalarType::Bool => "bool",
                ScalarType::Int => "int",
                ScalarType::Float => "float",
                ScalarType::Null => "null",
                _ => "timestamp",
            };
            return Err(Error::new(
                ErrorKind::Field,
                format!("yaml: line {}: cannot decode !!str `{text}` as a !!{name}", place.line()),
            )
            .with_hint("the field holds another type of value; put it in quotes in the target to make it a string"));
        }
    };
    *node.content_mut() = Content::Scalar(Scalar::new(text, kind, style));
    Ok(())
}

/// Splits at dots. `[name=a.b]` stays together with its brackets, `[a.b]` without them.
pub(crate) fn split_path(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = split(path, '.').into_iter();
    while let Some(part) = rest.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            // A single bracketed part keeps its brackets, as in the original.
            parts.push(part);
            continue;
        }
        let mut bracketed = part;
        for more in rest.by_ref() {
            bracketed.push('.');
            bracketed.push_str(&more);
            if more.ends_with(']') {
                break;
            }
        }
        if bracketed.contains('=') {
            parts.push(bracketed);
        } else {
            parts.push(bracketed.trim_matches(['[', ']']).to_owned());
        }
    }
    parts
}

/// What one part of a path means.
enum Part<'p> {
    Field(&'p str),
    Index(usize),
    Every,
    /// `[key=value]`; the key is empty for `[=value]`.
    Element(&'p str, &'p str),
}

fn part_of(part: &str) -> Result<Part<'_>> {
    if part == "*" {
        return Ok(Part::Every);
    }
    if let Ok(index) = part.parse::<usize>() {
        return Ok(Part::Index(index));
    }
    match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
        Some(inside) => match inside.split_once('=') {
            Some((key, value)) => Ok(Part::Element(key, value)),
            None => Err(Error::new(
                ErrorKind::Field,
                "list path element must contain fieldName=fieldValue for element to match",
            )),
        },
        None => Ok(Part::Field(part)),
    }
}

fn wrong_kind(node: &Node, wanted: &str) -> Error {
    let kind = match node.content() {
        Content::Mapping(_) => "MappingNode",
        Content::Sequence(_) => "SequenceNode",
        Content::Scalar(_) => "ScalarNode",
    };
    Error::new(ErrorKind::Field, format!("wrong Node Kind for expected: {wanted} was {kind}"))
}

/// The value at a path in a source: the first element that matches counts.
fn look_up<'n>(node: &'n Node, path: &[String]) -> Result<Option<&'n Node>> {
    let mut node = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        if node.is_null() {
            return Ok(None);
        }
        let next = match part {
            "-" => node.as_sequence().ok_or_else(|| wrong_kind(node, "SequenceNode"))?.last(),
            _ => match part_of(part)? {
                Part::Every => {
                    return Err(Error::new(
                        ErrorKind::Field,
                        "wildcard is not supported in PathGetter",
                    ));
                }
                Part::Index(index) => {
                    node.as_sequence().ok_or_else(|| wrong_kind(node, "SequenceNode"))?.get(index)
                }
                Part::Element(key, value) => {
                    node.as_sequence().ok_or_else(|| wrong_kind(node, "SequenceNode"))?.iter().find(
                        |item| {
                            let field = if key.is_empty() { Some(*item) } else { item.get(key) };
                            field.and_then(Node::text) == Some(value)
                        },
                    )
                }
                Part::Field(name) => {
                    node.as_mapping().ok_or_else(|| wrong_kind(node, "MappingNode"))?.get(name)
                }
            },
        };
        match next {
            Some(next) => node = next,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// Calls `act` on every field that the path leads to. With `create`, a missing one is made of the
/// kind of that value.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of part")]
fn visit(
    node: &mut Node,
    path: &[String],
    create: Option<&Node>,
    act: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    let Some((part, rest)) = path.split_first() else { return act(node) };
    match part_of(part)? {
        Part::Every => {
            if node.is_null() {
                return Ok(());
            }
            let Some(items) = node.as_sequence_mut() else {
                return Err(wrong_kind(node, "SequenceNode"));
            };
            items.iter_mut().try_for_each(|item| visit(item, rest, create, act))
        }
        Part::Index(index) => {
            let Some(items) = node.as_sequence_mut() else {
                return Err(wrong_kind(node, "SequenceNode"));
            };
            if items.len() == index
                && let Some(value) = create
            {
                items.push(made(rest, value));
            }
            let length = items.len();
            match items.get_mut(index) {
                Some(item) => visit(item, rest, create, act),
                None => Err(Error::new(
                    ErrorKind::Reference,
                    format!("index {index} specified but only {length} elements found"),
                )),
            }
        }
        Part::Element(key, pattern) => {
            if node.is_null() {
                return Ok(());
            }
            let Some(items) = node.as_sequence_mut() else {
                return Err(wrong_kind(node, "SequenceNode"));
            };
            let regex = Regex::new(pattern).map_err(|error| {
                Error::new(ErrorKind::Field, format!("error parsing regexp: {error}"))
            })?;
            let mut reached = 0;
            let mut count = |node: &mut Node| {
                reached += 1;
                act(node)
            };
            for item in items.iter_mut() {
                let field = if key.is_empty() { Some(&*item) } else { item.get(key) };
                if field.and_then(printed).is_some_and(|text| regex.is_match(&text)) {
                    // Quirk: an element that is a value itself ends the path.
                    if key.is_empty() {
                        count(item)?;
                    } else {
                        visit(item, rest, create, &mut count)?;
                    }
                }
            }
            let Some(value) = create.filter(|_| reached == 0) else { return Ok(()) };
            let made = if key.is_empty() {
                untagged(pattern)
            } else {
                Node::from([(key, untagged(pattern))].into_iter().collect::<Mapping>())
            };
            items.push(made);
            let item = items.last_mut().expect("pushed in the line above");
            if key.is_empty() { act(item) } else { visit(item, rest, Some(value), act) }
        }
        Part::Field(name) => {
            if node.is_null() && create.is_none() {
                return Ok(());
            }
            let Some(mapping) = node.as_mapping_mut() else {
                return Err(wrong_kind(node, "MappingNode"));
            };
            match (mapping.contains_key(name), create) {
                (false, None) => return Ok(()),
                (false, Some(value)) => {
                    mapping.insert(name, made(rest, value));
                }
                (true, _) => {}
            }
            let Some(field) = mapping.get_mut(name) else { return Ok(()) };
            if field.as_scalar().is_some() && !rest.is_empty() && !field.is_null() {
                return visit_text(field, rest);
            }
            visit(field, rest, create, act)
        }
    }
}

/// A path that goes on in a scalar is followed in the document that the scalar holds; the value is
/// then set in a copy, which the original forgets.
fn visit_text(field: &Node, rest: &[String]) -> Result<()> {
    let mut document = gitops_yaml::read(field.text().unwrap_or_default())?;
    let mut found = false;
    visit(&mut document, rest, None, &mut |_| {
        found = true;
        Ok(())
    })?;
    if found { Ok(()) } else { Err(Error::new(ErrorKind::Reference, "no such field in the text")) }
}

/// An empty value for a missing field, as the next part of the path needs it.
fn made(rest: &[String], value: &Node) -> Node {
    match rest.first().map(String::as_str) {
        None if value.is_mapping() => Node::from(Mapping::new()),
        None if value.is_sequence() => Node::from(Vec::new()),
        // Nothing yet, so that the text of the value decides on the type.
        None => Node::null(),
        Some(part)
            if part.starts_with('[') && part.ends_with(']') || part.parse::<usize>().is_ok() =>
        {
            Node::from(Vec::new())
        }
        Some(_) => Node::from(Mapping::new()),
    }
}

fn untagged(text: &str) -> Node {
    Node::from(Scalar::new(text, resolve(text, Flavour::V3), ScalarStyle::Plain))
}

/// A scalar as it is matched against a pattern: as it was written, quotes included.
fn printed(node: &Node) -> Option<String> {
    let scalar = node.as_scalar()?;
    Some(match scalar.style() {
        ScalarStyle::DoubleQuoted => format!("{:?}", scalar.text()),
        ScalarStyle::SingleQuoted => format!("'{}'", scalar.text().replace('\'', "''")),
        _ => scalar.text().to_owned(),
    })
}

/// Writes into a document that a scalar on the way of the path holds as text. False where there is
/// none, or nothing in it was found.
fn copy_into_structured_text(
    object: &mut Node,
    parts: &[String],
    value: &Node,
    options: Option<&FieldOptions>,
) -> bool {
    let holder = (1..parts.len()).find(|end| {
        matches!(look_up(object, &parts[..*end]), Ok(Some(node)) if node.as_scalar().is_some() && !node.is_null())
    });
    let Some(end) = holder else { return false };
    let Ok(Some(text)) =
        look_up(object, &parts[..end]).map(|node| node.and_then(Node::text).map(str::to_owned))
    else {
        return false;
    };
    let Ok(mut document) = gitops_yaml::read(&text) else { return false };
    let create = options.is_some_and(|options| options.create).then_some(value);
    let mut found = false;
    let written = visit(&mut document, &parts[end..], create, &mut |node| {
        found = true;
        set_value(node, value, options)
    });
    if written.is_err() || !found {
        return false;
    }
    let Some(text) = print_like(&document, &text) else { return false };
    visit(object, &parts[..end], None, &mut |node| {
        *node.content_mut() = match node.as_scalar() {
            Some(scalar) => {
                Content::Scalar(Scalar::new(text.as_str(), ScalarType::Str, scalar.style()))
            }
            None => return Ok(()),
        };
        Ok(())
    })
    .is_ok()
}

/// The document in the form that its text had: JSON, with or without indentation, or YAML.
fn print_like(document: &Node, text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return gitops_yaml::to_yaml(document).ok().map(|text| text.trim().to_owned());
    }
    let json = sorted(gitops_yaml::to_json(document).ok()?);
    if text.contains('\n') && text.contains("  ") {
        serde_json::to_string_pretty(&json).ok()
    } else {
        Some(json.to_string())
    }
}

fn sorted(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<_, _> =
                fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        leaf => leaf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(split_path("a.[name=b.c].d"), ["a", "[name=b.c]", "d"]);
        assert_eq!(
            split_path("metadata.annotations.[a.b/c]"),
            ["metadata", "annotations", "a.b/c"]
        );
        assert_eq!(split_path("a\\.b.c"), ["a.b", "c"]);
    }
}
