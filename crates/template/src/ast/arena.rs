//! Where nodes stand: in one vector per kind, so that a set of templates costs a few allocations and
//! what runs together stands together. Nodes know each other by their numbers.

use std::{
    collections::HashMap,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    ops::Index,
};

use super::{Branch, Command, Expression, Invocation, Number, Pipeline, Statement};
use crate::Text;

/// The nodes of a set of templates.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    pub(crate) statements: Nodes<Statement>,
    pub(crate) branches: Nodes<Branch>,
    pub(crate) invocations: Nodes<Invocation>,
    pub(crate) pipelines: Nodes<Pipeline>,
    pub(crate) declared: Nodes<Id<Text>>,
    pub(crate) commands: Nodes<Command>,
    pub(crate) words: Nodes<Expression>,
    pub(crate) numbers: Nodes<Number>,
    /// The numbers by their literals.
    pub(crate) number_of: Table<Text, Id<Number>>,
    pub(crate) texts: Texts,
}

impl Arena {
    /// Makes room for the nodes of texts of so many bytes. More than is needed costs nothing, for memory
    /// that is not written to is not there.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        let actions = bytes / 48;
        self.statements.0.reserve(2 * actions);
        self.branches.0.reserve(actions / 2);
        self.pipelines.0.reserve(actions);
        self.commands.0.reserve(actions + actions / 2);
        self.words.0.reserve(3 * actions);
        self.texts.known.reserve(actions / 8);
    }
}

/// What is known by name: looked up for each string, variable and number of a template.
pub(crate) type Table<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The number of a node.
pub(crate) struct Id<T> {
    at: u32,
    of: PhantomData<fn() -> T>,
}

/// Nodes that stand side by side.
pub(crate) struct List<T> {
    start: u32,
    end: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    pub(crate) fn index(self) -> usize {
        self.at as usize
    }
}

impl<T> List<T> {
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// All nodes of one kind.
#[derive(Debug)]
pub(crate) struct Nodes<T>(Vec<T>);

impl<T> Nodes<T> {
    pub(crate) fn add(&mut self, node: T) -> Id<T> {
        let at = self.count();
        self.0.push(node);
        Id { at, of: PhantomData }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        number(self.0.len())
    }

    /// Those that were added after so many.
    pub(crate) fn since(&self, start: u32) -> List<T> {
        List { start, end: self.count(), of: PhantomData }
    }
}

impl<T: Copy> Nodes<T> {
    /// Adds what stands in `read` from there on, and takes it away there.
    pub(crate) fn take(&mut self, read: &mut Vec<T>, from: usize) -> List<T> {
        let list = self.add_all(&read[from..]);
        read.truncate(from);
        list
    }

    pub(crate) fn add_all(&mut self, nodes: &[T]) -> List<T> {
        let start = self.count();
        self.0.extend_from_slice(nodes);
        self.since(start)
    }
}

/// Texts, each of which stands once.
#[derive(Debug)]
pub(crate) struct Texts {
    all: Nodes<Text>,
    known: Table<Text, Id<Text>>,
}

impl Texts {
    /// `$`, which every template knows.
    pub(crate) const DOLLAR: Id<Text> = Id { at: 0, of: PhantomData };

    pub(crate) fn add(&mut self, text: &str) -> Id<Text> {
        self.find(text).unwrap_or_else(|| {
            let text = Text::from(text);
            let id = self.all.add(text.clone());
            self.known.insert(text, id);
            id
        })
    }

    pub(crate) fn find(&self, text: &str) -> Option<Id<Text>> {
        self.known.get(text).copied()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a node takes more than a byte of source")]
fn number(length: usize) -> u32 {
    length as u32
}

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Self { all: Nodes::default(), known: Table::default() };
        texts.add("$");
        texts
    }
}

impl<T> Default for Nodes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Index<Id<T>> for Nodes<T> {
    type Output = T;

    fn index(&self, id: Id<T>) -> &T {
        &self.0[id.index()]
    }
}

impl<T> Index<List<T>> for Nodes<T> {
    type Output = [T];

    fn index(&self, list: List<T>) -> &[T] {
        &self.0[list.start as usize..list.end as usize]
    }
}

impl Index<Id<Text>> for Texts {
    type Output = Text;

    fn index(&self, id: Id<Text>) -> &Text {
        &self.all[id]
    }
}

// Derives would ask the same of `T`.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<T> Eq for Id<T> {}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.at.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at)
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<T> {}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { start: 0, end: 0, of: PhantomData }
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
