//! Short ways to the metadata of an object that is plain JSON.

use serde_json::{Map, Value};

pub(crate) trait Meta {
    /// `metadata.<field>` as text; empty if absent.
    fn meta(&self, field: &str) -> &str;
    /// `metadata`, made an object if it is none.
    fn metadata_mut(&mut self) -> &mut Map<String, Value>;
    fn metadata(&self) -> Option<&Map<String, Value>>;

    fn name(&self) -> &str {
        self.meta("name")
    }
    fn namespace(&self) -> &str {
        self.meta("namespace")
    }
    fn uid(&self) -> &str {
        self.meta("uid")
    }
    fn set_meta(&mut self, field: &str, value: impl Into<Value>) {
        self.metadata_mut().insert(field.to_owned(), value.into());
    }
    fn remove_meta(&mut self, field: &str) -> Option<Value> {
        self.metadata_mut().shift_remove(field)
    }
    fn generation(&self) -> i64 {
        self.metadata().and_then(|meta| meta.get("generation")).and_then(Value::as_i64).unwrap_or(0)
    }
    fn is_deleting(&self) -> bool {
        !self.meta("deletionTimestamp").is_empty()
    }
    /// `metadata.finalizers`.
    fn finalizers(&self) -> Vec<&str> {
        self.metadata()
            .and_then(|meta| meta.get("finalizers"))
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }
}

impl Meta for Value {
    fn meta(&self, field: &str) -> &str {
        self.get("metadata").and_then(|meta| meta.get(field)).and_then(Self::as_str).unwrap_or("")
    }

    fn metadata(&self) -> Option<&Map<String, Value>> {
        self.get("metadata").and_then(Self::as_object)
    }

    fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        if !self.is_object() {
            *self = Self::Object(Map::new());
        }
        let Self::Object(object) = self else { unreachable!("made an object above") };
        let metadata = object.entry("metadata").or_insert_with(|| Self::Object(Map::new()));
        if !metadata.is_object() {
            *metadata = Self::Object(Map::new());
        }
        let Self::Object(metadata) = metadata else { unreachable!("made an object above") };
        metadata
    }
}
