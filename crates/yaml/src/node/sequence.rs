//! Sequences.

use std::{
    ops::{Deref, DerefMut},
    slice,
};

use thin_vec::ThinVec;

use crate::node::Node;

/// The elements of a sequence, which is a slice of them that can grow.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    items: ThinVec<Node>,
}

impl Sequence {
    /// A sequence that occupies as much as it holds.
    pub(crate) fn from_items(list: impl ExactSizeIterator<Item = Node>) -> Self {
        let mut items = ThinVec::with_capacity(list.len());
        items.extend(list);
        Self { items }
    }

    /// Appends an element.
    pub fn push(&mut self, item: Node) {
        if self.items.len() == self.items.capacity() {
            // Most sequences are short and get few elements more after they were read.
            let length = self.items.len();
            self.items.reserve_exact(if length < 16 { 2 } else { length / 2 });
        }
        self.items.push(item);
    }

    /// Puts an element before the one at `index`.
    ///
    /// # Panics
    /// When there are fewer elements.
    pub fn insert(&mut self, index: usize, item: Node) {
        self.items.insert(index, item);
    }

    /// Takes an element out, keeping the order of the others.
    ///
    /// # Panics
    /// When there is none at that index.
    pub fn remove(&mut self, index: usize) -> Node {
        self.items.remove(index)
    }

    pub(crate) fn into_vec(self) -> Vec<Node> {
        self.items.into_iter().collect()
    }
}

impl Deref for Sequence {
    type Target = [Node];

    #[inline]
    fn deref(&self) -> &[Node] {
        &self.items
    }
}

impl DerefMut for Sequence {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Node] {
        &mut self.items
    }
}

impl<'s> IntoIterator for &'s Sequence {
    type Item = &'s Node;
    type IntoIter = slice::Iter<'s, Node>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<'s> IntoIterator for &'s mut Sequence {
    type Item = &'s mut Node;
    type IntoIter = slice::IterMut<'s, Node>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter_mut()
    }
}
