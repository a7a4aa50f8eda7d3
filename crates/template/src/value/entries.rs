//! What a map holds.

use std::collections::{BTreeMap, btree_map};

use super::{Text, Value, line::Line};

/// More are kept in a tree, where one more is put in without moving the others.
const MOST_IN_LINE: usize = 128;

/// Entries in the order of the bytes of their keys. Most maps of charts have two or three.
#[derive(Clone, Debug, Default)]
pub struct Entries(Form);

#[derive(Clone, Debug)]
enum Form {
    Line(Line),
    Tree(BTreeMap<Text, Value>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Line(Line::default())
    }
}

impl Entries {
    /// No entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// No entries, with room for some.
    pub fn with_capacity(entries: usize) -> Self {
        if entries > MOST_IN_LINE {
            return Self(Form::Tree(BTreeMap::new()));
        }
        Self(Form::Line(Line::with_capacity(entries)))
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match &self.0 {
            Form::Line(line) => line.get(key),
            Form::Tree(tree) => tree.get(key),
        }
    }

    /// Whether the key is there.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets a key.
    pub fn insert(&mut self, key: Text, value: Value) {
        let line = match &mut self.0 {
            Form::Line(line) => line,
            Form::Tree(tree) => {
                tree.insert(key, value);
                return;
            }
        };
        match line.place(&key) {
            Ok(at) => line.set(at, value),
            Err(at) if line.entries().len() < MOST_IN_LINE => line.insert(at, key, value),
            Err(_) => {
                let mut tree: BTreeMap<_, _> = line.take().collect();
                tree.insert(key, value);
                self.0 = Form::Tree(tree);
            }
        }
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        match &mut self.0 {
            Form::Line(line) => {
                let at = line.place(key).ok()?;
                Some(line.remove(at))
            }
            Form::Tree(tree) => tree.remove(key),
        }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Line(line) => line.entries().len(),
            Form::Tree(tree) => tree.len(),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Value)> {
        match &self.0 {
            Form::Line(line) => Iter::Line(line.entries().iter()),
            Form::Tree(tree) => Iter::Tree(tree.iter()),
        }
    }

    /// The keys in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Text> {
        self.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }
}

enum Iter<'e> {
    Line(std::slice::Iter<'e, (Text, Value)>),
    Tree(btree_map::Iter<'e, Text, Value>),
}

impl<'e> Iterator for Iter<'e> {
    type Item = (&'e Text, &'e Value);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Line(line) => line.next().map(|(key, value)| (key, value)),
            Self::Tree(tree) => tree.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Line(line) => line.size_hint(),
            Self::Tree(tree) => tree.size_hint(),
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl FromIterator<(Text, Value)> for Entries {
    /// Of equal keys the last one counts.
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        if entries.size_hint().0 > MOST_IN_LINE {
            return Self(Form::Tree(entries.collect()));
        }
        let mut line: Line = entries.collect();
        if line.entries().len() > MOST_IN_LINE {
            return Self(Form::Tree(line.take().collect()));
        }
        Self(Form::Line(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_content_do_not_depend_on_the_form() {
        let mut entries = Entries::new();
        let mut known = BTreeMap::new();
        // Keys come in an order that is neither up nor down, most of them twice.
        for number in 0..4 * MOST_IN_LINE {
            let key = Text::from(format!("k{}", number * 7919 % (2 * MOST_IN_LINE + 1)));
            let value = i64::try_from(number).unwrap();
            entries.insert(key.clone(), Value::int(value));
            known.insert(key, value);
            assert_eq!(entries.len(), known.len());
            assert!(entries.keys().eq(known.keys()));
            assert!(known.keys().all(|key| entries.contains_key(key)));
        }
        let int = |value: &Value| match value {
            Value::Int(_, value) => *value,
            _ => unreachable!("all are integers"),
        };
        assert!(entries.values().map(int).eq(known.values().copied()));
        for length in [3, 5, 17, 40, MOST_IN_LINE, MOST_IN_LINE + 1] {
            let some = entries.iter().take(length).map(|(key, value)| (key.clone(), value.clone()));
            let mut some: Entries = some.collect();
            let keys: Vec<Text> = some.keys().cloned().collect();
            for (gone, key) in keys.iter().enumerate() {
                assert!(some.remove(key).is_some() && some.remove(key).is_none());
                let (before, after) = keys.split_at(gone + 1);
                assert!(!before.iter().any(|key| some.contains_key(key)), "{length}");
                assert!(after.iter().all(|key| some.contains_key(key)), "{length}");
            }
            assert!(some.is_empty() && some.get("k").is_none());
        }
    }
}
