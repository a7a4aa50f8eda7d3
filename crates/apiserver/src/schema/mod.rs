//! What a value may look like: one arena of nodes for built-in types and for custom resources.
//!
//! Everything that walks an object walks it along a [`Schema`]: pruning and strict decoding,
//! defaulting, validation, strategic merge and server-side apply.

mod builtin;
mod openapi;

use std::{borrow::Cow, collections::HashMap};

pub(crate) use builtin::{Line, Table};
pub(crate) use openapi::{CelRule, Rules, structural};

/// A string that lives in the program's table, or one from a cluster object.
pub(crate) type Text = Cow<'static, str>;

/// The place of a [`Node`] in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

/// Types that may refer to each other, also in circles.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    nodes: Vec<Node>,
}

/// One type.
#[derive(Debug)]
pub(crate) struct Node {
    /// What kind of JSON value it is.
    pub(crate) kind: Kind,
    /// Replaced as a whole by every writer.
    pub(crate) atomic: bool,
    /// The name of the Go type; empty for custom resources.
    pub(crate) name: Text,
    /// The package of the Go type, which errors of the decoder name.
    pub(crate) package: Text,
    /// How strategic merge patches treat it.
    pub(crate) patch: Patch,
    /// What only custom resource definitions can say.
    pub(crate) rules: Option<Box<Rules>>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// Anything; unknown fields are kept, objects merge field by field.
    Any,
    Scalar(Scalar),
    List {
        items: NodeId,
        list: ListKind,
    },
    /// An object with named fields.
    Struct {
        /// In the order of the definition.
        fields: Vec<Field>,
        /// The type of fields that are not named, if any field name is allowed.
        rest: Option<NodeId>,
    },
    /// An object whose field names are data.
    Map {
        values: NodeId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Atomic,
    Set,
    /// Items are told apart by these fields.
    Map(Vec<Text>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// A string, with its allowed values if they are known.
    String(Vec<Text>),
    Boolean,
    Int32,
    Int64,
    Double,
    /// Base64.
    Bytes,
    /// RFC 3339.
    Time,
    /// RFC 3339 with microseconds.
    MicroTime,
    /// A number with a suffix, as number or string.
    Quantity,
    IntOrString,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Text,
    pub(crate) node: NodeId,
    pub(crate) required: bool,
    /// Written even when it is empty.
    pub(crate) always: bool,
    /// A Go pointer: an empty value is not an absent one.
    pub(crate) pointer: bool,
    /// The name of the Go type, if it does not follow from the node.
    pub(crate) go_type: Text,
    /// The embedded Go struct that has the field.
    pub(crate) within: Text,
    /// The default of a key field of an associative list.
    pub(crate) default: Option<Text>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Patch {
    /// Lists are merged, not replaced.
    pub(crate) merge: bool,
    /// Fields of the live object that the patch does not list go away.
    pub(crate) retain_keys: bool,
    /// The field by which items of a merged list are told apart; empty for scalars.
    pub(crate) key: Text,
}

impl Schema {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The type with a Go name.
    pub(crate) fn named(&self, name: &str) -> Option<NodeId> {
        let place = self.nodes.iter().position(|node| node.name == name)?;
        u32::try_from(place).ok().map(NodeId)
    }

    pub(crate) fn add(&mut self, node: Node) -> NodeId {
        let id = u32::try_from(self.nodes.len()).expect("a schema is bounded by the request size");
        self.nodes.push(node);
        NodeId(id)
    }
}

impl Schema {
    /// Copies a type of another schema, with all that it refers to.
    pub(crate) fn import(&mut self, other: &Self, id: NodeId) -> NodeId {
        self.import_once(other, id, &mut HashMap::new())
    }

    fn import_once(
        &mut self,
        other: &Self,
        id: NodeId,
        known: &mut HashMap<NodeId, NodeId>,
    ) -> NodeId {
        if let Some(known) = known.get(&id) {
            return *known;
        }
        let node = other.node(id);
        let place = self.add(Node::new(Kind::Any));
        known.insert(id, place);
        let kind = match &node.kind {
            Kind::Any => Kind::Any,
            Kind::Scalar(scalar) => Kind::Scalar(scalar.clone()),
            Kind::List { items, list } => {
                Kind::List { items: self.import_once(other, *items, known), list: list.clone() }
            }
            Kind::Struct { fields, rest } => Kind::Struct {
                fields: fields
                    .iter()
                    .map(|field| {
                        let node = self.import_once(other, field.node, known);
                        Field { node, ..field.clone() }
                    })
                    .collect(),
                rest: rest.map(|rest| self.import_once(other, rest, known)),
            },
            Kind::Map { values } => Kind::Map { values: self.import_once(other, *values, known) },
        };
        let (name, package) = (node.name.clone(), node.package.clone());
        let (atomic, patch) = (node.atomic, node.patch.clone());
        self.nodes[place.0 as usize] = Node { kind, atomic, name, package, patch, rules: None };
        place
    }
}

impl Field {
    /// A field of a custom resource.
    pub(crate) fn new(name: Text, node: NodeId, required: bool) -> Self {
        Self {
            name,
            node,
            required,
            always: false,
            pointer: false,
            go_type: Text::default(),
            within: Text::default(),
            default: None,
        }
    }
}

impl Node {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            atomic: false,
            name: Text::default(),
            package: Text::default(),
            patch: Patch::default(),
            rules: None,
        }
    }

    /// The named field of a struct.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        match &self.kind {
            Kind::Struct { fields, .. } => fields.iter().find(|field| field.name == name),
            _ => None,
        }
    }

    /// The type of a member of an object, named or not.
    pub(crate) fn member(&self, name: &str) -> Option<NodeId> {
        match &self.kind {
            Kind::Struct { rest, .. } => self.field(name).map(|field| field.node).or(*rest),
            Kind::Map { values } => Some(*values),
            _ => None,
        }
    }
}
