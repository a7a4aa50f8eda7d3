//! The tables of a TOML document while it is read.

use std::collections::BTreeMap;

use super::key_text;
use crate::value::{List, ListKind, Map, MapKind, Text, Value};

/// A table, and how it came to be.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<Text, Entry>,
    /// Nobody named it: it stands between others, and may be named once.
    implicit: bool,
}

#[derive(Debug)]
enum Entry {
    Table(Table),
    Tables(Vec<Table>),
    Value(Value),
}

impl Table {
    /// The table at a path, whose parts are made as they are needed. Of a list of tables it is the
    /// last.
    pub(super) fn at(&mut self, path: &[Text]) -> Result<&mut Self, String> {
        let mut table = self;
        for (depth, key) in path.iter().enumerate() {
            let fresh = || Entry::Table(Self { implicit: true, ..Self::default() });
            table = match table.entries.entry(key.clone()).or_insert_with(fresh) {
                Entry::Table(table) => table,
                Entry::Tables(tables) => tables.last_mut().expect("a list has a table"),
                Entry::Value(_) => {
                    let name = key_text(path[..=depth].iter().map(Text::as_str));
                    return Err(format!("Key '{name}' was already created as a hash."));
                }
            };
        }
        Ok(table)
    }

    /// `[path]`
    pub(super) fn open(&mut self, path: &[Text]) -> Result<(), String> {
        let (parents, last) = path.split_at(path.len() - 1);
        let parent = self.at(parents)?;
        match parent.entries.get_mut(&last[0]) {
            None => {
                parent.entries.insert(last[0].clone(), Entry::Table(Self::default()));
                Ok(())
            }
            Some(Entry::Table(table)) if table.implicit => {
                table.implicit = false;
                Ok(())
            }
            Some(_) => Err(defined(path)),
        }
    }

    /// `[[path]]`
    pub(super) fn append(&mut self, path: &[Text]) -> Result<(), String> {
        let (parents, last) = path.split_at(path.len() - 1);
        let parent = self.at(parents)?;
        let entry = parent.entries.entry(last[0].clone());
        match entry.or_insert_with(|| Entry::Tables(Vec::new())) {
            Entry::Tables(tables) => {
                tables.push(Self::default());
                Ok(())
            }
            _ => Err(format!(
                "Key '{}' was already created and cannot be used as an array.",
                key_text(path.iter().map(Text::as_str))
            )),
        }
    }

    /// `key = value` in the table at `context`.
    pub(super) fn set(
        &mut self,
        context: &[Text],
        key: &[Text],
        value: Value,
    ) -> Result<(), String> {
        let path: Vec<Text> = context.iter().chain(key).cloned().collect();
        let (parents, last) = path.split_at(path.len() - 1);
        let parent = self.at(parents).map_err(|_| defined(parents))?;
        if parent.entries.contains_key(&last[0]) {
            return Err(defined(&path));
        }
        parent.entries.insert(last[0].clone(), Entry::Value(value));
        Ok(())
    }

    pub(super) fn into_value(self) -> Value {
        let entries = self.entries.into_iter().map(|(key, entry)| {
            let value = match entry {
                Entry::Table(table) => table.into_value(),
                Entry::Tables(tables) => Value::List(List::new(
                    ListKind::Maps,
                    tables.into_iter().map(Self::into_value).collect(),
                )),
                Entry::Value(value) => value,
            };
            (key, value)
        });
        Value::Map(Map::of(MapKind::Any, entries.collect()))
    }
}

fn defined(path: &[Text]) -> String {
    format!("Key '{}' has already been defined.", key_text(path.iter().map(Text::as_str)))
}
