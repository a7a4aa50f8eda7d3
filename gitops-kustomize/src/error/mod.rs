//! What can go wrong in a build, and where.

mod location;
mod place;
mod report;

use std::{error::Error as StdError, fmt};

use gitops_core::{Cancelled, Class, Classify, TreeError, one_line};
pub(crate) use location::Entry;
pub use location::Location;
use place::Part;

use crate::manifests::Warning;

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
    /// What the build remarked before it failed.
    warnings: Vec<Warning>,
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

    /// Adds what the build remarked before it failed.
    #[must_use]
    pub(crate) fn with_warnings(mut self, warnings: Vec<Warning>) -> Self {
        self.0.details.warnings.extend(warnings);
        self
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

    /// What the build remarked before it failed, in order.
    pub fn warnings(&self) -> &[Warning] {
        &self.0.details.warnings
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
