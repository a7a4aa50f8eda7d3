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

    /// Merges the oldest updaters, per version, until few enough are left. A version's only old
    /// updater keeps its name, as it has nobody to be merged with.
    fn cap(&mut self) {
        let mut updaters: Vec<Manager> = Vec::new();
        let is_updater = |entry: &Manager| entry.operation == Operation::Update;
        let mut count = self.entries.iter().filter(|entry| is_updater(entry)).count();
        if count <= UPDATERS_LIMIT {
            return;
        }
        self.entries.retain(|entry| {
            if is_updater(entry) {
                updaters.push(entry.clone());
            }
            !is_updater(entry)
        });
        // What was merged before comes first even in the same second, so that it stays one entry.
        updaters.sort_by(|a, b| {
            (a.name != ANCIENT, &a.time, &a.name).cmp(&(b.name != ANCIENT, &b.time, &b.name))
        });
        let mut kept: Vec<Manager> = Vec::with_capacity(updaters.len());
        // The oldest updater of each version that was met, by its place among the kept ones.
        let mut first_of: Vec<(String, usize)> = Vec::new();
        for updater in updaters {
            let met = first_of.iter().find(|(version, _)| *version == updater.api_version);
            match met {
                Some((_, first)) if count > UPDATERS_LIMIT => {
                    let bucket = &mut kept[*first];
                    ANCIENT.clone_into(&mut bucket.name);
                    bucket.subresource.clear();
                    bucket.fields.union(&updater.fields);
                    bucket.time = updater.time;
                    count -= 1;
                }
                _ => {
                    if met.is_none() {
                        first_of.push((updater.api_version.clone(), kept.len()));
                    }
                    kept.push(updater);
                }
            }
        }
        self.entries.append(&mut kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(updaters: &[(&str, &str, &str)]) -> Value {
        let entries: Vec<Value> = updaters
            .iter()
            .map(|(name, version, time)| {
                let field = format!("f:{name}");
                json!({
                    "manager": name, "operation": "Update", "apiVersion": version, "time": time,
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {field: {}}}
                })
            })
            .collect();
        json!({"metadata": {"managedFields": entries}})
    }

    fn written(updaters: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        let mut object = object(updaters);
        Managers::of(&object).unwrap().write(&mut object);
        let list = object["metadata"]["managedFields"].as_array().unwrap();
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
        let facts =
            |entry| (text(entry, "manager"), text(entry, "apiVersion"), text(entry, "time"));
        list.iter().map(facts).collect()
    }

    const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

    fn times() -> Vec<String> {
        (0..NAMES.len()).map(|second| format!("2026-01-01T00:00:{second:02}Z")).collect()
    }

    #[test]
    fn ten_updaters_stay_as_they_are() {
        let times = times();
        let updaters: Vec<_> = (0..10).map(|at| (NAMES[at], "v1", &*times[at])).collect();
        let names: Vec<String> = written(&updaters).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, NAMES[..10]);
    }

    #[test]
    fn the_oldest_of_twelve_updaters_become_one() {
        let times = times();
        let updaters: Vec<_> = (0..12).map(|at| (NAMES[at], "v1", &*times[at])).collect();
        let entries = written(&updaters);
        assert_eq!(entries.len(), 10);
        assert_eq!(entries[0], (ANCIENT.to_owned(), "v1".to_owned(), times[2].clone()));
        assert_eq!(entries[1].0, "d");
        let mut object = object(&updaters);
        Managers::of(&object).unwrap().write(&mut object);
        let fields = &object["metadata"]["managedFields"][0]["fieldsV1"];
        assert_eq!(*fields, json!({"f:data": {"f:a": {}, "f:b": {}, "f:c": {}}}));
    }

    #[test]
    fn an_old_updater_alone_in_its_version_keeps_its_name() {
        let times = times();
        let version = |at| if at == 0 { "v1beta1" } else { "v1" };
        let updaters: Vec<_> = (0..11).map(|at| (NAMES[at], version(at), &*times[at])).collect();
        let entries = written(&updaters);
        assert_eq!(entries.len(), 10);
        assert_eq!(entries[0], ("a".to_owned(), "v1beta1".to_owned(), times[0].clone()));
        assert_eq!(entries[1], (ANCIENT.to_owned(), "v1".to_owned(), times[2].clone()));
        assert_eq!(entries[2].0, "d");
    }

    #[test]
    fn what_became_one_stays_one_within_a_second() {
        let time = "2026-01-01T00:00:00Z";
        let mut updaters = vec![(ANCIENT, "v1", time)];
        updaters.extend(NAMES[..10].iter().map(|name| (*name, "v1", time)));
        let entries = written(&updaters);
        assert_eq!(entries.len(), 10);
        assert_eq!(entries.iter().filter(|(name, ..)| name == ANCIENT).count(), 1);
        assert!(entries.iter().all(|(name, ..)| name != "a"), "{entries:?}");
    }
}
