//! How a value is taken apart for owners: as one piece, field by field, or item by item.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::set::Element;
use crate::schema::{Kind, ListKind, NodeId, Schema};

/// A type, as server-side apply sees it; absent below values whose type is not known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) node: Option<NodeId>,
}

/// How a value is owned.
pub(crate) enum Shape<'s> {
    /// As one piece.
    Leaf,
    /// Field by field.
    Fields,
    /// Item by item, told apart by their value or by these fields.
    Items { of: Type<'s>, keys: &'s [crate::schema::Text] },
}

impl<'s> Type<'s> {
    /// How a value of this type is owned.
    pub(crate) fn shape(self, value: &Value) -> Shape<'s> {
        let Some(id) = self.node else {
            // Deduced: objects merge, lists do not.
            return if value.is_object() { Shape::Fields } else { Shape::Leaf };
        };
        let node = self.schema.node(id);
        if node.atomic {
            return Shape::Leaf;
        }
        match (&node.kind, value) {
            (Kind::Any | Kind::Struct { .. } | Kind::Map { .. }, Value::Object(_)) => Shape::Fields,
            (Kind::List { items, list }, Value::Array(_)) => {
                let of = Type { schema: self.schema, node: Some(*items) };
                match list {
                    ListKind::Atomic => Shape::Leaf,
                    ListKind::Set => Shape::Items { of, keys: &[] },
                    ListKind::Map(keys) => Shape::Items { of, keys },
                }
            }
            _ => Shape::Leaf,
        }
    }

    /// The type of a field.
    pub(crate) fn field(self, name: &str) -> Self {
        let node = self.node.and_then(|id| self.schema.node(id).member(name));
        Self { schema: self.schema, node }
    }

    /// Whether a field has its own name in the type, as opposed to a key of a map.
    pub(crate) fn declares(self, name: &str) -> bool {
        self.node.is_some_and(|id| self.schema.node(id).field(name).is_some())
    }

    /// The step that leads to an item of a list.
    ///
    /// # Errors
    /// What an item without its keys lacks.
    pub(crate) fn item(
        self,
        keys: &[crate::schema::Text],
        item: &Value,
    ) -> Result<Element, String> {
        if keys.is_empty() {
            return Ok(Element::Value(item.to_string().into()));
        }
        let Value::Object(fields) = item else {
            return Err("associative list with keys may not have non-map elements".to_owned());
        };
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let value = match fields.get(&**key) {
                Some(value) if !value.is_null() => value.to_string(),
                _ => match self.default_of(key) {
                    Some(default) => default,
                    None => continue,
                },
            };
            found.push((Box::from(&**key), value.into_boxed_str()));
        }
        if found.is_empty() {
            let names: Vec<String> = keys.iter().map(|key| format!("{:?}", &**key)).collect();
            return Err(format!(
                "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
                names.join(" ")
            ));
        }
        found.sort_unstable();
        Ok(Element::Key(found))
    }

    /// The default of a key field, as JSON.
    fn default_of(self, key: &str) -> Option<String> {
        let node = self.schema.node(self.node?);
        let field = node.field(key)?;
        if let Some(default) = &field.default {
            return Some(Value::from(&**default).to_string());
        }
        let rules = self.schema.node(field.node).rules.as_ref()?;
        rules.default.as_ref().map(Value::to_string)
    }
}

/// The items of a list by their steps, in order. Items without a step are left out; of items with
/// the same step the map has the first.
pub(crate) struct Items<'v> {
    pub(crate) order: Vec<(Element, &'v Value)>,
    pub(crate) places: HashMap<Element, usize>,
}

impl std::hash::Hash for Element {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::Field(text) | Self::Value(text) => text.hash(state),
            Self::Key(keys) => keys.hash(state),
            Self::Index(index) => index.hash(state),
        }
    }
}

impl<'v> Items<'v> {
    pub(crate) fn of(
        item_type: Type<'_>,
        keys: &[crate::schema::Text],
        list: Option<&'v Value>,
    ) -> Self {
        let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut items = Self {
            order: Vec::with_capacity(list.len()),
            places: HashMap::with_capacity(list.len()),
        };
        for item in list {
            if let Ok(element) = item_type.item(keys, item) {
                items.places.entry(element.clone()).or_insert(items.order.len());
                items.order.push((element, item));
            }
        }
        items
    }

    pub(crate) fn get(&self, element: &Element) -> Option<&'v Value> {
        self.places.get(element).map(|place| self.order[*place].1)
    }
}

/// The fields of an object; none of anything else.
pub(crate) fn fields(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object)
}
