//! A failure as a page for people and as a document for machines.

use std::fmt::{self, Write as _};

use gitops_core::{ErrorDocument, ErrorPlace, ErrorRemark, one_line};
use serde_json::Value;

use super::{Error, ErrorKind, Location};

impl ErrorKind {
    /// A word for machines that stays as it is: `not-found`, `denied`, `syntax`, `field`, `conflict`,
    /// `cycle`, `reference`, `patch`, `substitution`, `limit`, `unsupported`, `io` or `cancelled`.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Denied => "denied",
            Self::Syntax => "syntax",
            Self::Field => "field",
            Self::Conflict => "conflict",
            Self::Cycle => "cycle",
            Self::Reference => "reference",
            Self::Patch => "patch",
            Self::Substitution => "substitution",
            Self::Limit => "limit",
            Self::Unsupported => "unsupported",
            Self::Io => "io",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Error {
    /// The failure as one JSON object, an [`ErrorDocument`]. Its fields are always there and stay as
    /// they are:
    ///
    /// | field | value |
    /// |---|---|
    /// | `code` | [`ErrorKind::code`] |
    /// | `message` | kustomize's message |
    /// | `file`, `line`, `column` | the place, each `null` where it is not known |
    /// | `snippet` | the text of the line, secrets masked, or `null` |
    /// | `object` | `Kind/namespace/name` of the object that it is about, or `null` |
    /// | `chain` | the kustomizations from the one that was built to the failing one, each `{file, line, column}` of the entry that led on |
    /// | `related` | another place to look at, `{file, line, column}` or `null` |
    /// | `expected`, `hint` | texts for people, or `null` |
    /// | `warnings` | what the build remarked before, each `{message, place}` with `{file, line, column}` or `null` |
    pub fn to_json(&self) -> Value {
        let document = ErrorDocument {
            code: self.kind().code(),
            message: one_line(self),
            file: self.file().map(str::to_owned),
            line: self.line(),
            column: self.column(),
            snippet: self.0.details.snippet.as_deref().map(str::to_owned),
            object: self.object().map(ToString::to_string),
            chain: self.chain().map(Location::document).collect(),
            related: self.related().map(Location::document),
            expected: self.expected().map(str::to_owned),
            hint: self.hint().map(str::to_owned),
            warnings: self
                .warnings()
                .iter()
                .map(|warning| ErrorRemark {
                    message: warning.message.clone(),
                    place: warning.place.as_ref().map(Location::document),
                })
                .collect(),
        };
        serde_json::to_value(document).unwrap_or_default()
    }
}

impl Location {
    /// `{file, line, column}`; the numbers are `null` where they are not known.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self.document()).unwrap_or_default()
    }

    fn document(&self) -> ErrorPlace {
        let known = |number: u32| Some(number).filter(|number| *number > 0);
        let (line, column) = (known(self.line), known(self.column));
        ErrorPlace { file: self.file.to_string(), line, column, action: None }
    }
}

/// The message, and below it what is known about it.
pub(super) fn write(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(one_line(error).trim_end())?;
    let details = &error.0.details;
    if let Some(file) = &details.file {
        write!(f, "\n  --> {file}")?;
        for number in [error.line(), error.column()].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        if let Some(snippet) = details.snippet.as_deref().filter(|line| !line.is_empty()) {
            write_snippet(snippet, details.line, details.column, f)?;
        }
    }
    if let Some(object) = error.object() {
        write!(f, "\n  object: {object}")?;
    }
    let mut before = "\n  chain: ";
    for place in error.chain() {
        write!(f, "{before}{}", place.file)?;
        if place.line > 0 {
            write!(f, ":{}", place.line)?;
        }
        before = " → ";
    }
    if let Some(place) = error.related() {
        write!(f, "\n  see: {place}")?;
    }
    for (name, text) in [("expected", error.expected()), ("hint", error.hint())] {
        if let Some(text) = text {
            write!(f, "\n  {name}: {text}")?;
        }
    }
    Ok(())
}

/// The line between two rules, with a mark below the column.
fn write_snippet(text: &str, line: u32, column: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let gutter = line.to_string();
    let blank = " ".repeat(gutter.len());
    let text = text.trim_end();
    write!(f, "\n {blank} |\n {gutter} | ")?;
    // What a terminal would act on is not passed to it.
    text.chars().try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))?;
    if column > 0 && column as usize <= text.chars().count() + 1 {
        write!(f, "\n {blank} | {}^", " ".repeat(column as usize - 1))?;
    }
    Ok(())
}
