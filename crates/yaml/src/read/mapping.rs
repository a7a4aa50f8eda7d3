//! From entries to mappings: merge keys, and keys that stand twice.
//!
//! Follows the decoders of both go-yaml versions. To yaml.v2 a `<<` takes effect where it stands, so
//! it replaces what was set before, and strict reading takes that for a key that stands twice. To
//! yaml.v3 what stands in the mapping itself always counts more.

use std::collections::{HashMap, HashSet};

use super::{Duplicates, compose::Composer, faults::Complaint, go_syntax::go_syntax};
use crate::{
    error::{Error, ErrorKind},
    json::json_key,
    node::{Content, Entry, Mapping, Node, Place, Scalar, ScalarType, Text},
    resolve::Flavour,
};

/// The entries of a mapping as they were read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) entries: Vec<Entry>,
    /// The places of the values that are aliases, by their entries' index.
    pub(super) aliased: Vec<(usize, Place)>,
    /// Where keys and values end, in turns.
    pub(super) ends: Vec<Place>,
}

impl Read {
    /// Where an entry's value stands itself.
    fn value_place(&self, index: usize) -> Place {
        let aliased = self.aliased.binary_search_by_key(&index, |(index, _)| *index);
        aliased.map_or_else(|_| self.entries[index].value.place(), |at| self.aliased[at].1)
    }
}

impl Composer<'_> {
    /// The mapping of what was read. `complaints` tells how many there were before it began.
    pub(super) fn mapping(
        &mut self,
        read: Read,
        (place, end): (Place, Place),
        complaints: usize,
    ) -> Mapping {
        if is_plain(&read.entries, self.options.flavour) && are_distinct(&read.entries) {
            return Mapping::from_entries(read.entries.into_iter());
        }
        match self.options.flavour {
            Flavour::V2 => self.mapping_v2(read),
            Flavour::V3 => self.mapping_v3(read.entries, (place, end), complaints),
        }
    }

    fn mapping_v2(&mut self, read: Read) -> Mapping {
        let places: Vec<(Place, Place, Place)> = (0..read.entries.len())
            .map(|at| (read.value_place(at), read.ends[2 * at], read.ends[2 * at + 1]))
            .collect();
        let mut mapping = Mapping::with_capacity(read.entries.len());
        let mut known = HashMap::new();
        for (entry, (place, key_end, end)) in read.entries.into_iter().zip(places) {
            if is_merge(&entry) {
                self.merge_v2(&mut mapping, &mut known, entry.value, (place, end));
            } else if entry.key.as_scalar().is_none() {
                let message = format!("yaml: invalid map key: {}", go_syntax(&entry.key));
                self.faults.fail(key_end, error(ErrorKind::Type, message, entry.key.place()));
            } else {
                self.set(&mut mapping, &mut known, entry, place, end);
            }
        }
        mapping
    }

    fn merge_v2(
        &mut self,
        mapping: &mut Mapping,
        known: &mut HashMap<Text, usize>,
        value: Node,
        (place, end): (Place, Place),
    ) {
        let Some(sources) = merge_sources(value) else {
            return self.faults.fail(place, wrong_merge(place));
        };
        // The first of several counts most, so it comes last.
        for entry in sources.into_iter().rev().flatten() {
            let value_place = entry.value.place();
            self.set(mapping, known, entry, value_place, end);
        }
    }

    /// Sets a key, which may be there.
    fn set(
        &mut self,
        mapping: &mut Mapping,
        known: &mut HashMap<Text, usize>,
        entry: Entry,
        place: Place,
        at: Place,
    ) {
        let name = identity(&entry.key);
        let Some(&first) = known.get(&name) else {
            known.insert(name, mapping.len());
            return mapping.push(entry.key, entry.value);
        };
        // Keys that are equal in JSON only are two to Go; the last one counts here.
        let equal = mapping.entries()[first].key.as_scalar().map(|key| class(key.kind()))
            == entry.key.as_scalar().map(|key| class(key.kind()));
        match self.options.duplicates {
            Duplicates::Refuse if equal => {
                let key = go_syntax(&entry.key);
                let text = format!("line {}: key {key} already set in map", place.line());
                self.faults.complain(Complaint { at, place: entry.key.place(), text });
            }
            Duplicates::First => {}
            Duplicates::Refuse | Duplicates::Last => {
                if let Some(value) = mapping.value_at_mut(first) {
                    *value = entry.value;
                }
            }
        }
    }

    fn mapping_v3(
        &mut self,
        entries: Vec<Entry>,
        (place, end): (Place, Place),
        complaints: usize,
    ) -> Mapping {
        if self.options.duplicates == Duplicates::Refuse && !are_distinct(&entries) {
            // What is wrong deeper within is not looked at.
            self.faults.forget(complaints);
            self.complain_v3(&entries, place);
            return Mapping::new();
        }
        let mut mapping = Mapping::with_capacity(entries.len());
        let mut known: HashMap<Text, usize> = HashMap::new();
        let mut merges = Vec::new();
        for entry in entries {
            if is_merge(&entry) {
                merges.push(entry.value);
                continue;
            }
            let Some(text) = entry.key.text() else {
                mapping.push(entry.key, entry.value);
                continue;
            };
            match known.get(text) {
                None => {
                    known.insert(text.into(), mapping.len());
                    mapping.push(entry.key, entry.value);
                }
                Some(&first) if self.options.duplicates == Duplicates::Last => {
                    if let Some(value) = mapping.value_at_mut(first) {
                        *value = entry.value;
                    }
                }
                Some(_) => {}
            }
        }
        for value in merges {
            let value_place = value.place();
            let Some(sources) = merge_sources(value) else {
                self.faults.fail(end, wrong_merge(value_place));
                continue;
            };
            for entry in sources.into_iter().flatten() {
                let text = entry.key.text();
                if text.is_some_and(|text| known.contains_key(text)) {
                    continue;
                }
                if let Some(text) = text {
                    known.insert(text.into(), mapping.len());
                }
                mapping.push(entry.key, entry.value);
            }
        }
        mapping
    }

    /// One complaint for each pair of equal keys.
    /// The complaint about the first key that stands twice, where such keys are let pass.
    pub(super) fn doubled(&self, entries: &[Entry]) -> Option<Box<str>> {
        if self.options.duplicates != Duplicates::First || are_distinct(entries) {
            return None;
        }
        let twin = |entry: &Entry| {
            let first = entries.iter().find(|first| first.key.text() == entry.key.text())?;
            (first.key.place() < entry.key.place()).then(|| complaint(&first.key, &entry.key))
        };
        entries.iter().filter(|entry| entry.key.text().is_some()).find_map(twin).map(Into::into)
    }

    fn complain_v3(&mut self, entries: &[Entry], place: Place) {
        let mut keys: HashMap<&str, Vec<&Node>> = HashMap::new();
        for entry in entries {
            if let Some(text) = entry.key.text() {
                keys.entry(text).or_default().push(&entry.key);
            }
        }
        for Entry { key, .. } in entries {
            let Some(text) = key.text() else { continue };
            let later = keys[text].iter().filter(|later| later.place() > key.place());
            for second in later.take(100) {
                let text = complaint(key, second);
                self.faults.complain(Complaint { at: place, place: second.place(), text });
            }
        }
    }
}

fn complaint(first: &Node, second: &Node) -> String {
    let key = gitops_core::quoted(second.text().unwrap_or_default());
    let (line, first) = (second.place().line(), first.place().line());
    format!("line {line}: mapping key {key} already defined at line {first}")
}

fn is_merge(entry: &Entry) -> bool {
    entry.key.as_scalar().is_some_and(|key| key.kind() == ScalarType::Merge)
}

/// The mappings that a `<<` brings, if it may bring them.
fn merge_sources(value: Node) -> Option<Vec<Mapping>> {
    match value.into_content() {
        Content::Mapping(source) => Some(vec![source]),
        Content::Sequence(sequence) => sequence
            .into_vec()
            .into_iter()
            .map(|item| match item.into_content() {
                Content::Mapping(source) => Some(source),
                _ => None,
            })
            .collect(),
        Content::Scalar(_) => None,
    }
}

fn wrong_merge(place: Place) -> Error {
    let message = "yaml: map merge requires map or sequence of maps as the value";
    error(ErrorKind::Type, message.to_owned(), place)
}

fn error(kind: ErrorKind, message: String, place: Place) -> Error {
    Error::new(kind, message).at(place.line(), place.column())
}

/// What a key is called in JSON; one that has no name there goes by its text.
fn identity(key: &Node) -> Text {
    if key.is_null() {
        return Text::from("\0");
    }
    json_key(key, &Node::null(), Flavour::V2)
        .map_or_else(|_| key.text().unwrap_or_default().into(), |name| Text::from(name.as_ref()))
}

/// The Go type that a scalar decodes to, where keys may be equal.
fn class(kind: ScalarType) -> ScalarType {
    match kind {
        ScalarType::Timestamp | ScalarType::Merge => ScalarType::Str,
        kind => kind,
    }
}

/// Whether all keys are what their texts say: no `<<`, and to yaml.v2 strings only.
pub(super) fn is_plain(entries: &[Entry], flavour: Flavour) -> bool {
    entries.iter().all(|entry| match entry.key.as_scalar().map(Scalar::kind) {
        Some(ScalarType::Str | ScalarType::Timestamp) => true,
        Some(ScalarType::Merge) => false,
        _ => flavour == Flavour::V3,
    })
}

/// Whether no key stands twice. A key that is no scalar is never taken for another.
pub(super) fn are_distinct(entries: &[Entry]) -> bool {
    // Nearly all mappings are so small that comparing is faster than hashing.
    if entries.len() <= 16 {
        return entries.iter().enumerate().all(|(at, entry)| {
            let text = entry.key.text();
            text.is_none() || entries[..at].iter().all(|former| former.key.text() != text)
        });
    }
    let mut seen = HashSet::with_capacity(entries.len());
    entries.iter().filter_map(|entry| entry.key.text()).all(|text| seen.insert(text))
}
