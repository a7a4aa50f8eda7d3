//! The outcome of a build.

use std::{fmt, sync::Arc};

use gitops_core::ObjectId;
use gitops_yaml::Node;

use crate::error::{Error, Result};

/// Objects in the order in which a build puts them.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    items: Vec<Manifest>,
}

/// One object of a build.
#[derive(Clone)]
pub struct Manifest {
    node: Node,
    id: ObjectId,
    text: String,
    source: Option<Source>,
}

/// Where an object was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, relative to the root of the tree.
    pub file: Arc<str>,
    /// The line at which the object begins, counted from 1.
    pub line: u32,
}

/// What a build returns.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The objects.
    pub manifests: Manifests,
    /// What a person should know, such as the use of deprecated fields.
    pub warnings: Vec<Warning>,
}

/// A remark of the build that is no failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The text, without `Warning:`.
    pub message: String,
}

impl Warning {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Manifest {
    /// An object with its text, which is what `node` prints as.
    pub(crate) fn new(node: Node, source: Option<Source>) -> Result<Self> {
        let text =
            gitops_yaml::to_yaml(&node).map_err(|error| Error::from(error).about(id_of(&node)))?;
        Ok(Self { id: id_of(&node), node, text, source })
    }

    /// The object.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Kind, namespace and name.
    pub fn id(&self) -> &ObjectId {
        &self.id
    }

    /// The object's YAML, as kustomize prints it.
    pub fn as_yaml(&self) -> &str {
        &self.text
    }

    /// Where it was read; absent for generated objects.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The object as JSON.
    ///
    /// # Panics
    /// Never: what was printed as YAML has a form in JSON.
    pub fn to_json(&self) -> serde_json::Value {
        gitops_yaml::to_json(&self.node).expect("what was printed as YAML has a form in JSON")
    }
}

/// The texts of Secrets stay out of logs.
impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("id", &self.id)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Manifests {
    pub(crate) fn from_items(items: Vec<Manifest>) -> Self {
        Self { items }
    }

    pub(crate) fn items_mut(&mut self) -> &mut Vec<Manifest> {
        &mut self.items
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The objects in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Manifest> {
        self.items.iter()
    }

    /// All objects as one stream, separated by `---`: the bytes of `kustomize build`.
    pub fn to_yaml(&self) -> String {
        let size = self.items.iter().map(|item| item.text.len() + 4).sum();
        let mut text = String::with_capacity(size);
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                text.push_str("---\n");
            }
            text.push_str(&item.text);
        }
        text
    }

    /// All objects as JSON.
    pub fn to_json(&self) -> Vec<serde_json::Value> {
        self.items.iter().map(Manifest::to_json).collect()
    }
}

impl<'m> IntoIterator for &'m Manifests {
    type Item = &'m Manifest;
    type IntoIter = std::slice::Iter<'m, Manifest>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

fn id_of(node: &Node) -> ObjectId {
    let text =
        |keys: &[&str]| node.at(keys.iter().copied()).and_then(Node::text).unwrap_or_default();
    ObjectId::new(
        text(&["apiVersion"]),
        text(&["kind"]),
        text(&["metadata", "namespace"]),
        text(&["metadata", "name"]),
    )
}
