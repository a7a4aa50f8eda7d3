//! Mappings with ordered entries.

use std::slice;

use thin_vec::ThinVec;

use crate::node::{Node, Text};

/// One `key: value`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key; a string in nearly every Kubernetes document.
    pub key: Node,
    /// The value.
    pub value: Node,
}

/// An ordered mapping. Entries keep the order in which they were read or inserted.
///
/// Lookups take a key's text, whatever the type of the key: a mapping cannot hold both `1` and
/// `"1"`.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    entries: ThinVec<Entry>,
}

impl Mapping {
    /// A mapping without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// A mapping with room for some entries.
    pub fn with_capacity(entries: usize) -> Self {
        Self { entries: ThinVec::with_capacity(entries) }
    }

    /// A mapping of entries whose keys are known to differ. It occupies as much as it holds.
    pub(crate) fn from_entries(list: impl ExactSizeIterator<Item = Entry>) -> Self {
        let mut entries = ThinVec::with_capacity(list.len());
        entries.extend(list);
        Self { entries }
    }

    pub(crate) fn value_at_mut(&mut self, index: usize) -> Option<&mut Node> {
        self.entries.get_mut(index).map(|entry| &mut entry.value)
    }

    /// Appends an entry. Most mappings are small and get few entries more after they were read, which
    /// must not double what they occupy.
    fn add(&mut self, entry: Entry) {
        let length = self.entries.len();
        if length == self.entries.capacity() {
            self.entries.reserve_exact(match length {
                0 => 1,
                1..16 => 2,
                _ => length / 2,
            });
        }
        self.entries.push(entry);
    }

    /// Makes room for some entries more, and for none beyond.
    pub fn reserve(&mut self, more: usize) {
        self.entries.reserve_exact(more);
    }

    /// The number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.position(key).map(|at| &self.entries[at].value)
    }

    /// The value of a key, to change it.
    #[inline]
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.position(key).map(|at| &mut self.entries[at].value)
    }

    /// The entry of a key.
    #[inline]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.position(key).map(|at| &self.entries[at])
    }

    /// The text of a key's value, where that is a string.
    #[inline]
    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::as_str)
    }

    /// The mapping under a key.
    pub fn get_mapping(&self, key: &str) -> Option<&Self> {
        self.get(key).and_then(Node::as_mapping)
    }

    /// The elements of the sequence under a key.
    pub fn get_sequence(&self, key: &str) -> Option<&[Node]> {
        self.get(key).and_then(Node::as_sequence)
    }

    /// Whether the key is there.
    #[inline]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The place of a key among the entries.
    #[inline]
    pub fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key.text() == Some(key))
    }

    /// Sets a key. An entry that is there keeps its place and its key; a new one goes to the end.
    /// Returns the former value.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Node>) -> Option<Node> {
        let key = key.into();
        let value = value.into();
        if let Some(at) = self.position(&key) {
            return Some(std::mem::replace(&mut self.entries[at].value, value));
        }
        self.add(Entry { key: Node::string(key), value });
        None
    }

    /// Puts a key before the entry at `index`, or moves it there if it exists.
    pub fn insert_at(&mut self, index: usize, key: impl Into<Text>, value: impl Into<Node>) {
        let key = key.into();
        self.remove(&key);
        let index = index.min(self.entries.len());
        self.entries.insert(index, Entry { key: Node::string(key), value: value.into() });
    }

    /// Appends an entry whose key the caller knows to be new.
    pub fn push(&mut self, key: Node, value: Node) {
        self.add(Entry { key, value });
    }

    /// The value of a key, which is set first if it is not there.
    pub fn get_or_insert_with(&mut self, key: &str, default: impl FnOnce() -> Node) -> &mut Node {
        let at = self.position(key).unwrap_or_else(|| {
            self.add(Entry { key: Node::string(key), value: default() });
            self.entries.len() - 1
        });
        &mut self.entries[at].value
    }

    /// The mapping under a key, which is made first if there is none (also over a `null` or
    /// another kind of value).
    pub fn mapping_or_insert(&mut self, key: &str) -> &mut Self {
        let node = self.get_or_insert_with(key, || Node::from(Self::new()));
        node.make_mapping()
    }

    /// Takes a key out, keeping the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.position(key).map(|at| self.entries.remove(at).value)
    }

    /// Keeps the entries that a predicate accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(|entry| keep(entry));
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entries in order.
    #[inline]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Keys and values in order; a key that is no scalar is skipped.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.entries.iter().filter_map(|entry| Some((entry.key.text()?, &entry.value)))
    }

    /// Keys and values in order, the values to change.
    #[inline]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Node)> {
        self.entries.iter_mut().filter_map(|entry| Some((entry.key.text()?, &mut entry.value)))
    }

    /// The texts of the keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// The values in order.
    #[inline]
    pub fn values(&self) -> impl Iterator<Item = &Node> {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// The values in order, to change.
    #[inline]
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }

    /// The values, with the lines of their keys.
    pub(crate) fn lines_mut(&mut self) -> impl Iterator<Item = (u32, &mut Node)> {
        self.entries.iter_mut().map(|entry| (entry.key.place().line(), &mut entry.value))
    }

    /// Puts the entries in the byte order of their keys.
    pub fn sort(&mut self) {
        self.entries.sort_by(|a, b| a.key.text().cmp(&b.key.text()));
    }

    /// Gives a key another name in place. Returns whether it was there.
    pub fn rename(&mut self, from: &str, to: impl Into<Text>) -> bool {
        let Some(at) = self.position(from) else {
            return false;
        };
        self.entries[at].key = Node::string(to);
        true
    }
}

impl<'m> IntoIterator for &'m Mapping {
    type Item = &'m Entry;
    type IntoIter = slice::Iter<'m, Entry>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

/// The entries of a mapping that is taken apart.
#[derive(Debug)]
pub struct IntoEntries(thin_vec::IntoIter<Entry>);

impl Iterator for IntoEntries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for IntoEntries {
    fn next_back(&mut self) -> Option<Entry> {
        self.0.next_back()
    }
}

impl ExactSizeIterator for IntoEntries {}

impl IntoIterator for Mapping {
    type Item = Entry;
    type IntoIter = IntoEntries;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        IntoEntries(self.entries.into_iter())
    }
}

impl<K: Into<Text>, V: Into<Node>> FromIterator<(K, V)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut mapping = Self::new();
        mapping.extend(entries);
        mapping
    }
}

impl<K: Into<Text>, V: Into<Node>> Extend<(K, V)> for Mapping {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

/// Mappings are equal when they have equal values under the same keys, in any order.
impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.entries.iter().zip(&other.entries).all(|(a, b)| {
                if a.key == b.key {
                    return a.value == b.value;
                }
                let twin = match a.key.text() {
                    Some(text) => other.entry(text).filter(|entry| entry.key == a.key),
                    None => other.entries.iter().find(|entry| entry.key == a.key),
                };
                twin.is_some_and(|entry| entry.value == a.value)
            })
    }
}
