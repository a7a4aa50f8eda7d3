//! Collects complaints, and reads what rules ask for.

use serde_json::{Map, Value};

use super::place::Place;
use crate::status::Cause;

/// More complaints than this help nobody.
const CAUSE_LIMIT: usize = 1000;

/// The complaints so far.
#[derive(Default)]
pub(super) struct Checks {
    pub(super) causes: Vec<Cause>,
}

impl Checks {
    pub(super) fn push(&mut self, cause: Cause) {
        if self.causes.len() < CAUSE_LIMIT {
            self.causes.push(cause);
        }
    }

    pub(super) fn required(&mut self, place: &Place<'_>, detail: &str) {
        self.push(Cause::required(place.to_string(), detail));
    }

    pub(super) fn invalid(&mut self, place: &Place<'_>, value: impl Into<Value>, detail: &str) {
        self.push(Cause::invalid(place.to_string(), value, detail));
    }

    /// One complaint about a value for each text.
    pub(super) fn invalids(&mut self, place: &Place<'_>, value: &str, details: Vec<String>) {
        for detail in details {
            self.invalid(place, value, &detail);
        }
    }

    pub(super) fn forbidden(&mut self, place: &Place<'_>, detail: &str) {
        self.push(Cause::forbidden(place.to_string(), detail));
    }

    pub(super) fn duplicate(&mut self, place: &Place<'_>, value: impl Into<Value>) {
        self.push(Cause::duplicate(place.to_string(), value));
    }

    pub(super) fn not_found(&mut self, place: &Place<'_>, value: impl Into<Value>) {
        self.push(Cause::not_found(place.to_string(), value));
    }

    pub(super) fn unsupported(&mut self, place: &Place<'_>, value: &str, supported: &[&str]) {
        self.push(Cause::unsupported(place.to_string(), value, supported.iter().copied()));
    }

    /// A text that must be one of a few; `detail` is of the complaint that it is absent.
    pub(super) fn one_of(&mut self, place: &Place<'_>, value: &str, supported: &[&str]) {
        if !supported.contains(&value) {
            self.unsupported(place, value, supported);
        }
    }

    /// A number that must not be negative, if it is there.
    pub(super) fn not_negative(&mut self, parent: &Place<'_>, object: &Value, name: &str) {
        if let Some(number) = object.int(name)
            && number < 0
        {
            self.invalid(&parent.field(name), number, "must be greater than or equal to 0");
        }
    }

    /// A field that may not change.
    pub(super) fn immutable(&mut self, place: &Place<'_>, new: &Value, old: &Value) {
        if !same(new, old) {
            self.invalid(place, new.clone(), "field is immutable");
        }
    }
}

/// Equal, where nothing and an empty list or object are the same.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            x.iter().all(|(name, value)| same(value, y.get(name).unwrap_or(&Value::Null)))
                && y.iter().all(|(name, value)| x.contains_key(name) || is_nothing(value))
        }
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b))
        }
        _ => a == b || (is_nothing(a) && is_nothing(b)),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

/// Short ways to what rules read.
pub(super) trait Read {
    /// A text, empty if absent.
    fn text(&self, name: &str) -> &str;
    fn int(&self, name: &str) -> Option<i64>;
    fn flag(&self, name: &str) -> bool;
    fn list(&self, name: &str) -> &[Value];
    fn entries(&self, name: &str) -> Option<&Map<String, Value>>;
    /// A member that is there and not null.
    fn get_some(&self, name: &str) -> Option<&Value>;
    /// The texts of a list.
    fn texts(&self, name: &str) -> impl Iterator<Item = &str>;
}

impl Read for Value {
    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Self::as_str).unwrap_or_default()
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Self::as_i64)
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Self::as_bool).unwrap_or(false)
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Self::as_array).map_or(&[], Vec::as_slice)
    }

    fn entries(&self, name: &str) -> Option<&Map<String, Value>> {
        self.get(name).and_then(Self::as_object)
    }

    fn get_some(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).iter().map(|value| value.as_str().unwrap_or_default())
    }
}
