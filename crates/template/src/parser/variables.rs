//! The variables that are known at a place.

use crate::{
    Text,
    ast::{Id, Texts},
};

/// The variables of the tree that is being read, and of those around it, which do not know each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    /// In the order of their declarations, each with the place of the one before it that has its name.
    declared: Vec<(Id<Text>, u32)>,
    /// By name, the place of the last declaration, from 1.
    last: Vec<u32>,
    /// How many declarations belong to other trees.
    others: usize,
}

impl Variables {
    /// Begins a tree, which knows `$` only; returns what [`Variables::end`] wants back.
    pub(super) fn begin(&mut self) -> usize {
        let outer = self.others;
        self.others = self.count();
        self.declare(Texts::DOLLAR);
        outer
    }

    /// Ends a tree.
    pub(super) fn end(&mut self, outer: usize) {
        self.truncate(self.others);
        self.others = outer;
    }

    pub(super) fn count(&self) -> usize {
        self.declared.len()
    }

    pub(super) fn declare(&mut self, name: Id<Text>) {
        let at = name.index();
        if self.last.len() <= at {
            self.last.resize(at + 1, 0);
        }
        let before = self.last[at];
        self.declared.push((name, before));
        self.last[at] = u32::try_from(self.declared.len()).unwrap_or(u32::MAX);
    }

    pub(super) fn knows(&self, name: Id<Text>) -> bool {
        self.last.get(name.index()).is_some_and(|place| *place as usize > self.others)
    }

    /// Forgets what was declared after the first `known`.
    pub(super) fn truncate(&mut self, known: usize) {
        for (name, before) in self.declared.drain(known..).rev() {
            self.last[name.index()] = before;
        }
    }

    /// Forgets everything, and begins a tree.
    pub(super) fn clear(&mut self) {
        self.truncate(0);
        self.others = 0;
        self.begin();
    }
}
