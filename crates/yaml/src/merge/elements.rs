//! Lists whose elements are known by the values of some keys, or by themselves.
//!
//! Follows kyaml's `walk/associative_sequence.go`. What it does to elements that lack a key, or share
//! their values, follows from no rule but its steps; [`Elements::merge_by_steps`] takes the same ones.
//! All other lists go the short way.

use std::collections::{HashMap, HashSet};

use super::strategic::{DIRECTIVE, Merger, is_hollow, same_shape};
use crate::{
    error::Error,
    node::{Mapping, Node},
    schema::{Field, MergeKeys, TypeId},
};

/// What a list is merged with.
pub(super) enum Origin {
    /// With nothing: the patch does not name it.
    Nothing,
    /// With itself: it is the patch's, where there was none.
    Same,
    /// With the elements of the patch.
    Items(Vec<Node>),
}

/// A list that merges by keys.
pub(super) struct Elements<'m> {
    merger: Merger<'m>,
    keys: Vec<&'m str>,
    element: Field<'m>,
}

/// The values of the keys; empty where an element lacks one.
type Values = Vec<String>;

impl<'m> Elements<'m> {
    pub(super) fn new(merger: Merger<'m>, keys: MergeKeys<'m>, of: Option<TypeId>) -> Self {
        let mut keys = keys.to_vec();
        if keys.is_empty() {
            keys.push("");
        }
        Self { merger, keys, element: Field { of, merge: None } }
    }

    pub(super) fn merge(&self, base: Vec<Node>, origin: Origin) -> Result<Vec<Node>, Error> {
        if self.keys != [""] {
            let patch = match &origin {
                Origin::Items(items) => items.as_slice(),
                _ => &[],
            };
            let plain = |item: &Node| item.get(DIRECTIVE).is_none();
            if patch.iter().all(plain)
                && let (Some(base_keys), Some(patch_keys)) =
                    (self.plain_keys(&base), self.plain_keys(patch))
                && (base_keys == patch_keys || base.is_empty() || patch.is_empty())
            {
                let keys = if base.is_empty() { patch_keys } else { base_keys };
                return self.merge_plain(&keys, base, &origin);
            }
        }
        self.merge_by_steps(base, origin)
    }

    /// The keys that the elements have, if all have the same ones and no two the same values.
    fn plain_keys(&self, items: &[Node]) -> Option<Vec<&'m str>> {
        let mut common: Option<Vec<&'m str>> = None;
        let mut seen = HashSet::with_capacity(items.len());
        for item in items {
            let mapping = item.as_mapping()?;
            let mut own = Vec::with_capacity(self.keys.len());
            let mut values: Vec<&str> = Vec::with_capacity(self.keys.len());
            for key in &self.keys {
                match mapping.get(key).map(|value| (value, value.text())) {
                    None => {}
                    Some((value, Some(text))) if !value.is_null() && !text.is_empty() => {
                        own.push(*key);
                        values.push(text);
                    }
                    Some(_) => return None,
                }
            }
            if own.is_empty() || !seen.insert(values) {
                return None;
            }
            match &common {
                None => common = Some(own),
                Some(common) if *common == own => {}
                Some(_) => return None,
            }
        }
        Some(common.unwrap_or_default())
    }

    /// Elements of the patch come first, in its order. With several keys only new ones do, and those
    /// that are there keep their place.
    fn merge_plain(
        &self,
        keys: &[&str],
        base: Vec<Node>,
        origin: &Origin,
    ) -> Result<Vec<Node>, Error> {
        let patch = match origin {
            Origin::Items(items) => items.as_slice(),
            Origin::Same => {
                let merged = base.iter().map(|item| self.merger.unchanged(item, self.element));
                return merged.filter_map(Result::transpose).filter(full).collect();
            }
            Origin::Nothing => &[],
        };
        let values = |item: &Node| -> Vec<String> {
            keys.iter()
                .map(|key| item.get(key).and_then(Node::text).unwrap_or_default().to_owned())
                .collect()
        };
        let places: HashMap<Vec<String>, usize> = if patch.is_empty() {
            HashMap::new()
        } else {
            base.iter().enumerate().map(|(place, item)| (values(item), place)).collect()
        };
        let mut rest: Vec<Option<Node>> = base.into_iter().map(Some).collect();
        let mut merged = Vec::with_capacity(rest.len() + patch.len());
        let mut touched = vec![false; rest.len()];
        for item in patch {
            let place = places.get(&values(item)).copied();
            let old = place.and_then(|place| rest[place].take());
            let new =
                self.merger.merged(old, Some(item), self.element)?.filter(|item| !is_hollow(item));
            match (place, new) {
                (Some(place), new) if keys.len() > 1 => {
                    rest[place] = new;
                    touched[place] = true;
                }
                (_, Some(new)) => merged.push(new),
                (_, None) => {}
            }
        }
        for (item, touched) in rest.into_iter().zip(touched) {
            let Some(item) = item else { continue };
            let item = if touched {
                Some(item)
            } else {
                self.merger.merged(Some(item), None, self.element)?
            };
            merged.extend(item.filter(|item| !is_hollow(item)));
        }
        Ok(merged)
    }

    /// The steps of the original, one by one.
    fn merge_by_steps(&self, base: Vec<Node>, origin: Origin) -> Result<Vec<Node>, Error> {
        let mut base = base;
        let (mut patch, same) = match origin {
            Origin::Items(items) => (items, false),
            Origin::Same => (Vec::new(), true),
            Origin::Nothing => (Vec::new(), false),
        };
        let mut all = self.all_values(patch.iter().chain(&base));
        if all.is_empty() {
            return Ok(base);
        }
        if self.keys.len() > 1 {
            unify(&mut all);
        }
        let mut merged = Vec::new();
        let mut keys = Vec::new();
        for values in &all {
            let (valid, values) = valid_keys(&all, values, &self.keys);
            let own: [Values; 1] = [values.clone()];
            let (wanted, wanted_values) = valid_keys(&own, &values, &valid);
            let in_base = position(&base, &wanted, &wanted_values);
            let in_patch = position(&patch, &wanted, &wanted_values);
            let value = match (in_base, in_patch) {
                (Some(place), None) if same => self.merger.unchanged(&base[place], self.element)?,
                (in_base, in_patch) => {
                    let old = in_base.map(|place| base[place].clone());
                    self.merger.merged(old, in_patch.map(|place| &patch[place]), self.element)?
                }
            };
            // Quirk: who comes back to an element of the patch sees no directive any more.
            let directive =
                in_patch.and_then(|place| patch[place].as_mapping_mut()?.remove(DIRECTIVE));
            let replaces = directive.as_ref().and_then(Node::text) == Some("replace");
            keys.clone_from(&valid);
            let Some(mut value) = value.filter(|value| !is_hollow(value)) else {
                set_element(&mut base, &valid, &values, None)?;
                continue;
            };
            if let Some(mapping) = value.as_mapping_mut() {
                for (key, value) in valid.iter().zip(&values) {
                    if !value.is_empty() && !mapping.contains_key(key) {
                        mapping.insert(*key, value.as_str());
                    }
                }
            }
            // The merged element stands where it was made: in the base, unless the patch's took over.
            // Of single values, both stay what they are.
            let one = value.as_scalar().is_some() && in_patch.is_some();
            match (in_base, in_patch) {
                (Some(place), _) if !replaces && !one => base[place] = value.clone(),
                (_, Some(place)) => patch[place] = value.clone(),
                _ => {}
            }
            set_element(&mut merged, &valid, &values, Some(&value))?;
        }
        append(&mut merged, base, &keys)?;
        Ok(merged)
    }

    fn all_values<'n>(&self, items: impl Iterator<Item = &'n Node>) -> Vec<Values> {
        let mut seen = HashSet::new();
        let own = |item: &Node| -> Values {
            if self.keys == [""] {
                return vec![item.text().unwrap_or_default().to_owned()];
            }
            let text =
                |key: &&str| item.get(key).filter(|value| !value.is_null()).and_then(Node::text);
            self.keys.iter().map(|key| text(key).unwrap_or_default().to_owned()).collect()
        };
        items.map(own).filter(|values| seen.insert(values.clone())).collect()
    }
}

fn full(item: &Result<Node, Error>) -> bool {
    item.as_ref().map_or(true, |item| !is_hollow(item))
}

/// Two combinations that share a value, and differ only where one has none, become the same: a port
/// with and without its protocol.
fn unify(all: &mut [Values]) {
    for one in 0..all.len() {
        // The original goes on with the values that it began with.
        let first = all[one].clone();
        for other in 0..all.len() {
            let pairs = || first.iter().zip(&all[other]);
            let same = pairs().any(|(a, b)| a == b)
                && pairs().all(|(a, b)| a == b || a.is_empty() || b.is_empty());
            if same {
                let joined: Values = pairs()
                    .map(|(a, b)| if a.is_empty() { b.clone() } else { a.clone() })
                    .collect();
                all[one].clone_from(&joined);
                all[other] = joined;
            }
        }
    }
}

/// The keys for which any combination has a value, with this combination's values; all keys if none
/// has one.
fn valid_keys<'k>(all: &[Values], values: &Values, keys: &[&'k str]) -> (Vec<&'k str>, Values) {
    let used: Vec<bool> = (0..keys.len())
        .map(|at| all.iter().any(|values| values.get(at).is_some_and(|value| !value.is_empty())))
        .collect();
    if !used.contains(&true) {
        return (keys.to_vec(), values.clone());
    }
    let valid = keys.iter().zip(&used).filter(|(_, used)| **used).map(|(key, _)| *key).collect();
    let values =
        values.iter().zip(&used).filter(|(_, used)| **used).map(|(value, _)| value.clone());
    (valid, values.collect())
}

/// The text of a scalar; mappings and lists have an empty one.
fn value_of(node: &Node) -> &str {
    node.text().unwrap_or_default()
}

/// The place of the first element with these values.
fn position(items: &[Node], keys: &[&str], values: &[String]) -> Option<usize> {
    if keys.first().is_none_or(|key| key.is_empty()) {
        let wanted = values.first().map_or("", String::as_str);
        return items.iter().position(|item| value_of(item) == wanted);
    }
    items.iter().position(|item| {
        item.as_mapping().is_some_and(|mapping| {
            keys.iter()
                .zip(values)
                .all(|(key, value)| mapping.get(key).is_some_and(|own| value_of(own) == value))
        })
    })
}

/// Replaces the elements that have these values, or appends a new one; with none, deletes them. An
/// empty value stands for any; fewer values than keys leave the other keys out of account.
fn set_element(
    items: &mut Vec<Node>,
    keys: &[&str],
    values: &[String],
    element: Option<&Node>,
) -> Result<(), Error> {
    let for_mappings = keys.first().is_some_and(|key| !key.is_empty())
        && values.first().is_some_and(|value| !value.is_empty());
    let mut found_any = false;
    let mut kept = Vec::with_capacity(items.len() + 1);
    for item in items.drain(..) {
        if is_hollow(&item) {
            continue;
        }
        if for_mappings && !item.is_mapping() {
            kept.push(item);
            continue;
        }
        if has_values(&item, keys, values)? {
            found_any = true;
            kept.extend(element.cloned());
        } else if !values.is_empty() {
            // Quirk: an element without any of the keys drives out all others.
            kept.push(item);
        }
    }
    *items = kept;
    if let Some(element) = element.filter(|element| !found_any && !element.is_null()) {
        items.push(element.clone());
    }
    Ok(())
}

fn has_values(item: &Node, keys: &[&str], values: &[String]) -> Result<bool, Error> {
    let mut found = false;
    for (at, key) in keys.iter().enumerate() {
        // Quirk: a key without a value is taken for found if the one before was.
        if let Some(value) = values.get(at) {
            found = if key.is_empty() {
                same_shape(&Node::string(""), item)?;
                value_of(item) == value
            } else {
                same_shape(&Node::from(Mapping::new()), item)?;
                item.get(key).is_some_and(|own| value.is_empty() || value_of(own) == value)
            };
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(found)
}

/// Adds the elements of the old list to those of the patch.
fn append(items: &mut Vec<Node>, old: Vec<Node>, keys: &[&str]) -> Result<(), Error> {
    for item in old {
        if keys.first().is_none_or(|key| key.is_empty()) {
            set_element(items, &[""], &[value_of(&item).to_owned()], Some(&item))?;
            continue;
        }
        let mut values = Vec::new();
        for key in keys {
            if !item.is_null() {
                same_shape(&Node::from(Mapping::new()), &item)?;
            }
            match item.get(key) {
                Some(value) => values.push(value_of(value).to_owned()),
                None => items.push(item.clone()),
            }
        }
        if keys.len() > 1 {
            set_element(items, keys, &values, None)?;
        }
        set_element(items, keys, &values, Some(&item))?;
    }
    Ok(())
}
