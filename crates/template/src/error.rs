//! What goes wrong in a template, in Go's words and with a place.

use std::fmt;

use gitops_core::{Class, Classify};

use crate::Text;

/// An error of parsing or running a template.
///
/// `{}` is Go's text: `template: c/templates/a.yaml:3:5: executing "c/templates/a.yaml" at <.Values.x>:
/// …`, with each `include` that led there. [`Error::frames`] has the same as data.
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    /// Outermost first.
    frames: Vec<Frame>,
    message: String,
    /// A parser's error has no column and no context.
    parse: Option<(Text, u32)>,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The template cannot be parsed.
    Parse,
    /// An action failed.
    Exec,
    /// The template called `fail` or `required`.
    Failed,
    /// A limit was reached.
    Limit,
    /// The run was cancelled.
    Cancelled,
}

/// One template on the way to the error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The file or text that holds the action.
    pub template: Text,
    /// Its line, from 1.
    pub line: u32,
    /// Its column as Go counts it: the bytes before it in its line.
    pub column: u32,
    /// The template that ran: the file, or the name of a `define`.
    pub executing: Text,
    /// The action's text, cut to 20 bytes.
    pub context: String,
    /// What the action did when it failed: `error calling include`.
    pub doing: Option<String>,
}

impl Error {
    pub(crate) fn parse(template: Text, line: u32, message: impl Into<String>) -> Self {
        Self(Box::new(Repr {
            kind: ErrorKind::Parse,
            frames: Vec::new(),
            message: message.into(),
            parse: Some((template, line)),
        }))
    }

    pub(crate) fn exec(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Repr { kind, frames: Vec::new(), message: message.into(), parse: None }))
    }

    /// Puts the place from which the failing template was run before the others.
    #[must_use]
    pub(crate) fn within(mut self, frame: Frame) -> Self {
        self.0.frames.insert(0, frame);
        self
    }

    /// Whether no template may go on after it.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Limit | ErrorKind::Cancelled)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The templates that led to it, outermost first; none for an error of parsing.
    pub fn frames(&self) -> &[Frame] {
        &self.0.frames
    }

    /// What went wrong, without the places.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where parsing stopped: the template and the line.
    pub fn parse_location(&self) -> Option<(&str, u32)> {
        self.0.parse.as_ref().map(|(template, line)| (&**template, *line))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for frame in &self.0.frames {
            write!(
                f,
                "template: {}:{}:{}: executing \"{}\" at <{}>: ",
                frame.template, frame.line, frame.column, frame.executing, frame.context
            )?;
            if let Some(doing) = &frame.doing {
                write!(f, "{doing}: ")?;
            }
        }
        if let Some((template, line)) = &self.0.parse {
            write!(f, "template: {template}:{line}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}

impl Classify for Error {
    fn class(&self) -> Class {
        Class::Invalid
    }
}
