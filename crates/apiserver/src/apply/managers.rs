//! `metadata.managedFields`: who owns which fields, read and written.

use serde_json::{Map, Value, json};

use super::set::Set;
use crate::object::Meta as _;

/// Writers by plain updates that are told apart; older ones are counted as one.
const UPDATERS_LIMIT: usize = 10;
const ANCIENT: &str = "ancient-changes";

/// How a manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

/// One entry: a manager, and what is its.
#[derive(Clone, Debug)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
    pub(crate) time: String,
    pub(crate) fields: Set,
}

/// All entries of an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Managers {
    pub(crate) entries: Vec<Manager>,
}

impl Manager {
    /// Whether two entries speak of the same manager. Who applies is the same in every version.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    fn decode(entry: &Value) -> Option<Self> {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        let operation = match text("operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        if !matches!(text("fieldsType"), "FieldsV1" | "") || text("apiVersion").is_empty() {
            return None;
        }
        Some(Self {
            name: text("manager").to_owned(),
            operation,
            api_version: text("apiVersion").to_owned(),
            subresource: text("subresource").to_owned(),
            time: text("time").to_owned(),
            fields: match entry.get("fieldsV1") {
                Some(fields) if !fields.is_null() => Set::decode(fields)?,
                _ => Set::default(),
            },
        })
    }

    fn encode(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("apiVersion".to_owned(), self.api_version.clone().into());
        entry.insert("fieldsType".to_owned(), "FieldsV1".into());
        entry.insert("fieldsV1".to_owned(), self.fields.encode());
        entry.insert("manager".to_owned(), self.name.clone().into());
        let operation = if self.operation == Operation::Apply { "Apply" } else { "Update" };
        entry.insert("operation".to_owned(), operation.into());
        if !self.subresource.is_empty() {
            entry.insert("subresource".to_owned(), self.subresource.clone().into());
        }
        if !self.time.is_empty() {
            entry.insert("time".to_owned(), self.time.clone().into());
        }
        Value::Object(entry)
    }

    /// As conflicts name it.
    pub(crate) fn shown(&self) -> String {
        let subresource = match &*self.subresource {
            "" => String::new(),
            subresource => format!(" with subresource {subresource:?}"),
        };
        match self.operation {
            Operation::Apply => format!("{:?}{subresource}", self.name),
            Operation::Update => format!("{:?}{subresource} using {}", self.name, self.api_version),
        }
    }
}

impl Managers {
    /// The entries of an object; `None` if one of them cannot be read.
    pub(crate) fn of(object: &Value) -> Option<Self> {
        let list = object.metadata().and_then(|metadata| metadata.get("managedFields"));
        let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let entries = list.iter().map(Manager::decode).collect::<Option<Vec<_>>>()?;
        Some(Self { entries })
    }

    /// Whether a client asks for all entries to be forgotten: one empty entry.
    pub(crate) fn is_reset(object: &Value) -> bool {
        let list = object.metadata().and_then(|metadata| metadata.get("managedFields"));
        match list {
            Some(Value::Array(list)) => list[..] == [json!({})],
            _ => false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn position(&self, manager: &Manager) -> Option<usize> {
        self.entries.iter().position(|entry| entry.is(manager))
    }

    /// Everything that is owned by anybody.
    pub(crate) fn union(&self) -> Set {
        let mut all = Set::default();
        for entry in &self.entries {
            all.union(&entry.fields);
        }
        all
    }

    /// Writes the entries into an object, in the API's order; without entries the field goes.
    pub(crate) fn write(mut self, object: &mut Value) {
        self.entries.retain(|entry| !entry.fields.is_empty());
        self.cap();
        self.entries.sort_by(|a, b| {
            let key = |entry: &Manager| {
                (
                    entry.operation,
                    entry.time.clone(),
                    entry.name.clone(),
                    entry.api_version.clone(),
                    entry.subresource.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        if self.entries.is_empty() {
            object.remove_meta("managedFields");
        } else {
            let list: Vec<Value> = self.entries.iter().map(Manager::encode).collect();
            object.set_meta("managedFields", list);
        }
    }

    /// Merges the oldest updaters into one per version when there are too many.
    fn cap(&mut self) {
        let is_updater = |entry: &Manager| entry.operation == Operation::Update;
        let count = self.entries.iter().filter(|entry| is_updater(entry)).count();
        if count <= UPDATERS_LIMIT {
            return;
        }
        let mut ages: Vec<(String, usize)> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| is_updater(entry))
            .map(|(place, entry)| (entry.time.clone(), place))
            .collect();
        ages.sort();
        let oldest: Vec<usize> =
            ages.iter().take(count - UPDATERS_LIMIT + 1).map(|(_, place)| *place).collect();
        let mut ancient: Vec<Manager> = Vec::new();
        let mut kept = Vec::new();
        for (place, entry) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            if !oldest.contains(&place) {
                kept.push(entry);
                continue;
            }
            match ancient.iter_mut().find(|known| known.api_version == entry.api_version) {
                Some(known) => {
                    known.fields.union(&entry.fields);
                    known.time = std::cmp::max(std::mem::take(&mut known.time), entry.time);
                }
                None => ancient.push(Manager {
                    name: ANCIENT.to_owned(),
                    subresource: String::new(),
                    ..entry
                }),
            }
        }
        kept.append(&mut ancient);
        self.entries = kept;
    }
}
