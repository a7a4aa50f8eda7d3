//! A path into objects of a kind, and the walk along it.
//!
//! Follows kustomize's `api/filters/fieldspec`.

use std::sync::Arc;

use gitops_yaml::{Content, Mapping, Node, Scalar, ScalarStyle, ScalarType, Text};

use crate::{
    error::{Error, ErrorKind, Result},
    resource::{Gvk, Resource},
};

/// A path into objects of a kind. A clone shares the parts of the path.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldSpec {
    pub(crate) gvk: Gvk,
    /// As written: parts between `/`, where `\/` is a slash within a part.
    pub(crate) path: Text,
    /// Whether a missing field is made.
    pub(crate) create: bool,
    segments: Arc<[Segment]>,
    /// Whether the field says what kind an object is of.
    names_kind: bool,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    name: Text,
    /// Written with `[]`: the field is a list, and is never made.
    list: bool,
    /// An element of a list by its number, `-` or `[key=value]`; lists are entered without such.
    element: bool,
}

/// What stands at the end of a path that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creates {
    /// Nothing is made.
    Nothing,
    /// An empty scalar.
    Scalar,
    /// An empty mapping.
    Mapping,
}

impl Creates {
    fn node(self) -> Node {
        match self {
            Self::Mapping => Node::from(Mapping::new()),
            // Quirk: it is null as long as nothing is written over it.
            _ => Node::from(Scalar::new("", ScalarType::Null, ScalarStyle::Plain)),
        }
    }

    /// What a null becomes. Quirk: a scalar keeps its text (`null`, `~`), as a string.
    fn fill(self, null: &Node) -> Node {
        match self {
            Self::Mapping => self.node(),
            _ => Node::string(null.text().unwrap_or_default()),
        }
    }
}

/// What is done with the field.
type Visit<'v> = &'v mut dyn FnMut(&mut Node) -> Result<()>;

impl FieldSpec {
    pub(crate) fn new(gvk: Gvk, path: &str, create: bool) -> Self {
        let segment = |part: &str| {
            let (name, list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
            let element = name == "-"
                || name == "*"
                || name.starts_with('[') && name.ends_with(']')
                || name.parse::<u64>().is_ok();
            Segment { name: name.into(), list, element }
        };
        let segments = if path.contains('\\') {
            split(path, '/').iter().map(|part| segment(part)).collect()
        } else {
            without_root(path, '/').split('/').map(segment).collect()
        };
        let names_kind = matches!(path.trim_start_matches('/'), "kind" | "apiVersion");
        Self { gvk, path: path.into(), create, segments, names_kind }
    }

    /// Whether the way to this field leads through another one, or is the same.
    pub(crate) fn leads_through(&self, other: &Self) -> bool {
        self.segments.starts_with(&other.segments)
    }

    /// Calls `visit` on each field of the object that the path leads to, if the object is of the
    /// specification's kind. Lists on the way are entered without a part of their own.
    pub(crate) fn apply(
        &self,
        resource: &mut Resource,
        creates: Creates,
        visit: Visit<'_>,
    ) -> Result<()> {
        if !resource.id().gvk.is_selected_by(&self.gvk) {
            return Ok(());
        }
        // Quirk: the original keeps its books in annotations, so that these are there.
        let there = || self.path.as_str() == "metadata/annotations" && resource.has_books();
        let create = self.create || creates == Creates::Mapping && there();
        let creates = if create { creates } else { Creates::Nothing };
        walk(resource.node_mut(), &self.segments, creates, visit)
            .map_err(|error| self.failed(resource, error))?;
        if self.names_kind {
            // The next specification asks for the kind that there is now.
            resource.refresh_kind();
        }
        Ok(())
    }

    /// Calls `visit` on each field that the path leads to, whatever the kind of the object.
    pub(crate) fn visit(&self, node: &mut Node, visit: Visit<'_>) -> Result<()> {
        walk(node, &self.segments, Creates::Nothing, visit)
    }

    /// A failure in a field of an object.
    pub(crate) fn failed(&self, resource: &Resource, error: Error) -> Error {
        let id = resource.id();
        let error = if id.gvk.kind == "Secret" { error.without_contents() } else { error };
        resource.locate(error).context(format!("considering field '{}' of object {id}", self.path))
    }
}

fn walk(node: &mut Node, path: &[Segment], creates: Creates, visit: Visit<'_>) -> Result<()> {
    let Some((segment, rest)) = path.split_first() else { return visit(node) };
    if node.is_null() {
        return Ok(());
    }
    match node.content_mut() {
        Content::Sequence(_) => {
            for item in node.as_sequence_mut().into_iter().flatten() {
                walk(item, path, creates, visit).map_err(|error| {
                    let names: Vec<&str> =
                        path.iter().map(|segment| segment.name.as_str()).collect();
                    error.context(format!("visit traversal on path: [{}]", names.join(" ")))
                })?;
            }
            Ok(())
        }
        Content::Mapping(mapping) => {
            if segment.name.is_empty() {
                return Err(Error::new(
                    ErrorKind::Field,
                    "cannot set or create an empty field name",
                )
                .expecting("a path such as spec/template/metadata/labels"));
            }
            if segment.element {
                let name = &segment.name;
                return Err(Error::new(
                    ErrorKind::Field,
                    format!("fieldName: {name}: wrong node kind: expected SequenceNode but got MappingNode"),
                )
                .expecting("the name of a field; the elements of a list need no part of their own"));
            }
            let made = if creates == Creates::Nothing || segment.list {
                None
            } else if rest.is_empty() {
                Some(creates)
            } else {
                Some(Creates::Mapping)
            };
            let is_there = mapping.get_mut(&segment.name).is_some();
            let field = match (is_there, made) {
                (true, _) => mapping.get_mut(&segment.name).expect("looked up in the line above"),
                (false, None) => return Ok(()),
                (false, Some(made)) => mapping.get_or_insert_with(&segment.name, || made.node()),
            };
            if is_there && field.is_null() {
                match made {
                    Some(made) => *field = made.fill(field),
                    // Quirk: a null that the path takes for a list becomes an empty one.
                    None if segment.list => *field = Node::from(Vec::new()),
                    None => {}
                }
            }
            walk(field, rest, creates, visit)
        }
        Content::Scalar(_) => {
            Err(Error::new(ErrorKind::Field, "expected sequence or mapping node").with_hint(
                format!(
                    "the object has a single value where the path goes on with {:?}",
                    segment.name
                ),
            ))
        }
    }
}

/// Splits at a delimiter that no backslash stands before.
pub(crate) fn split(path: &str, delimiter: char) -> Vec<String> {
    let path = without_root(path, delimiter);
    let mut parts: Vec<String> = Vec::new();
    for part in path.split(delimiter) {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

fn without_root(path: &str, delimiter: char) -> &str {
    path.strip_prefix(delimiter).filter(|_| path.len() > 1).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_and_keeps_escaped_delimiters() {
        assert_eq!(
            split("metadata/annotations/a.b\\/c", '/'),
            ["metadata", "annotations", "a.b/c"]
        );
        assert_eq!(split("/a/b", '/'), ["a", "b"]);
    }
}
