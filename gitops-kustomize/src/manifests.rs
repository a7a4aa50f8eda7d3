//! The outcome of a build.

use std::{fmt, io, sync::Arc};

use gitops_core::ObjectId;
use gitops_yaml::Node;

use crate::{
    error::{Error, Location, Result},
    trace::{self, Explanation, History},
};

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
    history: Option<Box<History>>,
}

/// Where an object was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, relative to the root of the tree; for one of a repository that was fetched, behind
    /// its address and a `#`.
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

/// What a build of the text alone returns; see [`build_text`](crate::build_text).
#[derive(Clone, Debug, Default)]
pub struct RenderedText {
    /// The text of the objects.
    pub text: ManifestText,
    /// What a person should know, such as the use of deprecated fields.
    pub warnings: Vec<Warning>,
}

/// All objects as one stream, separated by `---`: the bytes of `kustomize build`. They are printed as
/// they are written, so that the text is never held as a whole.
#[derive(Clone, Default)]
pub struct ManifestText {
    nodes: Vec<Node>,
    limit: usize,
}

/// A remark of the build that is no failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// The text, without `Warning:`.
    pub message: String,
    /// Where it is about, if that is one place.
    pub place: Option<Location>,
}

/// What a [`Warning`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// An older spelling is used; kustomize says so, too.
    Deprecated,
    /// Variables are never replaced; kustomize says so, too.
    Unused,
    /// A patch, image or replacement changes nothing, since it matches nothing.
    Idle,
    /// A substitution changed the type of a value.
    Type,
}

impl Warning {
    pub(crate) fn new(kind: WarningKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None }
    }

    #[must_use]
    pub(crate) fn at(self, place: Location) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The same warning with another name for its file, if that is one of the tree.
    #[must_use]
    pub fn map_files(mut self, mut name: impl FnMut(&str) -> String) -> Self {
        if let Some(place) = &mut self.place {
            place.map_file(&mut name);
        }
        self
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
        let mut text =
            gitops_yaml::to_yaml(&node).map_err(|error| Error::from(error).about(id_of(&node)))?;
        // A text that grew has room for more, and there may be many.
        text.shrink_to_fit();
        Ok(Self { id: id_of(&node), node, text, source, history: None })
    }

    /// The same object with what happened to its fields.
    pub(crate) fn with_history(self, history: Option<Box<History>>) -> Self {
        Self { history, ..self }
    }

    pub(crate) fn take_history(&mut self) -> Option<Box<History>> {
        self.history.take()
    }

    pub(crate) fn history(&self) -> Option<&History> {
        self.history.as_deref()
    }

    /// What happened to a field of this object, such as `spec.replicas` or
    /// `spec.template.spec.containers[name=app].image`; all of it for an empty text.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) with a hint if there is no such field, and
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the build was not traced.
    pub fn explain(&self, field: &str) -> Result<Explanation> {
        trace::explain_in(self, field)
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

impl ManifestText {
    /// So much is printed before it is written.
    const PART: usize = 64 << 10;

    /// The text of nothing yet, of at most so many bytes.
    pub(crate) fn new(objects: usize, limit: usize) -> Self {
        Self { nodes: Vec::with_capacity(objects), limit }
    }

    /// Appends an object that can be printed.
    pub(crate) fn push(&mut self, node: Node) -> Result<()> {
        gitops_yaml::check_yaml(&node).map_err(|error| Error::from(error).about(id_of(&node)))?;
        self.nodes.push(node);
        Ok(())
    }

    /// Writes the text.
    ///
    /// # Errors
    /// Those of the writer, and when the text is longer than
    /// [`BuildLimits::output`](crate::BuildLimits::output).
    pub fn write(&self, mut out: impl io::Write) -> io::Result<()> {
        let (mut part, mut size) = (String::with_capacity(Self::PART / 8), 0);
        for (index, node) in self.nodes.iter().enumerate() {
            if index > 0 {
                part.push_str("---\n");
            }
            gitops_yaml::write_yaml(&mut part, node).map_err(io::Error::other)?;
            if part.len() >= Self::PART {
                size += part.len();
                if size > self.limit {
                    let message = format!("the output is larger than {} bytes", self.limit);
                    return Err(io::Error::other(message));
                }
                out.write_all(part.as_bytes())?;
                part.clear();
            }
        }
        out.write_all(part.as_bytes())?;
        out.flush()
    }
}

/// The texts of Secrets stay out of logs.
impl fmt::Debug for ManifestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManifestText").field("objects", &self.nodes.len()).finish_non_exhaustive()
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

    /// Writes the bytes of [`Self::to_yaml`], without a copy of them all.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_yaml(&self, mut out: impl io::Write) -> io::Result<()> {
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                out.write_all(b"---\n")?;
            }
            out.write_all(item.text.as_bytes())?;
        }
        out.flush()
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

    /// What happened to a field: `Kind/name.field` or `Kind/namespace/name.field`, with the names as
    /// they are put out. Elements of lists are written `[name=app]` or `[0]`, keys with dots as they
    /// are or in brackets.
    ///
    /// ```
    /// use gitops_core::{MemoryTree, Scope};
    /// use gitops_kustomize::{BuildOptions, build};
    ///
    /// let tree = MemoryTree::from_iter([
    ///     ("kustomization.yaml", "resources: [web.yaml]\nreplicas:\n- {name: web, count: 3}\n"),
    ///     ("web.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n"),
    /// ]);
    /// let options = BuildOptions { trace: true, ..BuildOptions::default() };
    /// let rendered = build(&tree, "".as_ref(), &options, &Scope::background())?;
    /// let explanation = rendered.manifests.explain("Deployment/web.spec.replicas")?;
    /// assert_eq!(explanation.to_string(), "\
    /// Deployment/web spec.replicas = 3
    ///   web.yaml:5:13           = 1  as read  (kustomization.yaml:1:13)
    ///   kustomization.yaml:3:3  = 3  by ReplicaCountTransformer");
    /// # Ok::<(), gitops_kustomize::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Manifest::explain`]; also if no object, or more than one, is meant.
    pub fn explain(&self, question: &str) -> Result<Explanation> {
        trace::explain(&self.items, question)
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
