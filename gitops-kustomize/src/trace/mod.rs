//! Where values come from: the history of every field of an object, kept beside it on request.
//!
//! After each step the object is compared with what it was before, so that every transformer is
//! covered, and the differences are noted in a tree of the object's own shape. Builds that are not
//! traced carry an empty pointer and do none of this.

mod explain;
mod look_up;
mod shadow;

use std::{collections::HashMap, sync::Arc};

use gitops_yaml::{Content, Node, Place, ScalarStyle};

pub use explain::{Action, Change, Explanation};
pub(crate) use look_up::{explain, explain_in};

use crate::{
    error::{Entry, Error, Location},
    resource::{ReadAt, Resource},
    set::ResourceSet,
};
use shadow::Shadow;

/// What changed an object: a file that was read, a transformer, a generator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    /// Kustomize's name of the transformer or generator; empty for what was read.
    pub(crate) by: String,
    /// The entry of a kustomization, or the configuration of a plugin, that asked for it.
    pub(crate) configured: Option<Location>,
    /// The text that new values stand in.
    pub(crate) text: Option<TextAt>,
    /// Where the values of generated keys come from.
    pub(crate) keys: HashMap<String, Location>,
    /// What led to values that were computed, by their text.
    pub(crate) values: HashMap<String, ComputedFrom>,
    pub(crate) note: Option<String>,
}

/// What led to a value that was computed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ComputedFrom {
    /// Where the object begins that the value is of, or the entry that generates it.
    pub(crate) place: Option<Location>,
    /// The entry that asked for the value.
    pub(crate) configured: Option<Location>,
    pub(crate) note: String,
}

/// A text whose nodes became part of an object.
#[derive(Clone, Debug)]
pub(crate) enum TextAt {
    /// A file of its own.
    File(Arc<str>),
    /// A block in a configuration file: its lines begin behind `line`, after `indent` columns.
    Block { file: Arc<str>, line: u32, indent: u32 },
    /// Everything stands at one place.
    Here(Location),
}

impl TextAt {
    pub(crate) fn locate(&self, place: Place) -> Location {
        let (line, column) = (place.line(), place.column());
        match self {
            Self::File(file) => Location { file: Arc::clone(file), line, column },
            Self::Block { file, line: above, indent } => {
                Location { file: Arc::clone(file), line: above + line, column: indent + column }
            }
            Self::Here(location) => location.clone(),
        }
    }
}

impl Cause {
    /// What a transformer without a configuration of its own does.
    pub(crate) fn by(name: &str) -> Self {
        Self { by: name.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub(crate) fn noting(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

/// A kustomization file as places in it are looked up.
#[derive(Debug)]
pub(crate) struct ConfigurationFile {
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) document: Option<Node>,
}

/// The step that runs, as far as a trace needs to know it.
#[derive(Clone, Debug)]
pub(crate) struct TracedStep {
    pub(crate) by: String,
    pub(crate) from: Arc<ConfigurationFile>,
    pub(crate) entry: Entry,
    /// The place of a plugin's configuration, which is none of the entries.
    pub(crate) plugin: Option<Location>,
}

impl TracedStep {
    pub(crate) fn new(
        by: &str,
        from: &Arc<ConfigurationFile>,
        entry: Entry,
        plugin: Option<Location>,
    ) -> Self {
        Self { by: by.to_owned(), from: Arc::clone(from), entry, plugin }
    }

    /// What the step as a whole does.
    pub(crate) fn cause(&self) -> Cause {
        Cause { configured: Some(self.configured(self.entry)), ..Cause::by(&self.by) }
    }

    /// What a patch does that was read from `file`, or that stands in the entry itself, below
    /// `skipped` empty lines.
    pub(crate) fn cause_of_patch(&self, file: &str, skipped: u32, index: Option<usize>) -> Cause {
        let entry = Entry(self.entry.0, self.entry.1.or(index));
        let configured = self.configured(entry);
        let text = if file.is_empty() {
            self.block(entry, skipped).unwrap_or_else(|| TextAt::Here(configured.clone()))
        } else {
            TextAt::File(file.into())
        };
        Cause { configured: Some(configured), text: Some(text), ..Cause::by(&self.by) }
    }

    /// The place of an entry of the kustomization.
    pub(crate) fn configured(&self, entry: Entry) -> Location {
        self.plugin
            .clone()
            .unwrap_or_else(|| Error::location(&self.from.file, self.from.document.as_ref(), entry))
    }

    /// The block of lines that an entry, or its field `patch`, is.
    fn block(&self, entry: Entry, skipped: u32) -> Option<TextAt> {
        if !matches!(entry.0, "patches" | "patchesStrategicMerge" | "patchesJson6902") {
            return None;
        }
        let list = self.from.document.as_ref()?.get(entry.0)?;
        let node = list.as_sequence()?.get(entry.1?)?;
        let node = node.get("patch").unwrap_or(node);
        let Content::Scalar(scalar) = node.content() else { return None };
        if !matches!(scalar.style(), ScalarStyle::Literal | ScalarStyle::Folded) {
            return None;
        }
        let line = node.place().line();
        let first = self.from.text.lines().skip(line as usize).find(|line| !line.trim().is_empty());
        let indent = first.map_or(0, |line| line.len() - line.trim_start_matches(' ').len());
        Some(TextAt::Block {
            file: self.from.file.as_str().into(),
            line: line + skipped,
            indent: u32::try_from(indent).unwrap_or(0),
        })
    }
}

/// What is known of the fields of one object.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The object as it was noted last.
    node: Node,
    shadow: Shadow,
    /// The name that it was read or generated with.
    pub(crate) first_name: String,
    /// What read or generated it.
    made_by: Arc<Cause>,
}

impl History {
    /// The history of an object that was just made.
    pub(crate) fn begin(node: &Node, cause: &Arc<Cause>) -> Self {
        let name = node.at(["metadata", "name"]).and_then(Node::text).unwrap_or_default();
        Self {
            node: node.clone(),
            shadow: Shadow::made(node, None, cause, Action::Set),
            first_name: name.to_owned(),
            made_by: Arc::clone(cause),
        }
    }

    /// Kustomize's name of the transformer that set the name last; empty where it is as it was read.
    pub(crate) fn last_to_name(&self) -> String {
        let name = self.shadow.at(&["metadata", "name"]).and_then(|shadow| shadow.events.last());
        name.map(|event| event.cause.by.clone()).unwrap_or_default()
    }

    /// Notes what changed since the last note.
    pub(crate) fn note(&mut self, node: &Node, cause: &Arc<Cause>) {
        if self.shadow.update(&self.node, node, None, cause) {
            self.node = node.clone();
        }
    }
}

impl Resource {
    /// Where the object was read, or the entry that generated it, in a build that is traced.
    pub(crate) fn made_at(&self) -> Option<Location> {
        let read_at = self.read_at.as_ref().filter(|read_at| !read_at.file.is_empty());
        let history = self.history.as_ref()?;
        read_at.map(ReadAt::location).or_else(|| history.made_by.configured.clone())
    }

    /// Notes what a cause changed, if this build is traced.
    pub(crate) fn trace(&mut self, cause: impl FnOnce() -> Cause) {
        if let Some(mut history) = self.history.take() {
            history.note(self.node(), &Arc::new(cause()));
            self.history = Some(history);
        }
    }
}

/// Notes what a cause changed in a set, and made in it.
pub(crate) fn note(set: &mut ResourceSet, cause: Cause) {
    let cause = Arc::new(cause);
    for resource in set.contents_mut() {
        match resource.history.take() {
            Some(mut history) => {
                history.note(resource.node(), &cause);
                resource.history = Some(history);
            }
            None => {
                resource.history = Some(Box::new(History::begin(resource.node(), &cause)));
            }
        }
    }
}
