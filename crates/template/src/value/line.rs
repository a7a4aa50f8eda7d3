//! The entries of most maps: side by side, in the order of their keys.

use std::cmp::Ordering;

use memchr::memchr_iter;
use smallvec::SmallVec;

use super::{Text, Value};

/// So many entries stand in the map itself.
const IN_PLACE: usize = 3;

/// So many are looked through one by one.
const FEW: usize = 16;

/// Entries in order, each key once.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    entries: SmallVec<[(Text, Value); IN_PLACE]>,
    /// The signs of all keys, where there are more than a few; else nothing.
    signs: Vec<u8>,
}

impl Line {
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self { entries: SmallVec::with_capacity(entries), signs: Vec::new() }
    }

    #[inline]
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        if self.signs.is_empty() {
            // Keys are told apart by their lengths faster than they are put in order. What a template sees
            // ends with its values, which it asks for most.
            let mut entries = self.entries.iter().rev();
            return entries.find(|(known, _)| known.as_str() == key).map(|(_, value)| value);
        }
        self.get_by_sign(key)
    }

    fn get_by_sign(&self, key: &str) -> Option<&Value> {
        let mut signed = memchr_iter(sign(key), &self.signs).map(|at| &self.entries[at]);
        signed.find(|(known, _)| known.as_str() == key).map(|(_, value)| value)
    }

    /// Where a key stands, or should stand.
    pub(super) fn place(&self, key: &str) -> Result<usize, usize> {
        match self.entries.last() {
            Some((last, _)) if order(last, key).is_ge() => {
                self.entries.binary_search_by(|(known, _)| order(known, key))
            }
            // What comes in order goes to the end.
            _ => Err(self.entries.len()),
        }
    }

    /// Sets the value of what stands somewhere.
    pub(super) fn set(&mut self, at: usize, value: Value) {
        self.entries[at].1 = value;
    }

    pub(super) fn insert(&mut self, at: usize, key: Text, value: Value) {
        if !self.signs.is_empty() {
            self.signs.insert(at, sign(&key));
        }
        self.entries.insert(at, (key, value));
        if self.signs.is_empty() {
            self.sign();
        }
    }

    pub(super) fn remove(&mut self, at: usize) -> Value {
        if !self.signs.is_empty() {
            self.signs.remove(at);
        }
        self.entries.remove(at).1
    }

    pub(super) fn entries(&self) -> &[(Text, Value)] {
        &self.entries
    }

    /// The entries, which are taken away.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Text, Value)> {
        std::mem::take(self).entries.into_iter()
    }

    /// Signs all keys, if there are so many.
    fn sign(&mut self) {
        if self.entries.len() > FEW {
            self.signs = self.entries.iter().map(|(key, _)| sign(key)).collect();
        }
    }
}

impl FromIterator<(Text, Value)> for Line {
    /// Of equal keys the last one counts.
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(entries: I) -> Self {
        let mut entries: SmallVec<_> = entries.into_iter().collect();
        let follows = |pair: &[(Text, Value)]| order(&pair[0].0, &pair[1].0).is_lt();
        if !entries.windows(2).all(follows) {
            // Of equal keys the last comes first, and is the one that stays.
            entries.reverse();
            entries.sort_by(|(key, _), (other, _)| order(key, other));
            entries.dedup_by(|(key, _), (kept, _)| key == kept);
        }
        let mut line = Self { entries, signs: Vec::new() };
        line.sign();
        line
    }
}

/// A byte that few other keys of a map have.
fn sign(key: &str) -> u8 {
    let bytes = key.as_bytes();
    let [Some(first), Some(middle), Some(last)] =
        [bytes.first(), bytes.get(bytes.len() / 2), bytes.last()]
    else {
        return 0;
    };
    let [.., length] = bytes.len().to_be_bytes();
    first.wrapping_mul(3) ^ middle.wrapping_mul(5) ^ last.wrapping_mul(7) ^ length.wrapping_mul(29)
}

/// How keys compare. Most differ in their first bytes, which needs no call.
#[inline]
fn order(known: &str, key: &str) -> Ordering {
    let (known, key) = (known.as_bytes(), key.as_bytes());
    match (known.first_chunk(), key.first_chunk()) {
        (Some(first), Some(other)) if first != other => {
            u64::from_be_bytes(*first).cmp(&u64::from_be_bytes(*other))
        }
        _ => match (known.first(), key.first()) {
            (Some(first), Some(other)) if first != other => first.cmp(other),
            _ => known.cmp(key),
        },
    }
}
