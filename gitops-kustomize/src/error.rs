//! What can go wrong in a build, and where.

use std::{error::Error as StdError, fmt};

use gitops_core::{Cancelled, Class, Classify, TreeError, one_line};

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
/// that message and below it the place, the object, the chain of kustomizations and a hint.
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    file: Option<Box<str>>,
    line: Option<u32>,
    column: Option<u32>,
    object: Option<Box<str>>,
    hint: Option<Box<str>>,
    chain: Vec<Box<str>>,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Repr {
            kind,
            message: message.into(),
            source: None,
            file: None,
            line: None,
            column: None,
            object: None,
            hint: None,
            chain: Vec::new(),
        }))
    }

    /// The same failure seen from a level above. Place, object, hint and chain move up.
    #[must_use]
    #[cold]
    pub(crate) fn context(mut self, message: impl Into<String>) -> Self {
        let mut outer = Self::new(self.0.kind, message);
        outer.0.file = self.0.file.take();
        outer.0.line = self.0.line;
        outer.0.column = self.0.column;
        outer.0.object = self.0.object.take();
        outer.0.hint = self.0.hint.take();
        outer.0.chain = std::mem::take(&mut self.0.chain);
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

    #[must_use]
    pub(crate) fn in_file(mut self, file: impl Into<Box<str>>) -> Self {
        if self.0.file.is_none() {
            self.0.file = Some(file.into());
        }
        self
    }

    #[must_use]
    pub(crate) fn at_line(mut self, line: u32, column: u32) -> Self {
        if self.0.line.is_none() && line > 0 {
            self.0.line = Some(line);
            self.0.column = Some(column);
        }
        self
    }

    #[must_use]
    pub(crate) fn about(mut self, object: impl fmt::Display) -> Self {
        if self.0.object.is_none() {
            self.0.object = Some(object.to_string().into());
        }
        self
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<Box<str>>) -> Self {
        if self.0.hint.is_none() {
            self.0.hint = Some(hint.into());
        }
        self
    }

    /// Adds the kustomization through which the failing one was reached.
    #[must_use]
    pub(crate) fn through(mut self, kustomization: impl Into<Box<str>>) -> Self {
        self.0.chain.push(kustomization.into());
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file in which the cause stands, relative to the tree's root.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The line in the file, counted from 1.
    pub fn line(&self) -> Option<u32> {
        self.0.line
    }

    /// The column in the line, counted from 1.
    pub fn column(&self) -> Option<u32> {
        self.0.column
    }

    /// The object that the failure is about.
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// What a person might do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The kustomization files from the failing one up to the one that was built.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        self.0.chain.iter().map(AsRef::as_ref)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return f.write_str(&self.0.message);
        }
        f.write_str(&one_line(self))?;
        if let Some(file) = &self.0.file {
            write!(f, "\n  --> {file}")?;
            if let (Some(line), Some(column)) = (self.0.line, self.0.column) {
                write!(f, ":{line}:{column}")?;
            }
        }
        if let Some(object) = &self.0.object {
            write!(f, "\n  object: {object}")?;
        }
        for kustomization in &self.0.chain {
            write!(f, "\n  in: {kustomization}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &one_line(self))
            .field("file", &self.0.file)
            .field("line", &self.0.line)
            .field("object", &self.0.object)
            .field("hint", &self.0.hint)
            .field("chain", &self.0.chain)
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
        Self::new(kind, error.message()).at_line(line, column)
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
