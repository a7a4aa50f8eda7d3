//! How failures and explanations are told.

use std::io::IsTerminal as _;

use clap::ValueEnum;

/// `--explain-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// A line for each change, action or value
    Text,
    /// One JSON object
    Json,
}

/// `--error-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ErrorFormat {
    /// `full` on a terminal, else `line`
    Auto,
    /// The original's message and nothing else
    Line,
    /// The message, and below it the place with its text, what led there, and a hint
    Full,
    /// One JSON object: code, message, file, line, column, chain, hint, and what else is known
    Json,
}

/// The format that is meant.
pub(super) fn resolved(format: ErrorFormat) -> ErrorFormat {
    match format {
        ErrorFormat::Auto if std::io::stderr().is_terminal() => ErrorFormat::Full,
        ErrorFormat::Auto => ErrorFormat::Line,
        chosen => chosen,
    }
}
