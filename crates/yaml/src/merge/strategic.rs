//! Strategic merge as kustomize does it.
//!
//! Follows kyaml's `merge2` and `walk` with its option to prepend: lists merge by the keys of the
//! schema, new elements come first, `null` removes, `$patch` replaces or deletes. `$retainKeys` and
//! `$setElementOrder` mean nothing to it, and so nothing here.

use super::elements::{Elements, Origin};
use crate::{
    error::{Error, ErrorKind},
    node::{Content, Mapping, Node, Place, Scalar, ScalarStyle, ScalarType, Sequence},
    resolve::{Flavour, resolve},
    schema::{Field, OwnField, Schema, TypeId},
};

/// Merges `patch` into `base`. What the patch deletes as a whole becomes `null`.
///
/// # Errors
/// When the patch has a scalar, mapping or list where `base` has another of the three, or an
/// unknown `$patch`.
pub fn merge_strategic(base: &mut Node, patch: &Node, schema: &Schema) -> Result<(), Error> {
    // Quirk: at the root, `replace` leaves everything as it is.
    if patch.as_mapping().map(directive_of).transpose()? == Some(Directive::Replace) {
        return check_directives(patch);
    }
    let old = std::mem::take(base);
    let merger = Merger { schema };
    *base = merger.merged(Some(old), Some(patch), Field::default())?.unwrap_or_default();
    Ok(())
}

/// One merge. Every function returns `None` for what is to be removed; a `null` that it returns was
/// written in the base and stays.
#[derive(Clone, Copy)]
pub(super) struct Merger<'s> {
    schema: &'s Schema,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

impl<'s> Merger<'s> {
    /// The value that a base and a patch make.
    pub(super) fn merged(
        self,
        base: Option<Node>,
        patch: Option<&Node>,
        field: Field<'s>,
    ) -> Result<Option<Node>, Error> {
        let Some(patch) = patch else { return self.settled(base, field) };
        let base = base.filter(|base| !base.is_null());
        let own = base.as_ref().and_then(Node::schema).or_else(|| patch.schema()).cloned();
        let field = own.as_ref().map_or(field, OwnField::view);
        if patch.is_null() {
            return Ok(None);
        }
        if let Some(base) = &base {
            same_shape(base, patch)?;
        }
        match patch.content() {
            Content::Scalar(_) => Ok(Some(patch.clone())),
            Content::Mapping(_) => {
                let of = self.type_of(field, base.as_ref(), Some(patch));
                match base {
                    Some(base) => self.mapping(base, patch, of),
                    None => self.new_mapping(patch, of),
                }
            }
            Content::Sequence(list) => {
                let Some(keys) = field.merge else { return Ok(Some(patch.clone())) };
                let list: &[Node] = list;
                let flow = base.as_ref().map_or(patch.is_flow(), |base| flow_of(base, patch));
                let (old, origin) = match base.and_then(into_items) {
                    // Quirk: a directive for the whole list counts only where there is a list.
                    None => (list.to_vec(), Origin::Same),
                    Some(old) => match list_directive(list)? {
                        (Directive::Delete, _) => return Ok(None),
                        (Directive::Replace, rest) => (rest, Origin::Same),
                        (Directive::Merge, rest) => (old, Origin::Items(rest)),
                    },
                };
                let merged = Elements::new(self, keys, field.of).merge(old, origin)?;
                let merged = in_braces(patch.clone_empty().with_items(merged), flow);
                Ok(Some(if own.is_some() { merged.with_schema(own.clone()) } else { merged }))
            }
        }
    }

    fn mapping(self, base: Node, patch: &Node, of: Option<TypeId>) -> Result<Option<Node>, Error> {
        let patch_fields = patch.as_mapping().expect("shapes were compared");
        match directive_of(patch_fields)? {
            Directive::Delete => return Ok(None),
            Directive::Replace => return self.fields_of_new(patch, of, true),
            Directive::Merge => {}
        }
        let flow = flow_of(&base, patch);
        let mut node = in_braces(base, flow);
        let merged = node.make_mapping();
        // Those that only the base has are settled first: what comes later is new.
        self.settle_fields(merged, of, |key| patch_fields.contains_key(key))?;
        for entry in patch_fields {
            let Some(key) = entry.key.text().filter(|key| *key != DIRECTIVE) else { continue };
            let field = self.field(of, key);
            match merged.get_mut(key) {
                Some(value) => {
                    let style = value.as_scalar().map(Scalar::style);
                    let flow = flow_of(value, &entry.value);
                    let bond = value.bond();
                    let old = std::mem::take(value);
                    match self.merged(Some(old), Some(&entry.value), field)? {
                        Some(new) => *value = bound(in_braces(in_style(new, style), flow), bond),
                        None => drop(merged.remove(key)),
                    }
                }
                None => {
                    if let Some(new) = self.merged(None, Some(&entry.value), field)? {
                        merged.push(entry.key.clone(), quoted_if_old(new));
                    }
                }
            }
        }
        Ok(Some(node))
    }

    /// A mapping of a patch where the base has none.
    fn new_mapping(self, patch: &Node, of: Option<TypeId>) -> Result<Option<Node>, Error> {
        match patch.as_mapping().map(directive_of) {
            Some(Ok(Directive::Delete)) => Ok(None),
            // Quirk: an unknown directive is kept as a field.
            Some(Err(_)) => self.fields_of_new(patch, of, false),
            _ => self.fields_of_new(patch, of, true),
        }
    }

    fn fields_of_new(
        self,
        node: &Node,
        of: Option<TypeId>,
        elide: bool,
    ) -> Result<Option<Node>, Error> {
        let mut new = node.clone_empty();
        let fields = new.make_mapping();
        for entry in node.as_mapping().into_iter().flatten() {
            let Some(key) = entry.key.text() else {
                fields.push(entry.key.clone(), entry.value.clone());
                continue;
            };
            if elide && key == DIRECTIVE {
                continue;
            }
            if let Some(value) = self.unchanged(&entry.value, self.field(of, key))? {
                fields.push(entry.key.clone(), quoted_if_old(value));
            }
        }
        Ok(Some(new))
    }

    /// A value merged with itself: what becomes of a part of the patch that is taken as a whole.
    pub(super) fn unchanged(self, node: &Node, field: Field<'s>) -> Result<Option<Node>, Error> {
        let field = node.schema().map_or(field, OwnField::view);
        match node.content() {
            Content::Scalar(_) => Ok(Some(node.clone()).filter(|node| !node.is_null())),
            Content::Mapping(mapping) => match directive_of(mapping)? {
                Directive::Delete => Ok(None),
                _ => self.fields_of_new(node, self.type_of(field, Some(node), None), true),
            },
            Content::Sequence(list) => {
                let Some(keys) = field.merge else { return Ok(Some(node.clone())) };
                let (directive, rest) = list_directive(list)?;
                if directive == Directive::Delete {
                    return Ok(None);
                }
                let merged = Elements::new(self, keys, field.of).merge(rest, Origin::Same)?;
                Ok(Some(node.clone_empty().with_items(merged)))
            }
        }
    }

    /// What becomes of a value that the patch does not name.
    ///
    /// Quirk: a null that is only implied by an empty value vanishes, one that is written stays; of
    /// two elements of a merged list with the same keys the first vanishes.
    fn settled(self, base: Option<Node>, field: Field<'s>) -> Result<Option<Node>, Error> {
        let Some(mut node) = base else { return Ok(None) };
        let own = node.schema().cloned();
        let field = own.as_ref().map_or(field, OwnField::view);
        if node.is_null() {
            return Ok(node.text().is_some_and(|text| !text.is_empty()).then_some(node));
        }
        if let Some(mapping) = node.as_mapping() {
            let of = if mapping.is_empty() { None } else { self.type_of(field, Some(&node), None) };
            if let Some(mapping) = node.as_mapping_mut() {
                self.settle_fields(mapping, of, |_| false)?;
            }
        } else if let (Content::Sequence(list), Some(keys)) = (node.content_mut(), field.merge) {
            let items = std::mem::take(list).into_vec();
            let merged = Elements::new(self, keys, field.of).merge(items, Origin::Nothing)?;
            *list = Sequence::from_items(merged.into_iter());
        }
        Ok(Some(node))
    }

    fn settle_fields(
        self,
        mapping: &mut Mapping,
        of: Option<TypeId>,
        skip: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let mut gone = Vec::new();
        for (key, value) in mapping.iter_mut().filter(|(key, _)| !skip(key)) {
            if value.is_untyped() {
                // Quirk: nothing that the program made is no null to the original.
                if value.text() == Some("") {
                    continue;
                }
                type_as_string(value);
            }
            if let Content::Scalar(scalar) = value.content_mut() {
                if scalar.kind() == ScalarType::Str {
                    quote_if_old(scalar);
                    continue;
                } else if scalar.kind() != ScalarType::Null {
                    continue;
                }
            }
            match self.settled(Some(std::mem::take(value)), self.field(of, key))? {
                Some(settled) => *value = settled,
                None => gone.push(key.to_owned()),
            }
        }
        for key in gone {
            mapping.remove(&key);
        }
        Ok(())
    }

    fn field(self, of: Option<TypeId>, name: &str) -> Field<'s> {
        of.and_then(|of| self.schema.field(of, name)).unwrap_or_default()
    }

    /// The type of a mapping; one that the schema does not tell follows from the kind of the object
    /// that the mapping is, at the root and wherever one object holds another.
    fn type_of(
        self,
        field: Field<'s>,
        base: Option<&Node>,
        patch: Option<&Node>,
    ) -> Option<TypeId> {
        field.of.or_else(|| {
            [base, patch].into_iter().flatten().find_map(|node| {
                self.schema.root(node.get("apiVersion")?.text()?, node.get("kind")?.text()?)
            })
        })
    }
}

pub(super) const DIRECTIVE: &str = "$patch";

/// Fails where a merge would fail on a directive.
fn check_directives(patch: &Node) -> Result<(), Error> {
    match patch.content() {
        Content::Scalar(_) => Ok(()),
        Content::Sequence(items) => items.iter().try_for_each(check_directives),
        Content::Mapping(mapping) => {
            directive_of(mapping)?;
            mapping.values().try_for_each(check_directives)
        }
    }
}

pub(super) fn directive_of(patch: &Mapping) -> Result<Directive, Error> {
    patch.get(DIRECTIVE).map_or(Ok(Directive::Merge), parse_directive)
}

fn parse_directive(node: &Node) -> Result<Directive, Error> {
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

/// The first element that holds `$patch` and nothing else speaks for the whole list; it, its twins and
/// what is empty are taken out.
fn list_directive(items: &[Node]) -> Result<(Directive, Vec<Node>), Error> {
    let directive = items
        .iter()
        .filter_map(Node::as_mapping)
        .find(|item| item.contains_key(DIRECTIVE))
        .filter(|item| item.len() == 1)
        .and_then(|item| item.get(DIRECTIVE));
    let Some(node) = directive else { return Ok((Directive::Merge, items.to_vec())) };
    let value = node.text().unwrap_or_default();
    let rest = items.iter().filter(|item| {
        !is_hollow(item) && item.get(DIRECTIVE).is_none_or(|other| other.text() != Some(value))
    });
    Ok((parse_directive(node)?, rest.cloned().collect()))
}

/// `null` and `{}` are no elements.
pub(super) fn is_hollow(node: &Node) -> bool {
    node.is_null() || node.as_mapping().is_some_and(Mapping::is_empty)
}

fn into_items(node: Node) -> Option<Vec<Node>> {
    match node.into_content() {
        Content::Sequence(sequence) => Some(sequence.into_vec()),
        _ => None,
    }
}

/// A value in the place of another one, whose style it takes over: what was quoted stays a string.
fn in_style(mut node: Node, style: Option<ScalarStyle>) -> Node {
    if let (Content::Scalar(scalar), Some(style)) = (node.content_mut(), style)
        && scalar.style() != style
    {
        let kind = match style {
            ScalarStyle::Plain => scalar.kind(),
            _ => ScalarType::Str,
        };
        *scalar = Scalar::new(scalar.text(), kind, style);
    }
    node
}

/// Whether what becomes of a value stands within braces: as it did, unless it was empty.
fn flow_of(base: &Node, patch: &Node) -> bool {
    if base.is_empty() && base.as_scalar().is_none() { patch.is_flow() } else { base.is_flow() }
}

fn in_braces(node: Node, flow: bool) -> Node {
    if node.as_scalar().is_some() || node.is_flow() == flow || node.place().line() == 0 {
        node
    } else {
        node.in_flow(flow)
    }
}

/// What takes the place of a bound value is bound too.
fn bound(mut node: Node, bond: Option<u32>) -> Node {
    if let Some(bond) = bond {
        node = node.at_place(Place::default());
        node.bind(bond);
    }
    node
}

fn quoted_if_old(mut node: Node) -> Node {
    if let Content::Scalar(scalar) = node.content_mut() {
        quote_if_old(scalar);
    }
    node
}

/// Quirk: a value whose type is only its text's becomes a string by being looked at.
fn type_as_string(node: &mut Node) {
    node.unbind();
    if let Content::Scalar(scalar) = node.content_mut() {
        let old = resolve(scalar.text(), Flavour::V2) != ScalarType::Str;
        let style = if old { ScalarStyle::DoubleQuoted } else { scalar.style() };
        *scalar = Scalar::new(scalar.text(), ScalarType::Str, style);
    }
}

/// Quotes a plain text that older readers take for something else, such as `yes`. What replaces it
/// later takes the quotes over.
fn quote_if_old(scalar: &mut Scalar) {
    let text = scalar.text();
    if scalar.kind() == ScalarType::Str
        && scalar.style() == ScalarStyle::Plain
        && text.len() <= 5
        && !text.is_empty()
        && resolve(text, Flavour::V2) != ScalarType::Str
    {
        *scalar = Scalar::new(scalar.text(), ScalarType::Str, ScalarStyle::DoubleQuoted);
    }
}

pub(super) fn same_shape(base: &Node, patch: &Node) -> Result<(), Error> {
    let shape = |node: &Node| match node.content() {
        Content::Scalar(_) => "ScalarNode",
        Content::Mapping(_) => "MappingNode",
        Content::Sequence(_) => "SequenceNode",
    };
    if shape(base) == shape(patch) {
        return Ok(());
    }
    let value = crate::to_yaml_styled(patch);
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
