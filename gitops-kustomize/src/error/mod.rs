//! What can go wrong in a build, and where.

mod place;
mod report;

use std::{error::Error as StdError, fmt, sync::Arc};

use gitops_core::{Cancelled, Class, Classify, TreeError, one_line};
use gitops_yaml::Node;

use place::Part;

use crate::load::path;

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or directory is not there.
    NotFound,
    /// A path leaves what may be read, or a remote place is named and remotes are denied.
    Denied,
    /// A file is no YAML, or no Kubernetes object.
    Syntax,
    /// A kustomization file, or a plugin's configuration, says something that it must not.
    Field,
    /// Two objects have the same identity.
    Conflict,
    /// Kustomizations refer to each other in a circle.
    Cycle,
    /// A patch, replacement, variable or name refers to nothing, or to too much.
    Reference,
    /// A patch does not apply.
    Patch,
    /// A variable of the post-build substitution is missing or malformed.
    Substitution,
    /// Too large, too many or too deep.
    Limit,
    /// Something that kustomize offers and this build does not.
    Unsupported,
    /// A file could not be read, for a reason that may pass.
    Io,
    /// The build was stopped.
    Cancelled,
}

/// A failed build.
///
/// [`Display`](fmt::Display) gives the words of this level, and [`source`](StdError::source) the
/// cause; joined by `: ` (see [`gitops_core::one_line`]) they are kustomize's message. `{:#}` prints
/// that message and below it the place with the line's text, the object, the chain of kustomizations,
/// what was expected and a hint. [`Error::to_json`] is the same for machines.
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    details: Details,
}

/// Everything but the words: it moves up as levels add theirs.
#[derive(Default)]
struct Details {
    file: Option<Box<str>>,
    line: u32,
    column: u32,
    /// The line's text; empty where it is not shown.
    snippet: Option<Box<str>>,
    object: Option<Box<str>>,
    expected: Option<Box<str>>,
    hint: Option<Box<str>>,
    related: Option<Location>,
    /// The failing part of a configuration, from the inside out, until its place is known.
    trail: Vec<Part>,
    /// Kustomizations on the way, the failing one first.
    chain: Vec<Location>,
}

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
    #[cold]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let details = Details::default();
        Self(Box::new(Repr { kind, message: message.into(), source: None, details }))
    }

    /// The same failure seen from a level above. Place, object, hint and chain move up.
    #[must_use]
    #[cold]
    pub(crate) fn context(mut self, message: impl Into<String>) -> Self {
        let mut outer = Self::new(self.0.kind, message);
        outer.0.details = std::mem::take(&mut self.0.details);
        outer.0.source = Some(Box::new(self));
        outer
    }

    /// The same failure in other words; the former text is part of them.
    #[must_use]
    pub(crate) fn reword(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.0.message = words(&one_line(&self));
        self.0.source = None;
        self
    }

    /// Takes a text that is secret out of the words.
    #[must_use]
    #[cold]
    pub(crate) fn without(self, secret: &str) -> Self {
        if secret.is_empty() {
            return self;
        }
        self.reword(|words| words.replace(secret, "***"))
    }

    /// Takes out of the words what a Secret holds: the content of nodes.
    #[must_use]
    #[cold]
    pub(crate) fn without_contents(self) -> Self {
        const MARK: &str = "node contents:";
        self.reword(|words| match words.split_once(MARK) {
            Some((front, _)) => format!("{front}{MARK} ***"),
            None => words.to_owned(),
        })
    }

    /// Takes over what another failure knows of its place, object and remedy, where this one knows
    /// nothing.
    #[must_use]
    pub(crate) fn or_details_of(mut self, other: &mut Self) -> Self {
        let own = &mut self.0.details;
        let other = std::mem::take(&mut other.0.details);
        if own.file.is_none() {
            own.file = other.file;
            (own.line, own.column, own.snippet) = (other.line, other.column, other.snippet);
        }
        own.object = own.object.take().or(other.object);
        own.expected = own.expected.take().or(other.expected);
        own.hint = own.hint.take().or(other.hint);
        own.related = own.related.take().or(other.related);
        self
    }

    #[must_use]
    pub(crate) fn in_file(mut self, file: impl Into<Box<str>>) -> Self {
        if self.0.details.file.is_none() {
            self.0.details.file = Some(file.into());
        }
        self
    }

    #[must_use]
    pub(crate) fn at_line(mut self, line: u32, column: u32) -> Self {
        if self.0.details.line == 0 {
            (self.0.details.line, self.0.details.column) = (line, column);
        }
        self
    }

    /// Says that the failure is in a field of the configuration that the caller reads.
    #[must_use]
    pub(crate) fn at_field(self, name: &'static str) -> Self {
        self.at(Part::Field(name))
    }

    /// Says that the failure is in an element of the list that the caller reads.
    #[must_use]
    pub(crate) fn at_index(self, index: usize) -> Self {
        self.at(Part::Index(index))
    }

    fn at(mut self, part: Part) -> Self {
        if self.0.details.file.is_none() {
            self.0.details.trail.push(part);
        }
        self
    }

    #[must_use]
    pub(crate) fn about(mut self, object: impl fmt::Display) -> Self {
        if self.0.details.object.is_none() {
            self.0.details.object = Some(object.to_string().into());
        }
        self
    }

    #[must_use]
    pub(crate) fn expecting(mut self, expected: impl Into<Box<str>>) -> Self {
        if self.0.details.expected.is_none() {
            self.0.details.expected = Some(expected.into());
        }
        self
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<Box<str>>) -> Self {
        if self.0.details.hint.is_none() {
            self.0.details.hint = Some(hint.into());
        }
        self
    }

    /// Names a second place that has to do with the failure.
    #[must_use]
    pub(crate) fn see(mut self, place: Location) -> Self {
        if self.0.details.related.is_none() {
            self.0.details.related = Some(place);
        }
        self
    }

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

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file in which the cause stands, relative to the tree's root.
    pub fn file(&self) -> Option<&str> {
        self.0.details.file.as_deref()
    }

    /// The line in the file, counted from 1.
    pub fn line(&self) -> Option<u32> {
        Some(self.0.details.line).filter(|line| *line > 0)
    }

    /// The column in the line, in characters and counted from 1.
    pub fn column(&self) -> Option<u32> {
        Some(self.0.details.column).filter(|column| *column > 0)
    }

    /// The object that the failure is about.
    pub fn object(&self) -> Option<&str> {
        self.0.details.object.as_deref()
    }

    /// What should have been there.
    pub fn expected(&self) -> Option<&str> {
        self.0.details.expected.as_deref()
    }

    /// What a person might do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.details.hint.as_deref()
    }

    /// A second place that has to do with it, such as that of an object's twin.
    pub fn related(&self) -> Option<&Location> {
        self.0.details.related.as_ref()
    }

    /// The kustomizations from the one that was built to the failing one, each with the line that
    /// led on.
    pub fn chain(&self) -> impl DoubleEndedIterator<Item = &Location> {
        self.0.details.chain.iter().rev()
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
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { report::write(self, f) } else { f.write_str(&self.0.message) }
    }
}

/// Without the line's text, which may be long.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &self.0.details;
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &one_line(self))
            .field("file", &details.file)
            .field("line", &details.line)
            .field("object", &details.object)
            .field("hint", &details.hint)
            .field("chain", &details.chain)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self.0.kind {
            ErrorKind::NotFound => Class::NotFound,
            ErrorKind::Denied => Class::Denied,
            ErrorKind::Unsupported => Class::Unsupported,
            ErrorKind::Io => Class::Transient,
            ErrorKind::Cancelled => Class::Cancelled,
            _ => Class::Invalid,
        }
    }
}

impl From<Cancelled> for Error {
    fn from(cancelled: Cancelled) -> Self {
        Self::new(ErrorKind::Cancelled, cancelled.to_string())
    }
}

impl From<gitops_yaml::Error> for Error {
    fn from(error: gitops_yaml::Error) -> Self {
        let kind = match error.kind() {
            gitops_yaml::ErrorKind::Limit => ErrorKind::Limit,
            gitops_yaml::ErrorKind::Patch | gitops_yaml::ErrorKind::Path => ErrorKind::Patch,
            _ => ErrorKind::Syntax,
        };
        let (line, column) = (error.line().unwrap_or(0), error.column().unwrap_or(0));
        let error_here = Self::new(kind, error.message()).at_line(line, column);
        match error.hint() {
            Some(hint) => error_here.with_hint(hint),
            None => error_here,
        }
    }
}

/// The kind that a failed access to the tree has.
pub(crate) fn kind_of_tree_error(error: &TreeError) -> ErrorKind {
    match error.class() {
        Class::NotFound => ErrorKind::NotFound,
        Class::Denied => ErrorKind::Denied,
        Class::Transient => ErrorKind::Io,
        _ => ErrorKind::Limit,
    }
}

/// A failed check of the build itself.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;
