//! Which fields a value has, and which differ between two values.

use serde_json::Value;

use super::{
    set::{Element, Set},
    shape::{Items, Shape, Type, fields},
};

/// How one value became another.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) added: Set,
    pub(crate) modified: Set,
    pub(crate) removed: Set,
}

/// The fields that somebody who applies a value owns.
pub(crate) fn owned_by(of: Type<'_>, value: &Value) -> Set {
    let mut set = Set::default();
    match of.shape(value) {
        Shape::Leaf => {}
        Shape::Fields => {
            for (name, value) in fields(Some(value)).into_iter().flatten() {
                let of_field = of.field(name);
                let is_empty =
                    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                let member =
                    is_empty || matches!(of_field.shape(value), Shape::Leaf) || !of.declares(name);
                set.attach(Element::field(name), member, owned_by(of_field, value));
            }
        }
        Shape::Items { of, keys } => {
            for (element, item) in Items::of(of, keys, Some(value)).order {
                set.attach(element, true, owned_by(of, item));
            }
        }
    }
    set
}

impl Comparison {
    pub(crate) fn of(of: Type<'_>, old: Option<&Value>, new: Option<&Value>) -> Self {
        let mut comparison = Self::default();
        comparison.walk(of, old, new, &mut Vec::new());
        comparison
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    fn walk(
        &mut self,
        of: Type<'_>,
        old: Option<&Value>,
        new: Option<&Value>,
        path: &mut Vec<Element>,
    ) {
        if old == new {
            return;
        }
        let Some(shown) = new.filter(|value| !value.is_null()).or(old).or(new) else { return };
        let alike = |value: Option<&Value>| {
            value.is_none_or(|value| {
                value.is_null()
                    || (value.is_object() == shown.is_object()
                        && value.is_array() == shown.is_array())
            })
        };
        let shape = if alike(old) && alike(new) { of.shape(shown) } else { Shape::Leaf };
        match shape {
            Shape::Leaf => return self.leaf(old, new, path),
            // An empty object is a value of its own.
            Shape::Fields | Shape::Items { .. } if is_empty(old) && is_empty(new) => {
                return self.leaf(old, new, path);
            }
            Shape::Fields => {
                let (before, after) = (fields(old), fields(new));
                for (name, value) in before.into_iter().flatten() {
                    path.push(Element::field(name));
                    let next = after.and_then(|after| after.get(name));
                    self.walk(of.field(name), Some(value), next, path);
                    path.pop();
                }
                for (name, value) in after.into_iter().flatten() {
                    if before.is_none_or(|before| !before.contains_key(name)) {
                        path.push(Element::field(name));
                        self.walk(of.field(name), None, Some(value), path);
                        path.pop();
                    }
                }
            }
            Shape::Items { of, keys } => {
                let (before, after) = (Items::of(of, keys, old), Items::of(of, keys, new));
                for (element, item) in &before.order {
                    path.push(element.clone());
                    self.walk(of, Some(item), after.get(element), path);
                    path.pop();
                }
                for (element, item) in &after.order {
                    if before.get(element).is_none() {
                        path.push(element.clone());
                        self.walk(of, None, Some(item), path);
                        path.pop();
                    }
                }
            }
        }
        if old.is_none() {
            self.added.insert(path);
        } else if new.is_none() {
            self.removed.insert(path);
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>, path: &[Element]) {
        match (old, new) {
            (None, _) => self.added.insert(path),
            (_, None) => self.removed.insert(path),
            _ => self.modified.insert(path),
        }
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        _ => false,
    }
}
