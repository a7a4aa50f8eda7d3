//! What is known of few nodes.

use super::{Content, Inner, Node, Tagged};
use crate::schema::OwnField;

#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) tag: Option<Box<str>>,
    /// How it merges.
    pub(super) schema: Option<OwnField>,
    /// What is wrong with its keys.
    pub(super) doubled: Option<Box<str>>,
}

impl Node {
    /// A tag that is none of YAML's own, such as `!Ref`.
    #[inline]
    pub fn tag(&self) -> Option<&str> {
        match &self.inner {
            Inner::Plain(_) => None,
            Inner::Tagged(tagged) => tagged.notes.tag.as_deref(),
        }
    }

    pub(crate) fn with_tag(self, tag: Option<Box<str>>) -> Self {
        let notes = Notes { tag, ..self.notes() };
        self.with(notes)
    }

    /// What a comment says of how the value merges.
    #[inline]
    pub(crate) fn schema(&self) -> Option<&OwnField> {
        match &self.inner {
            Inner::Plain(_) => None,
            Inner::Tagged(tagged) => tagged.notes.schema.as_ref(),
        }
    }

    pub(crate) fn with_schema(self, schema: Option<OwnField>) -> Self {
        let notes = Notes { schema, ..self.notes() };
        self.with(notes)
    }

    /// The complaint about the first mapping, from here on, that was read with a key twice while
    /// [`Duplicates::First`](crate::Duplicates::First) let it pass.
    pub fn doubled(&self) -> Option<&str> {
        if let Inner::Tagged(tagged) = &self.inner
            && let Some(complaint) = &tagged.notes.doubled
        {
            return Some(complaint);
        }
        match self.content() {
            Content::Scalar(_) => None,
            Content::Mapping(mapping) => mapping.values().find_map(Self::doubled),
            Content::Sequence(items) => items.iter().find_map(Self::doubled),
        }
    }

    pub(crate) fn with_doubled(self, doubled: Option<Box<str>>) -> Self {
        let notes = Notes { doubled, ..self.notes() };
        self.with(notes)
    }

    pub(super) fn notes(&self) -> Notes {
        match &self.inner {
            Inner::Plain(_) => Notes::default(),
            Inner::Tagged(tagged) => tagged.notes.clone(),
        }
    }

    pub(super) fn with(self, notes: Notes) -> Self {
        let (line, column) = (self.line, self.column);
        let content = self.into_content();
        let inner = match notes {
            Notes { tag: None, schema: None, doubled: None } => Inner::Plain(content),
            notes => Inner::Tagged(Box::new(Tagged { content, notes })),
        };
        Self { inner, line, column }
    }
}
