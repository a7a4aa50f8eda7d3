//! Go's `encoding/json`: values to text and back, with its error texts.

mod read;
mod write;

pub(super) use read::{Error, Target, fit, read};
pub(super) use write::{Layout, write};
