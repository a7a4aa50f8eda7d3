//! Go's slices.

use std::rc::Rc;

use super::{IntKind, MapKind, Type, Value};

/// What the elements of a slice are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListKind {
    /// `[]interface {}`
    Any,
    /// `[]string`
    String,
    /// `[]int`
    Int,
    /// `[]float64`
    Float64,
    /// `[]uint8`
    Uint8,
    /// `[]map[string]interface {}`
    Maps,
    /// `[][]interface {}`
    Lists,
    /// `[]*chart.Maintainer`, Helm 3's
    Maintainers,
    /// `[]*chart.Dependency`, Helm 3's
    Dependencies,
}

impl ListKind {
    /// Go's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::String => "[]string",
            Self::Int => "[]int",
            Self::Float64 => "[]float64",
            Self::Uint8 => "[]uint8",
            Self::Maps => "[]map[string]interface {}",
            Self::Lists => "[][]interface {}",
            Self::Maintainers => "[]*chart.Maintainer",
            Self::Dependencies => "[]*chart.Dependency",
        }
    }

    /// The type of an element.
    pub fn element(self) -> Type {
        match self {
            Self::Any => Type::Any,
            Self::String => Type::String,
            Self::Int => Type::INT,
            Self::Float64 => Type::Float64,
            Self::Uint8 => Type::Int(IntKind::Uint8),
            Self::Maps => Type::Map(MapKind::Any),
            Self::Lists | Self::Maintainers | Self::Dependencies => {
                Type::Named(self.name().trim_start_matches("[]"))
            }
        }
    }
}

/// A slice. It never changes: what appends to it makes another one.
#[derive(Clone, Debug)]
pub struct List {
    kind: ListKind,
    items: Option<Rc<Vec<Value>>>,
}

impl List {
    /// A slice of the given kind.
    pub fn new(kind: ListKind, items: Vec<Value>) -> Self {
        Self { kind, items: Some(Rc::new(items)) }
    }

    /// A slice that is nil: empty, but `null` in JSON.
    pub fn nil(kind: ListKind) -> Self {
        Self { kind, items: None }
    }

    /// A `[]string`.
    pub fn strings(items: impl IntoIterator<Item = impl Into<super::Text>>) -> Self {
        Self::new(ListKind::String, items.into_iter().map(Value::string).collect())
    }

    /// What the elements are.
    pub fn kind(&self) -> ListKind {
        self.kind
    }

    /// Whether the slice is nil, which is also empty.
    pub fn is_nil(&self) -> bool {
        self.items.is_none()
    }

    /// The elements.
    pub fn items(&self) -> &[Value] {
        self.items.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }

    /// The elements, copied only if somebody else has the slice too.
    pub fn into_items(self) -> Vec<Value> {
        self.items.map(Rc::unwrap_or_clone).unwrap_or_default()
    }
}

impl FromIterator<Value> for List {
    /// A `[]interface {}`.
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::new(ListKind::Any, items.into_iter().collect())
    }
}
