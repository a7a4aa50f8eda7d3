//! What is wrong with a pattern.

use std::fmt;

/// A pattern that is none. The text is Go's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: &'static str,
    part: String,
}

impl Error {
    pub(super) fn new(code: &'static str, part: &str) -> Self {
        Self { code, part: part.to_owned() }
    }

    /// What Go's `MustCompile` panics with.
    pub(crate) fn of_compile(&self, pattern: &str) -> String {
        let quoted = if can_backquote(pattern) {
            format!("`{pattern}`")
        } else {
            crate::quote::quoted(pattern)
        };
        format!("regexp: Compile({quoted}): {self}")
    }
}

fn can_backquote(text: &str) -> bool {
    !text.contains(|c: char| c == '`' || c == '\u{feff}' || c == '\u{7f}' || (c < ' ' && c != '\t'))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error parsing regexp: {}: `{}`", self.code, self.part)
    }
}

impl std::error::Error for Error {}
