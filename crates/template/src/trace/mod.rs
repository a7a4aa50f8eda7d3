//! Which action of which template wrote what, and which values it read. A run that is not traced
//! carries `None` and does none of this.

mod recorder;
mod written;

use std::{fmt, sync::Arc};

use crate::{Text, ast::Source};

pub(crate) use recorder::{Opened, Recorder};
pub use written::{Origin, Written};

/// An action or a text of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// The file that holds it; `gotpl` for a text that was given to `tpl`.
    pub template: Text,
    /// The file, or the `define` that ran.
    pub executing: Text,
    /// Its line, from 1.
    pub line: u32,
    /// Its column, from 1, in bytes.
    pub column: u32,
    /// The action as Go prints it, in braces; empty for text.
    pub action: String,
    /// The watched values that it read, by their names, in order.
    pub reads: Vec<Text>,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.template, self.line, self.column)
    }
}

/// A site as it is kept while templates run: its line is counted when somebody asks.
#[derive(Debug)]
struct Mark {
    source: Arc<Source>,
    executing: Text,
    at: u32,
    action: String,
    reads: Vec<Text>,
    /// The texts that templates gave to this action.
    inner: Vec<Arc<Buffer>>,
}

impl Mark {
    fn site(&self) -> Site {
        self.site_at(0)
    }

    /// The site of what stands some bytes into a text.
    fn site_at(&self, offset: usize) -> Site {
        let offset = if self.action.is_empty() { offset } else { 0 };
        let at = self.at.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        let (line, column) = self.source.position(at);
        Site {
            template: self.source.name.clone(),
            executing: self.executing.clone(),
            line,
            column: column + 1,
            action: self.action.clone(),
            reads: self.reads.clone(),
        }
    }
}

/// The statements that something stands in, the innermost first.
#[derive(Debug)]
struct Outer {
    mark: Arc<Mark>,
    /// Whether another template was called there, and not a branch taken.
    calls: bool,
    up: Option<Arc<Self>>,
}

/// What a statement wrote.
#[derive(Debug)]
struct Span {
    end: usize,
    mark: Arc<Mark>,
    outer: Option<Arc<Outer>>,
}

/// A text with the spans that follow each other in it.
#[derive(Debug, Default)]
struct Buffer {
    text: String,
    spans: Vec<Span>,
}
