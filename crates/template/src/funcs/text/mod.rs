//! Text: cutting, joining, quoting, cases, regular expressions.

mod case;
mod regex;
mod strings;
mod unicode;
mod wrap;

pub(crate) use regex::Patterns;
pub(super) use regex::REGEX;
pub(super) use strings::STRINGS;
