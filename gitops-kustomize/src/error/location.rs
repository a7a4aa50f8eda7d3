//! How a failure finds the line that it is at.

use std::{fmt, sync::Arc};

use gitops_yaml::Node;

use super::{
    Details, Error,
    place::{self, Part},
};
use crate::load::path;

/// A field of a kustomization file, and the element of it where it is a list. The field is empty
/// where it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(pub(crate) &'static str, pub(crate) Option<usize>);

impl Entry {
    pub(crate) const UNKNOWN: Self = Self("", None);
}

/// A place in a file of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file, relative to the root of the tree; for one of a repository that was fetched, behind
    /// its address and a `#`.
    pub file: Arc<str>,
    /// The line, counted from 1; 0 where only the file is known.
    pub line: u32,
    /// The column in characters, counted from 1; 0 where it is not known.
    pub column: u32,
}

impl Location {
    /// Gives a file of the tree another name.
    pub(crate) fn map_file(&mut self, name: &mut impl FnMut(&str) -> String) {
        if path::is_local_name(&self.file) {
            self.file = name(&self.file).into();
        }
    }
}

/// `file:line:column`, as far as they are known.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column] {
            if number == 0 {
                return Ok(());
            }
            write!(f, ":{number}")?;
        }
        Ok(())
    }
}

impl Error {
    /// The place of an entry of a configuration.
    pub(crate) fn location(file: &str, document: Option<&Node>, entry: Entry) -> Location {
        Self::trail_location(file, document, entry, Vec::new())
    }

    /// The place of an element of a list in an entry.
    pub(crate) fn part_location(
        file: &str,
        document: Option<&Node>,
        entry: Entry,
        field: &'static str,
        index: usize,
    ) -> Location {
        Self::trail_location(file, document, entry, vec![Part::Index(index), Part::Field(field)])
    }

    fn trail_location(
        file: &str,
        document: Option<&Node>,
        entry: Entry,
        mut trail: Vec<Part>,
    ) -> Location {
        trail.extend(entry.1.map(Part::Index));
        trail.push(Part::Field(entry.0));
        let place = document
            .filter(|_| !entry.0.is_empty())
            .and_then(|document| place::follow(document, &trail))
            .map(Node::place)
            .unwrap_or_default();
        Location { file: file.into(), line: place.line(), column: place.column() }
    }

    /// Lines that were counted in a part of a text count in the whole, which has `before` lines more
    /// in front.
    #[must_use]
    pub(crate) fn below(mut self, before: u32) -> Self {
        let details = &mut self.0.details;
        if details.file.is_none() && details.line > 0 {
            details.line += before;
        }
        self
    }

    /// Follows the trail in a configuration to a line of `text`, from which it was read. A line that
    /// is known counts from the text of the scalar at the end of the trail. Does nothing where the
    /// file is known.
    #[must_use]
    pub(crate) fn follow(mut self, document: Option<&Node>, text: &str) -> Self {
        let details = &mut self.0.details;
        if details.file.is_none() && !details.trail.is_empty() {
            let trail = std::mem::take(&mut details.trail);
            let inner = (details.line, details.column);
            (details.line, details.column) = document
                .and_then(|document| place::follow(document, &trail))
                .map_or((0, 0), |node| place::of(node, inner, text));
        }
        self
    }

    /// Places a failure in `file`, as [`Self::follow`] finds it, and adds the line's text.
    #[must_use]
    pub(crate) fn place_in(self, file: &str, document: Option<&Node>, text: &str) -> Self {
        let mut error = self.follow(document, text).in_file(file);
        error.0.details.trail.clear();
        if error.file() == Some(file) { error.with_text(text) } else { error }
    }

    /// Adds the line of the file that the failure is at, unless it may show a secret.
    #[must_use]
    pub(crate) fn with_text(mut self, text: &str) -> Self {
        let details = &mut self.0.details;
        if details.snippet.is_some() || details.line == 0 {
            return self;
        }
        let last = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        let line = text.lines().nth(details.line.min(last).saturating_sub(1) as usize);
        if let Some(line) = line {
            // What is missing at the end is missing behind the last line.
            if details.line > last {
                let end = line.chars().count() + 1;
                (details.line, details.column) = (last, u32::try_from(end).unwrap_or(0));
            }
            let of_secret =
                details.object.as_deref().is_some_and(|object| object.starts_with("Secret/"));
            if !of_secret && !place::may_be_secret(text, details.line) {
                details.snippet = Some(gitops_core::truncate(&place::masked(line), 240).into());
            }
        }
        // Nobody above knows the file better.
        details.snippet.get_or_insert_default();
        self
    }

    /// Places a failure to read a kustomization file, which begins the chain.
    #[must_use]
    pub(crate) fn in_kustomization(self, file: String, content: &[u8]) -> Self {
        let error = self.in_file(file.as_str()).with_text(&String::from_utf8_lossy(content));
        let Details { line, column, .. } = error.0.details;
        error.through(Location { file: file.into(), line, column })
    }

    /// Adds the kustomization through which the failing one was reached, unless it is there.
    #[must_use]
    pub(crate) fn through(mut self, at: Location) -> Self {
        if self.0.details.chain.last().is_none_or(|last| last.file != at.file) {
            self.0.details.chain.push(at);
        }
        self
    }

    /// The file whose text may still be added.
    pub(crate) fn lacks_text_of(&self) -> Option<&str> {
        let details = &self.0.details;
        details.file.as_deref().filter(|_| details.snippet.is_none() && details.line > 0)
    }

    /// The same error with other names for the files of the tree, such as relative to another
    /// directory. Those of remote places stay.
    #[must_use]
    pub fn map_files(mut self, mut name: impl FnMut(&str) -> String) -> Self {
        let details = &mut self.0.details;
        if let Some(file) = details.file.as_mut().filter(|file| path::is_local_name(file)) {
            *file = name(file).into();
        }
        for place in details.chain.iter_mut().chain(&mut details.related) {
            place.map_file(&mut name);
        }
        let places = details.warnings.iter_mut().filter_map(|warning| warning.place.as_mut());
        places.for_each(|place| place.map_file(&mut name));
        self
    }
}
