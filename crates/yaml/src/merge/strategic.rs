//! Strategic merge as kustomize does it.
//!
//! Follows kyaml's `merge2` with its option to prepend: lists merge by the keys of the schema, new
//! elements come first, `null` removes, `$patch` replaces or deletes. `$retainKeys` and
//! `$setElementOrder` mean nothing to it, and so nothing here.

use crate::{
    error::{Error, ErrorKind},
    node::{Content, Mapping, Node},
    schema::{Field, Schema, TypeId},
};

/// Merges `patch` into `base`. What the patch deletes as a whole becomes `null`.
///
/// # Errors
/// When the patch has a scalar, mapping or list where `base` has another of the three, or an
/// unknown `$patch`.
pub fn merge_strategic(base: &mut Node, patch: &Node, schema: &Schema) -> Result<(), Error> {
    let text = |node: &Node, key| node.get(key).and_then(Node::text).map(str::to_owned);
    let api_version = text(base, "apiVersion").or_else(|| text(patch, "apiVersion"));
    let kind = text(base, "kind").or_else(|| text(patch, "kind"));
    let root = api_version
        .zip(kind)
        .and_then(|(version, kind)| schema.root(&version, &kind));
    let field = Field {
        of: root,
        merge: None,
    };
    let old = std::mem::take(base);
    *base = Merger { schema }
        .node(Some(old), Some(patch), &field)?
        .unwrap_or_default();
    Ok(())
}

struct Merger<'s> {
    schema: &'s Schema,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Merger<'_> {
    /// The merged value; `None` removes it.
    fn node(
        &self,
        base: Option<Node>,
        patch: Option<&Node>,
        field: &Field,
    ) -> Result<Option<Node>, Error> {
        let Some(patch) = patch else { return Ok(base) };
        if patch.is_null() {
            return Ok(None);
        }
        let base = base.filter(|base| !base.is_null());
        if let Some(base) = &base {
            same_shape(base, patch)?;
        }
        match patch.content() {
            Content::Scalar(_) => Ok(Some(patch.clone())),
            Content::Mapping(mapping) => self.mapping(base, patch, mapping, field.of),
            Content::Sequence(_) => match &field.merge {
                None => Ok(Some(patch.clone())),
                Some(keys) if keys.is_empty() => Ok(Some(union(base, patch))),
                Some(keys) => self.list(base, patch, keys, field.of),
            },
        }
    }

    fn mapping(
        &self,
        base: Option<Node>,
        patch_node: &Node,
        patch: &Mapping,
        of: Option<TypeId>,
    ) -> Result<Option<Node>, Error> {
        let directive = directive_of(patch)?;
        if directive == Directive::Delete {
            return Ok(None);
        }
        let (mut node, mut merged) = match base.filter(|_| directive == Directive::Merge) {
            Some(base) => {
                let shell = base.clone_empty();
                match base.into_content() {
                    Content::Mapping(mapping) => (shell, mapping),
                    _ => (shell, Mapping::new()),
                }
            }
            None => (
                patch_node.clone_empty(),
                Mapping::with_capacity(patch.len()),
            ),
        };
        for entry in patch {
            let Some(key) = entry.key.text() else {
                merged.push(entry.key.clone(), entry.value.clone());
                continue;
            };
            if key == "$patch" {
                continue;
            }
            let unknown = Field::default();
            let field = of
                .and_then(|of| self.schema.field(of, key))
                .unwrap_or(&unknown);
            match merged.get_mut(key) {
                Some(value) => {
                    let old = std::mem::take(value);
                    match self.node(Some(old), Some(&entry.value), field)? {
                        Some(new) => *value = new,
                        None => drop(merged.remove(key)),
                    }
                }
                None => {
                    if let Some(new) = self.node(None, Some(&entry.value), field)? {
                        merged.push(entry.key.clone(), new);
                    }
                }
            }
        }
        *node.content_mut() = Content::Mapping(merged);
        Ok(Some(node))
    }

    /// A list whose elements are known by keys. The patch's elements come first, in its order.
    fn list(
        &self,
        base: Option<Node>,
        patch: &Node,
        keys: &[Box<str>],
        of: Option<TypeId>,
    ) -> Result<Option<Node>, Error> {
        let patch_items = patch.as_sequence().unwrap_or_default();
        let (directive, patch_items) = list_directive(patch_items)?;
        if directive == Directive::Delete {
            return Ok(None);
        }
        let base = base.filter(|_| directive == Directive::Merge);
        let mut old: Vec<Option<Node>> = base
            .and_then(into_items)
            .unwrap_or_default()
            .into_iter()
            .map(Some)
            .collect();
        let element = Field { of, merge: None };
        let keys = used_keys(
            keys,
            &old.iter().flatten().chain(patch_items.iter().copied()),
        );
        let mut merged: Vec<Node> = Vec::with_capacity(old.len() + patch_items.len());
        for item in patch_items {
            let values = values_of(item, &keys);
            if values.iter().all(Option::is_none) {
                merged.push(item.clone());
                continue;
            }
            // An element that came from this patch already takes a further one with its keys.
            if let Some(at) = merged.iter().position(|other| has(other, &keys, &values)) {
                let taken = std::mem::take(&mut merged[at]);
                match self.node(Some(taken), Some(item), &element)? {
                    Some(node) => merged[at] = node,
                    None => drop(merged.remove(at)),
                }
                continue;
            }
            let twin = old
                .iter_mut()
                .find(|other| {
                    other
                        .as_ref()
                        .is_some_and(|other| has(other, &keys, &values))
                })
                .and_then(Option::take);
            if let Some(node) = self.node(twin, Some(item), &element)?
                && !node.as_mapping().is_some_and(Mapping::is_empty)
            {
                merged.push(node);
            }
        }
        merged.extend(old.into_iter().flatten());
        Ok(Some(patch.clone_empty().with_items(merged)))
    }
}

/// A list of scalars in which each stands once; those of the patch come first.
fn union(base: Option<Node>, patch: &Node) -> Node {
    let mut items: Vec<Node> = Vec::new();
    let old = base.and_then(into_items).unwrap_or_default();
    for item in patch
        .as_sequence()
        .into_iter()
        .flatten()
        .cloned()
        .chain(old)
    {
        if !items
            .iter()
            .any(|other| other.text().is_some() && other.text() == item.text())
        {
            items.push(item);
        }
    }
    Node::from(items)
}

/// The keys that any element has; all of them if none has one.
fn used_keys<'k, 'n>(
    keys: &'k [Box<str>],
    items: &(impl Iterator<Item = &'n Node> + Clone),
) -> Vec<&'k str> {
    let all = keys.iter().map(|key| &**key);
    let some: Vec<&str> = all
        .clone()
        .filter(|key| items.clone().any(|item| item.get(key).is_some()))
        .collect();
    if some.is_empty() { all.collect() } else { some }
}

fn values_of<'n>(item: &'n Node, keys: &[&str]) -> Vec<Option<&'n str>> {
    keys.iter()
        .map(|key| item.get(key).and_then(Node::text))
        .collect()
}

/// Whether an element has these values. A key that one of the two lacks does not tell them apart,
/// as long as another one is the same: a port without a protocol is that port.
fn has(item: &Node, keys: &[&str], values: &[Option<&str>]) -> bool {
    let mut same = false;
    for (key, value) in keys.iter().zip(values) {
        match (item.get(key).and_then(Node::text), value) {
            (Some(own), Some(value)) if own == *value => same = true,
            (Some(_), Some(_)) => return false,
            _ => {}
        }
    }
    same
}

fn directive_of(patch: &Mapping) -> Result<Directive, Error> {
    let Some(node) = patch.get("$patch") else {
        return Ok(Directive::Merge);
    };
    match node.text() {
        Some("merge") => Ok(Directive::Merge),
        Some("replace") => Ok(Directive::Replace),
        Some("delete") => Ok(Directive::Delete),
        other => {
            let message = format!("unknown patch strategy '{}'", other.unwrap_or_default());
            let place = node.place();
            Err(Error::new(ErrorKind::Patch, message).at(place.line(), place.column()))
        }
    }
}

/// An element that is nothing but `$patch` speaks for the whole list.
fn list_directive(items: &[Node]) -> Result<(Directive, Vec<&Node>), Error> {
    let mut directive = Directive::Merge;
    let mut rest = Vec::with_capacity(items.len());
    for item in items {
        match item.as_mapping() {
            Some(mapping) if mapping.len() == 1 && mapping.contains_key("$patch") => {
                directive = directive_of(mapping)?;
            }
            _ => rest.push(item),
        }
    }
    Ok((directive, rest))
}

fn into_items(node: Node) -> Option<Vec<Node>> {
    match node.into_content() {
        Content::Sequence(sequence) => Some(sequence.items),
        _ => None,
    }
}

fn same_shape(base: &Node, patch: &Node) -> Result<(), Error> {
    let shape = |node: &Node| match node.content() {
        Content::Scalar(_) => "ScalarNode",
        Content::Mapping(_) => "MappingNode",
        Content::Sequence(_) => "SequenceNode",
    };
    if shape(base) == shape(patch) {
        return Ok(());
    }
    let value = crate::to_yaml(patch).unwrap_or_default();
    let message = format!(
        "wrong node kind: expected {} but got {}: node contents:\n{}",
        shape(base),
        shape(patch),
        gitops_core::truncate(&value, 400),
    );
    let place = patch.place();
    Err(Error::new(ErrorKind::Patch, message).at(place.line(), place.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, patch: &str) -> String {
        let head = "apiVersion: apps/v1\nkind: Deployment\n";
        let mut node = crate::read(format!("{head}{base}")).unwrap();
        let patch = crate::read(format!("{head}{patch}")).unwrap();
        merge_strategic(&mut node, &patch, &Schema::builtin()).unwrap();
        crate::to_yaml(&node)
            .unwrap()
            .replace("apiVersion: apps/v1\nkind: Deployment\n", "")
    }

    #[test]
    fn lists_merge_by_their_keys_and_new_elements_come_first() {
        let base =
            "spec: {template: {spec: {containers: [{name: a, image: a:1, args: [x]}, {name: b}]}}}";
        let patch =
            "spec: {template: {spec: {containers: [{name: c}, {name: a, image: a:2, args: [y]}]}}}";
        let expected = "spec:\n  template:\n    spec:\n      containers:\n      - name: c\n      - args:\n        - \"y\"\n        image: a:2\n        name: a\n      - name: b\n";
        assert_eq!(merged(base, patch), expected);
    }

    #[test]
    fn null_and_directives() {
        for (base, patch, expected) in [
            ("spec: {a: 1, b: 2}", "spec: {a: null}", "spec:\n  b: 2\n"),
            (
                "spec: {a: {x: 1}}",
                "spec: {a: {$patch: replace, y: 2}}",
                "spec:\n  a:\n    \"y\": 2\n",
            ),
            (
                "spec: {a: {x: 1}, b: 1}",
                "spec: {a: {$patch: delete}}",
                "spec:\n  b: 1\n",
            ),
            (
                "spec: {b: 1}",
                "spec: {a: {x: null, z: 1}}",
                "spec:\n  a:\n    z: 1\n  b: 1\n",
            ),
            (
                "spec: {l: [1, 2]}",
                "spec: {l: [3]}",
                "spec:\n  l:\n  - 3\n",
            ),
            (
                "spec: {template: {spec: {containers: [{name: a}, {name: b}]}}}",
                "spec: {template: {spec: {containers: [{name: a, $patch: delete}]}}}",
                "spec:\n  template:\n    spec:\n      containers:\n      - name: b\n",
            ),
            (
                "metadata: {finalizers: [a, b]}",
                "metadata: {finalizers: [c, a]}",
                "metadata:\n  finalizers:\n  - c\n  - a\n  - b\n",
            ),
        ] {
            assert_eq!(merged(base, patch), expected, "{patch}");
        }
    }

    #[test]
    fn shapes_must_agree() {
        let mut node = crate::read("spec: {a: {b: 1}}").unwrap();
        let patch = crate::read("spec: {a: text}").unwrap();
        let error = merge_strategic(&mut node, &patch, &Schema::builtin()).unwrap_err();
        assert!(
            error
                .message()
                .contains("expected MappingNode but got ScalarNode"),
            "{error}"
        );
    }
}
