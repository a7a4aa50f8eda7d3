//! A failure for machines, of the same shape whoever failed.

use serde::Serialize;

/// A failure as one JSON object. Its fields are always there and stay as they are; what is not known is
/// `null`, or an empty list.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ErrorDocument {
    /// A word that stays as it is, of the renderer's own list: `not-found`, `template`.
    pub code: &'static str,
    /// The original's message.
    pub message: String,
    /// The file that is wrong.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// The text of the line.
    pub snippet: Option<String>,
    /// `Kind/namespace/name` of the object that it is about.
    pub object: Option<String>,
    /// What led there, outermost first.
    pub chain: Vec<ErrorPlace>,
    /// Another place to look at.
    pub related: Option<ErrorPlace>,
    /// What should have been there, for people.
    pub expected: Option<String>,
    /// What may help, for people.
    pub hint: Option<String>,
    /// What was remarked before.
    pub warnings: Vec<ErrorRemark>,
}

/// A place in a file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ErrorPlace {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: Option<u32>,
    /// The column in characters, from 1.
    pub column: Option<u32>,
    /// The action of a template that stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// A remark that came before a failure.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ErrorRemark {
    /// What it is.
    pub message: String,
    /// Where it is.
    pub place: Option<ErrorPlace>,
}
