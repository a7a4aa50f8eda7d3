//! A struct without methods.

use std::any::Any;

use super::{Kind, Object, Value};

/// A field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in Go, by which templates ask for it.
    pub name: &'static str,
    /// Its name in JSON and YAML; nothing for an embedded struct, whose fields they take for their
    /// own, and `-` where only printing shows the field.
    pub key: &'static str,
    /// Whether JSON and YAML leave it out when it is empty.
    pub omit_empty: bool,
    /// The value.
    pub value: Value,
}

/// The fields as JSON sees them: those of embedded structs stand in their place.
pub(crate) fn flattened(fields: Vec<Field>) -> Vec<Field> {
    let mut flat = Vec::with_capacity(fields.len());
    for field in fields {
        match &field.value {
            Value::Object(object) if field.key.is_empty() => {
                flat.extend(flattened(object.fields()));
            }
            _ if field.key == "-" => {}
            _ => flat.push(field),
        }
    }
    flat
}

/// A struct, or a pointer to one, that only has fields.
#[derive(Clone, Debug)]
pub struct Record {
    /// Go's name of the type; of a pointer it starts with `*`.
    pub type_name: &'static str,
    /// The fields in Go's order.
    pub fields: Vec<Field>,
}

impl Object for Record {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn kind(&self) -> Kind {
        if self.type_name.starts_with('*') { Kind::Pointer } else { Kind::Struct }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value.clone())
    }

    fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }
}
