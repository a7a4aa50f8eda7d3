//! What the executor tells.

use std::{collections::HashMap, sync::Arc};

use super::{Buffer, Mark, Outer, Span, Written};
use crate::{
    Map, Text, Value,
    ast::{Id, Tree},
};

/// Watches one run.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Maps by their address, with a copy that keeps the address theirs.
    watched: HashMap<usize, (Map, Text)>,
    /// The texts that are being written, the innermost last.
    buffers: Vec<Vec<Span>>,
    /// The statements whose pipelines run, the innermost last.
    pending: Vec<Pending>,
    outer: Option<Arc<Outer>>,
    /// The variables of the trees that run.
    variables: Vec<HashMap<Id<Text>, Pending>>,
    written: Option<Buffer>,
}

/// What a statement read and was given so far.
#[derive(Clone, Debug, Default)]
struct Pending {
    reads: Vec<Text>,
    inner: Vec<Arc<Buffer>>,
}

impl Pending {
    fn read(&mut self, path: Text, of: &str) {
        // `a.b` says all that `a` says.
        if self.reads.last().is_some_and(|last| **last == *of) {
            self.reads.pop();
        }
        if !self.reads.contains(&path) {
            self.reads.push(path);
        }
    }

    fn take_over(&mut self, other: &Self) {
        for path in &other.reads {
            if !self.reads.contains(path) {
                self.reads.push(path.clone());
            }
        }
        self.inner.extend(other.inner.iter().cloned());
    }
}

impl Recorder {
    /// Names the maps of a value: reading a key of one is a read of `name.key`.
    pub(crate) fn watch(&mut self, name: &str, value: &Value) {
        let mut rest = vec![(name.to_owned(), value.clone())];
        while let Some((name, value)) = rest.pop() {
            match value {
                Value::Map(map) => {
                    let known = self.watched.insert(map.address(), (map.clone(), (&*name).into()));
                    // A map may hold itself.
                    if known.is_none() {
                        let entries = map.snapshot().into_iter();
                        rest.extend(entries.map(|(key, inner)| (join(&name, &key), inner)));
                    }
                }
                Value::List(list) => {
                    let items = list.items().iter().enumerate();
                    rest.extend(
                        items.map(|(index, inner)| (format!("{name}[{index}]"), inner.clone())),
                    );
                }
                _ => {}
            }
        }
    }

    /// A key of a map is read.
    pub(crate) fn read(&mut self, map: &Map, key: &str) {
        if let (Some((_, name)), Some(pending)) =
            (self.watched.get(&map.address()), self.pending.last_mut())
        {
            pending.read(join(name, key).into(), name);
        }
    }

    /// A statement begins to evaluate its pipeline.
    pub(crate) fn begin(&mut self) {
        self.pending.push(Pending::default());
    }

    /// The pipeline was assigned to a variable.
    pub(crate) fn assigned(&mut self, variable: Id<Text>) {
        if let (Some(variables), Some(pending)) = (self.variables.last_mut(), self.pending.last()) {
            variables.insert(variable, pending.clone());
        }
    }

    /// A variable is read.
    pub(crate) fn used(&mut self, variable: Id<Text>) {
        let known = self.variables.last().and_then(|variables| variables.get(&variable));
        if let (Some(known), Some(pending)) = (known, self.pending.last_mut()) {
            pending.take_over(known);
        }
    }

    /// The statement that began is done, and wrote up to `end`.
    pub(crate) fn wrote(&mut self, tree: &Tree, at: u32, action: String, end: usize) {
        let mark = self.mark(tree, at, action);
        self.span(mark, end);
    }

    /// A text was written as it stands.
    pub(crate) fn text(&mut self, tree: &Tree, at: u32, end: usize) {
        self.begin();
        self.wrote(tree, at, String::new(), end);
    }

    /// The statement that began goes on with what stands in it, or with the template that it calls.
    pub(crate) fn enter(&mut self, tree: &Tree, at: u32, action: String, calls: bool) {
        let mark = self.mark(tree, at, action);
        self.outer = Some(Arc::new(Outer { mark, calls, up: self.outer.take() }));
    }

    /// It is done.
    pub(crate) fn leave(&mut self) {
        self.outer = self.outer.take().and_then(|outer| outer.up.clone());
    }

    /// A tree begins to run.
    pub(crate) fn run(&mut self) {
        self.variables.push(HashMap::new());
    }

    /// It ended.
    pub(crate) fn ran(&mut self) {
        self.variables.pop();
    }

    /// A text of its own begins; returns what [`Recorder::close`] wants back.
    pub(crate) fn open(&mut self) -> Opened {
        self.buffers.push(Vec::new());
        Opened(self.outer.take())
    }

    /// The text is complete: it belongs to the statement that asked for it.
    pub(crate) fn close(&mut self, opened: Opened, text: &str) {
        self.outer = opened.0;
        let spans = self.buffers.pop().unwrap_or_default();
        let buffer = Buffer { text: text.to_owned(), spans };
        match self.pending.last_mut() {
            Some(pending) => pending.inner.push(Arc::new(buffer)),
            None => self.written = Some(buffer),
        }
    }

    /// What the last template of the set wrote.
    pub(crate) fn take_written(&mut self) -> Option<Written> {
        self.written.take().map(Written::new)
    }

    /// Forgets a run that failed.
    pub(crate) fn reset(&mut self) {
        self.buffers.clear();
        self.pending.clear();
        self.variables.clear();
        self.outer = None;
        self.written = None;
    }

    fn mark(&mut self, tree: &Tree, at: u32, action: String) -> Arc<Mark> {
        let Pending { reads, inner } = self.pending.pop().unwrap_or_default();
        let (source, executing) = (Arc::clone(&tree.source), tree.name.clone());
        Arc::new(Mark { source, executing, at, action, reads, inner })
    }

    fn span(&mut self, mark: Arc<Mark>, end: usize) {
        let outer = self.outer.clone();
        if let Some(spans) = self.buffers.last_mut() {
            let start = spans.last().map_or(0, |span| span.end);
            if end > start {
                spans.push(Span { end, mark, outer });
            }
        }
    }
}

/// What stood around a text when it began.
pub(crate) struct Opened(Option<Arc<Outer>>);

/// `a` and `b` as a [`FieldPath`](gitops_yaml::FieldPath) prints them.
fn join(name: &str, key: &str) -> String {
    if key.contains(['.', '[', '\\']) || key.is_empty() {
        format!("{name}[\"{key}\"]")
    } else if name.is_empty() {
        key.to_owned()
    } else {
        format!("{name}.{key}")
    }
}
