//! Sets of field paths, as trees that share their prefixes.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// A field of an object, or a key of a map.
    Field(Box<str>),
    /// An item of a list whose items are told apart by fields: names and values as JSON, by name.
    Key(Vec<(Box<str>, Box<str>)>),
    /// An item of a set: its value as JSON.
    Value(Box<str>),
    /// A place in a list.
    Index(i64),
}

/// A set of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set {
    entries: BTreeMap<Element, Entry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// The path that ends here is in the set.
    member: bool,
    below: Set,
}

/// `FieldsV1` nests no deeper; deeper ones are not believed.
const DEPTH_LIMIT: usize = 256;

impl Element {
    pub(crate) fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        Some(match kind {
            "f" => Self::field(rest),
            "v" => Self::Value(serde_json::from_str::<Value>(rest).ok()?.to_string().into()),
            "i" => Self::Index(rest.parse().ok()?),
            "k" => {
                let fields: Map<String, Value> = serde_json::from_str(rest).ok()?;
                let mut keys: Vec<(Box<str>, Box<str>)> = fields
                    .iter()
                    .map(|(name, value)| (name.as_str().into(), value.to_string().into()))
                    .collect();
                keys.sort_unstable();
                Self::Key(keys)
            }
            _ => return None,
        })
    }

    fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
            Self::Key(keys) => {
                let fields: Vec<String> = keys
                    .iter()
                    .map(|(name, value)| format!("{}:{value}", Value::from(&**name)))
                    .collect();
                format!("k:{{{}}}", fields.join(","))
            }
        }
    }
}

/// As in messages: `.spec`, `[name="a"]`, `[="x"]`, `[3]`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(keys) => {
                let fields: Vec<String> =
                    keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "[{}]", fields.join(","))
            }
        }
    }
}

impl Set {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a path; the empty path is in no set.
    pub(crate) fn insert(&mut self, path: &[Element]) {
        let Some((last, head)) = path.split_last() else { return };
        let mut set = self;
        for element in head {
            set = &mut set.entries.entry(element.clone()).or_default().below;
        }
        set.entries.entry(last.clone()).or_default().member = true;
    }

    /// Adds what stands below a step, and the step itself if `member`.
    pub(crate) fn attach(&mut self, element: Element, member: bool, below: Self) {
        if member || !below.is_empty() {
            self.entries.insert(element, Entry { member, below });
        }
    }

    /// What stands below a step; `None` if nothing of the set starts with it.
    pub(crate) fn below(&self, element: &Element) -> Option<&Self> {
        self.entries.get(element).map(|entry| &entry.below)
    }

    /// Whether the path of one step is in the set.
    pub(crate) fn has(&self, element: &Element) -> bool {
        self.entries.get(element).is_some_and(|entry| entry.member)
    }

    /// Whether the set has this step or anything below it.
    pub(crate) fn touches(&self, element: &Element) -> bool {
        self.entries.contains_key(element)
    }

    pub(crate) fn union(&mut self, other: &Self) {
        for (element, theirs) in &other.entries {
            let ours = self.entries.entry(element.clone()).or_default();
            ours.member |= theirs.member;
            ours.below.union(&theirs.below);
        }
    }

    /// The paths that both have.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut result = Self::default();
        for (element, ours) in &self.entries {
            if let Some(theirs) = other.entries.get(element) {
                let below = ours.below.intersection(&theirs.below);
                result.attach(element.clone(), ours.member && theirs.member, below);
            }
        }
        result
    }

    /// Removes the other's paths; what stands below them stays.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (element, theirs) in &other.entries {
            if let Some(ours) = self.entries.get_mut(element) {
                ours.member &= !theirs.member;
                ours.below.subtract(&theirs.below);
                if !ours.member && ours.below.is_empty() {
                    self.entries.remove(element);
                }
            }
        }
    }

    /// Removes the other's paths with everything below them.
    pub(crate) fn subtract_trees(&mut self, other: &Self) {
        for (element, theirs) in &other.entries {
            if theirs.member {
                self.entries.remove(element);
            } else if let Some(ours) = self.entries.get_mut(element) {
                ours.below.subtract_trees(&theirs.below);
                if !ours.member && ours.below.is_empty() {
                    self.entries.remove(element);
                }
            }
        }
    }

    /// All paths as text: those that end on a level before those that go deeper.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, prefix: &str, paths: &mut Vec<String>) {
        for (element, entry) in &self.entries {
            if entry.member {
                paths.push(format!("{prefix}{element}"));
            }
        }
        for (element, entry) in &self.entries {
            entry.below.collect(&format!("{prefix}{element}"), paths);
        }
    }

    /// Reads `fieldsV1`; `None` if it is malformed.
    pub(crate) fn decode(fields: &Value) -> Option<Self> {
        Self::decode_at(fields, 0)
    }

    fn decode_at(fields: &Value, depth: usize) -> Option<Self> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        let mut set = Self::default();
        for (name, value) in fields.as_object()? {
            if name == "." {
                continue;
            }
            let element = Element::parse(name)?;
            let below = Self::decode_at(value, depth + 1)?;
            let member = below.is_empty() || value.get(".").is_some();
            set.attach(element, member, below);
        }
        Some(set)
    }

    /// Writes `fieldsV1`.
    pub(crate) fn encode(&self) -> Value {
        let entries = self.entries.iter().map(|(element, entry)| {
            let mut below = entry.below.encode();
            if entry.member
                && !entry.below.is_empty()
                && let Value::Object(fields) = &mut below
            {
                fields.shift_insert(0, ".".to_owned(), Value::Object(Map::new()));
            }
            (element.encode(), below)
        });
        Value::Object(entries.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_v1_is_read_and_written() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {
                "f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}},
                "f:finalizers": {"v:\"x\"": {}},
                "f:list": {"i:3": {}}
            }
        });
        let set = Set::decode(&fields).unwrap();
        assert_eq!(set.encode(), fields);
        assert_eq!(
            set.paths(),
            [
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.containers[name=\"a\"]",
                ".spec.containers[name=\"a\"].image",
                ".spec.finalizers[=\"x\"]",
                ".spec.list[3]",
            ]
        );
        assert!(Set::decode(&json!({"x": {}})).is_none());
    }

    #[test]
    fn sets_are_sets() {
        let set = |fields: Value| Set::decode(&fields).unwrap();
        let mut a = set(json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}}));
        let b = set(json!({"f:a": {}, "f:d": {}}));
        assert_eq!(a.intersection(&b), set(json!({"f:a": {}})));
        let mut trees = a.clone();
        trees.subtract_trees(&b);
        assert_eq!(trees, set(json!({"f:c": {}})));
        a.subtract(&b);
        assert_eq!(a, set(json!({"f:a": {"f:b": {}}, "f:c": {}})));
        a.union(&b);
        assert_eq!(a, set(json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}, "f:d": {}})));
    }
}
