//! Strategic merge as kustomize does it.
//!
//! Follows kyaml's `merge2` with its option to prepend: lists merge by the keys of the schema, new
//! elements come first, `null` removes, `$patch` replaces or deletes. `$retainKeys` and
//! `$setElementOrder` mean nothing to it, and so nothing here.

use std::collections::HashSet;

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
    // Quirk: at the root, `replace` leaves everything as it is.
    if patch.as_mapping().map(directive_of).transpose()? == Some(Directive::Replace) {
        return Ok(());
    }
    // An object of a kind that the schema lacks is merged as the patch's kind has it.
    let root = [&*base, patch]
        .into_iter()
        .find_map(|node| schema.root(node.get("apiVersion")?.text()?, node.get("kind")?.text()?));
    let field = Field { of: root, merge: None };
    let old = std::mem::take(base);
    *base = Merger { schema }.node(Some(old), Some(patch), &field)?.unwrap_or_default();
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
        let Some(patch) = patch else {
            return Ok(base.and_then(|base| self.settle(base, field)));
        };
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
            None => (patch_node.clone_empty(), Mapping::with_capacity(patch.len())),
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
            let field = of.and_then(|of| self.schema.field(of, key)).unwrap_or(&unknown);
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
        self.settle_rest(&mut merged, patch, of);
        *node.content_mut() = Content::Mapping(merged);
        Ok(Some(node))
    }

    /// What a patch does to values that it does not name.
    fn settle_rest(&self, merged: &mut Mapping, patch: &Mapping, of: Option<TypeId>) {
        let unknown = Field::default();
        let mut gone = Vec::new();
        for (key, value) in merged.iter_mut().filter(|(key, _)| !patch.contains_key(key)) {
            // Most values hold no null, and then nothing happens to them.
            if !holds_empty_null(value) {
                continue;
            }
            let field = of.and_then(|of| self.schema.field(of, key)).unwrap_or(&unknown);
            match self.settle(std::mem::take(value), field) {
                Some(settled) => *value = settled,
                None => gone.push(key.to_owned()),
            }
        }
        for key in gone {
            merged.remove(&key);
        }
    }

    /// Quirk: a null that is only implied by an empty value vanishes from mappings on the way of a
    /// patch, and from elements of merged lists; one that is written stays.
    fn settle(&self, mut node: Node, field: &Field) -> Option<Node> {
        if node.is_null() {
            return node.text().is_some_and(|text| !text.is_empty()).then_some(node);
        }
        match node.content_mut() {
            Content::Mapping(mapping) => {
                self.settle_rest(mapping, &Mapping::new(), field.of);
                Some(node)
            }
            Content::Sequence(sequence) if field.merge.is_some() => {
                let element = Field { of: field.of, merge: None };
                let items = std::mem::take(&mut sequence.items);
                sequence.items =
                    items.into_iter().filter_map(|item| self.settle(item, &element)).collect();
                Some(node)
            }
            _ => Some(node),
        }
    }

    /// A list whose elements are known by keys. The patch's elements come first, in its order.
    fn list(
        &self,
        base: Option<Node>,
        patch: &Node,
        keys: &[Box<str>],
        of: Option<TypeId>,
    ) -> Result<Option<Node>, Error> {
        let (directive, patch_items) = list_directive(patch.as_sequence().unwrap_or_default())?;
        if directive == Directive::Delete {
            return Ok(None);
        }
        let base = base.filter(|_| directive == Directive::Merge).and_then(into_items);
        let mut old = base.unwrap_or_else(|| patch_items.clone());
        let element = Field { of, merge: None };
        let identities = Identities::of(keys, patch_items.iter().chain(&old));
        let mut merged = Elements::default();
        for values in &identities.values {
            let wanted: Vec<(&str, &str)> =
                identities.pairs(values).filter(|(_, value)| !value.is_empty()).collect();
            let at = old.iter().position(|item| has_all(item, &wanted));
            let patch_item = patch_items.iter().find(|item| has_all(item, &wanted));
            let old_item = at.map(|at| old[at].clone());
            let Some(mut node) =
                self.node(old_item, patch_item, &element)?.filter(|node| !is_hollow(node))
            else {
                let mut rest = Elements(std::mem::take(&mut old));
                rest.remove(&identities, values);
                old = rest.0;
                continue;
            };
            if let Some(mapping) = node.as_mapping_mut() {
                for (key, value) in &wanted {
                    mapping.get_or_insert_with(key, || Node::string(*value));
                }
            }
            // Quirk: an element that says `$patch: replace` is undone when the old ones are added.
            let replaces = patch_item
                .and_then(Node::as_mapping)
                .is_some_and(|item| item.contains_key("$patch"));
            if let Some(at) = at.filter(|_| !replaces) {
                old[at] = node.clone();
            }
            merged.set(&identities, values, node);
        }
        merged.add_old(&identities, old);
        Ok(Some(patch.clone_empty().with_items(merged.0)))
    }
}

/// Who the elements of two lists are: the values of their keys, each combination once.
struct Identities<'k> {
    /// The keys that any element has; all of them if none has one.
    keys: Vec<&'k str>,
    values: Vec<Vec<String>>,
}

impl<'k> Identities<'k> {
    fn of<'n>(keys: &'k [Box<str>], items: impl Iterator<Item = &'n Node>) -> Self {
        let mut values: Vec<Vec<String>> = Vec::new();
        let mut seen = HashSet::new();
        for item in items {
            let own: Vec<String> = keys
                .iter()
                .map(|key| item.get(key).and_then(Node::text).unwrap_or_default().to_owned())
                .collect();
            if seen.insert(own.clone()) {
                values.push(own);
            }
        }
        if keys.len() > 1 {
            unify(&mut values);
        }
        let used = |index: &usize| values.iter().any(|own| !own[*index].is_empty());
        let mut indices: Vec<usize> = (0..keys.len()).filter(used).collect();
        if indices.is_empty() {
            indices = (0..keys.len()).collect();
        }
        for own in &mut values {
            *own = indices.iter().map(|&index| std::mem::take(&mut own[index])).collect();
        }
        Self { keys: indices.iter().map(|&index| &*keys[index]).collect(), values }
    }

    fn pairs<'v>(&self, values: &'v [String]) -> impl Iterator<Item = (&'k str, &'v str)> {
        self.keys.iter().copied().zip(values.iter().map(String::as_str))
    }
}

/// Two combinations that share a value, and differ only where one has none, are the same: a port
/// with and without its protocol.
fn unify(values: &mut [Vec<String>]) {
    for one in 0..values.len() {
        for other in 0..values.len() {
            let pairs = || values[one].iter().zip(&values[other]);
            let same = pairs().any(|(a, b)| a == b)
                && pairs().all(|(a, b)| a == b || a.is_empty() || b.is_empty());
            if same && one != other {
                let joined: Vec<String> = pairs()
                    .map(|(a, b)| if a.is_empty() { b.clone() } else { a.clone() })
                    .collect();
                values[one].clone_from(&joined);
                values[other] = joined;
            }
        }
    }
}

/// A list in the making.
#[derive(Default)]
struct Elements(Vec<Node>);

impl Elements {
    /// Puts an element in the place of those with its values, or at the end.
    fn set(&mut self, identities: &Identities<'_>, values: &[String], node: Node) {
        let pairs: Vec<(&str, &str)> = identities.pairs(values).collect();
        let mut found = false;
        for item in self.0.iter_mut().filter(|item| has_all(item, &pairs)) {
            *item = node.clone();
            found = true;
        }
        if !found {
            self.0.push(node);
        }
    }

    fn remove(&mut self, identities: &Identities<'_>, values: &[String]) {
        let pairs: Vec<(&str, &str)> = identities.pairs(values).collect();
        self.0.retain(|item| !has_all(item, &pairs));
    }

    /// Adds the elements of the old list behind those of the patch. With several keys they move to
    /// the end in their old order; with one, those that are there keep their place.
    fn add_old(&mut self, identities: &Identities<'_>, old: Vec<Node>) {
        for item in old {
            if is_hollow(&item) {
                continue;
            }
            let mut values = Vec::new();
            let mut lacks = false;
            for key in &identities.keys {
                match item.get(key).and_then(Node::text) {
                    Some(value) => values.push(value.to_owned()),
                    None => lacks = true,
                }
            }
            if values.is_empty() {
                self.0.push(item);
                continue;
            }
            if lacks {
                self.0.push(item.clone());
            }
            if identities.keys.len() > 1 {
                self.remove(identities, &values);
            }
            self.set(identities, &values, item);
        }
    }
}

/// Whether an element has all these values; an empty one means any.
fn has_all(item: &Node, pairs: &[(&str, &str)]) -> bool {
    !pairs.is_empty()
        && pairs.iter().all(|(key, value)| {
            let own = item.get(key).and_then(Node::text);
            own.is_some_and(|own| value.is_empty() || own == *value)
        })
}

/// `null` and `{}` are no elements.
fn is_hollow(node: &Node) -> bool {
    node.is_null() || node.as_mapping().is_some_and(Mapping::is_empty)
}

/// A list of scalars in which each stands once; those of the patch come first.
fn union(base: Option<Node>, patch: &Node) -> Node {
    let mut items: Vec<Node> = Vec::new();
    let old = base.and_then(into_items).unwrap_or_default();
    for item in patch.as_sequence().into_iter().flatten().cloned().chain(old) {
        if !items.iter().any(|other| other.text().is_some() && other.text() == item.text()) {
            items.push(item);
        }
    }
    Node::from(items)
}

/// Whether there is a null without a text anywhere in a tree.
fn holds_empty_null(node: &Node) -> bool {
    match node.content() {
        Content::Scalar(scalar) => node.is_null() && scalar.text().is_empty(),
        Content::Mapping(mapping) => mapping.values().any(holds_empty_null),
        Content::Sequence(sequence) => sequence.items.iter().any(holds_empty_null),
    }
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
fn list_directive(items: &[Node]) -> Result<(Directive, Vec<Node>), Error> {
    let mut directive = Directive::Merge;
    let mut rest = Vec::with_capacity(items.len());
    for item in items {
        match item.as_mapping() {
            Some(mapping) if mapping.len() == 1 && mapping.contains_key("$patch") => {
                directive = directive_of(mapping)?;
            }
            _ => rest.push(item.clone()),
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
        crate::to_yaml(&node).unwrap().replace("apiVersion: apps/v1\nkind: Deployment\n", "")
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
            ("spec: {a: {x: 1}, b: 1}", "spec: {a: {$patch: delete}}", "spec:\n  b: 1\n"),
            ("spec: {b: 1}", "spec: {a: {x: null, z: 1}}", "spec:\n  a:\n    z: 1\n  b: 1\n"),
            ("spec: {l: [1, 2]}", "spec: {l: [3]}", "spec:\n  l:\n  - 3\n"),
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
        assert!(error.message().contains("expected MappingNode but got ScalarNode"), "{error}");
    }
}
