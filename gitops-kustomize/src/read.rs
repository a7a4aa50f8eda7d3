//! From bytes to resources.
//!
//! Follows kustomize's `api/resource/factory.go`.

use std::{collections::VecDeque, sync::Arc};

use gitops_yaml::{
    Duplicates, Entry, Flavour, Mapping, Node, ReadOptions, Scalar, ScalarType, Schema,
};

use crate::{
    error::{Error, ErrorKind, Result},
    resource::{ReadAt, Resource},
};

/// The objects of a file, lists replaced by their items. `file` is what places are told of.
pub(crate) fn read_resources(content: &[u8], file: &str, schema: &Schema) -> Result<Vec<Resource>> {
    resources_of(read_documents(content, Duplicates::Refuse)?, file, schema)
}

/// The strategic merge patches of a file.
///
/// Quirk: of keys that stand twice the original sees the first one, unless it takes the mapping as a
/// whole; and what has no name is no field.
pub(crate) fn read_patches(content: &[u8], file: &str, schema: &Schema) -> Result<Vec<Resource>> {
    let mut documents = read_documents(content, Duplicates::First)?;
    for document in documents.iter_mut().filter_map(Node::as_mapping_mut) {
        let nulls = document.entries().iter().filter(|entry| entry.key.is_null()).count();
        if nulls > 0 && nulls < document.len() {
            document.retain(|entry| !entry.key.is_null());
        }
    }
    resources_of(documents, file, schema)
}

fn resources_of(documents: Vec<Node>, file: &str, schema: &Schema) -> Result<Vec<Resource>> {
    let name: Arc<str> = file.into();
    let mut resources = Vec::with_capacity(documents.len());
    let mut queue: VecDeque<Node> = VecDeque::from(documents);
    while let Some(node) = queue.pop_front() {
        // Only what is no mapping without entries counts as an object.
        if node.is_empty() {
            continue;
        }
        let line = node.place().line();
        check_metadata(&node).map_err(|error| {
            let error = error.at_line(line, 1);
            if file.is_empty() { error } else { error.in_file(file) }
        })?;
        match items_of_list(node)
            .map_err(|error| if file.is_empty() { error } else { error.in_file(file) })?
        {
            Items::Object(node) => {
                let mut resource = Resource::new(node, schema);
                resource.read_at = Some(ReadAt { file: Arc::clone(&name), line: line.max(1) });
                resources.push(resource);
            }
            // Quirk: the items of a list come after all other documents of the file.
            Items::List(items) => queue.extend(items),
        }
    }
    Ok(resources)
}

/// The first document of a configuration file, read as Go's `sigs.k8s.io/yaml` does: with yaml.v2's
/// typing, and the last one of equal keys counts.
pub(crate) fn read_document(content: &[u8]) -> Result<Node, gitops_yaml::Error> {
    let options = ReadOptions { duplicates: Duplicates::Last, ..ReadOptions::flavour(Flavour::V2) };
    options.read_first(content)
}

/// As [`read_document`], of a file in which no key may stand twice.
pub(crate) fn read_strict_document(content: &[u8]) -> Result<Node, gitops_yaml::Error> {
    ReadOptions::flavour(Flavour::V2).read_first(content)
}

/// The documents of a stream, in the words of kustomize where it is no YAML.
fn read_documents(content: &[u8], duplicates: Duplicates) -> Result<Vec<Node>> {
    // The original cuts the stream at its separators, and what stands before the first one must be a
    // document.
    if begins_with_directive(content) {
        let message = "MalformedYAMLError: yaml: line 1: did not find expected <document start>";
        return Err(Error::new(ErrorKind::Syntax, message)
            .at_line(1, 1)
            .with_hint("leave out directives such as `%YAML`"));
    }
    let options = ReadOptions { duplicates, ..ReadOptions::default() };
    let mut documents = options
        .read_all(content)
        .map_err(|error| Error::from(error).reword(|text| format!("MalformedYAMLError: {text}")))?;
    gitops_yaml::heed_schema_comments(content, &mut documents);
    documents.iter_mut().for_each(name_fields);
    Ok(documents)
}

/// Quirk: numbers and truth values that name fields of the object itself are texts to the original;
/// further down they are an error.
fn name_fields(document: &mut Node) {
    let is_value = |entry: &Entry| {
        let kind = entry.key.as_scalar().map(Scalar::kind);
        kind.is_some_and(|kind| {
            !matches!(kind, ScalarType::Str | ScalarType::Null | ScalarType::Merge)
        })
    };
    let Some(fields) = document.as_mapping_mut() else { return };
    if !fields.entries().iter().any(is_value) {
        return;
    }
    let named = std::mem::take(fields).into_iter().map(|entry| {
        let text = entry.key.text().filter(|_| is_value(&entry)).map(Node::string);
        (text.unwrap_or(entry.key), entry.value)
    });
    named.for_each(|(key, value)| fields.push(key, value));
}

fn begins_with_directive(content: &[u8]) -> bool {
    let mut lines = content.split(|byte| *byte == b'\n');
    let first = lines.find(|line| !line.trim_ascii_start().is_empty() && !line.starts_with(b"#"));
    first.is_some_and(|line| line.starts_with(b"%"))
}

enum Items {
    Object(Node),
    List(Vec<Node>),
}

fn items_of_list(node: Node) -> Result<Items> {
    let kind = node.get("kind").and_then(Node::text).unwrap_or_default();
    if !kind.ends_with("List") {
        return Ok(Items::Object(node));
    }
    let Some(items) = node.get("items") else { return Ok(Items::Object(node)) };
    if items.is_null() {
        return Ok(Items::List(Vec::new()));
    }
    match items.as_sequence() {
        Some(items) => Ok(Items::List(items.to_vec())),
        None => Err(Error::new(
            ErrorKind::Syntax,
            format!("expected array in {kind}/items, but found {}", go_type(items)),
        )
        .at_line(items.place().line(), items.place().column())
        .expecting("a list of objects")),
    }
}

fn go_type(node: &Node) -> &'static str {
    if node.is_mapping() {
        "map[string]interface {}"
    } else if node.is_string() {
        "string"
    } else {
        "scalar"
    }
}

/// Fails unless the object has a kind and a name.
pub(crate) fn check_metadata(node: &Node) -> Result<()> {
    let fail = |message: String| {
        let place = node.get("metadata").unwrap_or(node).place();
        Err(Error::new(ErrorKind::Syntax, message)
            .at_line(place.line(), place.column())
            .expecting("a Kubernetes object: apiVersion, kind and metadata.name")
            .with_hint("values for generators or charts are no resources; name only manifests under `resources`"))
    };
    let Some(object) = node.as_mapping() else {
        let message = "missing Resource metadata".to_owned();
        return fail(message);
    };
    let text = |mapping: &Mapping, key: &str| {
        mapping
            .get(key)
            .and_then(Node::text)
            .filter(|_| !mapping.get(key).is_some_and(|node| node.is_null() && !node.is_untyped()))
            .unwrap_or_default()
            .to_owned()
    };
    let metadata = object.get_mapping("metadata");
    if let Some(other) =
        object.get("metadata").filter(|node| metadata.is_none() && !node.is_empty())
    {
        let place = other.place();
        return Err(Error::new(ErrorKind::Syntax, "metadata is no mapping")
            .at_line(place.line(), place.column())
            .expecting("a mapping with `name`"));
    }
    let kind = text(object, "kind");
    let name = metadata.map(|metadata| text(metadata, "name")).unwrap_or_default();
    if object.get("kind").is_none()
        && object.get("apiVersion").is_none()
        && metadata.is_none_or(Mapping::is_empty)
    {
        return fail("missing Resource metadata".to_owned());
    }
    if kind.is_empty() {
        return fail(format!("missing kind in object {}", go_metadata(object, metadata)));
    }
    if name.is_empty() && !kind.ends_with("List") {
        return fail(format!("missing metadata.name in object {}", go_metadata(object, metadata)));
    }
    Ok(())
}

/// `{{v1 ConfigMap} {{name namespace} map[labels] map[annotations]}}`, as Go prints it.
fn go_metadata(object: &Mapping, metadata: Option<&Mapping>) -> String {
    let text = |mapping: Option<&Mapping>, key: &str| {
        mapping
            .and_then(|mapping| mapping.get(key))
            .and_then(Node::text)
            .unwrap_or_default()
            .to_owned()
    };
    let map = |key: &str| {
        let mut pairs: Vec<String> = metadata
            .and_then(|metadata| metadata.get_mapping(key))
            .into_iter()
            .flat_map(Mapping::iter)
            .map(|(key, value)| format!("{key}:{}", value.text().unwrap_or_default()))
            .collect();
        pairs.sort();
        format!("map[{}]", pairs.join(" "))
    };
    format!(
        "{{{{{} {}}} {{{{{} {}}} {} {}}}}}",
        text(Some(object), "apiVersion"),
        text(Some(object), "kind"),
        text(metadata, "name"),
        text(metadata, "namespace"),
        map("labels"),
        map("annotations"),
    )
}
