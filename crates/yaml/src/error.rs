//! What can be wrong with a document, and where.

use std::fmt;

use gitops_core::{Class, Classify};

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not YAML.
    Syntax,
    /// The bytes are no text, or hold characters that YAML forbids.
    Encoding,
    /// A key stands twice in one mapping.
    DuplicateKey,
    /// An alias without its anchor, or an anchor within itself.
    Anchor,
    /// A value cannot be what its tag or its place asks for.
    Type,
    /// A limit was exceeded: depth, size, number of documents, expansion of aliases.
    Limit,
    /// The value has no form in JSON, or not in the YAML that was asked for.
    Unrepresentable,
    /// A patch cannot be applied.
    Patch,
    /// A field path cannot be read or does not lead anywhere.
    Path,
}

/// A failure of reading, writing or merging.
///
/// The plain text is one line, in go-yaml's words where go-yaml has words for it. `{:#}` adds the
/// file and the line of the source with a mark under the column.
pub struct Error(Box<Repr>);

#[derive(Clone)]
struct Repr {
    kind: ErrorKind,
    message: String,
    file: Option<Box<str>>,
    line: u32,
    column: u32,
    snippet: Option<Box<str>>,
    hint: Option<Box<str>>,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Repr {
            kind,
            message: message.into(),
            file: None,
            line: 0,
            column: 0,
            snippet: None,
            hint: None,
        }))
    }

    #[must_use]
    pub(crate) fn at(mut self, line: u32, column: u32) -> Self {
        self.0.line = line;
        self.0.column = column;
        self
    }

    #[must_use]
    pub(crate) fn with_source(mut self, source: &str) -> Self {
        if self.0.line > 0 && self.0.snippet.is_none() {
            let line = source.lines().nth(self.0.line as usize - 1).unwrap_or_default();
            self.0.snippet = Some(gitops_core::truncate(line, 240).into());
        }
        self
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<Box<str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same error, about a file of this name.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<Box<str>>) -> Self {
        if self.0.file.is_none() {
            self.0.file = Some(file.into());
        }
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The text without file and place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file, where one was named.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// What a person might do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The text of the line.
    pub fn snippet(&self) -> Option<&str> {
        self.0.snippet.as_deref()
    }

    /// The line in the stream, counted from 1.
    pub fn line(&self) -> Option<u32> {
        (self.0.line > 0).then_some(self.0.line)
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> Option<u32> {
        (self.0.column > 0).then_some(self.0.column)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repr { message, file, line, column, snippet, .. } = &*self.0;
        if !f.alternate() {
            return f.write_str(message);
        }
        if let Some(file) = file {
            write!(f, "{file}:")?;
            if *line > 0 {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(message)?;
        if let Some(snippet) = snippet {
            let gutter = line.to_string();
            let mark = (*column as usize).saturating_sub(1);
            write!(
                f,
                "\n{gutter} | {snippet}\n{:gutter$} | {:mark$}^",
                "",
                "",
                gutter = gutter.len()
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("file", &self.0.file)
            .field("line", &self.0.line)
            .field("column", &self.0.column)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

impl Classify for Error {
    fn class(&self) -> Class {
        Class::Invalid
    }
}
