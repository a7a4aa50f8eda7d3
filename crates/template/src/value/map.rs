//! Go's maps.

use std::{
    cell::{Ref, RefCell, RefMut},
    fmt,
    rc::Rc,
};

use super::{Entries, Text, Type, Value};

/// What a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapKind {
    /// `map[string]interface {}`
    Any,
    /// `map[string]string`
    String,
    /// `map[string]int`
    Int,
    /// `map[string][]uint8`
    Bytes,
    /// `common.Values`, Helm 4's name for `map[string]interface {}`
    CommonValues,
    /// `chartutil.Values`, Helm 3's
    ChartutilValues,
}

impl MapKind {
    /// Go's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::String => "map[string]string",
            Self::Int => "map[string]int",
            Self::Bytes => "map[string][]uint8",
            Self::CommonValues => "common.Values",
            Self::ChartutilValues => "chartutil.Values",
        }
    }

    /// Whether it is a `map[string]interface {}` with a name.
    pub fn is_named(self) -> bool {
        matches!(self, Self::CommonValues | Self::ChartutilValues)
    }

    /// The type of an entry's value.
    pub fn element(self) -> Type {
        match self {
            Self::Any | Self::CommonValues | Self::ChartutilValues => Type::Any,
            Self::String => Type::String,
            Self::Int => Type::INT,
            Self::Bytes => Type::List(super::ListKind::Uint8),
        }
    }
}

/// A map with keys that are strings, kept in the order of their bytes, in which Go ranges over and
/// prints maps. A clone is the same map.
#[derive(Clone)]
pub struct Map {
    kind: MapKind,
    entries: Option<Rc<RefCell<Entries>>>,
}

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

impl Map {
    /// An empty `map[string]interface {}`.
    pub fn new() -> Self {
        Self::of(MapKind::Any, Entries::new())
    }

    /// A map of the given kind.
    pub fn of(kind: MapKind, entries: Entries) -> Self {
        Self { kind, entries: Some(Rc::new(RefCell::new(entries))) }
    }

    /// A map that is nil: empty, `null` in JSON, and not to be written to.
    pub fn nil(kind: MapKind) -> Self {
        Self { kind, entries: None }
    }

    /// The same map under another type.
    #[must_use]
    pub fn with_kind(&self, kind: MapKind) -> Self {
        Self { kind, entries: self.entries.clone() }
    }

    /// What the map is.
    pub fn kind(&self) -> MapKind {
        self.kind
    }

    /// Whether the map is nil, which is also empty.
    pub fn is_nil(&self) -> bool {
        self.entries.is_none()
    }

    /// Whether both are the same map.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.entries, &other.entries) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }

    /// What only clones of the same map share, for as long as one of them is there.
    pub(crate) fn address(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| Rc::as_ptr(entries).addr())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.entries.as_ref()?.borrow().get(key).cloned()
    }

    /// Whether the key is there, if only with `nil`.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.as_ref().is_some_and(|entries| entries.borrow().contains_key(key))
    }

    /// Sets a key; on a map that is nil nothing happens (see [`Map::is_nil`]).
    pub fn insert(&self, key: impl Into<Text>, value: impl Into<Value>) {
        if let Some(entries) = &self.entries {
            entries.borrow_mut().insert(key.into(), value.into());
        }
    }

    /// Takes a key away.
    pub fn remove(&self, key: &str) -> Option<Value> {
        self.entries.as_ref()?.borrow_mut().remove(key)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.borrow().len())
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries for reading; no template may run while they are held. `None` of a nil map.
    pub fn borrow(&self) -> Option<Ref<'_, Entries>> {
        self.entries.as_ref().map(|entries| entries.borrow())
    }

    /// The entries for writing; nothing else may look at the map meanwhile. `None` of a nil map.
    pub fn borrow_mut(&self) -> Option<RefMut<'_, Entries>> {
        self.entries.as_ref().map(|entries| entries.borrow_mut())
    }

    /// The keys and values as they are now, which later changes leave alone.
    pub fn snapshot(&self) -> Vec<(Text, Value)> {
        self.borrow().map_or_else(Vec::new, |entries| {
            entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        })
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Map {
    /// A `map[string]interface {}`.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self::of(
            MapKind::Any,
            entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        )
    }
}

/// Names the kind and the number of entries only: a map may hold itself.
impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} entries)", self.kind.name(), self.len())
    }
}
